"""MM7 in SOAP 1.1: one table of elements, in the order of the schema, for writing and for reading.

    content_type, body = encode(SubmitReq(...))
    message = decode(content_type, body)

The header holds the TransactionID, the body one message; error responses stand in the detail of a fault.
Names are those of the schema REL-6-MM7-1-4 of TS 23.140; schemas of other releases are read as well, since
they differ in what is not used here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast
from xml.etree.ElementTree import Element, SubElement, tostring

from mm7 import mime
from mm7.errors import DecodeError, EncodeError
from mm7.messages import (
    REPORTS,
    Address,
    AddressKind,
    CancelReq,
    CancelRsp,
    DeliverReq,
    DeliverRsp,
    DeliveryReportReq,
    DeliveryReportRsp,
    Message,
    RSErrorRsp,
    Status,
    SubmitReq,
    SubmitRsp,
    VASPErrorRsp,
)
from mm7.status import MM_STATUSES, StatusCode, text_of
from mm7.times import pull_time_us, push_time_us
from mm7.xml_tree import parse

__all__ = ["NAMESPACE", "SOAP", "VERSION", "decode", "encode"]

SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
SCHEMAS: Final = "http://www.3gpp.org/ftp/Specs/archive/23_series/23.140/schema/REL-"
NAMESPACE: Final = f"{SCHEMAS}6-MM7-1-4"
VERSION: Final = "6.8.0"
"""MM7Version: of the specification that the schema belongs to."""
ADDRESS_KINDS: Final = ("RFC2822Address", "Number", "ShortCode")


@dataclass(frozen=True, slots=True)
class _Field:
    """One attribute of a message and its element."""

    attribute: str
    path: str
    """Element, or element/element."""
    kind: str = "text"
    needed: bool = False


_SENDER: Final = (
    _Field("vaspid", "SenderIdentification/VASPID"),
    _Field("vasid", "SenderIdentification/VASID"),
    _Field("sender", "SenderIdentification/SenderAddress", "address"),
)
_STATUS: Final = (_Field("status", "Status", "status", needed=True),)

FIELDS: Final[Mapping[type[Any], tuple[_Field, ...]]] = {
    SubmitReq: (
        *_SENDER,
        _Field("recipients", "Recipients/To", "addresses", needed=True),
        _Field("service_code", "ServiceCode"),
        _Field("linked_id", "LinkedID"),
        _Field("message_class", "MessageClass", "class"),
        _Field("time_stamp_us", "TimeStamp", "time"),
        _Field("expiry_us", "ExpiryDate", "expiry"),
        _Field("delivery_report", "DeliveryReport", "bool"),
        _Field("priority", "Priority", "priority"),
        _Field("subject", "Subject"),
        _Field("parts", "Content", "content"),
    ),
    SubmitRsp: (*_STATUS, _Field("message_id", "MessageID")),
    CancelReq: (*_SENDER, _Field("message_id", "MessageID", needed=True)),
    CancelRsp: _STATUS,
    DeliveryReportReq: (
        _Field("relay_id", "MMSRelayServerID"),
        _Field("message_id", "MessageID", needed=True),
        _Field("recipient", "Recipient", "address", needed=True),
        _Field("sender", "Sender", "address", needed=True),
        _Field("date_us", "Date", "time", needed=True),
        _Field("mm_status", "MMStatus", "mm status", needed=True),
        _Field("status_text", "StatusText"),
    ),
    DeliveryReportRsp: _STATUS,
    DeliverReq: (
        _Field("relay_id", "MMSRelayServerID"),
        _Field("linked_id", "LinkedID"),
        _Field("sender", "Sender", "address", needed=True),
        _Field("recipients", "Recipients/To", "addresses"),
        _Field("time_stamp_us", "TimeStamp", "time"),
        _Field("priority", "Priority", "priority"),
        _Field("subject", "Subject"),
        _Field("parts", "Content", "content"),
    ),
    DeliverRsp: _STATUS,
    RSErrorRsp: _STATUS,
    VASPErrorRsp: _STATUS,
}
"""Elements after MM7Version, in the order of the schema."""
_KINDS: Final = {kind.__name__: kind for kind in FIELDS}
_ALSO: Final = {"Date": "TimeStamp"}
"""Elements that other releases call otherwise."""


def encode(message: Message) -> tuple[str, bytes]:
    """Content-Type and body of the HTTP message.

    Raises:
        EncodeError: a value that XML cannot carry, or a needed one is empty.
    """
    envelope = Element(f"{{{SOAP}}}Envelope")
    header = SubElement(SubElement(envelope, f"{{{SOAP}}}Header"), f"{{{NAMESPACE}}}TransactionID")
    header.text = _fit(message.transaction_id)
    header.set(f"{{{SOAP}}}mustUnderstand", "1")
    body = SubElement(envelope, f"{{{SOAP}}}Body")
    if isinstance(message, REPORTS):
        fault = SubElement(body, f"{{{SOAP}}}Fault")
        code = message.status.code
        # SOAP 1.1 4.4: faultcode and its brothers are in no namespace.
        SubElement(fault, "faultcode").text = "env:Client" if code // 1000 in (2, 4) else "env:Server"
        SubElement(fault, "faultstring").text = text_of(code)
        body = SubElement(fault, "detail")
    root = SubElement(body, f"{{{NAMESPACE}}}{type(message).__name__}")
    SubElement(root, f"{{{NAMESPACE}}}MM7Version").text = VERSION
    for field in FIELDS[type(message)]:
        value = getattr(message, field.attribute)
        if value is None or value in ("", ()):
            if field.needed:
                raise EncodeError(f"{type(message).__name__} needs {field.path}")
            continue
        *above, last = field.path.split("/")
        at = root
        for name in above:
            known = at.find(f"{{{NAMESPACE}}}{name}")
            at = known if known is not None else SubElement(at, f"{{{NAMESPACE}}}{name}")
        _WRITERS[field.kind](SubElement(at, f"{{{NAMESPACE}}}{last}"), value)
    xml = b'<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(
        envelope, encoding="utf-8", xml_declaration=False
    )
    parts = getattr(message, "parts", ())
    return mime.wrap(xml, parts) if parts else (mime.XML, xml)


def decode(content_type: str, body: bytes, now_us: int | None = None) -> Message:
    """What `encode` wrote, or somebody else. `now_us`: what relative times are counted from.

    Raises:
        DecodeError: it cannot be read, with the status that the sender is to be told.
    """
    xml, entities = mime.unwrap(content_type, body)
    envelope = parse(xml)
    if envelope.tag != f"{{{SOAP}}}Envelope":
        raise DecodeError("the root is no envelope of SOAP 1.1")
    transaction_id = ""
    for one in envelope.findall(f"{{{SOAP}}}Header/*"):
        if _local(one) == "TransactionID":
            transaction_id = (one.text or "").strip()
    try:
        return _message(envelope, entities, transaction_id, now_us)
    except DecodeError as error:
        error.transaction_id = transaction_id
        raise
    except EncodeError as error:  # a value that no message can have
        raise DecodeError(str(error), transaction_id=transaction_id) from None


def _message(envelope: Element, entities: mime.Entities, transaction_id: str, now_us: int | None) -> Message:
    root = next(iter(envelope.findall(f"{{{SOAP}}}Body/*")), None)
    if root is not None and root.tag == f"{{{SOAP}}}Fault":
        detail = next((one for one in root if _local(one) == "detail"), None)
        inside = next(iter(detail), None) if detail is not None else None
        if inside is None:
            said = next((one.text for one in root if _local(one) == "faultstring"), None)
            return RSErrorRsp(transaction_id, Status(StatusCode.SERVER_ERROR, (said or "fault")[:200]))
        root = inside
    if root is None:
        raise DecodeError("the body is empty")
    kind, namespace = _KINDS.get(_local(root)), root.tag.partition("}")[0][1:]
    if kind is None or not namespace.startswith(SCHEMAS):
        raise DecodeError(f"{root.tag[:200]} is no known message", StatusCode.UNSUPPORTED_OPERATION)
    values: dict[str, Any] = {"transaction_id": transaction_id}
    for field in FIELDS[kind]:
        found = _find(root, field.path)
        if found is None and field.path in _ALSO:
            found = _find(root, _ALSO[field.path])
        if found is None:
            if field.needed:
                raise DecodeError(f"{kind.__name__} without {field.path}")
            values[field.attribute] = _ABSENT[field.kind]
        else:
            values[field.attribute] = _READERS[field.kind](found, entities, now_us)
    return cast("Message", kind(**values))


def _find(root: Element, path: str) -> Element | None:
    at: Element | None = root
    for name in path.split("/"):
        at = next((one for one in at if _local(one) == name), None) if at is not None else None
    return at


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _fit(text: str) -> str:
    """XML 1.0 2.2: most control characters cannot be said in it at all."""
    wrong = next((c for c in text if (c < " " and c not in "\t\n\r") or "\ud800" <= c <= "\udfff"), None)
    if wrong is not None or "\ufffe" in text or "\uffff" in text:
        raise EncodeError(f"{text[:40]!r} has a character that XML cannot carry")
    return text


# ----------------------------------------------------------------- values, written


def _write_text(element: Element, value: str) -> None:
    element.text = _fit(value)


def _write_time(element: Element, value: int) -> None:
    element.text = push_time_us(value)


def _write_bool(element: Element, value: bool) -> None:
    element.text = "true" if value else "false"


def _write_address(element: Element, value: Address) -> None:
    SubElement(element, f"{{{NAMESPACE}}}{value.kind}").text = _fit(value.value)


def _write_addresses(element: Element, value: tuple[Address, ...]) -> None:
    for one in value:
        _write_address(element, one)


def _write_status(element: Element, value: Status) -> None:
    for name, said in (
        ("StatusCode", str(int(value.code))),
        ("StatusText", value.text or text_of(value.code)),
        ("Details", value.details),
    ):
        if said:
            SubElement(element, f"{{{NAMESPACE}}}{name}").text = _fit(said)


def _write_content(element: Element, _value: object) -> None:
    element.set("href", f"cid:{mime.CONTENT_ID}")
    element.set("allowAdaptations", "true")


_WRITERS: Final[dict[str, Callable[[Element, Any], None]]] = {
    "text": _write_text,
    "class": _write_text,
    "priority": _write_text,
    "mm status": _write_text,
    "time": _write_time,
    "expiry": _write_time,
    "bool": _write_bool,
    "address": _write_address,
    "addresses": _write_addresses,
    "status": _write_status,
    "content": _write_content,
}

# ----------------------------------------------------------------- values, read


def _text(element: Element) -> str:
    return (element.text or "").strip()


def _read_time(element: Element, _entities: mime.Entities, _now_us: int | None) -> int:
    return pull_time_us(_text(element))


def _read_expiry(element: Element, _entities: mime.Entities, now_us: int | None) -> int:
    return pull_time_us(_text(element), now_us)


def _read_bool(element: Element, _entities: mime.Entities, _now_us: int | None) -> bool:
    said = _text(element)
    if said not in ("true", "false", "1", "0"):
        raise DecodeError(f"{_local(element)} = {said[:20]!r}: expected true or false")
    return said in ("true", "1")


def _one_of(*known: str) -> Callable[[Element, mime.Entities, int | None], str]:
    by_lower = {one.lower(): one for one in known}

    def read(element: Element, _entities: mime.Entities, _now_us: int | None) -> str:
        said = by_lower.get(_text(element).lower())
        if said is None:
            raise DecodeError(f"{_local(element)} = {_text(element)[:20]!r}: expected {', '.join(known)}")
        return said

    return read


def _read_addresses(element: Element, _entities: mime.Entities, _now_us: int | None) -> tuple[Address, ...]:
    found = [Address(_text(one), cast("AddressKind", _local(one))) for one in element if _is_address(one)]
    if not found and _text(element):  # some senders put the bare number there
        found = [Address(_text(element))]
    if not found:
        raise DecodeError(f"{_local(element)} holds no address", StatusCode.ADDRESS_ERROR)
    return tuple(found)


def _is_address(element: Element) -> bool:
    return _local(element) in ADDRESS_KINDS


def _read_address(element: Element, entities: mime.Entities, now_us: int | None) -> Address:
    return _read_addresses(element, entities, now_us)[0]


def _read_status(element: Element, _entities: mime.Entities, _now_us: int | None) -> Status:
    said = {_local(one): "".join(one.itertext()).strip() for one in element}
    code = said.get("StatusCode", "")
    if not (code.isascii() and code.isdigit() and len(code) == 4):
        raise DecodeError(f"StatusCode = {code[:20]!r}: expected four digits")
    text, details = said.get("StatusText", ""), said.get("Details", "")
    return Status(int(code), "" if text == text_of(int(code)) else text, details)


def _read_content(element: Element, entities: mime.Entities, _now_us: int | None) -> Any:
    href = element.get("href", "")
    if not href.startswith("cid:"):
        raise DecodeError(
            f"Content href = {href[:40]!r}: expected cid:...", StatusCode.MULTIMEDIA_CONTENT_REFUSED
        )
    return entities.parts(href.removeprefix("cid:"))


_READERS: Final[dict[str, Callable[[Element, mime.Entities, int | None], Any]]] = {
    "text": lambda element, entities, now_us: _text(element),
    "class": _one_of("Personal", "Informational", "Advertisement", "Auto"),
    "priority": _one_of("Low", "Normal", "High"),
    "mm status": _one_of(*MM_STATUSES),
    "time": _read_time,
    "expiry": _read_expiry,
    "bool": _read_bool,
    "address": _read_address,
    "addresses": _read_addresses,
    "status": _read_status,
    "content": _read_content,
}
_ABSENT: Final[dict[str, Any]] = {"text": "", "addresses": (), "content": ()} | dict.fromkeys(
    ("class", "priority", "mm status", "time", "expiry", "bool", "address", "status")
)
