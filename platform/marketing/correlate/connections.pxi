# SCCP connections (Q.714): the table of them, and what each SCCP message does to it.


cdef inline uint32_t link_number(Core *co, uint32_t one, uint32_t two, bint create) noexcept nogil:
    """Number of a pair of point codes; NONE where it is new and there are too many, or it shall not be made."""
    cdef uint64_t pair = (<uint64_t>one << 32) | two if one < two else (<uint64_t>two << 32) | one
    cdef uint64_t at
    if pair == co.last_pair:
        return co.last_link
    at = mix(pair) & (LINK_SLOTS - 1)
    while co.link_id[at] and co.link_key[at] != pair:
        at = (at + 1) & (LINK_SLOTS - 1)
    if co.link_id[at] == 0:
        if co.links == LINKS or not create:
            return NONE
        co.link_msc[co.links] = NONE
        co.links += 1
        co.link_key[at] = pair
        co.link_id[at] = co.links
    co.last_pair = pair
    co.last_link = co.link_id[at] - 1
    return co.last_link

cdef inline uint64_t table_key(Core *co, uint32_t owner, uint32_t peer, uint32_t reference, bint create) noexcept nogil:
    """Table key of the local reference that `owner` gave on its link with `peer`; 0 = no such link."""
    cdef uint32_t link
    if owner == peer:
        return 0
    link = link_number(co, owner, peer, create)
    if link == NONE:
        return 0
    return (<uint64_t>(link + 1) << 25) | (<uint64_t>(owner > peer) << 24) | reference

cdef inline uint64_t fetch_slot(Core *co, const Row *r) noexcept nogil:
    """Bring the slots that a row will need soon into the cache; its table key, 0 where its link is new."""
    cdef uint64_t key, key_of_row
    if r.sccp == 1:
        key = table_key(co, r.opc, r.dpc, r.slr, False)
    else:
        key = table_key(co, r.dpc, r.opc, r.dlr, False)
        if r.sccp == 2:
            kairos_prefetch(&co.table.slots[mix(table_key(co, r.opc, r.dpc, r.slr, False)) & co.table.mask])
    key_of_row = key
    kairos_prefetch(&co.table.slots[mix(key) & co.table.mask])
    if r.present & HAS_TMSI:
        key = identity_key(r.lai_lac if r.present & HAS_LAI else r.lac, r.tmsi)
        kairos_prefetch(&co.names.slots[mix(key) & co.names.mask])
    if r.present & HAS_IMSI:
        kairos_prefetch(&co.current.slots[mix(r.imsi + 1) & co.current.mask])
    return key_of_row


cdef inline void fetch_connection(Core *co, const Row *r, uint64_t key) noexcept nogil:
    """The same for the connection itself, when its slot has arrived."""
    cdef uint64_t found
    if 1 < r.sccp < 8:
        found = map_find(&co.table, key, ABSENT) if key else ABSENT
        if found != ABSENT:
            kairos_prefetch(&co.pool[found])
            kairos_prefetch(<char *>&co.pool[found] + 64)
            kairos_prefetch(<char *>&co.pool[found] + 128)

cdef uint32_t new_connection(Core *co) noexcept nogil:
    cdef uint32_t at, size
    cdef void *grown
    if co.free_head != NONE:
        at = co.free_head
        co.free_head = co.free_next[at]
    else:
        if co.pool_used == co.pool_size:
            if co.pool_size >= co.max_connections:
                return NONE
            size = co.pool_size * 2 if co.pool_size * 2 < co.max_connections else co.max_connections
            grown = NULL
            if posix_memalign(&grown, 64, <size_t>size * sizeof(Connection)):
                return NONE
            memcpy(grown, co.pool, <size_t>co.pool_size * sizeof(Connection))
            free(co.pool)
            co.pool = <Connection *>grown
            grown = realloc(co.free_next, <size_t>size * sizeof(uint32_t))
            if grown == NULL:
                return NONE
            co.free_next = <uint32_t *>grown
            memset(co.pool + co.pool_size, 0, <size_t>(size - co.pool_size) * sizeof(Connection))
            co.pool_size = size
        at = co.pool_used
        co.pool_used += 1
    size = co.pool[at].generation + 1
    memset(co.pool + at, 0, sizeof(Connection))
    co.pool[at].generation = size
    co.pool[at].state = OPEN
    co.pool[at].updating = 255
    co.open_connections += 1
    return at

