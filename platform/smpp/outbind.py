"""OutbindListener: an ESME that waits until an SMSC with something to deliver calls it (SMPP 3.4 4.1.7)."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from smpp import pdu
from smpp.errors import SmppError
from smpp.esme_client import DeliverHandler, EsmeClient
from smpp.session import SessionConfig


class OutbindListener:
    """Listens; on each connection that opens with an outbind it consents to, it binds and takes messages."""

    def __init__(
        self,
        bind: pdu.BindReceiver,
        consent: Callable[[pdu.Outbind], bool],
        on_deliver: DeliverHandler,
        *,
        config: SessionConfig | None = None,
        most_connections: int = 16,
    ) -> None:
        """`consent` looks at the SMSC's system_id and password."""
        self.bound = 0
        """Sessions bound so far."""
        self.turned_away = 0
        """Connections that came to nothing: no outbind in time, not consented to, refused by the SMSC."""
        self._bind = bind
        self._consent = consent
        self._on_deliver = on_deliver
        self._config = config or SessionConfig()
        self._most_connections = most_connections
        self._listening: socket.socket | None = None
        self._loop_task: asyncio.Task[None] | None = None
        self._calls: dict[asyncio.Task[None], EsmeClient] = {}

    @property
    def port(self) -> int:
        """The port listened on, 0 if none."""
        return int(self._listening.getsockname()[1]) if self._listening is not None else 0

    def listen(self, host: str, port: int = 0) -> None:
        """Listen; port 0 takes a free one. OSError where the port is taken."""
        self._listening = socket.create_server((host, port))
        self._listening.setblocking(False)
        self._loop_task = asyncio.create_task(self._accept_all(self._listening))

    async def close(self) -> None:
        """Stop listening, unbind everywhere."""
        if self._loop_task is not None:
            self._loop_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loop_task
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        await asyncio.gather(*(client.close() for client in self._calls.values()))
        for task in list(self._calls):
            task.cancel()

    async def _accept_all(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(listening)
            if len(self._calls) >= self._most_connections:
                self.turned_away += 1
                sock.close()
                continue
            client = EsmeClient(
                self._bind,
                sock=sock,
                on_deliver=self._on_deliver,
                config=self._config,
                outbind=self._consent,
            )
            task = asyncio.create_task(self._serve(client))
            self._calls[task] = client
            task.add_done_callback(self._calls.pop)

    async def _serve(self, client: EsmeClient) -> None:
        try:
            await client.start(self._config.session_init_s or 10.0)
        except SmppError:
            self.turned_away += 1
            return
        self.bound += 1
        await client.ended()
