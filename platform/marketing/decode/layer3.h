/* Layer 3 messages of the mobile station (TS 24.008, TS 44.018), found in one table by protocol and type. */
#ifndef KAIROS_DECODE_LAYER3_H
#define KAIROS_DECODE_LAYER3_H

#include "components.h"
#include "elements.h"
#include "messages.h"

/* Protocol discriminators (TS 24.007 11.2.3.1.1). */
enum { CC = 3, MM = 5, RR = 6, SMS = 9, SS = 11 };

/* What there is to do for a message. */
enum what {
    UNLISTED,        /* no such type */
    NOTHING,         /* its length is all there is to check */
    IDENTITY_AT,     /* a mobile identity behind its length, at octet `at` */
    LU_REQUEST,      /* type, area, classmark 1, identity */
    CM_REQUEST,      /* type, classmark 2, identity */
    CLASSMARK_FIRST, /* one octet, classmark 2, identity */
    LU_ACCEPT,       /* area; identity is optional */
    REALLOCATION,    /* area, identity */
    REJECT_CAUSE,    /* one octet */
    OPTIONAL_IDENTITY,
    SETUP,           /* numbers among the optional elements */
    LENGTH_AT,       /* an element of length and value at octet `at` */
    CAUSE_AT,        /* the same, and it is a cause */
    CAUSE_SECOND,    /* the second of two such */
    STATUS,          /* cause, call state */
    OPTIONAL_CAUSE,
    CONTROL,         /* CP message */
    RELEASE, FACILITY, REGISTER /* supplementary services */
};

struct kind {
    uint8_t what;
    uint8_t least; /* octets with the discriminator and the type, or the message is cut off */
    uint8_t at;
};

