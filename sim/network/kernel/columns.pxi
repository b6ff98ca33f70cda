# What the network remembers of each subscriber, and what it means to do next.

cdef enum:
    ON = 1
    CAMPED = 2          # has updated its location since it was switched on: can call and be called
    CLOSING = 4         # will be switched off as soon as the present connection ends
    REGISTERED = 8      # in the VLR
    KNOWN = 16          # the tap can tell the IMSI from the present TMSI
    AWAY = 32           # in another network
    STRANGER = 64       # comes from another network: its TMSI and area are of that one
    RIDING = 128        # on the way: what serves is the cell it has entered

# Moments that are remembered of a station, world microseconds.
cdef enum:
    BUSY_UNTIL = 0              # end of the present connection of any kind
    CALL_UNTIL = 1              # end of the present call
    LAST_SEEN = 2               # end of the last connection: T3212 counts from here
    POWERED_ON = 3              # last switched on; -1 not since the start
    SERVED = 4                  # end of its last call to a service line; -1 none since the start
    ARRIVED = 5                 # came to its present place (or cell, outside places)
    MOMENTS = 6
    LATEST = 140_737_488_355_328    # 2**47: four years from the epoch

# 64 octets, a line of the cache.
cdef struct Station:
    uint32_t low[MOMENTS]       # moments have 48 bits
    uint32_t tmsi
    int32_t party               # its side of a call that is being talked, -1 none
    uint32_t drawn[2]           # procedures so far, by purpose: options, authentication (two each)
    int16_t high[MOMENTS]
    uint16_t rarely[3]          # likewise paging, smsc, handover; they begin anew after 65,536
    uint16_t cell
    uint16_t lac                # location area of the last accepted update: where a page goes
    int8_t msc                  # whose TMSI it holds; -1 that of another network
    uint8_t flags


cdef inline int64_t moment(const Station *s, int which) noexcept nogil:
    return <int64_t>(<uint64_t><int64_t>s.high[which] << 32 | s.low[which])


cdef inline void remember(Station *s, int which, int64_t t_us) noexcept nogil:
    s.low[which] = <uint32_t>t_us
    s.high[which] = <int16_t>(t_us >> 32)


cdef inline void occupied(Station *s, int64_t end_us) noexcept nogil:
    """A connection until a moment."""
    remember(s, LAST_SEEN, end_us)
    remember(s, BUSY_UNTIL, end_us)


# Event classes, in the order in which they are settled at one time for one subscriber.
cdef enum:
    POWER = 0
    MOVE = 1
    LOCATION = 2
    POWER_OFF = 3
    PERIODIC = 4
    CALL = 5
    TEXT = 6
    DELIVERY = 7
    HANDOVER = 8
    ENDING_CALL = 9
    CHANNEL = 10
    SERVICE = 11
    JOURNEY = 12
    LEAVING = 13

cdef struct Event:
    int64_t t_us
    uint64_t order      # class, and below it the number
    uint32_t sub
    int32_t detail      # a text's place in the pool; for POWER_OFF whether it is graceful

# Events that the network itself has made due: a binary heap by (time, subscriber, class, number).
cdef struct Agenda:
    Event *heap
    size_t held, room
    uint64_t number


cdef inline bint before(const Event *a, const Event *b) noexcept nogil:
    if a.t_us != b.t_us:
        return a.t_us < b.t_us
    if a.sub != b.sub:
        return a.sub < b.sub
    return a.order < b.order


cdef inline uint8_t class_of(const Event *e) noexcept nogil:
    return <uint8_t>(e.order >> 56)


cdef int push(Agenda *a, int64_t t_us, uint32_t sub, uint8_t what, int32_t detail=0) except -1:
    cdef size_t at, parent
    cdef Event one
    cdef void *grown
    if a.held == a.room:
        grown = realloc(a.heap, (a.room * 2 if a.room else 1024) * sizeof(Event))
        if grown == NULL:
            raise MemoryError
        a.heap = <Event *>grown
        a.room = a.room * 2 if a.room else 1024
    a.number += 1
    one.t_us = t_us
    one.order = <uint64_t>what << 56 | a.number
    one.sub = sub
    one.detail = detail
    at = a.held
    a.held += 1
    while at:
        parent = (at - 1) >> 1
        if not before(&one, a.heap + parent):
            break
        a.heap[at] = a.heap[parent]
        at = parent
    a.heap[at] = one
    return 0


cdef Event pop(Agenda *a) noexcept:
    cdef Event first = a.heap[0], last
    cdef size_t at = 0, child
    a.held -= 1
    last = a.heap[a.held]
    while True:
        child = 2 * at + 1
        if child >= a.held:
            break
        if child + 1 < a.held and before(a.heap + child + 1, a.heap + child):
            child += 1
        if not before(a.heap + child, &last):
            break
        a.heap[at] = a.heap[child]
        at = child
    a.heap[at] = last
    return first


# A number as it is dialled or shown: digits of E.164 without plus, or a short code.
cdef struct Number:
    uint8_t n
    char digits[20]


cdef Number number_of(uint64_t value) noexcept nogil:
    """The digits of an integer; none for 0."""
    cdef Number out
    cdef char backwards[20]
    cdef int n = 0, i
    memset(&out, 0, sizeof(Number))
    while value:
        backwards[n] = <char>(48 + value % 10)
        value //= 10
        n += 1
    for i in range(n):
        out.digits[i] = backwards[n - 1 - i]
    out.n = <uint8_t>n
    return out


