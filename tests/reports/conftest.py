"""Run folders of every kind that pages are made from: committed ones of real runs, and one made up."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from reports.compared import module_of
from reports.records import TABLES, write

RUNS = Path(__file__).parent / "runs"
MADE_UP = "end-to-end"
KINDS = sorted({MADE_UP, *(folder.name for folder in RUNS.iterdir())})
"""Kinds of which there is an example."""
EPOCH_US = 1_251_734_400_000_000  # 2009-09-01 00:00 in Shanghai


def make_up(path, *, valid=True, live=True):
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
            "procedures": [{"name": "call made: answered", "n": 77}],
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


def pytest_generate_tests(metafunc):
    if "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", KINDS)
    if "page_name" in metafunc.fixturenames:
        metafunc.parametrize("page_name", [*KINDS, "comparison"])
    if "language" in metafunc.fixturenames:
        metafunc.parametrize("language", ["en", "zh"])


@pytest.fixture(scope="session")
def made_up_run():
    """Makes a run folder with all that the end-to-end page reads."""
    return make_up


@pytest.fixture(scope="session")
def run_of(tmp_path_factory):
    """A run folder of a kind, to write into."""

    def copy(kind):
        folder = tmp_path_factory.mktemp("run") / f"20261123-100000-{kind}"
        if kind == MADE_UP:
            folder.mkdir()
            return make_up(folder)
        return Path(shutil.copytree(RUNS / kind, folder))

    return copy


@pytest.fixture(scope="session")
def page_of(run_of, tmp_path_factory):
    """The page of a kind's example in a language, made once; `comparison`: of two of them."""
    from importlib import import_module

    made = {}

    def page(kind, language):
        if (kind, language) not in made:
            out = tmp_path_factory.mktemp("page") / f"{kind}.{language}.html"
            if kind == "comparison":
                from reports.comparison import compare

                one, other = run_of("realism"), run_of("realism")
                manifest = json.loads((other / "manifest.json").read_text()) | {"seed": 8, "commit": "abc+"}
                (other / "manifest.json").write_text(json.dumps(manifest))
                summary = json.loads((other / "summary.json").read_text()) | {"seed": 8}
                (other / "summary.json").write_text(json.dumps(summary))
                made[kind, language] = compare([one, other], out, language)
            else:
                made[kind, language] = import_module(module_of(kind)).write_report(
                    run_of(kind), out, language
                )
        return made[kind, language]

    return page
