# Short messages: up to the service centre, kept there, and down again (TS 23.040).

cdef enum:
    VALIDITY = 172_800_000_000  # 48 hours
    CENTRE = 400_000            # least time in the service centre
    CENTRE_RANGE = 1_600_000
    RETRY = 300_000_000
    NETWORK_OUT_OF_ORDER = 38   # RP causes, TS 24.011 8.2.5.4
    MEMORY_EXCEEDED = 22

# Out of 256.
cdef enum:
    SUBMIT_FAILS = 1
    MEMORY_FULL = 1

# What came of an attempt to send or deliver; with DELIVERED and REFUSED the time of RP-ACK or RP-ERROR.
cdef enum:
    DELIVERED = 0
    REFUSED
    NOT_THERE
    LATER                       # the station is busy until then

ATTEMPTS = ("delivered", "refused", "absent", "later")

cdef struct Attempt:
    int outcome
    int64_t at_us


cdef int32_t new_text(Network net) except -1:
    """A free place in the pool of texts."""
    cdef int32_t at, i
    cdef void *grown
    if net.text_free < 0:
        grown = realloc(net.texts, <size_t>(net.text_room * 2 + 256) * sizeof(Text))
        if grown == NULL:
            raise MemoryError
        net.texts = <Text *>grown
        for i in range(net.text_room, net.text_room * 2 + 256):
            net.texts[i].next = net.text_free
            net.text_free = i
        net.text_room = net.text_room * 2 + 256
    at = net.text_free
    net.text_free = net.texts[at].next
    return at


cdef inline void drop_text(Network net, int32_t at) noexcept:
    net.texts[at].next = net.text_free
    net.text_free = at


cdef int text(Network net, int64_t t_us, uint32_t sub, int32_t at) except -1:
    """Settles one text meant by `sub` (from other networks: meant for `sub`)."""
    cdef Text *wish = net.texts + at
    cdef Attempt attempt
    cdef uint32_t words[4]
    if wish.kind == TEXT_IN:
        wish.sent_us = t_us
        wish.until_us = t_us + VALIDITY
        return receive(net, t_us, sub, at)
    if wish.peer.n == 0:
        wish.peer = number_of(identity(&net.msisdn, wish.peer_sub))
    attempt = send(net, t_us, sub, &wish.peer, wish.body, None, wish.peer_sub, OPTIONS_DRAWN)
    wish = net.texts + at
    if attempt.outcome == LATER:
        push(&net.agenda, attempt.at_us, sub, TEXT, at)
        return 0
    if attempt.outcome == NOT_THERE:
        act(net, t_us, sub, A_TEXT_SENT, O_NO_SERVICE, wish.peer_sub, &wish.peer)
    elif attempt.outcome == DELIVERED and wish.kind == TEXT_INSIDE:
        wish.peer = number_of(identity(&net.msisdn, sub))
        wish.sent_us = attempt.at_us
        wish.until_us = attempt.at_us + VALIDITY
        chance(net, <uint32_t>wish.peer_sub, PAGING_DRAWN, words)
        push(
            &net.agenda, attempt.at_us + CENTRE + <int64_t>(<uint64_t>words[0] * CENTRE_RANGE >> 32),
            <uint32_t>wish.peer_sub, DELIVERY, at,
        )
        return 0
    drop_text(net, at)
    return 0