cdef inline Number number_at(const uint8_t *packed) noexcept nogil:
    """A number as `pack_numbers` has it."""
    cdef Number out
    cdef int k = 0
    cdef uint8_t digit
    memset(&out, 0, sizeof(Number))
    while k < 20:
        digit = packed[k >> 1] >> 4 if k & 1 else packed[k >> 1] & 15
        if digit == 15:
            break
        out.digits[k] = <char>(48 + digit)
        k += 1
    out.n = <uint8_t>k
    return out


cdef Number number_from(bytes digits) except *:
    """Digits given by Python. Raises EncodeError for what is no number of at most 20 digits."""
    cdef Number out
    if len(digits) > 20 or not digits.isdigit():
        raise EncodeError(f"a number of at most 20 digits was expected, not {digits!r}")
    memset(&out, 0, sizeof(Number))
    memcpy(out.digits, <const char *>digits, len(digits))
    out.n = <uint8_t>len(digits)
    return out


cdef inline int bcd(const Number *number, uint8_t *out) noexcept nogil:
    """Semi-octets (TS 24.008 10.5.4.7), low one first; how many octets."""
    cdef int i, low, high
    for i in range(0, number.n, 2):
        low = number.digits[i] - 48
        high = number.digits[i + 1] - 48 if i + 1 < number.n else 15
        out[i >> 1] = <uint8_t>(high << 4 | low)
    return (number.n + 1) >> 1


cdef inline void identity_octets(uint64_t digits15, int kind, uint8_t *out) noexcept nogil:
    """TS 24.008 10.5.1.4: mobile identity of 15 digits in eight octets; kind 1 IMSI, 2 IMEI."""
    cdef int i
    cdef uint8_t digit[15]
    for i in range(14, -1, -1):
        digit[i] = <uint8_t>(digits15 % 10)
        digits15 //= 10
    out[0] = <uint8_t>(digit[0] << 4 | 8 | kind)
    for i in range(7):
        out[i + 1] = <uint8_t>(digit[2 * i + 1] | digit[2 * i + 2] << 4)


# A short message on its way or in the service centre.
cdef struct Text:
    Number peer             # destination on its way up, originator on its way down
    int32_t peer_sub
    int32_t body            # of the table of texts
    int64_t sent_us
    int64_t until_us
    int32_t next            # in the chain of texts that wait for one receiver, or of free places; -1 none
    uint8_t kind


cdef inline void philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1,
                        uint32_t *out) noexcept nogil:
    """One block of Philox4x32-10, as `sim.draws.philox4x32`."""
    cdef uint64_t p, q
    cdef int i
    for i in range(10):
        p = <uint64_t>0xD2511F53u * c0
        q = <uint64_t>0xCD9E8D57u * c2
        c0 = <uint32_t>(q >> 32) ^ c1 ^ k0
        c1 = <uint32_t>q
        c2 = <uint32_t>(p >> 32) ^ c3 ^ k1
        c3 = <uint32_t>p
        k0 += 0x9E3779B9u
        k1 += 0xBB67AE85u
    out[0] = c0
    out[1] = c1
    out[2] = c2
    out[3] = c3


# Identities of everybody: as they are, or by range and keyed permutation (`sim.subscribers.identities.Series`).
cdef struct Series:
    const uint64_t *whole       # NULL: the others tell
    const uint8_t *range_of
    const uint64_t *prefix
    uint64_t a, b, modulus


cdef inline uint64_t identity(const Series *s, uint32_t sub) noexcept nogil:
    """Digits of a subscriber's identity, as an integer."""
    if s.whole != NULL:
        return s.whole[sub]
    return s.prefix[s.range_of[sub]] * s.modulus + (s.a * sub + s.b) % s.modulus


cdef tuple read_series(Series *out, values):
    """Where the digits of everybody come from; the columns that have to be kept."""
    cdef const uint64_t[::1] whole
    cdef const uint8_t[::1] range_of
    memset(out, 0, sizeof(Series))
    if not isinstance(values, NumberSeries):
        whole = column(values, np.uint64)
        out.whole = &whole[0] if whole.shape[0] else <const uint64_t *><void *>out
        return (np.asarray(whole),)
    whole, range_of = column(values.prefix, np.uint64), column(values.range_of, np.uint8)
    out.prefix = &whole[0]
    out.range_of = &range_of[0] if range_of.shape[0] else NULL
    out.a, out.b, out.modulus = values.serials.a, values.serials.b, values.serials.modulus
    return np.asarray(whole), np.asarray(range_of)


cdef int settle_in(Network net, uint32_t sub, int32_t cell, bint on, int64_t last_seen_us) except -1:
    """A station as the world begins; cell -1: in another network."""
    cdef Station *s = net.stations + sub
    s.cell = <uint16_t>max(cell, 0)     # of who is away it means nothing
    s.lac = <uint16_t>net.lac[s.cell]
    remember(s, POWERED_ON, -1)
    remember(s, SERVED, -1)
    remember(s, ARRIVED, net.start_us)
    remember(s, LAST_SEEN, last_seen_us)
    s.party = -1
    if cell < 0:        # its TMSI is of another network: one that nobody here will get
        s.flags = AWAY | (ON if on else 0)
        s.msc = -1
        s.tmsi = <uint32_t>take(&net.tmsis[0], net.start_us)
    else:
        s.flags = ON | CAMPED | REGISTERED if on else 0
        s.msc = <int8_t>net.msc_of_bsc[net.bsc[cell]]
        s.tmsi = <uint32_t>take(&net.tmsis[s.msc], net.start_us)
    if last_seen_us + net.t3212_us < net.end_us:    # only those whose T3212 runs out before the end
        push(&net.agenda, last_seen_us + net.t3212_us, sub, PERIODIC)
    return 0
