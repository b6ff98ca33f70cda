# Layer 3 messages of the mobile station (TS 24.008), short messages included (TS 24.011, TS 23.040).
#
# TS 24.007 11.2.4: in an optional part, an unknown element with bit 8 set is one octet, any other has a length.
# One that is unknown here and overruns at the very end is left alone; one that is read here is an error.

# Message types (TS 24.008 10.4, TS 24.080 2.4): 1 = mobility management, 2 = call control, 4 = supplementary.
cdef uint8_t TYPES[64]
memset(&TYPES[0], 0, sizeof(TYPES))


cdef _types():
    mobility = (
        0x01, 0x02, 0x04, 0x08, 0x11, 0x12, 0x14, 0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x21, 0x22, 0x23, 0x24, 0x25,
        0x28, 0x29, 0x30, 0x31, 0x32,
    )
    calls = (
        0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0B, 0x0E, 0x0F, 0x10, 0x13, 0x17, 0x18, 0x19,
        0x1A, 0x1C, 0x1D, 0x1E, 0x1F, 0x25, 0x2A, 0x2D, 0x31, 0x32, 0x34, 0x35, 0x36, 0x37, 0x39, 0x3A, 0x3D,
        0x3E,
    )
    for bit, codes in ((1, mobility), (2, calls), (4, (0x2A, 0x3A, 0x3B))):
        for code in codes:
            TYPES[code] |= bit


_types()


cdef inline int identity(const uint8_t *b, int n, Row *row) noexcept nogil:
    """Mobile identity (TS 24.008 10.5.1.4), the value without tag and length."""
    cdef uint64_t x, value
    cdef int kind, digits, i
    if n < 1:
        return E_IDENTITY
    kind = b[0] & 7
    if kind == 4:
        if n != 5:
            return E_IDENTITY
        row.tmsi = be32(b + 1)
        row.present |= HAS_TMSI
        return 0
    if kind == 0 or kind == 5:
        return 0
    if kind > 3 or n > 10:
        return E_IDENTITY
    if n == 8 and b[0] & 8:
        # Fifteen digits, as nearly always: eight octets at once. Semi-octet 0 is the type, 1 to 15 the digits.
        memcpy(&x, b, 8)
        x = little(x) & 0xFFFFFFFFFFFFFFF0ULL
        if (x & 0x8888888888888888ULL) & ((x << 1) | (x << 2)):
            return E_IDENTITY
        x = (x & 0x0F0F0F0F0F0F0F0FULL) * 10 + ((x >> 4) & 0x0F0F0F0F0F0F0F0FULL)
        x = (x & 0x00FF00FF00FF00FFULL) * 100 + ((x >> 8) & 0x00FF00FF00FF00FFULL)
        x = (x & 0x0000FFFF0000FFFFULL) * 10000 + ((x >> 16) & 0x0000FFFF0000FFFFULL)
        value = (x & 0xFFFFFFFFULL) * 100000000 + (x >> 32)
        digits = 15
    else:
        digits = 2 * n - 1
        if not b[0] & 8 and b[n - 1] >> 4 == 15:
            # An even number of digits; without the end mark they are read to the end.
            digits -= 1
        if digits < 1 or b[0] >> 4 > 9:
            return E_IDENTITY
        value = b[0] >> 4
        for i in range(1, digits):
            kind = b[(i + 1) >> 1] >> 4 if i & 1 == 0 else b[(i + 1) >> 1] & 15
            if kind > 9:
                return E_IDENTITY
            value = value * 10 + kind
        kind = b[0] & 7
    if kind == 1:
        # TS 23.003 2.2: MCC, MNC and at least one digit more; not more than fifteen.
        if digits < 6 or digits > 15:
            return E_IDENTITY
        row.imsi = value
        row.imsi_digits = <uint8_t>digits
        row.present |= HAS_IMSI
    else:
        row.imei = value
        row.imei_digits = <uint8_t>digits
        row.present |= HAS_IMEI
    return 0


cdef inline uint64_t little(uint64_t x) noexcept nogil:
    """A word read from memory as if the machine put the low octet first."""
    cdef uint16_t probe = 1
    if (<uint8_t *>&probe)[0] == 1:
        return x
    x = ((x & 0x00FF00FF00FF00FFULL) << 8) | ((x >> 8) & 0x00FF00FF00FF00FFULL)
    x = ((x & 0x0000FFFF0000FFFFULL) << 16) | ((x >> 16) & 0x0000FFFF0000FFFFULL)
    return (x << 32) | (x >> 32)


