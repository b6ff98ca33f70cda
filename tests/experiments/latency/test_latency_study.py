"""The latency study whole, over real ports: a stall of the platform shows, one of ours is refused."""

import html
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from experiments.cli import cli
from reports.language import Words
from reports.records import read
from reports.rendering import number
from sigtran import TransportUnavailable, choose

SCENARIOS = Path(__file__).parents[3] / "scenarios"
STUDY = str(SCENARIOS / "studies" / "latency.yaml")


def no_sctp():
    try:
        choose("auto")
    except TransportUnavailable as error:
        return str(error)
    return ""


needs_sctp = pytest.mark.skipif(bool(no_sctp()), reason=f"no SCTP here: {no_sctp()}")

# However busy the machine is: what is asked here is whether stalls are seen, not how good the machine is.
SETTINGS = (
    "world_settings={subscribers: 2500, usage.service_calls_per_day: 40, usage.service_talk_mean_s: 5}",
    "repeats=1",
    "again=0",
    "fsync=false",
    "min_triggers=100",
)
LENIENT = "bounds={late_share: 1, lag_p99_ms: 100000}"


def run(out, *settings):
    words = ["run", STUDY, "--out", str(out)]
    for setting in (*SETTINGS, *settings):
        words += ["--set", setting]
    said = CliRunner().invoke(cli, words)
    assert "Traceback" not in said.output
    (folder,) = (out / "latency").iterdir() if (out / "latency").exists() else (None,)
    return said, folder


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


@pytest.fixture(scope="module")
def stalled(tmp_path_factory):
    """A second's stop of the platform in five seconds of an even load."""
    load = "load={shape: fixed, seconds: 5, rate_per_s: 3000}"
    plant = "plant={at_s: 1.5, platform_stall_s: 1.0}"
    return run(tmp_path_factory.mktemp("stalled"), load, plant, LENIENT)


@needs_sctp
def test_a_stall_of_the_platform_shows_as_the_law_says(stalled):
    said, folder = stalled
    assert said.exit_code == 0, said.output
    summary = summary_of(folder)
    (phase,) = summary["results"]["phases"]
    stall = phase["stall"]
    assert stall["stall_s"] == pytest.approx(1, abs=0.2)
    assert stall["most_s"] >= 0.95 * stall["stall_s"]
    assert stall["p99_s"] == pytest.approx(stall["p99_law_s"], rel=0.05)
    assert stall["problems"] == []
    # Nothing of it is lost: what was expected came, if late.
    verdict = phase["verdict"]
    assert verdict["expected"] == verdict["found"] + verdict["merged"] > 100
    assert (phase["verdict"]["lost"], phase["verdict"]["wrong"]) == (0, 0)
    assert phase["backlog"]["most"] > 30


@needs_sctp
def test_the_tables_say_the_same_as_the_summary(stalled):
    _, folder = stalled
    summary, stages = summary_of(folder), read(folder / "phases/0/stages.parquet")
    latency = stages["t_arrived_ns"].to_numpy() - stages["t_intended_ns"].to_numpy()
    assert summary["results"]["latency_ms"]["corrected"]["n"] == len(latency)
    assert summary["results"]["latency_ms"]["corrected"]["max"] == pytest.approx(
        latency.max() / 1e6, rel=1e-3
    )
    median = np.quantile(latency, 0.5, method="inverted_cdf") / 1e6
    assert summary["results"]["latency_ms"]["corrected"]["p50"]["value"] == pytest.approx(median, rel=2e-3)
    for before, after in (("t_sent_ns", "t_received_ns"), ("t_received_ns", "t_decoded_ns"),
                          ("t_decoded_ns", "t_matched_ns"), ("t_matched_ns", "t_decided_ns"),
                          ("t_decided_ns", "t_arrived_ns"), ("t_intended_ns", "t_sent_ns")):  # fmt: skip
        assert np.all(stages[before].to_numpy() <= stages[after].to_numpy()), (before, after)
    # The first six stages follow one another: their means add up to the mean latency.
    means = [summary["results"]["stages_ms"][name]["mean"] for name in
             ("lag", "wire", "decode", "match", "decide", "submit")]  # fmt: skip
    assert sum(means) == pytest.approx(latency.mean() / 1e6, rel=5e-3)
    sends = read(folder / "phases/0/sends.parquet")
    assert len(sends) == summary["results"]["signalling"]["generated"]


