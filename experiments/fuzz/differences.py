"""Fast decoder against reference codec, one message at a time: equal, both refuse, or where they differ.

Every refusal of the fast decoder alone is a difference, and every refusal of the reference alone that the
list `experiments.fuzz.deeper.DEEPER` does not name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from experiments.fuzz.deeper import deeper_name
from experiments.fuzz.reference import ROUTING, expected
from marketing.decode import COLUMNS, ERROR_NAMES, DecodeErrorKind

__all__ = ["Verdict", "compare"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one message."""

    kind: str
    """equal, refused (by both), deeper (by the reference, listed), different."""
    detail: str = ""
    """The name of the row in DEEPER; or what is different, the same for all differences of a kind."""


#: Layers from below; BSSAP and what is above it are one, since error kinds are shared there.
_LAYERS: Final = {"m3ua": 0, "service": 1, "sccp": 2}
_TOP: Final = 3
_BOUNDS: Final = (
    (DecodeErrorKind.M3UA_PARAMETER, 0),
    (DecodeErrorKind.FOREIGN_NETWORK, 1),
    (DecodeErrorKind.SCCP_POINTER, 2),
)
_NAMES: Final = tuple(column.name for column in COLUMNS if column.name != "error")
_KEPT: Final = tuple(name for name in ROUTING if name != "error")
_LABEL: Final = ("opc", "dpc", "corr", "si", "ni", "mp", "sls", "m3ua_class", "m3ua_type")


def _layer(error: int) -> int:
    return next((layer for bound, layer in _BOUNDS if error <= bound), _TOP)


def _differing(row: np.void, wanted: dict[str, Any], names: tuple[str, ...]) -> list[str]:
    found = []
    for name in names:
        value = row[name]
        if (value.tobytes() if isinstance(wanted[name], bytes) else int(value)) != wanted[name]:
            found.append(name)
    return found


def _reason(text: str) -> str:
    """Without its figures, so that faults of a kind are one."""
    return re.sub(r"\b\d+\b", "N", text)


def compare(octets: bytes, row: np.void) -> Verdict:
    """The verdict on a message and the row that the fast decoder made of it."""
    found, error = expected(octets), int(row["error"])
    if not found.refused_at:
        if error:
            where = ", ".join(f"{name} {found.row[name]}" for name in ("sccp", "bssmap", "pd", "dtap"))
            return Verdict("different", f"the fast decoder alone refuses: {ERROR_NAMES[error]}, {where}")
        names = _differing(row, found.row, _NAMES)
        return Verdict("different", f"columns {', '.join(names)}") if names else Verdict("equal")
    listed = deeper_name(found.refused_at, found.reason)
    if not error:
        if listed:
            return Verdict("deeper", listed)
        return Verdict("different", f"the reference alone refuses: {_reason(found.reason)}")
    fast, reference = _layer(error), _LAYERS.get(found.refused_at, _TOP)
    if fast < reference or (fast > reference and not listed):
        why = f"{ERROR_NAMES[error]}, the reference at {found.refused_at}: {_reason(found.reason)}"
        return Verdict("different", f"refused at different layers: {why}")
    kept = _KEPT if reference > _LAYERS["sccp"] else _LABEL if reference else ()
    names = _differing(row, found.row, kept)
    if names:
        return Verdict("different", f"columns {', '.join(names)} of a message that both refuse")
    return Verdict("refused")
