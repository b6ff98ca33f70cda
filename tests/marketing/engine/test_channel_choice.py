"""By which channel a contact goes: the first of its campaign's that is up and that the terminal shows."""

import numpy as np
import pytest

from marketing.contact import Book, Policy
from marketing.engine import new_state, on_batch, on_timers
from marketing.profiles import Terminals, load_terminals

TABLE = """tac,model,maker,gprs,edge,wap,mms,java,price_class,year
35000001,Both,Baihe,true,false,true,true,false,high,2006
35000002,Browser,Baihe,true,false,true,false,false,middle,2005
35000003,Plain,Baihe,false,false,false,false,false,low,2003
"""
MODELS = ["Baihe Both", "Baihe Browser", "Baihe Plain", "Unheard Of", ""]
DAY = "2009-03-02"
MASKS = {"sms": 1, "wap": 2, "mms": 4}
PICTURES = {"most": 1, "per": "month", "channels": ["mms"]}


@pytest.fixture
def decided(town, tmp_path):
    """`decided(channels, reach, ...)`: channel or reason of people with five kinds of handsets."""
    (tmp_path / "t.csv").write_text(TABLE)
    terminals = load_terminals(tmp_path / "t.csv")
    assert isinstance(terminals, Terminals)

    def run(channels, reach=None, at="10:00:00", release=False, policy=None, again=0, **changes):
        keys = {"channels": channels} | changes
        if "wap" in channels:
            keys["wap"] = {"url": "http://x.example/", "title": {"zh": "标题", "en": "A link"}}
        if "mms" in channels:
            keys["mms"] = {"subject": {"zh": "主题"}, "text": {"zh": "彩信{model|}", "en": "Picture"}}
        people = town.profiles(len(MODELS), terminal=MODELS)
        policy = Policy.of(town.policy_file(**(policy or {})))
        state = new_state(
            people,
            town.places(),
            (town.campaign(**keys),),
            policy,
            Book.empty(len(people)),
            terminals=terminals,
        )
        if reach is not None:
            state.reach = frozenset(reach)
        rows = [{"t": f"{DAY} {at}", "sub": n, "kind": "power_on"} for n in range(len(MODELS))]
        if again:
            rows = [row | {"t": f"{DAY} {at}.{n}"} for n in range(again) for row in rows]
            decisions = on_batch(state, town.batch(*rows), 0)
            assert all(
                d.contact is None or d.contact.kind.channels == MASKS[d.contact.channel] for d in decisions
            )
            told = [d.contact.channel if d.contact else d.reason for d in decisions]
            return [told[n :: len(MODELS)] for n in range(len(MODELS))]
        decisions = on_batch(state, town.batch(*rows), 0)
        if release:
            decisions = on_timers(state, town.at("2009-03-03 09:00:00"))
        found = {
            d.trigger.row: (d.contact.channel, d.contact.text) if d.contact else d.reason for d in decisions
        }
        return [found[n] for n in range(len(MODELS))]

    return run


def test_each_terminal_gets_the_first_that_it_shows(decided):
    mms = ("mms", "彩信Both")
    wap, sms = ("wap", "标题"), ("sms", "你好")
    assert decided(["mms", "wap", "sms"]) == [mms, wap, sms, sms, sms]
    assert decided(["wap", "mms", "sms"]) == [wap, wap, sms, sms, sms]
    assert decided(["sms", "mms"]) == [sms] * 5


def test_what_is_not_up_is_passed_over_and_without_any_there_is_a_reason(decided):
    assert [one[0] for one in decided(["mms", "wap", "sms"], {"sms", "wap"})] == [
        "wap",
        "wap",
        "sms",
        "sms",
        "sms",
    ]
    none = ["no_channel"] * 5
    assert decided(["mms", "wap"], {"sms"}) == none
    assert decided(["mms"]) == [("mms", "彩信Both"), *none[1:]]
    assert [one[0] for one in decided(["mms", "outbound"])] == ["mms", *["outbound"] * 4]


def test_after_a_night_on_hold_the_channel_and_its_text_are_chosen_again(decided):
    found = decided(["mms", "sms"], at="23:00:00", release=True)
    assert found == [("mms", "彩信Both"), *[("sms", "你好")] * 4]


def test_campaigns_by_short_message_are_not_asked_about_terminals(town):
    state = town.engine_state(town.campaign("a"), town.campaign("b", originator="1008602"))
    assert state.roster().choosing == ()
    assert np.all(state.roster().counted == np.zeros(2, dtype=bool))


def full(*rules):
    return {
        "caps": {"per_calendar_month": 9, "rules": list(rules)},
        "duplicate": {"same_campaign_days": 0},
    }


def test_a_channel_that_is_full_stops_only_what_would_go_by_it(decided):
    by_text = ["sms"] * 3
    found = decided(["mms", "sms"], policy=full(PICTURES), again=3)
    assert found == [["mms", "cap", "cap"], *[by_text] * 4]


def test_what_a_full_channel_diverts_goes_by_the_next_that_the_terminal_shows(decided):
    links = {"most": 1, "per": "month", "channels": ["wap"], "then": "divert"}
    policy = full(PICTURES | {"then": "divert"}, links)
    both, browser, plain = ["mms", "wap", "sms", "sms"], ["wap", "sms", "sms", "sms"], ["sms"] * 4
    assert decided(["mms", "wap", "sms"], policy=policy, again=4) == [both, browser, plain, plain, plain]
    assert decided(["mms", "wap"], policy=policy, again=3) == [
        ["mms", "wap", "cap"],
        ["wap", "cap", "cap"],
        *[["no_channel"] * 3] * 3,
    ]
    # Down, not only full.
    assert decided(["mms", "wap", "sms"], {"sms", "mms"}, policy=policy, again=2)[0] == ["mms", "sms"]
