# The automata of one connection: methods of Correlator. Each is one column of the kinds table.


cdef enum:
    K_POWER_ON = 1
    K_POWER_OFF = 2
    K_LOCATION_UPDATE = 3
    K_PERIODIC_UPDATE = 4
    K_LOCATION_UPDATE_REJECTED = 5
    K_CALL_STARTED = 10
    K_CALL_CONNECTED = 11
    K_CALL_ENDED = 12
    K_CALL_FAILED = 19
    K_SMS_SENT = 20
    K_SMS_RECEIVED = 21
    K_SMS_FAILED = 22
    K_USSD_USED = 23
    K_SS_USED = 24
    K_HANDSET_SEEN = 26
    K_HANDOVER = 30
    K_PAGING_NO_RESPONSE = 33
    K_SEEN = 34

cdef enum:
    CALLER = 1
    CALLEE = 2

# TS 24.080 3.6.2, as column `component` has them; and what tells the request of a service from a call.
cdef enum:
    INVOKE = 1
    RETURN_RESULT = 2
    RETURN_ERROR = 3
    REJECT = 4
    OF_SERVICE = 32

# TS 24.008 10.5.3.5: location updating type (bits 2-1) -> what its acceptance means.
cdef uint8_t *UPDATES = [K_LOCATION_UPDATE, K_PERIODIC_UPDATE, K_POWER_ON, K_LOCATION_UPDATE]

cdef uint8_t OUTCOME[1024]
for _i, _kind in enumerate(outcome_table()):
    OUTCOME[_i] = _kind

# Two semi-octets as ASCII digits, the low one first; 1111 is no digit.
cdef char DIGITS[512]
for _i in range(256):
    for _j, _digit in enumerate((_i & 15, _i >> 4)):
        DIGITS[2 * _i + _j] = b"0123456789*#abc\0"[_digit]

# What a message means to the automata. From A_LU_REQUEST on they are layer 3 messages.
cdef enum:
    A_NOTHING = 0
    A_LAYER3            # COMPLETE LAYER 3 INFORMATION
    A_PERFORMED         # HANDOVER PERFORMED
    A_COMMON_ID
    A_CLEAR
    A_REQUEST           # HANDOVER REQUEST
    A_ACKNOWLEDGE       # HANDOVER REQUEST ACKNOWLEDGE
    A_REQUIRED          # HANDOVER REQUIRED
    A_COMMAND           # HANDOVER COMMAND
    A_COMPLETE          # HANDOVER COMPLETE
    A_FAILED            # HANDOVER FAILURE, HANDOVER REQUIRED REJECT
    A_ASSIGNED          # ASSIGNMENT COMPLETE that names a cell
    A_HANDSET           # CIPHER MODE COMPLETE that tells the IMEISV
    A_LU_REQUEST
    A_NAMED             # CM SERVICE REQUEST, CM RE-ESTABLISHMENT REQUEST
    A_ANSWER            # PAGING RESPONSE
    A_DETACH
    A_IDENTITY          # IDENTITY RESPONSE
    A_REALLOCATION
    A_LU_ACCEPT
    A_LU_REJECT
    A_SETUP             # and EMERGENCY SETUP
    A_ALERTING
    A_CONNECT
    A_RELEASE           # DISCONNECT, RELEASE, RELEASE COMPLETE
    A_SHORT             # CP-DATA
    A_SERVICE           # REGISTER, FACILITY, RELEASE COMPLETE of a supplementary service

cdef enum:
    BSSMAP_LINE = 16    # and the next one where a cell or the handset is named

