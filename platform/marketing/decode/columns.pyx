# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The fast decoder: one pass from M3UA to the short message's addresses, without the GIL.

Every function takes a pointer and the number of octets behind it, and compares with that number before each
read; nothing is read on trust. A message that is wrong keeps the columns of the layers below the fault, gets
an error kind, and has no payload column filled.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

import numpy as np

from marketing.decode.schema import ROW

cdef enum:
    E_M3UA_HEADER = 1
    E_M3UA_LENGTH = 2
    E_M3UA_PARAMETER = 3
    E_FOREIGN_SERVICE = 4
    E_FOREIGN_NETWORK = 5
    E_SCCP_TYPE = 6
    E_SCCP_TRUNCATED = 7
    E_SCCP_POINTER = 8
    E_BSSAP_HEADER = 9
    E_BSSMAP_ELEMENT = 10
    E_DTAP_DISCRIMINATOR = 11
    E_DTAP_TRUNCATED = 12
    E_DTAP_ELEMENT = 13
    E_IDENTITY = 14
    E_NUMBER = 15
    E_SMS_HEADER = 16
    E_TPDU = 17
    E_MESSAGE_TYPE = 18

# The payload columns begin at `dlci`, octet 34 of the row.
cdef enum:
    PAYLOAD = 34


cdef inline uint32_t be16(const uint8_t *b) noexcept nogil:
    return (<uint32_t>b[0] << 8) | b[1]


cdef inline uint32_t be24(const uint8_t *b) noexcept nogil:
    return (<uint32_t>b[0] << 16) | (<uint32_t>b[1] << 8) | b[2]


cdef inline uint32_t be32(const uint8_t *b) noexcept nogil:
    return (<uint32_t>b[0] << 24) | (<uint32_t>b[1] << 16) | (<uint32_t>b[2] << 8) | b[3]


include "dtap.pxi"
include "bssmap.pxi"


cdef int decode_user(const uint8_t *b, int n, Row *row) noexcept nogil:
    # TS 48.006 9.3: discriminator 0 = BSSMAP, 1 = DTAP with a DLCI; the length covers the rest.
    if n < 3:
        return E_BSSAP_HEADER
    if b[0] == 1:
        if b[2] != n - 3:
            return E_BSSAP_HEADER
        row.dlci = b[1]
        return layer3(b + 3, n - 3, row)
    if b[0] == 0:
        if b[1] != n - 2:
            return E_BSSAP_HEADER
        return bssmap(b + 2, n - 2, 2, row)
    return E_BSSAP_HEADER


# Q.713 4.2-4.19: what each SCCP message type looks like, by number; length of the mandatory fixed part with
# the type octet (0 = unknown type), then where its columns are, 0 = absent. `data` and `option` are pointers.
cdef struct Shape:
    uint8_t fixed       # octets up to and with the last pointer
    uint8_t dlr
    uint8_t slr
    uint8_t cause
    uint8_t data        # position of the pointer to the user data
    uint8_t option      # position of the pointer to the optional part
    uint8_t addresses   # number of pointers to addresses, from position `first`
    uint8_t first

cdef Shape SHAPES[32]
memset(&SHAPES[0], 0, sizeof(SHAPES))
SHAPES[0x01] = Shape(7, 0, 1, 0, 0, 6, 1, 5)     # CR
SHAPES[0x02] = Shape(9, 1, 4, 0, 0, 8, 0, 0)     # CC
SHAPES[0x03] = Shape(6, 1, 0, 4, 0, 5, 0, 0)     # CREF
SHAPES[0x04] = Shape(9, 1, 4, 7, 0, 8, 0, 0)     # RLSD
SHAPES[0x05] = Shape(7, 1, 4, 0, 0, 0, 0, 0)     # RLC
SHAPES[0x06] = Shape(6, 1, 0, 0, 5, 0, 0, 0)     # DT1
SHAPES[0x07] = Shape(7, 1, 0, 0, 6, 0, 0, 0)     # DT2
SHAPES[0x08] = Shape(6, 1, 0, 0, 0, 0, 0, 0)     # AK
SHAPES[0x09] = Shape(5, 0, 0, 0, 4, 0, 2, 2)     # UDT
SHAPES[0x0A] = Shape(5, 0, 0, 1, 4, 0, 2, 2)     # UDTS
SHAPES[0x0B] = Shape(5, 1, 0, 0, 4, 0, 0, 0)     # ED
SHAPES[0x0C] = Shape(4, 1, 0, 0, 0, 0, 0, 0)     # EA
SHAPES[0x0D] = Shape(8, 1, 4, 7, 0, 0, 0, 0)     # RSR
SHAPES[0x0E] = Shape(7, 1, 4, 0, 0, 0, 0, 0)     # RSC
SHAPES[0x0F] = Shape(5, 1, 0, 4, 0, 0, 0, 0)     # ERR
SHAPES[0x10] = Shape(11, 1, 4, 0, 0, 0, 0, 0)    # IT
SHAPES[0x11] = Shape(7, 0, 0, 0, 5, 6, 2, 3)     # XUDT
SHAPES[0x12] = Shape(7, 0, 0, 1, 5, 6, 2, 3)     # XUDTS


