"""What is done to messages on purpose, between the network and a sink: each fault has its row in the truth.

A stage over wire batches. Its chance is keyed by the message (its correlation id), the act, or BSC and hour,
and everything else follows from the stream alone: however time is cut into windows, the same octets leave at
the same times. What is late is kept until its window has come, so what leaves is in order of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import EXPONENTIAL, ONE_Q16, U32, Draws, scale, threshold_q32
from sim.network.fault_links import HOUR_US, Octets, Outages, Reuse, half_of, links_of
from sim.network.wire import WireBatch
from sim.scenario import FaultScenario

__all__ = ["FAULT", "KINDS", "Faults", "stage_of"]

LOSS: Final = 1
DUPLICATION: Final = 2
REORDERING: Final = 3
DELAY: Final = 4
TRUNCATION: Final = 5
BYTE_FLIP: Final = 6
NO_BEGINNING: Final = 7
NO_END: Final = 8
REFERENCE_REUSE: Final = 9
ASSOCIATION_LOSS: Final = 10
TAKE_OVER: Final = 11
KINDS: Final[dict[int, str]] = {
    LOSS: "loss",
    DUPLICATION: "duplication",
    REORDERING: "reordering",
    DELAY: "delay",
    TRUNCATION: "truncation",
    BYTE_FLIP: "byte_flip",
    NO_BEGINNING: "no_beginning",
    NO_END: "no_end",
    REFERENCE_REUSE: "reference_reuse",
    ASSOCIATION_LOSS: "association_loss",
    TAKE_OVER: "take_over",
}

FAULT: Final = np.dtype(
    [
        ("t_us", np.int64),  # Unix microseconds at which the message was due; of an event its beginning
        ("kind", np.uint8),
        ("corr", np.int64),  # number of the message; 0: the row tells of an association
        ("act", np.int64),  # -1 of an association
        ("by_us", np.int64),  # how much later the message or its copy comes; how long an event lasts
        ("detail", np.int64),  # octets left; place << 8 | changed bits; the reference taken; the BSC's code
    ]
)
"""One row per fault; a message may have several, and what became of it is what all of them say."""

_ENTRY: Final = np.dtype(
    [
        ("t_us", np.int64),
        ("anchor", np.int64),  # at one time: behind the message with this number
        ("rank", np.uint8),
        ("corr", np.int64),
        ("act", np.int64),
        ("sls", np.uint8),
        ("uplink", np.bool_),
        ("link", np.int64),
        ("source", np.int64),  # message of the batch; below zero: -1 - place in the list of octets
        ("due_us", np.int64),
    ]
)
_ITSELF, _COPY, _OVERTAKEN = 0, 1, 2
_LABEL: Final = 24  # RFC 4666 3.3.1: headers and routing label stay, which say whose association it is
_CORRELATION: Final = 8  # and the parameter at the end, by which the truth is found
_LONGEST_DELAY: Final = 20  # times the mean


def stage_of(
    plan: FaultScenario, draws: Draws, epoch_unix_us: int, bscs: Sequence[int], start_us: int
) -> Faults | None:
    """The stage for a scenario's faults; None where there are none."""
    return None if plan.nothing else Faults(plan, draws, epoch_unix_us, bscs, start_us)


