"""A whole world for a day: order, dialogues, numbers, truth; the same whatever the tick."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from sigtran import m3ua
from sim.bssap import sccp
from sim.bssap.ss_components import encode_ussd, ussd
from sim.network import acts
from sim.network.acts import SERVICE_USED
from sim.network.visible import PAGE_US, RULES
from sim.network.wire import WireBatch
from sim.run import Inhabitants, Run, build, settings_of
from sim.scenario import BscScenario, NetworkScenario, WorldScenario
from sim.subscribers.diary import trips
from sim.subscribers.usage import dialogue, services
from sim.subscribers.walk import LONGEST_RIDE_US, walk

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
SCENARIO = WorldScenario(
    world="w",
    about="x",
    epoch=date(2007, 6, 4),
    subscribers=250,
    network=NetworkScenario(
        cells=40,
        bscs=[BscScenario(point_code=257, lacs=[4097, 4098]), BscScenario(point_code=258, lacs=[4099, 4112])],
    ),
)


class Memory:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.batches: list[WireBatch] = []
        self.act_rows, self.visible_rows = [], []
        self.rows = {"parts": [], "contacts": [], "responses": []}

    def signalling(self, batch):
        self.batches.append(batch)

    def acts(self, rows):
        self.act_rows.append(rows)

    def visible(self, rows):
        self.visible_rows.append(rows)

    def parts(self, rows):
        self.rows["parts"] += rows

    def contacts(self, rows):
        self.rows["contacts"] += rows

    def responses(self, rows):
        self.rows["responses"] += rows

    @property
    def digest(self) -> str:
        found = hashlib.sha256()
        for parts in (
            [b.data for b in self.batches],
            [b.t_us.tobytes() for b in self.batches],
            [r.tobytes() for r in self.visible_rows],
            [r.tobytes() for r in self.act_rows],
        ):
            for part in parts:
                found.update(part)
        return found.hexdigest()


@pytest.fixture(scope="module")
def world():
    return build(SCENARIO, 11)


@pytest.fixture(scope="module")
def day(world, library):
    return lived(world, 20 * SECOND, library)


def lived(world, tick_us: int, library, end_us: int = DAY) -> Memory:
    memory = Memory()
    run = Run(world, sink=memory, tick_us=tick_us, end_us=end_us, library=library)
    while run.step() < end_us:
        pass
    return memory


def test_messages_are_in_order_of_time_and_numbered(day) -> None:
    t_us = np.concatenate([b.t_us for b in day.batches])
    assert np.all(np.diff(t_us) >= 0)
    corr = np.concatenate([b.corr for b in day.batches])
    assert corr.tolist() == list(range(1, len(corr) + 1))
    for batch in day.batches:
        assert batch.offsets[0] == 0
        assert batch.offsets[-1] == len(batch.data)
        assert len(batch.offsets) == batch.n + 1 == len(batch.sls) + 1 == len(batch.uplink) + 1
        assert np.all((batch.t_us - batch.t_us[0]) < 20 * SECOND)


def test_every_message_is_the_m3ua_data_that_its_columns_say(day, world) -> None:
    controllers = set(world.topology.bsc_point_codes)
    for batch in day.batches[:: max(1, len(day.batches) // 150)]:
        for i in range(batch.n):
            message = m3ua.DataMessage.from_message(m3ua.decode(batch.message(i)))
            assert (message.si, message.ni, message.sls) == (3, 2, int(batch.sls[i]))
            assert message.correlation_id == int(batch.corr[i])
            bsc = message.opc if batch.uplink[i] else message.dpc
            assert bsc in controllers
            assert {message.opc, message.dpc} == {bsc, world.topology.msc_point_code}
            assert m3ua.encode(message) == batch.message(i)


def connections(memory: Memory):
    """(batch act, uplink, bsc, SCCP message) of everything on a connection."""
    for batch in memory.batches:
        for i in range(batch.n):
            octets = batch.message(i)
            uplink, length = bool(batch.uplink[i]), int.from_bytes(octets[10:12], "big")
            bsc = int.from_bytes(octets[12:16] if uplink else octets[16:20], "big")
            if octets[24] != 0x09:  # UDT
                yield int(batch.act[i]), int(batch.t_us[i]), uplink, bsc, sccp.decode(octets[24 : 8 + length])


def test_every_connection_is_opened_and_released_once_and_references_are_alone(day) -> None:
    open_up: dict[tuple[int, int], int] = {}  # (BSC, its reference) -> act
    open_down: dict[int, int] = {}  # reference of the MSC -> act
    freed: dict[object, int] = {}
    closed = Counter()
    for act, t_us, uplink, bsc, message in connections(day):
        if message.type == "CR":
            key = (bsc, message.source) if uplink else message.source
            table = open_up if uplink else open_down
            assert key not in table, "a reference in use"
            assert t_us - freed.get(key, -DAY) >= 300 * SECOND
            table[key] = act
        elif message.type == "CC":
            key = message.source if uplink is False else (bsc, message.source)
            table = open_down if uplink is False else open_up
            assert key not in table, "a reference in use"
            assert (open_up if uplink is False else open_down)[
                (bsc, message.destination) if uplink is False else message.destination
            ] == act
            table[key] = act
        elif message.type in ("DT1", "RLSD"):
            key = message.destination if uplink else (bsc, message.destination)
            assert (open_down if uplink else open_up)[key] == act
        elif message.type == "RLC":
            assert uplink
            assert open_down.pop(message.destination) == open_up.pop((bsc, message.source)) == act
            freed[message.destination] = freed[bsc, message.source] = t_us
            closed[act] += 1
    assert sum(closed.values()) > 1000
    assert len(open_up) < 30  # what midnight has cut off
    assert set(open_up.values()) == set(open_down.values())


def test_truth_joins(day) -> None:
    acts, visible = np.concatenate(day.act_rows), np.concatenate(day.visible_rows)
    assert acts["act"].tolist() == list(range(len(acts)))
    known = set(acts["act"].tolist())
    assert set(np.concatenate([b.act for b in day.batches]).tolist()) <= known
    assert set(visible["act"].tolist()) <= known
    assert np.all(np.diff(visible["t_us"]) >= 0)
    by_corr = np.concatenate([b.t_us for b in day.batches])
    epoch = SCENARIO.epoch_unix_us
    # A page that nobody answers shows when its time is over, and names its PAGING.
    late = np.where(visible["rule"] == b"page_unanswered", PAGE_US, 0)
    assert (by_corr[visible["corr"] - 1] + late + epoch).tolist() == visible["t_us"].tolist()
    assert np.all(np.diff(visible["corr"][late == 0].astype(np.int64)) > 0)
    assert late.any()
    assert set(visible["rule"].tolist()) <= {rule.name.encode() for rule in RULES}


def test_everything_of_a_day_occurs(day) -> None:
    kinds = Counter(np.concatenate(day.visible_rows)["kind"].tolist())
    assert {1, 2, 3, 4, 10, 11, 12, 13, 14, 20, 21} <= set(kinds)
    n = sum(b.n for b in day.batches)
    # The planned busy hour of 20 mErl makes eight calls and seven texts a day.
    assert 200 * 250 < n < 500 * 250


def test_services_that_people_mean_are_used(day, world) -> None:
    """Each leads to one act (a few wait for a channel at the end), and its answer goes over the air."""
    meant, used = services(world, 0, DAY), np.concatenate(day.act_rows)
    used = used[used["kind"] == SERVICE_USED]
    assert 0.95 * len(meant.t_us) <= len(used) <= len(meant.t_us)
    assert set(used["sub"].tolist()) <= set(meant.sub.tolist())
    assert (used["outcome"] == b"answered").any()
    numbers = set(meant.number[meant.kind == 2].tolist())
    accepted = used[(used["outcome"] == b"accepted") & (used["peer_number"] != b"")]
    assert set(accepted["peer_number"].tolist()) <= numbers
    octets = b"".join(batch.data for batch in day.batches)
    asked = {dialogue(1 + number) for number in meant.dialogue[meant.kind == 0].tolist()}
    there = [encode_ussd(ussd(text)) in octets for pair in asked for text in pair]
    assert np.mean(there) > 0.8  # those whose handset was off have asked in vain


def test_tmsi_are_alone(world, library) -> None:
    run = Run(world, sink=Memory(), tick_us=HOUR, end_us=6 * HOUR, library=library)
    while run.step() < 6 * HOUR:
        assert len(np.unique(run.network.column("tmsi"))) == world.n


def test_the_tick_changes_nothing(world, library) -> None:
    # Where the windows are cut, and nothing else: the bytes, times and truth are the same.
    whole = lived(world, 9 * HOUR, library, 9 * HOUR).digest
    for tick_us in (5 * SECOND, 60 * SECOND):
        assert lived(world, tick_us, library, 9 * HOUR).digest == whole


def test_the_same_seed_is_the_same_world_another_is_not(world, library) -> None:
    again = lived(build(SCENARIO, 11), 20 * SECOND, library, 8 * HOUR)
    once = lived(world, 20 * SECOND, library, 8 * HOUR)
    other = lived(build(SCENARIO, 12), 20 * SECOND, library, 8 * HOUR)
    assert again.digest == once.digest != other.digest


HASH_SEED_PROGRAM = """
import hashlib, sys
from datetime import date
from sim.network.messages import Submit
from sim.run import Run, build
from sim.scenario import BscScenario, NetworkScenario, WorldScenario
from sim.subscribers.diary import trips
from sim.subscribers.walk import LONGEST_RIDE_US, walk
from sim.subscribers.offers import Offer
from sim.subscribers.response import ResponseModel

