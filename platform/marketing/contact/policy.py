"""The contact policy: may this subscriber be contacted by this campaign at this moment?

Pure: it reads the book of what has been sent and says send, hold or suppress; the engine writes the book.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from marketing.contact.book import NEVER, Book
from marketing.contact.hours import Hours, Span
from marketing.contact.rules_file import PolicyFile

__all__ = ["NEVER", "REASONS", "Book", "Policy", "Reason", "Verdict", "Window"]

Reason = Literal[
    "",
    "experiment",
    "control_group",
    "do_not_disturb",
    "duplicate",
    "cap",
    "quiet_hours",
    "holiday",
    "delivery_margin",
    "boss",
    "boss_unknown",
    "gone",
    "late",
]
REASONS: Final[dict[str, str]] = {
    "experiment": "in the control arm of the campaign's experiment, or held out of it",
    "control_group": "kept without contacts so that effects can be measured",
    "do_not_disturb": "on the do-not-disturb list, or has answered with a stop code",
    "duplicate": "the same campaign reached this subscriber lately, or waits to",
    "cap": "as many contacts this calendar month as the policy allows",
    "quiet_hours": "a quiet hour, and the campaign or the policy does not wait for its end",
    "holiday": "a holiday, and the campaign or the policy does not wait for its end",
    "delivery_margin": "too shortly before a quiet hour, holiday or the month's end to be delivered in time",
    "boss": "by the account as BOSS has it now, the campaign's condition does not hold",
    "boss_unknown": "BOSS did not say in time what the campaign's condition takes",
    "gone": "the subscriber left the extract between decision and submission",
    "late": "the allowed time ran out between decision and submission",
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
    """send: the stretch of time whose month it counts in."""


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

    @property
    def open(self) -> bool:
        """Whether messages are sent."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy file made ready to decide."""

    file: PolicyFile
    hours: Hours

    @classmethod
    def of(cls, file: PolicyFile) -> Policy:
        """From a checked file."""
        quiet = (file.quiet_hours.start, file.quiet_hours.end) if file.quiet_hours else None
        return cls(file, Hours.of(file.timezone, quiet, file.holidays.dates))

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
    ) -> Verdict:
        """Judges one trigger at the moment it would be sent.

        `may_hold` is the campaign's word; `released` says it has been held already: no trigger is held twice.
        `caps`: the campaign's own limits, of which each counts where it is tighter than the policy's.
        """
        for reason, check in _CHECKS:
            if check(self, book, row, campaign, at_us, caps):
                return Verdict("suppress", reason)
        window = self.window(at_us)
        if self._full(book, row, window.period, caps):
            return Verdict("suppress", "cap")
        if window.open:
            valid_until_us = self.valid_until_us(window, at_us)
            return Verdict("send", "", 0, window.submit_before_us, valid_until_us, window.span)
        if not may_hold or released or not window.holds:
            return Verdict("suppress", window.reason)
        return Verdict("hold", window.reason, window.release_us)

    def window(self, at_us: int) -> Window:
        """What holds for everybody around an instant."""
        span = self.hours.span(at_us)
        closes_us = self.hours.closes_us(at_us)
        before_us = closes_us - round(self.file.delivery_margin_s * 1e6)
        until_us = self.next_change_us(at_us)
        if not span.closed and at_us < before_us:
            return Window(until_us, span, span.period, "", closes_us, before_us)
        # In the margin the closed time is still to come.
        release_us = self.hours.opens_us(at_us if span.closed else closes_us)
        holds = self._then(span, closes_us) != "drop"
        reason = span.closed or "delivery_margin"
        period = self.hours.period(release_us)
        return Window(until_us, span, period, reason, closes_us, before_us, release_us, holds)

    def valid_until_us(self, window: Window, at_us: int) -> int:
        """When the message centre gives up what is sent in an open window."""
        guard_us = round(self.file.validity_guard_s * 1e6)
        return min(at_us + round(self.file.validity_s * 1e6), window.closes_us - guard_us)

    def refuses(self, book: Book, row: int, at_us: int) -> Reason:
        """Why this subscriber is not to be approached in whatever way; empty: no reason."""
        if book.control_us[row] <= at_us:
            return "control_group"
        return "do_not_disturb" if book.do_not_disturb_us[row] <= at_us else ""

    def next_change_us(self, t_us: int) -> int:
        """The next instant at which an answer may change by the passing of time alone."""
        end_us = self.hours.span(t_us).end_us
        margin_us = end_us - round(self.file.delivery_margin_s * 1e6)
        return margin_us if margin_us > t_us else end_us

    def _full(self, book: Book, row: int, period: int, caps: Tighter) -> bool:
        most = self.file.caps.per_calendar_month
        if caps.per_calendar_month is not None:
            most = min(most, caps.per_calendar_month)
        return book.counted(row, period) >= most

    def _then(self, span: Span, closes_us: int) -> str:
        # In the margin before a closed time, that time's rule applies.
        closed = span.closed or self.hours.span(closes_us).closed
        if closed == "holiday":
            return self.file.holidays.then
        return self.file.quiet_hours.then if closed == "quiet_hours" and self.file.quiet_hours else "hold"


def _control(_policy: Policy, book: Book, row: int, _campaign: str, at_us: int, _caps: Tighter) -> bool:
    return bool(book.control_us[row] <= at_us)


def _do_not_disturb(
    _policy: Policy, book: Book, row: int, _campaign: str, at_us: int, _caps: Tighter
) -> bool:
    return bool(book.do_not_disturb_us[row] <= at_us)


def _duplicate(policy: Policy, book: Book, row: int, campaign: str, at_us: int, caps: Tighter) -> bool:
    if (row, campaign) in book.waiting:
        return True
    days, last = policy.file.duplicate.same_campaign_days, book.last_day(row, campaign)
    days = max(days, caps.same_campaign_days or 0)
    return last is not None and abs(policy.hours.span(at_us).day - last) < days


_CHECKS: Final[tuple[tuple[Reason, Callable[[Policy, Book, int, str, int, Tighter], bool]], ...]] = (
    ("control_group", _control),
    ("do_not_disturb", _do_not_disturb),
    ("duplicate", _duplicate),
)
