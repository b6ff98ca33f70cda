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


cdef int close_block(Network net) except -1:
    """Lets go of the intents of a block that is over, before those of the next are drawn."""
    cdef int k
    for k in range(STREAMS):
        net.cursor[k].at = net.cursor[k].end = 0
    net.trip_leave = net.trip_ride = net.begin_trip = net.begin_t = net.begin_sub = None
    net.trip_from = net.trip_to = None
    net.power_t = net.power_sub = net.call_t = net.call_sub = net.text_t = net.text_sub = None
    net.service_t = net.service_sub = net.journey_t = net.journey_sub = None
    net.service_dialogue = net.journey_cell = net.journey_plmn = net.journey_lac = None
    net.service_kind = net.service_number = None
    net.power_on = net.power_graceful = net.call_kind = net.call_intent = net.call_hangup = None
    net.call_peer = net.text_peer = net.text_body = None
    net.text_kind = net.call_number = net.text_number = None
    net.call_alert = net.call_ring = net.call_talk = None
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
    net.trip_leave, net.trip_ride = column(trips.leave_us), column(trips.ride_us)
    net.trip_from, net.trip_to = column(trips.from_cell, np.int32), column(trips.to_cell, np.int32)
    if first:
        for at in np.flatnonzero((trips.leave_us < from_us) & (trips.leave_us + trips.ride_us >= from_us)).tolist():
            set_out(net, trips.sub[at], at, from_us)
    begin = np.flatnonzero(trips.leave_us >= from_us)
    # Trips are in order of subscribers already: a stable sort by time is one by (time, subscriber).
    begin = begin[np.argsort(trips.leave_us[begin], kind="stable")].astype(np.int64)
    net.begin_trip, net.begin_t, net.begin_sub = begin, column(trips.leave_us[begin]), column(trips.sub[begin])
    power, wished, written = people.power(from_us, to_us), people.calls(from_us, to_us), people.texts(from_us, to_us)
    net.power_t, net.power_sub = column(power.t_us), column(power.sub)
    net.power_on = column(power.on, np.bool_).view(np.uint8)
    net.power_graceful = column(power.graceful, np.bool_).view(np.uint8)
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
    used, gone = people.services(from_us, to_us), people.journeys(from_us, to_us)
    net.service_t, net.service_sub = column(used.t_us), column(used.sub)
    net.service_kind, net.service_dialogue = column(used.kind, np.uint8), column(used.dialogue, np.int32)
    net.service_number = column(used.number, "S20").view(np.uint8)
    net.journey_t, net.journey_sub = column(gone.t_us), column(gone.sub)
    net.journey_cell, net.journey_plmn = column(gone.cell, np.int32), column(gone.plmn, np.int32)
    net.journey_lac = column(gone.lac, np.int32)
    for k, rows in enumerate((power.t_us, begin, wished.t_us, written.t_us, used.t_us, gone.t_us)):
        net.cursor[k].at = 0
        net.cursor[k].end = len(rows)
    net.block_end_us = to_us
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
            return push(&net.agenda, t_us, sub, MOVE, at)
    w.next = net.walker_free
    net.walker_free = at
    return 0
