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
    cdef Back *b = back(co, at)
    cdef Map *mine = &co.away_digest if away else &co.toward_digest
    cdef Map *theirs = &co.toward_digest if away else &co.away_digest
    cdef uint64_t found
    if digest == 0 or b.other:
        return
    map_remove_own(mine, b.digest, at)
    b.digest = digest
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
    back(co, source).other = target + 1
    back(co, source).other_generation = c.generation
    back(co, target).other = source + 1
    back(co, target).other_generation = s.generation
    if c.imsi == 0:
        learn_imsi(co, target, s.imsi)
    elif s.imsi == 0:
        learn_imsi(co, source, c.imsi)
    if c.handover & ARRIVED:
        handover_done(co, target)

cdef uint32_t tied(Core *co, uint32_t at) noexcept nogil:
    """The other leg, where it is still there."""
    cdef Back *b = back(co, at)
    cdef uint32_t other = b.other - 1
    if b.other == 0 or co.pool[other].generation != b.other_generation or co.pool[other].state == FREE:
        return NONE
    return other

cdef void untie(Core *co, uint32_t at) noexcept nogil:
    cdef uint32_t other = tied(co, at)
    if other != NONE:
        back(co, other).other = 0
    back(co, at).other = 0

cdef void out_of_handover(Core *co, uint32_t at) noexcept nogil:
    """Take a leg out of the maps by which legs find each other."""
    cdef Connection *c = co.pool + at
    cdef uint64_t digest = back(co, at).digest
    if c.handover & TARGET:
        map_remove_own(&co.toward_digest, digest, at)
        map_remove_own(&co.toward_imsi, c.imsi, at)
    if c.handover & SOURCE:
        map_remove_own(&co.away_digest, digest, at)
        map_remove_own(&co.away_imsi, c.imsi, at)

cdef void handover_done(Core *co, uint32_t target) noexcept nogil:
    """HANDOVER COMPLETE: what the source leg was doing goes on here, and its clearing means nothing."""
    cdef Connection *c = co.pool + target
    cdef Connection *s
    cdef Back *here = back(co, target)
    cdef Back *there
    cdef uint32_t source = tied(co, target)
    cdef uint32_t generation = c.generation
    cdef uint64_t key
    cdef int i
    if source == NONE or c.handover & MOVED:
        return
    s = co.pool + source
    there = back(co, source)
    if c.imsi == 0:
        learn_imsi(co, target, s.imsi)
    for i in range(2):
        if there.calls[i].state:
            here.calls[i] = there.calls[i]
            c.calls = <uint8_t>((c.calls & ~(1 << i)) | (s.calls & (1 << i)))
        if s.messages & (1 << i):
            here.messages[i] = there.messages[i]
            c.messages |= <uint8_t>(1 << i)
    forget_calls(co, source)
    s.messages = 0
    if not c.has & NAMED and s.has & NAMED:
        c.tmsi = s.tmsi
        c.tmsi_lac = s.tmsi_lac
        c.has |= NAMED
    map_remove_own(&co.away_digest, there.digest, source)
    map_remove_own(&co.away_imsi, s.imsi, source)
    map_remove_own(&co.toward_digest, here.digest, target)
    map_remove_own(&co.toward_imsi, c.imsi, target)
    untie(co, target)
    here.digest = 0
    there.digest = 0
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
    # A target that has arrived is in no map any more.
    out_of_handover(co, at)
    untie(co, at)
    back(co, at).digest = 0
    c.handover &= <uint8_t>~SOURCE

cdef void clear_command(Core *co, uint32_t at, const Row *r, int64_t t) noexcept nogil:
    """CLEAR COMMAND ends calls that no release message ended, unless they have moved to another leg."""
    cdef Connection *c = co.pool + at
    if c.calls == 0:
        return
    if c.handover & SOURCE:
        # TS 48.008 3.2.2.5: 0001011 = handover successful.
        if co.hold_us == 0 or not defer_clearing(co, at, r, t):
            if r.bssmap_cause == 0x0B:
                forget_calls(co, at)
            else:
                cleared(co, at, t, r.corr)
        return
    cleared(co, at, t, r.corr)

cdef bint defer_clearing(Core *co, uint32_t at, const Row *r, int64_t t) noexcept nogil:
    """Decide later, when HANDOVER COMPLETE has had its time; False where too many wait already."""
    cdef Connection *c = co.pool + at
    cdef Clearing *grown
    cdef uint32_t size
    if c.handover & DEFERRED:
        return True
    if co.clearing_count == co.clearing_size:
        if co.clearing_size >= MAX_CLEARING:
            return False
        size = co.clearing_size * 2 if co.clearing_size else 64
        grown = <Clearing *>realloc(co.clearing, size * sizeof(Clearing))
        if grown == NULL:
            return False
        co.clearing = grown
        co.clearing_size = size
    co.clearing[co.clearing_count].until_us = t + co.hold_us
    co.clearing[co.clearing_count].connection = at
    co.clearing[co.clearing_count].generation = c.generation
    co.clearing_count += 1
    c.handover |= DEFERRED
    c.clear_cause = r.bssmap_cause
    back(co, at).clear_us = t
    back(co, at).clear_corr = r.corr
    return True

cdef void forget_calls(Core *co, uint32_t at) noexcept nogil:
    """The calls are not this leg's any more."""
    cdef Back *b = back(co, at)
    b.calls[0].state = 0
    b.calls[1].state = 0
    co.pool[at].calls = 0

cdef void cleared(Core *co, uint32_t at, int64_t t, uint32_t corr) noexcept nogil:
    """Calls that no release message ended."""
    cdef int i
    for i in range(2):
        if co.pool[at].calls & (1 << i):
            if co.backs[at].calls[i].ti & OF_SERVICE:
                # A request without an answer was of no use.
                co.backs[at].calls[i].state = 0
                co.pool[at].calls &= <uint8_t>~(1 << i)
            else:
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
            cleared(co, one.connection, back(co, one.connection).clear_us, back(co, one.connection).clear_corr)
        else:
            forget_calls(co, one.connection)
        if c.state == ZOMBIE:
            drop(co, one.connection)
    co.clearing_count = kept
