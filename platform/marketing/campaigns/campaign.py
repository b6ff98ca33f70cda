"""The campaign file: audience x scene -> offer, content, reply codes (J5, J6, J12)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import (
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from marketing.campaigns.audience import Short, as_expression, check_short
from marketing.campaigns.budget import ALWAYS, Budget, instant_us
from marketing.campaigns.channel_content import TITLE_MAX, Language, Mms, Text, Wap, in_language
from marketing.campaigns.channels import CHANNELS, ChannelName
from marketing.campaigns.condition import BossCondition, Condition
from marketing.campaigns.content import template
from marketing.campaigns.elements import DwellElement, NumberList
from marketing.campaigns.experiment import CONTROL, HOLD_OUT, Experiment
from marketing.campaigns.scene import Scene
from marketing.config import ExistingFile, Strict
from marketing.config_values import Form, LocalDay, TimeOfDay
from marketing.config_values import Words as Name

__all__ = ["Campaign", "CampaignCaps", "FollowUp", "Group", "Reply", "Valid"]

Code = Annotated[str, Field(min_length=1, max_length=20)]
LAST_DAY: Final = 36_500
"""Of the world, for a group: a hundred years."""


class Valid(Strict):
    """Local days, in the policy's zone, on which the campaign runs."""

    start: LocalDay | None = Field(default=None, alias="from")
    """First day; absent: from ever."""
    until: LocalDay | None = None
    """Last day, included; absent: for ever."""

    @field_validator("start", "until")
    @classmethod
    def _near(cls, day: date | None) -> date | None:
        # Time zones need some room at both ends of what dates can be.
        if day is not None and not 1970 <= day.year <= 2200:
            raise ValueError("expected a day of the years 1970 to 2200")
        return day

    @model_validator(mode="after")
    def _some_day(self) -> Valid:
        if self.start is not None and self.until is not None and self.until < self.start:
            raise ValueError("until is before from: no day would be left")
        return self


class Group(Strict):
    """Sending to a list at a set time, by the platform itself."""

    at: TimeOfDay
    """Local time of day, such as "10:00"."""
    day: int = Field(default=1, ge=1, le=LAST_DAY)
    """Day of the world (1 = the clock's epoch day) for targets that name none."""
    targets: ExistingFile
    """CSV with the header msisdn,day; day may be empty."""


class Reply(Strict):
    """What a subscriber may answer; compared without regard to case, width or surrounding space."""

    order: list[Code] = Field(default_factory=list)
    """Orders the offer."""
    stop: list[Code] = Field(default_factory=lambda: ["TD"])
    """Ends all marketing to this subscriber, at once."""
    confirmation: dict[Language, Text] = Field(default_factory=dict)
    """Sent by short message once BOSS has opened the offer, by language; no contact. Absent: nothing is."""

    @model_validator(mode="after")
    def _apart(self) -> Reply:
        both = {_normal(c) for c in self.order} & {_normal(c) for c in self.stop}
        if both:
            raise ValueError(f"{sorted(both)} would both order and stop")
        return self


class CampaignCaps(Strict):
    """Limits tighter than the policy's, in its own words; of two limits the tighter counts."""

    per_calendar_month: int | None = Field(default=None, ge=1, le=1000)
    """Sent only to who has had fewer contacts this month, of all campaigns together; absent: the policy's."""
    same_campaign_days: int | None = Field(default=None, ge=1, le=3650)
    """Local days from one contact of this campaign to the next; absent: the policy's."""


class FollowUp(Strict):
    """Another campaign that comes after a contact of this one."""

    after_s: int = Field(ge=60, le=90 * 86400)
    """Seconds after the contact was submitted."""
    when: Literal["no_reply"] = "no_reply"
    """no_reply: nothing was answered until then."""
    campaign: Name
    """Name of a campaign of mode follow_up."""


