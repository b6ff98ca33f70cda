"""Delivery receipts: the text of SMPP 3.4 appendix B, and the optional parameters that say the same.

id:IIIIIIIIII sub:SSS dlvrd:DDD submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DDDDDDD err:EEE text:....
"""

import re
from dataclasses import dataclass

from smpp.errors import DecodeError, EncodeError
from smpp.pdu import DeliverSm
from smpp.status import ESM_RECEIPT, ESM_TYPE_MASK, CommandStatus, MessageState
from smpp.tlv import Tlv, get_int, get_text, make

STATE_WORDS: dict[MessageState, str] = {
    # SMPP 3.4 appendix B, table B-2; ENROUTE as intermediate notifications say it
    MessageState.ENROUTE: "ENROUTE",
    MessageState.DELIVERED: "DELIVRD",
    MessageState.EXPIRED: "EXPIRED",
    MessageState.DELETED: "DELETED",
    MessageState.UNDELIVERABLE: "UNDELIV",
    MessageState.ACCEPTED: "ACCEPTD",
    MessageState.UNKNOWN: "UNKNOWN",
    MessageState.REJECTED: "REJECTD",
}
"""stat: in the text."""

_STATES = {word: state for state, word in STATE_WORDS.items()}
_NAMES = ("id", "sub", "dlvrd", "submit date", "done date", "stat", "err", "text")
_FIELD = re.compile(rf"\b({'|'.join(_NAMES)}):", re.IGNORECASE)
_USUAL = re.compile(
    r"id:([^ ]+) sub:(\d{3}) dlvrd:(\d{3}) submit date:(\d*) done date:(\d*) "
    r"stat:([A-Z]+) err:([0-9A-Za-z]+) [Tt]ext:(.*)",
    re.DOTALL,
)
"""What most message centres write: the fields and their order of appendix B."""
_DATE = re.compile(r"\d{10}(\d\d)?")
_ERROR = re.compile(r"[0-9A-Za-z]{0,9}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one message."""

    message_id: str
    """As submit_sm_resp gave it."""
    state: MessageState
    submitted: int = 1
    """Short messages submitted."""
    delivered: int = 0
    """Of them delivered."""
    submit_date: str = ""
    """YYMMDDhhmm or YYMMDDhhmmss in the SMSC's local time; empty if not told."""
    done_date: str = ""
    """When the final state was reached, likewise."""
    error: str = "000"
    """Network or SMSC error code, the SMSC's own numbering."""
    text: str = ""
    """The first characters of the message; at most 20 are written."""

    def __post_init__(self) -> None:
        if not self.message_id or " " in self.message_id or len(self.message_id) > 64:
            raise EncodeError(f"message_id {self.message_id!r} is empty, has a space or is over 64 long")
        if not 0 <= self.submitted <= 999 or not 0 <= self.delivered <= 999:
            raise EncodeError(f"sub {self.submitted} and dlvrd {self.delivered} are 0..999")
        for date in (self.submit_date, self.done_date):
            if date and not _DATE.fullmatch(date):
                raise EncodeError(f"{date!r} is not YYMMDDhhmm")
        if not _ERROR.fullmatch(self.error):
            raise EncodeError(f"err {self.error!r} is not a short code")

    def format(self) -> str:
        """The text of the deliver_sm."""
        return (
            f"id:{self.message_id} sub:{self.submitted:03d} dlvrd:{self.delivered:03d} "
            f"submit date:{self.submit_date} done date:{self.done_date} "
            f"stat:{STATE_WORDS[self.state]} err:{self.error} text:{self.text[:20]}"
        )

    def tlvs(self) -> tuple[Tlv, ...]:
        """receipted_message_id and message_state, SMPP 3.4 5.3.2.12 and 5.3.2.35."""
        return (make("receipted_message_id", self.message_id), make("message_state", int(self.state)))


def parse(text: str) -> Receipt:
    """The receipt that `text` is. Fields may be missing or in another order, except id and stat."""
    usual = _USUAL.fullmatch(text)
    try:
        if usual is not None:
            name, sub, dlvrd, submit_date, done_date, stat, err, first = usual.groups()
            return Receipt(name, _STATES[stat], int(sub), int(dlvrd), submit_date, done_date, err, first)
        fields = _fields(text)
        return Receipt(
            message_id=fields.get("id", ""),
            state=_STATES[fields.get("stat", "").upper()],
            submitted=int(fields.get("sub") or 1),
            delivered=int(fields.get("dlvrd") or 0),
            submit_date=fields.get("submit date", ""),
            done_date=fields.get("done date", ""),
            error=fields.get("err") or "000",
            text=fields.get("text", ""),
        )
    except (KeyError, ValueError) as fault:
        raise DecodeError(
            f"no delivery receipt: {text!r} ({fault})", command_status=CommandStatus.ESME_RX_P_APPN
        ) from None


def _fields(text: str) -> dict[str, str]:
    marks = list(_FIELD.finditer(text))
    fields: dict[str, str] = {}
    for number, mark in enumerate(marks, start=1):
        name = mark.group(1).lower()
        if name == "text":  # the rest, whatever it looks like
            fields[name] = text[mark.end() :]
            break
        end = marks[number].start() if number < len(marks) else len(text)
        fields.setdefault(name, text[mark.end() : end].strip())
    return fields


def is_receipt(body: DeliverSm) -> bool:
    """Whether esm_class says receipt: SMPP 3.4 5.2.12."""
    return body.esm_class & ESM_TYPE_MASK == ESM_RECEIPT


def from_deliver(body: DeliverSm) -> Receipt:
    """The receipt in a deliver_sm.

    Optional parameters win over the text; where both of them are there, the text may be anything.
    """
    text = body.short_message.decode("latin-1")
    message_id = get_text(body.tlvs, "receipted_message_id")
    number = get_int(body.tlvs, "message_state")
    try:
        state = None if number is None else MessageState(number)
        told = parse(text)
    except ValueError as fault:
        raise DecodeError(f"{fault}", command_status=CommandStatus.ESME_RX_P_APPN) from None
    except DecodeError:
        if not message_id or state is None:
            raise
        delivered = int(state is MessageState.DELIVERED)
        return _checked(message_id, state, Receipt("-", state, delivered=delivered))
    message_id, state = message_id or told.message_id, told.state if state is None else state
    if (message_id, state) == (told.message_id, told.state):
        return told
    return _checked(message_id, state, told)


def _checked(message_id: str, state: MessageState, told: Receipt) -> Receipt:
    try:
        return Receipt(
            message_id,
            state,
            told.submitted,
            told.delivered,
            told.submit_date,
            told.done_date,
            told.error,
            told.text,
        )
    except EncodeError as fault:
        raise DecodeError(f"{fault}", command_status=CommandStatus.ESME_RX_P_APPN) from None
