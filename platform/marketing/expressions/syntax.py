"""Reads the text of an expression into a tree, by the grammar of the CEL specification.

The grammar is that of the section Syntax of CEL's language definition, less what is refused by name: maps,
messages, bytes, unsigned numbers and null. `lark` makes an LALR(1) parser of it, which does not recurse.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from marketing.expressions.errors import ExpressionError

__all__ = [
    "DEPTH_MAX",
    "LENGTH_MAX",
    "LIST_MAX",
    "Access",
    "Binary",
    "Call",
    "Choice",
    "Listing",
    "Literal",
    "Logic",
    "Name",
    "Node",
    "Unary",
    "parse",
]

LENGTH_MAX: Final = 2000
"""Characters of an expression."""
DEPTH_MAX: Final = 40
"""Levels of its tree; `&&` and `||` in a row count as one."""
LIST_MAX: Final = 200
"""Items of a list."""

_GRAMMAR: Final = r"""
?start: expr
?expr: or_ | or_ "?" or_ ":" expr                     -> choice
?or_: and_ | or_ OR and_                              -> logic
?and_: relation | and_ AND relation                   -> logic
?relation: addition | relation RELATION addition      -> binary | relation IN addition -> binary
?addition: product | addition (PLUS | MINUS) product  -> binary
?product: unary | product (TIMES | OVER | MODULO) unary -> binary
?unary: member | NOT unary                            -> unary | MINUS unary -> unary
?member: primary
    | member "." NAME                                 -> access
    | member "." NAME OPEN [arguments] ")"            -> method
    | member SQUARE expr "]"                          -> index
?primary: NAME                                        -> name
    | NAME OPEN [arguments] ")"                       -> call
    | "(" expr ")"
    | SQUARE [arguments] "]"                          -> listing
    | (INT | FLOAT | STRING | TRUE | FALSE)           -> literal
arguments: expr ("," expr)*

OR: "||"
AND: "&&"
RELATION: "<=" | ">=" | "==" | "!=" | "<" | ">"
IN: "in"
PLUS: "+"
MINUS: "-"
TIMES: "*"
OVER: "/"
MODULO: "%"
NOT: "!"
OPEN: "("
SQUARE: "["
TRUE: "true"
FALSE: "false"
NAME: /[_a-zA-Z][_a-zA-Z0-9]*/
FLOAT: /[0-9]*\.[0-9]+([eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+/
INT: /0[xX][0-9a-fA-F]+|[0-9]+/
STRING: /[rR]?("([^"\\\n\r]|\\.)*"|'([^'\\\n\r]|\\.)*')/
COMMENT: /\/\/[^\n]*/
%ignore /[\t\n\f\r ]+/
%ignore COMMENT
"""

_WORDS: Final = {
    "OR": "||",
    "AND": "&&",
    "RELATION": "a comparison",
    "IN": "in",
    "PLUS": "+",
    "MINUS": "-",
    "TIMES": "*",
    "OVER": "/",
    "MODULO": "%",
    "NOT": "!",
    "OPEN": "(",
    "SQUARE": "[",
    "LPAR": "(",
    "RPAR": ")",
    "RSQB": "]",
    "COMMA": ",",
    "DOT": ".",
    "COLON": ":",
    "QMARK": "?",
    "NAME": "a name",
    "INT": "a number",
    "FLOAT": "a number",
    "STRING": "a text in quotes",
    "TRUE": "true",
    "FALSE": "false",
    "$END": "the end",
}
"""Terminals as people say them."""
_STARTS: Final = frozenset({"NAME", "INT", "STRING"})
_GOES_ON: Final = frozenset(
    {"OR", "AND", "RELATION", "IN", "PLUS", "MINUS", "TIMES", "OVER", "MODULO", "QMARK"}
)
_AFTER: Final = frozenset({"DOT", "OPEN", "SQUARE", "LPAR"})
_RESERVED: Final = frozenset(
    ("as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package")
) | {"namespace", "return", "var", "void", "while"}
"""Words that CEL keeps for itself."""
_REFUSED: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"\{"), "maps and messages are not part of this language; an expression has no braces"),
    (re.compile(r"=(?!=)"), "to compare, write == (a single = has no meaning here)"),
    (re.compile(r"&(?!&)"), "to join conditions, write &&"),
    (re.compile(r"\|(?!\|)"), "to join conditions, write ||"),
    (re.compile(r"[\"']"), "this text has no closing quote on its line"),
    (re.compile("[“”‘’]"), "expected a plain quote \" or '"),
    (re.compile("[（），。：！？＆｜＝＜＞［］]"), "a full-width sign; write the plain one"),
)


# Equality is by place in the text, not by content: two equal parts are still two parts.
@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A part of an expression."""

    line: int
    column: int
    depth: int

    def wrong(self, expected: str, suggestion: str = "") -> ExpressionError:
        """The error that something is wrong with this part."""
        return ExpressionError(self.line, self.column, expected, suggestion)


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Node):
    """A bool, int, float or str."""

    value: bool | int | float | str


