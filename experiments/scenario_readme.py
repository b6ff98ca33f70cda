"""Writes `scenarios/README.md`: every key of every kind of scenario file, from the schemas that check them.

    python -m experiments.scenario_readme > scenarios/README.md

A test compares the committed file with this, so keys cannot be forgotten there.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Final

import yaml
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from experiments.study_kinds import kinds
from experiments.validate import model_of

__all__ = ["readme", "table"]

FOLDERS: Final = {
    "world": ("worlds/", "who lives where, the network, and how much they use it"),
    "campaign": (
        "campaigns/",
        "audience x scene -> offer, with its texts and reply codes. How one is written, every behaviour, "
        "feature and function, and those that ship: [campaigns/README.md](campaigns/README.md)",
    ),
    "policy": (
        "policies/",
        "how often and when one subscriber may be contacted. "
        "Presets: [policies/README.md](policies/README.md)",
    ),
    "audience": ("audiences/", "segments of customers: where they are met and what suits them"),
    "study": ("studies/", "what is asked of which world with which campaigns: `kairos run FILE`"),
    "platform": ("", "configuration of the platform: `kairos serve FILE`; a study writes its own"),
}
_WORDS: Final = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "file"}
_TIMES: Final = {date: "date", time: "time of day", datetime: "date and time"}

_HEAD: Final = """\
# Scenarios

Data only, in YAML, made to be read and edited by people who do not program. A new file needs no registration:
copy the nearest one and change it. `kairos validate FILE` checks a file and says everything that is wrong
with it at once; `kairos schema KIND` prints the JSON Schema for editors.

YAML 1.2 words: `21:00` and `no` are text. Paths are taken from the file's own folder. The unit ends a numeric
name: `_s` seconds, `_ms` milliseconds, `_min` minutes, `_h` hours, `_m` metres, `_km` kilometres, `_per_s` a
second; a `share` is a part of one; a `logit` is the logarithm of odds. Keys without a default are needed.

This page is made from the schemas and files by `python -m experiments.scenario_readme`; a test keeps it true.
"""
_SHIPPED: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "world": (("file", "people", "cells", "what it is for"), ("subscribers", "network.cells", "about")),
    "study": (("file", "kind", "asks"), ("kind", "title")),
}
"""Kinds whose files are listed: heads of the table, and the keys of its columns behind the file's name."""


def readme(scenarios: Path = Path("scenarios")) -> str:
    """The page, of the schemas and of the files in a folder."""
    parts = [_HEAD]
    for kind, (folder, said) in FOLDERS.items():
        title = f"## {kind.capitalize()}" + (f" (`{folder}`)" if folder else "")
        parts.append(f"{title}\n\n{said[0].upper()}{said[1:]}.\n")
        if kind in _SHIPPED:
            parts.append(shipped(kind, scenarios / folder))
        parts.append(table(model_of(kind)))
        if kind == "study":
            for name, other in kinds().items():
                about = " ".join((other.Keys.__doc__ or "").split())
                parts.append(f"### Study of kind {name}\n\n{about}\n\n{table(other.Keys)}")
    return "\n".join(parts)


def shipped(kind: str, folder: Path) -> str:
    """The files of a kind, with what they say of themselves."""
    heads, keys = _SHIPPED[kind]
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join('---' for _ in heads)} |"]
    for path in sorted(folder.glob("*.yaml")):
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        cells = [f"[{path.name}]({folder.name}/{path.name})", *(_said(values, key) for key in keys)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _said(values: Any, key: str) -> str:
    """What a file says at a dotted key; empty where it says nothing."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return _figure(values) if isinstance(values, int) else " ".join(str(values or "").split())


def table(model: type[BaseModel]) -> str:
    """Every key of a model, with what it takes, its default and its meaning."""
    lines = ["| key | what it takes | default | meaning |", "| --- | --- | --- | --- |"]
    for path, info in _keys(model, "", ()):
        default = _default(info)
        cells = (f"`{path}`", _takes(info.annotation, info.metadata), default, _meaning(info))
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _keys(
    model: type[BaseModel], prefix: str, above: tuple[type[BaseModel], ...]
) -> Iterator[tuple[str, FieldInfo]]:
    for name, info in model.model_fields.items():
        path = f"{prefix}{info.alias or name}"
        yield path, info
        for inner, suffix in _models(info.annotation):
            if inner not in above:
                yield from _keys(inner, f"{path}{suffix}.", (*above, model))


def _models(annotation: Any, suffix: str = "") -> list[tuple[type[BaseModel], str]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [(annotation, suffix)]
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is list:
        return [found for part in inner for found in _models(part, suffix + "[]")]
    if origin is dict:
        return _models(inner[1], suffix + ".*")
    if origin is typing.Annotated:
        return _models(inner[0], suffix)
    if origin in (typing.Union, types.UnionType):
        return [found for part in inner for found in _models(part, suffix)]
    return []


def _takes(annotation: Any, metadata: Any = ()) -> str:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _takes(inner[0], [*inner[1:], *metadata])
    bounds = _bounds(metadata)
    if annotation in _WORDS or annotation in _TIMES:
        return {**_WORDS, **_TIMES}[annotation] + bounds
    if annotation is type(None):
        return "null"
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin is list:
        return f"list of {_takes(inner[0])}{bounds}"
    if origin is dict:
        return f"mapping of {_takes(inner[0])} to {_takes(inner[1])}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(
            dict.fromkeys(_takes(part, metadata if part is not type(None) else ()) for part in inner)
        )
    return "keys below"


def _bounds(metadata: Any) -> str:
    flat = [item for one in metadata for item in (getattr(one, "metadata", None) or [one])]
    said = []
    for item in flat:
        for kind, sign in ((Ge, "≥"), (Gt, ">"), (Le, "≤"), (Lt, "<")):
            if isinstance(item, kind):
                value = next(
                    v for v in (getattr(item, n, None) for n in ("ge", "gt", "le", "lt")) if v is not None
                )
                if abs(value) < 2**53:
                    said.append(f"{sign} {_figure(value)}")
        if isinstance(item, MinLen) and item.min_length > 0:
            said.append(f"at least {item.min_length}")
        if isinstance(item, MaxLen) and item.max_length < 100:
            said.append(f"at most {item.max_length}")
    return f", {', '.join(said)}" if said else ""


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "needed"
    value = info.default
    if value is PydanticUndefined and info.default_factory is not None:
        value = info.default_factory()  # type: ignore[call-arg]
    if value is None:
        return "null"
    if isinstance(value, BaseModel) or (
        isinstance(value, list) and any(isinstance(v, BaseModel) for v in value)
    ):
        return "see below"
    if isinstance(value, str):
        return f"`{value}`" if value else "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return ", ".join(f"`{v}`" for v in value) if value else "none"
    return _figure(value) if isinstance(value, int | float) else str(value)


def _figure(value: float) -> str:
    return f"{int(value):,}".replace(",", " ") if float(value).is_integer() else f"{value:g}"


def _meaning(info: FieldInfo) -> str:
    """The key's own words, else those of the thing that it takes."""
    said = info.description or next(
        (model.__doc__ for model, _ in _models(info.annotation) if model.__doc__), ""
    )
    return " ".join(said.split("\n\n")[0].split())


if __name__ == "__main__":
    sys.stdout.write(readme())
