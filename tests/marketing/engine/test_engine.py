"""The engine: scenes, timers, holds, groups; pure, and indifferent to how its input is cut."""

import copy

import numpy as np
import pytest

from marketing.behaviours import CODES, empty
from marketing.campaigns import Target
from marketing.engine import (
    contact_id_of,
    next_due,
    on_batch,
    on_opt_out,
    on_timers,
    on_unsent,
    schedule_group,
)

DAY = "2009-03-02"


def brief(decisions):
    return [(d.trigger.campaign, d.trigger.row, d.action, d.reason) for d in decisions]


def play(state, batch, until=None):
    decisions = on_batch(state, batch, 0)
    if until is not None:
        decisions += on_timers(state, until)
    return decisions


def test_a_scene_by_behaviour(town):
    state = town.engine_state(
        town.campaign(audience={"often_off": True}), people=town.profiles(often_off=[True] * 5 + [False] * 5)
    )
    rows = town.batch(
        {"t": f"{DAY} 10:00:00", "sub": 0, "kind": "power_on", "corr": 7},
        {"t": f"{DAY} 10:00:01", "sub": 0, "kind": "location_update"},
        {"t": f"{DAY} 10:00:02", "sub": 7, "kind": "power_on"},
        {"t": f"{DAY} 10:00:03", "imsi": 460001234567890, "kind": "power_on"},
    )
    (decision,) = play(state, rows)
    assert decision.action == "send"
    assert decision.trigger.corr == 7
    assert decision.trigger.imsi == "001010000000000"
    assert decision.contact is not None
    assert decision.contact.contact_id == contact_id_of("alert", "001010000000000", 200903, 0)
    assert decision.contact.msisdn == town.msisdn(0)
    assert decision.contact.text == "你好"
    assert state.unknown_imsi == 1


CALLS = [
    ({"role": 1, "peer": b"10086"}, True),
    ({"role": 2, "peer": b"10086"}, False),
    ({"role": 1, "peer": b"100861"}, False),
    ({"role": 1, "peer": b"1008"}, False),
    ({"role": 1, "peer": b""}, False),
    ({"role": 1, "peer": b"12580"}, True),
]


@pytest.mark.parametrize(("act", "matches"), CALLS)
def test_role_and_peer(town, act, matches):
    begin = {"behaviour": "call_ended", "role": "caller", "peer": ["10086", "12580"]}
    state = town.engine_state(town.campaign(scene={"begin": begin}))
    assert bool(play(state, town.batch({"t": f"{DAY} 10:00", "kind": "call_ended", **act}))) is matches


def test_place_of_a_behaviour(town):
    state = town.engine_state(town.campaign(scene={"begin": {"behaviour": "call_ended", "place": "mall"}}))
    rows = town.batch(
        {"t": f"{DAY} 10:00", "sub": 1, "kind": "call_ended", "cell": (0x3333, 1)},
        {"t": f"{DAY} 10:00", "sub": 2, "kind": "call_ended", "cell": town.AIRPORT},
        {"t": f"{DAY} 10:00", "sub": 3, "kind": "call_ended", "cell": (0, 0)},
    )
    assert brief(play(state, rows)) == [("alert", 1, "send", "")]


def arrive(town, *more):
    return town.batch(
        {"t": f"{DAY} 10:00:00", "sub": 3, "kind": "location_update", "cell": town.AIRPORT, "corr": 5}, *more
    )


DUE = f"{DAY} 10:45:00"


def test_a_dwell_fires_at_its_due_time(town):
    state = town.engine_state(town.dwell())
    assert play(state, arrive(town)) == []
    assert next_due(state) == town.at(DUE)
    assert on_timers(state, town.at(DUE) - 1) == []
    (decision,) = on_timers(state, town.at(DUE))
    assert decision.trigger.t_us == decision.t_us == town.at(DUE)
    assert (decision.trigger.corr, decision.trigger.origin) == (5, "dwell")
    assert next_due(state) is None