class Faults:
    """Takes windows of messages and gives what is left of them."""

    def __init__(
        self, plan: FaultScenario, draws: Draws, epoch_unix_us: int, bscs: Sequence[int], start_us: int = 0
    ) -> None:
        """`bscs` are the point codes at the far ends of the associations."""
        self._plan, self._draws, self._epoch_us = plan, draws, epoch_unix_us
        self._bounds = threshold_q32(
            np.minimum(
                np.cumsum(
                    [
                        plan.loss_share, plan.duplication_share, plan.reordering_share, plan.delay_share,
                        plan.truncation_share, plan.byte_flip_share,
                    ]
                ),
                1.0,
            )
        )  # fmt: skip
        self._outages = Outages(plan, draws, bscs, start_us)
        self._reuse = Reuse(plan.reference_reuse_share, draws)
        self._now_us = start_us - HOUR_US  # what has begun then may still last
        self._held = np.zeros(0, _ENTRY)
        """Waiting for its time."""
        self._open = np.zeros(0, _ENTRY)
        """Waiting to be overtaken."""
        self._octets: list[bytes] = []
        self._rows: list[NDArray[np.void]] = []

    @property
    def holding(self) -> int:
        """Messages kept for later windows."""
        return len(self._held) + len(self._open)

    def take_rows(self) -> NDArray[np.void]:
        """The rows since the last call, of `FAULT`."""
        rows, self._rows = self._rows, []
        return np.concatenate(rows) if rows else np.zeros(0, FAULT)

    def window(self, batch: WireBatch | None, until_us: int) -> WireBatch:
        """All of a window goes in: messages before `until_us`; out comes what is to pass before that time."""
        batch = WireBatch.empty() if batch is None else batch
        for bsc, began_us, length_us, taken in self._outages.begun(self._now_us, until_us):
            kind = TAKE_OVER if taken else ASSOCIATION_LOSS
            self._note(kind, np.array([began_us]), np.zeros(1, np.int64), np.full(1, -1), length_us, bsc)
        self._now_us = until_us
        entries = np.zeros(batch.n, _ENTRY)
        entries["t_us"] = entries["due_us"] = batch.t_us
        entries["anchor"] = entries["corr"] = batch.corr
        entries["act"], entries["sls"], entries["uplink"] = batch.act, batch.sls, batch.uplink
        entries["source"] = np.arange(batch.n)
        octets = Octets(batch)
        entries["link"] = links_of(octets)
        stays = np.ones(batch.n, np.bool_)
        self._change_references(entries, octets)
        self._cut_dialogues(entries, octets, stays)
        on_time = self._interrupt(entries, stays) & stays
        more = self._single(entries, octets, stays, on_time)
        entries = np.concatenate((self._held, self._overtake(entries, stays, on_time, until_us), more))
        passes = entries["t_us"] < until_us
        out = entries[passes]
        out = out[np.lexsort((out["corr"], out["rank"], out["anchor"], out["t_us"]))]
        whole = batch.n == len(out) and not self._octets and np.array_equal(out["source"], np.arange(batch.n))
        result = replace(batch, t_us=out["t_us"].copy()) if whole else self._written(out, octets)
        self._keep(entries[~passes], octets)
        return result

    # ------------------------------------------------------------------ the faults

    def _change_references(self, entries: NDArray[np.void], octets: Octets) -> None:
        for i, message, reference in self._reuse.changed(entries, octets):
            entries["source"][i] = self._own(message)
            self._note_of(REFERENCE_REUSE, entries[i : i + 1], 0, reference)

    def _cut_dialogues(self, entries: NDArray[np.void], octets: Octets, stays: NDArray[np.bool_]) -> None:
        """Whole beginnings or ends, by act."""
        first, second = self._plan.no_beginning_share, self._plan.no_end_share
        if not (first or second) or not len(entries):
            return
        u = self._draws.block("fault_act", entries["act"] & 0xFFFFFFFF, entries["act"] >> 32)[0]
        begins, ends = half_of(octets)
        less, more = threshold_q32(first), threshold_q32(min(first + second, 1.0))
        for kind, gone in ((NO_BEGINNING, begins & (u < less)), (NO_END, ends & (u >= less) & (u < more))):
            stays[gone] = False
            self._note_of(kind, entries[gone])

    def _interrupt(self, entries: NDArray[np.void], stays: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Lost and taken-over associations; which messages pass at their own time."""
        on_time = np.ones(len(entries), np.bool_)
        for rows, until_us, taken in self._outages.over(entries["t_us"], entries["link"]):
            rows = rows[stays[rows] & on_time[rows]]
            by_us = until_us - entries["due_us"][rows]
            self._note_of(TAKE_OVER if taken else ASSOCIATION_LOSS, entries[rows], by_us if taken else 0)
            if taken:
                entries["t_us"][rows] = until_us
                on_time[rows] = False
            else:
                stays[rows] = False
        return on_time

    def _single(
        self, entries: NDArray[np.void], octets: Octets, stays: NDArray[np.bool_], on_time: NDArray[np.bool_]
    ) -> NDArray[np.void]:
        """At most one fault a message; copies are new entries. Changes `stays` and `on_time`."""
        copies = np.zeros(0, _ENTRY)
        if not len(entries) or not self._bounds[-1]:
            return copies
        u = self._draws.block("fault_message", entries["corr"] & 0xFFFFFFFF, entries["corr"] >> 32)
        kind = np.searchsorted(self._bounds, u[0].astype(np.uint64), side="right") + LOSS
        kind[~on_time] = 0
        lost = np.flatnonzero(kind == LOSS)
        stays[lost] = False
        self._note_of(LOSS, entries[lost])
        late = np.flatnonzero(kind == DELAY)
        mean_us = round(self._plan.delay_mean_s * 1_000_000)
        by_us = (
            1 + np.minimum(EXPONENTIAL.quantile(u[1][late]), _LONGEST_DELAY * ONE_Q16) * mean_us // ONE_Q16
        )
        entries["t_us"][late] += by_us
        self._note_of(DELAY, entries[late], by_us)
        for i in np.flatnonzero((kind == TRUNCATION) | (kind == BYTE_FLIP)).tolist():
            self._damage(entries, i, int(kind[i]), self._message(entries, i, octets), u[:, i])
        on_time &= stays
        on_time[late] = False
        on_time[kind == REORDERING] = False
        twice = np.flatnonzero(kind == DUPLICATION)
        copies = entries[twice]
        by_us = 1 + scale(u[1][twice], self._plan.duplicate_within_ms * 1000)
        copies["t_us"] += by_us
        copies["rank"] = _COPY
        self._note_of(DUPLICATION, copies, by_us)
        entries["rank"][kind == REORDERING] = _OVERTAKEN
        return copies

    def _damage(self, entries: NDArray[np.void], i: int, kind: int, message: bytes, u: U32) -> None:
        if kind == TRUNCATION:
            left = _LABEL + int(scale(u[1], len(message) - _LABEL))
            message, detail = message[:left], left
        else:
            place = _LABEL + int(scale(u[1], len(message) - _LABEL - _CORRELATION))
            bits = 1 + int(scale(u[2], 255))
            message = message[:place] + bytes([message[place] ^ bits]) + message[place + 1 :]
            detail = place << 8 | bits
        entries["source"][i] = self._own(message)
        self._note_of(kind, entries[i : i + 1], 0, detail)

    def _overtake(
        self, entries: NDArray[np.void], stays: NDArray[np.bool_], on_time: NDArray[np.bool_], until_us: int
    ) -> NDArray[np.void]:
        """Puts whoever is to be overtaken behind the next message of its link that passes in time."""
        chosen = np.flatnonzero((entries["rank"] == _OVERTAKEN) & stays)
        left: NDArray[np.void] = entries[(entries["rank"] != _OVERTAKEN) & stays]
        waiting = np.concatenate((self._open, entries[chosen]))
        if not len(waiting):
            return left
        within_us = self._plan.reordered_within_ms * 1000
        for link in np.unique(waiting["link"]).tolist():
            mine = np.flatnonzero(waiting["link"] == link)
            passing = entries[on_time & (entries["link"] == link)]
            row = np.searchsorted(passing["corr"], waiting["corr"][mine])
            there = row < len(passing)
            mine, row = mine[there], row[there]
            soon = passing["t_us"][row] <= waiting["due_us"][mine] + within_us
            mine, row = mine[soon], row[soon]
            waiting["t_us"][mine], waiting["anchor"][mine] = passing["t_us"][row], passing["corr"][row]
        found = waiting["anchor"] != waiting["corr"]
        self._note_of(REORDERING, waiting[found], (waiting["t_us"] - waiting["due_us"])[found])
        tired = ~found & (waiting["due_us"] + within_us < until_us)
        waiting["t_us"][tired] = waiting["due_us"][tired] + within_us
        self._note_of(DELAY, waiting[tired], within_us)
        self._open = waiting[~found & ~tired]
        return np.concatenate((left, waiting[found | tired]))

    # ------------------------------------------------------------------ octets and rows

    def _own(self, message: bytes) -> int:
        """Keeps octets of our own; their source."""
        self._octets.append(message)
        return -len(self._octets)

    def _message(self, entries: NDArray[np.void], i: int, octets: Octets) -> bytes:
        source = int(entries["source"][i])
        return octets.message(source) if source >= 0 else self._octets[-1 - source]

    def _written(self, out: NDArray[np.void], octets: Octets) -> WireBatch:
        """The batch: whole runs of the window's octets are copied at once."""
        if not len(out):
            return WireBatch.empty()
        source, starts = out["source"], octets.batch.offsets
        own = source < 0
        size = np.zeros(len(out), np.int64)
        size[~own] = np.diff(starts)[source[~own]]
        size[own] = [len(self._octets[-1 - k]) for k in source[own].tolist()]
        breaks = np.ones(len(out), np.bool_)
        breaks[1:] = own[1:] | own[:-1] | (np.diff(source) != 1)
        first = np.flatnonzero(breaks)
        last = np.append(first[1:], len(out)) - 1
        data = memoryview(octets.batch.data)
        parts = [
            self._octets[-1 - a] if a < 0 else data[starts[a] : starts[b + 1]]
            for a, b in zip(source[first].tolist(), source[last].tolist(), strict=True)
        ]
        offsets = np.concatenate((np.zeros(1, np.int64), size.cumsum()))
        return WireBatch(
            out["t_us"].copy(), b"".join(parts), offsets, out["sls"].copy(), out["uplink"].copy(),
            out["corr"].copy(), out["act"].copy(),
        )  # fmt: skip

    def _keep(self, later: NDArray[np.void], octets: Octets) -> None:
        """Only the octets of what is held are kept."""
        kept: list[bytes] = []
        for held in (later, self._open):
            for i in range(len(held)):
                kept.append(self._message(held, i, octets))
                held["source"][i] = -len(kept)
        self._held, self._octets = later, kept

    def _note_of(self, kind: int, entries: NDArray[np.void], by_us: Any = 0, detail: int = 0) -> None:
        if len(entries):
            self._note(kind, entries["due_us"], entries["corr"], entries["act"], by_us, detail)

    def _note(self, kind: int, t_us: Any, corr: Any, act: Any, by_us: Any, detail: int) -> None:
        rows = np.zeros(len(t_us), FAULT)
        rows["t_us"], rows["kind"], rows["corr"], rows["act"] = t_us + self._epoch_us, kind, corr, act
        rows["by_us"], rows["detail"] = by_us, detail
        self._rows.append(rows)
