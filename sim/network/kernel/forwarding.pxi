# Call forwarding: TS 23.082 as the A interface shows it. The way from here to the number forwarded to is not on it.

cdef enum:
    # Conditions, as sim.network.intents has them.
    UNCONDITIONAL = 0
    ON_BUSY = 1
    ON_NO_REPLY = 2
    ON_NOT_REACHABLE = 3
    NO_REPLY_TIMER = 20_000_000     # 5 to 30 s, TS 22.082
    ANSWERS_THERE = 0xB333          # seven in ten out of 65536: who forwards says where somebody answers
    LEAST_TALK = 1_000_000


cdef int subscribe(Network net, uint32_t sub, const Text *wish) except -1:
    """What the HLR keeps of a registration or an erasure: the conditions in force."""
    cdef int had = net.forwarding.get(sub, 0)
    if wish.kind == FORWARDING_REGISTERED:
        net.forwarding[sub] = had | 1 << wish.body
    elif wish.kind == FORWARDING_ERASED:
        had &= ~(1 << wish.body)
        if had:
            net.forwarding[sub] = had
        else:
            net.forwarding.pop(sub, None)
    return 0


cdef inline void foresee(Network net, uint32_t sub, int purpose, uint32_t *words) noexcept:
    """What `chance` will give next."""
    philox(sub, 0, net.purpose[purpose], net.stations[sub].drawn[purpose], net.key0, net.key1, words)


cdef bint diverts(Network net, uint32_t sub, int outcome, const Wish *wish) except -1:
    """Whether a call to one of ours is forwarded, by what would become of it: TS 23.082 1 to 4."""
    cdef uint32_t words[4]
    cdef int had
    if not net.forwarding or outcome == ABANDONED:
        return False
    had = net.forwarding.get(sub, 0)
    if had & 1 << UNCONDITIONAL:
        return True
    if outcome == BUSY:
        return had & 1 << ON_BUSY != 0
    if outcome == UNREACHABLE or outcome == PAGED:
        return had & 1 << ON_NOT_REACHABLE != 0
    if outcome == NO_ANSWER and had & 1 << ON_NO_REPLY:
        # Whoever gives up before the timer runs out is not forwarded.
        return not wish.caller_ends or wish.ring_us > NO_REPLY_TIMER
    if outcome == REJECTED and had & 1 << ON_BUSY:
        # User determined user busy: the handset refuses with cause 17.
        foresee(net, sub, OPTIONS_DRAWN, words)
        return refusal_of(words, CALL_REJECTED) == USER_BUSY
    return False


cdef inline bint offered(Network net, uint32_t sub, int outcome) except -1:
    """Whether the called station rings before its call is forwarded."""
    return outcome in (NO_ANSWER, REJECTED) and not net.forwarding[sub] & 1 << UNCONDITIONAL


cdef int rung(Network net, Side *side, int64_t start_us, uint32_t sub, const Wish *wish, int outcome,
              const Number *calling) except -1:
    """The called side of a call that is forwarded once it has rung in vain or was refused."""
    cdef uint32_t words[4]
    cdef Wish alone = wish[0]
    alone.caller_ends = False
    chance(net, sub, OPTIONS_DRAWN, words)
    return callee_side(net, side, start_us, sub, &alone, outcome, calling, words)


cdef inline int64_t gone_us(const Side *side, const Wish *wish, int outcome) noexcept:
    """When the called side is left."""
    cdef int64_t ring_us = wish.ring_us
    if outcome == NO_ANSWER and ring_us > NO_REPLY_TIMER:
        ring_us = NO_REPLY_TIMER
    return when(&side.leg, M_ALERTING) + ring_us


