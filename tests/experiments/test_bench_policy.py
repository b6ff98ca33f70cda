"""`kairos bench policy ledger`, at a small size: what they check and what they say."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from experiments.bench import ledger as bench_ledger
from experiments.bench import policy as bench_policy
from experiments.bench.ledger import LedgerBench
from experiments.bench.policy import PolicyBench
from experiments.bench.stages import WrongResult
from experiments.cli import cli


def test_both_say_what_was_decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.bench.policy.PolicyBench", lambda: PolicyBench(300, 4000))
    monkeypatch.setattr(bench_policy, "COMPARED", 4000)
    monkeypatch.setattr(bench_ledger, "HELD", 1000)
    monkeypatch.setattr(bench_ledger, "LEAST", 3)
    out = tmp_path / "figures.json"
    done = CliRunner().invoke(
        cli, ["bench", "policy", "ledger", "--seconds", "0.1", "--json", str(out)], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    policy, ledger = json.loads(out.read_text())
    assert (policy["stage"], policy["n"], ledger["stage"]) == ("policy", 4000, "ledger")
    decided = {name: n for name, n in policy.items() if name.startswith("decided_")}
    assert sum(decided.values()) == 4000
    expected = ("send", "hold", "cap", "not_after", "duplicate", "quiet_hours", "closed_hours", "busy_cell")
    assert all(decided[f"decided_{reason}"] for reason in expected)
    for name in ("per_s", "plain_per_s", "one_by_one_per_s", "log_bytes_each", "log_contacts"):
        assert policy[name] > 0
    for group in bench_ledger.GROUPS:
        assert ledger[f"per_s_{group}"] > 0
        assert ledger[f"fsync_p50_ms_{group}"] <= ledger[f"fsync_p99_ms_{group}"]
    assert "fsync beside it" in done.output


def test_the_policy_bench_notices_another_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bench_policy.EVERY, "minimum_gap_s", 1)
    bench = PolicyBench(300, 4000)
    decide = bench_policy.decide_many

    def wrong(policy, book, *rest):  # type: ignore[no-untyped-def]
        found = decide(policy, book, *rest)
        found.reason[7] ^= 1
        return found

    monkeypatch.setattr(bench_policy, "decide_many", wrong)
    with pytest.raises(WrongResult, match="one by one"):
        bench.measure(0.0)


def test_the_ledger_bench_notices_a_lost_grant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_ledger, "HELD", 1000)
    bench = LedgerBench()
    bench.granted += 1
    with pytest.raises(WrongResult, match="were granted, the database holds"):
        bench.measure(5, 0.0)
    bench.close()
