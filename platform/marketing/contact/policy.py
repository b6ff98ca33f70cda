"""The contact policy: may this subscriber be contacted by this campaign at this moment?

Pure: it reads the book of what has been sent and says send, hold or suppress; the engine writes the book.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import time, timedelta
from typing import Final, Literal, Protocol
from zoneinfo import ZoneInfo

from marketing.contact.book import NEVER, Book
from marketing.contact.bounds import CALENDAR, PLAIN, Bound, Kind, bounds_of, class_of, keep_s, way_mask
from marketing.contact.busy import NO_BUSY, Busy, read_busy
from marketing.contact.hours import Hours, Span, Stretch
from marketing.contact.rules_file import PolicyFile
from marketing.contact.zones import NO_ZONES, Zones, read_zones

__all__ = ["NEVER", "REASONS", "Book", "Policy", "Reason", "Verdict", "Window"]

Reason = Literal[
    "",
    "experiment",
    "control_group",
    "do_not_disturb",
    "duplicate",
    "cap",
    "gap",
    "not_after",
    "stale",
    "quiet_hours",
    "holiday",
    "closed_hours",
    "busy_cell",
    "delivery_margin",
    "boss",
    "boss_unknown",
    "no_channel",
    "budget",
    "gone",
    "late",
    "withdrawn",
]
REASONS: Final[dict[str, str]] = {
    "experiment": "in the control arm of the campaign's experiment, or held out of it",
    "control_group": "kept without contacts so that effects can be measured",
    "do_not_disturb": "on the do-not-disturb list, or has answered with a stop code",
    "duplicate": "the same campaign reached this subscriber lately, or waits to",
    "cap": "as many contacts in a month, day, week or window as the policy allows",
    "gap": "too soon after the contact before, or before that one's last possible receipt",
    "not_after": "a message of a class that does not go together with it came lately, or may still come",
    "stale": "waited for closed hours to end, or would have to, for longer than such a trigger is good for",
    "quiet_hours": "a quiet hour, and the campaign or the policy does not wait for its end",
    "holiday": "a holiday, and the campaign or the policy does not wait for its end",
    "closed_hours": "an hour that the policy closes, such as a meal time; nobody waits for its end",
    "busy_cell": "in a cell in its busy hours, and the campaign or the policy does not wait for their end",
    "delivery_margin": "too shortly before closed hours or the end of a period to be delivered in time",
    "boss": "by the account as BOSS has it now, the campaign's condition does not hold",
    "boss_unknown": "BOSS did not say in time what the campaign's condition takes",
    "no_channel": "none of the campaign's channels is up and can be shown by the subscriber's terminal",
    "budget": "the campaign has spent its budget of contacts; what turns out unsent is given back to it",
    "gone": "the subscriber left the extract before the message left the platform",
    "late": "the allowed time ran out between decision and submission",
    "withdrawn": "its campaign was taken away while it waited",
}
"""Why a trigger is suppressed. The order is the order of the checks: the first that applies is the reason."""


class Tighter(Protocol):
    """A campaign's own limits; see `marketing.campaigns.CampaignCaps`."""

    @property
    def per_calendar_month(self) -> int | None: ...
    @property
    def same_campaign_days(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class _NoTighter:
    per_calendar_month: int | None = None
    same_campaign_days: int | None = None


NO_TIGHTER: Final = _NoTighter()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with one trigger."""

    action: Literal["send", "hold", "suppress"]
    reason: Reason = ""
    """suppress: why. hold: what it waits for."""
    release_us: int = 0
    """hold: when to ask again, Unix us."""
    submit_before_us: int = 0
    """send: at this instant it is too late to submit, Unix us."""
    valid_until_us: int = 0
    """send: the message centre gives up then, Unix us."""
    span: Span | None = None
    """send: the stretch of time whose month it counts in; its day is that of the latest possible receipt."""
    latest_us: int = 0
    """send: it cannot be received later, Unix us."""
    channel: str = ""
    """send: by which of the channels asked for."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time in which the policy says the same of whoever is not suppressed for his own sake."""

    until_us: int
    """Unix us, not included."""
    span: Span
    period: int
    """The month that a contact decided now would count in: this one, or that of the release."""
    reason: Reason
    """Why nothing is sent now; empty: it is."""
    closes_us: int
    submit_before_us: int
    release_us: int = 0
    """Where closed: when it opens again."""
    holds: bool = False
    """Where closed: what may wait is held for the opening."""
    starts_s: tuple[int, int, int] = (0, 0, 0)
    """Begin of the day, week and month that a contact decided now would count in, Unix seconds; zeros where
    no rule asks for them."""
    day_ends_us: tuple[int, ...] = ()
    """Ends of the span's local day and of those after it, as far as a message may be valid."""

    @property
    def open(self) -> bool:
        """Whether messages are sent."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy file made ready to decide."""

    file: PolicyFile
    hours: Hours
    """Of those who live in the policy's own zone and are in no busy cell."""
    bounds: tuple[Bound, ...] = ()
    zones: Zones = NO_ZONES
    busy: Busy = NO_BUSY
    validity_us: int = 0
    guard_us: int = 0
    """How long an attempt may take that began while the message was valid."""
    _hours: dict[tuple[int, int], Hours] = field(default_factory=dict, repr=False)
    _cuts: list[Hours] = field(default_factory=list, repr=False)
    """By zone, cut wherever the hours of some cell are."""
    _windows: dict[tuple[int, int], tuple[int, Window]] = field(default_factory=dict, repr=False)
    """The latest of each, from when."""
    _change: list[int] = field(default_factory=lambda: [0, 0], repr=False)

    @classmethod
    def of(cls, file: PolicyFile) -> Policy:
        """From a checked file; reads the lists of zones and busy cells that it names.

        Raises:
            ConfigError: one of them cannot be used.
        """
        zones, busy = read_zones(file.timezones.file), read_busy(file.busy_cells)
        validity_us, guard_us = round(file.validity_s * 1e6), round(file.validity_guard_s * 1e6)
        hours = _hours_of(file, file.timezone)
        made = cls(file, hours, bounds_of(file), zones, busy, validity_us, guard_us)
        everywhere = [stretch for hours in busy.hours for stretch in hours]
        for name in (file.timezone, *zones.names):
            made._cuts.append(_hours_of(file, name, everywhere))
        made._hours[0, 0] = made.hours
        return made

    @property
    def remembers(self) -> bool:
        """Whether single contacts must be kept: some rule has a window of its own."""
        return bool(self.bounds)

    @property
    def diverts(self) -> bool:
        """Whether what is refused by one channel may go by another."""
        return any(bound.diverts for bound in self.bounds)

    @property
    def keep_s(self) -> int:
        """For how long after their latest possible receipt, seconds."""
        return keep_s(self.bounds)

    def kind(self, originator: str, channels: Iterable[str] = ("sms",)) -> Kind:
        """What the rules see of a campaign's contacts."""
        return Kind(class_of(self.file, originator), way_mask(channels))

    def decide(
        self,
        book: Book,
        row: int,
        campaign: str,
        at_us: int,
        *,
        may_hold: bool,
        released: bool = False,
        caps: Tighter = NO_TIGHTER,
        kind: Kind = PLAIN,
        cell: int = 0,
        since_us: int | None = None,
        channels: Sequence[str] = (),
    ) -> Verdict:
        """Judges one trigger at the moment it would be sent.

        `may_hold` is the campaign's word; `released` says it has been held already: no trigger is held twice.
        `caps`: the campaign's own limits, of which each counts where it is tighter than the policy's. `cell`:
        where the subscriber is, LAC x 65536 + CI; 0 = not known. `since_us`: when the trigger came about;
        absent: now. `channels`: by which it may go, in order of preference; none named: by those of its kind,
        counted for each of them.
        """
        since_us = at_us if since_us is None else since_us
        window = self.window(at_us, book.zone_of(row), self.busy.of_one(cell))
        for reason, check in _CHECKS:
            if check(self, book, row, campaign, at_us, caps, window):
                return Verdict("suppress", reason)
        # What has to wait is judged as of its release.
        when_us = at_us if window.open else window.release_us
        channel, refused = self._way(book, row, when_us, window, kind, channels)
        if refused:
            return Verdict("suppress", refused)
        stale_us = self.file.holds.stale_after_s * 1_000_000
        if released and at_us - since_us > stale_us:
            return Verdict("suppress", "stale")
        if window.open:
            valid_until_us = self.valid_until_us(window, at_us)
            latest_us = valid_until_us + self.guard_us
            span = self.counted_in(window, latest_us)
            return Verdict("send", "", 0, window.submit_before_us, valid_until_us, span, latest_us, channel)
        if not may_hold or released or not window.holds:
            return Verdict("suppress", window.reason)
        if window.release_us - since_us > stale_us:
            return Verdict("suppress", "stale")
        return Verdict("hold", window.reason, window.release_us)

    def _way(
        self, book: Book, row: int, when_us: int, window: Window, kind: Kind, channels: Sequence[str]
    ) -> tuple[str, Reason]:
        """The first channel by which no bound refuses a contact, or the first refusal."""
        first: Reason = ""
        ways = [(name, replace(kind, channels=way_mask((name,)))) for name in channels] or [("", kind)]
        for name, way in ways:
            refusals = (
                bound
                for bound in self.bounds
                if bound.meant_for(way) and _counted(book, row, bound, when_us, window) >= bound.most
            )
            bound = next(refusals, None)
            if bound is None:
                return name, ""
            first = first or bound.reason
            if not bound.diverts:
                break
        return "", first

    def window(self, at_us: int, zone: int = 0, busy: int = 0) -> Window:
        """What holds around an instant for everybody of a zone in cells of the same busy hours."""
        from_us, known = self._windows.get((zone, busy), (0, _NO_WINDOW))
        if not from_us <= at_us < known.until_us:
            known = self._window(self.hours_of(zone, busy), at_us)
            self._windows[zone, busy] = at_us, known
        return known

    def hours_of(self, zone: int, busy: int = 0) -> Hours:
        """The hours of a zone, in cells of the same busy hours; 0 and 0 are `hours`."""
        known = self._hours.get((zone, busy))
        if known is None:
            name = self.zones.names[zone - 1] if zone else self.file.timezone
            known = _hours_of(self.file, name, self.busy.hours[busy - 1] if busy else ())
            self._hours[zone, busy] = known
        return known

    def _window(self, hours: Hours, at_us: int) -> Window:
        span = hours.span(at_us)
        closes_us = hours.closes_us(at_us)
        before_us = closes_us - round(self.file.delivery_margin_s * 1e6)
        day_ends_us = self._day_ends_us(hours, at_us)
        if not span.closed and at_us < before_us:
            until_us, starts_s = min(span.end_us, before_us), self._starts_s(hours, at_us)
            return Window(
                until_us, span, span.period, "", closes_us, before_us, 0, False, starts_s, day_ends_us
            )
        # In the margin the closed time is still to come, and its rule applies.
        until_us = span.end_us if span.closed else min(span.end_us, closes_us)
        release_us = hours.opens_us(at_us if span.closed else closes_us)
        next_ = span if span.closed else hours.span(closes_us)
        holds = next_.holds if next_.closed else True
        reason: Reason = span.closed or "delivery_margin"
        starts_s, period = self._starts_s(hours, release_us), hours.period(release_us)
        return Window(
            until_us, span, period, reason, closes_us, before_us, release_us, holds, starts_s, day_ends_us
        )

    def _starts_s(self, hours: Hours, when_us: int) -> tuple[int, int, int]:
        asked = any(bound.per for bound in self.bounds)
        return hours.starts_s(when_us) if asked else (0, 0, 0)

    def _day_ends_us(self, hours: Hours, at_us: int) -> tuple[int, ...]:
        today, days = hours.local(at_us).date(), int(self.file.validity_s // 86400) + 2
        return tuple(hours.instant_us(today + timedelta(days=n), time(0)) for n in range(1, days + 1))

    def valid_until_us(self, window: Window, at_us: int) -> int:
        """When the message centre gives up what is sent in an open window."""
        return min(at_us + self.validity_us, window.closes_us - self.guard_us)

    def counted_in(self, window: Window, latest_us: int) -> Span:
        """The span of an open window, with the local day of the latest possible receipt."""
        later = bisect_right(window.day_ends_us, latest_us - 1)
        return replace(window.span, day=window.span.day + later) if later else window.span

    def refuses(self, book: Book, row: int, at_us: int) -> Reason:
        """Why this subscriber is not to be approached in whatever way; empty: no reason."""
        if book.control_us[row] <= at_us:
            return "control_group"
        return "do_not_disturb" if book.do_not_disturb_us[row] <= at_us else ""

    def next_change_us(self, t_us: int) -> int:
        """An instant after t up to which nobody's closed hours end."""
        if not self._change[0] <= t_us < self._change[1]:
            self._change[:] = t_us, min(hours.span(t_us).end_us for hours in self._cuts)
        return self._change[1]

    def slowest(self, t_us: int) -> Span:
        """The span of an instant where the local day is the earliest."""
        return min((hours.span(t_us) for hours in self._cuts), key=lambda span: span.day)


_NO_WINDOW: Final = Window(0, Span(0, 0, "", 0, 0), 0, "", 0, 0)


def _hours_of(file: PolicyFile, zone: str, more: Iterable[Stretch] = ()) -> Hours:
    """The hours of a policy in one zone, and others besides."""
    quiet = file.quiet_hours
    stretches = (
        [] if quiet is None else [Stretch("quiet_hours", quiet.start, quiet.end, quiet.then == "hold")]
    )
    stretches += [
        Stretch("closed_hours", closed.start, closed.end, closed.then == "hold", closed.weekdays)
        for closed in file.closed_hours
    ]
    periods = {rule.per for rule in file.caps.rules}
    return Hours(
        ZoneInfo(zone),
        (*stretches, *more),
        frozenset(file.holidays.dates),
        file.holidays.then == "hold",
        "day" in periods,
        "week" in periods,
    )


def _counted(book: Book, row: int, bound: Bound, when_us: int, window: Window) -> int:
    """Contacts of a subscriber that count against a bound as of an instant."""
    found = [one for one in book.contacts(row) if bound.counted(one.kind)]
    if bound.within_us:
        return sum(one.latest_s * 1_000_000 > when_us - bound.within_us for one in found)
    start_s = window.starts_s[CALENDAR.index(bound.per)]
    return sum(one.at_s >= start_s for one in found)


def _full(
    policy: Policy, book: Book, row: int, _campaign: str, _at_us: int, caps: Tighter, window: Window
) -> bool:
    most = policy.file.caps.per_calendar_month
    if caps.per_calendar_month is not None:
        most = min(most, caps.per_calendar_month)
    return book.counted(row, window.period) >= most


def _control(
    _policy: Policy, book: Book, row: int, _campaign: str, at_us: int, _caps: Tighter, _window: Window
) -> bool:
    return bool(book.control_us[row] <= at_us)


def _do_not_disturb(
    _policy: Policy, book: Book, row: int, _campaign: str, at_us: int, _caps: Tighter, _window: Window
) -> bool:
    return bool(book.do_not_disturb_us[row] <= at_us)


def _duplicate(
    policy: Policy, book: Book, row: int, campaign: str, _at_us: int, caps: Tighter, window: Window
) -> bool:
    if (row, campaign) in book.waiting:
        return True
    days, last = policy.file.duplicate.same_campaign_days, book.last_day(row, campaign)
    days = max(days, caps.same_campaign_days or 0)
    # A day to come, after the clock was set back, counts as today.
    return days > 0 and last is not None and window.span.day - last < days


_CHECKS: Final[tuple[tuple[Reason, Callable[[Policy, Book, int, str, int, Tighter, Window], bool]], ...]] = (
    ("control_group", _control),
    ("do_not_disturb", _do_not_disturb),
    ("duplicate", _duplicate),
    ("cap", _full),
)
