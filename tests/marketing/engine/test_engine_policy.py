"""The engine under rules with windows, zones, busy cells and holds: any cut, one end for each trigger."""

import copy
import csv
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing.behaviours import CODES, empty
from marketing.campaigns import Campaign
from marketing.contact import Book, Policy
from marketing.engine import (
    change_campaigns,
    new_state,
    on_batch,
    on_ended,
    on_selection,
    on_timers,
    on_unsent,
    switch_profiles,
)
from marketing.engine.snapshot import capture, restore

DAY = "2009-03-02"
KINDS = ("power_on", "sms_sent", "call_ended", "location_update")
SUBSCRIBERS = 4
CLASSES = {"credit": {"originators": ["1008605"]}, "data": {"originators": ["1008601"]}}
RULES = {
    "caps": {
        "per_calendar_month": 40,
        "rules": [
            {"most": 3, "per": "day"},
            {"most": 2, "within_s": 7200},
            {"most": 1, "within_s": 10_800, "classes": ["data"]},
        ],
    },
    "classes": CLASSES,
    "not_after": [{"classes": ["credit"], "after": ["data"], "within_s": 1800}],
    "minimum_gap_s": 900,
    "validity_s": 600.0,
    "closed_hours": [{"name": "lunch", "from": "11:30", "to": "13:00"}],
    "duplicate": {"same_campaign_days": 0},
}
EXAMPLES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def files(folder, town):
    def written(name, *rows):
        with (folder / name).open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        return folder / name

    zones = written("zones.csv", ("msisdn", "timezone"), (town.msisdn(1), "Asia/Kathmandu"))
    busy = written(
        "busy.csv", ("cell", "from", "to"), ("4369-7", "10:10", "10:40"), ("8738-9", "09:55", "10:20")
    )
    return {"timezones": {"file": zones}, "busy_cells": {"file": busy}}


def fresh(town, folder, *campaigns, people=None, **policy):
    made = Policy.of(town.policy_file(**{**RULES, **files(folder, town), **policy}))
    people = people if people is not None else town.profiles(SUBSCRIBERS)
    book = Book.empty(len(people))
    state = new_state(people, town.places(), campaigns, made, book)
    rows = people.rows_by_msisdn(made.zones.msisdn)
    book.live_in(rows[rows >= 0], made.zones.zone[rows >= 0])
    return state


def several(town):
    return (
        town.campaign(
            "credit", priority=5, originator="10086051", scene={"begin": {"behaviour": "sms_sent"}}
        ),
        town.campaign("data", value=2.0, originator="10086011", scene={"begin": {"behaviour": "sms_sent"}}),
        town.campaign(
            "plain", hold="drop", originator="10086099", scene={"begin": {"behaviour": "call_ended"}}
        ),
        town.campaign("wake", originator="10086098"),
        town.dwell("stay", at_least_s=600),
    )


rows_of = st.lists(
    st.tuples(
        st.sampled_from((0, 0, 1, 13, 60, 600, 900, 1800, 3600, 40_000)),
        st.integers(0, SUBSCRIBERS - 1),
        st.sampled_from(KINDS),
        st.integers(0, 2),
    ),
    min_size=20,
    max_size=70,
)


def stream(town, drawn):
    rows, t_us = empty(len(drawn)), town.at(f"{DAY} 09:40")
    cells = (town.AIRPORT, town.HOME, (0x3333, 1))
    for row, (gap_s, sub, kind, cell) in zip(rows, drawn, strict=True):
        t_us += gap_s * 1_000_000
        row["t_us"], row["imsi"], row["kind"] = t_us, town.imsi(sub), CODES[kind]
        row["lac"], row["ci"] = cells[cell]
    rows["corr"] = np.arange(1, len(rows) + 1)
    return rows


def told(decisions):
    found = defaultdict(list)
    for d in decisions:
        contact = (d.contact.contact_id, d.contact.valid_until_us, d.contact.span.day) if d.contact else ""
        key = (d.trigger.campaign, d.trigger.t_us, d.t_us, d.action, d.reason, d.held_until_us, contact)
        found[d.trigger.imsi].append(key)
    return dict(found)


@EXAMPLES
@given(drawn=rows_of, data=st.data())
def test_no_cut_changes_a_decision(town, tmp_path_factory, drawn, data):
    folder, rows = tmp_path_factory.mktemp("p"), stream(town, drawn)
    end_us = int(rows["t_us"][-1]) + 3 * 86_400_000_000
    cuts = sorted(data.draw(st.sets(st.integers(1, len(rows) - 1), min_size=3)))
    whole, cut = (fresh(town, folder, *several(town)) for _ in range(2))
    expected = on_batch(whole, rows, 0) + on_timers(whole, end_us)
    found = []
    for part in np.split(rows, cuts):
        found += on_batch(cut, part, 0)
    found += on_timers(cut, end_us)
    assert told(found) == told(expected)
    assert [cut.book.contacts(row) for row in range(4)] == [whole.book.contacts(row) for row in range(4)]
    one_end_each(expected)
    assert not whole.held
    assert not whole.book.waiting


