"""`kairos bench compare` and `kairos bench aa`: commits of a small repository, built, run in turns, judged.

The repository's build backend packs the packages that are under test here and appends what the commit says.
So a commit is built by pip as any other, within seconds and without a compiler.
"""

import importlib.util
import json
import math
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from experiments.bench.compare import side as bench_compare_side
from experiments.bench.compare.comparison import Result, compare
from experiments.bench.compare.noise import machine_class, rules_of
from experiments.bench.compare.rule import Rule, Verdict
from experiments.bench.compare.run import Field, Pair, Plan, Prepared, log_ratio, rounds_of
from experiments.bench.compare.side import Missing, NotThere, fill_gaps
from experiments.cli import cli
from experiments.problems import BadInput, RunInvalid

TOWN = Path(__file__).parents[2] / "scenarios" / "worlds" / "town.yaml"
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "tiny"
version = "1"
"""
BACKEND = """
import json, pathlib, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    appended = json.loads(pathlib.Path("appended.json").read_text())
    name = "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        for package in json.loads(pathlib.Path("packages.json").read_text()):
            top = pathlib.Path(package)
            for file in sorted(top.rglob("*")):
                if file.suffix in (".py", ".so"):
                    where = file.relative_to(top.parent).as_posix()
                    wheel.writestr(where, file.read_bytes() + appended.get(where, "").encode())
        info = "tiny-1.dist-info/"
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return name
"""
TWICE = """
_once = decode_flat
def decode_flat(data, rows):
    _once(data, rows)
    return _once(data, rows)
