# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Row of an IMSI by a hash of row numbers: eight to sixteen octets a subscriber, two loads a look-up.

A binary search of a million IMSIs misses the caches a dozen times; here the next look-ups are fetched ahead.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

import numpy as np

cdef extern from *:
    """
    #define kairos_prefetch(p) __builtin_prefetch(p)
    """
    void kairos_prefetch(const void *p) noexcept nogil

cdef enum:
    AHEAD = 16


cdef inline uint64_t place(uint64_t value, uint64_t mask) noexcept nogil:
    return (value * <uint64_t>0x9E3779B97F4A7C15 >> 24) & mask


cdef class Finder:
    """Over an array of different values that is never changed."""

    cdef const uint64_t[::1] values
    cdef int32_t[::1] slots
    cdef uint64_t mask

    def __init__(self, values not None):
        cdef int64_t i, n = len(values)
        cdef uint64_t at, size = 16
        self.values = np.ascontiguousarray(values, dtype=np.uint64)
        while 2 * size < 3 * <uint64_t>n:
            size *= 2
        self.mask = size - 1
        self.slots = np.full(size, -1, dtype=np.int32)
        with nogil:
            for i in range(n):
                at = place(self.values[i], self.mask)
                while self.slots[at] >= 0:
                    at = (at + 1) & self.mask
                self.slots[at] = <int32_t>i

    @property
    def nbytes(self):
        """Octets of the table."""
        return self.slots.nbytes

    def rows(self, wanted not None):
        """Position of each value; -1 = not there."""
        cdef const uint64_t[::1] of = np.ascontiguousarray(wanted, dtype=np.uint64)
        cdef int64_t i, n = of.shape[0]
        found = np.empty(n, dtype=np.int64)
        cdef int64_t[::1] out = found
        cdef uint64_t at
        cdef int32_t row
        with nogil:
            for i in range(n):
                if i + 2 * AHEAD < n:
                    kairos_prefetch(&self.slots[place(of[i + 2 * AHEAD], self.mask)])
                if i + AHEAD < n:
                    row = self.slots[place(of[i + AHEAD], self.mask)]
                    if row >= 0:
                        kairos_prefetch(&self.values[row])
                at = place(of[i], self.mask)
                row = self.slots[at]
                while row >= 0 and self.values[row] != of[i]:
                    at = (at + 1) & self.mask
                    row = self.slots[at]
                out[i] = row
        return found
