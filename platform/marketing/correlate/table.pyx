# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The correlator: decoded rows in, behaviours out.

It keeps a table of SCCP connections, found from either side by (both point codes, local reference), and a map
of (location area, TMSI) to IMSI. On each connection small automata follow location updating, calls, short
messages and handover. Everything is bounded: connections, identities, messages and rows on hold.

Streams of one association overtake each other, so what cannot be placed yet is held for `hold_us` of the
messages' own time; with `hold_us=0` (messages in the order of sending) nothing waits.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from marketing.decode.columns cimport (
    HAS_BSSMAP,
    HAS_CALLED,
    HAS_CALLING,
    HAS_CELL,
    HAS_DTAP,
    HAS_IMEI,
    HAS_IMSI,
    HAS_LAI,
    HAS_LIST,
    HAS_TMSI,
    Row,
    decode_user,
)

import numpy as np

from marketing.behaviours.batch import BEHAVIOUR
from marketing.correlate.outcomes import outcome_table
from marketing.decode.schema import ROW

cdef extern from *:
    """
    #define kairos_prefetch(p) __builtin_prefetch(p)
    """
    void kairos_prefetch(const void *p) noexcept nogil

cdef extern from "stdlib.h":
    int posix_memalign(void **p, size_t alignment, size_t size) noexcept nogil

cdef enum:
    BLOCK = 64              # rows that are looked through before the first of them is taken
    MOST_ROWS = 1 << 30
    CACHED = 4096           # connections that the cache holds: beyond, memory is fetched ahead

include "maps.pxi"
include "state.pxi"
include "links.pxi"
include "identities.pxi"
include "waiting.pxi"
include "pages.pxi"
include "holding.pxi"
include "handover.pxi"
include "procedures.pxi"
include "segments.pxi"
include "connections.pxi"

COUNTERS = (
    "opened", "released", "refused", "reused", "adopted", "aged", "reset", "stale", "orphans", "overflow",
    "held", "segments", "reassembled", "reassembly_errors", "handovers", "untied", "bound", "identities_full",
    "unknown_identity", "calls_dropped", "evicted", "copies", "pages_dropped", "wrong_imei",
)


LINK = np.dtype([
    ("one", np.uint32), ("other", np.uint32), ("openings", np.uint64), ("first_us", np.int64), ("last_us", np.int64),
])
"""A pair of point codes: how many connections and connectionless messages, the times of the first and the last."""

ONE_THREAD = "a correlator is called by one thread at a time"


cdef bint _ascending(const int64_t *offsets, int64_t n, int64_t size) noexcept nogil:
    """Whether they never fall and end within `size`: no place, no length and not the rest has a sign bit."""
    cdef int64_t i, signs = (size - offsets[n]) | offsets[0]
    for i in range(n):
        signs |= (offsets[i + 1] - offsets[i]) | offsets[i + 1]
    return signs >= 0


