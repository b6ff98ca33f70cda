"""How fast an arm is lived through: subscriber-days per second of processor time, for each part of the work.

python -m experiments.uplift.bench_arms --subscribers 500 --days 7 --tick-s 600 --replicates 5
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import click

from experiments.uplift.arms import ArmOutcome, ArmSpec, BlanketPlan, run_arm
from marketing.campaigns import load
from sim.subscribers.offers import STANDARD_OFFERS

__all__ = ["bench", "figures"]

CAMPAIGNS: Final = ("missed-call-alert", "hang-up-sms", "points-reminder", "service-line-follow-up")
PARTS: Final = ("world", "files", "start", "simulator", "feed", "engine", "effects", "audit", "outcome")
"""Building the world; writing and reading what the platform is told; the crowd and its network; behaviours of
visible acts; decisions; ledger, messages and orders; judging what was received; the outcome's columns."""

WHOLE: Final = ("world", "life", "outcome")
"""What an arm takes altogether; life holds all parts between."""


def figures(spec: ArmSpec, replicates: int) -> dict[str, Any]:
    """Medians over replicates with seeds of their own; the first, which makes templates, is left out.

    Every replicate is the precise arm, a blanket arm of equal reach, and the control arm.
    """
    arms: dict[str, list[ArmOutcome]] = {"precise": [], "blanket": [], "control": []}
    for seed in range(spec.seed, spec.seed + replicates + 1):
        of_seed = ArmSpec(**{name: getattr(spec, name) for name in spec.__slots__} | {"seed": seed})
        precise = run_arm(of_seed.as_arm("precise"))
        arms["precise"].append(precise)
        arms["blanket"].append(run_arm(of_seed.as_arm("blanket", BlanketPlan("reach", precise.pattern))))
        arms["control"].append(run_arm(of_seed.as_arm("control")))
    subscribers = int(spec.world_settings["subscribers"])
    subscriber_days = subscribers * spec.days
    found: dict[str, Any] = {
        "subscribers": subscribers,
        "days": spec.days,
        "tick_s": spec.tick_s,
        "replicates": replicates,
        "arms": {},
    }
    for arm, outcomes in arms.items():
        cpu_s = {part: median(one.cpu_s.get(part, 0.0) for one in outcomes[1:]) for part in PARTS}
        whole_s = median(sum(one.cpu_s[part] for part in WHOLE) for one in outcomes[1:])
        found["arms"][arm] = {
            "cpu_s": round(whole_s, 3),
            "subscriber_days_per_cpu_s": _rate(subscriber_days, whole_s),
            "contacts": int(median(one.contacts.sum() for one in outcomes[1:])),
            "parts": {
                part: {"cpu_s": round(s, 3), "subscriber_days_per_cpu_s": _rate(subscriber_days, s)}
                for part, s in cpu_s.items()
                if s >= 0.0005
            },
        }
    return found


def _rate(subscriber_days: int, seconds: float) -> int:
    return round(subscriber_days / seconds) if seconds > 0 else 0


def table(found: Mapping[str, Any]) -> list[str]:
    """The figures for people."""
    lines = [
        f"{found['subscribers']:,} subscribers, {found['days']} days, ticks of {found['tick_s']} s, "
        f"median of {found['replicates']} replicates"
    ]
    for arm, one in found["arms"].items():
        lines.append(
            f"{arm}: {one['cpu_s']:.2f} s of processor time, {one['subscriber_days_per_cpu_s']:,} "
            f"subscriber-days a second, {one['contacts']} contacts"
        )
        for part, figure in one["parts"].items():
            rate = figure["subscriber_days_per_cpu_s"]
            lines.append(f"  {part:<10} {figure['cpu_s']:>8.3f} s  {rate:>12,} subscriber-days a second")
    return lines


def bench(
    campaigns: Sequence[str], subscribers: int, days: int, tick_s: int, replicates: int, *, covariates: bool
) -> dict[str, Any]:
    """Measures the town world with shipped campaigns."""
    scenarios = Path("scenarios")
    paths = tuple((scenarios / "campaigns" / f"{name}.yaml").resolve() for name in campaigns)
    spec = ArmSpec(
        world=(scenarios / "worlds" / "town.yaml").resolve(),
        world_settings={"subscribers": subscribers},
        seed=1,
        days=days,
        campaigns=paths,
        policy=(scenarios / "policies" / "default.yaml").resolve(),
        offers=tuple(STANDARD_OFFERS[name] for name in dict.fromkeys(load(path).offer for path in paths)),
        arm="precise",
        tick_s=tick_s,
        covariates=covariates,
    )
    return figures(spec, replicates)


@click.command()
@click.option("--subscribers", type=click.IntRange(10), default=500, show_default=True)
@click.option("--days", type=click.IntRange(1), default=7, show_default=True)
@click.option("--tick-s", type=click.IntRange(1, 3600), default=600, show_default=True)
@click.option("--replicates", type=click.IntRange(1), default=5, show_default=True)
@click.option("--campaign", "campaigns", multiple=True, default=CAMPAIGNS, show_default=True)
@click.option("--covariates/--no-covariates", default=False, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="JSON in place of a table.")
def command(as_json: bool, **options: Any) -> None:
    """Subscriber-days per second of processor time, arm by arm and part by part."""
    found = bench(**options)
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(table(found)))


if __name__ == "__main__":
    command()