cdef int divert(Network net, int64_t start_us, uint32_t sub, const Wish *wish, int outcome, int32_t cell) except -1:
    """A call of one of ours to another that is forwarded. The caller is not told: an option, TS 24.082 1.

    Where it is offered to the called station first, but its cell has no channel, it ends there.
    """
    cdef Side caller, callee
    cdef Leg *mo = &caller.leg
    cdef Leg *mt = &callee.leg
    cdef uint32_t words[4]
    cdef uint32_t peer = <uint32_t>wish.peer_sub
    cdef Number calling = number_of(identity(&net.msisdn, sub))
    cdef bint rings = offered(net, peer, outcome)
    cdef int there = ANSWERED if wish.intent == ANSWERED else NO_ANSWER
    cdef int64_t ring_us
    if rings:
        if not other_side_has_channel(net, camped_cell(net, peer, net.now_us), cell):
            callee_congested(net, start_us, peer, wish, sub)
            caller_side(net, &caller, start_us, sub, wish, CONGESTED, 0, cell)
            stretch(mo, M_ENDED, when(mo, M_STARTED) + wish.alert_us)
            begin_side(net, &caller, CONGESTED, A_CALL_MADE, wish.peer_sub, NULL)
            return 0
        foresee(net, sub, OPTIONS_DRAWN, words)
        there = ANSWERED if words[1] >> 16 < ANSWERS_THERE else NO_ANSWER
    caller_side(net, &caller, start_us, sub, wish, there, 0, cell)
    if rings:
        rung(net, &callee, when(mo, M_STARTED) + ROUTING, peer, wish, outcome, &calling)
        stretch(mt, M_ALERTING, when(mo, M_ALERTING) - ACROSS)
        stretch(mo, M_ALERTING, when(mt, M_ALERTING) + ACROSS)
        stretch(mt, M_ENDED, gone_us(&callee, wish, outcome))
        ring_us = when(mt, M_ENDED) + ROUTING + wish.alert_us
    else:
        ring_us = when(mo, M_STARTED) + wish.alert_us + (ROUTING + NO_RESPONSE if outcome == PAGED else 0)
        stretch(mo, M_ALERTING, ring_us)
        ring_us = when(mo, M_ALERTING)
    if there == ANSWERED:
        stretch(mo, M_CONNECTED, ring_us + wish.ring_us)
        stretch(mo, M_ENDED, when(mo, M_CONNECTED) + max(wish.talk_us, LEAST_TALK))
    else:
        stretch(mo, M_ENDED, ring_us + wish.ring_us)
    begin_side(net, &caller, there, A_CALL_MADE, wish.peer_sub, NULL)
    if rings:
        begin_side(net, &callee, FORWARDED, A_CALL_RECEIVED, <int32_t>sub, NULL)
        return 0
    if outcome == PAGED and not net.forwarding[peer] & 1 << UNCONDITIONAL:
        page_in_vain(net, when(mo, M_STARTED) + ROUTING, peer, PAGING_DRAWN)
    act(net, when(mo, M_STARTED), peer, A_CALL_RECEIVED, O_FORWARDED, <int32_t>sub, &calling)
    return 0


cdef int divert_from_outside(Network net, int64_t t_us, uint32_t sub, const Wish *wish, int outcome) except -1:
    """A call from another network that is forwarded: of what becomes of it nothing is on our A interface."""
    cdef Side side
    if offered(net, sub, outcome):
        if not has_channel(net, camped_cell(net, sub, t_us)):
            return callee_congested(net, t_us, sub, wish, sub)
        rung(net, &side, t_us, sub, wish, outcome, &wish.number)
        stretch(&side.leg, M_ENDED, gone_us(&side, wish, outcome))
        begin_side(net, &side, FORWARDED, A_CALL_RECEIVED, -1, NULL)
        return 0
    if outcome == PAGED and not net.forwarding[sub] & 1 << UNCONDITIONAL:
        page_in_vain(net, t_us, sub, PAGING_DRAWN)
    act(net, t_us, sub, A_CALL_RECEIVED, O_FORWARDED, -1, &wish.number)
    return 0