cdef void unlist(Core *co, uint32_t at) noexcept nogil:
    """Take a connection out of the table and of the handover maps."""
    cdef Connection *c = co.pool + at
    if c.key_a and map_find(&co.table, c.key_a, ABSENT) == at:
        map_remove(&co.table, c.key_a)
    if c.key_b and map_find(&co.table, c.key_b, ABSENT) == at:
        map_remove(&co.table, c.key_b)
    c.key_a = 0
    c.key_b = 0
    if c.handover & TARGET:
        forget(co, &co.toward_digest, c.digest, at)
        forget(co, &co.toward_imsi, c.imsi, at)
    if c.handover & SOURCE:
        forget(co, &co.away_digest, c.digest, at)
        forget(co, &co.away_imsi, c.imsi, at)

cdef void forget(Core *co, Map *m, uint64_t key, uint32_t at) noexcept nogil:
    if key and map_find(m, key, ABSENT) == at:
        map_remove(m, key)

cdef void drop(Core *co, uint32_t at) noexcept nogil:
    """End of a connection; a zombie stays where a deferred clearing still needs it."""
    cdef Connection *c = co.pool + at
    cdef int i
    if c.state == FREE:
        return
    if c.state != ZOMBIE:
        unlist_keys(co, c, at)
        co.open_connections -= 1
    for i in range(2):
        free(c.parts[i])
        c.parts[i] = NULL
    if c.handover & DEFERRED:
        c.state = ZOMBIE
        return
    unlist(co, at)
    c.state = FREE
    c.generation += 1
    co.free_next[at] = co.free_head
    co.free_head = at

cdef void unlist_keys(Core *co, Connection *c, uint32_t at) noexcept nogil:
    if c.key_a and map_find(&co.table, c.key_a, ABSENT) == at:
        map_remove(&co.table, c.key_a)
    if c.key_b and map_find(&co.table, c.key_b, ABSENT) == at:
        map_remove(&co.table, c.key_b)
    c.key_a = 0
    c.key_b = 0

cdef uint32_t open_connection(Core *co, Row *r, uint64_t key, int64_t t) noexcept nogil:
    """A new connection with the opener's reference in the table; an old one with it is dead (Q.714 3.1)."""
    cdef uint64_t old = map_find(&co.table, key, ABSENT)
    cdef uint32_t at
    if old != ABSENT:
        co.counts[C_REUSED] += 1
        drop(co, <uint32_t>old)
    at = new_connection(co)
    if at == NONE:
        evict(co)
        at = new_connection(co)
        if at == NONE:
            co.counts[C_OVERFLOW] += 1
            return NONE
    if map_put(&co.table, key, at) < 0:
        co.broken = True
    co.pool[at].key_a = key
    co.pool[at].last_us = t
    co.counts[C_OPENED] += 1
    return at

cdef void evict(Core *co) noexcept nogil:
    """The table is full: the connection silent for longest of 64 under the hand makes room."""
    cdef uint32_t i, at, best = NONE
    for i in range(64):
        at = co.sweep_at
        co.sweep_at = at + 1 if at + 1 < co.pool_used else 0
        if at < co.pool_used and co.pool[at].state in (OPEN, RELEASING):
            if best == NONE or co.pool[at].last_us < co.pool[best].last_us:
                best = at
    if best != NONE:
        co.counts[C_EVICTED] += 1
        co.pool[best].handover &= <uint8_t>~DEFERRED
        drop(co, best)

cdef void sweep(Core *co, int64_t now_us) noexcept nogil:
    """Look at some connections; drop those that were silent for too long (Q.714 3.4, inactivity)."""
    cdef uint32_t i, at
    cdef int64_t silent
    cdef Connection *c
    for i in range(256 if co.pool_used > 256 else co.pool_used):
        at = co.sweep_at
        co.sweep_at = at + 1 if at + 1 < co.pool_used else 0
        c = co.pool + at
        if c.state != OPEN and c.state != RELEASING:
            continue
        silent = now_us - c.last_us
        if silent > co.idle_us or (c.state == RELEASING and silent > co.releasing_us):
            co.counts[C_AGED] += 1
            drop(co, at)


