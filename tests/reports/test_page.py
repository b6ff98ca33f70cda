"""The page comes from a run folder alone, holds what it must, and nothing from elsewhere."""

import json
import re

import numpy as np
import pytest

from reports.figures import _ticks
from reports.page import NotReportable, write_report
from reports.records import TABLES, write

EPOCH_US = 1_251_734_400_000_000  # 2009-09-01 00:00 in Shanghai


def made_up_run(path, *, valid=True, live=True):
    """A run folder with all a page reads, made without running anything."""
    rng = np.random.Generator(np.random.PCG64(3))
    n = 1900
    took = {"control": 38, "precise": 112, "blanket": 63}
    for arm, k in took.items():
        contacts = (
            np.zeros(n, np.uint16)
            if arm == "control"
            else rng.choice(3, n, p=[0.6, 0.35, 0.05]).astype(np.uint16)
        )
        write(
            path / "arms" / arm / "outcomes.parquet",
            "outcomes",
            {
                "sub": np.arange(n),
                "msisdn": [f"86139{i:08d}" for i in range(n)],
                "ordered": np.arange(n) < k,
                "contacts": contacts,
                "complaints": np.zeros(n, np.uint16),
                "replay_share": rng.beta(1, 20, n),
            },
        )
        m = int(contacts.sum())
        hour = rng.integers(9, 21, m) if arm == "precise" else np.full(m, 10)
        columns = {c.name: [0] * m for c in TABLES["contacts"].columns}
        columns |= {
            "t_us": EPOCH_US + (hour * 3600 + rng.integers(0, 3600, m)) * 1_000_000,
            "msisdn": ["8613900000000"] * m,
            "source": ["1008601"] * m,
            "text": ["x"] * m,
            "offer": ["e-bill"] * m,
        }
        write(path / "arms" / arm / "contacts.parquet", "contacts", columns)
    if live:
        intended = np.sort(rng.integers(0, 20_000_000_000, 420))
        latency = (rng.lognormal(1.2, 0.5, 420) * 1e6).astype(np.int64)
        write(
            path / "live" / "latencies.parquet",
            "latencies",
            {
                "contact_id": [f"c{i}" for i in range(420)],
                "campaign": ["hang-up-sms"] * 420,
                "corr": np.arange(420),
                "t_intended_ns": intended,
                "t_sent_ns": intended,
                "t_arrived_ns": intended + latency,
                "latency_ns": latency,
                "wire_ns": latency // 4,
                "decode_ns": latency // 4,
                "decide_ns": latency // 4,
                "submit_ns": latency // 4,
            },
        )
    kinds = {
        "call_ended": {
            "truth": 900,
            "platform": 900,
            "matched": 900,
            "precision": 1.0,
            "recall": 1.0,
            "worst_s": 0.9,
        }
    }
    triggers = {"total": 900, "sent": 800, "held": 3, "failed": 0, "suppressed": {"cap": 77, "duplicate": 20}}
    signalling = {"generated": 1000, "received": 1000, "decoded": 1000, "lost": 0, "errors": 0}
    reasons = [] if valid else ["the load generator lagged"]
    summary = {
        "schema": "kairos.summary/1",
        "study": "demo",
        "kind": "end-to-end",
        "seed": 7,
        "valid": valid,
        "invalid_reasons": reasons,
        "signalling": signalling,
        "triggers": triggers,
        "contacts": {
            "received": 1600,
            "violations": {
                "cap": 0,
                "quiet_hours": 0,
                "do_not_disturb": 0,
                "control_group": 0,
                "duplicate": 0,
            },
        },
        "latency_ms": {"n": 420, "p50": 3.3, "p90": 6.3, "p99": 10.4, "max": 14.2, "offered_per_s": 2000.3}
        if live
        else {
            "n": 0,
            "p50": None,
            "p90": None,
            "p99": None,
            "max": None,
            "offered_per_s": None,
            "reason": "the study has no live phase",
        },
        "arms": {
            arm: {
                "subscribers": n,
                "contacts": 800 if arm != "control" else 0,
                "take_up": k,
                "complaints": 2,
                "cost": 40.0,
            }
            for arm, k in took.items()
        },
        "uplift": {
            "precise_vs_blanket": {
                "estimate": 0.0258,
                "ci95": [0.0149, 0.0374],
                "truth": 0.0231,
                "truth_se": 0.0002,
            },
            "precise_vs_control": {
                "estimate": 0.0389,
                "ci95": [0.0301, 0.0488],
                "truth": 0.0371,
                "truth_se": 0.0002,
            },
            "blanket_vs_control": {
                "estimate": 0.0132,
                "ci95": [0.0079, 0.0201],
                "truth": 0.014,
                "truth_se": 0.0002,
            },
        },
        "transport": {"kind": "usrsctp", "why": "no SCTP in this kernel"},
        "time": {
            "budget": [
                {"phase": "arms", "allowed_s": 70.0, "used_s": 61.2},
                {"phase": "live", "allowed_s": 20.0, "used_s": 21.4},
            ]
        },
    }
    details = {
        "title": "Does the moment matter?",
        "subscribers": 2000,
        "days": 3,
        "eligible": n,
        "replays": 200,
        "timezone": "Asia/Shanghai",
        "campaigns": [
            {"title": "Hang-up SMS <after> a call", "offer": "e-bill", "originator": "1008603", "cost": 0.05}
        ],
        "policy": {"per_calendar_month": 2, "quiet_hours": ["21:00", "09:00"]},
        "arms": {
            "precise": {
                "triggers": triggers,
                "audit": {"contacts": 800},
                "behaviours": {"equal": True, "kinds": kinds},
                "reached": 700,
            },
            "blanket": {"triggers": triggers, "audit": {"contacts": 800}, "behaviours": None, "reached": 700},
            "control": {"triggers": {**triggers, "total": 0}, "behaviours": None},
        },
        "signalling": {"precise": signalling, "live": {**signalling, "generated": 47_940}},
        "blanket_at": "09:30",
        "planned": {"arms": ["control", "precise", "blanket"], "live": live},
        "held_split": [
            {
                "campaign": "missed-call-alert",
                "at_once": 50,
                "at_once_took_up": 9,
                "released": 8,
                "released_took_up": 0,
            }
        ],
        "capture": {
            "from": "08:00",
            "to": "09:00",
            "day": 1,
            "messages": 12_345,
            "procedures": [{"name": "mo_call_answered", "n": 77}],
        },
        "live": {
            "seconds": 20.0,
            "factor": 14.2,
            "subscribers": 40_000,
            "late_share": 0.0002,
            "late_share_bound": 0.01,
            "late_after_ms": 10.0,
            "lag_ms": {"p50": 0.1, "p99": 1.2, "max": 4.0},
            "triggers": triggers,
            "woven": {"messages": 7940},
            "contacts": {"submitted": 800, "received": 790, "unreached": {"absent": 10}},
            "audit": {"contacts": 790},
        }
        if live
        else None,
        "rerun": "kairos run scenarios/studies/demo.yaml --seed 7",
    }
    manifest = {
        "run_id": "20261123-100000-seed7",
        "started": "2026-11-23T10:00:00+00:00",
        "ended": None,
        "commit": "abc",
        "validity": "valid",
        "machine": {"system": "Linux", "processor": "x86_64", "cpus": 2},
        "versions": {"python": "3.11"},
        "scenario": {"study": {"file": "scenarios/studies/demo.yaml", "sha256": "0" * 64}},
    }
    for name, values in (("summary", summary), ("details", details), ("manifest", manifest)):
        (path / f"{name}.json").write_text(json.dumps(values))
    return path