@dataclass(frozen=True, slots=True, eq=False)
class Name(Node):
    """A name alone."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Access(Node):
    """`of.name`, or `of[index]` where there is an index."""

    of: Node
    name: str
    index: Node | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Call(Node):
    """`name(arguments)`, or `of.name(arguments)`."""

    name: str
    of: Node | None
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Unary(Node):
    """`!` or `-`."""

    sign: str
    of: Node


@dataclass(frozen=True, slots=True, eq=False)
class Binary(Node):
    """A comparison, `in`, or arithmetic."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True, eq=False)
class Logic(Node):
    """`&&` or `||` of two or more."""

    sign: str
    of: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Choice(Node):
    """`condition ? yes : no`."""

    condition: Node
    yes: Node
    no: Node


@dataclass(frozen=True, slots=True, eq=False)
class Listing(Node):
    """`[a, b, c]`."""

    items: tuple[Node, ...] = field(default=())


def _place(at: Token | Node) -> tuple[int, int]:
    return (at.line or 1, at.column or 1)


def _deeper(at: Token | Node, *parts: Node | None) -> tuple[int, int, int]:
    depth = 1 + max((part.depth for part in parts if part is not None), default=0)
    if depth > DEPTH_MAX:
        raise ExpressionError(*_place(at), f"nested more than {DEPTH_MAX} deep")
    return (*_place(at), depth)


@v_args(inline=True)
class _Tree(Transformer[Token, Node]):
    """Each rule's alternative as a node; called from the leaves up while the text is read."""

    def literal(self, token: Token) -> Node:
        at = _deeper(token)
        if token.type in ("TRUE", "FALSE"):
            return Literal(*at, token.type == "TRUE")
        if token.type == "STRING":
            return Literal(*at, _unquoted(token))
        if token.type == "FLOAT":
            return Literal(*at, float(token))
        return Literal(*at, int(token, 16 if token[:2] in ("0x", "0X") else 10))

    def name(self, token: Token) -> Node:
        if token in _RESERVED:
            raise ExpressionError(*_place(token), f"{str(token)!r} is a word that CEL keeps for itself")
        return Name(*_deeper(token), str(token))

    def access(self, of: Node, name: Token) -> Node:
        return Access(*_deeper(of, of), of, str(name))

    def index(self, of: Node, _bracket: Token, index: Node) -> Node:
        return Access(*_deeper(of, of, index), of, "", index)

    def call(self, name: Token, _bracket: Token, arguments: tuple[Node, ...] | None) -> Node:
        return Call(*_deeper(name, *(arguments or ())), str(name), None, arguments or ())

    def method(self, of: Node, name: Token, _bracket: Token, arguments: tuple[Node, ...] | None) -> Node:
        return Call(*_deeper(name, of, *(arguments or ())), str(name), of, arguments or ())

    def arguments(self, *items: Node) -> tuple[Node, ...]:
        if len(items) > LIST_MAX:
            raise items[LIST_MAX].wrong(f"more than {LIST_MAX} in one list")
        return items

    def listing(self, bracket: Token, items: tuple[Node, ...] | None) -> Node:
        return Listing(*_deeper(bracket, *(items or ())), items or ())

    def unary(self, sign: Token, of: Node) -> Node:
        if sign == "-" and isinstance(of, Literal) and type(of.value) in (int, float) and of.value >= 0:  # type: ignore[operator]
            return Literal(*_deeper(sign), -of.value)  # type: ignore[operator]
        return Unary(*_deeper(sign, of), str(sign), of)

    def binary(self, left: Node, sign: Token, right: Node) -> Node:
        return Binary(*_deeper(sign, left, right), str(sign), left, right)

    def logic(self, left: Node, sign: Token, right: Node) -> Node:
        # a && b && c is one level; (a && b) && c means the same, so brackets need no memory.
        before = left.of if isinstance(left, Logic) and left.sign == sign else (left,)
        return Logic(*_deeper(sign, *before, right), str(sign), (*before, right))

    def choice(self, condition: Node, yes: Node, no: Node) -> Node:
        return Choice(*_deeper(condition, condition, yes, no), condition, yes, no)


