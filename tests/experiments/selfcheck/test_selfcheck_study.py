"""The selfcheck study: cases judged by their bands, groups from a table, one page in two languages."""

import csv
import html
import json
import math
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from experiments.cli import cli
from experiments.problems import RunInvalid
from experiments.selfcheck import groups as table
from experiments.selfcheck.case import Case, judged, within
from experiments.selfcheck.groups import Group
from experiments.selfcheck.rerun import JOBS, Twice, case_of, run_twice
from reports.selfcheck import write_report
from reports.selfcheck_figures import place, room

SCENARIOS = Path(__file__).parents[3] / "scenarios"
STUDY = SCENARIOS / "studies" / "selfcheck.yaml"


def half(number):
    return number / 2


def made_cases(scale, executor):
    """Two groups' worth of cases: what lies inside, outside, on the edge, and what was not found."""
    size = {"small": 10, "full": 1000}[scale]
    found = dict(executor.map(half, [1, 2, 3], key=lambda job: f"n{job}"))
    assert found == {"n1": 0.5, "n2": 1.0, "n3": 1.5}
    yield judged("known", "coverage <1>", "so often", size, {"share": (0.93, 0.97)}, {"share": 0.95})
    yield judged("known", "edge", "once", 1, {"low": (1, None), "high": (None, 2)}, {"low": 1, "high": 2})


def failing_cases(scale, executor):
    yield judged("failing", "outside", "often", 5, {"share": (0.93, 0.97)}, {"share": 0.9})
    yield judged("failing", "none", "often", 5, {"share": (0, 1), "n": (3, 3)}, {"share": math.nan, "n": 3})
    raise RunInvalid("the generator was late")


@pytest.fixture
def groups(monkeypatch):
    here = __name__
    monkeypatch.setitem(table.GROUPS, "known", Group(f"{here}:made_cases", drawn=True))
    monkeypatch.setitem(table.GROUPS, "failing", Group(f"{here}:failing_cases", drawn=False))


def kairos(*arguments):
    done = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def run(tmp_path, names, *more):
    settings = [f"groups=[{names}]", "scale=small", *more]
    code, said = kairos(
        "run", STUDY, "--processes", "1", "--out", tmp_path, *(w for s in settings for w in ("--set", s))
    )
    (folder,) = (tmp_path / "selfcheck").iterdir()
    return code, said, folder


def test_a_study_whose_values_lie_in_their_bands_is_passed(groups, tmp_path):
    code, said, folder = run(tmp_path, "known")
    assert code == 0, said
    assert "All 2 checks hold: each of the 3 values" in said
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["schema"], summary["valid"], summary["results"]["passed"]) == (
        "kairos.selfcheck/1", True, 2,
    )  # fmt: skip
    assert summary["results"]["cases"][0]["tries"] == 10
    rows = list(csv.DictReader((folder / "cases.csv").read_text().splitlines()))
    assert [(row["value"], row["found"], row["least"], row["most"], row["inside"]) for row in rows] == [
        ("share", "0.95", "0.93", "0.97", "yes"), ("low", "1", "1", "", "yes"), ("high", "2", "", "2", "yes"),
    ]  # fmt: skip
    assert set(json.loads((folder / "manifest.json").read_text())["results"]) == {"drawn.json"}
    assert [file.stem for file in sorted((folder / "kept" / "known").iterdir())] == ["n1", "n2", "n3"]


def test_a_value_outside_its_band_makes_it_fail(groups, tmp_path):
    code, said, folder = run(tmp_path, "known, failing")
    assert code == 3
    assert "3 of 5 checks failed." in said
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["invalid_reasons"] == [
        "failing: outside: share 0.9, expected 0.93 to 0.97",
        "failing: none: share nan, expected 0 to 1",
        "failing: came to no end: the generator was late",
    ]
    assert json.loads((folder / "manifest.json").read_text())["validity"] == "invalid"
    drawn = json.loads((folder / "drawn.json").read_text())
    assert {case["group"] for case in drawn["cases"]} == {"known"}, "the clock has a part in the others"


@pytest.mark.parametrize(("language", "said"), [("en", "must be"), ("zh", "应为")])
def test_the_page_says_it_in_both_languages(language, said, groups, tmp_path):
    _, _, folder = run(tmp_path, "known, failing")
    page = write_report(folder, tmp_path / "page.html", language).read_text()
    assert said in page
    assert f'<html lang="{language.replace("zh", "zh-CN")}">' in page
    assert "coverage &lt;1&gt;" in page
    assert "<1>" not in page
    for outside in ('src="http', "<script", "@import", "<link"):
        assert outside not in page
    pictures = [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]
    assert len(pictures) == 3  # all groups, and one each
    kinds = [element.tag.rpartition("}")[2] for picture in pictures for element in picture.iter()]
    assert (kinds.count("circle"), kinds.count("path")) == (5, 3), "dots inside, crosses outside"
    assert page.count("<details open>") == 1, "that of the group which fails"
    if language == "zh":
        words = html.unescape(re.sub(r"<[^>]+>", " ", page[page.index("<main>") :]))
        assert "checks" not in words
        assert "项检验中有" in words


