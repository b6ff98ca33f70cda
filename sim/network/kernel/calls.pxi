# Calls: who gets through to whom, and the two legs of it made to agree on the time axis.

cdef enum:
    ACROSS = 40_000             # from one side of the exchange to the other
    ROUTING = 80_000
    ANNOUNCEMENT = 6_000_000
    NO_RESPONSE = 5_000_000     # how long the MSC waits for a paging response
    RESPONSE = 300_000          # least time to answer a page: paging channel, random access, set-up
    RESPONSE_RANGE = 2_200_000

# Cause values, TS 24.008 table 10.5.123.
cdef enum:
    UNASSIGNED = 1
    NORMAL = 16
    USER_BUSY = 17
    NO_REPLY = 19
    ABSENT = 20
    CALL_REJECTED = 21
    NO_CIRCUIT = 34
    NO_RESOURCES = 47

# Out of 256: an authentication; ciphering without one.
cdef enum:
    AUTH_CALL = 64
    CIPHER_CALL = 224

# What becomes of a call.
cdef enum:
    ANSWERED = 0
    NO_ANSWER
    REJECTED
    ABANDONED
    BUSY
    UNREACHABLE             # the first six are what people mean, in the order of sim.network.intents
    PAGED                   # an absent callee who had to be paged to be missed
    CONGESTED
    VACANT
    NO_CHANNEL              # none in the caller's cell, nor next to it
    FORWARDED               # of the called side alone: the caller hears what becomes of it elsewhere
    BOTH_SIDES = REJECTED   # up to here the called side takes part

cdef struct Way:
    uint8_t kind
    uint8_t cause
    uint8_t outcome

# By what becomes of a call: ladder and cause of the caller's side.
cdef Way *CALLER_WAYS = [
    Way(MO_CALL_ANSWERED, NORMAL, O_ANSWERED),
    Way(MO_CALL_NO_ANSWER, NO_REPLY, O_NO_ANSWER),
    Way(MO_CALL_REJECTED, CALL_REJECTED, O_REJECTED),
    Way(MO_CALL_ABANDONED, NORMAL, O_ABANDONED),
    Way(MO_CALL_BUSY, USER_BUSY, O_BUSY),
    Way(MO_CALL_UNREACHABLE, ABSENT, O_UNREACHABLE),
    Way(MO_CALL_UNREACHABLE, ABSENT, O_UNREACHABLE),
    Way(MO_CALL_BUSY, NO_CIRCUIT, O_CONGESTED),
    Way(MO_CALL_VACANT, UNASSIGNED, O_VACANT),
    Way(MO_CALL_ASSIGNMENT_FAILED, NO_RESOURCES, O_NO_CHANNEL),
    Way(MO_CALL_NO_ANSWER, NO_REPLY, O_FORWARDED),
]
# And of the called side.
cdef Way *CALLEE_WAYS = [
    Way(MT_CALL_ANSWERED, NORMAL, O_ANSWERED),
    Way(MT_CALL_NO_ANSWER, NO_REPLY, O_NO_ANSWER),
    Way(MT_CALL_REJECTED, CALL_REJECTED, O_REJECTED),
]

# One call meant.
cdef struct Wish:
    Number number           # dialled; the calling number of a call from another network
    int64_t alert_us
    int64_t ring_us
    int64_t talk_us
    int32_t peer_sub
    uint8_t kind
    uint8_t intent
    bint caller_ends

# One leg of a call with what is needed to begin it.
cdef struct Side:
    Leg leg
    Shape shape
    Facts facts
    uint32_t words[4]
    uint32_t sub
    int32_t cell            # that gives the channel

cdef inline bint in_call(Network net, uint32_t sub, int64_t t_us) noexcept:
    return moment(net.stations + sub, CALL_UNTIL) > t_us


cdef inline int security(const uint32_t *words) noexcept nogil:
    """Options of a connection of a station known by TMSI."""
    if words[1] & 0xFF < AUTH_CALL:
        return AUTH | CIPHER
    return CIPHER if (words[1] >> 8 & 0xFF) < CIPHER_CALL else 0


cdef inline int64_t response_us(const uint32_t *words) noexcept nogil:
    """How long a station takes to answer a page."""
    return RESPONSE + <int64_t>(<uint64_t>words[2] * RESPONSE_RANGE >> 32)


