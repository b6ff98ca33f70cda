"""One side of `kairos bench compare`: this harness and the packages of one build, in a process of its own.

Started as `python -P -m experiments.bench.compare.side serve WORK` with the harness and one build in
PYTHONPATH. It reads one JSON command a line and answers each with one JSON line. The stages are those of
`experiments.bench.stages`, of the newer commit; what they import and the older packages lack becomes a
`Missing`, so that only the stages that use it cannot be compared.
"""

from __future__ import annotations

import ast
import gc
import importlib
import json
import os
import sys
import time
import zlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np

if TYPE_CHECKING:
    from experiments.bench.stages import Job
    from experiments.bench.workload import Hour, Sources

__all__ = ["MEASURED", "Missing", "NotThere", "fill_gaps", "kept_sources", "make_work", "serve"]

MEASURED: Final = ("marketing", "mm7", "sigtran", "sim", "smpp")
"""Packages that come from the build under measurement; all else is the harness."""
HARNESS: Final = ("workload.py", "stages.py")
BUSY_BLOCK: Final = bytes(range(256)) * 64
REFERENCE_MESSAGES: Final = 800
HOUR_FILE: Final = "hour.npz"
FACTS_FILE: Final = "hour.json"
CAPTURE_FILE: Final = "bench.pcapng"


class NotThere(Exception):  # noqa: N818 - a finding about the build
    """The build under measurement lacks something that a stage uses."""


class Missing:
    """Stands for a name that the build lacks; whatever is done with it raises NotThere."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _lacks(self, *_: Any, **__: Any) -> NoReturn:
        raise NotThere(self._name)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # typing and inspection look for these; they are not a use
            raise AttributeError(name)
        self._lacks()

    __call__ = __getitem__ = __iter__ = __len__ = __bool__ = _lacks

    def __or__(self, other: object) -> Missing:
        return self  # in an annotation, such as `Missing | None`

    __ror__ = __or__


def fill_gaps(sources: list[str], packages: tuple[str, ...] = MEASURED) -> list[str]:
    """Puts a Missing wherever these Python sources import a name that `packages` lack; names those."""
    gaps = []
    for module, name in _imports(sources, packages):
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not (module + ".").startswith(error.name + "."):
                raise  # a library that is not installed is no difference between two commits
            found = sys.modules[module] = ModuleType(module)
        if not hasattr(found, name):
            try:
                importlib.import_module(f"{module}.{name}")
            except ModuleNotFoundError:
                setattr(found, name, Missing(f"{module}.{name}"))
                gaps.append(f"{module}.{name}")
    return gaps


def _imports(sources: list[str], packages: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each `from module import name` of these packages, outside of `if TYPE_CHECKING` or not."""
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in packages:
                yield from ((node.module, alias.name) for alias in node.names)


def make_work(folder: Path, world: Path, capture: Path | None, messages: int) -> None:
    """Writes the workload down once, so that both sides read the same octets."""
    from experiments.bench.workload import Sources

    sources = Sources(world=world, capture=capture, messages=messages, folder=folder)
    hour = sources.hour
    np.savez(
        folder / HOUR_FILE,
        data=np.frombuffer(hour.data, dtype=np.uint8),
        offsets=hour.offsets,
        t_us=hour.t_us,
    )
    facts = {
        "period_us": hour.period_us,
        "source": hour.source,
        "correlations": hour.correlations,
        "behaviours": None if hour.behaviours is None else sorted(hour.behaviours.items()),
        "hold_us": hour.hold_us,
        "world": os.fspath(world.resolve()),
        "capture": None if capture is None else os.fspath(capture.resolve()),
        "messages": messages,
    }
    (folder / FACTS_FILE).write_text(json.dumps(facts), encoding="utf-8")
    if sources.capture_file != capture:
        assert sources.capture_file == folder / CAPTURE_FILE


def kept_sources(folder: Path) -> Sources:
    """The workload that `make_work` wrote into this folder."""
    from experiments.bench.workload import Hour, Sources

    facts = json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
    capture = None if facts["capture"] is None else Path(facts["capture"])

    class Kept(Sources):
        """Reads what the real one would simulate."""

        @cached_property
        def hour(self) -> Hour:
            with np.load(folder / HOUR_FILE) as arrays:
                return Hour(
                    arrays["data"].tobytes(),
                    arrays["offsets"],
                    arrays["t_us"],
                    facts["period_us"],
                    facts["source"],
                    facts["correlations"],
                    None if facts["behaviours"] is None else dict(facts["behaviours"]),
                    facts["hold_us"],
                )

        @cached_property
        def capture_file(self) -> Path:
            return capture if capture is not None else folder / CAPTURE_FILE

    return Kept(world=Path(facts["world"]), capture=capture, messages=facts["messages"], folder=folder)


