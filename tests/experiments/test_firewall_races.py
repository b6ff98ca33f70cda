"""Several processes want the same person: the ledger lets none overshoot; a check-then-send is seen to."""

from __future__ import annotations

import pytest

from experiments.firewall.postgres import Postgres, no_postgres
from experiments.firewall.race import RaceKeys, race

KEYS = RaceKeys(workers=3, campaigns=6, rounds=12)


def test_one_ledger_lets_nobody_overshoot(tmp_path):
    found = race(tmp_path, KEYS)
    assert found["violations"] == {}
    assert found["contacts"] == 2 * KEYS.rounds


def test_the_same_race_sees_a_check_then_send_overshoot(tmp_path):
    found = race(tmp_path, KEYS, mutant=True)
    assert found["violations"]["cap"] > 0


@pytest.mark.skipif(bool(no_postgres()), reason=no_postgres() or "PostgreSQL is there")
def test_several_writers_of_one_postgresql_take_turns(tmp_path):
    with Postgres(tmp_path / "postgres") as server:
        found = race(tmp_path, KEYS, server.url)
    assert found["violations"] == {}
    assert found["contacts"] == 2 * KEYS.rounds