STAYS = [
    # what happens after arriving, whether the stay still counts
    ({"kind": "call_started", "cell": (0x1111, 8)}, True),  # another cell of the same place
    ({"kind": "sms_sent", "cell": (0, 0)}, True),  # a cell not known
    ({"kind": "location_update", "cell": (0x2222, 9)}, False),
    ({"kind": "power_off"}, False),
    ({"kind": "power_off", "cell": (0, 0)}, False),
]


@pytest.mark.parametrize(("act", "lasts"), STAYS)
@pytest.mark.parametrize("together", [True, False])
def test_what_ends_a_stay(town, act, lasts, together):
    state = town.engine_state(town.dwell())
    later = {"t": f"{DAY} 10:30:00", "sub": 3, **act}
    if together:
        play(state, arrive(town, later))
    else:
        play(state, arrive(town))
        play(state, town.batch(later))
    assert bool(on_timers(state, town.at(DUE))) is lasts


def test_coming_back_starts_anew(town):
    state = town.engine_state(town.dwell())
    away = {"t": f"{DAY} 10:10:00", "sub": 3, "kind": "location_update"}
    back = {"t": f"{DAY} 10:20:00", "sub": 3, "kind": "location_update", "cell": town.AIRPORT}
    play(state, arrive(town, away, back))
    assert on_timers(state, town.at(DUE)) == []
    assert len(on_timers(state, town.at(f"{DAY} 11:05:00"))) == 1


def test_one_trigger_a_stay(town):
    state = town.engine_state(town.dwell(), duplicate={"same_campaign_days": 0})
    more = [
        {"t": f"{DAY} 1{h}:30:00", "sub": 3, "kind": "periodic_update", "cell": town.AIRPORT}
        for h in (0, 1, 2, 3)
    ]
    assert len(play(state, arrive(town, *more), town.at(f"{DAY} 20:00"))) == 1


def test_timers_fire_between_the_rows_of_a_batch(town):
    """The dwell is due at 10:45: who leaves at 10:50 was contacted, who left at 10:40 was not."""
    for leave, expected in (("10:50:00", 1), ("10:45:00", 0), ("10:40:00", 0)):
        state = town.engine_state(town.dwell())
        assert (
            len(play(state, arrive(town, {"t": f"{DAY} {leave}", "sub": 3, "kind": "location_update"})))
            == expected
        )


def test_hold_and_release(town):
    state = town.engine_state(town.campaign())
    night = f"{DAY} 22:00:00"
    (held,) = play(state, town.batch({"t": night, "sub": 1, "kind": "power_on"}))
    assert (held.action, held.reason, held.held_until_us) == (
        "hold",
        "quiet_hours",
        town.at("2009-03-03 09:00:00"),
    )
    (again,) = play(state, town.batch({"t": "2009-03-03 07:00:00", "sub": 1, "kind": "power_on"}))
    assert again.reason == "duplicate"
    assert on_timers(state, town.at("2009-03-03 08:59:59")) == []
    (sent,) = on_timers(state, town.at("2009-03-03 09:00:00"))
    assert (sent.action, sent.trigger.t_us, sent.t_us) == (
        "send",
        town.at(night),
        town.at("2009-03-03 09:00:00"),
    )
    assert sent.held_until_us == sent.t_us
    assert sent.trigger.trigger_id == held.trigger.trigger_id


def test_a_release_that_comes_late_says_when_it_was_due(town):
    """However long the platform stood still meanwhile: what waited for it is not what the policy held."""
    state = town.engine_state(town.campaign())
    play(state, town.batch({"t": f"{DAY} 22:00:00", "sub": 1, "kind": "power_on"}))
    due, now = town.at("2009-03-03 09:00:00"), town.at("2009-03-03 09:00:05")
    (sent,) = on_timers(state, now, now)
    assert (sent.action, sent.held_until_us, sent.t_us) == ("send", due, now)


def test_a_release_is_checked_again(town):
    state = town.engine_state(town.campaign())
    play(state, town.batch({"t": f"{DAY} 22:00:00", "sub": 1, "kind": "power_on"}))
    on_opt_out(state, town.msisdn(1))
    (decision,) = on_timers(state, town.at("2009-03-03 09:00:00"))
    assert (decision.action, decision.reason) == ("suppress", "do_not_disturb")
    assert not state.held
    assert not state.book.waiting


