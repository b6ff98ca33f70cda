"""Conditions that can never hold: bounds that the catalogue states for a feature, and `x && !x`.

What is found is certain; what is not found may be impossible all the same. Every part of a condition narrows
what the features can be that it reads; alternatives are followed one by one. A value that is not known makes
no condition true, so nothing has to be said of it here, but that a double may be no number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from marketing.expressions.catalogue import CATALOGUE, Catalogue, Type
from marketing.expressions.columns import Words
from marketing.expressions.compile import part_of
from marketing.expressions.domains import Domain, domain_of
from marketing.expressions.errors import ExpressionError
from marketing.expressions.parts import Part
from marketing.expressions.syntax import (
    Access,
    Binary,
    Call,
    Choice,
    Listing,
    Literal,
    Logic,
    Name,
    Node,
    Unary,
    parse,
)

__all__ = ["impossible"]

MOST: Final = 64
"""Alternatives followed at once; where there are more, what makes them is passed over."""
MOST_STEPS: Final = 5000
"""Parts looked at in all; the rest is passed over."""
_EXACT: Final = 1 << 53
_OPPOSITE: Final = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_TURNED: Final = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_ORDER: Final = frozenset(("<", "<=", ">", ">="))

Case = Mapping[str, Domain]
"""What the features can be if the condition holds, in one of its ways of holding."""


def impossible(
    texts: Sequence[str],
    catalogue: Catalogue = CATALOGUE,
    given: Mapping[str, Domain] | None = None,
) -> ExpressionError | None:
    """Why conditions can never hold all together at one instant; None: nothing that is seen here forbids it.

    The place in the error is one in the text that no case was left after. `given`: what features are anyway.

    Raises:
        ExpressionError: one of them is none.
    """
    search = _Search(catalogue)
    cases: list[Case] = [dict(given or {})]
    for text in texts:
        tree = parse(text)
        cases = search.holding(tree, True, cases)
        if not cases:
            return search.found or tree.wrong("this can never hold")
    return None


@dataclass(slots=True)
class _Search:
    catalogue: Catalogue
    found: ExpressionError | None = None
    """The first thing that could not be."""
    _parts: dict[int, Part] = field(default_factory=dict)
    _steps: int = 0

    def holding(self, node: Node, want: bool, cases: list[Case]) -> list[Case]:
        """The cases in which this part is known to be true (or false, where that is wanted)."""
        self._steps += 1
        if self._steps > MOST_STEPS:
            return cases
        before = self.found
        found = self._holding(node, want, cases)
        if found:  # what could not be was one way of several
            self.found = before
        return found

    # ----------------------------------------------------------------- inside

    def _holding(self, node: Node, want: bool, cases: list[Case]) -> list[Case]:
        value = self._constant(node)
        if value is not None:
            return cases if value is want else []
        if isinstance(node, Unary):
            return self.holding(node.of, not want, cases)
        if isinstance(node, Logic):
            if (node.sign == "&&") is want:
                for part in node.of:
                    cases = self.holding(part, want, cases)
                return cases
            ways: list[Callable[[Case], list[Case]]] = [
                lambda case, part=part: self.holding(part, want, [case])  # type: ignore[misc]
                for part in node.of
            ]
            return self._either(ways, cases)
        if isinstance(node, Choice):
            yes = (node.condition, True, node.yes)
            no = (node.condition, False, node.no)
            both: list[Callable[[Case], list[Case]]] = [
                lambda case, way=way: self.holding(  # type: ignore[misc]
                    way[2], want, self.holding(way[0], way[1], [case])
                )
                for way in (yes, no)
            ]
            return self._either(both, cases)
        leaf = self._leaf(node, want)
        return [found for case in cases if (found := leaf(case)) is not None]

    def _either(self, ways: Sequence[Callable[[Case], list[Case]]], cases: list[Case]) -> list[Case]:
        if len(cases) * len(ways) > MOST:
            return cases
        found = [one for case in cases for way in ways for one in way(case)]
        return found if len(found) <= MOST else cases

    def _leaf(self, node: Node, want: bool) -> Callable[[Case], Case | None]:
        if isinstance(node, Binary):
            if node.sign == "in" and isinstance(node.right, Listing):
                items = [self._constant(item) for item in node.right.items]
                if None not in items and self._feature(node.left) is not None:
                    inside = Domain(only=frozenset(items))
                    outside = Domain(less=frozenset(items))
                    return self._narrowing(node.left, inside if want else outside, node, want)
            elif node.sign in _OPPOSITE:
                return self._comparing(node, want)
        return self._narrowing(node, Domain(only=frozenset((want,))), node, want)

    def _comparing(self, node: Binary, want: bool) -> Callable[[Case], Case | None]:
        kinds = {self._part(node.left).type, self._part(node.right).type}
        if Type.DOUBLE in kinds and not want and node.sign in _ORDER:
            return lambda case: case  # of what is no number, every order is false
        sign = node.sign if want else _OPPOSITE[node.sign]
        for side, other, turned in ((node.left, node.right, sign), (node.right, node.left, _TURNED[sign])):
            value = self._constant(other)
            if value is not None and self._feature(side) is not None:
                wanted = _wanted(turned, value, self._part(side).type)
                return (lambda case: case) if wanted is None else self._narrowing(side, wanted, node, want)
        if Type.STRING in kinds or Type.BOOL in kinds:
            return self._narrowing(node, Domain(only=frozenset((want,))), node, want)

        def compare(case: Case) -> Case | None:
            left, right = self._bounds(node.left, case), self._bounds(node.right, case)
            same = _spelt(node.left) == _spelt(node.right) and Type.DOUBLE not in kinds
            if _apart(sign, left, right) or (same and sign in ("<", ">", "!=")):
                self._note(node, want, "")
                return None
            return case

        return compare

    def _narrowing(self, of: Node, wanted: Domain, node: Node, want: bool) -> Callable[[Case], Case | None]:
        """`wanted`: what a feature, or a part that is not looked into, must be for the whole of a leaf."""
        name = self._feature(of)
        kind = self._part(of).type
        feature = self.catalogue.get(name.partition("[")[0]) if name is not None else None
        key = name or _spelt(of)
        own = domain_of(kind, feature if feature is not None and feature.type is kind else None)
        if kind is Type.DURATION and name is not None and "[" in name:
            own = Domain(low=0)  # since a service line

        def narrow(case: Case) -> Case | None:
            before = case.get(key, own)
            now = before.meet(wanted)
            if now.empty:
                self._note(node, want, f", where {key} is {before.words(kind)}")
                return None
            return {**case, key: now}

        return narrow

    def _note(self, node: Node, want: bool, where: str) -> None:
        if self.found is None:
            said = _spelt(node) if want else f"!{_spelt(node)}"
            bare = said[1:-1] if said[0] == "(" and said[-1] == ")" else said
            self.found = node.wrong(f"this can never hold: {bare}{where}")

    def _bounds(self, node: Node, case: Case) -> Domain:
        """The least and the greatest that a number or duration can be."""
        value = self._constant(node)
        if value is not None:
            return Domain(value, value)
        name = self._feature(node)
        if name is not None:
            feature = self.catalogue.get(name)
            known = case.get(name, domain_of(self._part(node).type, feature))
            if known.only:
                return Domain(min(known.only), max(known.only))
            return known
        if isinstance(node, Binary) and node.sign in ("+", "-"):
            left, right = self._bounds(node.left, case), self._bounds(node.right, case)
            if node.sign == "-":
                right = Domain(_minus(right.high), _minus(right.low))
            return Domain(_sum(left.low, right.low), _sum(left.high, right.high))
        return Domain()

    def _part(self, node: Node) -> Part:
        known = self._parts.get(id(node))
        if known is None:
            known = self._parts[id(node)] = part_of(node, self.catalogue)
        return known

    def _constant(self, node: Node) -> Any:
        """The value of a part that reads nothing; None where it does, or has none."""
        if isinstance(node, Literal):
            return node.value
        part = self._part(node)
        if part.reads or part.items is not None:
            return None
        value = part.value(_nothing)
        if value.known is not None and not np.all(value.known):
            return None
        return value.words[int(value.codes)] if isinstance(value, Words) else value.values.item()

    def _feature(self, node: Node) -> str | None:
        """The name of a single value read as it is."""
        if not isinstance(node, (Name, Access)) and not (isinstance(node, Binary) and node.sign == "in"):
            return None
        part = self._part(node)
        single = len(part.reads) == 1 and part.type is not Type.STRINGS
        if isinstance(node, Binary):  # "vip" in lists
            return next(iter(part.reads)) if single and isinstance(node.right, Name) else None
        return next(iter(part.reads)) if single else None


def _nothing(name: str) -> Any:
    raise AssertionError(f"{name} was not declared as read")


def _wanted(sign: str, value: Any, kind: Type) -> Domain | None:
    """What a feature must be for `feature sign value`; None: nothing that can be said."""
    if sign == "==":
        return Domain(only=frozenset((value,)))
    if sign == "!=":
        return Domain(less=frozenset((value,)))
    if kind in (Type.STRING, Type.BOOL):
        return None
    if kind is Type.DOUBLE:
        if type(value) is int and abs(value) > _EXACT:
            return None
        value = float(value)
        if not math.isfinite(value):
            return None
        step = {"<": -math.inf, ">": math.inf}.get(sign)
        bound: float | int = value if step is None else math.nextafter(value, step)
    elif type(value) is float:
        if not math.isfinite(value):
            return None
        bound = {"<": math.ceil(value) - 1, "<=": math.floor(value), ">": math.floor(value) + 1}.get(
            sign, math.ceil(value)
        )
    else:
        bound = value + {"<": -1, ">": 1}.get(sign, 0)
    return Domain(high=bound) if sign in ("<", "<=") else Domain(low=bound)


def _apart(sign: str, left: Domain, right: Domain) -> bool:
    """Whether bounds alone forbid it."""
    if sign in (">", ">=", "=="):
        below = left.high is not None and right.low is not None
        if below and (left.high <= right.low if sign == ">" else left.high < right.low):
            return True
    if sign in ("<", "<=", "=="):
        above = left.low is not None and right.high is not None
        if above and (left.low >= right.high if sign == "<" else left.low > right.high):
            return True
    return False


def _minus(value: Any) -> Any:
    return None if value is None else -value


def _sum(left: Any, right: Any) -> Any:
    return None if left is None or right is None else left + right


def _spelt(node: Node) -> str:
    """The same for parts that say the same, wherever they stand."""
    return _SPELL[type(node)](node)


def _call(node: Call) -> str:
    said = f"{node.name}({', '.join(map(_spelt, node.arguments))})"
    return said if node.of is None else f"{_spelt(node.of)}.{said}"


def _literal(node: Literal) -> str:
    if isinstance(node.value, bool):
        return str(node.value).lower()
    return f'"{node.value}"' if isinstance(node.value, str) else repr(node.value)


_SPELL: Final[dict[type[Node], Callable[[Any], str]]] = {
    Literal: _literal,
    Name: lambda node: str(node.name),
    Access: lambda node: (
        f"{_spelt(node.of)}.{node.name}" if node.index is None else f"{_spelt(node.of)}[{_spelt(node.index)}]"
    ),
    Call: _call,
    Unary: lambda node: f"{node.sign}({_spelt(node.of)})",
    Binary: lambda node: f"({_spelt(node.left)} {node.sign} {_spelt(node.right)})",
    Logic: lambda node: f"({f' {node.sign} '.join(map(_spelt, node.of))})",
    Choice: lambda node: f"({_spelt(node.condition)} ? {_spelt(node.yes)} : {_spelt(node.no)})",
    Listing: lambda node: f"[{', '.join(map(_spelt, node.items))}]",
}
