# Numbers that live connections borrow: SCCP local references, circuits, TMSIs.
#
# A number comes from a free list and goes back with the time at which it may be used again, so that a late
# message of an old connection is never taken for one of a new connection (Q.714 3.3.2: frozen references).

cdef packed struct Resting:
    int64_t until_us
    uint32_t value

# Lends out numbers low <= x < high; the longest rested first, a new one when none has rested enough. New
# numbers follow a keyed permutation (an odd multiplier modulo a power of two, skipping what lies outside), so
# neighbours in time do not look alike on the wire.
cdef struct Numbers:
    uint64_t low, high, mask, multiplier, offset, fresh
    bint circuits           # TS 48.008 3.2.2.2: of each 16 codes the first, time slots 0 and 16, is no circuit
    Resting *heap           # a binary heap by (until, value)
    size_t resting, room


cdef void numbers_open(Numbers *n, uint64_t low, uint64_t high, uint64_t key, bint scatter) noexcept:
    n.low = low
    n.high = high
    n.mask = 1
    while n.mask < high - 1:
        n.mask = n.mask << 1 | 1
    n.multiplier = ((key * 0x9E3779B1ULL + 0x5851F42DULL) & n.mask) | 1 if scatter else 1
    n.offset = (key ^ key >> 29) & n.mask if scatter else 0
    n.fresh = 0
    n.circuits = not scatter
    n.heap = NULL
    n.resting = 0
    n.room = 0


cdef inline bint sooner(const Resting *a, const Resting *b) noexcept nogil:
    return a.until_us < b.until_us or (a.until_us == b.until_us and a.value < b.value)


cdef inline bint lends(const Numbers *n, uint64_t value) noexcept nogil:
    return n.low <= value < n.high and not (n.circuits and value & 15 == 0)


cdef int64_t take(Numbers *n, int64_t t_us) except -1:
    """A number that nobody uses at `t_us`."""
    cdef uint64_t value
    cdef size_t at, child
    cdef Resting last
    if n.resting and n.heap[0].until_us <= t_us:
        value = n.heap[0].value
        n.resting -= 1
        last = n.heap[n.resting]
        at = 0
        while True:
            child = 2 * at + 1
            if child >= n.resting:
                break
            if child + 1 < n.resting and sooner(n.heap + child + 1, n.heap + child):
                child += 1
            if not sooner(n.heap + child, &last):
                break
            n.heap[at] = n.heap[child]
            at = child
        n.heap[at] = last
        return <int64_t>value
    while n.fresh <= n.mask:
        value = (n.fresh * n.multiplier + n.offset) & n.mask
        n.fresh += 1
        if lends(n, value):
            return <int64_t>value
    raise NumbersExhaustedError(f"{n.high - n.low} numbers, all borrowed or frozen at {t_us} us")


cdef int give_back(Numbers *n, uint32_t value, int64_t t_us) except -1:
    """`value` may be lent again from `t_us` on; may be called ahead of that time."""
    cdef size_t at, parent
    cdef Resting one
    cdef void *grown
    if n.resting == n.room:
        grown = realloc(n.heap, (n.room * 2 if n.room else 256) * sizeof(Resting))
        if grown == NULL:
            raise MemoryError
        n.heap = <Resting *>grown
        n.room = n.room * 2 if n.room else 256
    one.until_us = t_us
    one.value = value
    at = n.resting
    n.resting += 1
    while at:
        parent = (at - 1) >> 1
        if not sooner(&one, n.heap + parent):
            break
        n.heap[at] = n.heap[parent]
        at = parent
    n.heap[at] = one
    return 0


cdef class FreeList:
    """A list of numbers for use from Python: `low` <= x < `high`, in the order of a key."""

    cdef Numbers numbers

    def __cinit__(self, uint64_t low, uint64_t high, *, uint64_t key=0, bint scatter=True):
        """Without `scatter` the numbers come in order and are circuit identity codes."""
        numbers_open(&self.numbers, low, high, key, scatter)

    def __dealloc__(self):
        free(self.numbers.heap)

    def take(self, int64_t t_us):
        """A number that nobody uses at `t_us`. Raises NumbersExhaustedError."""
        return take(&self.numbers, t_us)

    def give_back(self, uint32_t value, int64_t t_us):
        """`value` may be lent again from `t_us` on; may be called ahead of that time."""
        give_back(&self.numbers, value, t_us)


RESERVED_REFERENCES = RESERVED
"""References from here on are for deliveries made beside a schedule."""


def local_references(uint64_t key):
    """The 24-bit references of one SCCP node. Zero is left out: some decoders take it for none."""
    return FreeList(1, RESERVED, key=key)


def reserved_references(uint64_t key):
    """The part of a node's references that `local_references` never lends."""
    return FreeList(RESERVED, 1 << 24, key=key)


def circuits():
    """Circuit identity codes of one BSC: TS 48.008 3.2.2.2, eleven bits of PCM system, five of time slot.

    Time slots 0 and 16 carry no traffic. All systems are equipped: blocking is for the cells, not here.
    """
    return FreeList(1 << 5, 1 << 16, scatter=False)
