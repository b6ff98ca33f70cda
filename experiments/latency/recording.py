"""A capture as a load: its DATA messages, their times and the ids by which triggers are tied to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.problems import BadInput, relative
from sigtran import MessageBatch
from sigtran.capture import COUNTS, CaptureError, CaptureReader
from sigtran.m3ua import DataMessage, DecodeError, decode

__all__ = ["Recording", "read_recording"]

EXPECTED: Final = (
    "expected a pcapng or pcap with M3UA DATA messages that have ascending correlation ids (RFC 4666 3.3.1), "
    "by which a trigger is tied to its message; `kairos capture` writes them"
)
_DATA: Final = b"\x01\x01"
"""RFC 4666 3.1.2: message class Transfer, type DATA."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What is played of a capture, in the order of time."""

    messages: MessageBatch
    """Octets as they were recorded; their streams are those of the capture."""
    since_us: NDArray[np.int64]
    """Since the first of them, microseconds, ascending."""
    corr: NDArray[np.int64]
    """Correlation ids, ascending."""


def read_recording(file: Path, span_us: float) -> Recording:
    """The DATA messages of the first `span_us` microseconds of a capture.

    Raises:
        BadInput: it cannot be read, or there is nothing in it that can be played.
    """
    found: list[tuple[int, bytes, int]] = []
    first_us: int | None = None
    name = relative(file)
    try:
        reader = CaptureReader(file, name=name)
        for batch in reader:
            rows = zip(batch.t_unix_us.tolist(), batch.messages, batch.messages.streams.tolist(), strict=True)
            for t_us, octets, stream in rows:
                message = bytes(octets)
                if message[2:4] != _DATA:
                    continue
                first_us = t_us if first_us is None else min(t_us, first_us)
                if t_us - first_us <= span_us:
                    found.append((t_us, message, stream))
    except CaptureError as error:
        raise BadInput(f"{error}; {EXPECTED}") from None
    except OSError as error:
        raise BadInput(f"{name}: cannot be read: {error.strerror or error}; {EXPECTED}") from None
    if first_us is None:
        met = [f"{COUNTS[what]}: {n}" for what, n in reader.counts().items() if n]
        raise BadInput(f"{name}: no M3UA DATA message in it ({', '.join(met) or 'no packet'}); {EXPECTED}")
    # An earlier one may have come later in the file.
    found = sorted((row for row in found if row[0] - first_us <= span_us), key=lambda row: row[0])
    try:
        ids = [DataMessage.from_message(decode(message)).correlation_id or 0 for _, message, _ in found]
    except DecodeError as error:
        raise BadInput(f"{name}: a DATA message cannot be read: {error}; {EXPECTED}") from None
    corr = np.array(ids, np.int64)
    if corr[0] <= 0 or np.any(np.diff(corr) <= 0):
        raise BadInput(f"{name}: its messages have no ascending correlation ids; {EXPECTED}")
    return Recording(
        MessageBatch.from_messages([message for _, message, _ in found], [stream for _, _, stream in found]),
        np.array([t_us - first_us for t_us, _, _ in found], np.int64),
        corr,
    )
