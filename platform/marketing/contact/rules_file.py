"""The policy file: how often and when one subscriber may be contacted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from marketing.config import ConfigError, ExistingFile, Strict, read_model
from marketing.config_values import Form, LocalDay, TimeOfDay
from marketing.config_values import Words as ClassName

__all__ = [
    "CHANNELS",
    "DAYS",
    "BusyCells",
    "CapRule",
    "Caps",
    "ChannelName",
    "ClosedHours",
    "DatedFile",
    "Duplicate",
    "Holds",
    "Holidays",
    "NotAfter",
    "PolicyFile",
    "QuietHours",
    "SenderClass",
    "ZonesFile",
    "load_policy",
]

ChannelName = Literal[
    "sms", "wap", "mms", "outbound", "bulk-sms", "email", "direct-mail", "hall", "hotline", "web"
]
CHANNELS: Final[tuple[str, ...]] = ChannelName.__args__  # type: ignore[attr-defined]
"""Ways to contact somebody; handsets tell the first three apart. A channel's place is its bit in masks."""
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Then = Literal["hold", "drop"]
Prefix = Annotated[str, Form(r"^[0-9]{1,20}$", "1 to 20 digits")]
MOST_CLASSES: Final = 63
MOST_RULES: Final = 50


class CapRule(Strict):
    """A cap of its own, over a calendar period or a rolling window."""

    most: int = Field(ge=1, le=1000)
    """Contacts at most."""
    per: Literal["day", "week", "month"] | None = None
    """Calendar period, local to the subscriber; weeks begin on Monday. This or within_s."""
    within_s: int | None = Field(default=None, ge=1, le=400 * 86400)
    """Rolling window: of its contacts, all received within so many seconds; one exactly so long ago counts
    no more. This or per."""
    channels: list[ChannelName] = Field(default_factory=list)
    """Only contacts by these; none named: by all."""
    classes: list[ClassName] = Field(default_factory=list)
    """Only contacts of these classes; none named: of all."""
    then: Literal["drop", "divert"] = "drop"
    """drop: what it refuses is suppressed; divert: it is judged by the next of the campaign's channels that
    is up and that the terminal shows, and suppressed where none is left. Divert takes channels."""

    @model_validator(mode="after")
    def _one_window(self) -> CapRule:
        if (self.per is None) == (self.within_s is None):
            raise ValueError("expected either per or within_s")
        if self.then == "divert" and not 0 < len(set(self.channels)) < len(CHANNELS):
            raise ValueError("then: divert takes channels, and not all: another must be left to go by")
        return self


class Caps(Strict):
    """Contacts to one subscriber at most, over all campaigns and channels together."""

    per_calendar_month: int = Field(default=2, ge=0, le=1000)
    """Calendar month in the subscriber's time zone."""
    rules: list[CapRule] = Field(default_factory=list, max_length=MOST_RULES)
    """Further caps, each counted by itself."""


class SenderClass(Strict):
    """A named group of messages, known by their sender, so that handsets can tell."""

    originators: list[Prefix] = Field(min_length=1)
    """Sender prefixes: "1008601" is of 1008601 and of all that is longer, such as 10086015. No two may begin
    with one another, so that a sender is of one class at most."""


class NotAfter(Strict):
    """Never the one so soon after the other."""

    classes: list[ClassName] = Field(min_length=1)
    """What is not sent."""
    after: list[ClassName] = Field(min_length=1)
    """After what."""
    within_s: int = Field(ge=1, le=400 * 86400)
    """For so many seconds; exactly then it may be sent again."""


class QuietHours(Strict):
    """Hours of every day without contacts."""

    start: TimeOfDay = Field(alias="from")
    """Local time of the first second without contacts."""
    end: TimeOfDay = Field(alias="to")
    """Local time of the first second with contacts again."""
    then: Then = "hold"
    """hold: release when contact is allowed again, where the campaign says so too; drop: suppress."""

    @model_validator(mode="after")
    def _some_day_left(self) -> QuietHours:
        if self.start == self.end:
            raise ValueError("from and to must differ, or no hour would be left")
        return self


class ClosedHours(QuietHours):
    """A further stretch of the day without contacts: meal times, hours in which the network is busy."""

    name: str = Field(min_length=1, max_length=60)
    """For people."""
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        default_factory=lambda: list(DAYS),  # type: ignore[arg-type]
        min_length=1,
    )
    """Local days; over midnight: the hours of these days, from 00:00 to `to` and from `from` to 24:00."""

    @property
    def weekdays(self) -> frozenset[int]:
        """0 = Monday."""
        return frozenset(map(DAYS.index, self.days))


