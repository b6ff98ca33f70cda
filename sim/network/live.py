"""A schedule drawn before it is sent, and deliveries woven in while it is being sent.

The schedule is the world's signalling between two moments, settled at once. When the platform submits a
message while the schedule is on its way, the delivery is planned from what the schedule holds for that
subscriber: into the first gap between its connections, with references that the schedule never lends.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sim.network import tpdus
from sim.network.intents import People
from sim.network.kernel import Delivery, Network
from sim.network.messages import Deliver, Submit
from sim.network.smsc import Part, receipt
from sim.network.topology import Topology
from sim.network.visible import VISIBLE
from sim.network.wire import WireBatch
from sim.subscribers.walk import LONGEST_RIDE_US, stages

GAP_US: Final = 300_000
"""Between the end of one connection of a station and the beginning of the next."""

FIRST_REACTION: Final = 0xF0000001
"""Correlation ids of woven-in messages begin here, far from those of a schedule."""
_CENTRE_US: Final = 200_000
_SECOND_US: Final = 1_000_000

Outcome = Literal["delivered", "absent", "expired", "unknown", "after_end"]
"""Absent: off, or not where it is registered. Unknown: nobody's number. After the end: not over by then."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What the network makes of one message of the platform."""

    outcome: Outcome
    batch: WireBatch = field(default_factory=WireBatch.empty)
    """Signalling of the delivery, to be merged into what is still to be sent."""
    part: Part | None = None
    """What the handset has at RP-ACK."""
    receipt: Deliver | None = None
    """Due at its own time; None where none is wanted or no final state is reached."""


