"""Numbers are numbers, booleans booleans, text is text: every key of every kind of file, one at a time."""

import types
import typing
from datetime import date, datetime, time
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from experiments.audit import read_policy
from experiments.problems import BadInput
from experiments.study_kinds import kinds
from experiments.validate import model_of, problems_of
from marketing.config import read_model
from sim.scenario_errors import load_model

MODELS = {kind: model_of(kind) for kind in ("world", "campaign", "policy", "audience", "platform", "study")}
MODELS |= {f"study of kind {name}": kind.Keys for name, kind in kinds().items()}

# What a key takes -> what it must refuse, and the words for it.
WRONG = {
    int: ((True, "a whole number"), ("7", "a whole number, without quotes"), (1.5, "a whole number")),
    float: ((True, "a number"), ("0.5", "a number, without quotes"), (".nan", "a number"), ("x", "a number")),
    bool: ((1, "true or false"), ("true", "true or false, without quotes"), ("yes", "true or false")),
    str: ((7, "text (put digits in quotes)"), (True, "text (put digits in quotes)")),
    date: ((20090131, "a date such as"), ("2009-02-30", "a date such as"), ("31.1.2009", "a date such as")),
    time: ((900, "a time of day such as"), ("9:00", "a time of day"), ("24:00", "a time of day")),
    datetime: ((1.5, "a date and time such as"), ("2009-02-30T00:00", "a date and time")),
}
SHORT = {int: "contacts", str: "behaviour"}
"""Keys that take more than one thing: their models say so by themselves."""
LEAST = {"audience": 2, "study of kind selfcheck": 9}
"""Tries of the kinds that have few keys."""


def leaves(model, above=()):
    """(path of keys, type) of every key that takes one plain thing, or lists of it, or may be null."""
    for name, info in model.model_fields.items():
        path = (*above, info.alias or name)
        yield from within(info.annotation, path, (model,))


def within(annotation, path, seen):
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from within(inner[0], path, seen)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation not in seen and len(path) < 8:
            for name, info in annotation.model_fields.items():
                yield from within(info.annotation, (*path, info.alias or name), (*seen, annotation))
    elif annotation in WRONG:
        yield path, annotation
    elif origin is list:
        yield from within(inner[0], (*path, 0), seen)
    elif origin in (typing.Union, types.UnionType):
        some = [one for one in inner if one is not type(None)]
        if len(some) == 1:
            yield from within(some[0], path, seen)


def holding(path, value):
    """A file with that one key."""
    for part in reversed(path):
        value = [value] if isinstance(part, int) else {part: value}
    return value


def dotted(path):
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


def said(file, model):
    if model is MODELS["world"]:
        return problems_of(lambda: load_model(file, model))
    return problems_of(lambda: read_model(file, model))


@pytest.mark.parametrize("kind", MODELS)
def test_every_key_takes_only_what_it_says(tmp_path, kind):
    model, file = MODELS[kind], tmp_path / "file.yaml"
    tried = 0
    for path, wanted in leaves(model):
        if wanted in (int, str) and path[-1] == SHORT[wanted]:
            continue
        for value, words in WRONG[wanted]:
            file.write_text(yaml.safe_dump(holding(path, value)), encoding="utf-8")
            named = (
                f" {dotted(path)} = ",
                f" {dotted(path)}: ",
            )  # without its value where it may be a secret
            lines = [line for line in said(file, model) if any(name in line for name in named)]
            assert lines, f"{dotted(path)} takes {value!r}"
            assert any(words in line for line in lines), lines
            tried += 1
    assert tried >= LEAST.get(kind, 12)


@pytest.mark.parametrize(
    ("kind", "text", "key"),
    [
        ("policy", "marketing_originators: [100860]", "marketing_originators[0] = 100860"),
        ("campaign", "originator: 1008601", "originator = 1008601"),
        ("campaign", "scene: {begin: {behaviour: call_ended, peer: [10086]}}", "scene.begin.peer[0] = 10086"),
        ("world", "numbering: {smsc: 8613800000500}", "numbering.smsc = 8613800000500"),
        ("world", "network: {mcc: 460}", "network.mcc = 460"),
        ("platform", "channels: {codes: {internal: 10086}}", "channels.codes.internal = 10086"),
    ],
)
def test_numbers_of_subscribers_and_senders_are_text(tmp_path, kind, text, key):
    file = tmp_path / "file.yaml"
    file.write_text(text + "\n", encoding="utf-8")
    (line,) = [line for line in said(file, MODELS[kind]) if f" {key}: " in line]
    assert "expected text (put digits in quotes)" in line


@pytest.mark.parametrize(
    ("written", "number"), [("1e3", 1000.0), ("0x10", 16), ("-0.5", -0.5), ("+3", 3), ("12", 12)]
)
def test_all_notations_of_numbers_are_numbers(tmp_path, written, number):
    world = tmp_path / "world.yaml"
    world.write_text(f"usage: {{talk_mean_s: {written}}}\n", encoding="utf-8")
    policy = tmp_path / "policy.yaml"
    policy.write_text(f"validity_s: {written}\n", encoding="utf-8")
    for file, model, key, least in (
        (world, MODELS["world"], "usage.talk_mean_s", 5),
        (policy, MODELS["policy"], "validity_s", 0),
    ):
        found = [line for line in said(file, model) if f" {key} = " in line]
        assert bool(found) == (number < least or (number > 1200 and model is MODELS["world"])), found
        assert all("expected at least" in line or "expected more than" in line for line in found)


POLICY = "timezone: Asia/Shanghai\nmarketing_originators: ['100860']\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("caps: {per_calendar_month: '2'}", "= 2: expected a whole number, 0 or more, without quotes"),
        ("minimum_gap_s: '60'", "minimum_gap_s = 60: expected seconds, 0 or more, without quotes"),
        ("minimum_gap_s: 0x3c\nvalidity_s: 1e999", "validity_s = 1e999: expected seconds"),
        ("minimum_gap_s: .inf", "minimum_gap_s = .inf: expected seconds"),
        ("classes: {a: {originators: [1008601]}}", "classes.a.originators"),
        ("holidays: {dates: [20090101]}", "holidays.dates"),
    ],
)
def test_the_audit_reads_policies_as_strictly(tmp_path, line, said):
    file: Path = tmp_path / "policy.yaml"
    file.write_text(f"{POLICY}{line}\n", encoding="utf-8")
    with pytest.raises(BadInput) as found:
        read_policy(file)
    assert any(said in one for one in found.value.lines), found.value.lines
