# SCCP connections (Q.714): what each SCCP message does to them.

# What to do with an SCCP message type (Q.713 2.1); 0 = AK, UDTS and others that say nothing here.
cdef enum:
    DO_NOTHING = 0
    DO_DATA = 32        # DT1, DT2; their action is added to it
    DO_REQUEST = 1      # CR
    DO_CONFIRM          # CC
    DO_REFUSE           # CREF
    DO_RELEASE          # RLSD
    DO_COMPLETE         # RLC
    DO_RESET            # RSR, RSC
    DO_TEST             # IT
    DO_UNIT             # UDT, XUDT, LUDT

# Its low octet: what to do; its high one: whether the action of the user data counts.
cdef uint16_t WHAT[256]
memset(&WHAT[0], 0, sizeof(WHAT))
for _code, _what in (
    (0x01, DO_REQUEST), (0x02, DO_CONFIRM), (0x03, DO_REFUSE), (0x04, DO_RELEASE), (0x05, DO_COMPLETE),
    (0x06, DO_DATA | 0xFF00), (0x07, DO_DATA | 0xFF00), (0x09, DO_UNIT), (0x0D, DO_RESET), (0x0E, DO_RESET),
    (0x10, DO_TEST), (0x11, DO_UNIT), (0x13, DO_UNIT),
):
    WHAT[_code] = _what


cdef void drop(Core *co, uint32_t at) noexcept nogil:
    """End of a connection; a zombie stays where a deferred clearing still needs it."""
    cdef Connection *c = co.pool + at
    if c.state == FREE:
        return
    if c.state != ZOMBIE:
        table_remove(co, c.key_a, at)
        if c.key_b:
            table_remove(co, c.key_b, at)
        delist(co, at, link_of(c.key_a))
        c.key_a = 0
        c.key_b = 0
        co.open_connections -= 1
        if c.has & PARTS:
            give_up_parts(co, at)
    if c.handover & DEFERRED:
        c.state = ZOMBIE
        return
    if c.handover & (TARGET | SOURCE):
        out_of_handover(co, at)
    if c.has & WAITS:
        leave_waiting(co, at)
    c.state = FREE
    c.generation += 1
    co.near[at].next = co.free_head
    co.free_head = at


cdef void evict(Core *co) noexcept nogil:
    """The pool is full: the connection silent for longest of 64 from the hand on makes room.

    The hand stays behind it, so where connections were opened one after another the very oldest goes.
    """
    cdef uint32_t i, at = co.evict_at, best = NONE
    for i in range(64 if co.pool_used > 64 else co.pool_used):
        at = at if at < co.pool_used else 0
        if co.pool[at].state == OPEN or co.pool[at].state == RELEASING:
            if best == NONE or co.pool[at].last_us < co.pool[best].last_us:
                best = at
        at += 1
    co.evict_at = best + 1 if best != NONE else at
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


cdef inline uint32_t open_connection(Core *co, uint64_t key, int64_t t) noexcept nogil:
    """A new connection with the opener's reference in the table; an old one with it is dead (Q.714 3.1)."""
    cdef uint32_t at = table_find(co, key)
    cdef bint doubtful = False
    if at != NONE:
        # Both may still talk on it: of the messages to the opener nobody can tell whose they are.
        doubtful = co.pool[at].state == OPEN and t - co.pool[at].last_us < 600000000
        co.counts[C_REUSED] += 1
        drop(co, at)
    at = new_connection(co)
    if at == NONE:
        evict(co)
        at = new_connection(co)
        if at == NONE:
            co.counts[C_OVERFLOW] += 1
            return NONE
    table_add(co, key, at)
    enlist(co, at, link_of(key))
    co.pool[at].key_a = key
    co.pool[at].last_us = t
    if doubtful:
        co.pool[at].has |= HANDSET
    co.counts[C_OPENED] += 1
    return at


cdef inline bint same_request(const Connection *c, const Row *r, int64_t t) noexcept nogil:
    """Whether a CR is a copy of the one that has just opened a connection: same handset, same cell, same moment."""
    if t - c.last_us > COPY_US or c.lac != r.lac or c.ci != r.ci or not r.present & HAS_CELL:
        return False
    if r.present & HAS_IMSI:
        return c.imsi == r.imsi
    return r.present & HAS_TMSI and c.has & NAMED and c.tmsi == r.tmsi


