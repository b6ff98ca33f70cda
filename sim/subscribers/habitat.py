"""What people need to know of the world around them: `World` and `Topology` have these shapes.

Written as protocols so that people do not import the network, which imports them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.draws import Draws
from sim.scenario import WorldScenario

if TYPE_CHECKING:
    from sim.subscribers.population import Population

Subs = slice | NDArray[np.integer] | None
"""Which subscribers to draw for: a slice, an array of indices, or everybody."""


class Spot(Protocol):
    """A place with cells of its own."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def cells(self) -> tuple[int, ...]: ...


class Ground(Protocol):
    """Cells, places and the routes between cells (`sim.network.topology.Topology`)."""

    @property
    def n(self) -> int: ...
    @property
    def kind(self) -> NDArray[np.uint8]: ...
    @property
    def place(self) -> NDArray[np.int16]: ...
    @property
    def x_m(self) -> NDArray[np.int32]: ...
    @property
    def y_m(self) -> NDArray[np.int32]: ...
    @property
    def spot_x_m(self) -> NDArray[np.int32]: ...
    @property
    def spot_y_m(self) -> NDArray[np.int32]: ...
    @property
    def distance_m(self) -> NDArray[np.int32]: ...
    @property
    def neighbour_start(self) -> NDArray[np.int32]: ...
    @property
    def neighbour_cells(self) -> NDArray[np.int32]: ...
    @property
    def border_q16(self) -> NDArray[np.int32]:
        """Of each neighbour relation: where the border lies on the way, out of 65536."""

    @property
    def next_cell(self) -> NDArray[np.int16]: ...
    @property
    def hops(self) -> NDArray[np.int16]: ...
    @property
    def places(self) -> Sequence[Spot]: ...
    def cells_of_kind(self, kind: str) -> NDArray[np.int32]: ...
    def __hash__(self) -> int: ...


class Habitat(Protocol):
    """A world with its people."""

    @property
    def scenario(self) -> WorldScenario: ...
    @property
    def draws(self) -> Draws: ...
    @property
    def topology(self) -> Ground: ...
    @property
    def population(self) -> Population: ...
    def __hash__(self) -> int: ...


def chosen(n: int, subs: Subs) -> NDArray[np.int64]:
    """The indices meant by `subs` out of 0 .. n - 1."""
    if subs is None:
        return np.arange(n, dtype=np.int64)
    if isinstance(subs, slice):
        return np.arange(*subs.indices(n), dtype=np.int64)
    return np.asarray(subs, dtype=np.int64)