class Sink:
    def __init__(self): self.found = hashlib.sha256()
    def signalling(self, batch): self.found.update(batch.data)
    def acts(self, rows): self.found.update(rows.tobytes())
    def visible(self, rows): self.found.update(rows.tobytes())
    def parts(self, rows): self.found.update(repr(rows).encode())
    contacts = responses = parts

bscs = [BscScenario(point_code=257, lacs=[4097, 4098]), BscScenario(point_code=258, lacs=[4099, 4112])]
network = NetworkScenario(cells=40, bscs=bscs)
world = build(WorldScenario(world="w", about="x", epoch=date(2007, 6, 4), subscribers=40, network=network), 5)
hour, sink = 3_600_000_000, Sink()
offer = Offer(name="something", logit=2.0, organic_per_day=0.5, reply_median_s=60)
run = Run(
    world, sink=sink, tick_us=hour // 60, start_us=9 * hour, end_us=10 * hour,
    responses=ResponseModel(world, [offer]), originators={"1008601": "something"},
)
text = (b"hello", 0, 0, None)
run.inject_submits([
    Submit(f"c{i}.1", f"c{i}", 1, 1, "1008601", world.population.msisdn_text(i), *text) for i in range(20)
], 9 * hour)
while run.step() < 10 * hour:
    sink.found.update(repr(run.outgoing()).encode())
