"""A schedule drawn before it is sent, and deliveries woven in while it is being sent.

The schedule is the world's signalling between two moments, settled at once. When the platform submits a
message while the schedule is on its way, the delivery is planned from what the schedule holds for that
subscriber: into the first gap between its connections, with references that the schedule never lends.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.network import acts, tpdus
from sim.network.core import Core
from sim.network.emission import Acts, Emitter, Visible
from sim.network.encode import TemplateLibrary
from sim.network.intents import DAY_US, People
from sim.network.messages import Submit
from sim.network.paging import authenticates, response_us, security
from sim.network.resolver import Resolver
from sim.network.stations import GAP_US
from sim.network.visible import VISIBLE
from sim.network.wire import WireBatch

FIRST_REACTION: Final = 0xF0000001
"""Correlation ids of woven-in messages begin here, far from those of a schedule."""
_CENTRE_US: Final = 200_000


class Live:
    """The network's part of a live phase."""

    def __init__(
        self,
        core: Core,
        people: People,
        library: TemplateLibrary,
        epoch_unix_us: int,
        start_us: int,
        end_us: int,
    ) -> None:
        """`core` holds the state at `start_us`; afterwards that at `end_us`."""
        self._core = core
        switch = core.switch
        self._end_us = end_us
        self._cell = core.stations.cell[:]
        self._on = core.stations.on[:]
        self._tmsi, self._lac = core.vlr.tmsi[:], core.vlr.lac[:]
        self._changes = _changes(people, start_us, end_us)
        switch.journal = []
        Resolver(core, people, start_us, end_us).settle(end_us)
        emitter = Emitter(library, switch.out, switch.lac, switch.ci, epoch_unix_us)
        self.acts: Acts = emitter.acts()
        """Acts of the schedule."""
        drawn = emitter.window(end_us)
        self.batch: WireBatch = drawn[0] if drawn else WireBatch.empty()
        """The schedule."""
        self.visible: Visible = drawn[1] if drawn else np.zeros(0, dtype=VISIBLE)
        """Its visible acts."""
        self._busy: dict[int, list[tuple[int, int]]] = {}
        self._updates: dict[int, list[tuple[int, int, int]]] = {}
        for sub, from_us, until_us, new_tmsi, lac in switch.journal:
            self._busy.setdefault(sub, []).append((from_us, until_us))
            if new_tmsi:
                self._updates.setdefault(sub, []).append((until_us, new_tmsi, lac))
        for intervals in self._busy.values():
            intervals.sort()
        switch.journal = None
        switch.use_reserved()
        switch.out.shown.clear()  # of ladders that would have gone on after the end
        self._reactions = Emitter(library, switch.out, switch.lac, switch.ci, epoch_unix_us, FIRST_REACTION)
        self.reactions: list[tuple[Acts, Visible]] = []
        """Truth of what has been woven in, one entry a delivery."""

    def react(self, submit: Submit, sub: int, t_us: int) -> WireBatch:
        """The delivery of a message that arrived at `t_us`; empty if the station is out of reach."""
        core, switch = self._core, self._core.switch
        at_us = t_us + _CENTRE_US
        tmsi, registered_lac = self._registration(sub, at_us)
        cell = self._state(sub, at_us)
        if cell < 0 or switch.lac[cell] != registered_lac:
            return WireBatch.empty()
        body, header = tpdus.smpp_body(submit.data, submit.data_coding, submit.esm_class)
        tpdu = tpdus.deliver(
            submit.source, core.clock.stamp(t_us), body, header=header, more=submit.part < submit.parts
        )
        words = switch.chance(sub, "smsc")
        options = security(words)
        leg = switch.leg("mt_sms", options, at_us, words, tpdu_length=len(tpdu), page_us=response_us(words))
        leg.start_us = self._gap(sub, at_us, leg.end_us - at_us)
        if leg.end_us >= self._end_us:
            return WireBatch.empty()
        insort(self._busy.setdefault(sub, []), (leg.start_us, leg.end_us))
        act = switch.act(leg.start_us, sub, acts.TEXT_RECEIVED, b"delivered", -1, submit.source.encode())
        switch.begin(
            leg, act, sub, cell, words, tmsi=tmsi, identified=True, peer=submit.source.encode(), tpdu=tpdu,
            fresh_vectors=authenticates(options),
        )  # fmt: skip
        emitted = self._reactions.window(self._end_us)
        assert emitted is not None
        self.reactions.append((self._reactions.acts(), emitted[1]))
        return emitted[0]

    def _registration(self, sub: int, t_us: int) -> tuple[int, int]:
        """TMSI and location area of a subscriber at a time."""
        tmsi, lac = self._tmsi[sub], self._lac[sub]
        for since_us, new_tmsi, new_lac in self._updates.get(sub, ()):
            if since_us <= t_us:
                tmsi, lac = new_tmsi, new_lac
        return tmsi, lac

    def _state(self, sub: int, t_us: int) -> int:
        """Cell of a subscriber at a time; -1: switched off."""
        cell, on = self._cell[sub], bool(self._on[sub])
        for since_us, new_cell, new_on in self._changes.get(sub, ()):
            if since_us <= t_us:
                cell, on = (new_cell, on) if new_cell >= 0 else (cell, new_on)
        return cell if on else -1

    def _gap(self, sub: int, from_us: int, length_us: int) -> int:
        """The first start from `from_us` on with nothing else on the station for so long."""
        intervals = self._busy.get(sub, [])
        i = max(bisect_left(intervals, (from_us, 0)) - 1, 0)
        for begin_us, end_us in intervals[i:]:
            if begin_us - GAP_US >= from_us + length_us:
                break
            from_us = max(from_us, end_us + GAP_US)
        return from_us


def _changes(people: People, start_us: int, end_us: int) -> dict[int, list[tuple[int, int, bool]]]:
    """Diary entries between two moments by subscriber: (time, cell or -1, on)."""
    rows: list[tuple[int, int, int, bool]] = []
    for day in range(start_us // DAY_US, (end_us - 1) // DAY_US + 1):
        moves, power = people.diary(day)
        part = _within(moves.t_us, start_us, end_us)
        rows += [
            (t_us, sub, cell, False)
            for t_us, sub, cell in zip(
                moves.t_us[part].tolist(), moves.sub[part].tolist(), moves.cell[part].tolist(), strict=True
            )
        ]
        part = _within(power.t_us, start_us, end_us)
        rows += [
            (t_us, sub, -1, on)
            for t_us, sub, on in zip(
                power.t_us[part].tolist(), power.sub[part].tolist(), power.on[part].tolist(), strict=True
            )
        ]
    found: dict[int, list[tuple[int, int, bool]]] = {}
    for t_us, sub, cell, on in sorted(rows):
        found.setdefault(sub, []).append((t_us, cell, on))
    return found


def _within(t_us: NDArray[np.int64], first_us: int, last_us: int) -> slice:
    return slice(int(np.searchsorted(t_us, first_us)), int(np.searchsorted(t_us, last_us)))
