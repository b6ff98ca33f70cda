/* BSSMAP (TS 48.008 3.2) and the distribution between it and DTAP (TS 48.006 9.3). */
#ifndef KAIROS_DECODE_BSSMAP_H
#define KAIROS_DECODE_BSSMAP_H

#include "layer3.h"

/* Elements that a message cannot do without, where a column reads them. */
enum { MUST_CELL = 1, MUST_L3 = 2, MUST_IMSI = 4, MUST_LIST = 8, MUST_CAUSE = 16 };

/* How an element lies in the message, and which bit of MUST it sets.  Those that are not listed are identifier,
 * length and value, and no column reads them. */
struct element {
    uint8_t fixed; /* octets with the identifier, where there is no length octet */
    uint8_t read;  /* 1: at both depths, 2: at full depth alone, 0: passed over */
    uint8_t must;
};

/* TS 48.008 3.2.2.1, 3.2.2: identifiers. */
static const struct element ELEMENTS[256] = {
    [0x04] = {0, 2, MUST_CAUSE}, /* cause */
    [0x05] = {0, 1, MUST_CELL},  /* cell identifier */
    [0x08] = {0, 1, MUST_IMSI},  /* IMSI */
    [0x09] = {0, 1, 0},          /* TMSI */
    [0x17] = {0, 1, MUST_L3},    /* layer 3 information */
    [0x1A] = {0, 2, MUST_LIST},  /* cell identifier list */
    [0x20] = {0, 1, 0},          /* layer 3 message contents */
    [0x49] = {0, 1, 0},          /* APDU: two octets of length */
    [0x01] = {3},  /* circuit identity code */
    [0x03] = {21}, /* resource available */
    [0x0C] = {2},  /* periodicity */
    [0x0D] = {2},  /* extended resource indicator */
    [0x0E] = {2},  /* number of MSs */
    [0x14] = {2},  /* interference band to be used */
    [0x15] = {2},  /* RR cause */
    [0x18] = {2},  /* DLCI */
    [0x19] = {2},  /* downlink DTX flag */
    [0x1B] = {1},  /* response request */
    [0x1C] = {2},  /* resource indication method */
    [0x1D] = {2},  /* classmark information type 1 */
    [0x21] = {2},  /* chosen channel */
    [0x22] = {5},  /* total resource accessible */
    [0x23] = {2},  /* cipher response mode */
    [0x24] = {2},  /* channel needed */
    [0x25] = {2},  /* trace type */
    [0x27] = {3},  /* trace reference */
    [0x2B] = {2},  /* forward indicator */
    [0x2C] = {2},  /* chosen encryption algorithm */
    [0x2D] = {2},  /* circuit pool */
    [0x2F] = {2},  /* time indication */
    [0x31] = {2},  /* current channel type 1 */
    [0x32] = {2},  /* queueing indicator */
    [0x33] = {2},  /* assignment requirement */
    [0x35] = {1},  /* talker flag */
    [0x36] = {1},  /* connection release requested */
    [0x38] = {2},  /* eMLPP priority */
    [0x39] = {2},  /* configuration evolution indication */
    [0x3F] = {2},  /* LSA access control suppression */
    [0x40] = {2},  /* speech version */
    [0x6A] = {2},  /* talker priority */
    [0x6B] = {1},  /* emergency set indication */
    [0x7F] = {5},  /* call identifier */
    [0x81] = {2},  /* A-interface selector for RESET */
    [0x83] = {17}, /* Kc128 */
    [0x85] = {1},  /* redirect attempt flag */
    [0x86] = {2},  /* reroute reject cause */
    [0x87] = {2},  /* send sequence number */
    [0x88] = {2},  /* reroute complete outcome */
    [0x8A] = {2},  /* LCLS configuration */
    [0x8B] = {2},  /* LCLS connection status control */
    [0x8C] = {1},  /* LCLS correlation not needed */
    [0x8D] = {2},  /* LCLS BSS status */
    [0x8E] = {1},  /* LCLS break request */
    [0x8F] = {1},  /* CSFB indication */
    [0x90] = {1},  /* CS to PS SRVCC */
    [0x92] = {1},  /* CS to PS SRVCC indication */
    [0x94] = {4},  /* selected PLMN ID */
    [0x95] = {4},  /* last used E-UTRAN PLMN ID */
    [0x97] = {1},  /* attach indicator */
    [0x98] = {4},  /* selected operator */
    [0x99] = {4},  /* PS registered operator */
    [0x9A] = {4},  /* CS registered operator */
};

enum { KNOWN = 0x80 };