static const struct kind KINDS[16][64] = {
    [MM] = { /* TS 24.008 9.2 */
        [0x01] = {IDENTITY_AT, 2, 3},   /* IMSI DETACH INDICATION (9.2.12): classmark 1, identity */
        [0x02] = {LU_ACCEPT, 7},        /* LOCATION UPDATING ACCEPT (9.2.13) */
        [0x04] = {REJECT_CAUSE, 3},     /* LOCATION UPDATING REJECT (9.2.14) */
        [0x08] = {LU_REQUEST, 10},      /* LOCATION UPDATING REQUEST (9.2.15) */
        [0x11] = {NOTHING, 2},          /* AUTHENTICATION REJECT */
        [0x12] = {NOTHING, 19},         /* AUTHENTICATION REQUEST (9.2.2): key number, RAND */
        [0x14] = {NOTHING, 6},          /* AUTHENTICATION RESPONSE (9.2.3): SRES */
        [0x18] = {NOTHING, 3},          /* IDENTITY REQUEST (9.2.10): identity type */
        [0x19] = {IDENTITY_AT, 2, 2},   /* IDENTITY RESPONSE (9.2.11) */
        [0x1A] = {REALLOCATION, 7},     /* TMSI REALLOCATION COMMAND (9.2.17) */
        [0x1B] = {NOTHING, 2},          /* TMSI REALLOCATION COMPLETE */
        [0x1C] = {REJECT_CAUSE, 3},     /* AUTHENTICATION FAILURE (9.2.3a) */
        [0x21] = {NOTHING, 2},          /* CM SERVICE ACCEPT */
        [0x22] = {REJECT_CAUSE, 3},     /* CM SERVICE REJECT (9.2.6) */
        [0x23] = {NOTHING, 2},          /* CM SERVICE ABORT */
        [0x24] = {CM_REQUEST, 4},       /* CM SERVICE REQUEST (9.2.9) */
        [0x25] = {NOTHING, 3},          /* CM SERVICE PROMPT (9.2.5a): PD and SAPI */
        [0x28] = {CLASSMARK_FIRST, 4},  /* CM RE-ESTABLISHMENT REQUEST (9.2.4) */
        [0x29] = {REJECT_CAUSE, 3},     /* ABORT (9.2.8) */
        [0x30] = {NOTHING, 2},          /* MM NULL */
        [0x31] = {REJECT_CAUSE, 3},     /* MM STATUS (9.2.16) */
        [0x32] = {NOTHING, 2},          /* MM INFORMATION */
    },
    [CC] = { /* TS 24.008 9.3; of those without a note no column reads an element */
        [0x01] = {NOTHING, 2},          /* ALERTING */
        [0x02] = {NOTHING, 2},          /* CALL PROCEEDING */
        [0x03] = {LENGTH_AT, 2, 2},     /* PROGRESS (9.3.17): progress indicator */
        [0x04] = {LENGTH_AT, 2, 2},     /* CC-ESTABLISHMENT (9.3.17a): setup container */
        [0x05] = {SETUP, 2},            /* SETUP (9.3.23) */
        [0x06] = {OPTIONAL_CAUSE, 2, 2}, /* CC-ESTABLISHMENT CONFIRMED (9.3.17b) */
        [0x07] = {NOTHING, 2},          /* CONNECT */
        [0x08] = {OPTIONAL_CAUSE, 2, 2}, /* CALL CONFIRMED (9.3.2) */
        [0x09] = {NOTHING, 2},          /* START CC */
        [0x0B] = {LENGTH_AT, 2, 3},     /* RECALL (9.3.18a): recall type, facility */
        [0x0E] = {NOTHING, 2},          /* EMERGENCY SETUP */
        [0x0F] = {NOTHING, 2},          /* CONNECT ACKNOWLEDGE */
        [0x10] = {LENGTH_AT, 2, 2},     /* USER INFORMATION (9.3.31): user-user */
        [0x13] = {CAUSE_SECOND, 2, 2},  /* MODIFY REJECT (9.3.15): bearer capability, cause */
        [0x17] = {LENGTH_AT, 2, 2},     /* MODIFY (9.3.13): bearer capability */
        [0x18] = {NOTHING, 2},          /* HOLD */
        [0x19] = {NOTHING, 2},          /* HOLD ACKNOWLEDGE */
        [0x1A] = {CAUSE_AT, 2, 2},      /* HOLD REJECT (9.3.12) */
        [0x1C] = {NOTHING, 2},          /* RETRIEVE */
        [0x1D] = {NOTHING, 2},          /* RETRIEVE ACKNOWLEDGE */
        [0x1E] = {CAUSE_AT, 2, 2},      /* RETRIEVE REJECT (9.3.22) */
        [0x1F] = {LENGTH_AT, 2, 2},     /* MODIFY COMPLETE (9.3.14): bearer capability */
        [0x25] = {CAUSE_AT, 2, 2},      /* DISCONNECT (9.3.7) */
        [0x2A] = {OPTIONAL_CAUSE, 2, 2}, /* RELEASE COMPLETE (9.3.19) */
        [0x2D] = {OPTIONAL_CAUSE, 2, 2}, /* RELEASE (9.3.18) */
        [0x31] = {NOTHING, 2},          /* STOP DTMF */
        [0x32] = {NOTHING, 2},          /* STOP DTMF ACKNOWLEDGE */
        [0x34] = {NOTHING, 2},          /* STATUS ENQUIRY */
        [0x35] = {NOTHING, 4},          /* START DTMF (9.3.24): keypad facility */
        [0x36] = {NOTHING, 4},          /* START DTMF ACKNOWLEDGE (9.3.25) */
        [0x37] = {CAUSE_AT, 2, 2},      /* START DTMF REJECT (9.3.26) */
        [0x39] = {OPTIONAL_CAUSE, 3, 3}, /* CONGESTION CONTROL (9.3.4): behind the congestion level */
        [0x3A] = {LENGTH_AT, 2, 2},     /* FACILITY (9.3.9) */
        [0x3D] = {STATUS, 2, 2},        /* STATUS (9.3.27): cause, call state */
        [0x3E] = {NOTHING, 3},          /* NOTIFY (9.3.16): one octet */
    },
    [RR] = { /* TS 44.018 9.1, the few that pass the A interface; others pass unread */
        [0x27] = {CLASSMARK_FIRST, 4},  /* PAGING RESPONSE (9.1.25): key number, classmark 2, identity */
        [0x32] = {OPTIONAL_IDENTITY, 2}, /* CIPHERING MODE COMPLETE (9.1.10) */
    },
    [SMS] = { /* TS 24.011 7.2 */
        [0x01] = {CONTROL, 2},          /* CP-DATA */
        [0x04] = {CONTROL, 2},          /* CP-ACK */
        [0x10] = {CONTROL, 2},          /* CP-ERROR */
    },
    [SS] = { /* TS 24.080 2 */
        [0x2A] = {RELEASE, 2},          /* RELEASE COMPLETE (2.5) */
        [0x3A] = {FACILITY, 2},         /* FACILITY (2.3) */
        [0x3B] = {REGISTER, 2},         /* REGISTER (2.4) */
    },
};