@EXAMPLES
@given(drawn=rows_of, shards=st.integers(2, 3))
def test_shards_change_nothing(town, tmp_path_factory, drawn, shards):
    folder, rows = tmp_path_factory.mktemp("p"), stream(town, drawn)
    end_us = int(rows["t_us"][-1]) + 3 * 86_400_000_000
    whole = fresh(town, folder, *several(town))
    expected = told(on_batch(whole, rows, 0) + on_timers(whole, end_us))
    found = {}
    for shard in range(shards):
        mine = [sub for sub in range(SUBSCRIBERS) if sub % shards == shard]
        numbers = {"imsi": [f"{town.imsi(s):015d}" for s in mine], "msisdn": [town.msisdn(s) for s in mine]}
        state = fresh(town, folder, *several(town), people=town.profiles(len(mine), **numbers))
        part = rows[np.isin(rows["imsi"] - np.uint64(town.imsi(0)), mine)]
        found |= told(on_batch(state, part, 0) + on_timers(state, end_us))
    assert found == expected


def one_end_each(decisions):
    """Each trigger is decided once, or held once and then decided once."""
    ends = Counter(d.trigger.trigger_id for d in decisions if d.action != "hold")
    holds = Counter(d.trigger.trigger_id for d in decisions if d.action == "hold")
    assert set(ends.values()) <= {1}
    assert set(holds.values()) <= {1}
    assert set(holds) <= set(ends)
    assert all(bool(d.reason) == (d.action != "send") for d in decisions)


def test_such_streams_meet_every_reason(town, tmp_path):
    rng = np.random.default_rng(3)
    gaps = (0, 1, 13, 60, 600, 900, 1800, 3600)
    drawn = [
        (int(rng.choice(gaps)), int(rng.integers(4)), str(rng.choice(KINDS)), int(rng.integers(3)))
        for _ in range(1500)
    ]
    rows = stream(town, drawn)
    state = fresh(town, tmp_path, *several(town), holds={"stale_after_s": 20_000})
    decisions = on_batch(state, rows, 0) + on_timers(state, int(rows["t_us"][-1]) + 10**12)
    one_end_each(decisions)
    expected = {
        "",
        "cap",
        "gap",
        "not_after",
        "duplicate",
        "stale",
        "quiet_hours",
        "closed_hours",
        "busy_cell",
    }
    assert {d.reason for d in decisions} >= expected
    assert {d.action for d in decisions} == {"send", "hold", "suppress"}


def test_a_restart_goes_on_with_holds_and_turns(town, tmp_path):
    drawn = [(13, n % SUBSCRIBERS, KINDS[n % 3], n % 3) for n in range(600)]
    rows = stream(town, drawn)
    end_us = int(rows["t_us"][-1]) + 3 * 86_400_000_000
    first = fresh(town, tmp_path, *several(town), holds={"release_per_s": 1})
    on_batch(first, rows[:500], 0)
    assert first.held
    second = copy.deepcopy(first)
    expected = on_batch(first, rows[500:], 0) + on_timers(first, end_us)
    assert on_batch(second, rows[500:], 0) + on_timers(second, end_us) == expected


# --------------------------------------------------------------------------- who goes first

RIVALS = [
    # priority, value, name of each; who is sent
    ([(10, 0.0, "b"), (10, 0.0, "a")], "a"),
    ([(10, 0.0, "b"), (11, 0.0, "z"), (10, 9.0, "a")], "z"),
    ([(10, 1.0, "a"), (10, 2.5, "b"), (10, 2.0, "c")], "b"),
    ([(10, 2.5, "c"), (10, 2.5, "b"), (9, 99.0, "a")], "b"),
]


@pytest.mark.parametrize(("rivals", "first"), RIVALS)
@pytest.mark.parametrize("cap", [1, 2])
def test_of_several_that_want_one_person_the_best_goes_first(town, rivals, first, cap):
    made = [town.campaign(name, priority=p, value=v) for p, v, name in rivals]
    ranked = [name for _, _, name in sorted(rivals, key=lambda r: (-r[0], -r[1], r[2]))]
    assert ranked[0] == first
    for order in (made, made[::-1]):
        state = town.engine_state(*order, caps={"per_calendar_month": cap})
        decisions = on_batch(state, town.batch({"t": f"{DAY} 10:00", "kind": "power_on"}), 0)
        assert [d.trigger.campaign for d in decisions] == ranked
        assert [d.action for d in decisions] == ["send"] * cap + ["suppress"] * (len(ranked) - cap)
        assert {d.reason for d in decisions[cap:]} <= {"cap"}