print(sink.found.hexdigest())
"""


def test_hash_seeds_change_nothing() -> None:
    def run(seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", HASH_SEED_PROGRAM]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    first, second = run("1"), run("2")
    assert len(first) == 65
    assert first == second


def test_a_world_may_begin_at_noon(world, library) -> None:
    memory = Memory()
    run = Run(world, sink=memory, tick_us=HOUR, start_us=12 * HOUR, end_us=13 * HOUR, library=library)
    assert run.step() == 13 * HOUR
    assert run.step() == 13 * HOUR
    assert all(b.t_us[0] >= 12 * HOUR and b.t_us[-1] < 13 * HOUR for b in memory.batches)
    assert memory.batches


def test_who_is_away_for_long_is_still_looked_for(world) -> None:
    """The next power-on is that of the diary, however far away; nothing beyond thirty days."""
    people = Inhabitants(world)
    span = 30 * DAY
    power = people.power(DAY + 1, DAY + span)
    for sub in range(0, world.n, 7):
        mine = power.t_us[(power.sub == sub) & power.on]
        assert people.next_on_us(sub, DAY) == (int(mine[0]) if len(mine) else -1)
    power = people.power(1, 40 * DAY)
    on = power.t_us[power.on]
    gaps = [
        (sub, a, b)
        for sub in range(world.n)
        for a, b in pairwise([0, *on[power.sub[power.on] == sub].tolist()])
        if 3 * DAY < b - a < span
    ]
    assert gaps, "somebody is off for more than three days"
    for sub, a, b in gaps[:5]:
        assert people.next_on_us(sub, a) == b


def test_settings_of_a_scenario() -> None:
    settings = settings_of(SCENARIO)
    assert settings.utc_offset_quarters == 32
    assert settings.t3212_us == 6 * HOUR
    assert settings.epoch_unix_us == 1_180_886_400_000_000


def test_the_network_walks_trips_as_the_diary_does(world, library) -> None:
    memory = Memory()
    run = Run(world, sink=memory, tick_us=HOUR, end_us=20 * HOUR, start_us=7 * HOUR, library=library)
    while run.step() < 20 * HOUR:
        pass
    acted = np.concatenate(memory.act_rows)
    moved = acted[acted["kind"] == acts.MOVE]
    walked = walk(world.topology, trips(world, 7 * HOUR - LONGEST_RIDE_US, 20 * HOUR))
    rows = (walked.t_us > 7 * HOUR) & (walked.t_us < 20 * HOUR)
    assert np.array_equal(moved["t_us"] - world.scenario.epoch_unix_us, walked.t_us[rows])
    assert np.array_equal(moved["sub"], walked.sub[rows])
    assert len(moved) > 1000
