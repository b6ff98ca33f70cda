"""Elements of mobility management that are more than a number: TS 24.008 10.5.3."""

from __future__ import annotations

from dataclasses import dataclass

from sim.bssap.elements import Codec
from sim.bssap.errors import EncodeError
from sim.bssap.gsm7 import decode_text, encode_text, pack, unpack
from sim.bssap.octets import Reader, push_octets, push_uint
from sim.bssap.tpdu import Timestamp

_UCS2 = 1


@dataclass(frozen=True, slots=True)
class NetworkName:
    """Network name, TS 24.008 10.5.3.5a."""

    octets: bytes
    """Text as it stands."""
    coding: int = 0
    """Coding scheme, 3 bits: 0 default alphabet of TS 23.038, 1 UCS2."""
    add_initials: bool = False
    """Whether the station should add the letters of the country."""
    spare_bits: int = 0
    """Unused bits of the last octet, 0-7."""

    @property
    def text(self) -> str:
        if self.coding == _UCS2:
            return self.octets.decode("utf-16-be", "replace")
        return decode_text(unpack(self.octets, max(8 * len(self.octets) - self.spare_bits, 0) // 7))


def network_name(text: str, *, ucs2: bool = False) -> NetworkName:
    if ucs2:
        try:
            return NetworkName(text.encode("utf-16-be"), _UCS2)
        except UnicodeEncodeError as error:
            raise EncodeError(f"half a surrogate pair at {error.start}") from None
    septets = encode_text(text)
    return NetworkName(pack(septets), spare_bits=-7 * len(septets) % 8)


def decode_network_name(data: bytes) -> NetworkName:
    reader = Reader(data)
    octet = reader.pull_u8()
    return NetworkName(reader.pull_rest(), octet >> 4 & 7, bool(octet & 8), octet & 7)


def encode_network_name(value: NetworkName) -> bytes:
    if not (0 <= value.coding < 8 and 0 <= value.spare_bits < 8):
        raise EncodeError(f"network name: coding {value.coding}, {value.spare_bits} spare bits")
    octet = 0x80 | value.coding << 4 | bool(value.add_initials) << 3 | value.spare_bits
    return bytes([octet]) + push_octets(value.octets, "network name")


@dataclass(frozen=True, slots=True)
class TimeZone:
    """Time zone, TS 24.008 10.5.3.8; coded as in TP-SCTS."""

    octet: int

    @property
    def quarters(self) -> int:
        """Quarters of an hour east of Greenwich."""
        value = (self.octet & 7) * 10 + (self.octet >> 4)
        return -value if self.octet & 8 else value


NETWORK_NAME = Codec(decode_network_name, encode_network_name)
TIME_ZONE = Codec(lambda data: TimeZone(data[0]), lambda value: push_uint(value.octet, 1, "time zone"))
#: Universal time and local time zone, 10.5.3.9: seven octets like a TP-SCTS.
UNIVERSAL_TIME = Codec(Timestamp, lambda value: value.octets)
