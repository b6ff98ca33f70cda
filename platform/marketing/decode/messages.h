/* Short messages: CP and RP (TS 24.011), TPDU headers (TS 23.040). */
#ifndef KAIROS_DECODE_MESSAGES_H
#define KAIROS_DECODE_MESSAGES_H

#include "elements.h"

/* Octets that TP-UDL means under a data coding scheme (TS 23.038 4). */
INLINED int user_octets(int dcs, int length) {
    int group = dcs >> 4, septets;
    if (group < 8)
        /* General and automatic deletion groups; compressed text (bit 6) counts octets. */
        septets = !(dcs & 0x20) && ((dcs & 0x0C) == 0 || (dcs & 0x0C) == 0x0C);
    else if (group < 14)
        septets = 1;
    else
        septets = group == 15 && !(dcs & 4);
    return septets ? (length * 7 + 7) >> 3 : length;
}

/* TP address (TS 23.040 9.1.2.5); the octets it takes, -1 where it is wrong. */
INLINED int address(const uint8_t *b, int n, uint8_t *number, uint8_t *digits, uint8_t *kind) {
    int octets;
    if (n < 2 || b[0] > 20 || !(b[1] & 0x80))
        return -1;
    octets = (b[0] + 1) >> 1;
    if (2 + octets > n)
        return -1;
    /* Type of number 101 is text in septets; in all others 1111 may stand behind the last digit only. */
    if ((b[1] & 0x70) != 0x50) {
        for (int i = 0; i < b[0]; i++) {
            int octet = b[2 + (i >> 1)];
            if ((i & 1 ? octet >> 4 : octet & 15) == 15)
                return -1;
        }
        if (b[0] & 1 && b[1 + octets] >> 4 != 15)
            return -1;
    }
    memcpy(number, b + 2, (size_t)octets);
    *digits = b[0];
    *kind = b[1];
    return 2 + octets;
}

INLINED int called_address(const uint8_t *b, int n, struct row *row) {
    row->present |= P_CALLED;
    return address(b, n, row->called, &row->called_digits, &row->called_type);
}

/* TPDU of an RP-DATA (TS 23.040 9.2.2): SUBMIT and COMMAND up, DELIVER and STATUS-REPORT down. */
APART int short_message(const uint8_t *b, int n, int uplink, struct row *row) {
    static const uint8_t VALIDITY[4] = {0, 7, 1, 7}; /* TS 23.040 9.2.3.3: none, enhanced, relative, absolute */
    int kind, at, taken;
    if (n < 1)
        return E_TPDU;
    kind = b[0] & 3;
    if (uplink && kind == 1) {
        /* SMS-SUBMIT (9.2.2.2): reference, destination, PID, DCS, validity period, user data. */
        row->tp = 1;
        if (n < 2)
            return E_TPDU;
        row->tp_reference = b[1];
        taken = called_address(b + 2, n - 2, row);
        if (taken < 0)
            return E_NUMBER;
        at = 2 + taken;
        taken = VALIDITY[b[0] >> 3 & 3];
    } else if (!uplink && kind == 0) {
        /* SMS-DELIVER (9.2.2.1): originator, PID, DCS, service centre time stamp, user data. */
        row->tp = 3;
        row->present |= P_CALLING;
        taken = address(b + 1, n - 1, row->calling, &row->calling_digits, &row->calling_type);
        if (taken < 0)
            return E_NUMBER;
        at = 1 + taken;
        taken = 7;
    } else if (!uplink && kind == 2) {
        /* SMS-STATUS-REPORT (9.2.2.3): reference, recipient, two time stamps, status. */
        row->tp = 4;
        if (n < 2)
            return E_TPDU;
        row->tp_reference = b[1];
        taken = called_address(b + 2, n - 2, row);
        if (taken < 0)
            return E_NUMBER;
        return 2 + taken + 15 <= n ? 0 : E_TPDU;
    } else if (uplink && kind == 2) {
        /* SMS-COMMAND (9.2.2.4): reference, PID, command type, message number, destination, data. */
        row->tp = 2;
        if (n < 5)
            return E_TPDU;
        row->tp_reference = b[1];
        row->tp_pid = b[2];
        taken = called_address(b + 5, n - 5, row);
        if (taken < 0)
            return E_NUMBER;
        return leading(b, n, 5 + taken) >= 0 ? 0 : E_TPDU;
    } else {
        return E_TPDU;
    }
    if (at + 3 + taken > n)
        return E_TPDU;
    row->tp_pid = b[at];
    row->tp_dcs = b[at + 1];
    at += 2 + taken;
    row->tp_length = b[at];
    return at + 1 + user_octets(row->tp_dcs, b[at]) <= n ? 0 : E_TPDU;
}

/* RP message (TS 24.011 7.3). */
INLINED int relay(const uint8_t *b, int n, struct row *row) {
    int kind, at = 2;
    if (n < 2 || b[0] > 6)
        return E_SMS_HEADER;
    kind = b[0];
    row->rp = (uint8_t)(kind + 1);
    row->rp_reference = b[1];
    if (kind < 2) {
        /* RP-DATA: originator address, destination address, user data, each behind its length. */
        for (int i = 0; i < 2; i++) {
            at = leading(b, n, at);
            if (at < 0)
                return E_SMS_HEADER;
        }
        if (leading(b, n, at) < 0)
            return E_SMS_HEADER;
        return short_message(b + at + 1, b[at], kind == 0, row);
    }
    if (kind == 6)
        return 0;
    if (kind > 3) {
        /* RP-ERROR: RP-Cause (8.2.5.4) behind its length. */
        if (n < 4 || b[2] < 1 || 3 + b[2] > n)
            return E_SMS_HEADER;
        row->cause = b[3] & 0x7F;
        row->present |= P_CAUSE;
        at = 3 + b[2];
    }
    /* RP-User data (8.2.5.3) is optional here. */
    while (at < n) {
        if (b[at] & 0x80) {
            at++;
            continue;
        }
        if (at + 1 >= n || at + 2 + b[at + 1] > n)
            return b[at] == 0x41 ? E_SMS_HEADER : 0;
        at += 2 + b[at + 1];
    }
    return 0;
}

/* CP message (TS 24.011 7.2) of a known type and at least two octets. */
INLINED int short_message_control(const uint8_t *b, int n, struct row *row) {
    row->cp = b[1];
    if (b[1] == 0x04)
        return 0;
    if (n < 3)
        return E_SMS_HEADER;
    if (b[1] == 0x10) {
        row->cause = b[2];
        row->present |= P_CAUSE;
        return 0;
    }
    return leading(b, n, 2) < 0 ? E_SMS_HEADER : relay(b + 3, b[2], row);
}

#endif