cdef Attempt send(Network net, int64_t t_us, uint32_t sub, const Number *number, int32_t body_id, bytes body,
                  int32_t peer_sub, int purpose) except *:
    """One mobile-originated short message, TS 24.011 5. `body_id` -1: the body is given."""
    cdef Station *s = net.stations + sub
    cdef Attempt attempt
    cdef uint32_t words[4]
    cdef uint8_t tpdu[TPDU_MOST]
    cdef Shape shape
    cdef Facts facts
    cdef Leg leg
    cdef bint fails
    attempt.outcome = NOT_THERE
    attempt.at_us = t_us
    if not s.flags & CAMPED:
        return attempt
    if moment(s, BUSY_UNTIL) > t_us:
        attempt.outcome = LATER
        attempt.at_us = free_us(net, sub, t_us)
        return attempt
    if not has_sdcch(net, camped_cell(net, sub, t_us)):
        attempt.outcome = LATER
        attempt.at_us = t_us + T3122
        return attempt
    if body is None:
        body = body_of(net, body_id)
    chance(net, sub, purpose, words)
    fails = words[2] & 0xFF < SUBMIT_FAILS
    memset(&shape, 0, sizeof(Shape))
    shape.kind = MO_SMS_FAILED if fails else MO_SMS
    shape.options = <uint8_t>security(words)
    shape.cause = NETWORK_OUT_OF_ORDER if fails else 0
    no_facts(net, sub, &facts)
    facts.tpdu_length = submit_tpdu(tpdu, words[3] >> 8 & 0xFF, number, body)
    facts.tpdu = tpdu
    shape.tpdu_length = <uint8_t>facts.tpdu_length
    leg = plan(net, &shape, t_us, words)
    message_facts(&facts, &shape, number)
    occupied(s, begin(
        net, &leg, act(net, t_us, sub, A_TEXT_SENT, O_REFUSED if fails else O_DELIVERED, peer_sub, number), sub,
        &shape, &facts, words,
    ))
    hold_sdcch(net, facts.cell, sub, moment(s, BUSY_UNTIL))
    s.flags |= KNOWN
    attempt.outcome = REFUSED if fails else DELIVERED
    attempt.at_us = when(&leg, M_SMS_FAILED if fails else M_SMS_OK)
    return attempt


cdef int receive(Network net, int64_t t_us, uint32_t sub, int32_t at) except -1:
    """One attempt to deliver a text between people; the centre keeps what cannot be delivered."""
    cdef Text *stored = net.texts + at
    cdef Attempt attempt
    cdef uint8_t stamp[7]
    if t_us >= stored.until_us:
        act(net, t_us, sub, A_TEXT_RECEIVED, O_EXPIRED, -1, &stored.peer)
        drop_text(net, at)
        return 0
    time_stamp(net, stored.sent_us, stamp)
    attempt = deliver(
        net, t_us, sub, &stored.peer, body_of(net, stored.body), stamp, False, False, OPTIONS_DRAWN, PAGING_DRAWN
    )
    if attempt.outcome == LATER:
        push(&net.agenda, attempt.at_us, sub, DELIVERY, at)
    elif attempt.outcome == REFUSED:
        push(&net.agenda, attempt.at_us + RETRY, sub, DELIVERY, at)
    elif attempt.outcome == NOT_THERE:
        net.waiting.setdefault(sub, []).append(at)
    else:
        drop_text(net, at)
    return 0


cdef Attempt deliver(Network net, int64_t t_us, uint32_t sub, const Number *originator, bytes body,
                     const uint8_t *stamp, bint header, bint more, int purpose, int page_purpose) except *:
    """One mobile-terminated short message, TS 24.011 5: page, connection, RP-DATA, RP-ACK."""
    cdef Station *s = net.stations + sub
    cdef Attempt attempt
    cdef uint32_t words[4]
    cdef uint8_t tpdu[TPDU_MOST]
    cdef Shape shape
    cdef Facts facts
    cdef Leg leg
    cdef bint full
    attempt.outcome = NOT_THERE
    attempt.at_us = t_us
    if not attached(net, sub, t_us):
        return attempt
    if moment(s, BUSY_UNTIL) > t_us:
        attempt.outcome = LATER
        attempt.at_us = free_us(net, sub, t_us)
        return attempt
    if not hears_page(net, sub):
        page_in_vain(net, t_us, sub, page_purpose)
        return attempt
    if not has_sdcch(net, camped_cell(net, sub, t_us)):
        # It hears the page and gets no channel to answer: the MSC pages again.
        page_in_vain(net, t_us, sub, page_purpose)
        attempt.outcome = LATER
        attempt.at_us = t_us + NO_RESPONSE
        return attempt
    chance(net, sub, purpose, words)
    full = words[2] & 0xFF < MEMORY_FULL
    memset(&shape, 0, sizeof(Shape))
    shape.kind = MT_SMS_FAILED if full else MT_SMS
    shape.options = <uint8_t>security(words)
    shape.cause = MEMORY_EXCEEDED if full else 0
    no_facts(net, sub, &facts)
    facts.tpdu_length = deliver_tpdu(tpdu, originator, stamp, body, header, more)
    facts.tpdu = tpdu
    shape.tpdu_length = <uint8_t>facts.tpdu_length
    leg = plan(net, &shape, t_us, words, response_us(words))
    message_facts(&facts, &shape, originator)
    occupied(s, begin(
        net, &leg, act(net, t_us, sub, A_TEXT_RECEIVED, O_REFUSED if full else O_DELIVERED, -1, originator), sub,
        &shape, &facts, words,
    ))
    hold_sdcch(net, facts.cell, sub, moment(s, BUSY_UNTIL))
    s.flags |= KNOWN
    attempt.outcome = REFUSED if full else DELIVERED
    attempt.at_us = when(&leg, M_SMS_FAILED if full else M_SMS_OK)
    return attempt


