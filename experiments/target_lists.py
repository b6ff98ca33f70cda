"""Lists that BOSS and BI would hand to the platform: who has a fine tone, points that fall due, may leave.

They are drawn from what BOSS knows of its customers (services, spending, services for which nothing shows on
a wire), keyed by seed and subscriber: the same in every arm, and no news of what people will do.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import Draws

__all__ = ["LISTS", "list_members", "write_lists", "write_origins"]

Members = NDArray[np.bool_]
Extract = Mapping[str, Sequence[Any]]


def _fine_tones(extract: Extract, drawn: Callable[[float], Members]) -> Members:
    """Whoever has the service has a tone, and every third has chosen one that others like."""
    return np.array(["ring-back-tone" in held for held in extract["services"]], bool) & drawn(1 / 3)


def _points_due(extract: Extract, drawn: Callable[[float], Members]) -> Members:
    """Points come with spending; of those who have some, one in five has not looked at them for long."""
    return (np.array(extract["arpu"], np.int64) >= 60) & drawn(0.2)


def _at_risk(extract: Extract, drawn: Callable[[float], Members]) -> Members:
    """What BI's model of churn gives: mostly small spenders, and those who are often off."""
    small = np.array(extract["arpu"], np.int64) < 60
    off = np.array(extract["often_off"], bool)
    return (small & drawn(0.08)) | (off & drawn(0.3))


def _outbound(_extract: Extract, drawn: Callable[[float], Members]) -> Members:
    """A tenth of the customers, for the outbound centre to telephone."""
    return drawn(0.1)


LISTS: Final[dict[str, tuple[int, Callable[[Extract, Callable[[float], Members]], Members]]]] = {
    "fine-tones": (10_011, _fine_tones),
    "points-due": (10_012, _points_due),
    "at-risk": (10_013, _at_risk),
    "outbound": (10_014, _outbound),
}
"""Name -> purpose of its draws (a study's own, beyond those of `sim.draws`), and who is on it."""


def list_members(extract: Extract, draws: Draws) -> dict[str, Members]:
    """Who is on which list, by subscriber of the world; customers alone."""
    sub = np.arange(len(extract["msisdn"]))
    customer = np.array(extract.get("customer", [True] * len(sub)), bool)

    def by(purpose: int) -> Callable[[float], Members]:
        return lambda share: draws.chance(share, purpose, sub)

    return {name: make(extract, by(purpose)) & customer for name, (purpose, make) in LISTS.items()}


def write_lists(extract: Extract, draws: Draws, folder: Path) -> dict[str, Path]:
    """Writes each list as CSV; name -> file."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for name, members in list_members(extract, draws).items():
        found[name] = folder / f"{name}.csv"
        with found[name].open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["msisdn"])
            writer.writerows([extract["msisdn"][i]] for i in np.flatnonzero(members).tolist())
    return found


def write_origins(prefixes: Mapping[str, str], path: Path) -> None:
    """Writes where subscribers come from by the first digits of their IMSIs, as operators tell each other."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["imsi_prefix", "origin"])
        writer.writerows(prefixes.items())
