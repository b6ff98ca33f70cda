"""Displaced triggers: one campaign's wish that another's contact had left no room for.

Worked out from records: of every trigger that a cap, the gap or a rule of what may follow what suppressed,
the contacts in the ledger that had taken the place. The policy is the audit's reading of its file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from experiments.audit.policy import Cap, Policy

__all__ = ["DISPLACING", "Displaced", "Holder", "Lost", "displaced", "matrix", "unplaced"]

DISPLACING: Final = ("cap", "gap", "not_after")
"""Reasons for which somebody's contact has taken the place."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A trigger that was suppressed for one of DISPLACING."""

    campaign: str
    originator: str
    channels: tuple[str, ...]
    """By which it might have gone."""
    imsi: int
    reason: str
    decided_us: int
    when_us: int
    """For when it was judged: then, or where hours were closed, their end. Unix microseconds."""
    period: int
    """Local month of that, year x 100 + month."""
    day: int
    """Local day of that, proleptic ordinal."""
    most_a_month: int | None = None
    """Where the campaign itself says less than the policy."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A contact of the ledger that counts."""

    campaign: str
    originator: str
    channel: str
    imsi: int
    decided_us: int
    latest_us: int
    """It could not be received later."""
    period: int
    day: int


@dataclass(frozen=True, slots=True)
class Displaced:
    """A lost trigger with who had its place."""

    lost: Lost
    rule: str
    """The cap's own words, or the reason; empty: nobody is found who had taken it."""
    holders: tuple[Holder, ...]


def displaced(lost: Iterable[Lost], ledger: Iterable[Holder], policy: Policy) -> Iterator[Displaced]:
    """Each lost trigger with the contacts to the same subscriber that had taken its place."""
    of: dict[int, list[Holder]] = {}
    for one in sorted(ledger, key=lambda h: (h.decided_us, h.campaign)):
        of.setdefault(one.imsi, []).append(one)
    for wish in lost:
        before = [h for h in of.get(wish.imsi, ()) if h.decided_us <= wish.decided_us]
        rule, holders = _FIND[wish.reason](wish, before, policy)
        yield Displaced(wish, rule, tuple(holders))


def _by_cap(wish: Lost, before: Sequence[Holder], policy: Policy) -> tuple[str, Sequence[Holder]]:
    """The first cap that is full, and all that fill it."""
    for number, cap in enumerate(policy.caps):
        if not _meant_for(cap, wish, policy):
            continue
        most = cap.most
        if number == 0 and wish.most_a_month is not None:
            most = min(most, wish.most_a_month)
        holders = [h for h in before if _counts(cap, h, wish, policy)]
        if len(holders) >= most > 0:
            return cap.text, holders
    return "", ()


def _meant_for(cap: Cap, wish: Lost, policy: Policy) -> bool:
    if cap.classes and not policy.in_classes(wish.originator, cap.classes):
        return False
    return not cap.channels or bool(cap.channels & set(wish.channels))


def _counts(cap: Cap, holder: Holder, wish: Lost, policy: Policy) -> bool:
    if cap.classes and not policy.in_classes(holder.originator, cap.classes):
        return False
    if cap.channels and holder.channel not in cap.channels:
        return False
    if cap.within_us:
        return holder.latest_us > wish.when_us - cap.within_us
    if cap.per == "month":
        return holder.period == wish.period
    if cap.per == "week":
        return (holder.day - 1) // 7 == (wish.day - 1) // 7
    return holder.day == wish.day


def _by_gap(wish: Lost, before: Sequence[Holder], policy: Policy) -> tuple[str, Sequence[Holder]]:
    near = [h for h in before if h.latest_us > wish.when_us - policy.gap_us]
    return ("gap", near[-1:]) if near else ("", ())


def _by_order(wish: Lost, before: Sequence[Holder], policy: Policy) -> tuple[str, Sequence[Holder]]:
    """The latest contact that it may not follow; or one that it may not overtake, still on its way."""
    for row in policy.not_after:
        for own, other, within_us in ((row.classes, row.after, row.within_us), (row.after, row.classes, 1)):
            if policy.in_classes(wish.originator, own):
                near = [
                    h
                    for h in before
                    if policy.in_classes(h.originator, other) and h.latest_us > wish.when_us - within_us
                ]
                if near:
                    return "not_after", near[-1:]
    return "", ()


_FIND: Final = {"cap": _by_cap, "gap": _by_gap, "not_after": _by_order}


def matrix(found: Iterable[Displaced], campaigns: Sequence[str]) -> list[list[float]]:
    """Row: whose trigger was lost; column: whose contacts had its place, each an equal part of one.

    A campaign that fills a cap by itself stands on the diagonal.
    """
    at = {name: i for i, name in enumerate(campaigns)}
    table = [[0.0] * len(campaigns) for _ in campaigns]
    for one in found:
        for holder in one.holders:
            table[at[one.lost.campaign]][at[holder.campaign]] += 1 / len(one.holders)
    return table


def unplaced(found: Iterable[Displaced]) -> Mapping[str, int]:
    """Campaign -> triggers of which records do not show who had their place."""
    return Counter(one.lost.campaign for one in found if not one.holders)
