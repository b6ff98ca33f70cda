"""YAML read with line numbers into one typed object, every mistake reported at once.

Configuration, campaign and policy files are read by it. One form for all, worlds and tables too:
`file:line: key = value: what was expected. Did you mean 'x'?` YAML 1.2 core scalars only: `10:00` and `no`
stay words. A validator of a whole model may name the key it means by starting its message with it:
`usage.x: ...`. A number is a number: no text in quotes, no `true`.
"""

from __future__ import annotations

import difflib
import os.path
import re
import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from marketing.config_values import NamedPath
from marketing.hiding import without_login

__all__ = [
    "ConfigError",
    "Document",
    "ExistingFile",
    "KeyPath",
    "NewPath",
    "Port",
    "Problem",
    "Strict",
    "TapSource",
    "beside",
    "parse_value",
    "problems_in",
    "read_model",
    "read_text",
    "read_yaml",
    "shorten",
    "suggest",
]

KeyPath = tuple[str | int, ...]
MOST_OCTETS: Final = 16 << 20
"""Of a file that people write."""
MOST_INTEGER: Final = 1 << 63
"""Whole numbers of files are smaller."""
MOST_DIGITS: Final = 30
TOO_LARGE: Final = "expected a whole number of at most 63 bits"
MAX_NODES: Final = 100_000
"""Values a file may expand to; aliases of aliases would otherwise fill the memory."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in one file."""

    file: str
    line: int
    """Counted from 1; 0 where no line can be named."""
    key: str
    """Dotted path such as `scene.begin.peer`; empty for the file as a whole."""
    value: str
    """As written, shortened; empty where there is none."""
    expected: str
    suggestion: str = ""
    """The nearest known word; empty where none is near."""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:" if self.line else f"{self.file}:"
        key = f" {self.key}" if self.key else ""
        value = f" = {self.value}" if self.value and self.key else f" {self.value}" if self.value else ""
        hint = f" Did you mean {self.suggestion!r}?" if self.suggestion else ""
        return f"{where}{key}{value}: {self.expected}.{hint}".replace(":: ", ": ")


