"""Answers to contacts: the documented equation, common luck across arms, and replays that equal the run."""

import hashlib
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sim.scenario import DAY_US
from sim.subscribers.offers import At, Hours, Moments, Offer, Since
from sim.subscribers.response import UNKNOWN, Contacts, Moment, ResponseModel, replay

END_US = 3 * DAY_US
OFFERS = [
    Offer(
        name="missed-call-alert",
        often_off=0.4,
        moments=Moments(
            since_power_on=Since(within_min=30, weight=1.9), hours=[Hours(from_h=0, to_h=8, weight=-0.5)]
        ),
    ),
    Offer(
        name="travel-pack",
        segments={"business_travellers": 0.4, "farmers": -0.4},
        channels={"wap": -0.3},
        moments=Moments(at_place=At(kind="airport", dwell_min=20, weight=2.0)),
    ),
    Offer(name="info-line", moments=Moments(since_service_call=Since(within_min=30, weight=2.0))),
]
ORDINARY = Moment(UNKNOWN, UNKNOWN, UNKNOWN, 0, 36_000)
RIGHT = [
    Moment(15_000_000, UNKNOWN, UNKNOWN, 0, 36_000),
    Moment(UNKNOWN, UNKNOWN, 0, 3_000_000_000, 36_000),
    Moment(UNKNOWN, 15_000_000, UNKNOWN, 0, 36_000),
]


@pytest.fixture(scope="module")
def model(town):
    return ResponseModel(town, OFFERS)


def history(n, offer, moment, recent=0):
    return Contacts.of(np.arange(n), offer, 0, moment, recent)


@pytest.mark.parametrize("offer", [0, 1, 2])
def test_right_moments_work_and_others_hardly_do(crowd, offer):
    right, ordinary = (
        replay(history(crowd.n, offer, moment), crowd, OFFERS, 7, 2, end_us=END_US)[:, :, offer].mean()
        for moment in (RIGHT[offer], ORDINARY)
    )
    assert 0.12 < right < 0.20
    assert 0.02 < ordinary < 0.05  # organic take-up of three days included


def test_organic_take_up(crowd):
    times = ResponseModel(crowd, OFFERS).organic(END_US)
    assert times.shape == (crowd.n, 3)
    taken = times >= 0
    assert (times[taken] < END_US).all()
    expected = 1 - np.exp(-3 * 0.0033)
    assert abs(taken.mean() - expected) < 4.5 * (expected / crowd.n / 3) ** 0.5
    later = ResponseModel(crowd, OFFERS).organic(2 * END_US)
    assert np.array_equal(later[taken], times[taken])  # a longer look changes nothing that was there


def test_probability_is_logistic_in_eta(town):
    """Take-up over 400 replicates against 1 / (1 + exp(-eta)): chi-square over ten bins of eta."""
    never = [offer.model_copy(update={"organic_per_day": 0.0}) for offer in OFFERS]
    contacts = history(town.n, 1, RIGHT[1])
    eta = ResponseModel(town, never).eta_q16(contacts) / 65536
    taken = replay(contacts, town, never, town.seed, 400, end_us=10 * END_US)[:, :, 1].mean(axis=0)
    bins = np.digitize(eta, np.quantile(eta, np.linspace(0.1, 0.9, 9)))
    p = 1 / (1 + np.exp(-eta))
    chi = 0.0
    for b in range(10):
        mine = bins == b
        variance = (p[mine] * (1 - p[mine])).sum() / 400 / mine.sum() ** 2
        chi += (taken[mine].mean() - p[mine].mean()) ** 2 / variance
    assert chi < 40  # ten degrees: once in 60,000 seeds


moments = st.builds(
    Moment,
    since_power_on_us=st.integers(-1, 4_000_000_000),
    since_service_call_us=st.integers(-1, 4_000_000_000),
    place=st.integers(-1, 5),
    dwell_us=st.integers(0, 4_000_000_000),
    local_second=st.integers(0, 86_399),
)


@given(st.integers(0, 1999), st.integers(0, 2), st.integers(0, 5), moments, st.integers(0, 6))
@settings(deadline=None, max_examples=30)
def test_one_decision_equals_the_columns(town, model, sub, offer, ordinal, moment, recent):
    decision = model.decide(sub, offer, ordinal, moment, recent)
    contacts = Contacts.of(sub, offer, ordinal, moment, recent)
    for end_us in (END_US, decision.delay_us, decision.delay_us + 1):
        columns = model.ordered_in(np.array([0]), contacts, end_us) >= 0
        assert bool(columns[0, 0]) == (decision.take_up and decision.delay_us < end_us)


def test_replicate_zero_is_the_run(town, model):
    which = np.arange(town.n) % 3
    contacts = Contacts.of(np.arange(town.n), which, 0, RIGHT[2], 1)
    expected = model.organic(END_US) >= 0
    for sub in range(town.n):
        decision = model.decide(sub, int(which[sub]), 0, RIGHT[2], 1)
        expected[sub, which[sub]] |= decision.take_up
    assert np.array_equal(
        replay(contacts, town, OFFERS, town.seed, 1, end_us=END_US, first_replicate=0)[0], expected
    )


def test_arms_differ_only_by_what_is_sent(town):
    """The same person, contacted the same way in two arms, has the same luck, whoever else is contacted."""
    few = Contacts.of(np.arange(100), 1, 0, RIGHT[1], 0)
    many = Contacts.of(np.arange(2000), 1, 0, RIGHT[1], 0)
    nobody = Contacts.of(np.zeros(0, dtype=np.int64), 1, 0, RIGHT[1], 0)
    a, b, c = (replay(x, town, OFFERS, 7, 20, end_us=END_US) for x in (few, many, nobody))
    assert np.array_equal(a[:, :100], b[:, :100])
    assert np.array_equal(a[:, 100:], c[:, 100:])
    assert (b >= c).all()  # a contact never takes away what would have come by itself


