"""A run's folder: its name, its manifest, and writing so that a kill leaves something readable."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
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
    "machine",
    "open_run",
    "read_json",
    "read_table",
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


def write_json(path: Path, values: Any) -> None:
    """Writes JSON whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(
        json.dumps(values, ensure_ascii=False, indent=2, allow_nan=False) + "\n", encoding="utf-8"
    )
    os.replace(partial, path)


@dataclass(slots=True)
class RunFolder:
    """The folder of one run. Its manifest says `running` from the first moment on."""

    path: Path
    manifest: dict[str, Any] = field(default_factory=dict)

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
        run = cls(path)
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
            scenario={
                role: {"file": relative(file), "sha256": _sha256(file)} for role, file in files.items()
            },
            versions=_versions(),
            commit=_commit(),
            machine=machine(),
        )
        return run

    def update(self, **values: Any) -> None:
        """Changes the manifest, on disk at once."""
        self.manifest.update(values)
        write_json(self.path / "manifest.json", self.manifest)

    def finish(self, reasons: list[str]) -> None:
        """Closes the manifest: valid, or invalid with its reasons."""
        self.update(
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            validity="invalid" if reasons else "valid",
            invalid_reasons=reasons,
        )


def open_run(path: Path) -> RunFolder:
    """An existing run folder.

    Raises:
        BadInput: it is none.
    """
    if not path.exists():
        raise BadInput(f"{relative(path)}: no such folder; runs are in experiments/runs/STUDY/RUN-ID")
    if not (path / "manifest.json").exists():
        raise BadInput(f"{relative(path)}: not a run folder, it has no manifest.json")
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


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("kairos-testbed", *PACKAGES):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
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
