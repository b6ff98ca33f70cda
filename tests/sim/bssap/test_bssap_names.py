"""Message types and elements by name and number, against the tables that Wireshark and pycrate have."""

from __future__ import annotations

import shutil
import subprocess
import warnings

import pytest

from sim.bssap import bssmap, dtap, sccp, ss_components
from sim.bssap.bssmap_elements import BY_IEI

#: What Wireshark calls otherwise, and why we do not.
OTHERWISE = {
    ("gsm_a.bssmap.msgtype", 0x2A): "Connection Oriented Information(Obsolete)",
    ("sccp.message_type", 0x10): "Inactivity Timer",  # Q.713 4.17: Inactivity test
}
OPERATIONS_OTHERWISE = {38: "forwardCheckSS"}
#: Numbers that Wireshark names only to say that they are nobody's.
NOBODYS = ("unallocated", "reserved")
#: pycrate's forms that differ: what TS 48.008 and libosmocore have.
OTHER_FORMS = {
    0x35: "3.2.2.54: the flag is its identifier alone",
    0x67: "3.2.2.85: a length follows the identifier",
    0x95: "3.2.2.127: three octets without a length",
}


def _plain(name):
    return "".join(character for character in name.lower() if character.isalnum())


@pytest.fixture(scope="module")
def wireshark():
    """Field -> number -> names."""
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed")
    run = subprocess.run([program, "-G", "values"], capture_output=True, text=True, timeout=120, check=True)
    found = {}
    for line in run.stdout.splitlines():
        kind, field, *rest = [*line.split("\t"), ""]
        if kind == "V" and field.split(".")[0] in ("gsm_a", "sccp", "gsm_old") and rest[0][:1].isdigit():
            found.setdefault(field, {}).setdefault(int(rest[0], 0), []).append(rest[1])
    return found


TABLES = {
    "gsm_a.bssmap.msgtype": {row.code: row.name for row in bssmap.MESSAGES},
    "gsm_a.dtap.msg_mm_type": {row.code: row.name for row in dtap.BY_PD[dtap.PD_MM].messages},
    "gsm_a.dtap.msg_cc_type": {row.code: row.name for row in dtap.BY_PD[dtap.PD_CC].messages},
    "gsm_a.dtap.msg_sms_type": {row.code: row.name for row in dtap.BY_PD[dtap.PD_SMS].messages},
    "gsm_a.dtap.msg_ss_type": {row.code: row.name for row in dtap.BY_PD[dtap.PD_SS].messages},
    "sccp.message_type": {row.code: row.name for row in sccp.MESSAGES},
}


@pytest.mark.parametrize("field", TABLES)
def test_message_types_are_all_there(wireshark, field):
    named = {code: names[0] for code, names in wireshark[field].items()}
    theirs = {code: name for code, name in named.items() if not _plain(name).startswith(NOBODYS)}
    ours = TABLES[field]
    assert set(ours) == set(theirs)
    for code, name in ours.items():
        if (field, code) in OTHERWISE:
            assert theirs[code] == OTHERWISE[field, code]
        else:
            assert _plain(name) == _plain(theirs[code]), hex(code)


def test_operations_and_errors_have_their_numbers(wireshark):
    theirs = wireshark["gsm_old.localValue"]
    for table in (ss_components.OPERATIONS, ss_components.ERRORS):
        for code, name in table.items():
            assert _plain(OPERATIONS_OTHERWISE.get(code, name)) in map(_plain, theirs[code]), code


def test_elements_have_the_form_that_pycrate_has():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pytest.importorskip("pycrate_mobile.TS48008_BSSMAP").BSSMAPElm_dict
    assert set(BY_IEI) == set(theirs)
    for iei, element in BY_IEI.items():
        octets = {"T": 0, "TLV": -1, "TLVE": -1}.get(element.form, element.low)
        assert (octets == theirs[iei][1]) != (iei in OTHER_FORMS), element
        assert _plain(element.name) == _plain(theirs[iei][0]).replace("queueing", "queuing")
