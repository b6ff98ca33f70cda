"""osmo-msc, a network that nobody here wrote: our BSC talks to it in a guest that has kernel SCTP.

One boot runs all of `checks.py`; the tests look at its outcomes one by one. What both sides said is also kept
in `exchange.jsonl`, so that the codecs are held against the octets of a real MSC where it is not installed.
For a new one: `sh tests/integration/uml/guest.sh OUT "PYTHONPATH=tests/integration/osmo:.:platform
.venv/bin/python tests/integration/osmo/checks.py /run/out"`, and copy it from OUT.
"""

import fcntl
import importlib.util
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import sigtran
from experiments.decode.command import decode_capture
from marketing.behaviours import Kind
from marketing.correlate import Correlator
from marketing.decode import decode_batch
from sigtran import MessageBatch, m3ua
from sigtran.association import AspSide, AspState
from sigtran.capture import PcapngWriter
from sim.bssap import DecodeError, bssap, bssmap, dtap, sccp, sms, tpdu
from sim.bssap.elements import TRAILING, UNKNOWN
from sim.bssap.legality import LegalityError, check
from sim.m3ua_view import view_m3ua

HERE = Path(__file__).parent
GUEST = HERE.parent / "uml" / "guest.sh"
PROGRAMS = ("linux.uml", "busybox", "osmo-stp", "osmo-hlr", "osmo-mgw", "osmo-msc")
MISSING = [name for name in PROGRAMS if shutil.which(name) is None]
needs_guest = [
    pytest.mark.uml,
    pytest.mark.osmo,
    pytest.mark.skipif(
        bool(MISSING),
        reason=f"no {', '.join(MISSING)}: apt-get install user-mode-linux busybox-static "
        "osmo-stp osmo-hlr osmo-mgw osmo-msc",
    ),
]
MSC, BSC = 185, 187

# ------------------------------------------------------------------ the guest


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """One boot, whatever the number of workers: outcomes by check, what was said, all logs."""
    base = tmp_path_factory.getbasetemp()
    # The base of a worker lies in that of the whole run.
    out = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "osmo"
    out.mkdir(exist_ok=True)
    with (out / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out / "console.log").exists():
            (out / "console.log").write_text(_boot(out))
    logs = "\n".join(
        f"--- {path.name}\n{path.read_text(errors='replace')[-6000:]}" for path in sorted(out.glob("*.log"))
    )
    outcomes = out / "checks.jsonl"
    assert outcomes.exists(), logs
    rows = [json.loads(line) for line in outcomes.read_text().splitlines()]
    return SimpleNamespace(out=out, log=logs, outcomes={row["check"]: row for row in rows})


def _boot(out: Path) -> str:
    paths = [str(HERE), str(Path(sigtran.__file__).parents[1])]
    paths += filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    command = (
        f"PYTHONPATH={shlex.quote(os.pathsep.join(paths))} {shlex.quote(sys.executable)} "
        f"{shlex.quote(str(HERE / 'checks.py'))} /run/out"
    )
    done = subprocess.run(
        ["sh", str(GUEST), str(out), command],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "LIMIT": "180"},
        check=False,
    )
    return done.stdout + done.stderr


SECURED = ["CC", "AUTHENTICATION REQUEST", "CIPHER MODE COMMAND", "COMMON ID"]
CLEARED = ["CLEAR COMMAND", "RLSD"]
UPDATED = [*SECURED, "LOCATION UPDATING ACCEPT", *CLEARED]
#: Check -> what osmo-msc said on each connection, in order; MM INFORMATION, whose moment is free, apart.
HEARD = {
    # The USIM is ahead of the HLR: AUTHENTICATION FAILURE makes it catch up.
    "location_update_with_usim": [["CC", "AUTHENTICATION REQUEST", *UPDATED[1:]]],
    "location_update_with_sim": [UPDATED],
    "location_update_of_a_stranger": [["CC", "LOCATION UPDATING REJECT", *CLEARED]],
    "location_update_with_the_wrong_key": [
        ["CC", "AUTHENTICATION REQUEST", "LOCATION UPDATING REJECT", *CLEARED]
    ],
    "periodic_location_update": [UPDATED],
    "short_message_sent": [[*SECURED, "CP-ACK", "CP-DATA", *CLEARED]],
    "short_message_received": [[*SECURED, "CP-DATA", "CP-ACK", *CLEARED]],
    "call": [
        [*SECURED, "CALL PROCEEDING", "ASSIGNMENT REQUEST", "ALERTING", "CONNECT", "RELEASE", *CLEARED],
        [*SECURED, "SETUP", "ASSIGNMENT REQUEST", "CONNECT ACKNOWLEDGE", "DISCONNECT", "RELEASE COMPLETE",
         *CLEARED],
    ],
    "own_number": [[*SECURED, "RELEASE COMPLETE", *CLEARED]],
    "unknown_code": [[*SECURED, "RELEASE COMPLETE", *CLEARED]],
    "radio_lost": [[*SECURED, *CLEARED]],
    "detach": [["CC", *CLEARED]],
}  # fmt: skip


