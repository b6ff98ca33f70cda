"""`kairos bench aa`: the same commit against itself, to learn how often the rule would alarm falsely here.

Rounds are recorded once, and comparisons are put together from them: first such as share no round, which are
independent; then many that draw their rounds with replacement, to see more of the rule than so few can show.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import click

from experiments.bench.compare.build import commit_of, repository
from experiments.bench.compare.comparison import LOOKS, checked_plan, opened
from experiments.bench.compare.rule import Rule, Verdict, decide, interval
from experiments.bench.compare.run import Pair, Round, rounds_of
from experiments.bench.stages_command import this_machine
from experiments.folder import write_json
from experiments.problems import BadInput, RunInvalid, relative

__all__ = [
    "NOISE_SCHEMA",
    "Alarms",
    "Noise",
    "clopper_pearson",
    "learnt",
    "machine_class",
    "rules_of",
    "run_aa",
    "study",
]

NOISE_SCHEMA: Final = "kairos.bench-noise/1"
DEFAULT_PCT: Final = 10.0
"""Threshold where nothing is known of the machine: half of the 20 % that must be noticed."""
LEAST_PCT: Final = 5.0
"""No threshold is lower: a changed comment elsewhere moves code about, which may cost some percent."""
NOISE_QUANTILE: Final = 0.99
NOISE_FACTOR: Final = 2.0
"""The threshold lies so many times above that quantile of what A/A comparisons estimate."""


@dataclass(frozen=True, slots=True)
class Alarms:
    """How many of some comparisons called the stage slower."""

    alarms: int
    of: int

    @property
    def bounds(self) -> tuple[float, float]:
        """Of the rate, at 95 %, if the comparisons are independent."""
        return clopper_pearson(self.alarms, self.of)

    def __str__(self) -> str:
        low, high = self.bounds
        return f"{self.alarms} of {self.of} (95 %: {100 * low:.1f}-{100 * high:.1f} %)"


@dataclass(frozen=True, slots=True)
class Noise:
    """What was seen of a stage with the same code on both sides, or with planted work on one."""

    stage: str
    plant_pct: float
    rounds: int
    """Rounds recorded."""
    ratio: float
    """Median of all rounds: 1 where both sides do the same."""
    spread_pct: float
    """Root mean square of the rounds' log-ratios about their median, in percent."""
    estimate_pct: float
    """NOISE_QUANTILE of how far a comparison's estimate lies from that median, in percent."""
    threshold_pct: float
    """With which the comparisons were judged."""
    apart: Alarms
    """Comparisons that share no round."""
    drawn: Alarms
    """Comparisons whose rounds are drawn with replacement: many, but not independent."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "apart_bounds": self.apart.bounds,
            "drawn_bounds": self.drawn.bounds,
        }


def study(
    stage: str,
    plant_pct: float,
    logs: Sequence[float],
    rule: Rule,
    rounds: int,
    draws: int,
    coin: random.Random,
) -> Noise:
    """What the rule says of a stage when comparisons are made of these recorded log-ratios."""
    middle = median(logs)
    drawn = [coin.choices(logs, k=rounds * LOOKS) for _ in range(draws)]
    return Noise(
        stage,
        plant_pct,
        len(logs),
        math.exp(middle),
        100 * math.sqrt(sum((value - middle) ** 2 for value in logs) / len(logs)),
        _estimate_pct([one[:rounds] for one in drawn], middle, rule),
        rule.threshold_pct,
        _apart(logs, rule, rounds),
        Alarms(sum(_judged(one, rule, rounds)[0] for one in drawn), draws),
    )


def learnt(logs: Sequence[float], tests: int, rounds: int, draws: int, coin: random.Random) -> Rule:
    """The rule with a threshold that lies above the noise of these A/A rounds, in steps of a half."""
    drawn = [coin.choices(logs, k=rounds) for _ in range(draws)]
    estimate_pct = _estimate_pct(drawn, median(logs), Rule(tests=tests))
    return _rule(max(LEAST_PCT, math.ceil(2 * NOISE_FACTOR * estimate_pct) / 2), tests)


def _estimate_pct(drawn: Sequence[Sequence[float]], middle: float, rule: Rule) -> float:
    off = sorted(abs(interval(one, rule.alpha)[1] - middle) for one in drawn)
    return 100 * math.expm1(off[min(len(off) - 1, int(NOISE_QUANTILE * len(off)))])


def _rule(threshold_pct: float, tests: int) -> Rule:
    standard = Rule()
    return Rule(
        threshold_pct=threshold_pct,
        sought_pct=max(standard.sought_pct, 2 * threshold_pct),
        margin_pct=min(standard.margin_pct, threshold_pct),
        tests=tests,
    )


def _apart(logs: Sequence[float], rule: Rule, rounds: int) -> Alarms:
    """One comparison behind the other, until the rounds are used up."""
    alarms = of = at = 0
    while at + rounds <= len(logs):
        slower, used = _judged(logs[at : at + LOOKS * rounds], rule, rounds)
        alarms, of, at = alarms + slower, of + 1, at + used
    return Alarms(alarms, of)


def _judged(logs: Sequence[float], rule: Rule, rounds: int) -> tuple[bool, int]:
    """Slower or not, and the rounds used: as `compare` does it, more only where a look was unclear."""
    verdict, used = Verdict.UNCLEAR, 0
    while verdict == Verdict.UNCLEAR and used + rounds <= len(logs):
        used += rounds
        verdict = decide(logs[:used], rule).verdict
    return verdict == Verdict.SLOWER, used


def clopper_pearson(hits: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a binomial share; (0, 1) of nothing."""
    if not of:
        return 0.0, 1.0
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else _solve(lambda p: 1 - _at_most(hits - 1, of, p) - tail)
    high = 1.0 if hits == of else _solve(lambda p: tail - _at_most(hits, of, p))
    return low, high


