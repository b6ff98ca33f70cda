"""The lockstep driver over a memory association: marks, barriers, order, and every way it can be let down."""

import contextlib
import struct
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.link import SignallingLink
from experiments.lockstep import Lockstep
from experiments.problems import RunInvalid
from sigtran import AssociationLost
from sigtran.association import Beat, SgpSide
from sigtran.batch import MessageBatch
from sigtran.m3ua import DataMessage, decode, encode
from sigtran.memory import memory_pair


class FakePlatform(threading.Thread):
    """Collects, tells marks from barriers, acknowledges barriers; can be told to misbehave."""

    def __init__(self, association, tick_us, *, acknowledge=True, die_after=None):
        super().__init__(daemon=True)
        self.association, self.tick_us, self.acknowledge, self.die_after = (
            association,
            tick_us,
            acknowledge,
            die_after,
        )
        self.side = SgpSide(answer_beats=False)
        self.correlations, self.marks, self.barriers, self.streams = [], [], [], []
        self.start()

    def run(self):
        while self.association.state == "up":
            self.association.wait(0.1)
            batch = self.association.receive()
            if batch is None:
                continue
            for stream, octets in zip(batch.streams.tolist(), batch, strict=True):
                if octets[2:4] == b"\x01\x01":
                    data = DataMessage.from_message(decode(octets))
                    self.correlations.append(data.correlation_id)
                    self.streams.append((stream, data.sls))
                    continue
                for event in self.side.receive(octets, 0):
                    if isinstance(event, Beat):
                        t_us, count = struct.unpack("!QQ", event.data)
                        if t_us % self.tick_us:
                            self.marks.append((t_us, count))
                            continue
                        self.barriers.append((t_us, count))
                        if self.die_after is not None and len(self.barriers) >= self.die_after:
                            self.association.abort()
                            return
                        if self.acknowledge:
                            self.side.acknowledge_beat(event.data)
            waiting = self.side.pending()
            if waiting:
                with contextlib.suppress(AssociationLost):  # the simulator may have gone already
                    self.association.send(MessageBatch.from_messages(waiting, 0))


def batch_of(times_us, first):
    messages = [
        encode(DataMessage(1, 257, 3, 2, sls, b"\x06payload", correlation_id=first + i))
        for i, sls in enumerate(range(len(times_us)))
    ]
    offsets = np.zeros(len(messages) + 1, np.int64)
    np.cumsum([len(m) for m in messages], out=offsets[1:])
    return SimpleNamespace(
        t_us=np.array(times_us, np.int64),
        data=b"".join(messages),
        offsets=offsets,
        sls=np.arange(len(messages), dtype=np.uint8),
    )


class FakeWorld:
    """Emits what it is told at each tick."""

    def __init__(self, tick_us, script, outgoing=None):
        self.t_us, self.tick_us, self.script, self.due = 0, tick_us, script, outgoing or {}
        self.injected, self.sent = [], 0

    def step(self):
        self.t_us += self.tick_us
        return self.t_us

    def drain(self):
        times = self.script.get(self.t_us)
        if not times:
            return []
        batch = batch_of(times, self.sent + 1)
        self.sent += len(times)
        return [batch]

    def outgoing(self):
        return self.due.get(self.t_us, [])

    def inject(self, submits, cancels, t_us):
        self.injected.append((t_us, [s.message_id for s in submits], len(cancels)))


class FakeCentre:
    def __init__(self, submits=()):
        self.submits, self.delivered = list(submits), []

    def take_submits(self):
        taken, self.submits = self.submits, []
        return taken

    def take_cancels(self):
        return []

    def deliver(self, messages, timeout=10.0):
        self.delivered += messages


TICK = 5_000_000


def drive(script, end_us, *, outgoing=None, submits=(), barrier_s=5.0, **platform):
    near, far = memory_pair(16)
    fake = FakePlatform(far, TICK, **platform)
    world, centre = FakeWorld(TICK, script, outgoing), FakeCentre(submits)
    link = SignallingLink(near, tick_us=TICK)
    lockstep = Lockstep(world, link, centre, end_us, barrier_s=barrier_s)
    try:
        link.bring_up()
        lockstep.run()
    finally:
        link.close()
        fake.join(5)
    return fake, world, centre, lockstep.spent


def test_marks_follow_each_second_with_traffic_and_the_barrier_serves_as_the_last():
    fake, *_ = drive({TICK: [100, 200, 1_000_000, 3_999_999, 4_000_000]}, TICK)
    assert fake.correlations == [1, 2, 3, 4, 5]
    assert fake.marks == [(1_000_000, 2), (2_000_000, 3), (4_000_000, 4)]
    assert fake.barriers == [(5_000_000, 5)]


def test_data_never_goes_on_stream_0_and_follows_its_sls():
    fake, *_ = drive({TICK: list(range(40))}, TICK)
    assert all(stream == 1 + sls % 15 for stream, sls in fake.streams)


def test_empty_ticks_are_skipped_but_not_a_whole_minute():
    fake, _, _, spent = drive({TICK: [1], 150_000_000: [149_000_000]}, 180_000_000)
    assert [t // 1_000_000 for t, _ in fake.barriers] == [5, 65, 125, 150, 180]
    assert spent.ticks == 36


def test_submits_are_injected_sorted_at_the_ticks_end():
    submits = [SimpleNamespace(message_id=m) for m in ("b.2", "a.1", "b.1")]
    _, world, *_ = drive({TICK: [1]}, TICK, submits=submits)
    assert world.injected == [(5_000_000, ["a.1", "b.1", "b.2"], 0)]


def test_a_delivery_alone_makes_a_barrier():
    fake, _, centre, _ = drive({}, 10_000_000, outgoing={TICK: ["receipt"]})
    assert centre.delivered == ["receipt"]
    assert [t for t, _ in fake.barriers] == [5_000_000, 10_000_000]


def test_a_barrier_not_met_names_what_is_missing():
    with pytest.raises(RunInvalid, match=r"barrier at 5 s .* not met within 0\.3 s: .* 3 DATA messages"):
        drive({TICK: [1, 2, 3]}, TICK, acknowledge=False, barrier_s=0.3)


def test_a_lost_association_ends_the_run_with_its_reason():
    with pytest.raises(RunInvalid, match=r"association .* lost: .*aborted"):
        drive({t * TICK: [t * TICK - 1] for t in range(1, 50)}, 50 * TICK, die_after=3)


def test_a_refused_deliver_ends_the_run():
    class Refusing(FakeCentre):
        def deliver(self, messages, timeout=10.0):
            raise OSError("no ESME bound")

    near, far = memory_pair(16)
    fake = FakePlatform(far, TICK)
    link = SignallingLink(near, tick_us=TICK)
    link.bring_up()
    with pytest.raises(RunInvalid, match="1 deliver_sm to the platform: no ESME bound"):
        Lockstep(FakeWorld(TICK, {}, {TICK: ["x"]}), link, Refusing(), TICK).run()
    link.close()
    fake.join(5)


def test_the_driver_asks_while_it_waits_so_a_dead_platform_is_noticed():
    near, far = memory_pair(16)
    fake = FakePlatform(far, TICK, acknowledge=False)

    def check():
        raise RunInvalid("the platform was killed by signal 9")

    link = SignallingLink(near, tick_us=TICK, on_wait=lambda: None)
    link.bring_up()
    link._on_wait = check
    with pytest.raises(RunInvalid, match="killed by signal 9"):
        link.barrier(TICK, 10.0)
    link.close()
    fake.join(5)
