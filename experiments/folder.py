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
from typing import Any, Final

from experiments.problems import BadInput, relative

__all__ = ["MANIFEST_SCHEMA", "RunFolder", "machine", "open_run", "write_json"]

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
    try:
        manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{relative(path)}: not a run folder, it has no manifest.json") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{relative(path)}/manifest.json: cannot be read ({error})") from None
    return RunFolder(path, manifest)


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