def test_adding_an_offer_leaves_the_others(town):
    alone, among = ResponseModel(town, OFFERS[2:]), ResponseModel(town, OFFERS)
    assert np.array_equal(alone.organic(END_US)[:, 0], among.organic(END_US)[:, 2])
    assert alone.decide(5, 0, 0, RIGHT[2], 0) == among.decide(5, 2, 0, RIGHT[2], 0)


def test_fatigue_channel_and_segment_count(crowd):
    rates = []
    model = ResponseModel(crowd, OFFERS)
    for recent, channel in ((0, 0), (2, 0), (0, 2)):
        contacts = Contacts.of(np.arange(crowd.n), 1, 0, RIGHT[1], recent, channel)
        rates.append(int(model.eta_q16(contacts).sum()))
    assert rates[0] - rates[1] == crowd.n * 65536  # two contacts, half a logit each
    assert rates[0] - rates[2] == crowd.n * round(0.3 * 65536)
    liking = model.affinity_q16(1, np.arange(crowd.n)) / 65536
    assert liking[crowd.population.segment == 0].mean() == pytest.approx(0.4, abs=0.1)
    assert liking[crowd.population.segment == 7].mean() == pytest.approx(-0.4, abs=0.1)


def test_weights_fade(model):
    def eta(age_s):
        moment = Moment(age_s * 1_000_000, UNKNOWN, UNKNOWN, 0, 36_000)
        return int(model.eta_q16(Contacts.of(1, 0, 0, moment, 0))[0])

    full, half, none = eta(0), eta(15 * 60), eta(30 * 60)
    assert full - none == round(1.9 * 65536)
    assert full - half == pytest.approx((full - none) / 2, abs=2)
    assert eta(10 * 3600) == none


def test_complaints_grow_with_fatigue_and_bad_moments(crowd):
    touchy = [OFFERS[2].model_copy(update={"complaint_logit": -3.0, "stop_logit": -3.0})]
    model = ResponseModel(crowd, touchy)
    counts = []
    for moment, recent in ((RIGHT[2], 0), (ORDINARY, 0), (ORDINARY, 3)):
        decisions = [model.decide(sub, 0, 0, moment, recent) for sub in range(800)]
        counts.append((sum(d.complain for d in decisions), sum(d.opt_out for d in decisions)))
    assert counts[0][0] < counts[1][0] < counts[2][0]
    assert counts[0][1] < counts[1][1] < counts[2][1]


def test_the_prone_complain_more(crowd):
    """A standard deviation is half a logit; a false alarm in 10,000 seeds (seed fixed)."""
    touchy = ResponseModel(crowd, [OFFERS[2].model_copy(update={"complaint_logit": -3.0})])
    proneness = crowd.population.complaint
    prone, calm = np.flatnonzero(proneness > 170)[:1500], np.flatnonzero(proneness < 86)[:1500]
    complaints = [
        sum(touchy.decide(int(sub), 0, 0, ORDINARY, 0).complain for sub in subs) for subs in (prone, calm)
    ]
    assert complaints[0] > 1.8 * complaints[1] > 0


def test_replies(town, model):
    replies = {}
    for sub in range(town.n):
        d = model.decide(sub, 2, 0, RIGHT[2], 0)
        assert not (d.take_up and d.opt_out)
        assert d.delay_us >= 5_000_000
        assert d.opt_out == (d.reply_text == "TD")
        assert d.take_up == (d.reply_text in OFFERS[2].order_words)
        replies[d.reply_text] = replies.get(d.reply_text, 0) + 1
    assert replies["1"] > replies["Y"] > replies["y"] > 0
    assert replies[""] > town.n / 2


def test_replays_are_quick(town):
    contacts = history(town.n, 0, RIGHT[0])
    start = time.process_time()  # the clock on the wall would time whoever else is busy
    taken = replay(contacts, town, OFFERS, 7, 200, end_us=END_US)
    assert taken.shape == (200, town.n, 3)
    assert time.process_time() - start < 10  # a third of a second


def test_same_name_twice_is_refused(town):
    with pytest.raises(ValueError, match="same name"):
        ResponseModel(town, [OFFERS[0], OFFERS[0]])


def test_offers_are_checked():
    with pytest.raises(ValidationError):
        Offer(name="x", moments={"hours": [{"from_h": 9, "to_h": 9, "weight": 1}]})
    with pytest.raises(ValidationError):
        Offer(name="x", segments={"pirates": 1.0})
    with pytest.raises(ValidationError):
        Offer(name="x", logitt=1.0)


def test_golden_hash(town):
    """Changes only when the model does: then the new value belongs into the same commit, with the reason."""
    digest = hashlib.sha256()
    digest.update(ResponseModel(town, OFFERS).organic(END_US).astype("<i8").tobytes())
    for offer in range(3):
        contacts = history(town.n, offer, RIGHT[offer], 1)
        digest.update(replay(contacts, town, OFFERS, town.seed, 3, end_us=END_US).tobytes())
        digest.update(ResponseModel(town, OFFERS).eta_q16(contacts).astype("<i8").tobytes())
    assert digest.hexdigest() == "69ca4a64d96964e31fd661261b32800a109af283c0b10bb378fcaaec06b52c0d"
