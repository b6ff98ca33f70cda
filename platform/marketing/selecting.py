"""An operator's selection: whoever belongs to a campaign now, contacted at once, or written into a file.

Contacts go the way of all contacts: policy, BOSS, ledger, channel. A line of a file for bulk SMS is a contact
too: policy and ledger first, and the file appears when all its lines are reserved. A file for the outbound
centre leaves out who does not want to be approached at all; there the agent's call is the contact.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from marketing.campaigns import Campaign
from marketing.clock import Clock
from marketing.config import Strict
from marketing.contact.ledger import LedgerError
from marketing.effects.dispatch import Dispatcher
from marketing.engine import Decision, SelectionError
from marketing.outputs import prepare_csv, write_csv
from marketing.workers import EngineHost

__all__ = ["SELECTION_COLUMNS", "Selection", "SelectionError", "Selector"]

MOST: Final = 100_000
"""Contacts of one selection at most; a file may hold everybody."""
SELECTION_COLUMNS: Final = {
    "outbound": ("msisdn", "language", "brand"),
    "bulk-sms": ("contact_id", "msisdn", "originator", "text", "submit_before", "valid_until"),
}
"""submit_before, valid_until: local time with offset, as for every message: it is to reach nobody later."""
BULK_CHANNELS: Final = ("bulk-sms",)
"""How a file for bulk SMS goes; rules count it as short messages too, which handsets receive of it."""
SLICE: Final = 2000
"""Lines of a file for bulk SMS that are decided and reserved in one go; the engine goes on in between."""


class Selection(Strict):
    """What an operator may say."""

    audience: str = Field(default="", max_length=2000)
    """An expression that must hold besides the campaign's own audience; empty: none."""
    targets: str = Field(default="", max_length=60)
    """An imported list that the subscriber must be on besides; empty: none."""
    deliver: Literal["contact", "outbound", "bulk-sms"] = "contact"
    """contact: by the campaign's channel. outbound, bulk-sms: an interface file in the folder of records."""