class Holidays(Strict):
    """Whole local days without contacts."""

    dates: list[LocalDay] = Field(default_factory=list)
    then: Then = "drop"


class BusyCells(Strict):
    """Cells in whose busy hours nobody is contacted who is there when it is decided."""

    file: ExistingFile
    """CSV with the header cell,from,to; cell = lac-ci; local times. A cell may have several rows."""
    then: Then = "hold"
    """hold: release at the end of the busy hours, where the campaign says so too; drop: suppress."""


class Holds(Strict):
    """What becomes of triggers that wait for closed hours to end."""

    release_per_s: int = Field(default=0, ge=0, le=1_000_000)
    """Released in each second at most; 0: all at once."""
    stale_after_s: int = Field(default=86400, ge=1, le=400 * 86400)
    """Older than this at its release, counted from its scene, a trigger is suppressed."""


class DatedFile(Strict):
    """A list of subscribers with the date from which each entry holds."""

    file: ExistingFile | None = None
    """CSV with the header msisdn,since; since is local ISO time, empty = always."""


class ZonesFile(Strict):
    """Subscribers who live in another time zone than most."""

    file: ExistingFile | None = None
    """CSV with the header msisdn,timezone; timezone is an IANA name."""


class Duplicate(Strict):
    """How soon the same campaign may reach the same subscriber again."""

    same_campaign_days: int = Field(default=30, ge=0, le=3650)
    """Local calendar days from one contact to the next; 0 = no such rule."""


def known_zone(name: str) -> str:
    """An IANA name, checked. Raises ValueError."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("expected an IANA time zone such as Asia/Shanghai") from None
    return name


class PolicyFile(Strict):
    """The whole file."""

    timezone: str
    """IANA name; hours, days and months are local to it, but for whom timezones says otherwise."""
    timezones: ZonesFile = ZonesFile()
    """Who lives in another."""
    caps: Caps = Caps()
    minimum_gap_s: int = Field(default=0, ge=0, le=400 * 86400)
    """Seconds from the receipt of one contact to the next, whatever they are; 0 = none."""
    classes: dict[ClassName, SenderClass] = Field(default_factory=dict, max_length=MOST_CLASSES)
    """Groups of messages that rules speak of, by name."""
    not_after: list[NotAfter] = Field(default_factory=list, max_length=MOST_RULES)
    """What may not come soon after what."""
    quiet_hours: QuietHours | None = None
    closed_hours: list[ClosedHours] = Field(default_factory=list, max_length=50)
    """More stretches of the day."""
    holidays: Holidays = Holidays()
    busy_cells: BusyCells | None = None
    holds: Holds = Holds()
    do_not_disturb: DatedFile = DatedFile()
    control_group: DatedFile = DatedFile()
    """Never contacted, so that effects can be measured against them."""
    delivery_margin_s: float = Field(default=300.0, ge=0)
    """Nothing is submitted this shortly before a time without contacts."""
    validity_guard_s: float = Field(default=60.0, ge=0)
    """Validity periods end this long before such a time, since an attempt already begun takes a while."""
    validity_s: float = Field(default=21600.0, gt=0)
    """The message centre tries for this long at most."""
    duplicate: Duplicate = Duplicate()
    confirmations: Literal["always", "as_contacts"] = "always"
    """Of orders, which are no contacts. always: at once. as_contacts: when contacts may be sent, and not to
    whom nothing may be sent at all."""
    marketing_originators: list[Prefix] = Field(min_length=1)
    """Sender prefixes; whatever comes from these is a contact."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        return known_zone(name)

    @model_validator(mode="after")
    def _guard_within_margin(self) -> PolicyFile:
        if self.validity_guard_s > self.delivery_margin_s:
            raise ValueError(
                f"validity_guard_s: expected at most delivery_margin_s, {self.delivery_margin_s:g}: "
                "a validity could end in the past"
            )
        return self


def load_policy(path: Path | str) -> PolicyFile:
    """The policy file, without the lists it names (`Policy.of` and `marketing.profiles` read those).

    Raises:
        ConfigError: with every problem of the file.
    """
    from marketing.contact.contradictions import contradictions  # it speaks of these classes

    policy, document = read_model(Path(path), PolicyFile)
    problems = [document.problem(*found) for found in contradictions(policy)]
    if problems:
        raise ConfigError(problems)
    return policy
