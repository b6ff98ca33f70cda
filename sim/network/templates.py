"""Templates: the octets of a ladder, encoded once by the reference codec, and where its values go.

A template is made once per shape of ladder (kind, options, number lengths): the reference codec encodes the
ladder with several sets of sentinel values, and every octet that varies is traced to the octet of the row
(`sim.network.rows`) that varies in the same way. What cannot be traced is an error at that moment, so a
template is never almost right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.bssap.errors import EncodeError
from sim.network.rows import Values, pack_row
from sim.network.wire import data_message

SLOTS: Final = ("page", "alert", "ring", "talk", "talk2")
"""Names of the waits that an instance fills with a duration of its own, in the order of its slot columns."""
END: Final = "end"
"""The moment of a ladder's last step."""
FREE_DIGIT: Final = "x"
"""Stands for a digit that is a value: of a long number all but the first two, which decide its type."""
_SETS: Final = 4  # three bind the octets, the fourth only checks
UPLINK: Final = 1
SECOND_LEG: Final = 2
LAST_VISIBLE: Final = 4
"""Bits of the flags of a message; from bit 8 on: one more than the index of the visibility rule, 0 none."""
RULE_SHIFT: Final = 8


class StepLike(Protocol):
    """One message of a ladder: `sim.bssap.procedures.Step`."""

    @property
    def leg(self) -> int: ...
    @property
    def uplink(self) -> bool: ...
    @property
    def after_us(self) -> int: ...
    @property
    def wait(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def payload(self) -> bytes: ...
    @property
    def mark(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything about a ladder instance that changes its octets other than by value."""

    kind: str
    options: tuple[tuple[str, str | int | bool], ...] = ()
    """Options of the ladder by name, in the order of the names."""
    called: str = ""
    """Digits of the called number; `x` for a digit that is a value."""
    calling: str = ""
    tpdu_length: int = 0


Ladders = Callable[[Shape, Values], Sequence[StepLike]]
"""The reference codec: the ladder of a shape with these values."""
VisibleOf = Callable[[Shape, StepLike], int]
"""Which visibility rule (index, -1 none) a step of a ladder falls under."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A step of a template as the resolver plans with it."""

    base_us: int
    waits: tuple[int, ...]
    """Slots that have passed, as column numbers."""
    stretch: int
    """The last of them: the slot to fill so that the step comes later; -1 none."""


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """The octets of all messages of one shape of ladder, and where its values go."""

    shape: Shape
    octets: NDArray[np.uint8]
    patch_to: NDArray[np.int32]
    """Positions in `octets`."""
    patch_from: NDArray[np.int32]
    """Positions in the row."""
    lengths: NDArray[np.int64]
    """Octets of each message."""
    base_us: NDArray[np.int64]
    """Time of each message after the start, at pace one and with empty slots."""
    slots: NDArray[np.int64]
    """(messages, slots): how often each slot has passed before the message."""
    flags: NDArray[np.int64]
    """Of each message, as above."""
    names: tuple[str, ...]
    moments: dict[str, Moment]
    """Mark -> its first step; END -> the last step."""
    visible: tuple[int, ...]
    """Index of the visibility rule of each message, -1 none."""

    @property
    def shows(self) -> bool:
        """Whether any step falls under a visibility rule."""
        return max(self.visible) >= 0

    def render(self, row: bytes) -> list[bytes]:
        """The messages of one instance with the values of a row, as the compiled network makes them."""
        octets = self.octets.copy()
        octets[self.patch_to] = np.frombuffer(row, dtype=np.uint8)[self.patch_from]
        ends = self.lengths.cumsum().tolist()
        return [
            octets[end - length : end].tobytes()
            for end, length in zip(ends, self.lengths.tolist(), strict=True)
        ]


def _octet_stream(label: str) -> Iterator[int]:
    block = 0
    while True:
        yield from hashlib.shake_256(f"{label} {block}".encode()).digest(256)
        block += 1


def sentinel_values(shape: Shape, index: int) -> Values:
    """Values whose every octet differs from set to set, the same on every machine."""
    octets = _octet_stream(f"sentinel {index}")

    def number(bits: int) -> int:
        count = (bits + 7) // 8
        return int.from_bytes(bytes(next(octets) for _ in range(count)), "big") & ((1 << bits) - 1)

    def digits(pattern: str) -> str:
        return "".join(str(next(octets) % 10) if c == FREE_DIGIT else c for c in pattern)

    return Values(
        imsi=digits("x" * 15),
        imei=digits("x" * 15),
        tmsi=number(31),
        new_tmsi=number(31),
        lac=number(15) + 1,
        ci=number(16),
        old_lac=number(15) + 1,
        lac2=number(15) + 1,
        ci2=number(16),
        bss_ref=number(23) + 1,
        msc_ref=number(23) + 1,
        bss_ref2=number(23) + 1,
        msc_ref2=number(23) + 1,
        cic=number(16),
        cic2=number(16),
        rand=bytes(next(octets) for _ in range(16)),
        sres=bytes(next(octets) for _ in range(4)),
        kc=bytes(next(octets) for _ in range(8)),
        rp_ref=number(8),
        ti=next(octets) % 7,
        ho_ref=number(8),
        ho_cell=bytes(next(octets) for _ in range(2)),
        bsc=number(14),
        bsc2=number(14),
        msc=number(14),
        msc2=number(14),
        sls=number(4),
        sls2=number(4),
        old_mcc=digits("xxx"),
        old_mnc=digits("xx"),
        called=digits(shape.called),
        calling=digits(shape.calling),
        tpdu=bytes(next(octets) for _ in range(shape.tpdu_length)),
    )


def reference_messages(steps: Sequence[StepLike], values: Values) -> list[bytes]:
    """The ladder as M3UA messages, one at a time: what a template must equal."""
    messages = []
    for step in steps:
        first = step.leg == 0
        bsc, msc = (values.bsc, values.msc) if first else (values.bsc2, values.msc2)
        sls = values.sls if first else values.sls2
        opc, dpc = (bsc, msc) if step.uplink else (msc, bsc)
        messages.append(data_message(opc, dpc, sls, step.payload))
    return messages


def make_template(shape: Shape, ladders: Ladders, visible_of: VisibleOf) -> Template:
    """Encodes a shape with the sentinel sets and traces its octets; EncodeError where that fails."""
    values = [sentinel_values(shape, i) for i in range(_SETS)]
    ladder = [ladders(shape, v) for v in values]
    messages = [reference_messages(steps, v) for steps, v in zip(ladder, values, strict=True)]
    lengths = [len(m) for m in messages[0]]
    if any([len(m) for m in other] != lengths for other in messages):
        raise EncodeError(f"{shape}: the lengths of its messages depend on values")
    wire = np.array([list(b"".join(m)) for m in messages], dtype=np.int64)
    row = np.array([list(pack_row(v)) for v in values], dtype=np.int64)
    binding = 256 ** np.arange(_SETS - 1, dtype=np.int64)
    wire_keys, row_keys = binding @ wire[:-1], binding @ row[:-1]
    source: dict[int, int] = {}
    for position, key in enumerate(row_keys.tolist()):
        source.setdefault(key, position)
    to = np.flatnonzero(np.any(wire[:-1] != wire[0], axis=0))
    try:
        patch_from = np.array([source[key] for key in wire_keys[to].tolist()], dtype=np.int32)
    except KeyError:
        bad = next(int(p) for p in to if int(wire_keys[p]) not in source)
        message = int(np.searchsorted(np.cumsum(lengths), bad, side="right"))
        raise EncodeError(
            f"{shape}: octet {bad} ({ladder[0][message].name}) comes from no value of the row"
        ) from None
    patched = wire[0].copy()
    patched[to] = row[-1][patch_from]
    if not np.array_equal(patched, wire[-1]):
        raise EncodeError(f"{shape}: the template does not reproduce the reference encoding")

    steps = ladder[0]
    waits = np.zeros((len(steps), len(SLOTS)), dtype=np.int64)
    for i, step in enumerate(steps):
        if step.wait:
            waits[i:, SLOTS.index(step.wait)] += 1
    base_us = np.cumsum([step.after_us for step in steps], dtype=np.int64)
    moments: dict[str, Moment] = {}
    passed: tuple[int, ...] = ()
    for i, step in enumerate(steps):
        if step.wait:
            passed = (*passed, SLOTS.index(step.wait))
        moment = Moment(int(base_us[i]), passed, passed[-1] if passed else -1)
        if step.mark:
            moments.setdefault(step.mark, moment)
        moments[END] = moment
    visible = tuple(visible_of(shape, step) for step in steps)
    shown = [i for i, rule in enumerate(visible) if rule >= 0]
    flags = [
        UPLINK * step.uplink
        | SECOND_LEG * (step.leg == 1)
        | LAST_VISIBLE * ([i] == shown[-1:])
        | rule + 1 << RULE_SHIFT
        for i, (step, rule) in enumerate(zip(steps, visible, strict=True))
    ]
    return Template(
        shape=shape,
        octets=wire[0].astype(np.uint8),
        patch_to=to.astype(np.int32),
        patch_from=patch_from,
        lengths=np.array(lengths, dtype=np.int64),
        base_us=base_us,
        slots=waits,
        flags=np.array(flags, dtype=np.int64),
        names=tuple(step.name for step in steps),
        moments=moments,
        visible=visible,
    )
