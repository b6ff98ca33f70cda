"""Who is neighbour of whom, from positions and antennas: by distance and by direction.

Outdoor sites are neighbours when no third site lies inside the circle that has the two as ends of its
diameter (K. R. Gabriel, R. R. Sokal, "A new statistical approach to geographic variation analysis",
Systematic Zoology 18, 1969): six on a hexagonal grid, connected on any ground because it contains the
shortest spanning tree. Of two neighbouring sites those cells are neighbours of which one looks at the other
site and the other does not look away; cells of one site always are. An indoor cell knows its fellows and the
strongest cells outside, up to three that are nearly alike.
"""

from __future__ import annotations

from math import isqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.cell_list import INDOOR
from sim.draws import Draws
from sim.network.kernel.field import Field
from sim.network.layout import I16, I32, I64, U8, Edge
from sim.network.radio import INSIDE, ahead, field_of, off_axis_cdeg
from sim.scenario import RadioScenario

LOOKS_CDEG: Final = 7500
AWAY_CDEG: Final = 11000
"""A sector looks at what lies within the first angle of its axis, and away from what lies outside the second;
hundredths of a degree.
"""
FARTHEST_SPOT_M: Final = 1500
"""Where at most the middle of a sector's area is taken to lie."""

GROUND_FROM_M: Final = (900, 2200)
"""From which distance between sites on the ground is suburban, and open."""
ALIKE_CDB: Final = 1000
"""Cells outside that an indoor cell knows are weaker than the strongest by no more than this, 1/100 dB."""
FAR_APART_M: Final = 1_000_000

Pairs = set[tuple[int, int]]


def sites_of(x_m: I32, y_m: I32) -> I32:
    """Sites: cells at the same point have the same number, the index of the first of them."""
    _, first, which = np.unique(np.stack([x_m, y_m]), axis=1, return_index=True, return_inverse=True)
    return np.asarray(first[which.reshape(-1)], dtype=np.int32)


def site_distance_m(x_m: I32, y_m: I32, kind: U8) -> I64:
    """How far apart sites stand around each outdoor cell, metres: the third nearest; 0 for indoor cells.

    The third, so that a railway cell that happens to stand beside a site does not make it seem crowded.
    """
    outdoor = kind != INDOOR
    site = sites_of(x_m, y_m)
    x, y = x_m.astype(np.int64), y_m.astype(np.int64)
    near = np.zeros(len(x), dtype=np.int64)
    others = np.unique(site[outdoor])
    for one in others.tolist():
        rest = others[others != one]
        squares = (x[rest] - x[one]) ** 2 + (y[rest] - y[one]) ** 2
        third = min(2, len(rest) - 1)
        apart = isqrt(int(np.partition(squares, third)[third])) if len(rest) else FAR_APART_M
        near[outdoor & (site == one)] = apart
    return near


def grounds_of(near_m: I64, kind: U8) -> U8:
    """The ground around each cell, from how far apart sites stand: URBAN, SUBURBAN, OPEN, or INSIDE."""
    ground = np.searchsorted(np.array(GROUND_FROM_M), near_m, side="right")
    return np.where(kind == INDOOR, INSIDE, ground).astype(np.uint8)


