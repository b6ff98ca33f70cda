"""The firewall study at a small size: its files, verdict and page; kills and faults of a real platform."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from experiments.cli import cli
from experiments.firewall.accounts import Blind, _not_excused
from experiments.firewall.cases import Case, case_of
from experiments.firewall.crash import CrashKeys, crash, distribution
from experiments.firewall.faults import FAULTS
from experiments.firewall.grounds import Stimulus
from experiments.firewall.play import OWN
from experiments.firewall.proxy import BossProxy, SmppProxy
from experiments.firewall.served import Faults
from reports.firewall import NotReportable, answer, write_report
from sigtran import TransportUnavailable, choose
from sim.backoffice.boss import Boss, BossDoor, Customer

STUDY = Path(__file__).parents[2] / "scenarios" / "studies" / "firewall.yaml"


@pytest.fixture(scope="module")
def sctp():
    try:
        return choose("auto").kind
    except TransportUnavailable as error:
        pytest.skip(f"no SCTP here: {error}")


def kairos(*arguments):
    done = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_a_small_study_passes_and_can_be_read_again(tmp_path):
    sets = ("groups=[boundaries,right]", "right_subscribers=120")
    code, text = kairos("run", STUDY, "--out", tmp_path, *(w for s in sets for w in ("--set", s)))
    assert code == 0, text
    (folder,) = (tmp_path / "firewall").iterdir()
    summary = json.loads((folder / "summary.json").read_text())
    assert [(c["group"], c["outcome"], c["violated"]) for c in summary["cases"]] == [
        ("boundaries", "passed", {}), ("right", "passed", {}),
    ]  # fmt: skip
    assert summary["cases"][0]["tries"] > 140
    assert summary["cases"][1]["contacts"] > 500
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["validity"], manifest["kind"]) == ("valid", "firewall")
    page = (folder / "report.html").read_text()
    (folder / "report.html").unlink()
    assert kairos("report", folder)[0] == 0
    assert (folder / "report.html").read_text() == page
    assert "Nobody received what the policy forbids" in page


def test_what_is_not_caught_or_is_violated_fails_the_study(tmp_path, monkeypatch):
    """A judge that sees nothing lets broken policies through, and the study says so with 3."""
    from experiments import audit as module

    blind = module.Audit(1, 1, 0, 0, (), 0, by_rule=dict.fromkeys(module.RULES, 0))
    monkeypatch.setattr(module, "audit", lambda parts, policy: blind)
    sets = ("groups=[mutants]", "mutant_subscribers=100")
    here = ("--processes", "1")  # where the judge is blind
    code, text = kairos("run", STUDY, "--out", tmp_path, *here, *(w for s in sets for w in ("--set", s)))
    assert code == 3
    assert "not caught under" in text
    (folder,) = (tmp_path / "firewall").iterdir()
    summary = json.loads((folder / "summary.json").read_text())
    assert not summary["valid"]
    assert sum(c["outcome"] == "failed" for c in summary["cases"]) == len(summary["cases"]) - 1
    assert "missed" in answer(summary)
    assert "was to be found" in (folder / "report.html").read_text()


def test_groups_are_named_once(tmp_path):
    code, text = kairos("run", STUDY, "--out", tmp_path, "--set", "groups=[races,races]")
    assert code == 2
    assert "races" in text


def test_a_folder_without_its_summary_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"kind": "firewall", "validity": "valid"}))
    with pytest.raises(NotReportable, match=r"summary\.json"):
        write_report(tmp_path)
    assert kairos("report", tmp_path)[0] == 2


# --------------------------------------------------------------------------- a real platform


def test_a_platform_killed_under_load_oversteps_nothing_and_loses_nothing(tmp_path, sctp):
    """Five kills; the study does two hundred. How soon it is back is measured there and not here."""
    keys = CrashKeys(
        kills=5, stimuli_per_s=30, subscribers=300, up_s=0.8, at_reply_share=0.0, starting_share=0.2
    )
    found = crash(tmp_path, keys, sctp)
    assert found["violations"] == {}, found["findings"]
    assert found["accounts"]["lost"] == 0, found["accounts"]["lost_listed"]
    assert found["faults"] == []
    assert found["kills"] == 5
    assert found["contacts"] > 20
    assert found["back_s"]["n"] + found["while_starting"] == 5


@pytest.mark.parametrize("name", ["smsc_vanishes", "disk_full", "clock_leaps"])
def test_what_the_platform_stands_on_breaks(name, tmp_path, sctp):
    found = FAULTS[name](tmp_path, CrashKeys(stimuli_per_s=30, subscribers=200, seed=2), sctp, 5.0)
    assert found["violations"] == {}, found["findings"]
    assert found["accounts"]["lost"] == 0, found["accounts"]["lost_listed"]
    assert found["faults"] == []
    assert found["tries"] > 0
    assert found["contacts"] > 10


def test_a_clock_leaps_only_where_something_could_leap_with_it():
    paced = OWN.paced()
    assert paced.policy["minimum_gap_s"] == OWN.policy["minimum_gap_s"]
    assert paced.policy["caps"] == {"per_calendar_month": 1000, "rules": []}
    assert (OWN.longest_s(), OWN.unpaced().longest_s(), OWN.unpaced().paced()) == (300, 0, None)
    rules = [{"most": 2, "per": "day"}, {"most": 1, "within_s": 604_800}]
    never = [{"classes": ["a"], "after": ["b"], "within_s": 900_000}]
    more = replace(OWN, policy={**OWN.policy, "caps": {"rules": rules}})
    assert more.longest_s() == 604_800
    assert more.paced().policy["caps"]["rules"] == rules[1:]
    assert replace(more, policy={**more.policy, "not_after": never}).longest_s() == 900_000


# --------------------------------------------------------------------------- the harness itself


def test_the_line_is_cut_after_the_submit_has_arrived_and_before_its_answer():
    arrived = []

    def centre(listener):
        line, _ = listener.accept()
        with line, contextlib.suppress(ConnectionError):  # by then it may be cut
            arrived.append(line.recv(1000))
            line.sendall(b"answer")
            time.sleep(0.2)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=centre, args=(listener,))
        thread.start()
        with SmppProxy(listener.getsockname()[1]) as proxy:
            proxy.arm(1, 0.0)
            submit = struct.pack("!IIII", 20, 0x00000004, 0, 1) + b"body"
            with socket.create_connection(("127.0.0.1", proxy.port)) as client:
                client.sendall(submit)
                client.settimeout(5)
                try:
                    answer = client.recv(100)
                except ConnectionResetError:
                    answer = b""
            assert not proxy.armed
        thread.join(5)
    assert arrived == [submit]
    assert answer == b""
    assert proxy.cuts == 1


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("right", 200),
        ("error", 500),
        ("garbage", None),
        ("other_customer", 200),
        ("hang_up", None),
        ("slow", None),
    ],
)
def test_a_boss_that_is_ill(mode, expected):
    boss = Boss([Customer("8613900000001")])
    with BossDoor(boss) as door, BossProxy(door.url, slow_s=0.6) as proxy:
        proxy.mode = mode
        body = {"msisdns": ["8613900000001"], "t_us": 1}
        try:
            answer = httpx.post(f"{proxy.url}/accounts", json=body, timeout=0.3)
            said = answer.status_code, answer.json()
        except (httpx.HTTPError, ValueError):
            said = None, {}
        assert said[0] == expected
        stranger = [one["msisdn"] for one in said[1].get("accounts", [])]
        assert stranger == {"right": ["8613900000001"], "other_customer": ["8613811111111"]}.get(mode, [])
        assert (proxy.requests, proxy.ill) == (1, mode != "right")


def test_faults_are_read_while_they_change(tmp_path):
    file = tmp_path / "faults.json"
    faults = Faults(file)
    assert faults.get("clock_step_s") == 0
    file.write_text('{"clock_step_s": -300}')
    faults._read_s = 0
    assert faults.get("clock_step_s") == -300
    file.write_text('{"clock_st')
    faults._read_s = 0
    assert faults.get("clock_step_s") == -300, "half a file says nothing new"


def test_an_act_is_excused_only_as_the_tail_before_a_kill():
    second = 1_000_000_000
    blind = [Blind(5 * second, 9 * second), Blind(20 * second, 0)]
    seen = {5 * second: 4 * second, 20 * second: 18 * second}

    def said(at_s):
        return _not_excused(Stimulus("10086", 1, (1, 9), round(at_s * second)), blind, seen)

    assert said(4.5) == said(4.0) == said(19.0) == said(17.6) == ""
    assert "what was sent after it is known" in said(3.4)
    assert "what was sent after it is known" in said(17.4)
    assert said(21.0) == "no kill came after it"
    assert _not_excused(Stimulus("10086", 1, (1, 9), 10 * second), blind, {}) == "10.000 s before a kill"


def test_a_case_fails_for_triggers_that_nobody_knows_of():
    found = {"tried": "x", "tries": 3, "contacts": 1, "violations": {}, "findings": [], "faults": []}
    assert case_of("crashes", "a", found).said == []
    lost = {"lost": 2, "lost_listed": ["one", "two"]}
    case = case_of("crashes", "a", {**found, "accounts": lost})
    assert (case.violated, case.said) == ({"trigger not accounted for": 2}, ["one", "two"])
    assert case_of("faults", "a", {**found, "tries": 0}).said == ["nothing was tried"]
    skipped = case_of("faults", "a", {"tried": "nothing", "skipped": "no server"})
    assert isinstance(skipped, Case)
    assert (skipped.outcome, skipped.said) == ("skipped", ["no server"])


def test_a_distribution_says_its_size():
    assert distribution([]) == {"n": 0}
    assert distribution([3.0, 1.0, 2.0])["max"] == 3.0
    assert distribution([float(i) for i in range(100)]) == {
        "n": 100,
        "p50": 50.0,
        "p90": 90.0,
        "p99": 99.0,
        "max": 99.0,
    }
