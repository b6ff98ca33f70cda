"""Expressions compiled: every part typed against the catalogue, then made into a function of columns."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marketing.config import suggest
from marketing.expressions import operations as ops
from marketing.expressions.catalogue import CATALOGUE, Catalogue, Type
from marketing.expressions.columns import AnyColumn, Numbers, Sets, View, Words
from marketing.expressions.errors import ExpressionError
from marketing.expressions.functions import FUNCTIONS, METHODS, UNKNOWN_WORDS
from marketing.expressions.parts import Get, Part, literal
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

__all__ = ["Expression", "compile_expression", "part_of", "split_expression"]

_LIST_OF: Final = {
    Type.STRING: Type.STRINGS,
    Type.INT: Type.NUMBERS,
    Type.DOUBLE: Type.DOUBLES,
    Type.DURATION: Type.DURATIONS,
}
_KEY: Final = re.compile(r"[0-9*#abc]{1,20}")
_LIST_NAME: Final = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition, compiled."""

    text: str
    reads: frozenset[str]
    """Names it reads, with their keys: `profile.age`, `lists[vip]`, `last[10086]`."""
    static: bool
    """Changes only when a new extract or list is switched in."""
    constant: bool | None
    """Its value where it reads nothing; None where it does."""
    _value: Callable[[Get], Any]

    def holds(self, get: Get, count: int) -> NDArray[np.bool_]:
        """Where it is known to be true, of `count` rows; `get` gives a column by name."""
        found: Numbers = self._value(get)
        mask = found.values if found.known is None else found.values & found.known
        return mask if mask.shape == (count,) else np.full(count, bool(mask))

    def unknown(self, get: Get, count: int) -> NDArray[np.bool_]:
        """Where it is neither known to be true nor known to be false."""
        found: Numbers = self._value(get)
        if found.known is None:
            return np.zeros(count, dtype=np.bool_)
        return np.broadcast_to(~found.known, (count,))

    def mask(
        self,
        view: View,
        rows: NDArray[np.int64],
        at_us: NDArray[np.int64],
        event: Callable[[str], AnyColumn] | None = None,
    ) -> NDArray[np.bool_]:
        """The same for subscribers of a view, each as of its own instant. `event`: gives `event.X`."""

        def get(name: str) -> AnyColumn:
            if event is not None and name.startswith("event."):
                return event(name)
            return view.column(name, rows, at_us)

        return self.holds(get, len(rows))


@lru_cache(maxsize=4096)
def compile_expression(text: str, catalogue: Catalogue = CATALOGUE) -> Expression:
    """An expression that is true or false.

    Raises:
        ExpressionError: the text is none, names what is not in the catalogue, or joins what does not fit;
            nothing else, whatever the text.
    """
    tree = parse(text)
    part = _Checker(catalogue).part(tree)
    if part.type is not Type.BOOL:
        raise tree.wrong(f"expected something true or false, found {_a(part.type)}")
    static = _static(part.reads, catalogue)
    constant = None
    if not part.reads:
        value = part.value(_nothing)
        constant = bool(np.all(value.values if value.known is None else value.values & value.known))
    return Expression(text, part.reads, static, constant, part.value)


def _nothing(name: str) -> AnyColumn:
    raise AssertionError(f"{name} was not declared as read")


def split_expression(
    text: str, catalogue: Catalogue = CATALOGUE
) -> tuple[Expression | None, Expression | None]:
    """A condition as two that must both hold: what changes with imports only, and the rest; None: nothing.

    Raises:
        ExpressionError: as `compile_expression`.
    """
    whole = compile_expression(text, catalogue)
    if whole.static:
        return whole, None
    tree = parse(text)
    if not (isinstance(tree, Logic) and tree.sign == "&&"):
        return None, whole
    halves: dict[bool, list[Part]] = {True: [], False: []}
    for node in tree.of:
        part = _Checker(catalogue).part(node)
        halves[_static(part.reads, catalogue)].append(part)
    return tuple(_joined(text, halves[half], half) for half in (True, False))  # type: ignore[return-value]


def part_of(node: Node, catalogue: Catalogue) -> Part:
    """A part of a tree, typed and compiled. Raises ExpressionError."""
    return _Checker(catalogue).part(node)


