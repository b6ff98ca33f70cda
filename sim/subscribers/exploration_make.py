"""Writes `exploration_tables.py`: run `python -m sim.subscribers.exploration_make` into it to renew it.

The laws are those of exploration and preferential return (Song, Koren, Wang, Barabasi: "Modelling the scaling
properties of human mobility", Nature Physics 6, 2010) with its fitted exponents; only this script uses powers
and exponentials, so that no simulation depends on a machine's mathematical library.

* WAITING: stays, p(t) ~ t**-(1 + 0.8) from a shortest one on, cut at 64 times that; divided by the median.
* RETURN: running sums of (r + 2)**-(1 + 0.21) over ranks r. The two most frequent places, home and work, have
  fixed hours and are not drawn; visits to a place of rank k of all go as k**-(1 + gamma).
* KNOWN_AFTER: days until place k is discovered, k**(1 + gamma) / (1.5 rho (1 + gamma)), in sixteenths:
  so many are known if an outing leads to a new one with the chance rho S**-gamma and there are 1.5 a day.
* DISTANCE: weight of a place at the distance d, by d**2: (d + 1.5 km)**-1.75 exp(-d / 80 km) / d, and below
  300 m as at 300 m. Places cover a plane, of which 2 pi d dd lies at the distance d, so that lengths of jumps
  go as (d + 1.5 km)**-1.75 exp(-d / 80 km) (Gonzalez, Hidalgo, Barabasi: "Understanding individual human
  mobility patterns", Nature 453, 2008, where the cut is at 400 or 80 km).
"""

from __future__ import annotations

import sys
from math import exp, sqrt

from sim.draw_tables_make import as_source, half_table

RHO, GAMMA, BETA = 0.6, 0.21, 0.8
OUTINGS = 1.5
LONGEST = 64.0
RANKS = 512
JUMP, NEAR_M, FAR_M, LEAST_M = 1.75, 1500.0, 80_000.0, 300.0
OCTAVES, PIECES = 39, 16


def waiting(tail: float, upper: bool) -> float:
    """Quantiles of stays in medians: 1 at the median."""
    kept = 1.0 - LONGEST**-BETA
    share = 1.0 - tail if upper else tail
    return float(((1.0 - share * kept) / (1.0 - 0.5 * kept)) ** (-1.0 / BETA))


def returns() -> list[int]:
    """Running sums over ranks 0 (nothing) .. 512."""
    sums = [0]
    for rank in range(1, RANKS + 1):
        sums.append(sums[-1] + round((1 << 28) * (rank + 2.0) ** -(1.0 + GAMMA)))
    return sums


def known_after() -> list[int]:
    """Days until place 1 .. 512 is known, times 16."""
    return [round(16.0 * k ** (1.0 + GAMMA) / (OUTINGS * RHO * (1.0 + GAMMA))) for k in range(1, RANKS + 1)]


def distance() -> list[int]:
    """Weights at the middles of the pieces of every octave of the squared distance in metres."""
    rows = []
    for row in range(OCTAVES * PIECES):
        octave, piece = divmod(row, PIECES)
        metres = sqrt((1 << octave) * (1.0 + (piece + 0.5) / PIECES))
        weight = (1.0 + metres / NEAR_M) ** -JUMP * exp(-metres / FAR_M) * LEAST_M / max(metres, LEAST_M)
        rows.append(max(1, round((1 << 36) * weight)))
    return rows


def source() -> str:
    """The text of the module."""
    tables = {
        "WAITING_LOWER": half_table(waiting, False),
        "WAITING_UPPER": half_table(waiting, True),
        "RETURN": returns(),
        "KNOWN_AFTER": known_after(),
        "DISTANCE": distance(),
    }
    head = (
        '"""Exploration and preferential return as integers.\n\n'
        "Written by `sim.subscribers.exploration_make`, which says what they are; do not edit by hand.\n"
        '"""\n\n'
        "# fmt: off\n"
    )
    return head + "\n".join(as_source(name, rows) for name, rows in tables.items()) + "\n"


if __name__ == "__main__":
    sys.stdout.write(source())
