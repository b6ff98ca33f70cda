# Handover between two BSSs (TS 48.008 3.1.5): two connections, one call.


cdef void tie_by_imsi(Core *co, uint32_t at) noexcept nogil:
    """COMMON ID: the same subscriber on a source and on a target leg."""
    cdef Connection *c = co.pool + at
    cdef uint64_t found
    if c.handover & (TARGET | MOVED) == TARGET:
        found = map_find(&co.away_imsi, c.imsi, ABSENT)
        if found != ABSENT and found != at:
            tie(co, <uint32_t>found, at)
            return
        if map_put(&co.toward_imsi, c.imsi, at) < 0:
            co.broken = True
    elif c.handover & SOURCE:
        found = map_find(&co.toward_imsi, c.imsi, ABSENT)
        if found != ABSENT and found != at:
            tie(co, at, <uint32_t>found)
            return
        if map_put(&co.away_imsi, c.imsi, at) < 0:
            co.broken = True

cdef void tie_by_bytes(Core *co, uint32_t at, uint64_t digest, bint away) noexcept nogil:
    """The RR HANDOVER COMMAND is the same in HANDOVER REQUEST ACKNOWLEDGE and in HANDOVER COMMAND."""
    cdef Connection *c = co.pool + at
    cdef Map *mine = &co.away_digest if away else &co.toward_digest
    cdef Map *theirs = &co.toward_digest if away else &co.away_digest
    cdef uint64_t found
    if digest == 0 or c.other:
        return
    forget(co, mine, c.digest, at)
    c.digest = digest
    found = map_find(theirs, digest, ABSENT)
    if found != ABSENT and found != at:
        if c.imsi == 0 or co.pool[found].imsi == 0 or co.pool[found].imsi == c.imsi:
            if away:
                tie(co, at, <uint32_t>found)
            else:
                tie(co, <uint32_t>found, at)
            return
    # Of two handovers with equal bytes at once the later one is found; COMMON ID sets that right.
    if map_put(mine, digest, at) < 0:
        co.broken = True

cdef void tie(Core *co, uint32_t source, uint32_t target) noexcept nogil:
    cdef Connection *s = co.pool + source
    cdef Connection *c = co.pool + target
    if s.state == FREE or c.state == FREE or c.handover & MOVED or tied(co, target) == source:
        return
    untie(co, target)
    untie(co, source)
    s.other = target + 1
    s.other_generation = c.generation
    c.other = source + 1
    c.other_generation = s.generation
    if c.imsi == 0:
        learn_imsi(co, target, s.imsi)
    elif s.imsi == 0:
        learn_imsi(co, source, c.imsi)
    if c.handover & ARRIVED:
        handover_done(co, target)

cdef uint32_t tied(Core *co, uint32_t at) noexcept nogil:
    """The other leg, where it is still there."""
    cdef Connection *c = co.pool + at
    cdef uint32_t other = c.other - 1
    if c.other == 0 or co.pool[other].generation != c.other_generation or co.pool[other].state == FREE:
        return NONE
    return other

cdef void untie(Core *co, uint32_t at) noexcept nogil:
    cdef uint32_t other = tied(co, at)
    if other != NONE:
        co.pool[other].other = 0
    co.pool[at].other = 0

