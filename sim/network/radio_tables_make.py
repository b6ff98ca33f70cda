"""Writes `sim/network/radio_tables.py`, whose text `python -m sim.network.radio_tables_make` prints.

Only this script uses logarithms and angles; what it wrote is committed, so that no simulated radio link
depends on a machine's mathematical library. A test recomputes the tables (within one unit).
"""

from __future__ import annotations

import sys
from math import atan, degrees, log2, radians, sin

PIECES = 256


def log2_rows() -> list[int]:
    """log2(1 + i / 256) in units of 1/65536, i = 0..256."""
    return [round(log2(1 + i / PIECES) * 65536) for i in range(PIECES + 1)]


def atan_rows() -> list[int]:
    """atan(i / 256) in hundredths of a degree, i = 0..256."""
    return [round(degrees(atan(i / PIECES)) * 100) for i in range(PIECES + 1)]


def direction_rows() -> list[int]:
    """Sine of 0..359 degrees in units of 1/16384; the cosine is the sine a quarter turn on."""
    return [round(sin(radians(d)) * 16384) for d in range(360)]


def _as_source(name: str, rows: list[int], doc: str) -> str:
    lines, line = [f"{name} = ("], "   "
    for value in rows:
        word = f" {value},"
        if len(line) + len(word) > 108:
            lines.append(line)
            line = "   "
        line += word
    return "\n".join([*lines, line, ")", f'"""{doc}"""'])


def source() -> str:
    """The text of `sim/network/radio_tables.py`."""
    return "\n".join(
        [
            '"""Logarithms and angles as whole numbers; written by `sim.network.radio_tables_make`."""',
            "",
            "# fmt: off",
            _as_source("LOG2_Q16", log2_rows(), "log2(1 + i / 256) in units of 1/65536."),
            _as_source("ATAN_CDEG", atan_rows(), "atan(i / 256) in hundredths of a degree."),
            _as_source("SINE_Q14", direction_rows(), "Sine of whole degrees in units of 1/16384."),
            "",
        ]
    )


if __name__ == "__main__":
    sys.stdout.write(source())
