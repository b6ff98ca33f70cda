"""Reads a YAML scenario into a pydantic model and says everything that is wrong with it at once.

Each problem names the file, the line, the key, the value, what was expected and, for a misspelt key, the
nearest known one, in the form and words of all files here (the platform reads its own apart from these):
`file:line: key = value: what was expected. Did you mean 'x'?` YAML is read as people expect it: `21:00`,
`off`, `001`, `1_000` and days are text, and a key given twice is an error. A validator of a whole
model may name the key it means by starting its message with it: `usage.x: ...`.
"""

from __future__ import annotations

import copy
import difflib
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[str | int, ...]

COMMAND_LINE = "--set"
"""The file named in problems of values that were laid over a file."""
MOST_VALUES: Final = 100_000
"""Values that a file may expand to; aliases of aliases would otherwise fill the memory."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a scenario file."""

    file: str
    line: int
    """Line of the key, or of the object that the key is missing from; 0 where no line is known."""
    key: str
    """Dotted path, list items by number from 0: `places[2].kind`."""
    value: str
    """What the file says, shortened; empty where it says nothing."""
    expected: str
    """The whole of what is said, such as `expected at least 1`."""
    suggestion: str = ""
    """The nearest known key or value; empty if none is near."""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:" if self.line else f"{self.file}:"
        key = f" {self.key}" if self.key else ""
        value = f" = {self.value}" if self.value and self.key else f" {self.value}" if self.value else ""
        hint = f" Did you mean {self.suggestion!r}?" if self.suggestion else ""
        return f"{where}{key}{value}: {self.expected}.{hint}".replace(":: ", ": ")


class ScenarioError(ValueError):
    """The file is wrong: our mistake, not a peer's. `problems` holds all of it, by line."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: (problem.file, problem.line, problem.key))
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(slots=True)
class Document:
    """A YAML file as plain data, with the line of every key and item."""

    file: str
    data: Any
    lines: dict[Location, int] = field(default_factory=dict)
    overridden: set[Location] = field(default_factory=set)

    def line(self, location: Location) -> int:
        """Line of the innermost key or item on the way to `location` that the file holds."""
        for length in range(len(location), -1, -1):
            if location[:length] in self.lines:
                return self.lines[location[:length]]
        return 0

    def source(self, location: Location) -> tuple[str, int]:
        """File and line to name for a location; values from the command line have no line."""
        if any(location[:length] in self.overridden for length in range(1, len(location) + 1)):
            return COMMAND_LINE, 0
        return self.file, self.line(location)


class _Refused(yaml.MarkedYAMLError):
    """It is YAML, and more than a file of ours may hold."""


class _Loader(yaml.SafeLoader):
    """SafeLoader without sexagesimal and octal numbers and without yes/no/on/off."""


_KEPT = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")
_Loader.yaml_implicit_resolvers = {
    first: [rule for rule in rules if rule[0] in _KEPT]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_SCALARS = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?[0-9]*\.[0-9]+([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?[0-9]+\.|[-+]?[0-9]+\.?[eE][-+]?[0-9]+", "-+0123456789"),
)
for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(node.value))


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    value = 1 << 63
    if len(node.value) < 30:
        value = int(node.value, 16 if node.value.startswith("0x") else 10)
    if abs(value) >> 63:
        raise _Refused(problem="expected a whole number of at most 63 bits", problem_mark=node.start_mark)
    return value


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)


def parse_value(text: str) -> Any:
    """A value of the command line, read as YAML would; what is no YAML is text."""
    try:
        return yaml.load(text, _Loader)  # a SafeLoader
    except (yaml.YAMLError, RecursionError):
        return text


def parse_text(text: str, file: str) -> Document:
    """Reads YAML text, keeping the lines.

    Raises `ScenarioError` for bad syntax, repeated keys, and for anything but keys and values.
    """
    lines: dict[Location, int] = {}
    repeated: dict[Location, int] = {}
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is not None:
            _note_lines(node, (), lines, repeated)
        data = loader.construct_document(node) if node is not None else None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        expected = f"not YAML: the character U+{int(error.character):04X} may not stand there"
        raise ScenarioError([Problem(file, line, "", "", expected)]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        said = f"{'' if isinstance(error, _Refused) else 'not YAML: '}{error.problem or error.context}"
        raise ScenarioError([Problem(file, line, "", "", said)]) from error
    except RecursionError:
        raise ScenarioError([Problem(file, 0, "", "", "nested too deeply")]) from None
    document = Document(file, data, lines)
    problems = [
        Problem(file, lines[where], dotted(where), "", f"already said in line {first}")
        for where, first in repeated.items()
    ]
    if not isinstance(data, dict):
        problems.append(Problem(file, 1, "", "", "expected a mapping of keys to values"))
    if problems:
        raise ScenarioError(problems)
    return document


def load_document(path: str | Path) -> Document:
    """Reads a YAML file, keeping the lines. Raises `ScenarioError`, also for a file that cannot be read."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, error) from error
    return parse_text(text, str(path))


