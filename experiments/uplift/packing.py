"""An arm's outcome as plain JSON values, so that a job can give it back from anywhere and be kept.

Columns are compressed; equal outcomes give equal values.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

__all__ = ["pack", "unpack"]

T = TypeVar("T")


def pack(value: Any) -> dict[str, Any]:
    """A dataclass of columns, plain values and such dataclasses."""
    return {one.name: _packed(getattr(value, one.name)) for one in fields(value)}


def unpack(kind: type[T], values: Mapping[str, Any]) -> T:
    """What `pack` was given; `kind` is its class."""
    hints = get_type_hints(kind)
    made = {name: _unpacked(hints[name], held) for name, held in values.items()}
    return kind(**made)


def _packed(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        whole = np.ascontiguousarray(value)
        octets = base64.b64encode(zlib.compress(whole.tobytes(), 6)).decode()
        return {"dtype": whole.dtype.str, "shape": list(whole.shape), "zlib": octets}
    if is_dataclass(value):
        return pack(value)
    if isinstance(value, tuple):
        return [_packed(one) for one in value]
    return dict(value) if isinstance(value, Mapping) else value


def _unpacked(hint: Any, held: Any) -> Any:
    if isinstance(held, dict) and set(held) == {"dtype", "shape", "zlib"}:
        return _array(held)
    if isinstance(held, list):
        inner = getattr(hint, "__args__", (Any,))[0]
        return tuple(_unpacked(inner, one) for one in held)
    if isinstance(held, dict) and isinstance(hint, type) and is_dataclass(hint):
        return unpack(hint, held)
    return held


def _array(held: Mapping[str, Any]) -> NDArray[Any]:
    octets = zlib.decompress(base64.b64decode(held["zlib"]))
    return np.frombuffer(octets, dtype=np.dtype(held["dtype"])).reshape(held["shape"]).copy()
