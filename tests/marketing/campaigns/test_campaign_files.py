"""Campaign files: the good ones load, the bad ones say all that is wrong, with line and key."""

import pytest

from marketing.campaigns import load, load_all, read_targets
from marketing.config import ConfigError

GOOD = """\
campaign: alert
title: An alert
audience: {often_off: true, brand: [gotone]}
scene: {begin: {behaviour: power_on}}
offer: alert
content: {zh: 你好}
originator: "1008601"
"""


def write(tmp_path, text, name="c.yaml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def problems(tmp_path, text):
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    return caught.value.problems


def test_every_campaign_of_the_scenarios_loads(town):
    paths = sorted((town.SCENARIOS / "campaigns").glob("*.yaml"))
    names = {path.stem for path in paths}
    assert {"missed-call-alert", "airport-travel", "hang-up-sms"} <= names
    for path in paths:
        assert load(path).campaign == path.stem


def test_the_three_run_together(town):
    paths = [
        town.SCENARIOS / "campaigns" / f"{n}.yaml"
        for n in ("missed-call-alert", "airport-travel", "hang-up-sms")
    ]
    loaded = load_all(paths, originators=["100860"], places=["airport"])
    assert [c.campaign for c in loaded] == ["airport-travel", "hang-up-sms", "missed-call-alert"]


MISTAKES = [
    # change, line, key, part of the message, suggestion
    ("offer: alert", "offr: alert", 5, "offr", "no such key", "offer"),
    ("behaviour: power_on", "behaviour: powr_on", 4, "scene.begin.behaviour", "did you mean 'power_on'", ""),
    ("{behaviour: power_on}", "{behavior: power_on}", 4, "scene.begin.behavior", "no such key", "behaviour"),
    ("often_off: true", "often_of: true", 3, "audience", "did you mean 'often_off'", ""),
    ("often_off: true", "often_off: perhaps", 3, "audience", "true or false", ""),
    ('"1008601"', "hello", 7, "originator", "3 to 20 digits", ""),
    ("{zh: 你好}", "{zh: ''}", 6, "content.zh", "at least 1", ""),
    ("{zh: 你好}", "{zz: hi}", 6, "content", "'zh' or 'en'", ""),
    ("title: An alert", "mode: group", 2, "mode", "mode group needs", ""),
    ("campaign: alert", "campaign: An Alert", 1, "campaign", "words of small letters and digits", ""),
]


@pytest.mark.parametrize(("good", "bad", "line", "key", "said", "hint"), MISTAKES)
def test_mistakes_are_named(tmp_path, good, bad, line, key, said, hint):
    assert good in GOOD
    text = GOOD.replace(good, bad)
    if "mode: group" in bad:
        text += "title: x\n"
    found = problems(tmp_path, text)
    match = [p for p in found if p.line == line and p.key.startswith(key) and said in p.expected]
    assert match, [str(p) for p in found]
    assert not hint or match[0].suggestion == hint


def test_all_mistakes_come_at_once(tmp_path):
    found = problems(tmp_path, GOOD.replace("offer: alert", "offr: alert").replace("title:", "titel:"))
    assert {p.key for p in found} == {"offr", "titel", "offer", "title"}
    assert all(p.file.endswith("c.yaml") for p in found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "not YAML"),
        ("- 1", "a mapping"),
        ("campaign: a\ncampaign: b", "already said in line 1"),
        ("a: &x {b: 1}\nc: " + "[" * 1100, "nested too deeply"),
        ("\x00", "YAML"),
    ],
)
def test_files_that_are_none(tmp_path, text, said):
    assert any(said in p.expected for p in problems(tmp_path, text))


def test_aliases_cannot_explode(tmp_path):
    bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
    )
    assert any("more than" in p.expected for p in problems(tmp_path, bomb))


def test_a_missing_file_suggests_its_neighbour(tmp_path):
    write(tmp_path, GOOD, "hang-up.yaml")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "hangup.yaml")
    assert caught.value.problems[0].suggestion == "hang-up.yaml"


def test_files_that_do_not_fit_together(tmp_path):
    one, two = write(tmp_path, GOOD, "1.yaml"), write(tmp_path, GOOD, "2.yaml")
    dwell = (
        GOOD.replace("campaign: alert", "campaign: stay")
        .replace("1008601", "2000")
        .replace("{behaviour: power_on}", "{dwell: {place: airprt, at_least_s: 60}}")
    )
    three = write(tmp_path, dwell, "3.yaml")
    with pytest.raises(ConfigError) as caught:
        load_all([one, two, three], originators=["100860"], places=["airport", "mall"])
    text = str(caught.value)
    assert "a name of its own" in text
    assert "a sender of its own" in text
    assert "marketing_originators" in text
    assert "Did you mean 'airport'" in text


def test_times_of_day_stay_words_and_targets_are_checked(tmp_path):
    (tmp_path / "t.csv").write_text("msisdn,day\n8613900000001,\n8613900000002,3\n")
    text = GOOD.replace(
        "scene: {begin: {behaviour: power_on}}", "mode: group\ngroup: {at: 10:00, day: 2, targets: t.csv}"
    )
    group = load(write(tmp_path, text)).group
    assert group is not None
    assert (group.at.hour, group.at.minute) == (10, 0)
    assert [(t.msisdn, t.day) for t in read_targets(group)] == [("8613900000001", 2), ("8613900000002", 3)]
    (tmp_path / "t.csv").write_text("msisdn,day\nx,1\n8613900000002,0\n")
    assert [(p.line, p.key) for p in problems(tmp_path, text)] == [(2, "msisdn"), (3, "day")]


ANSWERS = [
    ("1", "order"),
    (" １ ", "order"),
    ("y", "order"),
    ("td", "stop"),
    ("ＴＤ。", "stop"),
    ("11", "other"),
    ("", "other"),
]


@pytest.mark.parametrize(("text", "meaning"), ANSWERS)
def test_replies(town, text, meaning):
    assert town.campaign(reply={"order": ["1", "Y"], "stop": ["TD"]}).answer(text) == meaning


def test_content_by_language(town):
    campaign = town.campaign()
    assert [campaign.text(x) for x in ("zh", "en", "fr")] == ["你好", "hello", "你好"]


def test_a_misspelt_key_beside_one_named_like_a_kind_of_scene_is_the_one_named(tmp_path):
    scene = '{begin: {behaviour: call_ended, role: caller, pear: ["10086"]}}'
    (problem,) = problems(tmp_path, GOOD.replace("{begin: {behaviour: power_on}}", scene))
    assert (problem.key, problem.suggestion) == ("scene.begin.pear", "peer")
