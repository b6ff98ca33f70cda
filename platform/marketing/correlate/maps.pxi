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


cdef int map_open(Map *m, uint64_t size) noexcept nogil:
    """An empty map of `size` slots, a power of two; -1 without memory."""
    m.slots = <Slot *>calloc(size, sizeof(Slot))
    m.mask = size - 1
    m.count = 0
    return 0 if m.slots != NULL else -1


cdef inline uint64_t map_find(const Map *m, uint64_t key, uint64_t absent) noexcept nogil:
    cdef uint64_t at = mix(key) & m.mask
    while m.slots[at].key:
        if m.slots[at].key == key:
            return m.slots[at].value
        at = (at + 1) & m.mask
    return absent


cdef int map_grow(Map *m) noexcept nogil:
    cdef Map bigger
    cdef uint64_t i, at
    if map_open(&bigger, (m.mask + 1) * 2) < 0:
        return -1
    for i in range(m.mask + 1):
        if m.slots[i].key:
            at = mix(m.slots[i].key) & bigger.mask
            while bigger.slots[at].key:
                at = (at + 1) & bigger.mask
            bigger.slots[at] = m.slots[i]
    bigger.count = m.count
    free(m.slots)
    m[0] = bigger
    return 0


cdef int map_put(Map *m, uint64_t key, uint64_t value) noexcept nogil:
    """Insert or replace; -1 where the map is full and there is no memory for a bigger one."""
    cdef uint64_t at
    if m.count * 8 >= m.mask * 5 and map_grow(m) < 0 and m.count >= m.mask:
        return -1
    at = mix(key) & m.mask
    while m.slots[at].key:
        if m.slots[at].key == key:
            m.slots[at].value = value
            return 0
        at = (at + 1) & m.mask
    m.slots[at].key = key
    m.slots[at].value = value
    m.count += 1
    return 0


cdef void map_remove(Map *m, uint64_t key) noexcept nogil:
    cdef uint64_t at = mix(key) & m.mask, after, home
    while m.slots[at].key != key:
        if m.slots[at].key == 0:
            return
        at = (at + 1) & m.mask
    m.count -= 1
    after = at
    while True:
        # Backward shift: move up whatever would no longer be found across the hole.
        after = (after + 1) & m.mask
        if m.slots[after].key == 0:
            break
        home = mix(m.slots[after].key) & m.mask
        if ((after - home) & m.mask) >= ((after - at) & m.mask):
            m.slots[at] = m.slots[after]
            at = after
    m.slots[at].key = 0
