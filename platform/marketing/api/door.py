"""The HTTP server on a thread of its own: a slow scrape must not delay a trigger."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from marketing.config import HttpConfig

if TYPE_CHECKING:
    import uvicorn

__all__ = ["HttpDoor"]


class HttpDoor:
    """Bound at once, so that the port is known; serves once `start` has loaded the libraries."""

    def __init__(self, config: HttpConfig) -> None:
        """Raises OSError where the port is taken."""
        self._socket = socket.socket(socket.AF_INET6 if ":" in config.host else socket.AF_INET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((config.host, config.port))
        except OSError:
            self._socket.close()
            raise
        self.host: str = config.host
        self.port: int = self._socket.getsockname()[1]
        self._server: uvicorn.Server | None = None
        self._loaded = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self, make: Callable[[], Any]) -> None:
        """Serves the application that `make` builds; its libraries load on the thread."""
        self._socket.listen(128)
        self._thread = threading.Thread(target=self._serve, args=(make,), name="http", daemon=True)
        self._thread.start()

    def wait_loaded(self, timeout_s: float) -> None:
        """Until the libraries are there: loading them later would delay the first triggers."""
        self._loaded.wait(timeout_s)

    def stop(self) -> None:
        """Ends the requests under way and closes the port."""
        self._stopping = True
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(5.0)
        self._socket.close()

    def _serve(self, make: Callable[[], Any]) -> None:
        try:
            self._run(make)
        finally:
            self._loaded.set()

    def _run(self, make: Callable[[], Any]) -> None:
        import uvicorn

        config = uvicorn.Config(make(), log_level="warning", access_log=False, lifespan="off", loop="asyncio")
        config.load()
        self._server = uvicorn.Server(config)
        self._loaded.set()
        if self._stopping:
            return
        self._server.run(sockets=[self._socket])
