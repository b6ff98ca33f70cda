"""The rules of the audit, one function a kind, over columns of contacts: who broke it, and with what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from experiments.audit.local_time import DAY_US, Zones, local_text, month_of, week_of
from experiments.audit.parts import Contacts
from experiments.audit.policy import Cap, Policy, Stretch

__all__ = ["IN_FLIGHT", "RULES", "Broken", "Judged", "broken"]

RULES: Final = {
    "cap": "more contacts in a calendar day, week or month, or in a rolling window, than the policy allows",
    "gap": "sooner after the contact before it than the policy allows",
    "not_after": "of a class that may not follow another so soon",
    "quiet_hours": "received in quiet hours",
    "closed_hours": "received in other closed hours of the day",
    "holiday": "received on a holiday",
    "busy_cell": "received in a cell in its busy hours",
    "do_not_disturb": "accepted by the service centre after the subscriber was on the do-not-disturb list",
    "control_group": "received by a member of the control group",
    "duplicate": "the same campaign again within the days in which it may not repeat",
}
"""Name of the violation -> what it means."""
IN_FLIGHT: Final = "in_flight"
"""Received after an opt-out, but accepted by the service centre before it: listed, no violation."""

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Broken:
    """Contacts that broke one rule in one way."""

    rule: str
    at: Positions
    """The contacts, ascending."""
    said: Callable[[int], str]
    """Position in `at` -> the facts, in one line."""
    involved: Callable[[int], Sequence[int]]
    """Position in `at` -> the contacts that it took, in the order of time, that one last."""


class Judged:
    """Contacts with what the rules ask of them: local times, who comes before whom."""

    def __init__(self, contacts: Contacts, policy: Policy) -> None:
        self.contacts, self.policy = contacts, policy
        persons = contacts.parts.persons
        names = {policy.zone: 0}
        codes = [names.setdefault(policy.zones.get(one, policy.zone), len(names)) for one in persons]
        self.zone_names = tuple(names)
        self.zone = np.array(codes, np.int32)
        """Of each person, a number into `zone_names`."""
        self._zones = Zones(self.zone_names, contacts.parts.t_us)

    @cached_property
    def local_us(self) -> NDArray[np.int64]:
        """Of each contact, on its reader's wall clock."""
        return self._zones.local_us(self.contacts.t_us, self.zone[self.contacts.person])

    @cached_property
    def day(self) -> NDArray[np.int64]:
        """Local days since 1970-01-01."""
        return self.local_us // DAY_US

    @cached_property
    def part_local_us(self) -> NDArray[np.int64]:
        """Of each part."""
        parts = self.contacts.parts
        return self._zones.local_us(parts.t_us, self.zone[parts.person])

    def where(self, contact: int, t_us: int | None = None) -> str:
        """A moment of a contact in its reader's local time, with his zone where it is not everybody's."""
        code = int(self.zone[self.contacts.person[contact]])
        t_us = int(self.contacts.t_us[contact]) if t_us is None else t_us
        text = local_text(t_us, ZoneInfo(self.zone_names[code]), fine=True)
        return f"{text} {self.zone_names[code]}" if code else text

    def of_classes(self, names: Iterable[str]) -> NDArray[np.bool_]:
        """Which contacts belong to one of these classes."""
        wanted = tuple(names)
        sources = self.contacts.parts.sources
        member = np.array([self.policy.in_classes(source, wanted) for source in sources], np.bool_)
        return member[self.contacts.source] if len(sources) else np.zeros(0, np.bool_)

    def listed(self, dates: Mapping[str, int]) -> NDArray[np.int64]:
        """Since when each contact's reader is on a list, Unix us; the end of time where he is not."""
        never = np.iinfo(np.int64).max
        since = np.array([dates.get(one, never) for one in self.contacts.parts.persons], np.int64)
        return since[self.contacts.person] if len(since) else np.zeros(0, np.int64)


def broken(judged: Judged) -> Iterator[Broken]:
    """Everything that anybody received against the policy, rule by rule; and what was in flight."""
    for cap in judged.policy.caps:
        yield from _cap(judged, cap)
    yield from _gap(judged)
    yield from _not_after(judged)
    yield from _hours(judged)
    yield from _holidays(judged)
    yield from _busy(judged)
    yield from _do_not_disturb(judged)
    yield from _control(judged)
    yield from _duplicates(judged)


# --------------------------------------------------------------------------- how often


