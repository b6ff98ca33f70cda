"""The SMSC behind its door: what it answers to messages and cancellations, and how it words what it tells.

No socket, no thread, no clock: bodies of PDUs go in, bodies come out. Message ids come from what the platform
sent, never from the order or time of arrival, so the same contacts have the same ids in every run.
"""

import threading
from collections.abc import Callable, Sequence
from hashlib import blake2b

from sim.network.messages import Cancel, Deliver, Submit
from smpp import pdu, tlv
from smpp.concat import concatenation
from smpp.errors import DecodeError
from smpp.receipt import Receipt
from smpp.status import (
    ESM_RECEIPT,
    FINAL_STATES,
    NPI_ISDN,
    NPI_UNKNOWN,
    TON_INTERNATIONAL,
    TON_UNKNOWN,
    CommandStatus,
    MessageState,
)
from smpp.times import decode_time, encode_absolute, receipt_date

Answer = tuple[pdu.Body, int]
"""Response and command status."""
_MOST_OCTETS = {0: 160}
"""Octets of user data that fit one short message by data_coding; 140 otherwise."""
_STATES = {state.name.lower(): state for state in MessageState}


class SmscDesk:
    """Messages taken and cancelled since they were last asked for, and where each message stands.

    `epoch_unix_us` is the world's epoch, `utc_offset_quarters` its zone in quarters of an hour, for the times
    on the wire. `world_us` gives the world's now for relative validity periods; without it those are refused.
    `on_submit` is called for every message taken. Any thread may call.
    """

    def __init__(
        self,
        *,
        epoch_unix_us: int = 0,
        utc_offset_quarters: int = 0,
        world_us: Callable[[], int] | None = None,
        on_submit: Callable[[Submit], None] | None = None,
    ) -> None:
        self._epoch_unix_us = epoch_unix_us
        self._quarters = utc_offset_quarters
        self._world_us = world_us
        self._on_submit = on_submit
        self._lock = threading.Lock()
        self._submits: list[Submit] = []
        self._cancels: list[Cancel] = []
        self._repeats: dict[str, int] = {}  # base id -> times seen
        self._states: dict[
            str, MessageState
        ] = {}  # message id -> where it stands, as far as the platform knows
        self._done_dates: dict[str, str] = {}

    def take_submits(self) -> list[Submit]:
        """All messages taken since the last call, in order of arrival."""
        with self._lock:
            taken, self._submits = self._submits, []
        return taken

    def take_cancels(self) -> list[Cancel]:
        """All cancellations granted since the last call, in order of arrival."""
        with self._lock:
            taken, self._cancels = self._cancels, []
        return taken

    def told(self, messages: Sequence[Deliver]) -> list[pdu.DeliverSm]:
        """What the platform is told, worded; final states are from now on those that receipts say."""
        with self._lock:
            for message in messages:
                if message.kind == "receipt":
                    self._states[message.message_id] = _STATES[message.state]
                    self._done_dates[message.message_id] = encode_absolute(
                        self._epoch_unix_us + message.t_us, self._quarters
                    )
        return [self._body(message) for message in messages]

    def take(self, body: pdu.Body, arrived_ns: int = 0) -> Answer:
        """A request of the platform; `arrived_ns` stamps the message that it brings."""
        taker = _TAKERS.get(type(body))
        if taker is None:  # submit_multi, data_sm, replace_sm: this SMSC does not offer them
            response = pdu.response_class(body)
            assert response is not None
            return response(), CommandStatus.ESME_RINVCMDID
        answer: Answer = taker(self, body, arrived_ns)
        return answer

    def _body(self, message: Deliver) -> pdu.DeliverSm:
        unix_us = self._epoch_unix_us + message.t_us
        tlvs: tuple[tlv.Tlv, ...] = (tlv.make("event_time", unix_us),)
        data, data_coding, esm_class = message.data, message.data_coding, message.esm_class
        if message.kind == "receipt":
            submitted_us = self._epoch_unix_us + message.submitted_us
            receipt = Receipt(
                message.message_id,
                _STATES[message.state],
                delivered=int(message.state == "delivered"),
                submit_date=receipt_date(submitted_us, self._quarters) if message.submitted_us >= 0 else "",
                done_date=receipt_date(unix_us, self._quarters),
                error=f"{message.error:03d}",
            )
            data, data_coding, esm_class = receipt.format().encode("ascii"), 0, ESM_RECEIPT
            tlvs += receipt.tlvs()
        return pdu.DeliverSm(
            source_addr_ton=TON_INTERNATIONAL,
            source_addr_npi=NPI_ISDN,
            source_addr=message.source,
            dest_addr_ton=TON_UNKNOWN,
            dest_addr_npi=NPI_UNKNOWN,
            destination_addr=message.destination,
            esm_class=esm_class,
            data_coding=data_coding,
            short_message=data,
            tlvs=tlvs,
        )

    def _take_submit(self, body: pdu.SubmitSm, arrived_ns: int) -> Answer:
        data = body.short_message or tlv.get_octets(body.tlvs, "message_payload") or b""
        if not body.destination_addr.isdigit():
            return pdu.SubmitSmResp(), CommandStatus.ESME_RINVDSTADR
        if not body.source_addr:
            return pdu.SubmitSmResp(), CommandStatus.ESME_RINVSRCADR
        if len(data) > _MOST_OCTETS.get(body.data_coding, 140):
            return pdu.SubmitSmResp(), CommandStatus.ESME_RINVMSGLEN
        if body.schedule_delivery_time:
            return pdu.SubmitSmResp(), CommandStatus.ESME_RINVSCHED
        try:
            where, _ = concatenation(body.esm_class, data, body.tlvs)
            until_us = self._validity(body.validity_period)
        except DecodeError as fault:
            return pdu.SubmitSmResp(), fault.command_status
        contact_id = tlv.get_text(body.tlvs, "contact_id") or ""
        part, parts = (where.part, where.total) if where else (1, 1)
        base = f"{contact_id or _content_hash(body, data)}.{part}"
        if len(base) > 60:
            return pdu.SubmitSmResp(), CommandStatus.ESME_RINVOPTPARAMVAL
        seen = self._repeats[base] = self._repeats.get(base, 0) + 1
        submit = Submit(
            message_id=base if seen == 1 else f"{base}~{seen}",
            contact_id=contact_id,
            part=part,
            parts=parts,
            source=body.source_addr,
            destination=body.destination_addr,
            data=data,
            data_coding=body.data_coding,
            esm_class=body.esm_class,
            validity_until_us=until_us,
            receipt=body.registered_delivery & 0x03 != 0,
            arrived_ns=arrived_ns,
        )
        with self._lock:
            self._submits.append(submit)
            self._states[submit.message_id] = MessageState.ENROUTE
        if self._on_submit is not None:
            self._on_submit(submit)
        return pdu.SubmitSmResp(submit.message_id), CommandStatus.ESME_ROK

    def _validity(self, text: str) -> int | None:
        if text.endswith("R") and self._world_us is None:
            raise DecodeError(
                "relative validity without a clock", command_status=CommandStatus.ESME_RINVEXPIRY
            )
        now_us = self._world_us() if self._world_us is not None else 0
        unix_us = decode_time(text, self._epoch_unix_us + now_us)
        return None if unix_us is None else unix_us - self._epoch_unix_us

    def _take_cancel(self, body: pdu.CancelSm, arrived_ns: int) -> Answer:
        with self._lock:
            state = self._states.get(body.message_id)
            if state is None:  # also the empty id of SMPP 3.4 4.9.1, which this SMSC does not offer
                return pdu.CancelSmResp(), CommandStatus.ESME_RINVMSGID
            if state in FINAL_STATES:
                return pdu.CancelSmResp(), CommandStatus.ESME_RCANCELFAIL
            self._cancels.append(Cancel(body.message_id, body.source_addr, body.destination_addr, arrived_ns))
        return pdu.CancelSmResp(), CommandStatus.ESME_ROK

    def _take_query(self, body: pdu.QuerySm, arrived_ns: int) -> Answer:
        with self._lock:
            state = self._states.get(body.message_id)
            if state is None:
                return pdu.QuerySmResp(), CommandStatus.ESME_RINVMSGID
            final_date = self._done_dates.get(body.message_id, "")
        return pdu.QuerySmResp(body.message_id, final_date, int(state)), CommandStatus.ESME_ROK


_TAKERS: dict[type[pdu.Body], Callable[..., Answer]] = {
    pdu.SubmitSm: SmscDesk._take_submit,
    pdu.CancelSm: SmscDesk._take_cancel,
    pdu.QuerySm: SmscDesk._take_query,
}


def _content_hash(body: pdu.SubmitSm, data: bytes) -> str:
    """What identifies a message that the platform did not name."""
    text = f"{body.source_addr}|{body.destination_addr}|{body.data_coding}|{body.esm_class}|".encode(
        "latin-1"
    )
    return blake2b(text + data, digest_size=10).hexdigest()
