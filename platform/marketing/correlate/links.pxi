# Pairs of point codes, the keys of local references, and the table from these to connections.
#
# A key is (link + 1) << 25 | side << 24 | reference; side 1 is the higher point code. So the keys of two
# references that belong to one connection differ in the side, and nothing is told apart by a hash alone.


cdef inline uint64_t side_home(uint64_t pair) noexcept nogil:
    return (pair ^ (pair >> 29)) * 0x9E3779B97F4A7C15ULL >> 50


cdef inline Side *side_of(Core *co, uint32_t opc, uint32_t dpc) noexcept nogil:
    """The slot of this directed pair, or the free one (pair 0) where it would stand."""
    cdef uint64_t pair = (<uint64_t>opc << 32) | dpc
    cdef uint64_t at = side_home(pair)
    while co.sides[at].pair != pair and co.sides[at].pair:
        at = (at + 1) & (LINK_SLOTS - 1)
    return co.sides + at


cdef uint64_t new_side(Core *co, uint32_t opc, uint32_t dpc) noexcept nogil:
    """Make a pair known; what is above the reference in the receiver's keys, 0 where there are too many."""
    cdef Side *side
    cdef uint64_t base
    if opc == dpc or co.link_count == LINKS:
        return 0
    base = (<uint64_t>(co.link_count + 1) << 25) | (<uint64_t>(dpc > opc) << 24)
    side = side_of(co, opc, dpc)
    side.pair = (<uint64_t>opc << 32) | dpc
    side.base = base
    side = side_of(co, dpc, opc)
    side.pair = (<uint64_t>dpc << 32) | opc
    side.base = base ^ (1 << 24)
    co.links[co.link_count].msc = NONE
    co.links[co.link_count].first = NONE
    co.links[co.link_count].one = opc
    co.links[co.link_count].other = dpc
    co.link_count += 1
    return base


cdef inline uint64_t base_of(Core *co, const Row *r, bint create) noexcept nogil:
    """What is above `dlr` in a row's key; 0 = no such link. The other reference's differs in bit 24."""
    cdef Side *side = side_of(co, r.opc, r.dpc)
    if side.pair:
        return side.base
    return new_side(co, r.opc, r.dpc) if create else 0


cdef inline uint32_t link_of(uint64_t key) noexcept nogil:
    return <uint32_t>(key >> 25) - 1


cdef inline void heard(Core *co, uint64_t key, int64_t t) noexcept nogil:
    """CR or a connectionless message on a link, by any key of it: whether it lives is told by those alone."""
    cdef Link *link = co.links + link_of(key)
    if link.openings == 0:
        link.first_us = t
    link.openings += 1
    link.last_us = t


cdef inline uint64_t opposite(const Row *r, uint64_t key) noexcept nogil:
    """Key of the sender's reference `slr`, from any key of the receiver on the same link."""
    return ((key ^ (1 << 24)) & ~<uint64_t>0xFFFFFF) | r.slr


# ---------------------------------------------------------------- the table

cdef inline uint32_t table_find(const Core *co, uint64_t key) noexcept nogil:
    """The connection that has a key; NONE."""
    cdef uint64_t hashed = mix(key), at = hashed & co.table_mask, first, second
    cdef uint32_t number
    while True:
        number = co.table[at].number
        if number == 0:
            return NONE
        if co.table[at].mark == <uint32_t>hashed:
            number -= 1
            # Which of the two it is depends on the direction: no branch on that.
            first = co.pool[number].key_a ^ key
            second = co.pool[number].key_b ^ key
            if (first if first < second else second) == 0:
                return number
        at = (at + 1) & co.table_mask


cdef int table_open(Core *co, uint64_t size) noexcept nogil:
    co.table = <Entry *>calloc(size, sizeof(Entry))
    co.table_mask = size - 1
    return 0 if co.table != NULL else -1


cdef int table_grow(Core *co) noexcept nogil:
    cdef Entry *old = co.table
    cdef uint64_t size = co.table_mask + 1, i, at
    if table_open(co, size * 2) < 0:
        co.table = old
        co.table_mask = size - 1
        return -1
    for i in range(size):
        if old[i].number:
            at = old[i].mark & co.table_mask
            while co.table[at].number:
                at = (at + 1) & co.table_mask
            co.table[at] = old[i]
    free(old)
    return 0


