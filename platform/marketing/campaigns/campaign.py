"""The campaign file: audience x scene -> offer, content, reply codes (J5, J6, J12)."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from marketing.behaviours import CODES
from marketing.config import ConfigError, ExistingFile, Problem, Strict, read_model, suggest

__all__ = [
    "EXTRACT_FLAGS",
    "EXTRACT_LISTS",
    "EXTRACT_WORDS",
    "BehaviourElement",
    "Campaign",
    "DwellElement",
    "Group",
    "Reply",
    "Scene",
    "Target",
    "load",
    "load_all",
    "read_targets",
]

EXTRACT_FLAGS: Final = ("often_off", "often_rejects")
EXTRACT_WORDS: Final = ("brand", "language")
EXTRACT_LISTS: Final = ("services",)
"""Columns of the BOSS extract that an audience may name: yes/no, one word, several words."""

Digits = Annotated[str, Field(pattern=r"^[0-9*#abc]{1,20}$")]
Code = Annotated[str, Field(min_length=1, max_length=20)]


class BehaviourElement(Strict):
    """Something a subscriber did; every key given must hold."""

    behaviour: str
    """Name of a behaviour, such as power_on or call_ended."""
    role: Literal["caller", "callee"] | None = None
    """On which side of the call or message; absent: either."""
    peer: list[Digits] = Field(default_factory=list)
    """The other side's number is one of these; absent: any."""
    place: str | None = None
    """Name of a place of the cell table where it happened; absent: anywhere."""

    @field_validator("behaviour")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in CODES:
            near = suggest(name, list(CODES))
            hint = f" (did you mean {near!r}?)" if near else ""
            raise ValueError(f"expected one of {', '.join(CODES)}{hint}")
        return name


class Dwell(Strict):
    """A stay at one place."""

    place: str
    """Name of a place of the cell table."""
    at_least_s: float = Field(gt=0, le=30 * 86400)
    """Seconds seen there without a break (another place, power off)."""


class DwellElement(Strict):
    """A stay that has lasted long enough; fires at the moment it does, by timer."""

    dwell: Dwell


def _element(value: Any) -> str:
    return (
        "dwell"
        if (isinstance(value, dict) and "dwell" in value) or isinstance(value, DwellElement)
        else "behaviour"
    )


class Scene(Strict):
    """The marketing condition: when, where, what, on which handset."""

    begin: Annotated[
        Annotated[BehaviourElement, Tag("behaviour")] | Annotated[DwellElement, Tag("dwell")],
        Discriminator(_element),
    ]
    """What starts, and here also completes, the scene."""


class Group(Strict):
    """Sending to a list at a set time, by the platform itself."""

    at: time
    """Local time of day, such as "10:00"."""
    day: int = Field(default=1, ge=1)
    """Day of the world (1 = the clock's epoch day) for targets that name none."""
    targets: ExistingFile
    """CSV with the header msisdn,day; day may be empty."""


class Reply(Strict):
    """What a subscriber may answer; compared without regard to case, width or surrounding space."""

    order: list[Code] = Field(default_factory=list)
    """Orders the offer."""
    stop: list[Code] = Field(default_factory=lambda: ["TD"])
    """Ends all marketing to this subscriber, at once."""

    @model_validator(mode="after")
    def _apart(self) -> Reply:
        both = {_normal(c) for c in self.order} & {_normal(c) for c in self.stop}
        if both:
            raise ValueError(f"{sorted(both)} would both order and stop")
        return self


class Campaign(Strict):
    """One campaign. Its name is part of every contact id and never changes while it runs."""

    campaign: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)
    """Name: lower-case words joined by hyphens."""
    title: str = Field(min_length=1)
    """One line for people."""
    source: str = ""
    """What asked for it, such as J12 row 5."""
    audience: dict[str, bool | str | list[str]] = Field(default_factory=dict)
    """Column of the BOSS extract -> value, or list of which one is enough; all columns must hold."""
    scene: Scene | None = None
    """Needed in mode trigger."""
    mode: Literal["trigger", "group"] = "trigger"
    """trigger: at the scene's moment. group: to a list at a set time."""
    group: Group | None = None
    """Needed in mode group."""
    offer: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    """Name of the offer at BOSS."""
    content: dict[Literal["zh", "en"], Annotated[str, Field(min_length=1, max_length=700)]] = Field(
        min_length=1
    )
    """Text by language; the subscriber's own, else the first."""
    originator: str = Field(pattern=r"^[0-9]{3,20}$")
    """Sender shown; replies come back to it. One of the policy's marketing originators."""
    reply: Reply = Field(default_factory=Reply)
    priority: int = Field(default=10, ge=0, le=1000)
    """Higher goes first when several triggers fall on one instant."""
    cost: float = Field(default=0.0, ge=0)
    """Of one contact, for reports."""
    hold: Literal["release", "drop"] = "drop"
    """In hours that the policy holds: release when they end, or drop because the moment has gone."""

    @field_validator("audience")
    @classmethod
    def _columns(cls, audience: dict[str, bool | str | list[str]]) -> dict[str, bool | str | list[str]]:
        known = (*EXTRACT_FLAGS, *EXTRACT_WORDS, *EXTRACT_LISTS)
        for column, value in audience.items():
            if column not in known:
                near = suggest(column, known)
                hint = f"; did you mean {near!r}?" if near else ""
                raise ValueError(
                    f"no column {column!r} in the BOSS extract; known are {', '.join(known)}{hint}"
                )
            if (column in EXTRACT_FLAGS) != isinstance(value, bool):
                wanted = "true or false" if column in EXTRACT_FLAGS else "a word or a list of words"
                raise ValueError(f"{column}: expected {wanted}")
            if value == []:
                raise ValueError(f"{column}: an empty list would match nobody")
        return audience

    @model_validator(mode="after")
    def _mode(self) -> Campaign:
        if self.mode == "trigger" and (self.scene is None or self.group is not None):
            raise ValueError("mode trigger needs the key scene and no key group")
        if self.mode == "group" and (self.group is None or self.scene is not None):
            raise ValueError("mode group needs the key group and no key scene")
        return self

    def text(self, language: str) -> str:
        """The content for a subscriber's language; the first where it is not offered."""
        for name, text in self.content.items():
            if name == language:
                return text
        return next(iter(self.content.values()))

    def answer(self, text: str) -> Literal["order", "stop", "other"]:
        """What a reply means."""
        word = _normal(text)
        if word in {_normal(code) for code in self.reply.stop}:
            return "stop"
        return "order" if word in {_normal(code) for code in self.reply.order} else "other"


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().strip(".!。").upper()


