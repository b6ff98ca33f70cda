"""The capacity study: its keys, whole ones on queues of known rate with pages, a probe of a platform."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from experiments.capacity import running
from experiments.capacity.mock import VirtualQueue
from experiments.capacity.probing import PlatformProbe, overtaken
from experiments.capacity.town import Town, extra_campaigns, settings_for
from experiments.capacity_study import Keys
from experiments.cli import cli
from experiments.latency.phase import Terms
from experiments.latency.usage import cores_of
from experiments.problems import RunInvalid
from experiments.study import load_study
from marketing.campaigns import load_all
from reports.capacity import NotReportable, answer, write_report
from sigtran import TransportUnavailable, choose

SCENARIOS = Path(__file__).parents[2] / "scenarios"
STUDY = SCENARIOS / "studies" / "capacity.yaml"


def kairos(*arguments):
    done = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


# --------------------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("workers=[1,1]", "each value once"),
        ("workers=[0]", "workers"),
        ("subscribers=[10]", "subscribers"),
        ("active_campaigns=[0]", "--set: active_campaigns[0] = 0: expected at least 1"),
        ("search.repeats=2", "an odd number"),
        ("level.latency_ms=5000", "a backlog grows slowly"),
        ("level.percentile=p98", "level.percentile"),
        ("search.least_rate_per_s=300000", "search.least_rate_per_s"),
        ("sizing.headroom=1", "sizing.headroom"),
        ("loads=[1.5]", "loads"),
    ],
)
def test_keys_that_make_no_sense_are_refused_in_one_line(setting, said, tmp_path):
    code, text = kairos("run", STUDY, "--out", tmp_path, "--set", setting)
    assert code == 2
    assert said in text
    assert "Traceback" not in text
    assert not list(tmp_path.iterdir())


def test_knees_are_looked_for_along_axes_or_for_each_pair():
    keys = load_study(STUDY, ["workers=[1,2]", "subscribers=[10000,40000,90000]"]).keys_of(Keys)
    assert keys.configurations() == [(1, 10_000), (2, 10_000), (1, 40_000), (1, 90_000)]
    every = keys.model_copy(update={"every_combination": True}).configurations()
    assert len(every) == 6
    assert every[0] == (1, 10_000)


# --------------------------------------------------------------------------- a whole study, on queues


class Queued:
    """A probe whose platform is a queue: two workers serve 1.6 times as much, more people a tenth less."""

    serves = MappingProxyType({1: 5000, 2: 8000, 3: 9600, 4: 10_600})
    more = MappingProxyType({})

    def __init__(self, town, campaigns, beside, workers, cores, folder, quiet):
        self.town = town
        fewer = 0.9 if town.subscribers > 10_000 else 1.0
        self.queue = VirtualQueue(self.serves[workers] * fewer, "poisson", 0.002, **self.more)
        self.closed, self.probe = self.queue.closed, self.queue.probe


@pytest.fixture
def on_queues(monkeypatch):
    def town(terms, world, people, seed, folder, transport):
        return SimpleNamespace(
            subscribers=people, site=None, per_world_s=people / 380, most_per_s=lambda seconds: 1e6
        )

    monkeypatch.setattr(running, "PlatformProbe", Queued)
    monkeypatch.setattr(running, "Town", town)
    monkeypatch.setattr(running, "extra_campaigns", lambda count, site, folder: [])
    monkeypatch.setattr(running, "expect", lambda *a, **k: SimpleNamespace(busiest_messages_per_s=10_000.0))


SETTINGS = (
    "search.seconds=8",
    "search.confirm_seconds=15",
    "search.resolution=0.04",
    "subscribers=[10000,40000]",
    "sizing.world=../worlds/province.yaml",
)


def ran(tmp_path, *settings):
    sets = (*SETTINGS, *settings)
    code, text = kairos("run", STUDY, "--out", tmp_path, *(w for s in sets for w in ("--set", s)))
    (folder,) = (tmp_path / "capacity").iterdir()
    return code, text, folder, json.loads((folder / "summary.json").read_text())


def test_a_study_on_queues_says_what_they_are(tmp_path, on_queues):
    code, text, folder, summary = ran(tmp_path)
    assert code == 0, text
    assert summary["valid"]
    found = {one["name"]: one for one in summary["results"]["configurations"]}
    assert set(found) == {"1x10000", "2x10000", "1x40000"}
    for name, serves in (("1x10000", 5000), ("2x10000", 8000), ("1x40000", 4500)):
        assert found[name]["knee"]["rate_per_s"] == pytest.approx(serves, rel=0.05)
        assert found[name]["bottleneck"]["limited_by"] == "platform"
        shares = [run["share"] for run in found[name]["runs"]]
        assert shares == [0.5, 0.8, 0.95]
        assert [run["outcome"] for run in found[name]["runs"][:2]] == ["held", "held"]
    ratio = summary["results"]["scaling"]["ratio"]
    assert ratio["low"] < 1.6 < ratio["high"]
    assert "never extrapolated" in summary["results"]["scaling"]["law"]["refused"]
    # A queue's processor time a message is one service, however many campaigns there are.
    campaigns = summary["results"]["growth"]["axes"]["campaigns"]["per_step"]
    assert campaigns["low"] < 0 < campaigns["high"]
    assert summary["results"]["growth"]["axes"]["subscribers"]["per_step"]["value"] > 0
    # A million people make 10,000 messages a second in the busy hour; the unit is that of most subscribers.
    needs = summary["results"]["sizing"]["needs"]
    each = found["1x40000"]["knee"]["rate_per_s"] * 0.7
    assert [n["units"] for n in needs] == [-(-x * 13_000 // each) for x in (1, 10, 30)]
    assert all(n["with_spares"] == n["units"] + 1 for n in needs)
    table = pq.read_table(folder / "probes.parquet")
    assert table.num_rows == sum(one["knee"]["probes"] + len(one["runs"]) for one in found.values())
    assert len((folder / "probes.csv").read_text().splitlines()) == table.num_rows + 1
    assert [path.name for path in folder.iterdir() if path.is_dir()] == ["kept"]
    assert all(one["knee"]["proof"]["seconds"] >= 15 for one in found.values())
    (sitting,) = summary["sittings"]
    measured = {(piece["what"], piece["of"]): piece["n"] for piece in sitting["measured"]}
    assert measured["probe", "1x10000"] == found["1x10000"]["knee"]["probes"]
    assert (measured["run", "2x10000"], measured["round", ""], measured["town", "40000"]) == (3, 4, 1)
    # What the seed alone decides is hashed, for `kairos rerun`.
    drawn = json.loads((folder / "drawn.json").read_text())
    assert drawn["busy_hour_messages"] == pytest.approx(36.0)
    assert list(drawn["messages_per_world_s"]) == ["10000", "40000"]
    assert set(json.loads((folder / "manifest.json").read_text())["results"]) == {"drawn.json"}


def test_both_pages_are_made_from_the_folder_alone(tmp_path, on_queues):
    _, _, folder, summary = ran(tmp_path)
    page = (folder / "report.html").read_text()
    (folder / "report.html").unlink()
    assert kairos("report", folder)[0] == 0
    assert (folder / "report.html").read_text() == page
    assert answer(summary) in html.unescape(page)
    assert "The platform gives way first" in page
    assert page.count("<svg") == 2 + 3  # load, growth, and what was busy by configuration
    assert kairos("report", folder, "--language", "zh")[0] == 0
    chinese = (folder / "report.zh.html").read_text()
    assert "最先撑不住的是平台" in chinese
    assert "每秒消息数" in "".join(re.findall(r"<svg.*?</svg>", chinese, re.DOTALL))
    assert "messages a second" not in chinese.partition("</h1>")[2]  # the title is the study's own


def test_four_worker_counts_have_a_law(tmp_path, on_queues):
    _, _, _, summary = ran(
        tmp_path, "workers=[1,2,3,4]", "growth.repeats=0", "loads=[]", "subscribers=[10000]"
    )
    law = summary["results"]["scaling"]["law"]
    assert law["counts"] == [1, 2, 3, 4]
    assert law["rate_per_s"] == pytest.approx(5000, rel=0.1)
    assert summary["results"]["growth"] is None


@pytest.mark.parametrize(
    ("more", "limited_by", "said"),
    [
        ({"sends_per_s": 3000.0}, "generator", "The load generator gave way first"),
        ({"carries_per_s": 3000.0}, "transport", "The transport gave way first"),
    ],
)
def test_a_knee_that_is_not_the_platforms_is_labelled_so(
    tmp_path, on_queues, monkeypatch, more, limited_by, said
):
    monkeypatch.setattr(Queued, "more", more)
    code, text, folder, summary = ran(tmp_path, "workers=[1]", "growth.repeats=0", "subscribers=[10000]")
    assert code == 0, text
    (one,) = summary["results"]["configurations"]
    assert one["bottleneck"]["limited_by"] == limited_by
    assert summary["results"]["sizing"]["at_most"]
    page = (folder / "report.html").read_text()
    assert said in page
    assert "The platform gives way first" not in page
    assert "0 of 1 configuration" in page  # the trust block


def test_a_study_without_a_knee_is_not_valid(tmp_path, on_queues, monkeypatch):
    monkeypatch.setattr(Queued, "more", {"loses": 0.05})
    code, _, folder, summary = ran(tmp_path, "workers=[1]", "subscribers=[10000]")
    assert code == 3
    assert "no knee" in summary["invalid_reasons"][0]
    assert summary["results"]["sizing"] is None
    assert "no rate that was asked for holds" in (folder / "report.html").read_text()


def test_a_stopped_study_keeps_what_it_has(tmp_path, on_queues, monkeypatch):
    def stopped(self, outstanding, seconds, seed):
        if self.town.subscribers > 10_000:
            raise KeyboardInterrupt
        return self.queue.closed(outstanding, seconds, seed)

    monkeypatch.setattr(Queued, "closed", stopped, raising=False)
    original = Queued.__init__

    def begin(self, *arguments):
        original(self, *arguments)
        del self.closed

    monkeypatch.setattr(Queued, "__init__", begin)
    code, text, folder, summary = ran(tmp_path)
    assert code == 130
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["validity"] == "invalid"
    assert "stopped by Ctrl-C" in manifest["invalid_reasons"]
    assert len(summary["results"]["configurations"]) == 2
    assert f"Go on with: kairos run --resume {folder}" in text


def test_a_run_that_is_gone_on_with_measures_only_what_lacks(tmp_path, on_queues, monkeypatch):
    """Its figures are those of a run that was never interrupted, as queues in virtual time are exact."""
    whole = ran(tmp_path / "whole")[3]
    asked = []
    made = Queued.__init__

    def stopping(self, town, campaigns, beside, workers, *rest):
        made(self, town, campaigns, beside, workers, *rest)

        def probe(rate_per_s, seconds, seed):
            if len(asked) == 20:
                raise KeyboardInterrupt
            asked.append((workers, town.subscribers, rate_per_s, seed))
            return self.queue.probe(rate_per_s, seconds, seed)

        self.probe = probe

    monkeypatch.setattr(Queued, "__init__", stopping)
    code, _, folder, broken = ran(tmp_path / "broken")
    assert code == 130
    assert len(broken["results"]["configurations"]) < 3
    kept = {file: file.stat().st_mtime_ns for file in folder.glob("kept/**/*.json")}
    monkeypatch.setattr(Queued, "__init__", made)
    code, text = kairos("run", "--resume", folder)
    assert code == 0, text
    assert {file: file.stat().st_mtime_ns for file in kept} == kept, "what was done was done again"
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["results"] == whole["results"]
    one, two = summary["sittings"]
    probes = [sum(p["n"] for p in sitting["measured"] if p["what"] in ("probe", "run", "growth"))
              for sitting in (one, two)]  # fmt: skip
    assert probes[0] == len(asked) == 20
    every = summary["results"]["configurations"]
    growth = sum(row["runs"] for row in summary["results"]["growth"]["axes"]["campaigns"]["levels"])
    growth += sum(row["runs"] for row in summary["results"]["growth"]["axes"]["subscribers"]["levels"][1:])
    assert sum(probes) == sum(e["knee"]["probes"] + len(e["runs"]) for e in every) + growth
    page = html.unescape((folder / "report.html").read_text())
    assert "The study was broken off and gone on with" in page
    assert "in 2 sittings" in page
    assert kairos("report", folder, "--language", "zh")[0] == 0
    assert "分 2 次测完" in (folder / "report.zh.html").read_text()


def test_pieces_of_another_machine_are_refused(tmp_path, on_queues, monkeypatch):
    monkeypatch.setattr(Queued, "more", {"loses": 0.05})  # no knee: not valid, so it may be gone on with
    code, _, folder, _ = ran(tmp_path, "workers=[1]", "subscribers=[10000]")
    assert code == 3
    here = running.machine()
    monkeypatch.setattr(running, "machine", lambda: here | {"cpus": here["cpus"] + 62})
    code, text = kairos("run", "--resume", folder)
    assert code == 2
    assert "kept of another job: job.machine.cpus was" in text.replace("\n", " ")
    assert "Traceback" not in text


def test_a_folder_that_is_no_run_of_it_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"kind": "capacity", "cores": {"apart": False}}))
    (tmp_path / "summary.json").write_text(json.dumps({"results": {}}))
    with pytest.raises(NotReportable, match=r"summary\.json"):
        write_report(tmp_path)
    assert kairos("report", tmp_path)[0] == 2


# --------------------------------------------------------------------------- the real thing, small


@pytest.fixture(scope="module")
def sctp():
    try:
        return choose("auto").kind
    except TransportUnavailable as error:
        pytest.skip(f"no SCTP here: {error}")


@pytest.fixture(scope="module")
def town(tmp_path_factory, sctp):
    terms = Terms(policy=SCENARIOS / "policies" / "default.yaml")
    folder = tmp_path_factory.mktemp("town")
    return Town(terms, SCENARIOS / "worlds" / "town-live.yaml", 10_000, 1, folder, sctp)


def test_a_platform_is_probed_closed_and_open(town, tmp_path):
    """Two workers; every trigger is accounted for, and what was busy is known by stage."""
    campaigns = [SCENARIOS / "campaigns" / "hang-up-sms.yaml"]
    probe = PlatformProbe(town, campaigns, extra_campaigns(2, town.site, tmp_path), 2, cores_of(), tmp_path)
    assert probe.closed(1000, 0.5, 0) > 100
    found = probe.probe(1500.0, 4.0, 1)
    assert found.messages == 6000
    assert found.triggers > 30
    assert (found.lost, found.wrong) == (0, 0)
    assert found.cost_us > 1
    assert found.memory_mib > 20
    resources = {resource.name: resource for resource in found.resources}
    assert {"generator_thread", "platform_loop", "platform_worker_1", "platform_worker_2"} <= set(resources)
    assert {"decode", "engine", "ledger", "messages"} <= set(resources["platform_loop"].parts)
    assert 0 < resources["platform_loop"].busy <= 1
    assert not list(tmp_path.glob("probe-*"))


def test_a_day_has_only_so_many_messages(town):
    with pytest.raises(RunInvalid, match="expected more subscribers"):
        town.draw(4 * town.most_per_s(10.0), 10.0, 0)


def test_no_two_probes_in_a_row_send_the_same(town):
    one, two = (town.draw(500.0, 2.0, seed).plan for seed in (3, 4))
    assert one.batch.n == two.batch.n == 1000
    assert bytes(one.batch.data) != bytes(two.batch.data)
    assert bytes(town.draw(500.0, 2.0, 3).plan.batch.data) == bytes(one.batch.data)


def test_the_network_grows_with_its_people():
    world = SCENARIOS / "worlds" / "town-live.yaml"
    assert settings_for(world, 10_000) == {"subscribers": 10_000, "network.cells": 60}
    assert settings_for(world, 1_000_000) == {"subscribers": 1_000_000, "network.cells": 1500}


def test_campaigns_that_are_load_are_right(town, tmp_path):
    assert len(load_all(extra_campaigns(30, town.site, tmp_path))) == 30


def test_triggers_that_the_hour_has_overtaken_are_lost():
    rows = [
        (1, False, "suppressed", "quiet_hours"), (2, False, "held", "quiet_hours"),
        (3, False, "suppressed", "duplicate"), (4, True, "suppressed", "quiet_hours"),
        (99, False, "suppressed", "quiet_hours"), (5, False, "sent", ""),
    ]  # fmt: skip
    names = ("corr", "timer", "state", "reason")
    triggers = pa.table(dict(zip(names, zip(*rows, strict=True), strict=True)))
    plan = SimpleNamespace(index_of=lambda corr: corr if corr < 10 else -1)
    assert overtaken(triggers, plan) == 2
