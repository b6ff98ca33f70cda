"""What was planted in the people, for whoever wants to know whether it was found.

`planted` works out, from the tables that people are drawn from and not from the people drawn, what lift,
clustering and prediction have to recover. It is written in floating point and decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import permutations
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.scenario import WorldScenario
from sim.subscribers.copula import LOADINGS, SHARED, correlation
from sim.subscribers.drawing import SAME_NEIGHBOURHOOD, by_segment, column, fitting_tariff, weighted_mean
from sim.subscribers.segments import BRANDS, SEGMENTS
from sim.subscribers.terminals import TERMINALS
from sim.subscribers.traits import CONTENTS, MISFIT_SHARE, PLACE_NAMES, SERVICES, TARIFFS, TRAITS

if TYPE_CHECKING:
    from sim.subscribers.population import Population

__all__ = ["COLUMNS", "people_table", "planted"]

COLUMNS: Final = ("kind", "segment", "a", "b", "value")
"""Columns of the table: what kind of figure, of which segment ("" for all), of which traits, how much."""

Row = tuple[str, str, str, str, float]

_NORMAL = NormalDist()
_STEPS = 400
_RANKED = (
    "arpu", "age", "terminal", "calls", "texts", "services", "degree", "rivals", "complaint", "churn",
)  # fmt: skip
"""Traits with a rank that can be seen (through a rate, an age, a price)."""


def _both(p: float, q: float, rho: float) -> float:
    """Chance that two correlated normal scores both pass the cuts of their shares."""
    if p <= 0.0 or q <= 0.0:
        return 0.0
    if p >= 1.0 or q >= 1.0:
        return min(p, q)
    # Over the first score's upper tail, in equal steps of its probability (midpoints).
    t, spread = _NORMAL.inv_cdf(1.0 - q), math.sqrt(1.0 - rho * rho)
    total = 0.0
    for step in range(_STEPS):
        x = _NORMAL.inv_cdf(1.0 - p + p * (step + 0.5) / _STEPS)
        total += 0.5 * math.erfc((t - rho * x) / spread / math.sqrt(2.0))
    return p * total / _STEPS


def _rank_correlation(rho: float) -> float:
    """Spearman's coefficient of two normal scores with Pearson's."""
    return 6.0 / math.pi * math.asin(rho / 2.0)


def _flags(names: tuple[str, ...], shares: list[list[float]], weights: list[float]) -> Iterator[Row]:
    """Shares by segment and over the world, and lifts P(b | a) / P(b) between all pairs."""
    total = sum(weights)
    world = [
        sum(w * row[k] for w, row in zip(weights, shares, strict=True)) / total for k in range(len(names))
    ]
    for s, row in zip(SEGMENTS, shares, strict=True):
        yield from (("share", s.name, name, "", p) for name, p in zip(names, row, strict=True))
    yield from (("share", "", name, "", p) for name, p in zip(names, world, strict=True))
    both: dict[frozenset[int], float] = {}
    for i, j in permutations(range(len(names)), 2):
        pair = frozenset((i, j))
        if pair not in both:
            rho = correlation(names[i], names[j])
            both[pair] = (
                sum(w * _both(row[i], row[j], rho) for w, row in zip(weights, shares, strict=True)) / total
            )
        if world[i] > 0.0 and world[j] > 0.0:
            yield "lift", "", names[i], names[j], both[pair] / world[i] / world[j]


def _by_segment(scenario: WorldScenario, weights: list[float]) -> Iterator[Row]:
    """Figures of each segment."""
    habits, usage, changes = scenario.habits, scenario.usage, scenario.changes
    total = sum(weights)
    rates = (
        ("calls", usage.calls_per_day, column(lambda s: s.calls)),
        ("services", usage.service_calls_per_day, column(lambda s: s.services)),
        ("texts", usage.texts_per_day, column(lambda s: s.texts)),
    )
    shares = (
        ("often-off", habits.often_off_share, [t.often_off for t in TRAITS]),
        ("often-rejects", habits.often_rejects_share, [t.often_rejects for t in TRAITS]),
        ("nightly-off", habits.nightly_off_share, [s.night_off for s in SEGMENTS]),
        ("churn", changes.churn_per_month, [t.churn for t in TRAITS]),
    )
    for k, (s, t) in enumerate(zip(SEGMENTS, TRAITS, strict=True)):
        yield "share", s.name, "segment", "", weights[k] / total
        yield "median", s.name, "age", "", float(t.ages[2])
        yield "median", s.name, "arpu", "", float(t.arpu_yuan)
        yield from (
            ("mean", s.name, name, "", mean * float(factors[k]) / weighted_mean(factors, weights))
            for name, mean, factors in rates
        )
        yield from (
            ("share", s.name, "brand", brand, part / sum(s.brands))
            for brand, part in zip(BRANDS, s.brands, strict=True)
        )
        for name, share, factors in shares:
            by = by_segment(share, column(lambda _: 0.0) + factors, weights)
            yield "share", s.name, name, "", float(by[k])


def planted(scenario: WorldScenario) -> dict[str, list[Any]]:
    """The table of what was planted, as columns (COLUMNS) of equal length.

    kind `share`: of people with a or, for brands, of those of brand b; `mean`, `median`; `lift`: P(b given a)
    over P(b) in the world; `score-correlation` and `rank-correlation` (Spearman) within any one segment;
    `neighbour-correlation` of the scores of two of one segment and one home community; `parameter`: by name.
    """
    weights = scenario.segments.weights()
    rows: list[Row] = list(_by_segment(scenario, weights))
    rows += _flags(SERVICES, [list(t.holdings) for t in TRAITS], weights)
    rows += _flags(CONTENTS, [[int(digit) / 10 for digit in t.likes] for t in TRAITS], weights)
    for a in LOADINGS:
        rows += (("score-correlation", "", a, b, correlation(a, b)) for b in LOADINGS if a < b)
    rows += (
        ("rank-correlation", "", a, b, _rank_correlation(correlation(a, b)))
        for a in _RANKED
        for b in _RANKED
        if a < b
    )
    rows += (
        ("neighbour-correlation", "", a, "", sum(x * x * c for x, c in zip(LOADINGS[a], SHARED, strict=True)))
        for a in LOADINGS
    )
    rows += (
        ("parameter", "", "misfit-share", "", MISFIT_SHARE),
        ("parameter", "", "same-neighbourhood", "", SAME_NEIGHBOURHOOD),
        ("parameter", "", "rival-share", "", scenario.social.rival_share),
    )
    return {name: [row[k] for row in rows] for k, name in enumerate(COLUMNS)}


def _named(masks: list[int], names: tuple[str, ...]) -> list[list[str]]:
    return [[name for bit, name in enumerate(names) if mask >> bit & 1] for mask in masks]


def people_table(population: Population) -> dict[str, list[Any]]:
    """Who everybody is, as columns of plain values: the truth that an analysis is held against."""
    everybody = np.arange(population.n, dtype=np.int64)
    places = population.contact_places(everybody)
    fitting = fitting_tariff(population.brand, population.arpu_yuan)
    return {
        "sub": everybody.tolist(),
        "imsi": [f"{value:015d}" for value in population.imsi.tolist()],
        "msisdn": [str(value) for value in population.msisdn.tolist()],
        "home_plmn": [f"{value:05d}" for value in population.home_plmn.tolist()],
        "segment": [SEGMENTS[value].name for value in population.segment.tolist()],
        "brand": [BRANDS[value] for value in population.brand.tolist()],
        "tariff": [TARIFFS[value].name for value in population.tariff.tolist()],
        "fitting_tariff": [TARIFFS[value].name for value in fitting.tolist()],
        "terminal": [TERMINALS[value].name for value in population.terminal_at(0, everybody).tolist()],
        "services": _named(population.services.tolist(), SERVICES),
        "likes": _named(population.likes.tolist(), CONTENTS),
        "places": [[PLACE_NAMES[value] for value in row] for row in places.tolist()],
        **{
            name: getattr(population, name).tolist()
            for name in (
                "age", "arpu_yuan", "often_off", "often_rejects", "nightly_off", "complaint",
                "degree", "rivals", "start_day", "leave_day",
            )
        },
    }  # fmt: skip
