"""The platform's own channels, ledger and orders without sockets: each answer is there when it is asked for.

What is said stays what it was: the same PDUs and MM7 requests, worded by the platform and understood by the
simulator's desks, and the other way round. Only the octets of SMPP between them are left out.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import mm7
from experiments.problems import RunInvalid
from experiments.uplift.still import at_once
from marketing.channels import MmsChannel, Outcome, SmppLink
from marketing.channels.mms import HttpAnswer
from marketing.channels.mms import outcome_of as mms_outcome_of
from marketing.channels.outgoing import Outgoing, ready
from marketing.channels.smpp_link import cancel_sm, outcome_of
from marketing.contact.ledger import Ledger, Operation, OrderDone, OrderWanted
from marketing.contact.memory import MemoryLedger
from marketing.metrics import MetricName, Metrics
from marketing.profiles.boss_query import NOBODY, Account, BossQuery, columns_of
from marketing.profiles.columns import Column
from sim.backoffice.boss import Boss, OrderConflict, UnknownCustomer
from sim.backoffice.mmsc_desk import MmscDesk
from sim.backoffice.smsc_desk import SmscDesk
from sim.network.messages import Deliver, MmsReport
from smpp.aio import Refused
from smpp.pdu import Body, SubmitSm
from smpp.status import CommandStatus, status_name

__all__ = ["DirectBoss", "DirectLedger", "DirectLink", "DirectMms", "DirectQuery", "Uncounted"]


class Uncounted(Metrics):
    """Counts nothing."""

    def __init__(self) -> None:
        """Without a registry."""

    def count(self, name: MetricName, amount: float = 1, **labels: str) -> None: ...

    def time(self, name: MetricName, seconds: float) -> None: ...


@dataclass(slots=True)
class DirectLink(SmppLink):
    """The session with the message centre, its other end at hand."""

    desk: SmscDesk | None = None

    @property
    def bound(self) -> bool:
        return True

    def send(self, parts: Sequence[SubmitSm], unsent_after_s: float) -> Awaitable[Outcome]:
        return ready(outcome_of([self._answer(part) for part in parts]))

    async def cancel(self, message_id: str, originator: str, msisdn: str) -> bool:
        return not isinstance(self._answer(cancel_sm(message_id, originator, msisdn)), Refused)

    def hear(self, messages: Sequence[Deliver]) -> None:
        """Receipts and replies of the centre.

        Raises:
            RunInvalid: one of them is refused.
        """
        assert self.desk is not None
        for body in self.desk.told(messages):
            status = self.deliver(body)
            if status != CommandStatus.ESME_ROK:
                said = status_name(status) if isinstance(status, int) else "no answer yet"
                raise RunInvalid(f"a deliver_sm to the platform: {said}")

    def _answer(self, body: Body) -> Body | BaseException:
        assert self.desk is not None
        answer, status = self.desk.take(body)
        return Refused(type(body).__name__, status) if status else answer


@dataclass(frozen=True, slots=True)
class _Answered:
    status_code: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(slots=True)
class DirectMms(MmsChannel):
    """MM7 without HTTP: the same octets."""

    desk: MmscDesk | None = None

    @property
    def bound(self) -> bool:
        return True

    opened = bound

    def submit(self, message: Outgoing, unsent_after_s: float = inf) -> Awaitable[Outcome]:
        try:
            request = self.request(message)
        except mm7.EncodeError as error:
            return ready(Outcome("failed", f"cannot be encoded: {error}", counted=False))
        outcome = mms_outcome_of(request, at_once(self.post(*mm7.encode(request))))
        if outcome is None:
            raise RunInvalid("the multimedia message centre asks for less")
        return ready(outcome)

    async def post(self, content_type: str, body: bytes) -> HttpAnswer:
        assert self.desk is not None
        user = f"{self.config.user}:{self.config.password.get_secret_value()}"
        said = {"content-type": content_type, "authorization": f"Basic {b64encode(user.encode()).decode()}"}
        status, answered, content = self.desk.answer("POST", said, body)
        return _Answered(status, {"content-type": answered}, content)

    def hear(self, reports: Sequence[MmsReport]) -> None:
        """Reports of the centre.

        Raises:
            RunInvalid: one of them is refused.
        """
        assert self.desk is not None
        for report in reports:
            content_type, body = mm7.encode(self.desk.report(report))
            status, _, content = at_once(self.take(({"content-type": content_type}, body)))
            if status != 200:
                raise RunInvalid(f"an MM7 report to the platform: {status} {content[:200]!r}")


@dataclass(slots=True)
class DirectLedger:
    """The ledger; what is asked of it has been written when it is asked."""

    ledger: Ledger | MemoryLedger

    async def apply(self, operations: Sequence[Operation], *, urgent: bool = True) -> list[Any]:
        return self.ledger.apply(operations) if operations else []


@dataclass(slots=True)
class DirectBoss:
    """Orders at BOSS."""

    boss: Boss

    async def place(self, order: OrderWanted, give_up_s: float | None = None) -> OrderDone:
        try:
            placed, _ = self.boss.order(
                order.order_id, str(order.msisdn), order.offer, order.channel, order.t_us
            )
        except (UnknownCustomer, OrderConflict) as error:
            return OrderDone(order.order_id, "refused", str(error)[:200])
        return OrderDone(order.order_id, "done", placed.order_id)


@dataclass(slots=True)
class DirectQuery(BossQuery):
    """Accounts at BOSS, with answers kept for as long as ever."""

    boss: Boss | None = None

    async def ask(self, msisdns: Sequence[int], names: Sequence[str], now_us: int) -> dict[str, Column]:
        assert self.boss is not None
        found: dict[int, Account] = {}
        wanted: list[int] = []
        for number in dict.fromkeys(msisdns):
            held = self.held(number, now_us)
            if held is None:
                wanted.append(number)
            else:
                found[number] = held
        told = {int(one.msisdn): one for one in self.boss.accounts([str(n) for n in wanted], now_us)}
        for number in wanted:
            one = told.get(number)
            found[number] = (
                NOBODY
                if one is None
                else Account(one.brand or None, one.services, one.balance_fen, one.charges_fen)
            )
            self.keep(number, found[number], now_us)
        return columns_of(names, [found[number] for number in msisdns])
