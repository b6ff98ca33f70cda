"""The SMSC's front: an SMPP server on a thread of its own, for a simulator that runs synchronously.

    with SmscDoor("127.0.0.1", 0, "kairos", "secret", clock=time.monotonic_ns) as door:
        door.wait_bound(10)
        for submit in door.take_submits(): ...
        door.deliver(messages)                   # returns when the platform has answered them all

The thread answers while the simulator stands still; what it answers is `sim.backoffice.smsc_desk`'s.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

from sim.backoffice.smsc_desk import SmscDesk
from sim.network.messages import Cancel, Deliver, Submit
from smpp import pdu
from smpp.aio import Answer, Peer, SmscServer
from smpp.session import SessionConfig
from smpp.status import CommandStatus, status_name

T = TypeVar("T")


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
        self._desk = SmscDesk(
            epoch_unix_us=epoch_unix_us,
            utc_offset_quarters=utc_offset_quarters,
            world_us=world_us,
            on_submit=on_submit,
        )
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
        return self._desk.take_submits()

    def take_cancels(self) -> list[Cancel]:
        """All cancellations granted since the last call, in order of arrival."""
        return self._desk.take_cancels()

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
        bodies = self._desk.told(messages)
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

    def _take(self, peer: Peer, body: pdu.Body) -> Answer:
        return self._desk.take(body, peer.arrived)
