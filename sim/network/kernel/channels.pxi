# Channels of the cells: TCH and SDCCH, and what was asked of them.

cdef enum:
    T3122 = 5_000_000       # TS 44.018 3.3.1.1.3.2: how long a station waits after IMMEDIATE ASSIGNMENT REJECT

cdef struct Cell:
    int32_t tch             # channels there are; -1 unlimited
    int32_t sdcch
    int32_t tch_held
    int32_t sdcch_held
    uint32_t tch_asked, tch_refused, sdcch_asked, sdcch_refused
    uint32_t handovers_in, handovers_refused, handovers_repeated, dropped
    int64_t tch_us          # held so far, up to `since_us`
    int64_t since_us


cdef inline bint has_free(Network net, int32_t cell) noexcept:
    """Whether a cell has a TCH to give."""
    cdef Cell *c = net.cell + cell
    if net.admits is not None and not net.admits(cell, net.now_us):
        return False
    return c.tch < 0 or c.tch_held < c.tch


cdef inline bint has_channel(Network net, int32_t cell) noexcept:
    """The same for a call that begins: it is counted."""
    cdef bint free = has_free(net, cell)
    net.cell[cell].tch_asked += 1
    net.cell[cell].tch_refused += not free
    return free


cdef inline bint other_side_has_channel(Network net, int32_t cell, int32_t callers) noexcept:
    """The same for the called side, when the caller's has its channel already, maybe in the same cell."""
    cdef bint found
    net.cell[callers].tch_held += 1
    found = has_channel(net, cell)
    net.cell[callers].tch_held -= 1
    return found


cdef inline int32_t channel_near(Network net, int32_t cell) noexcept:
    """A cell with a TCH to give: this one, else the first neighbour of the same BSC; -1 none."""
    cdef int32_t i, other
    if has_channel(net, cell):
        return cell
    if net.admits is not None:
        return -1
    for i in range(net.neighbour_start[cell], net.neighbour_start[cell + 1]):
        other = net.neighbour_cells[i]
        if net.bsc[other] == net.bsc[cell] and net.cell[other].tch_held < net.cell[other].tch:
            return other
    return -1


cdef inline void hold_channel(Network net, int32_t cell) noexcept:
    cdef Cell *c = net.cell + cell
    c.tch_us += c.tch_held * (net.now_us - c.since_us)
    c.since_us = net.now_us
    c.tch_held += 1


cdef inline void free_channel(Network net, int32_t cell) noexcept:
    cdef Cell *c = net.cell + cell
    c.tch_us += c.tch_held * (net.now_us - c.since_us)
    c.since_us = net.now_us
    c.tch_held -= 1


cdef inline bint has_sdcch(Network net, int32_t cell) noexcept:
    """Whether a cell has an SDCCH to give; without one nothing reaches the A interface."""
    cdef Cell *c = net.cell + cell
    c.sdcch_asked += 1
    if c.sdcch >= 0 and c.sdcch_held >= c.sdcch:
        c.sdcch_refused += 1
        return False
    return True


cdef inline int hold_sdcch(Network net, int32_t cell, uint32_t sub, int64_t until_us) except -1:
    """Takes an SDCCH until a moment. Cells without a limit keep no account of them."""
    if net.cell[cell].sdcch < 0:
        return 0
    net.cell[cell].sdcch_held += 1
    return push(&net.agenda, until_us, sub, CHANNEL, -1 - cell)


cdef void released(Network net, int32_t detail) noexcept:
    """The moment of an event CHANNEL: a cell, or -1 - a cell for its SDCCH."""
    if detail >= 0:
        free_channel(net, detail)
    else:
        net.cell[-1 - detail].sdcch_held -= 1