@needs_sctp
def test_the_page_is_rebuilt_from_the_folder_alone_in_both_languages(stalled, tmp_path):
    _, folder = stalled
    first = (folder / "report.html").read_text()
    assert first.count("<svg") == 4
    for outside in ('src="http', "<script", "@import", "<link"):
        assert outside not in first
    for language, words in (("en", "A stall was planted in 1 phase and shows"), ("zh", "人为制造了停顿")):
        page = tmp_path / f"{language}.html"
        said = CliRunner().invoke(cli, ["report", str(folder), "--language", language, "--out", str(page)])
        assert said.exit_code == 0, said.output
        assert words in html.unescape(page.read_text())
    assert (tmp_path / "en.html").read_text() == first


@needs_sctp
def test_runs_are_added_up(stalled, tmp_path):
    _, folder = stalled
    said = CliRunner().invoke(cli, ["merge", str(folder), str(folder), "--out", str(tmp_path)])
    assert (said.exit_code, "the same run twice" in said.output) == (2, True)
    again = tmp_path / "again"
    shutil.copytree(folder, again)
    manifest = json.loads((again / "manifest.json").read_text())
    (again / "manifest.json").write_text(json.dumps(manifest | {"run_id": "again"}))
    said = CliRunner().invoke(cli, ["merge", str(folder), str(again), "--out", str(tmp_path)])
    assert said.exit_code == 0, said.output
    (merged,) = (tmp_path / "latency-merged").iterdir()
    one, both = summary_of(folder)["results"], summary_of(merged)["results"]
    assert both["triggers_measured"] == 2 * one["triggers_measured"]
    assert both["latency_ms"]["corrected"]["max"] == one["latency_ms"]["corrected"]["max"]
    assert both["latency_ms"]["corrected"]["p50"]["value"] == one["latency_ms"]["corrected"]["p50"]["value"]
    assert [phase["phase"] for phase in both["phases"]] == [0, 1]
    # Only what is of one study under one load.
    other = tmp_path / "other"
    other.mkdir()
    summary = summary_of(folder)
    summary["load"]["rate_per_s"] = 99.0
    (other / "summary.json").write_text(json.dumps(summary))
    (other / "manifest.json").write_text(json.dumps(manifest | {"run_id": "other"}))
    said = CliRunner().invoke(cli, ["merge", str(folder), str(other), "--out", str(tmp_path)])
    assert said.exit_code == 2
    assert "load differs" in said.output


CYCLE_S, CLOSED_S, MARGIN_S = 120, 60, 10
"""Of every two minutes of the world one is closed; nothing is submitted ten seconds before that either."""
CLOSED = [(600 + 2 * n, 600 + 2 * n + 1) for n in range(50)]
"""In minutes of the day. The platform's clock runs while it starts, and a second is a minute of the world: so
hours that open and close for long enough that a phase meets them however long that took."""


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    """Closed hours that end in mid-phase, under a campaign that waits for their end."""
    folder = tmp_path_factory.mktemp("held")
    campaign = (SCENARIOS / "campaigns" / "hang-up-sms.yaml").read_text()
    assert campaign.count("hold: drop") == 1
    (folder / "waits.yaml").write_text(campaign.replace("hold: drop", "hold: release"))
    clock = [tuple(f"{at // 60:02d}:{at % 60:02d}" for at in span) for span in CLOSED]
    hours = "".join(f"  - {{name: '{a}', from: '{a}', to: '{b}', then: hold}}\n" for a, b in clock)
    (folder / "policy.yaml").write_text(
        f"timezone: Asia/Shanghai\nclosed_hours:\n{hours}delivery_margin_s: {MARGIN_S}\n"
        "validity_guard_s: 5\nmarketing_originators: ['100860']\n"
    )
    load = "load={shape: fixed, seconds: 5, rate_per_s: 3000}"
    files = f"campaigns=[{folder / 'waits.yaml'}]", f"policy={folder / 'policy.yaml'}"
    return run(folder / "runs", load, *files, LENIENT)