class Live:
    """The network's part of a live phase."""

    def __init__(
        self,
        network: Network,
        people: People,
        topology: Topology,
        start_us: int,
        end_us: int,
        most: int | None = None,
    ) -> None:
        """`network` holds the state at `start_us`; afterwards that at `end_us`.

        With `most` the schedule has no more messages than that, and the phase ends with the last of them.
        """
        self.network = network
        self.end_us = end_us
        """What is delivered is over by then."""
        self._cell, self._on = network.column("cell"), network.column("on")
        self._riding = network.column("riding")
        self._tmsi, self._lac = network.column("tmsi"), network.column("registered_lac")
        self._changes = _changes(people, topology, start_us, end_us)
        network.keep_journal()
        network.settle(end_us)
        self.acts: NDArray[np.void] = network.take_acts()
        """Acts of the schedule."""
        drawn = network.window(end_us)
        self.batch: WireBatch = drawn[0] if drawn else WireBatch.empty()
        """The schedule."""
        self.visible: NDArray[np.void] = drawn[1] if drawn else np.zeros(0, dtype=VISIBLE)
        """Its visible acts."""
        if most is not None and self.batch.n > most:
            self._cut(most)
        self._busy: dict[int, list[tuple[int, int]]] = {}
        self._updates: dict[int, list[tuple[int, int, int]]] = {}
        for begun in network.journal:
            self._busy.setdefault(begun.sub, []).append((begun.start_us, begun.end_us))
            if begun.new_tmsi:
                self._updates.setdefault(begun.sub, []).append((begun.end_us, begun.new_tmsi, begun.lac))
        for intervals in self._busy.values():
            intervals.sort()
        network.work_beside()
        network.drop_pending()  # of ladders that would have gone on after the end
        network.count_from(FIRST_REACTION)
        self.reactions: list[tuple[NDArray[np.void], NDArray[np.void]]] = []
        """Truth of what has been woven in, one entry a delivery."""

    def _cut(self, most: int) -> None:
        """Keeps the first messages only, and of the truth what belongs to them."""
        batch = self.batch
        offsets, kept = batch.offsets[: most + 1], slice(0, most)
        self.batch = WireBatch(
            batch.t_us[kept], batch.data[: offsets[-1]], offsets, batch.sls[kept], batch.uplink[kept],
            batch.corr[kept], batch.act[kept],
        )  # fmt: skip
        self.acts = self.acts[np.isin(self.acts["act"], self.batch.act)]
        self.visible = self.visible[self.visible["corr"] <= self.batch.corr[-1]]
        self.end_us = int(self.batch.t_us[-1]) + 1

    def react(self, submit: Submit, sub: int, t_us: int) -> Reaction:
        """The delivery of a message that arrived at `t_us`; `sub` -1: to nobody's number."""
        network = self.network
        if t_us >= self.end_us:
            return Reaction("after_end")
        if sub < 0:
            told = receipt(submit, "undeliverable", t_us, t_us) if submit.receipt else None
            return Reaction("unknown", receipt=told)
        at_us = t_us + _CENTRE_US
        tmsi, registered_lac = self._registration(sub, at_us)
        cell = self._state(sub, at_us)
        if cell < 0 or network.area(cell) != registered_lac:
            return Reaction("absent")
        body, header = tpdus.smpp_body(submit.data, submit.data_coding, submit.esm_class)
        delivery = Delivery(
            network, sub, at_us, submit.source, body, network.clock.stamp(t_us), header=header,
            more=submit.part < submit.parts,
        )  # fmt: skip
        delivery.start_us = self._gap(sub, at_us, delivery.end_us - at_us)
        until_us = submit.validity_until_us
        if until_us is not None and delivery.start_us >= until_us:
            final_us = max(t_us, until_us)
            told = receipt(submit, "expired", final_us, t_us) if submit.receipt else None
            return Reaction("expired", receipt=told)
        if delivery.end_us >= self.end_us:
            return Reaction("after_end")
        insort(self._busy.setdefault(sub, []), (delivery.start_us, delivery.end_us))
        delivery.begin(cell, tmsi)
        emitted = network.window(self.end_us)
        assert emitted is not None
        self.reactions.append((network.take_acts(), emitted[1]))
        received_us = delivery.received_us
        part = Part(received_us, sub, submit, t_us // _SECOND_US * _SECOND_US, body, header)
        told = receipt(submit, "delivered", received_us, t_us) if submit.receipt else None
        return Reaction("delivered", emitted[0], part, told)

    def cell_at(self, sub: int, t_us: int) -> int:
        """Cell of a subscriber at a time; -1: switched off."""
        return self._state(sub, t_us)

    def _registration(self, sub: int, t_us: int) -> tuple[int, int]:
        """TMSI and location area of a subscriber at a time."""
        tmsi, lac = int(self._tmsi[sub]), int(self._lac[sub])
        for since_us, new_tmsi, new_lac in self._updates.get(sub, ()):
            if since_us <= t_us:
                tmsi, lac = new_tmsi, new_lac
        return tmsi, lac

    def _state(self, sub: int, t_us: int) -> int:
        """Cell that serves a subscriber at a time; -1: switched off."""
        cell, riding, on = int(self._cell[sub]), bool(self._riding[sub]), bool(self._on[sub])
        for since_us, new_cell, flag in self._changes.get(sub, ()):
            if since_us > t_us:
                break
            if new_cell >= 0:
                cell, riding = new_cell, flag
            else:
                on = flag
        if not on:
            return -1
        return cell if riding else self.network.at_rest(sub, cell, t_us)

    def _gap(self, sub: int, from_us: int, length_us: int) -> int:
        """The first start from `from_us` on with nothing else on the station for so long."""
        intervals = self._busy.get(sub, [])
        i = max(bisect_left(intervals, (from_us, 0)) - 1, 0)
        for begin_us, end_us in intervals[i:]:
            if begin_us - GAP_US >= from_us + length_us:
                break
            from_us = max(from_us, end_us + GAP_US)
        return from_us


def _changes(
    people: People, topology: Topology, start_us: int, end_us: int
) -> dict[int, list[tuple[int, int, bool]]]:
    """Diary entries of subscribers between two moments: (time, cell, on the way) or (time, -1, on)."""
    steps = stages(topology, people.trips(start_us - LONGEST_RIDE_US, end_us))
    power = people.power(start_us, end_us)
    within = slice(*np.searchsorted(steps.t_us, (start_us, end_us)).tolist())
    columns = (steps.t_us, steps.sub, steps.cell, steps.riding)
    rows = list(zip(*(column[within].tolist() for column in columns), strict=True))
    rows += [
        (t_us, sub, -1, on)
        for t_us, sub, on in zip(power.t_us.tolist(), power.sub.tolist(), power.on.tolist(), strict=True)
    ]
    found: dict[int, list[tuple[int, int, bool]]] = {}
    for t_us, sub, cell, flag in sorted(rows, key=itemgetter(0)):
        found.setdefault(sub, []).append((t_us, cell, flag))
    return found
