"""The HTTP server on a thread of its own: a slow scrape must not delay a trigger."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from marketing.config import HttpConfig

if TYPE_CHECKING:
    import uvicorn

__all__ = ["LOOPBACK", "HttpDoor", "is_loopback"]

LOOPBACK: Final = "127.0.0.1"


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class HttpDoor:
    """Bound at once, so that the port is known; serves once `start` has loaded the libraries."""

    def __init__(self, config: HttpConfig, *, only_here: bool = False) -> None:
        """`only_here`: on the loopback address, whatever is configured. Raises OSError: the port is taken."""
        host = LOOPBACK if only_here and not is_loopback(config.host) else config.host
        self._config = config
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, config.port))
        except OSError:
            self._socket.close()
            raise
        self.host: str = host
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

        keys = self._config
        config = uvicorn.Config(
            make(),
            log_config=None,  # what it says goes through our own handler, which hides numbers and secrets
            log_level="warning",
            access_log=False,
            lifespan="off",
            loop="asyncio",
            ws="none",
            proxy_headers=False,  # an address is that of the connection, whatever a header says
            server_header=False,
            limit_concurrency=keys.connections,
            ssl_certfile=keys.certificate,
            ssl_keyfile=keys.key,
        )
        config.load()
        self._server = uvicorn.Server(config)
        self._loaded.set()
        if self._stopping:
            return
        self._server.run(sockets=[self._socket])
