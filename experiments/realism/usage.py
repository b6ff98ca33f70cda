"""Measures of how people use their handsets, over acts; and what the world file says they should be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Final

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from experiments.realism.fits import (
    F64,
    I64,
    Estimate,
    burstiness,
    by_subscriber,
    correlation,
    lognormal_distance,
    slope,
)
from experiments.realism.tables import HOUR_US, Acts, Lived
from sim.network import acts as act_table
from sim.network.intents import ANSWER, DAY_US, INSIDE, People
from sim.scenario import WorldScenario
from sim.subscribers import usage_offered
from sim.subscribers.segments import SEGMENTS

_FEWEST_EVENTS = 20  # of a person whose burstiness is measured
_SHORTEST_TALK_S, _LONGEST_TALK_S = 2.5, 3_590.0  # cut by the world at 2 s and an hour
_SIGMA_OF_TALK: Final = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Configured:
    """What a world is told to do, as figures that its acts must show."""

    calls_hours: F64
    """Share of a working day's calls by hour."""
    texts_hours: F64
    segment_calls_hours: F64
    """Share of a working day's calls by segment and hour; shape (segments, 24)."""
    segment_texts_hours: F64
    free_calls: float
    """Calls of a free day over those of a working day."""
    free_texts: float
    segment_free_calls: F64
    """The same by segment."""
    segment_free_texts: F64
    segment_calls: F64
    """Factor on calls by segment."""
    segment_texts: F64
    talk_mean_s: float

    @staticmethod
    def of(scenario: WorldScenario) -> Configured:
        return Configured(
            calls_hours=_shares(usage_offered.mean_day(scenario, "calls")[1]),
            texts_hours=_shares(usage_offered.mean_day(scenario, "texts")[1]),
            segment_calls_hours=_by_segment(scenario, "calls"),
            segment_texts_hours=_by_segment(scenario, "texts"),
            free_calls=usage_offered.free_over_working(scenario, "calls"),
            free_texts=usage_offered.free_over_working(scenario, "texts"),
            segment_free_calls=usage_offered.free_over_working_by_segment("calls"),
            segment_free_texts=usage_offered.free_over_working_by_segment("texts"),
            segment_calls=np.array([s.calls for s in SEGMENTS]),
            segment_texts=np.array([s.texts for s in SEGMENTS]),
            talk_mean_s=scenario.usage.talk_mean_s,
        )


def per_day(scenario: WorldScenario, what: str, rate: float, days: int) -> float:
    """A rate of a week's mean day, averaged over the days of a run; `what`: calls, texts or services."""
    return rate * sum(usage_offered.day_factor(scenario, what, day) for day in range(days)) / days


def _by_segment(scenario: WorldScenario, what: str) -> F64:
    return np.array([
        _shares(usage_offered.hours_of_segment(what, segment)) for segment in range(len(SEGMENTS))
    ])  # fmt: skip


def _shares(weights: list[float]) -> F64:
    values = np.array(weights, float)
    return np.asarray(values / values.sum())


def calls_made(lived: Lived) -> Acts:
    """Calls that our people made, whatever became of them."""
    return lived.acts.of(act_table.CALL_MADE)


def calls_to_people(lived: Lived) -> Acts:
    """Calls made, but for those to service lines."""
    calls = calls_made(lived)
    return Acts(*(getattr(calls, name)[~calls.to_line] for name in Acts.__dataclass_fields__))


def texts_sent(lived: Lived) -> Acts:
    """Short messages that our people sent."""
    return lived.acts.of(act_table.TEXT_SENT)


def hours_of_workdays(lived: Lived, t_us: I64, sub: NDArray[np.integer]) -> F64:
    """Events on working days by subscriber and hour; shape (n, 24)."""
    rows = lived.workday(t_us)
    hour = t_us[rows] // HOUR_US % 24
    return (
        np.bincount(sub[rows].astype(np.int64) * 24 + hour, minlength=lived.n * 24).reshape(lived.n, 24) / 1.0
    )


