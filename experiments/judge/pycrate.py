"""pycrate as a judge: another reader and writer of M3UA, SCCP, BSSAP, BSSMAP, MM, CC, SMS and SS.

It is asked three things of each message: that it reads it, under our name; that what it read, written again,
gives the same octets; and that header fields, references, identities and causes are ours. It is lenient: what
it does not understand it prints and keeps as octets, so its word is weaker than Wireshark's on contents. Its
licence is the LGPL: a judge of tests, not a dependency.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import io
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any, Final

from experiments.judge.kinds import kinds_of
from experiments.judge.verdict import Verdict
from experiments.problems import BadInput
from sigtran import m3ua
from sigtran.m3ua import NUMBERS, DataMessage, Tag, decode, encode
from sim.bssap import DecodeError, bssap, bssmap, dtap, sccp
from sim.bssap.bssmap_elements import BY_NAME
from sim.bssap.cells import CellIdentifier
from sim.bssap.elements import Message, Unknown
from sim.bssap.identity import encode_plmn
from sim.m3ua_view import view_m3ua

__all__ = ["EXCUSES", "available", "judge_pycrate"]

_PATIENCE_S: Final = 2.0
"""Processor time after which a message is given up: pycrate does not end on some."""


#: Its word for a message that it read and in which it misses a parameter.
_CONDITIONAL: Final = 4
_CONDITIONAL_WHY: Final = "RFC 4666 3.3-3.8: a Routing Context is conditional; pycrate misses it"


#: Why a part of a message is not asked about, and which it is.
_Excuse = tuple[str, Callable[[Any], bool]]


def _with(*names: str) -> Callable[[Any], bool]:
    return lambda message: any(name in message for name in names)


def _identity_inside(message: Any) -> bool:
    return any(name in ("IMSI", "Mobile Identity", "IMEI") for name, _ in message.elements[:-1])


def _other_list(message: Any) -> bool:
    found = message.get("Cell Identifier List")
    return isinstance(found, CellIdentifier) and found.discriminator in (3, 4, 5, 6)


#: Elements of call control that only one side sends: TS 24.008 9.3.
_OF_THE_STATION: Final = frozenset(
    {"SS Version Indicator", "Stream Identifier", "Call Control Capabilities", "CLIR suppression",
     "Redial", "Supported Codecs", "CLIR invocation", "Facility (recall alignment, essential)",
     "Facility (recall alignment, not essential)"}
)  # fmt: skip
_OF_THE_NETWORK: Final = frozenset(
    {"Progress indicator", "Signal", "Calling party BCD number", "Calling party subaddress", "Priority",
     "Redirecting party BCD number", "Redirecting party subaddress", "Alerting pattern", "Cause of No CLI",
     "Network Call Control Capabilities", "Connected number", "Connected subaddress"}
)  # fmt: skip


def _both_directions(value: dtap.Dtap) -> bool:
    names = {name for name, _ in value.message.elements}
    mixed = not (names.isdisjoint(_OF_THE_STATION) or names.isdisjoint(_OF_THE_NETWORK))
    return value.pd == dtap.PD_CC and mixed


_SCCP: Final[tuple[_Excuse, ...]] = (
    ("Q.713 4.16: pycrate does not know ERR", lambda shown: shown["sccp"] == "ERR"),
    (
        "Q.713 4.14: RSR has no optional part; pycrate wants a pointer to one",
        lambda shown: shown["sccp"] == "RSR",
    ),
)
_BSSMAP: Final[tuple[_Excuse, ...]] = (
    ("TS 48.008 3.2.2.7: a TMSI has a length octet; pycrate reads none", _with("TMSI")),
    ("TS 48.008 3.2.2.68: the length of an APDU has two octets; pycrate reads one, "
     "so it is asked up to there", _with("APDU")),
    ("TS 48.008 3.2.2.54: a talker flag has no content; pycrate reads a length", _with("Talker Flag")),
    ("TS 48.008 3.2.2.127: a PLMN of three octets without length; pycrate reads one",
     _with("Last used E-UTRAN PLMN ID")),
    ("TS 48.008 3.2.2.5: a cause may have two octets; pycrate reads one",
     lambda message: message.get("Cause", 0) > 0x7F),
    ("TS 48.008 3.2.2.27: a list may be of location areas or have no cells; pycrate does not end on it",
     _other_list),
    ("TS 48.008 3.2.2.6, 3.2.2.41: an identity has as many octets as its length says; pycrate takes all that "
     "follows it", _identity_inside),
)  # fmt: skip
_LAYER_3: Final[tuple[_Excuse, ...]] = (
    ("TS 24.008 9.3.31: pycrate refuses some USER INFORMATION, with More data and without",
     lambda value: value.name == "USER INFORMATION"),
    ("TS 24.008 9.3: elements of both directions in one message, as nobody sends it; pycrate has "
     "a table for each", _both_directions),
    ("TS 24.007 11.2.3.1.3: an extended transaction identifier has two octets; pycrate takes the "
     "second for the type",
     lambda value: value.ti >= 7 and dtap.BY_PD[value.pd].transactions),
    ("TS 44.018 10.5.2.1b, 10.5.2.13: pycrate writes frequency lists in another of their formats",
     lambda value: _with("Cell Channel Description", "Frequency List, after time",
                         "Frequency Short List, after time")(value.message)),
)  # fmt: skip
#: Read through by the page: every reason once.
EXCUSES: Final = (
    _CONDITIONAL_WHY,
    "RFC 4666 3.2: a Network Appearance has 32 bits; pycrate reads 8, so it is asked without one",
    *(why for table in (_SCCP, _BSSMAP, _LAYER_3) for why, _ in table),
)
#: Messages of which nobody reads more than what stands before the APDU.
_UP_TO_APDU: Final = frozenset({"CONNECTIONLESS INFORMATION"})
#: pycrate's names of types, where they are abbreviated.
_SPELLINGS: Final = {"HANDOVER COMMAND": "HANDOVER CMD"}


class _GivenUpError(Exception):
    """pycrate did not end."""


def available() -> bool:
    return importlib.util.find_spec("pycrate_mobile") is not None


class _Pycrate:
    """Its parsers, imported when they are needed: they take a second and print what they lack."""

    def __init__(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self.m3ua = importlib.import_module("pycrate_mobile.M3UA").parse_M3UA
            self.sccp = importlib.import_module("pycrate_mobile.SCCP").parse_SCCP
            self.bssap = importlib.import_module("pycrate_mobile.TS48006_BSSAP").BSSAP
            self.bssmap = importlib.import_module("pycrate_mobile.TS48008_BSSMAP").BSSMAP
            nas = importlib.import_module("pycrate_mobile.NAS")
            self.layer_3: tuple[Callable[..., Any], ...] = (nas.parse_NAS_MO, nas.parse_NAS_MT)


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """Gives a message up after a while, by processor time (the wall clock is the test runner's)."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise _GivenUpError

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, _PATIENCE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _without_appearance(octets: bytes) -> bytes:
    """RFC 4666 3.2: a Network Appearance has 32 bits; pycrate reads 8, so it is left out."""
    message = decode(octets)
    kept = tuple(p for p in message.parameters if p.tag != Tag.NETWORK_APPEARANCE)
    return encode(m3ua.Message(message.message_class, message.message_type, kept))


class _Message:
    """One message before the judge: what it disputes, and what it confirmed."""

    def __init__(self, judge: _Pycrate, octets: bytes) -> None:
        self._judge = judge
        self.octets = _without_appearance(octets)
        self.shown = view_m3ua(self.octets)
        self.complaints: list[str] = []
        self.compared: list[str] = []
        self.confirmed: list[tuple[str, str]] = []
        self.excuse = ""

    def _same(self, what: str, ours: Any, theirs: Any) -> None:
        self.compared.append(what)
        if ours != theirs:
            self.complaints.append(f"{what} in {self._title()}\nours {ours!r}, theirs {theirs!r}")

    def _title(self) -> str:
        return " / ".join(f"{protocol}: {name}" for protocol, name in kinds_of(self.shown)[-2:])

    def _rebuilt(self, protocol: str, name: str, found: Any, octets: bytes) -> None:
        before = len(self.complaints)
        self._same(f"{protocol} octets", octets.hex(), found.to_bytes().hex())
        if len(self.complaints) == before:
            self.confirmed.append((protocol, name))

    def _excused(self, table: tuple[_Excuse, ...], subject: Any) -> bool:
        for why, when in table:
            if when(subject):
                self.excuse = why
                return True
        return False

    def run(self) -> None:
        shown = self.shown
        found, error = self._judge.m3ua(self.octets)
        if error == _CONDITIONAL and found is not None:
            self.excuse = _CONDITIONAL_WHY
        elif error or found is None:
            self.complaints.append(f"M3UA error {error} in {self._title()}")
            return
        head = found["Header"].get_val_d()
        self._same("M3UA class and type", NUMBERS[shown["m3ua"]], (head["Class"], head["Type"]))
        self._rebuilt("M3UA", shown["m3ua"], found, self.octets)
        if shown["m3ua"] != "DATA":
            return
        label = next(p["Val"] for p in found[1].get_val_d() if p["Tag"] == 528)
        for key in ("opc", "dpc", "si", "ni", "mp", "sls"):
            self._same(f"M3UA {key}", shown[key], label[key.upper()])
        self._connection(DataMessage.from_message(decode(self.octets)).payload)

    def _connection(self, payload: bytes) -> None:
        shown = self.shown
        if self._excused(_SCCP, shown):
            return
        found, error = self._judge.sccp(payload)
        if error:
            self.complaints.append(f"SCCP error {error} in SCCP: {shown['sccp']}")
            return
        values = found.get_val_d()
        self._same("SCCP type", sccp.BY_SHORT[shown["sccp"]].code, values["Type"])
        for key, name in (("slr", "SrcLocalRef"), ("dlr", "DstLocalRef")):
            theirs = values.get(name)
            self._same(
                f"SCCP {key}", shown.get(key), None if theirs is None else theirs.to_bytes(3, "big").hex()
            )
        if "class" in shown:
            self._same("SCCP class", shown["class"], values["ProtocolClass"]["Class"])
        self._rebuilt("SCCP", shown["sccp"], found, payload)
        data = sccp.decode(payload).data
        if data and ("bssmap" in shown or "dtap" in shown):
            self._application(data)

    def _application(self, data: bytes) -> None:
        found = self._judge.bssap()
        found.from_bytes(data)
        self._same("BSSAP octets", data.hex(), found.to_bytes().hex())
        user = bssap.decode(data)
        if user.discrimination == bssap.DTAP:
            self._layer_3(user.payload)
            return
        self._management(user.payload)
        for _, value in bssmap.decode(user.payload).elements:
            if (
                isinstance(value, bytes)
                and "dtap" in self.shown
                and value[:1]
                and (value[0] & 15) in dtap.BY_PD
            ):
                with contextlib.suppress(DecodeError):
                    if dtap.decode(value).name == self.shown["dtap"]:
                        self._layer_3(value)
                        break

    def _management(self, payload: bytes) -> None:
        """BSSMAP: its name, and identifier and extent of every element."""
        ours = bssmap.decode(payload)
        if self._excused(_BSSMAP, ours):
            if ours.name in _UP_TO_APDU:
                self._up_to_apdu(ours, payload)
            return
        found = self._judge.bssmap()
        found.from_bytes(payload)
        names = getattr(type(found)(), "_content", None)
        self._same("BSSMAP type", bssmap.BY_TYPE_NAME[ours.name].code, found["Type"].get_val())
        spelling = found["Type"]._dic.get(found["Type"].get_val(), "") if names else ours.name
        self._same("BSSMAP name", ours.name.upper(), spelling.strip().upper())
        mine = [
            value.iei if isinstance(value, Unknown) else BY_NAME[name].iei for name, value in ours.elements
        ]
        self._same("BSSMAP elements", mine, [element["ID"].get_val() for element in found["SES"]])
        self._rebuilt("BSSMAP", ours.name, found, payload)

    def _up_to_apdu(self, ours: Message, payload: bytes) -> None:
        """Name and elements up to the identifier of the APDU, whose own coding tshark confirms elsewhere."""
        before = len(self.complaints)
        found = self._judge.bssmap()
        found.from_bytes(payload)
        kind = found["Type"]
        self._same("BSSMAP name", ours.name, kind._dic.get(kind.get_val(), "").strip().upper())
        names = [name for name, _ in ours.elements]
        mine = [BY_NAME[name].iei for name in names[: names.index("APDU") + 1]]
        theirs = [element["ID"].get_val() for element in found["SES"]]
        self._same("BSSMAP elements", mine, theirs[: len(mine)])
        if len(self.complaints) == before:
            self.confirmed.append(("BSSMAP", ours.name))

    def _layer_3(self, payload: bytes) -> None:
        """MM, RR, CC, SMS and SS: read as sent by the station, or else by the network."""
        ours = dtap.decode(payload)
        protocol = dtap.BY_PD[ours.pd].name
        if self._excused(_LAYER_3, ours):
            return
        wanted = re.sub(r"[^A-Z]", "", _SPELLINGS.get(ours.name, ours.name))
        errors = []
        for parse in self._judge.layer_3:
            found, error = parse(payload)
            if error:
                errors.append(error)
                continue
            name = re.sub(r"[^A-Z]", "", type(found).__name__.upper())
            if found.to_bytes() != payload:
                errors.append("other octets")
                continue
            if wanted not in name:
                errors.append(f"named {type(found).__name__}")
                continue
            self.confirmed.append((protocol, ours.name))
            self._header(ours, found)
            # Some of its elements cannot be given as values; their octets have been compared above.
            with contextlib.suppress(AttributeError):
                self._values(ours, found.get_val_d())
            return
        self.complaints.append(f"{errors} in {protocol}: {ours.name}")

    def _header(self, ours: dtap.Dtap, found: Any) -> None:
        head: Mapping[str, Any] = found[0].get_val_d()
        inner = head.get("TIPD", head)
        self._same("layer 3 discriminator", ours.pd, inner["ProtDisc"])
        if "TIFlag" in inner:
            self._same("layer 3 TI flag", ours.ti_flag, inner["TIFlag"])
            self._same("layer 3 TI", min(ours.ti, 7), inner["TIO"])
        if "Seqn" in head:
            self._same("layer 3 N(SD)", ours.sequence, head["Seqn"])

    def _values(self, ours: dtap.Dtap, theirs: Mapping[str, Any]) -> None:
        area = ours.message.get("Location area identification")
        told = theirs.get("LAI")
        if area is not None and isinstance(told, Mapping) and isinstance(told.get("LAI"), Mapping):
            plmn = told["LAI"]["PLMN"]
            self._same(
                "LAI",
                (encode_plmn(area.mcc, area.mnc).hex(), area.lac),
                (bytes(plmn).hex(), told["LAI"]["LAC"]),
            )
        for ours_name, theirs_name in _OCTETS.items():
            value = ours.message.get(ours_name)
            told = theirs.get(theirs_name)
            if isinstance(value, bytes) and isinstance(told, Mapping) and isinstance(told.get("V"), bytes):
                self._same(ours_name, value.hex(), told["V"].hex())
        cause = theirs.get("Cause")
        value = ours.message.get("Cause")
        if value is not None and isinstance(cause, Mapping) and isinstance(cause.get("Cause"), Mapping):
            inner = cause["Cause"]
            self._same("CC cause", value.value, inner["Class"] << 4 | inner["Value"])


#: Element of ours -> member of pycrate's.
_OCTETS: Final = {
    "Authentication parameter RAND": "RAND", "Authentication parameter AUTN": "AUTN",
    "Authentication response parameter": "RES",
}  # fmt: skip


def judge_pycrate(messages: list[bytes]) -> Verdict:
    """What pycrate says of M3UA messages; `BadInput` where it is not installed."""
    if not available():
        raise BadInput("pycrate is not installed: pip install pycrate, or judge by another (--judge tshark)")
    judge = _Pycrate()
    verdict = Verdict("pycrate", importlib.metadata.version("pycrate"))
    for octets in messages:
        message = _Message(judge, octets)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                with _patience():
                    message.run()
            except _GivenUpError:
                message.complaints.append(f"did not end in {message._title()}")
            except Exception as error:  # a fault of the judge is a complaint to be looked at
                message.complaints.append(f"{type(error).__name__}: {error} in {message._title()}")
        verdict.messages += 1
        verdict.compared.update(message.compared)
        verdict.complaints += [(what, octets.hex()) for what in message.complaints]
        if message.excuse:
            verdict.excused[message.excuse] += 1
        if not message.complaints:
            verdict.confirmed.update(f"{protocol}: {name}" for protocol, name in message.confirmed)
    return verdict