/* TS 24.008 10.4: bits 7 and 8 of a type carry the send sequence number, but for RR and SMS. */
static const uint8_t TYPE_MASK[16] = {[CC] = 0x3F, [MM] = 0x3F, [RR] = 0xFF, [SMS] = 0xFF, [SS] = 0x3F};

/* A mobile identity behind its length octet at position `at`. */
INLINED int identity_lv(const uint8_t *b, int n, int at, struct row *row) {
    if (leading(b, n, at) < 0)
        return E_DTAP_TRUNCATED;
    return identity(b + at + 1, b[at], row);
}

/* Location area identification (TS 24.008 10.5.1.3); the five octets are there. */
INLINED void area(const uint8_t *b, struct row *row, const int depth) {
    if (depth == BRIEF)
        return;
    row->lai_plmn = be24(b);
    row->lai_lac = (uint16_t)be16(b + 3);
    row->present |= P_LAI;
}

/* The numbers in the optional part of SETUP (TS 24.007 11.2.4, TS 24.008 9.3.23). */
APART int setup(const uint8_t *b, int n, struct row *row) {
    int at = 2, length, error = 0;
    uint8_t repeated[12];
    while (at < n) {
        int tag = b[at];
        if (tag & 0x80) { /* one octet */
            at++;
            continue;
        }
        if (tag == 0x34) { /* signal (10.5.4.23): a value of one octet and no length */
            at += 2;
            if (at > n)
                return E_DTAP_ELEMENT;
            continue;
        }
        if (at + 1 >= n || at + 2 + b[at + 1] > n)
            return tag == 0x5E || tag == 0x5C ? E_DTAP_ELEMENT : 0;
        length = b[at + 1];
        at += 2;
        /* Repeated, the first one counts (TS 24.008 8.6.3). */
        if ((tag == 0x5E && row->present & P_CALLED) || (tag == 0x5C && row->present & P_CALLING)) {
            error = party(b + at, length, repeated, repeated + 10, repeated + 11);
        } else if (tag == 0x5E) {
            error = party(b + at, length, row->called, &row->called_digits, &row->called_type);
            row->present |= P_CALLED;
        } else if (tag == 0x5C) {
            error = party(b + at, length, row->calling, &row->calling_digits, &row->calling_type);
            row->present |= P_CALLING;
        }
        if (error)
            return error;
        at += length;
    }
    return 0;
}

/* The element `wanted` in an optional part that begins at `at`: where its length octet is, n where there is
 * none, -1 where it overruns. */
INLINED int optional(const uint8_t *b, int n, int at, int wanted) {
    while (at < n) {
        if (b[at] & 0x80) {
            at++;
            continue;
        }
        if (at + 1 >= n || at + 2 + b[at + 1] > n)
            return b[at] == wanted ? -1 : n;
        if (b[at] == wanted)
            return at + 1;
        at += 2 + b[at + 1];
    }
    return n;
}

/* Every cause (identifier 08) of an optional part from `at` on must be right; the first one counts. */
INLINED int optional_cause(const uint8_t *b, int n, int at, struct row *row) {
    int error;
    while ((at = optional(b, n, at, 0x08)) < n) {
        if (at < 0)
            return E_DTAP_ELEMENT;
        error = cc_cause(b + at + 1, b[at], row);
        if (error)
            return error;
        at += 1 + b[at];
    }
    return 0;
}

/* REGISTER, FACILITY and RELEASE COMPLETE of TS 24.080 2: where the Facility is. */
APART int services(const uint8_t *b, int n, int what, const uint8_t *user, struct row *row) {
    int at = 2;
    if (what == FACILITY)
        return leading(b, n, at) < 0 ? E_DTAP_TRUNCATED : facility(b + at + 1, b[at], user, row);
    at = optional(b, n, at, 0x1C);
    if (at < 0)
        return E_DTAP_ELEMENT;
    if (at == n)
        return what == REGISTER ? E_DTAP_TRUNCATED : 0;
    return facility(b + at + 1, b[at], user, row);
}

/* A type that KINDS does not list, or a discriminator that the A interface does not carry. */
APART int unlisted(int pd) {
    if (!TYPE_MASK[pd])
        return E_DTAP_DISCRIMINATOR;
    if (pd == RR)
        return 0;
    return pd == SMS ? E_SMS_HEADER : E_MESSAGE_TYPE;
}

