"""What a study's owner may claim, from orders, complaints, opt-outs and money; nothing of the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.inference import Estimate, Refused
from experiments.inference.cluster import cluster_difference
from experiments.inference.corrections import correct, p_of
from experiments.inference.guardrails import Guardrail, non_inferior
from experiments.inference.intervals import proportion
from experiments.inference.means import mean_difference, paired_mean_difference
from experiments.inference.novelty import paired_by_age
from experiments.inference.relative import (
    cluster_relative,
    fieller,
    paired_ratio,
    paired_relative,
    ratio_difference,
    ratio_relative,
    relative,
    relative_means,
)
from experiments.inference.resampling import bootstrap
from experiments.uplift.primary import difference_of
from experiments.uplift.sides import DAY_US, SHARES, Comparison, Side
from experiments.uplift.specs import ArmOutcome

__all__ = ["arm_figures", "by_campaign", "by_group", "compared", "guardrails", "novelty"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
Found = Estimate | Refused

LEAST_TAKE_UPS: Final = 5
"""Take-ups of both sides together below which a segment or place is not judged."""


def compared(comparison: Comparison, seed: int, resamples: int) -> dict[str, Found]:
    """Every measure of a comparison, a minus b: shares of people, and money a person.

    Args:
        comparison: Both sides.
        seed: Of the resampling.
        resamples: How many; 0: no bootstrap.
    """
    found: dict[str, Found] = {measure: difference_of(comparison, measure) for measure in SHARES}
    for measure in SHARES:
        found[f"{measure}_relative"] = _relative(comparison, measure)
    found["net"] = _money(comparison)
    found["net_relative"] = _relative_money(comparison)
    a, b = comparison.a, comparison.b
    found["cost_per_take_up"] = _of_costs(comparison, ratio_difference)
    found["cost_per_take_up_relative"] = _of_costs(comparison, ratio_relative)
    if resamples:
        paired = comparison.layout == "pairs"
        clusters = [a.cluster, b.cluster] if comparison.layout == "clusters" else None
        found["net_bootstrap"] = bootstrap(
            _gap, [a.net, b.net], seed, paired=paired, clusters=clusters, replicates=resamples
        )
    return found


def _gap(samples: Sequence[NDArray[Any]]) -> float:
    return float(samples[0].mean() - samples[1].mean())


def _relative(comparison: Comparison, measure: str) -> Found:
    a, b = comparison.a.share(measure), comparison.b.share(measure)
    if comparison.layout == "pairs":
        both, only_a, only_b = int(np.sum(a & b)), int(np.sum(a & ~b)), int(np.sum(b & ~a))
        return paired_relative(both, only_a, only_b, len(a))
    if comparison.layout == "groups":
        return relative(int(a.sum()), len(a), int(b.sum()), len(b))
    clusters = comparison.a.cluster, comparison.b.cluster
    return cluster_relative(a.astype(np.float64), b.astype(np.float64), *clusters)


def _money(comparison: Comparison) -> Found:
    a, b = comparison.a, comparison.b
    if comparison.layout == "pairs":
        return paired_mean_difference(a.net, b.net)
    if comparison.layout == "groups":
        return mean_difference(a.net, b.net)
    return cluster_difference(a.net, b.net, a.cluster, b.cluster)


def _relative_money(comparison: Comparison) -> Found:
    a, b = comparison.a.net, comparison.b.net
    if not b.any():
        return Refused("fieller", "the side compared with has neither cost nor value", len(a))
    if comparison.layout == "pairs":
        return paired_ratio(a, b)
    if comparison.layout == "groups":
        return relative_means(a, b)
    return cluster_relative(a, b, comparison.a.cluster, comparison.b.cluster)


def _of_costs(comparison: Comparison, method: Callable[[F64, F64, F64, F64], Found]) -> Found:
    """Of what a take-up has cost; where one side costs nothing there is nothing to compare."""
    a, b = comparison.a, comparison.b
    if not a.cost.any() or not b.cost.any():
        return Refused("delta ratio", "one side has no contacts that cost anything", a.n + b.n)
    # Costs of two worlds hang on other people's contacts; taking them as independent widens the interval.
    return method(a.cost, a.take_up.astype(np.float64), b.cost, b.take_up.astype(np.float64))


def cost_per_take_up(side: Side) -> Found:
    """Money spent on contacts over all take-ups, those included that would have come by themselves."""
    if not side.cost.any():
        return Refused("fieller", "no contact has cost anything", side.n)
    return fieller(side.cost, side.take_up.astype(np.float64))


def arm_figures(outcome: ArmOutcome, side: Side | None = None) -> dict[str, Any]:
    """An arm by itself: counts, shares with intervals, money. `side`: some of its people."""
    from experiments.uplift.sides import side_of

    people = side if side is not None else side_of(outcome)
    contacts = outcome.contacts[people.row]
    shares = {name: proportion(int(people.share(name).sum()), people.n).as_json() for name in SHARES}
    return {
        "people": people.n,
        "contacts": int(contacts.sum()),
        "reached": int(np.count_nonzero(contacts)),
        "most_contacts": int(contacts.max(initial=0)),
        **shares,
        "cost": round(float(people.cost.sum()), 4),
        "net": round(float(people.net.sum()), 4),
        "cost_per_take_up": cost_per_take_up(people).as_json(),
    }


def guardrails(comparison: Comparison, margins: Mapping[str, float]) -> dict[str, Guardrail]:
    """Complaints and opt-outs: shown to be no worse than their margins, or not."""
    return {name: non_inferior(difference_of(comparison, name), margin) for name, margin in margins.items()}


def guardrail_json(guardrail: Guardrail) -> dict[str, Any]:
    """Plain values for `summary.json`."""
    values = asdict(guardrail)
    values["difference"] = guardrail.difference.as_json()
    return values


# ------------------------------------------------------------- parts of the people, several claims


def by_group(
    comparison: Comparison, a_of: I64, b_of: I64, names: Sequence[str], method: str
) -> list[dict[str, Any]]:
    """The difference of take-up in each group of people, corrected together.

    Args:
        comparison: Both sides.
        a_of: Group of each person of a, an index into `names`.
        b_of: The same of b.
        names: Groups.
        method: Correction, a row of `inference.corrections.METHODS`.
    """
    rows: list[dict[str, Any]] = []
    estimates: dict[str, Estimate] = {}
    for index, name in enumerate(names):
        part = Comparison(
            name, comparison.a.only(a_of == index), comparison.b.only(b_of == index), comparison.layout
        )
        take_ups = int(part.a.take_up.sum()), int(part.b.take_up.sum())
        if not part.a.n or not part.b.n:
            continue
        found: Found
        if sum(take_ups) < LEAST_TAKE_UPS:
            said = f"{sum(take_ups)} take-ups on both sides; {LEAST_TAKE_UPS} needed"
            found = Refused("group", said, part.a.n + part.b.n)
        else:
            found = difference_of(part)
        if isinstance(found, Estimate) and found.se:
            estimates[name] = found
        rows.append({"name": name, "people": part.a.n, "take_ups": take_ups, "difference": found.as_json()})
    return _with_adjusted(rows, estimates, method)


def by_campaign(
    comparison: Comparison,
    outcomes: tuple[ArmOutcome, ArmOutcome],
    offers: Mapping[str, Sequence[str]],
    from_us: int = 0,
) -> list[dict[str, Any]]:
    """The difference of take-up of each offer between the sides of a comparison, claims corrected by Holm.

    Args:
        comparison: Both sides.
        outcomes: Of which arm each side is cut.
        offers: Offer -> titles of its campaigns.
        from_us: When campaigns begin; orders before count for nothing.
    """
    rows: list[dict[str, Any]] = []
    estimates: dict[str, Estimate] = {}
    for offer, titles in offers.items():
        a, b = (
            replace(side, take_up=_took(outcome, offer, from_us)[side.row])
            for side, outcome in zip((comparison.a, comparison.b), outcomes, strict=True)
        )
        found = difference_of(replace(comparison, a=a, b=b))
        if isinstance(found, Estimate) and found.se:
            estimates[offer] = found
        take_ups = int(a.take_up.sum()), int(b.take_up.sum())
        rows.append(
            {"name": offer, "titles": list(titles), "take_ups": take_ups, "difference": found.as_json()}
        )
    return _with_adjusted(rows, estimates, "holm")


def _took(outcome: ArmOutcome, offer: str, from_us: int) -> Mask:
    """Who took an offer up from some time on, (people,)."""
    orders = outcome.orders
    return np.isin(outcome.sub, orders.sub[(orders.offer == offer) & (orders.t_us >= from_us)])


def _with_adjusted(
    rows: list[dict[str, Any]], estimates: Mapping[str, Estimate], method: str
) -> list[dict[str, Any]]:
    corrected = correct({name: p_of(found) for name, found in estimates.items()}, method) if estimates else {}
    for row in rows:
        one = corrected.get(row["name"])
        row["p"] = None if one is None else one.p
        row["adjusted_p"] = None if one is None else one.adjusted
        row["told_apart"] = one is not None and one.rejected
    return rows


# --------------------------------------------------------------------------- over time


def novelty(arm: ArmOutcome, control: ArmOutcome, from_day: int, ages: int) -> dict[str, Any]:
    """What each day since the first contact adds, the same people without contact on the same days taken off.

    Args:
        arm: With contacts.
        control: The same people in a world without.
        from_day: First day of campaigns.
        ages: Days since first contact to tell apart, 0 being its own day.
    """
    days = arm.days - from_day + 1
    if days < 2:
        return {
            "ages": [],
            "trend": Refused("trend", "fewer than two ages have an effect", 0).as_json(),
            "p": None,
        }
    first = np.where(arm.first_contact_us >= 0, arm.first_contact_us // DAY_US - (from_day - 1), -1)
    a, b = (_by_day(one.ordered_us, from_day, days) for one in (arm, control))
    found = paired_by_age(a, b, np.clip(first, -1, days - 1), min(ages, days))
    rows = [{"age": age, "added": effect.as_json()} for age, effect in enumerate(found.effects)]
    return {"ages": rows, "trend": found.trend.as_json(), "p": found.p}


def _by_day(ordered_us: I64, from_day: int, days: int) -> F64:
    """Whether each person's first order is of each day of campaigns, (people, days)."""
    made = np.zeros((len(ordered_us), days))
    day = ordered_us // DAY_US - (from_day - 1)
    there = np.flatnonzero((ordered_us >= 0) & (day >= 0) & (day < days))
    made[there, day[there]] = 1.0
    return made


def fatigue(arm: ArmOutcome) -> list[dict[str, Any]]:
    """Answers by how many contacts somebody had in the days before: who ordered within a day."""
    table = arm.contact_table
    row = np.searchsorted(arm.sub, table.sub)
    after = arm.ordered_us[row] - table.t_us
    took = (after >= 0) & (after < DAY_US)
    open_ = (arm.ordered_us[row] < 0) | (arm.ordered_us[row] >= table.t_us)
    made = []
    for before in np.unique(table.recent_contacts).tolist():
        of_it = (table.recent_contacts == before) & open_
        n = int(of_it.sum())
        if n:
            found = proportion(int(took[of_it].sum()), n)
            made.append({"before": before, "contacts": n, "took_up": found.as_json()})
    return made