def _joined(text: str, parts: list[Part], static: bool) -> Expression | None:
    if not parts:
        return None
    reads = frozenset().union(*(part.reads for part in parts))
    return Expression(text, reads, static, None, _all(parts))


def _all(parts: list[Part]) -> Callable[[Get], Numbers]:
    return lambda get: ops.conjunction([lambda part=part: part.value(get) for part in parts])  # type: ignore[misc]


def _static(reads: frozenset[str], catalogue: Catalogue) -> bool:
    return all(catalogue[_bare(name)].static for name in reads)


def _no_single_value(_get: Get) -> None:
    raise AssertionError("a list written out is looked at item by item")


def _bare(name: str) -> str:
    return name.partition("[")[0]


def _a(kind: Type) -> str:
    return f"{'an' if kind.value[0] in 'aeiou' else 'a'} {kind.value}"


@dataclass(frozen=True, slots=True)
class _Checker:
    catalogue: Catalogue

    def part(self, node: Node) -> Part:
        """A node typed and compiled; parts that read nothing are worked out at once."""
        made: Part = _BY_NODE[type(node)](self, node)
        if made.reads or made.items is not None or isinstance(node, Literal):
            return made
        value = made.value(_nothing)
        return Part(made.type, frozenset(), lambda _get: value)

    def wanted(self, node: Node, kind: Type, where: str) -> Part:
        part = self.part(node)
        if part.type is not kind:
            raise node.wrong(f"{where} takes {_a(kind)}, found {_a(part.type)}")
        return part

    def literal(self, node: Literal) -> Part:
        value = node.value
        if type(value) is int and not -(1 << 63) <= value < 1 << 63:
            raise node.wrong("a whole number of at most 64 bits was expected")
        return literal(value)

    def feature(self, node: Name | Access) -> Part:
        name = _dotted(node)
        if name is None:
            raise node.wrong("a dot and a name follow a feature group only, such as profile.age")
        if name in UNKNOWN_WORDS:
            raise node.wrong(UNKNOWN_WORDS[name])
        known = self.catalogue.get(name)
        if known is None:
            raise self._unknown(node, name)
        if known.type is Type.LASTS:
            raise node.wrong('expected a service line after last, such as last["10086"], or last.call')
        if known.type is Type.STRINGS and name == "lists":
            raise node.wrong('lists stands after in only, such as "vip" in lists')
        return _asked(known.type, name)

    def _unknown(self, node: Node, name: str) -> ExpressionError:
        group, dot, _ = name.partition(".")
        if group in self.catalogue.groups:
            inside = [n for n in self.catalogue if n.startswith(f"{group}.")]
            if not dot:
                near = f" such as {inside[0]}" if inside else ""
                return node.wrong(f"expected a feature of {group}{near}")
            known = ", ".join(n.partition(".")[2] for n in inside)
            return node.wrong(f"no feature {name!r}; {group} has {known}", self.catalogue.nearest(name))
        if group == "boss":
            return node.wrong("what BOSS is asked at the moment of the decision stands in the key boss only")
        groups = ", ".join(sorted(self.catalogue.groups))
        return node.wrong(f"no name {name!r}; names begin with {groups}", self.catalogue.nearest(name))

    def access(self, node: Access) -> Part:
        if node.index is None:
            return self.feature(node)
        if not (isinstance(node.of, Name) and node.of.name == "last" and "last" in self.catalogue):
            raise node.wrong('only last has keys in brackets, such as last["10086"]')
        key = node.index.value if isinstance(node.index, Literal) else None
        if not (isinstance(key, str) and _KEY.fullmatch(key)):
            raise node.index.wrong('expected the digits of a service line in quotes, such as last["10086"]')
        name = f"last[{key}]"
        return _asked(Type.DURATION, name)

    def call(self, node: Call) -> Part:
        table = FUNCTIONS if node.of is None else METHODS
        made = table.get(node.name)
        if made is None:
            raise node.wrong(*_unknown_call(node))
        return made(self, node)

    def unary(self, node: Unary) -> Part:
        if node.sign == "!":
            part = self.wanted(node.of, Type.BOOL, "!")

            def turned(get: Get) -> Numbers:
                value = part.value(get)
                return Numbers(~value.values, value.known)

            return Part(Type.BOOL, part.reads, turned)
        part = self.part(node.of)
        if part.type not in (Type.INT, Type.DOUBLE):
            raise node.wrong(f"- takes an int or a double, found {_a(part.type)}")
        return Part(part.type, part.reads, lambda get: ops.negated(part.value(get)))

    def logic(self, node: Logic) -> Part:
        parts = [self.wanted(one, Type.BOOL, node.sign) for one in node.of]
        join = ops.conjunction if node.sign == "&&" else ops.disjunction
        reads = frozenset().union(*(part.reads for part in parts))

        def value(get: Get) -> Numbers:
            return join([lambda part=part: part.value(get) for part in parts])  # type: ignore[misc]

        return Part(Type.BOOL, reads, value)

    def choice(self, node: Choice) -> Part:
        condition = self.wanted(node.condition, Type.BOOL, "?")
        yes, no = self.part(node.yes), self.part(node.no)
        if yes.type is not no.type:
            raise node.no.wrong(f"both sides of : are of one type; found {_a(yes.type)} and {_a(no.type)}")
        if yes.type not in (Type.BOOL, Type.INT, Type.DOUBLE, Type.STRING, Type.DURATION):
            raise node.yes.wrong("? : chooses between single values, not between lists")

        def value(get: Get) -> Numbers | Words:
            return ops.choose(condition.value(get), yes.value(get), no.value(get))

        return Part(yes.type, condition.reads | yes.reads | no.reads, value)

    def listing(self, node: Listing) -> Part:
        if not node.items:
            raise node.wrong("an empty list holds nothing")
        items = tuple(self.part(item) for item in node.items)
        kind = items[0].type
        if kind not in _LIST_OF:
            raise node.items[0].wrong(f"a list holds strings, numbers or durations, not {_a(kind)}")
        for item, part in zip(node.items, items, strict=True):
            if part.type is not kind:
                raise item.wrong(f"a list holds one type; found {_a(part.type)} beside {_a(kind)}")
        reads = frozenset().union(*(item.reads for item in items))
        return Part(_LIST_OF[kind], reads, _no_single_value, items)

    def binary(self, node: Binary) -> Part:
        if node.sign == "in":
            return self._in(node)
        if node.sign in ops.COMPARE:
            return self._compare(node)
        left, right = self.part(node.left), self.part(node.right)
        known = ops.ARITHMETIC.get((node.sign, left.type.value))
        if known is None or left.type is not right.type:
            mixed = {left.type, right.type} == {Type.INT, Type.DOUBLE}
            hint = "; write double(...) around the int, or 1.0 for 1" if mixed else ""
            raise node.wrong(f"no {_a(left.type)} {node.sign} {_a(right.type)}{hint}")
        apply = known

        def value(get: Get) -> Numbers:
            a, b = left.value(get), right.value(get)
            result, defined = apply(a.values, b.values)
            return Numbers(result, ops.both(a.known, b.known, defined))

        return Part(left.type, left.reads | right.reads, value)

    def _compare(self, node: Binary) -> Part:
        left, right, sign = self.part(node.left), self.part(node.right), node.sign
        reads = left.reads | right.reads
        pair = (left.type, right.type)
        if set(pair) == {Type.INT, Type.DOUBLE}:
            if sign in ("==", "!="):
                raise node.wrong(f"no {_a(pair[0])} {sign} {_a(pair[1])}; write 1.0 for 1, or double(...)")
            return Part(Type.BOOL, reads, _mixed(left, right, sign))
        if pair[0] is not pair[1]:
            raise node.wrong(f"{sign} compares two of one type; found {_a(pair[0])} and {_a(pair[1])}")
        if left.type not in (Type.BOOL, Type.INT, Type.DOUBLE, Type.STRING, Type.DURATION):
            raise node.wrong(f"{sign} compares single values, not {_a(left.type)}; use in")
        if left.type is Type.STRING:
            return Part(Type.BOOL, reads, _words(left, right, sign))
        compare = ops.COMPARE[sign]

        def value(get: Get) -> Numbers:
            a, b = left.value(get), right.value(get)
            return Numbers(np.asarray(compare(a.values, b.values)), ops.both(a.known, b.known))

        return Part(Type.BOOL, reads, value)

    def _in(self, node: Binary) -> Part:
        if isinstance(node.right, Name) and node.right.name == "lists" and "lists" in self.catalogue:
            name = node.left.value if isinstance(node.left, Literal) else None
            if not (isinstance(name, str) and _LIST_NAME.fullmatch(name)):
                raise node.left.wrong('expected the name of a target list in quotes, such as "vip" in lists')
            full = f"lists[{name}]"
            return _asked(Type.BOOL, full)
        left, right = self.part(node.left), self.part(node.right)
        if _LIST_OF.get(left.type) is not right.type:
            raise node.wrong(
                f"in looks for one value in a list of its type; found {_a(left.type)} in {_a(right.type)}"
            )
        reads = left.reads | right.reads
        if right.items is None:
            return Part(Type.BOOL, reads, _in_set(left, right))
        if left.type is Type.STRING and not right.reads:
            words = frozenset(item.value(_nothing).words[0] for item in right.items)
            table = ops.Table(words.__contains__, np.bool_)
            return Part(Type.BOOL, reads, lambda get: _looked_up(table, left.value(get)))
        return Part(Type.BOOL, reads, _in_items(left, right.items))


