"""Message ladders to octets by the window: templates patched with NumPy, not one encoding per message.

All templates of a library lie end to end in one pool, and all values of a window in one buffer of rows, so a
window costs one gather and one scatter, however many kinds of ladder are in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.network.templates import SLOTS, Ladders, Shape, Template, VisibleOf, make_template

TEMPLATE, ROW_LENGTH, START_US, PACE, FOR_ACT, FIRST_SLOT = range(6)
"""Rows of `Instances.columns`; the slots, in microseconds, come last."""
T_US, START, LENGTH, ACT, FLAGS = range(5)
"""Rows of `Messages.meta`."""
_TIMES: Final = [START_US, PACE, FOR_ACT]


@dataclass(frozen=True, slots=True, eq=False)
class Instances:
    """Ladders to be encoded, in the order of their acts."""

    columns: NDArray[np.int64]
    """(5 + slots, instances): index of the template, length of the row, start, pace, act, slots."""
    rows: bytes
    """The rows, one behind the other."""

    @staticmethod
    def of(instances: list[tuple[int, ...]], rows: list[bytes]) -> Instances:
        """From a tuple of numbers and a row for each."""
        columns = np.array(instances, dtype=np.int64).reshape(len(rows), FIRST_SLOT + len(SLOTS))
        return Instances(np.ascontiguousarray(columns.T), b"".join(rows))


@dataclass(frozen=True, slots=True, eq=False)
class Messages:
    """Encoded messages; all that is known of them in one matrix."""

    meta: NDArray[np.int64]
    """(5, n): time, where it begins in `data`, its length, its act, flags."""
    data: bytearray


def ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """starts[0] .. starts[0] + counts[0] - 1, starts[1] .., one behind the other."""
    ends = counts.cumsum()
    total = int(ends[-1]) if len(ends) else 0
    found: NDArray[np.int64] = (starts - ends + counts).repeat(counts) + np.arange(total)
    return found


class _Pool:
    """All templates of a library laid end to end, for gathering with one index."""

    __slots__ = ("counts", "messages", "octets", "patches", "slots", "starts")

    def __init__(self, templates: list[Template]) -> None:
        self.octets = [t.octets.tobytes() for t in templates]
        self.counts = np.array(
            [(len(t.octets), len(t.patch_to), len(t.lengths)) for t in templates], dtype=np.int64
        ).T
        """(3, templates): octets, patches, messages."""
        self.starts = self.counts[1:].cumsum(axis=1) - self.counts[1:]
        """(2, templates): where the patches and messages of each begin."""
        self.patches = np.concatenate([(t.patch_to, t.patch_from) for t in templates], axis=1).astype(
            np.int64
        )
        self.messages = np.concatenate([(t.lengths, t.base_us, t.flags) for t in templates], axis=1)
        self.slots = np.ascontiguousarray(np.concatenate([t.slots for t in templates]).T)


class TemplateLibrary:
    """Templates by shape, made when first asked for; may be shared by several runs in one process."""

    def __init__(self, ladders: Ladders, visible_of: VisibleOf) -> None:
        self._ladders = ladders
        self._visible_of = visible_of
        self._by_shape: dict[Shape, Template] = {}
        self._templates: list[Template] = []
        self._pool: _Pool | None = None

    def __len__(self) -> int:
        return len(self._templates)

    def template(self, shape: Shape) -> Template:
        """The template of a shape."""
        found = self._by_shape.get(shape)
        if found is None:
            found = make_template(shape, self._ladders, self._visible_of, len(self._templates))
            self._by_shape[shape] = found
            self._templates.append(found)
            self._pool = None
        return found

    def encode(self, instances: Instances) -> Messages:
        """All messages of all instances: one gather of the templates, one scatter of the values."""
        if self._pool is None:
            self._pool = _Pool(self._templates)
        pool, columns = self._pool, instances.columns
        rows = np.frombuffer(instances.rows, dtype=np.uint8)
        kinds = columns[TEMPLATE]
        octets, patches, count = pool.counts[:, kinds]
        picked = ranges(pool.starts[:, kinds].ravel(), np.concatenate((patches, count)))
        n_patches = int(patches.sum())
        patch, message = picked[:n_patches], picked[n_patches:]
        bases = np.stack((octets, columns[ROW_LENGTH]))
        bases = bases.cumsum(axis=1) - bases
        patch_to, patch_from = pool.patches[:, patch] + bases.repeat(patches, axis=1)
        data = bytearray(b"".join([pool.octets[kind] for kind in kinds.tolist()]))
        np.frombuffer(data, dtype=np.uint8)[patch_to] = rows[patch_from]
        who = np.arange(len(count)).repeat(count)
        start_us, pace, act = columns[_TIMES][:, who]
        length, base_us, flags = pool.messages[:, message]
        waits_us = (pool.slots[:, message] * columns[FIRST_SLOT:, who]).sum(axis=0)
        t_us = start_us + (base_us * pace >> 16) + waits_us
        return Messages(np.stack((t_us, length.cumsum() - length, length, act, flags)), data)
