# Who it was: TMSI and IMSI; and the rows that wait for that.


cdef inline uint64_t identity_key(uint32_t lac, uint32_t tmsi) noexcept nogil:
    return (<uint64_t>1 << 63) | (<uint64_t>lac << 32) | tmsi


cdef inline uint64_t name_of(const Connection *c) noexcept nogil:
    """Identity key that the handset gave; 0 = none."""
    return identity_key(c.tmsi_lac, c.tmsi) if c.has & NAMED else 0


cdef int people_open(Core *co, uint64_t size) noexcept nogil:
    co.people = <Subscriber *>cache_lines(size * sizeof(Subscriber))
    co.people_mask = size - 1
    return 0 if co.people != NULL else -1


cdef inline Subscriber *person(Core *co, uint64_t imsi) noexcept nogil:
    """The slot of a subscriber, or the free one where he would stand."""
    cdef uint64_t at = mix(imsi + 1) & co.people_mask
    while co.people[at].key and co.people[at].key != imsi + 1:
        at = (at + 1) & co.people_mask
    return co.people + at


cdef inline void fetch_previous(Core *co, uint64_t imsi) noexcept nogil:
    """Bring the slot of the last TMSI but one of a subscriber into the cache, where he stands at home."""
    cdef const Subscriber *one = co.people + (mix(imsi + 1) & co.people_mask)
    if one.key == imsi + 1:
        kairos_prefetch(co.names.slots + (mix(one.previous) & co.names.mask))


cdef int people_grow(Core *co) noexcept nogil:
    cdef Subscriber *old = co.people
    cdef uint64_t size = co.people_mask + 1, i
    if people_open(co, size * 2) < 0:
        co.people = old
        co.people_mask = size - 1
        return -1
    for i in range(size):
        if old[i].key:
            person(co, old[i].key - 1)[0] = old[i]
    free(old)
    return 0


cdef void forget_person(Core *co) noexcept nogil:
    """So many are known that the next one under the hand makes room, with his TMSIs."""
    cdef uint64_t at, after, home
    while co.people[co.people_hand & co.people_mask].key == 0:
        co.people_hand += 1
    at = co.people_hand & co.people_mask
    map_remove_pair(&co.names, co.people[at].current, co.people[at].key - 1)
    if co.people[at].previous:
        map_remove_pair(&co.names, co.people[at].previous, co.people[at].key - 1)
    co.people_count -= 1
    co.people_hand += 1
    co.counts[C_IDENTITIES_FULL] += 1
    after = at
    while True:
        after = (after + 1) & co.people_mask
        if co.people[after].key == 0:
            break
        home = mix(co.people[after].key) & co.people_mask
        if ((after - home) & co.people_mask) >= ((after - at) & co.people_mask):
            co.people[at] = co.people[after]
            at = after
    co.people[at].key = 0


cdef bint put_name(Core *co, uint64_t name, uint64_t imsi) noexcept nogil:
    """A TMSI means this IMSI; False where that is known. The next one under the hand makes room where need be."""
    cdef Map *m = &co.names
    cdef uint64_t at = map_place(m, name), other
    if m.slots[at].key == 0:
        if m.count >= co.max_identities:
            while m.slots[co.names_hand & m.mask].key == 0:
                co.names_hand += 1
            other = co.names_hand & m.mask
            co.names_hand += 1
            map_close_up(m, other)
            co.counts[C_IDENTITIES_FULL] += 1
            at = map_place(m, name)
        elif m.count * 2 >= m.mask:
            if map_grow(m) < 0 and m.count >= m.mask:
                co.broken = True
                return False
            at = map_place(m, name)
        m.slots[at].key = name
        m.count += 1
    elif m.slots[at].value == imsi:
        return False
    m.slots[at].value = imsi
    if co.waiting_count:
        named(co, name, imsi)
    return True


