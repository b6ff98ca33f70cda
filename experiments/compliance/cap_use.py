"""How far each cap of a policy is used: person-periods by contacts, or people by their fullest window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.audit.local_time import month_of, week_of
from experiments.audit.policy import Cap
from experiments.audit.rules import Judged

__all__ = ["CapUse", "cap_use", "counted", "period_of"]


@dataclass(frozen=True, slots=True)
class CapUse:
    """One cap."""

    text: str
    """As the audit says it: what tables name it by."""
    most: int
    per: str
    """day, week or month; empty: a rolling window."""
    within_s: float
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    people: int
    periods: int
    """Calendar periods that the run touches; 1 for a rolling window: each person's fullest."""
    counts: tuple[int, ...]
    """Person-periods with 0, 1, ... `most` contacts, and last with more."""

    @property
    def at_cap_share(self) -> float:
        """Person-periods in which no further contact would have been allowed."""
        total = sum(self.counts)
        return sum(self.counts[self.most :]) / total if total else 0.0


def cap_use(judged: Judged, people: Sequence[str], days: tuple[int, int]) -> Iterator[CapUse]:
    """Of every cap of the policy.

    Args:
        judged: Contacts received.
        people: MSISDNs of all who might have been contacted.
        days: First and last local day of the run, since 1970-01-01.
    """
    known = {msisdn: i for i, msisdn in enumerate(judged.contacts.parts.persons)}
    codes = np.array([known[msisdn] for msisdn in people if msisdn in known], np.int32)
    among = np.isin(judged.contacts.person, codes)
    for cap in judged.policy.caps:
        rows = np.flatnonzero(counted(judged, cap) & among)
        person = judged.contacts.person[rows]
        if cap.per:
            first, last = (int(period_of(np.array([day]), cap)[0]) for day in days)
            periods = last - first + 1
            period = period_of(judged.day[rows], cap)
            _, used = np.unique(np.stack((person.astype(np.int64), period)), axis=1, return_counts=True)
        else:
            periods, used = 1, _fullest(judged, cap, rows)
        counts = np.bincount(np.minimum(used, cap.most + 1), minlength=cap.most + 2)
        counts[0] = len(people) * periods - int(counts[1:].sum())
        yield CapUse(
            cap.text, cap.most, cap.per, cap.within_us / 1e6, tuple(sorted(cap.channels)), cap.classes,
            len(people), periods, tuple(counts.tolist()),
        )  # fmt: skip


def counted(judged: Judged, cap: Cap) -> NDArray[np.bool_]:
    """Contacts that a cap counts: by its channels and classes."""
    contacts = judged.contacts
    found = np.ones(len(contacts), np.bool_)
    if cap.channels:
        named = np.array([name in cap.channels for name in contacts.parts.channels], np.bool_)
        found &= named[contacts.channel]
    if cap.classes:
        found &= judged.of_classes(cap.classes)
    return found


def period_of(day: NDArray[np.int64], cap: Cap) -> NDArray[np.int64]:
    """Number of the cap's calendar period of local days; consecutive periods have consecutive numbers."""
    if cap.per == "month":
        return month_of(day)
    return week_of(day) if cap.per == "week" else day


def _fullest(judged: Judged, cap: Cap, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Contacts in the fullest window (t - within, t] of each person with any."""
    person, t_us = judged.contacts.person[rows], judged.contacts.t_us[rows]
    found: dict[int, int] = {}
    order = np.lexsort((t_us, person))
    start = 0
    who, when = person[order].tolist(), t_us[order].tolist()
    for i, (one, at) in enumerate(zip(who, when, strict=True)):
        while who[start] != one or when[start] <= at - cap.within_us:
            start += 1
        found[one] = max(found.get(one, 0), i - start + 1)
    return np.array(list(found.values()), np.int64)
