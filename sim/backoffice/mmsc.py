"""The operator's multimedia message centre towards the platform: MM7 (TS 23.140) over real HTTP.

    with Mmsc(vaspid="kairos", epoch_unix_us=...) as mmsc:      # MM7 requests go to mmsc.url
        mmsc.reports_to("http://127.0.0.1:8081/")
        for submit in mmsc.take_submits(): ...
        mmsc.deliver(reports)                  # returns when the platform has answered them all

What it answers is `sim.backoffice.mmsc_desk`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import mm7
from mm7 import Address, Status
from sim.backoffice.http_door import HttpDoor
from sim.backoffice.mmsc_desk import LARGEST, RELAY_ID, MmscDesk
from sim.network.messages import MmsReport

__all__ = ["Mmsc", "MmscError"]

START_S: Final = 10.0


class MmscError(Exception):
    """The centre cannot do what the simulator asked: nobody takes reports, or the answer is no."""


class Mmsc(MmscDesk, HttpDoor):
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
        MmscDesk.__init__(
            self,
            vaspid=vaspid,
            user=user,
            password=password,
            epoch_unix_us=epoch_unix_us,
            clock=clock,
            decide=decide,
        )
        self._vasp = ""
        self._vasp_login: tuple[str, str] | None = None
        self._client: Any = None
        HttpDoor.__init__(self, self._app, "the MMSC", host, port, START_S)

    # ---- the simulator's side

    @property
    def url(self) -> str:
        """Where MM7 requests go."""
        return f"{super().url}/mm7"

    def reports_to(self, url: str, user: str = "", password: str = "") -> None:
        """Where the platform takes reports and subscribers' messages."""
        self._vasp, self._vasp_login = url, (user, password) if user else None

    def deliver(self, reports: Sequence[MmsReport], timeout: float = 10.0) -> None:
        """Sends delivery reports in the order given; each is answered before the next goes.

        MmscError where nobody takes them or an answer is no.
        """
        for report in reports:
            self._ask(self.report(report), timeout)

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
                self.transaction("deliver"),
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
        status, content_type, answer = self.answer(scope["method"], headers, body)
        fields = [(b"content-type", content_type.encode()), (b"content-length", b"%d" % len(answer))]
        if status == 401:
            fields.append((b"www-authenticate", b'Basic realm="mm7"'))
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": answer})
