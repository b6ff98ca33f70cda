"""All campaigns of one platform that contact nobody: fed, tended, asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from marketing.behaviours import BehaviourBatch
from marketing.campaigns import Campaign
from marketing.engine import Decision, EngineState
from marketing.outputs.interface_file import write_csv
from marketing.outputs.origins import Origins
from marketing.outputs.outbound import OUTBOUND_COLUMNS, Outbound
from marketing.outputs.visitors import VISITOR_COLUMNS, Visitors

__all__ = ["Outputs"]

WRITE_EVERY_US: Final = 60_000_000
"""A list that has changed is written again after so long, by the platform's clock."""


class Outputs:
    """Statistics and lists of the campaigns that run now; files appear in `folder`."""

    def __init__(self, state: EngineState, folder: Path, zone: ZoneInfo, origins: Origins) -> None:
        self._state, self._folder, self._zone, self._origins = state, folder, zone, origins
        self._campaigns: tuple[Campaign, ...] | None = None
        self._visitors: dict[str, Visitors] = {}
        self._outbound: dict[str, Outbound] = {}
        self._changed: set[str] = set()
        self._written_us = 0

    def behaviours(self, batch: BehaviourBatch) -> None:
        """All that was recognised, of anybody."""
        self._sync()
        if not self._visitors or not len(batch):
            return
        t_us = batch["t_us"]
        if bool(np.any(t_us[1:] < t_us[:-1])):
            batch = batch[np.argsort(t_us, kind="stable")]
        for one in self._visitors.values():
            one.take(batch)

    def decided(self, decision: Decision) -> None:
        """A decision whose action is output."""
        self._sync()
        name = decision.trigger.campaign
        if name in self._outbound:  # else: taken away since
            self._outbound[name].decided(decision)
            self._changed.add(name)

    def tend(self, now_us: int, *, whole: bool = False) -> None:
        """Closes what has come to an end, and writes what has changed. `whole`: this is the end of all."""
        self._sync()
        for name, visitors in self._visitors.items():
            if visitors.until(now_us, whole=whole):
                write_csv(self._folder / f"statistics-{name}.csv", VISITOR_COLUMNS, visitors.rows)
        if self._changed and (whole or now_us - self._written_us >= WRITE_EVERY_US):
            for name in sorted(self._changed & self._outbound.keys()):
                rows = self._outbound[name].rows(self._state, now_us)
                write_csv(self._folder / f"outbound-{name}.csv", OUTBOUND_COLUMNS, rows)
            self._changed.clear()
            self._written_us = now_us

    def statistics(self, name: str) -> list[dict[str, Any]] | None:
        """Closed hours and days of a campaign; None: no such campaign of output statistics."""
        self._sync()
        found = self._visitors.get(name)
        return None if found is None else list(found.rows)

    def outbound(self, name: str, now_us: int) -> list[dict[str, Any]] | None:
        """The list of a campaign as it stands; None: no such campaign of output file."""
        self._sync()
        found = self._outbound.get(name)
        return None if found is None else found.rows(self._state, now_us)

    def _sync(self) -> None:
        """Goes over to the campaigns that run; one that is what it was goes on with what it has."""
        if self._state.campaigns is self._campaigns:
            return
        self._campaigns = self._state.campaigns
        wanted = {c.campaign: c for c in self._campaigns}
        for kept in (self._visitors, self._outbound):
            for name in [name for name, one in kept.items() if wanted.get(name) != one.campaign]:
                del kept[name]
        for name, campaign in wanted.items():
            if campaign.output == "statistics" and name not in self._visitors:
                silence_us = self._state.features.silence_us
                self._visitors[name] = Visitors(
                    campaign, self._state.places, self._zone, self._origins, silence_us
                )
            elif campaign.output == "file" and name not in self._outbound:
                self._outbound[name] = Outbound(campaign, self._zone)
