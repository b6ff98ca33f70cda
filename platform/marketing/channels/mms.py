"""Multimedia messages by MM7 (TS 23.140): submit, cancel, and take reports and subscribers' messages.

MM7 is request and response over HTTP, so there is no session: the channel is up while connections to the
centre can be opened, and tries again with growing pauses while they cannot. A request that may have reached
the centre and has no answer is unknown and never goes again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol
from urllib.parse import urlsplit

import mm7
from marketing.channels.listener import Answer, Listener, Taken
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
from marketing.config_channels import MmsConfig
from mm7 import Address, Part, StatusCode

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpAnswer", "MmsChannel", "outcome_of"]


class HttpAnswer(Protocol):
    """An answer of the centre, as httpx has it."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def content(self) -> bytes: ...


FINAL: Final[dict[str, FinalState]] = {
    "Retrieved": "delivered",
    "Expired": "expired",
    "Rejected": "failed",
    "Forwarded": "failed",  # somebody else has it
}
"""MMStatus after which nothing more comes; Deferred and Indeterminate say that it is still open."""
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
LARGEST: Final = 1 << 20
"""Octets of a request to us."""
CLOSE_S: Final = 2.0
"""How long answers under way are waited for at the end."""
LATER: Final = frozenset({429, 503})
"""HTTP status of who asks for less."""