@needs_sctp
def test_what_the_policy_holds_on_purpose_stands_apart(held):
    said, folder = held
    assert said.exit_code == 0, said.output
    results = summary_of(folder)["results"]
    stages = read(folder / "phases/0/stages.parquet")
    hold, intended, arrived = (
        stages[name].to_numpy() for name in ("hold_ns", "t_intended_ns", "t_arrived_ns")
    )
    waited = hold > 0
    n_held, n_free = int(waited.sum()), int((~waited).sum())
    assert n_held > 20
    assert n_free > 20
    # Released together when closed hours ended, and at no other moment: two minutes of the world apart.
    cycle_ns = CYCLE_S * 1e9 / results["phases"][0]["schedule"]["factor"]
    released = np.unique(intended[waited])
    assert 1 < len(released) < 8
    cycles = np.diff(released) / cycle_ns
    assert cycles == pytest.approx(np.round(cycles), abs=1e-4)
    # Held for as long as it was closed then at most; whoever was slow to be read was held for less.
    assert hold.max() <= (CLOSED_S + MARGIN_S) / CYCLE_S * cycle_ns + 0.3e9
    assert np.all(arrived > intended)
    # Apart from the latencies: counted, and in none of their histograms.
    assert results["held"]["n"] == results["held"]["hold_ms"]["n"] == n_held
    assert results["held"]["hold_ms"]["max"] == pytest.approx(hold.max() / 1e6, rel=1e-3)
    after = (arrived - intended)[waited]
    assert results["held"]["released_ms"]["max"] == pytest.approx(after.max() / 1e6, rel=1e-3)
    for tag in ("corrected", "raw"):
        assert results["latency_ms"][tag]["n"] == n_free
    own = (arrived - intended)[~waited]
    assert results["latency_ms"]["corrected"]["max"] == pytest.approx(own.max() / 1e6, rel=1e-3)
    median = np.quantile(own, 0.5, method="inverted_cdf") / 1e6
    assert results["latency_ms"]["corrected"]["p50"]["value"] == pytest.approx(median, rel=2e-3)
    assert max(stage["n"] for stage in results["stages_ms"].values()) == n_free
    # A hold is nobody's fault.
    assert (results["verdict"]["lost"], results["verdict"]["wrong"]) == (0, 0)
    # Each trigger that was found is somewhere.
    reckoned = results["reckoned"]
    assert (reckoned["held"], reckoned["measured"]) == (n_held, n_free)
    assert (reckoned["lost"], reckoned["failed"]) == (0, 0)
    assert reckoned["waiting"] == results["triggers"]["held"]
    ends = n_held + n_free + sum(reckoned[end] for end in ("unplanned", "waiting"))
    assert reckoned["found"] == results["triggers"]["total"] == ends + sum(reckoned["suppressed"].values())