/* TS 48.008 3.2.2.1: the message types that there are, with what they cannot do without. */
static const uint8_t MESSAGES[256] = {
#define KNOWN_4(a) [a] = KNOWN, [a + 1] = KNOWN, [a + 2] = KNOWN, [a + 3] = KNOWN
    KNOWN_4(0x01), KNOWN_4(0x05),
    [0x10] = KNOWN | MUST_CELL,             /* HANDOVER REQUEST */
    [0x11] = KNOWN | MUST_CAUSE,            /* HANDOVER REQUIRED */
    [0x12] = KNOWN | MUST_L3,               /* HANDOVER REQUEST ACKNOWLEDGE */
    [0x13] = KNOWN | MUST_L3,               /* HANDOVER COMMAND */
    [0x14] = KNOWN, [0x15] = KNOWN, [0x16] = KNOWN,
    [0x17] = KNOWN | MUST_CELL,             /* HANDOVER PERFORMED */
    KNOWN_4(0x18), KNOWN_4(0x1C),
    [0x20] = KNOWN | MUST_CAUSE,            /* CLEAR COMMAND */
    [0x21] = KNOWN,
    [0x22] = KNOWN | MUST_CAUSE,            /* CLEAR REQUEST */
    KNOWN_4(0x25), KNOWN_4(0x29), [0x2D] = KNOWN, [0x2E] = KNOWN,
    [0x2F] = KNOWN | MUST_IMSI,             /* COMMON ID */
    [0x30] = KNOWN | MUST_CAUSE,            /* RESET */
    [0x31] = KNOWN, [0x32] = KNOWN, KNOWN_4(0x34), KNOWN_4(0x3A), [0x3E] = KNOWN,
    KNOWN_4(0x40), KNOWN_4(0x44), KNOWN_4(0x48), KNOWN_4(0x4C), [0x50] = KNOWN, [0x51] = KNOWN,
    [0x52] = KNOWN | MUST_IMSI | MUST_LIST, /* PAGING */
    KNOWN_4(0x53),
    [0x57] = KNOWN | MUST_CELL | MUST_L3,   /* COMPLETE LAYER 3 INFORMATION */
    [0x58] = KNOWN, [0x59] = KNOWN, [0x5A] = KNOWN, KNOWN_4(0x60),
    KNOWN_4(0x70), [0x74] = KNOWN, [0x75] = KNOWN, [0x76] = KNOWN, [0x78] = KNOWN, [0x79] = KNOWN,
#undef KNOWN_4
};

/* TS 48.008 3.2.2.17: one cell by its discriminator: its octets (-1: reserved), and where in it there is what
 * (-1: not there). */
struct cell_form {
    signed char octets, plmn, lac, ci;
};

static const struct cell_form CELLS[16] = {
    {7, 0, 3, 5},    {4, -1, 0, 2},   {2, -1, -1, 0}, {0, -1, -1, -1},
    {5, 0, 3, -1},   {2, -1, 0, -1},  {0, -1, -1, -1}, {-1, -1, -1, -1},
    {7, 0, 3, -1},   {2, -1, -1, -1}, {4, -1, 0, -1}, {7, 0, 3, -1},
    {9, 0, 3, 7},    {-1, -1, -1, -1}, {-1, -1, -1, -1}, {-1, -1, -1, -1},
};

/* Cell identifier (TS 48.008 3.2.2.17), the value without identifier and length; the last one counts. */
INLINED int cell(const uint8_t *restrict b, int n, struct row *restrict row, const int depth) {
    struct cell_form form;
    if (n < 1)
        return E_BSSMAP_ELEMENT;
    if (depth == FULL)
        row->discriminator = b[0] & 15;
    if (LIKELY(n == 8 && (b[0] & 15) == 0)) {
        row->plmn = be24(b + 1);
        row->lac = (uint16_t)be16(b + 4);
        row->ci = (uint16_t)be16(b + 6);
        row->present |= P_CELL | P_CI;
        return 0;
    }
    form = CELLS[b[0] & 15];
    if (form.octets < 0 || n != 1 + form.octets)
        return E_BSSMAP_ELEMENT;
    b++;
    row->plmn = form.plmn < 0 ? 0 : be24(b + form.plmn);
    row->lac = (uint16_t)(form.lac < 0 ? 0 : be16(b + form.lac));
    row->ci = (uint16_t)(form.ci < 0 ? 0 : be16(b + form.ci));
    row->present = (uint16_t)((row->present & ~(P_CELL | P_CI)) | (form.lac < 0 ? 0 : P_CELL) |
                              (form.ci < 0 ? 0 : P_CI));
    return 0;
}

/* Cell identifier list (TS 48.008 3.2.2.27): counted; the correlator reads the areas from the message. */
INLINED int cell_list(const uint8_t *b, int n, int offset, struct row *row) {
    int size;
    if (n < 1)
        return E_BSSMAP_ELEMENT;
    size = CELLS[b[0] & 15].octets;
    if (size < 0 || (size == 0 && n != 1) || (size > 0 && (n == 1 || (n - 1) % size)))
        return E_BSSMAP_ELEMENT;
    row->list_cells = (uint8_t)(size ? (n - 1) / size : 0);
    row->discriminator = b[0] & 15;
    row->list_offset = (uint16_t)offset;
    row->present |= P_LIST;
    return 0;
}

