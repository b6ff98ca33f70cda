"""`kairos schema world` as an editor uses it: it takes every shipped world, explains each key, refuses."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.validate import json_schema

WORLDS = sorted((Path(__file__).parents[2] / "scenarios" / "worlds").glob("*.yaml"))
SCHEMA = json_schema("world")
TYPES = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
    "null": type(None),
}  # fmt: skip


def complaints(schema: dict[str, Any], value: Any, path: str = "") -> list[str]:
    """What the schema has against a value: the keywords that pydantic writes, others are an error."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        return complaints(SCHEMA["$defs"][name], value, path)
    if "anyOf" in schema:
        tried = [complaints(each, value, path) for each in schema["anyOf"]]
        return [] if [] in tried else min(tried, key=len)
    known = {
        "title", "description", "default", "type", "properties", "required", "additionalProperties", "items",
        "minItems", "maxItems", "minLength", "maxLength", "pattern", "format", "enum", "const", "minimum",
        "maximum", "exclusiveMinimum", "exclusiveMaximum", "$schema", "$defs",
    }  # fmt: skip
    assert set(schema) <= known, f"{path}: a keyword that this check does not know: {set(schema) - known}"
    if not isinstance(value, TYPES[schema["type"]]) or (
        isinstance(value, bool) and schema["type"] != "boolean"
    ):
        return [f"{path}: not {schema['type']}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{path}: not in enum")
    if "const" in schema and value != schema["const"]:
        found.append(f"{path}: not the constant")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{path}: pattern")
    bounds = {
        "minimum": lambda v, b: v >= b, "maximum": lambda v, b: v <= b,
        "exclusiveMinimum": lambda v, b: v > b, "exclusiveMaximum": lambda v, b: v < b,
        "minLength": lambda v, b: len(v) >= b, "maxLength": lambda v, b: len(v) <= b,
        "minItems": lambda v, b: len(v) >= b, "maxItems": lambda v, b: len(v) <= b,
    }  # fmt: skip
    found += [
        f"{path}: {key}" for key, holds in bounds.items() if key in schema and not holds(value, schema[key])
    ]
    if schema["type"] == "array":
        for index, item in enumerate(value):
            found += complaints(schema.get("items", {}), item, f"{path}.{index}")
    if schema["type"] == "object":
        keys = schema.get("properties", {})
        found += [f"{path}.{key}: missing" for key in schema.get("required", []) if key not in value]
        for key, item in value.items():
            if key in keys:
                found += complaints(keys[key], item, f"{path}.{key}")
            elif schema.get("additionalProperties") is False:
                found.append(f"{path}.{key}: unknown")
    return found


def plain(value: Any) -> Any:
    """As JSON has it: dates are text."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, date) else value


def read(path: Path) -> dict[str, Any]:
    return plain(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", WORLDS, ids=lambda path: path.stem)
def test_the_schema_takes_the_shipped_worlds(path):
    assert complaints(SCHEMA, read(path)) == []


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"subscriber": 5}, ".subscriber: unknown"),
        ({"subscribers": 0}, ".subscribers: minimum"),
        ({"subscribers": "many"}, ".subscribers: not integer"),
        ({"network": {"city": {"town": []}}}, ".network.city.town: unknown"),
        ({"network": {"cells": 9000}}, ".network.cells: maximum"),
        ({"habits": {"english_share": 1.5}}, ".habits.english_share: maximum"),
        ({"places": [{"name": "a", "kind": "port", "x_km": 0, "y_km": 0}]}, ".places.0.kind: not in enum"),
    ],
)  # fmt: skip
def test_the_schema_refuses_what_the_loader_refuses(keys, said):
    assert said in complaints(SCHEMA, read(WORLDS[0]) | keys)


def test_editors_can_explain_every_key():
    """Every key has a description, and a default unless it is needed or comes with a model."""
    models = {"World": SCHEMA, **SCHEMA["$defs"]}
    keys = [(m, k, v, model) for m, model in models.items() for k, v in model.get("properties", {}).items()]
    assert len(keys) > 60
    for name, key, value, model in keys:
        assert value.get("description"), f"{name}.{key}"
        assert "default" in value or key in model.get("required", []), f"{name}.{key}"
    assert {"towns", "lines", "mscs", "area_cells"} <= set(SCHEMA["$defs"]["CityScenario"]["properties"])


@pytest.mark.parametrize("path", WORLDS, ids=lambda path: path.stem)
def test_worlds_say_in_two_sentences_why_they_exist(path):
    about = read(path)["about"].strip()
    assert len(re.findall(r"[.!?](?:\s|$)", about)) == 2
    head = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# "):
            break
        head.append(line.removeprefix("# "))
    assert len(re.findall(r"[.!?](?:\s|$)", " ".join(head))) == 2
