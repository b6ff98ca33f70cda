"""One arm of an uplift study, lived through in this process.

`run_arm(spec)` gives the outcome of an arm; equal specs give equal outcomes anywhere.
"""

from __future__ import annotations

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
    "TriggerTable",
    "outcome_digest",
]
