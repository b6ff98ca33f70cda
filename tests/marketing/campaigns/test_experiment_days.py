"""An experiment that changes sides by the day: which days hold for whom, and what a wrong table is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from marketing.campaigns import CONTROL, Experiment, load
from marketing.campaigns.switchback import read_days
from marketing.config import ConfigError

CAMPAIGNS = Path(__file__).parents[3] / "scenarios" / "campaigns"
ARMS = {"arms": {"treated": 1.0}, "salt": "s"}


def table(folder: Path, text: str) -> Path:
    path = folder / "days.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("day", "msisdn", "rests"),
    [
        (date(2009, 3, 1), "8613900000001", True),
        (date(2009, 3, 2), "8613900000001", False),  # both ends are included
        (date(2009, 3, 4), "8613900000001", False),
        (date(2009, 3, 5), "8613900000001", True),
        (date(2009, 3, 9), "8613900000001", False),  # his own
        (date(2009, 3, 9), "8613900000002", True),
    ],
)
def test_days_of_everybody_and_of_one(tmp_path, day, msisdn, rests):
    path = table(tmp_path, "from,until,msisdn\n2009-03-02,2009-03-04,\n2009-03-09,2009-03-09,8613900000001\n")
    assert Experiment(**ARMS, days=path).rests(day, msisdn) is rests


def test_without_a_table_nobody_rests():
    assert not Experiment(**ARMS).rests(date(2009, 3, 1), "8613900000001")


def test_who_rests_is_control(tmp_path):
    table(tmp_path, "from,until\n2009-03-02,2009-03-02\n")
    shipped = (CAMPAIGNS / "missed-call-alert.yaml").read_text(encoding="utf-8")
    path = tmp_path / "campaign.yaml"
    path.write_text(f"{shipped}\nexperiment: {{arms: {{treated: 1.0}}, salt: s, days: days.csv}}\n")
    campaign = load(path)
    assert campaign.arm_on(date(2009, 3, 2), "001010000000001", "8613900000001") == "treated"
    assert campaign.arm_on(date(2009, 3, 3), "001010000000001", "8613900000001") == CONTROL
    assert not campaign.contacts(CONTROL)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("day\n2009-03-02\n", "line 1: expected the header from,until"),
        ("from,until\n2009-03-02,2009-03-01\n", "line 2: expected two days"),
        ("from,until\n2009-03-02,tomorrow\n", "line 2: expected two days"),
        ("from,until,msisdn\n2009-03-02,2009-03-02,12\n", "line 2: msisdn: expected 5 to 15 digits"),
    ],
)
def test_wrong_tables_are_refused_with_their_line(tmp_path, text, said):
    with pytest.raises(ValueError, match=said):
        read_days(table(tmp_path, text))
    with pytest.raises(ValidationError, match=said):
        Experiment(**ARMS, days=table(tmp_path, text))


def test_a_table_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "days.csv"
    path.write_bytes(b"from,until\n\xff,\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_days(path)
