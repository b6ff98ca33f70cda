"""What a call was that ended before CONNECT, as each side of it hears that: one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from marketing.behaviours.batch import Kind, Role

__all__ = ["OUTCOMES", "Outcome", "outcome", "outcome_table"]


class Outcome(NamedTuple):
    """One rule; the first that fits counts."""

    role: Role
    """Whose side of the call."""
    uplink: bool
    """Whether the first release message came from the handset."""
    alerted: bool | None
    """Whether ALERTING had been seen; None = either way."""
    causes: frozenset[int]
    """TS 24.008 10.5.4.11 cause values; empty = any, also none."""
    kind: Kind


def _causes(*values: int) -> frozenset[int]:
    return frozenset(values)


# TS 24.008 annex H: 1 unassigned number, 17 user busy, 18 no user responding, 19 user alerting, no answer,
# 20 subscriber absent, 21 call rejected.
OUTCOMES: Final[tuple[Outcome, ...]] = (
    Outcome(Role.CALLER, False, None, _causes(1), Kind.CALL_VACANT),
    Outcome(Role.CALLER, False, None, _causes(20), Kind.CALL_UNREACHABLE),
    Outcome(Role.CALLER, False, None, _causes(19), Kind.CALL_NO_ANSWER),
    Outcome(Role.CALLER, False, None, _causes(21), Kind.CALL_REJECTED),
    Outcome(Role.CALLER, False, False, _causes(17), Kind.CALL_BUSY),
    Outcome(Role.CALLER, False, True, _causes(17), Kind.CALL_REJECTED),
    Outcome(Role.CALLER, False, False, _causes(18), Kind.CALL_UNREACHABLE),
    Outcome(Role.CALLER, False, True, _causes(18), Kind.CALL_NO_ANSWER),
    Outcome(Role.CALLER, False, None, _causes(), Kind.CALL_FAILED),
    Outcome(Role.CALLER, True, True, _causes(), Kind.CALL_NO_ANSWER),
    Outcome(Role.CALLER, True, False, _causes(), Kind.CALL_ABANDONED),
    Outcome(Role.CALLEE, True, None, _causes(21), Kind.CALL_REJECTED),
    Outcome(Role.CALLEE, True, True, _causes(17), Kind.CALL_REJECTED),
    Outcome(Role.CALLEE, True, False, _causes(17), Kind.CALL_BUSY),
    Outcome(Role.CALLEE, True, None, _causes(), Kind.CALL_FAILED),
    Outcome(Role.CALLEE, False, True, _causes(), Kind.CALL_NO_ANSWER),
    Outcome(Role.CALLEE, False, False, _causes(), Kind.CALL_FAILED),
)


def outcome(role: int, uplink: bool, alerted: bool, cause: int) -> Kind:
    """The kind of a call that a release message with this cause (0 = none) ended before CONNECT."""
    for rule in OUTCOMES:
        if (rule.role, rule.uplink) != (role, uplink) or (
            rule.alerted is not None and rule.alerted != alerted
        ):
            continue
        if not rule.causes or cause in rule.causes:
            return rule.kind
    return Kind.CALL_FAILED


def outcome_table() -> Sequence[int]:
    """The same as 1,024 kind codes: index = ((callee * 2 + uplink) * 2 + alerted) * 128 + cause."""
    return [
        int(outcome(role, uplink, alerted, cause))
        for role in (Role.CALLER, Role.CALLEE)
        for uplink in (False, True)
        for alerted in (False, True)
        for cause in range(128)
    ]