cdef inline void connection_request(Core *co, Row *r, uint64_t key, const uint8_t *user, int64_t t) noexcept nogil:
    """CR: `key` is of the opener's reference."""
    cdef uint32_t at
    if key == 0:
        co.counts[C_OVERFLOW] += 1
        return
    heard(co, key, t)
    at = table_find(co, key)
    if at != NONE and same_request(co.pool + at, r, t):
        co.counts[C_COPIES] += 1
        return
    at = open_connection(co, key, t)
    if at == NONE:
        return
    co.pool[at].bss_opened = co.links[link_of(key)].msc != r.opc
    if r.user_length:
        content(co, at, r, action_of(r), 0, user, t, False)
    if co.held_count:
        replay(co, key)


cdef void adopt(Core *co, Row *r, uint64_t key, const uint8_t *user, int64_t t) noexcept nogil:
    """CC without a CR, as at the start of a tap: both references are known from here on, the cell is not."""
    cdef uint32_t at = open_connection(co, key, t)
    if at == NONE:
        return
    co.counts[C_ADOPTED] += 1
    co.pool[at].bss_opened = co.links[link_of(key)].msc != r.dpc
    # A call for the station needs a page, and it may have been the answer that is lost.
    co.pool[at].has |= ANSWERS
    confirm(co, at, r, key, user, t)


cdef inline bint other_reference(Core *co, uint32_t at, const Row *r, uint64_t receiver) noexcept nogil:
    """CC (Q.714 3.1) names it; False where the connection has had another one."""
    cdef Connection *c = co.pool + at
    cdef uint64_t key = opposite(r, receiver)
    cdef uint32_t old
    if c.key_b == 0:
        old = table_find(co, key)
        if old != at:
            if old != NONE:
                co.counts[C_REUSED] += 1
                drop(co, old)
            table_add(co, key, at)
            c.key_b = key
    elif c.key_b != key:
        co.counts[C_STALE] += 1
        return False
    return True


cdef void confirm(Core *co, uint32_t at, Row *r, uint64_t receiver, const uint8_t *user, int64_t t) noexcept nogil:
    """CC with what it carries, and what was held for it."""
    cdef uint32_t generation = co.pool[at].generation
    if not other_reference(co, at, r, receiver):
        return
    if r.user_length:
        content(co, at, r, action_of(r), 1, user, t, False)
    if co.held_count and co.pool[at].generation == generation:
        replay(co, co.pool[at].key_a)
        replay(co, opposite(r, receiver))


cdef inline bint foreign(Core *co, const Connection *c, const Row *r, uint64_t receiver) noexcept nogil:
    """Whether a message names, beside the receiver's reference, one that is not this connection's."""
    cdef uint64_t other = c.key_b if receiver == c.key_a else c.key_a
    if other == 0 or other == opposite(r, receiver):
        return False
    co.counts[C_STALE] += 1
    return True


# ---------------------------------------------------------------- one message

cdef inline int code_of(const Row *r) noexcept nogil:
    """What is to be done with a row; 0 = nothing: another message class, or its SCCP part is wrong."""
    cdef int what = DO_NOTHING if not_ours(r) else WHAT[r.sccp]
    return (what & 0xFF) | (action_of(r) & (what >> 8))


cdef inline bint not_ours(const Row *r) noexcept nogil:
    """Whether a row is of another message class than transfer, or its SCCP part is wrong."""
    return r.m3ua_class != 1 or r.m3ua_type != 1 or 0 < r.error < FIRST_ERROR_ABOVE_SCCP


cdef inline void releasing(Core *co, uint32_t at, const Row *r, int64_t t) noexcept nogil:
    """RLSD. Of somebody certain whose connection has told nothing it tells that he was there."""
    cdef Connection *c = co.pool + at
    c.state = RELEASING
    if c.has & CERTAIN and not c.messages & TOLD and c.handover == 0:
        emit(co, at, K_SEEN, 0, t, r.corr)


