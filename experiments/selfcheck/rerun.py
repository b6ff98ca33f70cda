"""Are results the same when a study is run again, over one process and over two?

Each study is run whole by `kairos run`, in processes of its own, and then by `kairos rerun`, which compares
the hashes; the second run is told to use two processes where the study can.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from experiments.problems import BadInput, RunInvalid
from experiments.running.executor import Executor
from experiments.running.rerun import compare
from experiments.selfcheck.case import Case, Scale, judged
from experiments.selfcheck.command import kairos

__all__ = ["Twice", "case_of", "cases", "run_twice"]

STUDIES: Final = Path("scenarios/studies")
"""Below the current folder."""
MEMORY: Final = ("transport=memory", "live=null")
NOT_PASSED: Final = 3
"""What `kairos run` ends with where a study came to its end and its answer is no: small ones do."""


@dataclass(frozen=True, slots=True)
class Twice:
    """A study to be run and run again."""

    name: str
    study: Path
    settings: tuple[str, ...]
    spreads: bool
    """Whether it takes `--processes`; where not, it has processes of its own."""
    least: int
    """Fewest results with a hash that it must have: none at all would be equal too."""


JOBS: Final[dict[Scale, tuple[Twice, ...]]] = {
    "small": (
        Twice("end to end", STUDIES / "demo.yaml", (*MEMORY, "days=1", "tick_s=60"), False, 25),
        Twice(
            "realism",
            STUDIES / "realism.yaml",
            (
                "world_settings={subscribers: 250}",
                "event_settings={subscribers: 400, events.0.visitors: 100}",
                "seeds=3",
                "days=7",
            ),
            True,
            2,
        ),
        Twice(
            "firewall",
            STUDIES / "firewall.yaml",
            ("groups=[boundaries,mutants,right]", "mutant_subscribers=100", "right_subscribers=6000"),
            True,
            1,
        ),
    ),
    "full": (
        Twice("end to end", STUDIES / "demo.yaml", MEMORY, False, 25),
        Twice("end to end, over SCTP", STUDIES / "demo.yaml", ("live=null",), False, 25),
        Twice("realism", STUDIES / "realism.yaml", (), True, 2),
        Twice("firewall", STUDIES / "firewall.yaml", ("groups=[boundaries,mutants,right]",), True, 1),
    ),
}


def cases(scale: Scale, executor: Executor) -> Iterator[Case]:
    """One case a study.

    Raises:
        BadInput: the studies are not there.
        RunInvalid: a study came to no end.
    """
    jobs = JOBS[scale]
    lost = [str(job.study) for job in jobs if not job.study.is_file()]
    if lost:
        raise BadInput([f"{path}: no such file; expected to be in a clone of the sources" for path in lost])
    named = {job.name.replace(" ", "-").replace(",", ""): job for job in jobs}
    found = dict(executor.map(run_twice, jobs, key=_key))
    for key, job in named.items():
        yield case_of(job, found[key])


def _key(job: Twice) -> str:
    return job.name.replace(" ", "-").replace(",", "")


def run_twice(job: Twice) -> dict[str, Any]:
    """The hashes of the results of both runs, and what `kairos rerun` ended with."""
    settings = [part for setting in job.settings for part in ("--set", setting)]

    def processes(count: int) -> list[str]:
        return ["--processes", str(count)] if job.spreads else []

    with tempfile.TemporaryDirectory(prefix="kairos-twice-") as scratch:
        out = Path(scratch)
        code = kairos("run", str(job.study), "--out", str(out / "first"), *settings, *processes(1))
        if code not in (0, NOT_PASSED):
            raise RunInvalid(f"{job.study} ended with {code}")
        first = _run_in(out / "first")
        code = kairos("rerun", str(first), "--out", str(out / "second"), *processes(2))
        if code not in (0, 1):
            raise RunInvalid(f"`kairos rerun` of {job.study} ended with {code}")
        return {
            "first": _results(first),
            "second": _results(_run_in(out / "second")),
            "said": "equal" if code == 0 else "different",
        }


def _run_in(out: Path) -> Path:
    (found,) = out.glob("*/*/manifest.json")
    return found


def _results(manifest: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(manifest.read_text(encoding="utf-8"))["results"]
    return found


def case_of(job: Twice, found: dict[str, Any]) -> Case:
    """How two runs compare."""
    apart = compare(found["first"], found["second"])
    different = len(apart.different) + len(apart.lacking) + len(apart.new)
    names = ", ".join((*apart.different, *apart.lacking, *apart.new)[:5])
    how = "in one process, then over two" if job.spreads else "twice"
    tried = f"{job.study.name} run {how}" + (f"; different: {names}" if names else "")
    return judged(
        "rerun",
        job.name,
        tried,
        2,
        {"equal": (job.least, None), "different": (0, 0), "said_equal": (1, 1)},
        {
            "equal": len(apart.equal),
            "different": different,
            "said_equal": int(found["said"] == "equal"),
        },
    )
