"""Pushes as short messages: to port 2948 of the handset, cut where one short message is too small.

for part in split(ServiceIndication("...", href="http://..."), reference=7):
    SubmitSm(..., esm_class=part.esm_class, data_coding=part.data_coding, short_message=part.short_message)

joiner = Reassembler()                                   # smpp.text; at the handset
octets = joiner.add_octets(source, destination, ...)     # until the last part is in
if octets and octets.ports and octets.ports.destination == PUSH_PORT: received = read(octets.data)
"""

from dataclasses import dataclass
from typing import Final

from smpp.concat import Concatenation, Ports, push_header
from smpp.errors import DecodeError, EncodeError
from smpp.push import indication, wsp
from smpp.push.indication import Content, ServiceIndication, ServiceLoading
from smpp.status import ESM_UDHI
from smpp.text import OCTETS, Part

PUSH_PORT: Final = 2948
"""wap-push of the registry of IANA: connectionless, without security."""
SOURCE_PORT: Final = 9200
"""wap-wsp: where gateways send from."""
PUSH_PORTS: Final = Ports(PUSH_PORT, SOURCE_PORT)
ROOM: Final = 140
"""Octets of user data in a TPDU, TS 23.040 9.2.3.16."""


@dataclass(frozen=True, slots=True)
class Received:
    """What a handset makes of the user data that came to its push port."""

    push: wsp.Push
    content: Content | None
    """None where it is neither an indication nor a loading: an MMS notification, for one."""


def push_of(content: Content, transaction_id: int = 0) -> wsp.Push:
    """The push PDU around an indication or a loading; both say which character set they are in."""
    kind = wsp.SI_TYPE if isinstance(content, ServiceIndication) else wsp.SL_TYPE
    return wsp.Push(kind, indication.encode(content), transaction_id=transaction_id)


def split(
    content: Content | wsp.Push,
    *,
    reference: int = 0,
    ports: Ports = PUSH_PORTS,
    data_coding: int = OCTETS,
) -> tuple[Part, ...]:
    """One short message, or parts with concatenation headers; `reference` (0..255) as for long texts.

    `data_coding` may also be 0xF5, eight-bit data of class 1, which is what some message centres want.
    """
    if data_coding not in (OCTETS, 0xF4, 0xF5, 0xF6, 0xF7):  # TS 23.038 4: eight-bit, with a class or none
        raise EncodeError(f"data_coding 0x{data_coding:02X} is no eight-bit data")
    push = push_of(content, reference) if not isinstance(content, wsp.Push) else content
    octets = wsp.encode(push)
    alone = push_header((ports.element(),))
    if len(alone) + len(octets) <= ROOM:
        return (Part(alone + octets, data_coding, ESM_UDHI),)
    room = ROOM - len(push_header((ports.element(), Concatenation(reference, 1, 1).element())))
    total = -(-len(octets) // room)
    if total > 255:
        raise EncodeError(f"a push of {len(octets)} octets takes {total} parts, over 255")
    return tuple(
        Part(
            push_header((ports.element(), Concatenation(reference, total, number).element()))
            + octets[(number - 1) * room : number * room],
            data_coding,
            ESM_UDHI,
        )
        for number in range(1, total + 1)
    )


def read(octets: bytes) -> Received:
    """User data that came to the push port, its header taken off and its parts joined.

    Raises:
        DecodeError: it is no push, or its indication is broken.
    """
    push = wsp.decode(octets)
    if push.content_type not in (wsp.SI_TYPE, wsp.SL_TYPE):
        return Received(push, None)
    content = indication.decode(push.data)
    if isinstance(content, ServiceLoading) != (push.content_type == wsp.SL_TYPE):
        raise DecodeError(f"{push.content_type} holds a {type(content).__name__}", data=octets)
    return Received(push, content)
