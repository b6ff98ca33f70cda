"""How near an event is, in metres and in days: published odds come out, in columns, singly, and of a run."""

from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.scenario import DAY_US
from sim.subscribers.offers import Moments, Offer, Venue
from sim.subscribers.response import UNKNOWN, Contacts, Moment, ResponseModel, replay

VENUE = Venue(kind="mall", day=10)
OFFER = Offer(name="ticket", logit=-2.5, organic_per_day=0.0, fatigue=0.0, moments=Moments(venue=VENUE))
EVENT = VENUE.day - 1


def cells_of(town, near):
    """Cells at most, or more than, the bound away from the nearest cell of the mall, by floating point."""
    ground = town.topology
    spots = [cell for place in ground.places if place.kind == "mall" for cell in place.cells]
    x, y = ground.spot_x_m.astype(float), ground.spot_y_m.astype(float)
    away = np.min([np.hypot(x - x[cell], y - y[cell]) for cell in spots], axis=0)
    return np.flatnonzero((away <= VENUE.near_m) == near)


def moment(cell, lead):
    return Moment(UNKNOWN, UNKNOWN, UNKNOWN, 0, 14 * 3600, int(cell), EVENT - lead)


def logit(model, cell, lead):
    return int(model.eta_q16(Contacts.of(5, 0, 0, moment(cell, lead), 0))[0]) / 65536


def test_there_are_cells_of_both_kinds(town):
    assert len(cells_of(town, True)) >= 3
    assert len(cells_of(town, False)) >= 3


@pytest.mark.parametrize(
    ("near", "lead", "other", "odds"),
    [
        (True, 0, 2, 1.76),  # same day over two days before
        (False, 1, 0, 9.5),  # one day before over the same day
        (False, 1, 2, 1.71),  # one day before over two days before
    ],
)
def test_published_odds_of_the_logits(town, near, lead, other, odds):
    model = ResponseModel(town, [OFFER])
    for cell in cells_of(town, near):
        assert exp(logit(model, cell, lead) - logit(model, cell, other)) == pytest.approx(odds, rel=1e-3)


def test_published_odds_of_what_people_do(crowd):
    """Odds ratios of take-up of people without differences in liking; 40 replays of 20,000 people."""
    alike = OFFER.model_copy(update={"spread": 0.0})
    rates = {}
    for near in (True, False):
        cell = cells_of(crowd, near)[0]
        for lead in (0, 1, 2):
            contacts = Contacts.of(np.arange(crowd.n), 0, 0, moment(cell, lead), 0)
            rates[near, lead] = replay(contacts, crowd, [alike], 7, 40, end_us=20 * DAY_US).mean()

    def odds(near, lead):
        return rates[near, lead] / (1 - rates[near, lead])

    assert log(odds(True, 0) / odds(True, 2)) == pytest.approx(log(1.76), abs=0.03)
    assert log(odds(False, 1) / odds(False, 0)) == pytest.approx(log(9.5), abs=0.06)


def test_longer_ahead_is_as_the_last_and_afterwards_it_is_over(town):
    model = ResponseModel(town, [OFFER])
    near = cells_of(town, True)[0]
    assert logit(model, near, 9) == logit(model, near, 2)
    assert logit(model, near, -1) == pytest.approx(logit(model, near, 2) + VENUE.after, abs=1e-4)


def test_who_is_nowhere_is_far(town):
    model = ResponseModel(town, [OFFER])
    far = cells_of(town, False)[0]
    assert logit(model, UNKNOWN, 0) == logit(model, far, 0)
    unknown = Contacts.of(5, 0, 0, moment(0, 0), 0)
    columns = {name: getattr(unknown, name) for name in unknown.__dataclass_fields__ if name != "cell"}
    assert int(model.eta_q16(Contacts(**columns))[0]) / 65536 == logit(model, far, 0)


@given(st.integers(0, 1999), st.integers(-1, 59), st.integers(0, 12))
@settings(deadline=None, max_examples=30)
def test_one_decision_equals_the_columns(town, sub, cell, day):
    likely = OFFER.model_copy(update={"logit": 0.0})
    model, then = ResponseModel(town, [likely]), Moment(UNKNOWN, UNKNOWN, UNKNOWN, 0, 50_000, cell, day)
    contacts = Contacts.of(sub, 0, 0, then, 0)
    decision = model.decide(sub, 0, 0, then, 0)
    ordered_us = model.ordered_in(np.array([0]), contacts, 30 * DAY_US)[0, 0]
    assert (ordered_us >= 0) == decision.take_up


def test_an_offer_without_a_venue_knows_no_distance(town):
    plain = OFFER.model_copy(update={"moments": Moments()})
    model = ResponseModel(town, [plain])
    assert len({logit(model, cell, lead) for cell in (UNKNOWN, 0, 30, 59) for lead in (-2, 0, 1, 5)}) == 1