@dataclass(slots=True)
class MmsChannel:
    """Needs the loop that it is started on."""

    config: MmsConfig
    now_us: Callable[[], int]
    on_inbound: TakesInbound
    on_bound: Callable[[bool, str], None] = lambda bound, reason: None
    """Told whenever the centre can be reached or cannot any more."""
    throttled: int = 0
    """Refusals that asked for less; those messages go again by themselves."""
    unreadable: int = 0
    """Requests to us that could not be read."""
    name: ClassVar[str] = "mms"
    _up: asyncio.Event = field(default_factory=asyncio.Event)
    _closing: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[Outcome]] = field(default_factory=set)
    _client: httpx.AsyncClient | None = None
    _listener: Listener | None = None
    _prober: asyncio.Task[None] | None = None
    _slots: asyncio.Semaphore | None = None

    @property
    def bound(self) -> bool:
        """Whether the centre could be reached the last time."""
        return self._up.is_set()

    @property
    def opened(self) -> bool:
        """Whether requests can be made."""
        return self._client is not None

    @property
    def port(self) -> int:
        """Where reports are taken."""
        return 0 if self._listener is None else self._listener.port

    async def start(self) -> None:
        """Opens our door, and looks whether the centre is there.

        Raises:
            OSError: the port is taken.
        """
        import httpx  # a seventh of a second, for who has this channel

        config = self.config
        self._listener = Listener(config.host, config.port, LARGEST, self.take)
        await self._listener.start()
        self._slots = asyncio.Semaphore(config.window)
        self._client = httpx.AsyncClient(
            auth=(config.user, config.password.get_secret_value()) if config.user else None,
            timeout=httpx.Timeout(config.timeout_s, pool=None),
            limits=httpx.Limits(max_connections=config.window),
            trust_env=False,
        )
        if not await self._there():
            self._lost("nobody answers at the address")
        else:
            self._found()

    async def close(self) -> None:
        """Waits a moment for answers under way; what has not gone out never will. May be called again."""
        self._closing.set()
        self._up.clear()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_S)
        for task in self._tasks:
            task.cancel()  # under way without an answer: unknown
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_S)
        if self._prober is not None:
            self._prober.cancel()
        if self._listener is not None:
            await self._listener.close()
        if self._client is not None:
            await self._client.aclose()
        self._listener = self._client = None

    def submit(self, message: Outgoing, unsent_after_s: float = inf) -> Awaitable[Outcome]:
        """Sends at once; await the result for what became of it."""
        try:
            request = self.request(message)
        except mm7.EncodeError as error:
            return ready(Outcome("failed", f"cannot be encoded: {error}", counted=False))
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._submit(request, loop.time() + unsent_after_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def cancel(self, message_id: str, originator: str, msisdn: str) -> bool:
        """Takes back a message that waits at the centre; False where it is too late."""
        if not self.opened:
            return False
        sender = Address(originator, "ShortCode")
        ours = self.config
        bare = message_id.removeprefix("mms:")
        content_type, body = mm7.encode(
            mm7.CancelReq(f"cancel.{bare}"[:64], ours.vaspid, ours.vasid, sender, bare)
        )
        try:
            answer = await self.post(content_type, body)
            found = mm7.decode(answer.headers.get("content-type", ""), answer.content)
        except Exception as error:
            if not _is_http(error) and not isinstance(error, mm7.DecodeError):
                raise
            return False
        return isinstance(found, mm7.CancelRsp) and found.status.success

    # ----------------------------------------------------------------- to the centre

    def request(self, message: Outgoing) -> mm7.SubmitReq:
        """What the centre is asked. Raises mm7.EncodeError."""
        ours = self.config
        try:
            text = message.text.encode()
        except UnicodeEncodeError:
            raise mm7.EncodeError(f"{message.text[:20]!r} is no text") from None
        parts = [Part("text.txt", "text/plain", text)]
        parts += [Part(one.name, one.content_type, one.data) for one in message.attachments]
        request = mm7.SubmitReq(
            transaction_id=message.contact_id,
            vaspid=ours.vaspid,
            vasid=ours.vasid,
            sender=Address(message.originator, "ShortCode"),
            recipients=(Address(message.msisdn),),
            service_code=message.offer,
            message_class="Advertisement",
            time_stamp_us=self.now_us(),
            expiry_us=message.valid_until_us,
            delivery_report=True,
            priority="Normal",
            subject=message.subject,
            parts=tuple(parts),
        )
        mm7.encode(request)  # what cannot be said is refused here and now
        return request

    async def _submit(self, request: mm7.SubmitReq, end_s: float) -> Outcome:
        """Until it is taken, refused, unknown, or too late."""
        under_way = False
        try:
            content_type, body = mm7.encode(request)
            pause_s, why = 0.0, "the centre cannot be reached"
            while True:
                if pause_s and not await self._pause(pause_s, end_s):
                    return _unsent(why)
                if not await self._reachable(end_s):
                    return _unsent("the centre cannot be reached")
                assert self._slots is not None, "start() first"
                async with self._slots:
                    if asyncio.get_running_loop().time() >= end_s:
                        return _unsent("too late")
                    under_way = True
                    outcome, left = await self._once(request, content_type, body)
                    under_way = False
                if outcome is not None:
                    return outcome
                if left:
                    self.throttled += 1
                    why = "the centre asks for less"
                    pause_s = min(max(2 * pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        except asyncio.CancelledError:
            if not self._closing.is_set():
                raise
            return Outcome("unknown", "no answer") if under_way else _unsent("the channel is closed")

    async def _once(
        self, request: mm7.SubmitReq, content_type: str, body: bytes
    ) -> tuple[Outcome | None, bool]:
        """What became of it, None: nothing yet; and whether the request has left at all."""
        try:
            answer = await self.post(content_type, body)
        except Exception as error:
            said = f"{type(error).__name__} {error}".strip()
            if _never_left(error):
                self._lost(said)
                return None, False
            if not _is_http(error):
                raise
            return Outcome("unknown", f"no answer: {said}"), True
        return outcome_of(request, answer), True

    async def post(self, content_type: str, body: bytes) -> HttpAnswer:
        """One request to the centre. Raises httpx.HTTPError."""
        assert self._client is not None, "start() first"
        # SOAP 1.1 6.1.1: an empty SOAPAction says that the address tells the intent.
        headers = {"Content-Type": content_type, "SOAPAction": '""'}
        return await self._client.post(self.config.url, content=body, headers=headers)

    async def _pause(self, pause_s: float, end_s: float) -> bool:
        """False: too late, or closed meanwhile."""
        left_s = end_s - asyncio.get_running_loop().time()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), min(pause_s, max(left_s, 0.0)))
        return not self._closing.is_set() and pause_s < left_s

    async def _reachable(self, end_s: float) -> bool:
        """Waits until the centre is there; False: too late, or closed meanwhile."""
        if self._up.is_set() or self._closing.is_set():
            return not self._closing.is_set()
        waits = {asyncio.ensure_future(self._up.wait()), asyncio.ensure_future(self._closing.wait())}
        left_s = None if end_s == inf else max(0.0, end_s - asyncio.get_running_loop().time())
        await asyncio.wait(waits, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()
        return self._up.is_set() and not self._closing.is_set()

    # ----------------------------------------------------------------- whether it is there

    def _found(self) -> None:
        self._up.set()
        self.on_bound(True, f"{self.config.url} answers")

    def _lost(self, reason: str) -> None:
        """Begins to look for the centre, unless that goes on already."""
        if self._closing.is_set():
            return
        if self._up.is_set() or self._prober is None:
            self._up.clear()
            self.on_bound(False, reason)
        if self._prober is None or self._prober.done():
            self._prober = asyncio.get_running_loop().create_task(self._probe())

    async def _probe(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._closing.is_set():
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            if await self._there():
                self._found()
                return

    async def _there(self) -> bool:
        """Whether somebody listens at the centre's address."""
        where = urlsplit(self.config.url)
        port = where.port or (443 if where.scheme == "https" else 80)
        try:
            opening = asyncio.open_connection(where.hostname, port)
            _, writer = await asyncio.wait_for(opening, self.config.timeout_s)
        except (OSError, TimeoutError):
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    # ----------------------------------------------------------------- from the centre

    async def take(self, taken: Taken) -> Answer:
        """A request to us, and its answer."""
        headers, body = taken
        if not self._let_in(headers.get("authorization", "")):
            return 401, "text/plain; charset=utf-8", b"expected HTTP Basic of the message centre"
        try:
            message = mm7.decode(headers.get("content-type", ""), body)
            found = await self._understood(message)
        except mm7.DecodeError as error:
            self.unreadable += 1
            refusal = mm7.Status(error.status, details=error.reason[:200])
            found = mm7.VASPErrorRsp(error.transaction_id[:64], refusal)
        # SOAP 1.1 6.2: a fault goes with 500.
        status = 500 if isinstance(found, mm7.VASPErrorRsp) else 200
        return status, *mm7.encode(found)

    async def _understood(self, message: mm7.Message) -> mm7.Message:
        """Hands on what it says; the answer says that it is here, and of a reply that it is kept."""
        if isinstance(message, mm7.DeliveryReportReq):
            state = FINAL.get(message.mm_status)
            if state is not None:
                at_us = believable(message.date_us, self.now_us())
                self.on_inbound(Receipt(at_us, _our_id(message.message_id), state))
            return mm7.DeliveryReportRsp(message.transaction_id)
        if isinstance(message, mm7.DeliverReq):
            texts = [part.text for part in message.parts if part.content_type == "text/plain"]
            said = " ".join(" ".join(texts).split()) or message.subject
            t_us = believable(message.time_stamp_us, self.now_us())
            for one in message.recipients[:1]:
                kept = self.on_inbound(Reply(t_us, message.sender.value, one.value, said[:1000]))
                if kept is not None and not await kept:
                    later = mm7.Status(StatusCode.SERVICE_UNAVAILABLE)
                    return mm7.DeliverRsp(message.transaction_id, later)
            return mm7.DeliverRsp(message.transaction_id)
        refusal = mm7.Status(StatusCode.UNSUPPORTED_OPERATION, details=type(message).__name__)
        return mm7.VASPErrorRsp(message.transaction_id, refusal)

    def _let_in(self, authorization: str) -> bool:
        if not self.config.peer_user:
            return True
        scheme, _, said = authorization.partition(" ")
        try:
            given = b64decode(said, validate=True) if scheme.lower() == "basic" else b""
        except ValueError:
            return False
        right = f"{self.config.peer_user}:{self.config.peer_password.get_secret_value()}".encode()
        return hmac.compare_digest(given, right)


def _our_id(message_id: str) -> str:
    """The centre's id as the ledger keeps it: apart from those of the message centre, and not too long."""
    fits = len(message_id) <= 60
    return f"mms:{message_id if fits else hashlib.blake2b(message_id.encode(), digest_size=16).hexdigest()}"


def outcome_of(request: mm7.SubmitReq, answer: HttpAnswer) -> Outcome | None:
    """What an answer says; None: to come again later."""
    if answer.status_code in LATER:
        return None
    try:
        found = mm7.decode(answer.headers.get("content-type", ""), answer.content)
    except mm7.DecodeError as error:
        # Refused by whoever stands before the centre, or by the centre in words that we cannot read.
        if 400 <= answer.status_code < 500:
            return Outcome("failed", f"refused: HTTP {answer.status_code}", counted=False)
        return Outcome("unknown", f"HTTP {answer.status_code}, {error.reason}")
    if isinstance(found, mm7.RSErrorRsp):
        status = found.status
    elif isinstance(found, mm7.SubmitRsp) and found.transaction_id == request.transaction_id:
        status = found.status
        if status.success:
            return Outcome("submitted", "", (_our_id(found.message_id),) if found.message_id else ())
    else:
        return Outcome("unknown", f"{type(found).__name__} in answer to SubmitReq")
    if status.code == StatusCode.SERVICE_UNAVAILABLE:
        return None
    return Outcome("failed", f"refused: {status}", counted=False)


def _unsent(why: str) -> Outcome:
    return Outcome("failed", f"not sent: {why}", counted=False)


def _is_http(error: Any) -> bool:
    import httpx

    return isinstance(error, httpx.HTTPError)


def _never_left(error: Any) -> bool:
    """Whether it is proven that not one octet of the request went out."""
    import httpx

    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