class ConfigError(Exception):
    """Files that cannot be used, with every problem found in them. Exit code 2."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.file, p.line, p.key)))
        super().__init__("\n".join(str(p) for p in self.problems))


def suggest(word: str, known: Sequence[str]) -> str:
    """The known word nearest to a misspelt one; empty where none is near."""
    by_lower = {k.lower(): k for k in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else ""


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file: its values and where they stood."""

    path: Path
    values: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict)
    """Path of keys and indices -> line, counted from 1."""

    def line(self, path: KeyPath) -> int:
        """Line of a path, or of the nearest thing around it that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def problem(self, path: KeyPath, value: object, expected: str, suggestion: str = "") -> Problem:
        """A problem found outside the schema, such as between two files."""
        shown = shorten(value) if path else ""
        return Problem(_short_name(self.path), self.line(path), _dotted(path), shown, expected, suggestion)


# --------------------------------------------------------------------------- reading

# YAML 1.2.2 10.3.2, core schema.
_SCALARS: Final[tuple[tuple[re.Pattern[str], typing.Callable[[str], object]], ...]] = (
    (re.compile(r"null|Null|NULL|~|"), lambda _text: None),
    (re.compile(r"true|True|TRUE"), lambda _text: True),
    (re.compile(r"false|False|FALSE"), lambda _text: False),
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+"), lambda text: int(text, 0)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
)


def _refusal(name: str, line: int, expected: str, suggestion: str = "") -> ConfigError:
    return ConfigError([Problem(name, line, "", "", expected, suggestion)])


def read_text(path: Path) -> str:
    """The text of a file that people write.

    Raises:
        ConfigError: it is not there, cannot be read, is too large or no text.
    """
    name = _short_name(path)
    try:
        if not path.is_file() and path.exists() and not path.is_dir():
            raise _refusal(name, 0, "expected a file; that is a pipe or a device")
        if path.stat().st_size > MOST_OCTETS:
            raise _refusal(name, 0, f"more than {MOST_OCTETS >> 20} MiB")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        beside = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        raise _refusal(name, 0, "no such file", suggest(path.name, beside)) from None
    except IsADirectoryError:
        raise _refusal(name, 0, f"a folder; name its files, such as {name}/*.yaml") from None
    except UnicodeDecodeError as error:
        raise _refusal(name, 0, f"expected UTF-8 text; octet {error.start + 1} is none") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        said = getattr(error, "strerror", None) or error
        raise _refusal(name, 0, f"cannot be read: {said}") from None


def _compose(text: str, name: str) -> Node | None:
    """The text as YAML. Raises ConfigError."""
    try:
        root: Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        said = f"the character U+{int(error.character):04X} may not stand there"
        raise _refusal(name, line, f"not YAML: {said}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise _refusal(name, line, f"not YAML: {error.problem or error.context}") from None
    except RecursionError:
        raise _refusal(name, 0, "nested too deeply") from None
    return root


def _build(root: Node, name: str) -> tuple[Any, dict[KeyPath, int]]:
    """The values of a node, and where they stand. Raises ConfigError."""
    builder = _Builder(name)
    try:
        values = builder.value(root, ())
    except RecursionError:
        raise _refusal(name, 0, "nested too deeply") from None
    if builder.problems:
        raise ConfigError(builder.problems)
    return values, builder.lines


def read_yaml(path: Path) -> Document:
    """Reads a file as a mapping.

    Raises:
        ConfigError: it cannot be read, is not YAML, is not a mapping, or says a key twice.
    """
    name = _short_name(path)
    root = _compose(read_text(path), name)
    if not isinstance(root, MappingNode):
        raise _refusal(name, 1, "expected a mapping of keys to values")
    values, lines = _build(root, name)
    return Document(path, values, lines)


def parse_value(text: str, name: str = "command line") -> Any:
    """A value of the command line, as files say it. Raises ConfigError."""
    root = _compose(text, name)
    return None if root is None else _build(root, name)[0]


@dataclass(slots=True)
class _Builder:
    name: str
    lines: dict[KeyPath, int] = field(default_factory=lambda: {(): 1})
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0

    def value(self, node: Node, path: KeyPath) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise ConfigError(
                [Problem(self.name, node.start_mark.line + 1, "", "", f"more than {MAX_NODES} values")]
            )
        if isinstance(node, ScalarNode):
            value = _scalar(node)
            if isinstance(value, int) and abs(value) >= MOST_INTEGER:
                line, shown = node.start_mark.line + 1, shorten(node.value).strip("'")
                self.problems.append(Problem(self.name, line, _dotted(path), shown, TOO_LARGE))
            return value
        if isinstance(node, SequenceNode):
            return [self._placed(child, (*path, i), child) for i, child in enumerate(node.value)]
        found: dict[str, Any] = {}
        for key_node, child in node.value:
            if not isinstance(key_node, ScalarNode):
                line = key_node.start_mark.line + 1
                self.problems.append(Problem(self.name, line, "", "", "expected a word as the key"))
                continue
            here = (*path, str(key_node.value))
            if here in self.lines and here[-1] in found:
                expected = f"already said in line {self.lines[here]}"
                self.problems.append(
                    Problem(self.name, key_node.start_mark.line + 1, _dotted(here), "", expected)
                )
            found[str(key_node.value)] = self._placed(child, here, key_node)
        return found

    def _placed(self, node: Node, path: KeyPath, at: Node) -> Any:
        self.lines[path] = at.start_mark.line + 1
        return self.value(node, path)


def _scalar(node: ScalarNode) -> object:
    if node.style in ("'", '"', "|", ">"):
        return node.value
    if len(node.value) > MOST_DIGITS and _SCALARS[3][0].fullmatch(node.value):
        return MOST_INTEGER
    return next((make(node.value) for pattern, make in _SCALARS if pattern.fullmatch(node.value)), node.value)


# --------------------------------------------------------------------------- checking

Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    """Base of everything read from YAML: unknown keys are errors, numbers are numbers, nothing changes."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


