"""Two builds taking turns on this machine: fresh processes each round, slices in the order ABBA.

What differs between two moments (clock rate, neighbours, temperature) meets both sides alike: a slice is
some hundredths of a second, and the other side's stands beside it. What differs between two processes (where
memory and code lie) is drawn anew each round. So the unit of statistics is the round.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, Final, Self

from experiments.bench.compare.build import Build
from experiments.child import die_with_parent
from experiments.problems import BadInput, RunInvalid

__all__ = ["Field", "Pair", "Plan", "Prepared", "Round", "log_ratio", "rounds_of"]

ANSWER_TIMEOUT_S: Final = 300.0
SLICES: Final = 12
"""Of each side in a round; even, so that ABBA closes."""
SLOW_SLICES: Final = 6
"""Where one run takes longer than a slice should."""
SLICE_S: Final = 0.02
BUSY_BLOCKS: Final = 400
"""Blocks of planted work that are timed to learn what one costs."""
HARNESS_FILES: Final = (
    "__init__.py", "problems.py", "bench/__init__.py", "bench/workload.py", "bench/stages.py",
    "bench/compare/__init__.py", "bench/compare/side.py",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done in a round."""

    stages: tuple[str, ...]
    plants_pct: tuple[float, ...] = (0.0,)
    """The turns are taken once for each of these: work added to the newer side's timed region, in percent of
    what the stage itself takes; zero: the stage as it is."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a side said of a stage."""

    n: int = 0
    octets: int = 0
    workload: str = ""
    once_s: float = 0.0
    wrong: str = ""
    """Its result is not what was generated; it is timed nevertheless where it is the base."""
    missing: str = ""
    """What of the stage this build does not have."""
    failed: str = ""
    """The error with which it ended."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One round of one stage."""

    base: Prepared
    head: Prepared
    base_s: tuple[float, ...] = ()
    """Processor time of one run, slice by slice."""
    head_s: tuple[float, ...] = ()

    @property
    def measured(self) -> bool:
        return bool(self.base_s)

    @property
    def log_ratio(self) -> float:
        """Of the time for a message where both do not work on equally many."""
        return log_ratio(self.base_s, self.head_s) - math.log(self.head.n / self.base.n)


Round = Mapping[str, tuple[Pair, ...]]
"""Stage -> one Pair for each of the plan's plants."""


def log_ratio(base_s: Sequence[float], head_s: Sequence[float]) -> float:
    """Of a round: median of the log-ratios of slices that stood side by side."""
    return median(math.log(head / base) for base, head in zip(base_s, head_s, strict=True))


