"""Who draws changes nothing: processes, threads, or the run itself; nor does leaving the messages out."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from sim.network import acts
from sim.occasions import OCCASION_US, Timetable, slices
from sim.run import Run, build
from sim.scenario import BscScenario, FaultScenario, NetworkScenario, WorldScenario
from sim.sinks import Digest
from sim.subscribers import diary, usage
from sim.subscribers.walk import LONGEST_RIDE_US
from sim.workers import SharedWorld, Workers, workers_of
from sim.world import World

SECOND = 1_000_000
HOUR = 3600 * SECOND
START, END = 17 * HOUR, 20 * HOUR
CHANNELS = 3
"""Of each kind in each cell: far too few for the people here."""
SCENARIO = WorldScenario(
    world="w",
    about="x",
    epoch=date(2007, 6, 4),
    subscribers=4000,
    network=NetworkScenario(
        cells=40,
        bscs=[BscScenario(point_code=257, lacs=[4097, 4098]), BscScenario(point_code=258, lacs=[4099, 4112])],
    ),
)


def congested(subscribers: int = SCENARIO.subscribers) -> World:
    """A world whose cells have few channels."""
    world = build(SCENARIO.model_copy(update={"subscribers": subscribers}), 11)
    few = np.full(world.topology.n, CHANNELS, np.uint16)
    return replace(world, topology=replace(world.topology, tch=few, sdcch=few))


def lived(world, workers=None, *, messages=True, library=None, block_us=0) -> tuple[Digest, np.ndarray]:
    sink = Digest()
    kept = []
    taken = sink.acts
    sink.acts = lambda rows: (kept.append(rows), taken(rows))
    run = Run(
        world, sink=sink, tick_us=60 * SECOND, start_us=START, end_us=END, workers=workers, messages=messages,
        library=library, block_us=block_us,
    )  # fmt: skip
    while run.step() < END:
        pass
    return sink, np.concatenate(kept)


@pytest.fixture(scope="module")
def world():
    return congested()


@pytest.fixture(scope="module")
def alone(world, library):
    return lived(world, library=library)


def test_the_network_is_congested_and_people_of_different_slices_call_each_other(alone, world) -> None:
    digest, rows = alone
    assert digest.messages > 40_000
    assert (rows["outcome"] == b"congested").sum() > 50
    between = rows[(rows["kind"] == acts.CALL_MADE) & (rows["peer_sub"] >= 0)]
    far = between["sub"] // 1024 != between["peer_sub"] // 1024  # of other slices of the workers below
    assert far.sum() > 20


@pytest.mark.parametrize("processes", [2, 4])
def test_workers_give_the_same_octets_and_truth(world, alone, processes, library) -> None:
    with workers_of(world, processes) as workers:
        assert workers is not None
        assert lived(world, workers, library=library)[0].each == alone[0].each


@pytest.mark.parametrize("block_us", [HOUR // 8, OCCASION_US, 3 * HOUR])
def test_blocks_of_any_length_give_the_same(world, alone, block_us, library) -> None:
    assert lived(world, library=library, block_us=block_us)[0].each == alone[0].each


def test_workers_give_the_same_in_short_blocks(world, alone, library) -> None:
    with ThreadPoolExecutor(3) as pool:
        workers = Workers(pool, world, world.n, 3)
        assert lived(world, workers, library=library, block_us=OCCASION_US)[0].each == alone[0].each


def test_a_block_is_a_part_of_a_day(world, library) -> None:
    with pytest.raises(ValueError, match="part of a day"):
        lived(world, library=library, block_us=7 * HOUR)


def test_any_executor_will_do(world, alone, library) -> None:
    with ThreadPoolExecutor(3) as pool:
        assert lived(world, Workers(pool, world, world.n, 3), library=library)[0].each == alone[0].each


def test_any_hash_seed(alone) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_run_workers as t\n"
        "if __name__ == '__main__':\n"
        "    print(sorted(t.lived(t.congested())[0].each.items()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, os.path.dirname(__file__)],
        env=os.environ | {"PYTHONHASHSEED": "4242"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(sorted(alone[0].each.items()))


def test_without_messages_acts_and_visible_acts_are_the_same(world, alone, library) -> None:
    digest, rows = lived(world, messages=False, library=library)
    assert rows.tobytes() == alone[1].tobytes()
    assert digest.each["visible"] == alone[0].each["visible"]  # with the correlation ids
    assert digest.visible_rows == alone[0].visible_rows > 5000
    assert digest.messages == 0


def test_faults_do_not_mind_workers_or_ticks(library) -> None:
    plan = FaultScenario(loss_share=0.02, delay_share=0.02, duplication_share=0.02, reordering_share=0.02)
    world = build(SCENARIO.model_copy(update={"subscribers": 500, "faults": plan}), 11)
    alone = lived(world, library=library)[0]
    with ThreadPoolExecutor(2) as pool:
        other = lived(world, Workers(pool, world, world.n, 2), library=library)[0]
    assert alone.fault_rows == other.fault_rows > 500
    assert alone.each == other.each


def test_a_shared_world_is_the_world(world, tmp_path) -> None:
    plain = build(SCENARIO, 11)
    shared = SharedWorld.write(plain, tmp_path / "world").world()
    assert shared.scenario == plain.scenario
    assert shared.draws == plain.draws
    some = slice(100, 300)
    for draw in (
        diary.trips, diary.power, usage.calls, usage.texts, usage.services, diary.journeys,
    ):  # fmt: skip
        one, other = draw(plain, START, END, some), draw(shared, START, END, some)
        for name in type(one).__dataclass_fields__:
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
    with pytest.raises(ValueError, match="read-only"):
        shared.population.segment[0] = 1


def test_what_is_expected_is_what_the_network_asks_for(world, library) -> None:
    asked = []

    class Listening(Workers):
        def parts(self, draw, span):
            asked.append(((draw, span), (draw, span) in self._waiting))
            return super().parts(draw, span)

    with ThreadPoolExecutor(1) as pool:
        lived(world, Listening(pool, world, world.n, 1), library=library)
    for (draw, _), ahead in asked:
        assert ahead == (draw is not diary.state_at)


def test_the_timetable_ends_with_the_network() -> None:
    timetable = Timetable(90 * SECOND, 250 * SECOND, 100 * SECOND)
    first = timetable.next(90 * SECOND)
    assert first == (90 * SECOND, 100 * SECOND)
    assert timetable.next(200 * SECOND) == (200 * SECOND, 250 * SECOND)
    assert timetable.next(250 * SECOND) is None
    assert timetable.span(diary.trips, first, diary.trips) == (90 * SECOND - LONGEST_RIDE_US, 100 * SECOND)
    assert timetable.span(diary.power, first, diary.trips) == first
    assert timetable.span(diary.trips, (100 * SECOND, 200 * SECOND), diary.trips)[0] == 100 * SECOND
    assert timetable.horizon(100 * SECOND) == 250 * SECOND


def test_slices_hold_everybody_once() -> None:
    assert slices(7, 3) == [slice(0, 3), slice(3, 6), slice(6, 7)]


def test_there_is_at_least_one_worker(world) -> None:
    with workers_of(world, 1) as workers:
        assert workers is None
    with pytest.raises(ValueError, match="at least 1"), workers_of(world, 0):
        pass
