"""What became of each trigger that the platform found: why not every one of them has a latency."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import pyarrow as pa

from experiments.latency.joining import Joined

__all__ = ["ENDS", "add_reckoned", "reckon"]

ENDS: Final[Mapping[str, str]] = {
    "measured": "its text arrived, nothing had held it on purpose: it is in the percentiles",
    "held": "its text arrived after the policy had held it on purpose: told apart",
    "unplanned": "its text arrived, but a message woven in completed it, which no schedule planned",
    "waiting": "held by the policy until after the end of the phase",
    "failed": "given up by the platform",
    "lost": "sent by its own account, and never arrived",
}
"""How a trigger ends for whoever measures latencies; those that were suppressed are counted by reason."""


def reckon(triggers: pa.Table, joined: Joined, arrived: Collection[str]) -> dict[str, Any]:
    """Triggers by how they ended. `found` is the sum of all others: each is counted in one place.

    Args:
        triggers: The platform's.
        joined: Those of them that arrived and are tied to a moment of the schedule.
        arrived: Contacts whose text arrived.
    """
    apart = zip(joined.stages["contact_id"], joined.stages["hold_ns"], strict=True)
    tied = {contact: hold_ns > 0 for contact, hold_ns in apart}
    ends, suppressed = dict.fromkeys(ENDS, 0), dict[str, int]()
    for contact, state, reason in zip(
        *(triggers[name].to_pylist() for name in ("contact_id", "state", "reason")), strict=True
    ):
        if contact and contact in tied:
            ends["held" if tied[contact] else "measured"] += 1
        elif contact and contact in arrived:
            ends["unplanned"] += 1
        elif state == "suppressed":
            suppressed[reason or "unknown"] = suppressed.get(reason or "unknown", 0) + 1
        else:
            ends[_NOT_ARRIVED[state]] += 1
    return {"found": len(triggers), **ends, "suppressed": dict(sorted(suppressed.items()))}


_NOT_ARRIVED: Final = {"sent": "lost", "held": "waiting", "failed": "failed"}
"""State of a trigger whose text did not arrive -> how it ended."""


def add_reckoned(phases: Iterable[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """The counts of several phases together; None where one was run by a Kairos that did not reckon."""
    total: dict[str, Any] = {"found": 0, **dict.fromkeys(ENDS, 0), "suppressed": {}}
    for one in phases:
        if one is None:
            return None
        for name in ("found", *ENDS):
            total[name] += one[name]
        for reason, n in one["suppressed"].items():
            total["suppressed"][reason] = total["suppressed"].get(reason, 0) + n
    total["suppressed"] = dict(sorted(total["suppressed"].items()))
    return total
