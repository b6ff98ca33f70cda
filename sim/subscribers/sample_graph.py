"""A piece of the social graph as a networkx graph, for export and for measuring it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.subscribers.segments import SEGMENTS
from sim.subscribers.social import CIRCLES, COMMUNITY, circle_of

if TYPE_CHECKING:
    import networkx as nx

    from sim.subscribers.population import Population


def sample_graph(population: Population, n: int, first: int = 0) -> nx.DiGraph[int]:
    """The ties among subscribers first .. first + n - 1: an edge i -> j where j is a friend of i.

    Nodes have `segment` (name), `community`, `home_cell`, `work_cell`, `degree` (friends in the whole world)
    and `rivals`; edges have `circle` (a name of CIRCLES; of several the closest) and `rank`. Communities are
    whole where `first` and n are multiples of 64, quarters where they are multiples of 4,096.
    """
    import networkx as nx  # half a second that nobody else needs to pay

    subs = np.arange(first, min(first + n, population.n), dtype=np.int64)
    graph: nx.DiGraph[int] = nx.DiGraph()
    degrees = population.degree[subs].astype(np.int64)
    columns = (
        subs, population.segment[subs], population.home[subs], population.work[subs], degrees,
        population.rivals[subs],
    )  # fmt: skip
    graph.add_nodes_from(
        (
            i,
            {
                "segment": SEGMENTS[segment].name,
                "community": i // COMMUNITY,
                "home_cell": home,
                "work_cell": work,
                "degree": degree,
                "rivals": rivals,
            },
        )
        for i, segment, home, work, degree, rivals in zip(*(c.tolist() for c in columns), strict=True)
    )
    who = np.repeat(subs, degrees)
    k = np.arange(len(who)) - np.repeat(np.cumsum(degrees) - degrees, degrees)
    other = population.friend(who, k)
    inside = (other >= first) & (other < first + len(subs)) & (other != who)
    circle = circle_of(k, np.repeat(degrees, degrees))
    found = (column[inside].tolist() for column in (who, other, k, circle))
    for i, j, rank, kind in zip(*found, strict=True):
        if not graph.has_edge(i, j):
            graph.add_edge(i, j, circle=CIRCLES[kind], rank=rank)
    return graph