cdef int service(Network net, int64_t t_us, uint32_t sub, int32_t at) except -1:
    """A supplementary service or a USSD query of a subscriber, TS 24.080 2; its place in the pool is free then."""
    cdef Station *s = net.stations + sub
    cdef Text *wish = net.texts + at
    cdef uint32_t words[4]
    cdef Shape shape
    cdef Facts facts
    cdef Leg leg
    if not s.flags & CAMPED:
        act(net, t_us, sub, A_SERVICE_USED, O_NO_SERVICE)
        drop_text(net, at)
        return 0
    if moment(s, BUSY_UNTIL) > t_us or not has_sdcch(net, camped_cell(net, sub, t_us)):
        return push(&net.agenda, max(free_us(net, sub, t_us), t_us + T3122), sub, SERVICE, at)
    chance(net, sub, OPTIONS_DRAWN, words)
    memset(&shape, 0, sizeof(Shape))
    shape.kind = SERVICE_LADDERS[wish.kind]
    if CF_REGISTER <= shape.kind <= CF_INTERROGATE:
        if wish.body:
            shape.kind = <uint8_t>(CF_REGISTER_BUSY + 3 * (shape.kind - CF_REGISTER) + wish.body - 1)
        subscribe(net, sub, wish)
    shape.options = <uint8_t>security(words)
    if shape.kind == USSD_QUERY or shape.kind == USSD_REFUSED:
        shape.dialogue = <uint16_t>(wish.body + 1)
    elif wish.kind == FORWARDING_REGISTERED:
        shape.called = wish.peer
    leg = plan(net, &shape, t_us, words)
    no_facts(net, sub, &facts)
    facts.identified = True
    facts.fresh_keys = shape.options & AUTH != 0
    facts.detail = SERVICE_DETAILS[wish.kind]
    if CF_REGISTER <= SERVICE_LADDERS[wish.kind] <= CF_INTERROGATE and wish.body:
        # TS 29.002 17.7.5: 0x21 unconditional; 0x29 on busy, 0x2A no reply, 0x2B not reachable.
        facts.detail += (7 + wish.body) << 8
    facts.cause = SERVICE_CAUSES[wish.kind]
    facts.peer = wish.peer
    if shape.dialogue:
        facts.peer = code_dialled(net.people.dialogue(shape.dialogue)[0].encode())
    occupied(s, begin(
        net, &leg, act(net, t_us, sub, A_SERVICE_USED, SERVICE_OUTCOMES[wish.kind], -1, &wish.peer), sub, &shape,
        &facts, words,
    ))
    hold_sdcch(net, facts.cell, sub, moment(s, BUSY_UNTIL))
    s.flags |= KNOWN
    drop_text(net, at)
    return 0


# By the kind of a service (sim.network.intents).
cdef uint8_t *SERVICE_LADDERS = [USSD_QUERY, USSD_REFUSED, CF_REGISTER, CF_ERASE, CF_INTERROGATE, CW_ACTIVATE]
cdef uint8_t *SERVICE_OUTCOMES = [O_ANSWERED, O_REFUSED, O_ACCEPTED, O_ACCEPTED, O_ACCEPTED, O_ACCEPTED]


# SS code << 8 | operation (TS 29.002 17.7.5, 17.5), 0 of USSD; error code.
cdef uint16_t *SERVICE_DETAILS = [0, 0, 0x210A, 0x210B, 0x210E, 0x410C]
cdef uint8_t *SERVICE_CAUSES = [0, 36, 0, 0, 0, 0]


