"""Where people go besides home and work: exploration and preferential return without a history.

The model of Song, Koren, Wang and Barabasi (Nature Physics 6, 2010): whoever knows S places goes to a new
one with the chance rho S**-gamma, at a heavy-tailed distance, else back to a known one, as often as it was
visited before. Here everything has to be a function of (seed, subscriber, day), so what follows from these
laws is drawn instead of what leads to it:

* everybody has a list of places, keyed by (seed, subscriber, k); place k is of a kind the segment likes, at a
  distance from home (every third place: from work) as `exploration_make` has it;
* on day d the first S of them are known, S = ((1 + gamma) rho t)**(1 / (1 + gamma)), t being the outings made
  by then: one and a half for each day of the world and each lived here before (keyed, 60 to 600); on the day
  on which S grows an outing leads to place S, if it is open; that is a share rho S**-gamma of outings;
* any other outing leads to a known place of rank r with a chance as (r + 2)**-(1 + gamma), which is what the
  model's visits come to (home and work, at fixed hours, are the first two); a closed place makes it the next
  draw, and then somewhere about town.

Rounds (work away from the place of work) lead to sites and customers, a list of their own of the same laws.
Where a map ends, cells at its far side stand for those that are not there (`_rarity_q8`).

So the growth of what is known, Zipf's law of visits and the lengths of jumps are the model's; what is not:
ranks stay for life, and a place that became known on a day spent at home is first visited by a return.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.draws import ONE_Q16, U32, Draws, Table, scale, shares_q32, threshold_q32
from sim.place_kinds import KIND_INDEX, PLACE_KINDS
from sim.subscribers import exploration_tables
from sim.subscribers.habitat import Ground, Habitat
from sim.subscribers.segments import SEGMENTS

I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

TOWN: Final = "town"
"""Name of the kind of no place in particular: any cell outdoors."""
_TOWN_STAY_MIN = 60
_ROUNDS_MIN = 75  # median of what somebody stays at a customer's or on a site
_SLOTS = 64  # of a quantile function over destinations: octaves of the tail in eight pieces
_LIKING_SLOTS = 1024
_FROM_WORK = 3
_RING = 8  # cells to either side that say how many there are at a distance
_NEAR_M = 2_000  # a kind of place so near is always worth a way
_LIVED_HERE = (60, 540)  # days before the world began: at least, and how many more
_RELATIVES_SHARE = 0.6  # of outings at the Spring Festival are visits to homes
# Kinds are visited as the segment likes them, times this: a place may be full of people who did not come on
# an outing (they work, wait or sleep there), or be needed now and then only.
_AS_OUTING: Final[dict[str, float]] = {
    "airport": 0.0, "office": 0.0, "bus-stop": 0.0, "station": 0.1, "coach-station": 0.1, "dormitory": 0.1,
    "hotel": 0.1, "sanatorium": 0.05, "exam-site": 0.05, "resort": 0.15, "recruitment-site": 0.1,
    "car-dealer": 0.15, "job-market": 0.2, "government-office": 0.2, "conference-centre": 0.2,
    "insurance": 0.2, "golf": 0.2, "filling-station": 0.3, "bank-vip": 0.3, "hospital": 0.4, "scenic": 0.6,
}  # fmt: skip

WAITING: Final = Table(
    "waiting", np.array(exploration_tables.WAITING_LOWER + exploration_tables.WAITING_UPPER, dtype=np.int64)
)
"""Stays in medians of the kind of place."""
_RETURN: Final = np.array(exploration_tables.RETURN, dtype=np.int64)
_KNOWN_AFTER: Final = np.array(exploration_tables.KNOWN_AFTER, dtype=np.int64)
_DISTANCE: Final = np.array(exploration_tables.DISTANCE, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Destinations:
    """The map as somebody sees it who looks for a place to go."""

    kinds: tuple[str, ...]
    """Kinds of places there are; the last is TOWN."""
    near: NDArray[np.int16]
    """Quantiles of destinations by distance: shape (kinds, cells, 64)."""
    worth_q16: I64
    """Chance that anybody goes to a place of the kind from a cell, as far as it is; shape (kinds, cells)."""
    liked: NDArray[np.uint8]
    """Kinds by the segment's liking, as a quantile function: shape (segments, 1024)."""
    opened: Flags
    """Shape (kinds, 2, 24): on weekdays and on free days, by the hour."""
    stay_min: I64
    """Median stay by kind."""

    def cells(self, kind: str, anchor: I64, u: U32) -> I64 | None:
        """Cells of places of a kind, as likely as they are near; None if there are none."""
        if kind not in self.kinds:
            return None
        found: I64 = self.near[self.kinds.index(kind), anchor, slot(u)].astype(np.int64)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Outing:
    """Where to, and for how long."""

    cell: I64
    stay_us: I64


