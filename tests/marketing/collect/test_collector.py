"""The collector over the memory transport: handshake, live batches, lockstep ticks, rubbish, losses."""

import itertools
import random
import struct

import pytest

from marketing.clock import Clock
from marketing.collect import Collector, Tick
from marketing.collect.errors import KEPT_OCTETS, KEPT_PER_KIND
from marketing.config import CollectorConfig
from sigtran import ListenError, MessageBatch, connect
from sigtran.association import AspSide, AspState, BeatAck

EPOCH_US = 1_236_528_000_000_000
SECOND = 1_000_000


class Simulator:
    """The other end: an ASP that sends what it is told to."""

    def __init__(self, collector: Collector, *, start: bool = True) -> None:
        self.collector = collector
        self.association = connect("memory", collector.host, collector.port)
        self.side = AspSide()
        self.acknowledged: list[bytes] = []
        self.sent = 0
        if start:
            self.side.start(0)
            for _ in range(4):
                self.talk()
                collector.poll()
                self.hear()
            assert self.side.state is AspState.ACTIVE

    def talk(self) -> None:
        out = self.side.pending()
        if out:
            self.association.send(MessageBatch.from_messages(out, 0))

    def hear(self) -> None:
        batch = self.association.receive()
        for octets in batch if batch is not None else ():
            for event in self.side.receive(octets, 0):
                if isinstance(event, BeatAck):
                    self.acknowledged.append(event.data)

    def send(self, messages, streams=1) -> None:
        self.association.send(
            MessageBatch.from_messages([getattr(m, "octets", m) for m in messages], streams)
        )

    def data(self, wire, messages, order=None) -> None:
        """Messages with correlation ids in their order, put on the wire in another one."""
        numbered = [wire.with_corr(m.octets, self.sent + i + 1) for i, m in enumerate(messages)]
        self.sent += len(messages)
        order = list(order or range(len(messages)))
        self.send([numbered[i] for i in order], [messages[i].stream for i in order])

    def beat(self, world_us: int, count: int | None = None) -> bytes:
        data = struct.pack("!QQ", world_us, self.sent if count is None else count)
        self.side.beat(data)
        self.talk()
        return data


_ports = itertools.count(20_000)


@pytest.fixture
def make():
    made: list[Collector] = []

    def collector(mode: str = "lockstep", **options) -> Collector:
        clock = Clock(mode, epoch_us=EPOCH_US, factor=1.0)
        config = CollectorConfig(transport="memory", port=next(_ports))
        made.append(Collector(config, clock, epoch_us=EPOCH_US, **options))
        return made[-1]

    yield collector
    for one in made:
        one.close()


def errors(collector: Collector) -> dict[str, int]:
    return collector.report()["errors"]


# ------------------------------------------------------------------ live


def test_live_behaviours_carry_the_time_of_reading(wire, make):
    collector = make("live")
    simulator = Simulator(collector)
    assert collector.state() == "up"
    before = collector._clock.now_us()
    simulator.send(wire.story("lu_attach", identity="imsi"))
    assert collector.wait(1)
    (batch,) = collector.poll()
    assert wire.told(batch) == ["power_on"]
    assert before <= batch[0]["t_us"] <= collector._clock.now_us()
    assert 0 < batch[0]["received_ns"] <= batch[0]["decoded_ns"]
    assert collector.poll() == []
    report = collector.report()
    assert report["received"] == report["decoded"] == len(wire.story("lu_attach", identity="imsi"))
    assert report["errors"] == {}


def test_live_beats_are_echoed_at_once_and_unread(make):
    simulator = Simulator(make("live"))
    simulator.side.beat(b"anything")
    simulator.talk()
    assert simulator.collector.poll() == []
    simulator.hear()
    assert simulator.acknowledged == [b"anything"]


def test_what_is_held_back_comes_when_its_time_is_over(wire, make):
    collector = make("live")
    simulator = Simulator(collector)
    simulator.send(wire.story("detach"))
    assert collector.poll() == []
    assert collector.due_s is not None
    collector._clock.epoch_us += 250_000
    (batch,) = collector.poll()
    assert batch["imsi"].tolist() == [0]
    assert collector.due_s is None


# ------------------------------------------------------------------ lockstep


def test_a_tick_is_given_when_all_of_its_messages_are_here(wire, make):
    collector = make()
    simulator = Simulator(collector)
    messages = wire.story("mo_call_answered", 0)
    half = len(messages) // 2
    simulator.data(wire, messages[:half])
    simulator.beat(2 * SECOND)
    simulator.beat(5 * SECOND, len(messages))
    assert collector.poll() == []
    assert collector.report()["associations"][0]["missing"] == len(messages) - half
    simulator.data(wire, messages[half:])
    (tick,) = collector.poll()
    assert isinstance(tick, Tick)
    assert tick.t_unix_us == EPOCH_US + 5 * SECOND
    assert wire.told(tick.behaviours) == ["call_started", "call_connected", "call_ended"]
    # Stamped by the first mark that counts them.
    first, second = EPOCH_US + 2 * SECOND, EPOCH_US + 5 * SECOND
    counted = [first if corr <= half else second for corr in tick.behaviours["corr"].tolist()]
    assert tick.behaviours["t_us"].tolist() == counted
    assert set(tick.behaviours["received_ns"].tolist()) == {0}


