"""What a scene is made of: behaviours, stays, and the steps from one to the next."""

from __future__ import annotations

import os.path
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from marketing.behaviours import CODES
from marketing.campaigns.condition import Condition
from marketing.config import Strict, suggest
from marketing.config_files import beside
from marketing.config_values import Form

__all__ = [
    "AtLeast",
    "Begin",
    "BehaviourElement",
    "Dwell",
    "DwellElement",
    "FirstElement",
    "NumberList",
    "Step",
    "Word",
]

Digits = Annotated[
    str, Form(r"^[0-9*#abc]{1,20}$", "1 to 20 of what can be dialled: 0 to 9, *, #, a, b and c")
]
Area = Annotated[int, Field(ge=1, le=0xFFFE)]
"""A location area code; 0 and FFFE are reserved (TS 23.003 4.1)."""
Behaviour = Annotated[str, Field(json_schema_extra={"enum": sorted(CODES)})]
Word = Literal["next", "followed_by", "not_followed_by"]
WORDS: Final[tuple[Word, ...]] = ("next", "followed_by", "not_followed_by")

_LIST_NAME: Final = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")


def _listed(value: str, info: ValidationInfo) -> str:
    if not value.endswith(".csv"):
        if not _LIST_NAME.fullmatch(value):
            raise ValueError("expected the name of an imported list, or a file that ends in .csv")
        return value
    path = beside(Path(value), info)
    if not os.path.isfile(path):
        raise ValueError("expected a file that exists, or the name of an imported list")
    return str(path)


NumberList = Annotated[str, AfterValidator(_listed)]
"""Name of an imported list, or a CSV file with the header msisdn, taken from the campaign file's folder."""


class AtLeast(Strict):
    """A count from below."""

    at_least: int = Field(ge=1, le=1000)
    """So many, and any more that come before the step after."""


Times = Annotated[
    Annotated[int, Field(ge=1, le=1000), Tag("number")] | Annotated[AtLeast, Tag("at_least")],
    Discriminator(lambda value: "at_least" if isinstance(value, dict | AtLeast) else "number"),
]


def _count(times: int | AtLeast) -> int:
    return times.at_least if isinstance(times, AtLeast) else times


class BehaviourElement(Strict):
    """Something a subscriber did; every key given must hold."""

    behaviour: Behaviour | list[Behaviour]
    """Name of a behaviour, such as power_on or call_ended; of several, any one."""
    role: Literal["caller", "callee"] | None = None
    """On which side of the call or message; absent: either."""
    peer: list[Digits] = Field(default_factory=list, max_length=10_000)
    """The other side's number is one of these; absent: any."""
    peer_prefix: list[Digits] = Field(default_factory=list, max_length=1000)
    """Or begins with one of these."""
    peer_list: NumberList | None = None
    """The other side's number is besides on this imported list, or in this CSV file with the header msisdn,
    in international form; dialled in the national form or with a cheap prefix it counts as well."""
    place: str | None = None
    """Name of a place of the cell table where it happened; absent: anywhere."""
    area: Area | None = None
    """Location area code where it happened; absent: anywhere."""
    condition: Condition | None = Field(default=None, alias="if")
    """Expression that must be true of this behaviour, such as `event.duration > duration("30s")`."""

    @field_validator("behaviour")
    @classmethod
    def _known(cls, names: str | list[str]) -> str | list[str]:
        if names == []:
            raise ValueError("an empty list would match nothing")
        for name in [names] if isinstance(names, str) else names:
            if name not in CODES:
                near = suggest(name, list(CODES))
                hint = f" (did you mean {near!r}?)" if near else ""
                raise ValueError(f"expected one of {', '.join(CODES)}{hint}")
        return names

    @property
    def kinds(self) -> tuple[int, ...]:
        """Codes of the behaviours, ascending."""
        names = [self.behaviour] if isinstance(self.behaviour, str) else self.behaviour
        return tuple(sorted({CODES[name] for name in names}))

    def covers(self, other: BehaviourElement) -> bool:
        """Whether whatever fits the other is sure to fit this one too."""
        return (
            set(other.kinds) <= set(self.kinds)
            and self.role in (None, other.role)
            and self.place in (None, other.place)
            and self.area in (None, other.area)
            and self.peer_list in (None, other.peer_list)
            and self.condition in (None, other.condition)
            and (not (self.peer or self.peer_prefix) or self._numbers_cover(other))
        )

    def _numbers_cover(self, other: BehaviourElement) -> bool:
        if not (other.peer or other.peer_prefix):
            return False
        prefixes = tuple(self.peer_prefix)
        return all(n in self.peer or n.startswith(prefixes) for n in other.peer) and all(
            n.startswith(prefixes) for n in other.peer_prefix
        )


class FirstElement(BehaviourElement):
    """The behaviour that a scene begins with."""

    times: Times = 1
    """How often it must happen before the next step; a number, or {at_least: number}."""

    @property
    def count(self) -> int:
        """The fewest that will do."""
        return _count(self.times)


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


Begin = Annotated[
    Annotated[FirstElement, Tag("behaviour")] | Annotated[DwellElement, Tag("dwell")],
    Discriminator(_element),
]


class Step(Strict):
    """What comes after: one of next, followed_by and not_followed_by."""

    next: BehaviourElement | None = None
    """The subscriber's very next behaviour is this one."""
    followed_by: BehaviourElement | None = None
    """This one comes later; others may come between."""
    not_followed_by: BehaviourElement | None = None
    """This one does not come: before the step after, or as the last step, within within_s."""
    times: Times = 1
    """How often (of next and followed_by); a number, or {at_least: number}."""
    within_s: float | None = Field(default=None, gt=0, le=30 * 86400)
    """All of this step within so many seconds after the step before; absent: only the scene's own limit."""

    @model_validator(mode="after")
    def _one_word(self) -> Step:
        said = [word for word in WORDS if getattr(self, word) is not None]
        if len(said) != 1:
            raise ValueError(f"expected one of next, followed_by, not_followed_by; found {len(said)}")
        if said == ["not_followed_by"] and self.times != 1:
            raise ValueError("times goes with next and followed_by: not_followed_by means not even once")
        return self

    @property
    def word(self) -> Word:
        """Which of the three."""
        return next(word for word in WORDS if getattr(self, word) is not None)

    @property
    def element(self) -> BehaviourElement:
        """What must, or must not, happen."""
        element: BehaviourElement = getattr(self, self.word)
        return element

    @property
    def count(self) -> int:
        """The fewest that will do."""
        return _count(self.times)