class Campaign(Strict):
    """One campaign. Its name is part of every contact id and never changes while it runs."""

    campaign: Name
    """Name: lower-case words joined by hyphens."""
    title: str = Field(min_length=1)
    """One line for people."""
    source: str = ""
    """What asked for it, such as J12 row 5."""
    valid: Valid = Valid()
    audience: Annotated[
        Annotated[Condition, Tag("expression")] | Annotated[Short, Tag("short")],
        Discriminator(lambda value: "expression" if isinstance(value, str) else "short"),
    ] = Field(default_factory=dict)
    """An expression over features, or in short: column of the BOSS extract, or lists -> value, or list of
    which one is enough; all columns must hold."""
    targets: NumberList | None = None
    """Target list besides: an imported list, or a CSV file with the header msisdn; absent: everybody."""
    scene: Scene | None = None
    """Needed in mode trigger."""
    mode: Literal["trigger", "group", "follow_up", "desk"] = "trigger"
    """trigger: at the scene's moment. group: to a list at a set time. follow_up: after another campaign.
    desk: when the customer comes by itself, to a hall, the hotline or the web."""
    group: Group | None = None
    """Needed in mode group."""
    output: Literal["contact", "file", "statistics"] = "contact"
    """contact: a message. file: who was triggered goes into a file. statistics: counts only."""
    offer: Annotated[
        str,
        Form(r"^([a-z0-9]+(-[a-z0-9]+)*)?$", "words of small letters and digits, joined by hyphens"),
    ] = Field(default="", validate_default=True)
    """Name of the offer at BOSS; needed where the output is contact."""
    content: dict[Language, Text] = Field(default_factory=dict, validate_default=True)
    """Text by language, with placeholders; the subscriber's own, else the first. Needed where the output is
    contact. Desks read it out: the script."""
    channels: list[ChannelName] = Field(default_factory=lambda: ["sms"], min_length=1, max_length=10)  # type: ignore[arg-type]
    """The preferred one first: a contact goes by the first that is up and that the terminal shows."""
    wap: Wap | None = Field(default=None, validate_default=True)
    """Needed where channels has wap."""
    mms: Mms | None = Field(default=None, validate_default=True)
    """Needed where channels has mms."""
    originator: Annotated[str, Form(r"^([0-9]{3,20})?$", "3 to 20 digits")] = Field(
        default="", validate_default=True
    )
    """Sender shown; replies come back to it. One of the policy's marketing originators. Needed where the
    output is contact."""
    reply: Reply = Field(default_factory=Reply)
    priority: int = Field(default=10, ge=0, le=1000)
    """Higher goes first when several triggers fall on one instant."""
    value: float = Field(default=0.0, ge=0)
    """What one contact is expected to bring; of campaigns of one priority the greater goes first."""
    cost: float = Field(default=0.0, ge=0)
    """Of one contact, for reports; in the currency of the study (`currency`), yuan unless it says another."""
    hold: Literal["release", "drop"] = "drop"
    """In hours that the policy holds: release when they end, or drop because the moment has gone."""
    caps: CampaignCaps = CampaignCaps()
    budget: Budget | None = None
    """Contacts that it may spend over all subscribers, a number or keys; absent: as many as come."""
    boss: BossCondition | None = None
    """An expression over `boss.X`, asked of BOSS at the decision, of whom the policy lets through."""
    boss_unknown: Literal["drop", "send"] = "drop"
    """Where BOSS does not say in time, or not all that the expression takes."""
    experiment: Experiment | None = None
    follow_ups: list[FollowUp] = Field(default_factory=list, max_length=10)
    """Campaigns that come after a contact of this one."""
    _expression: str = PrivateAttr(default="")

    @field_validator("audience")
    @classmethod
    def _columns(cls, audience: str | Short) -> str | Short:
        if not isinstance(audience, str):
            check_short(audience)
        return audience

    @model_validator(mode="after")
    def _mode(self) -> Campaign:
        if self.mode == "trigger" and (self.scene is None or self.group is not None):
            raise ValueError("mode: mode trigger needs the key scene and no key group")
        if self.mode == "group" and (self.group is None or self.scene is not None):
            raise ValueError("mode: mode group needs the key group and no key scene")
        if self.mode in ("follow_up", "desk") and (self.group is not None or self.scene is not None):
            raise ValueError(f"mode: mode {self.mode} has neither the key scene nor the key group")
        return self

    @field_validator("channels")
    @classmethod
    def _once_each(cls, channels: list[ChannelName]) -> list[ChannelName]:
        if len(set(channels)) < len(channels):
            raise ValueError("a channel is named twice")
        return channels

    @field_validator("wap", "mms")
    @classmethod
    def _content_of_channel(cls, value: Wap | Mms | None, info: ValidationInfo) -> Wap | Mms | None:
        # `channels` and `content` stand before these; they are absent here where they are themselves wrong.
        named = info.field_name in info.data.get("channels", ())
        if named and value is None:
            raise PydanticCustomError("missing", "needed where channels names it")
        if value is not None and not named and "channels" in info.data:
            raise ValueError("has no sense: channels does not name it")
        longest = max(map(len, info.data.get("content", {}).values()), default=0)
        if isinstance(value, Wap) and not value.title and longest > TITLE_MAX:
            raise ValueError(f"needs a title: the content is longer than {TITLE_MAX} characters")
        return value

    @model_validator(mode="after")
    def _by_channel(self) -> Campaign:
        desks = [name for name in self.channels if CHANNELS[name].kind == "desk"]
        if self.mode == "desk" and len(desks) < len(self.channels):
            raise ValueError("channels: mode desk takes the channels hall, hotline and web only")
        if self.mode != "desk" and desks:
            raise ValueError(
                f"channels: the channel {desks[0]} needs mode desk: the customer comes by itself"
            )
        if self.mode == "desk" and self.follow_ups:
            raise ValueError("follow_ups: mode desk has none: an answer is given at once")
        return self

    @field_validator("offer", "content", "originator")
    @classmethod
    def _needed(cls, value: object, info: ValidationInfo) -> object:
        # `output` stands before these; it is absent here where it is itself wrong.
        if not value and info.data.get("output") == "contact":
            raise PydanticCustomError("missing", "needed where the output is contact")
        return value

    @model_validator(mode="after")
    def _output(self) -> Campaign:
        if self.output != "contact":
            senseless = [
                key
                for key in (
                    *("content", "originator", "follow_ups", "caps", "experiment", "reply", "hold"),
                    *("budget", "boss", "boss_unknown", "channels", "wap", "mms"),
                )
                if key in self.model_fields_set
            ]
            if senseless:
                raise ValueError(
                    f"{senseless[0]}: output {self.output} sends nothing: the key {senseless[0]} has no sense"
                )
            if self.mode in ("follow_up", "desk"):
                raise ValueError(f"mode: mode {self.mode} is for contacts")
        if self.output == "statistics":
            self._check_statistics()
        return self

    def _check_statistics(self) -> None:
        """Most visitors are strangers, of whom nothing is known but where they are."""
        scene = self.scene
        if scene is None or not isinstance(scene.begin, DwellElement):
            raise ValueError("output: statistics counts stays, so it needs scene.begin.dwell")
        said = {
            "audience": self.audience,
            "targets": self.targets,
            "scene.then": scene.then,
            "scene.where": scene.where,
            "scene.terminal": scene.terminal,
            "scene.if": scene.condition,
        }
        for key, value in said.items():
            if value:
                raise ValueError(f"{key}: output statistics counts strangers too: the key {key} has no sense")

    @model_validator(mode="after")
    def _asks_boss(self) -> Campaign:
        if self.boss is None and "boss_unknown" in self.model_fields_set:
            raise ValueError("boss_unknown: has no sense without the key boss")
        return self

    @model_validator(mode="after")
    def _valid_days(self) -> Campaign:
        start, until = self.valid.start, self.valid.until
        days = self.scene.when.weekdays if self.scene is not None and self.scene.when is not None else None
        if days is not None and start is not None and until is not None and (until - start).days < 7:
            running = {(start + timedelta(days=n)).weekday() for n in range((until - start).days + 1)}
            if not running & days:
                raise ValueError(
                    "valid: this scene can never be complete: no day of valid is in scene.when.days"
                )
        return self

    @model_validator(mode="after")
    def _spell_out(self) -> Campaign:
        # Here, where the catalogue is at hand that says of which type a column is.
        self._expression = self.audience if isinstance(self.audience, str) else as_expression(self.audience)
        return self

    @property
    def expression(self) -> str:
        """The audience as an expression; empty: everybody."""
        return self._expression

    @property
    def number_files(self) -> tuple[Path, ...]:
        """CSV files of numbers that it reads: targets, and lists of other sides."""
        named = [self.targets, *(name for _, name in self.scene.peer_lists)] if self.scene else [self.targets]
        return tuple(Path(name) for name in named if name is not None and name.endswith(".csv"))

    @property
    def placeholders(self) -> frozenset[str]:
        """Placeholders that its texts use, of `PLACEHOLDERS`."""
        said = list(self.content.values())
        said += self.wap.title.values() if self.wap is not None else ()
        said += self.mms.text.values() if self.mms is not None else ()
        return frozenset().union(*(template(text).names for text in said))

    def valid_us(self, zone: str) -> tuple[int, int]:
        """First instant of the campaign and the first after it, Unix us."""
        return _span_us(self.valid.start, self.valid.until, zone)

    def active(self, at_us: int, zone: str) -> bool:
        """Whether an instant lies on one of its days in a time zone."""
        start_us, end_us = self.valid_us(zone)
        return start_us <= at_us < end_us

    def arm(self, imsi: str) -> str:
        """The subscriber's arm; empty without an experiment."""
        return self.experiment.arm(imsi) if self.experiment is not None else ""

    def arm_on(self, day: date, imsi: str, msisdn: str) -> str:
        """The same on a local day: control on a day on which he is not contacted."""
        if self.experiment is not None and self.experiment.rests(day, msisdn):
            return CONTROL
        return self.arm(imsi)

    def contacts(self, arm: str) -> bool:
        """Whether the subscribers of an arm are contacted; False: kept for comparison."""
        return arm not in (CONTROL, HOLD_OUT)

    def text(self, language: str, channel: str = "sms") -> str:
        """What a channel says in a language, placeholders unfilled; in the first where it is lacking."""
        if channel == "wap" and self.wap is not None and self.wap.title:
            return in_language(self.wap.title, language)
        if channel == "mms" and self.mms is not None and self.mms.text:
            return in_language(self.mms.text, language)
        return in_language(self.content, language)

    def render(self, language: str, values: Mapping[str, object] | None = None, channel: str = "sms") -> str:
        """The text to send. `values`: placeholder -> value; what lacks or is None gets its fallback."""
        own = {"offer": self.offer, "sender": self.originator}
        return template(self.text(language, channel)).fill({**(values or {}), **own})

    def confirm(self, language: str) -> str:
        """What is said once the offer has been opened; empty: nothing."""
        texts = self.reply.confirmation
        own = {"offer": self.offer, "sender": self.originator}
        return template(in_language(texts, language)).fill(own) if texts else ""

    def answer(self, text: str) -> Literal["order", "stop", "other"]:
        """What a reply means."""
        word = _normal(text)
        if word in {_normal(code) for code in self.reply.stop}:
            return "stop"
        return "order" if word in {_normal(code) for code in self.reply.order} else "other"


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().strip(".!。").upper()


@lru_cache(maxsize=1024)
def _span_us(start: date | None, until: date | None, zone: str) -> tuple[int, int]:
    first, last = ALWAYS
    end_us = instant_us(until + timedelta(days=1), zone) if until is not None and until < date.max else last
    return (instant_us(start, zone) if start is not None else first, end_us)
