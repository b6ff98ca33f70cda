"""Behaviours: what subscribers did, as rows that the engine filters by masks."""

from marketing.behaviours.batch import (
    BEHAVIOUR,
    CODES,
    NAMES,
    BehaviourBatch,
    Kind,
    Role,
    concatenate,
    digits,
    empty,
    imsi_text,
    imsi_value,
)

__all__ = [
    "BEHAVIOUR",
    "CODES",
    "NAMES",
    "BehaviourBatch",
    "Kind",
    "Role",
    "concatenate",
    "digits",
    "empty",
    "imsi_text",
    "imsi_value",
]
