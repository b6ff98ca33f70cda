"""Platforms that are wrong in one thing: real variants of the platform's decision, to be caught by the audit.

Every class overrides one step of `experiments.firewall.trial.Decision`, which is the platform's own policy
and book: what it breaks is what somebody might have written. `rule` is the violation that must name it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from experiments.firewall.traffic import Sender, Traffic
from experiments.firewall.trial import Decision, Reserved
from marketing.contact import NEVER, Policy
from marketing.contact.hours import Hours
from marketing.contact.policy import Verdict

__all__ = ["MUTANTS"]

SECOND_US: Final = 1_000_000


def _changed_rules(file: Any, **how: Any) -> Any:
    """The file with each of its cap rules changed by functions of it."""
    rules = [
        rule.model_copy(update={key: make(rule) for key, make in how.items()}) for rule in file.caps.rules
    ]
    return file.model_copy(update={"caps": file.caps.model_copy(update={"rules": rules})})


class CheckThenSend(Decision):
    name, rule = "check-then-send", "cap"
    why = "several workers judge, and what one has decided the others see 50 ms later"
    waits_us = 50_000


class CalendarForRolling(Decision):
    name, rule = "calendar for rolling", "cap"
    why = "rolling windows counted by calendar weeks and months"

    def read(self, file: Path) -> Any:
        return _changed_rules(
            super().read(file),
            per=lambda r: r.per or ("week" if r.within_s < 20 * 86400 else "month"),
            within_s=lambda r: None,
        )


class ForgottenChannel(Decision):
    name, rule = "forgotten channel", "cap"
    why = "WAP pushes are sent and never booked"

    def enter(self, one: Reserved) -> None:
        if one.sender.channel != "wap":
            super().enter(one)


class LostControlGroup(Decision):
    name, rule = "lost control group", "control_group"
    why = "the control group is not read again after a restart"

    def restart(self, ledger: Any) -> None:
        super().restart(ledger)
        if ledger:
            self.book.control_us[:] = NEVER


class UtcForLocal(Decision):
    name, rule = "UTC for local", "quiet_hours"
    why = "hours of the day taken in UTC"

    def read(self, file: Path) -> Any:
        read = super().read(file)
        return read.model_copy(
            update={"timezone": "UTC", "timezones": read.timezones.model_copy(update={"file": None})}
        )


class OneZoneForAll(Decision):
    name, rule = "one zone for all", "quiet_hours"
    why = "everybody judged in the policy's zone"

    def live_in(self) -> None:
        pass


class WinterTime(Decision):
    name, rule = "winter time", "quiet_hours"
    why = "zones with the offset that they had in winter"

    def ready(self, policy: Policy) -> Any:
        fixed = {
            "Europe/Berlin": "Etc/GMT-1",
            "America/Sao_Paulo": "Etc/GMT+3",
            "Pacific/Auckland": "Etc/GMT-12",
        }
        names = tuple(fixed.get(name, name) for name in policy.zones.names)
        return replace(policy, zones=replace(policy.zones, names=names))


class OffByOne(Decision):
    name, rule = "off by one", "cap"
    why = "more than the cap, where as many as the cap should refuse"

    def read(self, file: Path) -> Any:
        read = super().read(file)
        caps = read.caps.model_copy(update={"per_calendar_month": read.caps.per_calendar_month + 1})
        return _changed_rules(read.model_copy(update={"caps": caps}), most=lambda r: r.most + 1)


class LateStop(Decision):
    name, rule = "opt-out a minute late", "do_not_disturb"
    why = "stop codes are gathered and take effect with the next full minute's batch"

    def stop(self, row: int, at_us: int) -> None:
        since_us = min(int(self.book.do_not_disturb_us[row]), at_us + 60 * SECOND_US)
        self.book.do_not_disturb_us[row] = since_us


class ValidPastTheNight(Decision):
    name, rule = "validity past the night", "quiet_hours"
    why = "the message centre may try for six hours, whatever begins meanwhile"

    def valid_until_us(self, one: Reserved) -> int:
        validity_s: float = self.file.validity_s
        return one.at_us + round(validity_s * 1e6)


class ResendAfterRestart(Decision):
    name, rule = "resend after restart", "duplicate"
    why = "what was submitted without an answer is submitted again"

    def again(self, ledger: dict[int, Reserved]) -> Iterator[Reserved]:
        for one in ledger.values():
            if one.counted and not one.answered:
                one.answered = True
                yield one


class MonthOfAnotherZone(Decision):
    name, rule = "month of another zone", "cap"
    why = "the month of a contact is the one that it is in UTC"

    def ready(self, policy: Policy) -> Any:
        utc = Hours.of("UTC", None)

        class InUtc(Policy):
            __slots__ = ()

            def window(self, at_us: int, zone: int = 0, busy: int = 0) -> Any:
                found = super().window(at_us, zone, busy)
                month = utc.period(found.release_us or at_us)
                return replace(found, period=month, span=replace(found.span, period=utc.period(at_us)))

        return _as(InUtc, policy)


class GapPerMonth(Decision):
    name, rule = "gap per month", "gap"
    why = "the last contact is looked up among those of this month"

    def __init__(self, file: Path, traffic: Traffic) -> None:
        super().__init__(file, traffic)
        without = self.file.model_copy(update={"minimum_gap_s": 0})
        self._without = self.ready(Policy.of(without))

    def decide(
        self, row: int, sender: Sender, at_us: int, since_us: int, cell: int, released: bool
    ) -> Verdict:
        month = self.policy.window(at_us, self.book.zone_of(row)).span.period
        kept = self.policy
        if not self.book.counted(row, month):
            self.policy = self._without
        try:
            return super().decide(row, sender, at_us, since_us, cell, released)
        finally:
            self.policy = kept


class ClassByEquality(Decision):
    name, rule = "class by equality", "cap"
    why = "an originator belongs to a class only if it is its prefix itself"

    def class_key(self, sender: Sender) -> str:
        prefixes = {p for group in self.file.classes.values() for p in group.originators}
        return sender.originator if sender.originator in prefixes else ""


class WeekFromSunday(Decision):
    name, rule = "week from Sunday", "cap"
    why = "weeks begin on Sunday"

    def ready(self, policy: Policy) -> Any:
        class FromSunday(Policy):
            __slots__ = ()

            def window(self, at_us: int, zone: int = 0, busy: int = 0) -> Any:
                found = super().window(at_us, zone, busy)
                hours, when_us = self.hours_of(zone, busy), found.release_us or at_us
                day = hours.local(when_us).date()
                sunday = day - timedelta(days=(day.weekday() + 1) % 7)
                begin_s = hours.instant_us(sunday, hours.local(0).min.time()) // SECOND_US
                return replace(found, starts_s=(found.starts_s[0], begin_s, found.starts_s[2]))

        return _as(FromSunday, policy)


class UnknownNotSent(Decision):
    name, rule = "unknown as not sent", "cap"
    why = "a submission without an answer is given back"

    def unknown(self, one: Reserved) -> None:
        self.unsent(one)


class ExpiredGivenBack(Decision):
    name, rule = "expired given back", "cap"
    why = "a message of which a part expired is given back, though another part was read"

    def expired(self, one: Reserved, at_us: int) -> None:
        if one.counted:
            self.unsent(one)


class GapFromDecision(Decision):
    name, rule = "gap from the decision", "gap"
    why = "the gap runs from when it was sent, not from when it may be received"

    def enter(self, one: Reserved) -> None:
        one.verdict = replace(one.verdict, latest_us=one.at_us)
        super().enter(one)


class HolidayTheDayAfter(Decision):
    name, rule = "holiday the day after", "holiday"
    why = "days counted from another day nought"

    def read(self, file: Path) -> Any:
        read = super().read(file)
        dates = [day + timedelta(days=1) for day in read.holidays.dates]
        return read.model_copy(update={"holidays": read.holidays.model_copy(update={"dates": dates})})


class WeekdayFromSunday(Decision):
    name, rule = "weekday from Sunday", "closed_hours"
    why = "Sunday is day nought, so that Saturday is taken for it"

    def read(self, file: Path) -> Any:
        read = super().read(file)
        names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
        moved = [
            hours.model_copy(update={"days": [names[names.index(day) - 1] for day in hours.days]})
            for hours in read.closed_hours
        ]
        return read.model_copy(update={"closed_hours": moved})


class OldCell(Decision):
    name, rule = "cell of yesterday", "busy_cell"
    why = "the cell is the one in which a subscriber was first seen"

    def restart(self, ledger: Any) -> None:
        super().restart(ledger)
        self._first: dict[int, int] = {}

    def cell_of(self, row: int, cell: int) -> int:
        return super().cell_of(row, self._first.setdefault(row, cell))


class NotAfterOneDay(Decision):
    name, rule = "never-after for one day", "not_after"
    why = "the other class is looked for on the same day"

    def read(self, file: Path) -> Any:
        read = super().read(file)
        rows = [row.model_copy(update={"within_s": 86400}) for row in read.not_after]
        return read.model_copy(update={"not_after": rows})


class ForgottenCampaigns(Decision):
    name, rule = "campaigns forgotten", "duplicate"
    why = "a new process has forgotten which campaigns it sent"

    def restore(self, one: Reserved) -> None:
        known, span = one.sender.name, one.verdict.span
        assert span is not None  # it was sent
        self.book.restore(
            one.row, f"{known} before", span.period, span.day, one.ordinal, one.counted,
            one.at_us, one.ended_us or one.verdict.latest_us, self.kinds[known],
        )  # fmt: skip


def _as(kind: type[Policy], policy: Policy) -> Policy:
    """The same policy, with other methods."""
    return kind(**{name: getattr(policy, name) for name in Policy.__dataclass_fields__})


MUTANTS: Final[tuple[type[Decision], ...]] = (
    CheckThenSend,
    CalendarForRolling,
    ForgottenChannel,
    LostControlGroup,
    UtcForLocal,
    OneZoneForAll,
    WinterTime,
    OffByOne,
    LateStop,
    ValidPastTheNight,
    ResendAfterRestart,
    MonthOfAnotherZone,
    GapPerMonth,
    ClassByEquality,
    WeekFromSunday,
    UnknownNotSent,
    ExpiredGivenBack,
    GapFromDecision,
    HolidayTheDayAfter,
    WeekdayFromSunday,
    OldCell,
    NotAfterOneDay,
    ForgottenCampaigns,
)
"""All of them."""
