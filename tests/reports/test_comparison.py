"""Several runs on one page: what differs, whether they may be compared, their figures side by side."""

import csv
import io
import json
import re

import pytest
from click.testing import CliRunner

from experiments.cli import cli
from reports.compared import figures_of
from reports.comparison import NotReportable, compare
from reports.drawing import ARM_STYLES
from reports.language import Words
from reports.realism_figures import LINES, MARKERS


def kairos(*arguments):
    done = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def changed(run, file, **values):
    found = json.loads((run / file).read_text(encoding="utf-8"))
    (run / file).write_text(json.dumps(found | values), encoding="utf-8")


@pytest.fixture
def two(made_up_run, tmp_path):
    runs = tmp_path / "one", tmp_path / "other"
    for run in runs:
        made_up_run(run)
    return runs


def text_of(page):
    return re.sub(
        r"\s+", " ", re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8").split("</style>", 1)[1])
    )


def test_two_runs_of_the_same(two, tmp_path):
    text = text_of(compare(two, tmp_path / "page.html"))
    assert "Nothing but the results and the time" in text
    assert "The same study with the same seed" in text
    assert "all 6 figures with intervals overlap" in text
    assert "The machines differ" not in text


def test_what_differs_is_said_and_what_cannot_be_compared(two, tmp_path):
    other = two[1]
    changed(other, "summary.json", seed=8, valid=False, invalid_reasons=["x"])
    machine = {"system": "Linux", "processor": "arm64", "cpus": 8}
    scenario = {"study": {"file": "scenarios/studies/demo.yaml", "sha256": "1" * 64}}
    changed(
        other, "manifest.json", machine=machine, scenario=scenario, commit="def+", versions={"python": "3.14"}
    )
    text = text_of(compare(two, tmp_path / "page.html"))
    for said in (
        "Not valid: B", "The study files differ", "The seeds differ", "The machines differ",
        "commits or the versions", "arm64", "python 3.14", "changes that are not in it",
    ):  # fmt: skip
        assert said in text, said
    assert "Nothing but the results" not in text


def test_figures_that_lie_apart_are_named(two, tmp_path):
    summary = json.loads((two[1] / "summary.json").read_text(encoding="utf-8"))
    summary["uplift"]["precise_vs_control"] |= {"estimate": 0.2, "ci95": [0.19, 0.21]}
    (two[1] / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    page = compare(two, tmp_path / "page.html")
    assert "1 of 6 figures with intervals lies apart" in text_of(page)
    table = csv.DictReader(io.StringIO((tmp_path / "page.csv").read_text(encoding="utf-8")))
    rows = {row["key"]: row for row in table}
    assert float(rows["uplift.precise_vs_control"]["other low"]) == pytest.approx(19)
    assert float(rows["uplift.precise_vs_control"]["one"]) == pytest.approx(3.89)


def test_the_command_compares_several_folders(two, tmp_path):
    code, said = kairos("report", *two, "--language", "zh")
    assert (code, said.strip()) == (0, str(tmp_path / "comparison.zh.html"))
    assert '<html lang="zh-CN">' in (tmp_path / "comparison.zh.html").read_text(encoding="utf-8")


def test_the_command_writes_a_page_in_either_language(made_up_run, tmp_path):
    run = made_up_run(tmp_path / "run")
    assert kairos("report", run) == (0, f"{run / 'report.html'}\n")
    assert kairos("report", run, "--language", "zh") == (0, f"{run / 'report.zh.html'}\n")
    assert '<html lang="en">' in (run / "report.html").read_text(encoding="utf-8")
    assert kairos("report", run, "--language", "fr")[0] == 2


def test_runs_that_cannot_stand_side_by_side_are_refused(two, run_of, tmp_path):
    for runs, said in (
        ((two[0], run_of("realism")), "expected one kind"),
        ((two[0], two[0]), "the same folder twice"),
        ((two[0], tmp_path / "none"), "no such folder"),
    ):
        code, text = kairos("report", *runs)
        assert code == 2
        assert said in text
    with pytest.raises(NotReportable, match="expected 2 to 26"):
        compare(two[:1], tmp_path / "page.html")
    (two[1] / "summary.json").unlink()
    code, text = kairos("report", *two)
    assert code == 2
    assert "summary.json" in text


def test_of_a_kind_that_says_nothing_every_interval_is_taken():
    summary = {
        "results": {
            "p99_ms": {"value": 4.0, "low": 3.5, "high": 4.5, "n": 100},
            "arms": [{"name": "precise", "uplift": {"estimate": 0.1, "ci95": [0.05, 0.15]}}],
            "knee_per_s": 5000,
        }
    }
    found = figures_of("of-another-kind", summary, Words("comparison"))
    assert [(f.key, f.value, f.low, f.high, f.unit, f.clock) for f in found] == [
        ("results.p99_ms", 4.0, 3.5, 4.5, "ms", True),
        ("results.arms.precise.uplift", 0.1, 0.05, 0.15, "", False),
    ]


def test_series_differ_without_colour():
    """In grey: arms by hatching and marker, populations by line and marker."""
    assert len({style.hatch for style in ARM_STYLES.values()}) == len(ARM_STYLES)
    assert len({style.marker for style in ARM_STYLES.values()}) == len(ARM_STYLES)
    assert len({str(line["linestyle"]) for line in LINES.values()}) == len(LINES)
    assert len(set(MARKERS.values())) == len(MARKERS)
