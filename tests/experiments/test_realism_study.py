"""The realism study whole, at a small size: its files, its verdicts, its nulls, its page."""

import html
import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from experiments.cli import cli
from experiments.realism.bands import COLUMNS, MEASURES, Measure, verdict
from experiments.realism.fits import Estimate
from experiments.realism.nulls import UniformUse, Waypoint
from experiments.realism.study import judge, rows_of
from experiments.realism.tables import cells_at, stays_of
from sim.network.intents import DAY_US
from sim.run import build
from sim.scenario import load_world

SCENARIOS = Path(__file__).parents[2] / "scenarios"
STUDY = str(SCENARIOS / "studies" / "realism.yaml")
HOUR = 3_600_000_000


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A small run; it is too small to pass, and says so."""
    out = tmp_path_factory.mktemp("runs")
    settings = [
        "world_settings={subscribers: 250}",
        "event_settings={subscribers: 400, events.0.visitors: 100}",
        "seeds=2",
        "days=7",
    ]
    said = CliRunner().invoke(
        cli,
        [
            "run", STUDY, "--out", str(out), "--processes", "1",
            *[part for setting in settings for part in ("--set", setting)],
        ],
    )  # fmt: skip
    assert said.exit_code == 3, said.output
    assert "The study is not passed" in said.output
    (found,) = (out / "realism").iterdir()
    return found


def test_every_measure_is_in_the_summary_with_band_source_and_verdict(run_dir) -> None:
    summary = json.loads((run_dir / "summary.json").read_text())
    assert [row["name"] for row in summary["measures"]] == [measure.name for measure in MEASURES]
    for row in summary["measures"]:
        assert row["source"]
        assert row["low"] is not None
        assert row["populations"]["ours"]["verdict"] in ("inside", "outside", "unmeasured")
        for found in row["populations"].values():
            assert found["value"] is None or math.isfinite(found["value"])
    assert summary["populations"] == COLUMNS
    assert summary["invalid_reasons"] == judge(summary["measures"])
    manifest = json.loads((run_dir / "manifest.json").read_text())
    assert (manifest["validity"], manifest["kind"]) == ("invalid", "realism")
    assert manifest["invalid_reasons"] == summary["invalid_reasons"]


def test_it_is_run_again_over_two_processes_with_the_same_hashes(run_dir, tmp_path) -> None:
    said = CliRunner().invoke(
        cli, ["rerun", str(run_dir / "manifest.json"), "--out", str(tmp_path), "--processes", "2"]
    )
    assert said.exit_code == 0, said.output
    assert "2 of 2 results have the same hash." in said.output
    (again,) = (tmp_path / "realism").iterdir()
    for name in ("summary.json", "details.json"):
        first, second = (json.loads((folder / name).read_text()) for folder in (run_dir, again))
        for found in (first, second):
            found.pop("time", None)
        assert first == second
    assert (again / "kept" / "seed" / "8.json").exists()


def test_nulls_are_told_apart_even_in_a_small_town(run_dir) -> None:
    rows = json.loads((run_dir / "summary.json").read_text())["measures"]
    told = {
        column: [row["name"] for row in rows if column in row["fails"]
                 and row["populations"][column]["verdict"] == "outside"]
        for column in ("waypoint", "uniform")
    }  # fmt: skip
    assert {"gyration_share", "waiting_shape", "zipf_exponent", "regularity", "range_distance"} <= set(
        told["waypoint"]
    )
    assert "events_crowding" in told["waypoint"]
    assert {
        "calls_diurnal", "calls_weekly", "talk_shape", "burstiness", "degree_spread", "reciprocity",
    } <= set(told["uniform"])  # fmt: skip


def test_the_page_is_rebuilt_from_the_folder_alone(run_dir, tmp_path) -> None:
    first = (run_dir / "report.html").read_text()
    again = CliRunner().invoke(cli, ["report", str(run_dir), "--out", str(tmp_path / "page.html")])
    assert again.exit_code == 0, again.output
    assert (tmp_path / "page.html").read_text() == first
    assert first.count("<svg") == 20
    words = html.unescape(first)
    for measure in MEASURES:
        assert measure.title in words
        assert measure.source in words
    for outside in ('src="http', "<script", "@import", "<link"):
        assert outside not in first


@pytest.mark.parametrize("name", ["summary.json", "details.json"])
def test_a_folder_without_its_files_is_the_users_mistake(run_dir, tmp_path, name) -> None:
    for file in ("manifest.json", "summary.json", "details.json"):
        if file != name:
            (tmp_path / file).write_bytes((run_dir / file).read_bytes())
    said = CliRunner().invoke(cli, ["report", str(tmp_path)])
    assert said.exit_code == 2
    assert name in said.output
    (tmp_path / name).write_text("{}")
    said = CliRunner().invoke(cli, ["report", str(tmp_path)])
    assert said.exit_code == 2
    assert "Traceback" not in said.output


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("seeds=1", "seeds"),
        ("arms=[control]", "arms"),
        ("world_settings={subscriber: 5}", "subscriber"),
        ("event_settings={event: 5}", "event"),
    ],
)
def test_mistakes_in_the_study_are_named(setting, said, tmp_path) -> None:
    command = ["run", STUDY, "--out", str(tmp_path), "--set", setting]
    found = CliRunner().invoke(cli, command)
    assert found.exit_code == 2
    assert said in found.output
    assert not list(tmp_path.iterdir())


BAND = Measure("m", "g", "t", "", 1.0, 2.0, "s")


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        (Estimate(1.5, 0, 9), "inside"), (Estimate(1.0, 1, 1), "inside"),
        (Estimate(0.99, 0.9, 1.5), "outside"), (Estimate(2.01, 1, 3), "outside"),
        (Estimate(math.nan, 1, 2), "unmeasured"),
    ],
)  # fmt: skip
def test_a_verdict_is_where_the_figure_lies(estimate, expected) -> None:
    assert verdict(BAND, estimate) == expected


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        (Estimate(1.03, 1.0, 1.06), "inside"), (Estimate(1.05, 1.03, 1.07), "outside"),
        (Estimate(1.0, 0.9, 1.1), "unmeasured"), (Estimate(1.0, -math.inf, math.inf), "unmeasured"),
    ],
)  # fmt: skip
def test_agreement_needs_an_interval_that_reaches_the_band_and_can_tell(estimate, expected) -> None:
    assert verdict(Measure("m", "g", "t", "", 0.98, 1.02, "s", agrees=True), estimate) == expected


def test_a_study_is_passed_only_if_all_are_inside_and_nulls_outside() -> None:
    def everywhere(measure):
        high = measure.low + 1 if math.isinf(measure.high) else measure.high
        middle, far = (measure.low + high) / 2, high + 10 + abs(high)
        return {c: Estimate.exact(far if c in measure.fails else middle) for c in COLUMNS}

    found = {column: {m.name: everywhere(m)[column] for m in MEASURES} for column in COLUMNS}
    for measure in MEASURES:
        if math.isinf(measure.high):  # far above is inside here
            for column in measure.fails:
                found[column][measure.name] = Estimate.exact(measure.low - 1)
    assert judge(rows_of(found)) == []
    found["waypoint"]["zipf_exponent"] = Estimate.exact(1.2)
    found["ours"]["burstiness"] = Estimate.exact(0.0)
    found["ours"]["busy_traffic"] = Estimate.exact(0.0)  # not required
    reasons = judge(rows_of(found))
    assert len(reasons) == 2
    assert reasons[0].startswith("burstiness: 0 is outside")
    assert reasons[1] == "zipf_exponent: random waypoint is not told apart by it"


def test_required_measures_and_nulls_are_many_and_names_are_one_each() -> None:
    assert len({measure.name for measure in MEASURES}) == len(MEASURES)
    for column in ("waypoint", "uniform"):
        assert sum(column in measure.fails for measure in MEASURES) >= 8


@pytest.fixture(scope="module")
def world():
    return build(load_world(SCENARIOS / "worlds" / "town.yaml", {"subscribers": 120}), 3)


def same(a, b):
    return all(np.array_equal(getattr(a, f), getattr(b, f)) for f in type(a).__dataclass_fields__)


def test_waypoint_people_are_the_same_however_time_is_cut(world) -> None:
    people = Waypoint(world, 3)
    whole, parts = people.trips(0, 3 * DAY_US), [people.trips(d * DAY_US, (d + 1) * DAY_US) for d in range(3)]
    assert sum(len(part.sub) for part in parts) == len(whole.sub) > 120 * 3 * 4
    assert same(Waypoint(world, 3).trips(0, 3 * DAY_US), whole)
    # Trips of one person do not overlap, and begin where the last one ended.
    one_goes_on = whole.sub[1:] == whole.sub[:-1]
    assert (whole.leave_us[1:] > whole.leave_us[:-1] + whole.ride_us[:-1])[one_goes_on].all()
    assert (whole.from_cell[1:] == whole.to_cell[:-1])[one_goes_on].all()
    assert (whole.from_cell != whole.to_cell).all()
    cell, _ = people.state_at(DAY_US)
    on_the_way = np.unique(whole.sub[(whole.leave_us <= DAY_US) & (whole.leave_us + whole.ride_us >= DAY_US)])
    still = np.setdiff1d(np.arange(120), on_the_way)
    assert len(still) > 60
    stays = stays_of(whole, people.state_at(0)[0], 3 * DAY_US)
    assert np.array_equal(cell[still], cells_at(stays, 120, np.array([DAY_US]))[still, 0])


def test_waypoint_people_go_everywhere_alike(world) -> None:
    goes = np.bincount(Waypoint(world, 14).trips(0, 14 * DAY_US).to_cell, minlength=world.topology.n)
    expected = goes.sum() / world.topology.n
    assert ((goes - expected) ** 2 / expected).sum() < 2 * world.topology.n  # chi squared, far out


def test_uniform_use_is_as_much_as_the_world_has_and_flat(world) -> None:
    people = UniformUse(world, 14)
    calls, texts = people.calls(0, 14 * DAY_US), people.texts(0, 14 * DAY_US)
    use = world.scenario.usage
    per_day = use.calls_per_day + use.service_calls_per_day + use.incoming_calls_per_day
    assert len(calls.t_us) == round(per_day * 14 * 120)
    assert len(texts.t_us) == round((use.texts_per_day + use.incoming_texts_per_day) * 14 * 120)
    hours = np.bincount(calls.t_us // HOUR % 24, minlength=24)
    assert ((hours - hours.mean()) ** 2 / hours.mean()).sum() < 60  # chi squared with 23 degrees of freedom
    assert (np.diff(calls.t_us) >= 0).all()
    assert (calls.peer_sub != calls.sub).all()
    assert calls.talk_us.mean() / 1e6 == pytest.approx(use.talk_mean_s, rel=0.05)
    halves = [people.calls(0, 5 * DAY_US), people.calls(5 * DAY_US, 14 * DAY_US)]
    assert sum(len(half.t_us) for half in halves) == len(calls.t_us)