cdef void take_message(
    Core *co, Row *r, const uint8_t *user, int64_t t, bint last, uint64_t known
) noexcept nogil:
    """One message; with `last` it is not held again. `known` is its table key where that is known, else 0."""
    cdef uint64_t key, found
    cdef uint32_t at
    cdef Connection *c
    if r.m3ua_class != 1 or r.m3ua_type != 1 or r.sccp == 0 or 0 < r.error < FIRST_ERROR_ABOVE_SCCP:
        return
    if r.sccp == 1:
        connection_request(co, r, user, t)
        return
    if r.sccp == 9 or r.sccp == 0x11 or r.sccp == 0x13:
        if r.error == 0 and r.bssmap:
            connectionless(co, r, user)
        return
    if r.sccp > 0x10 or r.sccp == 0x0A or r.sccp == 0x08 or r.sccp == 0x0B or r.sccp == 0x0C or r.sccp == 0x0F:
        return
    # All others name the receiver's reference.
    key = known if known else table_key(co, r.dpc, r.opc, r.dlr, r.error == 0)
    found = map_find(&co.table, key, ABSENT) if key else ABSENT
    if found == ABSENT:
        if not last and hold_message(co, key, r, user, t):
            return
        if r.sccp == 2 and key:
            adopt(co, r, key, user, t)
        else:
            co.counts[C_ORPHANS] += 1
        return
    at = <uint32_t>found
    c = co.pool + at
    if c.handover & BLOCKED and not last and hold_message(co, c.key_a, r, user, t):
        return
    if r.sccp == 6 or r.sccp == 7:
        c.last_us = t
        data_form(co, at, r, user, t, last)
    elif r.sccp == 2:
        c.last_us = t
        confirm(co, at, r, user, t)
    elif r.sccp == 4 or r.sccp == 5 or r.sccp == 0x0D or r.sccp == 0x0E:
        released(co, at, r, user, t, last)
    elif r.sccp == 3:
        # CREF (Q.714 3.2): the connection never came to be.
        co.counts[C_REFUSED] += 1
        if r.user_length:
            content(co, at, r, user, t, last)
        drop(co, at)
    elif r.sccp == 0x10:
        c.last_us = t

cdef void connection_request(Core *co, Row *r, const uint8_t *user, int64_t t) noexcept nogil:
    cdef uint64_t key = table_key(co, r.opc, r.dpc, r.slr, True)
    cdef uint32_t at, link
    if key == 0:
        co.counts[C_OVERFLOW] += 1
        return
    at = open_connection(co, r, key, t)
    if at == NONE:
        return
    co.pool[at].opener = r.opc
    link = link_number(co, r.opc, r.dpc, True)
    co.pool[at].bss_opened = co.link_msc[link] != r.opc
    if r.user_length:
        content(co, at, r, user, t, False)
    replay(co, key)

cdef void adopt(Core *co, Row *r, uint64_t key, const uint8_t *user, int64_t t) noexcept nogil:
    """CC without a CR, as at the start of a tap: both references are known from here on, the cell is not."""
    cdef uint32_t at = open_connection(co, r, key, t), link
    if at == NONE:
        return
    co.counts[C_ADOPTED] += 1
    link = link_number(co, r.opc, r.dpc, True)
    co.pool[at].opener = r.dpc
    co.pool[at].bss_opened = co.link_msc[link] != r.dpc
    confirm(co, at, r, user, t)

cdef void confirm(Core *co, uint32_t at, Row *r, const uint8_t *user, int64_t t) noexcept nogil:
    """CC (Q.714 3.1): the other side's reference."""
    cdef Connection *c = co.pool + at
    cdef uint64_t key = table_key(co, r.opc, r.dpc, r.slr, True), old
    cdef uint32_t generation = c.generation
    if c.key_b == 0:
        old = map_find(&co.table, key, ABSENT)
        if old != ABSENT and old != at:
            co.counts[C_REUSED] += 1
            drop(co, <uint32_t>old)
        if map_put(&co.table, key, at) < 0:
            co.broken = True
        c.key_b = key
    elif c.key_b != key:
        co.counts[C_STALE] += 1
        return
    if r.user_length:
        content(co, at, r, user, t, False)
    if co.held_count and co.pool[at].generation == generation:
        replay(co, co.pool[at].key_a)
        replay(co, key)

