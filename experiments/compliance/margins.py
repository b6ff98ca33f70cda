"""Near misses: how far from the edge of each rule every contact was received.

A margin is negative where, and only where, the audit finds the rule broken; both are worked out from the same
columns and by different code, and a test compares them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from experiments.audit.local_time import DAY_US
from experiments.audit.policy import Cap, NotAfter, Stretch
from experiments.audit.rules import Judged
from experiments.compliance.cap_use import counted, period_of

__all__ = ["BINS", "EDGES", "Edge", "edges", "histogram"]

Unit = Literal["us", "contacts", "days"]
Numbers = NDArray[np.int64]
FAR: Final = np.iinfo(np.int64).max
"""No such edge: more than a week away."""

EDGES: Final = {
    "left": "contacts that the cap would still have allowed in the period",
    "over_window": "beyond the length of a rolling window, to the contact that would have been one too many",
    "next_full": "before the end of a period whose next one is full: later, it would have been one too many",
    "apart": "beyond the gap, or the days, that the rule asks for since the contact before",
    "until": "until closed hours begin",
    "since": "since closed hours ended",
    "before_stop": "accepted by the message centre before the reader was on the list, received after",
}
"""Name of an edge -> what its margin is."""

_S: Final = 1_000_000
BINS: Final[dict[Unit, tuple[int, ...]]] = {
    "us": (0, _S, 10 * _S, 60 * _S, 600 * _S, 3600 * _S, 6 * 3600 * _S, 24 * 3600 * _S),
    "contacts": (0, 1, 2, 3),
    "days": (0, 1, 2, 7, 30),
}
"""Lower ends of the bins of histograms; below the first is broken, above the last it has no end."""


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """One edge of one rule, and the contacts that it was an edge for."""

    rule: str
    """As the audit names it."""
    edge: str
    """A key of EDGES."""
    of: str
    """Which of several: the cap's, the stretch's or the classes' own words; empty: there is one."""
    unit: Unit
    at: Numbers
    """Positions of contacts, ascending."""
    margin: Numbers
    """Of each; below zero: broken."""

    def worst(self) -> int | None:
        """The smallest margin; None: nobody came to this edge."""
        return int(self.margin.min()) if len(self.margin) else None


def edges(judged: Judged) -> Iterator[Edge]:
    """Every edge of every rule of the policy that has some."""
    policy = judged.policy
    for cap in policy.caps:
        yield from _cap(judged, cap)
    if policy.gap_us:
        yield _gap(judged)
    for row in policy.not_after:
        yield _not_after(judged, row)
    if policy.quiet is not None:
        yield from _hours(judged, "quiet_hours", [policy.quiet], "")
    for stretch in policy.closed:
        yield from _hours(judged, "closed_hours", [stretch], stretch.name)
    if policy.holidays:
        yield from _holidays(judged)
    if policy.busy:
        yield from _busy(judged)
    if policy.do_not_disturb:
        yield _stop(judged)
    if policy.duplicate_days:
        yield _duplicate(judged)


def histogram(edge: Edge) -> list[int]:
    """Contacts by margin: broken, then those of each bin of BINS."""
    cut = np.searchsorted(np.array(BINS[edge.unit]), edge.margin, side="right")
    return [int(n) for n in np.bincount(cut, minlength=len(BINS[edge.unit]) + 1)]


def _edge(rule: str, edge: str, of: str, unit: Unit, at: Numbers, margin: Numbers) -> Edge:
    known = margin != FAR
    at, margin = at[known], margin[known]
    order = np.argsort(at, kind="stable")
    return Edge(rule, edge, of, unit, at[order], margin[order])


# --------------------------------------------------------------------------- how often


