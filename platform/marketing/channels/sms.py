"""Short messages by SMPP 3.4: submit with validity and receipts, take replies, cancel.

The outcome of a submission is one of three: accepted, proven not taken, unknown. Only the second gives the
reservation back.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final, Literal

from marketing.config import SmppConfig
from smpp import receipt
from smpp.aio import EsmeClient, NotSent, OutcomeUnknown, Refused
from smpp.errors import SmppError
from smpp.pdu import BindTransceiver, Body, CancelSm, DataSm, DeliverSm, SubmitSm, SubmitSmResp
from smpp.session import SessionConfig
from smpp.status import CommandStatus, MessageState
from smpp.text import Reassembler, split
from smpp.times import encode_absolute
from smpp.tlv import get_int, make

__all__ = ["Inbound", "Outcome", "Receipt", "Reply", "SmsChannel"]

# SMPP 3.4 5.2.5 and 5.2.6: national short codes, international subscriber numbers.
TON_INTERNATIONAL: Final = 1
TON_NETWORK_SPECIFIC: Final = 3
NPI_E164: Final = 1
RECEIPT_ON_FINAL: Final = 0x01
"""registered_delivery, SMPP 3.4 5.2.17: success or failure."""

MOST_AWAY_US: Final = 86_400_000_000
"""A day. What a centre tells of another time is taken for just now: a stop code is not to wait for a year."""

FINAL: Final[dict[MessageState, Literal["delivered", "expired", "failed"]]] = {
    MessageState.DELIVERED: "delivered",
    MessageState.EXPIRED: "expired",
    MessageState.DELETED: "failed",
    MessageState.UNDELIVERABLE: "failed",
    MessageState.REJECTED: "failed",
}
"""Message states after which nothing more comes (SMPP 3.4 5.2.28)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one contact at the message centre."""

    state: Literal["submitted", "failed", "unknown"]
    reason: str = ""
    message_ids: tuple[str, ...] = ()
    counted: bool = True
    """False only where it is proven that no part was taken."""


@dataclass(frozen=True, slots=True, order=True)
class Receipt:
    """A final delivery receipt for one part."""

    t_us: int
    """When it happened in the network, Unix us."""
    message_id: str
    state: Literal["delivered", "expired", "failed"]


@dataclass(frozen=True, slots=True, order=True)
class Reply:
    """What a subscriber sent to one of our numbers."""

    t_us: int
    source: str
    destination: str
    text: str


Inbound = Receipt | Reply


@dataclass(slots=True)
class SmsChannel:
    """One transceiver session; give it a socket to use that instead of host and port."""

    config: SmppConfig
    now_us: Callable[[], int]
    on_inbound: Callable[[Inbound], Awaitable[bool] | None]
    """A reply's answer: whether it has been taken for good; None: it has."""
    on_bound: Callable[[bool, str], None]
    sock: socket.socket | None = None
    unreadable: int = 0
    """deliver_sm that were no reply and no receipt."""
    _client: EsmeClient | None = None
    _parts: Reassembler = field(default_factory=Reassembler)

    async def start(self) -> None:
        """Binds.

        Raises:
            SmppError: refused, or nobody there in `connect_timeout_s`.
        """
        where = {"sock": self.sock} if self.sock is not None else {}
        password = self.config.password.get_secret_value()
        self._client = EsmeClient(
            BindTransceiver(system_id=self.config.system_id, password=password),
            host="" if where else self.config.host,
            port=0 if where else self.config.port,
            sock=self.sock,
            on_deliver=self._deliver,
            on_bound=self.on_bound,
            config=SessionConfig(window=self.config.window),
        )
        await self._client.start(self.config.connect_timeout_s)

    @property
    def bound(self) -> bool:
        """Whether a submission would go out now."""
        return self._client is not None and self._client.bound

    @property
    def throttled(self) -> int:
        """Refusals that asked for less; the messages go again by themselves."""
        return self._client.counters.throttled if self._client is not None else 0

    def submit(
        self,
        contact_id: str,
        originator: str,
        msisdn: str,
        text: str,
        valid_until_us: int,
        unsent_after_s: float = inf,
    ) -> Awaitable[Outcome]:
        """Sends all parts at once, in order; await the result for what became of them.

        What has not gone out after `unsent_after_s` real seconds never will.
        """
        assert self._client is not None, "start() first"
        client = self._client
        try:
            # TS 23.040 9.2.3.24.1: the parts of one message share a reference.
            bodies = [
                SubmitSm(
                    source_addr_ton=TON_NETWORK_SPECIFIC,
                    source_addr_npi=NPI_E164,
                    source_addr=originator,
                    dest_addr_ton=TON_INTERNATIONAL,
                    dest_addr_npi=NPI_E164,
                    destination_addr=msisdn,
                    esm_class=part.esm_class,
                    validity_period=encode_absolute(valid_until_us),
                    registered_delivery=RECEIPT_ON_FINAL,
                    data_coding=part.data_coding,
                    short_message=part.short_message,
                    tlvs=(make("contact_id", contact_id),),
                )
                for part in split(text, reference=int(contact_id[-2:], 16))
            ]
        except SmppError as error:
            return _ready(Outcome("failed", f"cannot be encoded: {error}", counted=False))
        return _outcome([client.send(body, unsent_after_s=unsent_after_s) for body in bodies])

    async def cancel(self, message_id: str, originator: str, msisdn: str) -> bool:
        """Takes back a message that waits at the centre; False where it is too late."""
        assert self._client is not None, "start() first"
        try:
            await self._client.cancel_sm(
                CancelSm(
                    message_id=message_id,
                    source_addr_ton=TON_NETWORK_SPECIFIC,
                    source_addr_npi=NPI_E164,
                    source_addr=originator,
                    dest_addr_ton=TON_INTERNATIONAL,
                    dest_addr_npi=NPI_E164,
                    destination_addr=msisdn,
                ),
                unsent_after_s=30.0,
            )
        except SmppError:
            return False
        return True

    async def close(self) -> None:
        """Unbinds after the responses under way."""
        if self._client is not None:
            await self._client.close()

    def _deliver(self, body: DeliverSm | DataSm) -> int | Awaitable[int]:
        """Hands on; the response says that it is here, and of a reply that it will not be forgotten."""
        if not isinstance(body, DeliverSm):
            self.unreadable += 1
            return CommandStatus.ESME_RX_R_APPN
        t_us = believable(get_int(body.tlvs, "event_time"), self.now_us())
        try:
            if receipt.is_receipt(body):
                told = receipt.from_deliver(body)
                state = FINAL.get(told.state)
                if state is not None:
                    self.on_inbound(Receipt(t_us, told.message_id, state))
                return CommandStatus.ESME_ROK
            text = self._parts.add(
                body.source_addr,
                body.destination_addr,
                body.esm_class,
                body.data_coding,
                body.short_message,
                t_us / 1e6,
                body.tlvs,
            )
        except SmppError:
            self.unreadable += 1
            return CommandStatus.ESME_RX_R_APPN
        if text is not None:
            kept = self.on_inbound(Reply(t_us, body.source_addr, body.destination_addr, text))
            if kept is not None:
                return _taken(kept)
        return CommandStatus.ESME_ROK


