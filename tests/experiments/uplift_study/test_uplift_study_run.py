"""A whole study at a small size: the same results again, its page in both languages, where reading stops."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.problems import BadInput
from experiments.running.hashes import content_hash
from experiments.study import load_study
from experiments.uplift.jobs import NothingAgainstNothing
from experiments.uplift.setting import setting_of
from experiments.uplift.specs import BEFORE
from experiments.uplift.study import plan_of, precise_spec
from experiments.uplift.tables import results_of
from experiments.uplift_study import Keys, check, run
from reports.uplift import answer, write_report

STUDIES = Path(__file__).parents[3] / "scenarios" / "studies"
UPLIFT = ("missed-call-alert", "airport-travel", "new-mms-handset", "hang-up-sms", "off-peak-tariff")
SMALL = [
    "world_settings.subscribers=300",
    "days=3",
    "tick_s=900",
    "replays=20",
    "a_a=40",
    "planning.simulations=200",
    "sensitivity.replays=10",
    "same_feed_days=0",
    "truth.replicates=2",
    "truth.world_settings={subscribers: 200}",
    "truth.days=2",
    "truth.replays=4",
]


def ran(out, study="missed-call-alert", *settings):
    from experiments.running.how import Running

    loaded = load_study(STUDIES / f"{study}.yaml", [*SMALL, *settings])
    loaded = replace(loaded, running=Running(processes=1))
    code = run(loaded, out, ["run", study])
    (folder,) = (out / loaded.study.study).iterdir()
    return folder, code


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found, code = ran(tmp_path_factory.mktemp("runs"))
    assert code in (0, 3)
    return found


def test_the_summary_has_every_block(folder):
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["schema"] == "kairos.uplift/1"
    results = summary["results"]
    assert set(results["arms"]) == {"precise", "control", "half", "blanket_reach", "blanket_budget"}
    assert results["arms"]["control"]["contacts"] == 0
    assert results["arms"]["precise"]["contacts"] > 0
    assert results["primary"]["name"] == "precise_vs_blanket_reach"
    assert len(results["days"]["arms"]["precise"]) == 3
    assert results["truth"]["replicates"]["replicates"] == 2
    assert results["sensitivity"]["tried"] > 10
    assert results["sensitivity"]["lived_again"] == 3
    widths = [row["width"] for row in results["sensitivity"]["rows"]]
    assert widths == sorted(widths, reverse=True)
    assert results["peeking"]["naive"]["value"] > 0.15
    assert results["peeking"]["ours"]["value"] <= 0.05
    assert sum(results["map"]["contacts"]) == results["arms"]["precise"]["contacts"]


def test_the_same_study_gives_the_same_results(folder, tmp_path):
    again, _ = ran(tmp_path)
    files = [file.relative_to(folder) for file in results_of(folder)]
    assert len(files) > 10
    assert [content_hash(folder / f) for f in files] == [content_hash(again / f) for f in files]


def test_tables_say_what_the_summary_says(folder):
    summary = json.loads((folder / "summary.json").read_text())
    with (folder / "estimates.csv").open() as file:
        rows = {(row["comparison"], row["measure"]): row for row in csv.DictReader(file)}
    found = summary["results"]["comparisons"]["precise_vs_control"]["measures"]["take_up"]
    assert float(rows["precise_vs_control", "take_up"]["value"]) == found["value"]
    with (folder / "replicates.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 2


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page(folder, tmp_path, language):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    summary = json.loads((copy / "summary.json").read_text())
    for row in summary["results"]["trust"]:
        row["holds"] = row["holds"] and True if row["holds"] is not False else True
    summary |= {"valid": True, "invalid_reasons": []}
    (copy / "summary.json").write_text(json.dumps(summary))
    page = write_report(copy, None, language).read_text()
    assert page.count("<svg") >= 5
    assert "50.5" in page  # reported, beside
    assert "L3" in page
    assert "seed 7" in page or "随机种子 7" in page
    if language == "zh":
        shown = re.sub(
            r'<(style|pre|code|svg).*?</\1>|<[^>]* lang="en"[^>]*>.*?</[a-z]+>', "", page, flags=re.S
        )
        words = re.sub(r"<[^>]+>", " ", shown)
        assert not re.findall(r"\b(?:the|with|people|contacts|take-up)\b", words)


def test_the_reading_stops_where_trust_fails(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    summary = json.loads((copy / "summary.json").read_text())
    next(row for row in summary["results"]["trust"] if row["key"] == "contamination")["holds"] = False
    (copy / "summary.json").write_text(json.dumps(summary))
    page = write_report(copy).read_text()
    assert "is not to be trusted" in page
    assert "<svg" not in page
    assert "percentage points over" not in page


def test_within_one_world(tmp_path):
    folder, code = ran(
        tmp_path,
        "off-peak-tariff",
        "truth.replicates=0",
        "sensitivity=null",
        "a_a=0",
        "design.kind=switchback",
        "days=4",
    )
    assert code in (0, 3)
    results = json.loads((folder / "summary.json").read_text())["results"]
    assert results["primary"]["layout"] == "days"
    assert results["sensitivity"] is None
    measures = results["comparisons"]["on_vs_off"]["measures"]
    assert set(measures) == {"take_up", "take_up_relative", "complaints", "opt_outs", "cost", "net"}
    assert measures["take_up"] == results["primary"]["estimate"]
    assert (
        results["switch"]["complaints"] == [0.0] * 4
    )  # nobody complains: shown, as far as so few people show it
    guarded = results["guardrails"]["complaints"]
    assert (guarded["verdict"], guarded["difference"]["method"]) == ("undecided", "tango")
    assert guarded["difference"]["high"] > guarded["margin"] > guarded["difference"]["high"] / 4
    assert len(results["switch"]["on"]) == len(results["switch"]["take_up"]) == 4
    assert sum(results["switch"]["cost"]) * results["arms"]["assigned"]["people"] == pytest.approx(
        results["arms"]["assigned"]["cost"], rel=1e-4
    )
    page = write_report(folder).read_text()
    if code == 0:
        assert "days with − days without" in page
        assert "Take-ups on days with and without campaigns" in page
    assert {row["key"]: row["holds"] for row in results["trust"]}["contamination"] is not False


def test_a_look_back_is_used_by_the_estimate_and_by_nothing_against_nothing(tmp_path):
    folder, code = ran(
        tmp_path,
        "hang-up-sms",
        "truth.replicates=0",
        "sensitivity=null",
        "days=17",
        "campaigns_from_day=15",
        "blanket.by=[]",
    )
    assert code in (0, 3)
    results = json.loads((folder / "summary.json").read_text())["results"]
    primary = results["primary"]
    assert primary["estimate"]["method"] == "cuped"
    assert set(primary["explained"]) == set(BEFORE)
    assert 0 < sum(primary["explained"].values()) < 1
    made = 1 - (primary["estimate"]["se"] / primary["plain"]["se"]) ** 2
    assert primary["variance_reduction"] == pytest.approx(made, abs=0.05)  # the plain one is a score interval


def test_nothing_against_nothing_has_the_look_back_of_its_own_luck():
    loaded = load_study(STUDIES / "hang-up-sms.yaml", ["world_settings.subscribers=300"])
    keys = loaded.keys_of(Keys)
    control = precise_spec(keys).as_arm("control")
    known = np.random.default_rng(1).random((len(setting_of(control).eligible), len(BEFORE)))
    job = NothingAgainstNothing(0, 8, control, plan_of(keys), known)
    estimates = [job._one(k) for k in range(4)]
    assert {one.method for one in estimates} == {"cuped"}
    assert {replace(job, before=None)._one(0).method} == {"newcombe"}  # few take it up here
    first, before = job._lucky(1_000_000)
    orders = before[:, BEFORE.index("orders")]
    assert set(orders.tolist()) == {0.0, 1.0}
    assert 0.01 < orders.mean() < 0.1  # 0.33 % a day for a fortnight
    assert min(one.se for one in estimates) > 0.001
    assert not (first[orders > 0] >= 0).any()  # who has ordered before cannot take it up again


def test_an_answer_that_tells_nothing_says_what_it_could_have_told(folder):
    summary = json.loads((folder / "summary.json").read_text())
    results = summary["results"]
    for row in results["trust"]:
        row["holds"] = True
    results["primary"]["estimate"] |= {"value": 0.001, "low": -0.004, "high": 0.006}
    results["planning"]["after"]["detectable"] = 0.0071
    results["planning"]["before"]["power"]["value"] = 0.31
    said = answer(summary)
    assert "too small for that: of studies like it 31 % were foreseen" in said
    assert "80 % of cases is 0.71 percentage points" in said
    results["planning"]["before"]["power"]["value"] = 0.9
    assert "too small" not in answer(summary)
    assert "0.71 percentage points: a smaller one is not excluded" in answer(summary)
    results["primary"]["estimate"]["low"] = 0.0002
    assert "0.71" not in answer(summary)


@pytest.mark.parametrize("name", UPLIFT)
def test_shipped_studies_are_whole(name):
    loaded = load_study(STUDIES / f"{name}.yaml")
    check(loaded)
    keys = loaded.keys_of(Keys)
    assert keys.study == name
    assert keys.blanket.by[0] == "reach"


def test_an_offer_nobody_speaks_of(tmp_path):
    text = (
        (STUDIES / "missed-call-alert.yaml").read_text().replace("name: missed-call-alert", "name: something")
    )
    campaign = (STUDIES.parent / "campaigns" / "missed-call-alert.yaml").read_text()
    (tmp_path / "c.yaml").write_text(campaign.replace("offer: missed-call-alert", "offer: nothing-known"))
    text = text.replace("../campaigns/missed-call-alert.yaml", "c.yaml").replace("../", f"{STUDIES.parent}/")
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(BadInput, match="nothing-known"):
        check(load_study(tmp_path / "s.yaml"))
