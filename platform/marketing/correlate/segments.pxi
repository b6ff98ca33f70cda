# Segments put together: DT1 and DT2 by the more bit (Q.714 3.5), XUDT and LUDT by the segmentation parameter
# (Q.714 4.1.1.2). Both have a fixed number of cells; who comes when all are taken gets the oldest one's.


cdef inline void clear_payload(Row *r) noexcept nogil:
    memset(&r.dlci, 0, sizeof(Row) - (<uint8_t *>&r.dlci - <uint8_t *>r))


cdef bint segment(Core *co, uint32_t at, Row *r, int way, const uint8_t *user, int64_t t) noexcept nogil:
    """A DT1 or DT2 with more to come, or the last one of such; False where it is neither."""
    cdef Back *b = back(co, at)
    cdef Parts *cell
    cdef Row joined
    cdef uint8_t whole[MAX_PARTS]
    cdef int length, error
    if not r.more and b.parts[way] == 0:
        return False
    # A segment alone decodes to nothing, or by chance to something: neither counts.
    r.error = 0
    clear_payload(r)
    co.counts[C_SEGMENTS] += 1
    if b.parts[way] == 0 and not take_cell(co, at, way):
        co.counts[C_REASSEMBLY_ERRORS] += 1
        return True
    cell = co.parts + (b.parts[way] - 1)
    if cell.length + r.user_length > MAX_PARTS:
        co.counts[C_REASSEMBLY_ERRORS] += 1
        free_cell(co, cell)
        return True
    memcpy(cell.octets + cell.length, user, r.user_length)
    cell.length += r.user_length
    if r.more:
        return True
    length = cell.length
    memcpy(whole, cell.octets, length)
    free_cell(co, cell)
    joined = r[0]
    error = decode_user(whole, length, &joined)
    if error:
        co.counts[C_REASSEMBLY_ERRORS] += 1
        return True
    co.counts[C_REASSEMBLED] += 1
    joined.user_length = <uint16_t>length
    content(co, at, &joined, action_of(&joined), way, whole, t, True)
    return True


cdef bint take_cell(Core *co, uint32_t at, int way) noexcept nogil:
    cdef Parts *cell
    if co.parts == NULL:
        co.parts = <Parts *>calloc(PART_CELLS, sizeof(Parts))
        if co.parts == NULL:
            return False
    cell = co.parts + co.parts_hand
    if cell.connection:
        co.counts[C_REASSEMBLY_ERRORS] += 1
        free_cell(co, cell)
    co.backs[at].parts[way] = <uint16_t>(co.parts_hand + 1)
    co.pool[at].has |= PARTS
    co.parts_hand = (co.parts_hand + 1) & (PART_CELLS - 1)
    co.parts_live += 1
    cell.connection = at + 1
    cell.way = <uint8_t>way
    cell.length = 0
    return True


cdef void free_cell(Core *co, Parts *cell) noexcept nogil:
    cdef uint32_t at = cell.connection - 1
    co.backs[at].parts[cell.way] = 0
    if co.backs[at].parts[0] == 0 and co.backs[at].parts[1] == 0:
        co.pool[at].has &= <uint8_t>~PARTS
    cell.connection = 0
    co.parts_live -= 1


cdef void give_up_parts(Core *co, uint32_t at) noexcept nogil:
    cdef int i
    for i in range(2):
        if co.backs[at].parts[i]:
            free_cell(co, co.parts + (co.backs[at].parts[i] - 1))


# ---------------------------------------------------------------- connectionless

# Where the segmentation parameter and the calling address of an XUDT or LUDT are.
cdef struct Segmentation:
    uint8_t first       # the first segment of its message
    uint8_t remaining
    uint32_t reference
    uint64_t caller