def _at_most(k: int, n: int, p: float) -> float:
    """P(X <= k) of a binomial variable; 0 < p < 1."""
    log_p, log_q = math.log(p), math.log1p(-p)
    top = math.lgamma(n + 1)
    return math.fsum(
        math.exp(top - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * log_p + (n - i) * log_q)
        for i in range(k + 1)
    )


def _solve(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def machine_class(where: Mapping[str, Any]) -> dict[str, Any]:
    """Machines whose noise is taken to be alike: the same processor, as many of them, the same Python."""
    return {
        "model": where["model"],
        "processor": where["processor"],
        "cpus": where["cpus"],
        "python": ".".join(str(where["python"]).split(".")[:2]),
    }


def rules_of(
    stages: Sequence[str], threshold: str, noise: Path | None, where: Mapping[str, Any], rounds: int
) -> dict[str, Rule]:
    """The rule for each stage. `threshold`: percent, or auto: that of the noise file, else 10.

    Raises:
        BadInput: no such threshold, or a noise file that cannot be used.
    """
    known: dict[str, float] = {}
    if noise is not None:
        known = _thresholds(noise, where, rounds)
    if threshold == "auto":
        pct = {stage: known.get(stage, DEFAULT_PCT) for stage in stages}
    else:
        try:
            value = float(threshold)
        except ValueError:
            value = math.nan
        if not 0 < value <= 1000:
            raise BadInput(f"--threshold {threshold}: auto, or percent above 0 and up to 1000, was expected")
        pct = dict.fromkeys(stages, value)
    return {stage: _rule(pct[stage], len(stages) * LOOKS) for stage in stages}


def _thresholds(path: Path, where: Mapping[str, Any], rounds: int) -> dict[str, float]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        schema, of, over = kept["schema"], kept["machine"], kept["rounds"]
        known = {one["stage"]: float(one["threshold_pct"]) for one in kept["stages"]}
    except OSError as error:
        raise BadInput(f"--noise {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"--noise {path}: not as `kairos bench aa --save` writes it ({error!r})") from None
    if schema != NOISE_SCHEMA:
        raise BadInput(f"--noise {path}: schema {schema}, expected {NOISE_SCHEMA}")
    here = machine_class(where)
    if of != here:
        click.echo(
            f"--noise {path}: not used, it is of another class of machine ({_words(of)}; this one: "
            f"{_words(here)}). The threshold is {DEFAULT_PCT:g} %",
            err=True,
        )
        return {}
    if rounds < over:
        raise BadInput(f"--rounds {rounds}: {path} holds for {over} rounds or more")
    return known


def _words(of: Mapping[str, Any]) -> str:
    return ", ".join(str(value) for value in of.values()) if isinstance(of, dict) else str(of)


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