cdef inline int sccp(const uint8_t *b, int n, int base, Row *row) noexcept nogil:
    """One SCCP message of n octets, which begins `base` octets into the M3UA message."""
    cdef int kind, at, length, i, start = 0, size = -1
    cdef bint segmented = False
    cdef const Shape *shape
    if n < 1:
        return E_SCCP_TRUNCATED
    kind = b[0]
    row.sccp = <uint8_t>kind
    if kind == 6:
        # DT1, three quarters of all traffic (Q.713 4.7): reference, segmenting, pointer, data.
        if n < 6:
            return E_SCCP_TRUNCATED
        row.dlr = be24(b + 1)
        row.more = b[4] & 1
        at = 5 + b[5]
        if b[5] == 0 or at >= n or at + 1 + b[at] > n:
            row.more = 0
            return E_SCCP_POINTER
        row.user_offset = <uint16_t>(base + at + 1)
        row.user_length = b[at]
        if row.more:
            return 0
        return decode_user(b + at + 1, b[at], row)
    if kind > 0x14:
        return E_SCCP_TYPE
    if kind > 0x12:
        return long_unitdata(b, n, base, row)
    shape = &SHAPES[kind]
    if shape.fixed == 0:
        return E_SCCP_TYPE
    if n < shape.fixed:
        return E_SCCP_TRUNCATED
    if shape.dlr:
        row.dlr = be24(b + shape.dlr)
    if shape.slr:
        row.slr = be24(b + shape.slr)
    if shape.cause:
        row.sccp_cause = b[shape.cause]
    for i in range(shape.addresses):
        at = shape.first + i
        if b[at] == 0:
            return E_SCCP_POINTER
        at += b[at]
        if at >= n or b[at] == 0 or at + 1 + b[at] > n:
            return E_SCCP_POINTER
    if shape.data:
        at = shape.data
        if b[at] == 0:
            return E_SCCP_POINTER
        at += b[at]
        if at >= n or at + 1 + b[at] > n:
            return E_SCCP_POINTER
        start = at + 1
        size = b[at]
    if shape.option and b[shape.option]:
        # Q.713 3.1: optional parameters, name and length each, up to the end of optional parameters (0).
        at = shape.option + b[shape.option]
        while True:
            if at >= n:
                return E_SCCP_POINTER
            if b[at] == 0:
                break
            if at + 1 >= n:
                return E_SCCP_POINTER
            length = b[at + 1]
            if at + 2 + length > n:
                return E_SCCP_POINTER
            if b[at] == 0x0F and kind < 0x11:
                start = at + 2
                size = length
            elif b[at] == 0x10 and kind > 0x10:
                # Q.713 3.17: segmentation; first segment (bit 8) with none remaining is the whole message.
                if length != 4:
                    return E_SCCP_POINTER
                segmented = b[at + 2] & 0x8F != 0x80
            at += 2 + length
    if size < 0:
        return 0
    if kind == 0x07:
        row.more = b[5] & 1
    elif segmented:
        row.more = 1
    row.user_offset = <uint16_t>(base + start)
    row.user_length = <uint16_t>size
    if row.more or kind == 0x0B:
        return 0
    return decode_user(b + start, size, row)


