"""Days, hours, places and texts of a campaign as the engine keeps them: to the microsecond, to the letter."""

import numpy as np
import pytest

from marketing.campaigns import Target
from marketing.engine import change_campaigns, on_batch, on_timers, schedule_group
from marketing.profiles import TargetLists

DAY = "2009-03-02"
"""A Monday."""


def triggered(town, campaign, t, cell=None):
    """Whether a short message sent at an instant triggers, whatever the policy makes of it."""
    state = town.engine_state(campaign)
    row = {"t": t, "sub": 1, "kind": "sms_sent", "cell": cell or town.HOME}
    return [d.trigger.campaign for d in on_batch(state, town.batch(row), 0)] == [campaign.campaign]


def texting(town, name="text", **more):
    scene = {"begin": {"behaviour": "sms_sent"}, **more.pop("scene", {})}
    return town.campaign(name, scene=scene, **more)


MOMENTS = [
    # valid days are local, both included
    ({"valid": {"from": "2009-03-02", "until": "2009-03-03"}}, "2009-03-01 23:59:59.999999", False),
    ({"valid": {"from": "2009-03-02", "until": "2009-03-03"}}, "2009-03-02 00:00:00", True),
    ({"valid": {"from": "2009-03-02", "until": "2009-03-03"}}, "2009-03-03 23:59:59.999999", True),
    ({"valid": {"from": "2009-03-02", "until": "2009-03-03"}}, "2009-03-04 00:00:00", False),
    # the end of a span is not in it
    ({"scene": {"when": {"hours": ["10:00-11:30"]}}}, "2009-03-02 09:59:59.999999", False),
    ({"scene": {"when": {"hours": ["10:00-11:30"]}}}, "2009-03-02 10:00:00", True),
    ({"scene": {"when": {"hours": ["10:00-11:30"]}}}, "2009-03-02 11:29:59.999999", True),
    ({"scene": {"when": {"hours": ["10:00-11:30"]}}}, "2009-03-02 11:30:00", False),
    # over midnight, whose hours belong to the new day
    ({"scene": {"when": {"hours": ["23:30-00:30"]}}}, "2009-03-02 23:29:59.999999", False),
    ({"scene": {"when": {"hours": ["23:30-00:30"]}}}, "2009-03-02 23:30:00", True),
    ({"scene": {"when": {"hours": ["23:30-00:30"]}}}, "2009-03-03 00:29:59.999999", True),
    ({"scene": {"when": {"hours": ["23:30-00:30"]}}}, "2009-03-03 00:30:00", False),
    ({"scene": {"when": {"hours": ["23:30-00:30"], "days": ["mon"]}}}, "2009-03-03 00:10:00", False),
    ({"scene": {"when": {"days": ["mon"]}}}, "2009-03-01 23:59:59.999999", False),
    ({"scene": {"when": {"days": ["mon"]}}}, "2009-03-02 00:00:00", True),
    ({"scene": {"when": {"days": ["mon"]}}}, "2009-03-02 23:59:59.999999", True),
    ({"scene": {"when": {"days": ["mon"]}}}, "2009-03-03 00:00:00", False),
]


@pytest.mark.parametrize(("keys", "t", "expected"), MOMENTS)
def test_days_and_hours_end_where_they_end(town, keys, t, expected):
    assert triggered(town, texting(town, **keys), t) is expected


WHERE = [
    ({"places": ["airport"]}, (0x1111, 7), True),
    ({"places": ["airport"]}, (0x1111, 8), True),
    ({"places": ["airport"]}, (0x1111, 9), False),  # a cell that no table knows
    ({"places": ["airport"]}, (0x3333, 1), False),
    ({"places": ["airport", "mall"]}, (0x3333, 1), True),
    ({"places": ["airport"]}, (0, 0), False),
    ({"areas": [0x1111]}, (0x1111, 9), True),
    ({"areas": [0x1111]}, (0x1110, 7), False),
    ({"areas": [0x1111]}, (0x1112, 7), False),
    ({"places": ["mall"], "areas": [0x1111]}, (0x1111, 9), True),  # one of them is enough
]


@pytest.mark.parametrize(("where", "cell", "expected"), WHERE)
def test_places_and_areas(town, where, cell, expected):
    assert triggered(town, texting(town, scene={"where": where}), f"{DAY} 10:00", cell) is expected


# --------------------------------------------------------------------------- texts


TEXT = "{place|nowhere}/{peer|nobody}/{minutes_used|0}/{minutes_left|?}/{brand|-}/{tariff|-}/{city|-}/{offer}"


