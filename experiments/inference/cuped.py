"""CUPED: the outcome minus what the time before predicts of it, so that the same effect is seen sooner.

Deng, Xu, Kohavi, Walker 2013 (WSDM): subtract theta (x - mean x), x measured before treatment; the mean
stays, the variance falls by the squared correlation. theta is estimated within groups, so that a true effect
does not leak into it. In parallel worlds the arms share the time before, the term cancels and nothing is
won: this is for people drawn within one world.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.inference.estimate import LEVEL, Estimate, Refused
from experiments.inference.means import interval_of

__all__ = ["LOOK_BACK_DAYS", "Adjusted", "adjust", "cuped", "explained"]

F64 = NDArray[np.float64]

LOOK_BACK_DAYS: Final = 14
"""Days before treatment that a covariate must sum up."""


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Outcomes with the predictable part taken off, and what that was worth."""

    treated: F64
    """Shape (n_t,); keeps its use in `cluster` and `resampling`."""
    control: F64
    theta: tuple[float, ...]
    """Outcome a unit of each covariate; 0 for a covariate that does not vary or repeats others."""
    variance_reduction: float
    """1 - residual variance / variance of the outcome, within groups; not below 0 by construction."""


def adjust(
    treated: F64, control: F64, treated_before: F64, control_before: F64, look_back_days: float
) -> Adjusted | Refused:
    """Takes off what the covariates predict.

    Args:
        treated: Outcomes, shape (n_t,).
        control: Outcomes, shape (n_c,).
        treated_before: Covariates of the same people, shape (n_t,) or (n_t, k), of the time before alone.
        control_before: Shape (n_c,) or (n_c, k).
        look_back_days: Days that the covariates sum up; fewer than `LOOK_BACK_DAYS` are refused.

    Raises:
        ValueError: the shapes do not fit together.
    """
    x_t, x_c = (x[:, np.newaxis] if x.ndim == 1 else x for x in (treated_before, control_before))
    n_t, n_c, k = len(treated), len(control), x_t.shape[1]
    if len(x_t) != n_t or len(x_c) != n_c or x_c.shape[1] != k or treated.ndim != 1 or control.ndim != 1:
        shapes = f"{treated.shape}, {control.shape}, {treated_before.shape}, {control_before.shape}"
        raise ValueError(f"expected outcomes (n,) and covariates (n, k) of two groups, not {shapes}")
    if look_back_days < LOOK_BACK_DAYS:
        reason = f"{look_back_days:g} days precede the start; CUPED needs {LOOK_BACK_DAYS}"
        return Refused("cuped", reason, n_t + n_c)
    if min(n_t, n_c) < 2 or n_t + n_c < k + 4:
        return Refused("cuped", f"{n_t} and {n_c} people cannot bear {k} covariates", n_t + n_c)
    centred = np.concatenate([x_t - x_t.mean(axis=0), x_c - x_c.mean(axis=0)])
    outcome = np.concatenate([treated - treated.mean(), control - control.mean()])
    scale = np.sqrt(np.mean(centred * centred, axis=0))
    varies = scale > 1e-12 * np.maximum(1.0, np.abs(np.concatenate([x_t, x_c])).max(axis=0))
    if not varies.any():
        return Refused("cuped", "no covariate varies within the groups", n_t + n_c)
    if not outcome.any():
        return Refused("cuped", "the outcome does not vary within the groups", n_t + n_c)
    theta = np.zeros(k)
    unit = centred[:, varies] / scale[varies]
    theta[varies] = np.linalg.lstsq(unit, outcome, rcond=1e-10)[0] / scale[varies]
    left = outcome - centred @ theta
    middle = np.concatenate([x_t, x_c]).mean(axis=0)
    reduction = max(0.0, 1.0 - float(left @ left) / float(outcome @ outcome))
    return Adjusted(
        treated - (x_t - middle) @ theta,
        control - (x_c - middle) @ theta,
        tuple(float(t) for t in theta),
        reduction,
    )


def explained(treated: F64, control: F64, treated_before: F64, control_before: F64) -> tuple[float, ...]:
    """What each covariate by itself explains of the outcome's variance within the groups, 0 to 1.

    The squared correlation; a covariate that says nothing comes to 1 / people on average. Arguments as those
    of `adjust`, covariates of shape (n, k); 0 for one that does not vary.
    """
    x = np.concatenate([one - one.mean(axis=0) for one in (treated_before, control_before)])
    y = np.concatenate([one - one.mean() for one in (treated, control)])
    both = np.sum(x * x, axis=0) * float(y @ y)
    along = (x.T @ y) ** 2
    return tuple(float(a / b) if b > 0.0 else 0.0 for a, b in zip(along, both, strict=True))


def cuped(
    treated: F64,
    control: F64,
    treated_before: F64,
    control_before: F64,
    look_back_days: float,
    level: float = LEVEL,
) -> Estimate | Refused:
    """Difference of adjusted means with Welch's interval; arguments as those of `adjust`.

    The thetas estimated cost as many degrees of freedom, which widens the interval where people are few.
    """
    found = adjust(treated, control, treated_before, control_before, look_back_days)
    if isinstance(found, Refused):
        return found
    n_t, n_c, k = len(treated), len(control), sum(t != 0.0 for t in found.theta)
    n = n_t + n_c
    v_t, v_c = float(np.var(found.treated, ddof=1)) / n_t, float(np.var(found.control, ddof=1)) / n_c
    total = v_t + v_c
    if not total > 0.0:
        return Refused("cuped", "the covariates explain all of the outcome: chance cannot be told", n)
    df = total * total / (v_t * v_t / (n_t - 1) + v_c * v_c / (n_c - 1))
    lost = (n - 2) / (n - 2 - k)
    value = float(found.treated.mean() - found.control.mean())
    return interval_of(value, sqrt(total * lost), max(1.0, df - k), n, "cuped", level)
