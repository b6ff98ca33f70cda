"""An HTTP listener on a thread of its own, for channels whose peers call us."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Final

__all__ = ["Answer", "Listener", "Taken"]

Taken = tuple[dict[str, str], bytes]
"""Headers in lower case, and the body."""
Answer = tuple[int, str, bytes]
"""Status, content type, body."""
START_S: Final = 10.0


class Listener:
    """Takes POST requests and hands each to `take` on the loop that made it, which says what to answer."""

    def __init__(
        self, host: str, port: int, largest: int, take: Callable[[Taken], Awaitable[Answer]]
    ) -> None:
        """Bound at once. Raises OSError: the port is taken."""
        self._largest, self._take = largest, take
        self._loop = asyncio.get_running_loop()
        self._socket = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
        self.port: int = self._socket.getsockname()[1]
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self._serving = threading.Event()

    async def start(self) -> None:
        """Serves, once the libraries are there."""
        self._thread = threading.Thread(target=self._serve, name="channel-http", daemon=True)
        self._thread.start()
        await self._loop.run_in_executor(None, self._serving.wait, START_S)

    async def close(self) -> None:
        """Ends the requests under way and closes the port."""
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            # Requests under way wait for this loop: it has to go on meanwhile.
            await self._loop.run_in_executor(None, self._thread.join, 5.0)
        self._socket.close()

    def _serve(self) -> None:
        import uvicorn  # a tenth of a second, for who has such a channel

        config = uvicorn.Config(
            self._app,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
            loop="asyncio",
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._serving.set()
        self._server.run(sockets=[self._socket])

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        status, content_type, body = await self._answer(scope, receive)
        headers = [(b"content-type", content_type.encode("latin-1")), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Any, receive: Any) -> Answer:
        plain = "text/plain; charset=utf-8"
        if scope["method"] != "POST":
            return 405, plain, b"expected POST"
        body, more = b"", True
        while more:
            event = await receive()
            if event["type"] != "http.request":
                return 400, plain, b"gone"
            body += event.get("body", b"")
            more = event.get("more_body", False)
            if len(body) > self._largest:
                return 413, plain, b"expected at most %d octets" % self._largest
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        asked = asyncio.run_coroutine_threadsafe(self._on_loop((headers, body)), self._loop)
        return await asyncio.wrap_future(asked)

    async def _on_loop(self, taken: Taken) -> Answer:
        return await self._take(taken)
