"""What a network keeps of its people is small, and says the same as wide columns would."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from sim.network.build import build_network
from sim.network.intents import DAY_US, Identities
from sim.run import Inhabitants, build, settings_of
from sim.scenario import WorldScenario
from sim.subscribers.identities import Permutation, Series

HOUR = 3_600_000_000
SCENARIO = WorldScenario(world="w", about="x", epoch=date(2007, 6, 4), subscribers=700)


@pytest.fixture(scope="module")
def town():
    return build(SCENARIO, 11)


@pytest.fixture
def made(town, library):
    """A network of the town's people with identities of a choice."""

    def make(identities: Identities, start_us: int = 17 * HOUR, end_us: int = 19 * HOUR):
        return build_network(
            settings_of(SCENARIO), town.topology, identities, Inhabitants(town), town.draws, library,
            start_us, end_us, block_us=HOUR,
        )  # fmt: skip

    return make


def series(town) -> Identities:
    return Identities(town.population.imsi_series(), town.population.msisdn_series())


def test_identities_worked_out_are_those_of_columns(town, made) -> None:
    columns = Identities(town.population.imsi[:], town.population.msisdn[:])
    assert columns.n == series(town).n == 700
    out = []
    for identities in (columns, series(town)):
        net = made(identities)
        net.settle(19 * HOUR)
        batch, shown = net.window(19 * HOUR)
        out.append((batch.data, shown.tobytes(), net.take_acts().tobytes(), net.number(123)))
    assert out[0] == out[1]
    assert len(out[0][0]) > 100_000
    assert out[0][3] == town.population.msisdn_text(123)


def test_series_are_the_columns(town) -> None:
    who = np.array([0, 699, 350])
    for of, column in (("imsi_series", "imsi"), ("msisdn_series", "msisdn")):
        numbers = getattr(town.population, of)()
        assert len(numbers) == 700
        assert np.array_equal(numbers.numbers(who), getattr(town.population, column)[who])
    ranges = Series(np.array([1, 0], np.uint8), np.array([7, 8], np.uint64), Permutation(10, 3, 4))
    assert ranges.numbers([0, 1]).tolist() == [84, 77]


def test_a_station_takes_a_line_of_the_cache_and_all_is_counted(town, made) -> None:
    net = made(series(town))
    net.settle(18 * HOUR + 1)
    held = net.held()
    assert held["stations"] == 64 * 700
    assert held["identities"] < 12 * 700  # the day's IMEI, two ranges, and prefixes
    assert 0 < held["calls of the block"] < 700 * 45 * 10
    assert held["calls of the block"] % 45 == held["trips of the block"] % 24 == 0
    assert all(octets >= 0 for octets in held.values())


@pytest.mark.parametrize("day", [0, 30, 1600])
def test_moments_are_exact_however_long_the_world_has_lived(town, made, day) -> None:
    start_us = day * DAY_US + 12 * HOUR + 7
    net = made(series(town), start_us, start_us + HOUR)
    one = net.station(5)
    assert (one.power_on_us, one.service_call_us, one.place_since_us) == (-1, -1, start_us)
    net.settle(start_us + HOUR)
    people = Inhabitants(town)
    power = people.power(start_us, start_us + HOUR)
    last = {
        sub: t_us
        for t_us, sub, on in zip(power.t_us.tolist(), power.sub.tolist(), power.on.tolist(), strict=True)
        if on
    }
    off = set(power.sub[~power.on].tolist())
    for sub in set(last) - off:
        assert net.station(sub).power_on_us == last[sub]
    assert all(net.station(sub).place_since_us >= start_us for sub in range(700))


def test_a_network_ends_while_its_moments_can_be_told(town, made) -> None:
    with pytest.raises(ValueError, match="140737488355328"):
        made(series(town), 0, 1 << 47)


def test_cells_have_fifteen_bits(town, library) -> None:
    class Larger:
        n = 1 << 15

        def __getattr__(self, name):
            return getattr(town.topology, name)

    with pytest.raises(ValueError, match="fewer than 32768"):
        build_network(
            settings_of(SCENARIO), Larger(), series(town), Inhabitants(town), town.draws, library, 0, HOUR
        )


def test_what_does_not_fit_its_column_is_refused(town, library) -> None:
    class Loud(Inhabitants):
        def calls(self, from_us, to_us):
            calls = super().calls(from_us, to_us)
            return replace(calls, alert_us=calls.alert_us.astype(np.int64) << 20)

    net = build_network(
        settings_of(SCENARIO),
        town.topology,
        series(town),
        Loud(town),
        town.draws,
        library,
        17 * HOUR,
        19 * HOUR,
    )
    with pytest.raises(ValueError, match="4294967295 was expected"):
        net.settle(18 * HOUR)
