# Who it was: TMSI and IMSI; and the rows that wait for that.


cdef inline uint64_t identity_key(uint32_t lac, uint32_t tmsi) noexcept nogil:
    return (<uint64_t>1 << 63) | (<uint64_t>lac << 32) | tmsi


cdef void bind_tmsi(Core *co, uint64_t name, uint64_t imsi) noexcept nogil:
    """A TMSI means this IMSI from now on. The two latest of a subscriber hold, older ones are forgotten."""
    cdef uint64_t before, older
    if name == 0 or imsi == 0 or map_find(&co.names, name, 0) == imsi:
        return
    before = map_find(&co.current, imsi + 1, 0)
    if co.names.count >= co.max_identities or (before == 0 and co.current.count >= co.max_identities):
        co.counts[C_IDENTITIES_FULL] += 1
        return
    if before:
        older = map_find(&co.previous, imsi + 1, 0)
        if older and older != name and map_find(&co.names, older, 0) == imsi:
            map_remove(&co.names, older)
        if map_put(&co.previous, imsi + 1, before) < 0:
            co.broken = True
    if map_put(&co.names, name, imsi) < 0 or map_put(&co.current, imsi + 1, name) < 0:
        co.broken = True
    co.counts[C_BOUND] += 1

cdef void learn_imsi(Core *co, uint32_t at, uint64_t imsi) noexcept nogil:
    """The subscriber of a connection is known."""
    cdef Connection *c = co.pool + at
    cdef uint32_t i
    if imsi == 0 or c.imsi == imsi:
        return
    if c.handover & TARGET:
        forget(co, &co.toward_imsi, c.imsi, at)
    if c.handover & SOURCE:
        forget(co, &co.away_imsi, c.imsi, at)
    c.imsi = imsi
    bind_tmsi(co, c.tmsi, imsi)
    bind_tmsi(co, c.new_tmsi, imsi)
    if c.waits:
        for i in range(co.waiting_count):
            if co.waiting[i].connection == at and co.waiting[i].generation == c.generation:
                co.waiting[i].row.imsi = imsi
        c.waits = 0
    if c.handover & (SOURCE | TARGET):
        tie_by_imsi(co, at)

cdef void named_by_handset(Core *co, uint32_t at, Row *r, uint32_t lac, bint here) noexcept nogil:
    """The identity that the handset gave; a TMSI is one of location area `lac` of our own network."""
    cdef Connection *c = co.pool + at
    if r.present & HAS_IMSI:
        learn_imsi(co, at, r.imsi)
    elif r.present & HAS_TMSI and here:
        c.tmsi = identity_key(lac, r.tmsi)
        if c.imsi:
            bind_tmsi(co, c.tmsi, c.imsi)
        else:
            learn_imsi(co, at, map_find(&co.names, c.tmsi, 0))


cdef Behaviour *emit(Core *co, uint32_t at, int kind, int role, int64_t t, uint32_t corr) noexcept nogil:
    """A new row with the connection's subscriber and cell; NULL without memory. Valid until the next one."""
    cdef Connection *c = co.pool + at
    cdef Behaviour *row
    cdef Waiting *w
    cdef void *grown
    cdef uint64_t size
    if c.imsi == 0 and co.hold_us and co.waiting_count < MAX_WAITING:
        if co.waiting_count == co.waiting_size:
            size = co.waiting_size * 2 if co.waiting_size else 64
            grown = realloc(co.waiting, size * sizeof(Waiting))
            if grown == NULL:
                co.broken = True
                return NULL
            co.waiting = <Waiting *>grown
            co.waiting_size = <uint32_t>size
        w = co.waiting + co.waiting_count
        co.waiting_count += 1
        w.tmsi = c.tmsi
        w.until_us = t + co.hold_us
        w.connection = at
        w.generation = c.generation
        c.waits = 1
        row = &w.row
    else:
        row = new_row(co)
        if row == NULL:
            return NULL
        if c.imsi == 0:
            co.counts[C_UNKNOWN_IDENTITY] += 1
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

cdef Behaviour *new_row(Core *co) noexcept nogil:
    cdef uint64_t size
    cdef void *grown
    if co.out_count == co.out_size:
        size = co.out_size * 2 if co.out_size else 256
        grown = realloc(co.out, size * sizeof(Behaviour))
        if grown == NULL:
            co.broken = True
            return NULL
        co.out = <Behaviour *>grown
        co.out_size = size
    co.out_count += 1
    return co.out + co.out_count - 1

cdef void settle(Core *co, int64_t now_us, bint overdue) noexcept nogil:
    """Give out waiting behaviours whose subscriber has become known, and with `overdue` those too late."""
    cdef uint32_t i, kept = 0
    cdef Waiting *w
    cdef Behaviour *row
    for i in range(co.waiting_count):
        w = co.waiting + i
        if w.row.imsi == 0 and w.tmsi:
            w.row.imsi = map_find(&co.names, w.tmsi, 0)
        if w.row.imsi == 0 and not (overdue and w.until_us <= now_us):
            if kept != i:
                co.waiting[kept] = w[0]
            kept += 1
            continue
        if w.row.imsi == 0:
            co.counts[C_UNKNOWN_IDENTITY] += 1
        row = new_row(co)
        if row != NULL:
            row[0] = w.row
    co.waiting_count = kept
