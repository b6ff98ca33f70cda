"""The connectionless Push PDU of WSP (WAP-230 8.2.4.1): a content type, headers, and the content.

The handset tells pushes apart by content type and, where several programs share the port, by
X-Wap-Application-Id.
"""

from dataclasses import dataclass
from typing import Final

from smpp.errors import DecodeError, EncodeError
from smpp.push.wbxml import UTF_8, pull_integer, push_integer

PUSH: Final = 0x06
"""PDU type, WAP-230 table 34."""
CONFIRMED_PUSH: Final = 0x07

SI_TYPE: Final = "application/vnd.wap.sic"
SL_TYPE: Final = "application/vnd.wap.slc"
MMS_TYPE: Final = "application/vnd.wap.mms-message"
CONTENT_TYPES: Final = {
    # WAP-230 table 40, "Content Type Assignments", those that are pushed
    "text/plain": 0x03,
    "text/vnd.wap.si": 0x2D,
    SI_TYPE: 0x2E,
    "text/vnd.wap.sl": 0x2F,
    SL_TYPE: 0x30,
    "application/vnd.wap.coc": 0x32,
    "application/vnd.wap.connectivity-wbxml": 0x36,
    MMS_TYPE: 0x3E,
}
_NAMES: Final = {code: name for name, code in CONTENT_TYPES.items()}

X_WAP_APPLICATION_ID: Final = 0x2F
"""Header field, WAP-230 table 39."""
CHARSET: Final = 0x01
"""Well-known parameter, WAP-230 table 38."""

# Push application ids, as the registry of WINA numbers them.
WML_UA, MMS_UA = 0x02, 0x04


@dataclass(frozen=True, slots=True)
class Header:
    """One header: its number in WAP-230 table 39 or its name, and its value as it stands on the wire."""

    name: int | str
    value: bytes

    def __post_init__(self) -> None:
        if isinstance(self.name, int):
            if not 0 <= self.name <= 0x7F:
                raise EncodeError(f"header {self.name} is out of 0..127")
        elif not self.name or not self.name.isascii() or not self.name.isprintable() or " " in self.name:
            raise EncodeError(f"header name {self.name!r} is no token")
        try:
            end = _value_end(self.value, 0)
        except DecodeError as fault:
            raise EncodeError(f"header {self.name}: {fault.reason}") from None
        if end != len(self.value):
            raise EncodeError(f"header {self.name}: {self.value.hex()} is more than one value")


@dataclass(frozen=True, slots=True)
class Push:
    """One push."""

    content_type: str
    """As in CONTENT_TYPES, or any other; without its parameters."""
    data: bytes
    headers: tuple[Header, ...] = ()
    transaction_id: int = 0
    """Told from push to push by the sender, 0..255."""
    charset: int | None = UTF_8
    """MIBenum; None where the content type has no such parameter."""

    def __post_init__(self) -> None:
        if not 0 <= self.transaction_id <= 0xFF:
            raise EncodeError(f"transaction_id {self.transaction_id} is out of 0..255")
        if self.charset is not None and not 0 <= self.charset <= 0xFFFF:
            raise EncodeError(f"charset {self.charset} is no MIBenum")
        media = self.content_type
        if not media.isascii() or not media.isprintable() or len(media) < 3 or " " in media:
            raise EncodeError(f"content type {media!r} is none")

    @property
    def application_id(self) -> int | None:
        """X-Wap-Application-Id where it is there as a number."""
        for one in self.headers:
            if one.name == X_WAP_APPLICATION_ID:
                return _integer_value(one.value)
        return None


def application_id(number: int) -> Header:
    """X-Wap-Application-Id of a registered program."""
    return Header(X_WAP_APPLICATION_ID, _push_short_or_long(number))


def encode(push: Push) -> bytes:
    """The PDU."""
    head = bytearray(_push_content_type(push.content_type, push.charset))
    for one in push.headers:
        head += bytes((one.name | 0x80,)) if isinstance(one.name, int) else one.name.encode("ascii") + b"\0"
        head += one.value
    return bytes((push.transaction_id, PUSH)) + push_integer(len(head)) + head + push.data


