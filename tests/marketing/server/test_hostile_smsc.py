"""A message centre that sends anything: the platform goes on, binds again, and never believes what cannot be.

Over a real socket. After each attack the session answers, or a new one is bound; at the end a trigger is sent
as if nothing had happened, and nobody was contacted whom no trigger meant.
"""

import contextlib
import random
import socket
import sqlite3
import struct
import threading
import time
from types import SimpleNamespace

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from marketing.server import Doors, Server
from smpp import pdu
from smpp.status import ESM_RECEIPT
from smpp.tlv import Tlv

DAY = "2009-03-02"
CALL = {"kind": "call_ended", "role": 1, "peer": b"10086"}
BIND, ENQUIRE, SUBMIT, RESPONSE = 0x00000009, 0x00000015, 0x00000004, 0x80000000
KNOWN = (0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0x8, 0x9, 0xB, 0x15, 0x21, 0x102, 0x103)
COMMANDS = KNOWN + tuple(RESPONSE | one for one in (0, *KNOWN))


def raw(command, status, sequence, body, length=None):
    return (
        struct.pack("!IIII", len(body) + 16 if length is None else length, command, status, sequence) + body
    )


class Hostile:
    """Binds whoever comes, answers submissions as it is told, and sends what it is given."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.line = None
        self.bound = threading.Event()
        self.answered = threading.Event()
        self.submits = []
        self.answer = lambda sequence: raw(RESPONSE | SUBMIT, 0, sequence, b"id%d\0" % sequence)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                line, _ = self.listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):
                self._talk(line)
            self.bound.clear()
            line.close()

    def _talk(self, line):
        held = b""
        while data := line.recv(65536):
            held += data
            while len(held) >= 4 and len(held) >= (length := struct.unpack("!I", held[:4])[0]):
                one, held = held[:length], held[length:]
                _, command, _, sequence = struct.unpack("!IIII", one[:16])
                if command == BIND:
                    line.sendall(raw(RESPONSE | BIND, 0, sequence, b"smsc\0"))
                    self.line = line
                    self.bound.set()
                elif command == ENQUIRE:
                    line.sendall(raw(RESPONSE | ENQUIRE, 0, sequence, b""))
                elif command == RESPONSE | ENQUIRE:
                    self.answered.set()
                elif command == SUBMIT:
                    self.submits.append(pdu.decode(one).body)
                    line.sendall(self.answer(sequence))

    def attack(self, octets):
        """Sends, then waits until the session answers or another is there."""
        assert self.bound.wait(15), "nobody binds any more"
        line = self.line
        try:
            line.sendall(octets)
        except OSError:
            return
        self.alive()

    def alive(self):
        self.answered.clear()
        end = time.monotonic() + 15
        while time.monotonic() < end:
            # What was sent may have left the beginning of a PDU behind: a broken line is closed from here.
            if self.bound.wait(0.5):
                try:
                    self.line.sendall(raw(ENQUIRE, 0, 77, b""))
                except OSError:
                    continue
                if self.answered.wait(0.15):
                    return
                try:
                    self.line.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
        raise AssertionError("the platform neither answers nor binds again")

    def close(self):
        self.listener.close()


@pytest.fixture
def attacked(dormant):
    centre = Hostile()
    one = dormant(
        mode="live",
        clock={"mode": "live", "start_s": 36_000, "factor": 1.0},
        smpp={"port": centre.listener.getsockname()[1]},
    )
    one.server = Server(one.config, Doors(None, httpx.MockTransport(one._boss), one.signalling))
    one.thread = threading.Thread(target=one._run, daemon=True)
    one.thread.start()
    assert one.server.ready.wait(60)
    yield one, centre
    one.signalling = SimpleNamespace(close=lambda: None)  # the server has closed it
    if one.thread.is_alive():
        one.stop()
    centre.close()


numbers = st.sampled_from(["8613900000000", "10086", "100860011", "1008601", "²", "86139\xff", "", "9" * 20])
octets = st.binary(max_size=40)
tlvs = st.lists(
    st.builds(Tlv, st.sampled_from([0x001E, 0x0424, 0x0427, 0x020C, 0x020E, 0x020F, 0x1400, 0x1401]), octets)
    | st.builds(lambda n: Tlv(0x1401, n.to_bytes(8, "big")), st.sampled_from([0, 2**62, 2**63, 2**64 - 1])),
    max_size=3,
).map(tuple)
texts = st.sampled_from(
    [b"TD", b"1", "退订".encode("utf-16-be"), b"\x05\x00\x03\x01\x02\x01TD", b"\x06\x08\x04\x00\x01\x02\x03x",
     b"id:1.1 sub:001 dlvrd:001 submit date:0903021000 done date:0903021000 stat:DELIVRD err:000 text:",
     b"id:1 sub:999999999999999999999 stat:DELIVRD", b"id: stat:DELIVRD", b"stat:EXPIRED id:\xff\xfe"]
) | st.binary(max_size=140)  # fmt: skip
deliver = st.builds(
    pdu.DeliverSm,
    source_addr=numbers,
    destination_addr=numbers,
    esm_class=st.sampled_from([0, 0x40, ESM_RECEIPT, 0x44, 0xFF]) | st.integers(0, 255),
    data_coding=st.sampled_from([0, 3, 4, 8, 0xF5]) | st.integers(0, 255),
    short_message=texts,
    tlvs=tlvs,
).map(lambda body: pdu.encode(body, 5))
anything = st.builds(
    raw, st.sampled_from(COMMANDS) | st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1), st.binary(max_size=80),
    st.none() | st.sampled_from([0, 1, 15, 16, 17, 70_001, 2**31, 2**32 - 1]),
)  # fmt: skip


@st.composite
def cut(draw, whole):
    """A sound PDU with an octet changed, some left out, or its end missing."""
    found = bytearray(draw(whole))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(found) - 1))
        found[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=3))
        if not found:
            return b""
    return bytes(found)


attacks = st.lists(
    deliver | deliver | anything | cut(deliver) | st.binary(max_size=60), min_size=1, max_size=6
)


def test_whatever_the_centre_sends_the_platform_goes_on(attacked, town):
    one, centre = attacked

    @settings(
        max_examples=60,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(attacks)
    def hold(sent):
        centre.attack(b"".join(sent))

    # What a subscriber of ours says, at times that cannot be.
    for at in (0, 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1):
        for text in (b"TD", b"1", b"\xff" * 140, b"id:id1 stat:DELIVRD"):
            for kind in (0, ESM_RECEIPT):
                said = pdu.DeliverSm(
                    source_addr=town.msisdn(0),
                    destination_addr="1008603",
                    esm_class=kind,
                    short_message=text,
                    tlvs=(Tlv(0x1401, at.to_bytes(8, "big")),),
                )
                centre.attack(pdu.encode(said, 5))
    hold()
    row = one.server.engine.state.profiles.row_of_msisdn(town.msisdn(0))
    assert one.server.engine.state.book.do_not_disturb_us[row] == 0  # for good, whatever the time it named
    now_us = one.server.clock.now_us()
    healthy(one, centre, town, sub=1)
    with sqlite3.connect(one.folder / "ledger.db") as ledger:
        (since_us,) = ledger.execute(
            "SELECT since_us FROM opt_out WHERE msisdn = ?", (int(town.msisdn(0)),)
        ).fetchone()
    assert abs(since_us - now_us) < 600_000_000  # written down, at a time that can be


def test_whatever_the_centre_answers_each_contact_ends_in_one_state(attacked, town):
    one, centre = attacked
    draw = random.Random(7)
    answers = [
        lambda n: raw(RESPONSE | SUBMIT, draw.getrandbits(32), n, b""),
        lambda n: raw(RESPONSE | SUBMIT, 0, n, b""),  # taken, without an id
        lambda n: raw(RESPONSE | SUBMIT, 0, n, b"x" * 64 + b"\0"),
        lambda n: raw(RESPONSE | SUBMIT, 0, n, b"\xff\x80\0") * 3,  # three times over
        lambda n: raw(RESPONSE | SUBMIT, 0, n ^ 1, b"id\0") + raw(RESPONSE, 3, n, b""),
        lambda n: raw(RESPONSE | 0x5, 0, n, b"\0"),  # the response of another command
        lambda n: raw(RESPONSE | SUBMIT, 0, n, b"no end"),
        lambda n: raw(RESPONSE | SUBMIT, 0, n, b"'; DROP TABLE contact; --\0"),
        lambda n: raw(RESPONSE | SUBMIT, 0, n, b"same\0"),
        lambda n: raw(RESPONSE | SUBMIT, 0, n, b"same\0"),
        lambda n: b"",
    ]
    for sub, answer in enumerate(answers):
        centre.answer = answer
        count = len(centre.submits)
        one.push({"t": f"{DAY} 10:00:{sub:02d}", "sub": sub, **CALL})
        one.until(lambda n=count: len(centre.submits) > n)
        centre.alive()
    healthy(one, centre, town, sub=15)
    records = one.records()
    mine = {town.msisdn(sub) for sub in range(len(answers))}
    triggers = {t["trigger_id"]: t for t in records.triggers if t["msisdn"] in mine}
    assert len(triggers) == len(answers)
    assert {t["state"] for t in triggers.values()} <= {"sent", "failed"}
    ledger = {entry["msisdn"]: entry for entry in records.ledger}
    # Whatever was not proven to have been refused counts.
    for sub in (1, 2, 3, 7, 8, 9, 10):
        assert ledger[town.msisdn(sub)]["counted"], sub


def healthy(one, centre, town, sub=0):
    """A trigger is sent, the door says so, and nothing but triggers was."""
    centre.answer = lambda n: raw(RESPONSE | SUBMIT, 0, n, b"id%d\0" % n)
    reached = {s.destination_addr for s in centre.submits}
    assert reached <= {town.msisdn(i) for i in range(20)}
    for fresh in range(sub, 20):  # some may have been opted out by what was sent in their name
        one.push({"t": f"{DAY} 10:01:{fresh:02d}", "sub": fresh, **CALL})
    one.until(lambda: town.msisdn(19) in {s.destination_addr for s in centre.submits})
    url, headers = one.door
    assert httpx.get(f"{url}/healthz", headers=headers, timeout=20).json()["healthy"]
    assert one.stop() == 0
    assert one.server.reason == ""