def _asked(kind: Type, name: str) -> Part:
    return Part(kind, frozenset((name,)), lambda get: get(name))


def _looked_up(table: ops.Table, column: Words) -> Numbers:
    return Numbers(table(column), column.known)


def _mixed(left: Part, right: Part, sign: str) -> Callable[[Get], Numbers]:
    turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}

    def value(get: Get) -> Numbers:
        a, b = left.value(get), right.value(get)
        known = ops.both(a.known, b.known)
        if left.type is Type.INT:
            return Numbers(ops.compare_mixed(sign, a.values, b.values), known)
        return Numbers(ops.compare_mixed(turned[sign], b.values, a.values), known)

    return value


def _words(left: Part, right: Part, sign: str) -> Callable[[Get], Numbers]:
    compare = ops.COMPARE[sign]
    if not right.reads:
        word = right.value(_nothing).words[0]
        table = ops.Table(lambda one: compare(one, word), np.bool_)
        return lambda get: _looked_up(table, left.value(get))
    if not left.reads:
        first = left.value(_nothing).words[0]
        table = ops.Table(lambda one: compare(first, one), np.bool_)
        return lambda get: _looked_up(table, right.value(get))

    def value(get: Get) -> Numbers:
        a, b = left.value(get), right.value(get)
        return Numbers(ops.compare_words(sign, a, b), ops.both(a.known, b.known))

    return value