@pytest.mark.parametrize(("valid", "live"), [(True, True), (False, True), (True, False)])
def test_a_page_from_the_folder_alone(tmp_path, valid, live):
    page = write_report(made_up_run(tmp_path, valid=valid, live=live))
    text = page.read_text()
    assert text.count("<svg") == (6 if live else 4)
    assert "raised take-up by 2.58 percentage points" in text
    assert ("This run is not valid" in text) is not valid
    assert "Hang-up SMS &lt;after&gt; a call" in text  # escaped
    assert "BROKEN" not in text
    assert "at 09:30" in text
    assert "ten in the morning" not in text
    assert ("1 600 triggers sent" in text) is not live
    assert ("about 2 397 a second in all, beside the 2 000 of the schedule" in text) is live
    assert ("In the live phase (" in text) is live
    assert "over by 1.4 s" in text


def test_arms_of_unequal_reach_have_no_winner(tmp_path):
    run = made_up_run(tmp_path)
    details = json.loads((run / "details.json").read_text())
    details["arms"]["blanket"]["reached"] = 600
    (run / "details.json").write_text(json.dumps(details))
    text = write_report(run).read_text()
    assert "did not reach as many people: precise 800 contacts to 700 people" in text
    assert "−14 % people" in text
    assert "raised take-up" not in text