_SIMPLE_ESCAPE: Final = re.compile(
    r"""\\([abfnrtv\\?"'`]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})"""
)


def _unquoted(token: Token) -> str:
    """The text that a literal stands for."""
    if token[0] in "rR":
        return str(token[2:-1])
    body = str(token[1:-1])

    def meant(found: re.Match[str]) -> str:
        escape = found.group(1)
        if escape in "?`":
            return escape
        if escape[0] in "xuU0123" and len(escape) > 1:
            code = int(escape, 8) if escape[0].isdigit() else int(escape[1:], 16)
            if code > 0x10FFFF or 0xD800 <= code < 0xE000:
                raise ExpressionError(*_place(token), f"\\{escape} is no character")
            return chr(code)
        value: str = ast.literal_eval(f'"\\{escape}"')
        return value

    rest = _SIMPLE_ESCAPE.sub("", body)
    if "\\" in rest:
        at = rest.index("\\")
        raise ExpressionError(
            *_place(token), f"no escape {rest[at : at + 2]!r} in a text; a backslash is \\\\"
        )
    return _SIMPLE_ESCAPE.sub(meant, body)


@lru_cache(maxsize=1)
def _parser() -> Callable[[str], Any]:
    made = Lark(
        _GRAMMAR, parser="lalr", transformer=_Tree(), maybe_placeholders=True, propagate_positions=False
    )
    return made.parse


def parse(text: str) -> Node:
    """The tree of an expression.

    Raises:
        ExpressionError: the text is none; nothing else, whatever the text.
    """
    if len(text) > LENGTH_MAX:
        raise ExpressionError(1, 1, f"{len(text)} characters are too many; {LENGTH_MAX} are allowed")
    if not text.strip():
        raise ExpressionError(1, 1, "expected an expression, found nothing")
    try:
        tree: Node = _parser()(text)
    except VisitError as error:
        if isinstance(error.orig_exc, ExpressionError):
            raise error.orig_exc from None
        raise
    except UnexpectedInput as error:
        raise _said(error, text) from None
    return tree


def _said(error: UnexpectedInput, text: str) -> ExpressionError:
    """Lark's finding in words."""
    line, column = _end(text) if error.line < 1 else (error.line, error.column)
    if isinstance(error, UnexpectedCharacters):
        rest = text[error.pos_in_stream or 0 :]
        for pattern, said in _REFUSED:
            if pattern.match(rest):
                return ExpressionError(line, column, said)
        return ExpressionError(line, column, f"{rest[:1]!r} has no meaning here; {_expected(error.allowed)}")
    if isinstance(error, UnexpectedToken):
        token = error.token
        if token.type == "$END":
            return ExpressionError(*_end(text), f"the expression ends too early; {_expected(error.expected)}")
        if token in _RESERVED:
            return ExpressionError(line, column, f"{str(token)!r} is a word that CEL keeps for itself")
        hint = {"and": "&&", "or": "||", "not": "!", "AND": "&&", "OR": "||", "NOT": "!"}.get(str(token), "")
        return ExpressionError(line, column, f"found {str(token)[:30]!r}; {_expected(error.expected)}", hint)
    return ExpressionError(line, column, "cannot be read")


def _end(text: str) -> tuple[int, int]:
    lines = text.split("\n")
    return len(lines), len(lines[-1]) + 1


def _expected(terminals: Any) -> str:
    names = set(terminals or ())
    if names >= _STARTS:
        return "expected a value: a name, a number, a text in quotes, (, [ or !"
    if names >= {"OR", "AND", "RELATION"}:
        closing = sorted(_WORDS.get(name, name) for name in names - _GOES_ON - _AFTER - {"COLON"})
        return f"expected an operator such as && or =={''.join(f', or {word}' for word in closing)}"
    said = sorted({_WORDS.get(name, name) for name in names})
    return f"expected {', '.join(said[:-1])} or {said[-1]}" if len(said) > 1 else f"expected {''.join(said)}"
