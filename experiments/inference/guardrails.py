"""Guardrails: is what must not get worse (complaints, opt-outs) shown to be no worse than a stated margin?

Absence of a significant difference shows nothing. Non-inferiority turns the burden round: it is shown only
where the interval's harmful end stays inside the margin. By a two-sided 95 % interval that is a one-sided
test at 2.5 %, as regulators ask it (ICH E9).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from experiments.inference.estimate import Estimate, Refused

__all__ = ["Guardrail", "non_inferior"]

Verdict = Literal["held", "broken", "undecided"]


@dataclass(frozen=True, slots=True)
class Guardrail:
    """One guardrail's verdict."""

    verdict: Verdict
    """held: shown no worse than the margin; broken: shown to be worse than it; else undecided."""
    difference: Estimate | Refused
    """Treated minus control."""
    margin: float
    """Largest tolerated worsening, above 0, in the unit of the difference."""
    harm: Literal["up", "down"]
    """Which way is worse."""
    room: float | None
    """Margin less the worst that the interval allows; below 0 where it is not held; None without interval."""


def non_inferior(
    difference: Estimate | Refused, margin: float, harm: Literal["up", "down"] = "up"
) -> Guardrail:
    """Judges a difference against a margin.

    Args:
        difference: Treated minus control, absolute or relative; its two-sided level is halved by the test.
        margin: Largest tolerated worsening.
        harm: "up" where more is worse (complaints), "down" where less is (revenue).

    Raises:
        ValueError: the margin is not above 0: then nothing could ever be shown.
    """
    if not margin > 0.0:
        raise ValueError(f"margin {margin}: expected above 0, in the unit of the difference")
    if isinstance(difference, Refused):
        return Guardrail("undecided", difference, margin, harm, None)
    harmed = difference if harm == "up" else difference.mirrored()
    verdict: Verdict = "held" if harmed.high < margin else "broken" if harmed.low > margin else "undecided"
    return Guardrail(verdict, difference, margin, harm, margin - harmed.high)
