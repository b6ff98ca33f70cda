"""User data headers and concatenation: TS 23.040 9.2.3.24, and the sar_ parameters of SMPP 3.4 5.3.2."""

from dataclasses import dataclass

from smpp.errors import DecodeError, EncodeError
from smpp.status import ESM_UDHI, CommandStatus
from smpp.tlv import Tlv, get_int

IEI_CONCATENATED_8 = 0x00
IEI_PORTS_8 = 0x04
IEI_PORTS_16 = 0x05
IEI_CONCATENATED_16 = 0x08


@dataclass(frozen=True, slots=True)
class InformationElement:
    """One element of a user data header."""

    iei: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Which part of which long message this is: TS 23.040 9.2.3.24.1 and 9.2.3.24.8."""

    reference: int
    """The same in all parts; 0..255, with `wide` 0..65535."""
    total: int
    """Number of parts, 1..255."""
    part: int
    """This part, counted from 1."""
    wide: bool = False
    """16-bit reference."""

    def __post_init__(self) -> None:
        if not 0 <= self.reference <= (0xFFFF if self.wide else 0xFF):
            raise EncodeError(f"concatenation reference {self.reference} does not fit")
        if not 1 <= self.part <= self.total <= 255:
            raise EncodeError(f"part {self.part} of {self.total} is out of 1..255")

    def element(self) -> InformationElement:
        """As information element."""
        if self.wide:
            head = self.reference.to_bytes(2, "big")
            return InformationElement(IEI_CONCATENATED_16, head + bytes((self.total, self.part)))
        return InformationElement(IEI_CONCATENATED_8, bytes((self.reference, self.total, self.part)))


@dataclass(frozen=True, slots=True)
class Ports:
    """To and from which program: application port addressing, TS 23.040 9.2.3.24.3 and 9.2.3.24.4."""

    destination: int
    """0..65535, with `narrow` 0..255."""
    source: int
    narrow: bool = False
    """8-bit addresses."""

    def __post_init__(self) -> None:
        most = 0xFF if self.narrow else 0xFFFF
        if not 0 <= self.destination <= most or not 0 <= self.source <= most:
            raise EncodeError(f"ports {self.destination} and {self.source} are 0..{most}")

    def element(self) -> InformationElement:
        """As information element."""
        if self.narrow:
            return InformationElement(IEI_PORTS_8, bytes((self.destination, self.source)))
        both = self.destination.to_bytes(2, "big") + self.source.to_bytes(2, "big")
        return InformationElement(IEI_PORTS_16, both)


def push_header(elements: tuple[InformationElement, ...]) -> bytes:
    """A user data header with its length octet."""
    body = b"".join(bytes((one.iei, len(one.data))) + one.data for one in elements)
    if len(body) > 139:
        raise EncodeError(f"a user data header of {len(body)} octets leaves no room in a short message")
    return bytes((len(body),)) + body


def pull_header(data: bytes) -> tuple[tuple[InformationElement, ...], bytes]:
    """The elements of the header that `data` begins with, and the user data after it."""
    if not data or len(data) < 1 + data[0]:
        raise DecodeError(
            "user data ends inside its header", command_status=CommandStatus.ESME_RINVMSGLEN, data=data
        )
    end = 1 + data[0]
    at = 1
    elements: list[InformationElement] = []
    while at < end:
        if end - at < 2 or end - at - 2 < data[at + 1]:
            raise DecodeError(
                f"information element at octet {at} passes the end of the header",
                command_status=CommandStatus.ESME_RINVMSGLEN,
                data=data,
            )
        after = at + 2 + data[at + 1]
        elements.append(InformationElement(data[at], data[at + 2 : after]))
        at = after
    return tuple(elements), data[end:]


def pull_concatenation(elements: tuple[InformationElement, ...]) -> Concatenation | None:
    """The last valid concatenation element; an impossible one is ignored, as TS 23.040 9.2.3.24.1 wants."""
    found: Concatenation | None = None
    for one in elements:
        if one.iei == IEI_CONCATENATED_8 and len(one.data) == 3:
            reference, total, part, wide = one.data[0], one.data[1], one.data[2], False
        elif one.iei == IEI_CONCATENATED_16 and len(one.data) == 4:
            reference, total, part, wide = int.from_bytes(one.data[:2], "big"), one.data[2], one.data[3], True
        else:
            continue
        if 1 <= part <= total:
            found = Concatenation(reference, total, part, wide)
    return found


def pull_ports(elements: tuple[InformationElement, ...]) -> Ports | None:
    """The last port addressing: TS 23.040 9.2.3.24 has the last of elements that exclude each other count."""
    found: Ports | None = None
    for one in elements:
        if one.iei == IEI_PORTS_8 and len(one.data) == 2:
            found = Ports(one.data[0], one.data[1], narrow=True)
        elif one.iei == IEI_PORTS_16 and len(one.data) == 4:
            found = Ports(int.from_bytes(one.data[:2], "big"), int.from_bytes(one.data[2:], "big"))
    return found


def ports(esm_class: int, short_message: bytes, tlvs: tuple[Tlv, ...] = ()) -> Ports | None:
    """Which program the message is for, by header or by the parameters of SMPP 3.4 5.3.2.20 and 5.3.2.21."""
    if esm_class & ESM_UDHI:
        return pull_ports(pull_header(short_message)[0])
    destination = get_int(tlvs, "destination_port")
    if destination is None:
        return None
    return Ports(destination, get_int(tlvs, "source_port") or 0)


def concatenation(
    esm_class: int, short_message: bytes, tlvs: tuple[Tlv, ...] = ()
) -> tuple[Concatenation | None, bytes]:
    """Which part of a longer message this is, by header or by sar_ parameters, and its bare user data."""
    if esm_class & ESM_UDHI:
        elements, payload = pull_header(short_message)
        return pull_concatenation(elements), payload
    reference = get_int(tlvs, "sar_msg_ref_num")
    total = get_int(tlvs, "sar_total_segments")
    part = get_int(tlvs, "sar_segment_seqnum")
    if reference is None or total is None or part is None or not 1 <= part <= total:
        return None, short_message
    return Concatenation(reference, total, part, wide=True), short_message
