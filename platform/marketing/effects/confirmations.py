"""Confirmations: one short message once BOSS has opened what was ordered.

A confirmation answers the subscriber's own message. It is no contact: no cap counts it, and it has a sender
of its own by which everybody can tell. The policy's key `confirmations` says whether it comes at once
(`always`) or only when contacts may (`as_contacts`). It goes once at most: what was about to leave when the
platform died is unknown and not said again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Protocol

import numpy as np

from marketing.campaigns import Campaign
from marketing.channels import Outcome, Outgoing
from marketing.clock import Clock
from marketing.contact.ledger import ConfirmationDone, ConfirmationWanted, LedgerError, Operation, OrderDone
from marketing.effects.replies import Conversations
from marketing.metrics import Metrics
from marketing.workers import EngineHost

__all__ = ["Confirmations", "Due"]

ID_OF: Final = b"confirmation"
"""In the ids of confirmations: the centre must not take them for parts of the contact."""
WITHIN_US: Final = 3_600_000_000
"""By the platform's clock; what could not leave by then says nothing new any more."""
LOCKSTEP_PATIENCE_S: Final = 25.0
"""Real seconds that a submission may take while the simulation stands still."""


class Sends(Protocol):
    """What sends; see `marketing.channels.Switchboard`."""

    def submit(self, message: Outgoing, unsent_after_s: float) -> Awaitable[Outcome]: ...


class Writes(Protocol):
    """What remembers; see `marketing.contact.writer.LedgerWriter`."""

    async def apply(self, operations: Sequence[Operation], *, urgent: bool = True) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class Due:
    """One confirmation that may go now or later."""

    contact_id: str
    msisdn: str
    campaign: str
    due_us: int


@dataclass(slots=True)
class Confirmations:
    """Each is written down together with the order's outcome, then reserved, then sent."""

    originator: str
    """Sender shown; empty: nothing is confirmed."""
    engine: EngineHost
    clock: Clock
    ledger: Writes
    channel: Sends
    conversations: Conversations
    metrics: Metrics
    on_fault: Callable[[str], None]
    _waiting: list[Due] = field(default_factory=list)

    def wanted(self, done: OrderDone, now_us: int) -> list[ConfirmationWanted]:
        """What is to be written down together with an order's outcome."""
        contact = self.conversations.contact(done.order_id)
        if done.state != "done" or not self.originator or contact is None:
            return []
        campaign = self._campaign(contact.campaign)
        if campaign is None or not campaign.reply.confirmation:
            return []
        due_us = self._due_us(contact.msisdn, now_us)
        state: Literal["reserved", "waiting", "suppressed"] = (
            "suppressed" if due_us is None else "reserved" if due_us <= now_us else "waiting"
        )
        at_us = now_us if due_us is None else due_us
        return [ConfirmationWanted(done.order_id, int(contact.msisdn), contact.campaign, state, at_us)]

    async def written(self, wanted: Sequence[ConfirmationWanted], new: Sequence[bool]) -> None:
        """They are durable: sends those whose time it is, keeps the others; what is not new is somebody's."""
        for one, fresh in zip(wanted, new, strict=True):
            due = Due(one.contact_id, str(one.msisdn), one.campaign, one.at_us)
            if fresh and one.state == "reserved":
                await self._send(due)
            elif fresh and one.state == "waiting":
                self.later(due)

    def later(self, due: Due) -> None:
        """One that has to wait, now or since before a restart."""
        self._waiting.append(due)

    def due(self, now_us: int) -> list[Due]:
        """Those whose time has come, in order."""
        ripe = [due for due in self._waiting if due.due_us <= now_us]
        self._waiting = [due for due in self._waiting if due.due_us > now_us]
        return sorted(ripe, key=lambda due: (due.due_us, due.contact_id))

    async def take_up(self, ripe: Sequence[Due]) -> None:
        """Looks at those that waited once more; what falls into another closed time waits on."""
        for due in ripe:
            now_us = self.clock.now_us()
            due_us = self._due_us(due.msisdn, now_us)
            if due_us is None:
                change = ConfirmationDone(due.contact_id, "suppressed", now_us)
            elif due_us > now_us:
                change = ConfirmationDone(due.contact_id, "waiting", due_us)
                self.later(replace(due, due_us=due_us))
            else:
                change = ConfirmationDone(due.contact_id, "reserved", now_us)
            try:
                await self.ledger.apply([change])
            except LedgerError as error:
                self.on_fault(str(error))  # still waiting in the ledger: said after a restart
                continue
            if change.state == "reserved":
                await self._send(due)

    async def _send(self, due: Due) -> None:
        """Sends one whose right to be sent is durable."""
        now_us = self.clock.now_us()
        campaign = self._campaign(due.campaign)
        text = campaign.confirm(self._language(due.msisdn)) if campaign is not None else ""
        outcome = Outcome("failed", "no campaign", counted=False)
        if text:
            outcome = await self.channel.submit(self._message(due, text, now_us), self._patience_s(now_us))
        self.metrics.count("confirmations", state=outcome.state)
        done = ConfirmationDone(due.contact_id, outcome.state, self.clock.now_us())
        try:
            await self.ledger.apply([done], urgent=self.clock.mode == "lockstep")
        except LedgerError as error:
            self.on_fault(str(error))  # reserved for ever: it is not said again

    def _message(self, due: Due, text: str, now_us: int) -> Outgoing:
        policy = self.engine.policy
        valid_until_us = now_us + round(policy.file.validity_s * 1e6)
        if policy.file.confirmations == "as_contacts":
            valid_until_us = policy.valid_until_us(policy.window(now_us, self._zone(due.msisdn)), now_us)
        own_id = hashlib.blake2b(due.contact_id.encode() + ID_OF, digest_size=8).hexdigest()
        return Outgoing(own_id, "sms", self.originator, due.msisdn, text, valid_until_us)

    def _patience_s(self, now_us: int) -> float:
        if self.clock.mode == "lockstep":
            return LOCKSTEP_PATIENCE_S
        return self.clock.real_s_until(now_us + WITHIN_US)

    def _due_us(self, msisdn: str, now_us: int) -> int | None:
        """When a confirmation may go; None: never."""
        policy, row = self.engine.policy, self.engine.profiles.row_of_msisdn(msisdn)
        if policy.file.confirmations == "always":
            return now_us
        if row < 0 or self.engine.barred(row, now_us):
            return None
        window = policy.window(now_us, self._zone(msisdn))
        return now_us if window.open else window.release_us

    def _zone(self, msisdn: str) -> int:
        zones = self.engine.policy.zones
        at = np.flatnonzero(zones.msisdn == np.uint64(int(msisdn)))
        return int(zones.zone[at[0]]) if len(at) else 0

    def _language(self, msisdn: str) -> str:
        profiles = self.engine.profiles
        row = profiles.row_of_msisdn(msisdn)
        return profiles.word("language", row) if row >= 0 and "language" in profiles.columns else ""

    def _campaign(self, name: str) -> Campaign | None:
        return next((c for c in self.engine.campaigns if c.campaign == name), None)
