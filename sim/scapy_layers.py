r"""The A interface as scapy packets, for people who craft and look at messages by hand.

Thin over the reference codec: a packet's fields are the codec's values, its octets are what the codec
writes, and elements have the specification's names. Importing this module binds M3UA to SCTP DATA chunks
with payload protocol id 3, and SCTP to UDP port 9899 (RFC 6951).

    >>> from sim.bssap.cells import cgi
    >>> from sim.bssap.identity import MobileIdentity
    >>> from sim.scapy_layers import BSSAP, BSSMAP, DTAP, M3UA, SCCP
    >>> request = DTAP(pd=5, message="CM SERVICE REQUEST", elements={
    ...     "CM service type": 1, "Ciphering key sequence number": 0,
    ...     "Mobile station classmark 2": bytes.fromhex("331981"),
    ...     "Mobile identity": MobileIdentity("IMSI", "460001234567890")})
    >>> complete = BSSMAP(message="COMPLETE LAYER 3 INFORMATION",
    ...                   elements={"Cell Identifier": cgi("460", "00", 0x1234, 7)})
    >>> packet = M3UA(opc=257, dpc=1) / SCCP(type="CR", source=0x10203) / BSSAP() / complete / request
    >>> M3UA(bytes(packet))[DTAP].element("Mobile identity").digits
    '460001234567890'

Layers inside are payloads: RP of CP-DATA, TPDU of RP-DATA, DTAP of BSSMAP's layer 3 information. A message
that was read and not changed is written as it was read, even where the codec would write it otherwise. What
cannot be decoded is scapy's Raw, unless `conf.debug_dissector` is set; then it is the codec's DecodeError.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final, cast

from scapy.config import conf
from scapy.fields import ConditionalField, PacketLenField
from scapy.layers.inet import UDP
from scapy.layers.sctp import SCTP, SCTPChunkData
from scapy.packet import Packet, bind_bottom_up, bind_layers

from sigtran import MessageBatch, TransportError, connect, m3ua
from sigtran.association import AspSide, AspState
from sigtran.transport import PPID, UDP_PORT
from sim.bssap import bssap, bssmap, dtap, sccp, sms, tpdu
from sim.bssap.elements import Message
from sim.bssap.flat import jsonable
from sim.bssap.sccp_address import SSN_BSSAP, Address
from sim.m3ua_view import SI_SCCP, pull_parameter, push_parameter
from sim.scapy_fields import Coded, Elements, Value, lines, reference_text, text

__all__ = ["BSSAP", "BSSMAP", "DTAP", "M3UA", "RP", "SCCP", "TPDU", "data_chunk", "deliver"]


def _is_data(packet: Packet) -> bool:
    return bool(packet.getfieldval("message") == "DATA")


def _is_given(name: str) -> Callable[[Packet], bool]:
    return lambda packet: packet.getfieldval(name) is not None


class M3UA(Coded):
    """RFC 4666. The payload is the user's message of a DATA; `parameters` are those without a field."""

    fields_desc: ClassVar[list[Any]] = [
        Value("message", "DATA", str),
        *(
            ConditionalField(Value(name, default), _is_data)
            for name, default in (("opc", 0), ("dpc", 0), ("si", SI_SCCP), ("ni", 2), ("mp", 0), ("sls", 0))
        ),
        *(
            ConditionalField(Value(name, None), _is_given(name))
            for name in ("network_appearance", "routing_context", "correlation_id")
        ),
        Elements("parameters"),
    ]
    _PAIRS = "parameters"
    _LABEL: ClassVar = ("opc", "dpc", "si", "ni", "mp", "sls",
                        "network_appearance", "routing_context", "correlation_id")  # fmt: skip

    def _read(self, octets: bytes) -> tuple[bytes, dict[str, Any]]:
        message = m3ua.decode(octets)
        fields: dict[str, Any] = {"message": message.name}
        if message.name != "DATA" or message.first(m3ua.Tag.PROTOCOL_DATA) is None:
            fields["parameters"] = [pull_parameter(p) for p in message.parameters]
            return b"", fields
        data = m3ua.DataMessage.from_message(message)
        fields |= {name: getattr(data, name) for name in self._LABEL}
        fields["parameters"] = [pull_parameter(p) for p in data.others]
        return data.payload, fields

    def _write(self, payload: bytes) -> bytes:
        name = self.getfieldval("message")
        parameters = tuple(push_parameter(*pair) for pair in self.getfieldval("parameters"))
        if name == "DATA":
            label = {field: self.getfieldval(field) for field in self._LABEL}
            return m3ua.encode(m3ua.DataMessage(payload=payload, others=parameters, **label))
        message_class, message_type = m3ua.NUMBERS.get(name) or map(int, name.split("/"))
        return m3ua.encode(m3ua.Message(message_class, message_type, parameters))

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        return SCCP if self.getfieldval("si") == SI_SCCP else conf.raw_layer


