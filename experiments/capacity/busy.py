"""What was busy in one phase, by processor time of threads and by rows of the platform's event loop."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from experiments.capacity.utilisation import STAGES, Owner, Resource, Stage
from experiments.latency.pacing import SLOT_NS
from experiments.latency.phase import Phase
from experiments.latency.usage import Cores, Usage
from experiments.problems import RunInvalid

__all__ = [
    "Beside",
    "held_up",
    "loop_shares",
    "memory_mib",
    "processors_busy_s",
    "resources_of",
    "wait_for_quiet",
]

PUMP: Final = "sctp-pump"
"""Name of the thread that pumps the association, in both processes."""
LOOK_S: Final = 1.0


def resources_of(phase: Phase, cores: Cores | None) -> tuple[Resource, ...]:
    """Threads, the platform's loop, and the processors of both sides, over the time of sending."""
    found = list(_generator(phase.generator, os.getpid()))
    loop = loop_shares(
        phase.records.folder / "loop.json", phase.begin_ns, phase.begin_ns + int(phase.sent_ns[-1])
    )
    if loop:
        idle = loop.pop("idle", 0.0)
        parts = {cast("Stage", stage): share for stage, share in loop.items()}
        found.append(Resource("platform_loop", max(0.0, 1.0 - idle), parts))
    if phase.platform is not None:
        found += _platform(phase.platform, loop)
    if cores is not None and not cores.why_not:
        found += _processors(found, phase, cores)
    return tuple(found)


def _generator(used: Mapping[str, Any], pid: int) -> list[Resource]:
    """The pacing thread, the message centre's and BOSS's, and the pump."""
    if not used:
        return []
    shares = {"generator_thread": 0.0, "generator_centre": 0.0, "generator_pump": 0.0}
    for thread, share in used["threads"].items():
        name, process, number = thread.rsplit("/", 2)
        if name == PUMP and process == str(pid):
            shares["generator_pump"] += share
        elif process == number == str(pid):
            shares["generator_thread"] += share
        elif process == str(pid):
            shares["generator_centre"] += share
    return [
        Resource(name, share, {"transport" if name.endswith("pump") else "generator": share})
        for name, share in shares.items()
    ]


def _platform(used: Mapping[str, Any], loop: Mapping[str, float]) -> list[Resource]:
    """The pump, and each worker; the loop's own processor time belongs to the processors alone."""
    found, workers = [], []
    for thread, share in sorted(used["threads"].items()):
        name, process, number = thread.rsplit("/", 2)
        if name == PUMP:
            found.append(Resource("platform_pump", share, {"transport": share}))
        elif process == number:
            workers.append((int(process), share))
    # The loop's process is the oldest one; workers are its children.
    for number, (_, share) in enumerate(sorted(workers)):
        if number:
            found.append(Resource(f"platform_worker_{number}", share, {"engine": share}))
        else:
            # The rest of its time the loop waited, for a processor that others had or for the disk.
            found.insert(0, Resource("platform_loop_running", share))
    return found


def _processors(found: list[Resource], phase: Phase, cores: Cores) -> list[Resource]:
    """Both sides' processors: what all their threads used of them, by stage."""
    ours: dict[Stage, float] = {}
    for resource in found:
        if resource.name.startswith("generator_"):
            for stage, share in resource.parts.items():
                ours[stage] = ours.get(stage, 0.0) + share
    sides = [_side("generator_processors", sum(ours.values()), len(cores.generator), ours, "generator")]
    if phase.platform is not None:
        theirs: dict[Stage, float] = {}
        for resource in found:
            if resource.name.startswith("platform_") and resource.name != "platform_loop":
                for stage, share in resource.parts.items():
                    theirs[stage] = theirs.get(stage, 0.0) + share
        rest = max(0.0, float(phase.platform["busy"]) - sum(theirs.values()))
        loop = next((r for r in found if r.name == "platform_loop"), None)
        if loop is not None and loop.busy:
            # The loop waits too, for a processor or the disk; its own time is dealt out as its stages were.
            whole = sum(loop.parts.values()) or 1.0
            for stage, share in loop.parts.items():
                theirs[stage] = theirs.get(stage, 0.0) + rest * share / whole
        else:
            theirs["other"] = rest
        sides.append(
            _side(
                "platform_processors", float(phase.platform["busy"]), len(cores.platform), theirs, "platform"
            )
        )
    return sides


def _side(name: str, busy: float, processors: int, parts: Mapping[Stage, float], owner: Owner) -> Resource:
    ordered = {stage: parts[stage] / processors for stage in STAGES if stage in parts}
    return Resource(name, busy / processors, ordered, owner)


