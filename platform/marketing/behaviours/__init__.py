"""Behaviours: what subscribers did, as rows that the engine filters by masks."""

from marketing.behaviours.batch import (
    BEHAVIOUR,
    CODES,
    DERIVED,
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
    "DERIVED",
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