class Side:
    """The stages of one build, made ready when first asked for."""

    def __init__(self, sources: Sources) -> None:
        from experiments.bench.stages import STAGES, WrongResult

        self._sources = sources
        self._stages = STAGES
        self._wrong = WrongResult
        self._jobs: dict[str, Job[Any, Any]] = {}
        self._unchecked: set[str] = set()

    def prepare(self, stage: str) -> dict[str, Any]:
        """Makes a stage ready and warm: what it works on, or why it cannot.

        Keys: `n`, `octets`, `workload`, `once_s`; `wrong` beside them where the result is not what was
        expected; or `missing` or `failed` alone.
        """
        if stage not in self._stages:
            return {"missing": f"stage {stage}"}
        try:
            job = self._jobs[stage] = self._stages[stage](self._sources)
            wrong = self._first_run(stage, job)
            once_s = min(self._timed(job, 1) for _ in range(3))
        except NotThere as error:
            return {"missing": str(error)}
        except Exception as error:
            return {"failed": f"{type(error).__name__}: {error}"}
        gc.collect()
        gc.freeze()
        found = {"n": job.n, "octets": job.octets, "workload": job.workload, "once_s": once_s}
        return found | ({"wrong": wrong} if wrong else {})

    def slice(self, stage: str, runs: int, busy: int = 0) -> dict[str, Any]:
        """Processor time of so many runs and of a planted slowdown of `busy` blocks; the last is checked."""
        job = self._jobs[stage]
        return {"cpu_s": self._timed(job, runs, busy, check=stage not in self._unchecked)}

    def busy(self, blocks: int) -> dict[str, Any]:
        """Processor time of a planted slowdown alone."""
        began = time.process_time()
        _spin(blocks)
        return {"cpu_s": time.process_time() - began}

    def _first_run(self, stage: str, job: Job[Any, Any]) -> str:
        try:
            job.check(job.run(job.ready()))
        except self._wrong as error:
            self._unchecked.add(stage)
            return str(error)
        return ""

    def _timed(self, job: Job[Any, Any], runs: int, busy: int = 0, *, check: bool = False) -> float:
        states = [job.ready() for _ in range(runs)]
        states.reverse()
        result = None
        gc.collect()
        gc.disable()
        began = time.process_time()
        while states:
            result = job.run(states.pop())
        if busy:
            _spin(busy)
        took = time.process_time() - began
        gc.enable()
        if check:
            job.check(result)
        return took


def _spin(blocks: int) -> None:
    crc = 0
    for _ in range(blocks):
        crc = zlib.crc32(BUSY_BLOCK, crc)


def serve(folder: Path) -> None:
    """Answers commands until standard input ends."""
    here = Path(__file__).parent.parent
    gaps = fill_gaps([(here / name).read_text(encoding="utf-8") for name in HARNESS])
    from experiments.bench import stages

    # A slice should be short, so that the other side's stands close beside it.
    stages.REFERENCE_MESSAGES = REFERENCE_MESSAGES  # type: ignore[misc]
    side = Side(kept_sources(folder))
    places = {
        name: os.fspath(Path(found.__file__).parent)
        for name in MEASURED
        if (found := sys.modules.get(name)) and found.__file__
    }
    _answer({"packages": places, "stages": list(stages.STAGES), "gaps": gaps})
    for line in sys.stdin:
        command = json.loads(line)
        what = command.pop("do")
        try:
            _answer(getattr(side, what)(**command))
        except Exception as error:
            _answer({"failed": f"{type(error).__name__}: {error}"})


def _answer(found: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> None:
    """`serve WORK`, or `make WORK WORLD MESSAGES [CAPTURE]`."""
    what, folder, *rest = arguments
    if what == "serve":
        serve(Path(folder))
        return
    from experiments.problems import BadInput

    world, messages, *capture = rest
    try:
        make_work(Path(folder), Path(world), Path(capture[0]) if capture else None, int(messages))
    except BadInput as error:
        sys.exit("\n".join(error.lines))


if __name__ == "__main__":
    main(sys.argv[1:])
