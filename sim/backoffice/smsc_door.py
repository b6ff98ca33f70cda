"""The SMSC's front: an SMPP server on a thread of its own, for a simulator that runs synchronously.

    with SmscDoor("127.0.0.1", 0, "kairos", "secret", clock=time.monotonic_ns) as door:
        door.wait_bound(10)
        for submit in door.take_submits(): ...
        door.deliver(messages)                   # returns when the platform has answered them all

The thread answers while the simulator stands still. Message ids come from what the platform sent, never from
the order or time of arrival, so the same contacts have the same ids in every run.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from hashlib import blake2b
from types import TracebackType
from typing import Any, Self, TypeVar

from sim.network.messages import Cancel, Deliver, Submit
from smpp import pdu, tlv
from smpp.aio import Answer, Peer, SmscServer
from smpp.concat import concatenation
from smpp.errors import DecodeError
from smpp.receipt import Receipt
from smpp.session import SessionConfig
from smpp.status import (
    ESM_RECEIPT,
    FINAL_STATES,
    NPI_ISDN,
    NPI_UNKNOWN,
    TON_INTERNATIONAL,
    TON_UNKNOWN,
    CommandStatus,
    MessageState,
    status_name,
)
from smpp.times import decode_time, encode_absolute, receipt_date

T = TypeVar("T")
_MOST_OCTETS = {0: 160}
"""Octets of user data that fit one short message by data_coding; 140 otherwise."""
_STATES = {state.name.lower(): state for state in MessageState}


class DoorError(Exception):
    """The door cannot do what the simulator asked: nobody bound, no answer, an answer that is no."""


class SmscDoor:
    """SMPP server of the simulated SMSC.

    `host` None listens nowhere: then `socket()` gives a connected one (`memory`). `clock` is read once at
    each read of a socket and stamps what it brought. `epoch_unix_us` is the world's epoch,
    `utc_offset_quarters` its zone in quarters of an hour, for the times on the wire. `world_us` gives the
    world's now for relative validity periods; without it those are refused. `on_submit` is called on the
    door's thread for every message taken.
    """

    def __init__(
        self,
        host: str | None,
        port: int,
        system_id: str,
        password: str,
        clock: Callable[[], int],
        *,
        epoch_unix_us: int = 0,
        utc_offset_quarters: int = 0,
        world_us: Callable[[], int] | None = None,
        on_submit: Callable[[Submit], None] | None = None,
        config: SessionConfig | None = None,
        rate_per_s: float = 0.0,
    ) -> None:
        self._login = (system_id, password)
        self._clock = clock
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
        self._bound = threading.Event()
        self._closed = False
        self._loop = asyncio.new_event_loop()
        self._server = SmscServer(
            self._take,
            authenticate=self._authenticate,
            system_id="kairos-smsc",
            config=config,
            rate_per_s=rate_per_s,
            on_bound=self._peer_changed,
            stamp=clock,
        )
        self._thread = threading.Thread(target=self._loop.run_forever, name="smsc-door", daemon=True)
        self._thread.start()
        if host is not None:
            try:
                self._run(self._server.listen(host, port))
            except OSError as fault:
                self.close()
                raise DoorError(f"SMSC cannot listen on {host}:{port}: {fault.strerror or fault}") from fault

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- the simulator's side; any thread but the door's

    @property
    def port(self) -> int:
        """The port listened on; 0 for none."""
        return self._server.port

    @property
    def last_error(self) -> str:
        """The last thing a peer or handler did wrong, for messages to people."""
        return self._server.last_error

    def socket(self) -> socket.socket:
        """A connected socket whose other end is served here."""
        ours, theirs = socket.socketpair()
        try:
            self._run(self._server.adopt(ours))
        except DoorError:
            ours.close()
            theirs.close()
            raise
        return theirs

    def wait_bound(self, timeout: float) -> bool:
        """Whether an ESME that receives is bound, waiting up to `timeout` seconds for it."""
        return self._bound.wait(timeout)

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

    def deliver(self, messages: Sequence[Deliver], timeout: float = 10.0) -> None:
        """Send all to the bound ESME in the order given and wait for its answers.

        DoorError if none is bound, if answers miss after `timeout` seconds, or if one is a refusal.
        """
        if messages:
            self._wait(self.post(messages, timeout), timeout + 5)

    def post(self, messages: Sequence[Deliver], timeout: float = 10.0) -> "Future[None]":
        """As `deliver`, but returns at once; the future ends with the answers, or with the DoorError."""
        return self._start(self._deliver(messages, timeout))

    def close(self) -> None:
        """Unbind, stop listening, end the thread. May be called twice."""
        if self._closed:
            return
        self._closed = True
        try:
            self._run(self._server.close(), 5)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
            if not self._thread.is_alive():
                self._loop.close()

    # ---- the door's thread

    def _run(self, work: Coroutine[Any, Any, T], timeout: float = 10.0) -> T:
        return self._wait(self._start(work), timeout)

    def _start(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        if threading.current_thread() is self._thread:
            work.close()
            raise DoorError("called from the door's own thread (on_submit?), which would wait for itself")
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            raise DoorError("the SMSC's door is closed") from None

    @staticmethod
    def _wait(future: "Future[T]", timeout: float) -> T:
        try:
            return future.result(timeout)
        except TimeoutError:
            future.cancel()
            raise DoorError(f"the SMSC's thread did not finish within {timeout:g} s") from None

    def _authenticate(self, bind: pdu.Bind) -> int:
        if bind.system_id != self._login[0]:
            return CommandStatus.ESME_RINVSYSID
        return CommandStatus.ESME_ROK if bind.password == self._login[1] else CommandStatus.ESME_RINVPASWD

    def _peer_changed(self, peer: Peer, bound: bool) -> None:
        if any(one.receives for one in self._server.peers):
            self._bound.set()
        else:
            self._bound.clear()

    async def _deliver(self, messages: Sequence[Deliver], timeout: float) -> None:
        with self._lock:
            for message in messages:
                if message.kind == "receipt":
                    self._states[message.message_id] = _STATES[message.state]
                    self._done_dates[message.message_id] = encode_absolute(
                        self._epoch_unix_us + message.t_us, self._quarters
                    )
        bodies = [self._body(message) for message in messages]
        peer = next((one for one in self._server.peers if one.receives), None)
        if peer is None:
            raise DoorError(f"{len(bodies)} deliver_sm to send and no ESME bound to receive them")
        futures = [peer.send(body) for body in bodies]
        _, missing = await asyncio.wait(futures, timeout=timeout)
        if missing:
            for future in missing:
                future.cancel()
            what = f"{len(missing)} of {len(bodies)} deliver_sm"
            raise DoorError(f"{what} not answered by {peer.system_id} within {timeout:g} s")
        outcomes = [future.exception() or future.result()[1] for future in futures]
        faults = [one if isinstance(one, BaseException) else status_name(one) for one in outcomes if one]
        if faults:
            what = f"{len(faults)} of {len(bodies)} deliver_sm"
            raise DoorError(f"{what} failed at {peer.system_id}: {faults[0]}")

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

    def _take(self, peer: Peer, body: pdu.Body) -> Answer:
        taker = _TAKERS.get(type(body))
        if taker is None:  # submit_multi, data_sm, replace_sm: this SMSC does not offer them
            response = pdu.response_class(body)
            assert response is not None
            return response(), CommandStatus.ESME_RINVCMDID
        answer: Answer = taker(self, body, peer.arrived)
        return answer

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
    pdu.SubmitSm: SmscDoor._take_submit,
    pdu.CancelSm: SmscDoor._take_cancel,
    pdu.QuerySm: SmscDoor._take_query,
}


def _content_hash(body: pdu.SubmitSm, data: bytes) -> str:
    """What identifies a message that the platform did not name."""
    text = f"{body.source_addr}|{body.destination_addr}|{body.data_coding}|{body.esm_class}|".encode(
        "latin-1"
    )
    return blake2b(text + data, digest_size=10).hexdigest()
