# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Where everybody is, whether on, with which handset: 48 octets a subscriber, updated in place.

What follows from a behaviour and what was known before comes out as behaviours of its own (DERIVED): another
cell, another area, another handset, from or to another network, and silence for too long. The same rows come
however the stream is cut: time is that of the rows, and silence ends at whole minutes.
"""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from typing import NamedTuple

import numpy as np

from marketing.behaviours.batch import BEHAVIOUR, Kind
from marketing.features.columns import Stays

PRESENCE = np.dtype([
    ("cell_since_us", np.int64),
    ("place_since_us", np.int64),
    ("power_since_us", np.int64),
    ("seen_us", np.int64),
    ("imei", np.uint64),
    ("lac", np.uint16),
    ("ci", np.uint16),
    ("place", np.int16),
    ("power", np.uint8),
    ("unused", np.uint8),
])
"""What is known of one subscriber; the names are those of the views."""

POWER_OFF_SILENT = 3
"""Value of `power`: taken for off after a long silence."""
MINUTE_US = 60_000_000

cdef extern from *:
    """
    #define kairos_prefetch(p) __builtin_prefetch(p)
    """
    void prefetch "kairos_prefetch"(const void *p) noexcept nogil

cdef enum:
    UNKNOWN = 0
    ON = 1
    OFF = 2
    SILENT = 3
    BLOCK = 4096            # subscribers whose earliest end of silence is kept together

cdef int64_t MINUTE = 60_000_000
cdef int64_t NEVER = 0x7FFFFFFFFFFFFFFF

cdef enum:
    K_POWER_ON = 1
    K_POWER_OFF = 2
    K_LOCATION_UPDATE = 3
    K_IMEI_CHANGED = 6
    K_POWER_OFF_IMPLICIT = 7
    K_ROAMED_IN = 8
    K_ROAMED_OUT = 9
    K_HANDSET_SEEN = 26
    K_CELL_CHANGED = 31
    K_AREA_ENTERED = 32
    K_PAGING_NO_RESPONSE = 33

# The same fields in the same order as BEHAVIOUR and PRESENCE, packed.
cdef packed struct Behaviour:
    int64_t t_us
    uint64_t imsi
    uint8_t kind
    uint8_t role
    uint16_t lac
    uint16_t ci
    char peer[20]
    uint8_t cause
    int64_t duration_us
    uint64_t detail
    uint32_t corr
    int64_t received_ns
    int64_t decoded_ns

cdef packed struct Known:
    int64_t cell_since_us
    int64_t place_since_us
    int64_t power_since_us
    int64_t seen_us
    uint64_t imei
    uint16_t lac
    uint16_t ci
    int16_t place
    uint8_t power
    uint8_t unused

cdef struct Out:
    Behaviour *rows
    int64_t *of
    size_t count, room
    bint broken

if sizeof(Behaviour) != BEHAVIOUR.itemsize or sizeof(Known) != PRESENCE.itemsize:
    raise ImportError("the compiled rows do not have the size of BEHAVIOUR and PRESENCE")
if (K_PAGING_NO_RESPONSE, K_AREA_ENTERED) != (Kind.PAGING_NO_RESPONSE, Kind.AREA_ENTERED):
    raise ImportError("the compiled kinds are not those of Kind")


def silence_of(double t3212_h, int periods=3, double margin_s=900.0):
    """A silence that no handset keeps which is on, microseconds; 0 where the network has no T3212.

    So many updates in a row must have been missed, and the margin is for a connection that lasts on.
    """
    if t3212_h < 0 or periods < 1 or margin_s < 0:
        raise ValueError("t3212_h and margin_s must not be negative, periods must be positive")
    return round((periods * t3212_h * 3600 + margin_s) * 1e6) if t3212_h else 0


class Derived(NamedTuple):
    """What followed from a batch."""

    behaviours: object
    """Rows of BEHAVIOUR with kinds of DERIVED, by the row of the batch that they follow from, which has the
    same time; but the end of a silence is dated before it."""
    rows: object
    """Whose each is."""
    stays: object
    """Stays at places that began, in the order of the batch."""


cdef Behaviour *derive(Out *out, int64_t row, const Behaviour *cause, int kind) noexcept nogil:
    """A new derived row with the stamps of the one it follows from; NULL without memory."""
    cdef size_t room
    cdef void *grown
    cdef Behaviour *made
    if out.count == out.room:
        room = out.room * 2 + 64
        grown = realloc(out.rows, room * sizeof(Behaviour))
        if grown != NULL:
            out.rows = <Behaviour *>grown
            grown = realloc(out.of, room * sizeof(int64_t))
        if grown == NULL:
            out.broken = True
            return NULL
        out.of = <int64_t *>grown
        out.room = room
    made = out.rows + out.count
    out.of[out.count] = row
    out.count += 1
    memset(made, 0, sizeof(Behaviour))
    made.kind = <uint8_t>kind
    if cause != NULL:
        made.t_us = cause.t_us
        made.imsi = cause.imsi
        made.lac = cause.lac
        made.ci = cause.ci
        made.corr = cause.corr
        made.received_ns = cause.received_ns
        made.decoded_ns = cause.decoded_ns
    return made


cdef inline int64_t lapses(int64_t seen_us, int64_t silence_us) noexcept nogil:
    """The first whole minute at which a silence is longer than it may be."""
    return ((seen_us + silence_us) // MINUTE + 1) * MINUTE


cdef void lapse(Out *out, Known *one, int64_t row, uint64_t imsi, int64_t at_us) noexcept nogil:
    cdef Behaviour *made = derive(out, row, NULL, K_POWER_OFF_IMPLICIT)
    if made == NULL:
        return
    made.t_us = at_us
    made.imsi = imsi
    made.lac = one.lac
    made.ci = one.ci
    one.power = SILENT
    one.power_since_us = at_us
    if one.place >= 0:
        one.place = -1
        one.place_since_us = at_us


cdef inline int16_t place_of(const uint32_t *cells, const int16_t *places, Py_ssize_t n, uint32_t cell) noexcept nogil:
    """Binary search in the sorted cell table; -1 = no place."""
    cdef Py_ssize_t low = 0, high = n, middle
    while low < high:
        middle = (low + high) >> 1
        if cells[middle] < cell:
            low = middle + 1
        else:
            high = middle
    return places[low] if low < n and cells[low] == cell else -1


cdef class Presence:
    """Columns over `subscribers`, each a view by its name: `presence.lac[row]`.

    `silence_us`: who was on and has not been heard for longer is taken for switched off, as a VLR does by
    implicit detach; 0 = nobody is. A handset that is on updates its location every T3212 (TS 24.008 4.4.2), and
    the tap may have missed such an update: see `silence_of`.
    """

    cdef object _records
    cdef Known *known
    cdef int64_t[::1] due       # of each block: not later than the first end of a silence there
    cdef readonly int64_t silence_us
    cdef readonly int64_t swept_us
    cdef readonly int64_t late
    cdef object _places, _cells, _place_of
    cdef Out out

    def __cinit__(self, subscribers, *, int64_t silence_us=0):
        if subscribers < 0 or silence_us < 0:
            raise ValueError("neither subscribers nor silence_us may be negative")
        self.silence_us = silence_us
        self._places = None
        self._take_over(np.zeros(subscribers, PRESENCE))
        self._records["place"] = -1

    def __dealloc__(self):
        free(self.out.rows)
        free(self.out.of)

    cdef _take_over(self, records):
        cdef uint8_t[::1] raw
        self._records = records
        self.known = NULL
        if len(records):
            raw = records.view(np.uint8)
            self.known = <Known *>&raw[0]
        # Every block is looked at once, by the next sweep.
        self.due = np.zeros(len(records) // BLOCK + 1, np.int64)
        self.swept_us = 0

    def __len__(self):
        return len(self._records)

    @property
    def records(self):
        """All of it, one row a subscriber; to be kept for a restart."""
        return self._records

    def load(self, records, *, own=False):
        """Goes on from `records` of as many subscribers; they are copied, or with `own` taken over.

        Raises:
            ValueError: another number or kind of rows.
        """
        if records.dtype != PRESENCE or records.shape != self._records.shape:
            raise ValueError(f"{len(self._records)} rows of PRESENCE were expected, not {records.shape} {records.dtype}")
        self._take_over(np.ascontiguousarray(records) if own else np.array(records, order="C"))

    @property
    def bytes_each(self):
        """Octets of state a subscriber."""
        return PRESENCE.itemsize

    @property
    def nbytes(self):
        """Octets in all."""
        return int(self._records.nbytes + self.due.nbytes)

    @property
    def cell_since_us(self):
        """First sight in the present cell, Unix us."""
        return self._records["cell_since_us"]

    @property
    def place_since_us(self):
        """First sight at the present place without a break, Unix us."""
        return self._records["place_since_us"]

    @property
    def power_since_us(self):
        """When it last changed, Unix us."""
        return self._records["power_since_us"]

    @property
    def seen_us(self):
        """Last behaviour of his own, Unix us; 0 = none yet."""
        return self._records["seen_us"]

    @property
    def imei(self):
        """Last IMEI told, 15 digits; 0 = none yet."""
        return self._records["imei"]

    @property
    def lac(self):
        """Last cell seen; 0 = none yet."""
        return self._records["lac"]

    @property
    def ci(self):
        """Likewise."""
        return self._records["ci"]

    @property
    def place(self):
        """Place of the last cell; -1 = none, or switched off."""
        return self._records["place"]

    @property
    def power(self):
        """0 not known, 1 on, 2 off as said by IMSI detach, 3 taken for off."""
        return self._records["power"]

    def update(self, batch, rows, places):
        """Takes in behaviours in the order of time; `rows[i]` >= 0 is the subscriber of `batch[i]`.

        Derived rows among them are passed over, and so is what is older than a subscriber's last one (`late`).
        """
        cdef const uint8_t[::1] raw
        cdef const int64_t[::1] of = rows
        cdef const uint32_t[::1] cells
        cdef const int16_t[::1] place
        cdef const Behaviour *given = NULL
        cdef Py_ssize_t n = of.shape[0], known = len(self._records), i, begun = 0
        if batch.dtype != BEHAVIOUR or batch.shape != (n,) or not batch.flags.c_contiguous:
            raise ValueError("a contiguous batch of BEHAVIOUR with a row for each behaviour was expected")
        for i in range(n):
            if not 0 <= of[i] < known:
                raise IndexError(f"row {of[i]} of {known}")
        self._table(places)
        cells, place = self._cells, self._place_of
        stay_at, stay_place = np.empty(n, np.int64), np.empty(n, np.int16)
        cdef int64_t[::1] at = stay_at
        cdef int16_t[::1] where = stay_place
        if n:
            raw = batch.view(np.uint8)
            given = <const Behaviour *>&raw[0]
            with nogil:
                for i in range(n):
                    if i + 8 < n:
                        prefetch(self.known + of[i + 8])
                    if self._see(
                        given + i, of[i], &cells[0] if cells.shape[0] else NULL, &place[0] if cells.shape[0] else NULL,
                        cells.shape[0],
                    ):
                        at[begun] = i
                        where[begun] = self.known[of[i]].place
                        begun += 1
        index = stay_at[:begun]
        made, whose = self._made()
        return Derived(made, whose, Stays(np.asarray(rows)[index], stay_place[:begun], index))

    def sweep(self, int64_t until_us, imsi):
        """Who has been silent for too long at a whole minute until then; no row until then may come any more.

        `imsi` has the IMSI of every row. Gives behaviours in the order of time and subscriber, and their rows.
        """
        cdef const uint64_t[::1] names = imsi
        cdef int64_t minute_us = until_us // MINUTE * MINUTE, first, at_us
        cdef Py_ssize_t block, i, n = len(self._records)
        if names.shape[0] != n:
            raise ValueError(f"{n} IMSIs were expected, not {names.shape[0]}")
        if self.silence_us and minute_us > self.swept_us:
            self.swept_us = minute_us
            with nogil:
                for block in range(self.due.shape[0]):
                    if self.due[block] > minute_us:
                        continue
                    first = NEVER
                    for i in range(block * BLOCK, min((block + 1) * BLOCK, n)):
                        if self.known[i].power != ON:
                            continue
                        at_us = lapses(self.known[i].seen_us, self.silence_us)
                        if at_us <= minute_us:
                            lapse(&self.out, self.known + i, i, names[i], at_us)
                        elif at_us < first:
                            first = at_us
                    self.due[block] = first
        made, whose = self._made()
        order = np.argsort(made["t_us"], kind="stable")
        return made[order], whose[order]

    cdef bint _see(
        self, const Behaviour *b, int64_t row, const uint32_t *cells, const int16_t *places, Py_ssize_t n
    ) noexcept nogil:
        """One behaviour; whether a stay at a place has begun by it."""
        cdef Known *one = self.known + row
        cdef Behaviour *made
        cdef int64_t at_us
        cdef int16_t place
        cdef bint was_elsewhere
        if (
            b.kind == K_PAGING_NO_RESPONSE or K_IMEI_CHANGED <= b.kind <= K_ROAMED_OUT
            or b.kind == K_CELL_CHANGED or b.kind == K_AREA_ENTERED
        ):
            # Not an act of his, or known already.
            return False
        if b.t_us < one.seen_us:
            self.late += 1
            return False
        if self.silence_us:
            at_us = lapses(one.seen_us, self.silence_us)
            if one.power == ON and at_us < b.t_us:
                lapse(&self.out, one, row, b.imsi, at_us)
        if b.kind == K_LOCATION_UPDATE and b.detail >> 16:
            # TS 24.008 4.4.1: the area that he comes from is another network's.
            if one.seen_us:
                made = derive(&self.out, row, b, K_ROAMED_OUT)
                if made != NULL:
                    made.lac = one.lac
                    made.ci = one.ci
                    made.detail = b.detail
                    made.duration_us = b.t_us - one.seen_us
            made = derive(&self.out, row, b, K_ROAMED_IN)
            if made != NULL:
                made.detail = b.detail
        one.seen_us = b.t_us
        if b.kind == K_POWER_OFF:
            if one.power != OFF:
                one.power = OFF
                one.power_since_us = max(b.t_us, one.power_since_us)
        else:
            # Whoever acts is switched on, whether or not an attach was seen.
            if one.power != ON or b.kind == K_POWER_ON:
                one.power = ON
                one.power_since_us = max(b.t_us, one.power_since_us)
            if self.silence_us:
                at_us = lapses(b.t_us, self.silence_us)
                if at_us < self.due[row // BLOCK]:
                    self.due[row // BLOCK] = at_us
        if b.kind == K_HANDSET_SEEN:
            if one.imei and one.imei // 10 != b.detail // 10:
                made = derive(&self.out, row, b, K_IMEI_CHANGED)
                if made != NULL:
                    made.detail = b.detail
            one.imei = b.detail
        if b.ci and (b.ci != one.ci or b.lac != one.lac):
            was_elsewhere = one.ci != 0
            if was_elsewhere:
                made = derive(&self.out, row, b, K_CELL_CHANGED)
                if made != NULL:
                    made.detail = <uint64_t>one.lac << 16 | one.ci
                if one.lac != b.lac:
                    made = derive(&self.out, row, b, K_AREA_ENTERED)
                    if made != NULL:
                        made.detail = one.lac
            one.lac = b.lac
            one.ci = b.ci
            one.cell_since_us = b.t_us
        if b.kind == K_POWER_OFF:
            place = -1
        elif b.ci:
            place = place_of(cells, places, n, <uint32_t>one.lac << 16 | one.ci)
        else:
            return False
        if place == one.place:
            return False
        one.place = place
        one.place_since_us = b.t_us
        return place >= 0

    cdef _table(self, places):
        """The places of all cells, asked for once."""
        if places is not self._places:
            cells = np.ascontiguousarray(places.cells)
            self._place_of = np.ascontiguousarray(
                places.of((cells >> 16).astype(np.uint16), (cells & 0xFFFF).astype(np.uint16)), dtype=np.int16
            )
            self._cells, self._places = cells, places

    cdef _made(self):
        """Takes the rows out."""
        cdef uint8_t[::1] raw
        cdef int64_t[::1] of
        made, whose = np.empty(self.out.count, BEHAVIOUR), np.empty(self.out.count, np.int64)
        if self.out.count:
            raw, of = made.view(np.uint8), whose
            memcpy(&raw[0], self.out.rows, self.out.count * sizeof(Behaviour))
            memcpy(&of[0], self.out.of, self.out.count * sizeof(int64_t))
        self.out.count = 0
        if self.out.broken:
            raise MemoryError("no memory for derived behaviours")
        return made, whose