def read_model(path: Path, model: type[Model], within: Path | None = None) -> tuple[Model, Document]:
    """A file as a checked object, with the document for what has to be checked across files.

    With `within` it, and every file that it names, must lie in that folder, links followed.

    Raises:
        ConfigError: with every problem of the file.
    """
    if within is not None and not _lies_in(path, within):
        raise ConfigError([Problem(_short_name(path), 0, "", "", OUTSIDE)])
    document = read_yaml(path)
    try:
        checked = model.model_validate(document.values, context={"folder": path.parent, "within": within})
    except ValidationError as error:
        raise ConfigError(problems_in(document, model, error)) from None
    return checked, document


_EXPECTED: Final = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "string_type": "text (put digits in quotes)",
    "string_too_short": "text of at least {min_length} characters",
    "string_too_long": "text of at most {max_length} characters",
    "too_short": "at least {min_length} items",
    "too_long": "at most {max_length} items",
    "model_type": "keys and values",
    "dict_type": "keys and values",
    "list_type": "a list",
    "path_type": "the name of a file",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a number that is not infinite",
    "bool_type": "true or false",
    "invalid_key": "a word as the key",
}
"""Pydantic's type of error -> what was expected; the rest keep pydantic's own words. Worlds say the same."""
_UNQUOTED: Final = {"int_type", "float_type", "bool_type"}
_BRANCHES: Final = {*_UNQUOTED, "int_from_float", "string_type", "list_type", "dict_type", "model_type"}
"""Errors of which each branch of a union makes one; together they are one problem."""


def _is_quoted(value: object) -> bool:
    """Whether it is text that would be something else without its quotes."""
    return isinstance(value, str) and any(form.fullmatch(value) for form, _ in _SCALARS[1:])


def problems_in(document: Document, model: type[BaseModel], error: ValidationError) -> list[Problem]:
    """What pydantic has found, in the words of these files and where they say it."""
    found: dict[tuple[KeyPath, str], Problem] = {}
    branches: dict[KeyPath, dict[str, None]] = {}
    for item in error.errors(include_url=False):
        kind, context, value = item["type"], item.get("ctx", {}), item.get("input")
        path = _path_in_file(document, item["loc"], kind)
        known = sorted(_known_keys(model, path[:-1]))
        hint = ""
        if kind == "missing":
            expected, value = "this key is needed", None
        elif kind in _EXPECTED:
            expected = f"expected {_EXPECTED[kind].format(**context)}"
            expected += ", without quotes" if kind in _UNQUOTED and _is_quoted(value) else ""
        elif kind == "extra_forbidden":
            if path and path[-1] in known:
                # A key of another shape of the same thing, such as behaviour beside dwell.
                beside = {str(way[-1]) for way in document.lines if way[:-1] == path[:-1]} - {path[-1]}
                expected = f"cannot stand beside {', '.join(sorted(beside))}"
            else:
                hint = suggest(str(path[-1]), known) if path else ""
                expected = f"no such key here; known are: {', '.join(known)}"
        else:
            expected = str(context.get("error") or item["msg"])
            expected = (
                expected.removeprefix("Value error, ").rstrip(".").replace("Input should be", "expected")
            )
            choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
            hint = suggest(value, choices) if isinstance(value, str) and choices else ""
            if kind == "value_error" and (named := _named_in(expected, model, path)):
                expected = expected.partition(": ")[2]
                path, value = (*path, *named), _value_at(document, (*path, *named))
        shown = "" if value is None and kind == "missing" else _shown(path, hint, value)
        if kind in _BRANCHES:
            said = branches.setdefault(path, {})
            said[expected.removeprefix("expected ")] = None
            found[path, ""] = document.problem(path, shown, f"expected {', or '.join(said)}", hint)
        else:
            found.setdefault((path, expected), document.problem(path, shown, expected, hint))
    return list(found.values())


