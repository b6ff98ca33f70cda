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
    AHEAD = 16              # rows before its turn that a row's table slot is fetched
    NEAR = 8                # and its connection
    KEYS = 31               # mask of the ring of keys found ahead

include "maps.pxi"
include "state.pxi"
include "identities.pxi"
include "holding.pxi"
include "connections.pxi"
include "handover.pxi"
include "procedures.pxi"

COUNTERS = (
    "opened", "released", "refused", "reused", "adopted", "aged", "reset", "stale", "orphans", "overflow",
    "held", "segments", "reassembled", "reassembly_errors", "handovers", "untied", "bound", "identities_full",
    "unknown_identity", "calls_dropped", "evicted",
)


cdef class Correlator:
    """Connections and identities of one stream of decoded messages.

    `feed` and `expire` give behaviours; both take time from their arguments only.
    """

    cdef Core co

    def __cinit__(self, *, int64_t hold_us=200_000, uint32_t max_connections=1 << 20,
                  uint64_t max_identities=1 << 23, double idle_s=21_600.0, double releasing_s=30.0):
        if not 2 <= max_connections <= 1 << 26:
            raise ValueError(f"max_connections must be 2 to {1 << 26}, not {max_connections}")
        if hold_us < 0 or idle_s <= 0 or releasing_s <= 0 or max_identities < 2:
            raise ValueError("hold_us must not be negative; idle_s, releasing_s and max_identities must be positive")
        self.co.hold_us = hold_us
        self.co.idle_us = <int64_t>(idle_s * 1e6)
        self.co.releasing_us = <int64_t>(releasing_s * 1e6)
        self.co.max_connections = max_connections
        self.co.max_identities = max_identities
        self.co.free_head = NONE
        self.co.last_pair = ABSENT
        self.co.pool_size = 1024 if max_connections > 1024 else max_connections
        if posix_memalign(<void **>&self.co.pool, 64, self.co.pool_size * sizeof(Connection)):
            raise MemoryError()
        memset(self.co.pool, 0, self.co.pool_size * sizeof(Connection))
        self.co.free_next = <uint32_t *>calloc(self.co.pool_size, sizeof(uint32_t))
        memset(self.co.chain_head, 0, sizeof(self.co.chain_head))
        memset(self.co.link_key, 0, sizeof(self.co.link_key))
        memset(self.co.counts, 0, sizeof(self.co.counts))
        if (
            self.co.pool == NULL or self.co.free_next == NULL
            or map_open(&self.co.table, 4096) < 0 or map_open(&self.co.names, 4096) < 0
            or map_open(&self.co.current, 4096) < 0 or map_open(&self.co.previous, 1024) < 0
            or map_open(&self.co.away_digest, 64) < 0 or map_open(&self.co.away_imsi, 64) < 0
            or map_open(&self.co.toward_digest, 64) < 0 or map_open(&self.co.toward_imsi, 64) < 0
        ):
            raise MemoryError()

    def __dealloc__(self):
        cdef uint32_t i
        if self.co.pool != NULL:
            for i in range(self.co.pool_used):
                free(self.co.pool[i].parts[0])
                free(self.co.pool[i].parts[1])
        free(self.co.pool)
        free(self.co.free_next)
        free(self.co.table.slots)
        free(self.co.names.slots)
        free(self.co.current.slots)
        free(self.co.previous.slots)
        free(self.co.away_digest.slots)
        free(self.co.away_imsi.slots)
        free(self.co.toward_digest.slots)
        free(self.co.toward_imsi.slots)
        free(self.co.held)
        free(self.co.held_order)
        free(self.co.waiting)
        free(self.co.clearing)
        free(self.co.out)

    # ------------------------------------------------------------------ the Python side

    def feed(self, const uint8_t[::1] data not None, const int64_t[::1] offsets not None, rows not None,
             const int64_t[::1] t_us not None, int64_t received_ns=0, const int64_t[::1] order=None):
        """Decoded rows of messages `data[offsets[i]:offsets[i + 1]]`, happened at `t_us[i]`.

        They are taken in the order of the batch, or in that of the indices `order`. A row that turns out to be
        a segment loses its error (`rows` is changed in place). Gives the behaviours that are certain now.
        """
        cdef Py_ssize_t n = offsets.shape[0] - 1, i, k, taken
        if rows.dtype != ROW or rows.ndim != 1 or not rows.flags.c_contiguous:
            raise TypeError("rows must be a contiguous array of dtype ROW")
        if rows.shape[0] != n or t_us.shape[0] != n:
            raise ValueError(f"{n} messages, {rows.shape[0]} rows and {t_us.shape[0]} times")
        if n == 0:
            return self._take()
        cdef uint8_t[::1] raw = rows.view(np.uint8)
        cdef Row *row = <Row *>&raw[0]
        cdef int64_t size = data.shape[0], length
        cdef const uint8_t *base = &data[0] if size else NULL
        for i in range(n):
            length = offsets[i + 1] - offsets[i]
            if offsets[i] < 0 or length < 0 or offsets[i + 1] > size:
                raise ValueError("offsets lead out of the data")
            if <int64_t>row[i].user_offset + row[i].user_length > length:
                raise ValueError(f"row {i} does not belong to its message")
        taken = n
        if order is not None:
            taken = order.shape[0]
            for k in range(taken):
                if not 0 <= order[k] < n:
                    raise ValueError("order leads out of the batch")
        cdef uint64_t keys[KEYS + 1]
        cdef uint64_t known
        cdef const Row *ahead
        memset(keys, 0, sizeof(keys))
        self.co.received_ns = received_ns
        with nogil:
            for k in range(taken):
                i = k if order is None else order[k]
                if k + AHEAD < taken:
                    ahead = row + (k + AHEAD if order is None else order[k + AHEAD])
                    keys[(k + AHEAD) & KEYS] = fetch_slot(&self.co, ahead)
                    if k >= AHEAD:
                        ahead = row + (k + NEAR if order is None else order[k + NEAR])
                        fetch_connection(&self.co, ahead, keys[(k + NEAR) & KEYS])
                known = keys[k & KEYS]
                keys[k & KEYS] = 0
                take_message(&self.co, row + i, base + offsets[i] + row[i].user_offset, t_us[i], False, known)
            if self.co.waiting_count:
                settle(&self.co, 0, False)
        return self._take()

    def expire(self, int64_t now_us):
        """What waited for too long at this time: released as it is. Also ages out dead connections."""
        with nogil:
            expire_held(&self.co, now_us)
            if self.co.clearing_count:
                expire_clearing(&self.co, now_us)
            if self.co.waiting_count:
                settle(&self.co, now_us, True)
            sweep(&self.co, now_us)
        return self._take()

    def flush(self):
        """Everything that still waits, at the end of the stream."""
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
    def holding(self):
        """Messages and behaviours that wait now."""
        return int(self.co.held_count + self.co.waiting_count + self.co.clearing_count)

    @property
    def memory(self):
        """Octets allocated."""
        cdef uint64_t slots = (
            self.co.table.mask + self.co.names.mask + self.co.current.mask + self.co.previous.mask + self.co.away_digest.mask
            + self.co.away_imsi.mask + self.co.toward_digest.mask + self.co.toward_imsi.mask + 8
        )
        return int(
            slots * sizeof(Slot) + self.co.pool_size * (sizeof(Connection) + 4) + self.co.held_size * (sizeof(Held) + 4)
            + self.co.waiting_size * sizeof(Waiting) + self.co.clearing_size * sizeof(Clearing)
            + self.co.out_size * sizeof(Behaviour)
        )

    def imsi_of(self, uint32_t lac, uint32_t tmsi):
        """The IMSI that a TMSI of a location area means; 0 = not known."""
        return int(map_find(&self.co.names, identity_key(lac, tmsi), 0))

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
if sizeof(Connection) != 256:
    raise ImportError(f"a connection has {sizeof(Connection)} octets, not four cache lines")
