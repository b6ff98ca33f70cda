# Behaviours whose subscriber is not known yet. They wait for `hold_us` in a ring, in order of arrival; a cell is
# called by its number since the start, so that the ring can grow. Each hangs in the chain of its TMSI and in the
# list of its connection, so that whoever learns a name or a subscriber finds just the rows that asked for it.


cdef inline Waiting *cell_of(Core *co, uint32_t number) noexcept nogil:
    return co.waiting + (number & (co.waiting_size - 1))


cdef inline uint32_t *chain_of(Core *co, uint64_t name) noexcept nogil:
    return co.waiting_chain + (mix(name) & (CHAINS - 1))


cdef bint waiting_grow(Core *co) noexcept nogil:
    cdef uint32_t size = co.waiting_size * 2 if co.waiting_size else 64, number
    cdef Waiting *grown
    if size > MAX_WAITING:
        return False
    if co.waiting_chain == NULL:
        co.waiting_chain = <uint32_t *>calloc(CHAINS, sizeof(uint32_t))
        if co.waiting_chain == NULL:
            return False
    grown = <Waiting *>malloc(<size_t>size * sizeof(Waiting))
    if grown == NULL:
        return False
    number = co.waiting_head
    while number != co.waiting_tail:
        grown[number & (size - 1)] = cell_of(co, number)[0]
        number += 1
    free(co.waiting)
    co.waiting = grown
    co.waiting_size = size
    return True


cdef Behaviour *wait_for_subscriber(Core *co, uint32_t at, int kind, int64_t t) noexcept nogil:
    """Where a row of this connection is kept until its subscriber is known; NULL where it shall not wait."""
    cdef Connection *c = co.pool + at
    cdef uint64_t name = name_of(c)
    cdef Waiting *w
    cdef Back *b
    cdef uint32_t number
    cdef uint32_t *chain
    if co.hold_us == 0:
        return NULL
    if name:
        # It may have been named since the handset gave it.
        learn_imsi(co, at, map_find(&co.names, name, 0))
        if c.imsi:
            return NULL
    while co.waiting_head != co.waiting_tail and not cell_of(co, co.waiting_head).live:
        co.waiting_head += 1
    if co.waiting_tail == 0:
        # Once in 2**32: number 0 means none, so its cell stays dead.
        if co.waiting_size == 0:
            if not waiting_grow(co):
                return NULL
            co.waiting_head = 1
        elif co.waiting_tail - co.waiting_head == co.waiting_size and not waiting_grow(co):
            return NULL
        else:
            cell_of(co, 0).live = 0
        co.waiting_tail = 1
    if co.waiting_tail - co.waiting_head == co.waiting_size and not waiting_grow(co):
        return NULL
    number = co.waiting_tail
    co.waiting_tail += 1
    co.waiting_count += 1
    w = cell_of(co, number)
    w.name = name
    w.until_us = t + co.hold_us
    w.connection = at
    w.live = 1
    w.before = w.next = w.before_here = 0
    if name:
        chain = chain_of(co, name)
        w.next = chain[0]
        if w.next:
            cell_of(co, w.next).before = number
        chain[0] = number
    if kind == K_POWER_OFF:
        # It is told by its TMSI alone; see the detach.
        w.connection = NONE
        return &w.row
    b = back(co, at)
    w.next_here = b.waiting
    if w.next_here:
        cell_of(co, w.next_here).before_here = number
    b.waiting = number
    c.has |= WAITS
    return &w.row


cdef void settle(Core *co, uint32_t number, uint64_t imsi) noexcept nogil:
    """Give out a row that waited, and take it out of its lists."""
    cdef Waiting *w = cell_of(co, number)
    cdef Behaviour *row
    if imsi and w.row.role == CALLEE:
        # Whoever is called or sent a text has answered a page.
        page_answered(co, imsi, w.row.t_us)
    if w.name:
        if w.next:
            cell_of(co, w.next).before = w.before
        if w.before:
            cell_of(co, w.before).next = w.next
        else:
            chain_of(co, w.name)[0] = w.next
    if w.connection != NONE:
        if w.next_here:
            cell_of(co, w.next_here).before_here = w.before_here
        if w.before_here:
            cell_of(co, w.before_here).next_here = w.next_here
        else:
            co.backs[w.connection].waiting = w.next_here
    w.live = 0
    co.waiting_count -= 1
    co.counts[C_UNKNOWN_IDENTITY] += imsi == 0
    if co.out_count == co.out_size and not more_room(co):
        return
    row = co.out + co.out_count
    co.out_count += 1
    row[0] = w.row
    row.imsi = imsi


cdef void named(Core *co, uint64_t name, uint64_t imsi) noexcept nogil:
    """A TMSI has got a meaning: rows that waited for it, the oldest first."""
    cdef uint32_t number = chain_of(co, name)[0], before
    if number == 0:
        return
    while cell_of(co, number).next:
        number = cell_of(co, number).next
    while number:
        before = cell_of(co, number).before
        if cell_of(co, number).name == name:
            settle(co, number, imsi)
        number = before


cdef void known(Core *co, uint32_t at, uint64_t imsi) noexcept nogil:
    """The subscriber of a connection is known: its rows that waited, the oldest first."""
    cdef uint32_t number = co.backs[at].waiting, before
    co.pool[at].has &= <uint8_t>~WAITS
    if number == 0:
        return
    while cell_of(co, number).next_here:
        number = cell_of(co, number).next_here
    while number:
        before = cell_of(co, number).before_here
        settle(co, number, imsi)
        number = before


cdef void leave_waiting(Core *co, uint32_t at) noexcept nogil:
    """A connection ends: what waits for it goes on waiting for its TMSI."""
    cdef uint32_t number = co.backs[at].waiting
    while number:
        cell_of(co, number).connection = NONE
        number = cell_of(co, number).next_here
    co.backs[at].waiting = 0


cdef void expire_waiting(Core *co, int64_t now_us) noexcept nogil:
    """Rows that have waited long enough, as they are."""
    while co.waiting_head != co.waiting_tail:
        if cell_of(co, co.waiting_head).live:
            if cell_of(co, co.waiting_head).until_us > now_us:
                break
            settle(co, co.waiting_head, 0)
        co.waiting_head += 1