def test_acknowledged_only_when_told_and_given_once(wire, make):
    collector = make()
    simulator = Simulator(collector)
    beats = [simulator.beat(3 * SECOND), simulator.beat(5 * SECOND)]
    (tick,) = collector.poll()
    assert collector.poll() == []
    simulator.hear()
    assert simulator.acknowledged == []
    collector.acknowledge(tick)
    simulator.hear()
    assert simulator.acknowledged == beats
    assert collector.poll() == []


@pytest.mark.parametrize("seed", range(5))
def test_streams_may_overtake_each_other_and_the_beats(wire, make, seed):
    rng = random.Random(seed)
    messages = wire.story("mo_call_answered", 0, handover=True) + wire.story(
        "mt_sms", 0, bss_ref=5, msc_ref=6
    )
    wanted = wire.plain(wire.behaviours(messages))
    collector = make()
    simulator = Simulator(collector)
    order = list(range(len(messages)))
    rng.shuffle(order)
    simulator.beat(5 * SECOND, len(messages))
    numbered = [wire.with_corr(m.octets, i + 1) for i, m in enumerate(messages)]
    for at in order:
        assert collector.poll() == []
        simulator.send([numbered[at]], messages[at].stream)
    (tick,) = collector.poll()
    got = sorted((r["imsi"], r["kind"], r["peer"], r["ci"]) for r in tick.behaviours)
    assert got == sorted((r[1], r[2], r[6], r[5]) for r in wanted)
    assert (tick.behaviours["corr"][1:] >= tick.behaviours["corr"][:-1]).all()
    assert collector.report()["correlation"]["orphans"] == 0


def test_ticks_follow_each_other(wire, make):
    collector = make()
    simulator = Simulator(collector)
    seen = []
    for tick_number in range(1, 30):
        if tick_number % 3:
            simulator.data(wire, wire.story("lu_periodic", imsi=f"00101{tick_number:010d}"))
        simulator.beat(tick_number * 5 * SECOND)
        (tick,) = collector.poll()
        collector.acknowledge(tick)
        seen.append((tick.t_unix_us, len(tick.behaviours)))
    assert seen == [(EPOCH_US + n * 5 * SECOND, 1 if n % 3 else 0) for n in range(1, 30)]
    assert collector.report()["beats"] == 29


def test_time_is_the_least_of_several_associations(wire, make):
    collector = make()
    one, two = Simulator(collector), Simulator(collector)
    one.data(wire, wire.story("lu_attach", identity="imsi"))
    one.beat(5 * SECOND)
    assert collector.poll() == []
    two.data(wire, wire.story("lu_attach", identity="imsi", imsi="001010000000002", bss_ref=3, msc_ref=4))
    two.beat(10 * SECOND)
    (tick,) = collector.poll()
    assert tick.t_unix_us == EPOCH_US + 5 * SECOND
    assert tick.behaviours["imsi"].tolist() == [1010000000001]
    collector.acknowledge(tick)
    one.hear()
    two.hear()
    assert (len(one.acknowledged), len(two.acknowledged)) == (1, 0)
    one.beat(10 * SECOND)
    (tick,) = collector.poll()
    assert tick.behaviours["imsi"].tolist() == [1010000000002]
    collector.acknowledge(tick)
    two.hear()
    assert len(two.acknowledged) == 1


def test_a_beat_with_other_data_is_answered_and_counted(make):
    collector = make()
    simulator = Simulator(collector)
    simulator.side.beat(b"hello")
    simulator.talk()
    assert collector.poll() == []
    simulator.hear()
    assert simulator.acknowledged == [b"hello"]
    assert errors(collector) == {"beat_data": 1}


# ------------------------------------------------------------------ rubbish


def rubbish(wire):
    good = wire.story("lu_attach", identity="imsi")[0].octets
    sccp = bytes.fromhex("06 040506 00 01 03 07 01 01")
    return {
        "m3ua_header": b"garbage from somewhere else",
        "m3ua_length": good[:-3],
        "m3ua_parameter": bytes.fromhex("0100010100000008"),
        "foreign_service": wire.m3ua(sccp, True, si=5),
        "foreign_network": wire.m3ua(sccp, True, ni=0),
        "sccp_type": wire.m3ua(b"\x55\1\2\3\4\5", True),
        "sccp_pointer": wire.m3ua(bytes.fromhex("06 040506 00 77 01 00"), True),
        "m3ua_unexpected": bytes.fromhex("0100 0404 00000008"),
        "m3ua_content": bytes.fromhex("0100 0303 0000000c 0009 ffff"),
    }


