"""The blanket arm: group-sending at a fixed hour to people drawn at random, by reach or by budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.inputs import BlanketTarget, blanket_targets
from experiments.uplift.setting import Setting
from experiments.uplift.specs import ArmSpec, PlannedContact
from marketing.campaigns import Campaign

__all__ = ["blanket_rows"]

_BUDGET: Final = 10_004
"""Purpose of the draws of equal budget (a study's own, beyond those of `sim.draws`)."""


def blanket_rows(spec: ArmSpec, setting: Setting, campaigns: Sequence[Campaign]) -> list[BlanketTarget]:
    """The rows of the lists that the blanket arm sends to."""
    plan = spec.blanket
    assert plan is not None, "a blanket arm has a plan"
    members = setting.eligible
    if spec.treated is not None:
        members = members[spec.treated[members]]
    if plan.by == "reach":
        msisdn = setting.extract["msisdn"]
        sent = [(one.campaign, msisdn[one.sub], one.day) for one in plan.pattern]
        return blanket_targets(sent, members, setting.extract, setting.world.draws)
    price = {c.campaign: plan.price.get(c.campaign, c.cost) for c in campaigns}
    return list(_by_budget(plan.pattern, price, setting, members))


def _by_budget(
    pattern: Sequence[PlannedContact],
    price: dict[str, float],
    setting: Setting,
    members: NDArray[np.int64],
) -> Iterator[BlanketTarget]:
    """Day by day what the money buys; fractions of a contact are carried to the campaign's next day.

    One order of all eligible people, drawn once, is gone through again and again: whoever comes next has not
    had fewer contacts than anybody behind him.
    """
    order = members[np.lexsort((members, setting.world.draws.u64(_BUDGET, members)))].tolist()
    spent: dict[tuple[int, str], float] = {}
    for one in pattern:
        spent[one.day, one.campaign] = spent.get((one.day, one.campaign), 0.0) + one.cost
    left = dict.fromkeys(price, 0.0)
    place = 0
    for day, campaign in sorted(spent):
        left[campaign] += spent[day, campaign]
        each = price[campaign]
        # Of a contact that costs nothing as many as the precise arm had: there is no budget to keep to.
        free = sum(1 for one in pattern if (one.day, one.campaign) == (day, campaign))
        count = int(left[campaign] / each + 1e-9) if each > 0 else free
        left[campaign] -= count * each
        for _ in range(count):
            yield BlanketTarget(campaign, setting.extract["msisdn"][order[place % len(order)]], day)
            place += 1
