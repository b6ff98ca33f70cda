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
    K_HANDOVER = 30

cdef enum:
    CALLER = 1
    CALLEE = 2

# TS 24.008 10.5.3.5: location updating type (bits 2-1) -> what its acceptance means.
cdef uint8_t *UPDATES = [K_LOCATION_UPDATE, K_PERIODIC_UPDATE, K_POWER_ON, K_LOCATION_UPDATE]

cdef uint8_t OUTCOME[1024]
for _i, _kind in enumerate(outcome_table()):
    OUTCOME[_i] = _kind

cdef const char *DIGIT = b"0123456789*#abc"


cdef void peer_text(char *out, const uint8_t *number, int digits, int kind) noexcept nogil:
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
    for i in range(digits if digits < 20 else 20):
        value = number[i >> 1] >> 4 if i & 1 else number[i >> 1] & 15
        if value == 15:
            return
        out[i] = DIGIT[value]


cdef inline void content(Core *co, uint32_t at, Row *r, const uint8_t *user, int64_t t, bint last) noexcept nogil:
    """The BSSAP message of one connection."""
    cdef Connection *c = co.pool + at
    cdef bint uplink
    if r.error:
        return
    if r.bssmap:
        management(co, at, r, t)
        c = co.pool + at
    if r.present & HAS_DTAP and r.bssmap != 0x55:
        if c.handover & TARGET and not c.handover & MOVED and not last and hold_message(co, c.key_a, r, user, t):
            # Its call is still on the source leg, which is not tied yet: this and what follows must wait.
            c.handover |= BLOCKED
            return
        uplink = (r.opc == c.opener) == (c.bss_opened != 0)
        if r.pd == 5:
            mobility(co, at, r, uplink, t)
        elif r.pd == 3:
            call_control(co, at, r, uplink, t)
        elif r.pd == 9:
            short_message(co, at, r, t)
        elif r.pd == 6 and r.dtap == 0x27:
            named_by_handset(co, at, r, c.lac, True)

cdef void learn_side(Core *co, uint32_t at, Row *r, bint from_bss) noexcept nogil:
    """Only one side may send this message: now it is known which is the BSS."""
    cdef Connection *c = co.pool + at
    cdef uint32_t link = link_number(co, r.opc, r.dpc, True)
    c.bss_opened = (r.opc == c.opener) == from_bss
    if link != NONE:
        co.link_msc[link] = r.dpc if from_bss else r.opc

cdef void management(Core *co, uint32_t at, Row *r, int64_t t) noexcept nogil:
    """BSSMAP (TS 48.008 3.2.1)."""
    cdef Connection *c = co.pool + at
    cdef int kind = r.bssmap
    if kind == 0x57 or kind == 0x17:
        # COMPLETE LAYER 3 INFORMATION, HANDOVER PERFORMED: the cell now serving.
        if kind == 0x57:
            learn_side(co, at, r, True)
        if r.present & HAS_CELL:
            c.lac = r.lac
            c.ci = r.ci
            c.plmn = r.plmn
    elif kind == 0x2F:
        learn_imsi(co, at, r.imsi)
    elif kind == 0x20:
        clear_command(co, at, r, t)
    elif kind == 0x10:
        # HANDOVER REQUEST: the target leg, in the cell named last.
        learn_side(co, at, r, False)
        c.handover |= TARGET
        c.lac = r.lac
        c.ci = r.ci
        c.plmn = r.plmn
        if c.imsi:
            tie_by_imsi(co, at)
    elif kind == 0x11 or kind == 0x13:
        # HANDOVER REQUIRED, HANDOVER COMMAND: on the source leg.
        if c.handover & TARGET:
            # It was a target itself, and is now a leg like any other.
            handover_failed(co, at)
        c.handover = SOURCE
        if kind == 0x13:
            tie_by_bytes(co, at, r.digest, True)
        if c.imsi:
            tie_by_imsi(co, at)
    elif kind == 0x12:
        if c.handover & TARGET:
            tie_by_bytes(co, at, r.digest, False)
    elif kind == 0x14:
        if c.handover & TARGET and not c.handover & ARRIVED:
            co.counts[C_HANDOVERS] += 1
            c.handover |= ARRIVED
            handover_done(co, at)
            emit(co, at, K_HANDOVER, 0, t, r.corr)
    elif kind == 0x16 or kind == 0x1A:
        # HANDOVER FAILURE, HANDOVER REQUIRED REJECT: all stays as it was.
        handover_failed(co, at)


