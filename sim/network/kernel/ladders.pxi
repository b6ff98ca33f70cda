# Message ladders: their shapes and templates, their place on the time axis, and how one begins.

cdef enum:
    SLOT_COUNT = 5
    SLOT_PAGE = 0
    SLOT_TALK = 3
    SLOT_TALK2 = 4

# Marks of steps that the plans below need.
cdef enum:
    M_STARTED = 0
    M_ALERTING
    M_CONNECTED
    M_ENDED
    M_HANDOVER
    M_SMS_OK
    M_SMS_FAILED
    M_END
    M_COUNT

MARKS = ("started", "alerting", "connected", "ended", "handover", "sms_ok", "sms_failed", END)

cdef enum:
    LU_NORMAL = 0
    LU_ATTACH
    LU_PERIODIC
    LU_REJECT
    DETACH
    MO_CALL_ANSWERED
    MO_CALL_BUSY
    MO_CALL_REJECTED
    MO_CALL_NO_ANSWER
    MO_CALL_VACANT
    MO_CALL_UNREACHABLE
    MO_CALL_ABANDONED
    MT_CALL_ANSWERED
    MT_CALL_REJECTED
    MT_CALL_NO_ANSWER
    PAGING_ONLY
    MO_SMS
    MO_SMS_FAILED
    MT_SMS
    MT_SMS_FAILED
    MO_CALL_DIRECTED_RETRY_INTRA_BSC
    MO_CALL_ASSIGNMENT_FAILED
    MT_CALL_ASSIGNMENT_FAILED
    MO_CALL_HANDOVER_INTRA_BSC
    MO_CALL_HANDOVER_INTER_MSC
    MO_CALL_HANDOVER_RETURNED
    MO_CALL_HANDOVER_NO_CHANNEL
    MO_CALL_RADIO_LOST
    MT_CALL_RADIO_LOST
    USSD_QUERY
    USSD_REFUSED
    CF_REGISTER
    CF_ERASE
    CF_INTERROGATE
    CW_ACTIVATE
    CF_REGISTER_BUSY            # on busy, no reply, not reachable: in the order of sim.network.intents
    CF_REGISTER_NO_REPLY
    CF_REGISTER_NOT_REACHABLE
    CF_ERASE_BUSY
    CF_ERASE_NO_REPLY
    CF_ERASE_NOT_REACHABLE
    CF_INTERROGATE_BUSY
    CF_INTERROGATE_NO_REPLY
    CF_INTERROGATE_NOT_REACHABLE

KINDS = (
    "lu_normal", "lu_attach", "lu_periodic", "lu_reject", "detach", "mo_call_answered", "mo_call_busy",
    "mo_call_rejected", "mo_call_no_answer", "mo_call_vacant", "mo_call_unreachable", "mo_call_abandoned",
    "mt_call_answered", "mt_call_rejected", "mt_call_no_answer", "paging_only", "mo_sms", "mo_sms_failed",
    "mt_sms", "mt_sms_failed", "mo_call_directed_retry_intra_bsc", "mo_call_assignment_failed",
    "mt_call_assignment_failed", "mo_call_handover_intra_bsc", "mo_call_handover_inter_msc",
    "mo_call_handover_returned", "mo_call_handover_no_channel", "mo_call_radio_lost",
    "mt_call_radio_lost", "ussd_query", "ussd_refused", "cf_register", "cf_erase", "cf_interrogate",
    "cw_activate", "cf_register_busy", "cf_register_no_reply", "cf_register_not_reachable", "cf_erase_busy",
    "cf_erase_no_reply", "cf_erase_not_reachable", "cf_interrogate_busy", "cf_interrogate_no_reply",
    "cf_interrogate_not_reachable",
)

# Options of a dialogue that are there or not.
cdef enum:
    AUTH = 1
    CIPHER = 2
    BY_IMSI = 4         # the station gives its IMSI; else its TMSI
    ASK_IDENTITY = 8
    ASK_IMEI = 16
    REALLOCATE = 32
    HANDED_OVER = 64

cdef enum:
    BY_NOBODY = 0
    RELEASED_BY_CALLER
    RELEASED_BY_CALLEE
    RELEASED_BY_NETWORK

RELEASED_BY = ("", "caller", "callee", "network")

