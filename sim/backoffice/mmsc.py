"""The operator's multimedia message centre towards the platform: MM7 (TS 23.140) over real HTTP.

    with Mmsc(vaspid="kairos", epoch_unix_us=...) as mmsc:      # MM7 requests go to mmsc.url
        mmsc.reports_to("http://127.0.0.1:8081/")
        for submit in mmsc.take_submits(): ...
        mmsc.deliver(reports)                  # returns when the platform has answered them all

Message ids come from the transaction ids of the platform, never from the order or time of arrival, so the
same contacts have the same ids in every run.
"""

from __future__ import annotations

import hmac
import threading
from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import Any, Final

import mm7
from mm7 import Address, Status, StatusCode
from sim.backoffice.http_door import HttpDoor
from sim.network.messages import MmsCancel, MmsReport, MmsSubmit

__all__ = ["Mmsc", "MmscError"]

LARGEST: Final = 300_000
"""Octets of one request: content, its base64 and the XML."""
START_S: Final = 10.0
RELAY_ID: Final = "kairos-mmsc"


class MmscError(Exception):
    """The centre cannot do what the simulator asked: nobody takes reports, or the answer is no."""


class Mmsc(HttpDoor):
    """Serves on a thread of its own. Any thread may call; nothing here reads a clock but `clock`."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        vaspid: str = "kairos",
        user: str = "",
        password: str = "",
        epoch_unix_us: int = 0,
        clock: Callable[[], int] = lambda: 0,
        decide: Callable[[mm7.SubmitReq], Status] = lambda request: Status(),
    ) -> None:
        """Listening and serving when this returns. Port 0 takes a free one.

        `clock` stamps what arrives, nanoseconds; `decide` may refuse what is otherwise in order. OSError says
        that the port is taken.
        """
        self._vaspid = vaspid
        self._login = f"{user}:{password}" if user else ""
        self._epoch_unix_us, self._clock, self.decide = epoch_unix_us, clock, decide
        self._lock = threading.Lock()
        self._submits: list[MmsSubmit] = []
        self._cancels: list[MmsCancel] = []
        self._states: dict[str, str] = {}  # message id -> MMStatus; empty: not yet known
        self._repeats: dict[str, int] = {}
        self._vasp = ""
        self._vasp_login: tuple[str, str] | None = None
        self._number = 0
        self._client: Any = None
        self.requests = 0
        """Requests taken, whatever became of them."""
        super().__init__(self._app, "the MMSC", host, port, START_S)

    # ---- the simulator's side

    @property
    def url(self) -> str:
        """Where MM7 requests go."""
        return f"{super().url}/mm7"

    def reports_to(self, url: str, user: str = "", password: str = "") -> None:
        """Where the platform takes reports and subscribers' messages."""
        self._vasp, self._vasp_login = url, (user, password) if user else None

    def take_submits(self) -> list[MmsSubmit]:
        """All messages taken since the last call, in order of arrival."""
        with self._lock:
            taken, self._submits = self._submits, []
        return taken

    def take_cancels(self) -> list[MmsCancel]:
        """All cancellations granted since the last call, in order of arrival."""
        with self._lock:
            taken, self._cancels = self._cancels, []
        return taken

    def deliver(self, reports: Sequence[MmsReport], timeout: float = 10.0) -> None:
        """Sends delivery reports in the order given; each is answered before the next goes.

        MmscError where nobody takes them or an answer is no.
        """
        for report in reports:
            with self._lock:
                self._states[report.message_id] = report.status
            self._ask(
                mm7.DeliveryReportReq(
                    self._transaction("report"),
                    RELAY_ID,
                    report.message_id,
                    Address(report.destination),
                    Address(report.source, "ShortCode"),
                    self._epoch_unix_us + report.t_us,
                    report.status,
                ),
                timeout,
            )

    def pass_on(
        self, source: str, destination: str, parts: tuple[mm7.Part, ...], t_us: int, timeout: float = 10.0
    ) -> None:
        """A subscriber's message to the platform's number (MM7_deliver). MmscError as above."""
        with self._lock:
            self._number += 1
            linked_id = f"mo{self._number}"
        recipients = (Address(destination, "ShortCode"),)
        at_us = self._epoch_unix_us + t_us
        self._ask(
            mm7.DeliverReq(
                self._transaction("deliver"),
                RELAY_ID,
                linked_id,
                Address(source),
                recipients,
                at_us,
                parts=parts,
            ),
            timeout,
        )

    def close(self, timeout: float = 5.0) -> None:
        """Stop serving and end the thread. May be called twice."""
        if self._client is not None:
            self._client.close()
            self._client = None
        super().close(timeout)

    # ---- towards the platform

    def _transaction(self, what: str) -> str:
        with self._lock:
            self._number += 1
            return f"{what}.{self._number}"

    def _ask(self, message: mm7.DeliveryReportReq | mm7.DeliverReq, timeout: float) -> None:
        import httpx

        if not self._vasp:
            raise MmscError("nobody takes reports: reports_to has not been said")
        if self._client is None:
            self._client = httpx.Client(auth=self._vasp_login, trust_env=False)
        content_type, body = mm7.encode(message)
        headers = {"Content-Type": content_type, "SOAPAction": '""'}
        try:
            answer = self._client.post(self._vasp, content=body, headers=headers, timeout=timeout)
            found = mm7.decode(answer.headers.get("content-type", ""), answer.content)
        except (httpx.HTTPError, mm7.DecodeError) as error:
            raise MmscError(f"{type(message).__name__} to {self._vasp}: {error}") from None
        told = getattr(found, "status", None)
        if told is None or not told.success or found.transaction_id != message.transaction_id:
            raise MmscError(f"{type(message).__name__} to {self._vasp}: answered by {told or found}")

    # ---- the centre's thread

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more and len(body) <= LARGEST:
            event = await receive()
            if event["type"] != "http.request":
                return
            body += event.get("body", b"")
            more = event.get("more_body", False)
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        status, content_type, answer = self._answer(scope["method"], headers, body)
        fields = [(b"content-type", content_type.encode()), (b"content-length", b"%d" % len(answer))]
        if status == 401:
            fields.append((b"www-authenticate", b'Basic realm="mm7"'))
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": answer})

    def _answer(self, method: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        if method != "POST":
            return 405, "text/plain", b"expected POST"
        if len(body) > LARGEST:
            return 413, "text/plain", b"too large"
        if not self._let_in(headers.get("authorization", "")):
            return 401, "text/plain", b"expected HTTP Basic"
        self.requests += 1
        answer: mm7.Message
        try:
            request = mm7.decode(headers.get("content-type", ""), body, self._epoch_unix_us)
            answer = self._carry_out(request)
        except mm7.DecodeError as error:
            answer = mm7.RSErrorRsp(error.transaction_id, Status(error.status, details=error.reason[:200]))
        # SOAP 1.1 6.2: a fault goes with 500.
        return 500 if isinstance(answer, mm7.RSErrorRsp) else 200, *mm7.encode(answer)

    def _carry_out(self, request: mm7.Message) -> mm7.Message:
        if isinstance(request, mm7.SubmitReq):
            return self._submit(request)
        if isinstance(request, mm7.CancelReq):
            return self._cancel(request)
        refusal = Status(StatusCode.UNSUPPORTED_OPERATION, details=type(request).__name__)
        return mm7.RSErrorRsp(request.transaction_id, refusal)

    def _submit(self, request: mm7.SubmitReq) -> mm7.Message:
        refused = self._fault(request) or self.decide(request)
        if not refused.success:
            return mm7.SubmitRsp(request.transaction_id, refused)
        assert request.sender is not None
        with self._lock:
            seen = self._repeats[request.transaction_id] = self._repeats.get(request.transaction_id, 0) + 1
            base = f"mm.{request.transaction_id}"
            submit = MmsSubmit(
                message_id=base if seen == 1 else f"{base}~{seen}",
                contact_id=request.transaction_id,
                source=request.sender.value,
                destination=request.recipients[0].value,
                subject=request.subject,
                text=" ".join(part.text for part in request.parts if part.content_type == "text/plain"),
                parts=tuple((part.name, part.content_type, len(part.data)) for part in request.parts),
                until_us=None if request.expiry_us is None else request.expiry_us - self._epoch_unix_us,
                arrived_ns=self._clock(),
                report=bool(request.delivery_report),
            )
            self._submits.append(submit)
            self._states[submit.message_id] = ""
        return mm7.SubmitRsp(request.transaction_id, Status(), submit.message_id)

    def _fault(self, request: mm7.SubmitReq) -> Status | None:
        """What is wrong with a request that can be read."""
        if request.vaspid != self._vaspid:
            return Status(StatusCode.SERVICE_DENIED, details=f"VASPID {request.vaspid[:60]}")
        if not 0 < len(request.transaction_id) <= 48:
            return Status(StatusCode.VALIDATION_ERROR, details="TransactionID of 1 to 48 characters")
        if request.sender is None:
            return Status(StatusCode.ADDRESS_ERROR, details="no SenderAddress")
        if len(request.recipients) != 1:
            return Status(StatusCode.MULTIPLE_ADDRESSES_NOT_SUPPORTED)
        to = request.recipients[0].value
        if not (to.isascii() and to.isdigit() and 7 <= len(to) <= 15):
            return Status(StatusCode.ADDRESS_ERROR, details=to[:60])
        if not request.parts:
            return Status(StatusCode.MULTIMEDIA_CONTENT_REFUSED, details="no content")
        return None

    def _cancel(self, request: mm7.CancelReq) -> mm7.Message:
        with self._lock:
            state = self._states.get(request.message_id)
            if state is None:
                return mm7.CancelRsp(request.transaction_id, Status(StatusCode.MESSAGE_ID_NOT_FOUND))
            if state:
                return mm7.CancelRsp(request.transaction_id, Status(StatusCode.NOT_POSSIBLE, details=state))
            self._cancels.append(MmsCancel(request.message_id, self._clock()))
        return mm7.CancelRsp(request.transaction_id)

    def _let_in(self, authorization: str) -> bool:
        if not self._login:
            return True
        scheme, _, said = authorization.partition(" ")
        try:
            given = b64decode(said, validate=True) if scheme.lower() == "basic" else b""
        except ValueError:
            return False
        return hmac.compare_digest(given, self._login.encode())
