"""Measures of how people move, over trips, stays and the cell of every hour."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.realism.fits import (
    F64,
    I64,
    Estimate,
    HourLaw,
    PowerLaw,
    by_subscriber,
    earth_mover,
    entropy_rate,
    predictability,
    slope,
)
from experiments.realism.tables import Stays
from sim.network.intents import DAY_US
from sim.network.topology import Topology
from sim.subscribers.walk import Trips

JUMP_SHIFT_KM: Final = 1.5
GYRATION_SHIFT_KM: Final = 5.8
"""Offsets of the laws of Gonzalez, Hidalgo and Barabasi (2008)."""
WAITING_CUT_H: Final = 17.0
"""Cut of the law of waiting times of Song, Koren, Wang and Barabasi (2010)."""
RANGE_BIN_KM: Final = 0.25
_RANGE_BINS = 400
_TENTHS = 10
_FEWEST_RANKS = 4  # of a curve that shows an exponent
_MOMENTS = 40
_WEEK_H = 7 * 24
_SAMPLE = 300  # people whose entropy is measured
Hourly = NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """Positions of cells, kilometres."""

    x_km: F64
    y_km: F64

    @staticmethod
    def of(topology: Topology) -> Ground:
        return Ground(topology.x_m / 1000.0, topology.y_m / 1000.0)

    @property
    def diameter_km(self) -> float:
        """Between the two cells farthest apart."""
        return float(np.hypot(*(v[:, None] - v[None, :] for v in (self.x_km, self.y_km))).max())

    @property
    def nearest_km(self) -> float:
        """The median distance from a cell to the next one: no shorter jump is seen."""
        apart = np.hypot(*(v[:, None] - v[None, :] for v in (self.x_km, self.y_km)))
        np.fill_diagonal(apart, math.inf)
        return float(np.median(apart.min(axis=1)))

    @property
    def radius_km(self) -> float:
        """Root mean square distance of cells from their middle: what somebody gyrates who likes all alike."""
        return float(math.hypot(self.x_km.std(), self.y_km.std()))

    def jumps_km(self, trips: Trips) -> F64:
        """Lengths of trips as the crow flies."""
        a, b = trips.from_cell, trips.to_cell
        return np.hypot(self.x_km[a] - self.x_km[b], self.y_km[a] - self.y_km[b])

    def gyration_km(self, hourly: Hourly) -> F64:
        """Everybody's radius of gyration over the hours."""
        x, y = self.x_km[hourly], self.y_km[hourly]
        return np.asarray(np.hypot(x.std(axis=1), y.std(axis=1)))

    def daily_range_km(self, hourly: Hourly) -> F64:
        """Largest distance between two positions of a day, hour by hour; shape (n, days)."""
        n, hours = hourly.shape
        apart = np.hypot(*(v[:, None] - v[None, :] for v in (self.x_km, self.y_km))).astype(np.float32)
        day = hourly.reshape(n, hours // 24, 24)
        most = np.zeros(day.shape[:2], np.float32)
        for a in range(23):  # each hour with those after it
            most = np.maximum(most, apart[day[:, :, a, None], day[:, :, a + 1 :]].max(axis=2))
        return most.astype(np.float64)


def jump_law(ground: Ground) -> PowerLaw:
    """P(r) ~ (r + 1.5 km)^-b, between the cells' spacing and the map's diameter."""
    return PowerLaw(0.99 * ground.nearest_km, ground.diameter_km, shift=JUMP_SHIFT_KM)


def jump_exponent(ground: Ground, trips: Trips, n: int) -> Estimate:
    """The exponent of the law of jumps."""
    return jump_law(ground).estimate(ground.jumps_km(trips), trips.sub, n)


def jump_shape(ground: Ground, trips: Trips, n: int) -> Estimate:
    """Kolmogorov's distance of jumps from the law with their own exponent."""
    exponent = jump_exponent(ground, trips, n).value
    return jump_law(ground).distance(ground.jumps_km(trips), exponent)


def gyration_exponent(ground: Ground, hourly: Hourly) -> Estimate:
    """Of P(r) ~ (r + 5.8 km)^-b, up to half the map's diameter."""
    r = ground.gyration_km(hourly)
    law = PowerLaw(1e-3, ground.diameter_km / 2, shift=GYRATION_SHIFT_KM)
    return law.estimate(r, np.arange(len(r)), len(r))


def gyration_share(ground: Ground, hourly: Hourly) -> Estimate:
    """Mean radius of gyration as a share of that of somebody who likes all cells alike."""
    return by_subscriber(ground.gyration_km(hourly)[:, None], lambda m: float(m[0]) / ground.radius_km)


def waits_h(hourly: Hourly) -> tuple[I64, I64]:
    """Hours on end that people are seen in one cell, and who; everybody's first and last are not seen whole.

    The law is of records that say every hour where somebody is: a stay of minutes that is seen at all is seen
    for an hour, and so is a cell on the way.
    """
    n, hours = hourly.shape
    begins = np.ones((n, hours + 1), np.bool_)
    begins[:, 1:hours] = hourly[:, 1:] != hourly[:, :-1]
    row, at = np.nonzero(begins)
    length, whole = np.diff(at), np.diff(row) == 0
    whole &= (at[:-1] > 0) & (at[1:] < hours)
    return length[whole], row[:-1][whole]


def waiting_law(hourly: Hourly) -> HourLaw:
    """P(k hours) ~ k^-a exp(-k / 17 h)."""
    return HourLaw(hourly.shape[1], WAITING_CUT_H)


def waiting_exponent(hourly: Hourly) -> Estimate:
    """The exponent of the law of waiting times."""
    hours, sub = waits_h(hourly)
    return waiting_law(hourly).estimate(hours, sub, len(hourly))


def waiting_shape(hourly: Hourly) -> Estimate:
    """Kolmogorov's distance of waiting times from the law with their own exponent."""
    hours, _ = waits_h(hourly)
    return waiting_law(hourly).distance(hours, waiting_exponent(hourly).value)


def visits(stays: Stays, n: int, cells: int) -> I64:
    """Everybody's visits to cells, most visited first; shape (n, cells)."""
    counts = np.bincount(stays.sub * cells + stays.cell, minlength=n * cells).reshape(n, cells)
    return -np.sort(-counts, axis=1)


def zipf_exponent(stays: Stays, n: int, cells: int) -> Estimate:
    """Of the share of visits to the k-th most visited place, among people who have as many places.

    The sources draw a curve for people with 5, 10, 30 .. places each. A curve of all would fall at its end
    because ever fewer people have a place of that rank, which is no law of visits. Here: tenths of people by
    number of places, ranks that everybody of a tenth has, the mean of their exponents.
    """
    ranked = visits(stays, n, cells).astype(float)
    places = (ranked > 0).sum(axis=1)
    shares = ranked / np.maximum(ranked.sum(axis=1, keepdims=True), 1)
    parts: list[tuple[I64, int]] = []
    for group in np.array_split(np.argsort(places, kind="stable"), min(_TENTHS, n)):
        least = int(places[group].min())
        if least >= _FEWEST_RANKS:
            parts.append((group, least))
    if not parts:
        return Estimate.exact(math.nan)
    ends = np.cumsum([least for _, least in parts])
    rows = np.zeros((n, int(ends[-1])))
    for (group, least), end in zip(parts, ends.tolist(), strict=True):
        rows[group, end - least : end] = shares[group, :least]

    def exponent(mean: F64) -> float:
        found = [
            -slope(np.log(np.arange(1, least + 1)), np.log(np.maximum(mean[end - least : end], 1e-12)))
            for (_, least), end in zip(parts, ends.tolist(), strict=True)
        ]
        return float(np.mean(found))

    return by_subscriber(rows, exponent)


def distinct_places(stays: Stays, n: int, cells: int, days: int) -> F64:
    """How many places everybody has been to by the end of each day; shape (n, days)."""
    key = stays.sub * cells + stays.cell
    order = np.lexsort((stays.start_us, key))
    first = order[np.concatenate([[True], key[order][1:] != key[order][:-1]])]
    day = np.minimum(stays.start_us[first] // DAY_US, days - 1)
    new = np.bincount(stays.sub[first] * days + day, minlength=n * days).reshape(n, days)
    return np.cumsum(new, axis=1).astype(float)


def distinct_exponent(stays: Stays, n: int, cells: int, days: int) -> Estimate:
    """Of the number of places seen by a time, S(t) ~ t^m, by days evenly spread over its logarithm."""
    at = np.unique(np.round(np.geomspace(1, days, _MOMENTS)).astype(np.int64))
    seen = distinct_places(stays, n, cells, days)[:, at - 1]
    return by_subscriber(seen, lambda m: slope(np.log(at), np.log(m)))


def entropies(hourly: Hourly) -> tuple[F64, F64]:
    """Entropy rate (bits an hour) and bound of predictability of some people, evenly chosen."""
    some = np.unique(np.linspace(0, len(hourly) - 1, min(_SAMPLE, len(hourly))).astype(int))
    rates = np.array([entropy_rate(hourly[sub].tolist()) for sub in some])
    places = [len(np.unique(hourly[sub])) for sub in some]
    bounds = [predictability(rate, count) for rate, count in zip(rates.tolist(), places, strict=True)]
    return rates, np.array(bounds)


def mean_of(values: F64) -> Estimate:
    """A mean over people."""
    return by_subscriber(values[:, None], lambda m: float(m[0]))


def returning(hourly: Hourly, lags: range) -> F64:
    """Share of hours after which somebody is where he was, by lag in hours; shape (n, lags)."""
    return np.stack([(hourly[:, lag:] == hourly[:, :-lag]).mean(axis=1) for lag in lags], axis=1)


def return_peak(hourly: Hourly) -> Estimate:
    """Probability of being in the same cell 24 h later over that 12 h and 36 h later."""
    rows = np.concatenate([returning(hourly, range(lag, lag + 1)) for lag in (12, 24, 36)], axis=1)
    return by_subscriber(rows, lambda m: float(m[1] / ((m[0] + m[2]) / 2)))


def regularity(hourly: Hourly) -> Estimate:
    """How often people are where they mostly are at that hour of the week, over all hours of the week alike.

    The source knows only hours with a call; ours sees nights too, when people are most regular.
    """
    n, hours = hourly.shape
    weeks = hours // _WEEK_H
    if weeks < 2:
        return Estimate.exact(math.nan)
    some = np.sort(hourly[:, : weeks * _WEEK_H].reshape(n, weeks, _WEEK_H), axis=1)
    most = run = np.ones((n, _WEEK_H), np.int64)
    for week in range(1, weeks):  # the longest run of equals in sorted order
        run = np.where(some[:, week] == some[:, week - 1], run + 1, 1)
        most = np.maximum(most, run)
    return mean_of(most.mean(axis=1) / weeks)


def range_histogram(ranges_km: F64) -> F64:
    """Everybody's days by daily range; shape (n, bins)."""
    n, days = ranges_km.shape
    box = np.minimum((ranges_km / RANGE_BIN_KM).astype(np.int64), _RANGE_BINS - 1)
    flat = (np.arange(n)[:, None] * _RANGE_BINS + box).reshape(-1)
    return np.asarray(np.bincount(flat, minlength=n * _RANGE_BINS).reshape(n, _RANGE_BINS) / days)


def range_distance(ranges_km: F64, other_km: F64) -> Estimate:
    """Earth mover's distance between daily ranges of two populations, kilometres."""
    other = range_histogram(other_km).mean(axis=0)
    return by_subscriber(range_histogram(ranges_km), lambda m: earth_mover(m, other, RANGE_BIN_KM))
