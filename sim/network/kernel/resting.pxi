# Which cell serves a phone at rest: `sim.network.resting.cells_at_rest`, one at a time.

cdef enum:
    SPOTS = 32
    RIVALS = 4
    NIGHT = 6                   # hours of the day without a change of rooms
    HOUR = 3_600_000_000
    NO_HOUR = 0xFFFFFFFF
    HALF_ROW = 513              # rows of the lower half of the table of normal deviates

cdef extern from *:
    int leading_zeros "__builtin_clzll"(unsigned long long v) noexcept nogil


cdef inline int64_t deviate(Network net, uint32_t u) noexcept:
    """The normal deviate of a word, 1/65536, as `sim.draws.Table.at`."""
    cdef uint64_t w = <uint64_t>u << 1 | 1, digits
    cdef int start = 0, e
    if w >> 32:
        w = (<uint64_t>1 << 33) - w
        start = HALF_ROW
    e = 63 - leading_zeros(w)
    digits = w << (52 - e) & (<uint64_t>1 << 52) - 1
    start += e * 16 + <int>(digits >> 48)
    return net.normal[start] + ((net.normal[start + 1] - net.normal[start]) * <int64_t>(digits >> 28 & 0xFFFFF) >> 20)


cdef int32_t at_rest(Network net, uint32_t sub, int32_t cell, int64_t t_us) noexcept:
    """The cell that serves a subscriber who stays in a cell."""
    cdef uint32_t hour, of_day
    cdef uint32_t words[4]
    cdef uint32_t home[4]
    cdef int64_t best, level
    cdef int32_t at, k, serving = cell
    if net.rivals[<int64_t>cell * SPOTS * RIVALS] < 0:
        return cell
    hour = <uint32_t>(t_us // HOUR)
    of_day = hour % 24
    if of_day < NIGHT:
        hour -= of_day
        of_day = 0
    philox(sub, hour, net.other_room, <uint32_t>cell, net.key0, net.key1, words)
    if words[3] < net.kept:
        philox(sub, of_day, net.usual_room, <uint32_t>cell, net.key0, net.key1, words)
    philox(sub, NO_HOUR, net.usual_room, <uint32_t>cell, net.key0, net.key1, home)
    at = (cell * SPOTS + <int32_t>(home[0] >> 27)) * RIVALS
    best = weakened(net, cell, 0, words)
    for k in range(RIVALS):
        if net.rivals[at + k] < 0:
            break
        level = weakened(net, cell, net.walls[at + k], words) - net.behind_cdb[at + k]
        if level > best:
            best, serving = level, net.rivals[at + k]
    return serving


cdef inline int64_t weakened(Network net, int32_t cell, int which, const uint32_t *words) noexcept:
    """What a room does to the level of a mast, hundredths of a dB."""
    cdef uint32_t u
    if which == 4:
        u = words[2]
    elif which & 1:
        u = words[which >> 1] & 0xFFFF0000 | 0x8000
    else:
        u = words[which >> 1] << 16 | 0x8000
    return deviate(net, u) * net.room_cdb[cell] >> 16


cdef inline int32_t camped_cell(Network net, uint32_t sub, int64_t t_us) noexcept:
    """The cell where a station camps: on the way that which it has entered, else by the room."""
    cdef Station *s = net.stations + sub
    return s.cell if s.flags & RIDING else at_rest(net, sub, s.cell, t_us)