cdef int call(Network net, int64_t t_us, uint32_t sub, Wish *wish) except -1:
    """Settles one call meant by `sub` (for calls from other networks: meant for `sub`)."""
    cdef Station *s = net.stations + sub
    cdef Side side
    cdef Leg *leg = &side.leg
    cdef int64_t start_us, ended_us
    cdef int outcome
    cdef int32_t cell, here
    if wish.kind == FROM_OTHER_NETWORK:
        return from_outside(net, t_us, sub, wish)
    if not s.flags & CAMPED or in_call(net, sub, t_us):
        act(net, t_us, sub, A_CALL_MADE, O_ENGAGED if s.flags & CAMPED else O_NO_SERVICE, wish.peer_sub,
            &wish.number)
        return 0
    here = camped_cell(net, sub, t_us)
    if not has_sdcch(net, here):
        act(net, t_us, sub, A_CALL_MADE, O_NO_CHANNEL, wish.peer_sub, &wish.number)
        return 0
    start_us = free_us(net, sub, t_us)
    cell = channel_near(net, here)
    if cell < 0:
        outcome = NO_CHANNEL
    elif wish.kind == INSIDE:
        outcome = fate(net, t_us, <uint32_t>wish.peer_sub, wish)
        if diverts(net, <uint32_t>wish.peer_sub, outcome, wish):
            return divert(net, start_us, sub, wish, outcome, cell)
        if outcome <= BOTH_SIDES:
            if other_side_has_channel(net, camped_cell(net, <uint32_t>wish.peer_sub, t_us), cell):
                return both(net, start_us, sub, wish, outcome, cell)
            callee_congested(net, start_us, <uint32_t>wish.peer_sub, wish, sub)
            outcome = CONGESTED
    else:
        outcome = VACANT if wish.kind == VACANT_NUMBER else wish.intent
    caller_side(net, &side, start_us, sub, wish, outcome, 0, cell)
    if outcome == PAGED:
        stretch(leg, M_ENDED, when(leg, M_STARTED) + ROUTING + NO_RESPONSE + ANNOUNCEMENT)
    elif outcome == BUSY or outcome == CONGESTED or outcome == ABANDONED:
        stretch(leg, M_ENDED, when(leg, M_STARTED) + wish.alert_us)
    elif outcome == VACANT or outcome == UNREACHABLE:
        stretch(leg, M_ENDED, when(leg, M_STARTED) + wish.alert_us + ANNOUNCEMENT)
    elif outcome != NO_CHANNEL:
        stretch(leg, M_ALERTING, when(leg, M_STARTED) + wish.alert_us)
        ring_and_talk(leg, wish, outcome)
    ended_us = begin_side(net, &side, outcome, A_CALL_MADE, wish.peer_sub, NULL)
    if outcome == PAGED:
        page_in_vain(net, when(leg, M_STARTED) + ROUTING, <uint32_t>wish.peer_sub, PAGING_DRAWN)
    if wish.kind == SERVICE_LINE:
        remember(s, SERVED, ended_us)
    return 0


cdef int fate(Network net, int64_t t_us, uint32_t callee, const Wish *wish) noexcept:
    """What becomes of a call to one of ours: the callee's state first, then what both mean to do."""
    if wish.intent == ABANDONED:
        return ABANDONED
    if not attached(net, callee, t_us):
        return UNREACHABLE
    if in_call(net, callee, t_us):
        return BUSY
    if not hears_page(net, callee):
        return PAGED
    return wish.intent


cdef inline int cause_of(const Way *way, int outcome, const Wish *wish, uint8_t *released_by) noexcept:
    """Who ends it, and the cause that goes with it."""
    released_by[0] = RELEASED_BY_CALLER if wish.caller_ends else RELEASED_BY_CALLEE
    if outcome != NO_ANSWER:
        return way.cause
    if wish.caller_ends:
        return NORMAL
    released_by[0] = RELEASED_BY_NETWORK
    return way.cause


cdef inline int refusal_of(const uint32_t *words, int cause) noexcept:
    """Some handsets refuse with 'user busy', TS 24.008 5.2.2.3.2."""
    return USER_BUSY if cause == CALL_REJECTED and words[2] & 3 == 0 else cause


cdef inline void shape_side(Side *side, const Way *way, int cause, uint8_t released_by) noexcept:
    side.shape.kind = way.kind
    side.shape.options = <uint8_t>security(side.words)
    side.shape.cause = <uint8_t>cause
    if way.outcome == O_ANSWERED or way.outcome == O_NO_ANSWER:
        side.shape.released_by = released_by
    side.facts.cause = <uint8_t>cause


