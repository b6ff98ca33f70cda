"""A message with what its own SCCP connection said before it: what a judge needs to know to read it.

Wireshark keeps the association of a released connection under the reference that it had. Where that reference
is given out again to a connection that the other side opens, half of the new one's messages are read as the
old one's. What it then lacks (the discriminator of the cells in HANDOVER REQUIRED, without which it leaves
the RR message of HANDOVER COMMAND alone) is no fault of the message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sim.m3ua_view import view_m3ua

__all__ = ["own_connection"]


def own_connection(messages: Sequence[bytes], at: int) -> list[bytes]:
    """The messages of one connection from its CR to the message `at`, that one last.

    A reference is its giver's: of the originating point code where it is the source, of the destination where
    it is the destination (Q.713 3.2, 3.3). Alone where it is on no connection or its beginning is not there.
    """
    ends = _ends(view_m3ua(messages[at]))
    begin = at
    while ends and begin:
        begin -= 1
        shown = _shown(messages[begin])
        if its := _ends(shown) & ends:
            ends |= _ends(shown)
        if its and shown["sccp"] == "CR":
            return [one for one in messages[begin : at + 1] if _ends(_shown(one)) & ends]
    return [messages[at]]


def _shown(octets: bytes) -> Mapping[str, Any]:
    try:
        return view_m3ua(octets)
    except ValueError:
        return {}


def _ends(shown: Mapping[str, Any]) -> set[tuple[int, str]]:
    named = (("opc", "slr"), ("dpc", "dlr"))
    return {(shown[node], shown[reference]) for node, reference in named if reference in shown}