cdef inline bint act_often(
    Core *co, uint32_t at, int code, uint64_t key, const Row *r, int64_t t
) noexcept nogil:
    """The shortest of the frequent messages; whether it was one."""
    cdef Connection *c = co.pool + at
    if code == DO_DATA + A_COMMON_ID:
        c.last_us = t
        # A LOCATION UPDATING ACCEPT will forget his last TMSI but one.
        fetch_previous(co, r.imsi)
        if c.imsi != r.imsi and c.has & CERTAIN:
            # Two subscribers on one reference: no handset is certain any more.
            c.has |= HANDSET
        c.has |= CERTAIN
        if c.imsi != r.imsi:
            learn_imsi(co, at, r.imsi)
    elif code == DO_DATA + A_CLEAR:
        c.last_us = t
        if c.calls:
            clear_command(co, at, r, t)
    elif code == DO_CONFIRM:
        if r.user_length or co.held_count:
            return False
        c.last_us = t
        other_reference(co, at, r, key)
    elif code == DO_RELEASE:
        if r.user_length:
            return False
        if not foreign(co, c, r, key):
            c.last_us = t
            releasing(co, at, r, t)
    elif code == DO_COMPLETE:
        if not foreign(co, c, r, key):
            co.counts[C_RELEASED] += 1
            drop(co, at)
    else:
        return False
    return True


cdef void act(
    Core *co, uint32_t at, int code, uint64_t key, Row *r, const uint8_t *user, int64_t t, bint last
) noexcept nogil:
    """A message of a connection."""
    cdef Connection *c = co.pool + at
    cdef int way = key == c.key_a, action
    if code >= DO_DATA:
        c.last_us = t
        action = action_of(r) if r.bssmap else code - DO_DATA
        content(co, at, r, action, way, user, t, last)
    elif act_often(co, at, code, key, r, t):
        return
    elif code == DO_CONFIRM:
        c.last_us = t
        confirm(co, at, r, key, user, t)
    elif code == DO_RELEASE:
        if not foreign(co, c, r, key):
            c.last_us = t
            content(co, at, r, action_of(r), way, user, t, last)
            releasing(co, at, r, t)
    elif code == DO_REFUSE:
        # CREF (Q.714 3.2): the connection never came to be.
        co.counts[C_REFUSED] += 1
        if r.user_length:
            content(co, at, r, action_of(r), way, user, t, last)
        drop(co, at)
    elif code == DO_TEST:
        c.last_us = t
    elif code == DO_RESET and not foreign(co, c, r, key):
        # RSR, RSC (Q.714 3.8): what was in transit is lost, the connection goes on.
        c.last_us = t
        if c.has & PARTS:
            give_up_parts(co, at)


cdef void take(
    Core *co, int code, uint64_t key, Row *r, const uint8_t *user, int64_t t, bint last
) noexcept nogil:
    """A message that names a receiver's reference, by its key; with `last` it is not held again."""
    cdef uint32_t at = table_find(co, key) if key else NONE
    cdef Connection *c
    if at == NONE:
        unplaced(co, code, key, r, user, t, last)
        return
    c = co.pool + at
    if c.handover & BLOCKED and not last and hold_message(co, c.key_a, r, user, t):
        return
    if code >= DO_DATA and (c.has & PARTS or r.more) and segment(co, at, r, key == c.key_a, user, t):
        c.last_us = t
        return
    act(co, at, code, key, r, user, t, last)


cdef void unplaced(
    Core *co, int code, uint64_t key, Row *r, const uint8_t *user, int64_t t, bint last
) noexcept nogil:
    """A message whose connection is not known (yet)."""
    if not last and hold_message(co, key, r, user, t):
        return
    if code == DO_CONFIRM and key:
        adopt(co, r, key, user, t)
    else:
        co.counts[C_ORPHANS] += 1


cdef void take_again(Core *co, Row *r, const uint8_t *user, int64_t t, bint last) noexcept nogil:
    """A message that was held."""
    take(co, code_of(r), receiver_key(co, r, True), r, user, t, last)


