"""Campaigns and extracts exchanged while the engine runs: nothing of what stays is lost."""

import time

import pytest
import yaml

from marketing.engine import change_campaigns, on_batch, on_timers, switch_profiles
from marketing.profiles import Profiles
from marketing.reloading import CampaignFolder
from marketing.workers import LocalHost

DAY = "2009-03-02"
TWICE = {
    "begin": {"behaviour": "sms_sent"},
    "then": [{"followed_by": {"behaviour": "call_ended"}}],
    "within_s": 7200,
}


def act(town, t, kind, sub=1, **more):
    return town.batch({"t": f"{DAY} {t}", "sub": sub, "kind": kind, **more})


def brief(decisions):
    return [(d.trigger.campaign, d.trigger.row, d.action) for d in decisions]


def test_partial_matches_and_holds_survive_a_change_beside_them(town):
    twice, power = town.campaign("twice", scene=TWICE, originator="1008603"), town.campaign()
    state = town.engine_state(twice, power)
    assert brief(on_batch(state, act(town, "09:30", "sms_sent"), 0)) == []
    other = town.campaign("fresh", scene={"begin": {"behaviour": "handover"}}, originator="1008604")
    change = change_campaigns(state, (other, power, twice))
    assert (change.added, change.changed, change.removed) == (("fresh",), (), ())
    assert brief(on_batch(state, act(town, "10:00", "call_ended"), 0)) == [("twice", 1, "send")]
    assert brief(on_batch(state, act(town, "10:01", "handover", sub=2), 0)) == [("fresh", 2, "send")]


@pytest.mark.parametrize("how", ["beside it", "its own text", "another extract"])
def test_a_hold_survives_and_is_released_once(town, how):
    """Held before nine; what is exchanged at eight releases nothing, loses nothing and doubles nothing."""
    power = town.campaign()
    state = town.engine_state(power)
    (held,) = on_batch(state, act(town, "07:00", "power_on", sub=5), 0)
    assert (held.action, held.held_until_us) == ("hold", town.at(f"{DAY} 09:00"))
    assert on_timers(state, town.at(f"{DAY} 08:00")) == []
    if how == "beside it":
        other = town.campaign("fresh", scene={"begin": {"behaviour": "handover"}}, originator="1008604")
        assert change_campaigns(state, (other, power)).dropped_holds == 0
    elif how == "its own text":
        assert change_campaigns(state, (town.campaign(content={"zh": "新"}),)).changed == ("alert",)
    else:
        kept = (9, 5)
        people = {"imsi": [f"{town.imsi(s):015d}" for s in kept], "msisdn": [town.msisdn(s) for s in kept]}
        assert switch_profiles(state, Profiles.of(people | {"language": ["zh"] * 2})) == 2
    # Waiting for it, the same scene does not trigger again.
    (again,) = on_batch(state, act(town, "08:30", "power_on", sub=5), 0)
    assert (again.action, again.reason) == ("suppress", "duplicate")
    assert on_timers(state, town.at(f"{DAY} 09:00") - 1) == []
    (sent,) = on_timers(state, town.at(f"{DAY} 09:00"))
    assert (sent.trigger.trigger_id, sent.action, sent.t_us) == (
        held.trigger.trigger_id,
        "send",
        town.at(f"{DAY} 09:00"),
    )
    assert sent.contact.msisdn == town.msisdn(5)
    assert sent.contact.text == ("新" if how == "its own text" else "你好")
    assert on_timers(state, town.at("2009-03-03 12:00")) == []
    assert not state.held
    assert not state.book.waiting


def test_what_is_removed_triggers_no_more_and_its_holds_fall_away(town):
    state = town.engine_state(town.campaign())
    on_batch(state, act(town, "07:00", "power_on"), 0)
    change = change_campaigns(state, ())
    assert (change.removed, change.dropped_holds) == (("alert",), 1)
    assert not state.held
    assert not state.book.waiting
    assert on_timers(state, town.at(f"{DAY} 12:00")) == []
    assert on_batch(state, act(town, "12:01", "power_on"), 0) == []