def test_the_one_displaced_by_a_class_is_told_so(town):
    state = town.engine_state(
        town.campaign("offer", originator="10086011", value=5.0),
        town.campaign("balance", originator="10086051", priority=10),
        classes=CLASSES,
        not_after=[{"classes": ["credit"], "after": ["data"], "within_s": 60}],
    )
    decisions = on_batch(state, town.batch({"t": f"{DAY} 10:00", "kind": "power_on"}), 0)
    said = [(d.trigger.campaign, d.action, d.reason) for d in decisions]
    assert said == [("offer", "send", ""), ("balance", "suppress", "not_after")]


# --------------------------------------------------------------------------- holds


def at_night(town, state, n, at="22:00"):
    rows = town.batch(*({"t": f"{DAY} {at}", "sub": sub, "kind": "power_on"} for sub in range(n)))
    decisions = on_batch(state, rows, 0)
    assert {d.action for d in decisions} == {"hold"}
    return decisions


def seconds(town, decisions, day="2009-03-03"):
    return [round((d.t_us - town.at(f"{day} 09:00")) / 1e6, 3) for d in decisions if d.action != "hold"]


def test_releases_are_spread_over_seconds_in_order_of_rank(town):
    people = town.profiles(7)
    state = town.engine_state(
        town.campaign("low", priority=1),
        town.campaign("high", priority=20),
        people=people,
        holds={"release_per_s": 4},
        duplicate={"same_campaign_days": 0},
    )
    held = at_night(town, state, 7)
    assert len(held) == 14
    done = on_timers(state, town.at("2009-03-03 12:00"))
    assert seconds(town, done) == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 2
    assert [d.trigger.campaign for d in done] == ["high"] * 7 + ["low"] * 7
    assert [d.trigger.row for d in done] == [*range(7), *range(7)]
    assert {d.action for d in done} == {"send"}
    one_end_each(held + done)


def test_holds_of_other_hours_share_the_same_seconds(town, tmp_path):
    zones = tmp_path / "z.csv"
    zones.write_text(f"msisdn,timezone\n{town.msisdn(0)},Asia/Tokyo\n")
    state = town.engine_state(
        town.campaign(), people=town.profiles(3), holds={"release_per_s": 1}, timezones={"file": zones}
    )
    state.book.live_in(np.array([0]), np.array([1], dtype=np.uint8))
    at_night(town, state, 3)
    done = on_timers(state, town.at("2009-03-03 12:00"))
    assert sorted(seconds(town, done)) == [-3600, 0, 1]


def test_turns_missed_while_the_platform_was_down_are_spread_anew(town):
    state = town.engine_state(town.campaign(), people=town.profiles(6), holds={"release_per_s": 2})
    at_night(town, state, 6)
    now_us = town.at("2009-03-03 09:00:02")
    done = on_timers(state, now_us, now_us) + on_timers(state, town.at("2009-03-03 12:00"), now_us)
    assert seconds(town, done) == [2, 2, 3, 3, 4, 4]


def test_a_release_is_judged_anew_and_dropped_when_stale(town):
    state = town.engine_state(
        town.campaign(), people=town.profiles(40), holds={"release_per_s": 1, "stale_after_s": 39_620}
    )
    at_night(town, state, 40)  # 39,600 s before the opening
    state.book.opt_out(3)
    done = on_timers(state, town.at("2009-03-03 12:00"))
    assert [d.reason for d in done] == [""] * 3 + ["do_not_disturb"] + [""] * 17 + ["stale"] * 19
    assert not state.held
    assert not state.book.waiting


def test_who_waits_in_a_busy_cell_may_go_elsewhere(town, tmp_path):
    policy = {"minimum_gap_s": 0, "holds": {"release_per_s": 0}}
    state = fresh(town, tmp_path, town.campaign(), **policy)
    rows = town.batch(
        {"t": f"{DAY} 10:15", "sub": 0, "kind": "power_on", "cell": town.AIRPORT},
        {"t": f"{DAY} 10:15", "sub": 2, "kind": "power_on", "cell": (0x3333, 1)},
        {"t": f"{DAY} 10:15", "sub": 3, "kind": "power_on", "cell": town.HOME},
        {"t": f"{DAY} 10:18", "sub": 3, "kind": "location_update", "cell": town.AIRPORT},
        {"t": f"{DAY} 10:50", "sub": 2, "kind": "location_update", "cell": town.AIRPORT},
    )
    decisions = on_batch(state, rows, 0) + on_timers(state, town.at(f"{DAY} 11:00"))
    said = [(d.trigger.row, d.action, d.reason) for d in decisions]
    assert said == [
        (0, "hold", "busy_cell"),
        (2, "send", ""),
        (3, "hold", "busy_cell"),
        (3, "suppress", "busy_cell"),  # at 10:20 he is in the other cell, which is busy until 10:40
        (0, "send", ""),
    ]


