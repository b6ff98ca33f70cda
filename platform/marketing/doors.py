"""The server's ends towards signalling, message centre and BOSS, for whoever brings his own."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from marketing.behaviours import BehaviourBatch
from marketing.clock import Clock
from marketing.config import PlatformConfig

__all__ = ["Doors", "SignallingSource", "StartError", "TickLike", "open_collector"]


class TickLike(Protocol):
    """lockstep: all behaviours of one tick."""

    @property
    def t_unix_us(self) -> int: ...
    @property
    def behaviours(self) -> BehaviourBatch: ...


class SignallingSource(Protocol):
    """Where behaviours come from; `marketing.collect.Collector` in the real thing."""

    def fileno(self) -> int:
        """Readable when `poll` has something to do."""

    @property
    def due_s(self) -> float | None:
        """Real seconds after which `poll` should be called though nothing came."""

    def poll(self) -> Sequence[Any]:
        """Behaviour batches live; in lockstep at most one tick, and no other until it is acknowledged."""

    def acknowledge(self, tick: Any) -> None: ...
    def flush(self) -> BehaviourBatch:
        """What still waits for something, at the end of everything."""

    def address(self) -> dict[str, Any]: ...
    def report(self) -> dict[str, Any]:
        """What collector.json holds; `received` and `decoded` among it."""

    def state(self) -> str:
        """Up, waiting or lost."""

    @property
    def over(self) -> bool:
        """Nothing more will come: it consists of captures, all at their end. Asked if `exit_at_end`."""

    @property
    def damaged(self) -> int:
        """Captures that were damaged. Asked if `exit_at_end`."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Doors:
    """Ends to use instead of ports, when both programs share a process."""

    smpp_socket: socket.socket | None = None
    boss_transport: Any = None
    """An httpx transport."""
    signalling: SignallingSource | None = None
    """Absent: the configured collector (its transport may be memory)."""


class StartError(Exception):
    """A door cannot be opened; the message says which and what helps. Exit code 1."""


def open_collector(config: PlatformConfig, clock: Clock) -> SignallingSource:
    """The collector of a configuration. Raises StartError."""
    # Compiled parts: late, so that a configuration error comes first.
    from marketing.collect import Collector, TapError
    from sigtran import ListenError, TransportUnavailable

    try:
        known: dict[str, Any] = {"epoch_us": clock.epoch_us, "tick_s": config.clock.tick_s}
        return Collector(config.collector, clock, threads=config.workers, **known)
    except (ListenError, TapError, TransportUnavailable) as error:
        raise StartError(f"collector: {error}") from error