_UPDATES = ("ask_identity", "ask_imei", "auth", "cipher", "identity", "reallocate")
_REJECTED = ("ask_identity", "auth", "cause", "cipher", "identity")
_CALLS = ("auth", "cause", "cipher", "handover", "identity", "released_by")
_PLAIN = ("auth", "cipher", "identity")
_FAILED = ("auth", "cause", "cipher", "identity")
_TALKED = ("auth", "cause", "cipher", "identity", "released_by")
_DIALOGUE = ("auth", "cipher", "identity", "ussd", "ussd_text")
OPTIONS = (
    *[_UPDATES] * 3, _REJECTED, ("identity",), *[_CALLS] * 10, (), _PLAIN, _FAILED, _PLAIN, _FAILED, _TALKED,
    _PLAIN, _PLAIN, *[_TALKED] * 4, _PLAIN, _PLAIN, _DIALOGUE, _DIALOGUE, *[_PLAIN] * 13,
)
"""Which options each kind of ladder has, in the order of their names."""

cdef struct Moment:
    int64_t base_us         # since the start, at pace one and with empty slots
    int32_t waits[SLOT_COUNT]
    int32_t stretch         # the slot to fill so that the step comes later; -1 none
    bint there

# A template of `sim.network.templates`, whose arrays it points into.
cdef struct Template:
    Moment marks[M_COUNT]
    const uint8_t *octet
    const int32_t *patch_to
    const int32_t *patch_from
    const int64_t *length
    const int64_t *base_us
    const int64_t *slots    # SLOT_COUNT a message
    const int64_t *flags
    uint64_t *begins        # where each message begins among the octets; one more for the end
    int32_t octets, patches, messages
    int32_t talks           # the first message after the slot "talk", and after "talk2"; all if none is
    int32_t talks_on
    int32_t number          # among those of this network
    bint shows

# One ladder of one subscriber, planned.
cdef struct Leg:
    const Template *template
    int64_t start_us
    int64_t pace
    int64_t slots[SLOT_COUNT]

# What makes the octets of a ladder other than by value.
cdef struct Shape:
    uint8_t kind
    uint8_t options
    uint8_t cause
    uint8_t released_by
    uint8_t tpdu_length
    uint16_t dialogue       # of a USSD query
    Number called
    Number calling

# What a ladder carries beside its shape.
cdef struct Facts:
    uint32_t tmsi, new_tmsi
    uint32_t old_plmn       # of the old location area, three octets of the wire
    uint16_t old_lac
    int32_t paged_lac       # -1: the area of the cell
    int32_t cell
    int32_t cell2           # the other cell that is named, -1 none
    bint identified, speech, fresh_keys
    uint8_t cause
    uint64_t detail         # of what it shows
    Number peer
    const uint8_t *tpdu
    int32_t tpdu_length

# One SCCP connection, with the circuit beside it.
cdef struct Link:
    uint32_t bss_reference
    uint32_t msc_reference
    uint32_t circuit        # 0 none
    int32_t bsc
    int32_t msc

# What the visible rows of an act have in common.
cdef struct Shown:
    uint64_t imsi           # 0: the tap cannot know it
    int64_t connected_us    # of a call
    int32_t cell
    int32_t cell2
    Number peer
    uint8_t cause
    bint answers            # a response to the page is among the ladder's messages
    uint16_t paged_lac
    int64_t paged_corr
    int64_t paged_us        # -1: that page is kept elsewhere
    uint64_t detail
    int32_t next            # in the list of free places

cdef enum:
    ROW_FIXED = 107         # sim.network.rows.FIXED
    ROW_MOST = ROW_FIXED + 10 + 10 + 256
    SHORT_DIGITS = 8        # numbers up to here are constant in a template
    LONG_NUMBER = 0x8000
    FREEZE = 300_000_000    # FREEZE_US


cdef inline int64_t when(const Leg *leg, int mark) noexcept nogil:
    """When the step with this mark happens."""
    cdef const Moment *m = &leg.template.marks[mark]
    cdef int64_t t_us = leg.start_us + ((m.base_us * leg.pace) >> 16)
    cdef int i
    for i in range(SLOT_COUNT):
        t_us += m.waits[i] * leg.slots[i]
    return t_us