cdef inline void table_add(Core *co, uint64_t key, uint32_t number) noexcept nogil:
    """A key that is not in the table."""
    cdef uint64_t hashed = mix(key), at
    # The mark has 32 bits, so homes are told by it up to as many slots.
    if co.table_count * 2 >= co.table_mask and table_grow(co) < 0 and co.table_count >= co.table_mask:
        co.broken = True
        return
    at = hashed & co.table_mask
    while co.table[at].number:
        at = (at + 1) & co.table_mask
    co.table[at].mark = <uint32_t>hashed
    co.table[at].number = number + 1
    co.table_count += 1


cdef inline void table_remove(Core *co, uint64_t key, uint32_t number) noexcept nogil:
    """Take a key of a connection out, where it is in."""
    cdef uint64_t hashed = mix(key), at = hashed & co.table_mask, after, home
    while co.table[at].number != number + 1 or co.table[at].mark != <uint32_t>hashed:
        if co.table[at].number == 0:
            return
        at = (at + 1) & co.table_mask
    co.table_count -= 1
    after = at
    while True:
        # Backward shift: move up whatever would no longer be found across the hole.
        after = (after + 1) & co.table_mask
        if co.table[after].number == 0:
            break
        home = co.table[after].mark & co.table_mask
        if ((after - home) & co.table_mask) >= ((after - at) & co.table_mask):
            co.table[at] = co.table[after]
            at = after
    co.table[at].number = 0


# ---------------------------------------------------------------- the pool

cdef bint pool_grow(Core *co) noexcept nogil:
    cdef size_t size = co.pool_size
    cdef Connection *pool
    cdef Back *backs
    cdef Near *near
    if size >= co.max_connections:
        return False
    size = size * 2 if size * 2 < co.max_connections else co.max_connections
    near = <Near *>realloc(co.near, size * sizeof(Near))
    if near == NULL:
        return False
    co.near = near
    pool = <Connection *>cache_lines(size * sizeof(Connection))
    backs = <Back *>cache_lines(size * sizeof(Back))
    if pool == NULL or backs == NULL:
        free(pool)
        free(backs)
        return False
    memcpy(pool, co.pool, co.pool_used * sizeof(Connection))
    memcpy(backs, co.backs, co.pool_used * sizeof(Back))
    free(co.pool)
    free(co.backs)
    co.pool = pool
    co.backs = backs
    co.pool_size = <uint32_t>size
    return True


cdef inline uint32_t new_connection(Core *co) noexcept nogil:
    """A clean connection that is in no table and no list; NONE where there are as many as may be."""
    cdef uint32_t at, generation
    cdef Connection *c
    if co.free_head != NONE:
        at = co.free_head
        co.free_head = co.near[at].next
    else:
        if co.pool_used == co.pool_size and not pool_grow(co):
            return NONE
        at = co.pool_used
        co.pool_used += 1
    c = co.pool + at
    generation = c.generation + 1
    memset(c, 0, sizeof(Connection))
    c.generation = generation
    c.state = OPEN
    c.updating = 255
    co.open_connections += 1
    return at


cdef inline void enlist(Core *co, uint32_t at, uint32_t link) noexcept nogil:
    """Into the list of its link."""
    cdef uint32_t first = co.links[link].first
    co.near[at].next = first
    co.near[at].before = NONE
    if first != NONE:
        co.near[first].before = at
    co.links[link].first = at


cdef inline void delist(Core *co, uint32_t at, uint32_t link) noexcept nogil:
    cdef Near here = co.near[at]
    if here.before == NONE:
        co.links[link].first = here.next
    else:
        co.near[here.before].next = here.next
    if here.next != NONE:
        co.near[here.next].before = here.before


cdef inline Back *back(Core *co, uint32_t at) noexcept nogil:
    """The rest of a connection, cleared when first asked for."""
    if not co.pool[at].has & BACK:
        co.pool[at].has |= BACK
        memset(co.backs + at, 0, sizeof(Back))
    return co.backs + at
