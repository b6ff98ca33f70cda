"""Groups of the selfcheck that live through studies: right ones pass when small, wrong ones fail."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from experiments.cli import cli
from experiments.running.executor import InProcess
from experiments.selfcheck import knee_cases, scale_cases, stall_cases, uplift_cases
from experiments.selfcheck.groups import GROUPS, cases_of
from experiments.selfcheck.knee_cases import CLOCKED, QUEUES, clocked_case, find_queue, queue_case
from experiments.selfcheck.stall_cases import generator_case, platform_case
from experiments.selfcheck.uplift_cases import Clock, coverage_case
from experiments.uplift.jobs import do
from reports.language import Words, catalogue
from sigtran import TransportUnavailable, choose

STUDY = Path("scenarios/studies/selfcheck.yaml")


def no_sctp():
    try:
        choose("auto")
    except TransportUnavailable as error:
        return str(error)
    return ""


# --------------------------------------------------------------------------- whole, small


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Groups that live through studies, at the size of every day, over two processes."""
    out = tmp_path_factory.mktemp("small")
    settings = ["scale=small", "groups=[coverage, a_a, feeds, scale]"]
    words = ["run", str(STUDY), "--processes", "2", "--out", str(out)]
    said = CliRunner().invoke(cli, words + [w for s in settings for w in ("--set", s)])
    (folder,) = (out / "selfcheck").iterdir()
    return said, folder


def test_studies_cover_are_level_and_take_the_short_cut_rightly(small):
    said, folder = small
    assert said.exit_code == 0, said.output
    rows = list(csv.DictReader((folder / "cases.csv").read_text().splitlines()))
    found = {(row["group"], row["case"], row["value"]): float(row["found"]) for row in rows}
    assert found["coverage", "missed-call-alert", "take_ups"] >= 5
    assert found["feeds", "missed-call-alert", "triggers"] >= 1
    assert {group for group, _, _ in found} == {"coverage", "a_a", "feeds", "scale"}


def test_small_worlds_are_lived_through_once(small):
    _, folder = small
    kept = sorted(path.relative_to(folder / "kept").parts[0] for path in (folder / "kept").rglob("*.json"))
    assert (
        kept.count("coverage") == uplift_cases.SIZES["small"].replicates + 3
    )  # and the arms of the large one
    assert "scale" not in kept


def test_seconds_have_no_part_in_what_is_hashed(small):
    _, folder = small
    drawn = json.loads((folder / "drawn.json").read_text())["cases"]
    assert {case["group"] for case in drawn} == {"coverage", "a_a", "feeds"}
    assert not {"seconds", "cpu_s"} & {name for case in drawn for name in case["found"]}


def test_all_that_is_found_and_tried_has_words_in_both_languages(small):
    _, folder = small
    words, texts = Words("selfcheck", "zh"), catalogue("selfcheck")
    cases = json.loads((folder / "summary.json").read_text())["results"]["cases"]
    for case in cases:
        assert {f"value.{case['group']}.{name}" for name in case["found"]} <= texts.keys()
        assert words.told(case["tried"], "tried"), case["tried"]
    assert {f"group.{group}.title" for group in GROUPS} <= texts.keys()


@pytest.mark.skipif(bool(no_sctp()), reason=f"no SCTP here: {no_sctp()}")
def test_stalls_are_measured_and_refused():
    platform, generator = cases_of("stall", "small", InProcess())
    assert platform.passed, platform
    assert generator.passed, generator


def test_knees_of_known_queues_are_found():
    for job in QUEUES["small"]:
        case = queue_case(job, find_queue(job))
        assert case.passed, case
        assert Words("selfcheck", "zh").told(case.tried, "tried")


def test_the_knee_by_the_clock_is_found():
    job = CLOCKED["small"]
    seen = knee_cases.find_clocked(job)
    case = clocked_case(job, seen)
    assert Words("selfcheck", "zh").told(case.tried, "tried")
    if seen["lag_ms"] > 0.75 * job.latency_ms:
        pytest.skip(f"others kept the generator from its schedule for {seen['lag_ms']:.0f} ms")
    assert case.passed, case


# --------------------------------------------------------------------------- they can fail


def replicates(covered, *, take_ups=12.0, bias=0.0, refused=0):
    low, high = 0.93, 0.97
    return {
        "replicates": 1000,
        "take_ups": [take_ups + 3, take_ups],
        "true": 0.01,
        "bias": {"value": bias, "se": 0.001},
        "coverage": {
            "share": {"value": covered},
            "missed_below": 1,
            "missed_above": 2,
            "refused": refused,
            "band": [low, high],
        },
        "errors": None,
    }


