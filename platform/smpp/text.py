"""Text to short messages and back: alphabets, segmentation, reassembly; receipts from `smpp.receipt`.

for part in split("...", reference=7):
    SubmitSm(..., esm_class=part.esm_class, data_coding=part.data_coding, short_message=part.short_message)
"""

from dataclasses import dataclass, field
from typing import Literal

from smpp import gsm7
from smpp.concat import Concatenation, Ports, concatenation, ports, push_header
from smpp.errors import DecodeError, EncodeError
from smpp.receipt import Receipt
from smpp.status import ESM_UDHI, CommandStatus
from smpp.tlv import Tlv, get_octets, make

# data_coding: SMPP 3.4 5.2.19
GSM7 = 0x00
"""SMSC default alphabet: here the GSM 7-bit one, a septet an octet."""
ASCII = 0x01
LATIN1 = 0x03
OCTETS = 0x04
UCS2 = 0x08

How = Literal["header", "sar", "payload"]

_CODECS = {ASCII: "ascii", LATIN1: "latin-1", UCS2: "utf-16-be"}
_ROOM = {GSM7: 160, ASCII: 140, LATIN1: 140, OCTETS: 140, UCS2: 140}
"""Octets of short_message that fit one TPDU: 160 septets or 140 octets (TS 23.040 9.2.3.16)."""


@dataclass(frozen=True, slots=True)
class Part:
    """The parameters of a submit_sm that a text decides."""

    short_message: bytes
    """With its user data header, where there is one."""
    data_coding: int
    esm_class: int
    tlvs: tuple[Tlv, ...] = ()
    """sar_ parameters or message_payload, where they are asked for."""


def coding_of(text: str) -> int:
    """GSM 7-bit where it can say it, else UCS2."""
    return GSM7 if gsm7.encodable(text) else UCS2


def _characters(text: str, data_coding: int) -> list[bytes]:
    """The octets of each character; the units that may not be cut."""
    if data_coding == GSM7:
        return gsm7.encode_characters(text)
    codec = _CODECS.get(data_coding)
    if codec is None:
        raise EncodeError(f"text cannot be sent with data_coding 0x{data_coding:02X}")
    try:
        return [character.encode(codec) for character in text]
    except UnicodeEncodeError as fault:
        raise EncodeError(f"data_coding 0x{data_coding:02X} cannot say {text[fault.start]!r}") from None


def encode_text(text: str, data_coding: int | None = None) -> tuple[bytes, int]:
    """The octets of `text`, and their data_coding (chosen by `coding_of` unless given)."""
    data_coding = coding_of(text) if data_coding is None else data_coding
    return b"".join(_characters(text, data_coding)), data_coding


def decode_text(data: bytes, data_coding: int) -> str:
    """The text of bare user data. UCS2 may have surrogate pairs, as handsets send them."""
    if data_coding == GSM7:
        return gsm7.decode(data)
    codec = _CODECS.get(data_coding)
    if codec is None:
        raise DecodeError(
            f"data_coding 0x{data_coding:02X} is no text",
            command_status=CommandStatus.ESME_RSYSERR,
            data=data,
        )
    try:
        return data.decode(codec)
    except UnicodeDecodeError as fault:
        raise DecodeError(
            f"octet {fault.start} is no {codec}: {fault.reason}",
            command_status=CommandStatus.ESME_RINVMSGLEN,
            data=data,
        ) from None


def _cut(characters: list[bytes], room: int) -> list[bytes]:
    pieces: list[bytes] = []
    piece = bytearray()
    for character in characters:
        if len(piece) + len(character) > room:
            pieces.append(bytes(piece))
            piece.clear()
        piece += character
    pieces.append(bytes(piece))
    return pieces