cdef inline int identity_lv(const uint8_t *b, int n, int at, Row *row) noexcept nogil:
    """A mobile identity behind its length octet at position `at`."""
    if at >= n or at + 1 + b[at] > n:
        return E_DTAP_TRUNCATED
    return identity(b + at + 1, b[at], row)


cdef int identity_tlv(const uint8_t *b, int n, int at, Row *row) noexcept nogil:
    """The mobile identity (identifier 17) in an optional part that begins at `at`."""
    cdef int error
    while at < n:
        if b[at] & 0x80:
            at += 1
            continue
        if at + 1 >= n or at + 2 + b[at + 1] > n:
            return E_DTAP_ELEMENT if b[at] == 0x17 else 0
        if b[at] == 0x17:
            error = identity(b + at + 2, b[at + 1], row)
            if error:
                return error
        at += 2 + b[at + 1]
    return 0


cdef inline void area(const uint8_t *b, Row *row) noexcept nogil:
    """Location area identification (TS 24.008 10.5.1.3); the five octets are there."""
    row.lai_plmn = be24(b)
    row.lai_lac = <uint16_t>be16(b + 3)
    row.present |= HAS_LAI


cdef inline int semi_octets(const uint8_t *b, int n, uint8_t *out) noexcept nogil:
    """Digits of n octets (TS 24.008 10.5.4.7); their number, -1 where the end mark stands inside."""
    cdef int i, digits = 2 * n
    for i in range(n):
        if b[i] & 15 == 15:
            return -1
        if b[i] >> 4 == 15:
            if i != n - 1:
                return -1
            digits -= 1
    memcpy(out, b, n if n < 10 else 10)
    return digits


cdef inline int party(const uint8_t *b, int n, uint8_t *number, uint8_t *digits, uint8_t *kind) noexcept nogil:
    """Called or calling party BCD number (TS 24.008 10.5.4.7, 10.5.4.9), the value without tag and length."""
    cdef int at = 0, count
    if n < 1:
        return E_NUMBER
    # Octet 3a follows where the extension bit of octet 3 is 0.
    if not b[0] & 0x80:
        at = 1
        if n < 2:
            return E_NUMBER
    at += 1
    count = semi_octets(b + at, n - at, number)
    if count < 0:
        return E_NUMBER
    kind[0] = b[0]
    digits[0] = <uint8_t>count
    return 0


cdef inline int cc_cause(const uint8_t *b, int n, Row *row) noexcept nogil:
    """Cause (TS 24.008 10.5.4.11), the value without tag and length; the first one of a message counts."""
    cdef int at = 1
    if n < 2:
        return E_DTAP_ELEMENT
    if not b[0] & 0x80:
        at = 2
        if n < 3:
            return E_DTAP_ELEMENT
    if not row.present & HAS_CAUSE:
        row.cause = b[at] & 0x7F
        row.present |= HAS_CAUSE
    return 0


cdef int cc_elements(const uint8_t *b, int n, int at, int kind, Row *row) noexcept nogil:
    """The optional part of a call control message (TS 24.007 11.2.4)."""
    cdef int tag, length, error
    cdef bint numbers = kind == 0x05, caused = kind == 0x2D or kind == 0x2A or kind == 0x08 or kind == 0x06
    while at < n:
        tag = b[at]
        # A set highest bit: one octet. Signal (10.5.4.23) in SETUP has a value of one octet and no length.
        if tag & 0x80:
            at += 1
            continue
        if tag == 0x34 and numbers:
            at += 2
            if at > n:
                return E_DTAP_ELEMENT
            continue
        if at + 1 >= n or at + 2 + b[at + 1] > n:
            if (numbers and (tag == 0x5E or tag == 0x5C)) or (caused and tag == 0x08):
                return E_DTAP_ELEMENT
            return 0
        length = b[at + 1]
        at += 2
        error = 0
        if numbers:
            if tag == 0x5E:
                error = party(b + at, length, row.called, &row.called_digits, &row.called_type)
                row.present |= HAS_CALLED
            elif tag == 0x5C:
                error = party(b + at, length, row.calling, &row.calling_digits, &row.calling_type)
                row.present |= HAS_CALLING
        elif caused and tag == 0x08:
            error = cc_cause(b + at, length, row)
        if error:
            return error
        at += length
    return 0


cdef inline int leading(const uint8_t *b, int n, int at) noexcept nogil:
    """Where a mandatory element of length and value that begins at `at` ends; -1 where it is cut off."""
    if at >= n or at + 1 + b[at] > n:
        return -1
    return at + 1 + b[at]


