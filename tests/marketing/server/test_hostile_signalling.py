"""Peers that send anything on an association, or to the HTTP port: the platform goes on for the others."""

import contextlib
import socket
import time

import httpx
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sigtran import AssociationLost, MessageBatch, connect
from sigtran.association import AspSide, AspState

GENERATED = settings(
    max_examples=60, deadline=None, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


def parameter(tag, value):
    """RFC 4666 3.2, padded."""
    return tag.to_bytes(2, "big") + (4 + len(value)).to_bytes(2, "big") + value + bytes(-len(value) % 4)


def message(kind, what, parameters):
    """RFC 4666 3.1: any class and type, with any parameters."""
    body = b"".join(parameters)
    return bytes((1, 0, kind, what)) + (8 + len(body)).to_bytes(4, "big") + body


TAGS = st.sampled_from([4, 6, 7, 9, 11, 12, 13, 17, 18, 19, 0x210, 0x205])
headed = st.builds(
    message,
    st.integers(0, 10),
    st.integers(0, 8),
    st.lists(st.builds(parameter, TAGS, st.binary(max_size=24)), max_size=3),
)
PIECES = (
    b"GET ", b"POST ", b"/healthz", b"/campaigns/reload", b" HTTP/1.1\r\n", b"Host: x\r\n", b"\r\n",
    b"\r\n\r\n", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999\r\n", b"Transfer-Encoding: chunked\r\n", b"FFFFFFFFFFFFFFFF\r\n",
    b"5\r\nhello\r\n0\r\n\r\n", b"Expect: 100-continue\r\n", b"Upgrade: websocket\r\n",
    b"Connection: upgrade\r\n", b"Authorization: Bearer x\r\n", b"X: " + b"y" * 70_000,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\0", b"\xff",
    b"X-Forwarded-For: 1.2.3.4\r\n",
)  # fmt: skip


def joined(address, *, active=True):
    """An association, and if wished an ASP on it that may send."""
    association = connect(address["transport"], address["host"], address["port"])
    side, end = AspSide(), time.monotonic() + 20
    side.start(0)
    while active and side.state is not AspState.ACTIVE:
        assert time.monotonic() < end, "nobody is let in any more"
        if out := side.pending():
            association.send(MessageBatch.from_messages(out, 0))
        association.wait(0.02)
        for octets in association.receive() or ():
            side.receive(octets, 0)
    return association


def test_whatever_a_peer_signals_others_are_heard(platform, town, wire):
    one = platform(
        mode="live",
        clock={"mode": "live", "start_s": 36_000, "factor": 1.0},
        collector={"transport": "memory", "host": "hostile", "port": 0},
        by_hand=False,
    )
    address = one.server.addresses["collector"]
    good = [
        one_of.octets
        for kind in ("lu_attach", "mo_call_answered", "sms_mt", "imsi_detach")
        for one_of in (wire.story(kind) if kind in wire.LADDERS else ())
    ]
    assert len(good) > 20

    @st.composite
    def damaged(draw):
        octets = bytearray(draw(st.sampled_from(good)))
        for _ in range(draw(st.integers(0, 4))):
            octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
        return bytes(octets[: draw(st.integers(1, len(octets)))]) if draw(st.booleans()) else bytes(octets)

    hurt = headed | damaged() | damaged() | st.binary(min_size=1, max_size=40)

    @GENERATED
    @given(st.lists(hurt, min_size=1, max_size=20), st.booleans(), st.booleans(), st.integers(0, 7))
    def hold(sent, active, abort, stream):
        association = joined(address, active=active)
        with contextlib.suppress(AssociationLost):  # it may have been shown out
            association.send(MessageBatch.from_messages(sent, stream))
        association.abort() if abort else association.close(0.2)

    hold()
    association = joined(address)
    before = one.server.signalling.received
    association.send(MessageBatch.from_messages(good, 1))
    one.until(lambda: one.server.signalling.received == before + len(good))
    url, headers = one.door
    health = httpx.get(f"{url}/healthz", headers=headers, timeout=20).json()
    assert (health["healthy"], health["association"]) == (True, "up")
    association.close()
    assert one.stop() == 0
    assert one.server.reason == ""


def test_whatever_comes_to_the_http_port_others_are_answered(platform):
    one = platform()
    one.server.http.wait_loaded(20)
    url, headers = one.door

    @GENERATED
    @given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=12))
    def hold(sent):
        with (
            socket.create_connection(("127.0.0.1", one.server.http.port), 10) as line,
            contextlib.suppress(OSError),
        ):
            line.sendall(b"".join(sent))
            line.shutdown(socket.SHUT_WR)
            line.settimeout(10)
            while line.recv(65536):
                pass

    hold()
    assert httpx.get(f"{url}/healthz", headers=headers, timeout=20).status_code == 200
    assert one.stop() == 0