def _cap(judged: Judged, cap: Cap) -> Iterator[Broken]:
    """More than `most` of one person's contacts in one period, or in a window that ends with the contact."""
    contacts = judged.contacts
    counts = np.ones(len(contacts), np.bool_)
    if cap.channels:
        named = np.array([name in cap.channels for name in contacts.parts.channels], np.bool_)
        counts &= named[contacts.channel]
    if cap.classes:
        counts &= judged.of_classes(cap.classes)
    rows = np.flatnonzero(counts)
    order = rows[np.argsort(contacts.person[rows], kind="stable")]  # by person, each in the order of time
    person = contacts.person[order]
    period = _period(judged, cap)[order]
    if cap.most == 0:
        over = np.arange(len(order))
    else:
        over = np.arange(cap.most, len(order))
        before = over - cap.most
        over = over[(person[over] == person[before]) & _together(judged, cap, order, period, over, before)]
    found, which = _ascending(order[over])
    over = over[which]

    def involved(k: int) -> Sequence[int]:
        at = int(over[k])
        return [int(i) for i in order[at - cap.most : at + 1]]

    def said(k: int) -> str:
        at = int(over[k])
        if cap.per:
            same = np.flatnonzero((person == person[at]) & (period == period[at]))
            return f"contact {int(np.searchsorted(same, at)) + 1} {_called(cap, int(period[at]))}, {cap.text}"
        first = judged.where(int(order[at - cap.most]))
        return f"contact {cap.most + 1} since {first}, {cap.text}"

    yield Broken("cap", found, said, involved)


def _period(judged: Judged, cap: Cap) -> NDArray[np.int64]:
    if cap.per == "month":
        return month_of(judged.day)
    return week_of(judged.day) if cap.per == "week" else judged.day


def _together(
    judged: Judged, cap: Cap, order: Positions, period: NDArray[np.int64], at: Positions, before: Positions
) -> NDArray[np.bool_]:
    if cap.per:
        same: NDArray[np.bool_] = period[at] == period[before]
        return same
    t_us = judged.contacts.t_us[order]
    near: NDArray[np.bool_] = t_us[at] - t_us[before] < cap.within_us
    return near


def _called(cap: Cap, period: int) -> str:
    if cap.per == "month":
        return f"in {1970 + period // 12}-{period % 12 + 1:02d}"
    first = date(1970, 1, 1).toordinal() + (period * 7 - 3 if cap.per == "week" else period)
    return f"{'in the week of' if cap.per == 'week' else 'on'} {date.fromordinal(first)}"


def _ascending(found: Positions) -> tuple[Positions, Positions]:
    which = np.argsort(found, kind="stable")
    return found[which], which


def _followers(judged: Judged, by_source: bool = False) -> tuple[Positions, Positions]:
    """Contacts that have one before them of the same person (and originator), and those before, ascending."""
    contacts = judged.contacts
    keys = (contacts.source, contacts.person) if by_source else (contacts.person,)
    order = np.lexsort((np.arange(len(contacts)), *keys))
    same = np.ones(max(len(order) - 1, 0), np.bool_)
    for key in keys:
        same &= key[order][1:] == key[order][:-1]
    later, which = _ascending(order[1:][same])
    return later, order[:-1][same][which]


def _gap(judged: Judged) -> Iterator[Broken]:
    gap_us = judged.policy.gap_us
    later, before = _followers(judged)
    t_us = judged.contacts.t_us
    short = t_us[later] - t_us[before] < gap_us
    yield _pairs(judged, "gap", later[short], before[short], f"{gap_us / 1e6:g} s needed")


def _pairs(judged: Judged, rule: str, later: Positions, before: Positions, needed: str) -> Broken:
    t_us = judged.contacts.t_us

    def said(k: int) -> str:
        one, other = int(later[k]), int(before[k])
        away_s = int(t_us[one] - t_us[other]) / 1e6
        source = judged.contacts.parts.sources[judged.contacts.source[other]]
        return f"{judged.where(one)}, {away_s:g} s after {source} at {judged.where(other)}, {needed}"

    return Broken(rule, later, said, lambda k: (int(before[k]), int(later[k])))


def _not_after(judged: Judged) -> Iterator[Broken]:
    contacts = judged.contacts
    for row in judged.policy.not_after:
        these, those = judged.of_classes(row.classes), judged.of_classes(row.after)
        order = np.argsort(contacts.person, kind="stable")
        later, before = _latest_before(contacts, order, these, those)
        near = contacts.t_us[later] - contacts.t_us[before] < row.within_us
        names = (
            f"{' or '.join(row.classes)} not within {row.within_us / 1e6:g} s after {' or '.join(row.after)}"
        )
        found, which = _ascending(later[near])
        yield _pairs(judged, "not_after", found, before[near][which], names)