@pytest.mark.parametrize(
    ("found", "passed"),
    [
        (replicates(0.95), True),
        (replicates(0.90), False),
        (replicates(0.99), False),
        (replicates(0.95, take_ups=9.0), False),
        (replicates(0.95, bias=0.004), False),
        (replicates(0.95, refused=3), False),
        (replicates(0.95) | {"coverage": None}, False),
    ],
    ids=["right", "narrow", "wide", "few", "biased", "refused", "none"],
)
def test_coverage_is_judged(found, passed):
    assert coverage_case("study", "tried", found, 10).passed is passed


@pytest.mark.parametrize(("false", "passed"), [(10, True), (30, False), (0, False)])
def test_untreated_arms_are_judged(monkeypatch, false, passed):
    found = {"comparisons": 200, "false": false, "share": {"value": false / 200}}
    monkeypatch.setattr(uplift_cases, "a_a", lambda *_: found)
    assert {case.passed for case in cases_of("a_a", "small", InProcess())} == {passed}


@pytest.mark.parametrize("wrong", ["same", "outcome_same", "triggers"])
def test_feeds_that_differ_fail(monkeypatch, wrong):
    found = {"same": True, "outcome_same": True, "triggers": 4} | {wrong: 0}
    monkeypatch.setattr(uplift_cases, "both_feeds", lambda job: found)
    assert not any(case.passed for case in cases_of("feeds", "small", InProcess()))


def test_every_shipped_study_with_the_short_cut_is_compared():
    assert {"missed-call-alert", "airport-travel", "new-mms-handset"} <= uplift_cases.shipped().keys()
    assert set(uplift_cases.SMALL_FEEDS) <= uplift_cases.shipped().keys()


@pytest.mark.parametrize(("factor", "passed"), [(0.93, False), (1.0, True), (1.06, False)])
def test_a_knee_elsewhere_fails(factor, passed):
    job = QUEUES["small"][0]
    found = {"knees": [job.serves_per_s * factor], "settled": 1, "named": 1}
    assert queue_case(job, found).passed is passed
    assert not queue_case(job, found | {"named": 0}).passed
    seen = {"knee": 500 * factor, "settled": 1, "closed": 500, "probes": 9, "lag_ms": 1.0}
    assert clocked_case(CLOCKED["small"], seen).passed is passed


def stall(most=0.99, p99=0.95):
    said = {"stall_s": 1.0, "most_s": most, "p99_s": p99, "p99_law_s": 0.95, "p99_even_s": None}
    return {"code": 0, "phases": [{"stall": said, "late_share": 0.0}]}


@pytest.mark.parametrize(
    ("found", "passed"),
    [
        (stall(), True),
        (stall(most=0.94), False),
        (stall(p99=0.89), False),
        (stall(p99=1.01), False),
        ({"code": 0, "phases": [{"stall": None, "late_share": 0.0}]}, False),
        ({"code": 0, "phases": []}, False),
    ],
)
def test_a_stall_that_does_not_show_fails(found, passed):
    job = stall_cases.JOBS["small"][0]
    assert platform_case(job, found).passed is passed


@pytest.mark.parametrize(("code", "late", "passed"), [(3, 0.3, True), (0, 0.3, False), (3, 0.001, False)])
def test_a_stall_of_the_generator_that_is_not_refused_fails(code, late, passed):
    job = stall_cases.JOBS["small"][1]
    assert generator_case(job, {"code": code, "phases": [{"late_share": late}]}).passed is passed


def test_breaks_between_two_goes_are_no_working_time():
    clock = Clock(InProcess(), [(10, 20), (12, 15), (18, 25), (100, 101)], 3.0)
    assert clock.seconds == 16


def test_what_is_too_slow_is_missed():
    clock = Clock(InProcess(), [(0, 901)], 800.0)
    case = scale_cases.replicates_case("full", clock)
    assert not case.passed
    assert case.found["days_per_cpu_s"] == pytest.approx(7_000_000 / 800)
    assert replace(case, passed=False).bands == {"seconds": (None, 900)}


def test_only_jobs_of_uplift_studies_are_clocked():
    clock = Clock(InProcess(), [])
    job = SimpleNamespace(do=lambda: {"x": 1})
    assert dict(clock.map(do, [job], key=lambda _: "one")) == {"one": {"x": 1}}
    assert len(clock.spans) == 1
    with pytest.raises(AssertionError, match="jobs of uplift studies"):
        next(clock.map(len, ["a"], key=str))
