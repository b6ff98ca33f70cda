# BSSMAP elements (TS 48.008 3.2.2): the walk over one message.

# TS 48.008 3.2.2: elements without a length octet, octets with the identifier; 0 = type, length, value.
cdef uint8_t BSSMAP_FIXED[256]
memset(&BSSMAP_FIXED[0], 0, sizeof(BSSMAP_FIXED))


cdef _fixed():
    for tag, octets in {
        0x01: 3,    # circuit identity code
        0x03: 21,   # resource available
        0x0C: 2,    # periodicity
        0x0D: 2,    # extended resource indicator
        0x0E: 2,    # number of MSs
        0x14: 2,    # interference band to be used
        0x15: 2,    # RR cause
        0x18: 2,    # DLCI
        0x19: 2,    # downlink DTX flag
        0x1B: 1,    # response request
        0x1C: 2,    # resource indication method
        0x1D: 2,    # classmark information type 1
        0x21: 2,    # chosen channel
        0x22: 5,    # total resource accessible
        0x23: 2,    # cipher response mode
        0x24: 2,    # channel needed
        0x25: 2,    # trace type
        0x27: 3,    # trace reference
        0x2B: 2,    # forward indicator
        0x2C: 2,    # chosen encryption algorithm
        0x2D: 2,    # circuit pool
        0x2F: 2,    # time indication
        0x31: 2,    # current channel type 1
        0x32: 2,    # queueing indicator
        0x33: 2,    # assignment requirement
        0x35: 1,    # talker flag
        0x36: 1,    # connection release requested
        0x38: 2,    # eMLPP priority
        0x39: 2,    # configuration evolution indication
        0x3F: 2,    # LSA access control suppression
        0x40: 2,    # speech version
        0x6A: 2,    # talker priority
        0x6B: 1,    # emergency set indication
        0x7F: 5,    # call identifier
        0x81: 2,    # A-interface selector for RESET
        0x83: 17,   # Kc128
        0x85: 1,    # redirect attempt flag
        0x86: 2,    # reroute reject cause
        0x87: 2,    # send sequence number
        0x88: 2,    # reroute complete outcome
        0x8A: 2,    # LCLS configuration
        0x8B: 2,    # LCLS connection status control
        0x8C: 1,    # LCLS correlation not needed
        0x8D: 2,    # LCLS BSS status
        0x8E: 1,    # LCLS break request
        0x8F: 1,    # CSFB indication
        0x90: 1,    # CS to PS SRVCC
        0x92: 1,    # CS to PS SRVCC indication
        0x94: 4,    # selected PLMN ID
        0x95: 4,    # last used E-UTRAN PLMN ID
    }.items():
        BSSMAP_FIXED[tag] = octets


_fixed()

# TS 48.008 3.2.2.1: the message types that there are.
cdef uint8_t BSSMAP_KNOWN[256]
memset(&BSSMAP_KNOWN[0], 0, sizeof(BSSMAP_KNOWN))
for _code in (
    *range(0x01, 0x09), *range(0x10, 0x23), *range(0x25, 0x33), *range(0x34, 0x38), *range(0x3A, 0x3F),
    *range(0x40, 0x5B), *range(0x60, 0x64), *range(0x70, 0x77), 0x78, 0x79,
):
    BSSMAP_KNOWN[_code] = 1

# Elements that a message cannot do without, as bits of MUST; 0 = none that is read here.
cdef enum:
    MUST_CELL = 1
    MUST_L3 = 2
    MUST_IMSI = 4
    MUST_LIST = 8
    MUST_CAUSE = 16

cdef uint8_t MUST[256]
memset(&MUST[0], 0, sizeof(MUST))
MUST[0x57] = MUST_CELL | MUST_L3      # COMPLETE LAYER 3 INFORMATION
MUST[0x52] = MUST_IMSI | MUST_LIST    # PAGING
MUST[0x2F] = MUST_IMSI                # COMMON ID
MUST[0x12] = MUST_L3                  # HANDOVER REQUEST ACKNOWLEDGE
MUST[0x13] = MUST_L3                  # HANDOVER COMMAND
MUST[0x10] = MUST_CELL                # HANDOVER REQUEST
MUST[0x11] = MUST_CAUSE               # HANDOVER REQUIRED
MUST[0x20] = MUST_CAUSE               # CLEAR COMMAND
MUST[0x22] = MUST_CAUSE               # CLEAR REQUEST
MUST[0x30] = MUST_CAUSE               # RESET
MUST[0x17] = MUST_CELL                # HANDOVER PERFORMED

# TS 48.008 3.2.2.17: cell identification discriminator -> octets of one cell; -1 = reserved.
cdef signed char CELL_SIZE[16]
for _i, _size in enumerate((7, 4, 2, 0, 5, 2, 0, -1, 7, 2, 4, 8, 6, -1, -1, -1)):
    CELL_SIZE[_i] = _size