def loop_shares(file: Path, from_ns: int, until_ns: int) -> dict[str, float]:
    """Share of the time that the loop spent with each stage between two instants; empty without the file.

    Raises:
        RunInvalid: the file is not as a platform writes it.
    """
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        columns, rows = told["columns"], np.array(told["rows"], float)
        at = rows[:, columns.index("t_ns")]
        stages = {name: rows[:, i] for i, name in enumerate(columns) if name != "t_ns"}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise RunInvalid(f"{file.name}: not as a platform writes it ({error})") from None
    if until_ns <= from_ns:
        return {}
    ends = np.array([from_ns, until_ns], float)
    spent = {name: float(np.diff(np.interp(ends, at, sums))[0]) for name, sums in stages.items()}
    whole = sum(spent.values())
    return {name: ns / whole for name, ns in spent.items()} if whole > 0 else {}


def memory_mib() -> float | None:
    """Resident memory of the processes that this one has started and of theirs, MiB; None without /proc."""
    pages, waiting = 0, _children(os.getpid())
    if not waiting:
        return None
    while waiting:
        process = waiting.pop()
        try:
            pages += int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
        except (OSError, IndexError, ValueError):
            continue  # it has ended meanwhile
        waiting += _children(process)
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, file.read_text(encoding="ascii").split())
        except OSError:
            continue
    return found


class Beside:
    """What others used of the machine's processors while a phase sent: it is told `sending` and `sent`.

    Others are all who are not of this study: programs, the kernel on their behalf, and what a hypervisor gave
    to other machines.
    """

    def __init__(self) -> None:
        self._at: dict[str, tuple[float, float, dict[int, float]]] = {}

    def __call__(self, stage: str) -> None:
        """Notes time, our own processor time, and how long each processor was busy."""
        if busy := processors_busy_s():
            self._at[stage] = (time.monotonic(), Usage.of(os.getpid()).processor_s, busy)

    @property
    def share(self) -> float | None:
        """Of all processors; None where the machine does not say."""
        if not {"sending", "sent"} <= self._at.keys():
            return None
        ours = self._at["sent"][1] - self._at["sending"][1]
        return self.of(frozenset(self._at["sending"][2]), ours)

    def of(self, cpus: frozenset[int], ours_s: float) -> float | None:
        """Of these processors, on which we used so many seconds; None where the machine does not say."""
        if not {"sending", "sent"} <= self._at.keys():
            return None
        (from_s, _, before), (until_s, _, after) = self._at["sending"], self._at["sent"]
        if not cpus or not cpus <= before.keys() & after.keys():
            return None
        busy = sum(after[cpu] - before[cpu] for cpu in cpus)
        return max(0.0, (busy - ours_s) / ((until_s - from_s) * len(cpus)))


def wait_for_quiet(most_share: float, most_s: float) -> None:
    """Waits until others use at most so much of the processors over a second; at most so long."""
    deadline = time.monotonic() + most_s
    while time.monotonic() < deadline:
        look = Beside()
        look("sending")
        time.sleep(LOOK_S)
        look("sent")
        if look.share is None or look.share <= most_share:
            return


def processors_busy_s(stat: Path = Path("/proc/stat")) -> dict[int, float]:
    """Processor -> seconds that it was busy since the machine began; empty where the machine does not say.

    proc(5), /proc/stat: all but idle and iowait, and guests, who are counted as users already.
    """
    found: dict[int, float] = {}
    try:
        for line in stat.read_text(encoding="ascii").splitlines():
            name, *fields = line.split()
            if name.startswith("cpu") and name != "cpu":
                ticks = [int(field) for field in fields[:8]]
                found[int(name[3:])] = (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return {}
    return found


def held_up(phase: Phase, late_after_ms: float) -> tuple[float, float]:
    """Shares of the messages sent late: by the generator's own doing, and as the association stood full.

    SCTP takes no more than its peer has room for, so a platform that does not keep up holds up the sender.
    That
    is no fault of the generator, and the latency counts from the planned send anyway.
    """
    late_ns = phase.sent_ns - phase.plan.intended_ns
    late = late_ns > late_after_ms * 1e6
    if not late.any():
        return 0.0, 0.0
    kept = np.asarray(phase.wakes["kept_ns"], np.int64)
    slot = np.clip(phase.sent_ns // SLOT_NS, 0, len(kept) - 1)
    # What was sent right after a stand was late by it, also where that began in the slot before.
    stood = np.maximum(kept[slot], kept[np.maximum(slot - 1, 0)])
    kept_back = late & (stood * 2 >= np.minimum(late_ns, SLOT_NS))
    n = len(late)
    return float(np.count_nonzero(late & ~kept_back)) / n, float(np.count_nonzero(kept_back)) / n
