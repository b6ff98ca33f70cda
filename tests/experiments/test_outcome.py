"""A run that was broken off keeps the arms that had come to their end."""

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.audit import RULES
from experiments.outcome import Outcome
from experiments.study import load_study
from reports.records import write

DEMO = Path(__file__).parents[2] / "scenarios/studies/demo.yaml"


def left_behind(run_dir, arm, ticks):
    folder = run_dir / "arms" / arm
    write(
        folder / "outcomes.parquet",
        "outcomes",
        {
            "sub": np.arange(10),
            "msisdn": ["8613900000000"] * 10,
            "ordered": np.arange(10) < 3,
            "contacts": np.zeros(10, np.uint16),
            "complaints": np.zeros(10, np.uint16),
            "replay_share": np.zeros(10),
        },
    )
    result = {
        "world_subscribers": 12,
        "timezone": "UTC",
        "subscribers": 10,
        "contacts": 0,
        "take_up": 3,
        "complaints": 0,
        "cost": 0,
        "replay_means": [0.3, 0.3],
        "signalling": {"generated": 99, "received": 99, "decoded": 99, "lost": 0, "errors": 0},
        "triggers": {"total": 0, "sent": 0, "held": 0, "failed": 0, "suppressed": {}},
        "audit": {"contacts": 0, "violations": dict.fromkeys(RULES, 0)},
        "behaviours": None,
        "capture": None,
        "held_split": [],
        "spent": {"ticks": ticks},
        "wall_s": 1.0,
        "cpu_s": {},
        "invalid": [],
    }
    (folder / "result.json").write_text(json.dumps(result))


class Folder:
    def __init__(self):
        self.manifest = {"started": "2026-11-23T10:00:00+00:00", "ended": None}

    def finish(self, reasons, *, whole):
        self.reasons, self.whole = list(reasons), whole


@pytest.mark.parametrize("reason", ["stopped by SIGTERM", "blanket: the platform ended with exit code 1"])
def test_arms_that_had_ended_are_kept(tmp_path, reason):
    study = load_study(DEMO).keys
    ticks = study.days * 86_400 // study.tick_s
    left_behind(tmp_path, "control", ticks)
    left_behind(tmp_path, "precise", ticks - 1)  # was stopped
    left_behind(tmp_path, "blanket", ticks if reason.startswith("blanket") else 5)
    outcome = Outcome(study, tmp_path, {"kind": "memory", "why": ""}, "kairos run")
    outcome.reasons.append(reason)
    text = outcome.close(Folder(), list)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert list(summary["arms"]) == ["control"]
    assert summary["arms"]["control"]["take_up"] == 3
    assert summary["signalling"]["generated"] == 99
    assert summary["invalid_reasons"] == [reason]
    assert f"INVALID: {reason}" in text
