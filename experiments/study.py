"""The study file: what is asked of which world, with which campaigns, and when not to believe the answer."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from experiments.problems import BadInput, relative
from experiments.running.how import Running
from experiments.study_kinds import END_TO_END, kind_of_values, kinds
from marketing.config import (
    ConfigError,
    Document,
    ExistingFile,
    KeyPath,
    Strict,
    read_model,
    read_yaml,
    suggest,
)
from marketing.config_files import parse_value, problems_in, read_text
from marketing.config_values import Form
from sim.subscribers.response import Offer

__all__ = [
    "CaptureKeys",
    "Clock",
    "Eligible",
    "Limits",
    "Lists",
    "LiveKeys",
    "LoadedStudy",
    "Study",
    "StudyName",
    "load_study",
    "raw_values",
]

Model = TypeVar("Model", bound=BaseModel)
SHIPPED = Path("scenarios/studies")
StudyName = Annotated[
    str,
    Field(max_length=60),
    Form(r"^[a-z0-9][a-z0-9-]*$", "small letters, digits and hyphens, no hyphen first"),
]
Clock = Annotated[str, Form(r"^([01][0-9]|2[0-3]):[0-5][0-9]$", "a time of day such as 09:00, up to 23:59")]
Arm = Literal["control", "precise", "blanket"]


class Lists(Strict):
    """The dated lists that the study draws: no file can know the numbers of a world that a seed makes."""

    do_not_disturb_share: float = Field(default=0.01, ge=0, le=0.5)
    """Share of subscribers on the do-not-disturb list from the start."""
    control_group_share: float = Field(default=0.02, ge=0, le=0.5)
    """Share of subscribers in the platform's standing control group, never contacted in any arm."""


class Eligible(Strict):
    """Who belongs to the eligible set, over which take-up is averaged in every arm. Fixed before the run."""

    exclude: list[Literal["do_not_disturb", "control_group"]] = Field(
        default=["do_not_disturb", "control_group"]
    )
    """Lists whose members do not belong to it."""
    where: dict[str, str | bool | list[str]] = Field(default={})
    """Column of the BOSS extract -> value, or list of values, that a member has; none: everybody."""


class CaptureKeys(Strict):
    """What goes into `capture.pcapng`: all signalling of the first arm in a window of time."""

    day: int = Field(default=1, ge=1)
    """Day of the world, from 1."""
    from_: Clock = Field(default="08:00", alias="from")
    """Local time it begins."""
    to: Clock = "09:00"
    """Local time it ends."""


class LiveKeys(Strict):
    """The phase paced by the wall clock, for latency. Open loop: all sends are planned before the first."""

    world: ExistingFile
    """World file; large enough for the rate at the largest factor."""
    starts: Clock = "10:00"
    """Local time of day 1 at which it begins."""
    seconds: float = Field(default=20.0, gt=0, le=3600)
    """How long it takes on the wall clock, seconds."""
    rate_per_s: float = Field(default=2000.0, gt=0)
    """Messages a second offered, over the whole phase."""
    max_factor: float = Field(default=20.0, gt=0)
    """Most simulated seconds a real second; a world too small for the rate makes the run invalid."""
    campaigns: list[ExistingFile] | None = None
    """Campaign files; absent: those of the study."""
    min_triggers: int = Field(default=300, ge=0)
    """Fewest triggers with a measured latency."""


class Limits(Strict):
    """Bounds past which the run is invalid (exit code 3)."""

    barrier_s: float = Field(default=30.0, gt=0)
    """Longest wait for the platform at a barrier, seconds."""
    late_after_ms: float = Field(default=10.0, gt=0)
    """A message sent this much after its planned time is late, milliseconds."""
    late_share: float = Field(default=0.01, ge=0, le=1)
    """Largest share of late messages in the live phase."""
    arm_s: float = Field(default=600.0, gt=0)
    """Longest time one arm may take, seconds."""
    start_s: float = Field(default=30.0, gt=0)
    """Longest wait for the platform to be ready, seconds."""


