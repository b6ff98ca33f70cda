"""A run's folder: its name, its manifest, and writing so that a kill leaves something readable."""

from __future__ import annotations

import contextlib
import csv
import errno
import fcntl
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from experiments.problems import BadInput, relative

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "MANIFEST_SCHEMA",
    "RunFolder",
    "check_reportable",
    "commit",
    "fingerprints",
    "machine",
    "now",
    "open_run",
    "page_again",
    "read_json",
    "read_table",
    "versions",
    "write_csv",
    "write_json",
]

MANIFEST_SCHEMA: Final = "kairos.manifest/1"

PACKAGES: Final = (
    "numpy",
    "simpy",
    "pyarrow",
    "pydantic",
    "networkx",
    "sqlalchemy",
    "matplotlib",
    "uvicorn",
    "httpx",
    "hdrhistogram",
)
"""Packages whose versions a manifest names."""

SHAPES: Final[dict[str, dict[str, type | tuple[type, ...]]]] = {
    "summary.json": {
        "schema": str,
        "study": str,
        "seed": int,
        "valid": bool,
        "invalid_reasons": list,
        "signalling": dict,
        "triggers": dict,
        "contacts": dict,
        "latency_ms": dict,
        "arms": dict,
        "uplift": dict,
        "transport": dict,
        "time": dict,
    },
    "details.json": {
        "timezone": str,
        "campaigns": list,
        "policy": dict,
        "arms": dict,
        "signalling": dict,
        "live": (dict, type(None)),
    },
}
"""File of a run -> what a report needs in it."""


def write_json(path: Path, values: Any, *, allow_nan: bool = False) -> None:
    """Writes JSON whole or not at all.

    Raises:
        OSError: it cannot be written (the disk is full); what was there before still is.
    """
    text = json.dumps(values, ensure_ascii=False, indent=2, allow_nan=allow_nan) + "\n"
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


ResultsOf = Callable[[Path, Mapping[str, Any], bool], dict[str, str]]
"""From a run's folder, its manifest and whether it is valid to the hashes of its results."""


def _no_results(path: Path, manifest: Mapping[str, Any], valid: bool) -> dict[str, str]:
    return {}


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Writes a table whole or not at all; what is None stays empty."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    os.replace(partial, path)


@dataclass(slots=True)
class RunFolder:
    """The folder of one run. Its manifest says `running` from the first moment on."""

    path: Path
    manifest: dict[str, Any] = field(default_factory=dict)
    _lock: int = -1
    """Descriptor of the folder, locked as long as this process works in it."""
    results_of: ResultsOf = _no_results
    """What gives the hashes of its results when it is finished; `experiments.running.begin` says it."""

    @classmethod
    def create(
        cls, root: Path, study: str, seed: int, command: list[str], files: dict[str, Path]
    ) -> RunFolder:
        """Makes the folder `root/study/<run-id>` and its first manifest.

        Args:
            root: Where runs are kept.
            study: Name of the study.
            seed: Seed of the run; part of the folder's name.
            command: The command line.
            files: Role -> scenario file, hashed into the manifest.
        """
        started = datetime.now(UTC)
        stem = f"{started:%Y%m%d-%H%M%S}-seed{seed}"
        for attempt in range(100):
            path = root / study / (stem if not attempt else f"{stem}-{attempt}")
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as error:
                raise BadInput(f"--out {root}: cannot be written: {error.strerror or error}") from None
            break
        run = cls(path, _lock=_locked(path))
        run.update(
            schema=MANIFEST_SCHEMA,
            study=study,
            run_id=path.name,
            command=command,
            seed=seed,
            started=started.isoformat(timespec="seconds"),
            ended=None,
            validity="running",
            invalid_reasons=[],
            scenario=fingerprints(files),
            versions=versions(),
            commit=commit(),
            machine=machine(),
        )
        return run

    @classmethod
    def resume(cls, path: Path, command: list[str]) -> RunFolder:
        """A run that was broken off, to go on in; its manifest is not changed before `begun`.

        Raises:
            BadInput: there is none, it has come to its end, or a process is at work in it.
        """
        run = open_run(path)
        run._lock = _locked(path)
        try:
            run.manifest = read_json(path / "manifest.json")  # as whoever had it locked left it
            if run.manifest.get("validity") == "valid":
                raise BadInput(
                    f"{relative(path)}: this run has come to its end; `kairos report` makes its page again, "
                    "`kairos rerun` runs it anew and compares"
                )
        except BaseException:
            run.release()
            raise
        went = {"at": now(), "command": command}
        run.manifest["resumed"] = [*run.manifest.get("resumed", []), went]
        return run

    def begun(self) -> None:
        """Says on disk that it is running."""
        self.update(ended=None, validity="running", invalid_reasons=[])

    def release(self) -> None:
        """Lets others work in the folder."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def update(self, **values: Any) -> None:
        """Changes the manifest, on disk at once."""
        self.manifest.update(values)
        write_json(self.path / "manifest.json", self.manifest)

    def finish(self, reasons: list[str], *, whole: bool = True) -> None:
        """Closes the manifest: valid, or invalid with its reasons; and lets others work in the folder.

        Args:
            reasons: Why it is not valid.
            whole: Whether the study came to its end: then the hashes of its results are kept, which must
                have been written (`experiments.running.hashes`).
        """
        self.update(
            ended=now(),
            validity="invalid" if reasons else "valid",
            invalid_reasons=reasons,
            results=self.results_of(self.path, self.manifest, not reasons) if whole else {},
        )
        self.release()


def now() -> str:
    """The time, as manifests and summaries say it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _locked(path: Path) -> int:
    """A descriptor of a folder that only this process works in, until it is closed or the process ends."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        raise BadInput(
            f"{relative(path)}: another process is at work in this run; wait for its end"
        ) from None
    return descriptor


def fingerprints(files: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    """Role of a file -> where it is and the SHA-256 of its octets."""
    return {role: {"file": relative(file), "sha256": _sha256(file)} for role, file in files.items()}


def open_run(path: Path) -> RunFolder:
    """An existing run folder.

    Raises:
        BadInput: it is none.
    """
    if not path.exists():
        raise BadInput(f"{relative(path)}: no such folder; runs are in experiments/runs/STUDY/RUN-ID")
    if not (path / "manifest.json").exists():
        # Names begin with the time at which the run did: the last one is the newest.
        runs = sorted(found.parent for found in path.glob("*/manifest.json"))
        hint = f"; the newest run in it is {relative(runs[-1])}" if runs else ""
        raise BadInput(f"{relative(path)}: not a run folder, it has no manifest.json{hint}")
    manifest = read_json(path / "manifest.json")
    return RunFolder(path, manifest)


def read_json(path: Path) -> dict[str, Any]:
    """One JSON object of a run.

    Raises:
        BadInput: it is not there, damaged, or no object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{relative(path)}: missing: the run stopped too early, or it was removed") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{relative(path)}: cannot be read ({error})") from None
    if not isinstance(found, dict):
        raise BadInput(f"{relative(path)}: expected a JSON object")
    return found


