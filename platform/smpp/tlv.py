"""Optional parameters: SMPP 3.4 5.3. Raw in a PDU, typed through the table here.

A PDU keeps its optional parameters as `Tlv(tag, value)` in the order of the wire, unknown ones too
(SMPP 3.4 3.3: unrecognised parameters are ignored, not refused). `get_int`, `get_text`, `get_octets` read one
by name; `make` is their mirror.
"""

import struct
from dataclasses import dataclass

from smpp.errors import DecodeError, EncodeError
from smpp.status import CommandStatus

_HEAD = struct.Struct("!HH")


@dataclass(frozen=True, slots=True)
class Tlv:
    """One optional parameter as it stands on the wire."""

    tag: int
    value: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.tag <= 0xFFFF:
            raise EncodeError(f"TLV tag {self.tag} is not a 16-bit number")
        if len(self.value) > 0xFFFF:
            raise EncodeError(f"TLV 0x{self.tag:04X}: {len(self.value)} octets do not fit a 16-bit length")


@dataclass(frozen=True, slots=True)
class TlvKind:
    """What the table knows of a tag: `kind` is int, text (C-octet string) or octets; sizes in octets."""

    name: str
    tag: int
    kind: str
    least: int
    most: int


def _int(tag: int, name: str, size: int) -> TlvKind:
    return TlvKind(name, tag, "int", size, size)


def _text(tag: int, name: str, most: int) -> TlvKind:
    return TlvKind(name, tag, "text", 0, most)


def _octets(tag: int, name: str, least: int, most: int) -> TlvKind:
    return TlvKind(name, tag, "octets", least, most)


TLV_TABLE: tuple[TlvKind, ...] = (
    # SMPP 3.4 5.3.2, in the order of the tags
    _int(0x0005, "dest_addr_subunit", 1),
    _int(0x0006, "dest_network_type", 1),
    _int(0x0007, "dest_bearer_type", 1),
    _int(0x0008, "dest_telematics_id", 2),
    _int(0x000D, "source_addr_subunit", 1),
    _int(0x000E, "source_network_type", 1),
    _int(0x000F, "source_bearer_type", 1),
    _int(0x0010, "source_telematics_id", 1),
    _int(0x0017, "qos_time_to_live", 4),
    _int(0x0019, "payload_type", 1),
    _text(0x001D, "additional_status_info_text", 256),
    _text(0x001E, "receipted_message_id", 65),
    _int(0x0030, "ms_msg_wait_facilities", 1),
    _int(0x0201, "privacy_indicator", 1),
    _octets(0x0202, "source_subaddress", 2, 23),
    _octets(0x0203, "dest_subaddress", 2, 23),
    _int(0x0204, "user_message_reference", 2),
    _int(0x0205, "user_response_code", 1),
    _int(0x020A, "source_port", 2),
    _int(0x020B, "destination_port", 2),
    _int(0x020C, "sar_msg_ref_num", 2),
    _int(0x020D, "language_indicator", 1),
    _int(0x020E, "sar_total_segments", 1),
    _int(0x020F, "sar_segment_seqnum", 1),
    _int(0x0210, "sc_interface_version", 1),
    _int(0x0302, "callback_num_pres_ind", 1),
    _octets(0x0303, "callback_num_atag", 0, 65),
    _int(0x0304, "number_of_messages", 1),
    _octets(0x0381, "callback_num", 4, 19),
    _int(0x0420, "dpf_result", 1),
    _int(0x0421, "set_dpf", 1),
    _int(0x0422, "ms_availability_status", 1),
    _octets(0x0423, "network_error_code", 3, 3),
    _octets(0x0424, "message_payload", 0, 0xFFFF),
    _int(0x0425, "delivery_failure_reason", 1),
    _int(0x0426, "more_messages_to_send", 1),
    _int(0x0427, "message_state", 1),
    _int(0x0501, "ussd_service_op", 1),
    _int(0x1201, "display_time", 1),
    _int(0x1203, "sms_signal", 2),
    _int(0x1204, "ms_validity", 1),
    _octets(0x130C, "alert_on_message_delivery", 0, 0),
    _int(0x1380, "its_reply_type", 1),
    _int(0x1383, "its_session_info", 2),
    # the SMSC vendor's own range, 0x1400-0x3FFF, as this operator uses it
    _text(0x1400, "contact_id", 65),  # submit_sm: the ESME's name for the contact; message ids derive from it
    _int(0x1401, "event_time", 8),  # deliver_sm: when it happened in the network, Unix microseconds
)

