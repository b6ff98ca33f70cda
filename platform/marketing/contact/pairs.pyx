# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""A table of (subscriber, campaign) -> latest contact, in open addressing: 16 octets a slot.

Millions of pairs as Python objects would be 200 octets each, more than all else that is known of a subscriber.
"""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

import numpy as np

PAIR = np.dtype([("key", np.uint64), ("day", np.uint32), ("month", np.uint16), ("ordinal", np.uint16)])

cdef struct Pair:
    uint64_t key      # row * 65536 + campaign, plus one; 0 = free
    uint32_t day      # local day of the latest counted contact; 0 = none
    uint16_t month
    uint16_t ordinal  # contacts reserved in that month

if sizeof(Pair) != PAIR.itemsize:
    raise ImportError("the compiled pair and PAIR differ")


cdef class Pairs:
    """`get` and `put` by row and number of a campaign; grows by itself, never shrinks but by `prune`."""

    cdef readonly object slots
    cdef Pair[::1] pairs
    cdef readonly int64_t used

    def __init__(self, int64_t size=64):
        self.slots = np.zeros(size, dtype=PAIR)
        self.pairs = self.slots
        self.used = 0

    def __len__(self):
        return self.used

    @property
    def nbytes(self):
        """Octets held."""
        return self.slots.nbytes

    cdef inline int64_t _find(self, uint64_t key) noexcept nogil:
        cdef uint64_t mask = self.pairs.shape[0] - 1
        cdef uint64_t at = (key * <uint64_t>0x9E3779B97F4A7C15 >> 20) & mask
        while self.pairs[at].key and self.pairs[at].key != key:
            at = (at + 1) & mask
        return at

    def get(self, int64_t row, int campaign):
        """(month, ordinal, day) of a pair; zeros where there is none."""
        cdef int64_t at = self._find(<uint64_t>row * 65536 + campaign + 1)
        if not self.pairs[at].key:
            return 0, 0, 0
        return self.pairs[at].month, self.pairs[at].ordinal, self.pairs[at].day

    def put(self, int64_t row, int campaign, int month, int ordinal, int64_t day):
        """Enters a pair or changes it."""
        cdef uint64_t key = <uint64_t>row * 65536 + campaign + 1
        cdef int64_t at
        if row < 0 or not 0 <= campaign < 65536:
            raise ValueError(f"row {row} and campaign {campaign} cannot be a key")
        at = self._find(key)
        if not self.pairs[at].key:
            if 3 * (self.used + 1) > 2 * self.pairs.shape[0]:
                self._rehash(self.slots[self.slots["key"] != 0], 2 * self.pairs.shape[0])
                at = self._find(key)
            self.pairs[at].key = key
            self.used += 1
        self.pairs[at].month, self.pairs[at].ordinal, self.pairs[at].day = month, ordinal, day

    def entries(self):
        """All pairs: rows, campaigns, and the records."""
        kept = self.slots[self.slots["key"] != 0]
        key = kept["key"] - np.uint64(1)
        return (key >> np.uint64(16)).astype(np.int64), (key & np.uint64(65535)).astype(np.int64), kept

    def load(self, rows, campaigns, records):
        """Replaces everything by these."""
        fresh = records.copy()
        fresh["key"] = np.asarray(rows).astype(np.uint64) * np.uint64(65536) + np.asarray(campaigns).astype(np.uint64)
        fresh["key"] += np.uint64(1)
        size = 64
        while 2 * size < 3 * (len(fresh) + 1):
            size *= 2
        self._rehash(fresh, size)

    def prune(self, int64_t day, int month):
        """Forgets pairs whose latest contact was before a day and whose ordinals are of an earlier month."""
        rows, campaigns, kept = self.entries()
        stays = (kept["day"] >= day) | (kept["month"] >= month)
        self.load(rows[stays], campaigns[stays], kept[stays])

    cdef _rehash(self, kept, int64_t size):
        cdef int64_t i, at
        cdef Pair[::1] old = np.ascontiguousarray(kept)
        self.slots = np.zeros(size, dtype=PAIR)
        self.pairs = self.slots
        self.used = old.shape[0]
        for i in range(old.shape[0]):
            at = self._find(old[i].key)
            self.pairs[at] = old[i]
