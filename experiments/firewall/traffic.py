"""Triggers chosen to hurt: at the edges of hours, days and months, in bursts, and again when a rule ends.

Everything is drawn from a seed. People live in five zones, one of them behind UTC and two with clock
changes in the time that is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import yaml
from numpy.typing import NDArray

__all__ = ["CAMPAIGNS", "CELLS", "Sender", "Traffic", "make_traffic", "write_policy"]

FIRST: Final = date(2008, 2, 20)
"""A leap day, two month ends and two clock changes lie ahead."""
DAYS: Final = 48
ZONES: Final = ("Asia/Shanghai", "Asia/Kathmandu", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Auckland")
CELLS: Final = tuple((257, ci) for ci in range(1, 13))
"""LAC and CI; every fourth has busy hours."""
SECOND_US: Final = 1_000_000
GAP_S: Final = 36_000
ROLLING_S: Final = 14 * 86400
DATA_S: Final = 20 * 86400
AFTER_S: Final = 3 * 86400


@dataclass(frozen=True, slots=True)
class Sender:
    """What a campaign is to the policy and to handsets."""

    name: str
    originator: str
    channel: str = "sms"
    parts: int = 1
    holds: bool = True


CAMPAIGNS: Final = (
    Sender("data-a", "100860011"),
    Sender("data-b", "100860012", channel="mms"),
    Sender("credit", "100860021", holds=False),
    Sender("care", "100860031"),
    Sender("plain-a", "1008604", parts=2),
    Sender("plain-b", "1008605"),
    Sender("plain-c", "1008606", parts=3, holds=False),
    Sender("picture-a", "1008607", channel="mms"),
    Sender("picture-b", "1008608", channel="mms"),
    Sender("push-a", "1008609", channel="wap"),
    Sender("push-b", "1008610", channel="wap"),
)

POLICY: Final[dict[str, Any]] = {
    "timezone": ZONES[0],
    "timezones": {"file": "zones.csv"},
    "caps": {
        "per_calendar_month": 5,
        "rules": [
            {"most": 2, "per": "day"},
            {"most": 3, "per": "week"},
            {"most": 4, "within_s": ROLLING_S},
            {"most": 1, "per": "month", "channels": ["mms"]},
            {"most": 1, "within_s": DATA_S, "classes": ["data"]},
        ],
    },
    "minimum_gap_s": GAP_S,
    "classes": {
        "data": {"originators": ["10086001"]},
        "credit": {"originators": ["10086002"]},
        "care": {"originators": ["10086003"]},
    },
    "not_after": [{"classes": ["credit"], "after": ["care"], "within_s": AFTER_S}],
    "quiet_hours": {"from": "22:30", "to": "07:30", "then": "hold"},
    "closed_hours": [
        {"name": "lunch", "from": "11:30", "to": "13:00", "then": "hold"},
        {"name": "Sunday evening", "from": "19:00", "to": "20:30", "days": ["sun"], "then": "drop"},
    ],
    "holidays": {"dates": ["2008-03-08", "2008-04-04"], "then": "hold"},
    "busy_cells": {"file": "busy.csv", "then": "drop"},
    "do_not_disturb": {"file": "stops.csv"},
    "control_group": {"file": "control.csv"},
    "duplicate": {"same_campaign_days": 4},
    "marketing_originators": ["100860", "100861"],
}  # fmt: skip
EDGES: Final = ("00:00", "07:30", "21:30", "11:30", "13:00", "19:00", "20:30", "22:30", "17:00", "18:30")
"""Local times at which something changes."""
AROUND_S: Final = (-360.0, -301.0, -300.0, -61.0, -1.0, -1e-6, 0.0, 1e-6, 1.0, 60.0)
"""Seconds from such a time at which triggers come."""


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """Triggers in the order of time, and who wants no more from when on."""

    t_us: NDArray[np.int64]
    row: NDArray[np.int64]
    """Subscriber."""
    campaign: NDArray[np.int64]
    """Position in CAMPAIGNS."""
    cell: NDArray[np.int64]
    """Position in CELLS: where the subscriber is, until the next of his triggers."""
    stops: tuple[tuple[int, int], ...]
    """Unix us and subscriber, in the order of time."""
    zone: NDArray[np.int64]
    """Position in ZONES, by subscriber."""
    control: NDArray[np.bool_]
    """By subscriber."""
    first: int = 0
    """Number of subscriber 0 among all people of a trial in parts."""

    @property
    def subscribers(self) -> int:
        """People."""
        return len(self.zone)

    def msisdn(self, row: int) -> str:
        """Of a subscriber."""
        return f"86135{self.first + row:08d}"


def make_traffic(subscribers: int, seed: int, sessions: float = 9.0, first: int = 0) -> Traffic:
    """Draws it: so many moments a subscriber, each with up to five triggers, some with an echo."""
    chance = np.random.default_rng(seed)
    zone = chance.choice(len(ZONES), subscribers, p=(0.4, 0.15, 0.15, 0.15, 0.15))
    who = np.repeat(np.arange(subscribers), chance.poisson(sessions, subscribers))
    day = chance.integers(0, DAYS, len(who))
    # Half of the moments are at month ends, holidays and clock changes.
    special = np.array([8, 9, 10, 16, 17, 18, 38, 39, 40, 41, 43, 44, 45])
    day = np.where(chance.random(len(who)) < 0.4, chance.choice(special, len(who)), day)
    edge = chance.integers(0, len(EDGES), len(who))
    around = chance.choice(np.array(AROUND_S), len(who))
    local_us = _edges(zone)[zone[who], day, edge]
    free_us = chance.integers(0, 86_400 * SECOND_US, len(who))
    midnight_us = _edges(zone)[zone[who], day, 0]
    at_edge = chance.random(len(who)) < 0.45
    moment = np.where(at_edge, local_us + np.round(around * 1e6).astype(np.int64), midnight_us + free_us)
    # Echoes: what was decided then ends to count exactly then.
    echo = chance.random(len(who)) < 0.35
    after_s = chance.choice(np.array([GAP_S, ROLLING_S, DATA_S, AFTER_S, 4 * 86400, 86400]), echo.sum())
    off = chance.choice(
        np.array([-SECOND_US, -1, 0, 1, SECOND_US, 21_600 * SECOND_US, 21_660 * SECOND_US]), echo.sum()
    )
    moment = np.concatenate((moment, moment[echo] + after_s * SECOND_US + off))
    who = np.concatenate((who, who[echo]))
    burst = chance.integers(1, 5, len(who))
    row = np.repeat(who, burst)
    within = np.array([0, 0, 1, 700, 3_000, 40_000, 900_000])
    t_us = np.repeat(moment, burst) + chance.choice(within, len(row))
    place = np.repeat(chance.integers(0, len(CELLS), len(who)), burst)
    order = np.lexsort((row, t_us))
    campaign = chance.integers(0, len(CAMPAIGNS), len(row))
    stops = _stops(chance, who, moment)
    control = chance.random(subscribers) < 0.02
    return Traffic(t_us[order], row[order], campaign[order], place[order], stops, zone, control, first)


def _edges(_zone: NDArray[Any]) -> NDArray[np.int64]:
    """Unix us by zone, day and edge."""
    found = np.empty((len(ZONES), DAYS, len(EDGES)), np.int64)
    for z, name in enumerate(ZONES):
        for d in range(DAYS):
            for e, text in enumerate(EDGES):
                local = datetime.fromisoformat(f"{FIRST + timedelta(days=d)}T{text}").replace(
                    tzinfo=ZoneInfo(name)
                )
                found[z, d, e] = round(local.timestamp()) * SECOND_US
    return found


def _stops(
    chance: np.random.Generator, who: NDArray[np.int64], moment: NDArray[np.int64]
) -> tuple[tuple[int, int], ...]:
    """Every twentieth subscriber stops, shortly before one of his moments, in the middle of a second."""
    chosen = np.flatnonzero(chance.random(len(who)) < 0.006)
    before = chance.choice(np.array([2, 5, 30, 59, 3_600]), len(chosen)) * SECOND_US
    found: dict[int, int] = {}
    for at, row in sorted(zip((moment[chosen] - before).tolist(), who[chosen].tolist(), strict=True)):
        found.setdefault(row, at + 500_000)
    return tuple(sorted((at, row) for row, at in found.items()))


def write_policy(folder: Path, traffic: Traffic) -> Path:
    """The policy file with the lists that it names, as operator and audit have them."""
    folder.mkdir(parents=True, exist_ok=True)
    zones = [f"{traffic.msisdn(row)},{ZONES[z]}" for row, z in enumerate(traffic.zone.tolist()) if z]
    _write(folder / "zones.csv", "msisdn,timezone", zones)
    busy = [f"{lac}-{ci},17:00,18:30" for lac, ci in CELLS[::4]]
    _write(folder / "busy.csv", "cell,from,to", busy)
    _write(
        folder / "control.csv",
        "msisdn,since",
        [f"{traffic.msisdn(r)}," for r in np.flatnonzero(traffic.control).tolist()],
    )
    _write(folder / "stops.csv", "msisdn,since", _dated(traffic))
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump(POLICY), encoding="utf-8")
    return path


def _dated(traffic: Traffic) -> list[str]:
    zone, epoch = ZoneInfo(ZONES[0]), datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))
    found = []
    for at, row in traffic.stops:
        local = (epoch + timedelta(microseconds=at)).astimezone(zone).replace(tzinfo=None)
        found.append(f"{traffic.msisdn(row)},{local.isoformat()}")
    return found


def _write(path: Path, header: str, rows: Sequence[str]) -> None:
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
