"""Lost, late and wrong triggers, judged against what the schedule holds: no code of the platform takes part.

What must trigger is known where a campaign waits for one act of a customer and nothing else: each such act
that the tap could see is one trigger, whatever the policy then makes of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.behaviours_check import KIND_NAMES
from experiments.latency.joining import Joined
from experiments.latency.pacing import Schedule
from marketing.config import read_yaml

__all__ = ["Expected", "Verdict", "expected_of", "judge"]

_ROLES: Final = {"caller": 1, "sender": 1, "callee": 2, "receiver": 2}
_KINDS: Final = {name: code for code, name in KIND_NAMES.items()}
_PLAIN: Final = {"behaviour", "role", "peer"}


@dataclass(frozen=True, slots=True)
class Expected:
    """What must trigger."""

    by_campaign: Mapping[str, frozenset[int]]
    """Campaign -> correlation ids of the messages that complete its scene."""
    unjudged: tuple[str, ...]
    """Campaigns whose scenes are more than one act; theirs are neither lost nor wrong."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Triggers of one phase, counted."""

    expected: int | None
    """None: nobody knows (a capture, or scenes that are more than one act)."""
    found: int
    """Of those that can be judged, triggered by the right message."""
    merged: int
    """Expected, and one with another act of the same person at the same instant of the platform's clock."""
    lost: int
    """Expected and not triggered; or triggered and sent, and never arrived; or failed."""
    wrong: int
    """Triggered by a message that must not; or arrived and nobody knows of it; or at another number."""
    late: int
    """Arrived later than the bound."""

    def as_json(self) -> dict[str, Any]:
        """Counts, and the share of bad ones of all."""
        base = max(self.expected if self.expected is not None else self.found, 1)
        counts = {
            name: getattr(self, name) for name in ("expected", "found", "merged", "lost", "late", "wrong")
        }
        return counts | {"bad_share": (self.lost + self.late + self.wrong) / base}


def expected_of(
    campaigns: Sequence[Path], visible: NDArray[np.void] | None, imsis: Iterable[str], last_corr: int
) -> Expected:
    """What of the visible acts must trigger.

    Args:
        campaigns: Campaign files.
        visible: Visible acts of the schedule; None: unknown.
        imsis: Customers, whom alone the platform knows.
        last_corr: Last message of the schedule.
    """
    by_campaign: dict[str, frozenset[int]] = {}
    unjudged = []
    known = np.array([int(imsi) for imsi in imsis], np.uint64)
    for path in campaigns:
        values = read_yaml(path).values
        name, scene = str(values["campaign"]), values.get("scene") or {}
        begin = scene.get("begin") or {}
        plain = set(scene) == {"begin"} and set(begin) <= _PLAIN and not values.get("audience")
        kinds = _listed(begin.get("behaviour"))
        if visible is None or not plain or not kinds or not _KINDS.keys() >= set(kinds):
            unjudged.append(name)
            continue
        rows = np.isin(visible["kind"], [_KINDS[kind] for kind in kinds]) & np.isin(visible["imsi"], known)
        rows &= (visible["corr"] > 0) & (visible["corr"] <= last_corr)
        if "role" in begin:
            rows &= visible["role"] == _ROLES[begin["role"]]
        if "peer" in begin:
            peers = [str(peer).encode() for peer in _listed(begin["peer"])]
            rows &= np.isin(visible["peer"], peers)
        by_campaign[name] = frozenset(visible["corr"][rows].tolist())
    return Expected(by_campaign, tuple(unjudged))


def _listed(value: Any) -> list[Any]:
    """What a campaign file says of one or of several."""
    return value if isinstance(value, list) else [] if value is None else [value]


def judge(
    expected: Expected,
    plan: Schedule,
    triggers: pa.Table,
    joined: Joined,
    destinations: Mapping[str, str],
    late_after_ms: float,
    woven: Collection[int] = (),
    behaviours: pa.Table | None = None,
) -> Verdict:
    """Counts lost, late and wrong triggers.

    Args:
        expected: What must trigger.
        plan: The schedule; what was completed by messages woven in is not judged.
        triggers: The platform's.
        joined: Those that arrived.
        destinations: Contact -> number to which its text came.
        late_after_ms: From when on an arrival is late.
        woven: Correlation ids of messages woven in.
        behaviours: The platform's, for acts that are one trigger with another: see `_as_one`.
    """
    rows = triggers.to_pylist()
    arrived = set(joined.columns["contact_id"]) | set(joined.unmatched)
    unknown = set(joined.unmatched)
    lost = wrong = found = 0
    seen: dict[str, set[int]] = {name: set() for name in expected.by_campaign}
    for row in rows:
        name, corr = row["campaign"], row["corr"]
        if corr in woven:
            unknown.discard(row["contact_id"])
        if row["state"] == "failed" or (row["state"] == "sent" and row["contact_id"] not in arrived):
            lost += 1
        if row["contact_id"] in arrived and destinations.get(row["contact_id"]) != row["msisdn"]:
            wrong += 1
        if name in seen and not row["timer"] and plan.index_of(corr) >= 0:
            if corr in expected.by_campaign[name] and corr not in seen[name]:
                found += 1
            else:
                wrong += 1  # by the wrong message, or twice by one
            seen[name].add(corr)
    missing = {name: wanted - seen[name] for name, wanted in expected.by_campaign.items()}
    merged = _as_one(missing, rows, behaviours)
    lost += sum(map(len, missing.values())) - merged
    wrong += len(unknown)
    late = int(np.count_nonzero(joined.latency_ns > late_after_ms * 1e6))
    total = sum(map(len, expected.by_campaign.values())) if expected.by_campaign else None
    return Verdict(total, found, merged, lost, wrong, late)


def _as_one(
    missing: Mapping[str, Collection[int]], triggers: Sequence[Mapping[str, Any]], behaviours: pa.Table | None
) -> int:
    """How many of the missing acts are one trigger with another act of the same person.

    Acts that a stall lets the platform read at one instant are of one instant to it, and a trigger is a
    campaign, a person and an instant.
    """
    wanted = {corr for ids in missing.values() for corr in ids}
    if behaviours is None or not wanted:
        return 0
    known = {(row["campaign"], int(row["imsi"]), row["t_us"]) for row in triggers}
    columns = (behaviours[name].to_pylist() for name in ("corr", "imsi", "t_us"))
    when = {corr: (imsi, t_us) for corr, imsi, t_us in zip(*columns, strict=True) if corr in wanted}
    return sum((name, *when[corr]) in known for name, ids in missing.items() for corr in ids if corr in when)