def test_what_was_not_checked_has_no_tick(tmp_path):
    run = made_up_run(tmp_path, valid=False, live=False)
    summary, details = (json.loads((run / f"{n}.json").read_text()) for n in ("summary", "details"))
    summary["signalling"] = dict.fromkeys(summary["signalling"], 0)
    summary |= {"arms": {}, "uplift": {}}
    summary["triggers"] = {"total": 0, "sent": 0, "held": 0, "failed": 0, "suppressed": {}}
    details |= {"arms": {}, "signalling": {}}
    details["planned"]["live"] = True
    for name, values in (("summary", summary), ("details", details)):
        (run / f"{name}.json").write_text(json.dumps(values))
    text = write_report(run).read_text()
    assert text.count(">not checked<") == 6
    assert ">holds<" not in text


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (3.1, 45.0, [2, 5, 10, 20, 50]),
        (5.0, 5.0, [5, 10]),
        (0.3, 9.0, [0.2, 0.5, 1, 2, 5, 10]),
        (0.2, 30_000.0, [0.1, 1, 10, 100, 1000, 10_000, 100_000]),
    ],
)
def test_ticks_of_a_logarithmic_axis(low, high, ticks):
    assert _ticks(low, high) == ticks


def test_the_page_is_self_contained(tmp_path):
    text = write_report(made_up_run(tmp_path)).read_text()
    assert not re.search(r"<(script|link|img|iframe)\b", text)
    # Names of XML vocabularies are no addresses that a browser fetches.
    fetched = [u for u in re.findall(r'(?:src|href)="([^"]+)"', text) if not u.startswith("#")]
    assert fetched == []
    assert "@import" not in text
    assert re.search(r"url\((?!#)", text) is None


def test_ids_of_figures_do_not_collide(tmp_path):
    text = write_report(made_up_run(tmp_path)).read_text()
    referred = set(re.findall(r'(?:url\(|href=")#([\w-]+)', text))
    for name in referred:
        assert text.count(f'id="{name}"') == 1, name


def test_the_same_folder_gives_the_same_page(tmp_path):
    run = made_up_run(tmp_path / "run")
    one = write_report(run, tmp_path / "one.html").read_bytes()
    two = write_report(run, tmp_path / "two.html").read_bytes()
    assert one == two


def test_a_broken_promise_is_shown(tmp_path):
    run = made_up_run(tmp_path)
    summary = json.loads((run / "summary.json").read_text())
    summary["contacts"]["violations"]["cap"] = 3
    summary["signalling"]["lost"] = 1
    (run / "summary.json").write_text(json.dumps(summary))
    text = write_report(run).read_text()
    assert text.count("BROKEN") == 2
    assert "cap 3" in text


def test_a_folder_without_a_summary_says_so(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(NotReportable, match="stopped too early"):
        write_report(tmp_path)
