# The last phase of a window: messages in the order of time, numbered; and visible acts.
#
# Messages after the window's end are kept for theirs, so the stream is in order of time however long the
# windows are; at one time the order is that of their ladders' beginning.

cdef struct Pending:
    int64_t t_us
    int64_t act
    uint64_t at             # where its octets begin in the pool
    uint32_t flags
    int32_t shown           # -1 none
    uint16_t length

# The same fields as sim.network.acts.ACT.
cdef packed struct ActRow:
    int64_t act
    int64_t t_us
    int32_t sub
    uint8_t kind
    int32_t peer_sub
    char peer[20]
    char outcome[16]
    char label[16]

# The same fields as sim.network.visible.VISIBLE.
cdef packed struct VisibleRow:
    int64_t t_us
    uint64_t imsi
    uint8_t kind
    uint8_t role
    uint16_t lac
    uint16_t ci
    char peer[20]
    uint8_t cause
    int64_t duration_us
    uint64_t detail
    int64_t corr
    int64_t act
    char rule[24]

cdef struct Rule:
    uint8_t kind
    uint8_t role
    bint cause
    bint there
    bint peer
    bint detail
    uint8_t page            # 1 opens one, 2 answers it
    char name[24]

cdef enum:
    F_UPLINK = 1            # of sim.network.templates
    F_SECOND_LEG = 2
    F_LAST_VISIBLE = 4
    F_RULE = 8              # shift
    K_CALL_ENDED = 12       # of sim.network.visible
    K_PAGING_NO_RESPONSE = 33
    PAGE = 10_000_000       # PAGE_US there
    SLS_AT = 23
    DIGIT = 11              # bits sorted by at a time


cdef int emit(Network net, const Leg *leg, int first, int last, int64_t first_us, int64_t act, int32_t shown,
              const uint8_t *row) except -1:
    """Messages first <= i < last of a ladder: the octets of its template with the values of a row in their places.

    The first one is sent at `first_us`; with first = 0 that is the start of the leg, whose waits count.
    A silent network keeps the times alone.
    """
    cdef const Template *t = leg.template
    cdef uint8_t *out
    cdef Pending *p
    cdef Pending *visible = NULL
    cdef void *grown
    cdef size_t room
    cdef int i, k
    cdef int64_t wait_us, base_us = 0
    cdef uint64_t at = 0
    if not net.silent and net.used + t.octets > net.pool_room:
        room = 2 * net.pool_room + t.octets + (1 << 18)
        grown = realloc(net.pool, room)
        if grown == NULL:
            raise MemoryError
        net.pool = <uint8_t *>grown
        net.pool_room = room
    if net.pending_count + t.messages > net.pending_room:
        room = 2 * net.pending_room + t.messages + 4096
        grown = realloc(net.pending, room * sizeof(Pending))
        if grown == NULL:
            raise MemoryError
        net.pending = <Pending *>grown
        net.pending_room = room
    out = net.pool + net.used
    if net.silent:
        pass
    elif first == 0 and last == t.messages:
        memcpy(out, t.octet, t.octets)
        for i in range(t.patches):
            out[t.patch_to[i]] = row[t.patch_from[i]]
    else:
        at = t.begins[first]
        memcpy(out, t.octet + at, t.begins[last] - at)
        for i in range(t.patches):
            if <uint64_t>t.patch_to[i] >= t.begins[last]:
                break
            if <uint64_t>t.patch_to[i] >= at:
                out[t.patch_to[i] - at] = row[t.patch_from[i]]
    base_us = t.base_us[first] if first else 0
    p = net.pending + net.pending_count
    at = net.used
    for i in range(first, last):
        wait_us = 0
        if first == 0:
            for k in range(SLOT_COUNT):
                wait_us += t.slots[SLOT_COUNT * i + k] * leg.slots[k]
        p.t_us = first_us + (((t.base_us[i] - base_us) * leg.pace) >> 16) + wait_us
        p.act = act
        p.at = at
        p.length = 0 if net.silent else <uint16_t>t.length[i]
        p.flags = <uint32_t>t.flags[i] & ~<uint32_t>F_LAST_VISIBLE
        p.shown = shown
        if p.flags >> F_RULE:
            visible = p
        at += p.length
        p += 1
    if visible != NULL:
        visible.flags |= F_LAST_VISIBLE
    elif shown >= 0:
        hide(net, shown)
    net.pending_count += last - first
    net.used = at
    return 0


cdef inline void hide(Network net, int32_t shown) noexcept:
    net.shown[shown].next = net.shown_free
    net.shown_free = shown