def test_priority_decides_who_gets_the_last_slot(town):
    low, high = town.campaign("low", priority=1), town.campaign("high", priority=9, originator="1008602")
    state = town.engine_state(low, high, caps={"per_calendar_month": 1})
    decisions = play(state, town.batch({"t": f"{DAY} 10:00", "sub": 1, "kind": "power_on"}))
    assert brief(decisions) == [("high", 1, "send", ""), ("low", 1, "suppress", "cap")]


def test_releases_go_by_priority_then_age(town):
    low, high = (
        town.campaign("low", priority=1),
        town.campaign("high", priority=9, originator="1008602", scene={"begin": {"behaviour": "sms_sent"}}),
    )
    state = town.engine_state(low, high, caps={"per_calendar_month": 1})
    rows = town.batch(
        {"t": f"{DAY} 22:00", "sub": 1, "kind": "power_on"},
        {"t": f"{DAY} 23:00", "sub": 1, "kind": "sms_sent"},
    )
    assert [d.action for d in play(state, rows)] == ["hold", "hold"]
    assert brief(on_timers(state, town.at("2009-03-03 10:00"))) == [
        ("high", 1, "send", ""),
        ("low", 1, "suppress", "cap"),
    ]


def test_the_same_instant_is_one_trigger(town):
    state = town.engine_state(town.campaign(), duplicate={"same_campaign_days": 0})
    rows = town.batch(*({"t": f"{DAY} 10:00", "sub": 1, "kind": "power_on"} for _ in range(3)))
    assert len(play(state, rows)) == 1


def test_unsent_gives_the_slot_back(town):
    state = town.engine_state(town.campaign(), caps={"per_calendar_month": 1})
    (first,) = play(state, town.batch({"t": f"{DAY} 10:00", "sub": 1, "kind": "power_on"}))
    assert first.contact is not None
    on_unsent(state, first.trigger, first.contact)
    (second,) = play(state, town.batch({"t": f"{DAY} 11:00", "sub": 1, "kind": "power_on"}))
    assert second.contact is not None
    assert second.contact.contact_id != first.contact.contact_id


def test_a_group_is_sent_at_its_hour(town, group):
    campaign = group()
    state = town.engine_state(campaign)
    targets = [
        Target(town.msisdn(5), 1),
        Target(town.msisdn(3), 2),
        Target(town.msisdn(4), 1),
        Target("8613999999999", 1),
    ]
    assert schedule_group(state, campaign, targets, town.at(f"{DAY} 00:00")) == 1
    assert on_timers(state, town.at(f"{DAY} 09:59:59")) == []
    decisions = on_timers(state, town.at(f"{DAY} 10:00:00"))
    assert brief(decisions) == [("blanket", 4, "send", ""), ("blanket", 5, "send", "")]
    assert {d.trigger.origin for d in decisions} == {"group"}
    assert brief(on_timers(state, town.at("2009-03-04 10:00:00"))) == [("blanket", 3, "send", "")]


def test_groups_share_the_cap_by_priority(town, group):
    one, two = group(), group(campaign="better", originator="1008608", priority=50)
    state = town.engine_state(one, two, caps={"per_calendar_month": 1})
    for campaign in (one, two):
        schedule_group(state, campaign, [Target(town.msisdn(1), 1)], town.at(f"{DAY} 12:00"))
    assert brief(on_timers(state, town.at(f"{DAY} 10:00"))) == [
        ("better", 1, "send", ""),
        ("blanket", 1, "suppress", "cap"),
    ]


def busy_day(town, seed, n=400, subscribers=10):
    rng = np.random.default_rng(seed)
    rows = empty(n)
    rows["t_us"] = np.sort(town.at(f"{DAY} 06:00") + rng.integers(0, 40 * 3600, n) * 1_000_000)
    rows["imsi"] = town.imsi(0) + rng.integers(0, subscribers + 2, n).astype(np.uint64)
    rows["kind"] = rng.choice(
        [CODES[k] for k in ("power_on", "power_off", "location_update", "call_ended")], n
    )
    cells = np.array([town.AIRPORT, town.HOME, (0x3333, 1), (0, 0)])[rng.integers(0, 4, n)]
    rows["lac"], rows["ci"] = cells[:, 0], cells[:, 1]
    rows["role"] = 1
    rows["peer"] = rng.choice(np.array([b"10086", b"12345"]), n)
    rows["corr"] = np.arange(1, n + 1)
    return rows


