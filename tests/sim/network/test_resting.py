"""Cells that serve phones at rest: a pure function, in columns and in the kernel, within area and place."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from sim.draws import Draws
from sim.network import acts
from sim.network.build import Settings, build_network, template_library
from sim.network.intents import Identities
from sim.network.kernel import Network
from sim.network.live import Live
from sim.network.messages import Submit
from sim.network.resting import NIGHT_H, RIVALS, SPOTS, cells_at_rest
from sim.network.topology import INDOOR, Topology, build_topology
from sim.scenario import (
    BscScenario,
    CityScenario,
    NetworkScenario,
    PlaceScenario,
    RadioScenario,
    WorldScenario,
)

SECOND = 1_000_000
HOUR = 3600 * SECOND
DRAWS = Draws(5)
PEOPLE = 6


def town(room_db: float) -> WorldScenario:
    return WorldScenario(
        world="w",
        about="x",
        epoch=date(2007, 6, 4),
        network=NetworkScenario(
            cells=60,
            radio=RadioScenario(room_db=room_db),
            bscs=[BscScenario(point_code=257, lacs=[4097, 4098]), BscScenario(point_code=258, lacs=[4099])],
        ),
        places=[PlaceScenario(name="office", kind="office", cells=4, x_km=1.5, y_km=-0.4, lac=4099)],
    )


@pytest.fixture(scope="module")
def ground() -> Topology:
    return build_topology(town(8.0), DRAWS)


@pytest.fixture(scope="module")
def city() -> Topology:
    network = NetworkScenario(cells=200, city=CityScenario())
    return build_topology(WorldScenario(world="w", about="x", epoch=date(2007, 6, 4), network=network), DRAWS)


def network_of(ground: Topology, people, end_us: int = 30 * HOUR, n: int = PEOPLE) -> Network:
    numbers = np.arange(n, dtype=np.uint64)
    identities = Identities(numbers + np.uint64(1010000000001), numbers + np.uint64(8613900000001))
    return build_network(
        Settings(t3212_us=10_000 * HOUR),
        ground,
        identities,
        people,
        DRAWS,
        template_library(Settings()),
        0,
        end_us,
    )


def test_columns_and_kernel_say_the_same(ground, script) -> None:
    kernel = network_of(ground, script([0] * PEOPLE).people())
    u = DRAWS.block("options", np.arange(5_000)).astype(np.int64)
    sub, cell, hour = u[0] % PEOPLE, u[1] % ground.n, u[2] % (24 * 400)
    found = cells_at_rest(ground.rest, DRAWS, sub, cell, hour)
    assert np.mean(found != cell) > 0.2
    for column in (hour * HOUR, (hour + 1) * HOUR - 1):
        asked = zip(sub.tolist(), cell.tolist(), column.tolist(), strict=True)
        assert [kernel.at_rest(*row) for row in asked] == found.tolist()
    with pytest.raises(IndexError, match="cell 60 of 60"):
        kernel.at_rest(0, 60, 0)


@pytest.mark.parametrize("name", ["ground", "city"])
def test_rivals_are_neighbours_of_the_area_and_of_the_place(name, request) -> None:
    where: Topology = request.getfixturevalue(name)
    rivals, behind, walls, room = where.rest
    assert rivals.shape == behind.shape == walls.shape == (where.n, SPOTS, RIVALS)
    cell, _, _ = np.nonzero(rivals >= 0)
    other = rivals[rivals >= 0]
    assert len(other) > where.n * SPOTS
    assert np.all(where.lac[cell] == where.lac[other])
    assert np.all(where.place[cell] == where.place[other])
    assert np.all((where.kind[cell] == INDOOR) == (where.kind[other] == INDOOR))
    assert all(
        int(b) in where.neighbours(int(a)) for a, b in {*zip(cell.tolist(), other.tolist(), strict=True)}
    )
    assert np.all(behind[rivals >= 0] >= 0)
    assert np.all(np.diff(behind, axis=2) >= 0), "the strongest first"
    assert set(room[where.kind == INDOOR].tolist()) == {1000}
    assert set(room[where.kind != INDOOR].tolist()) == {800}


def test_masts_of_one_site_are_seen_through_the_same_walls(city) -> None:
    rivals, _, walls, _ = city.rest
    site = city.site
    shared = 0
    for cell, spot in np.argwhere(rivals[:, :, 0] >= 0).tolist():
        seen = {0: site[cell]}
        for k, other in enumerate(rivals[cell, spot].tolist()):
            if other < 0:
                continue
            which = int(walls[cell, spot, k])
            assert seen.setdefault(which, site[other]) == site[other]
            shared += which <= k
    assert shared > city.n


def test_without_rooms_everybody_stays_in_his_cell(ground) -> None:
    still = build_topology(town(0.0), DRAWS)
    assert np.all(still.rest.rivals == -1)
    cells = np.arange(still.n)
    assert np.array_equal(cells_at_rest(still.rest, DRAWS, 3, cells, 12), cells)
    np.testing.assert_array_equal(still.border_q16, ground.border_q16)


def test_the_more_rooms_differ_the_more_cells_change(ground) -> None:
    hours = np.arange(7 * 24)
    changes = []
    for factor in (1, 2, 4):
        rest = ground.rest._replace(room_cdb=(ground.rest.room_cdb // 4 * factor).astype(np.int16))
        seen = cells_at_rest(
            rest, DRAWS, np.arange(200)[:, None], (np.arange(200) % ground.n)[:, None], hours
        )
        changes.append(np.mean(seen[:, 1:] != seen[:, :-1]))
    assert changes[0] < changes[1] < changes[2]


def test_nights_are_quiet_and_days_are_habits(ground) -> None:
    days, people = 60, 300
    hours = np.arange(days * 24)
    home = (np.arange(people) * 7 % ground.n)[:, None]
    seen = cells_at_rest(ground.rest, DRAWS, np.arange(people)[:, None], home, hours).reshape(
        people, days, 24
    )
    assert np.all(seen[:, :, :NIGHT_H] == seen[:, :, :1])
    # The usual cell of an hour is that of nine days in ten, and by chance of some more.
    usual = np.sort(seen, axis=1)[:, days // 2]
    kept = np.mean(seen == usual[:, None, :])
    assert 0.9 <= kept < 0.97
    by_hour = np.mean(usual[:, 8:] != usual[:, 7:-1])
    assert 0.2 < by_hour < 0.6


def test_a_phone_at_rest_is_seen_where_it_camps_at_the_hour(ground, script) -> None:
    hours = range(8, 24)
    texts = [
        (hour * HOUR + (5 + sub) * 60 * SECOND, sub, 3, -1, "8613300000001", 0)
        for hour in hours
        for sub in range(6)
    ]
    homes = np.arange(10, 10 + PEOPLE)
    net = network_of(ground, script(homes.tolist(), texts=texts).people())
    net.settle(30 * HOUR)
    _, visible = net.window(1 << 60)
    received = visible[visible["kind"] == visible["kind"][0]]
    assert len(received) == len(texts)
    hour = (received["t_us"] - received["t_us"].min() + 8 * HOUR + 5 * 60 * SECOND) // HOUR
    sub = (received["imsi"] - np.uint64(1010000000001)).astype(np.int64)
    expected = cells_at_rest(ground.rest, DRAWS, sub, homes[sub], hour)
    assert np.array_equal(received["ci"], ground.ci[expected])
    assert np.array_equal(received["lac"], ground.lac[homes[sub]])
    assert np.mean(expected != homes[sub]) > 0.1


def test_who_is_on_the_way_is_served_by_what_he_has_entered(ground, script) -> None:
    sub, here = 2, 12
    there = next(int(c) for c in ground.neighbours(here) if ground.lac[c] == ground.lac[here])
    sets_out = (
        next(
            hour
            for hour in range(7, 23)
            if cells_at_rest(ground.rest, DRAWS, sub, here, hour) != here
            and cells_at_rest(ground.rest, DRAWS, sub, there, hour) != there
        )
        * HOUR
    )
    arrives = sets_out + 20 * 60 * SECOND
    texts = [(sets_out + m * 60 * SECOND, sub, 3, -1, "8613300000001", 0) for m in (1, 10, 30)]
    people = script([here] * PEOPLE, texts=texts).people()

    def trips(from_us, to_us):
        rows = [(sub, sets_out + 5 * 60 * SECOND, 2 * (arrives - sets_out), here, there)]
        columns = np.array([row for row in rows if from_us <= row[1] < to_us], np.int64).reshape(-1, 5).T
        names = ("sub", "leave_us", "ride_us", "from_cell", "to_cell")
        return type("Rows", (), dict(zip(names, columns, strict=True)))

    people.trips = trips
    net = network_of(ground, people)
    net.settle(30 * HOUR)
    _, visible = net.window(1 << 60)
    hour = sets_out // HOUR
    at_home, later = (int(cells_at_rest(ground.rest, DRAWS, sub, cell, hour)) for cell in (here, there))
    assert visible["ci"].tolist() == [ground.ci[at_home], ground.ci[here], ground.ci[later]]


def test_a_call_at_rest_stays_in_its_cell_when_the_hour_ends(ground, script) -> None:
    sub = 1
    cell, hour = next(
        (cell, hour)
        for cell in range(20)
        for hour in range(8, 22)
        if len({*cells_at_rest(ground.rest, DRAWS, sub, cell, np.arange(hour, hour + 2)).tolist()}) == 2
    )
    start = (hour + 1) * HOUR - 60 * SECOND
    calls = [(start, sub, 2, -1, "10086", SECOND, 5 * SECOND, 300 * SECOND, 0, 1)]
    net = network_of(ground, script([cell] * PEOPLE, calls=calls).people())
    net.settle(30 * HOUR)
    assert acts.HANDOVER not in net.take_acts()["kind"]
    _, visible = net.window(1 << 60)
    assert {*visible["ci"].tolist()} == {ground.ci[int(cells_at_rest(ground.rest, DRAWS, sub, cell, hour))]}


def test_what_is_woven_in_goes_to_the_cell_of_the_hour(ground, script) -> None:
    homes = list(range(10, 10 + PEOPLE))
    story = script(homes)
    live = Live(network_of(ground, story.people()), story.people(), ground, 0, 30 * HOUR)
    for hour in (9, 13, 20):
        for sub, home in enumerate(homes):
            submit = Submit("c.1", "c", 1, 1, "1008603", live.network.number(sub), b"hello", 0, 0, None)
            reaction = live.react(submit, sub, hour * HOUR + 60 * SECOND)
            assert reaction.outcome == "delivered"
            (row,) = live.reactions[-1][1]
            assert row["ci"] == ground.ci[int(cells_at_rest(ground.rest, DRAWS, sub, home, hour))]


def test_a_map_without_its_rests_is_refused(ground, script) -> None:
    short = replace(ground, rest=ground.rest._replace(rivals=ground.rest.rivals[:, :2]))
    with pytest.raises(ValueError, match="rest of shape"):
        network_of(short, script([0] * PEOPLE).people())


def test_the_points_of_a_seed_are_the_same_on_every_machine(ground) -> None:
    digest = hashlib.sha256()
    for column in ground.rest:
        digest.update(np.ascontiguousarray(column).tobytes())
    hours = cells_at_rest(ground.rest, DRAWS, np.arange(50)[:, None], np.arange(50)[:, None], np.arange(48))
    digest.update(hours.astype("<i4").tobytes())
    assert digest.hexdigest()[:16] == "499d1e0ddd3f21fe"
