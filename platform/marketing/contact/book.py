"""What the policy must remember of each subscriber: lists by date, contacts by month and campaign."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from marketing.contact.bounds import PLAIN, Kind
from marketing.contact.hours import Span
from marketing.contact.pairs import Log, Pairs
from marketing.contact.steps import ClockStep

__all__ = ["NEVER", "Book", "Moving", "Remembered", "month_of"]

NEVER: Final = 2**62
"""A date that does not come: not on the list."""


class Moving(Protocol):
    """From the rows of one extract to those of another; see `marketing.profiles.RowMap`."""

    def permute(self, column: NDArray[Any], fill: Any) -> NDArray[Any]: ...
    def rows(self, old: NDArray[np.int64]) -> NDArray[np.int64]: ...
    def row(self, old: int) -> int: ...


class Remembered(NamedTuple):
    """One contact in the log."""

    at_s: int
    """Decided, Unix seconds."""
    latest_s: int
    """It cannot be received later; rounded up."""
    kind: Kind


def month_of(period: int) -> int:
    """A number for a month written as year x 100 + month; the next month has the next."""
    return period // 100 * 12 + period % 100


@dataclass(slots=True)
class Book:
    """Columns by subscriber row. Contacts are counted for two months, the latest and the one before it."""

    do_not_disturb_us: NDArray[np.int64]
    """Since when on the list; NEVER = not."""
    control_us: NDArray[np.int64]
    """The same for the control group."""
    contact_s: NDArray[np.uint32]
    """Unix seconds of the latest contact decided; 0 = none."""
    month: NDArray[np.uint16]
    """Of even and odd months the latest with a contact."""
    count: NDArray[np.uint16]
    """Contacts in them that count against the cap."""
    names: dict[str, int] = field(default_factory=dict)
    """Campaign -> its number in `pairs`, for ever."""
    pairs: Pairs = field(default_factory=Pairs)
    """(row, campaign) -> latest month with its ordinals, local day of the latest counted contact."""
    waiting: set[tuple[int, str]] = field(default_factory=set)
    """(row, campaign) of triggers on hold."""
    log: Log = field(default_factory=lambda: Log(0))
    """Single contacts, where some rule asks for them; see `Policy.remembers`."""
    zone: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    """Number of the subscriber's zone; empty: all live in the policy's."""

    @classmethod
    def empty(cls, subscribers: int) -> Book:
        """Nobody on a list, nothing sent."""
        two = (subscribers, 2)
        return cls(
            np.full(subscribers, NEVER),
            np.full(subscribers, NEVER),
            np.zeros(subscribers, np.uint32),
            np.zeros(two, np.uint16),
            np.zeros(two, np.uint16),
            log=Log(subscribers),
        )

    @property
    def nbytes(self) -> int:
        """Octets held."""
        columns = (self.do_not_disturb_us, self.control_us, self.contact_s, self.month, self.count, self.zone)
        return sum(c.nbytes for c in columns) + self.pairs.nbytes + self.log.nbytes

    def zone_of(self, row: int) -> int:
        """Number of a subscriber's zone."""
        return int(self.zone[row]) if len(self.zone) else 0

    def live_in(self, rows: NDArray[np.int64], zones: NDArray[np.uint8]) -> None:
        """Says in which zones these subscribers live; the others stay in the policy's."""
        if len(rows):
            self.zone = np.zeros(len(self.contact_s), np.uint8)
            self.zone[rows] = zones

    def contacts(self, row: int) -> list[Remembered]:
        """A subscriber's contacts in the log."""
        return [Remembered(at, latest, Kind(group, by)) for at, latest, group, by in self.log.of(row)]

    def counted(self, row: int, period: int) -> int:
        """Contacts of a month (year x 100 + month) that count against the cap."""
        month = month_of(period)
        return int(self.count[row, month & 1]) if self.month[row, month & 1] == month else 0

    def last_day(self, row: int, campaign: str) -> int | None:
        """Local day of the latest counted contact of a campaign."""
        number = self.names.get(campaign)
        return None if number is None else self.pairs.get(row, number)[2] or None

    def add(
        self, row: int, campaign: str, span: Span, at_us: int = 0, latest_us: int = 0, kind: Kind = PLAIN
    ) -> int:
        """Notes a reservation; returns its ordinal among this campaign's to this subscriber this month.

        `span`, `latest_us` as `Policy.decide` gives them; 0: no rule asks for single contacts.
        """
        month, ordinal, _ = self.pairs.get(row, self.number(campaign))
        ordinal = ordinal if month == month_of(span.period) else 0
        self.restore(
            row, campaign, span.period, span.day, ordinal, at_us=at_us, latest_us=latest_us, kind=kind
        )
        return ordinal

    def restore(
        self,
        row: int,
        campaign: str,
        period: int,
        day: int,
        ordinal: int,
        counted: bool = True,
        at_us: int = 0,
        latest_us: int = 0,
        kind: Kind = PLAIN,
    ) -> None:
        """The same from the ledger, when it is already known how it ended."""
        number, month = self.number(campaign), month_of(period)
        latest, ordinals, last = self.pairs.get(row, number)
        if month > latest:
            latest, ordinals = month, ordinal + 1
        elif month == latest:
            ordinals = max(ordinals, ordinal + 1)
        if counted:
            last = max(last, day)
            self._count(row, month)
            self.contact_s[row] = max(int(self.contact_s[row]), at_us // 1_000_000)
            if latest_us:
                self.log.add(row, at_us // 1_000_000, _up_s(latest_us), kind.group, kind.channels)
        self.pairs.put(row, number, latest, ordinals, last)

    def release(
        self, row: int, campaign: str, period: int, day: int, at_us: int = 0, kind: Kind = PLAIN
    ) -> None:
        """A reservation proven unsent counts no more. `at_us`: when it was decided."""
        month = month_of(period)
        slot = month & 1
        if self.month[row, slot] == month and self.count[row, slot]:
            self.count[row, slot] -= 1
        number = self.number(campaign)
        latest, ordinals, last = self.pairs.get(row, number)
        if last == day:
            self.pairs.put(row, number, latest, ordinals, 0)
        self.log.end(row, at_us // 1_000_000, kind.group, kind.channels, 0)

    def settled(self, row: int, at_us: int, kind: Kind, ended_us: int) -> bool:
        """A contact decided at an instant has been received by another, or never will be; False: not here."""
        return self.log.end(row, at_us // 1_000_000, kind.group, kind.channels, max(_up_s(ended_us), 1))

    def clock_set(self, step: ClockStep) -> None:
        """Single contacts move along with a clock that has been set."""
        latest_s = self.log.slots["latest_s"].astype(np.int64)
        moves = (latest_s >= step.from_us // 1_000_000) & (latest_s <= _up_s(step.until_us))
        self.log.slots["latest_s"] = np.where(moves, np.maximum(latest_s + step.by_s, 1), latest_s)

    def opt_out(self, row: int) -> None:
        """On the do-not-disturb list for good, whatever any clock shows: one may be behind the network's."""
        self.do_not_disturb_us[row] = 0

    def prune_log(self, latest_s: int) -> None:
        """Forgets single contacts whose latest possible receipt was before an instant, Unix seconds."""
        self.log.prune(latest_s)

    def prune(self, day: int, period: int) -> None:
        """Forgets contacts before a local day and ordinals before a month, which no rule asks for.

        A campaign that comes later and asks for a longer time without one knows of none before that day.
        """
        self.pairs.prune(day, month_of(period))

    def moved(self, to: Moving) -> Book:
        """By the rows of another extract."""
        pairs = Pairs()
        rows, campaigns, records = self.pairs.entries()
        now = to.rows(rows)
        stays = now >= 0
        pairs.load(now[stays], campaigns[stays], records[stays])
        waiting = {(to.row(row), name) for row, name in self.waiting}
        contact_s = to.permute(self.contact_s, 0)
        log, (of, entries) = Log(len(contact_s)), self.log.entries()
        now = to.rows(of)
        log.load(now[now >= 0], entries[now >= 0])
        return Book(
            to.permute(self.do_not_disturb_us, NEVER),
            to.permute(self.control_us, NEVER),
            contact_s,
            to.permute(self.month, 0),
            to.permute(self.count, 0),
            dict(self.names),
            pairs,
            {key for key in waiting if key[0] >= 0},
            log,
            to.permute(self.zone, 0) if len(self.zone) else self.zone,
        )

    def __deepcopy__(self, _memo: dict[int, Any]) -> Book:
        pairs = Pairs()
        pairs.load(*self.pairs.entries())
        log = Log(len(self.contact_s))
        log.load(*self.log.entries())
        return Book(
            self.do_not_disturb_us.copy(),
            self.control_us.copy(),
            self.contact_s.copy(),
            self.month.copy(),
            self.count.copy(),
            dict(self.names),
            pairs,
            set(self.waiting),
            log,
            self.zone.copy(),
        )

    def number(self, campaign: str) -> int:
        """A campaign's number, a new one for a new name."""
        return self.names.setdefault(campaign, len(self.names))

    def _count(self, row: int, month: int) -> None:
        slot = month & 1
        if self.month[row, slot] < month:
            self.month[row, slot], self.count[row, slot] = month, 0
        if self.month[row, slot] == month:
            self.count[row, slot] += 1


def _up_s(t_us: int) -> int:
    return -(-t_us // 1_000_000)
