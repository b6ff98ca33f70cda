# Open addressing with linear probing and backward-shift deletion: 64-bit keys (never 0) to 64-bit values.

cdef struct Slot:
    uint64_t key
    uint64_t value

cdef struct Map:
    Slot *slots
    uint64_t mask
    uint64_t count


cdef inline uint64_t mix(uint64_t key) noexcept nogil:
    key = (key ^ (key >> 32)) * 0x9E3779B97F4A7C15ULL
    return key ^ (key >> 29)


cdef void *cache_lines(size_t octets) noexcept nogil:
    """Zeroed memory that begins with a cache line; NULL without memory."""
    cdef void *made = NULL
    if posix_memalign(&made, 64, octets):
        return NULL
    memset(made, 0, octets)
    return made


cdef int map_open(Map *m, uint64_t size) noexcept nogil:
    """An empty map of `size` slots, a power of two; -1 without memory."""
    m.slots = <Slot *>calloc(size, sizeof(Slot))
    m.mask = size - 1
    m.count = 0
    return 0 if m.slots != NULL else -1


cdef inline uint64_t map_place(const Map *m, uint64_t key) noexcept nogil:
    """Where a key stands, or the free slot where it would."""
    cdef uint64_t at = mix(key) & m.mask
    while m.slots[at].key and m.slots[at].key != key:
        at = (at + 1) & m.mask
    return at


cdef inline uint64_t map_find(const Map *m, uint64_t key, uint64_t absent) noexcept nogil:
    cdef uint64_t at = map_place(m, key)
    return m.slots[at].value if m.slots[at].key else absent


cdef int map_grow(Map *m) noexcept nogil:
    cdef Map bigger
    cdef uint64_t i
    if map_open(&bigger, (m.mask + 1) * 2) < 0:
        return -1
    for i in range(m.mask + 1):
        if m.slots[i].key:
            bigger.slots[map_place(&bigger, m.slots[i].key)] = m.slots[i]
    bigger.count = m.count
    free(m.slots)
    m[0] = bigger
    return 0


cdef int map_put(Map *m, uint64_t key, uint64_t value) noexcept nogil:
    """Insert or replace; -1 where the map is full and there is no memory for a bigger one."""
    cdef uint64_t at
    if m.count * 2 >= m.mask and map_grow(m) < 0 and m.count >= m.mask:
        return -1
    at = map_place(m, key)
    m.count += m.slots[at].key == 0
    m.slots[at].key = key
    m.slots[at].value = value
    return 0


cdef void map_close_up(Map *m, uint64_t at) noexcept nogil:
    """Free an occupied slot; what would no longer be found across the hole moves up."""
    cdef uint64_t after = at, home
    m.count -= 1
    while True:
        after = (after + 1) & m.mask
        if m.slots[after].key == 0:
            break
        home = mix(m.slots[after].key) & m.mask
        if ((after - home) & m.mask) >= ((after - at) & m.mask):
            m.slots[at] = m.slots[after]
            at = after
    m.slots[at].key = 0


cdef inline void map_remove(Map *m, uint64_t key) noexcept nogil:
    cdef uint64_t at = map_place(m, key)
    if m.slots[at].key:
        map_close_up(m, at)


cdef inline void map_remove_pair(Map *m, uint64_t key, uint64_t value) noexcept nogil:
    """Remove a key only where it has this value."""
    cdef uint64_t at = map_place(m, key)
    if m.slots[at].key and m.slots[at].value == value:
        map_close_up(m, at)