cdef int select_rows(
    const Row *row, const int64_t *offsets, const int64_t *order, int64_t first, int count, int unwanted,
    Selection *found,
) noexcept nogil:
    """The rows of a block that can mean something: whose code is more than these bits; how many.

    Three messages of eight tell nothing to a correlator. There is no branch that depends on a message's kind:
    it would be guessed wrong for every second one.
    """
    cdef int k, m = 0, code, what, more = 0
    cdef int64_t i
    cdef const Row *r
    for k in range(count):
        i = first + k if order == NULL else order[first + k]
        r = row + i
        if <int64_t>r.user_offset + r.user_length > offsets[i + 1] - offsets[i]:
            found.misfit = i
        if not_ours(r):
            continue
        what = WHAT[r.sccp]
        code = (what & 0xFF) | (action_near(r) & (what >> 8))
        more |= r.more
        found.rows[m] = <uint32_t>i
        found.codes[m] = <uint8_t>code
        m += (code & ~unwanted) != 0
    found.more = more
    return m


cdef inline uint64_t receiver_key(Core *co, const Row *r, bint create) noexcept nogil:
    """Key of the receiver's reference; 0 = the link is not known."""
    cdef uint64_t base = base_of(co, r, create)
    return base | r.dlr if base else 0


cdef inline uint64_t source_key(Core *co, const Row *r, bint create) noexcept nogil:
    """The same of CR's source."""
    cdef uint64_t base = base_of(co, r, create)
    return opposite(r, base) if base else 0


cdef int64_t take_block(
    Core *co, Row *row, const uint8_t *base, const int64_t *offsets, const int64_t *t_us,
    const int64_t *order, int64_t first, int count,
) noexcept nogil:
    """The rows `first` to `first + count` in order; the index of a row that is not of its message, else -1."""
    cdef Selection found
    cdef int m, k, code
    cdef int64_t i
    cdef uint64_t key
    cdef uint32_t at
    cdef Connection *c
    cdef Row *r
    cdef const uint8_t *user
    found.misfit = -1
    m = select_rows(row, offsets, order, first, count, DO_DATA, &found)
    if found.misfit >= 0:
        return found.misfit
    if found.more or co.parts_live:
        # A segment may look like a message that tells nothing, so here all data count.
        m = select_rows(row, offsets, order, first, count, 0, &found)
    fetch_identities(co, row, &found, m)
    if co.open_connections > CACHED:
        fetch_connections(co, row, &found, m)
    for k in range(m):
        i = found.rows[k]
        code = found.codes[k]
        r = row + i
        if t_us[i] > co.pages_next_us:
            expire_pages(co, t_us[i])
        if code == DO_REQUEST:
            connection_request(co, r, source_key(co, r, True), base + offsets[i] + r.user_offset, t_us[i])
            continue
        if code == DO_UNIT:
            unitdata(co, r, base + offsets[i], offsets[i + 1] - offsets[i], t_us[i])
            continue
        key = receiver_key(co, r, r.error == 0)
        at = table_find(co, key) if key else NONE
        user = base + offsets[i] + r.user_offset
        if at == NONE or r.more:
            take(co, code, key, r, user, t_us[i], False)
            continue
        c = co.pool + at
        if c.handover & BLOCKED or c.has & PARTS:
            take(co, code, key, r, user, t_us[i], False)
        elif not act_often(co, at, code, key, r, t_us[i]):
            act(co, at, code, key, r, user, t_us[i], False)
    return -1


cdef inline void fetch_identities(Core *co, const Row *row, const Selection *found, int m) noexcept nogil:
    """Bring what the rows of a block say about identities into the cache: each is met once in a long while."""
    cdef const Row *r
    cdef uint64_t name
    cdef int k
    for k in range(m):
        r = row + found.rows[k]
        # The area is that of the LAI where there is one; all without a branch.
        name = identity_key(r.lai_lac | (r.lac & (<uint32_t>((r.present & HAS_LAI) != 0) - 1)), r.tmsi)
        kairos_prefetch(co.names.slots + (mix(name) & co.names.mask))
        kairos_prefetch(co.people + (mix(r.imsi + 1) & co.people_mask))


