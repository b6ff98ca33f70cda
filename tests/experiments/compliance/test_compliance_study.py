"""The compliance study at a small size: files, verdict, page in both languages; what is broken, bad input."""

from __future__ import annotations

import json
import re
import shutil
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from click.testing import CliRunner

from experiments.cli import cli
from experiments.compliance import casting, life
from experiments.compliance.casting import cast, open_instant, overshoots, portable
from experiments.firewall.crash import CrashKeys, crash
from experiments.firewall.grounds import EPOCH_US
from experiments.problems import BadInput
from marketing.campaigns import load
from marketing.contact import Policy, PolicyFile, load_policy
from reports.compliance import NotReportable, screen, write_report
from reports.records import TABLES, read
from sigtran import TransportUnavailable, choose

SCENARIOS = Path(__file__).parents[3] / "scenarios"
STUDY = SCENARIOS / "studies" / "compliance.yaml"
SMALL = ("world_settings.subscribers=250", "days=1", "transport=memory")
NOON_US = round(datetime(2009, 3, 10, 12, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1e6)


def kairos(*arguments):
    done = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def run(out, *settings):
    return kairos("run", STUDY, "--out", out, *(w for s in settings for w in ("--set", s)))


def only(out):
    (folder,) = (out / "compliance").iterdir()
    return folder, json.loads((folder / "summary.json").read_text())


# --------------------------------------------------------------------------- a whole one


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("compliance")
    code, text = run(out, *SMALL, "groups=[life,races]", "race.rounds=6", "race.workers=2")
    folder, summary = only(out)
    return code, text, folder, summary


def test_a_small_study_holds_and_says_what_it_came_to(done):
    code, text, folder, summary = done
    assert code == 0, text
    assert (summary["schema"], summary["kind"], summary["valid"]) == (
        "kairos.compliance/1",
        "compliance",
        True,
    )
    found = {(c["group"], c["name"]): c for c in summary["cases"]}
    lived = found["life", "life"]
    assert lived["outcome"] == "passed"
    assert lived["contacts"] == summary["life"]["audit"]["contacts"] == summary["contacts"]["received"] > 20
    race, mutant = found["races", "one ledger, SQLite"], found["races", "check-then-send, SQLite"]
    assert (race["violated"], race["tries"]) == ({}, 6)
    assert mutant["expected"] == "cap"
    assert mutant["violated"]["cap"] > 0
    assert "Nobody received what the policy forbids" in text
    assert json.loads((folder / "manifest.json").read_text())["validity"] == "valid"


def test_the_figures_of_the_life_fit_together(done):
    _, _, folder, summary = done
    life = summary["life"]
    pressed = read(folder / "pressure.parquet").to_pydict()["contacts"]
    assert sum(pressed) == life["audit"]["contacts"] == life["pressure"]["contacts"]
    assert sum(life["pressure"]["distribution"]) == len(pressed) == life["pressure"]["people"]
    assert all(sum(cap["counts"]) == cap["people"] * cap["periods"] for cap in life["caps"])
    assert all(cap["counts"][-1] == 0 for cap in life["caps"])  # nobody was past it
    monthly = life["caps"][0]["counts"]
    assert sum(n * many for n, many in enumerate(monthly)) == sum(pressed)
    suppressed = {}
    for reasons in life["suppressed"].values():
        for reason, n in reasons.items():
            suppressed[reason] = suppressed.get(reason, 0) + n
    assert suppressed == life["triggers"]["suppressed"]
    displacing = sum(suppressed.get(reason, 0) for reason in ("cap", "gap", "not_after"))
    placed = sum(map(sum, life["displaced"]["matrix"])) + sum(life["displaced"]["unplaced"].values())
    assert life["displaced"]["total"] == displacing == round(placed)
    assert sum(life["displaced"]["unplaced"].values()) == 0  # the ledger shows who had every place
    assert all(edge["histogram"][0] == 0 for edge in life["near"])
    holds = life["holds"]
    assert sum(holds["by_hour"]) == holds["ends"].get("sent", 0) > 0
    for name in ("near_misses", "displaced", "holds", "pressure"):
        assert read(folder / f"{name}.parquet").schema.names == [c.name for c in TABLES[name].columns]
    assert all(any(line) for line in (folder / "cap_use.csv").read_text().splitlines())


def test_the_audit_judges_the_life_again(done):
    _, _, folder, summary = done
    code, text = kairos("audit", folder)
    assert code == 0, text
    assert re.search(rf"contacts +{summary['life']['audit']['contacts']}\b", text)


def test_the_page_is_made_again_from_its_folder_in_either_language(done, tmp_path):
    _, _, folder, summary = done
    page = (folder / "report.html").read_text(encoding="utf-8")
    (folder / "report.html").unlink()
    assert kairos("report", folder)[0] == 0
    assert (folder / "report.html").read_text(encoding="utf-8") == page
    chinese = write_report(folder, tmp_path / "zh.html", "zh").read_text(encoding="utf-8")
    assert all(text.count("<svg") == 6 for text in (page, chinese))
    assert "谁挤占了谁" in chinese
    assert "Who keeps whom from contacts" in page
    assert all(one["campaign"] in page for one in summary["left_out"])


def test_a_life_is_the_same_again(done, tmp_path):
    assert run(tmp_path, *SMALL, "groups=[life]")[0] == 0
    folder, summary = only(tmp_path)
    assert summary["life"] == done[3]["life"]
    results = [json.loads((f / "manifest.json").read_text())["results"] for f in (folder, done[2])]
    assert results[0] == results[1]
    assert {"pressure.parquet", "suppressed.csv", "arms/precise/parts.parquet"} <= results[0].keys()


# --------------------------------------------------------------------------- what is broken is seen


def test_a_platform_that_forgets_the_night_fails_the_study(tmp_path, monkeypatch):
    """The audit judges by the file; this platform's policy has lost its quiet and closed hours."""
    (tmp_path / "forgetful.py").write_text(
        "from marketing.contact.policy import Policy\n"
        "right = Policy.of.__func__\n"
        "lost = {'quiet_hours': None, 'closed_hours': []}\n"
        "Policy.of = classmethod(lambda cls, file: right(cls, file.model_copy(update=lost)))\n"
        "from experiments.compliance.life import main\n"
        "from experiments.worker import work\n"
        "work(main)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))  # the worker has the same path
    monkeypatch.setattr(life, "MODULE", "forgetful")
    code, text = run(tmp_path, *SMALL, "groups=[life]")
    assert code == 3, text
    _, summary = only(tmp_path)
    assert summary["cases"][0]["violated"].keys() >= {"quiet_hours", "closed_hours"}
    near = {(e["rule"], e["edge"]): e["histogram"][0] for e in summary["life"]["near"]}
    assert near["quiet_hours", "until"] == summary["cases"][0]["violated"]["quiet_hours"]
    assert "did not hold" in text
    assert not summary["valid"]


def test_a_ledger_that_checks_and_then_sends_fails_the_study(tmp_path, monkeypatch):
    from experiments.firewall import race

    right = race.race
    monkeypatch.setattr(race, "race", lambda *args, mutant=False, **more: right(*args, mutant=True, **more))
    code, text = run(tmp_path, "groups=[races]", "race.rounds=6", "race.workers=2")
    assert code == 3, text
    _, summary = only(tmp_path)
    assert summary["cases"][0]["violated"]["cap"] > 0
    assert summary["cases"][0]["outcome"] == "failed"


def test_a_life_that_breaks_off_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(life, "MODULE", "experiments.no_such_module")
    code, text = run(tmp_path, *SMALL, "groups=[life]")
    assert code == 3
    assert "life: the life process ended" in text
    assert only(tmp_path)[1]["life"] is None


def test_what_was_broken_off_goes_on_with_what_lacks(done, tmp_path):
    """The life was kept; only the races are run."""
    folder = shutil.copytree(done[2], tmp_path / "copy")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "validity": "invalid", "results": {}}))
    (folder / "kept" / "group" / "races.json").unlink()
    code, text = kairos("run", "--resume", folder)
    assert code == 0, text
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["life"] == done[3]["life"]
    assert [c["group"] for c in summary["cases"]] == [c["group"] for c in done[3]["cases"]]


