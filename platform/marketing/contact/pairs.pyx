# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""What is remembered of contacts: a table of (subscriber, campaign) -> latest contact, in open addressing, 16
octets a slot and at most two in five slots free; and a log of single contacts, for rules that ask for those.

Millions of pairs as Python objects would be 200 octets each, more than all else that is known of a subscriber.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

import numpy as np

SEND, HOLD, SUPPRESS, OUTPUT = 0, 1, 2, 3

PAIR = np.dtype([("key", np.uint64), ("day", np.uint32), ("month", np.uint16), ("ordinal", np.uint16)])

cdef struct Pair:
    uint64_t key      # row * 65536 + campaign, plus one; 0 = free
    uint32_t day      # local day of the latest counted contact; 0 = none
    uint16_t month
    uint16_t ordinal  # contacts reserved in that month

if sizeof(Pair) != PAIR.itemsize:
    raise ImportError("the compiled pair and PAIR differ")


include "log.pxi"

# Codes of `marketing.contact.policy.Reason`, in its order.
cdef enum:
    _CONTROL = 2
    _DO_NOT_DISTURB = 3
    _DUPLICATE = 4
    _CAP = 5
    _STALE = 8
    _SEND = 0
    _HOLD = 1
    _SUPPRESS = 2
    _OUTPUT = 3


cdef inline bint _held_before(
    const int32_t[::1] before, const uint8_t[::1] actions, const uint8_t[::1] reasons, Py_ssize_t i
) noexcept nogil:
    """One of the same pair is on hold, decided just now."""
    cdef int32_t at = before[i]
    while at >= 0:
        if actions[at] == _HOLD:
            return True
        at = before[at]
    return False