cdef void fetch_connections(Core *co, const Row *row, const Selection *found, int m) noexcept nogil:
    """Bring the connections of a block into the cache, where the table has outgrown it."""
    cdef uint64_t keys[BLOCK]
    cdef const Row *r
    cdef uint32_t at
    cdef int k
    for k in range(m):
        r = row + found.rows[k]
        keys[k] = source_key(co, r, False) if found.codes[k] == DO_REQUEST else receiver_key(co, r, False)
        if keys[k]:
            kairos_prefetch(co.table + (mix(keys[k]) & co.table_mask))
            if r.sccp == 2 or r.sccp == 5:
                kairos_prefetch(co.table + (mix(opposite(r, keys[k])) & co.table_mask))
    # Their slots have arrived: now the connections themselves.
    for k in range(m):
        if keys[k] and found.codes[k] != DO_UNIT:
            at = table_find_mark(co, keys[k])
            if at != NONE:
                kairos_prefetch(co.pool + at)
                kairos_prefetch(co.near + at)
                if found.codes[k] >= DO_DATA + A_SETUP:
                    kairos_prefetch(co.backs + at)
                    kairos_prefetch(<char *>(co.backs + at) + 64)


cdef inline uint32_t table_find_mark(const Core *co, uint64_t key) noexcept nogil:
    """Like table_find, but without a look at the connection: very likely the right one."""
    cdef uint64_t hashed = mix(key), at = hashed & co.table_mask
    while co.table[at].number:
        if co.table[at].mark == <uint32_t>hashed:
            return co.table[at].number - 1
        at = (at + 1) & co.table_mask
    return NONE


# ---------------------------------------------------------------- connectionless

cdef void unitdata(Core *co, Row *r, const uint8_t *m, int64_t length, int64_t t) noexcept nogil:
    """UDT, XUDT, LUDT: a message, or a segment of one."""
    if r.error:
        return
    if r.more:
        unit_segment(co, r, m, <int>length, t)
    elif r.bssmap:
        connectionless(co, r, m + r.user_offset, t)


cdef void connectionless(Core *co, Row *r, const uint8_t *user, int64_t t) noexcept nogil:
    """PAGING (TS 48.008 3.2.1.19) binds TMSI and IMSI; RESET (3.2.1.23) ends all connections of the pair."""
    cdef uint32_t i, size, lac, first, link
    cdef uint64_t base
    cdef const uint8_t *cells
    if r.bssmap != 0x30 and r.bssmap != 0x52:
        return
    base = base_of(co, r, True)
    if base == 0:
        return
    link = link_of(base)
    heard(co, base, t)
    if r.bssmap == 0x30:
        # Each is paid for by its own opening, so a flood of RESETs costs nothing.
        while co.links[link].first != NONE:
            i = co.links[link].first
            co.counts[C_RESET] += 1
            co.pool[i].handover &= <uint8_t>~DEFERRED
            drop(co, i)
        return
    co.links[link].msc = r.opc
    if not (r.present & HAS_IMSI and r.present & HAS_LIST):
        return
    # TS 48.008 3.2.2.27: what stands before the LAC in each cell of the list.
    first, size = 0, 0
    if r.discriminator == 0 or r.discriminator == 4 or r.discriminator == 8:
        first, size = 3, 7 if r.discriminator != 4 else 5
    elif r.discriminator == 1 or r.discriminator == 5 or r.discriminator == 10:
        first, size = 0, 2 if r.discriminator == 5 else 4
    cells = user + r.list_offset + 1
    lac = 0
    if size and <int>r.list_offset + 1 + <int>size <= r.user_length:
        lac = (<uint32_t>cells[first] << 8) | cells[first + 1]
    paged(co, r, lac, t)
    if size == 0 or not r.present & HAS_TMSI:
        return
    for i in range(r.list_cells):
        if <int>r.list_offset + 1 + <int>((i + 1) * size) > r.user_length:
            break
        lac = (<uint32_t>cells[i * size + first] << 8) | cells[i * size + first + 1]
        if i == 0:
            bind_tmsi(co, identity_key(lac, r.tmsi), r.imsi)
        else:
            put_name(co, identity_key(lac, r.tmsi), r.imsi)
