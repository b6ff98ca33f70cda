# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Ascending numbers and the place of each: a table of beginnings narrows the search to a handful of them."""

from libc.stdint cimport int32_t, int64_t, uint64_t

import numpy as np


cdef class Index:
    """Finds places in ascending values, no two equal; one or two octets a value on top of them."""

    cdef readonly object values
    cdef object begins
    cdef const uint64_t[::1] value
    cdef const int32_t[::1] begin
    cdef uint64_t base
    cdef int shift

    def __init__(self, values):
        self.values = np.ascontiguousarray(values, dtype=np.uint64)
        self.value = self.values
        self.shift = 0
        n = len(self.values)
        if n > 1 and not np.all(self.values[1:] > self.values[:n - 1]):
            raise ValueError("values that ascend, no two equal, were expected")
        span = int(self.values.max()) - int(self.values.min()) if n else 0
        self.base = self.values.min() if n else 0
        while (span >> self.shift) > max(n // 3, 1):
            self.shift += 1
        edges = np.arange((span >> self.shift) + 1, dtype=np.uint64) << np.uint64(self.shift)
        begins = np.searchsorted(self.values, edges + np.uint64(self.base)) if n else np.zeros(1)
        self.begins = np.append(begins, n).astype(np.int32)
        self.begin = self.begins

    def __reduce__(self):
        return Index, (self.values,)

    def __len__(self):
        return self.value.shape[0]

    @property
    def nbytes(self):
        """Octets on top of the values."""
        return self.begins.nbytes

    def find(self, wanted):
        """Place of each of these (uint64), int64; -1 where it is not there."""
        cdef const uint64_t[::1] ask = np.ascontiguousarray(wanted, dtype=np.uint64)
        found = np.empty(ask.shape[0], dtype=np.int64)
        cdef int64_t[::1] place = found
        cdef Py_ssize_t i, n = ask.shape[0]
        cdef uint64_t last = self.begin.shape[0] - 1, bucket
        cdef int64_t low, high, middle, total = self.value.shape[0]
        with nogil:
            for i in range(n):
                # Below the first value the difference wraps round to something large.
                bucket = (ask[i] - self.base) >> self.shift
                if bucket >= last:
                    place[i] = -1
                    continue
                low, high = self.begin[bucket], self.begin[bucket + 1]
                while low < high:
                    middle = (low + high) >> 1
                    if self.value[middle] < ask[i]:
                        low = middle + 1
                    else:
                        high = middle
                place[i] = low if low < total and self.value[low] == ask[i] else -1
        return found
