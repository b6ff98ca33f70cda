# What people mean to do, a block of hours at a time; and trips, walked cell by cell as time comes to them.

cdef enum:
    POWERS = 0
    TRIPS = 1
    CALLS = 2
    TEXTS = 3
    SERVICES = 4
    JOURNEYS = 5
    STREAMS = 6
    LONGEST_RIDE = 14_400_000_000   # sim.network.intents.People
    ROWS_OF_A_BLOCK = 50_000        # subscribers whose whole day is one block; of more people less of a day
    SHORTEST_BLOCK = 2_700_000_000  # an occasion of sim.occasions

# What drawing has used goes back to the system: else a large network would keep it to its end.
cdef extern from *:
    """
    #if defined(__GLIBC__)
    #include <malloc.h>
    #define give_memory_back() ((void)malloc_trim(0))
    #else
    #define give_memory_back() ((void)0)
    #endif
    """
    void give_memory_back() noexcept nogil

# Where the next row of each stream of a block is. A trip's turn comes when it begins.
cdef struct Cursor:
    int64_t at
    int64_t end

# Somebody on the way.
cdef struct Walker:
    int64_t leave_us
    int64_t ride_us
    int32_t metres          # of the whole trip
    int32_t walked          # up to the cell that comes next
    int32_t step            # that cell
    int32_t to
    int32_t next            # in the list of free places


cdef object column(values, kind=np.int64):
    """A column as the network reads it: contiguous, of one type."""
    return np.ascontiguousarray(values, dtype=kind)


cdef object narrow(values, kind):
    """The same of a narrower type. Raises ValueError for a value that does not fit."""
    if values.dtype != kind and len(values):
        limits = np.iinfo(kind)
        if values.min() < limits.min or values.max() > limits.max:
            raise ValueError(f"{values.min()} to {values.max()}: {limits.min} to {limits.max} was expected")
    return column(values, kind)


def pack_numbers(values):
    """Digits (S20) two an octet, low half first, filled with ones (TS 24.008 10.5.4.7); shape (n, 10), uint8."""
    cdef Py_ssize_t n = len(values), i
    cdef int k
    cdef char digit
    out = np.full((n, NUMBER_OCTETS), 0xFF, np.uint8)
    if n == 0:
        return out
    cdef const uint8_t[:, ::1] digits = column(values, "S20").view(np.uint8).reshape(n, 20)
    cdef uint8_t[:, ::1] packed = out
    for i in range(n):
        for k in range(20):
            digit = <char>digits[i, k]
            if digit == 0:
                break
            if not 48 <= digit <= 57:
                raise EncodeError(f"a number of digits was expected, not {values[i]!r}")
            packed[i, k >> 1] &= <uint8_t>((digit - 48) << 4 | 0x0F if k & 1 else 0xF0 | (digit - 48))
    return out


cdef object numbers_of(values):
    """Numbers as the network keeps them: packed, unless they come so."""
    return pack_numbers(values) if values.dtype.kind == "S" else column(values, np.uint8)


cdef int close_block(Network net) except -1:
    """Lets go of the intents of a block that is over, before those of the next are drawn."""
    cdef int k
    for k in range(STREAMS):
        net.cursor[k].at = net.cursor[k].end = 0
    net.trip_leave = net.trip_ride = net.power_t = net.call_t = net.text_t = net.service_t = net.journey_t = None
    net.trip_sub = net.power_sub = net.call_sub = net.text_sub = net.service_sub = net.journey_sub = None
    net.trip_from = net.trip_to = None
    net.service_dialogue = net.journey_cell = net.journey_plmn = net.journey_lac = None
    net.power_on = net.power_graceful = net.call_kind = net.call_intent = net.call_hangup = None
    net.service_kind = net.text_kind = net.text_body = None
    net.call_peer = net.text_peer = None
    net.call_number = net.text_number = net.service_number = None
    net.call_alert = net.call_ring = None
    net.call_talk = None
    return 0


