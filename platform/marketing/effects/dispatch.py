"""From decisions to facts: ask BOSS, reserve, submit, settle; receipts and replies back; orders to BOSS.

BOSS is asked before the reservation, of those whose campaign has a condition for it; their places under the
caps are kept meanwhile. Nothing is submitted before its reservation is durable. Decisions and inbound
messages are taken without waiting; `flush` does the waiting part, as a whole in lockstep, in overlapping
rounds live.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Protocol, TypeVar, cast

from marketing.channels import Answer, Inbound, Outcome, Outgoing, Receipt
from marketing.clock import Clock
from marketing.contact import REASONS, Reason
from marketing.contact.ledger import (
    AnswerGiven,
    LedgerError,
    MessageDone,
    Operation,
    OptOut,
    OrderDone,
    OrderWanted,
    Reservation,
    Settled,
)
from marketing.effects.accounts import Accounts
from marketing.effects.confirmations import Confirmations, Due
from marketing.effects.content import outgoing
from marketing.effects.orders import BossError
from marketing.effects.records import TriggerRecord, Triggers
from marketing.effects.replies import Conversations, SentContact, match, received_us
from marketing.effects.reservations import reservation
from marketing.engine import Contact, Decision, Trigger
from marketing.metrics import Metrics
from marketing.workers import EngineHost

__all__ = ["Dispatcher", "OrderDesk", "Sender", "Writer"]

T = TypeVar("T")
MOST_EARLY: Final = 10_000
LOCKSTEP_PATIENCE_S: Final = 25.0
"""Real seconds that a submission or an order may take while the simulation stands still."""


class Sender(Protocol):
    """What sends; see `marketing.channels.Switchboard`."""

    def submit(self, message: Outgoing, unsent_after_s: float) -> Awaitable[Outcome]: ...
    async def cancel(self, channel: str, message_id: str, originator: str, msisdn: str) -> bool: ...


class Writer(Protocol):
    """What remembers; see `marketing.contact.writer.LedgerWriter`."""

    async def apply(self, operations: Sequence[Operation], *, urgent: bool = True) -> list[Any]: ...


class OrderDesk(Protocol):
    """What opens services; see `marketing.effects.orders.Boss`."""

    async def place(self, order: OrderWanted, give_up_s: float | None = None) -> OrderDone: ...


Note = Callable[[Literal["sent", "answered"], str, str, int], None]


@dataclass(slots=True)
class Dispatcher:
    """Owns no socket and no database; the server hands them in."""

    engine: EngineHost
    clock: Clock
    ledger: Writer
    channel: Sender
    boss: OrderDesk
    records: Triggers
    metrics: Metrics
    conversations: Conversations
    on_fault: Callable[[str], None]
    """Told of what makes a lockstep run worthless."""
    accounts: Accounts
    access_codes: tuple[str, ...] = ()
    """Numbers that subscribers may answer to without a campaign's sub-code."""
    confirmations: Confirmations | None = None
    """None: nothing is confirmed."""
    on_output: Callable[[Decision], None] = lambda decision: None
    """Told of who goes into a file instead of being contacted."""
    note: Note = lambda what, msisdn, campaign, t_us: None
    """Keeps over a kill what follow-ups hang on; see `marketing.engine.StateFolder.note`."""
    _sends: list[Decision] = field(default_factory=list)
    _notes: list[Operation] = field(default_factory=list)
    _stops: list[str] = field(default_factory=list)
    _orders: list[OrderWanted] = field(default_factory=list)
    _kept: list[Callable[[bool], None]] = field(default_factory=list)
    """Who waits for the others to be durable."""
    _ripe: list[Due] = field(default_factory=list)
    _early: dict[str, MessageDone] = field(default_factory=dict)
    """Receipts for messages not known yet."""
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    # ----------------------------------------------------------------- taking, without waiting

    def take(self, decisions: Iterable[Decision]) -> None:
        """Decisions of the engine, each written down; those to send wait for `flush`."""
        for decision in decisions:
            campaign = decision.trigger.campaign
            self.metrics.count("triggers", campaign=campaign, outcome=decision.action, reason=decision.reason)
            if decision.action == "output":
                self.on_output(decision)
                continue
            self.records.trigger(_record(decision))
            if decision.action == "send":
                self._sends.append(decision)

    def take_ended(self) -> None:
        """Triggers on hold that the engine will not decide any more: each has an end of its own."""
        for trigger, reason in self.engine.take_ended():
            campaign = trigger.campaign
            self.metrics.count("triggers", campaign=campaign, outcome="suppress", reason=reason)
            record = self.records.known(trigger.trigger_id) or _begun(trigger)
            record.state, record.reason = "suppressed", reason
            record.decided_us = max(record.decided_us, self.clock.now_us())
            self.records.trigger(record)

    def take_inbound(self, inbound: Inbound) -> None:
        """A receipt or a reply; a stop code takes effect here and now."""
        if isinstance(inbound, Receipt):
            self._take_receipt(MessageDone(inbound.message_id, inbound.state, inbound.t_us))
            return
        if isinstance(inbound, Answer):
            self._take_answer(inbound)
            return
        found = match(
            self.conversations,
            self.engine.campaigns,
            self.access_codes,
            *(inbound.source, inbound.destination, inbound.text),
        )
        contact, meaning = found.contact, found.meaning
        if contact is not None:
            self._answered(contact, inbound.t_us)
        if meaning == "stop":
            self.engine.on_opt_out(inbound.source)
            if inbound.source.isascii() and inbound.source.isdigit():  # ² is a digit too, and no number
                self._notes.append(OptOut(int(inbound.source), inbound.t_us, inbound.destination))
            self._stops.append(inbound.source)
        elif meaning == "order" and contact is not None:
            self._wants(contact, inbound.t_us)
        self.metrics.count("replies", meaning=meaning)

    def _take_answer(self, answer: Answer) -> None:
        """What somebody has said to an agent; of a contact that is not known nothing is believed."""
        contact = self.conversations.contact(answer.contact_id)
        meaning = answer.said if contact is not None else "unasked"
        self.metrics.count("answers", channel=answer.channel, meaning=meaning)
        if contact is None:
            return
        self._answered(contact, answer.t_us)
        if answer.said == "stop":
            self.engine.on_opt_out(contact.msisdn)
            self._notes.append(OptOut(int(contact.msisdn), answer.t_us, contact.originator))
            self._stops.append(contact.msisdn)
            return
        self._notes.append(
            AnswerGiven(answer.contact_id, int(contact.msisdn), answer.channel, answer.said, answer.t_us)
        )
        if answer.said == "accept":
            self._wants(contact, answer.t_us)

    def _answered(self, contact: SentContact, t_us: int) -> None:
        contact.answered = True
        self.engine.on_reply(contact.msisdn, contact.campaign)
        self.note("answered", contact.msisdn, contact.campaign, t_us)

    def _wants(self, contact: SentContact, t_us: int) -> None:
        """An order; one contact makes one, however often it is asked for."""
        contact.ordered = True
        wanted = OrderWanted(contact.contact_id, int(contact.msisdn), contact.offer, contact.channel, t_us)
        self._orders.append(wanted)

    def _take_receipt(self, done: MessageDone) -> None:
        contact = self.conversations.done(done.message_id)
        if contact is not None:
            at_us = received_us(contact, done.at_us, self.clock)
            contact.ended_us = max(contact.ended_us, at_us)
            self._notes.append(replace(done, at_us=at_us))
            if not contact.open_messages:
                by, ended = (contact.originator, contact.channel), (contact.decided_us, contact.ended_us)
                self.engine.on_ended(contact.msisdn, *by, *ended)
        elif len(self._early) < MOST_EARLY:
            # It may have overtaken the response that names the message.
            self._early[done.message_id] = done

    def reopen(self, orders: Iterable[OrderWanted]) -> None:
        """Orders whose outcome the last run left open are placed again; BOSS knows them by their id."""
        self._spawn(self._order(sorted(orders, key=lambda o: o.order_id), patience_s=None))

    def when_kept(self, told: Callable[[bool], None]) -> None:
        """Tells once what was taken so far is durable, or, with False, that it could not be written."""
        if self.idle:
            told(True)
        else:
            self._kept.append(told)

    @property
    def idle(self) -> bool:
        """Nothing taken waits for `flush`."""
        return not (self._sends or self._notes or self._stops or self._orders or self._ripe)

    def tend(self, now_us: int) -> None:
        """Takes up what has waited for its time."""
        if self.confirmations is not None:
            self._ripe += self.confirmations.due(now_us)

    # ----------------------------------------------------------------- making it true

    async def flush(self, *, wait: bool) -> None:
        """Reserves and submits all that was taken. With `wait` also everything that follows has an end.

        Submissions go in the order of (decision time, contact id), orders in that of (time, order id).
        """
        sends, notes, stops, orders = self._sends, self._notes, sorted(set(self._stops)), self._orders
        self._sends, self._notes, self._stops, self._orders = [], [], [], []
        kept, self._kept = self._kept, []
        ripe, self._ripe = self._ripe, []
        asked = [d for d in sends if _contact(d).campaign.boss is not None]
        if asked:
            sends = [d for d in sends if _contact(d).campaign.boss is None]
            if wait:
                sends += await self._ask(asked)
            else:
                self._spawn(self._ask_then_send(asked))
        await self._make_true(sends, notes, stops, orders, kept, wait=wait)
        if ripe and self.confirmations is not None:
            work = self.confirmations.take_up(ripe)
            await work if wait else self._spawn(work)

    async def _make_true(
        self,
        sends: list[Decision],
        notes: list[Operation],
        stops: list[str],
        orders: list[OrderWanted],
        kept: Sequence[Callable[[bool], None]] = (),
        *,
        wait: bool,
    ) -> None:
        sends.sort(key=lambda d: (d.t_us, _contact(d).contact_id))
        urgent = wait or bool(sends or stops or orders)
        operations = [*(self._wanted(d) for d in sends), *notes, *orders]
        try:
            results = await self.ledger.apply(operations, urgent=urgent)
        except LedgerError as error:
            self.on_fault(str(error))
            for decision in sends:
                self._end(decision, "failed", "ledger", unsent=True)
            self._notes, self._orders = [*notes, *self._notes], [*orders, *self._orders]
            for told in kept:
                told(False)
            return
        for told in kept:
            told(True)
        granted = self._granted(sends, results[: len(sends)])
        fresh = [o for o, new in zip(orders, results[len(sends) + len(notes) :], strict=True) if new]
        waiting = self._submit(granted)
        fresh.sort(key=lambda o: (o.t_us, o.order_id))
        if wait:
            await self._settle(waiting)
            await self._cancel(stops)
            await self._order(fresh, LOCKSTEP_PATIENCE_S)
        else:
            for work in (self._settle(waiting), self._cancel(stops), self._order(fresh, None)):
                self._spawn(work)

    async def send_now(self, decision: Decision) -> Reason:
        """Takes one decision and waits for what becomes of it: why it is not sent, or empty."""
        self.take([decision])
        if decision.action != "send":
            return decision.reason
        self._sends.remove(decision)
        sends = [decision] if _contact(decision).campaign.boss is None else await self._ask([decision])
        if sends:
            try:
                refusals = await self.ledger.apply([self._wanted(decision)])
            except LedgerError as error:
                self.on_fault(str(error))
                self._end(decision, "failed", "ledger", unsent=True)
                return "late"
            await self._settle(self._submit(self._granted(sends, refusals)))
        record = self.records.known(decision.trigger.trigger_id)
        assert record is not None, "it was taken"
        return "" if record.state == "sent" else cast("Reason", record.reason or "late")

    async def _ask_then_send(self, asked: list[Decision]) -> None:
        sends = await self._ask(asked)
        if sends:
            await self._make_true(sends, [], [], [], wait=False)

    async def _ask(self, asked: list[Decision]) -> list[Decision]:
        """Whom BOSS lets through, and the policy still; the others end here, whatever BOSS does."""
        refusals: Sequence[Reason] = ["boss_unknown"] * len(asked)
        passed: list[Decision] = []
        steps = self.clock.steps
        try:
            refusals = await self.accounts.refusals([_contact(d) for d in asked], self.clock.now_us())
        finally:  # also when the platform ends meanwhile
            for decision, refusal in zip(asked, refusals, strict=True):
                # What was decided by a clock that has been set since is not reserved by the new one.
                late: Reason = "late" if self.clock.steps != steps else ""
                reason = refusal or self._last_look(decision, _contact(decision)) or late
                if reason:
                    self._end(decision, "suppressed", reason, unsent=True)
                else:
                    passed.append(decision)
        return passed

    def start_flush(self) -> None:
        """The same on the side: the next decisions need not wait for it."""
        self._spawn(self.flush(wait=False))

    async def finish(self, timeout_s: float) -> None:
        """Waits for what is under way."""
        end_s = asyncio.get_running_loop().time() + timeout_s
        while self._tasks and (left_s := end_s - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(self._tasks, timeout=left_s)  # what ends may begin something
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)  # what they still have to write down

    def _granted(self, sends: list[Decision], refusals: list[str]) -> list[Decision]:
        granted: list[Decision] = []
        for decision, refusal in zip(sends, refusals, strict=True):
            if refusal:
                self._end(decision, "suppressed", refusal, unsent=True)
            else:
                granted.append(decision)
        return granted

    def _submit(self, granted: list[Decision]) -> list[tuple[Decision, Awaitable[Outcome]]]:
        waiting: list[tuple[Decision, Awaitable[Outcome]]] = []
        for decision in granted:
            contact = _contact(decision)
            reason = self._last_look(decision, contact)
            if reason:
                waiting.append((decision, _unsent(reason)))
                continue
            self.conversations.leaving(SentContact.of(contact))  # its answer may be the first we hear
            try:
                sent = self.channel.submit(outgoing(contact), self._submit_patience_s(contact))
            except OSError as error:
                self.on_fault(f"{contact.campaign.campaign}: {error}")
                sent = _unsent("content")
            waiting.append((decision, sent))
        return waiting

    def _last_look(self, decision: Decision, contact: Contact) -> Reason:
        """What may have changed while BOSS was asked or the reservation was written; its place is kept."""
        now_us = self.clock.now_us()
        barred = self.engine.barred(self.engine.row_now(decision.trigger), now_us)
        return barred or ("late" if now_us >= contact.submit_before_us else "")

    def _submit_patience_s(self, contact: Contact) -> float:
        if self.clock.mode == "lockstep":
            return LOCKSTEP_PATIENCE_S
        return self.clock.real_s_until(contact.submit_before_us)

    async def _settle(self, waiting: list[tuple[Decision, Awaitable[Outcome]]]) -> None:
        if self.clock.mode == "lockstep":
            await self._settle_some([(decision, await outcome) for decision, outcome in waiting])
            return

        async def one(decision: Decision, outcome: Awaitable[Outcome]) -> None:
            await self._settle_some([(decision, await outcome)])

        await asyncio.gather(*(one(decision, outcome) for decision, outcome in waiting))

    async def _settle_some(self, ended: list[tuple[Decision, Outcome]]) -> None:
        operations: list[Operation] = []
        for decision, outcome in ended:
            contact, at_us = _contact(decision), self.clock.now_us()
            if outcome.state == "submitted":
                self._end(decision, "sent", "")
            elif outcome.reason in REASONS:
                self._end(decision, "suppressed", outcome.reason, unsent=True)
            else:
                self._end(decision, "failed", outcome.reason, unsent=not outcome.counted)
                if outcome.state == "unknown":
                    self.on_fault(f"contact {contact.contact_id}: {outcome.reason}")
            if outcome.counted:
                self._has_left(decision, contact, outcome.message_ids)
            else:
                self.conversations.unsent(contact.contact_id)
            operations.append(
                Settled(
                    contact.contact_id,
                    outcome.state,
                    at_us,
                    outcome.counted,
                    outcome.reason[:60],
                    outcome.message_ids,
                )
            )
            self.metrics.count("contacts", state=outcome.state)
        try:
            await self.ledger.apply(operations, urgent=self.clock.mode == "lockstep")
        except LedgerError as error:
            # Still reserved in the ledger: it counts, and after a restart it is unknown.
            self.on_fault(str(error))

    def _has_left(self, decision: Decision, contact: Contact, message_ids: tuple[str, ...]) -> None:
        """It is with the channel's peer, for all that is known. Answer and receipts may be here already."""
        sent = self.conversations.contact(contact.contact_id) or SentContact.of(contact)
        self.conversations.sent(sent, message_ids)
        if contact.campaign.follow_ups and not sent.answered:
            self.note("sent", contact.msisdn, contact.campaign.campaign, decision.t_us)
        for message_id in message_ids:
            if message_id in self._early:
                self._take_receipt(self._early.pop(message_id))
        row, now_us = self.engine.row_now(decision.trigger), self.clock.now_us()
        if message_ids and self.engine.barred(row, now_us) == "do_not_disturb":
            self._spawn(self._cancel([contact.msisdn]))  # what to cancel was not known when the stop came

    async def _cancel(self, msisdns: list[str]) -> None:
        for msisdn in msisdns:
            for message_id, contact in self.conversations.pending(msisdn):
                done = await self.channel.cancel(contact.channel, message_id, contact.originator, msisdn)
                self.metrics.count("contacts", state="cancelled" if done else "too late to cancel")

    async def _order(self, orders: list[OrderWanted], patience_s: float | None) -> None:
        for order in orders:
            try:
                done = await self.boss.place(order, patience_s)
            except BossError as error:
                self.on_fault(str(error))  # stays open in the ledger
                continue
            self.metrics.count("orders", state=done.state)
            confirming = self.confirmations.wanted(done, self.clock.now_us()) if self.confirmations else []
            try:
                results = await self.ledger.apply([done, *confirming], urgent=patience_s is not None)
            except LedgerError as error:
                self.on_fault(str(error))  # stays open: placed again after a restart, once at BOSS
                continue
            if self.confirmations is not None:
                await self.confirmations.written(confirming, results[1:])

    # ----------------------------------------------------------------- contacts that leave in a file

    async def tracked(self, work: Coroutine[Any, Any, T]) -> T:
        """Waits for work that `finish` is to wait for too, and to end."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            return await work
        finally:
            self._tasks.discard(task)

    async def reserve(self, decisions: Iterable[Decision]) -> list[Decision]:
        """Takes decisions whose messages others send from a file: those to send, once they are reserved.

        Each must come to an end by `handed_over` or `given_back`; one that does not counts.

        Raises:
            LedgerError: none of them is reserved, and all have ended as failed.
        """
        sends: list[Decision] = []
        for decision in decisions:
            campaign = decision.trigger.campaign
            self.metrics.count("triggers", campaign=campaign, outcome=decision.action, reason=decision.reason)
            self.records.trigger(_record(decision))
            if decision.action == "send":
                sends.append(decision)
        try:
            results = await self.ledger.apply([self._wanted(d) for d in sends])
        except LedgerError:
            for decision in sends:
                self._end(decision, "failed", "ledger", unsent=True)
            raise
        return self._granted(sends, results)

    def still_right(self, decision: Decision) -> Reason:
        """Why a reserved contact is not to be written into the file after all; empty: it is."""
        return self._last_look(decision, _contact(decision))

    async def handed_over(self, decisions: Sequence[Decision], where: str) -> None:
        """The file is there and may be sent from: these count, whatever becomes of them."""
        for decision in decisions:
            contact = _contact(decision)
            self._end(decision, "sent", "")
            self.conversations.sent(SentContact.of(contact), ())
            if contact.campaign.follow_ups:
                self.note("sent", contact.msisdn, contact.campaign.campaign, decision.t_us)
            self.metrics.count("contacts", state="handed over")
        await self._settle_file(decisions, "submitted", where)

    async def given_back(self, decisions: Sequence[Decision], state: str, reason: str) -> None:
        """Reserved for a file in which they are not: they never left. `state`: suppressed or failed."""
        for decision in decisions:
            self._end(decision, state, reason, unsent=True)
        await self._settle_file(decisions, "failed", reason)

    async def _settle_file(
        self, decisions: Sequence[Decision], state: Literal["submitted", "failed"], reason: str
    ) -> None:
        at_us, counted = self.clock.now_us(), state == "submitted"
        settled = [Settled(_contact(d).contact_id, state, at_us, counted, reason[:60]) for d in decisions]
        try:
            await self.ledger.apply(settled)
        except LedgerError as error:
            self.on_fault(str(error))  # still reserved: it counts

    # ----------------------------------------------------------------- inside

    def _wanted(self, decision: Decision) -> Reservation:
        return reservation(decision, self.engine.policy.file.timezone)

    def _end(self, decision: Decision, state: Any, reason: str, *, unsent: bool = False) -> None:
        trigger, contact = decision.trigger, _contact(decision)
        if unsent:
            self.engine.on_unsent(trigger, contact)
        record = self.records.known(trigger.trigger_id)
        assert record is not None, "every decision was taken before"
        record.state, record.reason = state, reason
        if state == "sent":
            record.t_submitted_ns = self.clock.stamp_ns()
            if trigger.received_ns and record.t_submitted_ns and trigger.origin == "behaviour":
                self.metrics.time("submit_seconds", (record.t_submitted_ns - trigger.received_ns) / 1e9)
        self.records.trigger(record)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.on_fault(f"{type(error).__name__}: {error}")


async def _unsent(reason: str) -> Outcome:
    return Outcome("failed", reason, counted=False)


def _contact(decision: Decision) -> Contact:
    assert decision.contact is not None, "a decision to send has a contact"
    return decision.contact


def _record(decision: Decision) -> TriggerRecord:
    record, contact = _begun(decision.trigger), decision.contact
    record.contact_id = contact.contact_id if contact else ""
    record.state = "pending" if contact else "held" if decision.action == "hold" else "suppressed"
    record.reason, record.arm = decision.reason, decision.arm
    record.held_until_us, record.decided_us = decision.held_until_us, decision.t_us
    record.t_decided_ns = decision.decided_ns
    record.channel = contact.channel if contact else ""
    return record


def _begun(trigger: Trigger) -> TriggerRecord:
    """A trigger of which nothing is decided."""
    return TriggerRecord(
        trigger_id=trigger.trigger_id,
        contact_id="",
        campaign=trigger.campaign,
        imsi=trigger.imsi,
        msisdn=trigger.msisdn,
        t_us=trigger.t_us,
        corr=trigger.corr,
        timer=trigger.origin != "behaviour",
        state="held",
        reason="",
        held_until_us=0,
        decided_us=0,
        t_received_ns=trigger.received_ns,
        t_decoded_ns=trigger.decoded_ns,
        t_matched_ns=trigger.matched_ns,
    )
