"""`kairos bench aa`: the same commit against itself, to learn how often the rule would alarm falsely here."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from experiments.bench.compare.build import commit_of, repository
from experiments.bench.compare.comparison import checked_plan, opened
from experiments.bench.compare.noise import NOISE_SCHEMA, Noise, learnt, machine_class, study
from experiments.bench.compare.rule import LOOKS, Rule
from experiments.bench.compare.run import Pair, Round, rounds_of
from experiments.bench.stages_command import this_machine
from experiments.folder import write_json
from experiments.problems import BadInput, RunInvalid, relative

__all__ = ["run_aa"]


def run_aa(
    *,
    rev: str,
    stages: str | None,
    rounds: int,
    pool: int,
    draws: int,
    plant: float | None,
    save: Path | None,
    json_file: Path | None,
    seed: int | None,
    **options: Any,
) -> bool:
    """What `kairos bench aa` does; whether false alarms stayed within the level."""
    plan = checked_plan(stages, rounds, (0.0,) if plant is None else (0.0, plant))
    if pool < rounds:
        raise BadInput(f"--pool {pool}: at least as many as --rounds {rounds}")
    where = this_machine()
    repo = repository(Path.cwd())
    commit = commit_of(repo, rev)
    coin = random.Random(seed)
    with opened(commit, commit, repo, **options) as field:
        click.echo(f"{pool} rounds of {', '.join(plan.stages)}, both sides {commit}", err=True)
        recorded = rounds_of(field, plan, pool, coin, lambda line: click.echo(line, err=True))
    # Judged with the thresholds that a comparison will use here: it is their false alarms that count.
    tests = len(plan.stages) * LOOKS
    rules = {stage: learnt(_logs(stage, recorded, 0), tests, rounds, draws, coin) for stage in plan.stages}
    found = [
        study(stage, pct, _logs(stage, recorded, i), rules[stage], rounds, draws, coin)
        for i, pct in enumerate(plan.plants_pct)
        for stage in plan.stages
    ]
    _print(found, where)
    record = {
        "schema": NOISE_SCHEMA,
        "machine": machine_class(where),
        "commit": commit.sha,
        "rounds": rounds,
        "rules": {stage: asdict(rule) for stage, rule in rules.items()},
        "stages": [one.as_json() for one in found if not one.plant_pct],
        "planted": [one.as_json() for one in found if one.plant_pct],
        "log_ratios": {
            f"{stage} +{pct:g} %": [round(value, 6) for value in _logs(stage, recorded, i)]
            for i, pct in enumerate(plan.plants_pct)
            for stage in plan.stages
        },
    }
    for option, path in (("--save", save), ("--json", json_file)):
        if path is not None:
            try:
                write_json(path, record)
            except OSError as error:
                raise BadInput(f"{option} {path}: {error.strerror}") from None
    if save is not None:
        click.echo(
            f"kept in {relative(save)}: use it as `kairos bench compare BASE --noise {relative(save)}`"
        )
    level = Rule().level
    return all(one.drawn.alarms <= level * one.drawn.of for one in found if not one.plant_pct)


def _logs(stage: str, recorded: Sequence[Round], plant: int) -> list[float]:
    logs = []
    for one in recorded:
        pair: Pair = one[stage][plant]
        if not pair.measured:
            side = pair.head if pair.head.missing or pair.head.failed or pair.head.wrong else pair.base
            raise RunInvalid(f"{stage}: {side.failed or side.wrong or f'{side.missing} is not there'}")
        logs.append(pair.log_ratio)
    return logs


_HEAD: Final = (
    f"{'stage':10} {'planted':>8} {'ratio':>7} {'spread':>7} {'estimate':>9} {'threshold':>10}  "
    "called slower: share no round; drawn"
)


def _print(found: Sequence[Noise], where: Mapping[str, Any]) -> None:
    click.echo(f"{where['model']}, {where['cpus']} processors, Python {where['python']}")
    click.echo(_HEAD)
    for one in found:
        planted = f"{one.plant_pct:g} %" if one.plant_pct else "-"
        click.echo(
            f"{one.stage:10} {planted:>8} {one.ratio:>7.3f} {one.spread_pct:>5.1f} % "
            f"{one.estimate_pct:>7.1f} % {one.threshold_pct:>8.1f} %  {one.apart}; {one.drawn}"
        )
    click.echo(
        "spread: of single rounds; estimate: 99 % of comparisons are nearer to the truth; drawn comparisons\n"
        "take their rounds from one pool, so their interval is too narrow"
    )
