"""What texts with placeholders tell, in columns: most of it is never asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marketing.expressions import AnyColumn, Numbers, Words

__all__ = ["Telling"]


@dataclass(frozen=True, slots=True, eq=False)
class Telling:
    """What texts with placeholders tell of some subscribers, in columns."""

    columns: Mapping[str, AnyColumn]

    def of(self, at: int) -> dict[str, Any]:
        """Placeholder -> value of one of them; None: not known."""
        return {name: _single(column, at) for name, column in self.columns.items()}


def _single(column: AnyColumn, at: int) -> Any:
    """One value of a column; None where it is not known."""
    if column.known is not None and not bool(column.known[at]):
        return None
    if isinstance(column, Words):
        return column.words[int(column.codes[at])]
    return column.values[at].item() if isinstance(column, Numbers) else None
