# Calls that are being talked: each side a party that walks from cell to cell until it ends.

cdef enum:
    SETTLES = 4_000_000         # no handover so soon after the answer
    ENDING = 6_000_000          # nor one begun so shortly before the end
    AGAIN = 5_000_000           # after a handover that came to nothing
    BACK = 3_000_000            # least time before a ping-pong goes back, and range above it
    BACK_RANGE = 5_000_000
    DROPS = 16                  # out of 256: of handovers that fail, those that lose the call

# One side of a call from the answer on.
cdef struct Party:
    Link link
    Shape shape
    uint32_t words[4]
    Number peer
    int64_t act
    int64_t connected_us
    int64_t ended_us            # when its DISCONNECT is sent
    int64_t end_us              # and its last message
    int64_t moving_until_us     # a handover is under way
    int64_t pace
    uint32_t sub
    int32_t cell                # that serves the call
    int32_t back_to             # where a ping-pong will go, -1 nowhere
    int32_t other               # the other side if it is ours, -1 none
    int32_t refused_by          # cell that had no channel for it when it was last asked, -1 none
    int32_t next                # in the list of free places
    uint8_t cause
    uint8_t handovers
    bint live


cdef int32_t new_party(Network net) except -1:
    cdef int32_t at, i
    cdef void *grown
    if net.party_free < 0:
        grown = realloc(net.parties, <size_t>(net.party_room * 2 + 64) * sizeof(Party))
        if grown == NULL:
            raise MemoryError
        net.parties = <Party *>grown
        for i in range(net.party_room, net.party_room * 2 + 64):
            net.parties[i].next = net.party_free
            net.parties[i].live = False
            net.party_free = i
        net.party_room = net.party_room * 2 + 64
    at = net.party_free
    net.party_free = net.parties[at].next
    return at


cdef int32_t begin_talk(Network net, Side *side, int64_t number) except -1:
    """A side up to its conversation; from then on it is a party."""
    cdef Facts *f = &side.facts
    cdef const Leg *leg = &side.leg
    cdef const Template *t = leg.template
    cdef int32_t at = new_party(net)
    cdef Party *p = net.parties + at
    cdef Link link
    cdef uint8_t row[ROW_MOST]
    cdef int bsc = net.bsc[f.cell]
    open_link(net, &link, bsc, net.msc_of_bsc[bsc], leg.start_us, True)
    memset(p, 0, sizeof(Party))
    p.link, p.shape, p.peer, p.act, p.pace = link, side.shape, f.peer, number, leg.pace
    memcpy(p.words, side.words, sizeof(p.words))
    p.connected_us, p.ended_us, p.end_us = when(leg, M_CONNECTED), when(leg, M_ENDED), when(leg, M_END)
    p.sub, p.cell, p.cause = side.sub, side.cell, f.cause
    p.back_to = p.other = p.refused_by = -1
    p.live = True
    fill_row(net, row, side.sub, &link, &link, &side.shape, f, side.words)
    emit(net, leg, 0, t.talks, leg.start_us, number, show(net, side.sub, t, f, 0), row)
    note(net, side.sub, leg, p.end_us, f, number)
    hold_channel(net, p.cell)
    net.stations[side.sub].party = at
    push(&net.agenda, p.ended_us, side.sub, ENDING_CALL, at)
    if camped_cell(net, side.sub, net.now_us) != p.cell:
        push(&net.agenda, p.connected_us + SETTLES, side.sub, HANDOVER, at)
    return at


cdef inline Party *party_of(Network net, uint32_t sub, int32_t at) noexcept:
    """The party that an event is for; NULL where it has ended."""
    cdef Party *p = net.parties + at
    return p if p.live and p.sub == sub else NULL


cdef int crossed(Network net, int64_t t_us, uint32_t sub) except -1:
    """A subscriber in a call has entered another cell."""
    cdef int32_t at = net.stations[sub].party
    cdef Party *p
    if at < 0:
        return 0
    p = net.parties + at
    if t_us < p.connected_us + SETTLES:
        return push(&net.agenda, p.connected_us + SETTLES, sub, HANDOVER, at)
    return hand_over(net, t_us, sub, at)