cdef void bind_tmsi(Core *co, uint64_t name, uint64_t imsi) noexcept nogil:
    """A TMSI means this IMSI from now on. The two latest of a subscriber hold, older ones are forgotten."""
    cdef Subscriber *one
    cdef uint64_t older
    if name == 0 or imsi == 0 or not put_name(co, name, imsi):
        return
    co.counts[C_BOUND] += 1
    one = person(co, imsi)
    if one.key == 0:
        if co.people_count >= co.max_identities:
            forget_person(co)
        if co.people_count * 2 >= co.people_mask and people_grow(co) < 0 and co.people_count >= co.people_mask:
            co.broken = True
            return
        one = person(co, imsi)
        one.key = imsi + 1
        one.current = name
        one.previous = 0
        co.people_count += 1
        return
    older = one.previous
    one.previous = one.current
    one.current = name
    if older and older != name:
        map_remove_pair(&co.names, older, imsi)


cdef void learn_imsi(Core *co, uint32_t at, uint64_t imsi) noexcept nogil:
    """The subscriber of a connection is known."""
    cdef Connection *c = co.pool + at
    if imsi == 0 or c.imsi == imsi:
        return
    if c.handover & TARGET:
        map_remove_own(&co.toward_imsi, c.imsi, at)
    if c.handover & SOURCE:
        map_remove_own(&co.away_imsi, c.imsi, at)
    c.imsi = imsi
    if c.has & ANSWERS:
        c.has &= <uint8_t>~ANSWERS
        page_answered(co, imsi, c.last_us)
    if c.has & NAMED:
        bind_tmsi(co, name_of(c), imsi)
    if c.has & RENAMED:
        bind_tmsi(co, identity_key(c.new_lac, c.new_tmsi), imsi)
    if c.has & WAITS:
        known(co, at, imsi)
    if c.handover & (SOURCE | TARGET):
        tie_by_imsi(co, at)


cdef inline void told_imsi(Core *co, uint32_t at, uint64_t imsi) noexcept nogil:
    """The IMSI itself was sent on a connection."""
    if imsi:
        co.pool[at].has |= CERTAIN
        learn_imsi(co, at, imsi)


cdef inline void map_remove_own(Map *m, uint64_t key, uint32_t at) noexcept nogil:
    if key:
        map_remove_pair(m, key, at)


cdef inline void named_by_handset(Core *co, uint32_t at, const Row *r, uint32_t lac, bint here) noexcept nogil:
    """The identity that the handset gave; a TMSI is one of location area `lac` of our own network."""
    cdef Connection *c = co.pool + at
    cdef uint64_t imsi
    if r.present & HAS_IMSI:
        told_imsi(co, at, r.imsi)
    elif r.present & HAS_TMSI and here:
        c.tmsi = r.tmsi
        c.tmsi_lac = <uint16_t>lac
        c.has |= NAMED
        if c.imsi:
            bind_tmsi(co, name_of(c), c.imsi)
            return
        imsi = map_find(&co.names, name_of(c), 0)
        if c.has & (RENAMED | WAITS) or c.handover:
            learn_imsi(co, at, imsi)
        else:
            # As nearly always: nothing hangs on it, and the TMSI means this already.
            c.imsi = imsi


# ---------------------------------------------------------------- behaviours

cdef inline Behaviour *emit(Core *co, uint32_t at, int kind, int role, int64_t t, uint32_t corr) noexcept nogil:
    """A new row with the connection's subscriber and cell; NULL without memory. Valid until the next one."""
    cdef Connection *c = co.pool + at
    cdef Behaviour *row = NULL
    c.messages |= TOLD
    if c.imsi == 0:
        row = wait_for_subscriber(co, at, kind, t)
        if row == NULL:
            co.counts[C_UNKNOWN_IDENTITY] += c.imsi == 0
    if row == NULL:
        if co.out_count == co.out_size and not more_room(co):
            return NULL
        row = co.out + co.out_count
        co.out_count += 1
    memset(row, 0, sizeof(Behaviour))
    row.t_us = t
    row.imsi = c.imsi
    row.kind = <uint8_t>kind
    row.role = <uint8_t>role
    row.lac = c.lac
    row.ci = c.ci
    row.corr = corr
    row.received_ns = co.received_ns
    return row


cdef bint more_room(Core *co) noexcept nogil:
    cdef uint64_t size = co.out_size * 2 if co.out_size else 256
    cdef void *grown = realloc(co.out, size * sizeof(Behaviour))
    if grown == NULL:
        co.broken = True
        return False
    co.out = <Behaviour *>grown
    co.out_size = size
    return True
