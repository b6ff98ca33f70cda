"""Signalling for the tests of decode, correlate and collect: ladders as timed messages, batches, feeding.

Test folders are no packages; the fixture `wire` hands this module out.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BehaviourBatch, Kind, concatenate
from marketing.correlate import Correlator
from marketing.decode import decode_batch
from sim.bssap.errors import EncodeError
from sim.bssap.procedures import LADDERS, OPTION_VALUES, Params, ladder

MSC, BSC, BSC2 = 1, 257, 258
WAIT_US = {
    "": 0,
    "alert": 2_000_000,
    "ring": 6_000_000,
    "talk": 40_000_000,
    "talk2": 20_000_000,
    "page": 1_500_000,
}


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a story."""

    t_us: int
    octets: bytes
    """The M3UA message."""
    stream: int
    mark: str = ""
    name: str = ""


def m3ua(
    payload: bytes,
    uplink: bool,
    *,
    corr: int | None = None,
    sls: int = 0,
    bsc: int = BSC,
    si: int = 3,
    ni: int = 2,
) -> bytes:
    opc, dpc = (bsc, MSC) if uplink else (MSC, bsc)
    value = struct.pack("!IIBBBB", opc, dpc, si, ni, 0, sls) + payload
    body = struct.pack("!HH", 0x0210, len(value) + 4) + value + bytes(-len(value) % 4)
    if corr is not None:
        body += struct.pack("!HHI", 0x0013, 8, corr)
    return struct.pack("!BBBBI", 1, 0, 1, 1, 8 + len(body)) + body


def with_corr(octets: bytes, corr: int) -> bytes:
    """The same DATA message with a correlation id behind it."""
    return octets[:4] + struct.pack("!I", len(octets) + 8) + octets[8:] + struct.pack("!HHI", 0x0013, 8, corr)


def story(
    kind: str, start_us: int = 1_000_000, *, sls: tuple[int, int] = (1, 2), **options: Any
) -> list[Message]:
    """One procedure as messages, each at its time; leg 1 is at the other BSC."""
    out, t = [], start_us
    for step in ladder(kind, Params(**options)):
        t += step.after_us + WAIT_US[step.wait]
        leg = sls[step.leg]
        octets = m3ua(step.payload, step.uplink, sls=leg, bsc=(BSC, BSC2)[step.leg])
        out.append(Message(t, octets, 1 + leg % 15, step.mark, step.name))
    return out


@cache
def variants() -> tuple[tuple[str, dict[str, Any]], ...]:
    """Every procedure with every combination of its options that makes sense."""
    return tuple(_variants())


def _variants() -> Iterable[tuple[str, dict[str, Any]]]:
    for kind, row in LADDERS.items():
        for values in product(*(OPTION_VALUES[option] for option in row.options)):
            options: dict[str, Any] = dict(zip(row.options, values, strict=True))
            try:
                ladder(kind, Params(**options))
            except EncodeError:
                continue
            yield kind, options


def pack(octets: Sequence[bytes]) -> tuple[bytes, NDArray[np.int64]]:
    offsets = np.zeros(len(octets) + 1, dtype=np.int64)
    np.cumsum([len(o) for o in octets], out=offsets[1:])
    return b"".join(octets), offsets


def feed(
    correlator: Correlator, messages: Sequence[Message], *, size: int = 1 << 30, expire: bool = True
) -> BehaviourBatch:
    """Decode and correlate messages in the order given, in batches of `size`; nothing is left waiting."""
    found = []
    for first in range(0, len(messages), size):
        part = messages[first : first + size]
        data, offsets = pack([m.octets for m in part])
        rows = decode_batch(data, offsets)
        times = np.array([m.t_us for m in part], dtype=np.int64)
        found.append(correlator.feed(data, offsets, rows, times))
        if expire and len(part):
            found.append(correlator.expire(int(times.max())))
    if expire and len(messages):
        # By then a page has been answered or has not.
        found.append(correlator.expire(max(m.t_us for m in messages) + 11_000_000))
    found.append(correlator.flush())
    return concatenate([batch for batch in found if len(batch)])


def behaviours(messages: Sequence[Message], hold_us: int = 0, **options: Any) -> BehaviourBatch:
    """What a new correlator makes of messages."""
    return feed(Correlator(hold_us=hold_us, **options), messages)


def told(batch: BehaviourBatch) -> list[str]:
    """Kinds by name, in order."""
    return [Kind(int(kind)).name.lower() for kind in batch["kind"]]


def plain(batch: BehaviourBatch) -> list[tuple[Any, ...]]:
    """Rows without stamps and correlation ids, in one order whatever the order they came in."""
    names = ["t_us", "imsi", "kind", "role", "lac", "ci", "peer", "cause", "duration_us", "detail"]
    return sorted(zip(*(batch[name].tolist() for name in names), strict=True))