class TestGuest:
    """What happened between our BSC and osmo-msc."""

    pytestmark = needs_guest

    @staticmethod
    def found(guest: SimpleNamespace, name: str) -> dict:
        outcome = guest.outcomes.get(name, {"error": "never came to it"})
        assert "error" not in outcome, f"{outcome}\n{guest.log}"
        return outcome["found"]

    def test_the_association_registers_and_ends(self, guest):
        events = self.found(guest, "association_comes_up")["events"]
        assert [e for e in events if e != "Notified"] == ["AspUp", "Registered", "AspActive"]
        assert self.found(guest, "association_goes_down")["events"][-1] == "Down"

    def test_reset_is_acknowledged(self, guest):
        assert self.found(guest, "reset")["answer"] == "RESET ACKNOWLEDGE"

    @pytest.mark.parametrize("name", HEARD)
    def test_the_network_says_what_the_procedure_wants(self, guest, name):
        heard = self.found(guest, name)["heard"]
        lists = heard if isinstance(heard[0], list) else [heard]
        assert [[n for n in names if n != "MM INFORMATION"] for names in lists] == HEARD[name], guest.log

    @pytest.mark.parametrize("name", ["location_update_with_usim", "location_update_with_sim"])
    def test_a_known_subscriber_is_accepted_with_a_tmsi(self, guest, name):
        elements = self.found(guest, name)["elements"]
        assert elements["Location area identification"] == {"mcc": "001", "mnc": "01", "lac": 23}
        assert elements["Mobile identity"]["kind"] == "TMSI"

    def test_a_periodic_update_by_tmsi_brings_another_tmsi(self, guest):
        found = self.found(guest, "periodic_location_update")
        assert found["before"] != found["elements"]["Mobile identity"]["tmsi"]

    @pytest.mark.parametrize(
        ("name", "cause"),
        # TS 24.008 10.5.3.6: IMSI unknown in HLR; illegal MS.
        [("location_update_of_a_stranger", 2), ("location_update_with_the_wrong_key", 3)],
    )
    def test_who_is_not_known_is_rejected(self, guest, name, cause):
        assert self.found(guest, name)["elements"] == {"Reject cause": cause}

    def test_a_short_message_goes_from_one_station_to_the_other(self, guest):
        assert self.found(guest, "short_message_sent")["answer"] == "RP-ACK"
        received = self.found(guest, "short_message_received")
        assert received["text"] == "Grüße an Bernd: 10 € {Kairos}"
        assert received["originator"] == "1001"
        page = received["page"]
        assert (page["IMSI"], page["TMSI"]) == ("001010000000002", received["tmsi"])
        assert page["Cell Identifier List"]["cells"] == [{"lac": 23}]

    def test_a_call_reaches_the_media_gateway_and_the_other_station(self, guest):
        found = self.found(guest, "call")
        ports = set()
        for asked in found["assignments"]:
            # Speech at the gateway's address, which osmo-msc had from osmo-mgw by CRCX.
            assert list(asked) == [
                "Channel Type", "AoIP Transport Layer Address", "Speech Codec List", "Call Identifier",
            ]  # fmt: skip
            assert asked["Channel Type"]["kind"] == 1
            address = bytes.fromhex(asked["AoIP Transport Layer Address"])
            assert address[:4] == bytes((127, 0, 0, 1))
            ports.add(int.from_bytes(address[4:], "big"))
        assert len(ports) == 2
        assert all(4002 <= port <= 4999 for port in ports)
        assert "CRCX" in (guest.out / "osmo-mgw.log").read_text()
        assert found["setup"]["Calling party BCD number"]["digits"] == "1001"
        assert found["setup"]["Called party BCD number"]["digits"] == "1002"

    def test_a_refused_emergency_call(self, guest):
        assert self.found(guest, "emergency_call_refused_by_the_called")["elements"]["Cause"]["value"] == 21

    @pytest.mark.parametrize("name", ["call_to_nobody", "call_to_the_absent"])
    def test_a_call_that_leads_nowhere_is_released(self, guest, name):
        # osmo-msc does not tell them apart: no user responding.
        assert self.found(guest, name)["elements"]["Cause"]["value"] == 18

    def test_supplementary_services(self, guest):
        assert self.found(guest, "own_number")["text"] == "Your extension is 1001"
        refused = self.found(guest, "unknown_code")
        # TS 29.002 17.5: ss-NotAvailable.
        assert (refused["component"], refused["code"]) == ("returnError", 18)


