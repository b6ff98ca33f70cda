"""Wires that break on purpose: an SMPP line cut between submit and response, a BOSS that is slow or wrong."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal
from urllib.parse import urlsplit

__all__ = ["BossMode", "BossProxy", "SmppProxy"]

HOST: Final = "127.0.0.1"
SUBMIT_SM: Final = 0x00000004  # SMPP 3.4 5.1.2.1
_STRANGER: Final = {
    "msisdn": "8613811111111", "brand": "x", "services": [], "balance_fen": 1, "charges_fen": 1,
}  # fmt: skip
_LINGER_0: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: close sends RST."""
BossMode = Literal["right", "slow", "error", "garbage", "hang_up", "other_customer"]


class SmppProxy:
    """Forwards octets; once armed, cuts the line after so many submit_sm have reached the message centre."""

    def __init__(self, centre_port: int) -> None:
        self.cuts = 0
        self._centre_port = centre_port
        self._armed = 0
        self._away_s = 0.0
        self._away_until_s = 0.0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closed = False
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, name="smpp-proxy", daemon=True)
        self._thread.start()

    def arm(self, submits: int, away_s: float) -> None:
        """After so many submit_sm more the line is cut, and nobody answers for a while."""
        with self._lock:
            self._armed, self._away_s = submits, away_s

    @property
    def armed(self) -> bool:
        """Whether a cut is still to come."""
        return self._armed > 0

    def close(self) -> None:
        """Ends all of it."""
        self._closed = True
        self._listener.close()
        with self._lock:
            for one in self._open:
                _reset(one)

    def __enter__(self) -> SmppProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if time.monotonic() < self._away_until_s:
                _reset(client)
                continue
            try:
                centre = socket.create_connection((HOST, self._centre_port), timeout=5)
            except OSError:
                _reset(client)
                continue
            centre.settimeout(None)
            with self._lock:
                self._open |= {client, centre}
            deaf = threading.Event()
            for run in (self._up, self._down):
                threading.Thread(
                    target=run, args=(client, centre, deaf), name="smpp-proxy-line", daemon=True
                ).start()

    def _up(self, client: socket.socket, centre: socket.socket, deaf: threading.Event) -> None:
        """From the platform to the centre, one PDU after another."""
        held = b""
        try:
            while data := client.recv(65536):
                held += data
                while len(held) >= 16:
                    length, command = struct.unpack_from("!II", held)
                    if len(held) < length:
                        break
                    cut = command == SUBMIT_SM and self._cut_now()
                    if cut:
                        deaf.set()  # before it arrives: its answer must not come through
                    centre.sendall(held[:length])
                    held = held[length:]
                    if cut:
                        _reset(client)
                        time.sleep(0.05)  # until the centre has read it
                        return
        except OSError:
            pass
        finally:
            self._drop(client, centre)

    def _cut_now(self) -> bool:
        with self._lock:
            if not self._armed:
                return False
            self._armed -= 1
            if self._armed:
                return False
            self._away_until_s = time.monotonic() + self._away_s
            self.cuts += 1
            return True

    def _down(self, client: socket.socket, centre: socket.socket, deaf: threading.Event) -> None:
        try:
            while data := centre.recv(65536):
                if not deaf.is_set():
                    client.sendall(data)
        except OSError:
            pass
        finally:
            if not deaf.is_set():
                self._drop(client, centre)

    def _drop(self, *ends: socket.socket) -> None:
        with self._lock:
            self._open -= set(ends)
        for one in ends:
            _close(one)


def _reset(one: socket.socket) -> None:
    """Closes with RST: shutdown first would send FIN."""
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
    _close(one)


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


class BossProxy:
    """Forwards to a BOSS, or answers as one that is ill."""

    def __init__(self, url: str, slow_s: float = 3.0) -> None:
        self.mode: BossMode = "right"
        self.requests = 0
        self.ill = 0
        """Requests that were not answered as they should."""
        target = urlsplit(url)
        where = (target.hostname or HOST, target.port or 80)
        self._server = ThreadingHTTPServer((HOST, 0), _handler(self, where, slow_s))
        self._server.daemon_threads = True
        self.url = f"http://{HOST}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="boss-proxy", daemon=True)
        self._thread.start()

    def __enter__(self) -> BossProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(proxy: BossProxy, where: tuple[str, int], slow_s: float) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            proxy.requests += 1
            proxy.ill += proxy.mode != "right"
            answers[proxy.mode](self, body)

        def forward(self, body: bytes) -> None:
            connection = http.client.HTTPConnection(*where, timeout=10)
            try:
                connection.request("POST", self.path, body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                self.answer(answer.status, answer.read())
            finally:
                connection.close()

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def slow(self, body: bytes) -> None:
            """It is done, and told too late."""
            time.sleep(slow_s)
            try:
                self.forward(body)
            except OSError:
                self.close_connection = True

        def hang_up(self, _body: bytes) -> None:
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    answers: dict[BossMode, Callable[[Handler, bytes], None]] = {
        "right": Handler.forward,
        "slow": Handler.slow,
        "error": lambda one, _body: one.answer(500, b'{"detail": "ill"}'),
        "garbage": lambda one, _body: one.answer(200, b"\xff\x00<html>"),
        "hang_up": Handler.hang_up,
        "other_customer": lambda one, _body: one.answer(200, json.dumps({"accounts": [_STRANGER]}).encode()),
    }
    return Handler