def test_texts_tell_what_is_known_of_this_subscriber_now(town):
    people = town.profiles(
        3,
        brand=["gotone", "easyown", None],
        tariff=["t88", "t20", None],
        city=["Guangzhou", None, None],
        bundle_minutes=[100, 1, None],
    )
    state = town.engine_state(texting(town, content={"zh": TEXT}, offer="more"), people=people)
    calls = (
        {"t": f"{DAY} 10:00", "sub": sub, "kind": "call_ended", "role": 1, "duration_us": us}
        for sub, us in ((0, 61_000_000), (0, 60_000_000), (1, 59_000_000))
    )
    on_batch(state, town.batch(*calls), 0)
    texts = (
        {"t": f"{DAY} 10:01", "sub": 0, "kind": "sms_sent", "cell": town.AIRPORT, "peer": b"13900000001"},
        {"t": f"{DAY} 10:01", "sub": 1, "kind": "sms_sent", "cell": (0x3333, 1)},
        {"t": f"{DAY} 10:01", "sub": 2, "kind": "sms_sent"},
    )
    decisions = on_batch(state, town.batch(*texts), 0)
    assert [d.contact.text for d in sorted(decisions, key=lambda d: d.trigger.row)] == [
        "airport/13900000001/3/97/gotone/t88/Guangzhou/more",  # begun minutes: 2 and 1
        "mall/nobody/1/0/easyown/t20/-/more",
        "nowhere/nobody/0/?/-/-/-/more",
    ]


def test_a_text_tells_what_was_when_the_scene_was_complete(town):
    """Though the same batch tells already that he has gone on."""
    state = town.engine_state(texting(town, content={"zh": "{place|nowhere}"}))
    rows = town.batch(
        {"t": f"{DAY} 10:00:01", "sub": 1, "kind": "sms_sent", "cell": town.AIRPORT},
        {"t": f"{DAY} 10:00:02", "sub": 1, "kind": "location_update", "cell": (0x3333, 1)},
    )
    (sent,) = on_batch(state, rows, 0)
    assert sent.contact.text == "airport"


def test_a_text_that_was_held_tells_what_is_at_its_release(town):
    state = town.engine_state(texting(town, content={"zh": "{place|nowhere} {peer|-}"}))
    rows = town.batch(
        {"t": f"{DAY} 08:00", "sub": 1, "kind": "sms_sent", "cell": town.AIRPORT, "peer": b"10086"},
        {"t": f"{DAY} 08:30", "sub": 1, "kind": "location_update", "cell": (0x3333, 1)},
    )
    (held,) = on_batch(state, rows, 0)
    assert held.action == "hold"
    (sent,) = on_timers(state, town.at(f"{DAY} 09:00"))
    assert sent.contact.text == "mall 10086"


# --------------------------------------------------------------------------- groups


def to_all(town, campaign, n=4, people=None, day=1):
    state = town.engine_state(campaign, people=people if people is not None else town.profiles(n))
    targets = [Target(town.msisdn(sub), day) for sub in range(n)]
    assert schedule_group(state, campaign, targets, town.at(f"{DAY} 00:00")) == 0
    return state


def sent_at(state, t_us):
    return sorted(d.trigger.row for d in on_timers(state, t_us) if d.action == "send")


def test_a_group_is_narrowed_by_what_moves(town, group):
    """Who is on the list is asked at its hour: is he there, is he on, has he been quiet?"""
    moving = 'now.place == "airport" && now.idle > duration("30m") && now.on'
    state = to_all(town, group(audience=moving))
    rows = town.batch(
        {"t": f"{DAY} 09:20", "sub": 0, "kind": "sms_sent", "cell": town.AIRPORT},
        {"t": f"{DAY} 09:20", "sub": 1, "kind": "sms_sent", "cell": town.AIRPORT},
        {"t": f"{DAY} 09:20", "sub": 2, "kind": "sms_sent", "cell": (0x3333, 1)},
        {"t": f"{DAY} 09:31", "sub": 1, "kind": "sms_sent", "cell": town.AIRPORT},
    )
    assert on_batch(state, rows, 0) == []
    assert sent_at(state, town.at(f"{DAY} 10:00")) == [0]


@pytest.mark.parametrize(
    ("day", "valid", "expected"),
    [
        (1, {"from": "2009-03-02", "until": "2009-03-02"}, [0, 1]),
        (1, {"from": "2009-03-03"}, []),
        (2, {"from": "2009-03-03"}, [0, 1]),
        (2, {"until": "2009-03-02"}, []),
    ],
)
def test_a_group_keeps_the_valid_days(town, day, valid, expected, group):
    state = to_all(town, group(valid=valid), n=2, day=day)
    assert sent_at(state, town.at(f"2009-03-0{1 + day} 10:00")) == expected


def test_a_group_keeps_extract_and_target_lists(town, tmp_path, group):
    (tmp_path / "own.csv").write_text(f"msisdn\n{town.msisdn(1)}\n{town.msisdn(2)}\n")
    people = town.profiles(4, brand=["gotone", "gotone", "mzone", "gotone"])
    people = people.with_lists(
        TargetLists.of({"vip": np.array([int(town.msisdn(3))], np.uint64)}, people.rows_by_msisdn)
    )
    narrow = group(audience='profile.brand == "gotone"', targets=str(tmp_path / "own.csv"))
    assert sent_at(to_all(town, narrow, people=people), town.at(f"{DAY} 10:00")) == [1]
    listed = group(targets="vip")
    assert sent_at(to_all(town, listed, people=people), town.at(f"{DAY} 10:00")) == [3]


def test_a_group_of_a_campaign_changed_before_its_hour_is_held_against_the_new_one(town, group):
    state = to_all(town, group())
    change_campaigns(state, (group(valid={"from": "2009-03-03"}),))
    assert sent_at(state, town.at(f"{DAY} 10:00")) == []