cdef int cell(const uint8_t *b, int n, Row *row) noexcept nogil:
    """Cell identifier (TS 48.008 3.2.2.17), the value without tag and length."""
    cdef int kind
    if n < 1:
        return E_BSSMAP_ELEMENT
    kind = b[0] & 15
    if CELL_SIZE[kind] < 0 or n != 1 + CELL_SIZE[kind]:
        return E_BSSMAP_ELEMENT
    row.discriminator = <uint8_t>kind
    row.lac = 0
    row.ci = 0
    row.plmn = 0
    row.present &= <uint16_t>~(HAS_CELL | HAS_CI)
    if kind == 0:
        row.plmn = be24(b + 1)
        row.lac = <uint16_t>be16(b + 4)
        row.ci = <uint16_t>be16(b + 6)
        row.present |= HAS_CELL | HAS_CI
    elif kind == 1:
        row.lac = <uint16_t>be16(b + 1)
        row.ci = <uint16_t>be16(b + 3)
        row.present |= HAS_CELL | HAS_CI
    elif kind == 2:
        row.ci = <uint16_t>be16(b + 1)
        row.present |= HAS_CI
    elif kind == 4 or kind == 8:
        row.plmn = be24(b + 1)
        row.lac = <uint16_t>be16(b + 4)
        row.present |= HAS_CELL
    elif kind == 5 or kind == 10:
        row.lac = <uint16_t>be16(b + 1)
        row.present |= HAS_CELL
    elif kind == 11 or kind == 12:
        row.plmn = be24(b + 1)
        row.lac = <uint16_t>be16(b + 4)
        row.present |= HAS_CELL
        if kind == 11:
            row.ci = <uint16_t>be16(b + 7)
            row.present |= HAS_CI
    return 0


cdef int cell_list(const uint8_t *b, int n, int offset, Row *row) noexcept nogil:
    """Cell identifier list (TS 48.008 3.2.2.27): counted; the correlator reads the areas from the message."""
    cdef int size
    if n < 1:
        return E_BSSMAP_ELEMENT
    size = CELL_SIZE[b[0] & 15]
    if size < 0:
        return E_BSSMAP_ELEMENT
    if size == 0:
        if n != 1:
            return E_BSSMAP_ELEMENT
    elif n == 1 or (n - 1) % size:
        return E_BSSMAP_ELEMENT
    else:
        row.list_cells = <uint8_t>((n - 1) // size)
    row.discriminator = b[0] & 15
    row.list_offset = <uint16_t>offset
    row.present |= HAS_LIST
    return 0


cdef uint64_t fnv1a(const uint8_t *b, int n) noexcept nogil:
    cdef uint64_t value = 0xCBF29CE484222325ULL
    cdef int i
    for i in range(n):
        value = (value ^ b[i]) * 0x100000001B3ULL
    return value


cdef int bssmap(const uint8_t *b, int n, int base, Row *row) noexcept nogil:
    """One BSSMAP message, type octet first, which begins `base` octets into the user data."""
    cdef int at = 1, tag, length, error, kind, seen = 0
    cdef const uint8_t *value
    if n < 1:
        return E_BSSAP_HEADER
    kind = b[0]
    if not BSSMAP_KNOWN[kind]:
        return E_MESSAGE_TYPE
    row.bssmap = <uint8_t>kind
    row.present |= HAS_BSSMAP
    while at < n:
        tag = b[at]
        if BSSMAP_FIXED[tag]:
            at += BSSMAP_FIXED[tag]
            if at > n:
                return E_BSSMAP_ELEMENT
            continue
        if at + 1 >= n:
            return E_BSSMAP_ELEMENT
        length = b[at + 1]
        at += 2
        if tag == 0x49:
            # TS 48.008 3.2.2.68: the APDU alone has a length of two octets.
            if at >= n:
                return E_BSSMAP_ELEMENT
            length = (length << 8) | b[at]
            at += 1
        if at + length > n:
            return E_BSSMAP_ELEMENT
        value = b + at
        error = 0
        if tag == 0x05:
            error = cell(value, length, row)
            seen |= MUST_CELL
        elif tag == 0x17:
            seen |= MUST_L3
            if kind == 0x57:
                error = layer3(value, length, row)
            elif kind == 0x12 or kind == 0x13:
                row.digest = fnv1a(value, length)
                row.present |= HAS_DIGEST
        elif tag == 0x08:
            error = identity(value, length, row)
            if not error and not row.present & HAS_IMSI:
                error = E_IDENTITY
            seen |= MUST_IMSI
        elif tag == 0x09:
            if length != 4:
                return E_BSSMAP_ELEMENT
            row.tmsi = be32(value)
            row.present |= HAS_TMSI
        elif tag == 0x04:
            # TS 48.008 3.2.2.5: one octet, or two where the first has its highest bit set.
            if length < 1 or length != (2 if value[0] & 0x80 else 1):
                return E_BSSMAP_ELEMENT
            row.bssmap_cause = value[length - 1]
            row.present |= HAS_BSSMAP_CAUSE
            seen |= MUST_CAUSE
        elif tag == 0x1A:
            error = cell_list(value, length, base + at, row)
            seen |= MUST_LIST
        elif tag == 0x20 and kind == 0x55:
            # What the handset answered: CIPHERING MODE COMPLETE, perhaps with its IMEISV. If not, no matter.
            ciphered(value, length, row)
        if error:
            return error
        at += length
    if seen & MUST[kind] != MUST[kind]:
        return E_BSSMAP_ELEMENT
    return 0
