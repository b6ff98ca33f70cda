"""Word of mouth: the chance comes out, the run does what the columns say, and one's friends know it, too."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from sim.network.messages import Submit
from sim.run import Run, build
from sim.scenario import DAY_US, BscScenario, NetworkScenario, WorldScenario
from sim.subscribers.offers import Offer
from sim.subscribers.response import UNKNOWN, Contacts, Moment, ResponseModel, replay

TICK = 600_000_000
SCENARIO = WorldScenario(
    world="w",
    about="x",
    epoch=date(2007, 6, 4),
    subscribers=300,
    network=NetworkScenario(
        cells=40,
        bscs=[BscScenario(point_code=257, lacs=[4097, 4098]), BscScenario(point_code=258, lacs=[4099, 4112])],
    ),
)
OFFER = Offer(name="club", logit=0.0, organic_per_day=0.05, word_of_mouth=0.2, hearsay_median_h=6.0)


class Answers:
    """A sink that keeps what people did."""

    def __init__(self) -> None:
        self.responses_: list = []
        self.contacts_: list = []

    def responses(self, rows):
        self.responses_ += rows

    def contacts(self, rows):
        self.contacts_ += rows

    def parts(self, rows): ...
    def signalling(self, batch): ...
    def acts(self, rows): ...
    def visible(self, rows): ...


@pytest.fixture(scope="module")
def world():
    return build(SCENARIO, 3)


def lived(world, days, submits=()):
    """Everybody's take-ups, the contacts, and what the desk was told, of some days."""
    orders, answers = [], Answers()
    run = Run(
        world,
        sink=answers,
        tick_us=TICK,
        end_us=days * DAY_US,
        responses=ResponseModel(world, [OFFER]),
        originators={"1008601": "club"},
        boss=lambda sub, offer, t_us: orders.append((sub, t_us)),
        messages=False,
    )
    while run.env.now < days * DAY_US:
        now_us = run.step()
        if submits and now_us >= 10 * 3_600_000_000:
            run.inject_submits(submits, now_us)
            submits = ()
    return answers, orders


def test_a_run_without_contacts_does_what_the_columns_say(world):
    answers, orders = lived(world, 3)
    model = ResponseModel(world, [OFFER])
    times = model.uncontacted_in(np.array([0]), 3 * DAY_US)[0, :, 0]
    expected = {(sub, int(times[sub])) for sub in np.flatnonzero(times >= 0).tolist()}
    assert set(orders) == expected
    assert {row["sub"] for row in answers.responses_ if row["take_up"]} == {sub for sub, _ in expected}
    alone = model.organic(3 * DAY_US)[:, 0] >= 0
    assert len(expected) > alone.sum() > 10  # some came by hearsay alone


def test_a_run_with_contacts_does_what_a_replay_says(world):
    numbers = [world.population.msisdn_text(sub) for sub in range(0, 300, 3)]
    submits = [
        Submit(
            message_id=f"m{i:04}.1",
            contact_id=f"m{i:04}",
            part=1,
            parts=1,
            source="1008601",
            destination=number,
            data=b"club",
            data_coding=0,
            esm_class=0,
            validity_until_us=None,
        )
        for i, number in enumerate(numbers)
    ]
    answers, _ = lived(world, 3, submits)
    assert len(answers.contacts_) > 60
    rows = answers.contacts_
    named = ("since_power_on_us", "since_service_call_us", "place", "dwell_us", "local_second")
    columns = {name: np.array([row[name] for row in rows], np.int64) for name in named}
    contacts = Contacts(
        t_us=np.array([row["t_us"] for row in rows], np.int64) - SCENARIO.epoch_unix_us,
        sub=np.array([row["sub"] for row in rows], np.int64),
        offer=np.zeros(len(rows), np.int64),
        ordinal=np.array([row["ordinal"] for row in rows], np.int64),
        recent_contacts=np.array([row["recent_contacts"] for row in rows], np.int64),
        channel=np.array([row["channel"] for row in rows], np.int64),
        cell=np.array([row["at_cell"] for row in rows], np.int64),
        **columns,
    )
    taken = replay(contacts, world, [OFFER], 3, 1, end_us=3 * DAY_US, first_replicate=0)[0, :, 0]
    took = {row["sub"] for row in answers.responses_ if row["take_up"]}
    assert took == set(np.flatnonzero(taken).tolist())


def test_the_chance_comes_out(world):
    """Of all ties of all tellers over 40 replicates; five standard errors."""
    model = ResponseModel(world, [OFFER])
    people = world.population
    sub = np.tile(np.arange(people.n), 40)
    heard = model._told(sub, np.repeat(np.arange(40), people.n), np.zeros(len(sub), np.int64))
    ties = int(np.asarray(people.degree[np.arange(people.n)], np.int64).sum()) * 40
    assert abs(len(heard.row) - 0.2 * ties) < 5 * (0.16 * ties) ** 0.5
    assert np.median(heard.delay_us) == pytest.approx(6 * 3_600_000_000, rel=0.1)
    friends = {int(people.friend(7, k)) for k in range(int(people.degree[7]))}
    assert {friend for friend, _ in model.tells(7, 0)} <= friends


def test_who_is_contacted_moves_others(world):
    """A contact takes nothing away, and some who were not contacted take up because of it."""
    moment = Moment(UNKNOWN, UNKNOWN, UNKNOWN, 0, 36_000)
    some = np.arange(0, world.n, 2)
    nobody = Contacts.of(np.zeros(0, np.int64), 0, 0, moment, 0)
    with_, without = (
        replay(contacts, world, [OFFER], 3, 30, end_us=4 * DAY_US)
        for contacts in (Contacts.of(some, 0, 0, moment, 0), nobody)
    )
    assert (with_ >= without).all()
    assert with_[:, 1::2].mean() > without[:, 1::2].mean() + 0.02


def test_silence_changes_nothing(world):
    silent = OFFER.model_copy(update={"word_of_mouth": 0.0})
    model = ResponseModel(world, [silent])
    assert model.tells(7, 0) == []
    number = np.array([0, 1])
    assert np.array_equal(model.organic_in(number, DAY_US), model.uncontacted_in(number, DAY_US))