cdef inline int call_control(const uint8_t *b, int n, Row *row) noexcept nogil:
    """TS 24.008 9.3."""
    cdef int kind = b[1] & 0x3F, error, at = 2
    row.dtap = <uint8_t>kind
    if not TYPES[kind] & 2:
        return E_MESSAGE_TYPE
    if kind == 0x39 or kind == 0x0B:
        # CONGESTION CONTROL (9.3.4), RECALL (9.3.18a): one octet before the rest.
        at = 3
    elif kind == 0x13:
        # MODIFY REJECT (9.3.15): the bearer capability before the cause.
        at = leading(b, n, 2)
        if at < 0:
            return E_DTAP_TRUNCATED
    if kind == 0x25 or kind == 0x3D or kind == 0x1A or kind == 0x1E or kind == 0x13 or kind == 0x37 or kind == 0x39:
        # DISCONNECT, STATUS, HOLD REJECT, RETRIEVE REJECT, MODIFY REJECT, START DTMF REJECT: cause.
        if leading(b, n, at) < 0:
            return E_DTAP_TRUNCATED
        error = cc_cause(b + at + 1, b[at], row)
        if error:
            return error
        at += 1 + b[at]
        if kind == 0x3D and at >= n:
            # STATUS (9.3.27) goes on with the call state.
            return E_DTAP_TRUNCATED
        return 0
    if kind == 0x03 or kind == 0x10 or kind == 0x3A or kind == 0x04 or kind == 0x17 or kind == 0x1F or kind == 0x0B:
        # PROGRESS, USER INFORMATION, FACILITY, CC-ESTABLISHMENT, MODIFY, MODIFY COMPLETE: length and value.
        return 0 if leading(b, n, at) >= 0 else E_DTAP_TRUNCATED
    if kind == 0x3E:
        # NOTIFY (9.3.16): one octet.
        return 0 if n >= 3 else E_DTAP_TRUNCATED
    if kind == 0x35 or kind == 0x36:
        # START DTMF, START DTMF ACKNOWLEDGE (9.3.24, 9.3.25): keypad facility.
        return 0 if n >= 4 else E_DTAP_TRUNCATED
    return cc_elements(b, n, 2, kind, row)


cdef inline int mobility(const uint8_t *b, int n, Row *row) noexcept nogil:
    """TS 24.008 9.2."""
    cdef int kind = b[1] & 0x3F
    row.dtap = <uint8_t>kind
    if not TYPES[kind] & 1:
        return E_MESSAGE_TYPE
    if kind == 0x08:
        # LOCATION UPDATING REQUEST (9.2.15): type and key number, old area, classmark 1, identity.
        if n < 10:
            return E_DTAP_TRUNCATED
        row.service = b[2] & 15
        area(b + 3, row)
        return identity_lv(b, n, 9, row)
    if kind == 0x24 or kind == 0x28:
        # CM SERVICE REQUEST (9.2.9), CM RE-ESTABLISHMENT REQUEST (9.2.4): type, classmark 2, identity.
        if n < 4 or 4 + b[3] > n:
            return E_DTAP_TRUNCATED
        row.service = b[2] & 15 if kind == 0x24 else 0
        return identity_lv(b, n, 4 + b[3], row)
    if kind == 0x02 or kind == 0x1A:
        # LOCATION UPDATING ACCEPT (9.2.13), TMSI REALLOCATION COMMAND (9.2.17): new area, new identity.
        if n < 7:
            return E_DTAP_TRUNCATED
        area(b + 2, row)
        if kind == 0x1A:
            return identity_lv(b, n, 7, row)
        return identity_tlv(b, n, 7, row)
    if kind == 0x01:
        # IMSI DETACH INDICATION (9.2.12): classmark 1, identity.
        return identity_lv(b, n, 3, row)
    if kind == 0x19:
        # IDENTITY RESPONSE (9.2.11).
        return identity_lv(b, n, 2, row)
    if kind == 0x04 or kind == 0x22 or kind == 0x1C or kind == 0x29 or kind == 0x31:
        # LOCATION UPDATING REJECT (9.2.14), CM SERVICE REJECT (9.2.6), AUTHENTICATION FAILURE (9.2.3a),
        # ABORT (9.2.8), MM STATUS (9.2.16): reject cause (10.5.3.6).
        if n < 3:
            return E_DTAP_TRUNCATED
        row.cause = b[2]
        row.present |= HAS_CAUSE
        return 0
    if kind == 0x12:
        # AUTHENTICATION REQUEST (9.2.2): key number, RAND.
        return 0 if n >= 19 else E_DTAP_TRUNCATED
    if kind == 0x14:
        # AUTHENTICATION RESPONSE (9.2.3): SRES.
        return 0 if n >= 6 else E_DTAP_TRUNCATED
    if kind == 0x18 or kind == 0x25:
        # IDENTITY REQUEST (9.2.10): identity type; CM SERVICE PROMPT (9.2.5a): PD and SAPI.
        return 0 if n >= 3 else E_DTAP_TRUNCATED
    return 0


