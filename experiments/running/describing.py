"""What decides a job's result, as flat text: leaf by leaf, so that what differs can be named."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from experiments.running.identity import identity

__all__ = ["apart", "described", "digest_of"]


def described(function: Callable[..., Any], job: Any) -> dict[str, str]:
    """Name of a leaf -> what it is: the program, the function and every value of the job.

    Arrays and files are named by a SHA-256 of their contents, so a job is the same in a folder that moved.

    Raises:
        TypeError: the job holds what cannot be described.
    """
    program = {f"program.{name}": said for name, said in identity().items()}
    return (
        program | {"function": f"{function.__module__}.{function.__qualname__}"} | dict(_leaves(job, "job"))
    )


def digest_of(described_as: Mapping[str, str]) -> str:
    """SHA-256 of a description."""
    lines = "".join(f"{name}\0{said}\n" for name, said in sorted(described_as.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def apart(was: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What differs between two descriptions, a phrase each."""
    found = []
    for name in dict.fromkeys((*was, *now)):
        before, after = was.get(name), now.get(name)
        if before != after:
            shown = [_short(said) if said is not None else "not there" for said in (before, after)]
            found.append(f"{name} was {shown[0]} and is {shown[1]}")
    return found


def _short(said: str) -> str:
    return said if len(said) <= 60 else f"{said[:57]}..."


def _leaves(value: Any, at: str) -> Iterator[tuple[str, str]]:
    if value is None or isinstance(value, bool | int | float | str | bytes | date | time | timedelta):
        yield at, f"{type(value).__name__} {value!r}"
    elif isinstance(value, Enum):
        yield at, f"{type(value).__qualname__}.{value.name}"
    elif isinstance(value, Path):
        yield at, _of_path(value)
    elif isinstance(value, np.ndarray):
        octets = np.ascontiguousarray(value).tobytes()
        yield at, f"{value.dtype.str} {value.shape} {hashlib.sha256(octets).hexdigest()}"
    elif isinstance(value, np.generic):
        yield from _leaves(value.item(), at)
    elif isinstance(value, BaseModel):
        yield at, type(value).__qualname__
        for name in type(value).model_fields:
            yield from _leaves(getattr(value, name), f"{at}.{name}")
    elif is_dataclass(value) and not isinstance(value, type):
        yield at, type(value).__qualname__
        for field in fields(value):
            yield from _leaves(getattr(value, field.name), f"{at}.{field.name}")
    elif isinstance(value, Mapping):
        yield at, f"{len(value)} keys"
        for name in sorted(value, key=str):
            yield from _leaves(value[name], f"{at}.{name}")
    elif isinstance(value, list | tuple):
        yield at, f"{len(value)} values"
        for number, one in enumerate(value):
            yield from _leaves(one, f"{at}.{number}")
    elif isinstance(value, set | frozenset):
        yield at, f"{len(value)} values {sorted(map(repr, value))}"
    else:
        raise TypeError(f"{at}: a {type(value).__qualname__} cannot be part of a job whose result is kept")


def _of_path(path: Path) -> str:
    try:
        about = path.stat()
    except OSError:
        return f"path {path.name}"
    return (
        f"file {path.name} {_sha256(path, about.st_mtime_ns, about.st_size)}" if path.is_file() else "folder"
    )


@cache
def _sha256(path: Path, _changed_ns: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
