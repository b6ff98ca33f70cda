"""One tick of lockstep: what has come in, applied in the order (simulated time, door, stable id)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np

from marketing.behaviours import BehaviourBatch
from marketing.channels import Inbound, in_order
from marketing.engine import Decision

__all__ = ["apply_tick"]


class _Engine(Protocol):
    def on_batch(self, batch: BehaviourBatch, now_us: int) -> Sequence[Decision]: ...
    def on_timers(self, until_us: int, now_us: int = 0) -> Sequence[Decision]: ...


class _Dispatcher(Protocol):
    def take(self, decisions: Iterable[Decision]) -> None: ...
    def take_inbound(self, inbound: Inbound) -> None: ...


def apply_tick(
    engine: _Engine,
    dispatcher: _Dispatcher,
    rows: BehaviourBatch,
    inbound: list[Inbound],
    from_us: int,
    until_us: int,
    stepped: Callable[[], None] = lambda: None,
) -> list[Inbound]:
    """Takes in everything up to a tick's end; at one instant: signalling, messages, timers.

    Args:
        engine: Decides.
        dispatcher: Makes decisions true.
        rows: Behaviours of the tick, in the order of their time.
        inbound: Receipts, replies and answers that have come.
        from_us: The time reached, Unix us; nothing is decided for an earlier one.
        until_us: The tick's end, Unix us.
        stepped: Called after each step of the engine.

    Returns:
        What has come and is of a later time.
    """

    def step(some: BehaviourBatch, since_us: int, to_us: int) -> None:
        if len(some):
            dispatcher.take(engine.on_batch(some, since_us))
        dispatcher.take(engine.on_timers(to_us, since_us))
        stepped()

    later: list[Inbound] = []
    if inbound:
        inbound.sort(key=in_order)
        due = [one for one in inbound if one.t_us <= until_us]
        later = inbound[len(due) :]
        for one in due:
            split = int(np.searchsorted(rows["t_us"], one.t_us, side="right"))
            step(rows[:split], from_us, one.t_us - 1)
            dispatcher.take_inbound(one)
            rows, from_us = rows[split:], max(from_us, one.t_us)
    step(rows, from_us, until_us)
    return later