APART int whole_layer3(const uint8_t *b, int n, const uint8_t *user, struct row *row, int depth);

/* One layer 3 message (TS 24.007 11.2.3), protocol discriminator first; `user` is where the user data of SCCP
 * begin. */
INLINED int layer3(const uint8_t *restrict b, int n, const uint8_t *user, struct row *restrict row,
                   const int depth) {
    const uint8_t *const first = b;
    const int octets = n;
    struct kind kind;
    int pd, type, at, error;
    if (UNLIKELY(n < 2))
        return E_DTAP_TRUNCATED;
    pd = b[0] & 15;
    row->pd = (uint8_t)pd;
    row->ti = b[0] >> 4;
    row->present |= P_DTAP;
    if (UNLIKELY((b[0] & 0x70) == 0x70 && (pd == CC || pd == SMS || pd == SS))) {
        /* TS 24.007 11.2.3.1.3: the identifier itself is in the next octet. */
        if (n < 3 || !(b[1] & 0x80))
            return E_DTAP_TRUNCATED;
        b++;
        n--;
    }
    type = b[1] & TYPE_MASK[pd];
    row->dtap = (uint8_t)type;
    if (UNLIKELY(type > 63))
        return unlisted(pd);
    kind = KINDS[pd][type];
    if (UNLIKELY(n < kind.least))
        return E_DTAP_TRUNCATED;
    switch ((enum what)kind.what) {
    case UNLISTED:
        return unlisted(pd);
    case NOTHING:
        return 0;
    case IDENTITY_AT:
        return identity_lv(b, n, kind.at, row);
    case LU_REQUEST:
        row->service = b[2] & 15;
        area(b + 3, row, depth);
        return identity_lv(b, n, 9, row);
    case CM_REQUEST:
        row->service = b[2] & 15;
        /* fall through */
    case CLASSMARK_FIRST:
        at = leading(b, n, 3);
        return at < 0 ? E_DTAP_TRUNCATED : identity_lv(b, n, at, row);
    case LU_ACCEPT:
        area(b + 2, row, depth);
        return identity_tlv(b, n, 7, row);
    case REALLOCATION:
        area(b + 2, row, depth);
        return identity_lv(b, n, 7, row);
    case REJECT_CAUSE:
        if (depth == FULL) {
            row->cause = b[2];
            row->present |= P_CAUSE;
        }
        return 0;
    case OPTIONAL_IDENTITY:
        return identity_tlv(b, n, 2, row);
    case SETUP:
        return setup(b, n, row);
    case LENGTH_AT:
        return leading(b, n, kind.at) < 0 ? E_DTAP_TRUNCATED : 0;
    case CAUSE_AT:
    case CAUSE_SECOND:
    case STATUS:
        at = kind.at;
        if (kind.what == CAUSE_SECOND) {
            at = leading(b, n, at);
            if (at < 0)
                return E_DTAP_TRUNCATED;
        }
        if (leading(b, n, at) < 0)
            return E_DTAP_TRUNCATED;
        error = depth == FULL ? cc_cause(b + at + 1, b[at], row) : 0;
        if (error)
            return error;
        return kind.what == STATUS && leading(b, n, at) >= n ? E_DTAP_TRUNCATED : 0;
    case OPTIONAL_CAUSE:
        return depth == FULL ? optional_cause(b, n, kind.at, row) : 0;
    case CONTROL:
        return depth == FULL ? short_message_control(b, n, row) : whole_layer3(first, octets, user, row, depth);
    case RELEASE:
    case FACILITY:
    case REGISTER:
        return depth == FULL ? services(b, n, kind.what, user, row) : whole_layer3(first, octets, user, row, depth);
    }
    return E_MESSAGE_TYPE;
}

/* The same by itself.  At depth BRIEF it is read into a whole row, of which the columns in front are kept: for
 * short messages and services, which are few and whose headers lie deep, there is no second reader. */
APART int whole_layer3(const uint8_t *b, int n, const uint8_t *user, struct row *row, int depth) {
    struct row whole;
    int error;
    if (depth == FULL)
        return layer3(b, n, user, row, FULL);
    memset(&whole, 0, sizeof whole);
    memcpy(&whole, row, BRIEF_OCTETS);
    error = layer3(b, n, user, &whole, FULL);
    whole.present &= P_BRIEF;
    memcpy(row, &whole, BRIEF_OCTETS);
    return error;
}

#endif
