"""Which program this is: two that differ must not share the work of one study."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import Final

__all__ = ["identity", "sources"]

PACKAGES: Final = ("sim", "experiments", "marketing", "sigtran", "smpp", "mm7")
"""Packages that results come from; pages are made from results, and may change."""


@cache
def sources() -> str:
    """SHA-256 of what these packages are written in, wherever they are installed.

    Compiled modules are not in it: their octets differ from machine to machine.
    """
    digest = hashlib.sha256()
    for package in PACKAGES:
        spec = util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        folder = Path(spec.origin).parent
        for file in sorted(folder.rglob("*.py")):
            digest.update(f"{package}/{file.relative_to(folder)}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


@cache
def identity() -> dict[str, str]:
    """What must be the same wherever jobs of one study run."""
    return {
        "kairos": metadata.version("kairos-testbed"),
        "sources": sources()[:16],
        "numpy": metadata.version("numpy"),
    }