@dataclass(slots=True)
class Selector:
    """Makes selections between two steps of the engine."""

    engine: EngineHost
    clock: Clock
    dispatcher: Dispatcher
    folder: Path
    _taken: set[Path] = field(default_factory=set)
    """Files that are being made, or were."""

    async def select(self, name: str, keys: dict[str, Any]) -> dict[str, Any]:
        """How many were selected, and what became of them.

        Raises:
            LookupError: no such campaign.
            SelectionError: it cannot be made; nothing has happened.
        """
        campaign = self._running(name)
        if campaign is None:
            raise LookupError(f"no campaign {name!r} runs here")
        if self.clock.mode == "lockstep":
            raise SelectionError("in lockstep a run hangs on its inputs alone: no selection by hand")
        try:
            wanted = Selection.model_validate(keys)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise SelectionError(f"{where}: {first['msg']}") from None
        now_us = self.clock.now_us()
        if wanted.deliver != "outbound" and campaign.output != "contact":
            raise SelectionError(f"{name} has output {campaign.output}: it has nothing to send")
        if wanted.deliver == "bulk-sms" and campaign.boss is not None:
            raise SelectionError(f"{name} asks BOSS at every contact, which a file cannot")
        imsi = self.engine.choose(name, now_us, wanted.audience, wanted.targets)
        if wanted.deliver == "contact":
            return self._contacts(name, imsi, now_us)
        if wanted.deliver == "bulk-sms":
            return await self._bulk(campaign, imsi, now_us)
        return self._list(campaign, imsi, now_us)

    def _running(self, name: str) -> Campaign | None:
        return next((one for one in self.engine.campaigns if one.campaign == name), None)

    def _contacts(self, name: str, imsi: NDArray[np.uint64], now_us: int) -> dict[str, Any]:
        if len(imsi) > MOST:
            raise SelectionError(f"{len(imsi)} subscribers selected; a selection contacts {MOST} at most")
        decisions = self.engine.on_selection(name, imsi, now_us, self.clock.stamp_ns)
        self.dispatcher.take(decisions)
        actions = Counter(decision.action for decision in decisions)
        reasons = Counter(decision.reason for decision in decisions if decision.action == "suppress")
        return {
            "selected": len(imsi),
            "decided": dict(sorted(actions.items())),
            "suppressed": dict(sorted(reasons.items())),
        }

    def _list(self, campaign: Campaign, imsi: NDArray[np.uint64], now_us: int) -> dict[str, Any]:
        """For the outbound centre."""
        profiles = self.engine.profiles
        rows = profiles.rows(imsi)
        refused = [(row, self.engine.barred(row, now_us)) for row in rows.tolist()]
        kept = [row for row, reason in refused if not reason]
        reasons: Counter[str] = Counter(reason for _, reason in refused if reason)
        path = self._new_path("outbound", campaign, now_us)
        lines = (
            {
                "msisdn": str(profiles.msisdn[row]),
                "language": profiles.word("language", row),
                "brand": profiles.word("brand", row),
            }
            for row in kept
        )
        try:
            count = write_csv(path, SELECTION_COLUMNS["outbound"], lines)
        except OSError as error:
            raise SelectionError(f"{path.name}: {error.strerror}") from None
        return _told(len(rows), path, count, reasons)

    async def _bulk(self, campaign: Campaign, imsi: NDArray[np.uint64], now_us: int) -> dict[str, Any]:
        """For bulk SMS: reserved slice by slice, looked at once more, written; given back if it never is."""
        window = self.engine.policy.window(now_us)
        if not window.open:
            opens = self._local(window.release_us)
            raise SelectionError(f"{window.reason}: nothing may be sent before {opens}")
        desk, path = self.dispatcher, self._new_path("bulk-sms", campaign, now_us)
        granted: list[Decision] = []
        reasons: Counter[str] = Counter()
        partial: Path | None = None
        try:
            await self._reserve(campaign, imsi, granted, reasons)
            late = [(decision, desk.still_right(decision)) for decision in granted]
            granted[:] = [decision for decision, reason in late if not reason]
            for reason in {reason for _, reason in late if reason}:
                back = [decision for decision, why in late if why == reason]
                reasons[reason] += len(back)
                await desk.given_back(back, "suppressed", reason)
            lines = [self._line(decision) for decision in granted]
            columns = SELECTION_COLUMNS["bulk-sms"]
            made, count = await asyncio.to_thread(prepare_csv, path, columns, lines)
            partial = made
            os.replace(made, path)
        except BaseException as error:  # also where the platform ends meanwhile
            if partial is not None:
                partial.unlink(missing_ok=True)
            await desk.given_back(granted, "failed", "no file")
            if isinstance(error, OSError):
                raise SelectionError(f"{path.name}: {error.strerror}; nobody is contacted") from None
            if isinstance(error, LedgerError):
                raise SelectionError(f"{error}; nobody is contacted") from None
            raise
        await desk.handed_over(granted, path.name)
        return _told(len(imsi), path, count, reasons)

    async def _reserve(
        self, campaign: Campaign, imsi: NDArray[np.uint64], granted: list[Decision], reasons: Counter[str]
    ) -> None:
        """Adds to both; between two slices campaigns and extract may have been exchanged."""
        engine = self.engine
        for start in range(0, len(imsi), SLICE):
            if self._running(campaign.campaign) != campaign:
                raise SelectionError(f"{campaign.campaign} was changed meanwhile; nobody is contacted")
            now_us = self.clock.now_us()
            window = engine.policy.window(now_us)
            if not window.open:  # nothing waits for a file
                reasons[window.reason] += len(imsi) - start
                return
            some = imsi[start : start + SLICE]
            some = some[engine.profiles.rows(some) >= 0]
            reasons["gone"] += len(imsi[start : start + SLICE]) - len(some)
            decisions = engine.on_selection(
                campaign.campaign, some, now_us, self.clock.stamp_ns, BULK_CHANNELS
            )
            reasons.update(decision.reason for decision in decisions if decision.action != "send")
            sends = sum(decision.action == "send" for decision in decisions)
            reserved = await self.dispatcher.reserve(decisions)
            granted += reserved
            reasons["ledger"] += sends - len(reserved)
            await asyncio.sleep(0)

    def _line(self, decision: Decision) -> dict[str, Any]:
        contact = decision.contact
        assert contact is not None
        return {
            "contact_id": contact.contact_id,
            "msisdn": contact.msisdn,
            "originator": contact.campaign.originator,
            "text": contact.text,
            "submit_before": self._local(contact.submit_before_us),
            "valid_until": self._local(contact.valid_until_us),
        }

    def _local(self, at_us: int) -> str:
        return self.engine.policy.hours.local(at_us).isoformat(timespec="seconds")

    def _new_path(self, kind: str, campaign: Campaign, now_us: int) -> Path:
        """No selection takes the place of another's file, not even one of the same second."""
        made = datetime.fromtimestamp(now_us // 1_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
        stem = f"{kind}-{re.sub('[^a-z0-9-]', '', campaign.campaign)}-{made}"
        for number in itertools.count(2):
            path = self.folder / f"{stem}.csv"
            if path not in self._taken and not path.exists():
                break
            stem = f"{stem.partition('Z')[0]}Z-{number}"
        self._taken.add(path)
        return path


def _told(selected: int, path: Path, lines: int, reasons: Counter[str]) -> dict[str, Any]:
    suppressed = {reason: n for reason, n in sorted(reasons.items()) if n}
    return {"selected": selected, "file": path.name, "lines": lines, "suppressed": suppressed}
