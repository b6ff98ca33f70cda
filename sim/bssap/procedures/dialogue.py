"""Builds the steps of a ladder: one method per message, named as the specification names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sim.bssap import bssap, bssmap, dtap, sccp
from sim.bssap.bssmap_elements import EncryptionInformation
from sim.bssap.cc_elements import INTERNATIONAL, UNKNOWN_NUMBER, Cause, PartyNumber
from sim.bssap.cells import cgi, lac_list
from sim.bssap.elements import message
from sim.bssap.identity import Lai, MobileIdentity, imsi, tmsi
from sim.bssap.procedures.params import Params, Step
from sim.bssap.sccp import SccpMessage
from sim.bssap.sccp_address import SSN_BSSAP, Address

#: A class 2 connection, no special options.
_CLASS_2 = 2
_BSSAP_ADDRESS = Address(SSN_BSSAP)
#: Identity types asked for, TS 24.008 10.5.3.4.
ASK_IMSI = 1
ASK_IMEI = 2
#: Classmark 1: phase 2 station, A5/1 available, class 4. TS 24.008 10.5.1.5.
CLASSMARK_1 = 0x33
#: Classmark 2 of the same station: SMS capable, A5/3 no. TS 24.008 10.5.1.6.
CLASSMARK_2 = b"\x33\x18\x81"
#: BSSMAP causes, TS 48.008 3.2.2.5.
CALL_CONTROL = 0x09
HANDOVER_SUCCESSFUL = 0x0B
#: Protocols whose uplink messages share the send state variable, TS 24.007 11.2.3.2.
_SEQUENCED = (dtap.PD_CC, dtap.PD_MM, dtap.PD_SS)
#: Digits from which on a number is sent as an international one, unless it begins with a prefix: 0 (trunk) or
#: 1 (a carrier's code); E.164 numbers that begin with 1 have eleven digits.
_INTERNATIONAL_DIGITS = 12
_PREFIXES = ("0", "1")
MS = 1_000


def number(digits: str, indicators: int | None = None) -> PartyNumber:
    international = len(digits) >= _INTERNATIONAL_DIGITS and not digits.startswith(_PREFIXES)
    kind = INTERNATIONAL if international else UNKNOWN_NUMBER
    return PartyNumber(digits, kind, indicators=indicators)


class Dialogue:
    """Collects steps; keeps the references of both legs and the station's N(SD)."""

    def __init__(self, params: Params, *, network_started: bool = False) -> None:
        self.p = params
        self.steps: list[Step] = []
        self._sequence = 0
        #: Who began the transaction that the next messages belong to: TS 24.007 11.2.3.1.3.
        self.network_started = network_started
        self._leg = 0

    def _add(
        self,
        uplink: bool,
        name: str,
        payload: bytes,
        after_ms: int,
        wait: str,
        mark: str,
        leg: int | None = None,
    ) -> None:
        leg = self._leg if leg is None else leg
        self.steps.append(Step(leg, uplink, after_ms * MS, wait, name, payload, mark))

    def _references(self, leg: int) -> tuple[int, int]:
        p = self.p
        return (p.bss_ref2, p.msc_ref2) if leg else (p.bss_ref, p.msc_ref)

    # SCCP

    def unitdata(
        self,
        name: str,
        elements: Mapping[str, Any] | None = None,
        *,
        uplink: bool = False,
        after_ms: int = 0,
        wait: str = "",
        mark: str = "",
    ) -> None:
        """A connectionless BSSMAP message, of the MSC unless `uplink`."""
        user = bssap.encode(bssap.Bssap(bssap.BSSMAP, bssmap.encode(message(name, elements or {}))))
        unit = sccp.SccpMessage(
            "UDT", protocol_class=0, called=_BSSAP_ADDRESS, calling=_BSSAP_ADDRESS, data=user
        )
        self._add(uplink, name, sccp.encode(unit), after_ms, wait, mark, 0)

    def open(
        self,
        layer3: dtap.Dtap,
        *,
        wait: str = "",
        mark: str = "",
        after_ms: int = 0,
        refused: int | None = None,
    ) -> None:
        """The station's first message: CR with COMPLETE LAYER 3 INFORMATION, and the CC or CREF."""
        p = self.p
        first = message(
            "COMPLETE LAYER 3 INFORMATION",
            {
                "Cell Identifier": cgi(p.mcc, p.mnc, p.lac, p.ci),
                "Layer 3 Information": dtap.encode(self._numbered(layer3)),
            },
        )
        self.connect(True, layer3.name, first, after_ms, wait=wait, mark=mark, refused=refused)

    def connect(
        self,
        uplink: bool,
        name: str,
        first: Any,
        after_ms: int,
        *,
        wait: str = "",
        mark: str = "",
        refused: int | None = None,
    ) -> None:
        """CR with a BSSMAP message, answered by a bare CC, or by CREF with the refusal cause."""
        caller, callee = self._references(self._leg)
        if not uplink:
            caller, callee = callee, caller
        user = bssap.encode(bssap.Bssap(bssap.BSSMAP, bssmap.encode(first)))
        request = sccp.SccpMessage(
            "CR",
            source=caller,
            protocol_class=_CLASS_2,
            called=_BSSAP_ADDRESS,
            calling=_BSSAP_ADDRESS,
            data=user,
        )
        answer = SccpMessage("CC", destination=caller, source=callee, protocol_class=_CLASS_2)
        if refused is not None:
            answer = SccpMessage("CREF", destination=caller, cause=refused)
        self._add(uplink, name, sccp.encode(request), after_ms, wait, mark)
        self._add(not uplink, answer.type, sccp.encode(answer), 15, "", "" if refused is None else "refused")

    def _data(
        self,
        uplink: bool,
        name: str,
        user: bssap.Bssap,
        after_ms: int,
        wait: str,
        mark: str,
        leg: int | None = None,
    ) -> None:
        leg = self._leg if leg is None else leg
        bss, msc = self._references(leg)
        form = sccp.SccpMessage(
            "DT1", destination=msc if uplink else bss, more=False, data=bssap.encode(user)
        )
        self._add(uplink, name, sccp.encode(form), after_ms, wait, mark, leg)

    def release(self, leg: int | None = None) -> None:
        """RLSD of the MSC (release cause end user originated) and RLC."""
        leg = self._leg if leg is None else leg
        bss, msc = self._references(leg)
        released = sccp.SccpMessage("RLSD", destination=bss, source=msc, cause=0)
        complete = sccp.SccpMessage("RLC", destination=msc, source=bss)
        self._add(False, "RLSD", sccp.encode(released), 10, "", "", leg)
        self._add(True, "RLC", sccp.encode(complete), 10, "", "", leg)

    # BSSMAP and DTAP on a connection

    def bssmap(
        self,
        uplink: bool,
        name: str,
        elements: Mapping[str, Any] | None = None,
        *,
        after_ms: int = 20,
        wait: str = "",
        mark: str = "",
        leg: int | None = None,
    ) -> None:
        payload = bssmap.encode(message(name, elements or {}))
        self._data(uplink, name, bssap.Bssap(bssap.BSSMAP, payload), after_ms, wait, mark, leg)

    def _numbered(self, value: dtap.Dtap) -> dtap.Dtap:
        """Gives an uplink message its N(SD), modulo 2 as a station of release 98 does."""
        if value.pd not in _SEQUENCED:
            return value
        sequence, self._sequence = self._sequence, self._sequence ^ 1
        return dtap.Dtap(value.pd, value.message, value.ti, value.ti_flag, sequence)

    def dtap(
        self,
        uplink: bool,
        pd: int,
        name: str,
        elements: Mapping[str, Any] | None = None,
        *,
        after_ms: int = 30,
        wait: str = "",
        mark: str = "",
        label: str = "",
    ) -> None:
        """A layer-3 message; `label` names the step when something lies deeper inside it."""
        ti = flag = 0
        if dtap.BY_PD[pd].transactions:
            ti = self.p.ss_ti if pd == dtap.PD_SS else self.p.ti
            flag = int(self.network_started == uplink)
        value = dtap.Dtap(pd, message(name, elements or {}), ti, flag)
        payload = dtap.encode(self._numbered(value) if uplink else value)
        dlci = 3 if pd == dtap.PD_SMS else 0
        self._data(uplink, label or name, bssap.Bssap(bssap.DTAP, payload, dlci), after_ms, wait, mark)

    def mm(self, uplink: bool, name: str, elements: Mapping[str, Any] | None = None, **keywords: Any) -> None:
        self.dtap(uplink, dtap.PD_MM, name, elements, **keywords)

    def cc(self, uplink: bool, name: str, elements: Mapping[str, Any] | None = None, **keywords: Any) -> None:
        self.dtap(uplink, dtap.PD_CC, name, elements, **keywords)

    def cc_cause(self, uplink: bool, name: str, value: int, **keywords: Any) -> None:
        """DISCONNECT, RELEASE or RELEASE COMPLETE with a cause; location user or serving network."""
        self.cc(uplink, name, {"Cause": Cause(value, 0 if uplink else 2)}, **keywords)

    # What several procedures share

    @property
    def lai(self) -> Lai:
        return Lai(self.p.mcc, self.p.mnc, self.p.lac)

    @property
    def identity(self) -> MobileIdentity:
        p = self.p
        return tmsi(p.tmsi) if p.identity == "tmsi" and p.tmsi is not None else imsi(p.imsi)

    def page(self, *, by_tmsi: bool = True, wait: str = "", mark: str = "") -> None:
        """PAGING to all cells of the location areas: TS 48.008 3.1.10."""
        p = self.p
        tmsi_too = by_tmsi and p.page_by_tmsi and p.tmsi is not None
        self.unitdata(
            "PAGING",
            {
                "IMSI": p.imsi,
                "TMSI": p.tmsi if tmsi_too else ...,
                "Cell Identifier List": lac_list(p.paging_lacs or (p.lac,)),
            },
            wait=wait,
            mark=mark,
        )

    def ask_identity(self) -> None:
        self.mm(False, "IDENTITY REQUEST", {"Identity type": ASK_IMSI, "Spare half octet": 0})
        self.mm(True, "IDENTITY RESPONSE", {"Mobile identity": imsi(self.p.imsi)}, after_ms=180)

    def common_id(self) -> None:
        """COMMON ID: TS 48.008 3.1.30."""
        self.bssmap(False, "COMMON ID", {"IMSI": self.p.imsi}, after_ms=5)

    def identify(self) -> None:
        """The question for the IMSI, when the TMSI is unknown: TS 24.008 4.3.3."""
        if self.p.ask_identity and self.p.identity == "tmsi":
            self.ask_identity()

    def challenge(self, rand: bytes, autn: bytes | None = None, *, after_ms: int = 40) -> None:
        """AUTHENTICATION REQUEST; with AUTN the network proves itself to a USIM: TS 24.008 4.3.2.2."""
        self.mm(
            False,
            "AUTHENTICATION REQUEST",
            {
                "Ciphering key sequence number": 0,
                "Spare half octet": 0,
                "Authentication parameter RAND": rand,
                "Authentication parameter AUTN": ... if autn is None else autn,
            },
            after_ms=after_ms,
        )

    def answer_challenge(self, extension: bytes | None = None) -> None:
        """AUTHENTICATION RESPONSE; a USIM's RES is longer than an SRES: TS 24.008 10.5.3.2.1."""
        self.mm(
            True,
            "AUTHENTICATION RESPONSE",
            {
                "Authentication response parameter": self.p.sres,
                "Authentication response parameter (extension)": ... if extension is None else extension,
            },
            after_ms=350,
        )

    def start_ciphering(self) -> None:
        """CIPHER MODE COMMAND: no encryption and A5/1 permitted, TS 48.008 3.2.2.10."""
        key = EncryptionInformation(0x03, self.p.kc)
        self.bssmap(False, "CIPHER MODE COMMAND", {"Encryption Information": key})

    def secure(self) -> bool:
        """Identity, authentication, COMMON ID, ciphering; True when ciphering was started."""
        self.identify()
        if self.p.auth:
            self.challenge(self.p.rand)
            self.answer_challenge()
        return self.settle()

    def settle(self) -> bool:
        """What follows authentication: COMMON ID, ciphering; True when ciphering was started."""
        self.common_id()
        if self.p.ciphered:
            self.start_ciphering()
            self.bssmap(True, "CIPHER MODE COMPLETE", {"Chosen Encryption Algorithm": 2}, after_ms=160)
        return self.p.ciphered

    def clear(self, cause: int = CALL_CONTROL, leg: int | None = None, mark: str = "") -> None:
        """CLEAR COMMAND, CLEAR COMPLETE, RLSD, RLC: TS 48.008 3.1.9."""
        self.bssmap(False, "CLEAR COMMAND", {"Cause": cause}, leg=leg, mark=mark)
        self.bssmap(True, "CLEAR COMPLETE", after_ms=30, leg=leg)
        self.release(leg)

    def move(self, leg: int) -> None:
        """All that follows goes on this connection: 1 is the one to the handover target."""
        self._leg = leg

    def done(self) -> tuple[Step, ...]:
        return tuple(self.steps)
