"""One arm of an uplift study, lived through in this process.

`run_arm(spec)` gives the outcome of an arm; equal specs give equal outcomes anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import process_time
from typing import Final

import numpy as np

from experiments.uplift.chances import p_organic, p_take_up
from experiments.uplift.lives import by_behaviours, by_signalling, not_at_all
from experiments.uplift.outcome import outcome_of
from experiments.uplift.setting import setting_of
from experiments.uplift.specs import (
    ArmName,
    ArmOutcome,
    ArmSpec,
    BlanketPlan,
    ContactTable,
    Feed,
    OrderTable,
    PlannedContact,
    Potential,
    TriggerTable,
    outcome_digest,
)
from sim.draws import ONE_Q16
from sim.scenario import DAY_US

__all__ = [
    "ArmName",
    "ArmOutcome",
    "ArmSpec",
    "BlanketPlan",
    "ContactTable",
    "Feed",
    "OrderTable",
    "PlannedContact",
    "Potential",
    "SameTriggers",
    "TriggerTable",
    "outcome_digest",
    "potential",
    "run_arm",
    "same_triggers",
]


def run_arm(spec: ArmSpec) -> ArmOutcome:
    """Lives through one arm in this process.

    Raises:
        ScenarioError, ConfigError: a file of the spec cannot be used.
        RunInvalid: simulator or platform failed in the middle.
        ValueError: a mask or pattern does not fit the world.
    """
    began = process_time()
    setting = setting_of(spec)
    built = process_time()
    if spec.arm == "control" and not spec.live_control:
        lived = not_at_all(spec, setting)
    elif spec.feed == "signalling":
        lived = by_signalling(spec, setting)
    else:
        lived = by_behaviours(spec, setting)
    done = process_time()
    outcome = outcome_of(spec, setting, lived)
    spent = {"world": built - began, **lived.cpu_s, "outcome": process_time() - done}
    spent["life"] = done - built
    return replace(outcome, cpu_s={name: round(seconds, 3) for name, seconds in spent.items()})


@dataclass(frozen=True, slots=True)
class SameTriggers:
    """Whether the bytes and the short cut give the same."""

    same: bool
    behaviours: str
    """Digest of the triggers with feed behaviours."""
    signalling: str
    triggers: int
    """With feed signalling."""
    outcome_same: bool
    """Whether all columns of the outcomes are equal, not triggers alone."""
    differences: tuple[str, ...]
    """The first triggers that only one of them has, or that ended in another way; at most twenty."""


def same_triggers(spec: ArmSpec) -> SameTriggers:
    """Lives through an arm twice, once by each feed, and says what differs."""
    short, full = (run_arm(replace(spec, feed=feed)) for feed in _FEEDS)
    rows = [set(_rows(one.trigger_table)) for one in (short, full)]
    differences = [f"behaviours alone: {row}" for row in sorted(rows[0] - rows[1])]
    differences += [f"signalling alone: {row}" for row in sorted(rows[1] - rows[0])]
    return SameTriggers(
        same=short.trigger_digest == full.trigger_digest,
        behaviours=short.trigger_digest,
        signalling=full.trigger_digest,
        triggers=full.triggers["total"],
        outcome_same=outcome_digest(short) == outcome_digest(full),
        differences=tuple(differences[:20]),
    )


def potential(spec: ArmSpec) -> Potential:
    """P(take up) of each eligible subscriber and offer, without contact and after one at an ordinary moment.

    An ordinary moment is one of no weight: eta is the offer's logit and the person's affinity. What a moment
    adds is in `ContactTable.p_take_up` of the contacts that were made.
    """
    setting = setting_of(spec)
    model, members = setting.model(spec), setting.eligible
    within_us = spec.days * DAY_US - setting.start_us(spec)
    shape = len(members), len(spec.offers)
    organic, contacted = np.zeros(shape), np.zeros(shape)
    for index, offer in enumerate(spec.offers):
        of_it = np.full(len(members), index, np.int64)
        organic[:, index] = p_organic(model, members, of_it, np.full(len(members), within_us, np.int64))
        contacted[:, index] = p_take_up(round(offer.logit * ONE_Q16) + model.affinity_q16(index, members))
    return Potential(members, tuple(offer.name for offer in spec.offers), organic, contacted)


_FEEDS: Final[tuple[Feed, Feed]] = ("behaviours", "signalling")


def _rows(table: TriggerTable) -> list[tuple[str, ...]]:
    columns = (table.campaign, table.sub, table.t_us, table.state, table.reason)
    return [tuple(map(str, row)) for row in zip(*columns, strict=True)]
