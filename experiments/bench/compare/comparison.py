"""`kairos bench compare`: is HEAD slower than a base commit? Both are built here and run in turns."""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

import click

from experiments.bench.compare.build import Build, Commit, build, commit_of, head_of, repository
from experiments.bench.compare.noise import rules_of
from experiments.bench.compare.rule import LOOKS, Finding, Rule, Verdict, decide, least_rounds
from experiments.bench.compare.run import Field, Pair, Plan, Round, rounds_of
from experiments.bench.stages import STAGES
from experiments.bench.stages_command import this_machine
from experiments.folder import write_json
from experiments.problems import BadInput, RunInvalid

__all__ = ["COMPARE_SCHEMA", "Result", "checked_plan", "compare", "opened", "run_compare"]

COMPARE_SCHEMA: Final = "kairos.bench-compare/1"


@dataclass(frozen=True, slots=True)
class Result:
    """What is said of a stage."""

    stage: str
    verdict: str
    """A Verdict, or "new", "not comparable"."""
    note: str = ""
    finding: Finding | None = None
    base_ns: float = 0.0
    """Nanoseconds of processor time for a message; median of all slices."""
    head_ns: float = 0.0
    workload: str = ""
    log_ratios: tuple[float, ...] = ()

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"stage": self.stage, "verdict": self.verdict, "note": self.note}
        if self.finding is not None:
            found |= {
                "ratio": round(self.finding.ratio, 5),
                "low": round(self.finding.low, 5),
                "high": round(self.finding.high, 5),
                "rounds": self.finding.rounds,
                "base_ns": round(self.base_ns, 2),
                "head_ns": round(self.head_ns, 2),
                "workload": self.workload,
                "log_ratios": [round(value, 6) for value in self.log_ratios],
            }
        return found


def compare(
    more: Callable[[Plan, int], Sequence[Round]],
    plan: Plan,
    rules: Mapping[str, Rule],
    rounds: int,
) -> list[Result]:
    """The verdicts; `more` runs rounds. Stages that are unclear at a look go on to the next.

    Raises:
        RunInvalid: the newer commit itself gives a wrong result, or fails.
    """
    pairs: dict[str, list[Pair]] = {stage: [] for stage in plan.stages}
    results: dict[str, Result] = {}
    going_on = plan.stages
    for _ in range(LOOKS):
        for found in more(replace(plan, stages=going_on), rounds):
            for stage in going_on:
                pairs[stage].append(found[stage][0])
        for stage in going_on:
            results[stage] = _result(stage, pairs[stage], rules[stage])
        going_on = tuple(stage for stage in going_on if results[stage].verdict == Verdict.UNCLEAR)
        if not going_on:
            break
    return list(results.values())


def _result(stage: str, pairs: Sequence[Pair], rule: Rule) -> Result:
    for pair in pairs:
        if pair.head.missing or pair.head.failed or pair.head.wrong:
            said = pair.head.failed or pair.head.wrong or f"{pair.head.missing} is not there"
            raise RunInvalid(f"{stage}: the newer commit: {said}")
        if pair.base.missing:
            return Result(stage, "new", f"the base has no {pair.base.missing}")
        if pair.base.failed:
            return Result(stage, "not comparable", f"the base ended with {pair.base.failed}")
    logs = tuple(pair.log_ratio for pair in pairs)
    finding = decide(logs, rule)
    base, head = pairs[0].base, pairs[0].head
    notes = []
    if base.wrong:
        notes.append(f"the base gives another result ({base.wrong})")
    if (base.n, base.octets) != (head.n, head.octets):
        notes.append(f"{head.n} messages against {base.n}: compared by the message")
    return Result(
        stage,
        finding.verdict,
        "; ".join(notes),
        finding,
        1e9 * median(value for pair in pairs for value in pair.base_s) / base.n,
        1e9 * median(value for pair in pairs for value in pair.head_s) / head.n,
        head.workload,
        logs,
    )


def checked_plan(stages: str | None, rounds: int, plants_pct: tuple[float, ...] = (0.0,)) -> Plan:
    """Stages separated by commas, or all; and that so many rounds can decide. Raises BadInput."""
    names = [name.strip() for name in stages.split(",") if name.strip()] if stages else list(STAGES)
    for name in names:
        if name not in STAGES:
            raise BadInput(f"--stages {name}: no such stage; there are {', '.join(STAGES)}")
    plan = Plan(tuple(stage for stage in STAGES if stage in names), plants_pct)
    least = least_rounds(Rule(tests=len(plan.stages) * LOOKS).alpha)
    if rounds < least:
        raise BadInput(
            f"--rounds {rounds}: {len(plan.stages)} stages need at least {least}, else not even rounds that "
            "all agree would be evidence enough"
        )
    return plan