cdef bint read_segmentation(const uint8_t *m, int length, Segmentation *s) noexcept nogil:
    """Of a DATA message that the decoder has found right (RFC 4666 3.3.1, Q.713 4.18, 4.20)."""
    cdef int at = 8, size, n, option
    cdef const uint8_t *b
    # Protocol Data, tag 0x0210.
    while True:
        if at + 16 > length:
            return False
        size = (<int>m[at + 2] << 8) | m[at + 3]
        if size < 4:
            return False
        if m[at] == 0x02 and m[at + 1] == 0x10:
            break
        at += (size + 3) & ~3
    n = size - 16
    b = m + at + 16
    if at + size > length or n < 11:
        return False
    if b[0] == 0x11:
        # XUDT: pointers of one octet at 3 to 6; the second leads to the calling address.
        at = 4 + b[4]
        option = 6 + b[6] if b[6] else 0
    else:
        # LUDT: two octets each, low one first, counted from the second.
        at = 6 + (b[5] | (<int>b[6] << 8))
        option = 10 + (b[9] | (<int>b[10] << 8)) if b[9] | b[10] else 0
    if option == 0 or at >= n or at + 1 + b[at] > n:
        return False
    s.caller = fnv1a_of(b + at, 1 + b[at])
    while option < n and b[option]:
        if option + 2 > n or option + 2 + b[option + 1] > n:
            return False
        if b[option] == 0x10 and b[option + 1] == 4:
            # Q.713 3.17: first segment (bit 8), class (bit 7), remaining segments (bits 4-1), local reference.
            s.first = b[option + 2] >> 7
            s.remaining = b[option + 2] & 15
            s.reference = (<uint32_t>b[option + 3] << 16) | (<uint32_t>b[option + 4] << 8) | b[option + 5]
            return True
        option += 2 + b[option + 1]
    return False


cdef uint64_t fnv1a_of(const uint8_t *b, int n) noexcept nogil:
    cdef uint64_t value = 0xCBF29CE484222325ULL
    cdef int i
    for i in range(n):
        value = (value ^ b[i]) * 0x100000001B3ULL
    return value


cdef void unit_segment(Core *co, Row *r, const uint8_t *m, int length, int64_t t) noexcept nogil:
    """A segment of a connectionless message. They come in order (Q.714 4.1.1.2.3); one out of it ends the whole."""
    cdef Segmentation s
    cdef Unit *unit = NULL
    cdef Unit *oldest
    cdef Row joined
    cdef uint64_t pair = (<uint64_t>r.opc << 32) | r.dpc
    cdef int i
    if not read_segmentation(m, length, &s):
        return
    co.counts[C_SEGMENTS] += 1
    if co.units == NULL:
        co.units = <Unit *>calloc(UNIT_CELLS, sizeof(Unit))
        if co.units == NULL:
            return
    oldest = co.units
    for i in range(UNIT_CELLS):
        if co.units[i].left and co.units[i].until_us < t:
            co.units[i].left = 0
            co.counts[C_REASSEMBLY_ERRORS] += 1
        if co.units[i].left == 0:
            oldest = co.units + i
        elif co.units[i].pair == pair and co.units[i].reference == s.reference and co.units[i].caller == s.caller:
            unit = co.units + i
        elif oldest.left and co.units[i].until_us < oldest.until_us:
            oldest = co.units + i
    if s.first:
        if unit == NULL:
            unit = oldest
        co.counts[C_REASSEMBLY_ERRORS] += unit.left != 0
        unit.pair = pair
        unit.reference = s.reference
        unit.caller = s.caller
        unit.left = s.remaining + 1
        unit.until_us = t + REASSEMBLY_US
        unit.length = 0
    elif unit == NULL:
        co.counts[C_REASSEMBLY_ERRORS] += 1
        return
    if unit.left != s.remaining + 1 or unit.length + r.user_length > MAX_PARTS:
        unit.left = 0
        co.counts[C_REASSEMBLY_ERRORS] += 1
        return
    memcpy(unit.octets + unit.length, m + r.user_offset, r.user_length)
    unit.length += r.user_length
    unit.left = s.remaining
    if unit.left:
        return
    joined = r[0]
    clear_payload(&joined)
    if decode_user(unit.octets, unit.length, &joined):
        co.counts[C_REASSEMBLY_ERRORS] += 1
        return
    co.counts[C_REASSEMBLED] += 1
    joined.user_length = unit.length
    connectionless(co, &joined, unit.octets, t)
