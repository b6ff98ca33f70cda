"""The whole platform with rules of every kind in its policy file, and with PostgreSQL as its ledger."""

import csv

import pytest
import yaml

from marketing.contact.ledger import Ledger
from marketing.contact.schema import contact

DAY = "2009-03-02"
CALL = {"kind": "call_ended", "role": 1, "peer": b"10086"}


@pytest.fixture
def rules(town, tmp_path):
    """A policy beside the files that it names: subscriber 1 in Kathmandu, the airport busy until 10:30."""

    def written(**keys):
        for name, *rows in (
            ("zones.csv", ("msisdn", "timezone"), (town.msisdn(1), "Asia/Kathmandu")),
            ("busy.csv", ("cell", "from", "to"), ("4369-7", "10:00", "10:30")),
        ):
            with (tmp_path / name).open("w", newline="") as file:
                csv.writer(file).writerows(rows)
        policy = yaml.safe_load((town.SCENARIOS / "policies" / "default.yaml").read_text())
        named = {"timezones": {"file": "zones.csv"}, "busy_cells": {"file": "busy.csv", "then": "drop"}}
        (tmp_path / "rules.yaml").write_text(yaml.safe_dump({**policy, **named, **keys}))
        return str(tmp_path / "rules.yaml")

    return written


def test_zones_busy_cells_and_gaps_from_files(town, platform, rules):
    policy = rules(minimum_gap_s=3600, duplicate={"same_campaign_days": 0}, validity_s=600)
    one = platform(policy=policy, campaigns=("hang-up-sms",))
    one.tick(
        f"{DAY} 10:01:00",
        {"t": f"{DAY} 10:00:10", "sub": 0, **CALL},
        {"t": f"{DAY} 10:00:20", "sub": 1, **CALL},  # 07:45 in Kathmandu
        {"t": f"{DAY} 10:00:30", "sub": 2, "cell": town.AIRPORT, **CALL},
        {"t": f"{DAY} 10:00:40", "sub": 0, **CALL},
    )
    one.stop()
    ends = {(t["msisdn"], t["t_us"]): (t["state"], t["reason"]) for t in one.records().triggers}
    assert ends == {
        (town.msisdn(0), town.at(f"{DAY} 10:00:10")): ("sent", ""),
        (town.msisdn(1), town.at(f"{DAY} 10:00:20")): ("suppressed", "quiet_hours"),
        (town.msisdn(2), town.at(f"{DAY} 10:00:30")): ("suppressed", "busy_cell"),
        (town.msisdn(0), town.at(f"{DAY} 10:00:40")): ("suppressed", "gap"),
    }


def test_a_gap_outlasts_a_restart(town, platform, rules, tmp_path):
    policy = rules(minimum_gap_s=3600, duplicate={"same_campaign_days": 0})
    keys = {"policy": policy, "campaigns": ("hang-up-sms",), "ledger": {"url": f"sqlite:///{tmp_path}/l.db"}}
    first = platform(**keys)
    first.tick(f"{DAY} 10:01:00", {"t": f"{DAY} 10:00:10", "sub": 3, **CALL})
    assert len(first.centre.submits) == 1
    first.stop()
    second = platform(**keys)
    second.tick(
        f"{DAY} 10:11:00", {"t": f"{DAY} 10:10:00", "sub": 3, **CALL}, {"t": f"{DAY} 10:10:01", **CALL}
    )
    second.stop()
    assert len(second.centre.submits) == 1
    assert {t["reason"] for t in second.records().triggers} == {"gap", ""}


def test_a_policy_that_names_a_bad_file_is_refused_with_all_its_problems(town, platform, rules, tmp_path):
    from marketing.config import ConfigError
    from marketing.starting import load_started

    one = platform(policy=rules(), campaigns=())
    (tmp_path / "zones.csv").write_text("msisdn,timezone\nx,UTC\n")
    with pytest.raises(ConfigError, match=r"zones.csv:2: msisdn = x: expected 1 to 15 digits"):
        load_started(one.config)
    one.stop()


def test_postgresql_is_a_ledger_like_any_other(town, platform, postgres):
    url = postgres.database()
    one = platform(campaigns=("hang-up-sms",), ledger={"url": url})
    one.tick(f"{DAY} 10:01:00", {"t": f"{DAY} 10:00:10", "sub": 0, **CALL})
    (submitted,) = one.centre.submits
    assert one.stop() == 0
    ledger = Ledger(url, cap=2)
    (row,) = ledger.rows(contact)
    assert (row["state"], str(row["msisdn"])) == ("submitted", submitted.destination_addr)
    assert row["latest_us"] == row["valid_until_us"] + 60_000_000
    ledger.close()
    again = platform(campaigns=("hang-up-sms",), ledger={"url": url})
    again.tick(f"{DAY} 10:11:00", {"t": f"{DAY} 10:10:00", "sub": 0, **CALL})
    assert not again.centre.submits
    assert {t["reason"] for t in again.records().triggers} if again.stop() else True