cdef inline void stretch(Leg *leg, int mark, int64_t target_us) noexcept nogil:
    """Makes the step happen no earlier than `target_us`, by the last wait before it."""
    cdef int64_t late = target_us - when(leg, mark)
    if late > 0:
        leg.slots[leg.template.marks[mark].stretch] += late


cdef int number_shape_of(Network net, const Number *number) except -1:
    """What of a number belongs to the shape: all of a short one, the length and two digits of a long one."""
    if number.n == 0:
        return 0
    if number.n > SHORT_DIGITS:
        return LONG_NUMBER | <int>number.n << 7 | (number.digits[0] - 48) * 10 + number.digits[1] - 48
    digits = number.digits[: number.n]
    found = net._short.get(digits)
    if found is None:
        found = net._short[digits] = len(net._short) + 1
        net._short_digits.append(digits.decode("ascii"))
    return found


cdef object number_pattern(Network net, int code):
    if code & LONG_NUMBER:
        return f"{code & 127:02d}" + FREE_DIGIT * ((code >> 7 & 31) - 2)
    return net._short_digits[code]


cdef const Template *template_of(Network net, const Shape *s) except NULL:
    """The template of a shape; one that is new is made by Python, from the reference codec."""
    cdef uint64_t called = number_shape_of(net, &s.called)
    cdef uint64_t calling = s.dialogue if s.dialogue else number_shape_of(net, &s.calling)
    cdef uint64_t key = (
        <uint64_t>1 << 63 | <uint64_t>s.kind << 56 | <uint64_t>s.options << 49 | <uint64_t>s.cause << 42
        | <uint64_t>s.released_by << 40 | called << 24 | calling << 8 | s.tpdu_length
    )
    cdef uint64_t at = key * 0x9E3779B97F4A7C15ULL >> 40 & net.shape_mask
    while net.shape_key[at]:
        if net.shape_key[at] == key:
            return net.templates[net.shape_template[at]]
        at = (at + 1) & net.shape_mask
    return new_template(net, s, key, called, calling)


cdef const Template *new_template(Network net, const Shape *s, uint64_t key, int called, int calling) except NULL:
    cdef Template *t
    cdef uint64_t at
    cdef int i
    cdef const uint8_t[::1] octet
    cdef const int32_t[::1] patch_to, patch_from
    cdef const int64_t[::1] length, base_us, flags
    cdef const int64_t[:, ::1] slots
    values = {
        "ask_identity": bool(s.options & ASK_IDENTITY), "ask_imei": bool(s.options & ASK_IMEI),
        "auth": bool(s.options & AUTH), "cause": s.cause, "cipher": bool(s.options & CIPHER),
        "handover": bool(s.options & HANDED_OVER) or None, "identity": "imsi" if s.options & BY_IMSI else "tmsi",
        "reallocate": bool(s.options & REALLOCATE), "released_by": RELEASED_BY[s.released_by] or None,
    }
    if s.kind == USSD_QUERY or s.kind == USSD_REFUSED:
        values["ussd"], values["ussd_text"] = net.people.dialogue(s.dialogue)
    shape = TemplateShape(
        KINDS[s.kind],
        tuple((name, values[name]) for name in OPTIONS[s.kind] if values[name] is not None),
        number_pattern(net, called), "" if s.dialogue else number_pattern(net, calling), s.tpdu_length,
    )
    made = net.library.template(shape)
    t = <Template *>calloc(1, sizeof(Template))
    if t == NULL:
        raise MemoryError
    octet, patch_to, patch_from = made.octets, made.patch_to, made.patch_from
    length, base_us, flags, slots = made.lengths, made.base_us, made.flags, made.slots
    t.octet = &octet[0]
    t.patch_to, t.patch_from = &patch_to[0], &patch_from[0]
    t.length, t.base_us, t.flags, t.slots = &length[0], &base_us[0], &flags[0], &slots[0, 0]
    t.octets, t.patches, t.messages = octet.shape[0], patch_to.shape[0], length.shape[0]
    t.shows = made.shows
    t.talks = t.talks_on = t.messages
    for i in range(t.messages - 1, -1, -1):
        if slots[i, SLOT_TALK]:
            t.talks = i
        if slots[i, SLOT_TALK2]:
            t.talks_on = i
    t.number = net.template_count
    t.begins = <uint64_t *>calloc(t.messages + 1, sizeof(uint64_t))
    if t.begins == NULL:
        free(t)
        raise MemoryError
    for i in range(t.messages):
        t.begins[i + 1] = t.begins[i] + length[i]
    for mark, name in enumerate(MARKS):
        moment = made.moments.get(name)
        if moment is not None:
            t.marks[mark].there = True
            t.marks[mark].base_us = moment.base_us
            t.marks[mark].stretch = moment.stretch if moment.stretch >= 0 else SLOT_COUNT - 1
            for slot in moment.waits:
                t.marks[mark].waits[<int>slot] += 1
    net._kept.append(made)
    add_template(net, t)
    if 2 * net.template_count > net.shape_mask:
        grow_shapes(net)
    at = key * 0x9E3779B97F4A7C15ULL >> 40 & net.shape_mask
    while net.shape_key[at]:
        at = (at + 1) & net.shape_mask
    net.shape_key[at] = key
    net.shape_template[at] = net.template_count - 1
    return t