def test_the_page_is_rebuilt_from_the_folder_alone(groups, tmp_path):
    _, _, folder = run(tmp_path, "known")
    code, _ = kairos("report", folder, "--out", tmp_path / "page.html")
    assert code == 0
    assert (tmp_path / "page.html").read_bytes() == (folder / "report.html").read_bytes()
    (folder / "summary.json").write_text("{}")
    code, said = kairos("report", folder)
    assert (code, "summary.json is not as a run writes it" in said) == (2, True)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (
            "groups=[coverage-of-what]",
            "groups = ['coverage-of-what']: expected some of intervals, peeking, coverage, ",
        ),
        ("groups=[rerun, rerun]", "expected each group once"),
        ("groups=[]", "groups"),
        ("scale=huge", "scale"),
    ],
)
def test_mistakes_in_the_study_are_named(setting, said, tmp_path):
    code, found = kairos("run", STUDY, "--out", tmp_path, "--set", setting)
    assert (code, said in found) == (2, True), found
    assert not list(tmp_path.iterdir())


BANDS = st.tuples(st.none() | st.floats(-9, 9), st.none() | st.floats(-9, 9)).filter(
    lambda band: None in band or band[0] <= band[1]
)


@given(st.floats(allow_nan=True), BANDS)
def test_a_value_is_drawn_where_it_lies(value, band):
    low, high = band
    inside = within(value, band)
    assert inside == (
        math.isfinite(value) and (low is None or low <= value) and (high is None or value <= high)
    )
    if not math.isfinite(value):
        return
    at = place(value, low, high)
    assert 0 < at < 1
    if low is not None and high is not None and high - low > 1e-6:
        assert (0.3 - 1e-6 <= at <= 0.7 + 1e-6) == inside or abs(at - 0.3) < 1e-6 or abs(at - 0.7) < 1e-6


@pytest.mark.parametrize(
    ("value", "least", "most", "expected"),
    [
        (0.96, 0.93, 0.97, 0.25),
        (0.94, 0.93, 0.97, 0.25),
        (0.95, 0.95, None, 0.0),
        (720, None, 900, 2.0),
        (10, 10, 10, math.inf),
        (0.92, 0.93, 0.97, -1.0),
        (None, 0.93, 0.97, -1.0),
    ],
)
def test_how_much_room_a_value_has_in_its_band(value, least, most, expected):
    inside = value is not None and within(value, (least, most))
    assert room(value, {"least": least, "most": most, "inside": inside}) == pytest.approx(expected)


def test_nothing_tried_or_nothing_found_is_not_passed():
    assert judged("g", "n", "", 1, {"a": (0, 1)}, {"a": 0.5}).passed
    assert not judged("g", "n", "", 0, {"a": (0, 1)}, {"a": 0.5}).passed
    assert not judged("g", "n", "", 1, {}, {}).passed
    with pytest.raises(ValueError, match="bands of what was not found: \\['a'\\]"):
        Case("g", "n", "", 1, "", {"b": 1.0}, True, {"a": (0, 1)})
    with pytest.raises(ValueError, match="passed, though \\['a'\\] lie outside"):
        Case("g", "n", "", 1, "", {"a": 2.0}, True, {"a": (0, 1)})


# --------------------------------------------------------------------------- the group `rerun`

TWICE = Twice("judge", SCENARIOS / "studies" / "firewall.yaml", ("groups=[boundaries]",), True, 1)


def test_a_study_is_run_twice_and_compared():
    found = run_twice(TWICE)
    assert found["first"] == found["second"]
    assert set(found["first"]) == {"judged.json"}
    case = case_of(TWICE, found)
    assert case.passed
    assert case.found == {"equal": 1, "different": 0, "said_equal": 1}


@pytest.mark.parametrize(
    "second",
    [{"judged.json": "1"}, {}, {"judged.json": "0", "more.parquet": "2"}],
    ids=["other", "lost", "new"],
)
def test_what_differs_makes_it_fail_and_is_named(second):
    case = case_of(TWICE, {"first": {"judged.json": "0"}, "second": second, "said": "different"})
    assert not case.passed
    assert re.search(r"different: (judged\.json|more\.parquet)", case.tried)


def test_two_runs_without_results_are_not_equal():
    assert not case_of(TWICE, {"first": {}, "second": {}, "said": "equal"}).passed


def test_a_study_that_comes_to_no_end_is_said():
    with pytest.raises(RunInvalid, match=r"firewall\.yaml ended with 2"):
        run_twice(Twice("judge", TWICE.study, ("groups=[nothing]",), True, 1))


def test_the_studies_of_every_scale_are_there():
    for jobs in JOBS.values():
        assert {job.study.name for job in jobs} >= {"demo.yaml", "realism.yaml", "firewall.yaml"}
        assert all((SCENARIOS.parent / job.study).is_file() for job in jobs)
        assert len({job.name for job in jobs}) == len(jobs)