cdef void mobility(Core *co, uint32_t at, Row *r, bint uplink, int64_t t) noexcept nogil:
    """Location updating, detach, identification (TS 24.008 4.3, 4.4)."""
    cdef Connection *c = co.pool + at
    cdef Behaviour *row
    cdef int kind = r.dtap
    if kind == 0x08:
        c.updating = r.service & 3
        named_by_handset(co, at, r, r.lai_lac, c.plmn == 0 or r.lai_plmn == c.plmn)
    elif kind == 0x24 or kind == 0x28:
        named_by_handset(co, at, r, c.lac, True)
    elif kind == 0x01:
        named_by_handset(co, at, r, c.lac, True)
        emit(co, at, K_POWER_OFF, 0, t, r.corr)
    elif kind == 0x19:
        if r.present & HAS_IMSI:
            learn_imsi(co, at, r.imsi)
    elif kind == 0x1A or kind == 0x02:
        # TMSI REALLOCATION COMMAND, LOCATION UPDATING ACCEPT: the TMSI holds in the area named with it.
        if r.present & HAS_IMSI:
            learn_imsi(co, at, r.imsi)
        elif r.present & HAS_TMSI:
            c.new_tmsi = identity_key(r.lai_lac, r.tmsi)
            bind_tmsi(co, c.new_tmsi, c.imsi)
        elif kind == 0x02 and c.tmsi and not c.new_tmsi:
            # 24.008 4.4.4.6: without an identity the old TMSI is kept, in the new area.
            c.new_tmsi = identity_key(r.lai_lac, <uint32_t>c.tmsi)
            bind_tmsi(co, c.new_tmsi, c.imsi)
        if kind == 0x02 and c.updating != 255:
            emit(co, at, UPDATES[c.updating], 0, t, r.corr)
            c.updating = 255
    elif kind == 0x04 and c.updating != 255:
        row = emit(co, at, K_LOCATION_UPDATE_REJECTED, 0, t, r.corr)
        if row != NULL:
            row.cause = r.cause
        c.updating = 255

cdef void call_control(Core *co, uint32_t at, Row *r, bint uplink, int64_t t) noexcept nogil:
    """Calls (TS 24.008 5.2): SETUP, ALERTING, CONNECT, and the first message that releases."""
    cdef Connection *c = co.pool + at
    cdef Call *call = NULL
    cdef Behaviour *row
    cdef int kind = r.dtap, i, slot = -1
    # TS 24.007 11.2.3.1.3: flag 0 comes from the side that allocated the transaction identifier.
    cdef uint8_t ti = <uint8_t>((r.ti & 7) | (0 if (r.ti < 8) == uplink else 8))
    if kind not in (0x05, 0x0E, 0x01, 0x07, 0x25, 0x2D, 0x2A):
        return
    for i in range(2):
        if c.calls[i].state and c.calls[i].ti == ti:
            slot = i
    if kind == 0x05 or kind == 0x0E:
        if slot < 0:
            for i in range(2):
                if slot < 0 and (c.calls[i].state == 0 or c.calls[i].state == OVER):
                    slot = i
        if slot < 0:
            co.counts[C_CALLS_DROPPED] += 1
            return
        call = &c.calls[slot]
        memset(call, 0, sizeof(Call))
        call.state = STARTED
        call.ti = ti
        call.role = CALLER if uplink else CALLEE
        if uplink and r.present & HAS_CALLED:
            memcpy(call.peer, r.called, 10)
            call.digits = r.called_digits
            call.type = 0
        elif not uplink and r.present & HAS_CALLING:
            memcpy(call.peer, r.calling, 10)
            call.digits = r.calling_digits
            call.type = 0
        emit_call(co, at, call, K_CALL_STARTED, t, r.corr)
        return
    if slot < 0:
        return
    call = &c.calls[slot]
    if kind == 0x01:
        if call.state == STARTED:
            call.state = ALERTED
    elif kind == 0x07:
        if call.state < CONNECTED:
            call.state = CONNECTED
            call.connected_us = t
            emit_call(co, at, call, K_CALL_CONNECTED, t, r.corr)
    elif call.state != OVER:
        finish(co, 
            at, slot,
            OUTCOME[(((call.role == CALLEE) * 2 + uplink) * 2 + (call.state == ALERTED)) * 128 + (r.cause & 127)],
            r.cause, t, r.corr,
        )

cdef Behaviour *emit_call(Core *co, uint32_t at, const Call *call, int kind, int64_t t, uint32_t corr) noexcept nogil:
    cdef Behaviour *row = emit(co, at, kind, call.role, t, corr)
    if row != NULL:
        peer_text(row.peer, call.peer, call.digits, call.type)
    return row

cdef void finish(Core *co, uint32_t at, int slot, int kind, int cause, int64_t t, uint32_t corr) noexcept nogil:
    """The end of a call: `kind` where it was not connected."""
    cdef Call *call = &co.pool[at].calls[slot]
    cdef bint connected = call.state == CONNECTED
    cdef Behaviour *row = emit_call(co, at, call, K_CALL_ENDED if connected else kind, t, corr)
    if row != NULL:
        row.cause = <uint8_t>cause
        if connected:
            row.duration_us = t - call.connected_us
    call.state = OVER

cdef void short_message(Core *co, uint32_t at, Row *r, int64_t t) noexcept nogil:
    """RP-DATA and its answer (TS 24.011 6): the RP type tells the direction, 0, 2, 4 from the handset."""
    cdef Connection *c = co.pool + at
    cdef Message *m
    cdef Behaviour *row
    cdef int kind = r.rp - 1, way
    if kind == 0 or kind == 1:
        m = &c.messages[kind]
        memset(m, 0, sizeof(Message))
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
        return
    if kind < 2 or kind > 5:
        return
    # RP-ACK and RP-ERROR go the other way than the RP-DATA that they answer.
    way = 0 if kind & 1 else 1
    m = &c.messages[way]
    if m.kind == 0 or m.reference != r.rp_reference:
        return
    if m.kind == (1 if way == 0 else 3):
        row = emit(co, 
            at,
            K_SMS_FAILED if kind > 3 else (K_SMS_SENT if way == 0 else K_SMS_RECEIVED),
            CALLER if way == 0 else CALLEE, t, r.corr,
        )
        if row != NULL:
            peer_text(row.peer, m.peer, m.digits, m.type)
            if kind > 3:
                row.cause = r.cause
    m.kind = 0