def _in_type(name: str) -> Callable[[Packet], bool]:
    """Whether a parameter is to be shown: it is mandatory for the type, or there."""

    def shown(packet: Packet) -> bool:
        row = sccp.BY_SHORT.get(packet.getfieldval("type"))
        mandatory = row is not None and name in (*row.fixed, *row.variable)
        return mandatory or packet.getfieldval(name) is not None

    return shown


class SCCP(Coded):
    """Q.713. The payload is the user data; mandatory parameters that are not given get usual values."""

    _SHOWN: ClassVar[dict[str, Callable[[Any], str]]] = {
        "destination": reference_text, "source": reference_text, "protocol_class": repr, "cause": repr,
        "called": text, "calling": text, "more": repr, "sequencing": repr, "receive_number": repr,
        "credit": repr, "hop_counter": repr, "segmentation": text, "importance": repr,
    }  # fmt: skip
    fields_desc: ClassVar[list[Any]] = [
        Value("type", "DT1", lambda short: f"{short} ({sccp.BY_SHORT[short].name})"),
        *(ConditionalField(Value(name, None, show), _in_type(name)) for name, show in _SHOWN.items()),
    ]
    _USUAL: ClassVar[dict[str, Any]] = {
        "destination": 0, "source": 0, "cause": 0, "more": False, "sequencing": 0, "receive_number": 0,
        "credit": 0, "hop_counter": 15, "called": Address(SSN_BSSAP), "calling": Address(SSN_BSSAP),
    }  # fmt: skip

    def _read(self, octets: bytes) -> tuple[bytes, dict[str, Any]]:
        message = sccp.decode(octets)
        fields = {name: getattr(message, name) for name in ("type", *self._SHOWN)}
        return message.data or b"", fields

    def _write(self, payload: bytes) -> bytes:
        kind = self.getfieldval("type")
        values = {name: self.getfieldval(name) for name in self._SHOWN}
        row = sccp.BY_SHORT.get(kind)
        for name in (*row.fixed, *row.variable) if row else ():
            if name != "data" and values[name] is None:
                # Q.713 3.6: connections are of class 2, unit data of class 0.
                values[name] = self._USUAL.get(name, 0 if "calling" in (row.variable if row else ()) else 2)
        return sccp.encode(sccp.SccpMessage(kind, data=payload or None, **values))

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        called = self.getfieldval("called")
        for_bssap = called is None or called.ssn in (None, SSN_BSSAP)
        whole = not self.getfieldval("more") and self.getfieldval("segmentation") is None
        return BSSAP if for_bssap and whole else conf.raw_layer

    def _title(self) -> str:
        return str(self.getfieldval("type"))


_DISCRIMINATION: Final = {bssap.BSSMAP: "BSSMAP", bssap.DTAP: "DTAP"}


class BSSAP(Coded):
    """TS 48.006 9.3. The discrimination follows from the payload where it is not given."""

    fields_desc: ClassVar[list[Any]] = [
        Value("discrimination", 0, lambda value: f"{value} ({_DISCRIMINATION.get(value, 'unknown')})"),
        ConditionalField(Value("dlci", 0), lambda p: p.getfieldval("discrimination") == bssap.DTAP),
    ]

    def _read(self, octets: bytes) -> tuple[bytes, dict[str, Any]]:
        message = bssap.decode(octets)
        return message.payload, {"discrimination": message.discrimination, "dlci": message.dlci}

    def _write(self, payload: bytes) -> bytes:
        return bssap.encode(
            bssap.Bssap(self.getfieldval("discrimination"), payload, self.getfieldval("dlci"))
        )

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        return DTAP if self.getfieldval("discrimination") == bssap.DTAP else BSSMAP

    def _title(self) -> str:
        return _DISCRIMINATION.get(self.getfieldval("discrimination"), "")