cdef object window(Network net, int64_t until_us):
    """All messages before `until_us` that have not been out yet, and visible rows; None where there are none.

    Of a silent network an empty batch and visible rows: its messages take their numbers and have no octets.
    """
    cdef size_t n = 0, i, left = 0, visible = 0
    cdef uint64_t octets = 0
    cdef int64_t low = 0, high = 0
    cdef Pending *due
    cdef Pending *room
    cdef Pending *p
    for i in range(net.pending_count):
        p = net.pending + i
        if p.t_us < until_us:
            low = p.t_us if n == 0 or p.t_us < low else low
            high = p.t_us if n == 0 or p.t_us > high else high
            octets += p.length
            visible += p.flags >> F_RULE != 0
            n += 1
    if n == 0:
        return (WireBatch.empty(), failed_pages(net, until_us)) if page_due(net, until_us) else None
    room = due = <Pending *>malloc(2 * n * sizeof(Pending))
    if room == NULL:
        raise MemoryError
    try:
        n = 0
        for i in range(net.pending_count):
            if net.pending[i].t_us < until_us:
                due[n] = net.pending[i]
                n += 1
            else:
                net.pending[left] = net.pending[i]
                left += 1
        due = in_order(due, n, low, high)
        if net.silent:
            found = count_off(net, due, n, visible, until_us)
        else:
            found = write_out(net, due, n, octets, visible, until_us)
        net.pending_count = left
        tidy_pool(net)
        return found
    finally:
        free(room)


cdef Pending *in_order(Pending *rows, size_t n, int64_t low, int64_t high) noexcept nogil:
    """Sorts n rows by time, stable, digit by digit; there is room for n more behind them."""
    cdef Pending *a = rows
    cdef Pending *b = rows + n
    cdef size_t count[(1 << DIGIT) + 1]
    cdef size_t i
    cdef int shift = 0
    cdef uint64_t digit
    while high - low >> shift:
        memset(count, 0, sizeof(count))
        for i in range(n):
            count[(<uint64_t>(a[i].t_us - low) >> shift & ((1 << DIGIT) - 1)) + 1] += 1
        for i in range(1 << DIGIT):
            count[i + 1] += count[i]
        for i in range(n):
            digit = <uint64_t>(a[i].t_us - low) >> shift & ((1 << DIGIT) - 1)
            b[count[digit]] = a[i]
            count[digit] += 1
        a, b = b, a
        shift += DIGIT
    return a


cdef object write_out(Network net, const Pending *rows, size_t n, uint64_t octets, size_t visible_count,
                      int64_t until_us):
    data = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>octets)
    cdef uint8_t *out = <uint8_t *>PyBytes_AS_STRING(data)
    t_of, offsets_of = np.empty(n, np.int64), np.empty(n + 1, np.int64)
    sls_of, uplink_of = np.empty(n, np.uint8), np.empty(n, np.uint8)
    corr_of, act_of = np.empty(n, np.int64), np.empty(n, np.int64)
    cdef size_t room = visible_count + <size_t>len(net.paged), done
    visible = np.zeros(room, VISIBLE)
    cdef int64_t[::1] t_us = t_of, offsets = offsets_of, corr = corr_of, act = act_of
    cdef uint8_t[::1] sls = sls_of, uplink = uplink_of
    cdef uint8_t[::1] raw
    cdef VisibleRow *shown = NULL
    cdef uint64_t at = 0
    cdef size_t i
    cdef const Pending *p
    if room:
        raw = visible.view(np.uint8)
        shown = <VisibleRow *>&raw[0]
    offsets[0] = 0
    for i in range(n):
        p = rows + i
        memcpy(out + at, net.pool + p.at, p.length)
        t_us[i] = p.t_us
        act[i] = p.act
        uplink[i] = p.flags & F_UPLINK
        sls[i] = out[at + SLS_AT]
        corr[i] = net.next_correlation
        at += p.length
        # The correlation id is the last parameter (sim.network.wire.data_message): 32 bits of the number.
        put32(out + at - 4, <uint32_t>net.next_correlation)
        offsets[i + 1] = <int64_t>at
        if p.flags >> F_RULE:
            shown += show_step(net, p, net.next_correlation, shown)
        net.next_correlation += 1
    if net.paged:
        shown += fail_pages(net, until_us, shown)
    done = (<uint8_t *>shown - &raw[0]) // sizeof(VisibleRow) if room else 0
    return WireBatch(t_of, data, offsets_of, sls_of, uplink_of.view(np.bool_), corr_of, act_of), visible[:done]


cdef object count_off(Network net, const Pending *rows, size_t n, size_t visible_count, int64_t until_us):
    """As `write_out`, for messages that have no octets: each takes its number."""
    cdef uint8_t[::1] raw
    cdef VisibleRow *shown = NULL
    cdef size_t i, room = visible_count + <size_t>len(net.paged), done
    visible = np.zeros(room, VISIBLE)
    if room:
        raw = visible.view(np.uint8)
        shown = <VisibleRow *>&raw[0]
    for i in range(n):
        if rows[i].flags >> F_RULE:
            shown += show_step(net, rows + i, net.next_correlation, shown)
        net.next_correlation += 1
    if net.paged:
        shown += fail_pages(net, until_us, shown)
    done = (<uint8_t *>shown - &raw[0]) // sizeof(VisibleRow) if room else 0
    return WireBatch.empty(), visible[:done]