class Field:
    """Where rounds are run: the harness, the workload, and one folder of packages for each side."""

    def __init__(self, folder: Path, base: Build, head: Build) -> None:
        self._harness = folder / "harness"
        self._work = folder / "work"
        self._tree = head.tree
        self.base, self.head = base, head
        package = self._harness / "experiments"
        package.mkdir(parents=True)
        self._work.mkdir()
        here = Path(__file__).parents[2]
        for name in HARNESS_FILES:
            (package / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(here / name, package / name)

    def make_work(self, world: Path, capture: Path | None, messages: int) -> None:
        """The newer build simulates the busy hour, or reads the capture, once for all. Raises BadInput."""
        arguments = ["make", self._work, world, messages, *([capture.resolve()] if capture else [])]
        done = subprocess.run(
            self._command(arguments),
            env=self._environment(self.head, 0),
            cwd=self._tree,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise BadInput(f"the workload cannot be made: {said[-1] if said else done.returncode}")

    def side(self, build: Build, hash_seed: int, cpu: int | None) -> _Side:
        """A fresh process of a build."""
        return _Side(
            self._command(["serve", self._work]), self._environment(build, hash_seed), self._tree, build, cpu
        )

    def _command(self, arguments: Sequence[object]) -> list[str]:
        return [sys.executable, "-P", "-m", "experiments.bench.compare.side", *map(str, arguments)]

    def _environment(self, build: Build, hash_seed: int) -> dict[str, str]:
        """Of both sides the same but for the folder, whose name is as long on both."""
        path = os.pathsep.join(map(str, (self._harness, build.site)))
        return {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": str(hash_seed)}


class _Side:
    """A process that answers; a context manager, which ends it."""

    def __init__(
        self, command: list[str], environment: dict[str, str], cwd: Path, build: Build, cpu: int | None
    ) -> None:
        self._name = str(build.commit)

        def before() -> None:
            die_with_parent()
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})

        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            cwd=cwd,
            text=True,
            preexec_fn=before,  # noqa: PLW1509 - two calls into libc, no lock
        )
        try:
            try:
                self.hello = self._read()
            except RunInvalid as error:
                raise BadInput(f"this harness cannot drive {error}") from None
            for name, place in self.hello["packages"].items():
                # An installed copy must never be measured in a build's stead.
                if not Path(place).is_relative_to(build.site.resolve()):
                    raise RunInvalid(f"{self._name}: {name} was imported from {place}")
        except BaseException:
            self.close()
            raise

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """One command, one answer. Raises RunInvalid where none comes."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise RunInvalid(self._ended()) from None
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], ANSWER_TIMEOUT_S)[0]:
            raise RunInvalid(f"{self._name}: no answer within {ANSWER_TIMEOUT_S:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise RunInvalid(self._ended())
        found = json.loads(line)
        assert isinstance(found, dict)
        return found

    def _ended(self) -> str:
        status = self._process.wait(10)
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"{self._name}: its process ended with {status}" + (f": {said[-1]}" if said else "")

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def round_of(field: Field, plan: Plan, coin: random.Random) -> Round:
    """Both sides in fresh processes; who is first, in all that is done, is one toss of `coin`."""
    head_first = coin.random() < 0.5
    hash_seed, cpu = coin.randrange(2**32), _processor(coin)
    builds = [field.base, field.head][:: -1 if head_first else 1]
    with field.side(builds[0], hash_seed, cpu) as first, field.side(builds[1], hash_seed, cpu) as second:
        return {stage: _stage_round(stage, (first, second), head_first, plan) for stage in plan.stages}


def _stage_round(stage: str, sides: tuple[_Side, _Side], head_first: bool, plan: Plan) -> tuple[Pair, ...]:
    said = [Prepared(**side.ask("prepare", stage=stage)) for side in sides]
    base, head = said[::-1] if head_first else said
    if any(one.missing or one.failed for one in said) or head.wrong:
        return (Pair(base, head),) * len(plan.plants_pct)
    return tuple(_turns(stage, sides, head_first, Pair(base, head), pct) for pct in plan.plants_pct)


def _turns(stage: str, sides: tuple[_Side, _Side], head_first: bool, pair: Pair, plant_pct: float) -> Pair:
    once_s = min(pair.base.once_s, pair.head.once_s)
    runs = max(1, round(SLICE_S / once_s))
    slices = SLICES if once_s <= SLICE_S else SLOW_SLICES
    busy = [0, 0]
    if plant_pct:
        newer = 0 if head_first else 1
        busy[newer] = _busy_blocks(sides[newer], stage, runs, plant_pct)
    took: tuple[list[float], list[float]] = ([], [])
    for turn in range(slices):
        for i in (0, 1) if turn % 2 == 0 else (1, 0):
            answer = sides[i].ask("slice", stage=stage, runs=runs, busy=busy[i])
            if "failed" in answer:
                failed = Prepared(failed=answer["failed"])
                of_head = (i == 0) == head_first
                return Pair(pair.base, failed) if of_head else Pair(failed, pair.head)
            took[i].append(answer["cpu_s"] / runs)
    base_s, head_s = took[::-1] if head_first else took
    return Pair(pair.base, pair.head, tuple(base_s), tuple(head_s))


def _busy_blocks(side: _Side, stage: str, runs: int, pct: float) -> int:
    """Blocks of work that take `pct` percent of a slice, measured in turns in the same process."""
    slices, blocks = [], []
    for _ in range(3):
        slices.append(side.ask("slice", stage=stage, runs=runs)["cpu_s"])
        blocks.append(side.ask("busy", blocks=BUSY_BLOCKS)["cpu_s"] / BUSY_BLOCKS)
    wanted: float = pct / 100 * median(slices) / median(blocks)
    return max(1, round(wanted))


def _processor(coin: random.Random) -> int | None:
    """The processor for both sides of a round; None where a process cannot be bound to one."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    return coin.choice(sorted(os.sched_getaffinity(0)))


def rounds_of(
    field: Field, plan: Plan, rounds: int, coin: random.Random, say: Callable[[str], None]
) -> list[Round]:
    """So many rounds, with a line of progress now and then."""
    found: list[Round] = []
    said = time.monotonic()
    for i in range(rounds):
        found.append(round_of(field, plan, coin))
        if time.monotonic() - said > 20 and i + 1 < rounds:
            said = time.monotonic()
            say(f"  {i + 1} of {rounds} rounds")
    return found