class _Elemental(Coded):
    """A message of elements, one of which may be the payload."""

    _INSIDE: ClassVar[tuple[str, ...]] = ()
    """Elements whose content is the payload; the first of them is added where a payload has no place yet."""

    def _split(self, message: Message) -> tuple[bytes, dict[str, Any]]:
        pairs = list(message.elements)
        for index, (name, value) in enumerate(pairs):
            if name in self._INSIDE and value:
                pairs[index] = (name, ...)
                return value, {"message": message.name, "elements": pairs}
        return b"", {"message": message.name, "elements": pairs}

    def _joined(self, payload: bytes) -> Message:
        pairs = self.getfieldval("elements")
        if payload and all(value is not ... for _, value in pairs):
            pairs = [*pairs, (self._INSIDE[0], ...)]
        filled = tuple((name, payload if value is ... else value) for name, value in pairs)
        return Message(self.getfieldval("message"), filled)


class BSSMAP(_Elemental):
    """TS 48.008. The payload is the layer 3 message, where one is inside."""

    fields_desc: ClassVar[list[Any]] = [
        Value("message", "RESET ACKNOWLEDGE", str),
        Elements("elements"),
    ]
    _INSIDE = ("Layer 3 Information", "Layer 3 Message Contents")

    def _read(self, octets: bytes) -> tuple[bytes, dict[str, Any]]:
        return self._split(bssmap.decode(octets))

    def _write(self, payload: bytes) -> bytes:
        return bssmap.encode(self._joined(payload))

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        return DTAP


class DTAP(_Elemental):
    """TS 24.007 11.2.3 and the message of TS 24.008, 24.011 (CP) or 24.080. Inside CP-DATA there is an RP."""

    fields_desc: ClassVar[list[Any]] = [
        Value("pd", dtap.PD_MM, lambda pd: f"{pd} ({dtap.BY_PD[pd].name})" if pd in dtap.BY_PD else repr(pd)),
        Value("ti", 0),
        Value("ti_flag", 0),
        Value("sequence", 0),
        Value("message", "CM SERVICE ACCEPT", str),
        Elements("elements"),
    ]
    _INSIDE = ("CP-User data",)

    def _read(self, octets: bytes) -> tuple[bytes, dict[str, Any]]:
        value = dtap.decode(octets)
        payload, fields = self._split(value.message)
        head = {"pd": value.pd, "ti": value.ti, "ti_flag": value.ti_flag, "sequence": value.sequence}
        return payload, head | fields

    def _write(self, payload: bytes) -> bytes:
        head = {name: self.getfieldval(name) for name in ("pd", "ti", "ti_flag", "sequence")}
        return dtap.encode(dtap.Dtap(message=self._joined(payload), **head))

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        return RP


class RP(_Elemental):
    """TS 24.011 7.3. Inside there may be a TPDU."""

    fields_desc: ClassVar[list[Any]] = [
        Value("message", "RP-DATA", str),
        Value("reference", 0),
        Value("from_network", True),
        Elements("elements"),
    ]
    _INSIDE = ("RP-User data",)

    def _read(self, octets: bytes) -> tuple[bytes, dict[str, Any]]:
        value = sms.decode_rp(octets)
        payload, fields = self._split(value.message)
        return payload, {"reference": value.reference, "from_network": value.from_network} | fields

    def _write(self, payload: bytes) -> bytes:
        message = self._joined(payload)
        return sms.encode_rp(sms.Rp(message, self.getfieldval("reference"), self.getfieldval("from_network")))

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        return TPDU


def _tpdu_lines(value: tpdu.Tpdu) -> str:
    user_data = getattr(value, "user_data", None)
    read = [] if user_data is None or user_data.text is None else [("text", user_data.text)]
    return lines([("message", tpdu.name(value)), *jsonable(value).items(), *read])


