# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""What falls due for whom, and in which order the rows of a batch are taken.

`Dues` holds one instant a subscriber in a plain column, with the least of each block of it beside: entering one
costs a store, finding all that are due costs a look at the blocks and at those rows only that may be due.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t

import numpy as np

NEVER = (1 << 62)
cdef int64_t _NEVER = 1 << 62
cdef enum:
    BLOCK_BITS = 10


cdef class Dues:
    """One due time a subscriber, Unix us; NEVER where there is none."""

    cdef readonly object due_us
    cdef int64_t[::1] due
    cdef int64_t[::1] least

    def __init__(self, int64_t subscribers):
        if subscribers < 0:
            raise ValueError(f"expected a number of subscribers, not {subscribers}")
        self.due_us = np.full(subscribers, NEVER, dtype=np.int64)
        self.due = self.due_us
        self.least = np.full((subscribers >> BLOCK_BITS) + 1, NEVER, dtype=np.int64)

    def __len__(self):
        return self.due.shape[0]

    @property
    def nbytes(self):
        """Octets held."""
        return 8 * (self.due.shape[0] + self.least.shape[0])

    def put(self, const int64_t[::1] rows not None, const int64_t[::1] due_us not None):
        """Sets the due time of each row, whatever it was."""
        cdef int64_t i, row
        self._check(rows, due_us)
        for i in range(rows.shape[0]):
            row = rows[i]
            self.due[row] = due_us[i]
            if due_us[i] < self.least[row >> BLOCK_BITS]:
                self.least[row >> BLOCK_BITS] = due_us[i]

    def lower(self, const int64_t[::1] rows not None, const int64_t[::1] due_us not None):
        """Sets the due time of each row where it is earlier than what is there."""
        cdef int64_t i, row
        self._check(rows, due_us)
        for i in range(rows.shape[0]):
            row = rows[i]
            if due_us[i] < self.due[row]:
                self.due[row] = due_us[i]
                if due_us[i] < self.least[row >> BLOCK_BITS]:
                    self.least[row >> BLOCK_BITS] = due_us[i]

    def before(self, const int64_t[::1] rows not None, const int64_t[::1] t_us not None):
        """Positions i at which something of subscriber rows[i] falls due before t_us[i]."""
        cdef int64_t i, n = 0
        self._check(rows, t_us)
        for i in range(rows.shape[0]):
            n += self.due[rows[i]] < t_us[i]
        found = np.empty(n, dtype=np.int64)
        cdef int64_t[::1] out = found
        if n:
            n = 0
            for i in range(rows.shape[0]):
                if self.due[rows[i]] < t_us[i]:
                    out[n] = i
                    n += 1
        return found

    def until(self, int64_t until_us):
        """Rows of which something is due at `until_us` or before, in the order of rows."""
        cdef int64_t block, row, first, last, n = self.due.shape[0], least
        found = []
        for block in range(self.least.shape[0]):
            if self.least[block] > until_us:
                continue
            first, least = block << BLOCK_BITS, _NEVER
            last = min(first + (1 << BLOCK_BITS), n)
            for row in range(first, last):
                if self.due[row] <= until_us:
                    found.append(row)
                if self.due[row] < least:
                    least = self.due[row]
            self.least[block] = least
        return np.array(found, dtype=np.int64)

    def next_us(self):
        """The earliest due time; None where there is none."""
        cdef int64_t block, at, row, least, first
        while True:
            at = 0
            for block in range(self.least.shape[0]):
                if self.least[block] < self.least[at]:
                    at = block
            if self.least[at] == _NEVER:
                return None
            # What a block is said to hold may have been put off since.
            first, least = at << BLOCK_BITS, _NEVER
            for row in range(first, min(first + (1 << BLOCK_BITS), self.due.shape[0])):
                if self.due[row] < least:
                    least = self.due[row]
            if least == self.least[at]:
                return least
            self.least[at] = least

    def load(self, due_us):
        """Takes over a whole column, as `due_us` gave it."""
        self.due_us[:] = due_us
        cdef int64_t row
        for row in range(self.least.shape[0]):
            self.least[row] = _NEVER
        for row in range(self.due.shape[0]):
            if self.due[row] < self.least[row >> BLOCK_BITS]:
                self.least[row >> BLOCK_BITS] = self.due[row]

    def __deepcopy__(self, _memo):
        twin = Dues(self.due.shape[0])
        twin.load(self.due_us)
        return twin

    cdef _check(self, const int64_t[::1] rows, const int64_t[::1] values):
        cdef int64_t i, n = self.due.shape[0]
        if rows.shape[0] != values.shape[0]:
            raise ValueError(f"{rows.shape[0]} rows and {values.shape[0]} times")
        for i in range(rows.shape[0]):
            if not 0 <= rows[i] < n:
                raise IndexError(f"row {rows[i]} of {n}")


class CrowdedError(ValueError):
    """Too many rows of one subscriber."""


cdef class Waves:
    """Divides a batch so that each part holds a subscriber once: the k-th part its k-th row."""

    cdef uint8_t[::1] count

    def __init__(self, int64_t subscribers):
        self.count = np.zeros(subscribers, dtype=np.uint8)

    @property
    def nbytes(self):
        """Octets held."""
        return self.count.shape[0]

    def __deepcopy__(self, _memo):
        return Waves(self.count.shape[0])

    def divide(self, const int64_t[::1] rows not None):
        """Positions by wave, in the order of the batch within each, and where each wave ends.

        Raises CrowdedError where a subscriber has more than 250 rows: halve the batch.
        """
        cdef int64_t i, n = rows.shape[0], most = 0, wave
        of_row = np.empty(n, dtype=np.int32)
        cdef int32_t[::1] of = of_row
        cdef bint full = False
        for i in range(n):
            if not 0 <= rows[i] < self.count.shape[0]:
                for wave in range(i):
                    self.count[rows[wave]] = 0
                raise IndexError(f"row {rows[i]} of {self.count.shape[0]}")
            of[i] = self.count[rows[i]]
            if of[i] >= 250:
                full = True
                continue
            self.count[rows[i]] += 1
            if of[i] >= most:
                most = of[i] + 1
        for i in range(n):
            self.count[rows[i]] = 0
        if full:
            raise CrowdedError("one subscriber has more than 250 rows in a batch")
        ends_array = np.zeros(most, dtype=np.int64)
        order_array = np.empty(n, dtype=np.int64)
        cdef int64_t[::1] ends = ends_array, order = order_array
        for i in range(n):
            ends[of[i]] += 1
        cdef int64_t before = 0, size
        for wave in range(most):
            size = ends[wave]
            ends[wave] = before
            before += size
        for i in range(n):
            order[ends[of[i]]] = i
            ends[of[i]] += 1
        return order_array, ends_array
