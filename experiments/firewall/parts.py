"""Parts of one trial put together again: handset records, and the lists that a policy names."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.audit.parts import Parts

__all__ = ["concatenated", "joined"]

LISTS: Final = ("zones.csv", "control.csv", "stops.csv")
"""Of people; the others are the same in every part."""


def concatenated(parts: Sequence[Parts]) -> Parts:
    """Records of several groups of people as one; originators, channels and cells are the same in all."""
    persons: list[str] = []
    person: list[NDArray[np.int32]] = []
    for one in parts:
        person.append(one.person + np.int32(len(persons)))
        persons += one.persons
    numbers = [
        np.concatenate([getattr(p, n) for p in parts])
        for n in ("t_us", "smsc_us", "reference", "part", "parts")
    ]
    codes = [np.concatenate([getattr(p, n) for p in parts]) for n in ("source", "channel", "cell")]
    first = parts[0]
    lists = (first.sources, first.channels, first.cells)
    texts = [(np.concatenate(person), tuple(persons)), *zip(codes, lists, strict=True)]
    return Parts.from_columns(numbers, texts)


def joined(folder: Path, parts: int) -> Path:
    """The policy of all, from the folders `0`, `1` and so on; where it is."""
    for name in LISTS:
        lines = [(folder / f"{at}" / name).read_text(encoding="utf-8").splitlines() for at in range(parts)]
        rows = [row for some in lines for row in some[1:]]
        (folder / name).write_text("\n".join((lines[0][0], *rows)) + "\n", encoding="utf-8")
    for name in ("busy.csv", "policy.yaml"):
        shutil.copy(folder / "0" / name, folder / name)
    return folder / "policy.yaml"