@dataclass(frozen=True, slots=True)
class Target:
    """One row of a group campaign's list."""

    msisdn: str
    day: int


def read_targets(group: Group) -> list[Target]:
    """The list of a group campaign, in the file's order.

    Raises:
        ConfigError: with every bad row (the first hundred).
    """
    targets: list[Target] = []
    problems: list[Problem] = []
    name = str(group.targets)
    with group.targets.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        header = rows.fieldnames or []
        if "msisdn" not in header:
            raise ConfigError([Problem(name, 1, "", ",".join(header), "expected the header msisdn,day")])
        for row in rows:
            msisdn, day = (row.get("msisdn") or "").strip(), (row.get("day") or "").strip()
            if not (msisdn.isascii() and msisdn.isdigit() and 5 <= len(msisdn) <= 15):
                problems.append(
                    Problem(name, rows.line_num, "msisdn", repr(msisdn), "expected 5 to 15 digits")
                )
            elif day and not (day.isascii() and day.isdigit() and int(day) >= 1):
                problems.append(
                    Problem(name, rows.line_num, "day", repr(day), "expected a day from 1, or nothing")
                )
            else:
                targets.append(Target(msisdn, int(day) if day else group.day))
    if problems:
        raise ConfigError(problems[:100])
    return targets


def load(path: Path | str) -> Campaign:
    """One campaign file.

    Raises:
        ConfigError: with every problem of the file and of its target list.
    """
    campaign, _ = read_model(Path(path), Campaign)
    if campaign.group is not None:
        read_targets(campaign.group)
    return campaign


def load_all(
    paths: Sequence[Path | str], *, originators: Sequence[str] = (), places: Sequence[str] = ()
) -> list[Campaign]:
    """Several campaigns that run together, in the order of their names.

    `originators`: prefixes the policy calls marketing; `places`: names in the cell table; empty: unchecked.

    Raises:
        ConfigError: every problem of every file, and what does not fit between them.
    """
    campaigns: dict[str, Campaign] = {}
    files: dict[str, str] = {}
    senders: dict[str, str] = {}
    problems: list[Problem] = []
    for path in map(Path, paths):
        try:
            campaign, document = read_model(path, Campaign)
            if campaign.group is not None:
                read_targets(campaign.group)
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        name, sender = campaign.campaign, campaign.originator
        if name in campaigns:
            problems.append(
                document.problem(("campaign",), name, f"a name of its own; {files[name]} has it too")
            )
        if sender in senders:
            expected = f"a sender of its own, or replies cannot be told apart; {senders[sender]} has it too"
            problems.append(document.problem(("originator",), sender, expected))
        if originators and not sender.startswith(tuple(originators)):
            prefixes = ", ".join(originators)
            expected = f"a sender that begins with one of the policy's marketing_originators: {prefixes}"
            problems.append(document.problem(("originator",), sender, expected))
        begin = campaign.scene.begin if campaign.scene else None
        place = begin.dwell.place if isinstance(begin, DwellElement) else begin.place if begin else None
        if places and place is not None and place not in places:
            at = (
                ("scene", "begin", "dwell", "place")
                if isinstance(begin, DwellElement)
                else ("scene", "begin", "place")
            )
            expected = f"a place of the cell table: {', '.join(sorted(set(places)))}"
            problems.append(document.problem(at, place, expected, suggest(place, places)))
        campaigns[name], files[name], senders[sender] = campaign, str(path), name
    if problems:
        raise ConfigError(problems)
    return [campaigns[name] for name in sorted(campaigns)]
