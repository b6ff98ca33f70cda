"""A web application on a real port, on a thread of its own: what BOSS and the MMSC are reached by."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Any, Self

__all__ = ["HttpDoor"]


class HttpDoor:
    """Serves an ASGI application until closed."""

    def __init__(self, app: Any, name: str, host: str, port: int, start_timeout_s: float) -> None:
        """Listening and serving when this returns. Port 0 takes a free one.

        Args:
            app: The application, ASGI 3.
            name: Of the desk, in words.
            host: Address to listen on.
            port: Port to listen on.
            start_timeout_s: Real seconds that it may take to serve.

        Raises:
            OSError: the port is taken.
            RuntimeError: it does not serve in time.
        """
        import uvicorn

        self._host = host
        self._socket = socket.create_server((host, port), backlog=256)
        # Inherited by what it accepts; asyncio sets it only where the socket names its protocol, and without
        # it the delayed acknowledgement costs 40 ms a request.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(
            app,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
            loop="asyncio",
            timeout_keep_alive=60,
            timeout_graceful_shutdown=2,
        )
        started = threading.Event()

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                started.set()

        self._server = Server(config)
        # uvicorn leaves signals alone when it does not run on the main thread.
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name=f"{name}-door", daemon=True
        )
        self._thread.start()
        if not started.wait(start_timeout_s):
            self.close()
            raise RuntimeError(f"{name} did not start on {self.url} within {start_timeout_s:g} s")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def port(self) -> int:
        """The port listened on."""
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """Base address, for example http://127.0.0.1:38211."""
        return f"http://{self._host}:{self.port}"

    def close(self, timeout: float = 5.0) -> None:
        """Stop serving and end the thread. May be called twice."""
        self._server.should_exit = True
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._server.force_exit = True
            self._thread.join(timeout)
        self._socket.close()
