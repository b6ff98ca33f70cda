"""The noise of a machine: how often the rule would alarm falsely here, and the threshold that follows.

Comparisons are put together from rounds that were recorded once with the same commit on both sides: first
such as share no round, which are independent; then many that draw their rounds with replacement, to see more
of the rule than so few can show.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import click

from experiments.bench.compare.rule import LOOKS, Rule, Verdict, decide, interval
from experiments.inference.estimate import Refused
from experiments.inference.intervals import clopper_pearson
from experiments.problems import BadInput

__all__ = [
    "NOISE_SCHEMA",
    "Alarms",
    "Noise",
    "learnt",
    "machine_class",
    "rules_of",
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
        """Of the rate, at 95 %, if the comparisons are independent; (0, 1) of none."""
        share = clopper_pearson(self.alarms, self.of, 0.95)
        return (0.0, 1.0) if isinstance(share, Refused) else (share.low, share.high)

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