def unreadable(path: str | Path, error: OSError | UnicodeDecodeError) -> ScenarioError:
    """What to say of a file that is not there, cannot be read or is no text."""
    if isinstance(error, UnicodeDecodeError):
        said = f"expected UTF-8 text; octet {error.start + 1} is none"
    elif isinstance(error, FileNotFoundError):
        said = "no such file"
    else:
        said = f"cannot be read: {error.strerror or error}"
    return ScenarioError([Problem(str(path), 0, "", "", said)])


def lay_over(document: Document, overrides: Mapping[str, Any]) -> Document:
    """A copy of the document with dotted keys set; raises `ScenarioError` where a key leads nowhere."""
    result = Document(
        document.file, copy.deepcopy(document.data), dict(document.lines), set(document.overridden)
    )
    problems: list[Problem] = []
    for dotted, value in overrides.items():
        parts = dotted.split(".")
        holder = result.data
        try:
            for part in parts[:-1]:
                holder = holder[int(part)] if isinstance(holder, list) else holder.setdefault(part, {})
            last: str | int = int(parts[-1]) if isinstance(holder, list) else parts[-1]
            holder[last] = value
        except (ValueError, IndexError, TypeError, AttributeError):
            problems.append(
                Problem(COMMAND_LINE, 0, dotted, _shown(value), "expected a key that the file can hold")
            )
            continue
        result.overridden.add(_location(result.data, tuple(parts)))
    if problems:
        raise ScenarioError(problems)
    return result


