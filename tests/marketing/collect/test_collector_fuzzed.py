"""The collector's own door: whatever an association delivers is counted, and others are read."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing.clock import Clock
from marketing.collect import Collector
from marketing.config import CollectorConfig
from sigtran import MessageBatch, connect
from sigtran.association import AspSide, AspState

EPOCH_US = 1_236_528_000_000_000
_ports = itertools.count(26_000)


@pytest.fixture
def collector():
    config = CollectorConfig(transport="memory", port=next(_ports))
    made = Collector(config, Clock("live", epoch_us=EPOCH_US, factor=1.0), epoch_us=EPOCH_US)
    yield made
    made.close()


def join(collector):
    """The end of an association that has gone through the handshake."""
    association, side = connect("memory", collector.host, collector.port), AspSide()
    side.start(0)
    for _ in range(4):
        if out := side.pending():
            association.send(MessageBatch.from_messages(out, 0))
        collector.poll()
        for octets in association.receive() or ():
            side.receive(octets, 0)
    assert side.state is AspState.ACTIVE
    return association


def seeds(wire):
    """Sound messages: of a location update and of a call, both as they go over the wire."""
    names = (("lu_attach", {"identity": "imsi"}), ("mo_call_answered", {}))
    return [message.octets for name, keys in names for message in wire.story(name, **keys)]


@st.composite
def damaged(draw, sound):
    """A sound message with octets changed, cut out, doubled or cut off; or any octets at all."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.binary(max_size=80))
    octets = draw(st.sampled_from(sound))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(octets)))
        end = min(len(octets), at + draw(st.integers(0, 6)))
        octets = octets[:at] + draw(st.binary(max_size=6) | st.just(octets[at:end] * 2)) + octets[end:]
    return octets


def test_whatever_comes_is_counted_and_others_are_read(collector, wire):
    association, sound = join(collector), seeds(wire)

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(damaged(sound), min_size=1, max_size=20), st.integers(0, 3))
    def hold(messages, stream):
        association.send(MessageBatch.from_messages([one for one in messages if one], stream))
        collector.poll()
        list(association.receive() or ())  # complaints, which a full queue would keep back

    hold()
    assert sum(collector.report()["errors"].values()) > 100
    # Whatever state the rubbish has talked that association into, and whoever it has let him be taken for:
    # another link's messages of somebody else are read.
    other = join(collector)
    attach = wire.story(
        "lu_attach", identity="imsi", imsi="460001234567890", bss_ref=0x7A7A7A, msc_ref=0x6B6B6B
    )
    other.send(MessageBatch.from_messages([message.octets for message in attach], [m.stream for m in attach]))
    collector.wait(1)
    (found,) = collector.poll()
    assert found["imsi"].tolist() == [460001234567890]
    assert wire.told(found) == ["power_on"]