def diurnal(lived: Lived, acts: Acts, profile: F64) -> Estimate:
    """Correlation of a working day's curve with the configured one."""
    return by_subscriber(hours_of_workdays(lived, acts.t_us, acts.sub), lambda m: correlation(m, profile))


def diurnal_of_segments(lived: Lived, acts: Acts, profiles: F64) -> Estimate:
    """The lowest correlation that a segment's curve has with its configured one, of segments with events."""
    hours = hours_of_workdays(lived, acts.t_us, acts.sub)
    segment = lived.world.population.segment
    members = [np.flatnonzero(segment == index) for index in range(len(SEGMENTS))]
    found = [
        by_subscriber(hours[some], partial(correlation, b=profile))
        for some, profile in zip(members, profiles, strict=True)
        # A curve of fewer events is mostly noise.
        if len(some) and hours[some].sum() >= 500
    ]
    return min(found, key=lambda estimate: estimate.value) if found else Estimate.exact(math.nan)


def weekly(lived: Lived, acts: Acts, configured: float) -> Estimate:
    """Events of a free day over those of a working day, over what that ratio should be."""
    day = acts.t_us // DAY_US
    free = np.array([lived.world.scenario.is_weekend(d) for d in range(lived.days)])
    if free.all() or not free.any():
        return Estimate.exact(math.nan)
    on_free = free[day]
    rows = np.stack(
        [
            np.bincount(acts.sub[on_free], minlength=lived.n) / free.sum(),
            np.bincount(acts.sub[~on_free], minlength=lived.n) / (~free).sum(),
        ],
        axis=1,
    )
    return by_subscriber(rows, lambda m: float(m[0] / m[1] / configured) if m[1] else math.nan)


def weekly_of_segments(lived: Lived, acts: Acts, configured: F64) -> Estimate:
    """Slope of segments' events of a free day over those of a working day on what that ratio should be."""
    day = acts.t_us // DAY_US
    free = np.array([lived.world.scenario.is_weekend(d) for d in range(lived.days)])
    if free.all() or not free.any():
        return Estimate.exact(math.nan)
    on_free = free[day]
    ones = np.eye(len(SEGMENTS))[lived.world.population.segment.astype(np.int64)]
    each = [
        ones * (np.bincount(acts.sub[rows], minlength=lived.n) / days)[:, None]
        for rows, days in ((on_free, free.sum()), (~on_free, (~free).sum()))
    ]

    def figure(mean: F64) -> float:
        on, off = mean[: len(SEGMENTS)], mean[len(SEGMENTS) :]
        there = off > 0
        if there.sum() < 3:
            return math.nan
        ratio, weight = on[there] / off[there], off[there] / off[there].sum()
        x = configured[there] - weight @ configured[there]
        return float((weight * x * (ratio - weight @ ratio)).sum() / (weight * x * x).sum())

    return by_subscriber(np.concatenate(each, axis=1), figure)


def by_segment(lived: Lived, acts: Acts, factors: F64) -> Estimate:
    """Slope of events a head by segment on the configured factors, both over their means: 1 as told."""
    segment = lived.world.population.segment.astype(np.int64)
    count = np.bincount(acts.sub, minlength=lived.n)
    ones = np.eye(len(SEGMENTS))[segment]
    there = ones.any(axis=0)
    rows = np.concatenate([ones * count[:, None], ones], axis=1)

    def figure(mean: F64) -> float:
        events, people = mean[: len(SEGMENTS)], mean[len(SEGMENTS) :]
        here = there & (people > 0)
        if here.sum() < 3 or not events.sum():
            return math.nan
        share = people[here] / people[here].sum()
        rate = events[here] / people[here]
        return slope(factors[here] / float(share @ factors[here]), rate / float(share @ rate))

    return by_subscriber(rows, figure)