cdef class Correlator:
    """Connections and identities of one stream of decoded messages.

    `feed` and `expire` give behaviours; both take time from their arguments only. They work without the GIL:
    several correlators on as many threads, each called by one thread at a time (RuntimeError where it is not).
    """

    cdef Core co
    cdef bint busy

    def __cinit__(self, *, int64_t hold_us=200_000, uint32_t max_connections=1 << 20,
                  uint64_t max_identities=1 << 23, double idle_s=21_600.0, double releasing_s=30.0,
                  double page_s=10.0):
        if not 2 <= max_connections <= 1 << 26:
            raise ValueError(f"max_connections must be 2 to {1 << 26}, not {max_connections}")
        if hold_us < 0 or idle_s <= 0 or releasing_s <= 0 or page_s <= 0 or max_identities < 2:
            raise ValueError(
                "hold_us must not be negative; idle_s, releasing_s, page_s and max_identities must be positive"
            )
        self.co.hold_us = hold_us
        self.co.idle_us = <int64_t>(idle_s * 1e6)
        self.co.releasing_us = <int64_t>(releasing_s * 1e6)
        self.co.page_us = <int64_t>(page_s * 1e6)
        self.co.pages_next_us = NEVER
        self.co.max_connections = max_connections
        self.co.max_identities = max_identities
        self.co.free_head = NONE
        self.co.pool_size = 1024 if max_connections > 1024 else max_connections
        self.co.pool = <Connection *>cache_lines(self.co.pool_size * sizeof(Connection))
        self.co.backs = <Back *>cache_lines(self.co.pool_size * sizeof(Back))
        self.co.near = <Near *>malloc(self.co.pool_size * sizeof(Near))
        self.co.sides = <Side *>calloc(LINK_SLOTS, sizeof(Side))
        self.co.links = <Link *>calloc(LINKS, sizeof(Link))
        if (
            self.co.pool == NULL or self.co.backs == NULL or self.co.near == NULL or self.co.sides == NULL
            or self.co.links == NULL or table_open(&self.co, 1024) < 0
            or map_open(&self.co.names, 4096) < 0 or people_open(&self.co, 2048) < 0
            or map_open(&self.co.away_digest, 64) < 0 or map_open(&self.co.away_imsi, 64) < 0
            or map_open(&self.co.paged, 64) < 0 or not pages_grow(&self.co)
            or map_open(&self.co.toward_digest, 64) < 0 or map_open(&self.co.toward_imsi, 64) < 0
        ):
            raise MemoryError()

    def __dealloc__(self):
        free(self.co.pool)
        free(self.co.backs)
        free(self.co.near)
        free(self.co.sides)
        free(self.co.links)
        free(self.co.table)
        free(self.co.names.slots)
        free(self.co.people)
        free(self.co.away_digest.slots)
        free(self.co.away_imsi.slots)
        free(self.co.toward_digest.slots)
        free(self.co.toward_imsi.slots)
        free(self.co.held)
        free(self.co.held_order)
        free(self.co.waiting)
        free(self.co.waiting_chain)
        free(self.co.clearing)
        free(self.co.pages)
        free(self.co.paged.slots)
        free(self.co.parts)
        free(self.co.units)
        free(self.co.out)

    # ------------------------------------------------------------------ the Python side

    def feed(self, const uint8_t[::1] data not None, const int64_t[::1] offsets not None, rows not None,
             const int64_t[::1] t_us not None, int64_t received_ns=0, const int64_t[::1] order=None):
        """Decoded rows of messages `data[offsets[i]:offsets[i + 1]]`, happened at `t_us[i]`.

        They are taken in the order of the batch, or in that of the indices `order`. A row that turns out to be
        a segment loses its error (`rows` is changed in place). Gives the behaviours that are certain now.
        Raises ValueError where shapes differ or a row is not of its message; rows before it have been taken.
        """
        cdef int64_t n = offsets.shape[0] - 1, k, taken = n, bad = -1, size = data.shape[0]
        if rows.dtype is not ROW and rows.dtype != ROW or rows.ndim != 1 or not rows.flags.c_contiguous:
            raise TypeError("rows must be a contiguous array of dtype ROW")
        if rows.shape[0] != n or t_us.shape[0] != n:
            raise ValueError(f"{n} messages, {rows.shape[0]} rows and {t_us.shape[0]} times")
        if n == 0:
            return self._take()
        if not _ascending(&offsets[0], n, size):
            raise ValueError("offsets lead out of the data")
        if n > MOST_ROWS:
            raise ValueError(f"at most {MOST_ROWS} messages at a time, not {n}")
        cdef uint8_t[::1] raw = rows.view(np.uint8)
        cdef Row *row = <Row *>&raw[0]
        cdef const uint8_t *base = &data[0] if size else NULL
        cdef const int64_t *in_order = NULL
        if order is not None:
            taken = order.shape[0]
            for k in range(taken):
                if not 0 <= order[k] < n:
                    raise ValueError("order leads out of the batch")
            if taken == 0:
                return self._take()
            in_order = &order[0]
        self._begin()
        self.co.received_ns = received_ns
        with nogil:
            k = 0
            while k < taken and bad < 0:
                bad = take_block(
                    &self.co, row, base, &offsets[0], &t_us[0], in_order, k,
                    <int>(taken - k if taken - k < BLOCK else BLOCK),
                )
                k += BLOCK
        self.busy = False
        if bad >= 0:
            raise ValueError(f"row {bad} does not belong to its message of {size} octets of data")
        return self._take()

    def expire(self, int64_t now_us):
        """What waited for too long at this time: released as it is. Also ages out dead connections."""
        self._begin()
        with nogil:
            expire_held(&self.co, now_us)
            if self.co.clearing_count:
                expire_clearing(&self.co, now_us)
            expire_waiting(&self.co, now_us)
            expire_pages(&self.co, now_us)
            sweep(&self.co, now_us)
        self.busy = False
        return self._take()

    def flush(self):
        """Everything that still waits, at the end of the stream; pages whose time is not over are forgotten."""
        self._begin()
        forget_pages(&self.co)
        self.busy = False
        return self.expire(0x7FFFFFFFFFFFFFF)

    @property
    def counters(self):
        """Name -> count since the start; see COUNTERS."""
        return {name: int(self.co.counts[i]) for i, name in enumerate(COUNTERS)}

    @property
    def connections(self):
        """Connections open now."""
        return int(self.co.open_connections)

    @property
    def identities(self):
        """Pairs of location area and TMSI known now."""
        return int(self.co.names.count)

    @property
    def links(self):
        """Every pair of point codes heard so far, as an array of LINK."""
        cdef uint32_t i
        found = np.empty(self.co.link_count, LINK)
        for i in range(self.co.link_count):
            found[i] = (
                self.co.links[i].one, self.co.links[i].other, self.co.links[i].openings, self.co.links[i].first_us,
                self.co.links[i].last_us,
            )
        return found

    @property
    def pages(self):
        """Pages and answers that wait now."""
        return int(self.co.paged.count)

    @property
    def holding(self):
        """Messages and behaviours that wait now."""
        return int(self.co.held_count + self.co.waiting_count + self.co.clearing_count)

    @property
    def memory(self):
        """Octets allocated."""
        cdef Core *co = &self.co
        cdef uint64_t slots = (
            co.names.mask + co.away_digest.mask + co.away_imsi.mask + co.toward_digest.mask + co.toward_imsi.mask
            + co.paged.mask + 6
        )
        return int(
            sizeof(Core) + LINK_SLOTS * sizeof(Side) + LINKS * sizeof(Link) + slots * sizeof(Slot)
            + (co.people_mask + 1) * sizeof(Subscriber) + (co.table_mask + 1) * sizeof(Entry)
            + co.pool_size * (sizeof(Connection) + sizeof(Back) + sizeof(Near))
            + co.held_size * (sizeof(Held) + sizeof(uint32_t))
            + co.waiting_size * sizeof(Waiting) + (CHAINS * sizeof(uint32_t) if co.waiting_chain != NULL else 0)
            + co.clearing_size * sizeof(Clearing) + co.pages_size * sizeof(Page) + co.out_size * sizeof(Behaviour)
            + (PART_CELLS * sizeof(Parts) if co.parts != NULL else 0)
            + (UNIT_CELLS * sizeof(Unit) if co.units != NULL else 0)
        )

    def imsi_of(self, uint32_t lac, uint32_t tmsi):
        """The IMSI that a TMSI of a location area means; 0 = not known."""
        if self.busy:
            raise RuntimeError(ONE_THREAD)
        return int(map_find(&self.co.names, identity_key(lac, tmsi), 0))

    cdef _begin(self):
        if self.busy:
            raise RuntimeError(ONE_THREAD)
        self.busy = True

    cdef _take(self):
        batch = np.empty(self.co.out_count, dtype=BEHAVIOUR)
        cdef uint8_t[::1] raw
        if self.co.out_count:
            raw = batch.view(np.uint8)
            memcpy(&raw[0], self.co.out, self.co.out_count * sizeof(Behaviour))
        self.co.out_count = 0
        if self.co.broken:
            raise MemoryError("the correlator is out of memory")
        return batch


if sizeof(Behaviour) != BEHAVIOUR.itemsize:
    raise ImportError(f"the compiled behaviour has {sizeof(Behaviour)} octets, BEHAVIOUR {BEHAVIOUR.itemsize}")
if sizeof(Connection) != 64 or sizeof(Back) != 128:
    raise ImportError(f"a connection has {sizeof(Connection)} and {sizeof(Back)} octets, not one and two cache lines")
