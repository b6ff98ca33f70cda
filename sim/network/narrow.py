"""What people mean to do in narrow columns: tables wait in memory until their time comes.

The network reads these as it reads the wide ones (`sim.network.intents.People`). What it has no use for is
left out, and numbers are packed as on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.network.kernel import pack_numbers
from sim.subscribers.usage import Calls, Texts

__all__ = ["NarrowCalls", "NarrowTexts", "narrow"]


@dataclass(frozen=True, slots=True, eq=False)
class NarrowCalls:
    """Calls meant, sorted by (t_us, sub, ordinal): 45 octets each."""

    t_us: NDArray[np.int64]
    sub: NDArray[np.int32]
    kind: NDArray[np.uint8]
    peer_sub: NDArray[np.int32]
    peer_number: NDArray[np.uint8]
    """Packed; shape (rows, 10)."""
    alert_us: NDArray[np.uint32]
    ring_us: NDArray[np.uint32]
    talk_us: NDArray[np.int64]
    intent: NDArray[np.uint8]
    hangup: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class NarrowTexts:
    """Short messages meant, sorted by (t_us, sub, ordinal): 28 octets each."""

    t_us: NDArray[np.int64]
    sub: NDArray[np.int32]
    kind: NDArray[np.uint8]
    peer_sub: NDArray[np.int32]
    peer_number: NDArray[np.uint8]
    """Packed; shape (rows, 10)."""
    text_id: NDArray[np.uint8]


_KINDS: Final[dict[type, type]] = {Calls: NarrowCalls, Texts: NarrowTexts}
_DTYPES: Final[dict[str, type[np.integer]]] = {"sub": np.int32, "alert_us": np.uint32, "ring_us": np.uint32}


def narrow(table: Any, rows: NDArray[np.int64] | None = None) -> Any:
    """The same rows, or some of them; a table of (cell, on), which has no columns by name, as it is."""
    if isinstance(table, tuple):
        return table
    kind = _KINDS.get(type(table), type(table))
    columns = []
    for name in (f.name for f in fields(kind)):
        column = getattr(table, name)
        column = column if rows is None else column[rows]
        if name == "peer_number":
            column = pack_numbers(column)
        columns.append(_fitted(column, _DTYPES[name]) if name in _DTYPES else column)
    return kind(*columns)


def _fitted(column: NDArray[np.integer], dtype: type[np.integer]) -> NDArray[Any]:
    limits = np.iinfo(dtype)
    if len(column) and (column.min() < limits.min or column.max() > limits.max):
        expected = f"{limits.min} to {limits.max} was expected"
        raise ValueError(f"{column.min()} to {column.max()}: {expected}")
    return column.astype(dtype, copy=False)