def read_table(path: Path, columns: list[str]) -> pa.Table:
    """Columns of one Parquet file of a run.

    Raises:
        BadInput: it is not there, damaged, or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise BadInput(f"{relative(path)}: missing: the run's summary or folder says it should be there")
    try:
        present = pq.read_schema(path).names
        if lacking := [name for name in columns if name not in present]:
            raise BadInput(f"{relative(path)}: lacks {', '.join(lacking)}: not such a table of a run")
        return pq.read_table(path, columns=columns)
    except (OSError, pa.ArrowException) as error:
        said = str(error).strip().partition("\n")[0]
        raise BadInput(f"{relative(path)}: damaged, cannot be read as Parquet ({said})") from None


def check_reportable(path: Path) -> None:
    """Sees whether the files that a report is made of are there, whole and of the right shape.

    Raises:
        BadInput: with every file that is not.
    """
    found = {name: read_json(path / name) for name in SHAPES}
    problems = [
        f"{relative(path / name)}: {key}: "
        + ("wrong kind of value" if key in found[name] else "missing")
        + ", not the file of a run"
        for name, shape in SHAPES.items()
        for key, kind in shape.items()
        if not (key in found[name] and isinstance(found[name][key], kind))
    ]
    if problems:
        raise BadInput(problems)
    tables = {}
    for arm in found["summary.json"]["arms"]:
        tables[path / "arms" / arm / "outcomes.parquet"] = ["contacts", "replay_share"]
        if arm != "control":
            tables[path / "arms" / arm / "contacts.parquet"] = ["t_us"]
    latencies = path / "live" / "latencies.parquet"
    if found["details.json"]["live"] is not None or latencies.exists():
        tables[latencies] = ["t_intended_ns", "latency_ns", "wire_ns", "decode_ns", "decide_ns", "submit_ns"]
    for file, columns in tables.items():
        try:
            read_table(file, columns)
        except BadInput as error:
            problems += error.lines
    if problems:
        raise BadInput(problems)


def page_again(
    write_report: Callable[[Path, Path | None, str], Path], run_dir: Path, out: Path | None, language: str
) -> Path:
    """Writes the page of a run that has its summary; where.

    Raises:
        BadInput: the folder lacks what a page is made of.
    """
    from reports.rendering import NotReportable

    open_run(run_dir)
    read_json(run_dir / "summary.json")
    try:
        return write_report(run_dir, out, language)
    except NotReportable as error:
        raise BadInput(f"{relative(run_dir)}: {error}") from None


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results may depend on."""
    found = {"python": platform.python_version()}
    for name in ("kairos-testbed", *PACKAGES):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The commit of the sources, where they are a clone; with `+` where they were changed since."""
    here = Path(__file__).resolve().parent.parent
    try:
        said = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--dirty=+", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return said.stdout.strip() or None


def machine() -> dict[str, Any]:
    """What a result was got on."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": platform.machine(),
        "cpus": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
    }