def many(town):
    calls = {"begin": {"behaviour": "call_ended", "role": "caller", "peer": ["10086"]}}
    return (
        town.campaign(priority=30),
        town.dwell(at_least_s=600, priority=20),
        town.campaign("hang-up", scene=calls, originator="1008603", hold="drop"),
    )


@pytest.mark.parametrize("seed", range(5))
def test_how_the_input_is_cut_changes_nothing(town, seed):
    rows = busy_day(town, seed)
    end = int(rows["t_us"][-1]) + 86_400_000_000
    whole = town.engine_state(
        *many(town), caps={"per_calendar_month": 5}, duplicate={"same_campaign_days": 1}
    )
    cut = copy.deepcopy(whole)
    expected = play(whole, rows, end)
    found = []
    for second in np.unique(rows["t_us"]):
        part = rows[rows["t_us"] == second]
        found += on_timers(cut, int(second) - 1)
        found += on_batch(cut, part, 0)
    found += on_timers(cut, end)
    assert found == expected
    assert {d.action for d in expected} == {"send", "hold", "suppress"}
    np.testing.assert_array_equal(whole.features.records, cut.features.records)


def test_pure(town):
    """Same state and input, same output; the input is left as it was."""
    rows = busy_day(town, 9)
    before = rows.copy()
    state = town.engine_state(*many(town))
    twin = copy.deepcopy(state)
    assert play(state, rows, int(rows["t_us"][-1])) == play(twin, rows, int(rows["t_us"][-1]))
    np.testing.assert_array_equal(rows, before)


def test_features_equal_a_plain_walk(town):
    rows = busy_day(town, 3)
    state = town.engine_state()
    for part in np.array_split(rows, 7):
        on_batch(state, part, 0)
    place_of = {town.AIRPORT: 0, (0x3333, 1): 1}
    known = {}
    for row in rows:
        sub = int(row["imsi"]) - town.imsi(0)
        if sub >= 10:
            continue
        old = known.setdefault(sub, [-1, 0])
        place = old[0]
        if row["kind"] == CODES["power_off"]:
            place = -1
        elif row["ci"]:
            place = place_of.get((int(row["lac"]), int(row["ci"])), -1)
        if place != old[0]:
            known[sub] = [place, int(row["t_us"])]
    for sub, (place, since) in known.items():
        assert (state.features.place[sub], state.features.place_since_us[sub]) == (place, since)


def test_live_decisions_are_dated_now(town):
    """A behaviour of 20:54 that comes to be judged at 21:00 is judged by 21:00."""
    state = town.engine_state(town.campaign())
    rows = town.batch({"t": f"{DAY} 20:54:00", "sub": 1, "kind": "power_on"})
    (decision,) = on_batch(state, rows, town.at(f"{DAY} 21:00:00"))
    assert (decision.action, decision.t_us) == ("hold", town.at(f"{DAY} 21:00:00"))
    assert decision.trigger.t_us == town.at(f"{DAY} 20:54:00")


def test_stamps_come_from_outside(town):
    state = town.engine_state(town.campaign())
    ticks = iter(range(100, 200))
    rows = town.batch({"t": f"{DAY} 10:00", "sub": 1, "kind": "power_on", "received_ns": 5, "decoded_ns": 6})
    (decision,) = on_batch(state, rows, 0, lambda: next(ticks))
    trigger = decision.trigger
    assert (trigger.received_ns, trigger.decoded_ns, trigger.matched_ns, decision.decided_ns) == (
        5,
        6,
        100,
        101,
    )


def test_an_unknown_place_is_refused(town):
    scene = {"begin": {"dwell": {"place": "moon", "at_least_s": 5}}}
    with pytest.raises(ValueError, match=r"moon|not in tuple"):
        town.engine_state(town.campaign(scene=scene))
