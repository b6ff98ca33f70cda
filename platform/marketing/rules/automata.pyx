# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Patterns over time as automata: one partial match a campaign and subscriber, in sparse columns.

Open addressing over (pattern, row); every column is a NumPy array, so a snapshot is the arrays. What a pattern's
stages mean is said in `marketing/rules/README.md`; `tests/marketing/rules/slow_patterns.py` is the same in plain
objects.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

import numpy as np

cdef int64_t NEVER = (<int64_t>1) << 62
cdef enum:
    GONE = 0
    LIVES = 1


cdef inline uint64_t mixed(uint64_t x) noexcept nogil:
    # The finalizer of SplitMix64.
    x = (x ^ (x >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    x = (x ^ (x >> 27)) * <uint64_t>0x94D049BB133111EB
    return x ^ (x >> 31)


cdef class Automata:
    """All patterns of the running campaigns.

    Stages, as columns over all patterns, each pattern's one after another: `match` and `guard` are bits of symbols,
    `need` how often, `strict` next instead of followed_by, `absorb` bits of the step before where it was at_least,
    `limit_us` after the step before (0 = none), `absence` 1 for a last not_followed_by. `first` is each pattern's
    first stage and, at the end, their number; `within_us` each pattern's whole time.
    """

    cdef readonly int64_t horizon_us
    """Nothing dated before this comes any more; what fell due by then has been fired."""
    cdef readonly int64_t refused
    """Partial matches that found no room."""
    cdef readonly int64_t live
    cdef readonly int64_t most
    cdef readonly int ring_width
    cdef readonly bint has_strict
    cdef uint64_t size
    cdef object _columns
    cdef object _made_of
    cdef uint64_t[::1] key
    cdef uint8_t[::1] state
    cdef uint16_t[::1] count
    cdef int64_t[::1] since
    cdef int64_t[::1] entered
    cdef int64_t[::1] ring
    # the programme
    cdef uint32_t[::1] match
    cdef uint32_t[::1] guard
    cdef uint32_t[::1] absorb
    cdef uint16_t[::1] need
    cdef uint8_t[::1] strict
    cdef uint8_t[::1] absence
    cdef int64_t[::1] limit
    cdef int32_t[::1] first
    cdef int64_t[::1] within
    cdef int32_t[::1] strict_patterns
    # timers of absences: a binary heap by (due, key); what is stale is dropped when it comes up
    cdef int64_t[::1] heap_due
    cdef uint64_t[::1] heap_key
    cdef int64_t heap_size
    # completions found by the call at work
    cdef int64_t[::1] out_t
    cdef int64_t[::1] out_since
    cdef uint64_t[::1] out_key
    cdef int32_t[::1] out_index
    cdef int64_t found

    def __init__(self, stages, first, within_us, int64_t most=4_000_000):
        """`stages`: structured array with the columns above. `most`: partial matches at most, over all patterns."""
        cdef int p, s
        self._made_of = (stages, first, within_us, most)
        if most < 1:
            raise ValueError(f"most = {most}: room for one partial match is needed at least")
        self.match = np.ascontiguousarray(stages["match"], dtype=np.uint32)
        self.guard = np.ascontiguousarray(stages["guard"], dtype=np.uint32)
        self.absorb = np.ascontiguousarray(stages["absorb"], dtype=np.uint32)
        self.need = np.ascontiguousarray(stages["need"], dtype=np.uint16)
        self.strict = np.ascontiguousarray(stages["strict"], dtype=np.uint8)
        self.absence = np.ascontiguousarray(stages["absence"], dtype=np.uint8)
        self.limit = np.ascontiguousarray(stages["limit_us"], dtype=np.int64)
        self.first = np.ascontiguousarray(first, dtype=np.int32)
        self.within = np.ascontiguousarray(within_us, dtype=np.int64)
        strict = [p for p in range(len(within_us)) if any(self.strict[s] for s in range(self.first[p], self.first[p + 1]))]
        self.strict_patterns = np.array(strict, dtype=np.int32)
        self.has_strict = bool(strict)
        width = [self.need[self.first[p]] - 1 for p in range(len(within_us))]
        self.ring_width = max(width, default=0)
        self.most = most
        self.horizon_us = -NEVER
        self.heap_due = np.empty(64, dtype=np.int64)
        self.heap_key = np.empty(64, dtype=np.uint64)
        self.out_t = np.empty(64, dtype=np.int64)
        self.out_since = np.empty(64, dtype=np.int64)
        self.out_key = np.empty(64, dtype=np.uint64)
        self.out_index = np.empty(64, dtype=np.int32)
        self._make(64)

    def __len__(self):
        return self.live

    @property
    def nbytes(self):
        """Octets of all columns, empty places and timers included."""
        return sum(c.nbytes for c in self._columns) + np.asarray(self.heap_due).nbytes * 2

    # ------------------------------------------------------------------ table

    cdef void _make(self, int64_t capacity):
        self._columns = (
            np.zeros(capacity, dtype=np.uint64),
            np.zeros(capacity, dtype=np.uint8),
            np.zeros(capacity, dtype=np.uint16),
            np.zeros(capacity, dtype=np.int64),
            np.zeros(capacity, dtype=np.int64),
            np.zeros(capacity * self.ring_width, dtype=np.int64),
        )
        self.key, self.state, self.count, self.since, self.entered, self.ring = self._columns
        self.size = <uint64_t>capacity
        self.live = 0

    cdef inline uint64_t _home(self, uint64_t key) noexcept nogil:
        # The upper half of the hash as a fraction of the size: any size will do.
        return (mixed(key) >> 32) * self.size >> 32

    cdef inline uint64_t _after(self, uint64_t at) noexcept nogil:
        return at + 1 if at + 1 < self.size else 0

    cdef int64_t _find(self, uint64_t key) noexcept nogil:
        cdef uint64_t at = self._home(key)
        while self.key[at] != 0:
            if self.key[at] == key:
                return <int64_t>at
            at = self._after(at)
        return -1

    cdef void _move(self, uint64_t source, uint64_t target) noexcept nogil:
        cdef int i
        self.key[target] = self.key[source]
        self.state[target] = self.state[source]
        self.count[target] = self.count[source]
        self.since[target] = self.since[source]
        self.entered[target] = self.entered[source]
        for i in range(self.ring_width):
            self.ring[target * self.ring_width + i] = self.ring[source * self.ring_width + i]

    cdef void _remove(self, int64_t place) noexcept nogil:
        # Linear probing without tombstones: what follows moves up.
        cdef uint64_t hole = <uint64_t>place, at = <uint64_t>place, home
        self.live -= 1
        while True:
            at = self._after(at)
            if self.key[at] == 0:
                break
            home = self._home(self.key[at])
            if (at - home if at >= home else at + self.size - home) >= (
                at - hole if at >= hole else at + self.size - hole
            ):
                self._move(at, hole)
                hole = at
        self.key[hole] = 0

    cdef int64_t _insert(self, uint64_t key) except -2:
        """A place for a key that is not there; -1 where there is no room."""
        cdef uint64_t at
        if self.live >= self.most or self.live * 4 >= <int64_t>self.size * 3:
            self._sweep()
            if self.live >= self.most:
                self.refused += 1
                return -1
            if self.live * 5 >= <int64_t>self.size * 3:
                self._grow()
        at = self._home(key)
        while self.key[at] != 0:
            at = self._after(at)
        self.key[at] = key
        self.live += 1
        return <int64_t>at

    cdef void _grow(self):
        cdef uint64_t i, at
        key, state, count, since, entered, ring = self._columns
        cdef uint64_t[::1] keys = key
        self._make(<int64_t>self.size * 5 // 4)
        new_key, new_state, new_count, new_since, new_entered, new_ring = self._columns
        places = np.flatnonzero(key)
        target = np.empty(len(places), dtype=np.int64)
        cdef int64_t[::1] targets = target
        cdef int64_t[::1] sources = places
        for i in range(<uint64_t>len(places)):
            at = self._home(keys[sources[i]])
            while self.key[at] != 0:
                at = self._after(at)
            self.key[at] = keys[sources[i]]
            targets[i] = <int64_t>at
        new_state[target] = state[places]
        new_count[target] = count[places]
        new_since[target] = since[places]
        new_entered[target] = entered[places]
        if self.ring_width:
            new_ring.reshape(-1, self.ring_width)[target] = ring.reshape(-1, self.ring_width)[places]
        self.live = len(places)

    cdef void _sweep(self):
        """Takes out what can never complete any more, whatever is still to come."""
        cdef int64_t place
        cdef uint64_t key
        over = []
        for place in range(<int64_t>self.size):
            if self.key[place] != 0 and not self._absent(place) and self._due(place) <= self.horizon_us:
                over.append(self.key[place])
        for key in over:
            self._settle(self._find(key), self.horizon_us)  # of a count what is not too old stays

    # ------------------------------------------------------------------ one partial match

    cdef inline int _pattern(self, int64_t place) noexcept nogil:
        return <int>(self.key[place] >> 32)

    cdef inline int _stage(self, int64_t place) noexcept nogil:
        return self.first[self._pattern(place)] + self.state[place]

    cdef inline bint _absent(self, int64_t place) noexcept nogil:
        return self.absence[self._stage(place)] != 0

    cdef int64_t _due(self, int64_t place) noexcept nogil:
        """When this partial match ends by time: completes, if it waits for an absence that ends in time."""
        cdef int stage = self._stage(place)
        cdef int64_t due = self.since[place] + self.within[self._pattern(place)]
        if self.limit[stage] and self.entered[place] + self.limit[stage] < due:
            due = self.entered[place] + self.limit[stage]
        return due

    cdef bint _completes(self, int64_t place) noexcept nogil:
        """Whether reaching its due time completes it."""
        cdef int stage = self._stage(place)
        if not self.absence[stage]:
            return False
        return not self.limit[stage] or (
            self.entered[place] + self.limit[stage] <= self.since[place] + self.within[self._pattern(place)]
        )

    cdef int _complete(self, int64_t place, int64_t t_us, int32_t index) except -1:
        if self.found == self.out_t.shape[0]:
            self.out_t = np.concatenate([self.out_t, np.empty_like(self.out_t)])
            self.out_since = np.concatenate([self.out_since, np.empty_like(self.out_since)])
            self.out_key = np.concatenate([self.out_key, np.empty_like(self.out_key)])
            self.out_index = np.concatenate([self.out_index, np.empty_like(self.out_index)])
        self.out_t[self.found] = t_us
        self.out_since[self.found] = self.since[place]
        self.out_key[self.found] = self.key[place]
        self.out_index[self.found] = index
        self.found += 1
        self._remove(place)
        return 0

    cdef int _begun(self, int64_t place, int64_t t_us, int32_t index) except -1:
        """All of begin has happened at t."""
        self.state[place] = 1
        self.count[place] = 0
        self.entered[place] = t_us
        return self._arrived(place, t_us, index)

    cdef int _arrived(self, int64_t place, int64_t t_us, int32_t index) except -1:
        """A new stage has been reached: past the last it is complete, at an absence a timer is set."""
        cdef int pattern = self._pattern(place)
        if self.first[pattern] + self.state[place] == self.first[pattern + 1]:
            return self._complete(place, t_us, index)
        if self._absent(place):
            self._push(self._due(place), self.key[place])
        return 0

    cdef int64_t _settle(self, int64_t place, int64_t t_us) except -2:
        """Lets time pass up to t for one partial match; -1 where that ended it."""
        cdef int i, kept, held, need, width = self.ring_width
        cdef int64_t within, due = self._due(place)
        if due > t_us:
            return place
        if self._completes(place):
            self._complete(place, due, -1)
            return -1
        need = self.need[self.first[self._pattern(place)]]
        if need > 1 and (self.state[place] == 0 or (self.state[place] == 1 and self.count[place] == 0)):
            # The count slides: what is too old leaves it, the rest stays.
            within = self.within[self._pattern(place)]
            held = self.count[place]
            if self.state[place] == 1:
                # need - 1 are in the ring, and the last; the first of them all makes room for the next.
                held = need - 1
                for i in range(held - 1):
                    self.ring[place * width + i] = self.ring[place * width + i + 1]
                self.ring[place * width + held - 1] = self.entered[place]
            kept = 0
            for i in range(held):
                if self.ring[place * width + i] + within > t_us:
                    self.ring[place * width + kept] = self.ring[place * width + i]
                    kept += 1
            if kept:
                self.state[place] = 0
                self.count[place] = kept
                self.since[place] = self.ring[place * width]
                return place
        self._remove(place)
        return -1

    cdef int _begin(self, uint64_t key, int64_t place, int64_t t_us, int32_t index) except -1:
        """A behaviour that fits begin: the first (place -1), one more of a count, or a newer one instead."""
        cdef int i, need = self.need[self.first[key >> 32]], width = self.ring_width
        if place < 0:
            place = self._insert(key)
            if place < 0:
                return 0
            self.state[place] = 0
            self.count[place] = 0
            self.since[place] = t_us
            self.entered[place] = t_us
        if self.state[place] == 0:
            if self.count[place] + 1 < need:
                self.ring[place * width + self.count[place]] = t_us
                self.count[place] += 1
                return 0
            return self._begun(place, t_us, index)
        # Waiting for the first step after: the newest begin counts, since it leaves the most time.
        if need == 1:
            self.since[place] = t_us
        else:
            for i in range(need - 2):
                self.ring[place * width + i] = self.ring[place * width + i + 1]
            self.ring[place * width + need - 2] = self.entered[place]
            self.since[place] = self.ring[place * width]
        self.entered[place] = t_us
        return 0

    cdef int _feed(self, int64_t t_us, uint64_t key, uint32_t bits, int32_t index, bint behaviour) except -1:
        cdef int64_t place = self._find(key)
        cdef int stage
        if place >= 0:
            place = self._settle(place, t_us)
        if place >= 0 and self.state[place] > 0:
            stage = self._stage(place)
            if bits & self.guard[stage]:
                self._remove(place)
                place = -1
            elif bits & self.match[stage]:
                self.count[place] += 1
                if self.count[place] >= self.need[stage]:
                    self.state[place] += 1
                    self.count[place] = 0
                    self.entered[place] = t_us
                    self._arrived(place, t_us, index)
                return 0
            elif self.strict[stage] and behaviour and not (bits & self.absorb[stage] and self.count[place] == 0):
                self._remove(place)
                place = -1
            elif self.absence[stage] or self.state[place] != 1 or self.count[place] != 0:
                return 0
        if bits & 1:
            self._begin(key, place, t_us, index)
        return 0

    # ------------------------------------------------------------------ timers

    cdef inline bint _before(self, int64_t a, int64_t b) noexcept nogil:
        if self.heap_due[a] != self.heap_due[b]:
            return self.heap_due[a] < self.heap_due[b]
        return self.heap_key[a] < self.heap_key[b]

    cdef inline void _swap(self, int64_t a, int64_t b) noexcept nogil:
        self.heap_due[a], self.heap_due[b] = self.heap_due[b], self.heap_due[a]
        self.heap_key[a], self.heap_key[b] = self.heap_key[b], self.heap_key[a]

    cdef void _push(self, int64_t due, uint64_t key):
        cdef int64_t at, parent
        if self.heap_size == self.heap_due.shape[0]:
            self._tidy()
        at = self.heap_size
        self.heap_due[at] = due
        self.heap_key[at] = key
        self.heap_size += 1
        while at > 0:
            parent = (at - 1) >> 1
            if not self._before(at, parent):
                break
            self._swap(at, parent)
            at = parent

    cdef void _pop(self) noexcept nogil:
        self.heap_size -= 1
        self._swap(0, self.heap_size)
        self._sink(0)

    cdef void _sink(self, int64_t at) noexcept nogil:
        cdef int64_t child
        while True:
            child = 2 * at + 1
            if child >= self.heap_size:
                return
            if child + 1 < self.heap_size and self._before(child + 1, child):
                child += 1
            if not self._before(child, at):
                return
            self._swap(child, at)
            at = child

    cdef void _tidy(self):
        """Drops what is stale from a full heap, and doubles it where that gave too little."""
        cdef int64_t at, kept = 0
        for at in range(self.heap_size):
            if self._valid(at):
                self.heap_due[kept] = self.heap_due[at]
                self.heap_key[kept] = self.heap_key[at]
                kept += 1
        self.heap_size = kept
        for at in range((kept >> 1) - 1, -1, -1):
            self._sink(at)
        if kept * 2 > self.heap_due.shape[0]:
            self.heap_due = np.concatenate([self.heap_due, np.empty_like(self.heap_due)])
            self.heap_key = np.concatenate([self.heap_key, np.empty_like(self.heap_key)])

    cdef bint _valid(self, int64_t at) noexcept nogil:
        cdef int64_t place = self._find(self.heap_key[at])
        return place >= 0 and self._absent(place) and self._due(place) == self.heap_due[at]

    # ------------------------------------------------------------------ from outside

    def feed(self, const int64_t[::1] t_us, const uint32_t[::1] row, const int32_t[::1] pattern,
             const uint32_t[::1] bits, const int32_t[::1] index):
        """Behaviours of subscribers, each subscriber's in the order of time: one symbol a pattern and behaviour.

        Returns completions as `(t_us, since_us, pattern, row, index)`; index -1 where time completed it before.
        """
        cdef int64_t i
        self.found = 0
        for i in range(t_us.shape[0]):
            self._feed(t_us[i], (<uint64_t>pattern[i] << 32) | (<uint64_t>row[i] + 1), bits[i], index[i], True)
        return self._completions()

    def begin(self, int64_t t_us, uint32_t row, int32_t pattern):
        """Something that is no behaviour, such as a stay that has lasted, fits begin."""
        self.found = 0
        self._feed(t_us, (<uint64_t>pattern << 32) | (<uint64_t>row + 1), 1, -1, False)
        return self._completions()

    def broken(self, const int64_t[::1] t_us, const uint32_t[::1] row):
        """Which behaviours any `next` is waiting for: positions and patterns whose symbol must be fed even if empty."""
        cdef int64_t i, place
        cdef int p
        positions, patterns = [], []
        for i in range(row.shape[0]):
            for p in range(self.strict_patterns.shape[0]):
                place = self._find((<uint64_t>self.strict_patterns[p] << 32) | (<uint64_t>row[i] + 1))
                if place >= 0:
                    positions.append(i)
                    patterns.append(self.strict_patterns[p])
        return np.array(positions, dtype=np.int64), np.array(patterns, dtype=np.int32)

    def fire(self, const int64_t[::1] t_us, const uint32_t[::1] row):
        """Absences of these subscribers that fell due at or before their own instants; the others' stay."""
        cdef int64_t i, last = -NEVER, at, due
        cdef uint64_t key
        cdef dict until = {}
        self.found = 0
        for i in range(t_us.shape[0]):
            if t_us[i] > last:
                last = t_us[i]
        while self.heap_size and not self._valid(0):
            self._pop()
        if not self.heap_size or self.heap_due[0] > last:
            return self._completions()
        for i in range(t_us.shape[0]):
            until[row[i]] = t_us[i]
        kept = []
        while self.heap_size and self.heap_due[0] <= last:
            due, key = self.heap_due[0], self.heap_key[0]
            if self._valid(0):
                if until.get((key & 0xFFFFFFFF) - 1, -NEVER) >= due:
                    self._settle(self._find(key), due)
                else:
                    kept.append((due, key))
            self._pop()
        for due, key in kept:
            self._push(due, key)
        return self._completions()

    def due(self, int64_t until_us):
        """Everybody's absences that fell due at or before an instant; nothing dated up to it comes any more."""
        cdef int64_t due
        self.found = 0
        while self.heap_size and self.heap_due[0] <= until_us:
            due = self.heap_due[0]
            if self._valid(0):
                self._settle(self._find(self.heap_key[0]), due)
            self._pop()
        if until_us > self.horizon_us:
            self.horizon_us = until_us
        return self._completions()

    def next_due_us(self):
        """The next instant at which time alone may complete something, or None."""
        while self.heap_size and not self._valid(0):
            self._pop()
        return self.heap_due[0] if self.heap_size else None

    def forget(self, pattern):
        """Takes out all partial matches of a pattern."""
        keys = self._columns[0]
        for key in keys[(keys != 0) & (keys >> np.uint64(32) == np.uint64(pattern))].tolist():
            self._remove(self._find(key))

    cdef object _completions(self):
        n = self.found
        key = np.array(self.out_key[:n], dtype=np.uint64)
        return (
            np.array(self.out_t[:n], dtype=np.int64),
            np.array(self.out_since[:n], dtype=np.int64),
            (key >> np.uint64(32)).astype(np.int32),
            ((key & np.uint64(0xFFFFFFFF)) - np.uint64(1)).astype(np.int64),
            np.array(self.out_index[:n], dtype=np.int32),
        )

    def __reduce__(self):
        return Automata, self._made_of, self.snapshot()

    def __setstate__(self, saved):
        self.restore(saved)

    def snapshot(self):
        """Partial matches as arrays, in the order of (pattern, row)."""
        key, state, count, since, entered, ring = self._columns
        places = np.flatnonzero(key)
        places = places[np.argsort(key[places])]
        return {
            "pattern": (key[places] >> np.uint64(32)).astype(np.int32),
            "row": ((key[places] & np.uint64(0xFFFFFFFF)) - np.uint64(1)).astype(np.uint32),
            "state": state[places],
            "count": count[places],
            "since_us": since[places],
            "entered_us": entered[places],
            "ring_us": ring.reshape(len(key), self.ring_width)[places],
            "horizon_us": np.array(self.horizon_us, dtype=np.int64),
            "refused": np.array(self.refused, dtype=np.int64),
        }

    def restore(self, saved):
        """Takes the place of all partial matches; patterns are numbered as here. Raises ValueError: it does not fit."""
        cdef int64_t place, i
        ring = np.asarray(saved["ring_us"], dtype=np.int64)
        patterns = np.asarray(saved["pattern"])
        if len(patterns) and (patterns.min() < 0 or patterns.max() >= len(self.within)):
            raise ValueError(f"pattern {int(patterns.max())}: there are {len(self.within)}")
        stages = np.diff(np.asarray(self.first))[patterns]
        if np.any(np.asarray(saved["state"]) >= stages) or ring.shape != (len(patterns), ring.shape[1]):
            raise ValueError("a snapshot of other patterns")
        self._make(max(64, len(patterns) * 3 // 2))
        self.heap_size = 0
        self.horizon_us = int(saved["horizon_us"])
        self.refused = int(saved["refused"])
        for i in range(len(patterns)):
            place = self._insert((<uint64_t>int(patterns[i]) << 32) | (<uint64_t>int(saved["row"][i]) + 1))
            if place < 0:
                continue
            self.state[place] = saved["state"][i]
            self.count[place] = saved["count"][i]
            self.since[place] = saved["since_us"][i]
            self.entered[place] = saved["entered_us"][i]
            for j in range(min(self.ring_width, ring.shape[1])):
                self.ring[place * self.ring_width + j] = ring[i, j]
            if self._absent(place):
                self._push(self._due(place), self.key[place])