BY_NAME: dict[str, TlvKind] = {kind.name: kind for kind in TLV_TABLE}
BY_TAG: dict[int, TlvKind] = {kind.tag: kind for kind in TLV_TABLE}


def _kind(name: str, *wanted: str) -> TlvKind:
    kind = BY_NAME.get(name)
    if kind is None:
        raise EncodeError(f"no optional parameter is called {name!r}")
    if wanted and kind.kind not in wanted:
        raise EncodeError(f"optional parameter {name} is {kind.kind}, not {' or '.join(wanted)}")
    return kind


def make(name: str, value: int | str | bytes) -> Tlv:
    """The optional parameter `name` with `value` in the type the table gives it."""
    kind = _kind(name)
    if kind.kind == "int":
        if not isinstance(value, int) or not 0 <= value < 1 << 8 * kind.most:
            raise EncodeError(f"{name} is an unsigned integer of {kind.most} octets, not {value!r}")
        raw = value.to_bytes(kind.most, "big")
    elif kind.kind == "text":
        if not isinstance(value, str) or "\0" in value or not value.isascii():
            raise EncodeError(f"{name} is ASCII text without NUL, not {value!r}")
        raw = value.encode("ascii") + b"\0"
    else:
        if not isinstance(value, bytes):
            raise EncodeError(f"{name} is bytes, not {value!r}")
        raw = value
    if not kind.least <= len(raw) <= kind.most:
        raise EncodeError(f"{name} takes {kind.least} to {kind.most} octets, not {len(raw)}")
    return Tlv(kind.tag, raw)


def _find(tlvs: tuple[Tlv, ...], tag: int) -> bytes | None:
    for tlv in tlvs:
        if tlv.tag == tag:
            return tlv.value
    return None


def get_int(tlvs: tuple[Tlv, ...], name: str) -> int | None:
    """The first parameter `name` as an integer, None where it is absent."""
    raw = _find(tlvs, _kind(name, "int").tag)
    return None if raw is None else int.from_bytes(raw, "big")


def get_text(tlvs: tuple[Tlv, ...], name: str) -> str | None:
    """The first parameter `name` as text. The closing NUL may be missing: many peers leave it out."""
    raw = _find(tlvs, _kind(name, "text").tag)
    return None if raw is None else raw.split(b"\0", 1)[0].decode("latin-1")


def get_octets(tlvs: tuple[Tlv, ...], name: str) -> bytes | None:
    """The first parameter `name` as it stands on the wire, None where it is absent."""
    return _find(tlvs, _kind(name).tag)


def push_tlvs(tlvs: tuple[Tlv, ...]) -> bytes:
    """All parameters, one after the other: SMPP 3.4 3.2.4."""
    return b"".join(_HEAD.pack(tlv.tag, len(tlv.value)) + tlv.value for tlv in tlvs)


def pull_tlvs(data: bytes, at: int) -> tuple[Tlv, ...]:
    """What `push_tlvs` wrote, from `at` to the end of `data`; lengths of known tags are checked."""
    tlvs: list[Tlv] = []
    end = len(data)
    while at < end:
        if end - at < 4:
            raise DecodeError(
                f"{end - at} octets left over after the optional parameters",
                command_status=CommandStatus.ESME_RINVOPTPARSTREAM,
            )
        tag, length = _HEAD.unpack_from(data, at)
        at += 4
        if end - at < length:
            raise DecodeError(
                f"TLV 0x{tag:04X} claims {length} octets, {end - at} are left",
                command_status=CommandStatus.ESME_RINVOPTPARSTREAM,
            )
        kind = BY_TAG.get(tag)
        if kind is not None and not kind.least <= length <= kind.most:
            raise DecodeError(
                f"{kind.name} takes {kind.least} to {kind.most} octets, not {length}",
                command_status=CommandStatus.ESME_RINVPARLEN,
            )
        tlvs.append(Tlv(tag, data[at : at + length]))
        at += length
    return tuple(tlvs)
