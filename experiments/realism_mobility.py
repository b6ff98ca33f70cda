"""Measures of how people move, over trips, stays and the cell of every hour."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.realism_statistics import (
    F64,
    I64,
    Estimate,
    PowerLaw,
    by_subscriber,
    earth_mover,
    entropy_rate,
    predictability,
    slope,
)
from experiments.realism_tables import HOUR_US, Stays
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


def waiting_law(end_us: int) -> PowerLaw:
    """P(t) ~ t^-a exp(-t / 17 h), from one hour on."""
    return PowerLaw(1.0, end_us / HOUR_US, cut=WAITING_CUT_H)


def waits_h(stays: Stays, end_us: int) -> tuple[F64, I64]:
    """Hours of stays whose both ends were seen, and whose they are."""
    seen = (stays.start_us > 0) & (stays.end_us < end_us)
    return (stays.end_us - stays.start_us)[seen] / HOUR_US, stays.sub[seen]


def waiting_exponent(stays: Stays, n: int, end_us: int) -> Estimate:
    """The exponent of the law of waiting times."""
    hours, sub = waits_h(stays, end_us)
    return waiting_law(end_us).estimate(hours, sub, n)


def waiting_shape(stays: Stays, n: int, end_us: int) -> Estimate:
    """Kolmogorov's distance of waiting times from the law with their own exponent."""
    hours, _ = waits_h(stays, end_us)
    return waiting_law(end_us).distance(hours, waiting_exponent(stays, n, end_us).value)


def visits(stays: Stays, n: int, cells: int) -> I64:
    """Everybody's visits to cells, most visited first; shape (n, cells)."""
    counts = np.bincount(stays.sub * cells + stays.cell, minlength=n * cells).reshape(n, cells)
    return -np.sort(-counts, axis=1)


def zipf_exponent(stays: Stays, n: int, cells: int) -> Estimate:
    """Of the share of visits to the k-th most visited place, over ranks that half of the people have."""
    ranked = visits(stays, n, cells).astype(float)
    shares = ranked / np.maximum(ranked.sum(axis=1, keepdims=True), 1)
    ranks = max(3, int(np.median((ranked > 0).sum(axis=1))))
    log_rank = np.log(np.arange(1, ranks + 1))
    return by_subscriber(shares[:, :ranks], lambda m: -slope(log_rank, np.log(np.maximum(m, 1e-12))))


def distinct_places(stays: Stays, n: int, cells: int, days: int) -> F64:
    """How many places everybody has been to by the end of each day; shape (n, days)."""
    key = stays.sub * cells + stays.cell
    order = np.lexsort((stays.start_us, key))
    first = order[np.concatenate([[True], key[order][1:] != key[order][:-1]])]
    day = np.minimum(stays.start_us[first] // DAY_US, days - 1)
    new = np.bincount(stays.sub[first] * days + day, minlength=n * days).reshape(n, days)
    return np.cumsum(new, axis=1).astype(float)


def distinct_exponent(stays: Stays, n: int, cells: int, days: int) -> Estimate:
    """Of the number of places seen by a time, S(t) ~ t^m."""
    log_day = np.log(np.arange(1, days + 1))
    return by_subscriber(distinct_places(stays, n, cells, days), lambda m: slope(log_day, np.log(m)))


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


def regularity(hourly: Hourly, free_days: NDArray[np.bool_]) -> Estimate:
    """How often people are where they mostly are at that hour of a working or a free day."""
    n, hours = hourly.shape
    by_day = hourly.reshape(n, hours // 24, 24)
    kept, slots = np.zeros(n), 0
    for free in (False, True):
        some = np.sort(by_day[:, free_days == free], axis=1)
        days = some.shape[1]
        if days < 2:
            continue
        most = np.zeros((n, 24), np.int64)
        run = np.ones((n, 24), np.int64)
        for day in range(days):  # the longest run of equals in sorted order
            run = np.where(some[:, day] == some[:, day - 1], run + 1, 1) if day else run
            most = np.maximum(most, run)
        kept += most.sum(axis=1)
        slots += 24 * days
    return mean_of(kept / max(slots, 1))


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
