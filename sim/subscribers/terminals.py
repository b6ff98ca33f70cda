"""Handset models by a fictitious type allocation code, and IMEIs with their check digit.

The codes start with 00 1017, which no body allocates (TS 23.003 6.2.1: reporting body 00 is for test
equipment), and the makers do not exist. IMEI: 8 digits TAC, 6 digits serial number, 1 check digit (Luhn, TS
23.003 annex B).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Terminal:
    """One handset model."""

    tac: int
    """Type allocation code; eight digits, leading zeros not stored."""
    maker: str
    model: str
    gprs: bool
    edge: bool
    wap: bool
    mms: bool
    java: bool
    price_class: int
    """1 cheap, 2 middle, 3 dear."""
    year: int
    """Year it came to market."""


#           tac      maker      model         gprs   edge   wap    mms    java  price year
TERMINALS: Final = (
    Terminal(101701, "Baihe", "B100", False, False, False, False, False, 1, 2003),
    Terminal(101702, "Baihe", "B130", False, False, True, False, False, 1, 2004),
    Terminal(101703, "Xingchen", "Lite 2", True, False, True, False, False, 1, 2005),
    Terminal(101704, "Xingchen", "M20", True, False, True, True, False, 1, 2006),
    Terminal(101705, "Norda", "N310", True, False, True, True, True, 2, 2005),
    Terminal(101706, "Norda", "N525 Music", True, True, True, True, True, 2, 2006),
    Terminal(101707, "Halvar", "S5", True, False, True, True, True, 2, 2005),
    Terminal(101708, "Halvar", "S7 Slide", True, True, True, True, True, 2, 2007),
    Terminal(101709, "Norda", "N900 Office", True, True, True, True, True, 3, 2006),
    Terminal(101710, "Quill", "Messenger", True, True, True, True, True, 3, 2007),
    Terminal(101711, "Halvar", "X1", True, True, True, True, True, 3, 2007),
)  # fmt: skip
"""All models; `Population.terminal` is an index into it."""


def check_digit(first_fourteen: ArrayLike) -> NDArray[np.uint64]:
    """Luhn check digit of the first 14 digits of an IMEI given as integers (TS 23.003 annex B)."""
    rest = np.asarray(first_fourteen, dtype=np.uint64)
    total = np.zeros_like(rest)
    ten = np.uint64(10)
    for position in range(14):
        digit = rest % ten
        rest = rest // ten
        if position % 2 == 0:  # every second digit from the right is doubled and its digits are added
            digit = digit * np.uint64(2)
            digit = digit // ten + digit % ten
        total = total + digit
    digits: NDArray[np.uint64] = (ten - total % ten) % ten
    return digits


def imei(terminal: ArrayLike, serial: ArrayLike) -> NDArray[np.uint64]:
    """IMEIs (15 digits as integers) of handsets by model index and serial number 0 .. 999999."""
    tac = np.array([t.tac for t in TERMINALS], dtype=np.uint64)[np.asarray(terminal)]
    first = tac * np.uint64(1_000_000) + np.asarray(serial, dtype=np.uint64)
    whole: NDArray[np.uint64] = first * np.uint64(10) + check_digit(first)
    return whole