cdef int caller_side(Network net, Side *side, int64_t start_us, uint32_t sub, const Wish *wish, int outcome,
                     int refusal, int32_t cell) except -1:
    """The caller's leg, with a channel of `cell`, which may be another than the one where it began."""
    cdef const Way *way = CALLER_WAYS + outcome
    cdef uint8_t by
    cdef int cause
    memset(side, 0, sizeof(Side))
    side.sub = sub
    chance(net, sub, OPTIONS_DRAWN, side.words)
    cause = cause_of(way, outcome, wish, &by)
    shape_side(side, way, refusal if refusal else cause, by)
    side.cell = cell
    if outcome == ANSWERED and cell != camped_cell(net, sub, net.now_us):
        # TS 23.009 14: no channel in the serving cell, one in the cell beside it.
        side.shape.kind = MO_CALL_DIRECTED_RETRY_INTRA_BSC
    side.shape.called = wish.number
    if wish.peer_sub >= 0 and wish.number.n == 0:
        side.shape.called = number_of(identity(&net.msisdn, wish.peer_sub))
    side.leg = plan(net, &side.shape, start_us, side.words)
    return 0


cdef int callee_side(Network net, Side *side, int64_t start_us, uint32_t sub, const Wish *wish, int outcome,
                     const Number *calling, const uint32_t *words) except -1:
    cdef const Way *way = CALLEE_WAYS + outcome
    cdef uint8_t by
    cdef int cause
    cdef int64_t answered_us
    memset(side, 0, sizeof(Side))
    side.sub = sub
    memcpy(side.words, words, sizeof(side.words))
    cause = cause_of(way, outcome, wish, &by)
    shape_side(side, way, refusal_of(words, cause), by)
    side.cell = camped_cell(net, sub, net.now_us)
    side.shape.calling = calling[0]
    side.leg = plan(net, &side.shape, start_us, words, response_us(words))
    # A page during another connection of the station is answered when that has ended.
    answered_us = side.leg.start_us + side.leg.slots[SLOT_PAGE]
    side.leg.slots[SLOT_PAGE] += free_us(net, sub, answered_us) - answered_us
    return 0


cdef int both(Network net, int64_t start_us, uint32_t sub, const Wish *wish, int outcome, int32_t cell) except -1:
    """A call between two subscribers of ours."""
    cdef Side caller, callee
    cdef Leg *mo = &caller.leg
    cdef Leg *mt = &callee.leg
    cdef Leg *first
    cdef Leg *second
    cdef uint32_t words[4]
    cdef uint32_t peer = <uint32_t>wish.peer_sub
    cdef Number calling = number_of(identity(&net.msisdn, sub))
    chance(net, peer, OPTIONS_DRAWN, words)
    caller_side(
        net, &caller, start_us, sub, wish, outcome,
        refusal_of(words, CALLEE_WAYS[outcome].cause) if outcome == REJECTED else 0, cell,
    )
    callee_side(net, &callee, when(mo, M_STARTED) + ROUTING, peer, wish, outcome, &calling, words)
    stretch(mt, M_ALERTING, when(mo, M_ALERTING) - ACROSS)
    stretch(mo, M_ALERTING, when(mt, M_ALERTING) + ACROSS)
    if outcome == ANSWERED:
        stretch(mt, M_CONNECTED, when(mt, M_ALERTING) + wish.ring_us)
        stretch(mo, M_CONNECTED, when(mt, M_CONNECTED) + ACROSS)
        first, second = (mo, mt) if wish.caller_ends else (mt, mo)
        stretch(first, M_ENDED, when(first, M_CONNECTED) + wish.talk_us)
    else:
        first, second = (mt, mo) if outcome == REJECTED or not wish.caller_ends else (mo, mt)
        stretch(first, M_ENDED, when(first, M_ALERTING) + wish.ring_us)
    stretch(second, M_ENDED, when(first, M_ENDED) + ACROSS)
    cdef int32_t one = -1, other = -1
    begin_side(net, &caller, outcome, A_CALL_MADE, wish.peer_sub, &one)
    begin_side(net, &callee, outcome, A_CALL_RECEIVED, <int32_t>sub, &other)
    if one >= 0:
        net.parties[one].other, net.parties[other].other = other, one
    return 0