# By protocol discriminator (TS 24.007 11.2.3.1.1) and message type, behind them BSSMAP; all others mean nothing.
cdef uint8_t ACTION[18][256]
memset(&ACTION[0][0], 0, sizeof(ACTION))
for _pd, _code, _action in (
    # TS 48.008 3.2.2.1
    (BSSMAP_LINE, 0x57, A_LAYER3), (BSSMAP_LINE, 0x17, A_PERFORMED), (BSSMAP_LINE, 0x2F, A_COMMON_ID),
    (BSSMAP_LINE, 0x20, A_CLEAR), (BSSMAP_LINE, 0x10, A_REQUEST), (BSSMAP_LINE, 0x12, A_ACKNOWLEDGE),
    (BSSMAP_LINE, 0x11, A_REQUIRED), (BSSMAP_LINE, 0x13, A_COMMAND), (BSSMAP_LINE, 0x14, A_COMPLETE),
    (BSSMAP_LINE, 0x16, A_FAILED), (BSSMAP_LINE, 0x1A, A_FAILED),
    # TS 24.008 10.4, TS 44.018 10.4, TS 24.011 8.1.3
    (5, 0x08, A_LU_REQUEST), (5, 0x24, A_NAMED), (5, 0x28, A_NAMED), (6, 0x27, A_ANSWER), (5, 0x01, A_DETACH),
    (5, 0x19, A_IDENTITY), (5, 0x1A, A_REALLOCATION), (5, 0x02, A_LU_ACCEPT), (5, 0x04, A_LU_REJECT),
    (3, 0x05, A_SETUP), (3, 0x0E, A_SETUP), (3, 0x01, A_ALERTING), (3, 0x07, A_CONNECT),
    (3, 0x25, A_RELEASE), (3, 0x2D, A_RELEASE), (3, 0x2A, A_RELEASE), (9, 0x01, A_SHORT),
    # TS 24.080 3.4
    (11, 0x3B, A_SERVICE), (11, 0x3A, A_SERVICE), (11, 0x2A, A_SERVICE),
):
    ACTION[_pd][_code] = _action
    if _pd == BSSMAP_LINE:
        ACTION[BSSMAP_LINE + 1][_code] = _action
ACTION[BSSMAP_LINE + 1][0x02] = A_ASSIGNED
ACTION[BSSMAP_LINE + 1][0x55] = A_HANDSET


cdef inline int line_of(const Row *r) noexcept nogil:
    """Where ACTION has a BSSMAP message, without a branch: HAS_IMEI is bit 2 and HAS_CI bit 4."""
    return BSSMAP_LINE + ((r.present >> 2 | r.present >> 4) & 1)


cdef inline int action_of(const Row *r) noexcept nogil:
    """Action of a BSSAP message; 0 = it tells nothing, or there is none."""
    if r.bssmap:
        return ACTION[line_of(r)][r.bssmap]
    return ACTION[r.pd & 15][r.dtap]


cdef inline int action_near(const Row *r) noexcept nogil:
    """The same without a branch; with a layer 3 message inside BSSMAP it may be another one, but not 0."""
    return ACTION[line_of(r)][r.bssmap] | ACTION[r.pd & 15][r.dtap]


cdef void text_of(char *out, const uint8_t *number, int digits, int kind) noexcept nogil:
    """A number as ASCII: semi-octets, or septets where the type says alphanumeric (TS 23.040 9.1.2.5)."""
    cdef int i, value, count
    memset(out, 0, 20)
    if kind & 0x70 == 0x50:
        count = digits * 4 // 7
        for i in range(count if count < 11 else 11):
            value = number[(i * 7) >> 3] >> ((i * 7) & 7)
            if (i * 7) & 7 > 1 and ((i * 7) >> 3) + 1 < 10:
                value |= <int>number[((i * 7) >> 3) + 1] << (8 - ((i * 7) & 7))
            value &= 0x7F
            # TS 23.038 6.2.1: letters, figures and most signs are ASCII; what is not becomes a question mark.
            out[i] = <char>(value if 0x20 <= value < 0x7B and not (0x5B <= value <= 0x60) else 0x3F)
        return
    if digits > 20:
        digits = 20
    for i in range((digits + 1) >> 1):
        memcpy(out + 2 * i, DIGITS + 2 * number[i], 2)
    if digits & 1:
        out[digits] = 0


