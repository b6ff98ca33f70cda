"""One SMPP 3.4 session with the message centre, shared by the channels that go through it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from marketing.channels.outgoing import (
    FinalState,
    Outcome,
    Outgoing,
    Receipt,
    Reply,
    TakesInbound,
    believable,
    ready,
)
from marketing.config import SmppConfig
from smpp import receipt
from smpp.aio import EsmeClient, NotSent, OutcomeUnknown, Refused
from smpp.errors import SmppError
from smpp.pdu import BindTransceiver, Body, CancelSm, DataSm, DeliverSm, SubmitSm, SubmitSmResp
from smpp.session import SessionConfig
from smpp.status import CommandStatus, MessageState
from smpp.text import Part, Reassembler
from smpp.times import encode_absolute
from smpp.tlv import get_int, make

__all__ = ["OverSmpp", "SmppLink", "cancel_sm", "outcome_of", "reference_of", "submit_sm"]

# SMPP 3.4 5.2.5 and 5.2.6: national short codes, international subscriber numbers.
TON_INTERNATIONAL: Final = 1
TON_NETWORK_SPECIFIC: Final = 3
NPI_E164: Final = 1
RECEIPT_ON_FINAL: Final = 0x01
"""registered_delivery, SMPP 3.4 5.2.17: success or failure."""
CANCEL_PATIENCE_S: Final = 30.0

FINAL: Final[dict[MessageState, FinalState]] = {
    MessageState.DELIVERED: "delivered",
    MessageState.EXPIRED: "expired",
    MessageState.DELETED: "failed",
    MessageState.UNDELIVERABLE: "failed",
    MessageState.REJECTED: "failed",
}
"""Message states after which nothing more comes (SMPP 3.4 5.2.28)."""


def reference_of(contact_id: str) -> int:
    """What the parts of one message share (TS 23.040 9.2.3.24.1): of the contact, ever the same."""
    return int(contact_id[-2:], 16)


def submit_sm(message: Outgoing, data: bytes, data_coding: int, esm_class: int) -> SubmitSm:
    """One part of a message, as the centre is to take it."""
    return SubmitSm(
        source_addr_ton=TON_NETWORK_SPECIFIC,
        source_addr_npi=NPI_E164,
        source_addr=message.originator,
        dest_addr_ton=TON_INTERNATIONAL,
        dest_addr_npi=NPI_E164,
        destination_addr=message.msisdn,
        esm_class=esm_class,
        validity_period=encode_absolute(message.valid_until_us),
        registered_delivery=RECEIPT_ON_FINAL,
        data_coding=data_coding,
        short_message=data,
        tlvs=(make("contact_id", message.contact_id),),
    )


def cancel_sm(message_id: str, originator: str, msisdn: str) -> CancelSm:
    """Takes one part back."""
    return CancelSm(
        message_id=message_id,
        source_addr_ton=TON_NETWORK_SPECIFIC,
        source_addr_npi=NPI_E164,
        source_addr=originator,
        dest_addr_ton=TON_INTERNATIONAL,
        dest_addr_npi=NPI_E164,
        destination_addr=msisdn,
    )


@dataclass(slots=True)
class SmppLink:
    """One transceiver session; give it a socket to use that instead of host and port."""

    config: SmppConfig
    now_us: Callable[[], int]
    on_inbound: TakesInbound
    on_bound: Callable[[bool, str], None]
    sock: socket.socket | None = None
    unreadable: int = 0
    """deliver_sm that were no reply and no receipt."""
    _client: EsmeClient | None = None
    _parts: Reassembler = field(default_factory=Reassembler)

    async def start(self) -> None:
        """Binds, unless it has been tried already.

        Raises:
            SmppError: refused, or nobody there in `connect_timeout_s`.
        """
        if self._client is not None:
            return
        where = {"sock": self.sock} if self.sock is not None else {}
        self._client = EsmeClient(
            BindTransceiver(
                system_id=self.config.system_id, password=self.config.password.get_secret_value()
            ),
            host="" if where else self.config.host,
            port=0 if where else self.config.port,
            sock=self.sock,
            on_deliver=self.deliver,
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

    def send(self, parts: Sequence[SubmitSm], unsent_after_s: float) -> Awaitable[Outcome]:
        """Sends all parts at once, in order; await the result for what became of them."""
        client = self._client
        if client is None:
            return ready(Outcome("failed", "not sent: the session is closed", counted=False))
        return _outcome([client.send(part, unsent_after_s=unsent_after_s) for part in parts])

    async def cancel(self, message_id: str, originator: str, msisdn: str) -> bool:
        """Takes back a message that waits at the centre; False where it is too late."""
        if self._client is None:
            return False
        try:
            await self._client.cancel_sm(
                cancel_sm(message_id, originator, msisdn), unsent_after_s=CANCEL_PATIENCE_S
            )
        except SmppError:
            return False
        return True

    async def close(self) -> None:
        """Unbinds after the responses under way. May be called again."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    def deliver(self, body: DeliverSm | DataSm) -> int | Awaitable[int]:
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


@dataclass(slots=True)
class OverSmpp:
    """What all channels through the session have in common."""

    link: SmppLink

    @property
    def bound(self) -> bool:
        """Whether a submission would go out now."""
        return self.link.bound

    @property
    def throttled(self) -> int:
        """Refusals that asked for less, of the whole session."""
        return self.link.throttled

    async def start(self) -> None:
        """Binds. Raises SmppError: refused, or nobody there."""
        await self.link.start()

    async def close(self) -> None:
        """Unbinds after the responses under way."""
        await self.link.close()

    async def cancel(self, message_id: str, originator: str, msisdn: str) -> bool:
        """Takes back one part; False where it is too late."""
        return await self.link.cancel(message_id, originator, msisdn)

    def send(
        self, message: Outgoing, parts: Callable[[int], Iterable[Part]], unsent_after_s: float
    ) -> Awaitable[Outcome]:
        """Sends all parts at once, in order; `parts` makes them with the reference that they share."""
        try:
            made = [
                submit_sm(message, part.short_message, part.data_coding, part.esm_class)
                for part in parts(reference_of(message.contact_id))
            ]
        except SmppError as error:
            return ready(Outcome("failed", f"cannot be encoded: {error}", counted=False))
        return self.link.send(made, unsent_after_s)


async def _taken(kept: Awaitable[bool]) -> int:
    # SMPP 3.4 5.1.3: a temporary error, so that the centre delivers it again.
    return CommandStatus.ESME_ROK if await kept else CommandStatus.ESME_RX_T_APPN


async def _outcome(futures: Sequence[asyncio.Future[Body]]) -> Outcome:
    return outcome_of(await asyncio.gather(*futures, return_exceptions=True))


def outcome_of(answers: Sequence[Body | BaseException]) -> Outcome:
    """What became of a message whose parts were answered so.

    Raises:
        BaseException: an answer that is no answer of a centre.
    """
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
