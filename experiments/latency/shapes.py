"""Load shapes: how many messages a second, over the seconds of a phase; and the schedules made of them.

A shape gives rates as straight lines between knots. The messages are the signalling of a world, in their
order and with their own rhythm from moment to moment; the shape stretches and squeezes the world's time so
that the right number has been sent at each knot. All is drawn before the first send, the same for a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from experiments.latency.pacing import Schedule
from experiments.latency.worldtime import WorldTime
from experiments.problems import RunInvalid
from experiments.weave import streams_of
from marketing.config import ExistingFile, Strict
from sigtran import MessageBatch

__all__ = ["SHAPES", "Load", "Shape", "counted", "even", "offered", "spread"]

GRID_S: Final = 0.1
"""Where the rate changes, the world's time is fitted to it so often."""
FALLS: Final = 6
"""A flash crowd is followed for so many of its time constants."""


class Load(Strict):
    """What is offered over time."""

    shape: Literal["fixed", "step", "ramp", "saw-tooth", "flash-crowd", "day", "capture"] = "fixed"
    """fixed: one rate. step: another from at_s on. ramp: evenly from one to the other. saw-tooth: the same
    again and again, a period each. flash-crowd: up within rise_s at at_s, then down with the time constant
    fall_s. day: the world as it is, factor times as fast. capture: a file, factor times as fast."""
    seconds: float = Field(default=20.0, gt=0, le=3600)
    """How long it takes on the wall clock, seconds; a capture may end before."""
    rate_per_s: float | None = Field(default=None, gt=0, le=1_000_000)
    """Messages a second: the rate, or that from which the shape starts."""
    to_per_s: float | None = Field(default=None, gt=0, le=1_000_000)
    """step, ramp, saw-tooth, flash-crowd: messages a second that it comes to."""
    at_s: float | None = Field(default=None, ge=0, le=3600)
    """step, flash-crowd: when, seconds after the beginning."""
    period_s: float | None = Field(default=None, ge=GRID_S, le=3600)
    """saw-tooth: seconds from one edge to the next."""
    rise_s: float | None = Field(default=None, gt=0, le=3600)
    """flash-crowd: seconds from the first to the most."""
    fall_s: float | None = Field(default=None, gt=0, le=3600)
    """flash-crowd: seconds in which what it is above the first falls to 37 %."""
    factor: float | None = Field(default=None, gt=0, le=10_000)
    """day, capture: simulated or recorded seconds a real second."""
    file: ExistingFile | None = None
    """capture: the pcapng or pcap."""

    @model_validator(mode="after")
    def _fits(self) -> Load:
        needs = SHAPES[self.shape].needs
        given = {name for name in _OWN if getattr(self, name) is not None}
        if lacking := [name for name in needs if name not in given]:
            raise ValueError(f"a load of shape {self.shape} needs {', '.join(lacking)}")
        if beside := sorted(given - set(needs)):
            raise ValueError(f"a load of shape {self.shape} has no {', '.join(beside)}")
        if self.at_s is not None and self.at_s >= self.seconds:
            raise ValueError(f"at_s: expected less than seconds, {self.seconds:g}")
        knots_of = SHAPES[self.shape].knots
        if knots_of is not None and not counted(knots_of(self))[1][-1]:
            raise ValueError(f"seconds: not one message in {self.seconds:g} s at these rates; expected more")
        return self


_OWN: Final = ("rate_per_s", "to_per_s", "at_s", "period_s", "rise_s", "fall_s", "factor", "file")
Knots = list[tuple[float, float]]
"""Seconds since the beginning and messages a second there; straight between them. Two at one time: a jump."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One row of the table."""

    needs: tuple[str, ...]
    """Keys of `Load` that it has beside `seconds`; all are needed."""
    knots: Callable[[Load], Knots] | None
    """None: the rates are those of the world, or of the capture."""


def _number(value: float | None) -> float:
    assert value is not None  # the model has seen to it
    return value


def _step(load: Load) -> Knots:
    low, high, at = (_number(x) for x in (load.rate_per_s, load.to_per_s, load.at_s))
    return [(0.0, low), (at, low), (at, high), (load.seconds, high)]


def _saw_tooth(load: Load) -> Knots:
    low, high, period = (_number(x) for x in (load.rate_per_s, load.to_per_s, load.period_s))
    knots: Knots = []
    at = 0.0
    while at < load.seconds:
        end = min(at + period, load.seconds)
        knots += [(at, low), (end, low + (high - low) * (end - at) / period)]
        at += period
    return knots


def _flash_crowd(load: Load) -> Knots:
    low, high, at = (_number(x) for x in (load.rate_per_s, load.to_per_s, load.at_s))
    rise, fall = _number(load.rise_s), _number(load.fall_s)
    top = at + rise
    times = [top + step * fall / 10 for step in range(10 * FALLS + 1)]
    curve = [(t, low + (high - low) * exp(-(t - top) / fall)) for t in times]
    knots = [(0.0, low), (at, low), *curve, (max(load.seconds, times[-1]), low)]
    return _cut(knots, load.seconds)


