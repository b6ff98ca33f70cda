# Messages that came too early: kept for a while, taken up in order.


cdef bint hold_message(Core *co, uint64_t key, const Row *r, const uint8_t *user, int64_t t) noexcept nogil:
    """Keep a message for `hold_us`; False where that is not possible."""
    cdef uint32_t at, i, size, chain
    cdef void *grown
    cdef Held *h
    if co.hold_us == 0 or key == 0 or r.user_length > 260:
        return False
    tidy_order(co)
    if co.order_tail - co.order_head + 1 >= co.held_size:
        if co.held_size >= MAX_HELD:
            return False
        size = co.held_size * 2 if co.held_size else 64
        grown = realloc(co.held, <size_t>size * sizeof(Held))
        if grown == NULL:
            return False
        co.held = <Held *>grown
        # The order is a ring; after growing it begins at 0 again.
        grown = malloc(<size_t>size * sizeof(uint32_t))
        if grown == NULL:
            return False
        for i in range(co.order_tail - co.order_head):
            (<uint32_t *>grown)[i] = co.held_order[(co.order_head + i) & (co.held_size - 1)]
        free(co.held_order)
        co.held_order = <uint32_t *>grown
        co.order_tail -= co.order_head
        co.order_head = 0
        # Cell 0 is never used: 0 means none. Free cells are chained by `next`.
        for i in range(co.held_size if co.held_size else 1, size):
            co.held[i].next = co.held_free
            co.held_free = i
        co.held_size = size
    if co.held_free == 0:
        return False
    at = co.held_free
    h = co.held + at
    co.held_free = h.next
    h.key = key
    h.t_us = t
    h.until_us = t + co.hold_us
    h.received_ns = co.received_ns
    h.live = 1
    h.row = r[0]
    if r.user_length:
        memcpy(h.user, user, r.user_length)
    chain = <uint32_t>(mix(key) & (CHAINS - 1))
    h.next = 0
    if co.chain_head[chain] == 0:
        co.chain_head[chain] = at
        co.chain_tail[chain] = at
    elif co.replaying:
        # It was at the head when it was taken up, and must stay before what came after it.
        h.next = co.chain_head[chain]
        co.chain_head[chain] = at
    else:
        co.held[co.chain_tail[chain]].next = at
        co.chain_tail[chain] = at
    co.held_order[co.order_tail & (co.held_size - 1)] = at
    co.order_tail += 1
    co.held_count += 1
    co.counts[C_HELD] += 1
    return True

cdef void tidy_order(Core *co) noexcept nogil:
    """Free the cells at the head of the order that nobody waits for any more."""
    cdef uint32_t at
    while co.order_head != co.order_tail:
        at = co.held_order[co.order_head & (co.held_size - 1)]
        if co.held[at].live:
            break
        co.order_head += 1
        co.held[at].next = co.held_free
        co.held_free = at

cdef void unhold(Core *co, uint32_t at) noexcept nogil:
    """Take a held message out of its chain. Its cell is freed when the order reaches it."""
    cdef uint32_t chain = <uint32_t>(mix(co.held[at].key) & (CHAINS - 1)), i, before = 0
    i = co.chain_head[chain]
    while i and i != at:
        before = i
        i = co.held[i].next
    if i == 0:
        return
    if before:
        co.held[before].next = co.held[at].next
    else:
        co.chain_head[chain] = co.held[at].next
    if co.chain_tail[chain] == at:
        co.chain_tail[chain] = before
    co.held[at].live = 0
    co.held_count -= 1

cdef void replay(Core *co, uint64_t key) noexcept nogil:
    """Take up what was held for a key, in order of arrival."""
    cdef uint32_t at
    cdef uint32_t found
    cdef Held one
    cdef int64_t received = co.received_ns
    while key and co.held_count:
        found = table_find(co, key)
        if found == NONE or co.pool[found].handover & BLOCKED:
            break
        at = co.chain_head[mix(key) & (CHAINS - 1)]
        while at and co.held[at].key != key:
            at = co.held[at].next
        if at == 0:
            break
        unhold(co, at)
        one = co.held[at]
        co.received_ns = one.received_ns
        co.replaying = True
        take_again(co, &one.row, one.user, one.t_us, False)
        co.replaying = False
    co.received_ns = received

cdef void expire_held(Core *co, int64_t now_us) noexcept nogil:
    cdef uint32_t at
    cdef Held one
    cdef int64_t received = co.received_ns
    while co.order_head != co.order_tail:
        at = co.held_order[co.order_head & (co.held_size - 1)]
        if co.held[at].live and co.held[at].until_us > now_us:
            break
        co.order_head += 1
        one = co.held[at]
        if one.live:
            unhold(co, at)
        co.held[at].next = co.held_free
        co.held_free = at
        if one.live:
            co.received_ns = one.received_ns
            unblock(co, one.key)
            take_again(co, &one.row, one.user, one.t_us, True)
            replay(co, one.key)
    co.received_ns = received

cdef void unblock(Core *co, uint64_t key) noexcept nogil:
    cdef uint32_t at = table_find(co, key)
    if at != NONE and co.pool[at].handover & BLOCKED:
        co.pool[at].handover &= <uint8_t>~BLOCKED
        # It is a leg of its own from now on.
        co.pool[at].handover |= MOVED
        co.counts[C_UNTIED] += 1