def _cap(judged: Judged, cap: Cap) -> Iterator[Edge]:
    contacts = judged.contacts
    rows = np.flatnonzero(counted(judged, cap))
    rows = rows[np.lexsort((rows, contacts.person[rows]))]  # by person, each in the order of time
    person = contacts.person[rows]
    if not cap.per:
        t_us, most = contacts.t_us[rows], cap.most
        same = person[most:] == person[: len(person) - most]
        late = rows[most:][same]
        margin = (t_us[most:] - t_us[: len(t_us) - most])[same] - cap.within_us
        yield _edge("cap", "over_window", cap.text, "us", late, margin)
        return
    period = period_of(judged.day[rows], cap)
    new = np.ones(len(rows), np.bool_)
    new[1:] = (person[1:] != person[:-1]) | (period[1:] != period[:-1])
    group = np.cumsum(new) - 1
    starts = np.flatnonzero(new)
    rank = np.arange(len(rows)) - starts[group] + 1
    yield _edge("cap", "left", cap.text, "contacts", rows, cap.most - rank)
    if not len(rows):
        return
    # The last of a period whose next one is full.
    sizes = np.diff(np.append(starts, len(rows)))
    follows = (person[starts[1:]] == person[starts[:-1]]) & (period[starts[1:]] == period[starts[:-1]] + 1)
    close = np.flatnonzero(follows & (sizes[1:] >= cap.most))
    last = rows[starts[close + 1] - 1]
    end_us = np.array([_begin_us(cap, int(p)) for p in period[starts[close + 1]]], np.int64)
    yield _edge("cap", "next_full", cap.text, "us", last, end_us - judged.local_us[last])


