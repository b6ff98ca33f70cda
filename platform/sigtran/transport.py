"""SCTP associations with payload protocol id 3 (M3UA), over whichever stack the machine has.

Three kinds behind one pair of protocols: `kernel` (the operating system's SCTP, through pysctp), `usrsctp`
(libusrsctp, SCTP in UDP as in RFC 6951) and `memory` (two ends in one process). Every call moves a batch.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sigtran.endpoints import (
    PPID,
    UDP_PORT,
    Association,
    AssociationLost,
    ConnectError,
    Kind,
    Listener,
    ListenError,
    State,
    TransportError,
    TransportUnavailable,
)

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

log = logging.getLogger(__name__)


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
