"""The messages of MM7 as values, TS 23.140; `mm7.soap` writes and reads them."""

from dataclasses import dataclass
from typing import Literal

from mm7.errors import EncodeError
from mm7.status import StatusCode, text_of

__all__ = [
    "REPORTS",
    "Address",
    "CancelReq",
    "CancelRsp",
    "DeliverReq",
    "DeliverRsp",
    "DeliveryReportReq",
    "DeliveryReportRsp",
    "Message",
    "MessageClass",
    "Part",
    "Priority",
    "RSErrorRsp",
    "Status",
    "SubmitReq",
    "SubmitRsp",
    "VASPErrorRsp",
]

MessageClass = Literal["Personal", "Informational", "Advertisement", "Auto"]
Priority = Literal["Low", "Normal", "High"]
AddressKind = Literal["Number", "ShortCode", "RFC2822Address"]


@dataclass(frozen=True, slots=True)
class Address:
    """One address: a subscriber's number, a short code, or a mail address."""

    value: str
    kind: AddressKind = "Number"

    def __post_init__(self) -> None:
        if not self.value or not self.value.isprintable():
            raise EncodeError(f"{self.kind} {self.value!r} is no address")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the multimedia content."""

    name: str
    """Content-Location: ASCII, as a file is called."""
    content_type: str
    """Such as image/jpeg; text/plain is UTF-8."""
    data: bytes

    def __post_init__(self) -> None:
        for value in (self.name, self.content_type):
            if not value.isascii() or not value.isprintable() or '"' in value or not value:
                raise EncodeError(f"{value!r} cannot stand in a MIME header")
        if self.content_type.count("/") != 1:
            raise EncodeError(f"{self.content_type!r} is no content type")

    @property
    def text(self) -> str:
        """Of a text part."""
        return self.data.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Status:
    """How a request ended."""

    code: int = StatusCode.SUCCESS
    text: str = ""
    """Empty: the words of the table."""
    details: str = ""

    @property
    def success(self) -> bool:
        """Whether it was carried out, at least in part."""
        return self.code // 1000 == 1

    def __str__(self) -> str:
        said = self.text or text_of(self.code)
        return f"{self.code} {said}" + (f": {self.details}" if self.details else "")


@dataclass(frozen=True, slots=True)
class SubmitReq:
    """MM7_submit.REQ: the value-added service provider sends a message to subscribers."""

    transaction_id: str
    vaspid: str
    vasid: str
    sender: Address | None
    recipients: tuple[Address, ...]
    """To; of copies nothing is made here."""
    service_code: str = ""
    linked_id: str = ""
    """Of the message that this one answers."""
    message_class: MessageClass | None = None
    """None: the default of the schema, Informational."""
    time_stamp_us: int | None = None
    """When it was submitted, Unix us; whole seconds on the wire."""
    expiry_us: int | None = None
    """When nobody is to get it any more, Unix us; whole seconds on the wire, rounded down."""
    delivery_report: bool | None = None
    priority: Priority | None = None
    subject: str = ""
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class SubmitRsp:
    """MM7_submit.RES."""

    transaction_id: str
    status: Status = Status()
    message_id: str = ""
    """The MMSC's, where it was taken."""


@dataclass(frozen=True, slots=True)
class CancelReq:
    """MM7_cancel.REQ: takes back what has not been delivered."""

    transaction_id: str
    vaspid: str
    vasid: str
    sender: Address | None
    message_id: str


@dataclass(frozen=True, slots=True)
class CancelRsp:
    """MM7_cancel.RES."""

    transaction_id: str
    status: Status = Status()


@dataclass(frozen=True, slots=True)
class DeliveryReportReq:
    """MM7_delivery_report.REQ: what became of a message at one recipient."""

    transaction_id: str
    relay_id: str
    """MMSRelayServerID; may be empty."""
    message_id: str
    recipient: Address
    sender: Address
    date_us: int
    """When it was handled, Unix us; whole seconds on the wire."""
    mm_status: str
    """One of `mm7.status.MM_STATUSES`."""
    status_text: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryReportRsp:
    """MM7_delivery_report.RES."""

    transaction_id: str
    status: Status = Status()


@dataclass(frozen=True, slots=True)
class DeliverReq:
    """MM7_deliver.REQ: a subscriber's message to the service."""

    transaction_id: str
    relay_id: str
    linked_id: str
    """An answer to it names this."""
    sender: Address
    recipients: tuple[Address, ...]
    time_stamp_us: int | None = None
    priority: Priority | None = None
    subject: str = ""
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class DeliverRsp:
    """MM7_deliver.RES."""

    transaction_id: str
    status: Status = Status()


@dataclass(frozen=True, slots=True)
class RSErrorRsp:
    """MM7_RS_error.RES: the MMSC could not make sense of a request; the detail of a SOAP fault."""

    transaction_id: str
    status: Status


@dataclass(frozen=True, slots=True)
class VASPErrorRsp:
    """MM7_VASP_error.RES: the same of the other side."""

    transaction_id: str
    status: Status


Message = (
    SubmitReq
    | SubmitRsp
    | CancelReq
    | CancelRsp
    | DeliveryReportReq
    | DeliveryReportRsp
    | DeliverReq
    | DeliverRsp
    | RSErrorRsp
    | VASPErrorRsp
)

REPORTS = (RSErrorRsp, VASPErrorRsp)
"""Messages that stand in the detail of a SOAP fault."""
