"""TP-User-Data: data coding, user data header, text. TS 23.038 4, 5; TS 23.040 9.2.3.24."""

from __future__ import annotations

from dataclasses import dataclass

from sim.bssap import gsm7
from sim.bssap.errors import DecodeError, EncodeError
from sim.bssap.octets import Reader, push_lv, push_octets, push_uint

GSM7 = "gsm7"
OCTETS = "8bit"
UCS2 = "ucs2"

#: User data header elements, TS 23.040 9.2.3.24.
UDH_CONCATENATED_8 = 0x00
UDH_PORTS_8 = 0x04
UDH_PORTS_16 = 0x05
UDH_CONCATENATED_16 = 0x08
UDH_SINGLE_SHIFT = 0x24
UDH_LOCKING_SHIFT = 0x25

#: Room in one TPDU, octets: TS 23.040 9.2.3.24.
MAX_OCTETS = 140


def alphabet(dcs: int) -> str:
    """Alphabet of a TP-DCS, TS 23.038 4. Reserved codings are read as the default alphabet."""
    group = dcs >> 4
    if group < 8:
        if dcs & 0x20:
            return OCTETS  # compressed: not text without the decompression of TS 23.042
        return {0: GSM7, 1: OCTETS, 2: UCS2}.get(dcs >> 2 & 3, GSM7)
    if group == 14:
        return UCS2
    return OCTETS if group == 15 and dcs & 4 else GSM7


def cbs_alphabet(dcs: int) -> str:
    """Alphabet of a USSD or cell broadcast data coding, TS 23.038 5."""
    group = dcs >> 4
    if group == 1:
        return UCS2 if dcs == 0x11 else GSM7
    if 4 <= group <= 7 or group == 9:
        return {0: GSM7, 1: OCTETS, 2: UCS2}.get(dcs >> 2 & 3, GSM7)
    return OCTETS if group == 15 and dcs & 4 else GSM7


@dataclass(frozen=True, slots=True)
class HeaderElement:
    """One information element of the user data header."""

    iei: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Which part of which message this is: TS 23.040 9.2.3.24.1, 9.2.3.24.8."""

    reference: int
    total: int
    part: int
    """From 1 on."""
    wide: bool = False
    """The reference has 16 bits."""


def decode_header(data: bytes) -> tuple[HeaderElement, ...]:
    """Elements behind the header's length octet."""
    reader = Reader(data)
    found = []
    while reader.remaining:
        iei = reader.pull_u8()
        found.append(HeaderElement(iei, reader.pull_lv()))
    return tuple(found)


def encode_header(elements: tuple[HeaderElement, ...]) -> bytes:
    body = b"".join(
        push_uint(element.iei, 1, "header element") + push_lv(element.octets, "header element")
        for element in elements
    )
    if len(body) > 139:
        raise EncodeError(f"user data header of {len(body)} octets")
    return bytes([len(body)]) + body


def concatenation_element(value: Concatenation) -> HeaderElement:
    if not 1 <= value.part <= value.total <= 255:
        raise EncodeError(f"part {value.part} of {value.total}")
    reference = push_uint(value.reference, 2 if value.wide else 1, "concatenation reference")
    iei = UDH_CONCATENATED_16 if value.wide else UDH_CONCATENATED_8
    return HeaderElement(iei, reference + bytes([value.total, value.part]))