def test_what_nothing_was_tried_in_is_no_pass(tmp_path):
    """One campaign cannot race: the only case is skipped."""
    code, text = run(tmp_path, "groups=[races]", "campaigns=[../campaigns/hang-up-sms.yaml]")
    assert code == 3
    assert "nothing was tried" in text
    assert "could race" in text


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("groups=[life,life]", "each group once"),
        ("groups=[boundaries]", "groups"),
        ("policy=none.yaml", "none.yaml"),
        ("policy=../worlds/town.yaml", "marketing_originators"),
        ("campaigns=[]", "campaigns"),
        ("campaigns=[../campaigns/none.yaml]", "none.yaml"),
        ("tick_s=7", "divisor of 60"),
        ("days=0", "days"),
        ("world_settings.subscriber=3", "subscriber"),
        ("near_s=-1", "near_s"),
        ("race.workers=1", "workers"),
        ("kills.kills=0", "kills"),
        ("transport=pigeon", "transport"),
    ],
)
def test_bad_input_is_named_before_anything_is_run(tmp_path, setting, said):
    code, text = run(tmp_path, setting)
    assert code == 2, text
    assert said in text
    assert "Traceback" not in text
    assert not (tmp_path / "compliance").exists()


def test_an_offer_that_nobody_knows_is_named(tmp_path):
    values = yaml.safe_load((SCENARIOS / "campaigns" / "hang-up-sms.yaml").read_text(encoding="utf-8"))
    file = tmp_path / "odd.yaml"
    file.write_text(yaml.safe_dump({**values, "offer": "odd-offer"}, allow_unicode=True), encoding="utf-8")
    code, text = run(tmp_path, f"campaigns=[{file}]")
    assert code == 2
    assert "odd-offer" in text