def decode(data: bytes) -> Push:
    """What `encode` wrote, or somebody else. Parameters of the content type but charset are dropped."""
    if len(data) < 4 or data[1] not in (PUSH, CONFIRMED_PUSH):
        raise DecodeError(f"no push PDU of WSP: {data[:8].hex()}", data=data)
    length, at = pull_integer(data, 2)
    end = at + length
    if end > len(data):
        raise DecodeError(f"headers of {length} octets in a push of {len(data)}", data=data)
    head = data[:end]
    try:
        content_type, charset, at = _pull_content_type(head, at)
        headers: list[Header] = []
        while at < end:
            name, at = _pull_name(head, at)
            value_end = _value_end(head, at)
            headers.append(Header(name, head[at:value_end]))
            at = value_end
        return Push(content_type, data[end:], tuple(headers), data[0], charset)
    except (IndexError, EncodeError) as fault:
        reason = "they end inside a value" if isinstance(fault, IndexError) else fault
        raise DecodeError(f"headers of a push: {reason}", data=data) from None


# ---- values: WAP-230 8.4.1.2, 8.4.2


def _push_short_or_long(number: int) -> bytes:
    """Integer-value."""
    if 0 <= number <= 0x7F:
        return bytes((number | 0x80,))
    if not 0 <= number <= 0xFFFFFFFF:
        raise EncodeError(f"{number} is no 32-bit number")
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes((len(octets),)) + octets


def _integer_value(value: bytes) -> int | None:
    if value[0] & 0x80:
        return value[0] & 0x7F
    if 1 <= value[0] <= 30 and len(value) == value[0] + 1:
        return int.from_bytes(value[1:], "big")
    return None


def _value_end(data: bytes, at: int) -> int:
    """Where the value ends that begins at `at`: its first octet tells (8.4.1.2)."""
    if at >= len(data):
        raise DecodeError("a header without value", data=data)
    first = data[at]
    if first <= 30:
        end = at + 1 + first
    elif first == 31:
        length, at = pull_integer(data, at + 1)
        end = at + length
    elif first <= 127:
        end = data.find(0, at) + 1
        if not end:
            raise DecodeError("a text without an end", data=data)
    else:
        end = at + 1
    if end > len(data):
        raise DecodeError("a value that passes the end of the headers", data=data)
    return end


def _pull_name(data: bytes, at: int) -> tuple[int | str, int]:
    if data[at] & 0x80:
        return data[at] & 0x7F, at + 1
    return _pull_text(data, at)


def _pull_text(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(0, at)
    if end < 0:
        raise DecodeError("a text without an end", data=data)
    return data[at:end].decode("latin-1"), end + 1


def _push_content_type(content_type: str, charset: int | None) -> bytes:
    """Constrained-media, or the general form where there is a parameter: 8.4.2.24."""
    code = CONTENT_TYPES.get(content_type)
    media = content_type.encode("ascii") + b"\0" if code is None else bytes((code | 0x80,))
    if charset is None:
        return media
    media += bytes((CHARSET | 0x80,)) + _push_short_or_long(charset)
    length = bytes((len(media),)) if len(media) <= 30 else b"\x1f" + push_integer(len(media))
    return length + media


def _pull_content_type(data: bytes, at: int) -> tuple[str, int | None, int]:
    first = data[at]
    if first > 31:  # Constrained-media: a short integer or a text
        name, at = _pull_media(data, at)
        return name, None, at
    length, at = pull_integer(data, at + 1) if first == 31 else (first, at + 1)
    end = at + length
    if end > len(data):
        raise IndexError
    name, at = _pull_media(data[:end], at)
    charset = None
    while at < end:  # parameters: a well-known number or a name, then a value
        number, at = _pull_name(data[:end], at)
        value_end = _value_end(data[:end], at)
        if number == CHARSET:
            charset = _integer_value(data[at:value_end])
        at = value_end
    return name, charset, at


def _pull_media(data: bytes, at: int) -> tuple[str, int]:
    if not data[at] & 0x80:
        return _pull_text(data, at)
    code = data[at] & 0x7F
    return _NAMES.get(code, f"x-wsp/{code:02x}"), at + 1
