# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The inner loops of `sim.draws`: Philox4x32-10 over columns, and quantiles from its tables.

Integers alone, so the same everywhere; `sim.draws.philox4x32` and `Table.at` in plain Python are the measure.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

import numpy as np

cdef enum:
    ROUNDS = 10
    LANES = 16      # blocks worked on together: a compiler puts them into vector registers


cdef struct Word:
    const int64_t *values
    int step        # 0: one value for all


cdef Word word_of(values) except *:
    cdef const int64_t[::1] view = values
    cdef Word out
    out.values = &view[0]
    out.step = 1 if view.shape[0] > 1 else 0
    return out


cdef void lanes(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d, uint32_t k0, uint32_t k1) noexcept nogil:
    """Ten rounds of LANES blocks."""
    cdef int r, i
    cdef uint64_t p, q
    for r in range(ROUNDS):
        for i in range(LANES):
            p = <uint64_t>0xD2511F53u * a[i]
            q = <uint64_t>0xCD9E8D57u * c[i]
            a[i] = <uint32_t>(q >> 32) ^ b[i] ^ k0
            b[i] = <uint32_t>q
            c[i] = <uint32_t>(p >> 32) ^ d[i] ^ k1
            d[i] = <uint32_t>p
        k0 += 0x9E3779B9u
        k1 += 0xBB67AE85u


def philox(words, key, Py_ssize_t size):
    """Blocks for four columns of counters (int64; of one value: the same for all); shape (4, size), uint32."""
    out = np.empty((4, size), np.uint32)
    if size == 0:
        return out
    cdef uint32_t[:, ::1] into = out
    cdef Word word[4]
    cdef uint32_t lane[4][LANES]
    cdef uint32_t k0 = key[0], k1 = key[1]
    cdef Py_ssize_t at = 0
    cdef int i, w, n
    for w in range(4):
        word[w] = word_of(words[w])
    with nogil:
        while at < size:
            n = <int>min(LANES, size - at)
            for w in range(4):
                for i in range(n):
                    lane[w][i] = <uint32_t>word[w].values[(at + i) * word[w].step]
                for i in range(n, LANES):
                    lane[w][i] = 0
            lanes(lane[0], lane[1], lane[2], lane[3], k0, k1)
            for w in range(4):
                memcpy(&into[w, at], lane[w], n * sizeof(uint32_t))
            at += LANES
    return out


def quantiles(const int64_t[::1] rows, const uint32_t[::1] u):
    """Quantiles at the probabilities (2 u + 1) / 2**33 from a table laid out as in `sim.draw_tables_make`."""
    cdef Py_ssize_t n = u.shape[0], i
    out = np.empty(n, np.int64)
    if n == 0:
        return out
    cdef int64_t[::1] into = out
    cdef int64_t w, bits, row, upper
    cdef double exact
    with nogil:
        for i in range(n):
            w = <int64_t>u[i] << 1 | 1
            upper = w >> 32
            if upper:
                w = (<int64_t>1 << 33) - w
            exact = <double>w       # gives exponent and leading digits of w at no cost
            memcpy(&bits, &exact, sizeof(double))
            row = (bits >> 48) - (1023 << 4) + upper * 513
            into[i] = rows[row] + (((rows[row + 1] - rows[row]) * (bits >> 28 & 0xFFFFF)) >> 20)
    return out