def _latest_before(
    contacts: Contacts, order: Positions, these: NDArray[np.bool_], those: NDArray[np.bool_]
) -> tuple[Positions, Positions]:
    """Each of these that has one of those of the same person no later than it, and the latest such.

    Of two received in one microsecond each comes after the other.
    """
    mark = np.where(those[order], np.arange(len(order)), -1)
    latest = np.maximum.accumulate(mark) if len(mark) else mark
    pick = np.flatnonzero(these[order])
    # The last position of the same person at the same instant, so that equal times see each other.
    person, t_us = contacts.person[order], contacts.t_us[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (person[1:] != person[:-1]) | (t_us[1:] != t_us[:-1])
    ends = np.append(np.flatnonzero(new)[1:], len(order)) - 1
    last = ends[np.cumsum(new) - 1] if len(order) else pick
    found = latest[last[pick]] if len(pick) else pick
    itself = found == pick
    # A contact is not after itself: look again, before it.
    found = np.where(itself, np.where(pick > 0, latest[np.maximum(pick - 1, 0)], -1), found)
    good = (found >= 0) & (found != pick)
    good &= person[np.maximum(found, 0)] == person[pick]
    return order[pick[good]], order[found[good]]


def _duplicates(judged: Judged) -> Iterator[Broken]:
    days = judged.policy.duplicate_days
    later, before = _followers(judged, by_source=True)
    away = judged.day[later] - judged.day[before]
    soon = away < days
    later, before, away = later[soon], before[soon], away[soon]
    sources, source = judged.contacts.parts.sources, judged.contacts.source

    def said(k: int) -> str:
        one, other = int(later[k]), int(before[k])
        times = f"{judged.where(other)} and {judged.where(one)}"
        return f"{sources[source[one]]} again after {int(away[k])} days, {days} needed: {times}"

    yield Broken("duplicate", later, said, lambda k: (int(before[k]), int(later[k])))


# --------------------------------------------------------------------------- when


def _within(local_us: NDArray[np.int64], stretch: Stretch) -> NDArray[np.bool_]:
    """Which local moments lie in the hours of a stretch, on one of its days."""
    clock, weekday = local_us % DAY_US, (local_us // DAY_US + 3) % 7
    today = np.isin(weekday, list(stretch.days))
    after, before = clock >= stretch.start_us, clock < stretch.end_us
    return today & (after & before if stretch.start_us <= stretch.end_us else after | before)


def _by_parts(judged: Judged, rule: str, wrong: NDArray[np.bool_], why: Callable[[int], str]) -> Broken:
    """Contacts of which some part came at a wrong moment; the first such part is told."""
    contacts = judged.contacts
    rows = np.flatnonzero(wrong)
    found, first = np.unique(contacts.of_part[rows], return_index=True)

    def said(k: int) -> str:
        row = int(rows[first[k]])
        return f"received {judged.where(int(found[k]), int(contacts.parts.t_us[row]))}, {why(row)}"

    return Broken(rule, found, said, partial(_alone, found))


def _hours(judged: Judged) -> Iterator[Broken]:
    local_us, quiet = judged.part_local_us, judged.policy.quiet
    if quiet is not None:
        yield _by_parts(judged, "quiet_hours", _within(local_us, quiet), lambda _row: "in quiet hours")
    for stretch in judged.policy.closed:
        yield _by_parts(judged, "closed_hours", _within(local_us, stretch), partial(_inside, stretch.name))


def _inside(name: str, _row: int) -> str:
    return f"in {name}"


def _holidays(judged: Judged) -> Iterator[Broken]:
    first = date(1970, 1, 1).toordinal()
    days = [day.toordinal() - first for day in judged.policy.holidays]
    wrong = np.isin(judged.part_local_us // DAY_US, days)
    yield _by_parts(judged, "holiday", wrong, lambda _row: "a holiday")


def _busy(judged: Judged) -> Iterator[Broken]:
    parts = judged.contacts.parts
    wrong = np.zeros(len(parts), np.bool_)
    for code, cell in enumerate(parts.cells):
        for stretch in judged.policy.busy.get(cell, ()):
            there = np.flatnonzero(parts.cell == code)
            wrong[there] |= _within(judged.part_local_us[there], stretch)
    yield _by_parts(
        judged, "busy_cell", wrong, lambda row: f"in cell {parts.cells[parts.cell[row]]} in its busy hours"
    )


# --------------------------------------------------------------------------- to whom


def _do_not_disturb(judged: Judged) -> Iterator[Broken]:
    contacts = judged.contacts
    since = judged.listed(judged.policy.do_not_disturb)
    after = contacts.t_us >= since
    # The time stamp has whole seconds: within the opt-out's second the message was on its way already.
    accepted = contacts.smsc_us > since
    for rule, which in (("do_not_disturb", after & accepted), (IN_FLIGHT, after & ~accepted)):
        found = np.flatnonzero(which)

        def said(k: int, found: Positions = found) -> str:
            one = int(found[k])
            listed = f"since {judged.where(one, int(since[one]))}" if since[one] else "always"
            return f"on the list {listed}, accepted {judged.where(one, int(contacts.smsc_us[one]))}"

        yield Broken(rule, found, said, partial(_alone, found))


def _control(judged: Judged) -> Iterator[Broken]:
    since = judged.listed(judged.policy.control_group)
    found = np.flatnonzero(judged.contacts.smsc_us >= since)
    yield Broken(
        "control_group",
        found,
        lambda k: f"received {judged.where(int(found[k]))}, is in the control group",
        partial(_alone, found),
    )


def _alone(found: Positions, k: int) -> Sequence[int]:
    return (int(found[k]),)