def _begin_us(cap: Cap, period: int) -> int:
    """Local microseconds at which a calendar period begins."""
    if cap.per == "month":
        day = date(1970 + period // 12, period % 12 + 1, 1).toordinal() - date(1970, 1, 1).toordinal()
        return day * DAY_US
    return (period * 7 - 3 if cap.per == "week" else period) * DAY_US


def _by_person(judged: Judged) -> Numbers:
    contacts = judged.contacts
    return np.lexsort((np.arange(len(contacts)), contacts.person))


def _gap(judged: Judged) -> Edge:
    contacts, order = judged.contacts, _by_person(judged)
    same = contacts.person[order][1:] == contacts.person[order][:-1]
    apart = np.diff(contacts.t_us[order])[same] - judged.policy.gap_us
    return _edge("gap", "apart", "", "us", order[1:][same], apart)


def _duplicate(judged: Judged) -> Edge:
    contacts = judged.contacts
    order = np.lexsort((np.arange(len(contacts)), contacts.person, contacts.source))
    person, source = contacts.person[order], contacts.source[order]
    same = (person[1:] == person[:-1]) & (source[1:] == source[:-1])
    apart = np.diff(judged.day[order])[same] - judged.policy.duplicate_days
    return _edge("duplicate", "apart", "", "days", order[1:][same], apart)


def _not_after(judged: Judged, row: NotAfter) -> Edge:
    contacts = judged.contacts
    these, those = judged.of_classes(row.classes), judged.of_classes(row.after)
    before: dict[int, list[tuple[int, int]]] = {}
    for i in np.flatnonzero(those).tolist():
        before.setdefault(int(contacts.person[i]), []).append((int(contacts.t_us[i]), i))
    at, margin = [], []
    for i in np.flatnonzero(these).tolist():
        t_us, known = int(contacts.t_us[i]), before.get(int(contacts.person[i]), [])
        # No later than it, and not itself; of two received in one instant each comes after the other.
        k = bisect_right(known, (t_us, FAR)) - 1
        if k >= 0 and known[k][1] == i:
            k -= 1
        if k >= 0:
            at.append(i)
            margin.append(t_us - known[k][0] - row.within_us)
    name = f"{' or '.join(row.classes)} after {' or '.join(row.after)}"
    return _edge("not_after", "apart", name, "us", np.array(at, np.int64), np.array(margin, np.int64))


# --------------------------------------------------------------------------- when


def _hours(judged: Judged, rule: str, stretches: Sequence[Stretch], of: str) -> Iterator[Edge]:
    local_us = judged.part_local_us
    until, since = _around(local_us, stretches)
    yield from _of_parts(judged, rule, of, np.arange(len(local_us)), until, since)


def _of_parts(
    judged: Judged, rule: str, of: str, rows: Numbers, until: Numbers, since: Numbers
) -> Iterator[Edge]:
    """Contacts with the smallest margins of those of their parts that are in `rows`."""
    contacts = judged.contacts
    for name, margin in (("until", until), ("since", since)):
        least = np.full(len(contacts), FAR)
        np.minimum.at(least, contacts.of_part[rows], margin)
        yield _edge(rule, name, of, "us", np.arange(len(contacts)), least)


def _around(local_us: Numbers, stretches: Sequence[Stretch]) -> tuple[Numbers, Numbers]:
    """Until the next stretch begins, and since the last one ended; within one the first is below zero."""
    clock, weekday = local_us % DAY_US, (local_us // DAY_US + 3) % 7
    until, since = np.full(len(local_us), FAR), np.full(len(local_us), FAR)
    inside = np.zeros(len(local_us), np.bool_)
    deep = np.zeros(len(local_us), np.int64)
    for stretch in stretches:
        for start, end in _pieces(stretch):
            for away in range(8):
                ahead = np.isin((weekday + away) % 7, list(stretch.days))
                wait = away * DAY_US + start - clock
                until = np.where(ahead & (wait > 0), np.minimum(until, wait), until)
                behind = np.isin((weekday - away) % 7, list(stretch.days))
                gone = away * DAY_US + clock - end
                since = np.where(behind & (gone >= 0), np.minimum(since, gone), since)
            now = np.isin(weekday, list(stretch.days)) & (clock >= start) & (clock < end)
            deep = np.where(now, np.maximum(deep, clock - start), deep)
            inside |= now
    return np.where(inside, -deep - 1, until), np.where(inside, FAR, since)


def _pieces(stretch: Stretch) -> list[tuple[int, int]]:
    """Of one local day, none over midnight."""
    start, end = stretch.start_us, stretch.end_us
    if start <= end:
        return [(start, end)] if start < end else []
    return [(start, DAY_US), *([(0, end)] if end else [])]


def _holidays(judged: Judged) -> Iterator[Edge]:
    epoch = date(1970, 1, 1).toordinal()
    days = np.array(sorted(day.toordinal() - epoch for day in judged.policy.holidays), np.int64)
    local_us = judged.part_local_us
    day, clock = local_us // DAY_US, local_us % DAY_US
    following = np.searchsorted(days, day, side="left")
    inside = np.isin(day, days)
    near = np.minimum(following, len(days) - 1)
    until = np.where(following < len(days), days[near] * DAY_US - local_us, FAR)
    before = np.maximum(following - 1, 0)
    since = np.where(following > 0, local_us - (days[before] + 1) * DAY_US, FAR)
    rows = np.arange(len(local_us))
    yield from _of_parts(
        judged, "holiday", "", rows, np.where(inside, -clock - 1, until), np.where(inside, FAR, since)
    )


def _busy(judged: Judged) -> Iterator[Edge]:
    parts = judged.contacts.parts
    rows, until, since = [], [], []
    for code, cell in enumerate(parts.cells):
        stretches = judged.policy.busy.get(cell, ())
        there = np.flatnonzero(parts.cell == code)
        if stretches and len(there):
            some = _around(judged.part_local_us[there], stretches)
            rows.append(there)
            until.append(some[0])
            since.append(some[1])
    none = [np.zeros(0, np.int64)]
    together = [np.concatenate(column or none) for column in (rows, until, since)]
    yield from _of_parts(judged, "busy_cell", "", *together)


# --------------------------------------------------------------------------- to whom


def _stop(judged: Judged) -> Edge:
    """Of contacts received after their reader was on the list: those of before are no concern of the rule."""
    contacts = judged.contacts
    since = judged.listed(judged.policy.do_not_disturb)
    after = np.flatnonzero(contacts.t_us >= since)
    return _edge("do_not_disturb", "before_stop", "", "us", after, since[after] - contacts.smsc_us[after])
