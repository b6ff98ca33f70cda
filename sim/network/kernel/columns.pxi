# What the network remembers of each subscriber, and what it means to do next.

cdef enum:
    ON = 1
    CAMPED = 2          # has updated its location since it was switched on: can call and be called
    CLOSING = 4         # will be switched off as soon as the present connection ends
    REGISTERED = 8      # in the VLR
    KNOWN = 16          # the tap can tell the IMSI from the present TMSI
    AWAY = 32           # in another network
    STRANGER = 64       # comes from another network: its TMSI and area are of that one

# 104 octets. Times are world microseconds.
cdef struct Station:
    int64_t busy_until_us       # end of the present connection of any kind
    int64_t call_until_us       # end of the present call
    int64_t last_seen_us        # end of the last connection: T3212 counts from here
    int64_t power_on_us         # last switched on; -1 not since the start
    int64_t service_call_us     # end of its last call to a service line; -1 none since the start
    int64_t place_since_us      # came to its present place (or cell, outside places)
    uint32_t tmsi
    int32_t cell
    int32_t party               # its side of a call that is being talked, -1 none
    uint32_t drawn[5]           # procedures so far, by purpose (options, authentication, paging, smsc, handover)
    uint32_t keys               # number of the draws of its last authentication + 1; 0 none
    uint32_t plmn               # and its network, three octets of the wire
    uint16_t lac                # location area of the last accepted update: where a page goes
    int8_t msc                  # whose TMSI it holds; -1 that of another network
    uint8_t flags

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
    uint64_t number
    uint32_t sub
    int32_t detail      # a text's place in the pool; for POWER_OFF whether it is graceful
    uint8_t what

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
    if a.what != b.what:
        return a.what < b.what
    return a.number < b.number


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
    one.number = a.number
    one.sub = sub
    one.detail = detail
    one.what = what
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