@pytest.mark.parametrize("damage", ["", "{}", '{"cases": 3, "life": null}'])
def test_a_damaged_folder_is_refused(tmp_path, damage):
    (tmp_path / "manifest.json").write_text(json.dumps({"kind": "compliance", "validity": "valid"}))
    if damage:
        (tmp_path / "summary.json").write_text(damage)
    with pytest.raises(NotReportable, match=r"summary\.json"):
        write_report(tmp_path)
    assert kairos("report", tmp_path)[0] == 2


def test_a_dry_run_tells_of_the_life():
    from experiments.compliance_study import plan
    from experiments.study import load_study

    with pytest.raises(BadInput, match="no world is lived through"):
        plan(load_study(STUDY, ["groups=[races]"]))
    found = plan(load_study(STUDY, ["days=3"]))
    assert (found.days, found.lives) == (3, 1)
    assert found.live_s > 60


# --------------------------------------------------------------------------- who plays


def loaded(*names):
    paths = [SCENARIOS / "campaigns" / f"{name}.yaml" for name in names]
    return [(path, load(path)) for path in paths]


def test_every_shipped_campaign_plays_or_is_left_out_with_a_reason():
    names = sorted(path.stem for path in (SCENARIOS / "campaigns").glob("*.yaml"))
    made = cast(SCENARIOS / "policies" / "default.yaml", loaded(*names), NOON_US)
    kills = {one.campaign: one.why for one in made.left_out if one.group == "kills"}
    races = {one.campaign: one.why for one in made.left_out if one.group == "races"}
    assert {racer.name for racer in made.course.racers} | races.keys() == set(names)
    assert set(made.played.campaigns) | kills.keys() == set(names)
    assert not set(made.played.campaigns) & kills.keys()
    assert set(made.played.campaigns) >= {"missed-call-alert", "hang-up-sms"}
    assert races == {"mall-origins": "output", "outbound-ready": "output", "visitor-origins": "output"}
    assert {"when", "condition", "output"} <= set(kills.values())
    assert set(kills.values()) <= set(casting._CHECKS)
    assert made.played.of_stimulus["power_on"] == ("missed-call-alert", "welcome-back")
    assert "hang-up-sms" in made.played.of_stimulus["10086"]


def test_what_is_played_stands_by_itself(tmp_path):
    values, files = portable(SCENARIOS / "policies" / "all-rules.yaml")
    assert "do_not_disturb" not in values
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    assert (
        Policy.of(load_policy(tmp_path / "policy.yaml")).file.busy_cells.file == tmp_path / "busy_cells.csv"
    )


