"""Load shapes: the rates that a shape means, schedules that meet them, keys that fit or are named."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from experiments.latency.shapes import SHAPES, Load, counted, even, offered, spread
from experiments.latency.worldtime import WorldTime
from experiments.problems import RunInvalid

START_US = 36_000_000_000

_FLASH = {"rate_per_s": 10, "to_per_s": 100, "at_s": 2, "rise_s": 1, "fall_s": 2}
SHAPED = [
    # keys, messages in all, (time, rate there)
    ({"shape": "fixed", "seconds": 10, "rate_per_s": 50}, 500, [(1, 50), (5, 50)]),
    (
        {"shape": "step", "seconds": 10, "rate_per_s": 50, "to_per_s": 150, "at_s": 4},
        1100,
        [(3, 50), (5, 150)],
    ),
    ({"shape": "ramp", "seconds": 10, "rate_per_s": 0.001, "to_per_s": 100}, 500, [(5, 50), (9, 90)]),
    (
        {"shape": "saw-tooth", "seconds": 9, "rate_per_s": 10, "to_per_s": 90, "period_s": 3},
        450,
        [(1.5, 50), (2.9, 87.3), (3.1, 12.7), (7.5, 50)],
    ),
    (
        # 10 x 20, and above it a triangle of 1 s x 90 / 2 and 90 x 2 s x (1 - e^-6) under the fall
        {"shape": "flash-crowd", "seconds": 20, **_FLASH},
        425,
        [(1, 10), (3, 100), (5, 10 + 90 / np.e), (19, 10)],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "total", "rates"), SHAPED, ids=lambda value: str(value)[:24])
def test_a_shape_offers_what_it_says(keys, total, rates):
    load = Load(**keys)
    knots = SHAPES[load.shape].knots(load)
    at_s, upto = counted(knots)
    assert at_s[0] == 0
    assert at_s[-1] == load.seconds
    assert upto[-1] == pytest.approx(total, rel=0.01)
    assert np.all(np.diff(at_s) > 0)
    assert np.all(np.diff(upto) >= 0)
    for t, rate in rates:
        around = offered(knots, np.array([t - 0.05, t + 0.05]))
        assert (around[1] - around[0]) / 0.1 == pytest.approx(rate, rel=0.06, abs=0.1)


def wire(t_us):
    n = len(t_us)
    return SimpleNamespace(
        t_us=np.asarray(t_us, np.int64),
        data=b"x" * 8 * n,
        offsets=8 * np.arange(n + 1, dtype=np.int64),
        sls=(np.arange(n) % 256).astype(np.uint8),
        corr=np.arange(1, n + 1, dtype=np.int64),
    )


@given(
    gaps=st.lists(st.integers(0, 3_000_000), min_size=40, max_size=300),
    low=st.integers(5, 40),
    high=st.integers(41, 120),
)
@settings(max_examples=60, deadline=None)
def test_a_schedule_meets_the_counts_and_keeps_the_order_of_the_world(gaps, low, high):
    t_us = START_US + 1 + np.cumsum(np.maximum(gaps, 1))
    n = len(t_us)
    knots = [(0.0, float(low)), (1.0, float(low)), (1.0, float(high)), (1.0 + (n - low) / high, float(high))]
    at_s, upto = counted(knots)
    upto[-1] = n
    plan = spread(wire(t_us), START_US, at_s, upto, 16, most_factor=20)
    assert np.all(np.diff(plan.intended_ns) >= 0)
    assert plan.intended_ns[-1] == round(at_s[-1] * 1e9)
    assert np.count_nonzero(plan.intended_ns <= 1e9 + 1) in range(low - 1, low + 2)
    assert plan.batch.streams.min() >= 1
    # World time and schedule are the same map, both ways.
    for at, t in zip(plan.intended_ns[::7].tolist(), t_us[::7].tolist(), strict=True):
        assert abs(plan.time.due_ns(t) - at) <= 2
        assert abs(plan.time.at_us(at) - t) <= 1 + (t_us[-1] - START_US) / plan.intended_ns[-1] * 2


def test_a_world_too_small_is_said():
    with pytest.raises(RunInvalid, match="too small: 3 messages in 40 simulated seconds, 100 needed"):
        spread(
            wire([START_US + 1, START_US + 2, START_US + 3]), START_US, *even(2.0, 50.0), 16, most_factor=20
        )


def test_an_even_world_goes_on_behind_its_knots():
    time = WorldTime.even(START_US, 10.0)
    assert time.factor == pytest.approx(10)
    assert time.at_us(2_000_000_000) == START_US + 20_000_000
    assert time.due_ns(START_US + 20_000_000) == 2_000_000_000
    assert time.at_us(-1_000_000_000) == START_US - 10_000_000
    assert time.due_ns(START_US + 2 * 3_600_000_000) == 720_000_000_000
    with pytest.raises(ValueError, match="ascend"):
        WorldTime([0, 0], [1, 2])


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"shape": "fixed"}, "needs rate_per_s"),
        ({"shape": "fixed", "rate_per_s": 5, "to_per_s": 6}, "has no to_per_s"),
        ({"shape": "step", "rate_per_s": 5, "to_per_s": 6, "at_s": 20}, "expected less than seconds, 20"),
        ({"shape": "day"}, "needs factor"),
        ({"shape": "capture", "factor": 1}, "needs file"),
        ({"shape": "triangle"}, "saw-tooth"),
    ],
)
def test_keys_that_do_not_fit_are_named(keys, said):
    with pytest.raises(ValidationError, match=said):
        Load(**keys)


def test_every_shape_of_the_keys_is_in_the_table():
    assert set(SHAPES) == set(Load.model_fields["shape"].annotation.__args__)
