"""What a value can be: between bounds, among some, without others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from marketing.expressions.catalogue import Feature, Type

__all__ = ["Domain", "domain_of"]

_MOST_SHOWN: Final = 12
_MOST_APART: Final = 2000
"""Values taken out one by one; of more nothing is said."""


@dataclass(frozen=True, slots=True)
class Domain:
    """Of one type, whichever; bounds are for what has an order. Both bounds belong to it."""

    low: Any = None
    high: Any = None
    only: frozenset[Any] | None = None
    """No other than these; None: no such limit."""
    less: frozenset[Any] = frozenset()
    """None of these."""

    def meet(self, other: Domain) -> Domain:
        """What is in both."""
        only = other.only if self.only is None else self.only
        if self.only is not None and other.only is not None:
            only = self.only & other.only
        lows = [low for low in (self.low, other.low) if low is not None]
        highs = [high for high in (self.high, other.high) if high is not None]
        return Domain(
            max(lows, default=None), min(highs, default=None), only, self.less | other.less
        )._narrowed()

    @property
    def empty(self) -> bool:
        """Nothing is in it."""
        if self.only is not None:
            return not self.only
        return self.low is not None and self.high is not None and self.low > self.high

    def words(self, kind: Type) -> str:
        """For people, such as `0 to 23`."""
        show = _SHOW.get(kind, str)
        if self.only is not None:
            shown = [show(one) for one in sorted(self.only)]
            if len(shown) > _MOST_SHOWN:
                return f"one of {len(shown)} values"
            return " or ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
        if self.low is not None and self.high is not None:
            return f"{show(self.low)} to {show(self.high)}" if self.low != self.high else show(self.low)
        if self.low is not None:
            return f"{show(self.low)} or more"
        if self.high is not None:
            return f"{show(self.high)} or less"
        apart = [show(one) for one in sorted(self.less)[:_MOST_SHOWN]]
        return f"not {', '.join(apart)}" if apart else "anything"

    def _narrowed(self) -> Domain:
        low, high, only = self.low, self.high, self.only
        if only is not None:
            fits = (one for one in only if one not in self.less)
            only = frozenset(
                one for one in fits if (low is None or one >= low) and (high is None or one <= high)
            )
            return Domain(low, high, only, self.less)
        if low is not None and low == high and low in self.less:
            return Domain(low, high, frozenset(), self.less)
        if type(low) is int and type(high) is int and len(self.less) <= _MOST_APART:
            while low <= high and low in self.less:
                low += 1
            while low <= high and high in self.less:
                high -= 1
        return Domain(low, high, only, self.less)


def domain_of(kind: Type, feature: Feature | None) -> Domain:
    """Of a feature before anything is asked of it; None: of a part that is none."""
    if kind is Type.BOOL:
        return Domain(only=frozenset((True, False)))
    return Domain() if feature is None else Domain(feature.low, feature.high)


def _duration(us: int) -> str:
    if us % 1_000_000 in (1, 999_999):  # just more or less than what somebody wrote
        us = round(us / 1_000_000) * 1_000_000
    for unit_us, unit in ((3_600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s")):
        if us % unit_us == 0:
            return f"{us // unit_us}{unit}"
    return f"{us}us"


_SHOW: Final[dict[Type, Callable[[Any], str]]] = {
    Type.BOOL: lambda one: str(one).lower(),
    Type.DOUBLE: lambda one: f"{one:g}",
    Type.STRING: lambda one: f'"{one}"',
    Type.DURATION: _duration,
}