async def _taken(kept: Awaitable[bool]) -> int:
    # SMPP 3.4 5.1.3: a temporary error, so that the centre delivers it again.
    return CommandStatus.ESME_ROK if await kept else CommandStatus.ESME_RX_T_APPN


def believable(told_us: int | None, now_us: int) -> int:
    """When something happened, Unix us: as the centre tells, unless that cannot be."""
    return told_us if told_us is not None and abs(told_us - now_us) <= MOST_AWAY_US else now_us


async def _ready(outcome: Outcome) -> Outcome:
    return outcome


async def _outcome(futures: Sequence[asyncio.Future[Body]]) -> Outcome:
    answers = await asyncio.gather(*futures, return_exceptions=True)
    ids = tuple(answer.message_id for answer in answers if isinstance(answer, SubmitSmResp))
    if len(ids) == len(answers):
        return Outcome("submitted", "", ids)
    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    unexpected = next((e for e in errors if not isinstance(e, SmppError)), None)
    if unexpected is not None:
        raise unexpected
    unknown = next((e for e in errors if isinstance(e, OutcomeUnknown)), None)
    if unknown is not None:
        return Outcome("unknown", f"no answer: {unknown}", ids)
    # A long message of which one part was taken cannot be read, but something has left.
    assert all(isinstance(e, Refused | NotSent) for e in errors)
    return Outcome("failed", str(errors[0]), ids, counted=bool(ids))
