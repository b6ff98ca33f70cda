"""What every transport offers: associations and listeners as protocols, and the errors they raise."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Literal, Protocol, Self

from sigtran.batch import MessageBatch

__all__ = [
    "PPID",
    "UDP_PORT",
    "Association",
    "AssociationLost",
    "ConnectError",
    "Kind",
    "ListenError",
    "Listener",
    "State",
    "TransportError",
    "TransportUnavailable",
]

PPID: Final = 3
"""Payload protocol identifier of M3UA (RFC 4666 7.1)."""
UDP_PORT: Final = 9899
"""The port of SCTP in UDP (RFC 6951)."""

Kind = Literal["kernel", "usrsctp", "memory"]
State = Literal["connecting", "up", "lost", "closed"]


class TransportError(Exception):
    """Something with an association or a listener did not work; the text says what and what helps."""


class TransportUnavailable(TransportError):  # noqa: N818  # a state of the machine, no mishap
    """This machine cannot do this kind; the text names the remedy."""


class ListenError(TransportError):
    """The port cannot be had; the text names it."""


class ConnectError(TransportError):
    """Nobody answered, or the answer was no."""


class AssociationLost(TransportError):  # noqa: N818  # the event has this name everywhere
    """The association is gone or closed; the text is its `reason`."""


class Association(Protocol):
    """One SCTP association. A thread may send while another receives."""

    @property
    def kind(self) -> Kind:
        """Which stack."""

    @property
    def streams(self) -> int:
        """Outbound streams agreed upon."""

    @property
    def peer(self) -> str:
        """Address of the far end, where its packets come from; empty within one process."""

    @property
    def state(self) -> State:
        """`lost` is the end that nobody here asked for, `closed` an orderly end from either side."""

    @property
    def reason(self) -> str:
        """Why it is lost or closed; empty before."""

    def send(self, batch: MessageBatch) -> None:
        """Queue all; wait while the queue is over its bound. Raises `AssociationLost`."""

    def receive(self) -> MessageBatch | None:
        """Everything that has come since the last call, without waiting; None if nothing has.

        What came before the end of an association can still be received after it.
        """

    def fileno(self) -> int:
        """A descriptor that is readable when `receive` has something or the state has changed."""

    def wait(self, timeout_s: float) -> bool:
        """Wait until `fileno` is readable; False if it did not become so in time."""

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was sent is acknowledged by the peer; False if not in time or if lost."""

    def close(self, timeout_s: float = 1.0) -> None:
        """End in order: send what is queued, SHUTDOWN, wait; ABORT when the time is over."""

    def abort(self) -> None:
        """End at once: ABORT, what is queued is thrown away."""


class Listener(Protocol):
    """Accepts associations."""

    @property
    def kind(self) -> Kind:
        """Which stack."""

    @property
    def host(self) -> str:
        """Address bound to."""

    @property
    def port(self) -> int:
        """SCTP port, the real one where 0 was asked for."""

    @property
    def encap_port(self) -> int:
        """UDP port (`usrsctp`), the real one where 0 was asked for; 0 where there is none."""

    def accept(self, timeout_s: float | None = None) -> Association | None:
        """The next association that is up, or None when none came in time; None waits for ever."""

    def fileno(self) -> int:
        """A descriptor that is readable when `accept(0)` has something."""

    def close(self) -> None:
        """Listen no longer; associations already accepted live on."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