cdef inline void content(
    Core *co, uint32_t at, const Row *r, int action, int way, const uint8_t *user, int64_t t, bint last
) noexcept nogil:
    """The BSSAP message of one connection; `way` 0 = from its opener."""
    cdef Connection *c = co.pool + at
    cdef bint uplink
    if action == 0 or r.error:
        return
    if action < A_LU_REQUEST:
        management(co, at, r, action, way, t)
        if action != A_LAYER3 or not r.present & HAS_DTAP:
            return
        action = ACTION[r.pd & 15][r.dtap]
        if action == 0:
            return
    if c.handover & TARGET and not c.handover & MOVED and not last and hold_message(co, c.key_a, r, user, t):
        # Its call is still on the source leg, which is not tied yet: this and what follows must wait.
        c.handover |= BLOCKED
        return
    uplink = (way == 0) == (c.bss_opened != 0)
    if action < A_SETUP:
        mobility(co, at, r, action, t)
    elif action < A_SHORT:
        call_control(co, at, r, action, uplink, t)
    elif action == A_SHORT:
        short_message(co, at, r, t)
    else:
        service(co, at, r, uplink, t)


cdef inline void learn_side(Core *co, Connection *c, const Row *r, int way, bint from_bss) noexcept nogil:
    """Only one side may send this message: now it is known which is the BSS."""
    c.bss_opened = (way == 0) == from_bss
    co.links[link_of(c.key_a)].msc = r.dpc if from_bss else r.opc


cdef inline void new_cell(Connection *c, const Row *r) noexcept nogil:
    c.lac = r.lac
    c.ci = r.ci


cdef inline void management(Core *co, uint32_t at, const Row *r, int action, int way, int64_t t) noexcept nogil:
    """BSSMAP (TS 48.008 3.2.1)."""
    cdef Connection *c = co.pool + at
    cdef bint moved
    if action == A_LAYER3:
        learn_side(co, c, r, way, True)
        if r.present & HAS_CELL:
            new_cell(c, r)
    elif action == A_PERFORMED:
        # TS 48.008 3.2.1.25: also where only the channel has changed.
        if r.present & HAS_CELL:
            moved = c.ci != r.ci or c.lac != r.lac
            new_cell(c, r)
            if moved:
                emit(co, at, K_HANDOVER, 0, t, r.corr)
    elif action == A_ASSIGNED:
        # TS 48.008 3.2.1.3: the cell, where it is not the one of before.
        new_cell(c, r)
    elif action == A_COMMON_ID:
        told_imsi(co, at, r.imsi)
    elif action == A_HANDSET:
        handset(co, at, r, t)
    elif action == A_CLEAR:
        clear_command(co, at, r, t)
    else:
        handover(co, at, r, action, way, t)


cdef void handover(Core *co, uint32_t at, const Row *r, int action, int way, int64_t t) noexcept nogil:
    """Handover between cells of two BSSs (TS 48.008 3.1.5)."""
    cdef Connection *c = co.pool + at
    if action == A_REQUEST:
        # The target leg, in the cell named last.
        learn_side(co, c, r, way, False)
        c.handover |= TARGET
        new_cell(c, r)
        if c.imsi:
            tie_by_imsi(co, at)
    elif action == A_REQUIRED or action == A_COMMAND:
        # On the source leg.
        if c.handover & TARGET:
            # It was a target itself, and is now a leg like any other.
            handover_failed(co, at)
        c.handover = SOURCE
        if action == A_COMMAND:
            tie_by_bytes(co, at, r.digest, True)
        if c.imsi:
            tie_by_imsi(co, at)
    elif action == A_ACKNOWLEDGE:
        if c.handover & TARGET:
            tie_by_bytes(co, at, r.digest, False)
    elif action == A_COMPLETE:
        if c.handover & TARGET and not c.handover & ARRIVED:
            co.counts[C_HANDOVERS] += 1
            c.handover |= ARRIVED
            handover_done(co, at)
            emit(co, at, K_HANDOVER, 0, t, r.corr)
    else:
        # All stays as it was.
        handover_failed(co, at)


