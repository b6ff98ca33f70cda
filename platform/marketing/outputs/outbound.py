"""Lists for people who telephone: who is ready to be called, and what the handset is doing at this moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from marketing.campaigns import Campaign
from marketing.engine import Decision
from marketing.workers import EngineHost

__all__ = ["OUTBOUND_COLUMNS", "Outbound"]

OUTBOUND_COLUMNS: Final = ("msisdn", "ready_at", "on", "seen_s", "idle_s", "place", "area", "handset")
"""Number; local time at which the scene was complete; as of now: switched on, seconds since the last sight
and since the last own act, place, location area, model of the handset. What is not known is empty."""


@dataclass(slots=True)
class Outbound:
    """Of one campaign: whoever was ready on the present local day, the latest first."""

    campaign: Campaign
    zone: ZoneInfo
    _ready: dict[int, int] = field(default_factory=dict)
    """MSISDN -> Unix us of the latest moment."""

    def decided(self, decision: Decision) -> None:
        """Somebody is ready."""
        trigger = decision.trigger
        self._ready[int(trigger.msisdn)] = trigger.t_us

    def rows(self, engine: EngineHost, now_us: int) -> list[dict[str, Any]]:
        """OUTBOUND_COLUMNS each, as things stand; yesterday's are forgotten."""
        midnight = self._local(now_us).replace(hour=0, minute=0, second=0, microsecond=0)
        today_us = round(midnight.timestamp()) * 1_000_000
        self._ready = {msisdn: t_us for msisdn, t_us in self._ready.items() if t_us >= today_us}
        listed = sorted(self._ready.items(), key=lambda one: (-one[1], one[0]))
        shown = engine.handsets(np.array([msisdn for msisdn, _ in listed], dtype=np.uint64), now_us)
        found = []
        for (msisdn, ready_us), handset in zip(listed, shown, strict=True):
            if handset is not None:
                ready_at = self._local(ready_us).isoformat(timespec="seconds")
                row = handset | {"msisdn": str(msisdn), "ready_at": ready_at}
                found.append({name: row[name] for name in OUTBOUND_COLUMNS})
        return found

    def freeze(self) -> dict[str, int]:
        """Who was ready, and when; as JSON has it."""
        return {str(msisdn): t_us for msisdn, t_us in self._ready.items()}

    def restore(self, kept: Mapping[str, int]) -> None:
        """Goes on with what another has frozen."""
        self._ready = {int(msisdn): t_us for msisdn, t_us in kept.items()}

    def _local(self, at_us: int) -> datetime:
        return datetime.fromtimestamp(at_us // 1_000_000, UTC).astimezone(self.zone)