cdef int long_unitdata(const uint8_t *b, int n, int base, Row *row) noexcept nogil:
    """LUDT and LUDTS (Q.713 4.20, 4.21): pointers and the data's length take two octets, low one first."""
    cdef int i, at, pointer, length, start = 0, size = 0
    cdef bint segmented = False
    if n < 11:
        return E_SCCP_TRUNCATED
    if b[0] == 0x14:
        row.sccp_cause = b[1]
    for i in range(4):
        at = 3 + 2 * i
        pointer = b[at] | (<int>b[at + 1] << 8)
        if pointer == 0:
            if i == 3:
                break
            return E_SCCP_POINTER
        at += 1 + pointer
        if i < 2:
            if at >= n or b[at] == 0 or at + 1 + b[at] > n:
                return E_SCCP_POINTER
        elif i == 2:
            if at + 1 >= n:
                return E_SCCP_POINTER
            size = b[at] | (<int>b[at + 1] << 8)
            start = at + 2
            if start + size > n:
                return E_SCCP_POINTER
        else:
            while True:
                if at >= n:
                    return E_SCCP_POINTER
                if b[at] == 0:
                    break
                if at + 1 >= n:
                    return E_SCCP_POINTER
                length = b[at + 1]
                if at + 2 + length > n:
                    return E_SCCP_POINTER
                if b[at] == 0x10:
                    if length != 4:
                        return E_SCCP_POINTER
                    segmented = b[at + 2] & 0x8F != 0x80
                at += 2 + length
    row.user_offset = <uint16_t>(base + start)
    row.user_length = <uint16_t>size
    if segmented:
        row.more = 1
        return 0
    return decode_user(b + start, size, row)


cdef inline int transfer(const uint8_t *b, int n, Row *row, int ni) noexcept nogil:
    """The parameters of a DATA message (RFC 4666 3.2, 3.3.1), from octet 8 on; user data decoded last."""
    cdef int at = 8, tag, length, label = 0, size = 0
    cdef bint numbered = False
    while at < n:
        if at + 4 > n:
            return E_M3UA_PARAMETER
        tag = be16(b + at)
        length = be16(b + at + 2)
        if length < 4 or at + length > n:
            return E_M3UA_PARAMETER
        if tag == 0x0210:
            if length < 16:
                return E_M3UA_PARAMETER
            if label == 0:
                label = at + 4
                size = length - 4
        elif tag == 0x0013:
            if length != 8:
                return E_M3UA_PARAMETER
            if not numbered:
                row.corr = be32(b + at + 4)
                numbered = True
        elif tag == 0x0200:
            if length != 8:
                return E_M3UA_PARAMETER
        elif tag == 0x0006:
            if length < 8 or length & 3:
                return E_M3UA_PARAMETER
        at += (length + 3) & ~3
    if label == 0:
        return E_M3UA_PARAMETER
    row.opc = be32(b + label)
    row.dpc = be32(b + label + 4)
    # SI, NI, MP and SLS lie side by side in both.
    memcpy(&row.si, b + label + 8, 4)
    if row.si != 3:
        return E_FOREIGN_SERVICE
    if ni >= 0 and row.ni != ni:
        return E_FOREIGN_NETWORK
    return sccp(b + label + 12, size - 12, label + 12, row)


cdef void decode_message(const uint8_t *b, int64_t n, Row *row, int ni) noexcept nogil:
    cdef int error, length
    cdef uint8_t m3ua_class, m3ua_type
    memset(row, 0, sizeof(Row))
    # RFC 4666 3.1: version, reserved, class, type, length with the header and the padding.
    if n < 8 or b[0] != 1:
        row.error = E_M3UA_HEADER
        return
    m3ua_class = b[2]
    m3ua_type = b[3]
    row.m3ua_class = m3ua_class
    row.m3ua_type = m3ua_type
    # RFC 4666 3.1.4: the padding of the last parameter may be left out of the length.
    if n > 65535 or be32(b + 4) < 8 or be32(b + 4) > n or n - be32(b + 4) > (-be32(b + 4) & 3):
        row.error = E_M3UA_LENGTH
        return
    if m3ua_class != 1 or m3ua_type != 1:
        return
    length = <int>be32(b + 4)
    error = transfer(b, length, row, ni)
    if error:
        if error <= E_M3UA_PARAMETER:
            memset(row, 0, sizeof(Row))
            row.m3ua_class = m3ua_class
            row.m3ua_type = m3ua_type
        else:
            memset(<uint8_t *>row + PAYLOAD, 0, sizeof(Row) - PAYLOAD)
        row.error = <uint8_t>error