@pytest.mark.parametrize(
    ("keys", "start", "before_s", "after_s", "expected"),
    [
        ({}, "2009-03-10 12:00:00", 0, 600, "2009-03-10 12:00:00"),
        (
            {"quiet_hours": {"from": "21:00", "to": "09:00"}},
            "2009-03-10 22:00:00", 0, 600, "2009-03-11 09:00:00",
        ),
        # From ten to noon there are no two hours: nothing is sent in the last five minutes.
        (
            {"quiet_hours": {"from": "21:00", "to": "10:00"}, "closed_hours": [
                {"name": "noon", "from": "12:00", "to": "13:00"}]},
            "2009-03-10 09:00:00", 3600, 3600, "2009-03-10 14:00:00",
        ),
        ({"holidays": {"dates": ["2009-03-10"]}}, "2009-03-10 12:00:00", 0, 600, "2009-03-11 00:00:00"),
        ({"quiet_hours": {"from": "00:10", "to": "00:00"}}, "2009-03-10 12:00:00", 0, 3600, None),
    ],
)  # fmt: skip
def test_an_hour_in_which_the_policy_lets_send(keys, start, before_s, after_s, expected):
    file = PolicyFile(timezone="Asia/Shanghai", marketing_originators=["100860"], **keys)

    def us(text):
        return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1e6)

    found = open_instant(Policy.of(file), us(start), before_s, after_s)
    assert found == (None if expected is None else us(expected))


def test_a_race_is_for_something(tmp_path):
    both = loaded("missed-call-alert", "hang-up-sms")
    two = cast(SCENARIOS / "policies" / "two-a-month.yaml", both, NOON_US).course
    assert overshoots(two, tmp_path) == ""  # two may have both
    three = cast(
        SCENARIOS / "policies" / "two-a-month.yaml", [*both, *loaded("points-reminder")], NOON_US
    ).course
    assert overshoots(three, tmp_path) == "cap"
    calm = cast(SCENARIOS / "policies" / "fair-shares.yaml", both, NOON_US).course
    assert overshoots(calm, tmp_path) == "cap"


def test_a_policy_that_is_never_open_is_not_played(tmp_path):
    never = tmp_path / "never.yaml"
    values = yaml.safe_load((SCENARIOS / "policies" / "two-a-month.yaml").read_text(encoding="utf-8"))
    values["quiet_hours"] = {"from": "00:05", "to": "00:00"}
    never.write_text(yaml.safe_dump(values), encoding="utf-8")
    made = cast(never, loaded("missed-call-alert", "hang-up-sms"), NOON_US)
    assert (made.course, made.played, made.never_open) == (None, None, True)


def test_people_listed_by_the_user_are_left_in_peace(tmp_path):
    """A policy's own list counts beside the one that the study draws."""
    from experiments.inputs import _listed

    for name in ("do-not-disturb.yaml", "do-not-disturb.csv"):
        shutil.copy(SCENARIOS / "policies" / name, tmp_path / name)
    found = _listed(tmp_path / "do-not-disturb.yaml", {"file": "do-not-disturb.csv"})
    assert ("8613900000003", "") in found
    assert ("8613900000006", "2009-05-01T12:00:00") in found
    assert _listed(tmp_path / "do-not-disturb.yaml", {"file": None}) == []
    assert _listed(tmp_path / "do-not-disturb.yaml", None) == []


def test_a_platform_with_a_user_s_policy_is_killed_and_oversteps_nothing(tmp_path):
    try:
        transport = choose("auto").kind
    except TransportUnavailable as error:
        pytest.skip(f"no SCTP here: {error}")
    campaigns = loaded("missed-call-alert", "hang-up-sms", "points-reminder")
    played = cast(SCENARIOS / "policies" / "all-rules.yaml", campaigns, EPOCH_US).played
    assert set(played.campaigns) == {"missed-call-alert", "hang-up-sms"}
    keys = CrashKeys(
        kills=3,
        stimuli_per_s=30,
        subscribers=200,
        up_s=0.8,
        at_reply_share=0,
        starting_share=0,
        played=played,
    )
    found = crash(tmp_path, keys, transport)
    assert found["violations"] == {}, found["findings"]
    assert found["accounts"]["lost"] == 0, found["accounts"]["lost_listed"]
    assert found["faults"] == []
    assert found["contacts"] > 10


def test_the_terminal_says_it_in_lines(done):
    lines = screen(done[2]).splitlines()
    assert any(line.startswith("cap: 2 allowed a calendar month") for line in lines)
    assert any("Gini" in line for line in lines)