"""
"""Appended to marketing.decode: the work is done twice."""
NO_VIEW = "\ndel view_m3ua\n"
"""Appended to sim.m3ua_view: as of the time before there was one."""


def git(repo, *arguments):
    name = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(repo), *name, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


def commit(repo, title, appended, project=PROJECT):
    (repo / "appended.json").write_text(json.dumps(appended))
    (repo / "pyproject.toml").write_text(project)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "--allow-empty", "-m", title)


def kairos(*arguments):
    return CliRunner().invoke(cli, ["bench", *map(str, arguments)])


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    repo = tmp_path_factory.mktemp("repo")
    git(repo, "init", "-q")
    (repo / "backend.py").write_text(BACKEND)
    packages = [
        importlib.util.find_spec(name).submodule_search_locations[0]
        for name in ("marketing", "mm7", "sigtran", "sim", "smpp")
    ]
    (repo / "packages.json").write_text(json.dumps(packages))
    commit(repo, "broken", {}, PROJECT.replace('"backend"', '"nowhere"'))
    commit(repo, "before the reference codec", {"sim/m3ua_view.py": NO_VIEW})
    commit(repo, "as it is", {})
    commit(repo, "twice the work", {"marketing/decode/__init__.py": TWICE})
    return repo


@pytest.fixture(autouse=True)
def there(repo, monkeypatch):
    monkeypatch.chdir(repo)
    monkeypatch.setattr("experiments.bench.compare.run.SLICES", 4)  # what is sought here is large


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    return tmp_path_factory.mktemp("builds")


@pytest.mark.timeout(480)
def test_a_slower_stage_ends_with_3_and_one_that_the_base_lacks_is_new(repo, builds, tmp_path):
    out = tmp_path / "compare.json"
    done = kairos("compare", "HEAD~2", "--stages", "decode,reference", "--rounds", 8, "--builds", builds,
                  "--world", TOWN, "--seed", 1, "--json", out)  # fmt: skip
    assert done.exit_code == 3, done.output
    assert "decode: SLOWER by" in done.output
    assert "reference: the base has no sim.m3ua_view.view_m3ua" in done.output
    found = json.loads(out.read_text())
    assert found["schema"] == "kairos.bench-compare/1"
    assert (found["base"]["title"], found["head"]["title"]) == (
        "before the reference codec",
        "twice the work",
    )
    assert found["slower"] == ["decode"]
    decode, reference = found["stages"]
    assert (decode["verdict"], reference["verdict"]) == ("slower", "new")
    assert 1.4 < decode["ratio"] < 3
    assert decode["rounds"] == len(decode["log_ratios"]) == 8
    assert decode["head_ns"] > 1.4 * decode["base_ns"] > 0
    # The user's repository is as it was.
    assert git(repo, "status", "--porcelain") == ""
    assert git(repo, "worktree", "list").count("\n") == 1


@pytest.mark.timeout(480)
def test_the_same_commit_twice_and_planted_work(builds, tmp_path):
    """A whole A/A run; the slowdown is planted so large that no noise hides it."""
    kept = tmp_path / "noise.json"
    done = kairos("aa", "--rev", "HEAD~1", "--stages", "decode", "--rounds", 7, "--pool", 7, "--plant", 100,
                  "--draws", 100, "--builds", builds, "--world", TOWN, "--seed", 1,
                  "--save", kept)  # fmt: skip
    assert done.exit_code == 0, done.output
    found = json.loads(kept.read_text())
    assert found["schema"] == "kairos.bench-noise/1"
    assert [one["stage"] for one in found["stages"]] == ["decode"]
    assert found["stages"][0]["apart"] == {"alarms": 0, "of": 1}
    assert found["planted"][0]["apart"] == {"alarms": 1, "of": 1}
    assert 1.4 < found["planted"][0]["ratio"] < 3
    assert len(found["log_ratios"]["decode +100 %"]) == 7
    assert sum(path.is_dir() for path in builds.iterdir()) <= 3  # each commit was built once


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("compare", "nowhere"), "nowhere: no such commit in "),
        (("compare", "--", "--output=x"), "--output=x: no such commit in "),
        (("compare", "HEAD~3", "--stages", "decode"), "does not build here; pip ended with:"),
        (("compare", "HEAD~1", "--stages", "speed"), "--stages speed: no such stage; there are decode, "),
        (
            ("compare", "HEAD~1", "--rounds", "6", "--stages", "decode"),
            "--rounds 6: 1 stages need at least 7",
        ),
        (("compare", "HEAD~1", "--threshold", "much"), "--threshold much: auto, or percent above 0"),
        (("compare", "HEAD~1", "--threshold", "nan"), "--threshold nan: auto, or percent above 0"),
        (("compare", "HEAD~1", "--noise", "none.json"), "--noise none.json: No such file"),
        (("compare", "HEAD~1", "--noise", "packages.json"), "not as `kairos bench aa --save` writes it"),
        (("compare", "HEAD~1", "--capture", "none.pcapng"), "none.pcapng: no such file"),
        (("aa", "--pool", "5"), "--pool 5: at least as many as --rounds 10"),
        (("aa", "--rev", "nowhere"), "nowhere: no such commit in "),
    ],
)
def test_bad_input_ends_with_2(builds, arguments, said):
    what, *rest = arguments
    done = kairos(what, "--builds", builds, *rest)
    assert (done.exit_code, said in done.output) == (2, True), done.output


def test_a_world_that_is_not_there_is_named(builds):
    done = kairos("compare", "HEAD~1", "--builds", builds, "--world", "none.yaml", "--stages", "decode")
    assert (done.exit_code, "none.yaml: no such file" in done.output) == (2, True), done.output


def test_changed_files_are_refused_unless_asked_for(repo):
    (repo / "appended.json").write_text("{}")
    try:
        done = kairos("compare", "HEAD~1")
        assert done.exit_code == 2
        assert "1 tracked files differ from HEAD (appended.json): commit them, or compare" in done.output
        from experiments.bench.compare.build import commit_of, head_of

        found = head_of(repo, dirty=True)
        assert found.tree == commit_of(repo, "HEAD~1").tree  # whose appended.json says the same
        assert (repo / "appended.json").read_text() == "{}"
        assert git(repo, "stash", "list") == ""
    finally:
        git(repo, "checkout", "-q", "appended.json")


def test_outside_of_a_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    done = kairos("compare", "HEAD~1")
    assert (done.exit_code, "compare needs the git repository" in done.output) == (2, True)


@pytest.mark.parametrize(
    ("module", "fault", "raised"),
    [("__init__.py", "raise ImportError('no', name='x')", BadInput), ("bench/stages.py", "STAGES['decode'] = "
      "lambda _: __import__('os')._exit(7)", RunInvalid)],
)  # fmt: skip
def test_a_side_that_ends_is_said_with_what_it_said_last(repo, builds, tmp_path, module, fault, raised):
    from experiments.bench.compare.build import build, commit_of

    made = build(repo, commit_of(repo, "HEAD~1"), builds)
    field = Field(tmp_path, made, made)
    field.make_work(TOWN, None, 1)
    with (tmp_path / "harness" / "experiments" / module).open("a") as file:
        file.write(f"\n{fault}\n")
    with pytest.raises(raised, match=r"its process ended with (1: ImportError: no|7)"):
        rounds_of(field, Plan(("decode",)), 1, random.Random(1), print)


# The flow of looks and verdicts, on rounds made up here.

READY = Prepared(n=1000, octets=50_000, workload="some", once_s=0.01)
PLAN = Plan(("decode", "reference", "encode"))
RULES = dict.fromkeys(PLAN.stages, Rule(tests=6))


def pair(ratio, *, base=READY, head=READY):
    return Pair(base, head, (0.01,) * 4, (0.01 * ratio,) * 4)


def verdicts(by_stage, asked=None):
    def more(plan, rounds):
        if asked is not None:
            asked.append((plan.stages, rounds))
        return [{stage: (by_stage[stage](),) for stage in plan.stages} for _ in range(rounds)]

    return {result.stage: result for result in compare(more, PLAN, RULES, 10)}


def test_only_unclear_stages_go_on_and_only_once():
    coin, asked = random.Random(1), []
    found = verdicts(
        {
            "decode": lambda: pair(1.25),
            "reference": lambda: pair(math.exp(coin.gauss(0, 0.8))),
            "encode": lambda: pair(1.01),
        },
        asked,
    )
    assert asked == [(PLAN.stages, 10), (("reference",), 10)]
    assert [found[stage].verdict for stage in PLAN.stages] == [Verdict.SLOWER, Verdict.UNCLEAR, Verdict.SAME]
    assert [found[stage].finding.rounds for stage in PLAN.stages] == [10, 20, 10]


def test_a_base_that_lacks_fails_or_differs_is_said():
    found = verdicts(
        {
            "decode": lambda: Pair(replace(READY, missing="marketing.decode.decode_flat"), READY),
            "reference": lambda: Pair(replace(READY, failed="TypeError: 3 arguments"), READY),
            "encode": lambda: pair(
                2.2, base=replace(READY, wrong="sum: 3, expected 4"), head=replace(READY, n=2000)
            ),
        }
    )
    assert found["decode"] == Result("decode", "new", "the base has no marketing.decode.decode_flat")
    assert found["reference"].verdict == "not comparable"
    assert "the base ended with TypeError: 3 arguments" in found["reference"].note
    assert found["encode"].finding.ratio == pytest.approx(1.1)  # twice the messages in 2.2 times the time
    assert "another result (sum: 3, expected 4)" in found["encode"].note
    assert "2000 messages against 1000: compared by the message" in found["encode"].note


@pytest.mark.parametrize("fault", [{"wrong": "sum: 3"}, {"failed": "TypeError: x"}, {"missing": "sim.x"}])
def test_a_wrong_newer_commit_is_no_comparison(fault):
    stages = dict.fromkeys(PLAN.stages, lambda: Pair(READY, replace(READY, **fault)))
    with pytest.raises(RunInvalid, match="decode: the newer commit: "):
        verdicts(stages)


def test_a_rounds_log_ratio_is_that_of_neighbours():
    """Both sides became slower together in the middle; the outlier of one slice counts for nothing."""
    base = (1.0, 1.0, 3.0, 3.0, 1.0, 1.0)
    head = (1.1, 1.1, 3.3, 3.3, 1.1, 9.0)
    assert log_ratio(base, head) == pytest.approx(math.log(1.1))


# The harness against packages that lack something.


def test_gaps_are_filled_and_named_and_using_them_is_an_error(monkeypatch):
    package = ModuleType("older")
    package.there = 1
    monkeypatch.setitem(sys.modules, "older", package)
    source = "from older import there, newer\nfrom older.later import thing\nfrom os import nothing_of_ours\n"
    try:
        assert fill_gaps([source], ("older",)) == ["older.newer", "older.later.thing"]
        scope = {}
        exec(source.rpartition("from os")[0], scope)
    finally:
        sys.modules.pop("older.later", None)
    assert scope["there"] == 1
    for use in (
        lambda: scope["newer"](1),
        lambda: scope["newer"].MEMBER,
        lambda: scope["newer"][0],
        lambda: list(scope["thing"]),
    ):
        with pytest.raises(NotThere, match=r"older\.(newer|later\.thing)"):
            use()
    assert isinstance(scope["newer"] | None, Missing)


def test_a_library_that_is_not_installed_is_no_gap(monkeypatch, tmp_path):
    (tmp_path / "needs_more.py").write_text("import a_library_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_library_nobody_has"):
        fill_gaps(["from needs_more import x"], ("needs_more",))


def test_the_workload_written_down_is_the_workload(tmp_path):
    from experiments.bench.workload import Sources

    bench_compare_side.make_work(tmp_path, TOWN, None, 1)
    kept, made = (
        bench_compare_side.kept_sources(tmp_path),
        Sources(world=TOWN, messages=1, folder=tmp_path / "x"),
    )
    assert kept.hour.data == made.hour.data
    assert (kept.hour.offsets == made.hour.offsets).all()
    assert (kept.hour.t_us == made.hour.t_us).all()
    assert kept.hour.behaviours == made.hour.behaviours
    assert kept.hour.correlations == made.hour.correlations
    assert kept.traffic.n == made.traffic.n
    assert kept.capture_file.stat().st_size > len(made.hour.data)


def side_with(monkeypatch, stage):
    from experiments.bench import stages as bench_stages

    monkeypatch.setitem(bench_stages.STAGES, "odd", stage)
    monkeypatch.setattr("gc.freeze", lambda: None)
    return bench_compare_side.Side(None)


def test_a_side_says_what_became_of_a_stage(monkeypatch):
    from experiments.bench.stages import Job, WrongResult

    def job(run, check=lambda _: None):
        return lambda _: Job(7, 70, "odd work", lambda: None, run, check)

    def wrong(found):
        raise WrongResult(f"found {found}")

    side = side_with(monkeypatch, job(lambda _: 3))
    said = side.prepare("odd")
    assert (said["n"], said["octets"], said["workload"]) == (7, 70, "odd work")
    assert "wrong" not in said
    assert side.slice("odd", runs=3)["cpu_s"] >= 0
    said = side_with(monkeypatch, job(lambda _: 3, wrong)).prepare("odd")
    assert (said["wrong"], said["n"]) == ("found 3", 7)
    assert side_with(monkeypatch, job(lambda _: Missing("sim.x")())).prepare("odd") == {"missing": "sim.x"}
    assert side_with(monkeypatch, job(lambda _: int("x"))).prepare("odd")["failed"].startswith("ValueError: ")
    assert side.prepare("none") == {"missing": "stage none"}


def test_a_result_that_turns_wrong_later_is_noticed(monkeypatch):
    from experiments.bench.stages import Job, WrongResult

    results = iter([1] * 10 + [2] * 10)

    def check(found):
        if found != 1:
            raise WrongResult(f"found {found}")

    side = side_with(monkeypatch, lambda _: Job(1, 1, "odd", lambda: None, lambda _: next(results), check))
    side.prepare("odd")
    with pytest.raises(WrongResult, match="found 2"):
        side.slice("odd", runs=10)


# Thresholds that were learnt.

HERE = {"model": "some processor", "processor": "x86_64", "cpus": 2, "python": "3.11.7", "system": "Linux 6"}


def noise_file(path, **changes):
    found = {
        "schema": "kairos.bench-noise/1",
        "machine": machine_class(HERE),
        "rounds": 10,
        "stages": [{"stage": "decode", "threshold_pct": 5.5}],
    }
    path.write_text(json.dumps(found | changes))
    return path


def test_thresholds_come_from_the_file_the_option_or_are_ten_percent(tmp_path):
    stages = ("decode", "encode")
    noise = noise_file(tmp_path / "noise.json")

    def thresholds(*arguments):
        return [rule.threshold_pct for rule in rules_of(stages, *arguments).values()]

    assert thresholds("auto", None, HERE, 10) == [10, 10]
    assert thresholds("auto", noise, HERE, 10) == [5.5, 10]
    assert thresholds("7", noise, HERE, 10) == [7, 7]
    assert rules_of(stages, "1", None, HERE, 10)["decode"].margin_pct == 1
    assert rules_of(stages, "30", None, HERE, 10)["decode"].sought_pct == 60


def test_another_class_of_machine_is_not_believed(tmp_path, capsys):
    noise = noise_file(tmp_path / "noise.json")
    other = HERE | {"model": "another"}
    assert rules_of(("decode",), "auto", noise, other, 10)["decode"].threshold_pct == 10
    assert "of another class of machine (some processor, x86_64, 2, 3.11" in capsys.readouterr().err
    same = HERE | {"system": "Linux 7", "python": "3.11.9"}
    assert rules_of(("decode",), "auto", noise, same, 10)["decode"].threshold_pct == 5.5


def test_a_noise_file_holds_for_its_rounds_and_schema(tmp_path):
    with pytest.raises(BadInput, match="holds for 20 rounds or more"):
        rules_of(("decode",), "auto", noise_file(tmp_path / "a.json", rounds=20), HERE, 10)
    with pytest.raises(BadInput, match=r"schema 2, expected kairos.bench-noise/1"):
        rules_of(("decode",), "auto", noise_file(tmp_path / "b.json", schema=2), HERE, 10)


def test_help_of_two_words():
    for command in ("compare", "aa"):
        done = kairos(command, "--help")
        assert done.exit_code == 0
        assert done.output.startswith(f"Usage: cli bench {command}")