def _cut(knots: Knots, seconds: float) -> Knots:
    """The knots up to `seconds`, with one exactly there."""
    kept = [knot for knot in knots if knot[0] < seconds]
    rate = float(np.interp(seconds, [t for t, _ in knots], [rate for _, rate in knots]))
    return [*kept, (seconds, rate)]


SHAPES: Final[Mapping[str, Shape]] = {
    "fixed": Shape(
        ("rate_per_s",), lambda load: [(t, _number(load.rate_per_s)) for t in (0.0, load.seconds)]
    ),
    "step": Shape(("rate_per_s", "to_per_s", "at_s"), _step),
    "ramp": Shape(
        ("rate_per_s", "to_per_s"),
        lambda load: [(0.0, _number(load.rate_per_s)), (load.seconds, _number(load.to_per_s))],
    ),
    "saw-tooth": Shape(("rate_per_s", "to_per_s", "period_s"), _saw_tooth),
    "flash-crowd": Shape(("rate_per_s", "to_per_s", "at_s", "rise_s", "fall_s"), _flash_crowd),
    "day": Shape(("factor",), None),
    "capture": Shape(("factor", "file"), None),
}
"""Name of the shape -> what it needs and is."""


def offered(knots: Knots, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Messages offered since the beginning, at each time: the area under the rates."""
    times = np.array([t for t, _ in knots])
    rates = np.array([rate for _, rate in knots])
    area = np.concatenate(([0.0], np.cumsum(np.diff(times) * (rates[1:] + rates[:-1]) / 2)))
    i = np.clip(np.searchsorted(times, at_s, side="right") - 1, 0, len(times) - 2)
    width = times[i + 1] - times[i]
    since = np.clip(at_s - times[i], 0.0, width)
    slope = np.divide(rates[i + 1] - rates[i], width, out=np.zeros_like(width), where=width > 0)
    return np.asarray(area[i] + rates[i] * since + slope * since**2 / 2, np.float64)


def counted(knots: Knots) -> tuple[list[float], list[int]]:
    """Times and how many messages have been sent by then, close enough where the rate changes."""
    end = knots[-1][0]
    times = {t for t, _ in knots}
    for (a, rate_a), (b, rate_b) in pairwise(knots):
        if rate_a != rate_b:
            times |= set(np.arange(a, b, GRID_S).tolist())
    at = np.array(sorted(t for t in times if t <= end))
    return at.tolist(), np.round(offered(knots, at)).astype(int).tolist()


def even(seconds: float, rate_per_s: float) -> tuple[list[float], list[int]]:
    """`counted` of one rate."""
    return [0.0, seconds], [0, round(seconds * rate_per_s)]


def spread(
    batch: Any, start_us: int, at_s: Sequence[float], upto: Sequence[int], streams: int, *, most_factor: float
) -> Schedule:
    """The schedule of the first `upto[-1]` messages of the world, the first `upto[k]` of them by `at_s[k]`.

    Args:
        batch: These messages, from `start_us` on, and no others.
        start_us: World time at which the phase begins.
        at_s: Seconds since the beginning, ascending from 0.
        upto: Messages sent by then, ascending from 0.
        streams: Streams of the association.
        most_factor: What the world was looked through with, for the message.

    Raises:
        RunInvalid: the world has too little signalling for the rates.
    """
    t_us, seconds, wanted = batch.t_us, at_s[-1], upto[-1]
    if len(t_us) < wanted or not wanted:
        raise RunInvalid(
            f"the live world is too small: {len(t_us)} messages in {most_factor * seconds:g} "
            f"simulated seconds, {wanted} needed for {wanted / seconds:g}/s at factor {most_factor:g}"
        )
    knots = [(0, start_us)]
    last = (round(seconds * 1e9), int(t_us[-1]))
    for at, n in zip(at_s[1:-1], upto[1:-1], strict=True):
        knot = (round(at * 1e9), int(t_us[n - 1]) if n else start_us)
        # Messages of one instant of the world cannot be drawn apart: they stay together.
        if all(a < b for a, b in zip(knots[-1], knot, strict=True)) and all(
            a < b for a, b in zip(knot, last, strict=True)
        ):
            knots.append(knot)
    knots.append(last)
    at_ns, at_us = zip(*knots, strict=True)
    intended = np.interp(t_us.astype(np.float64), at_us, at_ns).astype(np.int64)
    messages = MessageBatch(batch.data, batch.offsets, streams_of(batch.sls, streams))
    return Schedule(messages, intended, batch.corr.astype(np.int64), WorldTime(at_ns, at_us))