cdef int hand_over(Network net, int64_t t_us, uint32_t sub, int32_t at) except -1:
    """Moves a call to the cell where its subscriber is, where that is due: TS 23.009 6, 7; TS 48.008 3.1.5."""
    cdef Party *p = party_of(net, sub, at)
    cdef int32_t target
    cdef uint32_t words[4]
    cdef int32_t fails = 0, ping_pong = 0, i
    cdef int kind
    if p == NULL or t_us + ENDING > p.ended_us:
        return 0
    if t_us < p.moving_until_us:
        return push(&net.agenda, p.moving_until_us, sub, HANDOVER, at)
    target = p.back_to if p.back_to >= 0 else camped_cell(net, sub, t_us)
    p.back_to = -1
    if target == p.cell:
        return 0
    chance(net, sub, HANDOVER_DRAWN, words)
    # Whoever has gone further meanwhile is handed over to a cell that is no neighbour: never twice, never in vain.
    for i in range(net.neighbour_start[p.cell], net.neighbour_start[p.cell + 1]):
        if net.neighbour_cells[i] == target:
            fails, ping_pong = net.fails_q16[i], net.ping_pong_q16[i]
    if net.msc_of_bsc[net.bsc[target]] != net.msc_of_bsc[net.bsc[p.cell]]:
        kind = MO_CALL_HANDOVER_INTER_MSC
    elif net.bsc[target] != net.bsc[p.cell]:
        kind = MO_CALL_ANSWERED
    else:
        kind = MO_CALL_HANDOVER_INTRA_BSC
    if not has_free(net, target):
        # It asks again every few seconds, which is no further call that finds no channel.
        if p.refused_by == target:
            net.cell[target].handovers_repeated += 1
        else:
            net.cell[target].handovers_refused += 1
        p.refused_by = target
        # Within a BSS the MSC hears nothing of it.
        if kind == MO_CALL_ANSWERED:
            transfer(net, t_us, at, MO_CALL_HANDOVER_NO_CHANNEL, target, words)
        return push(&net.agenda, max(t_us + AGAIN, p.moving_until_us), sub, HANDOVER, at)
    if <int32_t>(words[0] & 0xFFFF) < fails:
        if words[1] & 0xFF < DROPS:
            return drop_call(net, t_us, at)
        if kind == MO_CALL_ANSWERED:
            transfer(net, t_us, at, MO_CALL_HANDOVER_RETURNED, target, words)
        return push(&net.agenda, max(t_us + AGAIN, p.moving_until_us), sub, HANDOVER, at)
    if <int32_t>(words[2] & 0xFFFF) < ping_pong:
        p.back_to = p.cell
    transfer(net, t_us, at, kind, target, words)
    if p.back_to >= 0:
        push(
            &net.agenda, p.moving_until_us + BACK + <int64_t>(<uint64_t>words[3] * BACK_RANGE >> 32), sub,
            HANDOVER, at,
        )
    elif camped_cell(net, sub, t_us) != p.cell:
        push(&net.agenda, p.moving_until_us, sub, HANDOVER, at)
    return 0


cdef int transfer(Network net, int64_t t_us, int32_t at, int kind, int32_t target, const uint32_t *chance_) except -1:
    """The messages of a handover, and what has changed when they are over."""
    cdef Party *p = net.parties + at
    cdef Shape shape
    cdef Facts facts
    cdef Leg leg
    cdef Link link2
    cdef uint32_t words[4]
    cdef uint8_t row[ROW_MOST]
    cdef const Template *t
    cdef int bsc2 = net.bsc[target]
    memset(&shape, 0, sizeof(Shape))
    shape.kind = <uint8_t>kind
    shape.options = <uint8_t>(p.shape.options & CIPHER | (HANDED_OVER if kind == MO_CALL_ANSWERED else 0))
    shape.cause = NORMAL
    shape.released_by = RELEASED_BY_CALLER
    leg = plan(net, &shape, t_us, p.words)
    t = leg.template
    memcpy(words, p.words, sizeof(words))
    # Every handover of a call has a reference of its own.
    words[3] = words[3] & 0xFFFF00FF | (chance_[3] & 0xFF) << 8
    facts_of(net, p, &facts)
    facts.cell2 = target
    link2 = p.link
    if kind != MO_CALL_HANDOVER_INTRA_BSC:
        open_link(net, &link2, bsc2, net.msc_of_bsc[bsc2], t_us, True)
    fill_row(net, row, p.sub, &p.link, &link2, &shape, &facts, words)
    # The act of its own that a handover is in the truth has its messages among those of the call.
    act(net, t_us, p.sub, A_HANDOVER, handover_outcome(kind))
    emit(net, &leg, t.talks, t.talks_on, t_us, p.act, show(net, p.sub, t, &facts, 0), row)
    p.moving_until_us = t_us + (((t.base_us[t.talks_on - 1] - t.base_us[t.talks]) * leg.pace) >> 16)
    note(net, p.sub, &leg, p.moving_until_us, &facts, p.act)
    if kind == MO_CALL_HANDOVER_NO_CHANNEL or kind == MO_CALL_HANDOVER_RETURNED:
        return close_link(net, &link2, p.moving_until_us)
    if kind != MO_CALL_HANDOVER_INTRA_BSC:
        close_link(net, &p.link, p.moving_until_us)
        p.link = link2
    free_channel(net, p.cell)
    hold_channel(net, target)
    net.cell[target].handovers_in += 1
    p.cell = target
    p.refused_by = -1
    p.handovers += 1
    return 0