def test_a_hold_ends_with_its_campaign_or_its_subscriber(town):
    people = town.profiles(3)
    state = town.engine_state(town.campaign("alert"), town.campaign("other"), people=people)
    held = at_night(town, state, 3)
    change_campaigns(state, tuple(c for c in state.campaigns if c.campaign == "other"))
    ended = state.take_ended()
    assert {reason for _, reason in ended} == {"withdrawn"}
    left = {"imsi": [f"{town.imsi(s):015d}" for s in (0, 2)], "msisdn": [town.msisdn(s) for s in (0, 2)]}
    switch_profiles(state, town.profiles(2, **left))
    gone = state.take_ended()
    assert [(t.msisdn, reason) for t, reason in gone] == [(town.msisdn(1), "gone")]
    done = on_timers(state, town.at("2009-03-03 12:00"))
    assert len(done) == 2
    ends = {t.trigger_id for t, _ in (*ended, *gone)} | {d.trigger.trigger_id for d in done}
    assert ends == {d.trigger.trigger_id for d in held}
    assert state.take_ended() == []


def test_a_hold_that_a_restart_does_not_know_any_more_ends_there(town):
    state = town.engine_state(town.campaign("alert"), people=town.profiles(2))
    at_night(town, state, 2)
    other = town.engine_state(town.campaign("new"), people=town.profiles(2))
    restore(other, capture(state))
    assert [(t.campaign, reason) for t, reason in other.take_ended()] == [("alert", "withdrawn")] * 2


# --------------------------------------------------------------------------- what is told from outside


def test_a_receipt_lets_the_next_one_come_sooner(town):
    def again(ended):
        state = town.engine_state(
            town.campaign(), minimum_gap_s=3600, duplicate={"same_campaign_days": 0}, validity_s=7200.0
        )
        (sent,) = on_batch(state, town.batch({"t": f"{DAY} 10:00", "kind": "power_on"}), 0)
        if ended == "unsent":
            on_unsent(state, sent.trigger, sent.contact)
        elif ended:
            on_ended(state, town.msisdn(0), "1008601", "sms", sent.t_us, town.at(f"{DAY} {ended}"))
        (then,) = on_batch(state, town.batch({"t": f"{DAY} 11:01", "kind": "power_on"}), 0)
        return then.reason

    assert again("10:01:00") == ""
    assert again("10:01:01") == "gap"
    assert again("") == "gap"
    assert again("unsent") == ""


def test_a_contact_of_the_engine_says_when_it_cannot_come_any_more(town):
    state = town.engine_state(town.campaign(channels=["sms"]), classes=CLASSES)
    (sent,) = on_batch(state, town.batch({"t": f"{DAY} 20:30", "kind": "power_on"}), 0)
    contact = sent.contact
    assert contact.latest_us - contact.valid_until_us == 60_000_000
    assert contact.latest_us == town.at(f"{DAY} 21:00")
    assert (contact.kind.group, contact.kind.channels, contact.decided_us) == (2, 1, sent.t_us)


def test_the_log_is_pruned_when_a_day_begins(town, tmp_path):
    state = fresh(town, tmp_path, town.campaign(), minimum_gap_s=60, validity_s=60.0)
    for day in range(2, 9):
        on_batch(state, town.batch({"t": f"2009-03-{day:02} 09:40", "sub": 0, "kind": "power_on"}), 0)
    assert state.policy.keep_s == 2 * 86_400
    assert len(state.book.log) == 3


def test_a_file_waits_for_nobody_and_counts_by_its_own_channel(town, tmp_path):
    rules = [{"most": 1, "per": "month", "channels": ["bulk-sms"]}]
    state = fresh(
        town,
        tmp_path,
        town.campaign(),
        closed_hours=[],
        caps={"per_calendar_month": 9, "rules": rules},
        minimum_gap_s=0,
    )
    bulk = ("bulk-sms", "sms")

    def selected(at, *channels):
        now_us = town.at(f"{DAY} {at}")
        on_timers(state, now_us, now_us)
        rows = np.arange(2)
        decisions = on_selection(state, 0, rows, now_us, channels=channels)
        return [(d.action, d.reason) for d in decisions]

    # Subscriber 1 lives in Kathmandu, where it is 08:44 and quiet.
    assert selected("10:59", *bulk) == [("send", ""), ("suppress", "quiet_hours")]
    assert not state.held
    assert selected("12:00", *bulk) == [("suppress", "cap"), ("send", "")]
    assert selected("13:00") == [("send", "")] * 2


def test_value_is_a_key_of_campaigns(town):
    with pytest.raises(ValueError, match="value"):
        town.campaign(value=-1)
    assert Campaign.model_fields["value"].default == 0