@contextlib.contextmanager
def opened(
    head: Commit,
    base: Commit,
    repo: Path,
    *,
    builds: Path | None,
    world: Path,
    capture: Path | None,
    messages: int,
) -> Iterator[Field]:
    """Both commits built and the workload made; scratch files go when the block is left."""
    if capture is not None and not capture.is_file():
        raise BadInput(f"{capture}: no such file")
    with tempfile.TemporaryDirectory(prefix="kairos-compare-") as scratch:
        kept = builds.resolve() if builds is not None else Path(scratch) / "builds"
        made: list[Build] = []
        for commit in (base, head):
            click.echo(f"building {commit}", err=True)
            made.append(build(repo, commit, kept))
        field = Field(Path(scratch), *made)
        field.make_work(world, capture, messages)
        yield field


def run_compare(
    base: str,
    *,
    stages: str | None,
    rounds: int,
    threshold: str,
    noise: Path | None,
    json_file: Path | None,
    dirty: bool,
    seed: int | None,
    **options: Any,
) -> bool:
    """What `kairos bench compare` does; whether no stage is slower. Raises BadInput, RunInvalid."""
    where = this_machine()
    plan = checked_plan(stages, rounds)
    rules = rules_of(plan.stages, threshold, noise, where, rounds)
    repo = repository(Path.cwd())
    head, old = head_of(repo, dirty=dirty), commit_of(repo, base)
    coin = random.Random(seed)
    with opened(head, old, repo, **options) as field:

        def more(plan: Plan, rounds: int) -> list[Round]:
            click.echo(f"{rounds} rounds of {', '.join(plan.stages)}", err=True)
            return rounds_of(field, plan, rounds, coin, lambda line: click.echo(line, err=True))

        results = compare(more, plan, rules, rounds)
    _print(results, rules, old, head, where)
    slower = [result for result in results if result.verdict == Verdict.SLOWER]
    if json_file is not None:
        try:
            write_json(json_file, _record(results, rules, old, head, where))
        except OSError as error:
            raise BadInput(f"--json {json_file}: {error.strerror}") from None
    return not slower


def _record(
    results: Sequence[Result], rules: Mapping[str, Rule], base: Commit, head: Commit, where: dict[str, Any]
) -> dict[str, Any]:
    return {
        "schema": COMPARE_SCHEMA,
        "base": asdict(base),
        "head": asdict(head),
        "machine": where,
        "slower": [result.stage for result in results if result.verdict == Verdict.SLOWER],
        "stages": [result.as_json() | {"rule": asdict(rules[result.stage])} for result in results],
    }


_HEAD: Final = (
    f"{'stage':10} {'base ns':>10} {'head ns':>10} {'ratio':>7} {'bounds':>15} {'rounds':>6}  verdict"
)


def _print(
    results: Sequence[Result], rules: Mapping[str, Rule], base: Commit, head: Commit, where: dict[str, Any]
) -> None:
    click.echo(f"base {base}\nhead {head}")
    click.echo(f"{where['model']}, {where['cpus']} processors, Python {where['python']}")
    click.echo(_HEAD)
    for result in results:
        found = result.finding
        if found is None:
            click.echo(f"{result.stage:10} {'-':>10} {'-':>10} {'-':>7} {'-':>15} {'-':>6}  {result.verdict}")
            continue
        bounds = f"{found.low:.3f} - {found.high:.3f}"
        click.echo(
            f"{result.stage:10} {result.base_ns:>10,.1f} {result.head_ns:>10,.1f} {found.ratio:>7.3f} "
            f"{bounds:>15} {found.rounds:>6}  {result.verdict}"
        )
    for result in results:
        rule = rules[result.stage]
        if result.note:
            click.echo(f"{result.stage}: {result.note}")
        if result.finding and result.verdict == Verdict.SLOWER:
            click.echo(
                f"{result.stage}: SLOWER by {100 * (result.finding.ratio - 1):.1f} % (threshold "
                f"{rule.threshold_pct:g} %)"
            )
        if result.finding and result.verdict == Verdict.UNCLEAR:
            click.echo(
                f"{result.stage}: unclear: a slowdown of {100 * (result.finding.high - 1):.0f} % is not "
                "excluded; take more --rounds or a quieter machine"
            )
