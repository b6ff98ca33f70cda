"""Processor time of processes and their threads, as Linux counts it; and who runs on which processor."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Cores", "Usage", "cores_of", "pinned"]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its descendants have used so far."""

    processor_s: float
    threads: dict[str, float]
    """Name, process and number of a thread -> seconds."""
    waited_s: float
    """So long they were ready to run and had no processor: other programs, or their own, were on it."""
    preempted: int
    """How often the main threads had to leave a processor although they wanted to go on."""

    @classmethod
    def of(cls, pid: int, without: int = 0) -> Usage:
        """Now, without the process `without` and its own; nothing where the machine has no /proc."""
        tick = os.sysconf("SC_CLK_TCK")
        threads: dict[str, float] = {}
        preempted, waited_s = 0, 0.0
        for process in _tree(pid, without):
            try:
                for task in Path(f"/proc/{process}/task").iterdir():
                    name, rest = _stat(task / "stat")
                    spent = (int(rest[11]) + int(rest[12])) / tick  # proc(5): utime, stime
                    if (
                        len(kept := _words(task / "schedstat")) == 3
                    ):  # nanoseconds on a processor, and waiting
                        spent, waited_s = int(kept[0]) / 1e9, waited_s + int(kept[1]) / 1e9
                    threads[f"{name}/{process}/{task.name}"] = spent
                preempted += _preempted(process)
            except (OSError, IndexError):
                continue  # it has ended meanwhile
        return cls(sum(threads.values()), threads, waited_s, preempted)

    def since(self, before: Usage, seconds: float) -> dict[str, Any]:
        """What was used between both, `seconds` apart: in all, as shares of one processor, by thread."""
        by_thread = {name: spent - before.threads.get(name, 0.0) for name, spent in self.threads.items()}
        used = sum(by_thread.values())
        busiest = sorted(by_thread.items(), key=lambda row: -row[1])[:8]
        return {
            "processor_s": round(used, 3),
            "busy": round(used / seconds, 4) if seconds else 0.0,
            "busiest_thread": round(max(by_thread.values(), default=0.0) / seconds, 4) if seconds else 0.0,
            "threads": {name: round(spent / seconds, 4) for name, spent in busiest if spent and seconds},
            "waited": round(max(0.0, self.waited_s - before.waited_s) / seconds, 4) if seconds else 0.0,
            "preempted": self.preempted - before.preempted,
        }


def _tree(pid: int, without: int) -> Iterator[int]:
    children = defaultdict(list)
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            children[int(_stat(entry)[1][1])].append(int(entry.parent.name))
        except (OSError, IndexError, ValueError):
            continue
    waiting = [pid]
    while waiting:
        process = waiting.pop()
        yield process
        waiting += [child for child in children[process] if child != without]


def _stat(path: Path) -> tuple[str, list[str]]:
    """Name of a process or thread, which may hold anything, and the fields after it."""
    head, _, rest = path.read_text(encoding="utf-8", errors="replace").rpartition(")")
    return head.partition("(")[2], rest.split()


def _words(path: Path) -> list[str]:
    """What a file of /proc says, in words; nothing where this kernel has none."""
    return path.read_text(encoding="ascii").split() if path.exists() else []


def _preempted(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    lines = (line.partition(":") for line in status.splitlines())
    return next((int(count) for key, _, count in lines if key == "nonvoluntary_ctxt_switches"), 0)


@dataclass(frozen=True, slots=True)
class Cores:
    """Processors of generator and platform."""

    generator: frozenset[int]
    platform: frozenset[int]
    why_not: str = ""
    """Why they are not apart; empty: they are."""

    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        apart = {"generator": sorted(self.generator), "platform": sorted(self.platform)}
        return {"apart": not self.why_not, **apart, **({"why_not": self.why_not} if self.why_not else {})}


def cores_of(available: frozenset[int] | None = None) -> Cores:
    """Divides the processors we may use: the generator has one, of four two; the platform the rest."""
    if sys.platform != "linux":
        return Cores(frozenset(), frozenset(), "only Linux lets a process choose its processors")
    cpus = sorted(os.sched_getaffinity(0) if available is None else available)
    if len(cpus) < 2:
        return Cores(frozenset(cpus), frozenset(cpus), "there is one processor only")
    ours = 2 if len(cpus) >= 4 else 1
    return Cores(frozenset(cpus[:ours]), frozenset(cpus[ours:]))


def pinned(pid: int, cpus: frozenset[int]) -> None:
    """Binds a process, 0 for this thread, and all that it will start."""
    if cpus and sys.platform == "linux":
        os.sched_setaffinity(pid, cpus)
