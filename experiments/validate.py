"""Checks of files that users write, and their schemas: which kind a file is, and all that is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from experiments.problems import BadInput, relative
from experiments.study_kinds import kinds

if TYPE_CHECKING:
    from pydantic import BaseModel

    from experiments.study import LoadedStudy

__all__ = [
    "KINDS",
    "bad_file",
    "check_campaigns_together",
    "check_file",
    "check_study_files",
    "json_schema",
    "kind_of",
    "model_of",
]


def _world() -> type[BaseModel]:
    from sim.scenario import WorldScenario

    return WorldScenario


def _campaign() -> type[BaseModel]:
    from marketing.campaigns import Campaign

    return Campaign


def _study() -> type[BaseModel]:
    from experiments.study import Study

    return Study


def _platform() -> type[BaseModel]:
    from marketing.config import PlatformConfig

    return PlatformConfig


def _policy() -> type[BaseModel]:
    from marketing.contact import PolicyFile

    return PolicyFile


def _audience() -> type[BaseModel]:
    from marketing.profiles import SegmentTable

    return SegmentTable


def _load_world(path: Path) -> object:
    from sim.scenario import load_world

    return load_world(path)


def _load_campaign(path: Path) -> object:
    from marketing.campaigns import load_all

    return load_all([path], alone=True)


def _load_study(path: Path) -> object:
    from experiments.study import load_study

    loaded = load_study(path)
    check_study_files(loaded)
    return loaded


def _load_platform(path: Path) -> object:
    from marketing.config import load_config

    return load_config(path)


def _load_policy(path: Path) -> object:
    from marketing.contact import Policy, load_policy
    from marketing.profiles import read_dated_list

    policy = load_policy(path)
    Policy.of(policy)
    for listed in (policy.do_not_disturb.file, policy.control_group.file):
        read_dated_list(listed, policy.timezone)
    return policy


def _load_audience(path: Path) -> object:
    from marketing.profiles import load_segments

    return load_segments(path)


KINDS: Final[dict[str, tuple[Callable[[], type[BaseModel]], Callable[[Path], object]]]] = {
    "world": (_world, _load_world),
    "campaign": (_campaign, _load_campaign),
    "study": (_study, _load_study),
    "platform": (_platform, _load_platform),
    "policy": (_policy, _load_policy),
    "audience": (_audience, _load_audience),
}
"""Kind of file -> its model, and what reads and checks it with all that it names."""


def model_of(kind: str) -> type[BaseModel]:
    """The pydantic model of a kind."""
    return KINDS[kind][0]()


def json_schema(kind: str) -> dict[str, Any]:
    """JSON Schema of a kind of file, for editors."""
    if kind == "study":
        from pydantic import TypeAdapter

        models: Any = model_of(kind)
        for other in kinds().values():
            models |= other.Keys
        schema = TypeAdapter(models).json_schema(by_alias=True)
    else:
        schema = model_of(kind).model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"Kairos {kind}", **schema}


def top_keys(path: Path) -> list[str]:
    """The keys that a file begins with, though its values be wrong.

    Raises:
        BadInput: it cannot be read, or is no mapping.
    """
    from marketing.config_files import ConfigError, read_text, read_yaml

    try:
        return list(read_yaml(path).values)
    except ConfigError as error:
        lines = [str(problem) for problem in error.problems]
    try:
        values = yaml.load(read_text(path), Loader=yaml.BaseLoader)
    except (ConfigError, yaml.YAMLError, RecursionError):
        raise BadInput(lines) from None
    if not isinstance(values, dict):
        raise BadInput(lines)
    return [str(key) for key in values]


def kind_of(path: Path) -> str:
    """Which kind of file this is: the one whose keys it uses.

    Raises:
        BadInput: it cannot be read, or looks like none.
    """
    from marketing.config import shorten

    if path.is_dir():
        raise BadInput(f"{relative(path)}: a folder; name its files, such as {relative(path / '*.yaml')}")
    values = top_keys(path)
    for key, kind in (("study", "study"), ("campaign", "campaign"), ("audiences", "audience")):
        if key in values:
            return kind
    scores = {}
    for kind in KINDS:
        known = {info.alias or name for name, info in model_of(kind).model_fields.items()}
        scores[kind] = sum(
            1.0 if key in known else 0.6 * bool(difflib.get_close_matches(key, known, n=1)) for key in values
        )
    best = max(scores, key=lambda kind: scores[kind])
    if scores[best] < 1:
        kinds = ", ".join(KINDS)
        raise BadInput(
            f"{relative(path)}:1: its keys ({shorten(', '.join(values))}) belong to no kind of file: {kinds}."
        )
    return best


def bad_file(path: Path, wanted: str, problems: Iterable[object]) -> BadInput:
    """What to say of a file that is no correct one of a kind: that it is of another, or its problems."""
    try:
        found = kind_of(path)
    except BadInput:
        found = wanted
    if found != wanted:
        return BadInput(f"{relative(path)}: a {found} file; expected a {wanted}.")
    return BadInput([str(problem) for problem in problems])


def check_file(path: Path) -> tuple[str, list[str]]:
    """The kind of a file and every problem with it, one line each."""
    try:
        kind = kind_of(path)
    except BadInput as error:
        return "", list(error.lines)
    return kind, problems_of(lambda: KINDS[kind][1](path))


def check_campaigns_together(files: list[Path], cells: Path | None, subscribers: Path | None) -> list[str]:
    """What does not fit between campaign files, cell table and extract; every file is correct by itself."""
    from marketing.campaigns import read_all
    from marketing.expressions import CATALOGUE
    from marketing.profiles import load_cells, load_extract
    from marketing.rules import catalogue_of, check_audiences

    def check() -> None:
        places = load_cells(cells).names if cells is not None else ()
        extract = load_extract(subscribers) if subscribers is not None else None
        catalogue = catalogue_of(extract) if extract is not None else CATALOGUE
        folders = sorted({file.resolve().parent for file in files})
        given = {file.resolve() for file in files}
        beside = [path for folder in folders for path in sorted(folder.glob("*.yaml")) if path not in given]
        read = read_all(files, places=places, beside=beside, catalogue=catalogue)
        if extract is not None:
            check_audiences(read, extract, catalogue)

    return problems_of(check) if files else []


def problems_of(read: Callable[[], object]) -> list[str]:
    """Runs a reader; what it found wrong."""
    from marketing.config import ConfigError
    from sim.scenario_errors import ScenarioError

    try:
        read()
    except BadInput as error:
        return list(error.lines)
    except (ConfigError, ScenarioError) as error:
        return [str(problem) for problem in error.problems]
    return []


def check_study_files(loaded: LoadedStudy) -> None:
    """Checks everything that a study names, before anything is written.

    Raises:
        BadInput: every problem of every file.
    """
    # Imported here: it imports this module.
    from experiments.study_checks import campaign_problems, column_problems, quiet_problems
    from experiments.study_offers import offer_problems
    from marketing.contact import load_policy

    for kind in kinds().values():
        if isinstance(loaded.study, kind.Keys):
            kind.check(loaded)
            return
    study = loaded.keys
    problems = []
    worlds = {study.world} | ({study.live.world} if study.live else set())
    for world in sorted(worlds):
        problems += problems_of(lambda world=world: _load_world(world))  # type: ignore[misc]
    problems += problems_of(lambda: _load_policy(study.policy))
    if study.segments is not None:
        segments = study.segments
        problems += problems_of(lambda: _load_audience(segments))
    if not problems and "blanket" in study.arms:
        policy = load_policy(study.policy)
        problems += quiet_problems(loaded, ("blanket_at",), study.blanket_at, policy, study.policy)
    if not problems:
        problems += campaign_problems(study.campaigns, study.policy, study.world)
    if not problems and study.live is not None:
        campaigns = study.live.campaigns or study.campaigns
        problems += campaign_problems(campaigns, study.policy, study.live.world)
    if not problems:
        problems += offer_problems(loaded, study.offers, study.all_campaigns)
        problems += column_problems(loaded, study.eligible)
    if problems:
        raise BadInput(list(dict.fromkeys(problems)))
