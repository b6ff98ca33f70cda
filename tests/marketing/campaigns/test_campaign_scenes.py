"""Campaign files of scenes in steps: what is refused, where it is said, and what the keys come to."""

import contextlib
from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from marketing.campaigns import (
    PLACEHOLDERS,
    Campaign,
    Experiment,
    as_expression,
    describe,
    load,
    load_all,
    template,
)
from marketing.config import ConfigError

HEAD = """\
campaign: alert
title: Alert
offer: alert
content: {zh: 你好, en: Hello}
originator: "1008601"
"""
SCENE = """\
scene:
  begin: {behaviour: call_ended}
"""


def problems(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load(path)
    return error.value.problems


THEN = SCENE + "  then:\n"
WRONG = [
    (SCENE + "audience: profile.agee > 3\n", 8, "audience", "did you mean 'profile.age'"),
    (SCENE + "audience: profile.age > \n", 8, "audience", "column 14: the expression ends too early"),
    (SCENE + "audience: 1 < 2\n", 8, "audience", "always true"),
    (SCENE + "audience: {agee: 3}\n", 8, "audience", "did you mean 'age'"),
    (SCENE + "audience: {age: old}\n", 8, "audience", "age: expected a whole number"),
    (SCENE + "  if: now.idle > 20\n", 8, "scene.if", "found a duration and an int"),
    (SCENE + "  terminal: now.on\n", 6, "scene", "terminal may name terminal.X only"),
    (SCENE + "  when: {hours: ['18:00-18:00']}\n", 8, "scene.when.hours[0]", "an empty time window"),
    (SCENE + "  when: {hours: ['18:00-25:00']}\n", 8, "scene.when.hours[0]", "such as 18:00-21:30"),
    (SCENE + "  when: {hours: [18h]}\n", 8, "scene.when.hours[0]", "such as 18:00-21:30"),
    (SCENE + "  when: {days: [monday]}\n", 8, "scene.when.days[0]", "expected 'mon'"),
    (SCENE + "  where: {}\n", 8, "scene.where", "leave the key where out"),
    (SCENE + "  within_s: 60\n", 6, "scene", "a single behaviour takes no time"),
    (
        THEN + "    - {next: {behaviour: sms_sent}, followed_by: {behaviour: sms_sent}}\n",
        9,
        "scene.then[0]",
        "found 2",
    ),
    (THEN + "    - {not_followed_by: {behaviour: sms_sent}}\n", 6, "scene", "absence without a limit"),
    (
        THEN + "    - {not_followed_by: {behaviour: sms_sent}, within_s: 90}\n  within_s: 60\n",
        6,
        "scene",
        "can never match",
    ),
    (
        THEN
        + "    - {not_followed_by: {behaviour: [sms_sent, call_busy]}}\n"
        + "    - {next: {behaviour: sms_sent}}\n",
        6,
        "scene",
        "then[0] forbids what then[1] waits for",
    ),
    (
        THEN
        + "    - {not_followed_by: {behaviour: sms_sent}, within_s: 9}\n"
        + "    - {next: {behaviour: call_busy}}\n",
        6,
        "scene",
        "put within_s there",
    ),
    (
        THEN + "    - {followed_by: {behaviour: sms_sen}}\n",
        9,
        "scene.then[0].followed_by.behaviour",
        "did you mean 'sms_sent'",
    ),
    (
        THEN + "    - {followed_by: {behaviour: sms_sent}, times: 0}\n",
        9,
        "scene.then[0].times",
        "at least 1",
    ),
    (
        THEN + "    - {not_followed_by: {behaviour: sms_sent}, within_s: 9}\n  if: event.cause > 3\n",
        6,
        "scene",
        "ends by time, not by a behaviour",
    ),
    (
        "scene:\n  begin: {behaviour: power_on, place: mall}\n  where: {places: [airport]}\n",
        6,
        "scene",
        "ends at 'mall', which is not among where.places",
    ),
    (SCENE + "valid: {from: 2010-03-31, until: 2010-03-01}\n", 8, "valid", "until is before from"),
    (
        SCENE + "  when: {days: [sun]}\nvalid: {from: 2010-03-01, until: 2010-03-03}\n",
        9,
        "valid",
        "no day of valid is in scene.when.days",
    ),
    (SCENE + "experiment: {arms: {a: 0.5, b: 0.4}, salt: s}\n", 8, "experiment", "sum to 0.9"),
    (
        SCENE + "experiment: {arms: {control: 1}, salt: s}\n",
        8,
        "experiment",
        "nobody would ever be contacted",
    ),
    (SCENE + "targets: absent.csv\n", 8, "targets", "a file that exists"),
    (SCENE + "targets: No Such Name\n", 8, "targets", "the name of an imported list"),
    (SCENE + "channels: [mss]\n", 8, "channels[0]", "Did you mean 'sms'?"),
    (SCENE + "output: statistics\n", 4, "content", "sends nothing: the key content has no sense"),
    (SCENE + "mode: follow_up\n", 8, "mode", "neither the key scene nor the key group"),
    (SCENE + "boss: boss.balanse > 5.0\n", 8, "boss", "did you mean 'boss.balance'"),
    (SCENE + "boss: boss.balance > 5\nboss_unknown: hold\n", 9, "boss_unknown", "'drop' or 'send'"),
    (SCENE + "boss: boss.balance + 5.0\n", 8, "boss", "expected something true or false"),
    (SCENE + "boss: profile.age > 5\n", 8, "boss", "names begin with boss"),
    (SCENE + "boss: 1 < 2\n", 8, "boss", "always true"),
    (SCENE + "boss_unknown: send\n", 8, "boss_unknown", "no sense without the key boss"),
    (SCENE + "audience: boss.balance > 5.0\n", 8, "audience", "stands in the key boss only"),
    (SCENE + "caps: {per_calendar_month: 0}\n", 8, "caps.per_calendar_month", "at least 1"),
]


@pytest.mark.parametrize(("rest", "line", "key", "said"), WRONG, ids=[w[3][:40] for w in WRONG])
def test_mistakes_are_said_with_line_and_key(tmp_path, rest, line, key, said):
    (found,) = problems(tmp_path, HEAD + rest)
    assert said in str(found)
    assert (found.line, found.key) == (line, key)


TEXTS = [
    ("{plaec|here}", "did you mean 'place'"),
    ("{place}", "may be unknown"),
    ("{place|here", "not closed"),
    ("100%} off", "closing brace alone"),
    ("{}", "no placeholder ''"),
    ("{0.__class__|x}", "no placeholder"),
    ("{place|{peer|x}}", "not closed"),
]


@pytest.mark.parametrize(("text", "said"), TEXTS)
def test_texts_with_wrong_placeholders_are_refused(tmp_path, text, said):
    content = HEAD.replace("en: Hello", f"en: {text!r}") + SCENE
    (found,) = problems(tmp_path, content)
    assert said in str(found)
    assert found.key == "content.en"


def test_texts_are_filled_once_and_nothing_in_a_value_is_read_again():
    made = template("{{{place|here}}} {minutes_left|some} {offer}")
    assert made.names == {"place", "minutes_left", "offer"}
    evil = {"place": "{peer|x}\r\n{offer}\u202e" + "x" * 100, "minutes_left": None, "offer": "o"}
    filled = made.fill(evil)
    assert filled.startswith("{{peer|x} {offer} xxx")
    assert filled.endswith("x} some o")
    assert len(filled) == 1 + 60 + 1 + len(" some o")
    assert made.fill({"minutes_left": 0, "place": ""}) == "{here} 0 "


@given(st.text(max_size=80))
def test_any_text_is_a_template_or_says_why_not(text):
    try:
        made = template(text)
    except ValueError:
        return
    assert made.names <= set(PLACEHOLDERS)
    if not made.names:
        assert made.fill({}) == text.replace("{{", "{").replace("}}", "}")


def campaign(**keys):
    return Campaign(
        **{
            "campaign": "c",
            "title": "t",
            "offer": "o",
            "content": {"en": "hi"},
            "originator": "10086",
            "scene": {"begin": {"behaviour": "power_on"}},
            **keys,
        }
    )


def test_arms_are_dealt_once_and_for_all_by_the_salt():
    made = Experiment(arms={"a": 0.5, "b": 0.3, "control": 0.2}, salt="spring", hold_out=0.1)
    people = [f"46000{i:010d}" for i in range(20_000)]
    dealt = [made.arm(imsi) for imsi in people]
    shares = {arm: n / len(people) for arm, n in Counter(dealt).items()}
    # Five standard deviations of a share of 20,000 draws.
    for arm, share in {"hold_out": 0.1, "a": 0.45, "b": 0.27, "control": 0.18}.items():
        assert shares[arm] == pytest.approx(share, abs=5 * (share * (1 - share) / len(people)) ** 0.5)
    # Golden: a change here would deal running experiments anew.
    assert dealt[:8] == GOLDEN
    other = Experiment(arms={"a": 0.5, "control": 0.5}, salt="spring", hold_out=0.1)
    assert [d == "hold_out" for d in dealt] == [other.arm(i) == "hold_out" for i in people]
    again = Experiment(arms={"a": 0.5, "b": 0.3, "control": 0.2}, salt="autumn", hold_out=0.1)
    both = sum(again.arm(i) == d == "a" for i, d in zip(people, dealt, strict=True)) / len(people)
    assert both == pytest.approx(0.45 * 0.45, abs=0.015)


GOLDEN = ["b", "a", "hold_out", "control", "a", "a", "b", "hold_out"]


def test_an_experiment_of_a_campaign():
    made = campaign(experiment={"arms": {"treated": 0.9, "control": 0.1}, "salt": "s"})
    arms = {made.arm(f"46000{i:010d}") for i in range(200)}
    assert arms == {"treated", "control"}
    assert made.contacts("treated")
    assert not made.contacts("control")
    assert not made.contacts("hold_out")
    assert campaign().arm("460000000000000") == ""


def test_valid_days_are_local():
    made = campaign(valid={"from": date(2010, 3, 1), "until": date(2010, 3, 1)})
    start_us, end_us = made.valid_us("Asia/Shanghai")
    assert end_us - start_us == 86_400_000_000
    assert made.active(start_us, "Asia/Shanghai")
    assert not made.active(start_us - 1, "Asia/Shanghai")
    assert not made.active(end_us, "Asia/Shanghai")
    assert made.valid_us("UTC")[0] - start_us == 8 * 3_600_000_000
    assert campaign().active(0, "UTC")


SHORT = [
    ({}, ""),
    ({"often_off": True}, "profile.often_off"),
    ({"often_off": False, "brand": "gotone"}, '!profile.often_off && profile.brand == "gotone"'),
    ({"brand": ["a", "b"]}, 'profile.brand in ["a", "b"]'),
    ({"services": ["mms", "wap"]}, '("mms" in profile.services || "wap" in profile.services)'),
    ({"age": 20}, "profile.age == 20"),
    ({"lists": "vip"}, '"vip" in lists'),
    ({"city": '杭州"'}, 'profile.city == "杭州\\""'),
]


@pytest.mark.parametrize(("short", "long"), SHORT)
def test_the_short_form_stands_for_an_expression(short, long):
    assert as_expression(short) == long
    assert campaign(audience=short).expression == long


def written(tmp_path, name, text):
    path = tmp_path / f"{name}.yaml"
    path.write_text(
        HEAD.replace("alert", name).replace("1008601", f"10086{len(name)}") + text, encoding="utf-8"
    )
    return path


def test_follow_ups_must_be_there_and_end(tmp_path):
    first = written(tmp_path, "a", SCENE + "follow_ups: [{after_s: 3600, campaign: bb}]\n")
    second = written(tmp_path, "bb", "mode: follow_up\nfollow_ups: [{after_s: 3600, campaign: ccc}]\n")
    third = written(tmp_path, "ccc", "mode: follow_up\n")
    assert [c.campaign for c in load_all([third, second, first])] == ["a", "bb", "ccc"]
    with pytest.raises(
        ConfigError, match=r"follow_ups\[0\]\.campaign = 'bb': the name of a campaign that runs"
    ):
        load_all([first, third])
    assert load_all([first], alone=True)
    round_ = written(tmp_path, "ccc", "mode: follow_up\nfollow_ups: [{after_s: 3600, campaign: bb}]\n")
    with pytest.raises(ConfigError, match="go round for ever"):
        load_all([first, second, round_])
    wrong = written(tmp_path, "bb", SCENE)
    with pytest.raises(ConfigError, match="mode trigger"):
        load_all([first, wrong])


def test_every_place_of_a_scene_is_looked_up(tmp_path):
    then = (
        "  then:\n    - {followed_by: {behaviour: sms_sent, place: mal}}\n  where: {places: [aiport, mal]}\n"
    )
    path = written(tmp_path, "a", "scene:\n  begin: {behaviour: power_on, place: mall}\n" + then)
    with pytest.raises(ConfigError) as error:
        load_all([path], places=["mall", "airport"])
    assert [(p.key, p.suggestion) for p in error.value.problems] == [
        ("scene.then[0].followed_by.place", "mall"),
        ("scene.where.places[0]", "airport"),
        ("scene.where.places[1]", "mall"),
    ]


def test_contacts_need_what_statistics_do_not():
    scene = {"begin": {"dwell": {"place": "mall", "at_least_s": 600}}}
    made = Campaign(campaign="c", title="t", output="statistics", scene=scene)
    assert (made.offer, made.content, made.originator) == ("", {}, "")
    assert describe(made)[3] == ("Then", ["it is counted; nobody is contacted"])


def test_a_condition_for_boss_in_words():
    made = campaign(boss='boss.balance >= 50.0 && !("mms" in boss.services)', boss_unknown="send")
    said = dict(describe(made))["Then"]
    assert (
        said[0] == 'BOSS is asked whether this is true now: boss.balance >= 50.0 && !("mms" in boss.services)'
    )
    assert "all the same" in said[1]


def test_a_scene_in_words():
    made = campaign(
        scene={
            "begin": {
                "behaviour": "call_ended",
                "role": "caller",
                "peer": ["10086"],
                "times": {"at_least": 2},
            },
            "then": [
                {"next": {"behaviour": ["call_busy", "call_no_answer"]}},
                {"not_followed_by": {"behaviour": "call_started"}, "within_s": 5400},
            ],
            "when": {"hours": ["18:00-21:30"], "days": ["sun", "sat"]},
        },
        audience='"vip" in lists && last["10086"] > duration("1h")',
    )
    said = "\n".join(line for _, lines in describe(made) for line in lines)
    for words in (
        "has ended a call as caller with 10086, 2 times or more",
        "next thing is, that the subscriber has had a call to someone busy or had a call without an answer",
        "and then has not started a call for 1 hour 30 minutes: at that moment",
        "between 18:00 and 21:30 local time",
        "on a Saturday or Sunday",
        "'vip' in lists: on the target list vip",
    ):
        assert words in said


def keys_of(schema):
    """Every key of a JSON Schema, wherever it is."""
    return sorted({name for one in [schema, *schema["$defs"].values()] for name in one.get("properties", ())})


WORDS = [
    "sms_sent",
    "call_ended",
    "18:00-21:30",
    "mon",
    "trigger",
    "group",
    "mall",
    "o",
    "1008601",
    "profile.age > 3",
    "",
]
SCALARS = st.one_of(
    st.sampled_from(WORDS),
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.dates(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(keys_of(Campaign.model_json_schema())), inner, max_size=4),
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(sorted(Campaign.model_fields)), VALUES, max_size=6))
def test_no_values_raise_anything_but_what_says_where(values):
    base = campaign().model_dump(by_alias=True, exclude_defaults=True)
    with contextlib.suppress(ValidationError):
        made = Campaign.model_validate({**base, **values})
        assert describe(made)
        assert made.valid_us("Asia/Shanghai")


def test_days_that_time_zones_cannot_reach_are_refused(tmp_path):
    (found,) = problems(tmp_path, HEAD + SCENE + "valid: {from: 0001-01-01}\n")
    assert (found.key, found.line) == ("valid.from", 8)
    assert "1970 to 2200" in str(found)
