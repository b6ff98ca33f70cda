"""`kairos explain`, `kairos validate` of campaigns against extract and cells, and what editors get."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.campaign_readme import readme
from experiments.explain import explain
from experiments.problems import BadInput
from experiments.validate import check_campaigns_together, json_schema
from marketing.behaviours import CODES
from marketing.contact.policy import REASONS
from marketing.expressions import CATALOGUE

SCENARIOS = Path(__file__).parents[2] / "scenarios"
POLICY = SCENARIOS / "policies" / "default.yaml"


def kairos(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "experiments.cli", *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("path", sorted((SCENARIOS / "campaigns").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_campaign_is_explained(path):
    said = explain(path, POLICY)
    for heading in ("What", "Who", "Triggered", "Then", "Not sent"):
        assert f"\n{heading}\n" in said
    if "nobody is contacted" in said:
        assert "nothing is ever sent" in said
        assert ("do not disturb: " in said) == ("is written to a file" in said)
        return
    assert "in Chinese: " in said
    assert "in English: " in said
    told = [reason for reason in REASONS if f"{reason.replace('_', ' ')}: " in said]
    needs = {
        "experiment": "always the same people",
        "boss": "BOSS is asked",
        "budget": "over all subscribers together",
    }
    assert told == [
        reason for reason in REASONS if all(key not in reason or text in said for key, text in needs.items())
    ]
    assert "(21:00 to 09:00)" in said
    assert "allows (2)" in said


def test_the_command_prints_it(tmp_path):
    done = kairos("explain", SCENARIOS / "campaigns" / "airport-travel.yaml")
    assert done.returncode == 0
    assert "when the subscriber has been at airport for 45 minutes without a break" in done.stdout
    wrong = tmp_path / "c.yaml"
    wrong.write_text(
        (SCENARIOS / "campaigns" / "hang-up-sms.yaml").read_text().replace("call_ended", "call_end")
    )
    done = kairos("explain", wrong)
    assert done.returncode == 2
    assert "did you mean 'call_ended'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_sender_that_the_policy_does_not_call_marketing(tmp_path):
    wrong = tmp_path / "c.yaml"
    text = (SCENARIOS / "campaigns" / "hang-up-sms.yaml").read_text()
    wrong.write_text(text.replace('originator: "1008603"', 'originator: "12345"'))
    with pytest.raises(BadInput, match="marketing_originators"):
        explain(wrong, POLICY)


CAMPAIGN = """\
campaign: vip
title: For the best
audience: {audience}
scene: {{begin: {{behaviour: power_on, place: {place}}}}}
offer: o
content: {{en: Hello}}
originator: "1008601"
"""
EXTRACT = """\
imsi,msisdn,brand,age,often_off,often_rejects,services,language
460000000000001,8613900000001,gotone,30,true,false,mms;wap,zh
460000000000002,8613900000002,easyown,50,false,false,,en
"""
CHECKS = [
    ("profile.age > 40", "mall", None),
    ("profile.age > 60", "mall", "of the 2 subscribers of the extract nobody belongs to it"),
    ("profile.age > 60 && now.on", "mall", "nobody belongs to it"),
    ("{brand: mzone}", "mall", "nobody belongs to it"),
    ("'\"vip\" in lists'", "mall", "a target list that has been imported: there are none"),
    ("profile.age > 40", "mal", "Did you mean 'mall'"),
]


@pytest.mark.parametrize(("audience", "place", "said"), CHECKS)
def test_audiences_and_places_are_held_against_extract_and_cells(tmp_path, audience, place, said):
    campaign, extract, cells = (tmp_path / name for name in ("c.yaml", "extract.csv", "cells.csv"))
    campaign.write_text(CAMPAIGN.format(audience=audience, place=place))
    extract.write_text(EXTRACT)
    cells.write_text("lac,ci,place,kind\n4097,1,mall,mall\n")
    found = check_campaigns_together([campaign], cells, extract)
    if said is None:
        assert found == []
        assert kairos("validate", campaign, "--cells", cells, "--subscribers", extract).returncode == 0
    else:
        (line,) = found
        assert said in line
        assert line.partition("c.yaml:")[2][0] in "34"


def test_campaigns_given_together_are_checked_together():
    paths = sorted((SCENARIOS / "campaigns").glob("*.yaml"))
    assert check_campaigns_together(paths, None, None) == []
    twice = check_campaigns_together([paths[0], paths[0]], None, None)
    assert any("a name of its own" in line for line in twice)


def described(schema, defs, path=""):
    """Every property of a schema, with whether it says what it means."""
    for name, one in schema.get("properties", {}).items():
        options = [one, *one.get("anyOf", ()), *one.get("oneOf", ()), one.get("items", {})]
        inner = [defs[o["$ref"].rpartition("/")[2]] for o in options if "$ref" in o]
        yield f"{path}{name}", bool(one.get("description") or any(i.get("description") for i in inner))
        for model in inner:
            yield from described(model, defs, f"{path}{name}.")


def test_editors_get_a_meaning_for_every_key_and_the_names_of_behaviours():
    schema = json_schema("campaign")
    found = dict(described(schema, schema["$defs"]))
    assert {name for name, said in found.items() if not said} == set()
    assert {"scene.then.followed_by.if", "experiment.arms", "scene.begin.dwell.at_least_s"} <= set(found)
    assert json.dumps(schema).count(json.dumps(sorted(CODES))) >= 2


def test_the_page_on_campaigns_is_made_from_the_tables():
    page = SCENARIOS / "campaigns" / "README.md"
    made = readme(SCENARIOS / "campaigns")
    assert made == page.read_text(encoding="utf-8"), (
        "run: python -m experiments.campaign_readme > scenarios/campaigns/README.md"
    )
    for name in (*CODES, *CATALOGUE):
        assert f"\n| `{name}` | " in made


def test_further_columns_of_an_extract_can_be_named_where_it_is_given(tmp_path):
    campaign, extract = tmp_path / "c.yaml", tmp_path / "extract.csv"
    extract.write_text("imsi,msisdn,points:int,club\n460000000000001,8613900000001,500,gold\n")
    campaign.write_text(
        CAMPAIGN.format(audience='profile.points > 400 && profile.club == "gold"', place="mall")
    )
    assert check_campaigns_together([campaign], None, extract) == []
    (line,) = check_campaigns_together([campaign], None, None)
    assert "no feature 'profile.points'" in line
    campaign.write_text(CAMPAIGN.format(audience="{points: 400, club: gold}", place="mall"))
    (line,) = check_campaigns_together([campaign], None, extract)
    assert "nobody belongs to it" in line
    assert 'profile.points == 400 && profile.club == "gold"' in line
