"""Where the messages of a phase come from: a world drawn for it, or a capture; each with its schedule."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.latency.pacing import Schedule
from experiments.latency.recording import read_recording
from experiments.latency.shapes import SHAPES, Load, counted, spread
from experiments.latency.sites import Reacts, Site
from experiments.latency.worldtime import WorldTime
from experiments.problems import RunInvalid
from experiments.weave import streams_of
from sigtran import MessageBatch
from sim.network.messages import Submit
from sim.network.smsc import receipt
from sim.run import LivePhase, Reaction

__all__ = ["Replayed", "Source", "drawn", "recorded"]

_DELIVERED_US: Final = 2_000_000
"""With a capture nobody is there to page: a text is taken for delivered after this, world time."""
_FIRST_FACTOR: Final = 8.0
_FURTHER: Final = 3.0
"""How many simulated seconds a real one are looked through first, and how many times as many then."""


@dataclass(frozen=True, slots=True)
class Source:
    """A schedule, the network that answers, and what of the schedule can be seen."""

    plan: Schedule
    network: Reacts
    visible: NDArray[np.void] | None
    """Visible acts (`sim.network.visible`); None of a capture, whose truth nobody knows."""
    end_us: int
    """World time at which it ends."""


class Replayed:
    """The network of a capture: every text is delivered after a while, and nothing is woven in."""

    def react(self, submit: Submit, t_us: int) -> Reaction:
        """Its receipt, where one is wanted."""
        told = receipt(submit, "delivered", t_us + _DELIVERED_US, t_us) if submit.receipt else None
        return Reaction("delivered", receipt=told)


def drawn(site: Site, load: Load, start_us: int, most_factor: float) -> Source:
    """The schedule of a load on a site.

    Raises:
        RunInvalid: the world has too little signalling.
        BadInput: the capture cannot be played.
    """
    knots_of = SHAPES[load.shape].knots
    streams = site.keys.streams
    if load.file is not None:
        assert load.factor is not None  # the model has seen to it
        plan = recorded(load.file, load.factor, load.seconds, start_us, streams)
        return Source(plan, Replayed(), None, plan.time.at_us(int(plan.intended_ns[-1])) + 1)
    if knots_of is None:
        assert load.factor is not None
        time = WorldTime.even(start_us, load.factor)
        network = site.live(start_us, time.at_us(load.seconds * 1e9))
        batch: Any = network.batch
        if not batch.n:
            raise RunInvalid("the world says nothing in that time")
        intended = ((batch.t_us - start_us) * 1000 / load.factor).astype(np.int64)
        messages = MessageBatch(batch.data, batch.offsets, streams_of(batch.sls, streams))
        plan = Schedule(messages, intended, batch.corr.astype(np.int64), time)
    else:
        at_s, upto = counted(knots_of(load))
        network = _enough(site, start_us, load.seconds, most_factor, upto[-1])
        plan = spread(network.batch, start_us, at_s, upto, streams, most_factor=most_factor)
    return Source(plan, network, network.visible, network.end_us)


def _enough(site: Site, start_us: int, seconds: float, most_factor: float, wanted: int) -> LivePhase:
    """So many messages of the world from `start_us` on, or as many as there are up to the largest factor.

    Looks ahead a little at first: the world's life takes time, however little of it is sent.
    """
    factor = min(_FIRST_FACTOR, most_factor)
    while True:
        network = site.live(start_us, start_us + round(seconds * factor * 1e6), wanted)
        if network.batch.n >= wanted or factor >= most_factor:
            return network
        factor = min(_FURTHER * factor, most_factor)


def recorded(file: Path, factor: float, seconds: float, start_us: int, streams: int) -> Schedule:
    """The DATA messages of a capture with their own times, `factor` times as fast; at most so many seconds.

    Octets stay as they are. Streams are those of the capture as far as the association has them.

    Raises:
        BadInput: it cannot be played.
    """
    recording = read_recording(file, seconds * factor * 1e6)
    intended = (recording.since_us * 1000 / factor).astype(np.int64)
    said = recording.messages
    own = (1 + (said.streams.astype(np.int64) - 1) % (streams - 1)).astype(np.uint16)
    messages = MessageBatch(said.data, said.offsets, own)
    return Schedule(messages, intended, recording.corr, WorldTime.even(start_us, factor))
