# What people mean to do, as columns of a day; and the same days laid out by subscriber, to look ahead.

# Where the next row of each column of a day is.
cdef struct Cursor:
    int64_t at
    int64_t end

# Moves and switchings-on of a day by subscriber: those of s are start[s] .. start[s + 1].
cdef struct Ahead:
    int64_t *move_t
    int32_t *move_cell
    uint32_t *move_start
    int64_t *on_t
    uint32_t *on_start


cdef void ahead_free(Ahead *a) noexcept:
    free(a.move_t)
    free(a.move_cell)
    free(a.move_start)
    free(a.on_t)
    free(a.on_start)
    memset(a, 0, sizeof(Ahead))


cdef int ahead_open(Ahead *a, uint32_t n, object moves, object power) except -1:
    """Lays out a day; the columns are in order of time, and stay so for each subscriber."""
    cdef const int64_t[::1] move_t = column(moves.t_us), move_sub = column(moves.sub)
    cdef const int32_t[::1] move_cell = column(moves.cell, np.int32)
    cdef const int64_t[::1] power_t = column(power.t_us), power_sub = column(power.sub)
    cdef const uint8_t[::1] on = column(power.on, np.bool_).view(np.uint8)
    cdef Py_ssize_t i
    cdef uint32_t at
    ahead_free(a)
    a.move_t = <int64_t *>malloc(8 * (move_t.shape[0] + 1))
    a.move_cell = <int32_t *>malloc(4 * (move_t.shape[0] + 1))
    a.on_t = <int64_t *>malloc(8 * (power_t.shape[0] + 1))
    a.move_start = <uint32_t *>calloc(n + 2, sizeof(uint32_t))
    a.on_start = <uint32_t *>calloc(n + 2, sizeof(uint32_t))
    if a.move_t == NULL or a.move_cell == NULL or a.on_t == NULL or a.move_start == NULL or a.on_start == NULL:
        raise MemoryError
    for i in range(move_t.shape[0]):
        a.move_start[move_sub[i] + 2] += 1
    for i in range(power_t.shape[0]):
        a.on_start[power_sub[i] + 2] += on[i]
    for i in range(n):
        a.move_start[i + 2] += a.move_start[i + 1]
        a.on_start[i + 2] += a.on_start[i + 1]
    for i in range(move_t.shape[0]):
        at = a.move_start[move_sub[i] + 1]
        a.move_t[at] = move_t[i]
        a.move_cell[at] = move_cell[i]
        a.move_start[move_sub[i] + 1] += 1
    for i in range(power_t.shape[0]):
        if on[i]:
            a.on_t[a.on_start[power_sub[i] + 1]] = power_t[i]
            a.on_start[power_sub[i] + 1] += 1
    return 0


cdef object column(values, kind=np.int64):
    """A column as the network reads it: contiguous, of one type."""
    return np.ascontiguousarray(values, dtype=kind)


cdef int32_t next_controller(Network net, uint32_t sub, int32_t cell, int64_t from_us, int64_t to_us,
                             int64_t *t_us) noexcept:
    """The first cell of another BSC that the subscriber enters between two moments, and when; -1 none."""
    cdef Ahead *a
    cdef uint32_t i
    cdef int day
    for day in range(2):
        a = net.ahead + day
        if a.move_start == NULL:
            continue
        for i in range(a.move_start[sub], a.move_start[sub + 1]):
            if a.move_t[i] <= from_us:
                continue
            if a.move_t[i] >= to_us:
                return -1
            if net.bsc[a.move_cell[i]] != net.bsc[cell]:
                t_us[0] = a.move_t[i]
                return a.move_cell[i]
    return -1


cdef int64_t next_on(Network net, uint32_t sub, int64_t after_us) noexcept:
    """When the subscriber next switches on; -1: not in the days laid out."""
    cdef Ahead *a
    cdef uint32_t i
    cdef int day
    for day in range(2):
        a = net.ahead + day
        if a.on_start == NULL:
            continue
        for i in range(a.on_start[sub], a.on_start[sub + 1]):
            if a.on_t[i] > after_us:
                return a.on_t[i]
    return -1


cdef int open_day(Network net, int64_t day) except -1:
    """All intents of a day in order; the next day's diary is opened too, for those awake at midnight."""
    people = net.people
    moves, power = net.tomorrow if net.tomorrow is not None else people.diary(day)
    net.tomorrow = people.diary(day + 1) if net.end_us + LONGEST > (day + 1) * DAY else None
    ahead_free(net.ahead)
    net.ahead[0] = net.ahead[1]
    memset(net.ahead + 1, 0, sizeof(Ahead))
    if net.ahead[0].move_start == NULL:
        ahead_open(net.ahead, net.n, moves, power)
    if net.tomorrow is not None:
        ahead_open(net.ahead + 1, net.n, net.tomorrow[0], net.tomorrow[1])
    wished, written = people.calls(day), people.texts(day)
    cdef int64_t first_us = max(net.start_us, day * DAY), last_us = min(net.end_us, (day + 1) * DAY)
    net.power_t, net.power_sub = column(power.t_us), column(power.sub)
    net.power_on = column(power.on, np.bool_).view(np.uint8)
    net.power_graceful = column(power.graceful, np.bool_).view(np.uint8)
    net.move_t, net.move_sub, net.move_cell = column(moves.t_us), column(moves.sub), column(moves.cell, np.int32)
    net.call_t, net.call_sub = column(wished.t_us), column(wished.sub)
    net.call_kind, net.call_peer = column(wished.kind, np.uint8), column(wished.peer_sub, np.int32)
    net.call_number = column(wished.peer_number, "S20").view(np.uint8)
    net.call_alert, net.call_ring = column(wished.alert_us), column(wished.ring_us)
    net.call_talk = column(wished.talk_us)
    net.call_intent, net.call_hangup = column(wished.intent, np.uint8), column(wished.hangup, np.uint8)
    net.text_t, net.text_sub = column(written.t_us), column(written.sub)
    net.text_kind, net.text_peer = column(written.kind, np.uint8), column(written.peer_sub, np.int32)
    net.text_number = column(written.peer_number, "S20").view(np.uint8)
    net.text_body = column(written.text_id, np.int32)
    for k, times in enumerate((power.t_us, moves.t_us, wished.t_us, written.t_us)):
        net.cursor[k].at = np.searchsorted(times, first_us)
        net.cursor[k].end = np.searchsorted(times, last_us)
    return 0