def spots_of(x_m: I32, y_m: I32, kind: U8, azimuth_deg: I16) -> tuple[I32, I32]:
    """The middle of what each cell covers: as it looks, two fifths of the distance between sites."""
    x, y = x_m.astype(np.int64), y_m.astype(np.int64)
    outdoor, near = kind != INDOOR, site_distance_m(x_m, y_m, kind)
    east, north = ahead(np.where(outdoor, azimuth_deg, -1), np.minimum(near * 2 // 5, FARTHEST_SPOT_M))
    return (x + east).astype(np.int32), (y + north).astype(np.int32)


def neighbour_edges(
    x_m: I32,
    y_m: I32,
    kind: U8,
    place: I16,
    azimuth_deg: I16,
    power_dbm: I16,
    spot_x_m: I32,
    spot_y_m: I32,
) -> list[Edge]:
    """Neighbour relations, sorted; the graph is connected."""
    pairs: Pairs = set()
    indoor = kind == INDOOR
    if indoor.all():
        indoor = np.zeros_like(indoor)
    _join_sites(x_m, y_m, np.flatnonzero(~indoor), azimuth_deg, pairs)
    outdoor = np.flatnonzero(~indoor)
    field = clear_field(x_m, y_m, kind, azimuth_deg, power_dbm, outdoor)
    for cell in np.flatnonzero(indoor).tolist():
        if place[cell] >= 0:
            pairs.update((cell, int(c)) for c in np.flatnonzero(place == place[cell]) if c > cell)
        levels = field.levels(np.arange(len(outdoor)), x_m[cell], y_m[cell])
        for rank in np.argsort(-levels, kind="stable")[:3].tolist():
            if levels[rank] >= levels.max() - ALIKE_CDB:
                other = int(outdoor[rank])
                pairs.add((min(cell, other), max(cell, other)))
    return edges_between(pairs, spot_x_m, spot_y_m)


def clear_field(
    x_m: I32, y_m: I32, kind: U8, azimuth_deg: I16, power_dbm: I16, cells: NDArray[np.intp]
) -> Field:
    """The field of some of the cells without fading, for what is planned rather than met."""
    ground = grounds_of(site_distance_m(x_m, y_m, kind), kind)
    return field_of(
        RadioScenario(shadow_db=0.0),
        Draws(0),
        x_m=x_m[cells],
        y_m=y_m[cells],
        site=cells,
        azimuth_deg=azimuth_deg[cells],
        power_dbm=power_dbm[cells],
        ground=ground[cells],
    )


def edges_between(pairs: Pairs, spot_x_m: I32, spot_y_m: I32) -> list[Edge]:
    """Given neighbour relations (lower, higher) with their lengths, sorted."""
    x, y = spot_x_m.tolist(), spot_y_m.tolist()
    return [(a, b, max(1, isqrt((x[a] - x[b]) ** 2 + (y[a] - y[b]) ** 2))) for a, b in sorted(pairs)]


def _join_sites(x_m: I32, y_m: I32, outdoor: NDArray[np.intp], azimuth_deg: I16, pairs: Pairs) -> None:
    site = sites_of(x_m[outdoor], y_m[outdoor])  # numbers of cells among the outdoor ones
    first, which = np.unique(site, return_inverse=True)
    members: list[I64] = [outdoor[which == number].astype(np.int64) for number in range(len(first))]
    x, y = x_m[outdoor[first]].astype(np.int64), y_m[outdoor[first]].astype(np.int64)
    for cells in members:
        pairs.update((a, b) for a in cells.tolist() for b in cells.tolist() if a < b)
    for a, b in gabriel(x, y):
        dx, dy = int(x[b] - x[a]), int(y[b] - y[a])
        looks_a, sees_a = _lookers(members[a], azimuth_deg, dx, dy)
        looks_b, sees_b = _lookers(members[b], azimuth_deg, -dx, -dy)
        for some, others in ((looks_a, sees_b), (sees_a, looks_b)):
            pairs.update((min(one, other), max(one, other)) for one in some for other in others)


def _lookers(cells: I64, azimuth_deg: I16, dx: int, dy: int) -> tuple[list[int], list[int]]:
    """The cells of a site that look that way, in any case the best one; and those that do not look away."""
    off = off_axis_cdeg(azimuth_deg[cells], dx, dy)
    best = int(cells[int(np.argmin(off))])
    return (
        sorted({best, *cells[off <= LOOKS_CDEG].tolist()}),
        sorted({best, *cells[off <= AWAY_CDEG].tolist()}),
    )


def gabriel(x: I64, y: I64) -> list[tuple[int, int]]:
    """The Gabriel graph of distinct points: pairs (lower, higher), sorted."""
    found: list[tuple[int, int]] = []
    for a in range(len(x)):
        dx, dy = x - x[a], y - y[a]
        order = np.argsort(dx * dx + dy * dy, kind="stable")[1:]
        dx, dy = dx[order], dy[order]
        alive = np.ones(len(order), dtype=np.bool_)
        at = 0
        while at < len(order):
            # A point c is inside the circle over a and b where the angle acb is obtuse: c.c < c.b, from a.
            mine_x, mine_y = dx[at], dy[at]
            nearer_x, nearer_y = dx[:at], dy[:at]
            if not np.any(nearer_x * (nearer_x - mine_x) + nearer_y * (nearer_y - mine_y) < 0):
                b = int(order[at])
                if a < b:
                    found.append((a, b))
            alive &= mine_x * (mine_x - dx) + mine_y * (mine_y - dy) >= 0
            later = np.flatnonzero(alive[at + 1 :])
            at = at + 1 + int(later[0]) if len(later) else len(order)
    return sorted(found)


def bridge(pairs: Pairs, square: I64) -> None:
    """Joins the nearest two cells of separate pieces until there is one; `square`: all distances squared."""
    n = len(square)
    group = np.array(_components(n, pairs))
    while len(np.unique(group)) > 1:
        apart = group[:, None] != group[None, :]
        a, b = divmod(int(np.argmin(np.where(apart, square, np.iinfo(np.int64).max))), n)
        pairs.add((min(a, b), max(a, b)))
        group = np.array(_components(n, pairs))


def _components(n: int, pairs: Pairs) -> list[int]:
    parent = list(range(n))

    def root(a: int) -> int:
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        return a

    for a, b in pairs:
        ra, rb = root(a), root(b)
        parent[max(ra, rb)] = min(ra, rb)
    return [root(a) for a in range(n)]
