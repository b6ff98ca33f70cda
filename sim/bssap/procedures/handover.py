"""Inter-BSC handover within one MSC, as the A interfaces to both BSSs show it.

TS 23.009 6; TS 48.008 3.1.5.1 (required), 3.1.5.2 (resource allocation), 3.1.5.3 (execution).
"""

from __future__ import annotations

from sim.bssap import dtap
from sim.bssap.bssmap_elements import ChannelType, CircuitIdentityCode, EncryptionInformation
from sim.bssap.cells import cgi
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


def inter_bsc(d: Dialogue, channel_type: ChannelType) -> None:
    """From HANDOVER REQUIRED to the cleared old connection; what follows goes on leg 1."""
    p = d.p
    serving = cgi(p.mcc, p.mnc, p.lac, p.ci)
    target = cgi(p.mcc, p.mnc, p.lac2, p.ci2)
    command = handover_command(d)
    d.bssmap(
        True,
        "HANDOVER REQUIRED",
        {"Cause": BETTER_CELL, "Cell Identifier List": target, "Speech Version": 0x21},
        wait="talk",
    )
    d.move()
    request = message(
        "HANDOVER REQUEST",
        (
            ("Channel Type", channel_type),
            ("Encryption Information", EncryptionInformation(0x03 if p.ciphered else 0x01, p.kc)),
            ("Classmark Information Type 2", CLASSMARK_2),
            ("Cell Identifier", serving),
            ("Circuit Identity Code", CircuitIdentityCode(p.cic2)),
            ("Cell Identifier", target),
            ("Cause", BETTER_CELL),
            ("Speech Version", 0x21),
            ("Chosen Encryption Algorithm", 2 if p.ciphered else 1),
        ),
    )
    d.connect(False, "HANDOVER REQUEST", request, 20)
    d.common_id()
    d.bssmap(
        True,
        "HANDOVER REQUEST ACKNOWLEDGE",
        {
            "Layer 3 Information": command,
            "Chosen Channel": 0x98,
            "Chosen Encryption Algorithm": 2 if p.ciphered else 1,
            "Speech Version": 0x21,
        },
        after_ms=80,
    )
    d.bssmap(False, "HANDOVER COMMAND", {"Layer 3 Information": command, "Cell Identifier": target}, leg=0)
    d.bssmap(True, "HANDOVER DETECT", after_ms=120)
    d.bssmap(True, "HANDOVER COMPLETE", {"RR Cause": 0}, after_ms=60, mark="handover")
    d.clear(HANDOVER_SUCCESSFUL, leg=0)