cdef Number code_dialled(bytes code) except *:
    """A USSD code as the tap can show it: up to 20 of 0-9 * #, or nothing."""
    cdef Number out
    memset(&out, 0, sizeof(Number))
    if set(code) <= set(b"0123456789*#"):
        out.n = <uint8_t>min(len(code), 20)
        memcpy(out.digits, <const char *>code, out.n)
    return out


cdef inline void message_facts(Facts *f, const Shape *s, const Number *peer) noexcept:
    f.identified = True
    f.peer = peer[0]
    f.cause = s.cause
    f.fresh_keys = s.options & AUTH != 0


cdef enum:
    TPDU_MOST = 1 + 12 + 2 + 7 + 2 + 160
    INTERNATIONAL = 12          # digits from which on a number is international


cdef bytes body_of(Network net, int32_t text_id):
    """TP-DCS, TP-UDL and TP-UD of a text of the people."""
    body = net.bodies.get(text_id)
    if body is None:
        body = net.bodies[text_id] = text_body(net.people.text(text_id))
    return body


cdef int address(const Number *number, uint8_t *out) noexcept:
    """TS 23.040 9.1.2.5; how many octets."""
    out[0] = number.n
    out[1] = 0x91 if number.n >= INTERNATIONAL else 0x81
    return 2 + bcd(number, out + 2)


cdef int fits(bytes body) except -1:
    if not 2 <= len(body) <= 162:
        raise EncodeError(f"a short message body of 2 to 162 octets was expected, not {len(body)}")
    return 0


cdef int submit_tpdu(uint8_t *out, uint32_t reference, const Number *destination, bytes body) except -1:
    """SMS-SUBMIT without a validity period, TS 23.040 9.2.2.2; its length."""
    cdef int n
    fits(body)
    out[0] = 0x01
    out[1] = <uint8_t>reference
    n = 2 + address(destination, out + 2)
    out[n] = 0
    memcpy(out + n + 1, <const char *>body, len(body))
    return n + 1 + <int>len(body)


cdef int deliver_tpdu(uint8_t *out, const Number *originator, const uint8_t *stamp, bytes body, bint header,
                      bint more) except -1:
    """SMS-DELIVER, TS 23.040 9.2.2.1; its length."""
    cdef int n
    fits(body)
    out[0] = <uint8_t>((0x40 if header else 0) | (0 if more else 0x04))
    n = 1 + address(originator, out + 1)
    out[n] = 0
    out[n + 1] = body[0]
    memcpy(out + n + 2, stamp, 7)
    memcpy(out + n + 9, <const char *>body + 1, len(body) - 1)
    return n + 8 + <int>len(body)


cdef int time_stamp(Network net, int64_t t_us, uint8_t *out) except -1:
    """TP-SCTS of a world time, TS 23.040 9.2.3.11: date and zone of the day are asked for once."""
    cdef int64_t second = t_us // 1_000_000
    cdef int64_t day = second // 86400
    cdef int of_day = <int>(second - day * 86400), value, i
    cdef bytes midnight
    if day != net.stamp_day:
        midnight = net.clock.stamp(day * DAY)
        memcpy(net.stamp, stamp_octets(midnight), 7)
        net.stamp_day = day
    memcpy(out, net.stamp, 7)
    for i in range(3):
        value = of_day // 3600 if i == 0 else (of_day // 60 % 60 if i == 1 else of_day % 60)
        out[3 + i] = <uint8_t>(value // 10 | value % 10 << 4)
    return 0


def submit_octets(uint32_t reference, number, bytes body):
    """An SMS-SUBMIT as the network makes it: reference, destination, TP-DCS with TP-UDL and TP-UD."""
    cdef uint8_t out[TPDU_MOST]
    cdef Number peer = number_from(number.encode())
    cdef int n = submit_tpdu(out, reference, &peer, body)
    return (<const char *>out)[:n]


def deliver_octets(number, bytes stamp, bytes body, *, bint header=False, bint more=False):
    """An SMS-DELIVER as the network makes it: originator, TP-SCTS, TP-DCS with TP-UDL and TP-UD."""
    cdef uint8_t out[TPDU_MOST]
    cdef Number peer = number_from(number.encode())
    cdef int n = deliver_tpdu(out, &peer, stamp_octets(stamp), body, header, more)
    return (<const char *>out)[:n]
