"""The other side's number on a list: as it is dialled or shown, against numbers in international form."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketing.campaigns import read_numbers
from marketing.profiles import Profiles

__all__ = ["international", "numbers_on", "on_numbers"]

COUNTRY: Final = "86"
"""Country code of the operator's own country (ITU-T E.164 list of country codes)."""
CHEAP_PREFIXES: Final = ("12593", "17951", "17911")
"""Dialled before a long-distance number; what follows is the number."""
MOBILES: Final = ("13", "15", "18")
"""How the eleven digits of a mobile number in national form begin."""
MOST_DIGITS: Final = 15  # ITU-T E.164 6.1


def international(number: str) -> int:
    """Digits as dialled or shown in international form, as their value; 0: not a number that has one.

    Service codes stay as they are. A mobile number in national form is told by its eleven digits.
    """
    for prefix in CHEAP_PREFIXES:
        rest = number.removeprefix(prefix)
        if rest != number and rest[:1] in ("0", "1"):
            number = rest
            break
    if number.startswith("00"):
        number = number[2:]
    elif number.startswith("0"):
        number = COUNTRY + number[1:]
    elif len(number) == 11 and number.startswith(MOBILES):
        number = COUNTRY + number
    return int(number) if number.isascii() and number.isdigit() and len(number) <= MOST_DIGITS else 0


def numbers_on(name: str, profiles: Profiles) -> NDArray[np.uint64]:
    """Numbers of an imported list, or of a CSV file, ascending; none of a list yet to be imported."""
    if name.endswith(".csv"):
        return np.unique(np.array(read_numbers(Path(name)), dtype=np.uint64))
    held = profiles.lists.by_name.get(name)
    if held is None:
        return np.zeros(0, dtype=np.uint64)
    return np.fromiter(held.numbers, dtype=np.uint64, count=len(held.numbers))


def on_numbers(peer: NDArray[np.bytes_], numbers: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which other sides are among ascending numbers."""
    if not len(numbers) or not len(peer):
        return np.zeros(len(peer), dtype=np.bool_)
    shown, back = np.unique(peer, return_inverse=True)
    values = np.array([international(one.decode("ascii", "replace")) for one in shown.tolist()], np.uint64)
    place = np.minimum(np.searchsorted(numbers, values), len(numbers) - 1)
    found: NDArray[np.bool_] = ((numbers[place] == values) & (values != 0))[back]
    return found