class TPDU(Coded):
    """TS 23.040. `value` is a Submit, Deliver, StatusReport, Command or Report of `sim.bssap.tpdu`."""

    fields_desc: ClassVar[list[Any]] = [Value("value", None, _tpdu_lines)]

    def _read(self, octets: bytes) -> tuple[bytes, dict[str, Any]]:
        # TS 23.040 9.2.3.1: the direction says what the type indicator means.
        direction = self.underlayer.getfieldval("from_network") if isinstance(self.underlayer, RP) else None
        return b"", {"value": tpdu.decode(octets, from_network=direction)}

    def _write(self, payload: bytes) -> bytes:
        return tpdu.encode(self.getfieldval("value"))

    def _title(self) -> str:
        return tpdu.name(self.getfieldval("value"))


class _ChunkData(PacketLenField):
    """The user data of a DATA chunk: an M3UA where its protocol id says so and it is no fragment.

    Not `bind_layers`: to scapy a chunk's payload is the next chunk, which would then be taken for M3UA.
    """

    __slots__ = ("_before",)

    def __init__(self, before: Any) -> None:
        super().__init__("data", cast("Packet", None), conf.raw_layer, length_from=before.length_from)
        self._before = before

    def m2i(self, pkt: Packet | None, m: bytes) -> Packet:
        if pkt is not None and pkt.proto_id == PPID and pkt.beginning == 1 and pkt.ending == 1:
            return M3UA(m)
        kept = self._before.m2i(pkt, m)
        return kept if isinstance(kept, Packet) else conf.raw_layer(kept)


def data_chunk(message: Packet | bytes, *, tsn: int = 0, stream_id: int = 1, stream_seq: int = 0) -> Packet:
    """An SCTP DATA chunk with one M3UA message; DATA never goes on stream 0 (RFC 4666 1.4.7)."""
    return SCTPChunkData(
        beginning=1,
        ending=1,
        tsn=tsn,
        stream_id=stream_id,
        stream_seq=stream_seq,
        proto_id=PPID,
        data=message,
    )


def deliver(
    messages: Iterable[Packet],
    host: str = "127.0.0.1",
    port: int = 2905,
    *,
    kind: str = "auto",
    encap_port: int = UDP_PORT,
    timeout_s: float = 5.0,
) -> None:
    """Send M3UA packets to a listener, such as the platform's collector, over an association of their own.

    Brings the association and the ASP up first and waits for the last acknowledgement. Raises
    `sigtran.TransportError` where nobody listens, answers or acknowledges in time.
    """
    octets = [(bytes(message), message.sls) for message in messages]
    association = connect(kind, host, port, encap_port=encap_port, timeout_s=timeout_s)
    try:
        side = AspSide()
        side.start(time.monotonic_ns())
        end = time.monotonic() + timeout_s
        while side.state is not AspState.ACTIVE:
            if said := side.pending():
                association.send(MessageBatch.from_messages(said, 0))
            if not association.wait(max(0.0, end - time.monotonic())):
                raise TransportError(f"{host}:{port}: the peer does not answer M3UA ({side.state.name})")
            for answer in association.receive() or ():
                side.receive(answer, time.monotonic_ns())
        streams = [1 + sls % (association.streams - 1) for _, sls in octets]
        association.send(MessageBatch.from_messages([one for one, _ in octets], streams))
        if not association.flush(timeout_s):
            raise TransportError(f"{host}:{port}: not all was acknowledged in {timeout_s} s")
    finally:
        association.close()


def _bind() -> None:
    padded: Any = SCTPChunkData.fields_desc[-1]
    if not isinstance(padded.fld, _ChunkData):
        padded.fld = _ChunkData(padded.fld)
        # What scapy has remembered of the class before.
        for remembered in (Packet.class_packetfields, Packet.class_default_fields, Packet.class_fieldtype):
            remembered.pop(SCTPChunkData, None)
    for ports in ({"sport": UDP_PORT}, {"dport": UDP_PORT}):
        bind_bottom_up(UDP, SCTP, **ports)
    bind_layers(UDP, SCTP, sport=UDP_PORT, dport=UDP_PORT)
    bind_layers(BSSAP, BSSMAP, discrimination=bssap.BSSMAP)
    bind_layers(BSSAP, DTAP, discrimination=bssap.DTAP)


_bind()