@needs_sctp
def test_the_page_says_what_was_held_and_where_every_trigger_went(held, tmp_path):
    _, folder = held
    results = summary_of(folder)["results"]
    n, found = results["held"]["n"], results["reckoned"]["found"]
    for language, words in (
        ("en", (f"{n} triggers that arrived had been held on purpose", "Nothing was left out as warm-up")),
        ("zh", (f"到达的触发中有 {n} 次曾被策略有意暂缓", "没有把任何部分当作预热而舍去")),
    ):
        page = tmp_path / f"{language}.html"
        said = CliRunner().invoke(cli, ["report", str(folder), "--language", language, "--out", str(page)])
        assert said.exit_code == 0, said.output
        text = html.unescape(page.read_text())
        for one in words:
            assert one in text
        rows = re.findall(r'<th scope="row">([^<]*)</th><td class="n">([^<]*)</td>', text)
        ends = Words("latency", language)
        assert (ends("reckoned.end.found"), number(found)) in rows
        assert (ends("reckoned.end.held"), number(n)) in rows
        assert (ends("held.hold"), number(n)) in rows
        assert (ends("held.released"), number(n)) in rows


@needs_sctp
def test_a_stall_of_the_generator_makes_the_run_invalid(tmp_path):
    load = "load={shape: fixed, seconds: 3, rate_per_s: 2000}"
    plant = "plant={at_s: 1, generator_stall_s: 1.0}"
    said, folder = run(tmp_path, load, plant, "bounds={late_share: 0.01, lag_p99_ms: 100000}")
    assert said.exit_code == 3, said.output
    summary = summary_of(folder)
    assert not summary["valid"]
    (reason, *others) = summary["invalid_reasons"]
    assert reason.startswith("phase 0: the load generator lagged: ")
    assert others == []
    (phase,) = summary["results"]["phases"]
    assert phase["lag"]["late_share"] > 0.25  # a second of three
    assert phase["jitter"]["turn"]["max"] >= 1000
    assert json.loads((folder / "manifest.json").read_text())["validity"] == "invalid"
    # Raw latencies forgive what corrected ones do not.
    latency = summary["results"]["latency_ms"]
    assert latency["corrected"]["max"] > latency["raw"]["max"]
    assert summary["results"]["stages_ms"]["lag"]["max"] > 900


@needs_sctp
def test_a_capture_is_replayed(tmp_path):
    world = tmp_path / "world.yaml"
    text = (SCENARIOS / "worlds" / "town-live.yaml").read_text()
    text = text.replace("subscribers: 40000", "subscribers: 1500")
    text = text.replace("service_calls_per_day: 1.8", "service_calls_per_day: 40")
    world.write_text(text.replace("service_talk_mean_s: 45", "service_talk_mean_s: 5"))
    file = tmp_path / "tap.pcapng"
    words = ["capture", str(world), "--minutes", "3", "--start", "10:00", "--seed", "7", "--out", str(file)]
    made = CliRunner().invoke(cli, words)
    assert made.exit_code == 0, made.output
    load = f"load={{shape: capture, file: {file}, factor: 60, seconds: 20}}"
    said, folder = run(
        tmp_path / "runs", load, f"world={world}", "world_settings={}", "min_triggers=20", LENIENT
    )
    assert said.exit_code == 0, said.output
    (phase,) = summary_of(folder)["results"]["phases"]
    assert phase["schedule"]["seconds"] == pytest.approx(3, rel=0.05)
    assert phase["woven"] == 0
    assert phase["verdict"]["expected"] is None
    assert phase["triggers"]["sent"] > 20


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("load={shape: fixed}", "needs rate_per_s"),
        ("plant={at_s: 1}", "expected one of"),
        ("plant={at_s: 29.5, generator_stall_s: 1}", "over before load.seconds"),
        ("repeats=0", "repeats"),
        ("world_settings={subscriber: 5}", "subscriber"),
        ("transport=memory", "transport"),
        ("load={shape: step, seconds: 9, rate_per_s: 5, to_per_s: 6, at_s: 3}", None),
    ],
)
def test_mistakes_in_the_study_are_named(setting, said, tmp_path):
    found = CliRunner().invoke(cli, ["run", STUDY, "--out", str(tmp_path), "--set", setting, "--dry-run"])
    assert "Traceback" not in found.output
    if said is None:
        assert found.exit_code == 0, found.output
        assert "messages offered, each" in found.output
    else:
        assert found.exit_code == 2, found.output
        assert said in found.output
