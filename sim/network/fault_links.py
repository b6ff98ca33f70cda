"""Faults of connections and associations: what the octets of a message tell of them, and which are struck."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import Draws, scale, threshold_q32
from sim.network.wire import WireBatch
from sim.scenario import FaultScenario

HOUR_US: Final = 3_600_000_000

# Where things lie in the simulator's messages: M3UA header, Protocol Data with its label, SCCP.
_OPC_AT: Final = 12
_DPC_AT: Final = 16
_SCCP_AT: Final = 24
_FIRST_REFERENCE_AT: Final = 25
_SECOND_REFERENCE_AT: Final = 28
_DISCRIMINATION_AT: Final = 31  # of a DT1: type, reference, segmenting, pointer, length come before
_BSSMAP_AT: Final = 33
# Q.713 2.1: message types.
_CR, _CC, _RLSD, _RLC, _DT1 = 1, 2, 4, 5, 6
# TS 48.008 3.2.2.1: message types.
_CLEAR_COMMAND, _CLEAR_COMPLETE = 0x20, 0x21

#: (uplink, type) -> where the reference of the BSC stands.
_BSC_REFERENCE_AT: Final = {
    (True, _CR): _FIRST_REFERENCE_AT,
    (True, _CC): _SECOND_REFERENCE_AT,
    (True, _RLSD): _SECOND_REFERENCE_AT,
    (True, _RLC): _SECOND_REFERENCE_AT,
    (False, _CC): _FIRST_REFERENCE_AT,
    (False, _DT1): _FIRST_REFERENCE_AT,
    (False, _RLSD): _FIRST_REFERENCE_AT,
    (False, _RLC): _FIRST_REFERENCE_AT,
}


class Octets:
    """A batch, and single octets of all of its messages at once."""

    def __init__(self, batch: WireBatch) -> None:
        self.batch = batch
        self._all = np.frombuffer(batch.data, np.uint8)
        self._starts = batch.offsets[:-1]
        self._lengths = np.diff(batch.offsets)

    def at(self, place: int) -> NDArray[np.uint8]:
        """The octet at a place of each message; 0 where it is shorter."""
        found = np.zeros(self.batch.n, np.uint8)
        there = self._lengths > place
        found[there] = self._all[self._starts[there] + place]
        return found

    def word(self, place: int, octets: int = 4) -> NDArray[np.int64]:
        """A number of so many octets, most significant first."""
        value = np.zeros(self.batch.n, np.int64)
        for i in range(octets):
            value = value << 8 | self.at(place + i)
        return value

    def message(self, i: int) -> bytes:
        """One message, copied out."""
        return self.batch.message(i)


def links_of(octets: Octets) -> NDArray[np.int64]:
    """The point code of each message's BSC: one association each."""
    return np.where(octets.batch.uplink, octets.word(_OPC_AT), octets.word(_DPC_AT))


def half_of(octets: Octets) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which messages begin a connection, and which end one, from CLEAR COMMAND on."""
    kind = octets.at(_SCCP_AT)
    clear = np.isin(octets.at(_BSSMAP_AT), (_CLEAR_COMMAND, _CLEAR_COMPLETE))
    clear &= (kind == _DT1) & (octets.at(_DISCRIMINATION_AT) == 0)
    return (kind == _CR) | (kind == _CC), (kind == _RLSD) | (kind == _RLC) | clear


@dataclass(slots=True)
class Reuse:
    """Connections that take the BSC's reference of the one before, whether or not that is still open."""

    share: float
    draws: Draws
    _last: dict[int, int] = field(default_factory=dict)
    """Link -> reference of its latest CR."""
    _taken: dict[tuple[int, int], int] = field(default_factory=dict)
    """(link, reference that the BSC has given) -> the one that stands in the messages."""

    def changed(self, entries: NDArray[np.void], octets: Octets) -> Iterator[tuple[int, bytes, int]]:
        """Messages with another reference than they had: number, octets, reference."""
        if not self.share or not len(entries):
            return
        kind, uplink = octets.at(_SCCP_AT), octets.batch.uplink
        u = self.draws.block("fault_act", entries["act"] & 0xFFFFFFFF, entries["act"] >> 32)[1]
        struck = u < threshold_q32(self.share)
        opens = uplink & (kind == _CR)
        for i in np.flatnonzero(struck | opens).tolist():
            at = _BSC_REFERENCE_AT.get((bool(uplink[i]), int(kind[i])))
            if at is None:
                continue
            link, message = int(entries["link"][i]), octets.message(i)
            own = int.from_bytes(message[at : at + 3], "big")
            if opens[i]:
                before, self._last[link] = self._last.get(link), own
                if struck[i] and before is not None and before != own:
                    self._taken[link, own] = before
            taken = self._taken.get((link, own)) if struck[i] else None
            if taken is None:
                continue
            if kind[i] == _RLC:
                del self._taken[link, own]
            yield i, message[:at] + taken.to_bytes(3, "big") + message[at + 3 :], taken


class Outages:
    """When the association of a BSC is away: a function of BSC and hour. None ends before the start."""

    def __init__(self, plan: FaultScenario, draws: Draws, bscs: Sequence[int], start_us: int) -> None:
        self._draws, self._bscs, self._start_us = draws, list(bscs), start_us
        self._of = (
            (plan.association_losses_per_day, round(plan.association_loss_s * 1_000_000), False),
            (plan.takeovers_per_day, round(plan.takeover_s * 1_000_000), True),
        )

    def _hour(self, hour: int) -> Iterator[tuple[int, int, int, bool]]:
        """What begins in an hour: BSC, beginning, length, whether it is a take-over."""
        for block, (per_day, length_us, taken) in enumerate(self._of):
            if not per_day:
                continue
            u = self._draws.block("fault_link", np.array(self._bscs), hour, block)
            begins = hour * HOUR_US + scale(u[1], 3_600_000) * 1000
            struck = (u[0] < threshold_q32(per_day / 24)) & (begins + length_us > self._start_us)
            for k in np.flatnonzero(struck).tolist():
                yield self._bscs[k], int(begins[k]), length_us, taken

    def _between(self, from_us: int, to_us: int) -> Iterator[tuple[int, int, int, bool]]:
        if any(per_day for per_day, _, _ in self._of):
            for hour in range(from_us // HOUR_US, (to_us - 1) // HOUR_US + 1):
                yield from self._hour(hour)

    def begun(self, from_us: int, to_us: int) -> list[tuple[int, int, int, bool]]:
        """What begins at from_us <= t < to_us."""
        return [event for event in self._between(from_us, to_us) if from_us <= event[1] < to_us]

    def over(
        self, t_us: NDArray[np.int64], link: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], int, bool]]:
        """Messages that fall into an outage of their link, its end, and whether it is a take-over."""
        if not len(t_us):
            return
        # None lasts longer than an hour.
        events = self._between(int(t_us[0]) - HOUR_US, int(t_us[-1]) + 1)
        for bsc, began_us, length_us, taken in events:
            struck = (link == bsc) & (t_us >= began_us) & (t_us < began_us + length_us)
            if struck.any():
                yield np.flatnonzero(struck), began_us + length_us, taken
