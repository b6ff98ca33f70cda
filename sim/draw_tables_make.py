"""Writes `sim/draw_tables.py`: run `python -m sim.draw_tables_make > sim/draw_tables.py` to renew it.

Only this script uses logarithms and exponentials; what it wrote is committed, so that no simulation depends
on a machine's mathematical library. A test recomputes the tables here (within one unit) and compares them
with scipy.

Layout of a half table: the probability of the tail is w / 2**33 with w in 1 .. 2**32. Row 16 * e + s holds
the quantile at w = 2**e * (1 + s / 16), in units of 1/65536: 32 octaves of 16 straight pieces, so that the
far tails are as well resolved as the middle. The last row (512) is the median.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import exp, log, log1p
from statistics import NormalDist

ONE = 1 << 16
OCTAVES = 32
PIECES = 16
ROWS = OCTAVES * PIECES + 1

_NORMAL = NormalDist()


def _exponential(tail: float, upper: bool) -> float:
    return -log(tail) if upper else -log1p(-tail)


def _normal(tail: float, upper: bool) -> float:
    value = _NORMAL.inv_cdf(tail)
    return -value if upper else value


def _logistic(tail: float, upper: bool) -> float:
    value = log(tail) - log1p(-tail)
    return -value if upper else value


def _lognormal(tail: float, upper: bool) -> float:
    return exp(_normal(tail, upper))


def _lognormal_half(tail: float, upper: bool) -> float:
    return exp(0.5 * _normal(tail, upper))


DISTRIBUTIONS: dict[str, tuple[Callable[[float, bool], float], str]] = {
    "EXPONENTIAL": (_exponential, "exponential of mean 1"),
    "NORMAL": (_normal, "normal of mean 0 and deviation 1"),
    "LOGISTIC": (_logistic, "logistic of location 0 and scale 1"),
    "LOGNORMAL": (_lognormal, "log-normal of median 1 and sigma 1"),
    "LOGNORMAL_HALF": (_lognormal_half, "log-normal of median 1 and sigma 1/2"),
}


def half_table(quantile: Callable[[float, bool], float], upper: bool) -> list[int]:
    """The 513 rows of one tail of a distribution, rounded to 1/65536."""
    rows: list[int] = []
    for row in range(ROWS):
        octave, piece = divmod(row, PIECES)
        tail = (1 << octave) * (PIECES + piece) / PIECES / 2.0**33
        rows.append(round(quantile(tail, upper) * ONE))
    return rows


def as_source(name: str, rows: list[int]) -> str:
    """A tuple of whole numbers as the lines of a module."""
    lines, line = [f"{name} = ("], "   "
    for value in rows:
        cell = f" {value},"
        if len(line) + len(cell) > 108:
            lines.append(line)
            line = "   "
        line += cell
    return "\n".join([*lines, line, ")"])


def source() -> str:
    """The text of `sim/draw_tables.py`."""
    parts = [
        '"""Inverse distribution functions as integers, in units of 1/65536.\n\n'
        "Written by `sim.draw_tables_make`, which describes the layout; do not edit by hand. LOWER serves\n"
        "probabilities below one half, UPPER the rest, both indexed by the octave of the tail.\n"
        '"""\n\n'
        "# fmt: off"
    ]
    for name, (quantile, text) in DISTRIBUTIONS.items():
        for half, upper in (("LOWER", False), ("UPPER", True)):
            parts.append(f"# {text}\n" + as_source(f"{name}_{half}", half_table(quantile, upper)))
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(source())
