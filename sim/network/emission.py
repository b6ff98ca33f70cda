"""The last phase of a window: ladders to messages, merged in time order, numbered; and visible acts.

Messages after the window's end are kept for theirs, so the stream is in order of time however long the
windows are; at one time the order is that of the acts.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.network import acts
from sim.network.encode import ACT, FLAGS, LENGTH, START, T_US, TemplateLibrary
from sim.network.switch import Outbox
from sim.network.templates import LAST_VISIBLE, RULE_SHIFT, SECOND_LEG, SLS_OFFSET, UPLINK
from sim.network.visible import CALL_CONNECTED, CALL_ENDED, RULES, VISIBLE, rule_name
from sim.network.wire import WireBatch

_LAST_FOUR: Final = np.arange(-4, 0)  # where the correlation id stands
_SHOWN: Final = [T_US, ACT, FLAGS]
_CONNECTED: Final = frozenset(i for i, rule in enumerate(RULES) if rule.kind == CALL_CONNECTED)
_ENDED: Final = frozenset(i for i, rule in enumerate(RULES) if rule.kind == CALL_ENDED)

_LEAST_OCTETS: Final = 1 << 18
_NO_ACTS: Final = np.zeros(0, dtype=acts.ACT)

Visible = NDArray[np.void]
Acts = NDArray[np.void]


class Emitter:
    """Turns the outbox into wire batches, window by window."""

    def __init__(
        self,
        library: TemplateLibrary,
        out: Outbox,
        lac: list[int],
        ci: list[int],
        epoch_unix_us: int,
        first_correlation: int = 1,
    ) -> None:
        self._library = library
        self._out = out
        self._lac = lac
        self._ci = ci
        self._epoch_unix_us = epoch_unix_us
        self._next_correlation = first_correlation
        self._kept: NDArray[np.int64] = np.zeros((5, 0), dtype=np.int64)
        """What is known of the messages kept for later (as `Messages.meta`), in order of time."""
        self._data = bytearray(_LEAST_OCTETS)
        """Their octets, and those of messages gone since the last clearing up."""
        self._used = 0
        self._connected_us: dict[int, int] = {}

    @property
    def pending(self) -> int:
        """Messages kept for later windows."""
        return int(self._kept.shape[1])

    def acts(self) -> Acts:
        """The acts settled since the last call, in the order in which they were settled."""
        if not self._out.acts:
            return _NO_ACTS
        rows = np.array(self._out.acts, dtype=acts.ACT)
        rows["t_us"] += self._epoch_unix_us
        self._out.acts.clear()
        return rows

    def window(self, until_us: int) -> tuple[WireBatch, Visible] | None:
        """All messages before `until_us` that have not been out yet; None where there are none."""
        kept = self._kept
        if self._out.instances:
            kept = self._joined(kept)
        elif not kept.shape[1] or kept[T_US, 0] >= until_us:
            return None
        due = int(kept[T_US].searchsorted(until_us))
        self._kept = kept[:, due:]
        return self._batch(kept[:, :due]) if due else None

    def _joined(self, kept: NDArray[np.int64]) -> NDArray[np.int64]:
        """Encodes the outbox and sorts its messages in; at one time those of earlier acts come first."""
        fresh = self._library.encode(self._out.take())
        size = len(fresh.data)
        if self._used + size > len(self._data):
            kept = self._cleared_up(kept, size)
        self._data[self._used : self._used + size] = fresh.data
        fresh.meta[START] += self._used
        self._used += size
        meta = np.concatenate((kept, fresh.meta), axis=1)
        return meta[:, meta[T_US].argsort(kind="stable")]

    def _cleared_up(self, kept: NDArray[np.int64], size: int) -> NDArray[np.int64]:
        """Moves the octets of kept messages together and makes room for `size` more."""
        meta, length = kept.copy(), kept[LENGTH]
        live = self._picked(kept)
        meta[START] = length.cumsum() - length
        self._used = len(live)
        self._data = bytearray(max(_LEAST_OCTETS, 2 * (len(live) + size)))
        self._data[: len(live)] = live
        return meta

    def _picked(self, meta: NDArray[np.int64]) -> bytes:
        """The octets of messages, one behind the other."""
        data, start = self._data, meta[START]
        return b"".join([
            data[begin:end]
            for begin, end in zip(start.tolist(), (start + meta[LENGTH]).tolist(), strict=True)
        ])  # fmt: skip

    def _batch(self, meta: NDArray[np.int64]) -> tuple[WireBatch, Visible]:
        t_us, start, length, act, flags = meta
        n, first = len(t_us), self._next_correlation
        self._next_correlation = first + n
        corr = np.arange(first, first + n, dtype=np.uint32)
        offsets = np.zeros(n + 1, dtype=np.int64)
        length.cumsum(out=offsets[1:])
        data = np.frombuffer(self._data, dtype=np.uint8)
        data[(start + length)[:, np.newaxis] + _LAST_FOUR] = corr.astype(">u4").view(np.uint8).reshape(n, 4)
        uplink, sls = (flags & UPLINK).astype(np.bool_), data[start + SLS_OFFSET]
        batch = WireBatch(t_us.copy(), self._picked(meta), offsets, sls, uplink, corr, act.copy())
        return batch, self._visible(meta, first)

    def _visible(self, meta: NDArray[np.int64], first: int) -> Visible:
        at = (meta[FLAGS] >> RULE_SHIFT).nonzero()[0]
        out: list[tuple[Any, ...]] = []
        for i, t_us, act, flags in zip(at.tolist(), *meta[_SHOWN][:, at].tolist(), strict=True):
            index = (flags >> RULE_SHIFT) - 1
            shown, rule = self._out.shown[act], RULES[index]
            cell = shown.cell2 if flags & SECOND_LEG else shown.cell
            duration_us = 0
            if index in _CONNECTED:
                self._connected_us[act] = t_us
            elif index in _ENDED:
                duration_us = t_us - self._connected_us.pop(act)
            if flags & LAST_VISIBLE:
                del self._out.shown[act]
            out.append((
                t_us + self._epoch_unix_us, shown.imsi, rule.kind, rule.role, self._lac[cell], self._ci[cell],
                shown.peer if rule.role else b"", shown.cause if rule.cause else 0, duration_us,
                first + i, act, rule_name(index),
            ))  # fmt: skip
        return np.array(out, dtype=VISIBLE)