@pytest.mark.parametrize("mode", ["live", "lockstep"])
def test_rubbish_is_counted_by_kind_and_does_not_stop_anything(wire, make, mode):
    collector = make(mode)
    simulator = Simulator(collector)
    bad = rubbish(wire)
    simulator.send([*bad.values()] * 8)
    if mode == "live":
        assert collector.poll() == []
    else:
        simulator.sent = collector.report()["received"]
        collector.poll()
        simulator.sent = collector.report()["received"]
    simulator.data(wire, wire.story("lu_attach", identity="imsi"))
    simulator.beat(5 * SECOND)
    (found,) = collector.poll()
    batch = found if mode == "live" else found.behaviours
    assert wire.told(batch) == ["power_on"]
    assert errors(collector) == dict.fromkeys(sorted(bad), 8)
    kept = collector.report()["kept"]
    assert {entry["kind"] for entry in kept} == set(bad)
    assert len(kept) == KEPT_PER_KIND * len(bad)
    assert all(bytes.fromhex(entry["hex"]) == bad[entry["kind"]] for entry in kept)
    assert all(entry["association"] == 1 for entry in kept)


def test_a_flood_of_rubbish_is_not_answered_message_by_message(wire, make):
    collector = make("live")
    simulator = Simulator(collector)
    simulator.send([b"x" * 3000] * 5000)
    collector.poll()
    assert errors(collector) == {"m3ua_header": 5000}
    answers = simulator.association.receive()
    assert answers is None or answers.n <= 8
    assert all(len(entry["hex"]) == 2 * KEPT_OCTETS and entry["length"] == 3000 for entry in collector.kept())


def test_data_before_activation_is_discarded(wire, make):
    collector = make("live")
    simulator = Simulator(collector, start=False)
    simulator.send(wire.story("lu_attach"))
    assert collector.poll() == []
    assert errors(collector) == {"data_while_inactive": len(wire.story("lu_attach"))}
    assert collector.state() == "waiting"


def test_segments_are_no_errors(wire, make):
    collector = make("live")
    simulator = Simulator(collector)
    messages = wire.story("mo_call_answered")
    setup = [m.name for m in messages].index("SETUP")
    octets = messages[setup].octets
    sccp = octets[24 : 24 + int.from_bytes(octets[10:12], "big") - 16]
    halves = [
        wire.m3ua(sccp[:4] + bytes([1, 1, 9]) + sccp[7:16], True),
        wire.m3ua(sccp[:4] + bytes([0, 1, len(sccp) - 16]) + sccp[16:], True),
    ]
    simulator.send([*messages[:setup], *halves, *messages[setup + 1 :]])
    (batch,) = collector.poll()
    assert wire.told(batch)[0] == "call_started"
    assert errors(collector) == {}


# ------------------------------------------------------------------ doors


def test_a_lost_association_is_told_and_an_orderly_end_is_not_a_loss(make):
    lost: list[str] = []
    collector = make("live", on_lost=lost.append)
    Simulator(collector).association.close()
    collector.poll()
    assert (lost, collector.state()) == ([], "waiting")
    Simulator(collector).association.abort()
    collector.poll()
    assert len(lost) == 1
    assert "lost" in lost[0]
    assert collector.state() == "lost"
    Simulator(collector)
    assert collector.state() == "up"
    assert len(collector.report()["ended"]) == 2


def test_messages_sent_before_the_end_still_count(wire, make):
    collector = make("live")
    simulator = Simulator(collector)
    simulator.send(wire.story("lu_attach", identity="imsi"))
    simulator.association.abort()
    (batch,) = collector.poll()
    assert wire.told(batch) == ["power_on"]
    assert collector.state() == "lost"


def test_a_taken_port_is_said(make):
    collector = make("live")
    with pytest.raises(ListenError, match=str(collector.port)):
        Collector(CollectorConfig(transport="memory", port=collector.port), Clock("live"))
    assert collector.address()["port"] == collector.port


def test_closed_means_closed(make):
    collector = make("live")
    simulator = Simulator(collector)
    collector.close()
    collector.close()
    assert simulator.association.state == "closed"
    assert collector.poll() == []


def test_a_poll_costs_little(wire, make):
    """Called at every tick. Processor time of this thread: machines that test do other things too."""
    import time

    collector = make()
    simulator = Simulator(collector)
    story = wire.story("mo_call_answered")
    spent = []
    for number in range(1, 201):
        simulator.data(wire, story)
        for second in range(1, 6):
            simulator.beat(((number - 1) * 5 + second) * SECOND)
        start = time.thread_time()
        (tick,) = collector.poll()
        collector.acknowledge(tick)
        spent.append(time.thread_time() - start)
        simulator.association.receive()
    assert sorted(spent)[len(spent) // 2] < 0.002
