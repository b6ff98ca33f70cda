"""The speech codec list and the speech codec of an A interface over IP: TS 48.008 3.2.2.103, 3.2.2.104."""

from __future__ import annotations

from dataclasses import dataclass

from sim.bssap.errors import EncodeError
from sim.bssap.octets import Reader, push_octets, push_uint

#: TS 26.103 6.3: codec type -> name, and the octets of its configuration that follow.
CODECS: dict[int, tuple[str, int]] = {
    0x0: ("GSM FR", 0), 0x1: ("GSM HR", 0), 0x2: ("GSM EFR", 0), 0x3: ("FR_AMR", 2), 0x4: ("HR_AMR", 2),
    0x5: ("UMTS AMR", 0), 0x6: ("UMTS AMR 2", 0), 0x7: ("TDMA EFR", 0), 0x8: ("PDC EFR", 0),
    0x9: ("FR_AMR-WB", 1), 0xA: ("UMTS AMR-WB", 0), 0xB: ("OHR_AMR", 2), 0xC: ("OFR_AMR-WB", 1),
    0xD: ("OHR_AMR-WB", 1),
}  # fmt: skip
#: The type of the codec is in the octet that follows.
EXTENDED = 0xF
#: Extended codec type of circuit switched data; an octet with its redundancy levels follows.
CSDATA = 0xFD


@dataclass(frozen=True, slots=True)
class SpeechCodec:
    """One codec that a BSS or MSC supports."""

    type: int
    """Codec type, a key of CODECS; EXTENDED: see `extended`."""
    full_ip: bool = False
    """FI."""
    pcm_over_ip: bool = False
    """PI."""
    pcm_over_tdm: bool = False
    """PT."""
    tandem_free: bool = False
    """TF: tandem free operation is supported."""
    extended: int | None = None
    configuration: bytes = b""
    """S0-S15 or S0-S7 of an adaptive codec, the redundancy levels of CSData."""

    @property
    def name(self) -> str:
        if self.type == EXTENDED:
            return "CSData" if self.extended == CSDATA else f"extended 0x{self.extended or 0:02x}"
        return CODECS.get(self.type, (f"codec {self.type}", 0))[0]


def _configuration_octets(kind: int, extended: int | None) -> int:
    if kind == EXTENDED:
        return 1 if extended == CSDATA else 0
    return CODECS.get(kind, ("", 0))[1]


def decode_speech_codecs(data: bytes) -> tuple[SpeechCodec, ...]:
    """A list, or the one of a Speech Codec (Chosen), which may lack its configuration."""
    reader = Reader(data)
    found = []
    while reader.remaining:
        octet = reader.pull_u8()
        kind = octet & 15
        extended = reader.pull_u8() if kind == EXTENDED and reader.remaining else None
        wanted = min(_configuration_octets(kind, extended), reader.remaining)
        found.append(
            SpeechCodec(
                kind, bool(octet & 0x80), bool(octet & 0x40), bool(octet & 0x20), bool(octet & 0x10),
                extended, reader.pull(wanted),
            )
        )  # fmt: skip
    return tuple(found)


def encode_speech_codecs(value: tuple[SpeechCodec, ...]) -> bytes:
    """Mirror of `decode_speech_codecs`; the configuration may be missing from the last codec only."""
    out = b""
    for index, codec in enumerate(value):
        if not 0 <= codec.type < 16:
            raise EncodeError(f"speech codec type {codec.type}")
        wanted = _configuration_octets(codec.type, codec.extended)
        given = len(push_octets(codec.configuration, "codec configuration"))
        if given > wanted or (given < wanted and index < len(value) - 1):
            raise EncodeError(f"configuration of {codec.name} in {given} octets, {wanted} wanted")
        flags = (codec.full_ip, codec.pcm_over_ip, codec.pcm_over_tdm, codec.tandem_free)
        out += bytes([sum(bool(flag) << 7 - bit for bit, flag in enumerate(flags)) | codec.type])
        if codec.extended is not None:
            if codec.type != EXTENDED:
                raise EncodeError(f"{codec.name} with an extended type")
            out += push_uint(codec.extended, 1, "extended codec type")
        out += codec.configuration
    return out
