"""The multimedia message centre behind its door: how it answers MM7 requests (TS 23.140), and its reports.

No socket, no thread, no clock: octets of requests go in, octets of answers come out. Message ids come from
the transaction ids of the platform, never from the order or time of arrival, so the same contacts have the
same ids in every run.
"""

from __future__ import annotations

import hmac
import threading
from base64 import b64decode
from collections.abc import Callable
from typing import Final

import mm7
from mm7 import Address, Status, StatusCode
from sim.network.messages import MmsCancel, MmsReport, MmsSubmit

__all__ = ["LARGEST", "RELAY_ID", "MmscDesk"]

LARGEST: Final = 300_000
"""Octets of one request: content, its base64 and the XML."""
RELAY_ID: Final = "kairos-mmsc"


class MmscDesk:
    """Messages taken and cancelled since they were last asked for. Any thread may call."""

    def __init__(
        self,
        *,
        vaspid: str = "kairos",
        user: str = "",
        password: str = "",
        epoch_unix_us: int = 0,
        clock: Callable[[], int] = lambda: 0,
        decide: Callable[[mm7.SubmitReq], Status] = lambda request: Status(),
    ) -> None:
        """`clock` stamps what arrives, nanoseconds; `decide` may refuse what is otherwise in order."""
        self._vaspid = vaspid
        self._login = f"{user}:{password}" if user else ""
        self._epoch_unix_us, self._clock, self.decide = epoch_unix_us, clock, decide
        self._lock = threading.Lock()
        self._submits: list[MmsSubmit] = []
        self._cancels: list[MmsCancel] = []
        self._states: dict[str, str] = {}  # message id -> MMStatus; empty: not yet known
        self._repeats: dict[str, int] = {}
        self._number = 0
        self.requests = 0
        """Requests taken, whatever became of them."""

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

    def report(self, report: MmsReport) -> mm7.DeliveryReportReq:
        """A delivery report, worded; the message stands from now on where it says."""
        with self._lock:
            self._states[report.message_id] = report.status
        return mm7.DeliveryReportReq(
            self.transaction("report"),
            RELAY_ID,
            report.message_id,
            Address(report.destination),
            Address(report.source, "ShortCode"),
            self._epoch_unix_us + report.t_us,
            report.status,
        )

    def transaction(self, what: str) -> str:
        """A transaction id of ours."""
        with self._lock:
            self._number += 1
            return f"{what}.{self._number}"

    def answer(self, method: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        """An HTTP request: status, content type and body of what answers it. Header names in lower case."""
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