cdef inline void mobility(Core *co, uint32_t at, const Row *r, int action, int64_t t) noexcept nogil:
    """Location updating, detach, identification (TS 24.008 4.3, 4.4)."""
    cdef Connection *c = co.pool + at
    cdef Behaviour *row
    if action == A_LU_REQUEST:
        c.updating = r.service & 3
        c.old_plmn = r.lai_plmn if r.plmn and r.lai_plmn != r.plmn else 0
        c.tmsi_lac = r.lai_lac
        named_by_handset(co, at, r, r.lai_lac, c.old_plmn == 0)
    elif action == A_NAMED:
        named_by_handset(co, at, r, c.lac, True)
    elif action == A_ANSWER:
        named_by_handset(co, at, r, c.lac, True)
        if c.imsi:
            page_answered(co, c.imsi, t)
        else:
            c.has |= ANSWERS
    elif action == A_DETACH:
        named_by_handset(co, at, r, c.lac, True)
        emit(co, at, K_POWER_OFF, 0, t, r.corr)
        # TS 24.008 4.3.4: nothing follows. Who is named on this reference from now on is not he.
        c.has &= <uint8_t>~NAMED
    elif action == A_IDENTITY:
        if r.present & HAS_IMSI:
            told_imsi(co, at, r.imsi)
        elif r.present & HAS_IMEI:
            handset(co, at, r, t)
    elif action == A_REALLOCATION or action == A_LU_ACCEPT:
        # The TMSI holds in the area named with it.
        if r.present & HAS_IMSI:
            told_imsi(co, at, r.imsi)
        elif r.present & HAS_TMSI:
            rename(co, c, r.lai_lac, r.tmsi)
        elif action == A_LU_ACCEPT and c.has & (NAMED | RENAMED) == NAMED:
            # 24.008 4.4.4.6: without an identity the old TMSI is kept, in the new area.
            rename(co, c, r.lai_lac, c.tmsi)
        if action == A_LU_ACCEPT and c.updating != 255:
            row = emit(co, at, UPDATES[c.updating], 0, t, r.corr)
            # TS 24.008 10.5.1.3, TS 23.003 4.1: LAC 0000 and FFFE stand for no valid area.
            if row != NULL and row.kind == K_LOCATION_UPDATE and c.tmsi_lac != 0 and c.tmsi_lac != 0xFFFE:
                row.detail = <uint64_t>c.old_plmn << 16 | c.tmsi_lac
            c.updating = 255
    elif action == A_LU_REJECT:
        if c.updating != 255:
            row = emit(co, at, K_LOCATION_UPDATE_REJECTED, 0, t, r.corr)
            if row != NULL:
                row.cause = r.cause
            c.updating = 255


cdef void handset(Core *co, uint32_t at, const Row *r, int64_t t) noexcept nogil:
    """The IMEI or IMEISV of a connection's subscriber, once, where the IMSI itself was told there."""
    cdef Connection *c = co.pool + at
    cdef uint64_t fourteen
    cdef Behaviour *row
    if c.has & (CERTAIN | HANDSET) != CERTAIN:
        return
    if r.imei_digits == 16:
        # TS 23.003 6.2.2: IMEISV, two digits of software version in the place of the check digit.
        fourteen = r.imei // 100
    else:
        fourteen = r.imei // 10
    # TS 23.003 6.2.1: the last digit is sent as 0, or is the check digit. No type allocation code is 0.
    if (
        r.imei_digits < 15 or r.imei_digits > 16 or fourteen < 1000000
        or r.imei_digits == 15 and r.imei % 10 != 0 and r.imei % 10 != check_digit(fourteen)
    ):
        co.counts[C_WRONG_IMEI] += 1
        return
    c.has |= HANDSET
    row = emit(co, at, K_HANDSET_SEEN, 0, t, r.corr)
    if row != NULL:
        row.detail = fourteen * 10 + check_digit(fourteen)