def test_the_card_computes_what_the_specification_prints():
    """TS 35.208 4.3, test set 1: our stations' Milenage, so that a refusal is never our own fault."""
    spec = importlib.util.spec_from_file_location("osmo_usim", HERE / "usim.py")
    card = importlib.util.module_from_spec(spec)
    sys.modules["osmo_usim"] = card
    spec.loader.exec_module(card)
    key = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc")
    rand = bytes.fromhex("23553cbe9637a89d218ae64dae47bf35")
    opc = card.derive_opc(key, bytes.fromhex("cdc202d5123e20f62b6d676ac72cb318"))
    assert opc.hex() == "cd63cb71954a9f4e48a5994e37a02baf"
    usim = card.Usim(key, opc)
    macs = usim.macs(rand, bytes.fromhex("ff9bb4d0b607"), b"\xb9\xb9")
    assert [mac.hex() for mac in macs] == ["4a9ffac354dfafb3", "01cfaf9ec4e871e9"]
    assert usim.response(rand).hex() == "a54211d5e3ba50bf"
    assert usim.anonymity_key(rand).hex() == "aa689c648370"
    assert usim.resynchronisation_key(rand).hex() == "451e8beca43b"


# ------------------------------------------------------------------ the octets


@pytest.fixture(scope="session", params=["kept", pytest.param("fresh", marks=needs_guest)])
def exchange(request: pytest.FixtureRequest) -> list[SimpleNamespace]:
    """Every M3UA message in order, with `check`, `t_unix_us`, `sent` (by us) and `octets`."""
    path = HERE / "exchange.jsonl"
    if request.param == "fresh":
        path = request.getfixturevalue("guest").out / "exchange.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) > 200
    return [
        SimpleNamespace(
            check=row["check"],
            t_unix_us=row["t_unix_us"],
            sent=row["direction"] == "sent",
            octets=bytes.fromhex(row["hex"]),
        )
        for row in rows
    ]


#: osmo-msc 1.9 writes octet 3 of the cause in its STATUS without the extension bit, so that by TS 24.008
#: 10.5.4.11 octet 3a follows and the cause value is missing. It stands in the middle of the message.
BROKEN_STATUS = bytes.fromhex("3d02609e")
#: An optional part without parameters: Q.713 2.3 has a null pointer in its place.
EMPTY_OPTIONAL_PART = "RLSD"


def is_broken(octets: bytes) -> bool:
    return BROKEN_STATUS in octets


def again(decode, encode, octets: bytes, **options):
    """The value of octets that must come out again as they were."""
    value = decode(octets, **options)
    assert encode(value) == octets, value
    return value


def read_layer3(octets: bytes) -> None:
    value = again(dtap.decode, dtap.encode, octets)
    assert not {UNKNOWN, TRAILING, dtap.RR_OTHER} & {name for name, _ in value.message.elements}
    user_data = value.message.get("CP-User data")
    if user_data:
        relay = again(sms.decode_rp, sms.encode_rp, user_data)
        inner = relay.message.get("RP-User data")
        if inner:
            again(tpdu.decode, tpdu.encode, inner, from_network=relay.from_network)


def read_sccp(payload: bytes) -> None:
    value = sccp.decode(payload)
    written = sccp.encode(value)
    if value.type == EMPTY_OPTIONAL_PART and payload.endswith(b"\x01\x00"):
        assert payload == written[:-1] + b"\x01\x00"
    else:
        assert written == payload, value
    if value.data is None:
        return
    user = again(bssap.decode, bssap.encode, value.data)
    if user.discrimination == bssap.DTAP:
        read_layer3(user.payload)
        return
    inner = again(bssmap.decode, bssmap.encode, user.payload)
    assert UNKNOWN not in inner
    if "Layer 3 Information" in inner:
        read_layer3(inner["Layer 3 Information"])