@lru_cache(maxsize=2)
def destinations(ground: Ground) -> Destinations:
    """What a map offers; made once a map."""
    kinds = [row.name for row in PLACE_KINDS if len(ground.cells_of_kind(row.name))]
    cells = [ground.cells_of_kind(kind).astype(np.int64) for kind in kinds]
    town = np.flatnonzero((ground.kind != 1) & (ground.place < 0))
    near, weight = zip(*[_near(ground, some, some is town) for some in (*cells, town)], strict=True)
    worth = np.minimum(np.stack(weight) * ONE_Q16 // _weight(_NEAR_M * _NEAR_M), ONE_Q16)
    worth[-1] = ONE_Q16
    return Destinations(
        kinds=(*kinds, TOWN),
        near=np.stack(near),
        worth_q16=worth,
        liked=_liked(tuple(kinds)),
        opened=np.stack([_opened(kind) for kind in kinds] + [np.ones((2, 24), dtype=np.bool_)]),
        stay_min=np.array([PLACE_KINDS[KIND_INDEX[kind]].stay_min for kind in kinds] + [_TOWN_STAY_MIN]),
    )


def slot(u: U32) -> I64:
    """The slot of the quantile function: octaves of 1 - u, so that rare far places keep their share."""
    tail = (np.uint32(0xFFFFFFFF) - u).astype(np.int64) | 1
    bits = tail.astype(np.float64).view(np.int64)  # exact
    found = (bits >> 49) - (1023 << 3) - 8 * 24
    return np.asarray(np.maximum(found, 0))


def _weight(square: ArrayLike) -> I64:
    """How much somebody is drawn to a place, by the square of its distance in metres."""
    bits = np.maximum(np.asarray(square, dtype=np.int64), 1).astype(np.float64).view(np.int64)
    weight: I64 = _DISTANCE[np.minimum((bits >> 48) - (1023 << 4), len(_DISTANCE) - 1)]
    return weight


def _near(ground: Ground, cells: I64, elsewhere: bool) -> tuple[NDArray[np.int16], I64]:
    """Quantiles over some cells from every cell, by distance, and the weight of them all.

    `elsewhere`: the cell itself is none of them.
    """
    x, y = ground.spot_x_m.astype(np.int64), ground.spot_y_m.astype(np.int64)
    piece = np.arange(_SLOTS, dtype=np.int64)
    tail = (17 + 2 * (piece % 8)) << (piece // 8)  # middle of the slot, of 4096
    out, total = np.empty((len(x), _SLOTS), dtype=np.int16), np.empty(len(x), dtype=np.int64)
    for first in range(0, len(x), 256):
        some = np.arange(first, min(first + 256, len(x)))
        square = (x[some, None] - x[cells]) ** 2 + (y[some, None] - y[cells]) ** 2
        order = np.argsort(square, axis=1, kind="stable")
        square = np.take_along_axis(square, order, axis=1)
        weight = _weight(square)
        if elsewhere and len(cells) > 1:
            weight = np.where(cells[order] == some[:, None], 0, weight * _rarity_q8(square) >> 8)
        sums = np.cumsum(weight, axis=1)
        total[some] = sums[:, -1]
        wanted = sums[:, -1:] * (4096 - tail) >> 12
        # All rows in one search: each row's sums above those of the row before.
        base = (np.arange(len(some), dtype=np.int64) << 48)[:, None]
        at = np.searchsorted((sums + base).reshape(-1), (wanted + base).reshape(-1), side="right")
        at = np.minimum(
            at.reshape(len(some), _SLOTS) - np.arange(len(some))[:, None] * len(cells), len(cells) - 1
        )
        out[some] = cells[np.take_along_axis(order, at, axis=1)]
    return out, total


def _rarity_q8(square: I64) -> I64:
    """How much fewer cells there are at each distance than about the anchor, one to four, in 256ths.

    Beyond the edge of a town there is nowhere to go: the cells that are as far have to stand for those that
    are not there, or jumps would be shorter than their law. Rows are squared distances in ascending order.
    """
    n = square.shape[1]
    if n <= 2 * _RING:
        return np.full_like(square, 256)
    index = np.arange(n)
    first, last = np.maximum(index - _RING, 0), np.minimum(index + _RING, n - 1)
    ring = (square[:, last] - square[:, first]) // (last - first)
    here = np.maximum(square[:, 2 * _RING] // (2 * _RING), 1)
    rarity: I64 = np.clip((ring << 8) // here[:, None], 256, 4 * 256)
    return rarity


def _liked(kinds: tuple[str, ...]) -> NDArray[np.uint8]:
    weights = np.zeros((len(SEGMENTS), len(kinds) + 1))
    for index, segment in enumerate(SEGMENTS):
        likes = [PLACE_KINDS[KIND_INDEX[kind]].likes[index] * _AS_OUTING.get(kind, 1.0) for kind in kinds]
        total = 0.0
        for like in likes:  # one order of summation everywhere
            total += like
        weights[index, :-1] = likes
        weights[index, -1] = total * segment.about_town / (1.0 - segment.about_town) if total else 1.0
    bounds = shares_q32(weights).astype(np.int64)
    middles = (np.arange(_LIKING_SLOTS, dtype=np.int64) * 2 + 1) << 21
    return np.stack([np.searchsorted(row, middles, side="right") for row in bounds]).astype(np.uint8)


def _opened(kind: str) -> Flags:
    row = PLACE_KINDS[KIND_INDEX[kind]]
    return np.array(
        [
            [row.is_open(hour, free) and row.crowd(free)[hour] > 0 for hour in range(24)]
            for free in (False, True)
        ]
    )


def known(draws: Draws, who: I64, day: int) -> tuple[I64, Flags]:
    """How many places of their lists people know on a day, and whether the last of them is new."""
    least, more = _LIVED_HERE
    sixteenths = 16 * (least + day) + scale(draws.u32("favourite", who, 0), 16 * more)
    now = np.searchsorted(_KNOWN_AFTER, sixteenths, side="right").astype(np.int64)
    new = _KNOWN_AFTER[np.maximum(now, 1) - 1] > sixteenths - 16
    return np.maximum(now, 1), new


def favourite(world: Habitat, who: I64, k: I64, from_work: Flags) -> tuple[I64, I64]:
    """Kind and cell of place k (from 1) of people's lists; `from_work`: the place near work instead."""
    there, population = destinations(world.topology), world.population
    words = world.draws.block("favourite", who, k)
    segment = population.segment[who].astype(np.int64)
    kind = there.liked[segment, words[0] >> np.uint32(22)].astype(np.int64)
    at_work = from_work | (k % _FROM_WORK == 0)
    anchor = np.where(at_work, population.work_cell[who], population.home_cell[who]).astype(np.int64)
    # Whoever goes out at noon stays near: in the nearer half of places.
    where = np.where(from_work, words[1] >> np.uint32(1), words[1])
    too_far = (words[2] >> np.uint32(16)).astype(np.int64) >= there.worth_q16[kind, anchor]
    kind = np.where(too_far, len(there.kinds) - 1, kind)
    return kind, there.near[kind, anchor, slot(where)].astype(np.int64)


def choose(
    world: Habitat,
    who: I64,
    day: int,
    ordinal: int,
    hour: I64,
    *,
    free: bool,
    festival: bool,
    explores: bool,
    at_noon: bool = False,
) -> Outing:
    """An outing for each of some people.

    Args:
        world: The world.
        who: Subscribers.
        day: Day of the world.
        ordinal: Which outing of the day.
        hour: Hour at which each arrives, 0..23.
        free: Whether places keep the hours of a free day.
        festival: Whether it is the Spring Festival.
        explores: Whether it may lead to the place that became known on this day.
        at_noon: Whether it has to be near work.
    """
    there = destinations(world.topology)
    u = world.draws.block("outing", who, day, ordinal)
    many, new = known(world.draws, who, day)
    rank = ranks(u[0], many)
    if explores:
        rank = np.where(new, many, rank)
    noon = np.full(len(who), at_noon)
    kind, cell = favourite(world, who, rank, noon)
    shut = np.flatnonzero(~there.opened[kind, int(free), hour])
    kind[shut], cell[shut] = favourite(world, who[shut], ranks(u[1, shut], many[shut]), noon[shut])
    shut = shut[~there.opened[kind[shut], int(free), hour[shut]]]
    town = len(there.kinds) - 1
    lost = np.zeros(len(who), dtype=np.bool_)
    lost[shut] = True
    if festival:
        lost |= u[2] < threshold_q32(_RELATIVES_SHARE)
    kind[lost] = town
    home = world.population.home_cell[who[lost]].astype(np.int64)
    # The same few homes each time: four friends.
    friend = world.draws.u32("favourite", who[lost], 0, 4 + (u[2, lost] & 3).astype(np.int64))
    cell[lost] = there.near[town, home, slot(friend)]
    stay = there.stay_min[kind] * WAITING.quantile(u[3]) * 60_000_000 // ONE_Q16
    return Outing(cell, stay)


def rounds(world: Habitat, who: I64, day: int, ordinal: int) -> Outing:
    """Work elsewhere: one of the sites, customers or halls that somebody knows, as far as places are."""
    there = destinations(world.topology)
    u = world.draws.block("outing", who, day, ordinal)
    many, new = known(world.draws, who, day)
    rank = np.where(new, many, ranks(u[0], many))
    # The word of place k that places of leisure leave unused.
    where = world.draws.block("favourite", who, rank)[3]
    work = world.population.work_cell[who].astype(np.int64)
    cell = there.near[len(there.kinds) - 1, work, slot(where)].astype(np.int64)
    return Outing(cell, _ROUNDS_MIN * WAITING.quantile(u[3]) * 60_000_000 // ONE_Q16)


def ranks(u: U32, many: I64) -> I64:
    """Ranks 1 .. many, as preferential return has them."""
    return np.minimum(np.searchsorted(_RETURN, scale(u, _RETURN[many]), side="right"), many)
