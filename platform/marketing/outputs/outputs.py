"""All campaigns of one platform that contact nobody: fed, tended, asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BehaviourBatch
from marketing.campaigns import Campaign
from marketing.engine import Decision
from marketing.outputs.interface_file import write_csv
from marketing.outputs.origins import Origins
from marketing.outputs.outbound import OUTBOUND_COLUMNS, Outbound
from marketing.outputs.visitors import VISITOR_COLUMNS, Visitors
from marketing.workers import EngineHost

__all__ = ["Outputs"]

VERSION: Final = 1
WRITE_EVERY_US: Final = 60_000_000
"""A list that has changed is written again after so long, by the platform's clock."""


class Outputs:
    """Statistics and lists of the campaigns that run now; files appear in `folder`."""

    def __init__(self, engine: EngineHost, folder: Path, zone: ZoneInfo, origins: Origins) -> None:
        self._engine, self._folder, self._zone, self._origins = engine, folder, zone, origins
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
        """Closes what has come to an end, and writes what has changed.

        `whole`: nothing comes any more. The files then tell of hours and days cut short too; what is known
        stays open, for a platform that is started again.
        """
        self._sync()
        for name, visitors in self._visitors.items():
            fresh = visitors.until(now_us)
            rows = visitors.ended(now_us) if whole else visitors.rows
            if fresh or len(rows) > len(visitors.rows):
                write_csv(self._folder / f"statistics-{name}.csv", VISITOR_COLUMNS, rows)
        if self._changed and (whole or now_us - self._written_us >= WRITE_EVERY_US):
            for name in sorted(self._changed & self._outbound.keys()):
                rows = self._outbound[name].rows(self._engine, now_us)
                write_csv(self._folder / f"outbound-{name}.csv", OUTBOUND_COLUMNS, rows)
            self._changed.clear()
            self._written_us = now_us

    def freeze(self) -> Callable[[], dict[str, NDArray[Any]]]:
        """All that is counted and listed, as of now, for a snapshot; its arrays may be made elsewhere."""
        self._sync()
        marks = {c.campaign: _mark(c) for c in self._campaigns or ()}
        visitors = {name: one.freeze() for name, one in self._visitors.items()}
        ready = {name: {"mark": marks[name], "ready": one.freeze()} for name, one in self._outbound.items()}

        def made() -> dict[str, NDArray[Any]]:
            plain: dict[str, Any] = {}
            arrays: dict[str, NDArray[Any]] = {}
            for name, freeze in visitors.items():
                values, columns = freeze()
                plain[name] = {"mark": marks[name], **values}
                arrays |= {f"{name}.{key}": column for key, column in columns.items()}
            text = json.dumps({"version": VERSION, "visitors": plain, "outbound": ready})
            return {"plain": np.frombuffer(text.encode(), dtype=np.uint8), **arrays}

        return made

    def restore(self, kept: Mapping[str, NDArray[Any]]) -> None:
        """Goes on with what was frozen of campaigns that are still what they were.

        Raises:
            ValueError: it was written by another version of the platform.
        """
        self._sync()
        if "plain" not in kept:
            return  # by a platform that kept nothing of this
        plain = json.loads(kept["plain"].tobytes())
        if plain["version"] != VERSION:
            raise ValueError(f"outputs of version {plain['version']}: expected {VERSION}")
        marks = {c.campaign: _mark(c) for c in self._campaigns or ()}
        for name, values in plain["visitors"].items():
            if name in self._visitors and values["mark"] == marks[name]:
                arrays = {key: kept[f"{name}.{key}"] for key in ("stays", "hours", "days")}
                self._visitors[name].restore((values, arrays))
        for name, values in plain["outbound"].items():
            if name in self._outbound and values["mark"] == marks[name]:
                self._outbound[name].restore(values["ready"])
                self._changed.add(name)

    def statistics(self, name: str) -> list[dict[str, Any]] | None:
        """Closed hours and days of a campaign; None: no such campaign of output statistics."""
        self._sync()
        found = self._visitors.get(name)
        return None if found is None else list(found.rows)

    def outbound(self, name: str, now_us: int) -> list[dict[str, Any]] | None:
        """The list of a campaign as it stands; None: no such campaign of output file."""
        self._sync()
        found = self._outbound.get(name)
        return None if found is None else found.rows(self._engine, now_us)

    def _sync(self) -> None:
        """Goes over to the campaigns that run; one that is what it was goes on with what it has."""
        if self._engine.campaigns is self._campaigns:
            return
        self._campaigns = self._engine.campaigns
        wanted = {c.campaign: c for c in self._campaigns}
        for kept in (self._visitors, self._outbound):
            for name in [name for name, one in kept.items() if wanted.get(name) != one.campaign]:
                del kept[name]
        for name, campaign in wanted.items():
            if campaign.output == "statistics" and name not in self._visitors:
                silence_us = self._engine.silence_us
                self._visitors[name] = Visitors(
                    campaign, self._engine.places, self._zone, self._origins, silence_us
                )
            elif campaign.output == "file" and name not in self._outbound:
                self._outbound[name] = Outbound(campaign, self._zone)


def _mark(campaign: Campaign) -> str:
    """Of two campaigns the same only if they are."""
    return hashlib.sha256(repr(_ordered(campaign.model_dump())).encode()).hexdigest()


def _ordered(value: Any) -> Any:
    """Without what differs from one process to the next: the order of sets."""
    if isinstance(value, dict):
        return [(key, _ordered(one)) for key, one in value.items()]
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, value))
    return [_ordered(one) for one in value] if isinstance(value, (list, tuple)) else value
