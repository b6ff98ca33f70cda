# Power, places and location updating: TS 24.008 4.4, as the network and its subscribers live through it.

cdef enum:
    GAP = 300_000               # GAP_US: between the end of one connection of a station and the next
    CAMPS = 1_200_000           # from switching on to the first update
    T3211 = 15_000_000          # TS 24.008 11.2: after a rejection by network failure the station tries again
    GUARD = 600_000_000         # TS 24.008 4.4.2: the network's timer is longer than T3212 by this much
    TMSI_FREEZE = 3_600_000_000 # a TMSI given back rests: a station out of reach may think that it holds it
    ALERTS = 1_000_000          # TS 23.040 10.2: from the update to the first waiting text
    BETWEEN = 200_000
    NETWORK_FAILURE = 17

# Out of 256: a normal update fails; the VLR, or the station, has lost the TMSI; an authentication at attach,
# and else; ciphering without one; the IMEI asked for at attach.
cdef enum:
    FAILS = 3
    LOST = 3
    AUTH_ATTACH = 128
    AUTH_UPDATE = 64
    CIPHER_UPDATE = 160
    ASKS_IMEI = 64

cdef int *UPDATE_ACTS = [A_LOCATION_UPDATE, A_POWER_ON, A_PERIODIC_UPDATE]


cdef inline int64_t free_us(Network net, uint32_t sub, int64_t t_us) noexcept:
    """The first moment from `t_us` on at which the station has no connection."""
    cdef int64_t until = moment(net.stations + sub, BUSY_UNTIL)
    return t_us if until <= t_us else until + GAP


cdef inline bint attached(Network net, uint32_t sub, int64_t t_us) noexcept:
    """Whether the network believes the station reachable; silent for too long means detached."""
    cdef Station *s = net.stations + sub
    if s.flags & REGISTERED and t_us > moment(s, LAST_SEEN) + net.t3212_us + GUARD:
        s.flags &= <uint8_t>~REGISTERED
    return s.flags & REGISTERED != 0


cdef inline bint hears_page(Network net, uint32_t sub) noexcept:
    """Whether the station would answer in the location area where it is registered."""
    cdef Station *s = net.stations + sub
    return s.flags & CAMPED != 0 and net.lac[s.cell] == s.lac


cdef int power(Network net, int64_t t_us, uint32_t sub, bint on, bint graceful) except -1:
    """A handset is switched on or off, or its battery dies; never in the middle of a connection."""
    cdef Station *s = net.stations + sub
    if on:
        s.flags &= <uint8_t>~CLOSING
        if not s.flags & ON:
            s.flags |= ON
            remember(s, POWERED_ON, t_us)
            camp(net, t_us + CAMPS, sub)
    elif s.flags & ON:
        if moment(s, BUSY_UNTIL) > t_us:
            s.flags |= CLOSING
            push(&net.agenda, moment(s, BUSY_UNTIL) + GAP, sub, POWER_OFF, graceful)
        else:
            switch_off(net, t_us, sub, graceful)
    return 0


cdef int postponed_off(Network net, int64_t t_us, uint32_t sub, bint graceful) except -1:
    """The connection that was in the way has ended (or another has begun)."""
    cdef Station *s = net.stations + sub
    if s.flags & (CLOSING | ON) != CLOSING | ON:
        return 0
    if moment(s, BUSY_UNTIL) > t_us:
        push(&net.agenda, moment(s, BUSY_UNTIL) + GAP, sub, POWER_OFF, graceful)
    else:
        s.flags &= <uint8_t>~CLOSING
        switch_off(net, t_us, sub, graceful)
    return 0


cdef int switch_off(Network net, int64_t t_us, uint32_t sub, bint graceful) except -1:
    """With an IMSI detach where there is time for it, TS 24.008 4.3.4."""
    cdef Station *s = net.stations + sub
    cdef uint32_t words[4]
    cdef Shape shape
    cdef Facts facts
    cdef Leg leg
    s.flags &= <uint8_t>~(ON | CAMPED)
    if not graceful:
        act(net, t_us, sub, A_POWER_LOST, O_BATTERY)
        return 0
    if not s.flags & REGISTERED:
        act(net, t_us, sub, A_POWER_OFF, O_NOT_REGISTERED)
        return 0
    chance(net, sub, OPTIONS_DRAWN, words)
    memset(&shape, 0, sizeof(Shape))
    shape.kind = DETACH
    leg = plan(net, &shape, t_us, words)
    no_facts(net, sub, &facts)
    facts.identified = s.flags & KNOWN != 0
    remember(s, BUSY_UNTIL, begin(
        net, &leg, act(net, t_us, sub, A_POWER_OFF, O_DETACHED), sub, &shape, &facts, words
    ))
    s.flags &= <uint8_t>~REGISTERED
    return 0


