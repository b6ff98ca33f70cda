"""A hundred campaigns and a mix of behaviours, to time the rules: what the benchmarks and a reader run.

The shares of `MIX` are of the order of a busy network's, not measured; `kairos bench` has real traffic.
Every tenth campaign is a pattern over time, every fifth has a condition on a feature; audiences take in one
subscriber in twenty.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import CODES, BehaviourBatch, empty
from marketing.campaigns import Campaign
from marketing.expressions import AnyColumn, Numbers
from marketing.profiles import Places, Profiles

__all__ = ["MIX", "SteadyView", "campaigns", "cell_table", "people", "rows_of"]

MIX: Final = {
    "call_started": 0.20,
    "call_connected": 0.13,
    "call_ended": 0.13,
    "call_no_answer": 0.03,
    "call_busy": 0.02,
    "call_rejected": 0.02,
    "sms_sent": 0.10,
    "sms_received": 0.11,
    "location_update": 0.08,
    "periodic_update": 0.06,
    "handover": 0.09,
    "power_on": 0.015,
    "power_off": 0.015,
}
"""Behaviour -> share of rows."""
_BEGINS: Final = ("call_ended", "sms_sent", "power_on", "call_busy", "location_update")
_BRANDS: Final = ("easyown", "gotone", "mzone", "none")


def campaigns(count: int) -> list[Campaign]:
    """Campaigns as people write them, of every kind of scene but dwells."""
    made = []
    for i in range(count):
        begin: dict[str, object] = {"behaviour": _BEGINS[i % len(_BEGINS)]}
        if i % 5 == 0:
            begin |= {"role": "caller", "peer": ["10086", "12580"]}
        if i % 5 == 4:
            begin["place"] = f"place-{i % 7}"
        scene: dict[str, object] = {"begin": begin}
        if i % 10 == 3:
            scene["then"] = [
                {"followed_by": {"behaviour": "call_no_answer"}, "within_s": 3600},
                {"not_followed_by": {"behaviour": "call_started"}, "within_s": 1800},
            ]
        if i % 5 == 2:
            scene["if"] = 'now.idle > duration("10m") && now.hour >= 8'
        made.append(
            Campaign.model_validate(
                {
                    "campaign": f"bench-{i}",
                    "title": "t",
                    "offer": "o",
                    "content": {"en": "hi"},
                    "originator": f"10086{i:03d}",
                    "scene": scene,
                    "audience": f"profile.age >= {20 + i % 40} && profile.age < {24 + i % 40}"
                    ' && profile.brand != "none"',
                }
            )
        )
    return made


def people(count: int) -> Profiles:
    """Ages and brands, evenly."""
    ids = np.arange(count)
    return Profiles.of(
        {
            "imsi": [f"46000{i:010d}" for i in range(count)],
            "msisdn": [f"86139{i:08d}" for i in range(count)],
            "age": (18 + ids * 7919 % 60).tolist(),
            "brand": [_BRANDS[i * 31 % 4] for i in range(count)],
            "language": ["zh"] * count,
        }
    )


def cell_table() -> Places:
    """A hundred cells, ten of them in seven places."""
    return Places.from_rows([(4097, ci, f"place-{ci % 7}" if ci < 10 else "") for ci in range(1, 101)])


class SteadyView:
    """A view that gives an idle time, as quickly as columns can be."""

    def __init__(self, subscribers: int) -> None:
        self._seen_us = np.zeros(subscribers, dtype=np.int64)

    def column(self, name: str, rows: NDArray[np.int64], at_us: NDArray[np.int64]) -> AnyColumn:
        """Of `now.idle` alone."""
        if name != "now.idle":
            raise KeyError(name)
        return Numbers(at_us - self._seen_us[rows])


def rows_of(count: int, subscribers: int, seed: int = 1) -> tuple[BehaviourBatch, NDArray[np.int64]]:
    """A batch of the mix, 100,000 rows to five minutes, and the subscriber of each row."""
    draws = np.random.default_rng(seed)
    batch = empty(count)
    batch["t_us"] = np.sort(draws.integers(0, count * 3000, count)) + 1_236_000_000_000_000
    kinds = np.array([CODES[name] for name in MIX], dtype=np.uint8)
    batch["kind"] = draws.choice(kinds, count, p=list(MIX.values()))
    batch["role"] = draws.integers(1, 3, count)
    batch["lac"], batch["ci"] = 4097, draws.integers(1, 101, count)
    peers = np.array([b"10086", b"12580", *(f"139{i:08d}".encode() for i in range(98))], dtype="S20")
    batch["peer"] = draws.choice(peers, count)
    batch["duration_us"] = draws.integers(0, 300_000_000, count)
    rows = draws.integers(0, subscribers, count)
    batch["imsi"] = 460000000000000 + rows.astype(np.uint64)
    return batch, rows
