"""The stages of a handover to another BSS, as the A interfaces to both BSSs show them.

TS 23.009 6; TS 48.008 3.1.5.1 (required), 3.1.5.2 (resource allocation), 3.1.5.3 (execution).
"""

from __future__ import annotations

from sim.bssap import dtap
from sim.bssap.bssmap_elements import ChannelType, CircuitIdentityCode, EncryptionInformation
from sim.bssap.cells import CellIdentifier, cgi
from sim.bssap.elements import message
from sim.bssap.procedures.dialogue import CLASSMARK_2, HANDOVER_SUCCESSFUL, Dialogue

#: BSSMAP cause: better cell, TS 48.008 3.2.2.5.
BETTER_CELL = 0x0C
#: Channel of the target: TCH/F, timeslot 2, training sequence 5, ARFCN 75: TS 44.018 10.5.2.5a.
_CHANNEL = b"\x0a\xa0\x4b"


def handover_command(d: Dialogue) -> bytes:
    """RR HANDOVER COMMAND of the target BSS: the same octets in both BSSMAP messages that carry it."""
    command = message(
        "HANDOVER COMMAND",
        {
            "Cell Description": d.p.handover_cell,
            "Description of the first channel, after time": _CHANNEL,
            "Handover Reference": d.p.handover_reference,
            "Power Command and access type": 5,
            "Mode of the First Channel (Channel Set 1)": 1,
        },
    )
    return dtap.encode(dtap.Dtap(dtap.PD_RR, command))


def require(d: Dialogue, cause: int = BETTER_CELL, *, answered: bool = False, wait: str = "talk") -> None:
    """HANDOVER REQUIRED; `answered`: the BSS wants a HANDOVER REQUIRED REJECT when nothing comes of it."""
    d.bssmap(
        True,
        "HANDOVER REQUIRED",
        {
            "Cause": cause,
            "Response Request": None if answered else ...,
            "Cell Identifier List": target_cell(d),
            "Speech Version": 0x21,
        },
        wait=wait,
    )


def target_cell(d: Dialogue) -> CellIdentifier:
    return cgi(d.p.mcc, d.p.mnc, d.p.lac2, d.p.ci2)


def request(
    d: Dialogue,
    channel_type: ChannelType,
    cause: int = BETTER_CELL,
    *,
    refused: int | None = None,
    after_ms: int = 20,
) -> None:
    """CR with HANDOVER REQUEST to the target; what follows goes on leg 1."""
    p = d.p
    d.move(1)
    value = message(
        "HANDOVER REQUEST",
        (
            ("Channel Type", channel_type),
            ("Encryption Information", EncryptionInformation(0x03 if p.ciphered else 0x01, p.kc)),
            ("Classmark Information Type 2", CLASSMARK_2),
            ("Cell Identifier", cgi(p.mcc, p.mnc, p.lac, p.ci)),
            ("Circuit Identity Code", CircuitIdentityCode(p.cic2)),
            ("Cell Identifier", target_cell(d)),
            ("Cause", cause),
            ("Speech Version", 0x21),
            ("Chosen Encryption Algorithm", 2 if p.ciphered else 1),
        ),
    )
    d.connect(False, "HANDOVER REQUEST", value, after_ms, refused=refused)


def command(d: Dialogue, *, after_ms: int = 20) -> None:
    """The target has a channel; the station is told on the old one."""
    octets = handover_command(d)
    d.bssmap(
        True,
        "HANDOVER REQUEST ACKNOWLEDGE",
        {
            "Layer 3 Information": octets,
            "Chosen Channel": 0x98,
            "Chosen Encryption Algorithm": 2 if d.p.ciphered else 1,
            "Speech Version": 0x21,
        },
        after_ms=80,
    )
    d.bssmap(
        False,
        "HANDOVER COMMAND",
        {"Layer 3 Information": octets, "Cell Identifier": target_cell(d)},
        after_ms=after_ms,
        leg=0,
    )


def complete(d: Dialogue) -> None:
    """The station arrives; the old channel is cleared."""
    d.bssmap(True, "HANDOVER DETECT", after_ms=120)
    d.bssmap(True, "HANDOVER COMPLETE", {"RR Cause": 0}, after_ms=60, mark="handover")
    d.clear(HANDOVER_SUCCESSFUL, leg=0)


def inter_bsc(d: Dialogue, channel_type: ChannelType) -> None:
    """From HANDOVER REQUIRED to the cleared old connection, within one MSC."""
    require(d)
    request(d, channel_type)
    d.common_id()
    command(d)
    complete(d)