def validate(document: Document, model: type[Model]) -> Model:
    """The document as a model. Raises `ScenarioError` with every problem that pydantic sees."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        found: dict[tuple[str, int, str], Problem] = {}
        for details in error.errors():
            problem = _problem(document, model, details)
            place = (problem.file, problem.line, problem.key)
            if place in found and problem.expected not in found[place].expected:  # the branches of a union
                first = found[place]
                both = f"{first.expected}, or {problem.expected.removeprefix('expected ')}"
                problem = Problem(*place, first.value, both, first.suggestion or problem.suggestion)
            found[place] = problem
        raise ScenarioError(list(found.values())) from error


def load_model(path: str | Path, model: type[Model], overrides: Mapping[str, Any] | None = None) -> Model:
    """Reads, overrides and checks a file in one go."""
    document = load_document(path)
    return validate(lay_over(document, overrides) if overrides else document, model)


# What was expected, by pydantic's error type; the rest keep pydantic's own words.
_EXPECTED = {
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
    "literal_error": "one of {expected}",
    "enum": "one of {expected}",
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
_UNQUOTED = ("int_type", "float_type", "bool_type")


def _problem(document: Document, model: type[BaseModel], details: ErrorDetails) -> Problem:
    kind, context = details["type"], details.get("ctx", {})
    location = _location(document.data, details["loc"])
    message = (
        str(context.get("error", details["msg"]))
        if kind in ("value_error", "assertion_error")
        else details["msg"]
    )
    named, separator, rest = message.partition(": ")
    if kind == "value_error" and separator and re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)*", named):
        location, message = _location(document.data, (*location, *named.split("."))), rest
    file, line = document.source(location)
    value, suggestion = _shown(_value(document.data, location)), ""
    siblings = sorted({key for holder in _holders(model, details["loc"][:-1]) for key in _keys(holder)})
    if kind == "extra_forbidden":
        expected = f"no such key here; known are: {', '.join(siblings)}"
        suggestion = _nearest(str(details["loc"][-1]), siblings)
    elif kind == "missing":
        expected = "this key is needed"
    elif kind in _EXPECTED:
        expected = f"expected {_EXPECTED[kind].format(**context)}"
        if kind in _UNQUOTED and isinstance(details["input"], str):
            plain = parse_value(details["input"])
            expected += ", without quotes" if isinstance(plain, bool | int | float) else ""
        if kind in ("literal_error", "enum"):
            suggestion = _nearest(str(details["input"]), re.findall(r"'([^']*)'", str(context["expected"])))
    else:
        said = message.removeprefix("Input should be ").removeprefix("Value error, ")
        expected = f"expected {said.removeprefix('expected ')}"
    described = "" if kind == "extra_forbidden" else _description(model, details["loc"])
    if described:
        expected += f" [{described}]"
    return Problem(file, line, dotted(location), value, expected, suggestion)


def _nearest(word: str, known: list[str]) -> str:
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.6)), "")


def _location(data: Any, loc: tuple[str | int, ...]) -> Location:
    """Pydantic's location without the names of union branches, which are no keys of the file."""
    result: list[str | int] = []
    for position, part in enumerate(loc):
        if isinstance(data, dict) and part in data:
            data = data[part]
        elif isinstance(data, list) and str(part).isdigit() and int(part) < len(data):
            part = int(part)
            data = data[part]
        elif position < len(loc) - 1 or not isinstance(data, dict):
            continue
        result.append(part)
    return tuple(result)


def _value(data: Any, location: Location) -> Any:
    for part in location:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _shown(value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    text = "{...}" if isinstance(value, dict) else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def dotted(location: Location) -> str:
    """A location as people write it."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _note_lines(
    node: yaml.Node, at: Location, lines: dict[Location, int], repeated: dict[Location, int]
) -> None:
    """`repeated`: gets keys given twice, with the line of the first. Aliases are followed: they may grow."""
    if len(lines) > MOST_VALUES:
        raise _Refused(problem=f"more than {MOST_VALUES} values", problem_mark=node.start_mark)
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            _note_lines(item, (*at, number), lines, repeated)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _Refused(problem="expected a word as the key", problem_mark=key.start_mark)
            where = (*at, str(key.value))
            if key.value in seen:
                repeated.setdefault(where, lines[where])
            seen.add(key.value)
            lines[where] = key.start_mark.line + 1
            _note_lines(value, where, lines, repeated)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models inside an annotation such as `list[Annotated[A | B, ...]] | None`."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for argument in typing.get_args(annotation):
        yield from _models(argument)


def _holders(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[type[BaseModel]]:
    """The models that may stand at a location."""
    models = [model]
    for part in loc:
        deeper = [m for holder in models for m in _models(_field_annotation(holder, part))]
        models = deeper or models  # items of lists and names of union branches lead no deeper
    return models


def _field_annotation(model: type[BaseModel], key: str | int) -> Any:
    for name, info in model.model_fields.items():
        if key in (name, info.alias):
            return info.annotation
    return None


def _keys(model: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()]


def _description(model: type[BaseModel], loc: tuple[str | int, ...]) -> str:
    if not loc:
        return ""
    for holder in _holders(model, loc[:-1]):
        for name, info in holder.model_fields.items():
            if loc[-1] in (name, info.alias):
                return info.description or ""
    return ""