def data_of(exchange: list[SimpleNamespace]) -> list[tuple[SimpleNamespace, m3ua.DataMessage]]:
    decoded = [(row, m3ua.decode(row.octets)) for row in exchange]
    return [
        (row, m3ua.DataMessage.from_message(message)) for row, message in decoded if message.name == "DATA"
    ]


def test_every_element_has_a_name_and_all_octets_come_out_again(exchange):
    for row in exchange:
        again(m3ua.decode, m3ua.encode, row.octets)
    broken = 0
    for row, data in data_of(exchange):
        assert not data.others
        assert {data.opc, data.dpc} == {MSC, BSC}
        if is_broken(row.octets):
            broken += 1
            with pytest.raises(DecodeError, match="STATUS: Cause: octet 2 is missing"):
                view_m3ua(row.octets)
            continue
        read_sccp(data.payload)
    assert broken <= 1


def test_our_association_says_it_again(exchange):
    """What the gateway said, fed to a new association, brings out what ours said then."""
    first = next(m3ua.decode(row.octets) for row in exchange if m3ua.decode(row.octets).name == "REG REQ")
    key = first.first(m3ua.Tag.ROUTING_KEY)
    assert key is not None
    asp = AspSide(traffic_mode=m3ua.TrafficMode.OVERRIDE, routing_key=key.as_parameters())
    asp.start(0)
    said, wanted = asp.pending(), []
    for row in exchange:
        if m3ua.decode(row.octets).name == "DATA" and row.sent:
            continue
        if row.sent:
            wanted.append(row.octets)
            if m3ua.decode(row.octets).name == "ASPDN":
                asp.stop(0)
        else:
            asp.receive(row.octets, 0)
        said += asp.pending()
    assert said == wanted
    assert asp.state is AspState.DOWN


def capture_of(exchange: list[SimpleNamespace], path: Path) -> Path:
    with PcapngWriter(path, servers=(MSC,)) as writer:
        times = np.array([row.t_unix_us for row in exchange], dtype=np.int64)
        writer.write(times, MessageBatch.from_messages([row.octets for row in exchange], 1))
    return path


#: Keys that the columns leave to the reference codec, by message: as in the tests of `kairos decode`.
OTHERWISE = {"PAGING": {"lac"}, "RP-ACK": {"tp"}}


def test_the_fast_decoder_sees_the_same(exchange, tmp_path):
    path = capture_of(exchange, tmp_path / "exchange.pcapng")
    rows = []
    for engine in ("columnar", "reference"):
        out = io.BytesIO()
        decode_capture(str(path), out, engine=engine)
        rows.append([json.loads(line) for line in out.getvalue().splitlines()])
    carried = set().union(*rows[0]) - {"error"}
    assert {"imsi", "tmsi", "called", "calling", "cause", "reject_cause", "lac", "ci", "tp"} <= carried
    wrong = []
    for columnar, reference in zip(*rows, strict=True):
        assert ("error" in columnar) == ("error" in reference)
        for key in carried - OTHERWISE.get(reference["message"], set()):
            if columnar.get(key) != reference.get(key):
                wrong.append((reference["message"], key, columnar.get(key), reference.get(key)))
    assert not wrong
    assert sum("error" in row for row in rows[0]) == sum(is_broken(row.octets) for row in exchange)