cdef uint64_t check_digit(uint64_t fourteen) noexcept nogil:
    """TS 23.003 annex B: the sum of the digits, every other one doubled, is made a multiple of ten."""
    cdef uint64_t total = 0, twice
    cdef int i
    for i in range(14):
        twice = fourteen % 10 * (2 - (i & 1))
        total += twice // 10 + twice % 10
        fourteen //= 10
    return (10 - total % 10) % 10


cdef inline void rename(Core *co, Connection *c, uint16_t lac, uint32_t tmsi) noexcept nogil:
    """A TMSI given to the handset."""
    c.new_tmsi = tmsi
    c.new_lac = lac
    c.has |= RENAMED
    bind_tmsi(co, identity_key(lac, tmsi), c.imsi)


cdef inline void call_control(
    Core *co, uint32_t at, const Row *r, int action, bint uplink, int64_t t
) noexcept nogil:
    """Calls (TS 24.008 5.2): SETUP, ALERTING, CONNECT, and the first message that releases."""
    cdef Connection *c = co.pool + at
    cdef Call *call
    cdef int i, slot = -1
    # TS 24.007 11.2.3.1.3: flag 0 comes from the side that allocated the transaction identifier.
    cdef uint8_t ti = <uint8_t>((r.ti & 7) | (0 if (r.ti < 8) == uplink else 8))
    if c.calls == 0 and action != A_SETUP:
        return
    call = back(co, at).calls
    for i in range(2):
        if call[i].state and call[i].ti == ti:
            slot = i
    if action == A_SETUP:
        if slot >= 0 and call[slot].state != OVER:
            co.counts[C_COPIES] += 1
            return
        if slot < 0:
            slot = 0 if not c.calls & 1 else (1 if not c.calls & 2 else -1)
        if slot < 0:
            co.counts[C_CALLS_DROPPED] += 1
            return
        call += slot
        c.calls |= <uint8_t>(1 << slot)
        call.state = STARTED
        call.ti = ti
        call.role = CALLER if uplink else CALLEE
        if uplink and r.present & HAS_CALLED:
            text_of(call.peer, r.called, r.called_digits, 0)
        elif not uplink and r.present & HAS_CALLING:
            text_of(call.peer, r.calling, r.calling_digits, 0)
        else:
            memset(call.peer, 0, sizeof(call.peer))
        emit_call(co, at, call, K_CALL_STARTED, t, r.corr)
        return
    if slot < 0:
        return
    call += slot
    if action == A_ALERTING:
        if call.state == STARTED:
            call.state = ALERTED
    elif action == A_CONNECT:
        if call.state < CONNECTED:
            call.state = CONNECTED
            call.connected_us = t
            emit_call(co, at, call, K_CALL_CONNECTED, t, r.corr)
    elif call.state != OVER:
        finish(
            co, at, slot,
            OUTCOME[(((call.role == CALLEE) * 2 + uplink) * 2 + (call.state == ALERTED)) * 128 + (r.cause & 127)],
            r.cause, t, r.corr,
        )

cdef inline Behaviour *emit_call(
    Core *co, uint32_t at, const Call *call, int kind, int64_t t, uint32_t corr
) noexcept nogil:
    cdef Behaviour *row = emit(co, at, kind, call.role, t, corr)
    if row != NULL:
        memcpy(row.peer, call.peer, sizeof(call.peer))
    return row

cdef void finish(Core *co, uint32_t at, int slot, int kind, int cause, int64_t t, uint32_t corr) noexcept nogil:
    """The end of a call: `kind` where it was not connected."""
    cdef Call *call = &back(co, at).calls[slot]
    cdef bint connected = call.state == CONNECTED
    cdef Behaviour *row = emit_call(co, at, call, K_CALL_ENDED if connected else kind, t, corr)
    if row != NULL:
        row.cause = <uint8_t>cause
        if connected:
            row.duration_us = t - call.connected_us
    call.state = OVER
    co.pool[at].calls &= <uint8_t>~(1 << slot)