# What stands under such a key, misspelt or not, may be a secret.
_SECRET: Final = re.compile(r"passw|secret|token|key|pwd", re.IGNORECASE)


def _shown(path: KeyPath, hint: str, value: object) -> object:
    if any(_SECRET.search(word) for word in (str(path[-1]) if path else "", hint)):
        return ""
    return without_login(value) if isinstance(value, str) else value


def _path_in_file(document: Document, loc: KeyPath, kind: str) -> KeyPath:
    """Pydantic puts names of union members between the keys; only what stands in the file helps.

    A member may be named like a key beside the one at fault, so of all ways to leave parts out the one counts
    that keeps the last part, and then the longest.
    """
    ways: list[KeyPath] = [()]
    for position, part in enumerate(loc):
        missing = kind == "missing" and position == len(loc) - 1
        ways += [(*way, part) for way in ways if missing or (*way, part) in document.lines]
    return max(ways, key=lambda way: (way[-1:] == loc[-1:], len(way)))


_NAMED: Final = re.compile(r"([a-z0-9_]+(?:\.[a-z0-9_]+)*): ")


def _named_in(said: str, model: type[BaseModel], path: KeyPath) -> KeyPath:
    """The keys below `path` that a message begins with; none where it begins with words that are no keys."""
    found = _NAMED.match(said)
    if found is None:
        return ()
    named = tuple(found[1].split("."))
    return named if named[-1] in _known_keys(model, (*path, *named[:-1])) else ()


def _value_at(document: Document, path: KeyPath) -> object:
    """What the file says there; empty where it says nothing."""
    value: Any = document.values
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return ""
    return value


def _known_keys(model: type[BaseModel], path: KeyPath) -> set[str]:
    models = [model]
    for part in path:
        if isinstance(part, str):
            models = [
                inner
                for outer in models
                for name, info in outer.model_fields.items()
                if part in (name, info.alias)
                for inner in _models_in(info.annotation)
            ]
    return {info.alias or name for m in models for name, info in m.model_fields.items()}


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is not None:
        for inner in typing.get_args(annotation):
            yield from _models_in(inner)


def _dotted(path: KeyPath) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _short_name(path: Path) -> str:
    try:
        name = str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        name = str(path)
    return name if name.isprintable() else ascii(name)[1:-1]


def shorten(value: object, limit: int = 60) -> str:
    """A value as a message shows it."""
    if value == "":
        return ""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = "{...}" if isinstance(value, dict) else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


OUTSIDE: Final = "expected a file within the watched folder"


def _lies_in(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # no such name, a ring of links
        return False


def beside(path: Path, info: ValidationInfo) -> Path:
    """A file as named in another, taken from that one's folder; raises ValueError where it may not be."""
    context = info.context or {}
    found = Path(context.get("folder", "")) / path
    within = context.get("within")
    if within is not None and not _lies_in(found, within):
        raise ValueError(OUTSIDE)
    return found


def _existing(path: Path, info: ValidationInfo) -> Path:
    path = beside(path, info)
    if os.path.isdir(path):
        raise ValueError("expected a file; that is a folder")
    if not os.path.isfile(path):  # False, not an error, for a path that is too long
        raise ValueError(f"expected a file that exists; there is no {_short_name(path)}")
    return path


NewPath = Annotated[NamedPath, AfterValidator(beside)]
"""A path as written in a file, taken from that file's folder."""
ExistingFile = Annotated[NamedPath, AfterValidator(_existing)]
"""The same, and the file is there."""


def _readable(source: str, info: ValidationInfo) -> str:
    if source == "-":
        return source
    path = beside(Path(source), info)
    if not os.path.exists(path) or os.path.isdir(path):
        raise ValueError("expected a capture file or a pipe that exists, or - for standard input")
    return str(path)


TapSource = Annotated[str, AfterValidator(_readable)]
"""A capture file, a named pipe, or `-`; a path is taken from the file's folder."""
Port = Annotated[int, Field(ge=0, le=65535)]