cdef int add_template(Network net, Template *t) except -1:
    cdef void *grown
    if net.template_count == net.template_room:
        grown = realloc(net.templates, (net.template_room * 2 + 64) * sizeof(Template *))
        if grown == NULL:
            free(t)
            raise MemoryError
        net.templates = <Template **>grown
        net.template_room = net.template_room * 2 + 64
    net.templates[net.template_count] = t
    net.template_count += 1
    return 0


cdef int grow_shapes(Network net) except -1:
    """Twice the slots, or the first ones."""
    cdef uint64_t size = 2 * (net.shape_mask + 1) if net.shape_key != NULL else 1024, at, i
    cdef uint64_t *key = <uint64_t *>calloc(size, sizeof(uint64_t))
    cdef int32_t *template = <int32_t *>calloc(size, sizeof(int32_t))
    if key == NULL or template == NULL:
        free(key)
        free(template)
        raise MemoryError
    if net.shape_key != NULL:
        for i in range(net.shape_mask + 1):
            if net.shape_key[i]:
                at = net.shape_key[i] * 0x9E3779B97F4A7C15ULL >> 40 & (size - 1)
                while key[at]:
                    at = (at + 1) & (size - 1)
                key[at] = net.shape_key[i]
                template[at] = net.shape_template[i]
    free(net.shape_key)
    free(net.shape_template)
    net.shape_key = key
    net.shape_template = template
    net.shape_mask = size - 1
    return 0


cdef Leg plan(Network net, const Shape *s, int64_t start_us, const uint32_t *words, int64_t page_us=0) except *:
    """A plan of a ladder; its pace (0.8 to 1.3) comes from the first word."""
    cdef Leg leg
    memset(&leg, 0, sizeof(Leg))
    leg.template = template_of(net, s)
    leg.start_us = start_us
    leg.pace = 52429 + (words[0] & 0x7FFF)
    leg.slots[SLOT_PAGE] = page_us
    return leg


cdef inline void chance(Network net, uint32_t sub, int purpose, uint32_t *words) noexcept:
    """The next draws of a subscriber for a purpose; each purpose counts its own procedures."""
    cdef Station *s = net.stations + sub
    cdef uint32_t count
    if purpose <= AUTHENTICATION:
        count = s.drawn[purpose]
        s.drawn[purpose] += 1
    else:
        count = s.rarely[purpose - AUTHENTICATION - 1]
        s.rarely[purpose - AUTHENTICATION - 1] += 1
    philox(sub, 0, net.purpose[purpose], count, net.key0, net.key1, words)


cdef void keys(Network net, uint32_t sub, bint fresh, uint8_t *rand, uint8_t *sres, uint8_t *kc) noexcept:
    """RAND, SRES and Kc: new ones for an authentication, else those of the last (TS 43.020 3.3)."""
    cdef Station *s = net.stations + sub
    cdef uint32_t words[8]
    cdef uint8_t octets[32]
    cdef int i
    if fresh or s.drawn[AUTHENTICATION] == 0:
        s.drawn[AUTHENTICATION] += 2
    philox(sub, 0, net.purpose[AUTHENTICATION], s.drawn[AUTHENTICATION] - 2, net.key0, net.key1, words)
    philox(sub, 0, net.purpose[AUTHENTICATION], s.drawn[AUTHENTICATION] - 1, net.key0, net.key1, words + 4)
    for i in range(8):
        put32(octets + 4 * i, words[i])
    memcpy(rand, octets, 16)
    memcpy(sres, octets + 16, 4)
    memcpy(kc, octets + 20, 8)
    # A5/1 keys of that time have their last ten bits at zero.
    kc[6] &= 0xFC
    kc[7] = 0


