"""The offer for the customer who is here now (S8): hall, hotline and web ask by HTTP and tell what was said.

The campaigns of mode desk are asked in the order of priority and value; the policy decides as for any
contact, and the first that it lets through is reserved and shown. What is on the screen stays there until
there is an answer; who is still thinking is shown the same offer at the next visit, without another contact.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from marketing.campaigns import Campaign
from marketing.channels import Answer, Receipt
from marketing.clock import Clock
from marketing.contact.ledger import Ledger
from marketing.contact.operations import DeskAnswer
from marketing.contact.schema import contact as contact_table
from marketing.contact.schema import desk_answer
from marketing.effects.dispatch import Dispatcher
from marketing.effects.replies import SentContact
from marketing.engine import EngineState
from marketing.workers import EngineHost, LocalHost

__all__ = ["Desk", "DeskError", "asked_by", "open_desk"]

FACTS: Final = ("brand", "language", "tariff", "segment")
"""Of the customer, beside the offer, where the extract has them."""


class DeskError(ValueError):
    """What was asked cannot be done; the message says why."""


@dataclass(slots=True)
class Desk:
    """Works on the platform's loop, between two steps of the engine."""

    engine: LocalHost
    clock: Clock
    dispatcher: Dispatcher
    channels: frozenset[str]
    """Desks that are configured."""
    _one_by_one: asyncio.Lock = field(default_factory=asyncio.Lock)
    _open: dict[str, str] = field(default_factory=dict)
    """MSISDN -> contact that is on a screen, or being thought about."""
    _answers: dict[str, DeskAnswer] = field(default_factory=dict)

    @property
    def state(self) -> EngineState:
        """Of the engine, which is in this process."""
        return self.engine.state

    def restore(self, ledger: Ledger) -> None:
        """Goes on with what was on screens and said at desks before."""
        for row in ledger.rows(desk_answer):
            self._answers[row["contact_id"]] = row["answer"]
        shown = (
            row for row in ledger.rows(contact_table) if row["channel"] in self.channels and row["counted"]
        )
        for row in sorted(shown, key=lambda row: (row["decided_us"], row["contact_id"])):
            if self._answers.get(row["contact_id"], "think") == "think":
                self._open[str(row["msisdn"])] = row["contact_id"]

    async def offer(self, channel: str, msisdn: str) -> dict[str, Any]:
        """The best offer for a customer now; `offer` is null where there is none, and `reason` says why.

        Raises:
            LookupError: no such customer.
            DeskError: no such desk.
        """
        if channel not in self.channels:
            raise DeskError(
                f"desk {channel!r} is not configured here: {', '.join(sorted(self.channels)) or 'none is'}"
            )
        if self.clock.mode == "lockstep":
            raise DeskError("in lockstep a run hangs on its inputs alone: no desk asks for offers")
        async with self._one_by_one:  # two screens of one customer show one offer
            return await self._offer(channel, msisdn)

    async def _offer(self, channel: str, msisdn: str) -> dict[str, Any]:
        row, now_us = self._row(msisdn), self.clock.now_us()
        again = self._again(channel, msisdn, row, now_us)
        if again is not None:
            return again
        reason: str = "no campaign"
        for campaign in self._campaigns(channel):
            number = self.state.numbers[campaign.campaign]
            if not self.state.rules.belongs(number, row, now_us):
                continue
            imsi = self.state.profiles.imsi[row : row + 1]
            stamp = self.clock.stamp_ns
            for decision in self.engine.on_selection(campaign.campaign, imsi, now_us, stamp, (channel,)):
                reason = await self.dispatcher.send_now(decision)
                if not reason and (contact := decision.contact) is not None:
                    self._open[msisdn] = contact.contact_id
                    return self._shown(contact.contact_id, campaign, contact.text, row, again=False)
            row = self._row(msisdn)  # the extract may have been exchanged meanwhile
        return {"offer": None, "reason": reason}

    async def answer(self, contact_id: str, said: DeskAnswer) -> dict[str, Any]:
        """Writes down what a customer has said; what has been accepted or refused stays so.

        Raises:
            LookupError: no offer of a desk has this id.
            DeskError: it has been answered otherwise.
        """
        contact = self.dispatcher.conversations.contact(contact_id)
        if contact is None or contact.channel not in self.channels:
            raise LookupError(f"no offer {contact_id[:16]!r} has been shown at a desk")
        before = self._answers.get(contact_id)
        if before is not None and before != "think" and before != said:
            raise DeskError(f"the answer was {before}, and stays so")
        if before != said:
            self._answers[contact_id] = said
            if said != "think" and self._open.get(contact.msisdn) == contact_id:
                del self._open[contact.msisdn]
            await self._write_down(contact, said, first=before is None)
        return {"contact_id": contact_id, "answer": said, "already": before == said}

    async def _write_down(self, contact: SentContact, said: DeskAnswer, *, first: bool) -> None:
        """Durable when this returns; an order is on its way to BOSS then."""
        now_us, one = self.clock.now_us(), self.dispatcher
        if first:
            one.take_inbound(Receipt(now_us, f"{contact.channel}:{contact.contact_id}", "delivered"))
        one.take_inbound(Answer(now_us, contact.contact_id, contact.channel, said))
        await one.flush(wait=False)

    def _again(self, channel: str, msisdn: str, row: int, now_us: int) -> dict[str, Any] | None:
        """What is on the screen already, or was thought about, unless the customer is left alone since."""
        contact = self.dispatcher.conversations.contact(self._open.get(msisdn, ""))
        if contact is None or self.state.policy.refuses(self.state.book, row, now_us):
            return None
        number = self.state.numbers.get(contact.campaign)
        if number is None or not self.state.campaigns[number].active(now_us, self.state.policy.file.timezone):
            return None
        campaign = self.state.campaigns[number]
        text = self.state.texts.of(campaign, row, self._values(number, row, now_us), channel)
        return self._shown(contact.contact_id, campaign, text, row, again=True)

    def _values(self, number: int, row: int, now_us: int) -> dict[str, Any] | None:
        telling = self.state.campaigns[number].campaign in self.state.texts.telling
        return self.state.rules.values(number, row, now_us) if telling else None

    def _campaigns(self, channel: str) -> list[Campaign]:
        """Those of a desk, the one that goes first first."""
        mine = [c for c in self.state.campaigns if c.mode == "desk" and channel in c.channels]
        return sorted(mine, key=lambda c: (-c.priority, -c.value, c.campaign))

    def _row(self, msisdn: str) -> int:
        row = self.state.profiles.row_of_msisdn(msisdn)
        if row < 0:
            raise LookupError("no customer of the extract has this number")
        return row

    def _shown(
        self, contact_id: str, campaign: Campaign, text: str, row: int, *, again: bool
    ) -> dict[str, Any]:
        profiles = self.state.profiles
        known = {name: profiles.word(name, row) for name in FACTS if name in profiles.columns}
        return {
            "offer": campaign.offer,
            "contact_id": contact_id,
            "campaign": campaign.campaign,
            "title": campaign.title,
            "script": text,
            "again": again,
            "customer": {name: word for name, word in known.items() if word},
            "answers": ["accept", "refuse", "think"],
        }


def asked_by(
    desk: Callable[[], Desk | None], wait: Callable[[Coroutine[Any, Any, dict[str, Any]]], dict[str, Any]]
) -> tuple[Callable[[str, str], dict[str, Any]], Callable[[str, DeskAnswer], dict[str, Any]]]:
    """`offer` and `answer` for another thread, which waits for them; the desk may be opened after it."""

    def opened() -> Desk:
        found = desk()
        if found is None:
            raise DeskError("the platform is still starting")
        return found

    return (
        lambda channel, msisdn: wait(opened().offer(channel, msisdn)),
        lambda contact_id, said: wait(opened().answer(contact_id, said)),
    )


def open_desk(
    channels: Sequence[str], engine: EngineHost, clock: Clock, dispatcher: Dispatcher, ledger: Ledger
) -> Desk | None:
    """The configured desks, with what the ledger knows of them; None: there are none."""
    if not channels:
        return None
    assert isinstance(engine, LocalHost), "the configuration has been checked"
    desk = Desk(engine, clock, dispatcher, frozenset(channels))
    desk.restore(ledger)
    return desk
