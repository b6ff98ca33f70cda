"""The parameters of people's responses as one list: each by name, and the offers with one of them changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import ValidationError

from sim.subscribers.offers import Offer

__all__ = ["Changed", "Parameter", "changed", "parameters_of"]

Direction = Literal["low", "high"]

_FACTORS: Final = frozenset(
    {"spread", "fatigue", "organic_per_day", "reply_median_s", "within_min", "dwell_min", "complaint_fatigue"}
    | {"complaint_bad_moment", "near_m", "word_of_mouth", "hearsay_median_h"}
)
"""Rates, spreads, times and distances: divided and multiplied. All other numbers are logits: moved."""
_CONTACTS: Final = frozenset({"stop_logit", "complaint_fatigue", "complaint_bad_moment"})
"""They decide who asks for no more messages, and so who is contacted afterwards: arms are lived again."""
_SILENT: Final = frozenset({"complaint_logit", "from_h", "to_h", "day"})
"""Complaints change nobody's orders or contacts; hours and the day of an event are the offer, not people."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of one offer."""

    offer: str
    path: tuple[str | int, ...]
    """Keys below the offer."""
    value: float

    @property
    def name(self) -> str:
        """As a study file would address it, without the offer."""
        return ".".join(str(part) for part in self.path)

    @property
    def leaf(self) -> str:
        """The last key that is a word."""
        return next(str(part) for part in reversed(self.path) if not isinstance(part, int))

    @property
    def multiplied(self) -> bool:
        """Whether it is divided and multiplied, and not moved."""
        return self.leaf in _FACTORS

    @property
    def changes_contacts(self) -> bool:
        """Whether it decides who is contacted."""
        return self.leaf in _CONTACTS


@dataclass(frozen=True, slots=True)
class Changed:
    """A parameter at another value."""

    parameter: Parameter
    direction: Direction
    value: float
    offers: tuple[Offer, ...]
    """All offers of the study, one of them changed."""


def parameters_of(offers: Sequence[Offer]) -> list[Parameter]:
    """Every number of the offers that could change an answer, in the order of their keys."""
    return [
        Parameter(offer.name, path, float(value))
        for offer in offers
        for path, value in _numbers(offer.model_dump(), ())
        if str(path[-1]) not in _SILENT
    ]


def changed(
    offers: Sequence[Offer], parameter: Parameter, direction: Direction, logits: float, factor: float
) -> Changed | None:
    """The offers with one parameter lower or higher; None: it cannot be (0 times two is 0).

    Args:
        offers: All offers of the study.
        parameter: One of `parameters_of`.
        direction: Which way.
        logits: How far a weight is moved.
        factor: By what a rate, spread or time is divided or multiplied.
    """
    up = direction == "high"
    if parameter.multiplied:
        value = parameter.value * factor if up else parameter.value / factor
    else:
        value = parameter.value + (logits if up else -logits)
    made = []
    for offer in offers:
        if offer.name != parameter.offer:
            made.append(offer)
            continue
        values = offer.model_dump()
        at: Any = values
        for part in parameter.path[:-1]:
            at = at[part]
        last: Any = parameter.path[-1]
        at[last] = round(value) if isinstance(at[last], int) else value
        if at[last] == parameter.value:
            return None
        try:
            made.append(Offer.model_validate(values))
        except ValidationError:  # past what a study file may say
            return None
    return Changed(parameter, direction, value, tuple(made))


def _numbers(node: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], float]]:
    if isinstance(node, dict):
        for name, below in node.items():
            yield from _numbers(below, (*path, name))
    elif isinstance(node, list | tuple):
        for index, below in enumerate(node):
            yield from _numbers(below, (*path, index))
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield path, node