cdef int move(Network net, int64_t t_us, uint32_t sub, int32_t cell) except -1:
    """A subscriber enters a cell: silent within a location area, and while a call lasts."""
    cdef Station *s = net.stations + sub
    act(net, t_us, sub, A_MOVE, O_NONE)
    if net.place[cell] < 0 or net.place[cell] != net.place[s.cell]:
        remember(s, ARRIVED, t_us)
    s.cell = <uint16_t>cell
    if s.party >= 0:
        crossed(net, t_us, sub)
    if s.flags & ON and net.lac[cell] != s.lac:
        camp(net, t_us, sub)
    return 0


cdef inline int camp(Network net, int64_t t_us, uint32_t sub) except -1:
    """The station reads the cell's location area; an update follows when it has no connection."""
    return push(&net.agenda, free_us(net, sub, t_us), sub, LOCATION)


cdef int location(Network net, int64_t t_us, uint32_t sub) except -1:
    """Updates the location if still due: attach in the old area, normal in a new one (4.4.1, 4.4.3)."""
    cdef Station *s = net.stations + sub
    if s.flags & (ON | AWAY) != ON:
        return 0
    if moment(s, BUSY_UNTIL) > t_us:
        camp(net, t_us, sub)
    elif not has_sdcch(net, camped_cell(net, sub, t_us)):
        push(&net.agenda, t_us + T3122, sub, LOCATION)
    elif net.lac[s.cell] != s.lac:
        update(net, t_us, sub, LU_NORMAL)
    elif not s.flags & CAMPED:
        update(net, t_us, sub, LU_ATTACH)
    return 0


cdef int periodic(Network net, int64_t t_us, uint32_t sub) except -1:
    """T3212 runs out, TS 24.008 4.4.2; any connection since then has started it anew."""
    cdef Station *s = net.stations + sub
    if moment(s, LAST_SEEN) + net.t3212_us > t_us:
        push(&net.agenda, moment(s, LAST_SEEN) + net.t3212_us, sub, PERIODIC)
    elif moment(s, BUSY_UNTIL) > t_us:
        push(&net.agenda, moment(s, BUSY_UNTIL) + GAP, sub, PERIODIC)
    elif s.flags & (ON | REGISTERED | AWAY) == ON | REGISTERED:
        if not has_sdcch(net, camped_cell(net, sub, t_us)):
            return push(&net.agenda, t_us + T3122, sub, PERIODIC)
        update(net, t_us, sub, LU_PERIODIC)
        push(&net.agenda, moment(s, LAST_SEEN) + net.t3212_us, sub, PERIODIC)
    else:   # whoever comes back begins with an update, and T3212 with it
        push(&net.agenda, t_us + net.t3212_us, sub, PERIODIC)
    return 0