cdef inline int radio(const uint8_t *b, int n, Row *row) noexcept nogil:
    """TS 44.018 9.1, the few that pass the A interface."""
    cdef int kind = b[1]
    row.dtap = <uint8_t>kind
    if kind == 0x27:
        # PAGING RESPONSE (9.1.25): key number, classmark 2, identity.
        if n < 4 or 4 + b[3] > n:
            return E_DTAP_TRUNCATED
        return identity_lv(b, n, 4 + b[3], row)
    if kind == 0x32:
        # CIPHERING MODE COMPLETE (9.1.10): mobile equipment identity.
        return identity_tlv(b, n, 2, row)
    return 0


cdef inline int user_octets(int dcs, int length) noexcept nogil:
    """Octets that TP-UDL means under a data coding scheme (TS 23.038 4)."""
    cdef int group = dcs >> 4
    cdef bint septets
    if group < 8:
        # General and automatic deletion groups; compressed text (bit 6) counts octets.
        septets = not dcs & 0x20 and (dcs & 0x0C == 0 or dcs & 0x0C == 0x0C)
    elif group < 12:
        septets = True
    elif group < 14:
        septets = True
    elif group == 14:
        septets = False
    else:
        septets = not dcs & 4
    return (length * 7 + 7) >> 3 if septets else length


cdef inline int address(const uint8_t *b, int n, uint8_t *number, uint8_t *digits, uint8_t *kind) noexcept nogil:
    """TP address (TS 23.040 9.1.2.5); the octets it takes, -1 where it is wrong."""
    cdef int octets, i
    if n < 2 or b[0] > 20 or not b[1] & 0x80:
        return -1
    octets = (b[0] + 1) >> 1
    if 2 + octets > n:
        return -1
    # Type of number 101 is text in septets; in all others 1111 may stand behind the last digit only.
    if b[1] & 0x70 != 0x50:
        for i in range(b[0]):
            if (b[2 + (i >> 1)] >> 4 if i & 1 else b[2 + (i >> 1)] & 15) == 15:
                return -1
        if b[0] & 1 and b[1 + octets] >> 4 != 15:
            return -1
    memcpy(number, b + 2, octets)
    digits[0] = b[0]
    kind[0] = b[1]
    return 2 + octets


cdef int short_message(const uint8_t *b, int n, bint uplink, Row *row) noexcept nogil:
    """TPDU of an RP-DATA (TS 23.040 9.2.2): SUBMIT and COMMAND up, DELIVER and STATUS-REPORT down."""
    cdef int kind, at, taken, validity
    if n < 1:
        return E_TPDU
    kind = b[0] & 3
    if uplink and kind == 1:
        # SMS-SUBMIT (9.2.2.2): reference, destination, PID, DCS, validity period, user data.
        row.tp = 1
        if n < 2:
            return E_TPDU
        row.tp_reference = b[1]
        taken = address(b + 2, n - 2, row.called, &row.called_digits, &row.called_type)
        if taken < 0:
            return E_NUMBER
        row.present |= HAS_CALLED
        at = 2 + taken
        validity = (b[0] >> 3) & 3
        validity = 0 if validity == 0 else (1 if validity == 2 else 7)
    elif not uplink and kind == 0:
        # SMS-DELIVER (9.2.2.1): originator, PID, DCS, service centre time stamp, user data.
        row.tp = 3
        taken = address(b + 1, n - 1, row.calling, &row.calling_digits, &row.calling_type)
        if taken < 0:
            return E_NUMBER
        row.present |= HAS_CALLING
        at = 1 + taken
        validity = 7
    elif not uplink and kind == 2:
        # SMS-STATUS-REPORT (9.2.2.3): reference, recipient, two time stamps, status.
        row.tp = 4
        if n < 2:
            return E_TPDU
        row.tp_reference = b[1]
        taken = address(b + 2, n - 2, row.called, &row.called_digits, &row.called_type)
        if taken < 0:
            return E_NUMBER
        row.present |= HAS_CALLED
        return 0 if 2 + taken + 15 <= n else E_TPDU
    elif uplink and kind == 2:
        # SMS-COMMAND (9.2.2.4): reference, PID, command type, message number, destination, data.
        row.tp = 2
        if n < 5:
            return E_TPDU
        row.tp_reference = b[1]
        row.tp_pid = b[2]
        taken = address(b + 5, n - 5, row.called, &row.called_digits, &row.called_type)
        if taken < 0:
            return E_NUMBER
        row.present |= HAS_CALLED
        at = 5 + taken
        if at >= n or at + 1 + b[at] > n:
            return E_TPDU
        return 0
    else:
        return E_TPDU
    if at + 3 + validity > n:
        return E_TPDU
    row.tp_pid = b[at]
    row.tp_dcs = b[at + 1]
    at += 2 + validity
    row.tp_length = b[at]
    if at + 1 + user_octets(row.tp_dcs, b[at]) > n:
        return E_TPDU
    return 0