cdef class Pairs:
    """`get` and `put` by row and number of a campaign; grows by itself, never shrinks but by `prune`."""

    cdef readonly object slots
    cdef Pair[::1] pairs
    cdef readonly int64_t used

    def __init__(self, int64_t size=64):
        self.slots = np.zeros(size, dtype=PAIR)
        self.pairs = self.slots
        self.used = 0

    def __len__(self):
        return self.used

    @property
    def nbytes(self):
        """Octets held."""
        return self.slots.nbytes

    cdef inline int64_t _find(self, uint64_t key) noexcept nogil:
        cdef uint64_t size = self.pairs.shape[0]
        # The upper half of the product, as a fraction of the size: any size will do.
        cdef uint64_t at = (key * <uint64_t>0x9E3779B97F4A7C15 >> 32) * size >> 32
        while self.pairs[at].key and self.pairs[at].key != key:
            at += 1
            if at == size:
                at = 0
        return at

    def get(self, int64_t row, int campaign):
        """(month, ordinal, day) of a pair; zeros where there is none."""
        cdef int64_t at = self._find(<uint64_t>row * 65536 + campaign + 1)
        if not self.pairs[at].key:
            return 0, 0, 0
        return self.pairs[at].month, self.pairs[at].ordinal, self.pairs[at].day

    def put(self, int64_t row, int campaign, int month, int ordinal, int64_t day):
        """Enters a pair or changes it."""
        cdef uint64_t key = <uint64_t>row * 65536 + campaign + 1
        cdef int64_t at
        if row < 0 or not 0 <= campaign < 65536:
            raise ValueError(f"row {row} and campaign {campaign} cannot be a key")
        at = self._slot(key)
        self.pairs[at].month, self.pairs[at].ordinal, self.pairs[at].day = month, ordinal, day

    def decide(self, const int64_t[::1] rows, const int32_t[::1] campaigns, const int32_t[::1] most,
               const int32_t[::1] days, const uint8_t[::1] may_hold, const uint8_t[::1] waits,
               const int32_t[::1] before, const uint8_t[::1] stopped, const uint8_t[::1] to_file, const int64_t[::1] at_us,
               const int64_t[::1] control_us, const int64_t[::1] do_not_disturb_us, uint16_t[:, ::1] months,
               uint16_t[:, ::1] counts, uint32_t[::1] contact_s, const int32_t[::1] window, const int32_t[::1] day,
               const int32_t[::1] month, const uint8_t[::1] closed, const int32_t[::1] latest_day,
               const uint8_t[::1] too_old, Log log, bint remembers, const int64_t[::1] when_us, const int64_t[::1] latest_us,
               const int64_t[:, ::1] starts_s, const Bound[::1] bounds, const int32_t[::1] bound_from,
               const int32_t[::1] bound_of, const int32_t[::1] position, const uint8_t[::1] group,
               const uint16_t[:, ::1] ways, uint8_t[::1] actions, uint8_t[::1] reasons, uint16_t[::1] ordinals,
               uint8_t[::1] taken):
        """The policy's answers one after another, contacts decided entered here, in the log and in the columns of
        the book.

        By window: `day` of now, `month` a contact would count in, `closed`, the code of why nothing is sent
        (0 = it is), and `starts_s` of day, week and month. By campaign's `position`: its class, and from where to
        where in `bound_of` the numbers of its bounds are. `ways`: channels by which a trigger may go, as masks in
        order of preference, 0 = no more; `taken`: which of them it goes by. All others by trigger: `before`, the one
        before of the same pair, or -1; `when_us`, as of when it is judged; `latest_us`, when it cannot be received
        any more, and the local day of that; `too_old`, code of why it is neither sent nor held; 0 = it may be.
        The columns of `Asked` and `Book` besides.
        """
        cdef Py_ssize_t i, w, n = rows.shape[0]
        cdef int64_t row, at
        cdef int slot, counted, now, last, position_, way
        cdef const Bound *bound
        cdef uint64_t key
        cdef uint8_t refused
        for i in range(n):
            row, w = rows[i], window[i]
            key = <uint64_t>row * 65536 + campaigns[i] + 1
            now = month[w]
            slot = now & 1
            actions[i], taken[i] = _SUPPRESS, 0
            if stopped[i]:
                reasons[i] = stopped[i]
                continue
            if control_us[row] <= at_us[i]:
                reasons[i] = _CONTROL
                continue
            if do_not_disturb_us[row] <= at_us[i]:
                reasons[i] = _DO_NOT_DISTURB
                continue
            if to_file[i]:
                actions[i], reasons[i] = _OUTPUT, 0
                continue
            at = self._find(key)
            # A day to come, after the clock was set back, counts as today.
            if days[i] > 0 and self.pairs[at].day and <int64_t>day[w] - self.pairs[at].day < days[i]:
                reasons[i] = _DUPLICATE
                continue
            if waits[i] or _held_before(before, actions, reasons, i):
                reasons[i] = _DUPLICATE
                continue
            counted = counts[row, slot] if months[row, slot] == now else 0
            if counted >= most[i]:
                reasons[i] = _CAP
                continue
            if remembers and log.first.shape[0] and log.first[row]:
                refused, position_ = 0, position[i]
                for way in range(<int>ways.shape[1]):
                    if not ways[i, way]:
                        break
                    bound = log._refusal(
                        row, &bounds[0], &bound_of[bound_from[position_]],
                        bound_from[position_ + 1] - bound_from[position_], ways[i, way], when_us[i], &starts_s[w, 0],
                    )
                    if bound == NULL:
                        refused, taken[i] = 0, way
                        break
                    # Of several refusals the first is told.
                    refused = refused or bound.reason
                    if not bound.diverts:
                        break
                if refused:
                    reasons[i] = refused
                    continue
            if too_old[i]:
                reasons[i] = too_old[i]
                continue
            if closed[w]:
                reasons[i] = closed[w]
                if may_hold[i]:
                    actions[i] = _HOLD
                continue
            actions[i], reasons[i] = _SEND, 0
            last = latest_day[i]
            at = self._slot(key)
            if self.pairs[at].month < now:
                self.pairs[at].month, self.pairs[at].ordinal = now, 0
            ordinals[i] = self.pairs[at].ordinal if self.pairs[at].month == now else 0
            if self.pairs[at].month == now:
                self.pairs[at].ordinal += 1
            if self.pairs[at].day < last:
                self.pairs[at].day = last
            if months[row, slot] < now:
                months[row, slot], counts[row, slot] = now, 0
            if months[row, slot] == now:
                counts[row, slot] += 1
            if contact_s[row] < at_us[i] // 1000000:
                contact_s[row] = at_us[i] // 1000000
            if remembers:
                log._add(
                    row, <uint32_t>(at_us[i] // 1000000), <uint32_t>((latest_us[i] + 999999) // 1000000),
                    ways[i, taken[i]], group[position[i]],
                )

    cdef int64_t _slot(self, uint64_t key) except -1:
        """Where a pair is, or is put."""
        cdef int64_t at = self._find(key)
        if not self.pairs[at].key:
            if 4 * (self.used + 1) > 3 * self.pairs.shape[0]:
                self._rehash(self.slots[self.slots["key"] != 0], self.pairs.shape[0] * 5 // 4)
                at = self._find(key)
            self.pairs[at].key = key
            self.used += 1
        return at

    def entries(self):
        """All pairs: rows, campaigns, and the records."""
        kept = self.slots[self.slots["key"] != 0]
        key = kept["key"] - np.uint64(1)
        return (key >> np.uint64(16)).astype(np.int64), (key & np.uint64(65535)).astype(np.int64), kept

    def load(self, rows, campaigns, records):
        """Replaces everything by these."""
        fresh = records.copy()
        fresh["key"] = np.asarray(rows).astype(np.uint64) * np.uint64(65536) + np.asarray(campaigns).astype(np.uint64)
        fresh["key"] += np.uint64(1)
        self._rehash(fresh, max(64, len(fresh) * 3 // 2))

    def prune(self, int64_t day, int month):
        """Forgets pairs whose latest contact was before a day and whose ordinals are of an earlier month."""
        rows, campaigns, kept = self.entries()
        stays = (kept["day"] >= day) | (kept["month"] >= month)
        self.load(rows[stays], campaigns[stays], kept[stays])

    cdef _rehash(self, kept, int64_t size):
        cdef int64_t i, at
        cdef Pair[::1] old = np.ascontiguousarray(kept)
        self.slots = np.zeros(size, dtype=PAIR)
        self.pairs = self.slots
        self.used = old.shape[0]
        for i in range(old.shape[0]):
            at = self._find(old[i].key)
            self.pairs[at] = old[i]