def new_rows(Py_ssize_t n):
    """Rows for n messages, not cleaned: decoding writes every octet of a row."""
    return np.empty(n, dtype=ROW)


def decode_batch(const uint8_t[::1] data not None, const int64_t[::1] offsets not None, rows=None, int ni=-1):
    """Decode messages `data[offsets[i]:offsets[i + 1]]` into rows.

    `rows` (dtype ROW, contiguous) is filled from its first row and returned cut to the number of messages;
    without it a new array is made. Messages of another network indicator than `ni` are foreign; -1 takes all.
    """
    cdef Py_ssize_t n = offsets.shape[0] - 1, i
    if n < 0:
        raise ValueError("offsets has no end")
    rows = _room(rows, n)
    cdef uint8_t[::1] raw = rows.view(np.uint8)
    cdef Row *out
    cdef int64_t end
    if n == 0:
        return rows
    if offsets[0] < 0 or offsets[n] > data.shape[0]:
        raise ValueError("offsets lead out of the data")
    for i in range(n):
        if offsets[i + 1] < offsets[i]:
            raise ValueError("offsets must not descend")
    out = <Row *>&raw[0]
    with nogil:
        for i in range(n):
            end = offsets[i + 1]
            if end == offsets[i]:
                memset(out + i, 0, sizeof(Row))
                out[i].error = E_M3UA_HEADER
            else:
                decode_message(&data[0] + offsets[i], end - offsets[i], out + i, ni)
    return rows


def decode_flat(const uint8_t[::1] data not None, rows, Py_ssize_t start=0, int ni=-1):
    """Decode from the flat form (each message behind its length as 32-bit little-endian) until `rows` is full.

    Returns the number of messages decoded and the position behind the last one.
    """
    cdef Py_ssize_t size = data.shape[0], at = start, n = 0, room = rows.shape[0]
    cdef uint8_t[::1] raw = _room(rows, room).view(np.uint8)
    cdef uint32_t length
    cdef Row *out
    if room == 0 or size == 0 or start < 0:
        return 0, start
    out = <Row *>&raw[0]
    with nogil:
        while n < room and at + 4 <= size:
            length = (<uint32_t>data[at] | (<uint32_t>data[at + 1] << 8) | (<uint32_t>data[at + 2] << 16)
                      | (<uint32_t>data[at + 3] << 24))
            if length > size - at - 4:
                break
            decode_message(&data[0] + at + 4, length, out + n, ni)
            at += 4 + length
            n += 1
    return n, at


def tally(rows not None):
    """How many rows are DATA messages, and how many of those are right."""
    cdef Py_ssize_t n = rows.shape[0], i, data = 0, right = 0
    if n == 0:
        return 0, 0
    cdef uint8_t[::1] raw = _room(rows, n).view(np.uint8)
    cdef const Row *row = <const Row *>&raw[0]
    for i in range(n):
        if row[i].m3ua_class == 1 and row[i].m3ua_type == 1:
            data += 1
            right += row[i].error == 0
    return data, right


def decode_bssap(const uint8_t[::1] data not None):
    """One BSSAP message alone (discriminator octet first) as one row; its `error` tells whether it is right."""
    rows = np.zeros(1, dtype=ROW)
    cdef uint8_t[::1] raw = rows.view(np.uint8)
    cdef Row *row = <Row *>&raw[0]
    cdef int error = E_BSSAP_HEADER
    if data.shape[0] > 65535:
        raise ValueError("a BSSAP message is not that long")
    if data.shape[0]:
        error = decode_user(&data[0], <int>data.shape[0], row)
    if error:
        memset(row, 0, sizeof(Row))
        row.error = <uint8_t>error
    return rows


cdef object _room(object rows, Py_ssize_t n):
    if rows is None:
        return np.empty(n, dtype=ROW)
    if rows.dtype != ROW or not rows.flags.c_contiguous or rows.ndim != 1:
        raise TypeError("rows must be a contiguous array of dtype ROW")
    if rows.shape[0] < n:
        raise ValueError(f"room for {rows.shape[0]} rows, {n} messages")
    return rows[:n]


if sizeof(Row) != ROW.itemsize:
    raise ImportError(f"the compiled row has {sizeof(Row)} octets, schema.ROW {ROW.itemsize}")