cdef int relay(const uint8_t *b, int n, Row *row) noexcept nogil:
    """RP message (TS 24.011 7.3)."""
    cdef int kind, at, i
    if n < 2:
        return E_SMS_HEADER
    kind = b[0]
    if kind > 6:
        return E_SMS_HEADER
    row.rp = <uint8_t>(kind + 1)
    row.rp_reference = b[1]
    if kind < 2:
        # RP-DATA: originator address, destination address, user data, each behind its length.
        at = 2
        for i in range(2):
            if at >= n or at + 1 + b[at] > n:
                return E_SMS_HEADER
            at += 1 + b[at]
        if at >= n or at + 1 + b[at] > n:
            return E_SMS_HEADER
        return short_message(b + at + 1, b[at], kind == 0, row)
    if kind < 6:
        at = 2
        if kind > 3:
            # RP-ERROR: RP-Cause (8.2.5.4) behind its length.
            if n < 4 or b[2] < 1 or 3 + b[2] > n:
                return E_SMS_HEADER
            row.cause = b[3] & 0x7F
            row.present |= HAS_CAUSE
            at = 3 + b[2]
        # RP-User data (8.2.5.3) is optional here.
        while at < n:
            if b[at] & 0x80:
                at += 1
                continue
            if at + 1 >= n or at + 2 + b[at + 1] > n:
                return E_SMS_HEADER if b[at] == 0x41 else 0
            at += 2 + b[at + 1]
    return 0


cdef inline int short_message_control(const uint8_t *b, int n, Row *row) noexcept nogil:
    """CP message (TS 24.011 7.2)."""
    row.dtap = b[1]
    row.cp = b[1]
    if b[1] == 0x01:
        if n < 3 or 3 + b[2] > n:
            return E_SMS_HEADER
        return relay(b + 3, b[2], row)
    if b[1] == 0x10:
        if n < 3:
            return E_SMS_HEADER
        row.cause = b[2]
        row.present |= HAS_CAUSE
        return 0
    return 0 if b[1] == 0x04 else E_SMS_HEADER


cdef void ciphered(const uint8_t *b, int n, Row *row) noexcept nogil:
    """The IMEISV of a CIPHERING MODE COMPLETE inside CIPHER MODE COMPLETE (TS 48.008 3.2.2.35)."""
    cdef Row inside
    if n < 2 or b[0] & 15 != 6 or b[1] != 0x32:
        return
    memset(&inside, 0, sizeof(Row))
    if radio(b, n, &inside) == 0 and inside.present & HAS_IMEI:
        row.imei = inside.imei
        row.imei_digits = inside.imei_digits
        row.present |= HAS_IMEI


cdef int layer3(const uint8_t *b, int n, Row *row) noexcept nogil:
    """One layer 3 message (TS 24.007 11.2.3), protocol discriminator first."""
    cdef int pd
    if n < 2:
        return E_DTAP_TRUNCATED
    pd = b[0] & 15
    row.pd = <uint8_t>pd
    row.ti = b[0] >> 4
    row.present |= HAS_DTAP
    if pd == 5:
        return mobility(b, n, row)
    if pd == 6:
        return radio(b, n, row)
    if pd != 3 and pd != 9 and pd != 11:
        return E_DTAP_DISCRIMINATOR
    if row.ti & 7 == 7:
        # TS 24.007 11.2.3.1.3: the identifier itself is in the next octet.
        if n < 3 or not b[1] & 0x80:
            return E_DTAP_TRUNCATED
        b += 1
        n -= 1
    if pd == 3:
        return call_control(b, n, row)
    if pd == 9:
        return short_message_control(b, n, row)
    row.dtap = b[1] & 0x3F
    return 0 if TYPES[row.dtap] & 4 else E_MESSAGE_TYPE
