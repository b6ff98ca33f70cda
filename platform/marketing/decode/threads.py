"""Decoding on several threads: each takes a stretch of messages, as no message needs another to be read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from marketing.decode.columns import decode_batch, new_rows
from marketing.decode.schema import RowBatch

__all__ = ["Decoders"]

LEAST: Final = 4096
"""Messages of a stretch; fewer are decoded in less time than it takes to wake a thread: 45 us."""


class Decoders:
    """`decode_batch` on up to so many threads, the caller's among them; one batch at a time."""

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads - 1, thread_name_prefix="decode") if threads > 1 else None

    def decode(self, data: Buffer, offsets: NDArray[np.int64], ni: int = -1) -> RowBatch:
        """The rows that one thread makes. See `decode_batch`."""
        n = len(offsets) - 1
        stretches = min(self.threads, n // LEAST)
        if self._pool is None or stretches < 2:
            return decode_batch(data, offsets, None, ni)
        rows = new_rows(n)
        ends = [n * i // stretches for i in range(stretches + 1)]
        parts = [(data, offsets[a : b + 1], rows[a:b], ni) for a, b in pairwise(ends)]
        others = [self._pool.submit(decode_batch, *part) for part in parts[1:]]
        decode_batch(*parts[0])
        for other in others:
            other.result()
        return rows

    def close(self) -> None:
        """Ends the threads."""
        if self._pool is not None:
            self._pool.shutdown()