class Study(Strict):
    """A study: `kairos run STUDY.yaml`."""

    study: StudyName
    """Name; results go to `experiments/runs/<name>/`."""
    kind: Literal["end-to-end"]
    """end-to-end: arms in lockstep, then a live phase, one report; keys of other kinds are below."""
    title: str = ""
    """What is asked, in one line, for the report."""
    world: ExistingFile
    """World file."""
    campaigns: list[ExistingFile] = Field(min_length=1)
    """Campaign files."""
    policy: ExistingFile
    """Contact policy file."""
    currency: str = Field(default="yuan", min_length=1, max_length=12)
    """What the campaigns' `cost` is counted in; the report says so beside every cost."""
    segments: ExistingFile | None = None
    """Table of segments for the platform (audiences/); null: none."""
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Seed of everything drawn."""
    days: int = Field(default=3, ge=1, le=366)
    """Simulated days."""
    tick_s: int = Field(default=5, ge=1, le=60)
    """Simulated seconds between barriers; divides 60."""
    arms: list[Arm] = Field(default=["control", "precise", "blanket"])
    """Arms to run; blanket needs precise, whose pattern of contacts it repeats on people drawn at random."""
    blanket_at: Clock = "10:00"
    """Local time of the group-sending in the blanket arm."""
    offers: list[Offer] = Field(default_factory=list)
    """How people respond to offers of the campaigns; to one left out as `sim.subscribers.offers` says."""
    lists: Lists = Lists()
    eligible: Eligible = Eligible()
    replays: int = Field(default=200, ge=200)
    """Replays of the response draws for the truth."""
    capture: CaptureKeys | None = CaptureKeys()
    """null: no capture."""
    live: LiveKeys | None = None
    """null: no live phase."""
    transport: Literal["auto", "kernel", "usrsctp", "memory"] = "auto"
    """How signalling reaches the platform. memory: both programs in one process, over the same bytes."""
    streams: int = Field(default=16, ge=2, le=65535)
    """SCTP streams in each direction."""
    limits: Limits = Limits()

    @field_validator("tick_s")
    @classmethod
    def _divides_a_minute(cls, value: int) -> int:
        if 60 % value:
            raise ValueError("expected a divisor of 60, such as 1, 2, 5, 10, 15, 20, 30 or 60")
        return value

    @model_validator(mode="after")
    def _arms_fit(self) -> Study:
        if len(set(self.arms)) != len(self.arms):
            raise ValueError("arms: expected each arm once")
        if "blanket" in self.arms and "precise" not in self.arms:
            raise ValueError("arms: the blanket arm needs the precise arm")
        if self.capture is not None and self.capture.day > self.days:
            raise ValueError(f"capture.day: expected at most days, {self.days}: it is after the last day")
        if self.capture is not None and self.capture.from_ >= self.capture.to:
            raise ValueError("capture.from: expected capture.from before capture.to")
        return self

    @property
    def all_campaigns(self) -> tuple[Path, ...]:
        """Those of the arms, then those of the live phase that are others."""
        live = (self.live.campaigns or ()) if self.live is not None else ()
        return tuple(dict.fromkeys((*self.campaigns, *live)))


@dataclass(frozen=True, slots=True)
class LoadedStudy:
    """A checked study with where it came from."""

    path: Path
    study: BaseModel
    """Its keys, of the model of its kind."""
    overrides: tuple[str, ...]
    """`path=value` settings from the command line, applied."""
    running: Running = field(default_factory=Running)
    """How it is to be run, of which no result depends."""

    @property
    def keys(self) -> Study:
        """The keys of an end-to-end study."""
        return self.keys_of(Study)

    def keys_of(self, model: type[Model]) -> Model:
        """The keys as a kind's model. Raises TypeError where the study is of another kind."""
        if not isinstance(self.study, model):
            raise TypeError(f"{self.path}: not a study of {model.__module__}")
        return self.study


def load_study(path: Path, overrides: Sequence[str] = ()) -> LoadedStudy:
    """Reads a study file, with settings of the command line in place of its own.

    Raises:
        BadInput: every problem of the file and of the settings.
    """
    shipped = SHIPPED / f"{path.stem}.yaml"
    if not path.exists() and shipped.is_file():
        raise BadInput(f"{relative(path)}: no such file. Did you mean {str(shipped)!r}?")
    values = raw_values(path)
    found = kind_of_values(values)
    if found is None and isinstance(values, dict) and "study" in values and values.get("kind") != END_TO_END:
        raise _no_such_kind(path)
    model = found.Keys if found else Study
    try:
        study, document = read_model(path, model)
    except ConfigError as error:
        # Imported here: it imports this module.
        from experiments.validate import bad_file

        raise bad_file(path, "study", error.problems) from None
    if overrides:
        study = _overridden(model, document, overrides)
    if isinstance(study, Study):
        # Imported here: it imports this module.
        from experiments.study_offers import responses

        offers = responses(study.offers, study.all_campaigns)
        if len(offers) > len(study.offers):
            study = study.model_copy(update={"offers": [*offers]})
    return LoadedStudy(path, study, tuple(overrides))


def _no_such_kind(path: Path) -> BadInput:
    """A study whose kind decides nothing: no other key of it can be judged."""
    try:
        document = read_yaml(path)
    except ConfigError as error:
        return BadInput([str(problem) for problem in error.problems])
    names = sorted([END_TO_END, *kinds()])
    if "kind" not in document.values:
        return BadInput(str(document.problem(("kind",), "", f"this key is needed: {', '.join(names)}")))
    said = document.values["kind"]
    near = suggest(said, names) if isinstance(said, str) else ""
    return BadInput(str(document.problem(("kind",), said, f"expected one of {', '.join(names)}", near)))


def _overridden(model: type[BaseModel], document: Document, overrides: Sequence[str]) -> BaseModel:
    """The study with `path=value` settings: the path is dotted keys and positions, the value YAML."""
    problems = []
    values, lines = copy.deepcopy(document.values), dict(document.lines)
    for setting in overrides:
        name, found, text = setting.partition("=")
        if not found or not name:
            problems.append(f"--set {setting}: expected path=value, such as live.seconds=10")
            continue
        at: Any = values
        try:
            *parents, last = (int(p) if p.isascii() and p.isdigit() else p for p in name.split("."))
            for part in parents:
                if isinstance(part, str) and at.get(part) is None:
                    at[part] = {}
                at = at[part]
            at[last] = parse_value(text)
            path = (*parents, last)
            lines = {way: line for way, line in lines.items() if way[: len(path)] != path}
            lines |= dict.fromkeys(_paths(at[last], path), 0)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            problems.append(f"--set {setting}: there is nothing at {name}")
        except ConfigError as error:
            problems += [f"--set {setting}: {problem.expected}" for problem in error.problems]
    if problems:
        raise BadInput(problems)
    try:
        return model.model_validate(values, context={"folder": document.path.parent})
    except ValidationError as error:
        made = Document(document.path, values, lines)
        wrong = problems_in(made, model, error)
        said = [str(replace(one, file="--set") if not one.line else one) for one in wrong]
        raise BadInput(said) from None


def _paths(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    """The path of a value, and those of all that it holds."""
    yield path
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths(inner, (*path, name))


def raw_values(path: Path) -> Any:
    """What a file says, where it can be read; what is wrong with it is said by its own check."""
    try:
        return yaml.load(read_text(path), Loader=yaml.BaseLoader)
    except (ConfigError, yaml.YAMLError, RecursionError):
        return None