cdef int callee_congested(Network net, int64_t t_us, uint32_t sub, const Wish *wish, uint32_t caller) except -1:
    """The called station answers the page, and its cell has no channel: TS 48.008 3.2.1.3."""
    cdef Side side
    cdef uint32_t words[4]
    cdef Number calling = number_of(identity(&net.msisdn, caller)) if wish.kind == INSIDE else wish.number
    cdef Way way = Way(MT_CALL_ASSIGNMENT_FAILED, NO_RESOURCES, O_CONGESTED)
    chance(net, sub, OPTIONS_DRAWN, words)
    memset(&side, 0, sizeof(Side))
    side.sub = sub
    side.cell = camped_cell(net, sub, net.now_us)
    memcpy(side.words, words, sizeof(side.words))
    shape_side(&side, &way, NO_RESOURCES, 0)
    side.shape.calling = calling
    side.leg = plan(net, &side.shape, free_us(net, sub, t_us + ROUTING), words, response_us(words))
    begin_side(net, &side, CONGESTED, A_CALL_RECEIVED, <int32_t>caller if wish.kind == INSIDE else -1, NULL)
    return 0


cdef int from_outside(Network net, int64_t t_us, uint32_t sub, const Wish *wish) except -1:
    """A call from another network: its far side is not on our A interface."""
    cdef Side side
    cdef uint32_t words[4]
    cdef int outcome = fate(net, t_us, sub, wish)
    if diverts(net, sub, outcome, wish):
        return divert_from_outside(net, t_us, sub, wish, outcome)
    if outcome > BOTH_SIDES:
        if outcome == PAGED:
            page_in_vain(net, t_us, sub, PAGING_DRAWN)
        act(net, t_us, sub, A_CALL_RECEIVED, CALLER_WAYS[outcome].outcome, -1, &wish.number)
        return 0
    if not has_channel(net, camped_cell(net, sub, t_us)):
        return callee_congested(net, t_us, sub, wish, sub)
    chance(net, sub, OPTIONS_DRAWN, words)
    callee_side(net, &side, t_us, sub, wish, outcome, &wish.number, words)
    ring_and_talk(&side.leg, wish, outcome)
    begin_side(net, &side, outcome, A_CALL_RECEIVED, -1, NULL)
    return 0


cdef inline void ring_and_talk(Leg *leg, const Wish *wish, int outcome) noexcept:
    if outcome == ANSWERED:
        stretch(leg, M_CONNECTED, when(leg, M_ALERTING) + wish.ring_us)
        stretch(leg, M_ENDED, when(leg, M_CONNECTED) + wish.talk_us)
    else:
        stretch(leg, M_ENDED, when(leg, M_ALERTING) + wish.ring_us)


cdef int64_t begin_side(Network net, Side *side, int outcome, int act_kind, int32_t peer_sub, int32_t *party) except -1:
    """Begins one side; when it ends. One that talks is from then on a party of its own, put into `party`."""
    cdef Station *s = net.stations + side.sub
    cdef Facts *f = &side.facts
    cdef uint8_t cause = f.cause
    cdef int64_t end_us, number
    cdef int32_t at
    no_facts(net, side.sub, f)
    f.cause = cause
    if side.cell >= 0 and side.cell != f.cell:
        f.cell2 = side.cell
    f.peer = side.shape.called if side.shape.called.n else side.shape.calling
    f.identified = f.speech = True
    f.fresh_keys = side.shape.options & AUTH != 0
    number = act(
        net, side.leg.start_us, side.sub, act_kind, CALLER_WAYS[outcome].outcome, peer_sub, &f.peer
    )
    if outcome == ANSWERED:
        at = begin_talk(net, side, number)
        end_us = net.parties[at].end_us
        if party != NULL:
            party[0] = at
    else:
        end_us = begin(net, &side.leg, number, side.sub, &side.shape, f, side.words)
        if outcome != NO_CHANNEL and side.shape.kind != MT_CALL_ASSIGNMENT_FAILED:
            hold_channel(net, side.cell)
            push(&net.agenda, end_us, side.sub, CHANNEL, side.cell)
    hold_sdcch(net, f.cell, side.sub, when(&side.leg, M_STARTED))
    s.flags |= KNOWN
    occupied(s, end_us)
    remember(s, CALL_UNTIL, end_us)
    return when(&side.leg, M_ENDED)


cdef int page_in_vain(Network net, int64_t t_us, uint32_t sub, int purpose) except -1:
    """A page without response; IMSI and TMSI in it tell the tap who is who."""
    cdef uint32_t words[4]
    cdef Shape shape
    cdef Facts facts
    cdef Leg leg
    chance(net, sub, purpose, words)
    memset(&shape, 0, sizeof(Shape))
    shape.kind = PAGING_ONLY
    leg = plan(net, &shape, t_us, words)
    no_facts(net, sub, &facts)
    facts.identified = True
    facts.paged_lac = net.stations[sub].lac
    begin(net, &leg, act(net, t_us, sub, A_PAGE, O_NO_RESPONSE), sub, &shape, &facts, words)
    net.stations[sub].flags |= KNOWN
    return 0