APART uint64_t fnv1a(const uint8_t *b, int n) {
    uint64_t value = 0xCBF29CE484222325u;
    for (int i = 0; i < n; i++)
        value = (value ^ b[i]) * 0x100000001B3u;
    return value;
}

/* What the handset answered inside CIPHER MODE COMPLETE (TS 48.008 3.2.2.35): CIPHERING MODE COMPLETE, perhaps
 * with its IMEISV.  If not, no matter. */
APART void ciphered(const uint8_t *b, int n, struct row *row) {
    struct row inside;
    if (n < 2 || (b[0] & 15) != RR || b[1] != 0x32)
        return;
    memset(&inside, 0, sizeof inside);
    if (identity_tlv(b, n, 2, &inside) == 0 && inside.present & P_IMEI) {
        row->imei = inside.imei;
        row->imei_digits = inside.imei_digits;
        row->present |= P_IMEI;
    }
}

/* SCCP user data of n octets.  TS 48.006 9.3: discriminator 0 = BSSMAP, 1 = DTAP with a DLCI; the length covers
 * the rest.  The layer 3 message, wherever it is, is read last. */
INLINED int user_data(const uint8_t *restrict b, int n, struct row *restrict row, const int depth) {
    const uint8_t *l3 = NULL;
    int l3_octets = 0, at = 3, seen = 0, type, error;
    if (UNLIKELY(n < 3))
        return E_BSSAP_HEADER;
    if (b[0] == 1) {
        if (UNLIKELY(b[2] != n - 3))
            return E_BSSAP_HEADER;
        row->dlci = b[1];
        return layer3(b + 3, n - 3, b, row, depth);
    }
    if (UNLIKELY(b[0] != 0 || b[1] != n - 2))
        return E_BSSAP_HEADER;
    type = b[2];
    if (UNLIKELY(!MESSAGES[type]))
        return E_MESSAGE_TYPE;
    row->bssmap = (uint8_t)type;
    row->present |= P_BSSMAP;
    while (at < n) {
        /* Without a branch: the length octet is read where there is one, else any octet of the message. */
        const int tag = b[at], lies = at + 1 < n ? at + 1 : at;
        const struct element element = ELEMENTS[tag];
        int length = b[lies], end = at + (element.fixed ? element.fixed : 2 + length);
        const uint8_t *value = b + at + 2;
        if (UNLIKELY(end > n))
            return E_BSSMAP_ELEMENT;
        at = end;
        seen |= element.must;
        if (element.read == 0 || (depth == BRIEF && element.read == 2))
            continue;
        error = 0;
        switch (tag) {
        case 0x05:
            error = cell(value, length, row, depth);
            break;
        case 0x17:
            if (type == 0x57) {
                if (UNLIKELY(l3 != NULL)) /* a second one would mix its columns with those of the first */
                    break;
                l3 = value;
                l3_octets = length;
            } else if (depth == FULL && (type == 0x12 || type == 0x13)) {
                row->digest = fnv1a(value, length);
                row->present |= P_DIGEST;
            }
            break;
        case 0x08:
            /* TS 48.008 3.2.2.6: no other identity than an IMSI. */
            error = length && (value[0] & 7) == 1 ? identity(value, length, row) : E_IDENTITY;
            break;
        case 0x09:
            if (length != 4)
                return E_BSSMAP_ELEMENT;
            row->tmsi = be32(value);
            row->present |= P_TMSI;
            break;
        case 0x04:
            /* TS 48.008 3.2.2.5: one octet, or two where the first has its highest bit set. */
            if (length < 1 || length != (value[0] & 0x80 ? 2 : 1))
                return E_BSSMAP_ELEMENT;
            row->bssmap_cause = value[length - 1];
            row->present |= P_BSSMAP_CAUSE;
            break;
        case 0x1A:
            error = cell_list(value, length, (int)(value - b), row);
            break;
        case 0x20:
            if (type == 0x55)
                ciphered(value, length, row);
            break;
        default: /* 0x49, TS 48.008 3.2.2.68: the APDU alone has a length of two octets */
            if (value >= b + n)
                return E_BSSMAP_ELEMENT;
            at = (int)(value - b) + 1 + (length << 8 | value[0]);
            if (at > n)
                return E_BSSMAP_ELEMENT;
            break;
        }
        if (UNLIKELY(error))
            return error;
    }
    if (UNLIKELY((seen | KNOWN) != (seen | MESSAGES[type])))
        return E_BSSMAP_ELEMENT;
    return l3 ? layer3(l3, l3_octets, b, row, depth) : 0;
}

#endif