cdef inline void put16(uint8_t *out, uint32_t value) noexcept nogil:
    out[0] = <uint8_t>(value >> 8)
    out[1] = <uint8_t>value


cdef inline void put24(uint8_t *out, uint32_t value) noexcept nogil:
    out[0] = <uint8_t>(value >> 16)
    put16(out + 1, value)


cdef inline void put32(uint8_t *out, uint32_t value) noexcept nogil:
    put16(out, value >> 16)
    put16(out + 2, value)


cdef inline void no_facts(Network net, uint32_t sub, Facts *f) noexcept:
    memset(f, 0, sizeof(Facts))
    f.tmsi = net.stations[sub].tmsi
    f.cell = camped_cell(net, sub, net.now_us)
    f.cell2 = -1
    f.paged_lac = -1


cdef int64_t act(Network net, int64_t t_us, uint32_t sub, int kind, int outcome, int32_t peer_sub=-1,
                 const Number *peer=NULL) except -1:
    """Records an act; its number."""
    cdef ActRow *row
    cdef void *grown
    if net.act_count == net.act_room:
        grown = realloc(net.acts, (net.act_room * 2 + 256) * sizeof(ActRow))
        if grown == NULL:
            raise MemoryError
        net.acts = <ActRow *>grown
        net.act_room = net.act_room * 2 + 256
    row = net.acts + net.act_count
    net.act_count += 1
    memset(row, 0, sizeof(ActRow))
    row.act = net.next_act
    row.t_us = t_us + net.epoch_unix_us
    row.sub = <int32_t>sub
    row.kind = <uint8_t>kind
    row.peer_sub = peer_sub
    memcpy(row.outcome, net.outcomes[outcome], 16)
    if peer != NULL:
        memcpy(row.peer, peer.digits, 20)
    net.next_act += 1
    return row.act


cdef int open_link(Network net, Link *link, int bsc, int msc, int64_t t_us, bint speech) except -1:
    """Borrows the numbers of a connection."""
    cdef Numbers *lists = &net.reserved[0] if net.beside else &net.references[0]
    link.bsc, link.msc = bsc, msc
    link.bss_reference = <uint32_t>take(lists + bsc, t_us)
    link.msc_reference = <uint32_t>take(lists + net.bscs + msc, t_us)
    link.circuit = <uint32_t>take(net.circuits + bsc, t_us) if speech else 0
    return 0


cdef int close_link(Network net, const Link *link, int64_t end_us) except -1:
    """Gives them back; may be called ahead of the end."""
    cdef Numbers *lists = &net.reserved[0] if net.beside else &net.references[0]
    give_back(lists + link.bsc, link.bss_reference, end_us + FREEZE)
    give_back(lists + net.bscs + link.msc, link.msc_reference, end_us + FREEZE)
    if link.circuit:
        give_back(net.circuits + link.bsc, link.circuit, end_us)
    return 0