cdef inline int handover_outcome(int kind) noexcept nogil:
    if kind == MO_CALL_ANSWERED:
        return O_INTER_BSC
    if kind == MO_CALL_HANDOVER_INTRA_BSC:
        return O_INTRA_BSC
    if kind == MO_CALL_HANDOVER_INTER_MSC:
        return O_INTER_MSC
    return O_RETURNED if kind == MO_CALL_HANDOVER_RETURNED else O_NO_CHANNEL


cdef inline void facts_of(Network net, const Party *p, Facts *f) noexcept:
    no_facts(net, p.sub, f)
    f.cell = p.cell
    f.peer = p.peer
    f.cause = p.cause
    f.identified = True


cdef int end_call(Network net, int64_t t_us, uint32_t sub, int32_t at) except -1:
    """A party hangs up, or is hung up on, as was meant."""
    cdef Party *p = party_of(net, sub, at)
    if p == NULL or p.ended_us != t_us:
        return 0
    if p.shape.kind == MO_CALL_DIRECTED_RETRY_INTRA_BSC:
        p.shape.kind = MO_CALL_ANSWERED
    return finish(net, t_us, at, &p.shape)


cdef int drop_call(Network net, int64_t t_us, int32_t at) except -1:
    """The radio path is lost: CLEAR REQUEST, TS 48.008 3.2.1.20; the other side is released by the network."""
    cdef Party *p = net.parties + at
    cdef int32_t other = p.other
    cdef Shape shape
    cdef Party *q
    memset(&shape, 0, sizeof(Shape))
    shape.kind = MO_CALL_RADIO_LOST if p.shape.called.n else MT_CALL_RADIO_LOST
    shape.options = p.shape.options & CIPHER
    net.cell[p.cell].dropped += 1
    act(net, t_us, p.sub, A_CALL_DROPPED, O_NONE)
    p.cause = 0
    finish(net, t_us, at, &shape)
    if other >= 0:
        q = net.parties + other
        if q.live and t_us + ACROSS < q.ended_us:
            q.shape.released_by = RELEASED_BY_CALLEE if q.shape.called.n else RELEASED_BY_CALLER
            q.ended_us = max(t_us + ACROSS, q.moving_until_us, q.connected_us + ACROSS)
            push(&net.agenda, q.ended_us, q.sub, ENDING_CALL, other)
    return 0


cdef int finish(Network net, int64_t t_us, int32_t at, const Shape *s) except -1:
    """The messages that end a party; its numbers and its channel are free."""
    cdef Party *p = net.parties + at
    cdef Station *station = net.stations + p.sub
    cdef Shape shape = s[0]
    cdef Facts facts
    cdef Leg leg
    cdef uint8_t row[ROW_MOST]
    cdef const Template *t
    # Of the numbers nothing is left in these messages: one template for all.
    memset(&shape.called, 0, sizeof(Number))
    memset(&shape.calling, 0, sizeof(Number))
    # An authentication counts among the messages that N(SD) numbers, TS 24.007 11.2.3.2.
    shape.options &= CIPHER | AUTH
    leg = plan(net, &shape, t_us, p.words)
    leg.pace = p.pace
    t = leg.template
    facts_of(net, p, &facts)
    fill_row(net, row, p.sub, &p.link, &p.link, &shape, &facts, p.words)
    emit(net, &leg, t.talks, t.messages, t_us, p.act, show(net, p.sub, t, &facts, p.connected_us), row)
    p.end_us = t_us + (((t.base_us[t.messages - 1] - t.base_us[t.talks]) * leg.pace) >> 16)
    close_link(net, &p.link, p.end_us)
    free_channel(net, p.cell)
    station.party = -1
    occupied(station, p.end_us)
    remember(station, CALL_UNTIL, p.end_us)
    if p.other >= 0:
        net.parties[p.other].other = -1
    p.live = False
    p.next = net.party_free
    net.party_free = at
    return 0
