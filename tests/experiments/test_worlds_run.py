"""The shipped worlds, each run small around its point: dialogues, references, acts, outside judges."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.judge import tshark as judge_tshark
from experiments.judge.wireshark import judge_wireshark
from experiments.world_check import Said, Watch, lived
from sim.bssap.legality import check, is_legal
from sim.network import acts
from sim.network.build import Settings, template_library
from sim.network.library import TemplateLibrary
from sim.network.wire import WireBatch
from sim.run import Inhabitants, Run, World, build
from sim.scenario import WorldScenario, load_world

WORLDS = Path(__file__).parents[2] / "scenarios" / "worlds"
HOUR = 3_600_000_000
JUDGED = 3000
CONNECTION_CONFIRM = 2
UNITDATA = 9
"""Q.713 2.1: the message type, the first octet of SCCP."""


@dataclass(frozen=True)
class Look:
    """How small, and when."""

    subscribers: int
    from_h: float
    to_h: float
    overrides: tuple[tuple[str, Any], ...] = ()


LOOKS = {
    "town": Look(300, 7, 10),
    "town-live": Look(300, 10, 12),
    "city": Look(400, 7.5, 9),
    "province": Look(500, 7, 9.5, (("network.cells", 500),)),
    "airport-hub": Look(300, 8, 11),
    "concert-night": Look(300, 18.5, 22.25, (("events.0.visitors", 90),)),
    "spring-festival": Look(300, 46, 48.5),
    "rail-corridor": Look(500, 7, 9.5),
}
"""Worlds by name; hours from the midnight of day 1."""


def test_every_world_is_looked_at():
    assert set(LOOKS) == {path.stem for path in WORLDS.glob("*.yaml")}


@pytest.fixture(scope="module")
def library() -> TemplateLibrary:
    """Templates, made once: the worlds have the default codes."""
    return template_library(Settings())


def small(name: str) -> World:
    look = LOOKS[name]
    return build(
        load_world(WORLDS / f"{name}.yaml", {"subscribers": look.subscribers, **dict(look.overrides)}), 3
    )


@pytest.fixture(scope="module", params=sorted(LOOKS))
def looked_at(request, library) -> tuple[World, Watch]:
    world, look = small(request.param), LOOKS[request.param]
    start_us, end_us = round(look.from_h * HOUR), round(look.to_h * HOUR)
    return world, lived(world, start_us, end_us, keep=JUDGED, library=library)


def test_dialogues_references_and_truth(looked_at):
    _, watch = looked_at
    findings = watch.finish()
    assert not findings, "\n".join(f"{finding.what} (act {finding.act})" for finding in findings[:10])
    assert watch.messages >= JUDGED
    assert watch.dialogues > 200
    kinds = set(watch.rows["kind"].tolist())
    assert kinds & {acts.LOCATION_UPDATE, acts.PERIODIC_UPDATE}
    assert {acts.CALL_MADE, acts.CALL_RECEIVED, acts.TEXT_SENT, acts.TEXT_RECEIVED} <= kinds
    assert len(watch.rows) > watch.dialogues


@pytest.mark.tshark
def test_wireshark_finds_nothing_malformed(looked_at):
    if judge_tshark.available() is None:
        pytest.skip("tshark is not installed")
    verdict = judge_wireshark(looked_at[1].kept)
    assert verdict.messages == JUDGED
    assert not verdict.complaints, verdict.complaints[:5]


# ------------------------------------------------------------------ what each world is for


def at_place(name: str, place: str, hours: tuple[int, ...], **overrides: Any) -> list[float]:
    """Share of people in the cells of a place at some hours of the world."""
    world = build(load_world(WORLDS / f"{name}.yaml", {"subscribers": 2000} | overrides), 3)
    cells = next(found.cells for found in world.topology.places if found.name == place)
    people = Inhabitants(world)
    return [float(np.isin(people.state_at(hour * HOUR)[0], cells).mean()) for hour in hours]


def test_a_concert_fills_the_arena_and_leaves_it_empty():
    before, there, after = at_place("concert-night", "arena", (15, 21, 23), **{"events.0.visitors": 270})
    assert 0.10 < there < 0.17
    assert max(before, after) < 0.02


def test_the_airport_hub_has_people_at_its_airport_all_day():
    shares = at_place("airport-hub", "airport", (3, 9, 13, 17))
    assert min(shares[1:]) > 0.008
    assert shares[0] < min(shares[1:])


def test_the_spring_festival_empties_the_city_and_fills_the_network_with_wishes():
    world = build(load_world(WORLDS / "spring-festival.yaml", {"subscribers": 2000}), 3)
    people = Inhabitants(world)
    eve, ordinary = (len(people.texts(day * 24 * HOUR - HOUR, day * 24 * HOUR + HOUR).t_us) for day in (2, 1))
    assert eve > 20 * ordinary > 0
    away = [float((people.state_at((24 * day + 12) * HOUR)[0] < 0).mean()) for day in (0, 2)]
    assert away[1] > 1.3 * away[0] > 0


def test_people_of_other_provinces_come_home_for_the_festival_and_leave_again():
    world = build(load_world(WORLDS / "spring-festival.yaml", {"subscribers": 3000}), 3)
    population, people = world.population, Inhabitants(world)
    subs = np.arange(world.n)
    home = population.comes_home(subs)
    assert 0.07 < home.mean() < 0.12
    here = [float(population.active_on(day, subs)[home].mean()) for day in (0, 2, 4, 12, 20)]
    assert here[0] < here[1] == 1.0 > here[3] > here[4] == 0.0
    # They come from a network of their own, through the station, and are met in the network like anybody.
    come = people.journeys(0, 48 * HOUR)
    into = (come.cell >= 0) & home[come.sub]
    assert into.sum() > 30
    assert set(population.home_plmn[come.sub[into]].tolist()) <= {101, 99901}
    where, on = people.state_at(60 * HOUR)
    assert (where[home] >= 0).all()
    assert on[home].mean() > 0.8
    gone = people.journeys(6 * 24 * HOUR, 20 * 24 * HOUR)
    assert (home[gone.sub] & (gone.cell < 0)).sum() > 0.8 * home.sum()


def test_the_province_speaks_to_two_centres_and_has_numbers_by_city():
    scenario = load_world(WORLDS / "province.yaml", {"subscribers": 20_000, "network.cells": 500})
    world = build(scenario, 3)
    assert len(world.topology.msc_point_codes) == 2
    assert {town.name for town in scenario.network.city.towns} == {c.name for c in scenario.numbering.cities}
    blocks = {str(number)[:6] for number in world.population.msisdn[:].tolist()}
    assert {city.msisdn_prefix for city in scenario.numbering.cities} <= blocks


def test_trains_leave_from_the_rail_corridor():
    def journeys(name: str) -> int:
        world = build(load_world(WORLDS / f"{name}.yaml", {"subscribers": 2000}), 3)
        return len(Inhabitants(world).journeys(0, 24 * HOUR).t_us)

    assert journeys("rail-corridor") > 2 * journeys("town")


# ------------------------------------------------------------------ a network at its limits


@pytest.fixture(scope="module")
def strained(library) -> Watch:
    """Long calls in a city between two MSCs, two channels a cell, handovers that fail and bounce."""
    city = {"first_lac": 4097, "area_cells": 80, "bsc_areas": 1, "mscs": 2}
    usage = {"calls_per_day": 25, "talk_mean_s": 400}
    network = {"cells": 320, "spacing_m": 300, "city": city}
    keys = {"world": "w", "about": "x", "epoch": "2007-06-04", "subscribers": 1500}
    world = build(WorldScenario.model_validate(keys | {"network": network, "usage": usage}), 7)
    t = world.topology
    limits = {
        "tch": np.full_like(t.tch, 2), "sdcch": np.full_like(t.sdcch, 3),
        "ping_pong_q16": np.full_like(t.ping_pong_q16, 30_000), "fails_q16": np.full_like(t.fails_q16, 9_000),
    }  # fmt: skip
    return lived(replace(world, topology=replace(t, **limits)), 7 * HOUR, 8 * HOUR, library=library)


def test_what_a_strained_network_says_may_happen_too(strained):
    findings = strained.finish()
    assert not findings, findings[:10]
    outcomes = Counter(
        row[6].decode() for row in strained.rows.tolist() if row[3] in (acts.HANDOVER, acts.CALL_MADE)
    )
    assert {"inter-BSC", "inter-MSC", "intra-BSC", "returned", "no channel", "congested"} <= set(outcomes)
    assert strained.names["CLEAR REQUEST"] > 0


def test_a_call_may_be_handed_over_many_times_and_only_on_the_right_connection(strained):
    several = [steps for steps in strained.spoken() if max(step.leg for step in steps) >= 2]
    assert several
    for steps in several[:5]:
        check(steps)
        legs = range(max(step.leg for step in steps) + 2)
        for index, step in enumerate(steps):
            for leg in legs:
                if leg != step.leg:
                    moved = Said(leg, step.uplink, step.payload)
                    assert not is_legal((*steps[:index], moved, *steps[index + 1 :])), (index, leg)
            if any(before.payload[0] != UNITDATA for before in steps[:index]):
                assert not is_legal(steps[:index]), "a connection is open"


# ------------------------------------------------------------------ the watch itself


class Tape:
    """A sink that records."""

    def __init__(self) -> None:
        self.batches: list[WireBatch] = []
        self.act_rows: list[Any] = []
        self.shown: list[Any] = []

    def signalling(self, batch):
        self.batches.append(batch)

    def acts(self, rows):
        self.act_rows.append(rows)

    def visible(self, rows):
        self.shown.append(rows)


@pytest.fixture(scope="module")
def tape(library) -> tuple[World, Tape]:
    world, tape = small("town"), Tape()
    run = Run(world, sink=tape, tick_us=HOUR, start_us=7 * HOUR, end_us=8 * HOUR, library=library)
    run.step()
    return world, tape


def without(batch: WireBatch, dropped: int) -> WireBatch:
    """The batch with one message less, numbered as if there had never been one."""
    kept = [i for i in range(batch.n) if i != dropped]
    messages = [batch.message(i) for i in kept]
    return WireBatch(
        batch.t_us[kept], b"".join(messages), np.cumsum([0, *map(len, messages)]), batch.sls[kept],
        batch.uplink[kept], batch.corr[:-1], batch.act[kept],
    )  # fmt: skip


def found(world: World, batch: WireBatch, rows, shown) -> list[str]:
    watch = Watch(world, 8 * HOUR)
    watch.signalling(batch)
    watch.acts(rows)
    watch.visible(shown)
    return [finding.what for finding in watch.finish()]


def test_the_watch_finds_what_is_wrong(tape):
    world, recorded = tape
    (batch,), (rows,), (shown,) = recorded.batches, recorded.act_rows, recorded.shown
    assert found(world, batch, rows, shown) == []
    opening = [i for i in range(batch.n // 2) if batch.message(i)[24] == CONNECTION_CONFIRM]
    for dropped in opening[:: len(opening) // 8]:
        assert found(world, without(batch, dropped), rows, shown)
    spoken = int(batch.act[0])
    assert "messages of an act that nobody knows" in found(world, batch, rows[rows["act"] != spoken], shown)
    silent = next(row for row in rows if row["kind"] == acts.MOVE)["act"]
    there = replace(batch, act=np.where(batch.act == spoken, silent, batch.act))
    assert "messages of move (no outcome)" in found(world, there, rows, shown)
    assert any(what.startswith("no message of") for what in found(world, there, rows, shown))
    turned = replace(batch, t_us=batch.t_us[::-1])
    assert "messages out of the order of time" in found(world, turned, rows, shown)
    other = replace(batch, corr=batch.corr + 1)
    assert "messages not numbered one after the other" in found(world, other, rows, shown)