@pytest.mark.tshark
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_wireshark_names_all_of_it(exchange, tmp_path):
    path = capture_of(exchange, tmp_path / "exchange.pcapng")
    fields = ("_ws.col.Info", "_ws.malformed", "_ws.expert.message")
    run = subprocess.run(
        ["tshark", "-n", "-r", str(path), "-Y", "m3ua.protocol_data_opc", "-T", "fields",
         "-E", "separator=/t", *(word for field in fields for word in ("-e", field))],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    told = [line.split("\t") for line in run.stdout.splitlines()]
    kept = data_of(exchange)
    assert len(told) == len(kept)
    for (row, data), (info, malformed, expert) in zip(kept, told, strict=True):
        if is_broken(row.octets):
            continue
        assert not malformed, info
        assert not expert, (info, expert)
        value = sccp.decode(data.payload)
        name = view_m3ua(row.octets)["message"] if value.data else value.type
        assert name.upper() in info.upper().replace(" (BSSMAP)", "").replace(" (DTAP)", "") or (
            name in SPELLED and SPELLED[name] in info
        ), (name, info)


#: The specification's name -> how Wireshark puts it.
SPELLED = {"SMS-SUBMIT": "RP-DATA (MS to Network)", "SMS-DELIVER": "RP-DATA (Network to MS)"}


# ------------------------------------------------------------------ the dialogues


def dialogues(exchange: list[SimpleNamespace]) -> list[tuple[str, list[SimpleNamespace]]]:
    """(check, steps) of each connection, the page before it included."""
    open_links: list[dict] = []
    page = None
    for row, data in data_of(exchange):
        value = sccp.decode(data.payload)
        step = SimpleNamespace(leg=0, uplink=row.sent, payload=data.payload)
        ours, theirs = (value.source, value.destination) if row.sent else (value.destination, value.source)
        if value.type == "UDT":
            page = step if bssmap.decode(bssap.decode(value.data).payload).name == "PAGING" else page
        elif value.type == "CR":
            paged = view_m3ua(row.octets)["dtap"] == "PAGING RESPONSE"
            steps = [page, step] if paged else [step]
            open_links.append({"check": row.check, "ours": ours, "theirs": None, "steps": steps})
        else:
            link = next(
                link for link in reversed(open_links)
                if (link["theirs"] == theirs if row.sent else link["ours"] == ours)
            )  # fmt: skip
            link["theirs"] = theirs if theirs is not None else link["theirs"]
            link["steps"].append(step)
    return [(link["check"], link["steps"]) for link in open_links]


#: What the acceptor of our dialogues does not take, though osmo-msc does it.
BEYOND = {
    "call_to_nobody": "vRELEASE while cc is 'proceeding'",
    "call_to_the_absent": "vRELEASE while cc is 'proceeding'",
    "emergency_call_refused_by_the_called": "^STATUS ENQUIRY has no place in any dialogue",
}


def test_a_real_dialogue_is_a_legal_dialogue(exchange):
    found = dialogues(exchange)
    assert len(found) >= 14
    refused = {}
    for name, steps in found:
        try:
            check(steps)
        except LegalityError as error:
            refused[name] = error.why
    assert refused.items() <= BEYOND.items()


def test_the_platform_sees_what_happened(exchange):
    """Decoder and correlator make the behaviours of our three stations out of it."""
    rows = data_of(exchange)
    batch = MessageBatch.from_messages([row.octets for row, _ in rows])
    times = np.array([row.t_unix_us for row, _ in rows], dtype=np.int64)
    correlator = Correlator(hold_us=0)
    columns = decode_batch(batch.data, batch.offsets)
    parts = [correlator.feed(batch.data, batch.offsets, columns, times), correlator.flush()]
    acts = [
        (str(int(act["imsi"]))[-2:], Kind(int(act["kind"])).name, act["peer"].decode(), int(act["cause"]))
        for part in parts
        for act in part
    ]
    wanted = [tuple(line.split(" | ")) for line in ACTS.strip().splitlines()]
    kinds = {kind for _, kind, _, _ in wanted}
    assert [(*map(str, act),) for act in acts if act[1] in kinds] == wanted


#: End of the IMSI, kind, other party, cause; what the platform must make of the exchange, in order.
ACTS = """
01 | LOCATION_UPDATE |  | 0
02 | POWER_ON |  | 0
99 | LOCATION_UPDATE_REJECTED |  | 2
03 | LOCATION_UPDATE_REJECTED |  | 3
01 | PERIODIC_UPDATE |  | 0
01 | SMS_SENT | 1002 | 0
02 | SMS_RECEIVED | 1001 | 0
01 | CALL_STARTED | 1002 | 0
02 | CALL_STARTED | 1001 | 0
02 | CALL_CONNECTED | 1001 | 0
01 | CALL_CONNECTED | 1002 | 0
01 | CALL_ENDED | 1002 | 16
02 | CALL_ENDED | 1001 | 16
01 | CALL_STARTED |  | 0
02 | CALL_STARTED | 1001 | 0
02 | CALL_REJECTED | 1001 | 21
01 | CALL_REJECTED |  | 21
01 | CALL_STARTED | 1077 | 0
01 | CALL_UNREACHABLE | 1077 | 18
02 | POWER_OFF |  | 0
01 | CALL_STARTED | 1002 | 0
01 | CALL_UNREACHABLE | 1002 | 18
"""
