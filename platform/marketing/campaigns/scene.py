"""The scene: when, where, on which handset, and what was done: the marketing condition of a campaign."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from marketing.campaigns.condition import Condition, reads
from marketing.campaigns.elements import Area, Begin, DwellElement, Step
from marketing.config import Strict

__all__ = ["DAYS", "Scene", "When", "Where", "minutes"]

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Days of the week in the order of ISO 8601."""

_SPAN: Final = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")


def minutes(span: str) -> tuple[int, int]:
    """First minute of the day and the first one after it that is outside; the second may be the smaller.

    Raises:
        ValueError: not of the form 18:00-21:30, or no time at all.
    """
    found = _SPAN.fullmatch(span)
    if found is None:
        raise ValueError("expected local times such as 18:00-21:30")
    hour, minute, until_hour, until_minute = map(int, found.groups())
    start, end = hour * 60 + minute, until_hour * 60 + until_minute
    if start >= 1440 or end > 1440:
        raise ValueError("expected times of a day, 00:00 to 24:00")
    if start == end:
        raise ValueError("an empty time window: begin and end are the same")
    return start, end


def _span(text: str) -> str:
    minutes(text)
    return text


Hours = Annotated[str, AfterValidator(_span)]


class When(Strict):
    """Local time, in the policy's zone, at which the scene is complete; every key given must hold."""

    hours: list[Hours] = Field(default_factory=list, max_length=24)
    """Spans such as 18:00-21:30, the end not included; over midnight is allowed. Absent: at any hour."""
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(default_factory=list)
    """Days of the week; hours after midnight belong to the new day. Absent: on all."""

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Minutes of the day, [first, end), none over midnight."""
        cut: list[tuple[int, int]] = []
        for start, end in map(minutes, self.hours):
            cut += [(start, end)] if start < end else [(start, 1440), *([(0, end)] if end else [])]
        return tuple(sorted(cut))

    @property
    def weekdays(self) -> frozenset[int]:
        """0 = Monday; all seven where none is given."""
        return frozenset(map(DAYS.index, self.days)) if self.days else frozenset(range(7))


class Where(Strict):
    """Where the subscriber is when the scene is complete: at one of the places or in one of the areas."""

    places: list[str] = Field(default_factory=list, max_length=1000)
    """Names of places of the cell table."""
    areas: list[Area] = Field(default_factory=list, max_length=1000)
    """Location area codes."""

    @model_validator(mode="after")
    def _somewhere(self) -> Where:
        if not self.places and not self.areas:
            raise ValueError("expected places or areas; without them leave the key where out")
        return self


class Scene(Strict):
    """The marketing condition: when, where, what, on which handset."""

    when: When | None = None
    where: Where | None = None
    terminal: Condition | None = None
    """Expression over terminal.X, such as `terminal.mms`; true when the scene is complete."""
    begin: Begin
    """What starts the scene, and completes it where then is absent."""
    then: list[Step] = Field(default_factory=list, max_length=16)
    """Steps after begin, in order."""
    within_s: float | None = Field(default=None, gt=0, le=30 * 86400)
    """From the first behaviour of begin to the end of the last step at most."""
    condition: Condition | None = Field(default=None, alias="if")
    """Expression that must be true when the scene is complete."""

    @model_validator(mode="after")
    def _can_match(self) -> Scene:
        counted = self.begin.count if not isinstance(self.begin, DwellElement) else 1
        if self.within_s is not None and not self.then and counted == 1:
            raise ValueError("within_s needs steps in then, or begin.times: a single behaviour takes no time")
        before: Step | None = None
        for number, step in enumerate(self.then):
            last = number == len(self.then) - 1
            if step.word == "not_followed_by":
                self._check_absence(number, step, last)
            elif (
                before is not None
                and before.word == "not_followed_by"
                and before.element.covers(step.element)
            ):
                raise ValueError(
                    f"this pattern can never match: then[{number - 1}] forbids what then[{number}] waits for"
                )
            before = step
        if self.terminal is not None:
            other = sorted(name for name in reads(self.terminal) if not name.startswith("terminal."))
            if other:
                raise ValueError(f"terminal may name terminal.X only, not {', '.join(other)}; use the key if")
        if self.ends_by_timer:
            for name, text in (("terminal", self.terminal), ("if", self.condition)):
                told = sorted(n for n in reads(text) if n.startswith("event.")) if text is not None else []
                if told:
                    raise ValueError(
                        f"{name} names {told[0]}, but this scene ends by time, not by a behaviour"
                    )
        self._check_place()
        return self

    def _check_absence(self, number: int, step: Step, last: bool) -> None:
        if last and step.within_s is None and self.within_s is None:
            raise ValueError(
                f"then[{number}]: absence without a limit is never certain: "
                "say within_s here, or in the scene"
            )
        if not last and step.within_s is not None:
            raise ValueError(
                f"then[{number}]: before another step not_followed_by holds until that step comes; "
                "put within_s there"
            )
        if not last and self.then[number + 1].word == "not_followed_by":
            raise ValueError(f"then[{number}]: two not_followed_by in a row; name all behaviours in one list")
        if last and step.within_s is not None and self.within_s is not None and step.within_s > self.within_s:
            raise ValueError(
                f"then[{number}]: its within_s is longer than the scene's: this pattern can never match"
            )

    def _check_place(self) -> None:
        """A place of the completing behaviour that `where` shuts out."""
        if self.where is None or self.where.areas:
            return
        step = self.then[-1] if self.then else None
        if step is None:
            place = self.begin.dwell.place if isinstance(self.begin, DwellElement) else self.begin.place
        else:
            place = step.element.place if step.word != "not_followed_by" else None
        if place is not None and place not in self.where.places:
            raise ValueError(
                f"this scene can never be complete: it ends at {place!r}, which is not among where.places"
            )

    @property
    def ends_by_timer(self) -> bool:
        """The passing of time completes it: a dwell, or an absence."""
        if self.then:
            return self.then[-1].word == "not_followed_by"
        return isinstance(self.begin, DwellElement)

    @property
    def places(self) -> tuple[tuple[tuple[str | int, ...], str], ...]:
        """Every place named, with its path of keys below scene."""
        named: list[tuple[tuple[str | int, ...], str]] = []
        if self.where is not None:
            named += [(("where", "places", i), place) for i, place in enumerate(self.where.places)]
        if isinstance(self.begin, DwellElement):
            named.append((("begin", "dwell", "place"), self.begin.dwell.place))
        elif self.begin.place is not None:
            named.append((("begin", "place"), self.begin.place))
        for i, step in enumerate(self.then):
            if step.element.place is not None:
                named.append((("then", i, step.word, "place"), step.element.place))
        return tuple(named)

    @property
    def peer_lists(self) -> tuple[tuple[tuple[str | int, ...], str], ...]:
        """Every list of other sides' numbers, with its path of keys below scene."""
        found: list[tuple[tuple[str | int, ...], str | None]] = []
        if not isinstance(self.begin, DwellElement):
            found.append((("begin", "peer_list"), self.begin.peer_list))
        found += [(("then", i, s.word, "peer_list"), s.element.peer_list) for i, s in enumerate(self.then)]
        return tuple((path, name) for path, name in found if name is not None)

    @property
    def conditions(self) -> tuple[tuple[tuple[str | int, ...], str], ...]:
        """Every expression, with its path of keys below scene."""
        found: list[tuple[tuple[str | int, ...], str | None]] = [
            (("terminal",), self.terminal),
            (("if",), self.condition),
        ]
        if not isinstance(self.begin, DwellElement):
            found.append((("begin", "if"), self.begin.condition))
        found += [(("then", i, s.word, "if"), s.element.condition) for i, s in enumerate(self.then)]
        return tuple((path, text) for path, text in found if text is not None)
