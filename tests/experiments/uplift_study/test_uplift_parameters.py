"""The numbers of offers, one changed at a time."""

import pytest

from experiments.uplift.parameters import changed, parameters_of
from sim.subscribers.offers import STANDARD_OFFERS, Offer

OFFERS = (STANDARD_OFFERS["missed-call-alert"], STANDARD_OFFERS["off-peak"])


def test_every_number_has_its_name_and_what_is_no_assumption_is_left_out():
    names = {(one.offer, one.name) for one in parameters_of(OFFERS)}
    assert {
        ("missed-call-alert", "logit"),
        ("missed-call-alert", "often_off"),
        ("missed-call-alert", "moments.since_power_on.within_min"),
        ("off-peak", "segments.students"),
        ("off-peak", "moments.hours.0.weight"),
    } <= names
    assert not any(name.endswith(("complaint_logit", "from_h", "to_h")) for _, name in names)
    assert not any("word" in name and name != "word_of_mouth" for _, name in names)


@pytest.mark.parametrize("direction", ["low", "high"])
def test_one_number_changes_and_no_other(direction):
    for parameter in parameters_of(OFFERS):
        made = changed(OFFERS, parameter, direction, 1.0, 2.0)
        if made is None:
            assert parameter.value == 0.0 or parameter.leaf in ("within_min", "dwell_min")
            continue
        before = [one for one in parameters_of(OFFERS) if one.value is not None]
        after = parameters_of(made.offers)
        moved = [(b.offer, b.name) for b, a in zip(before, after, strict=True) if a.value != b.value]
        assert moved == [(parameter.offer, parameter.name)]
        assert (made.value > parameter.value) == (direction == "high")


def test_what_a_study_file_may_not_say_is_left_out():
    long = Offer(name="o", moments={"since_power_on": {"within_min": 1440, "weight": 20.0}})
    found = {one.name: one for one in parameters_of([long])}
    assert changed([long], found["moments.since_power_on.within_min"], "high", 1.0, 2.0) is None
    assert changed([long], found["moments.since_power_on.weight"], "high", 1.0, 2.0) is None
    assert changed([long], found["word_of_mouth"], "high", 1.0, 2.0) is None  # twice nothing is nothing


def test_who_asks_for_no_more_decides_who_is_contacted():
    living = {one.name for one in parameters_of(OFFERS[:1]) if one.changes_contacts}
    assert living == {"stop_logit", "complaint_fatigue", "complaint_bad_moment"}