def talk_distance(talk_s: F64, mean_s: float) -> Estimate:
    """Kolmogorov's distance of talk from the configured log-normal law (its median is mean e^-1/2)."""
    value = lognormal_distance(
        talk_s, mean_s * math.exp(-(_SIGMA_OF_TALK**2) / 2), _SIGMA_OF_TALK, _SHORTEST_TALK_S, _LONGEST_TALK_S
    )
    # Under the law the distance of n values is below 1.36 / sqrt(n) with 95 %.
    half = 1.36 / math.sqrt(max(len(talk_s), 1))
    return Estimate(value, max(0.0, value - half), value + half)


def events_of_people(lived: Lived) -> tuple[I64, I64]:
    """When people call and text: times and subscribers by (subscriber, time)."""
    acts = lived.acts
    mine = np.isin(acts.kind, (act_table.CALL_MADE, act_table.TEXT_SENT))
    sub, t_us = acts.sub[mine].astype(np.int64), acts.t_us[mine]
    order = np.lexsort((t_us, sub))
    return t_us[order], sub[order]


def burstiness_of(t: F64, sub: I64, n: int) -> Estimate:
    """Mean burstiness of people with enough events; times in any unit, by (subscriber, time)."""
    same = sub[1:] == sub[:-1]
    gaps, owner = np.diff(t)[same], sub[1:][same]
    events = np.bincount(sub, minlength=n).astype(float)
    counts = np.maximum(np.bincount(owner, minlength=n), 1)
    mean = np.bincount(owner, gaps, minlength=n) / counts
    variance = np.maximum(np.bincount(owner, gaps * gaps, minlength=n) / counts - mean * mean, 0)
    enough = (events >= _FEWEST_EVENTS) & (mean > 0)
    if not enough.any():
        return Estimate.exact(math.nan)
    values = np.zeros(n)
    values[enough] = burstiness(events[enough], np.sqrt(variance[enough]), mean[enough])
    return by_subscriber(
        np.stack([values, enough], axis=1), lambda m: float(m[0] / m[1]) if m[1] else math.nan
    )