cdef int update(Network net, int64_t t_us, uint32_t sub, int kind) except -1:
    """One location updating, from request to acceptance or rejection."""
    cdef Station *s = net.stations + sub
    cdef uint32_t words[4]
    cdef Shape shape
    cdef Facts facts
    cdef Leg leg
    cdef int64_t end_us
    cdef bint rejected
    cdef int msc = net.msc_of_bsc[net.bsc[s.cell]]
    chance(net, sub, OPTIONS_DRAWN, words)
    rejected = kind == LU_NORMAL and words[2] & 0xFF < FAILS
    memset(&shape, 0, sizeof(Shape))
    shape.kind = <uint8_t>(LU_REJECT if rejected else kind)
    shape.options = <uint8_t>update_options(kind, words, rejected)
    if s.flags & STRANGER or msc != s.msc:
        # A TMSI of another network means nothing here; one of another VLR is asked for there, TS 29.002 8.1.4.
        if s.flags & STRANGER and not shape.options & BY_IMSI:
            shape.options |= ASK_IDENTITY
        if not rejected:
            shape.options |= REALLOCATE
    shape.cause = NETWORK_FAILURE if rejected else 0
    leg = plan(net, &shape, t_us, words)
    no_facts(net, sub, &facts)
    facts.old_lac = s.lac
    facts.old_plmn = net.foreign[sub] if s.flags & STRANGER else net.plmn
    if shape.options & REALLOCATE:
        # TS 24.008 4.3.1; the old one rests.
        s.tmsi = <uint32_t>take(&net.tmsis[msc], t_us)
        facts.new_tmsi = s.tmsi
        if s.msc >= 0:
            give_back(&net.tmsis[s.msc], facts.tmsi, t_us + TMSI_FREEZE)
        s.msc = <int8_t>msc
    facts.identified = True
    if kind == LU_ATTACH:
        facts.detail = net.imei[sub]
    else:
        facts.detail = <uint64_t>(0 if facts.old_plmn == net.plmn else facts.old_plmn) << 16 | s.lac
    facts.cause = shape.cause
    facts.fresh_keys = shape.options & AUTH != 0
    end_us = begin(
        net, &leg, act(net, t_us, sub, UPDATE_ACTS[kind], O_REJECTED if rejected else O_ACCEPTED), sub,
        &shape, &facts, words,
    )
    remember(s, BUSY_UNTIL, end_us)
    hold_sdcch(net, facts.cell, sub, end_us)
    if not shape.options & BY_IMSI:
        s.flags |= KNOWN
    if rejected:
        s.flags &= <uint8_t>~(REGISTERED | CAMPED)
        push(&net.agenda, end_us + T3211, sub, LOCATION)
        return 0
    if facts.new_tmsi:
        s.flags |= KNOWN
    s.lac = <uint16_t>net.lac[s.cell]
    if s.flags & STRANGER:
        del net.foreign[sub]
    s.flags = (s.flags | REGISTERED | CAMPED) & ~<int>STRANGER
    remember(s, LAST_SEEN, end_us)
    return reachable(net, end_us, sub)


cdef inline int update_options(int kind, const uint32_t *words, bint rejected) noexcept:
    """Which optional parts the dialogue has."""
    cdef uint32_t w = words[1]
    cdef int options = 0
    cdef bint forgotten
    if w & 0xFF < (AUTH_ATTACH if kind == LU_ATTACH else AUTH_UPDATE):
        options |= AUTH | CIPHER
    elif w >> 24 < CIPHER_UPDATE:
        options |= CIPHER
    if kind == LU_ATTACH and (w >> 8 & 0xFF) < LOST:
        options |= BY_IMSI
    forgotten = not options & BY_IMSI and (w >> 16 & 0xFF) < LOST
    if forgotten:
        options |= ASK_IDENTITY
    if rejected:
        return options
    if kind == LU_ATTACH and (words[2] >> 8 & 0xFF) < ASKS_IMEI:
        options |= ASK_IMEI
    if kind != LU_PERIODIC or forgotten:
        options |= REALLOCATE
    return options


cdef int reachable(Network net, int64_t t_us, uint32_t sub) except -1:
    """The VLR alerts the service centre: a station with waiting texts is back (TS 23.040 10.2)."""
    cdef int32_t at
    cdef int64_t due_us = t_us + ALERTS
    if not net.waiting:
        return 0
    chain = net.waiting.pop(sub, None)
    if chain is None:
        return 0
    for at in chain:
        push(&net.agenda, due_us, sub, DELIVERY, at)
        due_us += BETWEEN
    return 0


cdef int journey(Network net, int64_t t_us, uint32_t sub, int32_t cell, uint32_t plmn, uint16_t lac) except -1:
    """A subscriber leaves for another network (cell -1), or comes from one, where it was in an area `lac`.

    The home network is told by MAP, which the A interface does not show; who comes begins with an update.
    """
    cdef Station *s = net.stations + sub
    if cell < 0:
        if moment(s, BUSY_UNTIL) > t_us:
            # Nobody boards in the middle of a connection.
            return push(&net.agenda, moment(s, BUSY_UNTIL) + GAP, sub, LEAVING)
        act(net, t_us, sub, A_ROAMED_OUT, O_NONE)
        s.flags = (s.flags | AWAY) & ~<int>(CAMPED | REGISTERED)
        return 0
    act(net, t_us, sub, A_ROAMED_IN, O_NONE)
    s.flags = (s.flags | STRANGER) & ~<int>(AWAY | CAMPED | REGISTERED)
    s.cell = <uint16_t>cell
    s.lac = lac
    net.foreign[sub] = plmn
    remember(s, ARRIVED, t_us)
    if s.flags & ON:
        return camp(net, t_us + CAMPS, sub)
    return 0