cdef void handover_done(Core *co, uint32_t target) noexcept nogil:
    """HANDOVER COMPLETE: what the source leg was doing goes on here, and its clearing means nothing."""
    cdef Connection *c = co.pool + target
    cdef Connection *s
    cdef uint32_t source = tied(co, target)
    cdef uint32_t generation = c.generation
    cdef uint64_t key
    cdef int i
    if source == NONE or c.handover & MOVED:
        return
    s = co.pool + source
    if c.imsi == 0:
        learn_imsi(co, target, s.imsi)
    for i in range(2):
        if s.calls[i].state:
            c.calls[i] = s.calls[i]
        if s.messages[i].kind:
            c.messages[i] = s.messages[i]
    memset(s.calls, 0, sizeof(s.calls))
    memset(s.messages, 0, sizeof(s.messages))
    if c.tmsi == 0:
        c.tmsi = s.tmsi
    forget(co, &co.away_digest, s.digest, source)
    forget(co, &co.away_imsi, s.imsi, source)
    forget(co, &co.toward_digest, c.digest, target)
    forget(co, &co.toward_imsi, c.imsi, target)
    untie(co, target)
    c.digest = 0
    s.digest = 0
    s.handover = <uint8_t>((s.handover | MOVED) & ~(DEFERRED | SOURCE))
    c.handover = <uint8_t>((c.handover | MOVED) & ~BLOCKED)
    if s.state == ZOMBIE:
        drop(co, source)
    key = c.key_a
    if co.held_count and co.pool[target].generation == generation:
        replay(co, key)

cdef void handover_failed(Core *co, uint32_t at) noexcept nogil:
    """A handover that came to nothing."""
    cdef Connection *c = co.pool + at
    if c.handover & SOURCE:
        forget(co, &co.away_digest, c.digest, at)
        forget(co, &co.away_imsi, c.imsi, at)
    if c.handover & TARGET and not c.handover & MOVED:
        forget(co, &co.toward_digest, c.digest, at)
        forget(co, &co.toward_imsi, c.imsi, at)
    untie(co, at)
    c.digest = 0
    c.handover &= <uint8_t>~SOURCE

cdef void clear_command(Core *co, uint32_t at, Row *r, int64_t t) noexcept nogil:
    """CLEAR COMMAND ends calls that no release message ended, unless they have moved to another leg."""
    cdef Connection *c = co.pool + at
    cdef void *grown
    cdef uint32_t size
    if c.handover & SOURCE and busy(co, c):
        # TS 48.008 3.2.2.5: 0001011 = handover successful.
        if co.hold_us == 0:
            if r.bssmap_cause == 0x0B:
                memset(c.calls, 0, sizeof(c.calls))
                return
        else:
            if co.clearing_count == co.clearing_size:
                size = co.clearing_size * 2 if co.clearing_size else 64
                grown = realloc(co.clearing, size * sizeof(Clearing))
                if grown == NULL:
                    co.broken = True
                    return
                co.clearing = <Clearing *>grown
                co.clearing_size = size
            co.clearing[co.clearing_count].until_us = t + co.hold_us
            co.clearing[co.clearing_count].connection = at
            co.clearing[co.clearing_count].generation = c.generation
            co.clearing_count += 1
            c.clear_us = t
            c.clear_corr = r.corr
            c.clear_cause = r.bssmap_cause
            c.handover |= DEFERRED
            return
    cleared(co, at, t, r.corr)

cdef bint busy(Core *co, const Connection *c) noexcept nogil:
    cdef int i
    for i in range(2):
        if c.calls[i].state and c.calls[i].state != OVER:
            return True
    return False

cdef void cleared(Core *co, uint32_t at, int64_t t, uint32_t corr) noexcept nogil:
    cdef int i
    for i in range(2):
        if co.pool[at].calls[i].state and co.pool[at].calls[i].state != OVER:
            finish(co, at, i, K_CALL_FAILED, 0, t, corr)

cdef void expire_clearing(Core *co, int64_t now_us) noexcept nogil:
    cdef uint32_t i, kept = 0
    cdef Clearing one
    cdef Connection *c
    for i in range(co.clearing_count):
        one = co.clearing[i]
        c = co.pool + one.connection
        if c.generation != one.generation or not c.handover & DEFERRED:
            continue
        if one.until_us > now_us:
            co.clearing[kept] = one
            kept += 1
            continue
        c.handover &= <uint8_t>~DEFERRED
        if c.clear_cause != 0x0B:
            cleared(co, one.connection, c.clear_us, c.clear_corr)
        else:
            memset(c.calls, 0, sizeof(c.calls))
        if c.state == ZOMBIE:
            drop(co, one.connection)
    co.clearing_count = kept
