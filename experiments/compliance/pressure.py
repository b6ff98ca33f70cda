"""How contacts are shared out among people: distribution, percentiles, Gini coefficient, Lorenz curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pressure", "gini", "lorenz", "percentile", "pressure", "top_share"]

POINTS: Final = 101
"""Of the Lorenz curve, both ends included."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """Contacts of a number of people, those without any among them."""

    people: int
    contacts: int
    reached: int
    """People with at least one contact."""
    mean: float
    """Contacts a person."""
    p50: int
    p90: int
    p99: int
    most: int
    gini: float | None
    """0: everybody has as many; towards 1: one has all. None: nobody has any."""
    gini_reached: float | None
    """Among those with at least one."""
    top_1pct_share: float | None
    """Part of all contacts that went to the hundredth of the people with most, rounded up to whole people."""
    distribution: tuple[int, ...]
    """People with 0, 1, 2 ... contacts."""
    lorenz: tuple[float, ...]
    """Share of all contacts of the i % of people with fewest, i = 0..100; empty: nobody has any."""


def pressure(contacts: NDArray[np.integer]) -> Pressure:
    """Measures it. `contacts`: of each person, shape (people,), not negative. Raises ValueError: nobody."""
    if not len(contacts):
        raise ValueError("nobody could be contacted: there is no distribution over no people")
    values = np.sort(np.asarray(contacts, np.int64))
    total, reached = int(values.sum()), values[values > 0]
    return Pressure(
        people=len(values),
        contacts=total,
        reached=len(reached),
        mean=total / len(values),
        p50=percentile(values, 0.50),
        p90=percentile(values, 0.90),
        p99=percentile(values, 0.99),
        most=int(values[-1]),
        gini=gini(values),
        gini_reached=gini(reached),
        top_1pct_share=top_share(values, 0.01),
        distribution=tuple(np.bincount(values).tolist()),
        lorenz=tuple(lorenz(values).tolist()),
    )


def percentile(ascending: NDArray[np.int64], share: float) -> int:
    """The smallest value that at least this share of them do not exceed."""
    rank = max(int(np.ceil(share * len(ascending) - 1e-9)), 1)
    return int(ascending[rank - 1])


def gini(values: NDArray[np.int64]) -> float | None:
    """Half the mean absolute difference of two of them, drawn with replacement, over their mean.

    None where there are none, or all are zero.
    """
    n, total = len(values), int(np.sum(values))
    if not total:
        return None
    ordered = np.sort(values)
    return float(2 * np.sum(np.arange(1, n + 1) * ordered) / (n * total) - (n + 1) / n)


def top_share(values: NDArray[np.int64], share: float) -> float | None:
    """Part of the total that belongs to the greatest `share` of them, rounded up; None: the total is zero."""
    total = int(np.sum(values))
    if not total:
        return None
    many = int(np.ceil(share * len(values) - 1e-9))
    return float(np.sort(values)[len(values) - many :].sum() / total)


def lorenz(values: NDArray[np.int64]) -> NDArray[np.float64]:
    """The curve at POINTS equally spaced shares of the people, straight between them; empty: total zero."""
    total = int(np.sum(values))
    if not total:
        return np.zeros(0)
    height = np.concatenate(([0], np.cumsum(np.sort(values)))) / total
    at: Sequence[float] = np.linspace(0, 1, POINTS).tolist()
    return np.interp(at, np.linspace(0, 1, len(values) + 1), height)