cdef int show_step(Network net, const Pending *p, int64_t corr, VisibleRow *row) except -1:
    """What a step shows; how many rows that is, with those of pages whose time is over."""
    cdef const Rule *rule = net.rules + (p.flags >> F_RULE) - 1
    cdef int count = 0
    if net.paged:
        count = fail_pages(net, p.t_us, row)
        row += count
    if rule.page == 0:
        visible_row(net, p, corr, row)
        return count + 1
    count += page_step(net, net.shown + p.shown, rule, p, corr, row)
    if p.flags & F_LAST_VISIBLE:
        hide(net, p.shown)
    return count


cdef int page_step(Network net, Shown *s, const Rule *rule, const Pending *p, int64_t corr, VisibleRow *row) except -1:
    """PAGING, or a PAGING RESPONSE; pages that wait are kept by IMSI, in the order of their ends.

    A page whose response is already under way is kept with its ladder alone, as long as nobody else waits.
    """
    cdef object waiting
    if rule.page == 2:
        net.paged.pop(s.imsi, None)
        if s.paged_us >= 0 and p.t_us > s.paged_us + PAGE:
            failed_page(net, s.imsi, s.paged_us + PAGE, s.paged_lac, s.paged_corr, p.act, row)
            return 1
        return 0
    waiting = net.paged.pop(s.imsi, None)
    if s.answers and waiting is None:
        s.paged_us, s.paged_corr = p.t_us, corr
        return 0
    s.paged_us = -1
    net.paged[s.imsi] = (p.t_us + PAGE, s.paged_lac, corr, p.act)
    return 0


cdef inline bint page_due(Network net, int64_t until_us):
    """Whether the time of the first page is over."""
    for first in net.paged.values():
        return <int64_t>first[0] < until_us
    return False


cdef int fail_pages(Network net, int64_t until_us, VisibleRow *row) except -1:
    """The rows of pages whose time is over; how many."""
    cdef int count = 0
    cdef int64_t t_us
    while net.paged:
        imsi = next(iter(net.paged))
        t_us, lac, corr, act_ = net.paged[imsi]
        if t_us >= until_us:
            break
        failed_page(net, imsi, t_us, lac, corr, act_, row + count)
        del net.paged[imsi]
        count += 1
    return count


cdef object failed_pages(Network net, int64_t until_us):
    """The same as a table."""
    cdef uint8_t[::1] raw
    visible = np.zeros(len(net.paged), VISIBLE)
    raw = visible.view(np.uint8)
    return visible[: fail_pages(net, until_us, <VisibleRow *>&raw[0])]


cdef int failed_page(Network net, uint64_t imsi, int64_t t_us, uint16_t lac, int64_t corr, int64_t act_,
                     VisibleRow *row) except -1:
    memset(row, 0, sizeof(VisibleRow))
    row.t_us = t_us + net.epoch_unix_us
    row.imsi = imsi
    row.kind = K_PAGING_NO_RESPONSE
    row.lac = lac
    row.corr = corr
    row.act = act_
    memcpy(row.rule, net.rules[net.page_rule].name, 24)
    return 0


cdef void visible_row(Network net, const Pending *p, int64_t corr, VisibleRow *row) noexcept:
    cdef Shown *s = net.shown + p.shown
    cdef const Rule *rule = net.rules + (p.flags >> F_RULE) - 1
    cdef int32_t cell = s.cell2 if p.flags & F_SECOND_LEG or rule.there else s.cell
    row.t_us = p.t_us + net.epoch_unix_us
    row.imsi = s.imsi
    row.kind = rule.kind
    row.role = rule.role
    row.lac = <uint16_t>net.lac[cell]
    row.ci = <uint16_t>net.ci[cell]
    if rule.role or rule.peer:
        memcpy(row.peer, s.peer.digits, 20)
    row.cause = s.cause if rule.cause else 0
    if rule.detail:
        row.detail = s.detail
    if rule.kind == K_CALL_ENDED:
        row.duration_us = p.t_us - s.connected_us
    row.corr = corr
    row.act = p.act
    memcpy(row.rule, rule.name, 24)
    if p.flags & F_LAST_VISIBLE:
        hide(net, p.shown)


cdef void tidy_pool(Network net) noexcept:
    """Moves the octets of waiting messages together once most of the pool is dead."""
    cdef uint64_t live = 0
    cdef size_t i
    cdef Pending *p
    for i in range(net.pending_count):
        live += net.pending[i].length
    if 2 * live > net.used:
        return
    live = 0
    for i in range(net.pending_count):
        p = net.pending + i
        # The order of their beginning is that of their places: nothing is overwritten before it has moved.
        memmove(net.pool + live, net.pool + p.at, p.length)
        p.at = live
        live += p.length
    net.used = live
