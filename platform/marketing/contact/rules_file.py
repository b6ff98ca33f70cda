"""The policy file: how often and when one subscriber may be contacted."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from marketing.config import ExistingFile, Strict, read_model

__all__ = ["Caps", "DatedFile", "Duplicate", "Holidays", "PolicyFile", "QuietHours", "load_policy"]


class Caps(Strict):
    """Contacts to one subscriber at most, over all campaigns and channels together."""

    per_calendar_month: int = Field(default=2, ge=0, le=1000)
    """Calendar month in the policy's time zone."""


class QuietHours(Strict):
    """Hours of every day without contacts."""

    start: time = Field(alias="from")
    """Local time of the first quiet second."""
    end: time = Field(alias="to")
    """Local time of the first second that is not quiet any more."""
    then: Literal["hold", "drop"] = "hold"
    """hold: release when contact is allowed again, where the campaign says so too; drop: suppress."""

    @model_validator(mode="after")
    def _some_day_left(self) -> QuietHours:
        if self.start == self.end:
            raise ValueError("from and to must differ, or no hour would be left")
        return self


class Holidays(Strict):
    """Whole local days without contacts."""

    dates: list[date] = Field(default_factory=list)
    then: Literal["hold", "drop"] = "drop"


class DatedFile(Strict):
    """A list of subscribers with the date from which each entry holds."""

    file: ExistingFile | None = None
    """CSV with the header msisdn,since; since is local ISO time, empty = always."""


class Duplicate(Strict):
    """How soon the same campaign may reach the same subscriber again."""

    same_campaign_days: int = Field(default=30, ge=0, le=3650)
    """Local calendar days from one contact to the next; 0 = no such rule."""


class PolicyFile(Strict):
    """The whole file."""

    timezone: str
    """IANA name; hours, days and months are local to it."""
    caps: Caps = Caps()
    quiet_hours: QuietHours | None = None
    holidays: Holidays = Holidays()
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
    marketing_originators: list[Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]] = Field(min_length=1)
    """Sender prefixes; whatever comes from these is a contact."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError("expected an IANA time zone such as Asia/Shanghai") from None
        return name

    @model_validator(mode="after")
    def _guard_within_margin(self) -> PolicyFile:
        if self.validity_guard_s > self.delivery_margin_s:
            raise ValueError(
                "validity_guard_s must not exceed delivery_margin_s: a validity could end in the past"
            )
        return self


def load_policy(path: Path | str) -> PolicyFile:
    """The policy file, without the lists it names (`marketing.profiles.read_dated_list` reads those).

    Raises:
        ConfigError: with every problem of the file.
    """
    policy, _ = read_model(Path(path), PolicyFile)
    return policy
