"""Handset models by a fictitious range of type allocation codes, and IMEIs with their check digit.

The codes start with the reporting body identifier 00, which stands for test equipment (TS 23.003 6.2.1), and
the makers do not exist. IMEI: 8 digits TAC, 6 digits serial number, 1 check digit (Luhn, TS 23.003 annex B).
Model m has the thousand codes 00 1mm 000 .. 00 1mm 999, so that with the serial number nine digits are free:
enough for every handset of ten million people (`HANDSETS` each) to have a number of its own.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.draws import ONE_Q32, U32, shares_q32

HANDSETS: Final = 100
"""Handsets that one subscriber may have, one after another."""
SERIALS: Final = 10**9
"""Numbers of one model: three digits of the TAC and the serial number."""
_FIRST_MODEL = 100


@dataclass(frozen=True, slots=True)
class Terminal:
    """One handset model."""

    maker: str
    model: str
    abilities: str
    """Any of g GPRS, e EDGE, w WAP, m MMS, j Java."""
    price_class: int
    """1 cheap, 2 middle, 3 dear."""
    year: int
    """Year it came to market."""

    @property
    def name(self) -> str:
        """Maker and model."""
        return f"{self.maker} {self.model}"

    @property
    def gprs(self) -> bool:
        """Packet data."""
        return "g" in self.abilities

    @property
    def edge(self) -> bool:
        """Fast packet data."""
        return "e" in self.abilities

    @property
    def wap(self) -> bool:
        """A WAP browser."""
        return "w" in self.abilities

    @property
    def mms(self) -> bool:
        """Multimedia messages."""
        return "m" in self.abilities

    @property
    def java(self) -> bool:
        """Java applications."""
        return "j" in self.abilities


TERMINALS: Final = (
    Terminal("Baihe", "B90", "", 1, 2002),
    Terminal("Baihe", "B100", "", 1, 2003),
    Terminal("Baihe", "B130", "w", 1, 2004),
    Terminal("Baihe", "B150 Dual", "w", 1, 2005),
    Terminal("Baihe", "B170 FM", "gw", 1, 2006),
    Terminal("Xingchen", "Lite", "", 1, 2003),
    Terminal("Xingchen", "Lite 2", "gw", 1, 2005),
    Terminal("Xingchen", "M20", "gwm", 1, 2006),
    Terminal("Xingchen", "M22 Video", "gwmj", 1, 2007),
    Terminal("Luming", "L1", "", 1, 2004),
    Terminal("Luming", "L5 Loud", "", 1, 2006),
    Terminal("Luming", "L8 Senior", "", 1, 2007),
    Terminal("Norda", "N110", "", 1, 2003),
    Terminal("Norda", "N160", "w", 1, 2005),
    Terminal("Norda", "N260", "gwm", 1, 2006),
    Terminal("Norda", "N310", "gwmj", 2, 2005),
    Terminal("Norda", "N325", "gwmj", 2, 2004),
    Terminal("Norda", "N510", "gewmj", 2, 2006),
    Terminal("Norda", "N525 Music", "gewmj", 2, 2006),
    Terminal("Norda", "N610 Camera", "gewmj", 2, 2007),
    Terminal("Halvar", "S3", "gwm", 2, 2003),
    Terminal("Halvar", "S5", "gwmj", 2, 2005),
    Terminal("Halvar", "S6 Shell", "gwmj", 2, 2006),
    Terminal("Halvar", "S7 Slide", "gewmj", 2, 2007),
    Terminal("Mirabel", "Rose", "gwm", 2, 2005),
    Terminal("Mirabel", "Rose 2", "gwmj", 2, 2006),
    Terminal("Mirabel", "Pearl", "gewmj", 2, 2007),
    Terminal("Quill", "Note", "gwj", 2, 2004),
    Terminal("Quill", "Note 2", "gwmj", 2, 2006),
    Terminal("Norda", "N800", "gwmj", 3, 2004),
    Terminal("Norda", "N900 Office", "gewmj", 3, 2006),
    Terminal("Norda", "N950 Map", "gewmj", 3, 2007),
    Terminal("Halvar", "X1", "gewmj", 3, 2007),
    Terminal("Halvar", "X0", "gwmj", 3, 2005),
    Terminal("Quill", "Messenger", "gewmj", 3, 2007),
    Terminal("Quill", "Desk", "gewj", 3, 2005),
    Terminal("Mirabel", "Diamond", "gewmj", 3, 2007),
    Terminal("Mirabel", "Opal", "gewmj", 3, 2006),
)
"""All models; `Population.terminal` is an index into it, and mm of the codes 00 1mm xxx."""

PRICE_CLASS: Final = np.array([t.price_class for t in TERMINALS], dtype=np.uint8)
"""Price class of each model."""
MADE_SINCE: Final = 2006
"""A handset that replaces another is of a model of this year or younger."""


def tac_range(terminal: int) -> tuple[int, int]:
    """First and last type allocation code of a model; eight digits, leading zeros not stored."""
    first = (_FIRST_MODEL + terminal) * 1000
    return first, first + 999


def tac_table(path: str | Path) -> None:
    """Writes the table of type allocation codes that the platform reads (CSV, a range of codes a row)."""
    abilities = ("gprs", "edge", "wap", "mms", "java")
    with Path(path).open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(["tac_from", "tac_to", "maker", "model", *abilities, "price_class", "year"])
        for model, one in enumerate(TERMINALS):
            codes = (f"{code:08d}" for code in tac_range(model))
            can = ("true" if getattr(one, name) else "false" for name in abilities)
            price = ("low", "middle", "high")[one.price_class - 1]
            rows.writerow([*codes, one.maker, one.model, *can, price, one.year])


def _within_class(price: int, since: int) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """Models of a price class and their shares: each year twice as many as of the year before, to 2006."""
    rows = [i for i, t in enumerate(TERMINALS) if t.price_class == price and t.year >= since]
    return np.array(rows, np.uint8), shares_q32([2.0 ** min(TERMINALS[i].year - 2002, 4) for i in rows])


def _all_classes(since: int) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    classes = [_within_class(price, since) for price in (1, 2, 3)]
    models = np.concatenate([rows for rows, _ in classes])
    # One ascending row for all: class c occupies c-1 .. c in units of 2**32.
    bounds = np.concatenate([b + np.uint64(c * ONE_Q32) for c, (_, b) in enumerate(classes)])
    return models, bounds


_MODELS: Final = {since: _all_classes(since) for since in (0, MADE_SINCE)}


def models(price_class: ArrayLike, u: U32, since: int = 0) -> NDArray[np.uint8]:
    """Models drawn within price classes 1..3, of any year (`since` 0) or of MADE_SINCE and younger."""
    names, bounds = _MODELS[since]
    at = (np.asarray(price_class).astype(np.uint64) - np.uint64(1)) * np.uint64(ONE_Q32) + u.astype(np.uint64)
    return names[np.searchsorted(bounds, at, side="right")]


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
    """IMEIs (15 digits as integers) of handsets by model index and number 0 .. SERIALS - 1."""
    model = np.asarray(terminal).astype(np.uint64) + np.uint64(_FIRST_MODEL)
    first = model * np.uint64(SERIALS) + np.asarray(serial, dtype=np.uint64)
    whole: NDArray[np.uint64] = first * np.uint64(10) + check_digit(first)
    return whole


def terminal_of_imei(number: ArrayLike) -> NDArray[np.int64]:
    """Model of IMEIs by their type allocation code; -1 for a code of nobody here."""
    value = np.asarray(number, dtype=np.uint64)
    model = (value // np.uint64(10 * SERIALS)).astype(np.int64) - _FIRST_MODEL
    return np.where((model >= 0) & (model < len(TERMINALS)), model, -1)
