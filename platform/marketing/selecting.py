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
from marketing.engine import Decision, EngineState, on_selection
from marketing.expressions import ExpressionError, compile_expression
from marketing.outputs import prepare_csv, write_csv
from marketing.rules import catalogue_of

__all__ = ["SELECTION_COLUMNS", "Selection", "SelectionError", "Selector", "choose"]

MOST: Final = 100_000
"""Contacts of one selection at most; a file may hold everybody."""
SELECTION_COLUMNS: Final = {
    "outbound": ("msisdn", "language", "brand"),
    "bulk-sms": ("contact_id", "msisdn", "originator", "text", "submit_before", "valid_until"),
}
"""submit_before, valid_until: local time with offset, as for every message: it is to reach nobody later."""
BULK_CHANNELS: Final = ("bulk-sms", "sms")
"""What handsets receive of a file for bulk SMS are short messages."""
SLICE: Final = 2000
"""Lines of a file for bulk SMS that are decided and reserved in one go; the engine goes on in between."""


class SelectionError(ValueError):
    """A selection that cannot be made; the message says why."""


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

    state: EngineState
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
        number = self.state.numbers.get(name)
        if number is None:
            raise LookupError(f"no campaign {name!r} runs here")
        if self.clock.mode == "lockstep":
            raise SelectionError("in lockstep a run hangs on its inputs alone: no selection by hand")
        try:
            wanted = Selection.model_validate(keys)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise SelectionError(f"{where}: {first['msg']}") from None
        campaign, now_us = self.state.campaigns[number], self.clock.now_us()
        if wanted.deliver != "outbound" and campaign.output != "contact":
            raise SelectionError(f"{name} has output {campaign.output}: it has nothing to send")
        if wanted.deliver == "bulk-sms" and campaign.boss is not None:
            raise SelectionError(f"{name} asks BOSS at every contact, which a file cannot")
        rows = choose(self.state, number, now_us, wanted.audience, wanted.targets)
        if wanted.deliver == "contact":
            return self._contacts(number, rows, now_us)
        if wanted.deliver == "bulk-sms":
            return await self._bulk(campaign, rows, now_us)
        return self._list(campaign, rows, now_us)

    def _contacts(self, number: int, rows: NDArray[np.int64], now_us: int) -> dict[str, Any]:
        if len(rows) > MOST:
            raise SelectionError(f"{len(rows)} subscribers selected; a selection contacts {MOST} at most")
        decisions = on_selection(self.state, number, rows, now_us, self.clock.stamp_ns)
        self.dispatcher.take(decisions)
        actions = Counter(decision.action for decision in decisions)
        reasons = Counter(decision.reason for decision in decisions if decision.action == "suppress")
        return {
            "selected": len(rows),
            "decided": dict(sorted(actions.items())),
            "suppressed": dict(sorted(reasons.items())),
        }

    def _list(self, campaign: Campaign, rows: NDArray[np.int64], now_us: int) -> dict[str, Any]:
        """For the outbound centre."""
        state, kept, reasons = self.state, [], Counter[str]()
        for row in rows.tolist():
            reason = state.policy.refuses(state.book, row, now_us)
            if reason:
                reasons[reason] += 1
            else:
                kept.append(row)
        path = self._new_path("outbound", campaign, now_us)
        profiles = state.profiles
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

    async def _bulk(self, campaign: Campaign, rows: NDArray[np.int64], now_us: int) -> dict[str, Any]:
        """For bulk SMS: reserved slice by slice, looked at once more, written; given back if it never is."""
        window = self.state.policy.window(now_us)
        if not window.open:
            opens = self._local(window.release_us)
            raise SelectionError(f"{window.reason}: nothing may be sent before {opens}")
        desk, path = self.dispatcher, self._new_path("bulk-sms", campaign, now_us)
        granted: list[Decision] = []
        reasons: Counter[str] = Counter()
        partial: Path | None = None
        try:
            await self._reserve(campaign, rows, granted, reasons)
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
        return _told(len(rows), path, count, reasons)

    async def _reserve(
        self, campaign: Campaign, rows: NDArray[np.int64], granted: list[Decision], reasons: Counter[str]
    ) -> None:
        """Adds to both; between two slices campaigns and extract may have been exchanged."""
        state = self.state
        imsi = state.profiles.imsi[rows]
        for start in range(0, len(imsi), SLICE):
            number = state.numbers.get(campaign.campaign)
            if number is None or state.campaigns[number] != campaign:
                raise SelectionError(f"{campaign.campaign} was changed meanwhile; nobody is contacted")
            now_us = self.clock.now_us()
            window = state.policy.window(now_us)
            if not window.open:  # nothing waits for a file
                reasons[window.reason] += len(imsi) - start
                return
            some = state.profiles.rows(imsi[start : start + SLICE])
            reasons["gone"] += int(np.count_nonzero(some < 0))
            decisions = on_selection(
                state, number, some[some >= 0], now_us, self.clock.stamp_ns, BULK_CHANNELS
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
        return self.state.policy.hours.local(at_us).isoformat(timespec="seconds")

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


def choose(
    state: EngineState, number: int, at_us: int, audience: str = "", targets: str = ""
) -> NDArray[np.int64]:
    """Rows of a campaign's audience and targets at an instant, and of an expression and a list besides.

    Raises:
        SelectionError: the expression cannot be read, or asks for what is not known here; no such list.
    """
    profiles, catalogue = state.profiles, catalogue_of(state.profiles)
    expression = None
    if audience:
        try:
            expression = compile_expression(audience, catalogue)
        except ExpressionError as error:
            raise SelectionError(f"audience: {error}") from None
        told = sorted(name for name in expression.reads if name.startswith("event."))
        if told:
            raise SelectionError(f"audience: {told[0]} is of a behaviour, and a selection has none")
    try:
        rows = state.rules.chosen(number, at_us)
        if targets:
            rows = rows[profiles.on_list(targets, rows)]
        if expression is not None:
            rows = rows[state.rules.holding(expression, rows, at_us)]
    except LookupError as error:
        raise SelectionError(str(error.args[0])) from None
    return rows
