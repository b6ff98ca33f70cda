"""An operator's selection: whoever belongs to a campaign now, contacted at once, or written into a file.

Contacts go the way of all contacts: policy, BOSS, ledger, channel. A file for the outbound centre leaves out
who does not want to be approached at all. One for bulk SMS leaves out everybody to whom the policy would not
send now; what is then sent from it is unknown to the ledger.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from marketing.campaigns import Campaign
from marketing.clock import Clock
from marketing.config import Strict
from marketing.effects.dispatch import Dispatcher
from marketing.engine import EngineState, on_selection
from marketing.expressions import ExpressionError, compile_expression
from marketing.outputs import write_csv
from marketing.rules import catalogue_of

__all__ = ["SELECTION_COLUMNS", "Selection", "SelectionError", "Selector", "choose"]

MOST: Final = 100_000
"""Contacts of one selection at most; a file may hold everybody."""
SELECTION_COLUMNS: Final = {
    "outbound": ("msisdn", "language", "brand"),
    "bulk-sms": ("msisdn", "originator", "text"),
}


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

    def select(self, name: str, keys: dict[str, Any]) -> dict[str, Any]:
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
        return self._file(campaign, rows, now_us, wanted.deliver)

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

    def _file(self, campaign: Campaign, rows: NDArray[np.int64], now_us: int, kind: str) -> dict[str, Any]:
        state, kept, reasons = self.state, [], Counter[str]()
        for row in rows.tolist():
            if kind == "outbound":
                reason: str = state.policy.refuses(state.book, row, now_us)
            else:
                verdict = state.policy.decide(
                    state.book,
                    row,
                    campaign.campaign,
                    now_us,
                    may_hold=False,
                    caps=campaign.caps,
                    kind=state.policy.kind(campaign.originator, ("bulk-sms",)),
                    cell=int(state.features.lac[row]) << 16 | int(state.features.ci[row]),
                )
                reason = verdict.reason
            if reason:
                reasons[reason] += 1
            else:
                kept.append(row)
        made = datetime.fromtimestamp(now_us // 1_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
        path = self.folder / f"{kind}-{re.sub('[^a-z0-9-]', '', campaign.campaign)}-{made}.csv"
        count = write_csv(path, SELECTION_COLUMNS[kind], (self._line(campaign, row, now_us) for row in kept))
        suppressed = dict(sorted(reasons.items()))
        return {"selected": len(rows), "file": path.name, "lines": count, "suppressed": suppressed}

    def _line(self, campaign: Campaign, row: int, now_us: int) -> dict[str, Any]:
        state, profiles = self.state, self.state.profiles
        text = ""
        if campaign.output == "contact":
            values = None
            if campaign.campaign in state.texts.telling:
                values = state.rules.values(state.numbers[campaign.campaign], row, now_us)
            text = state.texts.of(campaign, row, values)
        return {
            "msisdn": str(profiles.msisdn[row]),
            "language": profiles.word("language", row),
            "brand": profiles.word("brand", row),
            "originator": campaign.originator,
            "text": text,
        }


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