def split(
    text: str,
    *,
    reference: int = 0,
    wide: bool = False,
    data_coding: int | None = None,
    how: How = "header",
) -> tuple[Part, ...]:
    """`text` as one short message, or as parts; `how` says what tells the parts from each other.

    "header" is what every message centre passes on; "sar" and "payload" leave cutting or numbering to it
    (SMPP 3.4 5.3.2.22-24, 5.3.2.32). `reference` must differ between long messages to one subscriber that
    overlap in time; `wide` takes 16 bits of it and one more octet of header. No character, escape sequence or
    surrogate pair is cut.
    """
    data_coding = coding_of(text) if data_coding is None else data_coding
    characters = _characters(text, data_coding)
    room = _ROOM[data_coding]
    if sum(map(len, characters)) <= room:
        return (Part(b"".join(characters), data_coding, 0),)
    if how == "payload":
        return (Part(b"", data_coding, 0, (make("message_payload", b"".join(characters)),)),)
    header = 7 if wide else 6
    # Seven bits: the header is filled up to a whole septet, TS 23.040 9.2.3.24
    room -= (header * 8 + 6) // 7 if data_coding == GSM7 else header
    pieces = _cut(characters, room)
    total = len(pieces)
    if total > 255:
        raise EncodeError(f"{total} parts are over 255")
    if how == "sar":
        return tuple(
            Part(
                piece,
                data_coding,
                0,
                (
                    make("sar_msg_ref_num", reference),
                    make("sar_total_segments", total),
                    make("sar_segment_seqnum", number),
                ),
            )
            for number, piece in enumerate(pieces, start=1)
        )
    return tuple(
        Part(
            push_header((Concatenation(reference, total, number, wide).element(),)) + piece,
            data_coding,
            ESM_UDHI,
        )
        for number, piece in enumerate(pieces, start=1)
    )


def part_count(text: str, *, wide: bool = False) -> int:
    """How many short messages `split` makes of `text`."""
    return len(split(text, wide=wide))


@dataclass(frozen=True, slots=True)
class Joined:
    """A whole message, as octets."""

    data: bytes
    """User data without its headers."""
    data_coding: int
    ports: Ports | None
    """Where it is for a program and not for the reader."""


@dataclass(slots=True)
class _Partial:
    data_coding: int
    ports: Ports | None
    pieces: dict[int, bytes]
    total: int
    give_up_s: float


@dataclass(slots=True)
class Reassembler:
    """Joins the parts of long messages by (source, destination, reference). Time comes in with each call."""

    keep_s: float = 86_400.0
    """How long an incomplete message is kept, from its first part."""
    most: int = 10_000
    """Incomplete messages kept; the oldest is dropped for a new one."""
    dropped: int = 0
    """Incomplete messages given up so far."""
    _partial: dict[tuple[str, str, int, int, bool], _Partial] = field(default_factory=dict)

    def add(
        self,
        source: str,
        destination: str,
        esm_class: int,
        data_coding: int,
        short_message: bytes,
        now_s: float,
        tlvs: tuple[Tlv, ...] = (),
    ) -> str | None:
        """The whole text once its last part is in, at once for a short one, else None."""
        whole = self.add_octets(source, destination, esm_class, data_coding, short_message, now_s, tlvs)
        return None if whole is None else decode_text(whole.data, whole.data_coding)

    def add_octets(
        self,
        source: str,
        destination: str,
        esm_class: int,
        data_coding: int,
        short_message: bytes,
        now_s: float,
        tlvs: tuple[Tlv, ...] = (),
    ) -> Joined | None:
        """As `add`, for messages that need not be text.

        A message_payload stands for an empty short_message (SMPP 3.4 5.3.2.32). A repeated part is the same
        part.
        """
        user_data = short_message or get_octets(tlvs, "message_payload") or b""
        where, payload = concatenation(esm_class, user_data, tlvs)
        addressed = ports(esm_class, user_data, tlvs)
        self.expire(now_s)
        if where is None or where.total == 1:
            return Joined(payload, data_coding, addressed)
        key = (source, destination, where.reference, where.total, where.wide)
        partial = self._partial.get(key)
        if partial is None:
            if len(self._partial) >= self.most:
                del self._partial[next(iter(self._partial))]
                self.dropped += 1
            give_up_s = now_s + self.keep_s
            partial = self._partial[key] = _Partial(data_coding, addressed, {}, where.total, give_up_s)
        partial.pieces[where.part] = payload
        if len(partial.pieces) < partial.total:
            return None
        del self._partial[key]
        data = b"".join(partial.pieces[i] for i in range(1, partial.total + 1))
        return Joined(data, partial.data_coding, partial.ports)

    def expire(self, now_s: float) -> None:
        """Give up what is older than `keep_s`. `add` does this by itself."""
        while self._partial:
            key = next(iter(self._partial))
            if self._partial[key].give_up_s > now_s:
                break
            del self._partial[key]
            self.dropped += 1

    def __len__(self) -> int:
        return len(self._partial)


__all__ = [
    "ASCII",
    "GSM7",
    "LATIN1",
    "OCTETS",
    "UCS2",
    "How",
    "Joined",
    "Part",
    "Reassembler",
    "Receipt",
    "coding_of",
    "decode_text",
    "encode_text",
    "part_count",
    "split",
]
