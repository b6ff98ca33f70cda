"""Two populations that are not like life, to see whether the realism study notices.

* `Waypoint`: people go from one cell drawn uniformly to the next, day and night, with pauses drawn uniformly
  (the random waypoint model). Handsets, calls and texts are those of the world's people. Where they pause
  they stay at a point: worlds for them are built without rooms (`network.radio.room_db: 0`).
* `UniformUse`: calls and texts come uniformly over time and subscribers, to anybody, and talk is uniform.
  Where people go and when their handsets are on is as in the world.

Both draw what the world's days hold once and then answer for any span of time.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import scale, threshold_q32
from sim.network.intents import (
    ANSWER,
    BY_CALLEE,
    BY_CALLER,
    DAY_US,
    FROM_OTHER_NETWORK,
    INSIDE,
    NO_ANSWER,
    TEXT_IN,
    TEXT_INSIDE,
    TEXT_OUT,
    TO_OTHER_NETWORK,
)
from sim.run import Inhabitants
from sim.scenario import WorldScenario
from sim.subscribers.usage import TEXTS, Calls, Texts
from sim.subscribers.walk import Trips, walk
from sim.world import World

__all__ = ["UniformUse", "Waypoint"]

# Purposes of draws, far from those of worlds.
_TRIPS, _CALLS, _TEXTS = 60_001, 60_002, 60_003
_LONGEST_PAUSE_US: Final = 4 * 3_600_000_000
_ANSWERED: Final = 0.85
_OTHER_NUMBER: Final = b"8613312345678"
I64 = NDArray[np.int64]


class Waypoint(Inhabitants):
    """Random waypoint trips over the cell map."""

    def __init__(self, world: World, days: int) -> None:
        super().__init__(world)
        self._start, self._trips = _waypoint_trips(world, days * DAY_US)

    def trips(self, from_us: int, to_us: int) -> Trips:
        return self._trips.between(from_us, to_us)

    def state_at(self, t_us: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        _, on = super().state_at(t_us)
        cell = self._start.copy()
        entered = walk(self._world.topology, self._trips.between(0, t_us + 1))
        past = entered.t_us <= t_us
        cell[entered.sub[past]] = entered.cell[past]  # in order of time: the last one stays
        return cell, on


def _waypoint_trips(world: World, end_us: int) -> tuple[NDArray[np.int32], Trips]:
    """First cells, and trips one after another until the end."""
    who, ground = np.arange(world.n, dtype=np.int64), world.topology
    first = scale(world.draws.u32(_TRIPS, who, 0xFFFFFFFF), ground.n)
    here, free_us = first.copy(), np.zeros(world.n, np.int64)
    rows, leg = [], 0
    while len(who):
        u = world.draws.block(_TRIPS, who, 0, leg)
        leave = free_us[who] + scale(u[0], _LONGEST_PAUSE_US // 1000) * 1000 + 60_000_000
        # Any cell but the one where somebody is.
        target = (here[who] + 1 + scale(u[1], ground.n - 1)) % ground.n
        metres = ground.distance_m[here[who], target].astype(np.int64)
        ride = metres * 1_000_000_000 // (7_000 + scale(u[2], 8_000))
        goes = leave < end_us
        rows.append([column[goes] for column in (who, leave, ride, here[who], target)])
        who, leg = who[goes], leg + 1
        here[who], free_us[who] = target[goes], (leave + ride)[goes]
    sub, leave, ride, start, end = (np.concatenate(column) for column in zip(*rows, strict=True))
    order = np.lexsort((leave, sub))
    trips = Trips(
        sub[order], leave[order], ride[order], start[order].astype(np.int32), end[order].astype(np.int32)
    )
    return first.astype(np.int32), trips


class UniformUse(Inhabitants):
    """As many calls and texts as the world has, of anybody at any time."""

    def __init__(self, world: World, days: int) -> None:
        super().__init__(world)
        self._calls = _uniform_calls(world, days)
        self._texts = _uniform_texts(world, days)

    def calls(self, from_us: int, to_us: int) -> Calls:
        columns = _between(self._calls.t_us, from_us, to_us)
        return Calls(*(getattr(self._calls, name)[columns] for name in Calls.__dataclass_fields__))

    def texts(self, from_us: int, to_us: int) -> Texts:
        columns = _between(self._texts.t_us, from_us, to_us)
        return Texts(*(getattr(self._texts, name)[columns] for name in Texts.__dataclass_fields__))


def _between(t_us: I64, from_us: int, to_us: int) -> slice:
    return slice(*np.searchsorted(t_us, (from_us, to_us)).tolist())


def _events(
    world: World, purpose: int, days: int, per_day: float
) -> tuple[I64, I64, list[NDArray[np.uint32]]]:
    """A Poisson process over time and people, given its number of events; and eight more draws for each."""
    n = round(per_day * days * world.n)
    u = [row for block in range(3) for row in world.draws.block(purpose, np.arange(n), 0, block)]
    sub = scale(u[0], world.n)
    t_us = scale(u[1], days * DAY_US // 1_000_000) * 1_000_000 + scale(u[2], 1_000_000)
    order = np.lexsort((sub, t_us))
    return t_us[order], sub[order], [row[order] for row in u[3:]]


def _someone_else(world: World, sub: I64, u: NDArray[np.uint32]) -> I64:
    return np.asarray((sub + 1 + scale(u, max(world.n - 1, 1))) % world.n)


def _uniform_calls(world: World, days: int) -> Calls:
    use: WorldScenario = world.scenario
    made, received = (
        use.usage.calls_per_day + use.usage.service_calls_per_day,
        use.usage.incoming_calls_per_day,
    )
    t_us, sub, u = _events(world, _CALLS, days, made + received)
    comes = u[0] < threshold_q32(received / (made + received))
    inside = ~comes & (u[1] < threshold_q32(use.usage.inside_share if world.n > 1 else 0.0))
    peer = np.where(inside, _someone_else(world, sub, u[2]), -1)
    number = np.full(len(sub), _OTHER_NUMBER, "S20")
    number[inside] = world.population.msisdn[peer[inside]].astype("S20")
    kind = np.where(comes, FROM_OTHER_NETWORK, np.where(inside, INSIDE, TO_OTHER_NETWORK))
    talk_us = scale(u[3], round(2_000 * use.usage.talk_mean_s)) * 1_000
    return Calls(
        t_us=t_us,
        sub=sub,
        ordinal=np.arange(len(sub), dtype=np.int32),
        kind=kind.astype(np.uint8),
        peer_sub=peer.astype(np.int32),
        peer_number=number,
        alert_us=np.full(len(sub), 2_000_000, np.int64),
        ring_us=scale(u[4], 14_000) * 1_000 + 500_000,
        talk_us=np.maximum(talk_us, 2_000_000),
        intent=np.where(u[5] < threshold_q32(_ANSWERED), ANSWER, NO_ANSWER).astype(np.uint8),
        hangup=np.where(u[6] & 1, BY_CALLER, BY_CALLEE).astype(np.uint8),
    )


def _uniform_texts(world: World, days: int) -> Texts:
    use = world.scenario.usage
    sent, received = use.texts_per_day, use.incoming_texts_per_day
    t_us, sub, u = _events(world, _TEXTS, days, sent + received)
    comes = u[0] < threshold_q32(received / max(sent + received, 1e-9))
    inside = ~comes & (u[1] < threshold_q32(use.inside_share if world.n > 1 else 0.0))
    peer = np.where(inside, _someone_else(world, sub, u[2]), -1)
    number = np.full(len(sub), _OTHER_NUMBER, "S20")
    number[inside] = world.population.msisdn[peer[inside]].astype("S20")
    return Texts(
        t_us=t_us,
        sub=sub,
        ordinal=np.arange(len(sub), dtype=np.int32),
        kind=np.where(comes, TEXT_IN, np.where(inside, TEXT_INSIDE, TEXT_OUT)).astype(np.uint8),
        peer_sub=peer.astype(np.int32),
        peer_number=number,
        text_id=scale(u[3], len(TEXTS)).astype(np.uint8),
    )