cdef void released(Core *co, uint32_t at, Row *r, const uint8_t *user, int64_t t, bint last) noexcept nogil:
    """RLSD, RLC, RSR, RSC (Q.714 3.3, 3.8): both references must be those of this connection."""
    cdef Connection *c = co.pool + at
    cdef uint64_t key = table_key(co, r.opc, r.dpc, r.slr, True)
    cdef uint64_t other = c.key_b if table_key(co, r.dpc, r.opc, r.dlr, True) == c.key_a else c.key_a
    if other and other != key:
        co.counts[C_STALE] += 1
        return
    c.last_us = t
    if r.sccp == 4:
        if r.user_length:
            content(co, at, r, user, t, last)
        co.pool[at].state = RELEASING
    else:
        co.counts[C_RELEASED] += 1
        drop(co, at)

cdef inline void data_form(Core *co, uint32_t at, Row *r, const uint8_t *user, int64_t t, bint last) noexcept nogil:
    """DT1, DT2: one message, or a segment of one (Q.714 3.5)."""
    cdef Connection *c = co.pool + at
    cdef int way = 0 if r.opc == c.opener else 1, error
    cdef int length = c.part_length[way]
    cdef uint8_t *whole
    cdef Row joined
    if not r.more and c.parts[way] == NULL:
        content(co, at, r, user, t, last)
        return
    # A segment alone decodes to nothing, or by chance to something: neither counts.
    r.error = 0
    co.counts[C_SEGMENTS] += 1
    memset(&r.dlci, 0, sizeof(Row) - 34)
    if length + r.user_length > MAX_PARTS or (
        c.parts[way] == NULL and not room_for_parts(co, c, way)
    ):
        co.counts[C_REASSEMBLY_ERRORS] += 1
        free(c.parts[way])
        c.parts[way] = NULL
        c.part_length[way] = 0
        return
    memcpy(c.parts[way] + length, user, r.user_length)
    c.part_length[way] = <uint16_t>(length + r.user_length)
    if r.more:
        return
    whole = c.parts[way]
    length = c.part_length[way]
    c.parts[way] = NULL
    c.part_length[way] = 0
    joined = r[0]
    error = decode_user(whole, length, &joined)
    if error:
        co.counts[C_REASSEMBLY_ERRORS] += 1
    else:
        co.counts[C_REASSEMBLED] += 1
        joined.user_length = <uint16_t>length
        content(co, at, &joined, whole, t, True)
    free(whole)

cdef bint room_for_parts(Core *co, Connection *c, int way) noexcept nogil:
    c.parts[way] = <uint8_t *>malloc(MAX_PARTS)
    c.part_length[way] = 0
    return c.parts[way] != NULL

cdef void connectionless(Core *co, Row *r, const uint8_t *user) noexcept nogil:
    """PAGING (TS 48.008 3.2.1.19) binds TMSI and IMSI; RESET (3.2.1.23) ends all connections of the pair."""
    cdef uint32_t link, i, size, lac, first
    cdef const uint8_t *cells
    if r.opc == r.dpc:
        return
    link = link_number(co, r.opc, r.dpc, True)
    if link == NONE:
        return
    if r.bssmap == 0x30:
        for i in range(co.pool_used):
            if co.pool[i].state in (OPEN, RELEASING) and (co.pool[i].key_a >> 25) == link + 1:
                co.counts[C_RESET] += 1
                co.pool[i].handover &= <uint8_t>~DEFERRED
                drop(co, i)
        return
    if r.bssmap != 0x52:
        return
    co.link_msc[link] = r.opc
    if not (r.present & HAS_TMSI and r.present & HAS_IMSI and r.present & HAS_LIST):
        return
    # TS 48.008 3.2.2.27: what stands before the LAC in each cell of the list.
    if r.discriminator == 0 or r.discriminator == 4 or r.discriminator == 8:
        first, size = 3, 7 if r.discriminator != 4 else 5
    elif r.discriminator == 1 or r.discriminator == 5 or r.discriminator == 10:
        first, size = 0, 2 if r.discriminator == 5 else 4
    else:
        return
    cells = user + r.list_offset + 1
    for i in range(r.list_cells):
        if <int>r.list_offset + 1 + <int>((i + 1) * size) > r.user_length:
            break
        lac = (<uint32_t>cells[i * size + first] << 8) | cells[i * size + first + 1]
        if i == 0:
            bind_tmsi(co, identity_key(lac, r.tmsi), r.imsi)
        elif co.names.count < co.max_identities and map_put(&co.names, identity_key(lac, r.tmsi), r.imsi) < 0:
            co.broken = True