cdef int fill_row(Network net, uint8_t *row, uint32_t sub, const Link *link, const Link *link2, const Shape *s,
                  const Facts *f, const uint32_t *words) except -1:
    """The layout of sim.network.rows.FIXED; then the called number, the calling number and the TPDU."""
    cdef int ti, n = ROW_FIXED
    memset(row, 0, ROW_FIXED)
    identity_octets(identity(&net.imsi, sub), 1, row)
    identity_octets(net.imei[sub], 2, row + 8)
    put32(row + 16, f.tmsi)
    put32(row + 20, f.new_tmsi)
    put16(row + 24, net.lac[f.cell] if f.paged_lac < 0 else f.paged_lac)
    put16(row + 26, net.ci[f.cell])
    put16(row + 28, f.old_lac)
    if f.cell2 >= 0:
        put16(row + 30, net.lac[f.cell2])
        put16(row + 32, net.ci[f.cell2])
        # TS 44.018 10.5.2.2: BSIC and ARFCN planned for a cell.
        row[80] = <uint8_t>((f.cell2 * 5 & 7) << 3 | f.cell2 * 3 & 7)
        row[81] = <uint8_t>(1 + f.cell2 % 124)
    put24(row + 34, link.bss_reference)
    put24(row + 37, link.msc_reference)
    put24(row + 40, link2.bss_reference)
    put24(row + 43, link2.msc_reference)
    put16(row + 46, link.circuit)
    put16(row + 48, link2.circuit)
    keys(net, sub, f.fresh_keys, row + 50, row + 66, row + 70)
    row[78] = <uint8_t>words[3]
    row[79] = <uint8_t>(words[3] >> 8)
    put32(row + 82, net.bsc_codes[link.bsc])
    put32(row + 86, net.bsc_codes[link2.bsc])
    put32(row + 90, net.msc_codes[link.msc])
    put32(row + 94, net.msc_codes[link2.msc])
    row[98] = link.bss_reference & 15
    row[99] = link2.bss_reference & 15
    # TS 24.007 11.2.3.1: transaction identifier beside the discriminators of call control and SMS, both flags.
    ti = <int>((words[3] >> 16) % 7) << 4
    row[100] = <uint8_t>(ti | 3)
    row[101] = <uint8_t>(0x80 | ti | 3)
    row[102] = <uint8_t>(ti | 9)
    row[103] = <uint8_t>(0x80 | ti | 9)
    put24(row + 104, f.old_plmn)
    n += bcd(&s.called, row + n)
    n += bcd(&s.calling, row + n)
    if f.tpdu_length:
        memcpy(row + n, f.tpdu, f.tpdu_length)
    return n + f.tpdu_length


cdef int64_t begin(Network net, const Leg *leg, int64_t act, uint32_t sub, const Shape *s, const Facts *f,
                   const uint32_t *words) except -1:
    """A ladder on one connection, from beginning to end: encoded, and put among the messages to come; its end."""
    cdef int64_t end_us = when(leg, M_END)
    cdef Link link
    cdef uint8_t row[ROW_MOST]
    cdef int bsc = net.bsc_of_lac[net.lac[f.cell] if f.paged_lac < 0 else f.paged_lac]
    open_link(net, &link, bsc, net.msc_of_bsc[bsc], leg.start_us, f.speech)
    close_link(net, &link, end_us)
    fill_row(net, row, sub, &link, &link, s, f, words)
    emit(net, leg, 0, leg.template.messages, leg.start_us, act, show(net, sub, leg.template, f, 0), row)
    note(net, sub, leg, end_us, f, act)
    return end_us


cdef int note(Network net, uint32_t sub, const Leg *leg, int64_t end_us, const Facts *f, int64_t act) except -1:
    """Enters a ladder in the journal, where one is kept."""
    if net.keeps_journal:
        net.journal.append(Begun(
            sub, leg.start_us, end_us, f.new_tmsi, net.lac[f.cell], act, net._kept[leg.template.number].shape
        ))
    return 0


cdef int32_t show(Network net, uint32_t sub, const Template *t, const Facts *f, int64_t connected_us) except? -2:
    """Keeps what the visible rows of a ladder will need, until its last visible message is out; -1: it shows
    nothing."""
    cdef int32_t at, i
    cdef void *grown
    cdef Shown *one
    if not t.shows:
        return -1
    if net.shown_free < 0:
        grown = realloc(net.shown, <size_t>(net.shown_room * 2 + 256) * sizeof(Shown))
        if grown == NULL:
            raise MemoryError
        net.shown = <Shown *>grown
        for i in range(net.shown_room, net.shown_room * 2 + 256):
            net.shown[i].next = net.shown_free
            net.shown_free = i
        net.shown_room = net.shown_room * 2 + 256
    at = net.shown_free
    one = net.shown + at
    net.shown_free = one.next
    # 0: the tap cannot know it.
    one.imsi = identity(&net.imsi, sub) if f.identified else 0
    one.cell = f.cell
    one.cell2 = f.cell2
    one.peer = f.peer
    one.cause = f.cause
    one.answers = f.paged_lac < 0
    one.paged_lac = <uint16_t>(net.lac[f.cell] if f.paged_lac < 0 else f.paged_lac)
    one.paged_us = -1
    one.detail = f.detail
    one.connected_us = connected_us
    return at
