"""What the engine's tests share beside a town: a campaign that is sent to a group at a set hour."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marketing.campaigns import Campaign


@pytest.fixture
def group(tmp_path: Path) -> Callable[..., Campaign]:
    """Makes a campaign whose group is sent at 10:00 of the first day; keywords replace its values."""
    targets = tmp_path / "targets.csv"
    targets.write_text("msisdn,day\n")

    def make(**changes: Any) -> Campaign:
        values = {
            "campaign": "blanket",
            "title": "b",
            "mode": "group",
            "offer": "o",
            "content": {"zh": "x"},
            "originator": "1008609",
            "group": {"at": "10:00", "day": 1, "targets": str(targets)},
        }
        return Campaign.model_validate(values | changes)

    return make
