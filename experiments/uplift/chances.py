"""What the response model makes likely: probabilities of the very draws by which it decides.

No formula is evaluated: a probability is the share of the 2^32 draws that say yes, found by bisection, since
the tables behind the draws rise. So nothing here differs from what replays would show in the limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import EXPONENTIAL, LOGISTIC
from sim.subscribers.response import ResponseModel, organic_wait_us

__all__ = ["p_organic", "p_take_up"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
_WHOLE: Final = 1 << 32


def _share(yes: Callable[[I64], NDArray[np.bool_]], n: int) -> I64:
    """How many of the draws 0 to 2^32 - 1 come before the first of which `yes` holds, per row.

    Of all that come after it holds too.
    """
    low, high = np.zeros(n, np.int64), np.full(n, _WHOLE, np.int64)
    for _ in range(33):
        middle = (low + high) // 2
        held = yes(np.minimum(middle, _WHOLE - 1)) & (middle < _WHOLE)
        high = np.where(held, middle, high)
        low = np.where(held | (low >= high), low, np.minimum(middle + 1, high))
    return high


def p_take_up(eta_q16: I64) -> F64:
    """P(take up) of contacts with these logits, units of 1/65536."""

    def yes(draw: I64) -> NDArray[np.bool_]:
        agreed: NDArray[np.bool_] = eta_q16 + LOGISTIC.quantile(draw.astype(np.uint32)) >= 0
        return agreed

    return (_WHOLE - _share(yes, len(eta_q16))) / _WHOLE


def p_organic(model: ResponseModel, sub: I64, offer: I64, within_us: I64) -> F64:
    """P(organic take-up within a time, given none before it), row by row; waits have no memory.

    Args:
        model: How people respond.
        sub: Subscribers.
        offer: Indices of the model's offers.
        within_us: Times.
    """
    rate = np.zeros(len(sub), np.int64)
    for index in np.unique(offer).tolist():
        of_it = offer == index
        rate[of_it] = model.organic_rate(index, sub[of_it])

    def later(draw: I64) -> NDArray[np.bool_]:
        late: NDArray[np.bool_] = (
            organic_wait_us(EXPONENTIAL.quantile(draw.astype(np.uint32)), rate) >= within_us
        )
        return late

    return np.where(rate > 0, _share(later, len(sub)) / _WHOLE, 0.0)
