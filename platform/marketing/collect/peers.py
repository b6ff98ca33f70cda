"""Who may associate: addresses and ASP identifiers. Whoever may not is told so, counted, and shown out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Final

from marketing.config import PeerConfig
from sigtran import Association, AssociationLost, MessageBatch
from sigtran.m3ua import ErrorCode, Message, Parameter, Tag, encode

__all__ = ["AllowList", "Gate", "show_out"]

log = logging.getLogger(__name__)

SAY_EVERY_S: Final = 60.0
"""Real seconds between two lines in the log about refusals."""
LAST_WORDS_S: Final = 1.0
"""Real seconds in which a refused peer may take its answer; then it is aborted."""
_LEAVING: Final = threading.BoundedSemaphore(8)

# RFC 4666 3.8.1: an ERR that refuses for reasons of management.
_REFUSED: Final = encode(
    Message.named("ERR", Parameter.integers(Tag.ERROR_CODE, ErrorCode.REFUSED_MANAGEMENT_BLOCKING))
)


@dataclass(slots=True)
class AllowList:
    """The peers of a configuration; None: whoever reaches the port."""

    peers: Sequence[PeerConfig] | None
    now_s: Callable[[], float] = time.monotonic
    refused: int = 0
    """Associations and ASPs that were not let in."""
    _said_s: float = field(default=float("-inf"), repr=False)
    _unsaid: int = field(default=0, repr=False)

    def admits(self, address: str) -> bool:
        """Whether anybody may associate from there; empty: from within this process."""
        if self.peers is None or not address or self._of(address):
            return True
        self._refuse(f"the association of {address}: its address is not among collector.peers")
        return False

    def asp(self, address: str, identifier: int | None) -> ErrorCode | None:
        """Why an ASP from there may not come up (RFC 4666 3.8.1); None: it may."""
        if self.peers is None or not address:
            return None
        wanted = [peer.asp for peer in self._of(address)]
        if None in wanted or identifier in wanted:
            return None
        if identifier is None:
            self._refuse(f"the ASP of {address}: it says no ASP identifier")
            return ErrorCode.ASP_IDENTIFIER_REQUIRED
        self._refuse(f"the ASP of {address}: its identifier {identifier} is not among collector.peers")
        return ErrorCode.REFUSED_MANAGEMENT_BLOCKING

    def _of(self, address: str) -> list[PeerConfig]:
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return []
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return [peer for peer in self.peers or () if parsed in peer.address]

    def _refuse(self, whom: str) -> None:
        self.refused += 1
        self._unsaid += 1
        now_s = self.now_s()
        if now_s - self._said_s >= SAY_EVERY_S:
            more = f" (and {self._unsaid - 1} more since the last such line)" if self._unsaid > 1 else ""
            log.warning("refused %s%s", whom, more)
            self._said_s, self._unsaid = now_s, 0


@dataclass(slots=True)
class Gate:
    """What one association passes on coming up; fits `SgpSide(admit=...)`."""

    allowed: AllowList
    address: str
    closed: bool = False
    """Its ASP was refused: the association is to end."""

    def __call__(self, identifier: int | None) -> ErrorCode | None:
        code = self.allowed.asp(self.address, identifier)
        self.closed = code is not None
        return code


def show_out(association: Association, *, tell: bool) -> None:
    """Ends an association on a thread of its own, since an orderly end takes a round trip.

    With `tell` an ERR says why first. Where many are being shown out already it is aborted.
    """
    if not _LEAVING.acquire(blocking=False):
        association.abort()
        return

    def leave() -> None:
        try:
            if tell:
                association.send(MessageBatch.from_messages([_REFUSED], 0))
            association.close(LAST_WORDS_S)
        except AssociationLost:
            pass  # it has gone by itself
        finally:
            _LEAVING.release()

    threading.Thread(target=leave, name="showing out", daemon=True).start()
