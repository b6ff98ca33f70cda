"""What a subscriber's station is doing, as those see it who deal with single people."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from sim.network.templates import Shape


class Station(NamedTuple):
    """One station at the moment up to which the network has been settled; times are world microseconds."""

    cell: int
    """Index of the cell where it is."""
    place: int
    """Index of the place of that cell, -1 none."""
    on: bool
    camped: bool
    """Has updated its location since it was switched on: can call and be called."""
    registered_lac: int
    """Location area of the last accepted update."""
    tmsi: int
    power_on_us: int
    """When it was last switched on; -1 not since the start."""
    service_call_us: int
    """When its last call to a service line ended; -1 not since the start."""
    place_since_us: int
    """When it came to its present place (or cell, outside places)."""


class Begun(NamedTuple):
    """One ladder of messages that has been begun."""

    sub: int
    start_us: int
    end_us: int
    new_tmsi: int
    """The TMSI that it gives, 0 none."""
    lac: int
    """Location area where it takes place."""
    act: int
    shape: Shape


TRAFFIC: Final = np.dtype(
    [
        ("tch", np.int32),  # traffic channels there are, -1 unlimited
        ("sdcch", np.int32),
        ("tch_asked", np.uint32),  # by calls that begin
        ("tch_refused", np.uint32),
        ("sdcch_asked", np.uint32),
        ("sdcch_refused", np.uint32),
        ("handovers_in", np.uint32),
        ("handovers_refused", np.uint32),  # no channel: once for each call, however often it asks again
        ("handovers_repeated", np.uint32),  # asked again by calls refused before
        ("dropped", np.uint32),  # calls lost by the radio path
        (
            "tch_us",
            np.int64,
        ),  # channels held, summed over them: divided by the time it is the traffic in Erlang
    ]
)
"""One row per cell: what it was asked for and gave."""