def test_a_stay_that_lasts_counts_for_a_campaign_that_comes_later(town):
    state = town.engine_state()
    on_batch(state, act(town, "10:00", "location_update", cell=town.AIRPORT), 0)
    on_timers(state, town.at(f"{DAY} 10:20"))
    change_campaigns(state, (town.dwell(at_least_s=2700), town.dwell("over", at_least_s=600, priority=1)))
    assert brief(on_timers(state, town.at(f"{DAY} 12:00"))) == [("travel", 1, "send")]


def test_nothing_changes_where_nothing_is_other(town):
    state = town.engine_state(town.campaign())
    rules = state.rules
    assert not change_campaigns(state, (town.campaign(),))
    assert state.rules is rules


def test_a_new_extract_keeps_what_is_known_by_imsi(town):
    state = town.engine_state(town.campaign(), town.dwell())
    on_batch(state, act(town, "07:00", "power_on", sub=4), 0)
    on_batch(state, act(town, "09:30", "location_update", sub=7, cell=town.AIRPORT), 0)
    kept = (2, 4, 7, 11)
    people = Profiles.of(
        {
            "imsi": [f"{town.imsi(s):015d}" for s in kept],
            "msisdn": [town.msisdn(s) for s in kept],
            "often_off": [True] * 4,
            "language": ["en"] * 4,
        }
    )
    # Time had gone on to 09:29 before the second row: the hold of sub 4 was released then.
    assert not state.held
    assert switch_profiles(state, people) == 3
    decisions = on_timers(state, town.at(f"{DAY} 11:00"))
    assert [(d.trigger.campaign, d.trigger.imsi[-1], d.action) for d in decisions] == [
        ("travel", "7", "send")
    ]
    assert int(state.habits.counts.sum()) == 2
    assert brief(on_batch(state, act(town, "12:00", "power_on", sub=11), 0)) == [("alert", 3, "send")]


# --------------------------------------------------------------------------- files


def write(folder, campaign):
    values = {
        "campaign": campaign.campaign,
        "title": "t",
        "scene": {"begin": {"behaviour": "power_on"}},
        "offer": "o",
        "content": {"en": "hello"},
        "originator": campaign.originator,
    }
    path = folder / f"{campaign.campaign}.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture
def folder(town, tmp_path):
    state = town.engine_state()
    ready = []
    return state, CampaignFolder(LocalHost(state), (), tmp_path, ready.append, ["100860"]), tmp_path, ready


def test_a_file_that_comes_changes_or_goes(town, folder):
    state, watch, path, _ = folder
    assert watch.look() is None
    file = write(path, town.campaign())
    assert change_campaigns(state, watch.look()).added == ("alert",)
    assert watch.look() is None
    file.write_text(file.read_text().replace("hello", "good morning"))
    assert change_campaigns(state, watch.look()).changed == ("alert",)
    file.unlink()
    assert change_campaigns(state, watch.look()).removed == ("alert",)


def test_a_wrong_file_changes_nothing_and_says_why(town, folder):
    state, watch, path, _ = folder
    write(path, town.campaign())
    change_campaigns(state, watch.look())
    bad = path / "bad.yaml"
    bad.write_text("campaign: bad\naudience: profile.shoe_size > 40\n")
    assert watch.look() is None
    assert any("bad.yaml" in problem for problem in watch.problems)
    assert [c.campaign for c in state.campaigns] == ["alert"]
    assert brief(on_batch(state, act(town, "10:00", "power_on"), 0)) == [("alert", 1, "send")]
    bad.unlink()
    assert watch.look() is not None
    assert watch.problems == ()


def test_the_thread_finds_it_by_itself(town, folder):
    state, watch, path, ready = folder
    watch.start()
    try:
        write(path, town.campaign())
        end = time.monotonic() + 20
        while not ready and time.monotonic() < end:
            time.sleep(0.02)
    finally:
        watch.stop()
    assert change_campaigns(state, ready[-1]).added == ("alert",)
