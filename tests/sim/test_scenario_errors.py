"""Reading YAML into models: positions, suggestions, overrides, and YAML without its surprises."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.scenario_errors import (
    ScenarioError,
    lay_over,
    load_model,
    parse_text,
    parse_value,
    validate,
)


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["part"] = "part"
    size_m: int = Field(1, description="Size, metres.", ge=1)


class Other(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["other"]
    colour: str = "red"


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = "x"
    parts: list[Annotated[Part | Other, Field(discriminator="kind")]] = []
    named: dict[str, Part] = {}
    maybe: Part | None = None
    low: int = 0
    high: int = 9

    @model_validator(mode="after")
    def _ordered(self):
        if self.low > self.high:
            raise ValueError("low: at most `high`")
        return self


def found(text, model=Whole, **overrides):
    with pytest.raises(ScenarioError) as caught:
        validate(lay_over(parse_text(text, "f.yaml"), overrides), model)
    return caught.value.problems


def test_positions_inside_lists_dicts_and_unions():
    text = (
        "parts:\n  - kind: part\n    size: 3\n  - {kind: other, color: blue}\n"
        "named:\n  a:\n    size_m: 0\nmaybe:\n  siz_m: 2\n"
    )
    seen = [(p.line, p.key, p.suggestion) for p in found(text)]
    assert seen == [
        (3, "parts[0].size", "size_m"),
        (4, "parts[1].color", "colour"),
        (7, "named.a.size_m", ""),
        (9, "maybe.siz_m", "size_m"),
    ]


def test_message_names_everything():
    (problem,) = found("named:\n  a:\n    size_m: 0\n")
    assert str(problem) == "f.yaml:3: named.a.size_m = 0: expected at least 1 [Size, metres.]."


def test_validator_of_the_whole_names_its_key():
    (problem,) = found("name: y\nlow: 12\n")
    assert (problem.line, problem.key, problem.value) == (2, "low", "12")


def test_repeated_keys_and_bad_syntax():
    (problem,) = found("name: a\nlow: 1\nname: b\n")
    assert (problem.line, problem.key) == (3, "name")
    (problem,) = found("name: [a\nlow: 1\n")
    assert problem.line in (2, 3)
    (problem,) = found("- 1\n- 2\n")
    assert "a mapping of keys to values" in problem.expected
    (problem,) = found("")
    assert "mapping of keys to values" in problem.expected


def test_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ScenarioError, match="no such file"):
        load_model(tmp_path / "none.yaml", Whole)
    (tmp_path / "latin.yaml").write_bytes(b"name: \xff\xfe\n")
    with pytest.raises(ScenarioError, match="UTF-8"):
        load_model(tmp_path / "latin.yaml", Whole)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("21:00", "21:00"), ("off", "off"), ("yes", "yes"), ("001", "001"), ("0o17", "0o17"),
        ("12", 12), ("-3", -3), ("1_000", "1_000"), ("0x1f", 31),
        ("1.5", 1.5), ("1e3", 1000.0), ("-.5", -0.5), ("3.", 3.0),
        ("true", True), ("null", None), ("~", None), ("2007-06-04", "2007-06-04"), ("1.2.3", "1.2.3"),
        ("'5'", "5"), ("[a, 1]", ["a", 1]), ("a: [", "a: ["),
    ],
)  # fmt: skip
def test_values_are_read_as_people_mean_them(text, value):
    assert parse_value(text) == value


def test_overrides(tmp_path):
    (tmp_path / "w.yaml").write_text("name: a\nparts:\n  - {size_m: 2, kind: part}\n", encoding="utf-8")
    whole = load_model(tmp_path / "w.yaml", Whole, {"name": "b", "parts.0.size_m": 7, "named.q.size_m": 3})
    assert (whole.name, whole.parts[0].size_m, whole.named["q"].size_m) == ("b", 7, 3)
    with pytest.raises(ScenarioError) as caught:
        load_model(tmp_path / "w.yaml", Whole, {"parts.0.size_m": 0, "low": "many"})
    assert [(p.file, p.line, p.key) for p in caught.value.problems] == [
        ("--set", 0, "low"),
        ("--set", 0, "parts[0].size_m"),
    ]
    with pytest.raises(ScenarioError, match="can hold"):
        load_model(tmp_path / "w.yaml", Whole, {"parts.4.size_m": 1})
    with pytest.raises(ScenarioError, match="can hold"):
        load_model(tmp_path / "w.yaml", Whole, {"name.deeper": 1})
