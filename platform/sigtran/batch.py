"""Batches of SCTP user messages: what crosses between Python and the stacks, many at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MessageBatch"]


@dataclass(frozen=True, slots=True, eq=False)
class MessageBatch:
    """Some SCTP user messages, each one M3UA message, in the order of sending or receiving.

    The bytes lie in one buffer, so that a batch of thousands costs a few Python objects. Order holds within
    a stream only: SCTP lets streams overtake each other.
    """

    data: bytes
    """All messages, one behind the other, without gaps."""
    offsets: NDArray[np.int64]
    """n + 1 positions: message i is `data[offsets[i]:offsets[i + 1]]`."""
    streams: NDArray[np.uint16]
    """SCTP stream of each message, n of them."""

    def __post_init__(self) -> None:
        if self.offsets.dtype != np.int64 or self.streams.dtype != np.uint16:
            raise TypeError(
                f"offsets must be int64 and streams uint16, not {self.offsets.dtype} and {self.streams.dtype}"
            )
        if len(self.offsets) != len(self.streams) + 1:
            raise ValueError(f"{len(self.streams)} messages need {len(self.streams) + 1} offsets")
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.data):
            raise ValueError(f"offsets must run from 0 to {len(self.data)}, the length of the data")
        if len(self.streams) and int(np.diff(self.offsets).min()) <= 0:
            raise ValueError("a message must have at least one octet, and offsets must ascend")

    @property
    def n(self) -> int:
        """Number of messages."""
        return len(self.streams)

    def __len__(self) -> int:
        return len(self.streams)

    def message(self, i: int) -> bytes:
        """The i-th message, copied out."""
        if not 0 <= i < len(self.streams):
            raise IndexError(f"message {i} of {len(self.streams)}")
        return self.data[self.offsets[i] : self.offsets[i + 1]]

    def __iter__(self) -> Iterator[bytes]:
        ends = self.offsets.tolist()
        for start, end in itertools.pairwise(ends):
            yield self.data[start:end]

    @staticmethod
    def from_messages(messages: Sequence[bytes], streams: int | Iterable[int] = 0) -> MessageBatch:
        """A batch of separate messages; `streams` is one stream for all, or one for each."""
        offsets = np.zeros(len(messages) + 1, dtype=np.int64)
        np.cumsum([len(message) for message in messages], out=offsets[1:])
        each = (
            np.full(len(messages), streams, dtype=np.uint16)
            if isinstance(streams, int)
            else np.fromiter(streams, dtype=np.uint16)
        )
        return MessageBatch(b"".join(messages), offsets, each)

    @staticmethod
    def concatenate(batches: Sequence[MessageBatch]) -> MessageBatch:
        """One batch of all, in order; the same object when there is only one."""
        if len(batches) == 1:
            return batches[0]
        base = 0
        parts = [np.zeros(1, dtype=np.int64)]
        for batch in batches:
            parts.append(batch.offsets[1:] + base)
            base += len(batch.data)
        streams = [np.zeros(0, dtype=np.uint16), *(batch.streams for batch in batches)]
        return MessageBatch(
            b"".join(batch.data for batch in batches), np.concatenate(parts), np.concatenate(streams)
        )

    def slice(self, start: int, stop: int) -> MessageBatch:
        """Messages start..stop - 1 as a batch of their own."""
        first, last = int(self.offsets[start]), int(self.offsets[stop])
        return MessageBatch(
            self.data[first:last], self.offsets[start : stop + 1] - first, self.streams[start:stop]
        )
