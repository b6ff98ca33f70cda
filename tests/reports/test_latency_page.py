"""The latency page: every load in words, holds apart, and where each trigger went."""

import copy
import json
from pathlib import Path

import pytest

from experiments.latency.reckoning import ENDS
from experiments.latency.shapes import SHAPES, Load
from marketing.contact.policy import REASONS
from reports import latency
from reports.language import Words

RUN = Path(__file__).parent / "runs" / "latency"
KEYS = {
    "rate_per_s": 1500.0, "to_per_s": 12000.0, "at_s": 2.5, "period_s": 3.0, "rise_s": 1.0, "fall_s": 4.0,
    "factor": 20.0, "file": "tap.pcapng",
}  # fmt: skip


@pytest.fixture
def summary():
    return json.loads((RUN / "summary.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_load_is_said_with_its_figures(shape, language, summary):
    needs = SHAPES[shape].needs
    summary["load"] = {"shape": shape, "seconds": 20.0} | {name: KEYS[name] for name in needs}
    said = latency.load_said(summary, Words("latency", language))
    shown = {"rate_per_s": "1\u00a0500", "to_per_s": "12\u00a0000", "at_s": "2.5", "file": "tap.pcapng"}
    for name in needs:
        assert shown.get(name, f"{KEYS[name]:g}" if isinstance(KEYS[name], float) else "") in said
    assert set(Load.model_fields["shape"].annotation.__args__) == set(SHAPES)


def test_where_each_trigger_went_is_said(language, summary):
    words = Words("latency", language)
    results = summary["results"]
    counts = dict.fromkeys(ENDS, 0) | {"measured": 7000, "held": 1, "waiting": 2, "unplanned": 3}
    suppressed = {reason: 10 + i for i, reason in enumerate(REASONS)}
    found = sum(counts.values()) + sum(suppressed.values())
    results["reckoned"] = {"found": found, **counts, "suppressed": suppressed}
    told = latency._reckoned(summary, words)
    shown = {row[0]: (row[1], row[2]) for row in told["rows"]}
    assert len(shown) == 1 + 4 + len(REASONS)  # ends that no trigger had are left out
    assert shown[words("reckoned.end.measured")][0] == "7\u00a0000"
    assert f"{found:,}".replace(",", "\u00a0") in told["said"]
    # Every reason that the policy has is explained, each in words of its own.
    unknown = words("reckoned.reason.unknown")
    whys = [why for head, (_, why) in shown.items()]
    assert unknown not in whys
    assert len(set(whys)) == len(whys)
    # The most frequent reason comes first.
    last = list(REASONS)[-1]
    assert told["rows"][5][0] == words("reckoned.suppressed", reason=words.name(last, "rule"))


def test_a_run_that_did_not_reckon_says_nothing_of_it(summary):
    before = copy.deepcopy(summary)
    before["results"].pop("reckoned", None)
    assert latency._reckoned(before, Words("latency")) is None


def test_holds_have_a_table_of_their_own_where_there_are_any(language, summary):
    words = Words("latency", language)
    held = {"value": 1500.0, "low": 1400.0, "high": 1600.0}
    few = {"refused": "a p99 needs 1000 observations; there are 40"}
    told = {"n": 40, "p50": held, "p90": few, "p99": few, "max": 1999.6}
    summary["results"]["held"] = {"n": 40, "hold_ms": told, "released_ms": told}
    rows = latency._held(summary, words)
    assert [row[0] for row in rows] == [words("held.hold"), words("held.released")]
    assert rows[0][1:] == [
        "40",
        words("estimate", value="1\u00a0500", low="1\u00a0400", high="1\u00a0600"),
        words("refused"),
        words("refused"),
        "2\u00a0000",
    ]
    summary["results"]["held"]["n"] = 0
    assert latency._held(summary, words) == []
