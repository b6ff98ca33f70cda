"""Only those on the list associate, by address, network and ASP identifier; over SCTP where there is some."""

import time

import pytest
import yaml

from marketing.clock import Clock
from marketing.collect import Collector
from marketing.collect.peers import SAY_EVERY_S, AllowList
from marketing.config import CollectorConfig, ConfigError, load_config
from sigtran import AssociationLost, MessageBatch, TransportUnavailable, choose, connect
from sigtran.association import AspSide, AspState, PeerError
from sigtran.m3ua import ErrorCode

HERE = "127.0.0.1"


def listed(*peers):
    return CollectorConfig(transport="memory", peers=list(peers)).peers


@pytest.mark.parametrize(
    ("peers", "address", "may"),
    [
        (None, "10.9.9.9", True),
        ([], "10.9.9.9", False),
        (["10.9.9.9"], "10.9.9.9", True),
        (["10.9.9.9"], "::ffff:10.9.9.9", True),
        (["10.9.9.9"], "10.9.9.8", False),
        (["10.9.0.0/16"], "10.9.255.255", True),
        (["10.9.0.0/16"], "10.10.0.0", False),
        (["2001:db8::/32"], "2001:db8::1%eth0", True),
        (["2001:db8::/32"], "2001:db9::1", False),
        (["0.0.0.0/0"], "2001:db8::1", False),
        (["0.0.0.0/0"], "?", False),
        ([], "", True),  # within this process
    ],
)
def test_addresses(peers, address, may):
    allowed = AllowList(None if peers is None else listed(*peers))
    assert allowed.admits(address) is may
    assert allowed.refused == (not may)


@pytest.mark.parametrize(
    ("peers", "asp", "code"),
    [
        (None, None, None),
        ([HERE], None, None),
        ([HERE], 5, None),
        ([{"address": HERE, "asp": 5}], 5, None),
        ([{"address": HERE, "asp": 5}], 6, ErrorCode.REFUSED_MANAGEMENT_BLOCKING),
        ([{"address": HERE, "asp": 5}], None, ErrorCode.ASP_IDENTIFIER_REQUIRED),
        ([{"address": HERE, "asp": 5}, {"address": "127.0.0.0/8", "asp": 6}], 6, None),
        ([{"address": "10.0.0.1", "asp": 6}, {"address": HERE, "asp": 5}], 6, ErrorCode(0x0D)),
    ],
)
def test_identifiers(peers, asp, code):
    allowed = AllowList(None if peers is None else listed(*peers))
    assert allowed.asp(HERE, asp) == code
    assert allowed.refused == (code is not None)


def test_refusals_are_all_counted_and_said_once_in_an_interval(caplog):
    now = [0.0]
    allowed = AllowList((), lambda: now[0])
    for _ in range(1000):
        allowed.admits("10.0.0.1")
    now[0] += SAY_EVERY_S
    allowed.admits("10.0.0.2")
    assert allowed.refused == 1001
    first, second = caplog.messages
    assert "10.0.0.1" in first
    assert "10.0.0.2" in second
    assert "999 more" in second


@pytest.mark.parametrize("wrong", ["10.0.0.1/8", "nowhere", {"address": HERE, "asp": -1}, {"asp": 1}])
def test_lists_that_are_none(tmp_path, wrong):
    for name in ("p.csv", "c.csv", "policy.yaml"):
        (tmp_path / name).write_text("")
    values = {"subscribers": "p.csv", "cells": "c.csv", "policy": "policy.yaml", "records": {"dir": "r"}}
    (tmp_path / "p.yaml").write_text(yaml.safe_dump({**values, "collector": {"peers": [wrong]}}))
    with pytest.raises(ConfigError, match=r"collector\.peers"):
        load_config(tmp_path / "p.yaml")


# ------------------------------------------------------------------ over SCTP


def kinds():
    for kind in ("usrsctp", "kernel"):
        try:
            choose(kind)
        except TransportUnavailable as error:
            yield pytest.param(kind, marks=pytest.mark.skip(reason=str(error)))
        else:
            yield kind


@pytest.fixture(params=list(kinds()))
def collector(request):
    made = []

    def make(*peers):
        config = CollectorConfig(transport=request.param, port=0, encap_port=0, peers=list(peers))
        made.append(Collector(config, Clock("wall")))
        return made[-1]

    yield make
    for one in made:
        one.close()


def ask_in(collector, asp=None, seconds=30.0):
    """An ASP that wants to come up: its state at the end, and the errors it was told."""
    kind = collector.address()["transport"]
    association = connect(kind, HERE, collector.port, encap_port=collector.encap_port)
    side, told, deadline = AspSide(asp_identifier=asp), [], time.monotonic() + seconds
    assert association.peer == HERE
    side.start(time.monotonic_ns())
    while time.monotonic() < deadline and side.state is not AspState.ACTIVE:
        out = side.pending()
        try:
            if out:
                association.send(MessageBatch.from_messages(out, 0))
        except AssociationLost:
            pass
        collector.poll()
        association.wait(0.02)
        batch = association.receive()
        for octets in batch if batch is not None else ():
            told += [e.code for e in side.receive(octets, time.monotonic_ns()) if isinstance(e, PeerError)]
        if batch is None and association.state != "up":
            break
    return side.state, told, association


def test_whoever_is_listed_comes_up(collector):
    one = collector("127.0.0.0/8")
    state, told, association = ask_in(one)
    assert (state, told) == (AspState.ACTIVE, [])
    association.close()


def test_a_stranger_is_told_and_shown_out_and_others_go_on(collector, monkeypatch):
    monkeypatch.setattr("marketing.collect.peers.LAST_WORDS_S", 20.0)  # a busy machine is slow to shake hands
    one = collector({"address": HERE, "asp": 5})
    state, _, good = ask_in(one, asp=5)
    assert state is AspState.ACTIVE
    for asp, code in ((6, 0x0D), (None, 0x0E)):
        state, told, association = ask_in(one, asp=asp)
        assert state is not AspState.ACTIVE
        assert code in told
        assert association.state == "closed"  # in order, not aborted
    assert one.report()["refused_peers"] == 2
    assert one.state() == "up"
    assert good.state == "up"
    good.close()


def test_a_wrong_address_is_told_and_shown_out(collector, monkeypatch):
    monkeypatch.setattr("marketing.collect.peers.LAST_WORDS_S", 20.0)
    one = collector("10.0.0.0/8")
    for _ in range(3):
        state, told, association = ask_in(one)
        assert state is not AspState.ACTIVE
        assert told == [0x0D]
        assert association.state == "closed"
    report = one.report()
    assert (report["refused_peers"], report["associations"]) == (3, [])
    assert one.state() == "waiting"