@dataclass(frozen=True, slots=True)
class UserData:
    """TP-UDL and TP-UD as they stand, with what they mean beside them."""

    length: int
    """TP-UDL: septets in the default alphabet (header and fill bits counted), octets otherwise."""
    octets: bytes
    """TP-UD, with its header when `has_header`."""
    dcs: int = 0
    has_header: bool = False

    @property
    def header_octets(self) -> int:
        return 1 + self.octets[0] if self.has_header else 0

    @property
    def header(self) -> tuple[HeaderElement, ...]:
        return decode_header(self.octets[1 : self.header_octets]) if self.has_header else ()

    def _element(self, *identifiers: int) -> HeaderElement | None:
        return next((element for element in self.header if element.iei in identifiers), None)

    @property
    def concatenation(self) -> Concatenation | None:
        element = self._element(UDH_CONCATENATED_8, UDH_CONCATENATED_16)
        wide = element is not None and element.iei == UDH_CONCATENATED_16
        if element is None or len(element.octets) != (4 if wide else 3):
            return None
        *reference, total, part = element.octets
        return Concatenation(int.from_bytes(bytes(reference), "big"), total, part, wide)

    @property
    def ports(self) -> tuple[int, int] | None:
        """Destination and originator port: TS 23.040 9.2.3.24.3, 9.2.3.24.4."""
        element = self._element(UDH_PORTS_8, UDH_PORTS_16)
        if element is None or len(element.octets) != (2 if element.iei == UDH_PORTS_8 else 4):
            return None
        half = len(element.octets) // 2
        return int.from_bytes(element.octets[:half], "big"), int.from_bytes(element.octets[half:], "big")

    @property
    def payload(self) -> bytes:
        """What follows the header (8-bit and UCS2 alphabets)."""
        return self.octets[self.header_octets :]

    @property
    def text(self) -> str | None:
        """None for 8-bit data."""
        kind = alphabet(self.dcs)
        if kind == OCTETS:
            return None
        if kind == UCS2:
            return self.payload.decode("utf-16-be", "replace")
        # The text starts on a septet boundary: TS 23.040 9.2.3.24.
        used = (8 * self.header_octets + 6) // 7
        locking, single = self._element(UDH_LOCKING_SHIFT), self._element(UDH_SINGLE_SHIFT)
        return gsm7.decode_text(
            gsm7.unpack(self.octets, self.length - used, 7 * used),
            locking.octets[0] if locking and locking.octets else 0,
            single.octets[0] if single and single.octets else 0,
        )


def _octets_of(length: int, dcs: int) -> int:
    """Octets of TP-UD for a TP-UDL: that counts septets in the default alphabet (TS 23.040 9.2.3.16)."""
    return (7 * length + 7) // 8 if alphabet(dcs) == GSM7 else length


def decode_user_data(data: bytes, dcs: int, has_header: bool) -> UserData:
    """From the TP-UDL octet to the end of the TPDU."""
    reader = Reader(data)
    length = reader.pull_u8()
    octets = reader.pull_rest()
    wanted = _octets_of(length, dcs)
    if len(octets) != wanted:
        raise DecodeError(f"user data: {len(octets)} octets, length {length} wants {wanted}")
    if wanted > MAX_OCTETS:
        raise DecodeError(f"user data of {wanted} octets")
    value = UserData(length, octets, dcs, has_header)
    if has_header:
        if not octets or value.header_octets > len(octets):
            raise DecodeError("user data header is longer than the user data")
        try:
            decode_header(octets[1 : value.header_octets])
        except DecodeError as error:
            raise DecodeError(f"user data header: {error}") from None
        if alphabet(dcs) == GSM7 and (8 * value.header_octets + 6) // 7 > length:
            raise DecodeError("user data header is longer than the user data")
    return value


def encode_user_data(value: UserData) -> bytes:
    octets = push_octets(value.octets, "TP-UD")
    if len(octets) > MAX_OCTETS:
        raise EncodeError(f"TP-UD of {len(octets)} octets, at most {MAX_OCTETS}")
    length = push_uint(value.length, 1, "TP-UDL")
    if len(octets) != _octets_of(value.length, value.dcs):
        raise EncodeError(f"TP-UD of {len(octets)} octets with TP-UDL {value.length}, TP-DCS {value.dcs}")
    return length + octets


def text_user_data(text: str, dcs: int = 0, header: tuple[HeaderElement, ...] = ()) -> UserData:
    """User data of `text` in the alphabet of `dcs`; EncodeError when it does not fit into one TPDU."""
    head = encode_header(header) if header else b""
    kind = alphabet(dcs)
    if kind == OCTETS:
        raise EncodeError(f"data coding 0x{dcs:02x} carries no text")
    if kind == UCS2:
        try:
            octets = head + text.encode("utf-16-be")
        except UnicodeEncodeError as error:
            raise EncodeError(f"half a surrogate pair at {error.start}") from None
        length = len(octets)
    else:
        shifts = {element.iei: element.octets[0] for element in header if element.octets}
        septets = gsm7.encode_text(text, shifts.get(UDH_LOCKING_SHIFT, 0), shifts.get(UDH_SINGLE_SHIFT, 0))
        used = (8 * len(head) + 6) // 7
        packed = gsm7.pack(septets, 7 * used)
        octets = head + packed[len(head) :]
        length = used + len(septets)
    if len(octets) > MAX_OCTETS:
        raise EncodeError(f"text of {len(octets)} octets: {MAX_OCTETS} fit into one message")
    return UserData(length, octets, dcs, bool(header))
