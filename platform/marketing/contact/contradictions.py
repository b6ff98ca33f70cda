"""Rules of a policy file that cannot be meant: of classes that are none, that never bite, that always do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from typing import Final

from marketing.config import suggest
from marketing.contact.rules_file import DAYS, CapRule, ClosedHours, PolicyFile, QuietHours

__all__ = ["Found", "contradictions"]

Found = tuple[tuple[str | int, ...], object, str, str]
"""Path of keys, value, what was expected, nearest known word."""
DAY_S: Final = 86400
SHORTEST_MONTH_S: Final = 28 * DAY_S


def contradictions(file: PolicyFile) -> list[Found]:
    """All of them, in the order of the file's keys."""
    return [*_caps(file), *_classes(file), *_not_after(file), *_hours(file)]


def _unknown(file: PolicyFile, path: tuple[str | int, ...], names: list[str]) -> Iterator[Found]:
    for at, name in enumerate(names):
        if name not in file.classes:
            known = ", ".join(file.classes) or "none"
            yield (*path, at), name, f"no such class; known are: {known}", suggest(name, [*file.classes])


def _caps(file: PolicyFile) -> Iterator[Found]:
    rules = file.caps.rules
    for at, rule in enumerate(rules):
        path: tuple[str | int, ...] = ("caps", "rules", at)
        yield from _unknown(file, (*path, "classes"), rule.classes)
        month = file.caps.per_calendar_month
        if rule.most >= month * _months(rule):
            expected = f"it can never bite: caps.per_calendar_month lets {month} a month through"
            yield (*path, "most"), rule.most, expected, ""
        for other, tighter in enumerate(rules):
            if other != at and _covers(tighter, rule) and (not _covers(rule, tighter) or other < at):
                expected = f"it can never bite: caps.rules[{other}] is as tight"
                yield (*path, "most"), rule.most, expected, ""
                break
        gap_s = file.minimum_gap_s
        if rule.within_s is not None and gap_s and rule.most >= -(-rule.within_s // gap_s):
            expected = f"it can never bite: minimum_gap_s = {gap_s} lets no more through"
            yield (*path, "most"), rule.most, expected, ""


def _months(rule: CapRule) -> int:
    """Calendar months that its window may touch at most."""
    if rule.within_s is not None:
        return rule.within_s // SHORTEST_MONTH_S + 2
    return 2 if rule.per == "week" else 1


_LENGTHS: Final = {"day": 0, "week": 1, "month": 2}


def _covers(tighter: CapRule, rule: CapRule) -> bool:
    """Whether all that the second forbids is forbidden by the first."""
    if tighter.most > rule.most:
        return False
    # By another channel of those that it lets through, it is sent where the other would drop it, or not.
    if tighter.channels and tighter.then != rule.then:
        return False
    for of, within in ((rule.channels, tighter.channels), (rule.classes, tighter.classes)):
        if within and not (of and set(of) <= set(within)):
            return False
    if tighter.within_s is not None and rule.within_s is not None:
        return tighter.within_s >= rule.within_s
    if tighter.per is None or rule.per is None:
        return False
    # A week may lie in two months.
    longer = _LENGTHS[tighter.per] >= _LENGTHS[rule.per]
    return longer and (tighter.per, rule.per) != ("month", "week")


def _classes(file: PolicyFile) -> Iterator[Found]:
    seen: list[tuple[str, str]] = []
    for name, group in file.classes.items():
        for at, prefix in enumerate(group.originators):
            path = ("classes", name, "originators", at)
            for before, other in seen:
                if prefix.startswith(before) or before.startswith(prefix):
                    whose = "this class" if other == name else f"class {other}"
                    yield path, prefix, f"it overlaps with {before} of {whose}", ""
                    break
            seen.append((prefix, name))
            senders = file.marketing_originators
            if not any(prefix.startswith(own) or own.startswith(prefix) for own in senders):
                expected = f"no contact is of it: marketing_originators are {', '.join(senders)}"
                yield path, prefix, expected, ""


def _not_after(file: PolicyFile) -> Iterator[Found]:
    for at, rule in enumerate(file.not_after):
        path: tuple[str | int, ...] = ("not_after", at)
        yield from _unknown(file, (*path, "classes"), rule.classes)
        yield from _unknown(file, (*path, "after"), rule.after)
        if rule.within_s <= file.minimum_gap_s:
            expected = f"it can never bite: minimum_gap_s = {file.minimum_gap_s} keeps them apart already"
            yield (*path, "within_s"), rule.within_s, expected, ""


def _hours(file: PolicyFile) -> Iterator[Found]:
    quiet = [] if file.quiet_hours is None else [(file.quiet_hours, frozenset(range(7)))]
    before: list[tuple[QuietHours, frozenset[int]]] = list(quiet)
    for at, closed in enumerate(file.closed_hours):
        if all(_shut(before, day, start) for day in closed.weekdays for start in _starts(closed, before)):
            expected = "it can never bite: these hours are closed already"
            yield ("closed_hours", at), closed.name, expected, ""
        before.append((closed, closed.weekdays))
        week = range(len(DAYS))
        if all(_shut(before, day, start) for day in week for start in _cuts(before)):
            yield ("closed_hours", at), closed.name, "it always bites: no hour of any day is left", ""
            return


def _cuts(stretches: list[tuple[QuietHours, frozenset[int]]]) -> list[time]:
    ends = {end for stretch, _ in stretches for end in (stretch.start, stretch.end)}
    return sorted({time(0), *ends})


def _starts(closed: ClosedHours, before: list[tuple[QuietHours, frozenset[int]]]) -> list[time]:
    """Of each piece of it in which nothing else changes."""
    return [cut for cut in _cuts([*before, (closed, closed.weekdays)]) if _within(closed, cut)]


def _shut(stretches: list[tuple[QuietHours, frozenset[int]]], day: int, at: time) -> bool:
    return any(day in days and _within(stretch, at) for stretch, days in stretches)


def _within(stretch: QuietHours, at: time) -> bool:
    if stretch.start < stretch.end:
        return stretch.start <= at < stretch.end
    return at >= stretch.start or at < stretch.end
