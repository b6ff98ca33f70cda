"""What handsets are doing at this moment, for whoever is about to telephone."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marketing.engine.state import EngineState
from marketing.expressions import AnyColumn, Words

__all__ = ["handsets"]

_SHOWN: Final = {
    "on": "now.on",
    "idle_s": "now.idle",
    "place": "now.place",
    "area": "now.area",
    "handset": "terminal.model",
}


def handsets(state: EngineState, msisdn: NDArray[np.uint64], now_us: int) -> list[dict[str, Any] | None]:
    """Of each number: switched on, seconds since the last sight and the last own act, place, area, handset.

    What is not known is None; so is a number that the extract does not know.
    """
    found: list[dict[str, Any] | None] = [None] * len(msisdn)
    rows = state.profiles.rows_by_msisdn(msisdn)
    kept = np.flatnonzero(rows >= 0)
    rows = rows[kept]
    at_us = np.full(len(rows), now_us)
    shown = {name: _values(state.view.column(source, rows, at_us)) for name, source in _SHOWN.items()}
    seen_us = state.features.seen_us[rows].tolist()
    for i, at in enumerate(kept.tolist()):
        one = {name: values[i] for name, values in shown.items()}
        one["idle_s"] = None if one["idle_s"] is None else one["idle_s"] // 1_000_000
        one["seen_s"] = max(0, now_us - seen_us[i]) // 1_000_000 if seen_us[i] else None
        found[at] = one
    return found


def _values(column: AnyColumn) -> list[Any]:
    """Python values; None where it is not known."""
    if isinstance(column, Words):
        found: list[Any] = [column.words[code] for code in column.codes.tolist()]
    else:
        found = np.asarray(getattr(column, "values")).tolist()  # noqa: B009 - numbers by the catalogue
    if column.known is None:
        return found
    return [value if known else None for value, known in zip(found, column.known.tolist(), strict=True)]
