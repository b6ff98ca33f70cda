# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The fast decoder for Python: one pass from M3UA to the short message's addresses, without the GIL.

The decoding itself is in the headers beside this file, the outside in `message.h`. The dtype of the rows says
how much of a message is read: ROW all columns, BRIEF those in front. A message that is wrong keeps the columns
of the layers below the fault, gets an error kind, and has no payload column filled.
"""

from libc.stdint cimport int64_t, uint8_t, uintptr_t

import numpy as np

from marketing.decode.schema import BRIEF, ROW

cdef extern from "decoder.h" nogil:
    enum:
        KAIROS_COLUMNS
        E_M3UA_HEADER
        E_BSSAP_HEADER
    const int KAIROS_OFFSETS[1]
    void kairos_message(const uint8_t *b, int64_t n, void *row, int ni)
    int kairos_user(const uint8_t *b, int n, void *row)
    int64_t kairos_flat(const uint8_t *data, int64_t size, int64_t *at, uint8_t *rows, int64_t room, int ni)
    int64_t kairos_flat_brief(const uint8_t *data, int64_t size, int64_t *at, uint8_t *rows, int64_t room, int ni)
    void kairos_batch(const uint8_t *data, const int64_t *offsets, int64_t n, uint8_t *rows, int ni)
    void kairos_batch_brief(const uint8_t *data, const int64_t *offsets, int64_t n, uint8_t *rows, int ni)
    int64_t kairos_tally(const uint8_t *rows, int64_t n, int64_t stride, int64_t *right)


cdef void decode_message(const uint8_t *b, int64_t n, Row *row, int ni) noexcept nogil:
    kairos_message(b, n, row, ni)


cdef int decode_user(const uint8_t *b, int n, Row *row) noexcept nogil:
    return kairos_user(b, n, row)


def new_rows(Py_ssize_t n, dtype=ROW):
    """Rows for n messages, not cleaned: decoding writes every octet of a row. dtype: ROW or BRIEF."""
    if dtype != ROW and dtype != BRIEF:
        raise TypeError("rows are of dtype ROW or BRIEF")
    return np.empty(n, dtype=dtype)


def decode_batch(const uint8_t[::1] data not None, const int64_t[::1] offsets not None, rows=None, int ni=-1):
    """Decode messages `data[offsets[i]:offsets[i + 1]]` into rows.

    `rows` (dtype ROW or BRIEF, contiguous) is filled from its first row and returned cut to the number of
    messages; without it a new array of dtype ROW is made. Messages of another network indicator than `ni` are
    foreign; -1 takes all.
    """
    cdef Py_ssize_t n = offsets.shape[0] - 1, i
    cdef const uint8_t *octets = NULL
    if n < 0:
        raise ValueError("offsets has no end")
    rows = _room(rows, n)
    if n == 0:
        return rows
    cdef bint brief = rows.dtype != ROW
    cdef uint8_t[::1] raw = _octets(rows)
    if offsets[0] < 0 or offsets[n] > data.shape[0]:
        raise ValueError("offsets lead out of the data")
    for i in range(n):
        if offsets[i + 1] < offsets[i]:
            raise ValueError("offsets must not descend")
    if data.shape[0]:
        octets = &data[0]
    with nogil:
        if brief:
            kairos_batch_brief(octets, &offsets[0], n, &raw[0], ni)
        else:
            kairos_batch(octets, &offsets[0], n, &raw[0], ni)
    return rows


def decode_flat(const uint8_t[::1] data not None, rows not None, Py_ssize_t start=0, int ni=-1):
    """Decode from the flat form (each message behind its length as 32-bit little-endian) until `rows` is full.

    Returns the number of messages decoded and the position behind the last one. Threads may decode parts of one
    buffer side by side, each from where a message begins and into rows of its own.
    """
    cdef int64_t size = data.shape[0], at = start, n = 0, room = rows.shape[0]
    cdef bint brief = rows.dtype != ROW
    rows = _room(rows, room)
    if room == 0 or size == 0 or start < 0:
        return 0, start
    cdef uint8_t[::1] raw = _octets(rows)
    with nogil:
        if brief:
            n = kairos_flat_brief(&data[0], size, &at, &raw[0], room, ni)
        else:
            n = kairos_flat(&data[0], size, &at, &raw[0], room, ni)
    return n, at


def tally(rows not None):
    """How many rows are DATA messages, and how many of those are right."""
    cdef int64_t n = rows.shape[0], stride = rows.dtype.itemsize, data, right = 0
    if n == 0:
        return 0, 0
    cdef uint8_t[::1] raw = _octets(_room(rows, n))
    with nogil:
        data = kairos_tally(&raw[0], n, stride, &right)
    return data, right


def decode_bssap(const uint8_t[::1] data not None):
    """One BSSAP message alone (discriminator octet first) as one row; its `error` tells whether it is right."""
    rows = np.zeros(1, dtype=ROW)
    cdef uint8_t[::1] raw = rows.view(np.uint8)
    cdef int error = E_BSSAP_HEADER
    if data.shape[0] > 65535:
        raise ValueError("a BSSAP message is not that long")
    if data.shape[0]:
        error = kairos_user(&data[0], <int>data.shape[0], &raw[0])
    if error:
        rows = np.zeros(1, dtype=ROW)
        rows["error"] = error
    return rows


cdef object _room(object rows, Py_ssize_t n):
    if rows is None:
        return np.empty(n, dtype=ROW)
    if (rows.dtype != ROW and rows.dtype != BRIEF) or not rows.flags.c_contiguous or rows.ndim != 1:
        raise TypeError("rows must be a contiguous array of dtype ROW or BRIEF")
    if rows.shape[0] < n:
        raise ValueError(f"room for {rows.shape[0]} rows, {n} messages")
    return rows[:n]


cdef uint8_t[::1] _octets(object rows):
    """The octets of one row or more. Their numbers are written as such, so they must lie as numbers do."""
    cdef uint8_t[::1] raw = rows.view(np.uint8)
    if <uintptr_t>&raw[0] & 7:
        raise ValueError("rows must begin at an address that is a multiple of 8")
    return raw


if [KAIROS_OFFSETS[i] for i in range(KAIROS_COLUMNS)] != [ROW.fields[name][1] for name in ROW.names]:
    raise ImportError("the compiled row has other columns than schema.ROW")
if sizeof(Row) != ROW.itemsize:
    raise ImportError(f"the row of columns.pxd has {sizeof(Row)} octets, schema.ROW {ROW.itemsize}")
