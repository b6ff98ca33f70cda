"""Non-inferiority: all verdicts, both ways of harm, and its error."""

from functools import cache

import numpy as np
import pytest

from experiments.inference import Estimate, Refused
from experiments.inference.guardrails import non_inferior
from experiments.inference.intervals import difference


@pytest.mark.parametrize(
    ("low", "high", "harm", "verdict", "room"),
    [
        (-0.01, 0.004, "up", "held", 0.001),
        (-0.01, 0.005, "up", "undecided", 0.0),
        (-0.01, 0.02, "up", "undecided", -0.015),
        (0.006, 0.02, "up", "broken", -0.015),
        (0.001, 0.004, "up", "held", 0.001),  # worse for sure, and by less than matters
        (-0.004, 0.02, "down", "held", 0.001),
        (-0.02, -0.006, "down", "broken", -0.015),
        (-0.006, 0.1, "down", "undecided", -0.001),
    ],
)
def test_verdicts(low, high, harm, verdict, room):
    found = non_inferior(Estimate((low + high) / 2, low, high, 0.01, 100, "x"), 0.005, harm)
    assert found.verdict == verdict
    assert found.room == pytest.approx(room)


def test_no_interval_decides_nothing():
    found = non_inferior(Refused("x", "nobody was observed", 0), 0.005)
    assert (found.verdict, found.room) == ("undecided", None)
    with pytest.raises(ValueError, match="margin 0"):
        non_inferior(Refused("x", "nobody", 0), 0.0)


def test_at_the_margin_it_is_held_once_in_forty():
    # Complaints 3.5 % against 3 %, the margin half a point: held by mistake in 2.5 % of 4,000 runs, at most
    # 3.6 % but for 1 in 100,000 seeds.
    rng = np.random.Generator(np.random.PCG64(8))
    a, b = rng.binomial(3000, 0.035, 4000), rng.binomial(3000, 0.03, 4000)
    of = cache(difference)
    held = sum(
        non_inferior(of(x, 3000, y, 3000), 0.005).verdict == "held"
        for x, y in zip(a.tolist(), b.tolist(), strict=True)
    )
    assert 0.015 <= held / 4000 <= 0.036
