"""The machine's clock is set while the platform runs: no gap leaps with it, now or after a restart."""

import sqlite3
import time
from types import SimpleNamespace

import pytest

import marketing.clock
from marketing.contact.ledger import LedgerError
from smpp.status import CommandStatus

DAY = "2009-03-02"
CALL = {"kind": "call_ended", "role": 1, "peer": b"10086"}
POLICY = """timezone: Asia/Shanghai
caps: {per_calendar_month: 9}
minimum_gap_s: 86400
duplicate: {same_campaign_days: 0}
marketing_originators: ["100860"]
"""
DAYS_S = 5 * 86_400


@pytest.fixture
def machine(monkeypatch, town):
    """Its time goes on and can be set: `set_s` is what it shows more."""
    made = SimpleNamespace(set_s=0.0)
    ahead_ns = town.at(f"{DAY} 10:00") * 1000 - time.monotonic_ns()
    shown = SimpleNamespace(
        monotonic_ns=time.monotonic_ns,
        time_ns=lambda: time.monotonic_ns() + ahead_ns + round(made.set_s * 1e9),
    )
    monkeypatch.setattr(marketing.clock, "time", shown)
    return made


@pytest.fixture
def wall(platform, tmp_path, machine):
    (tmp_path / "gap.yaml").write_text(POLICY)

    def start(**changes):
        keys = {"mode": "wall", "epoch": None, "factor": 1.0}
        return platform(clock=keys, policy=str(tmp_path / "gap.yaml"), **changes)

    return start


def called(one, sub, n, **outcome):
    """A call now, and what becomes of its trigger."""
    one.push({"t": one.server.clock.now_us(), "sub": sub, "corr": n, **CALL})
    one.until(lambda: one.server.records.counts() == outcome)


def received(one, number):
    """The centre says that its messages have been read, now."""
    talk = one.server.dispatcher.conversations
    one.until(lambda: talk.pending(number))
    for message_id, _ in talk.pending(number):
        assert one.centre.receipt(message_id, one.server.clock.now_us()) == CommandStatus.ESME_ROK
    one.until(lambda: not talk.pending(number))


def followed(one, times):
    one.until(lambda: one.server.clock.steps == times)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_gap_does_not_leap_with_the_clock(town, wall, machine, workers):
    one = wall(workers=workers)
    called(one, 1, 1, sent=1)
    received(one, town.msisdn(1))
    machine.set_s = DAYS_S
    followed(one, 1)
    called(one, 1, 2, sent=1, suppressed=1)
    called(one, 2, 3, sent=2, suppressed=1)
    machine.set_s = 0.0
    followed(one, 2)
    called(one, 2, 4, sent=2, suppressed=2)
    called(one, 3, 5, sent=3, suppressed=2)
    metrics = one.server.metrics.text().decode()
    for direction in ("forward", "back"):
        assert f'kairos_clock_steps_total{{direction="{direction}"}} 1.0' in metrics
    assert one.stop() == 0
    assert {t["reason"] for t in one.records().triggers} == {"", "gap"}
    # The next one knows it from the ledger alone.
    machine.set_s = 0.0
    again = wall(workers=workers, ledger={"url": one.config.ledger.url})
    called(again, 1, 1, suppressed=1)
    called(again, 2, 2, suppressed=2)
    machine.set_s = 2 * 86_400.0
    followed(again, 1)
    called(again, 3, 3, suppressed=3)
    assert again.stop() == 0
    assert {t["reason"] for t in again.records().triggers} == {"gap"}


def test_a_gap_is_over_when_it_is_over_by_true_time(town, wall, machine):
    """Set back by days: contacts in what is now the future are as old as they are, not younger."""
    one = wall()
    called(one, 1, 1, sent=1)
    received(one, town.msisdn(1))
    machine.set_s = -DAYS_S
    followed(one, 1)
    state = one.server.engine.state
    (known,) = state.book.contacts(state.profiles.row_of_msisdn(town.msisdn(1)))
    assert abs(known.latest_s * 1_000_000 - one.server.clock.now_us()) < 60_000_000
    one.stop()


def test_a_receipt_from_before_its_contact_is_of_another_clock(town, wall, machine):
    one = wall()
    called(one, 1, 1, sent=1)
    decided_us = one.server.clock.now_us()
    state = one.server.engine.state
    row = state.profiles.row_of_msisdn(town.msisdn(1))
    one.until(lambda: one.server.dispatcher.conversations.pending(town.msisdn(1)))
    ((message_id, _),) = one.server.dispatcher.conversations.pending(town.msisdn(1))
    assert one.centre.receipt(message_id, decided_us - 7_200_000_000) == CommandStatus.ESME_ROK
    one.until(lambda: not one.server.dispatcher.conversations.pending(town.msisdn(1)))
    (known,) = state.book.contacts(row)
    assert known.latest_s >= decided_us // 1_000_000
    assert known.latest_s * 1_000_000 < decided_us + 60_000_000
    one.stop()


def test_no_step_is_followed_that_the_ledger_cannot_keep(town, wall, machine, monkeypatch):
    """Time goes on as before until it can."""
    one = wall()
    called(one, 1, 1, sent=1)
    ledger, asked = one.server.ledger.ledger, []
    right = type(ledger).apply

    def full(self, operations):
        if any(type(o).__name__ == "ClockStep" for o in operations):
            asked.append(1)
            raise LedgerError("disk full")
        return right(self, operations)

    monkeypatch.setattr(type(ledger), "apply", full)
    machine.set_s = DAYS_S
    one.until(lambda: len(asked) > 1)
    assert abs(one.server.clock.now_us() - town.at(f"{DAY} 10:00")) < 600_000_000
    called(one, 1, 2, sent=1, suppressed=1)
    monkeypatch.setattr(type(ledger), "apply", right)
    followed(one, 1)
    called(one, 1, 3, sent=1, suppressed=2)
    one.stop()
    with sqlite3.connect(one.folder / "ledger.db") as database:
        ((latest_us,),) = database.execute("SELECT latest_us FROM contact").fetchall()
    assert latest_us > town.at(f"{DAY} 10:00") + DAYS_S * 1_000_000
