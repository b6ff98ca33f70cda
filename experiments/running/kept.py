"""Finished results of a run, kept one by one, so that a run that was broken off goes on with what lacks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from experiments.folder import read_json, write_json
from experiments.problems import BadInput, relative
from experiments.running.describing import apart, described, digest_of
from experiments.running.executor import Executor, JobError, keyed

__all__ = ["KEPT_SCHEMA", "Kept"]

T = TypeVar("T")
R = TypeVar("R")

KEPT_SCHEMA: Final = "kairos.kept/1"
_PART: Final = re.compile(r"[A-Za-z0-9_=+-][A-Za-z0-9._=+-]*")
_SHOWN: Final = 5
"""Kept results that differ, of which so many are named."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An executor that never does a job twice.

    A result is kept as JSON under its key, with what decided it (`describing.described`); what is handed out
    is always what JSON makes of it (lists for tuples), so that a run that was resumed gives what one gives
    that was not. Numbers that are none (NaN, infinity) are kept as Python writes them.
    """

    folder: Path
    """`RUN_DIR/kept`."""
    executor: Executor
    """Does the jobs that lack."""

    def map(
        self, function: Callable[[T], R], jobs: Sequence[T], *, key: Callable[[T], str]
    ) -> Iterator[tuple[str, R]]:
        """As `Executor.map`; what was kept comes first.

        Keys are file names below the folder: letters, digits and `._=+-`, parted by `/`.

        Raises:
            BadInput: a kept result is another job's: it says what differs, and nothing has been run.
            OSError: a result cannot be written; those kept before are whole.
        """
        named = keyed(jobs, key)
        files = {name: self._file(name) for name in named}
        there = [name for name, file in files.items() if file.exists()]
        problems = [
            line for name in there for line in self._problems(files[name], described(function, named[name]))
        ]
        if problems:
            more = len(problems) - _SHOWN
            raise BadInput(problems[:_SHOWN] + ([f"and {more} more kept results"] if more > 0 else []))
        for name in there:
            yield name, read_json(files[name])["result"]
        done = set(there)
        lacking = [job for name, job in named.items() if name not in done]
        for name, result in self.executor.map(function, lacking, key=key):
            yield name, self._keep(name, files[name], described(function, named[name]), result)

    def _file(self, name: str) -> Path:
        if not all(_PART.fullmatch(part) for part in name.split("/")):
            raise ValueError(f"key {name!r}: expected letters, digits and ._=+- parted by /")
        return self.folder / f"{name}.json"

    def _problems(self, file: Path, now: dict[str, str]) -> list[str]:
        try:
            found = read_json(file)
        except BadInput as error:
            return [f"{line}; remove it to do this job again" for line in error.lines]
        was = found.get("of")
        if found.get("schema") != KEPT_SCHEMA or not isinstance(was, dict) or "result" not in found:
            return [f"{relative(file)}: not a result as a run keeps it; remove it to do this job again"]
        if found.get("digest") == digest_of(now):
            return []
        said = "; ".join(apart(was, now)[:_SHOWN]) or "its digest is not that of what it says"
        return [f"{relative(file)}: kept of another job: {said}"]

    def _keep(self, name: str, file: Path, of: dict[str, str], result: Any) -> Any:
        try:
            plain = json.loads(json.dumps(result))
        except (TypeError, ValueError) as error:
            raise JobError(name, f"its result cannot be kept as JSON: {error}") from error
        file.parent.mkdir(parents=True, exist_ok=True)
        kept = {"schema": KEPT_SCHEMA, "key": name, "digest": digest_of(of), "of": of, "result": plain}
        write_json(file, kept, allow_nan=True)
        return plain
