# Single contacts of each subscriber, for rules with windows of their own: a chain of 16 octets each in one pool,
# and 4 octets a subscriber for where it begins. Nothing at all is held until the first contact.

ENTRY = np.dtype([
    ("next", np.int32), ("at_s", np.uint32), ("latest_s", np.uint32), ("channels", np.uint16),
    ("group", np.uint8), ("spare", np.uint8),
])
BOUND = np.dtype([
    ("within_us", np.int64), ("counts", np.uint64), ("per", np.int32), ("most", np.int32),
    ("counts_by", np.uint16), ("refuses_by", np.uint16), ("reason", np.uint8), ("diverts", np.uint8), ("spare", np.uint16),
])

cdef struct Entry:
    int32_t next        # place of the next in the pool, plus one; 0 = none
    uint32_t at_s       # decided
    uint32_t latest_s   # cannot be received later
    uint16_t channels
    uint8_t group
    uint8_t spare

cdef struct Bound:
    int64_t within_us   # 0: a calendar period
    uint64_t counts     # mask of classes
    int32_t per         # which of the window's begins
    int32_t most
    uint16_t counts_by  # mask of channels
    uint16_t refuses_by
    uint8_t reason
    uint8_t diverts     # what it refuses is judged by the next channel
    uint16_t spare

if sizeof(Entry) != ENTRY.itemsize or sizeof(Bound) != BOUND.itemsize:
    raise ImportError("the compiled entry or bound and its columns differ")


cdef class Log:
    """Contacts by subscriber row, the latest first."""

    cdef readonly object slots
    cdef readonly object heads
    cdef Entry[::1] pool
    cdef int32_t[::1] first
    cdef readonly int64_t rows
    cdef readonly int64_t used
    cdef int32_t free

    def __init__(self, int64_t rows):
        self.rows = rows
        self._empty(0, 0)

    def __len__(self):
        return self.used

    @property
    def nbytes(self):
        """Octets held."""
        return self.slots.nbytes + self.heads.nbytes

    cdef _empty(self, int64_t rows, int64_t size):
        self.heads = np.zeros(rows, dtype=np.int32)
        self.slots = np.zeros(size, dtype=ENTRY)
        self.first, self.pool = self.heads, self.slots
        self.used, self.free = 0, 0
        cdef int64_t at
        for at in range(size - 1, -1, -1):
            self.pool[at].next = self.free
            self.free = <int32_t>(at + 1)

    cdef int _room(self) except -1:
        """Makes sure that one more fits."""
        cdef int64_t at, size = self.pool.shape[0]
        if not self.first.shape[0] and self.rows:
            self.heads = np.zeros(self.rows, dtype=np.int32)
            self.first = self.heads
        if not self.free:
            slots = np.zeros(max(64, size * 5 // 4), dtype=ENTRY)
            slots[:size] = self.slots
            self.slots = slots
            self.pool = slots
            for at in range(self.pool.shape[0] - 1, size - 1, -1):
                self.pool[at].next = self.free
                self.free = <int32_t>(at + 1)
        return 0

    cdef int _add(self, int64_t row, uint32_t at_s, uint32_t latest_s, uint16_t channels, uint8_t group) except -1:
        self._room()
        cdef int32_t at = self.free - 1
        self.free = self.pool[at].next
        self.pool[at] = Entry(self.first[row], at_s, latest_s, channels, group, 0)
        self.first[row] = at + 1
        self.used += 1
        return 0

    def add(self, int64_t row, int64_t at_s, int64_t latest_s, int group, int channels):
        """A contact more."""
        if not 0 <= row < self.rows:
            raise IndexError(f"row {row} of {self.rows}")
        self._add(row, <uint32_t>at_s, <uint32_t>latest_s, <uint16_t>channels, <uint8_t>group)

    def of(self, int64_t row):
        """(decided, latest possible receipt, class, channels) of each contact of a subscriber, Unix seconds."""
        found = []
        cdef int32_t at = self.first[row] if self.first.shape[0] else 0
        while at:
            one = self.pool[at - 1]
            found.append((one.at_s, one.latest_s, one.group, one.channels))
            at = one.next
        return found

    def end(self, int64_t row, int64_t at_s, int group, int channels, int64_t latest_s):
        """A contact by one of these channels cannot be received later than then any more; 0: it never left, and is none.

        False where it is not here (any more).
        """
        cdef int32_t *link
        cdef int32_t at
        if not self.first.shape[0]:
            return False
        link = &self.first[row]
        while link[0]:
            at = link[0] - 1
            if self.pool[at].at_s == at_s and self.pool[at].group == group and self.pool[at].channels & channels:
                if latest_s:
                    self.pool[at].latest_s = min(self.pool[at].latest_s, <uint32_t>latest_s)
                else:
                    link[0] = self.pool[at].next
                    self._drop(at)
                return True
            link = &self.pool[at].next
        return False

    cdef void _drop(self, int32_t at) noexcept nogil:
        self.pool[at].next = self.free
        self.free = at + 1
        self.used -= 1

    def prune(self, int64_t latest_s):
        """Forgets contacts whose latest possible receipt was before an instant."""
        rows, entries = self.entries()
        stays = entries["latest_s"] >= max(latest_s, 0)
        if not stays.all():
            self.load(rows[stays], entries[stays])

    def entries(self):
        """All contacts: rows, ascending, and records, of each row the oldest first."""
        cdef int64_t row, n = 0
        cdef int32_t at
        rows = np.empty(self.used, dtype=np.int64)
        places = np.empty(self.used, dtype=np.int64)
        cdef int64_t[::1] to_rows = rows, to_places = places
        for row in range(self.first.shape[0]):
            at = self.first[row]
            while at:
                to_rows[n], to_places[n] = row, at - 1
                n += 1
                at = self.pool[at - 1].next
        # Chains begin with the latest: backwards the whole, then rows in order again.
        order = np.argsort(rows[::-1], kind="stable")
        return rows[::-1][order], self.slots[places[::-1][order]]

    def load(self, rows, records):
        """Replaces everything by these."""
        cdef int64_t i
        cdef const int64_t[::1] of = np.ascontiguousarray(rows, dtype=np.int64)
        cdef const Entry[::1] new = np.ascontiguousarray(records)
        n = len(records)
        self._empty(self.rows if n else 0, n + n // 8)
        for i in range(n):
            self._add(of[i], new[i].at_s, new[i].latest_s, new[i].channels, new[i].group)

    cdef inline const Bound *_refusal(
        self, int64_t row, const Bound *bounds, const int32_t *some, int n, uint16_t way, int64_t when_us,
        const int64_t *starts_s,
    ) noexcept nogil:
        """The first of n bounds that refuses a contact by a channel; NULL: none."""
        cdef int b
        cdef const Bound *bound
        for b in range(n):
            bound = &bounds[some[b]]
            if bound.refuses_by & way and self._counted(row, bound, when_us, starts_s[bound.per]) >= bound.most:
                return bound
        return NULL

    cdef inline int _counted(self, int64_t row, const Bound *bound, int64_t when_us, int64_t start_s) noexcept nogil:
        """Contacts that count against a bound as of an instant."""
        cdef int32_t at = self.first[row]
        cdef const Entry *one
        cdef int found = 0
        while at:
            one = &self.pool[at - 1]
            if bound.counts >> one.group & 1 and bound.counts_by & one.channels:
                if bound.within_us:
                    found += <int64_t>one.latest_s * 1000000 > when_us - bound.within_us
                else:
                    found += <int64_t>one.at_s >= start_s
            at = one.next
        return found