cdef int open_block(Network net) except -1:
    """The intents of the next block; at the start also the trips of those who are on the way already."""
    cdef int64_t from_us = net.block_end_us, to_us
    people = net.people
    close_block(net)
    to_us = min((from_us // net.block_us + 1) * net.block_us, net.end_us)
    handsets_of(net, from_us // DAY)
    first = from_us == net.start_us
    trips = people.trips(from_us - LONGEST_RIDE if first else from_us, to_us)
    # Trips come in order of subscribers: a stable sort by time is one by (time, subscriber). First in the table
    # are those on the way already, which have no turn any more.
    begin = np.flatnonzero(trips.leave_us >= from_us)
    begin = begin[np.argsort(trips.leave_us[begin], kind="stable")]
    riding = 0
    if first:
        away = np.flatnonzero((trips.leave_us < from_us) & (trips.leave_us + trips.ride_us >= from_us))
        riding = len(away)
        begin = np.concatenate((away, begin))
    net.trip_leave, net.trip_sub = column(trips.leave_us[begin]), narrow(trips.sub[begin], np.int32)
    net.trip_ride = column(trips.ride_us[begin])
    net.trip_from, net.trip_to = narrow(trips.from_cell[begin], np.int16), narrow(trips.to_cell[begin], np.int16)
    del trips
    for at in range(riding):
        set_out(net, net.trip_sub[at], at, from_us)
    net.cursor[TRIPS].at, net.cursor[TRIPS].end = riding, len(begin)
    rows = people.power(from_us, to_us)
    net.power_t, net.power_sub = column(rows.t_us), narrow(rows.sub, np.int32)
    net.power_on = column(rows.on, np.bool_).view(np.uint8)
    net.power_graceful = column(rows.graceful, np.bool_).view(np.uint8)
    net.cursor[POWERS].end = len(rows.t_us)
    rows = people.calls(from_us, to_us)
    net.call_t, net.call_sub = column(rows.t_us), narrow(rows.sub, np.int32)
    net.call_kind, net.call_peer = column(rows.kind, np.uint8), narrow(rows.peer_sub, np.int32)
    net.call_number = numbers_of(rows.peer_number)
    net.call_alert, net.call_ring = narrow(rows.alert_us, np.uint32), narrow(rows.ring_us, np.uint32)
    net.call_talk = column(rows.talk_us)
    net.call_intent, net.call_hangup = column(rows.intent, np.uint8), column(rows.hangup, np.uint8)
    net.cursor[CALLS].end = len(rows.t_us)
    rows = people.texts(from_us, to_us)
    net.text_t, net.text_sub = column(rows.t_us), narrow(rows.sub, np.int32)
    net.text_kind, net.text_peer = column(rows.kind, np.uint8), narrow(rows.peer_sub, np.int32)
    net.text_number = numbers_of(rows.peer_number)
    net.text_body = narrow(rows.text_id, np.uint8)
    net.cursor[TEXTS].end = len(rows.t_us)
    rows = people.services(from_us, to_us)
    net.service_t, net.service_sub = column(rows.t_us), narrow(rows.sub, np.int32)
    net.service_kind, net.service_dialogue = column(rows.kind, np.uint8), column(rows.dialogue, np.int32)
    net.service_number = numbers_of(rows.number)
    net.cursor[SERVICES].end = len(rows.t_us)
    rows = people.journeys(from_us, to_us)
    net.journey_t, net.journey_sub = column(rows.t_us), narrow(rows.sub, np.int32)
    net.journey_cell, net.journey_plmn = column(rows.cell, np.int32), column(rows.plmn, np.int32)
    net.journey_lac = column(rows.lac, np.int32)
    net.cursor[JOURNEYS].end = len(rows.t_us)
    net.block_end_us = to_us
    if net.block_us < DAY:
        give_memory_back()
    return 0


cdef int handsets_of(Network net, int64_t day) except -1:
    """Handsets change with the days; no block is longer than one."""
    if day != net.imei_day:
        net.imei = column(net.people.imei_at(day), np.uint64)
        net.imei_day = day
    return 0


cdef int set_out(Network net, uint32_t sub, int64_t trip, int64_t after_us) except -1:
    """A trip begins: the first cell that it enters after a moment is made due."""
    cdef Walker *w
    cdef int32_t at, i
    cdef void *grown
    if net.walker_free < 0:
        grown = realloc(net.walkers, <size_t>(net.walker_room * 2 + 256) * sizeof(Walker))
        if grown == NULL:
            raise MemoryError
        net.walkers = <Walker *>grown
        for i in range(net.walker_room, net.walker_room * 2 + 256):
            net.walkers[i].next = net.walker_free
            net.walker_free = i
        net.walker_room = net.walker_room * 2 + 256
    at = net.walker_free
    w = net.walkers + at
    net.walker_free = w.next
    w.leave_us, w.ride_us = net.trip_leave[trip], net.trip_ride[trip]
    w.step, w.to = net.trip_from[trip], net.trip_to[trip]
    w.metres = net.distance_m[w.step, w.to]
    w.walked = 0
    return go_on(net, sub, at, after_us)


cdef inline int64_t enters(Network net, Walker *w) noexcept:
    """The next cell of a walk, and when it is entered: at the border, so far on the way to it."""
    cdef int32_t step = net.next_cell[w.step, w.to]
    cdef int32_t hop = net.distance_m[w.step, step]
    cdef int32_t border = w.walked + <int32_t>(<int64_t>hop * net.border_q16[relation(net, w.step, step)] >> 16)
    w.walked += hop
    w.step = step
    return w.leave_us + w.ride_us * border // (w.metres if w.metres > 1 else 1)


cdef inline int32_t relation(Network net, int32_t cell, int32_t neighbour) noexcept:
    """Where the columns of neighbour relations have this one; routes go from neighbour to neighbour."""
    cdef int32_t i = net.neighbour_start[cell]
    while net.neighbour_cells[i] != neighbour:
        i += 1
    return i


cdef int go_on(Network net, uint32_t sub, int32_t at, int64_t after_us) except -1:
    """Makes the next cell due that is entered after a moment; at the end of the way the place is free."""
    cdef Walker *w = net.walkers + at
    cdef int64_t t_us
    while w.step != w.to:
        t_us = enters(net, w)
        if t_us > after_us:
            net.stations[sub].flags |= RIDING
            return push(&net.agenda, t_us, sub, MOVE, at)
    net.stations[sub].flags &= <uint8_t>~RIDING
    w.next = net.walker_free
    net.walker_free = at
    return 0
