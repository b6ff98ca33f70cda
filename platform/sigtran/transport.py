"""SCTP associations with payload protocol id 3 (M3UA), over whichever stack the machine has.

Three kinds behind one pair of protocols: `kernel` (the operating system's SCTP, through pysctp), `usrsctp`
(libusrsctp, SCTP in UDP as in RFC 6951) and `memory` (two ends in one process). Every call moves a batch.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Protocol, Self

from sigtran.batch import MessageBatch

__all__ = [
    "PPID",
    "UDP_PORT",
    "Association",
    "AssociationLost",
    "Choice",
    "ConnectError",
    "Kind",
    "ListenError",
    "Listener",
    "State",
    "TransportError",
    "TransportUnavailable",
    "choose",
    "connect",
    "listen",
]

PPID: Final = 3
"""Payload protocol identifier of M3UA (RFC 4666 7.1)."""
UDP_PORT: Final = 9899
"""The port of SCTP in UDP (RFC 6951)."""

Kind = Literal["kernel", "usrsctp", "memory"]
State = Literal["connecting", "up", "lost", "closed"]

log = logging.getLogger(__name__)


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


@dataclass(frozen=True, slots=True)
class Choice:
    """Which transport is used, and why."""

    kind: Kind
    why: str


def _memory() -> str:
    return "both ends are in this process"


def _usrsctp() -> str:
    from sigtran import usrsctp

    return usrsctp.probe()


def _kernel() -> str:
    from sigtran import kernel

    return kernel.probe()


_KINDS: Final[dict[str, Kind]] = {"kernel": "kernel", "usrsctp": "usrsctp", "memory": "memory"}

# Each says why it works, or raises TransportUnavailable.
_PROBES: Final[dict[Kind, Callable[[], str]]] = {"kernel": _kernel, "usrsctp": _usrsctp, "memory": _memory}


def choose(kind: str = "auto") -> Choice:
    """Which transport `kind` means here: `auto` is kernel SCTP where it works, else usrsctp.

    The environment's SCTP_TRANSPORT overrides `auto`. Raises `TransportUnavailable` with the remedy.
    """
    asked = kind
    if kind == "auto":
        kind = os.environ.get("SCTP_TRANSPORT", "").strip() or "auto"
        asked = f"SCTP_TRANSPORT={kind}" if kind != "auto" else kind
    if kind == "auto":
        failures = []
        for candidate in ("kernel", "usrsctp"):
            try:
                why = _PROBES[_kind(candidate)]()
            except TransportUnavailable as error:
                failures.append(str(error))
                continue
            choice = Choice(_kind(candidate), "; ".join([why, *failures]))
            log.info("transport %s: %s", choice.kind, choice.why)
            return choice
        raise TransportUnavailable("no SCTP on this machine: " + "; ".join(failures))
    choice = Choice(_kind(kind), f"{_PROBES[_kind(kind)]()} (asked for: {asked})")
    log.info("transport %s: %s", choice.kind, choice.why)
    return choice


def _kind(kind: str) -> Kind:
    known = _KINDS.get(kind)
    if known is None:
        raise TransportUnavailable(f"no transport is called {kind!r}: there are auto, {', '.join(_KINDS)}")
    return known


def listen(
    kind: str, host: str = "127.0.0.1", port: int = 0, *, encap_port: int = UDP_PORT, streams: int = 16
) -> Listener:
    """Listen on an SCTP port; 0 is a free one. Raises `ListenError` naming the port that is taken."""
    match choose(kind).kind:
        case "memory":
            from sigtran import memory

            return memory.listen(host, port, streams=streams)
        case "usrsctp":
            from sigtran import usrsctp

            return usrsctp.listen(host, port, encap_port=encap_port, streams=streams)
        case "kernel":
            from sigtran import kernel

            return kernel.listen(host, port, streams=streams)


def connect(
    kind: str,
    host: str,
    port: int,
    *,
    encap_port: int = UDP_PORT,
    local_encap_port: int = 0,
    streams: int = 16,
    timeout_s: float = 5,
) -> Association:
    """An association that is up. Raises `ConnectError` with the reason when it does not come up in time."""
    match choose(kind).kind:
        case "memory":
            from sigtran import memory

            return memory.connect(host, port, streams=streams)
        case "usrsctp":
            from sigtran import usrsctp

            return usrsctp.connect(
                host,
                port,
                encap_port=encap_port,
                local_encap_port=local_encap_port,
                streams=streams,
                timeout_s=timeout_s,
            )
        case "kernel":
            from sigtran import kernel

            return kernel.connect(host, port, streams=streams, timeout_s=timeout_s)