def without_seasons(t_us: I64, days: int) -> F64:
    """Times on a clock that runs as fast as everybody's events come, by hour of the run (Jo et al. 2012)."""
    counts = np.bincount(t_us // HOUR_US, minlength=days * 24).astype(float)
    passed = np.concatenate([[0.0], np.cumsum(counts)]) / max(counts.mean(), 1e-9)
    return np.asarray(np.interp(t_us, np.arange(days * 24 + 1) * float(HOUR_US), passed))


def commute_peaks(lived: Lived) -> Estimate:
    """Share of segments with work whose morning peak of location updates is within an hour of leaving."""
    acts = lived.acts.of(act_table.LOCATION_UPDATE)
    hours = hours_of_workdays(lived, acts.t_us, acts.sub)
    segment = lived.world.population.segment
    found = []
    for index, s in enumerate(SEGMENTS):
        counts = hours[segment == index].sum(axis=0)
        if s.work == "none" or counts.sum() < 200:
            continue
        peak = int(counts[4:12].argmax()) + 4
        found.append(abs(peak + 0.5 - s.leaves_min / 60) <= 1.0)
    return Estimate.exact(float(np.mean(found)) if found else math.nan)


def updates_by_night(lived: Lived) -> Estimate:
    """Share of location updates between 1 and 5 o'clock."""
    t_us = lived.acts.of(act_table.LOCATION_UPDATE).t_us
    sub = lived.acts.of(act_table.LOCATION_UPDATE).sub
    hour = t_us // HOUR_US % 24
    night = (hour >= 1) & (hour < 5)
    rows = np.stack([np.bincount(sub[night], minlength=lived.n), np.bincount(sub, minlength=lived.n)], axis=1)
    return by_subscriber(rows.astype(float), lambda m: float(m[0] / m[1]) if m[1] else math.nan)


def updates_diurnal(lived: Lived, crossed: tuple[I64, I64]) -> Estimate:
    """Lowest correlation that a segment's hours of location updates have with those of borders it crosses."""
    acts = lived.acts.of(act_table.LOCATION_UPDATE)
    found, meant = hours_of_workdays(lived, acts.t_us, acts.sub), hours_of_workdays(lived, *crossed)
    segment = lived.world.population.segment
    each = []
    for index in range(len(SEGMENTS)):
        some = segment == index
        if found[some].sum() < 500:  # a curve of fewer is mostly noise
            continue
        rows = np.concatenate([found[some], meant[some]], axis=1)
        each.append(by_subscriber(rows, lambda m: correlation(m[:24], m[24:])))
    return min(each, key=lambda estimate: estimate.value) if each else Estimate.exact(math.nan)


def updates_weekly(lived: Lived, crossed: tuple[I64, I64]) -> Estimate:
    """Location updates of a free day over those of a working day, over the same of borders crossed."""
    acts = lived.acts.of(act_table.LOCATION_UPDATE)
    free = np.array([lived.world.scenario.is_weekend(d) for d in range(lived.days)])
    if free.all() or not free.any():
        return Estimate.exact(math.nan)
    rows = np.stack(
        [
            np.bincount(sub[free[t_us // DAY_US] == on], minlength=lived.n).astype(float)
            for t_us, sub in ((acts.t_us, acts.sub), crossed)
            for on in (True, False)
        ],
        axis=1,
    )
    return by_subscriber(
        rows, lambda m: float(m[0] * m[3] / (m[1] * m[2])) if m[1] and m[2] and m[3] else math.nan
    )


def call_graph(lived: Lived) -> nx.DiGraph[int]:
    """Who called whom among our people."""
    acts = calls_made(lived)
    inside = acts.peer_sub >= 0
    return graph_of(acts.sub[inside].astype(np.int64), acts.peer_sub[inside].astype(np.int64))


def graph_of(caller: I64, callee: I64) -> nx.DiGraph[int]:
    """Who called whom."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_edges_from(np.unique(np.stack([caller, callee], axis=1), axis=0).tolist())
    return graph


def graph_of_weeks(people: People, weeks: int) -> nx.DiGraph[int]:
    """Who called whom and was answered, as people mean to, in so many weeks; needs no network."""
    callers, callees = [], []
    for day in range(weeks * 7):
        calls = people.calls(day * DAY_US, (day + 1) * DAY_US)
        taken = (calls.kind == INSIDE) & (calls.intent == ANSWER)
        callers.append(calls.sub[taken].astype(np.int64))
        callees.append(calls.peer_sub[taken].astype(np.int64))
    return graph_of(np.concatenate(callers), np.concatenate(callees))


def degrees(graph: nx.DiGraph[int], *, mutual: bool) -> F64:
    """With how many people each has calls, of those with any; with `mutual` calls both ways."""
    found = np.array([d for _, d in graph.to_undirected(reciprocal=mutual).degree()], float)
    return found[found > 0]


def degree_mean(degree: F64) -> Estimate:
    """Mean number of people, of those with any."""
    return mean_of(degree) if len(degree) else Estimate.exact(math.nan)


def degree_spread(degree: F64) -> Estimate:
    """Coefficient of variation of the number of people."""
    if len(degree) < 3:
        return Estimate.exact(math.nan)
    rows = np.stack([degree, degree * degree], axis=1)
    return by_subscriber(rows, lambda m: math.sqrt(max(m[1] - m[0] ** 2, 0.0)) / m[0])


def mean_of(values: F64) -> Estimate:
    """A mean with its interval over subscribers."""
    return by_subscriber(values[:, None], lambda m: float(m[0]))


def reciprocity(graph: nx.DiGraph[int]) -> Estimate:
    """Share of links that are returned, beyond what chance returns: (r - a) / (1 - a), a the density."""
    n, links = graph.number_of_nodes(), graph.number_of_edges()
    if n < 3 or not links:
        return Estimate.exact(math.nan)
    chance = links / (n * (n - 1))
    r = float(nx.overall_reciprocity(graph))
    half = 1.96 * math.sqrt(max(r * (1 - r), 1e-9) * 2 / links)  # a pair of links is one event
    return Estimate(*((value - chance) / (1 - chance) for value in (r, r - half, r + half)))