def _in_set(left: Part, right: Part) -> Callable[[Get], Numbers]:
    def value(get: Get) -> Numbers:
        word: Words = left.value(get)
        sets: Sets = right.value(get)
        bits = {name: 1 << bit for bit, name in enumerate(sets.names)}
        table = ops.Table(lambda one: bits.get(one, 0), np.uint64)
        return Numbers(ops.held(word, sets, table), ops.both(word.known, sets.known))

    return value


def _in_items(left: Part, items: tuple[Part, ...]) -> Callable[[Get], Numbers]:
    def value(get: Get) -> Numbers:
        one = left.value(get)
        others = [item.value(get) for item in items]
        known = ops.both(one.known, *(other.known for other in others))
        if isinstance(one, Words):
            found: Any = np.False_
            for other in others:
                found = found | ops.compare_words("==", one, other)
            return Numbers(found, known)
        return Numbers(ops.among(one.values, [other.values for other in others]), known)

    return value


def _dotted(node: Node) -> str | None:
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Access) and node.index is None:
        before = _dotted(node.of)
        return None if before is None else f"{before}.{node.name}"
    return None


def _unknown_call(node: Call) -> tuple[str, str]:
    if node.name in UNKNOWN_WORDS:
        return UNKNOWN_WORDS[node.name], ""
    functions = [*FUNCTIONS, *(f".{name}" for name in METHODS)]
    own = FUNCTIONS if node.of is None else METHODS
    kind = "function" if node.of is None else "method"
    return f"no {kind} {node.name!r}; known are {', '.join(functions)}", suggest(node.name, list(own))


_BY_NODE: Final[dict[type[Node], Callable[[_Checker, Any], Part]]] = {
    Literal: _Checker.literal,
    Name: _Checker.feature,
    Access: _Checker.access,
    Call: _Checker.call,
    Unary: _Checker.unary,
    Binary: _Checker.binary,
    Logic: _Checker.logic,
    Choice: _Checker.choice,
    Listing: _Checker.listing,
}