cdef void service(Core *co, uint32_t at, const Row *r, bint uplink, int64_t t) noexcept nogil:
    """Supplementary services outside a call, USSD (TS 24.080 2): an operation of the handset, and its answer."""
    cdef Connection *c = co.pool + at
    cdef Call *call = back(co, at).calls
    cdef Behaviour *row
    cdef int i, slot = -1
    cdef uint8_t ti = <uint8_t>((r.ti & 7) | (0 if (r.ti < 8) == uplink else 8) | OF_SERVICE)
    for i in range(2):
        if c.calls & (1 << i) and call[i].ti == ti:
            slot = i
    if uplink and r.component == INVOKE:
        # TS 29.002 17.5: 10-14 register to interrogate, 17 registerPassword, 59 processUnstructuredSS-Request.
        if not (10 <= r.operation <= 14 or r.operation == 17 or r.operation == 59):
            return
        if slot < 0:
            slot = 0 if not c.calls & 1 else (1 if not c.calls & 2 else -1)
        if slot < 0:
            co.counts[C_CALLS_DROPPED] += 1
            return
        call += slot
        c.calls |= <uint8_t>(1 << slot)
        call.state = STARTED
        call.ti = ti
        call.role = 0
        call.invoke = r.invoke_id
        call.connected_us = (<int64_t>r.ss_code << 8) | r.operation
        text_of(call.peer, r.called, r.called_digits, 0)
        return
    if slot < 0:
        return
    call += slot
    if not uplink and r.component > INVOKE and r.invoke_id == call.invoke:
        row = emit_call(co, at, call, K_USSD_USED if call.connected_us & 0xFF == 59 else K_SS_USED, t, r.corr)
        if row != NULL:
            if row.kind == K_SS_USED:
                row.detail = <uint64_t>call.connected_us
            # TS 24.080 3.6.6: of a return error its code; a reject has a problem code, which no column has.
            row.cause = r.operation if r.component == RETURN_ERROR else (255 if r.component == REJECT else 0)
    elif r.dtap != 0x2A:
        return
    call.state = 0
    c.calls &= <uint8_t>~(1 << slot)


cdef inline void short_message(Core *co, uint32_t at, const Row *r, int64_t t) noexcept nogil:
    """RP-DATA and its answer (TS 24.011 6): the RP type tells the direction, 0, 2, 4 from the handset."""
    cdef Connection *c = co.pool + at
    cdef Message *m
    cdef Behaviour *row
    cdef int kind = r.rp - 1, way
    if kind == 0 or kind == 1:
        m = &back(co, at).messages[kind]
        m.kind = r.tp
        m.reference = r.rp_reference
        if r.tp == 1:
            memcpy(m.peer, r.called, 10)
            m.digits = r.called_digits
            m.type = r.called_type
        elif r.tp == 3:
            memcpy(m.peer, r.calling, 10)
            m.digits = r.calling_digits
            m.type = r.calling_type
        c.messages = <uint8_t>((c.messages & ~(1 << kind)) | ((r.tp != 0) << kind))
        return
    if kind < 2 or kind > 5:
        return
    # RP-ACK and RP-ERROR go the other way than the RP-DATA that they answer.
    way = 0 if kind & 1 else 1
    if not c.messages & (1 << way):
        return
    m = &back(co, at).messages[way]
    if m.reference != r.rp_reference:
        return
    if m.kind == (1 if way == 0 else 3):
        row = emit(
            co, at,
            K_SMS_FAILED if kind > 3 else (K_SMS_SENT if way == 0 else K_SMS_RECEIVED),
            CALLER if way == 0 else CALLEE, t, r.corr,
        )
        if row != NULL:
            text_of(row.peer, m.peer, m.digits, m.type)
            if kind > 3:
                row.cause = r.cause
    c.messages &= <uint8_t>~(1 << way)
