/* M3UA DATA (RFC 4666 3.3.1) and SCCP (Q.713): the outside of a message, and the way into it. */
#ifndef KAIROS_DECODE_MESSAGE_H
#define KAIROS_DECODE_MESSAGE_H

#include "bssmap.h"

/* Where in an SCCP message its columns are, 0 = absent; `data` and `option` are positions of pointers. */
struct shape {
    uint8_t fixed;     /* octets up to and with the last pointer; 0: unknown type */
    uint8_t dlr;
    uint8_t slr;
    uint8_t cause;
    uint8_t data;
    uint8_t option;
    uint8_t addresses; /* number of pointers to addresses, from position `first` */
    uint8_t first;
};

enum { CR = 1, CREP = 2, RLSD = 4, RLC = 5, DT1 = 6, DT2 = 7, UDT = 9, ED = 11, XUDT = 17, LUDT = 19, LUDTS = 20 };

/* Q.713 4.2-4.19 */
static const struct shape SHAPES[LUDTS + 1] = {
    [CR] = {7, 0, 1, 0, 0, 6, 1, 5},
    [CREP] = {9, 1, 4, 0, 0, 8, 0, 0}, /* CC, connection confirm */
    [0x03] = {6, 1, 0, 4, 0, 5, 0, 0}, /* CREF */
    [RLSD] = {9, 1, 4, 7, 0, 8, 0, 0},
    [RLC] = {7, 1, 4, 0, 0, 0, 0, 0},
    [DT1] = {6, 1, 0, 0, 5, 0, 0, 0},
    [DT2] = {7, 1, 0, 0, 6, 0, 0, 0},
    [0x08] = {6, 1, 0, 0, 0, 0, 0, 0}, /* AK */
    [UDT] = {5, 0, 0, 0, 4, 0, 2, 2},
    [0x0A] = {5, 0, 0, 1, 4, 0, 2, 2}, /* UDTS */
    [ED] = {5, 1, 0, 0, 4, 0, 0, 0},
    [0x0C] = {4, 1, 0, 0, 0, 0, 0, 0}, /* EA */
    [0x0D] = {8, 1, 4, 7, 0, 0, 0, 0}, /* RSR */
    [0x0E] = {7, 1, 4, 0, 0, 0, 0, 0}, /* RSC */
    [0x0F] = {5, 1, 0, 4, 0, 0, 0, 0}, /* ERR */
    [0x10] = {11, 1, 4, 0, 0, 0, 0, 0}, /* IT */
    [XUDT] = {7, 0, 0, 0, 5, 6, 2, 3},
    [0x12] = {7, 0, 0, 1, 5, 6, 2, 3}, /* XUDTS */
};

/* User data of an SCCP message: none where size is negative. */
struct part {
    int start, size, segment;
};

/* Optional parameters from `at` on (Q.713 3.1): name and length each, up to the end mark 0.  Data (0F) where
 * `data` is set, segmentation (10, Q.713 3.17) where it is not: the first segment with none remaining is the
 * whole message. */
INLINED int options(const uint8_t *b, int n, int at, int data, struct part *part) {
    for (;;) {
        int length;
        if (UNLIKELY(at >= n))
            return E_SCCP_POINTER;
        if (b[at] == 0)
            return 0;
        if (UNLIKELY(at + 1 >= n || at + 2 + b[at + 1] > n))
            return E_SCCP_POINTER;
        length = b[at + 1];
        if (data && b[at] == 0x0F) {
            part->start = at + 2;
            part->size = length;
        } else if (!data && b[at] == 0x10) {
            if (length != 4)
                return E_SCCP_POINTER;
            part->segment = (b[at + 2] & 0x8F) != 0x80;
        }
        at += 2 + length;
    }
}

/* A message of a shape that is a constant where this is called. */
INLINED int shaped(const uint8_t *restrict b, int n, const struct shape shape, int data_option,
                   struct row *restrict row, struct part *part) {
    if (UNLIKELY(n < shape.fixed))
        return E_SCCP_TRUNCATED;
    if (shape.dlr)
        row->dlr = be24(b + shape.dlr);
    if (shape.slr)
        row->slr = be24(b + shape.slr);
    if (shape.cause)
        row->sccp_cause = b[shape.cause];
    for (int i = 0; i < shape.addresses; i++) {
        int at = shape.first + i;
        if (UNLIKELY(b[at] == 0))
            return E_SCCP_POINTER;
        at += b[at];
        if (UNLIKELY(at >= n || b[at] == 0 || at + 1 + b[at] > n))
            return E_SCCP_POINTER;
    }
    if (shape.data) {
        int at = shape.data;
        if (UNLIKELY(b[at] == 0))
            return E_SCCP_POINTER;
        at += b[at];
        if (UNLIKELY(at >= n || at + 1 + b[at] > n))
            return E_SCCP_POINTER;
        part->start = at + 1;
        part->size = b[at];
    }
    if (shape.option && b[shape.option])
        return options(b, n, shape.option + b[shape.option], data_option, part);
    return 0;
}

/* LUDT and LUDTS (Q.713 4.20, 4.21): pointers and the data's length take two octets, low one first. */
APART int long_unitdata(const uint8_t *b, int n, struct row *row, struct part *part) {
    if (n < 11)
        return E_SCCP_TRUNCATED;
    if (b[0] == LUDTS)
        row->sccp_cause = b[1];
    for (int i = 0; i < 4; i++) {
        int at = 3 + 2 * i, pointer = b[at] | b[at + 1] << 8;
        if (pointer == 0) {
            if (i == 3)
                return 0;
            return E_SCCP_POINTER;
        }
        at += 1 + pointer;
        if (i < 2) {
            if (at >= n || b[at] == 0 || at + 1 + b[at] > n)
                return E_SCCP_POINTER;
        } else if (i == 2) {
            if (at + 1 >= n)
                return E_SCCP_POINTER;
            part->size = b[at] | b[at + 1] << 8;
            part->start = at + 2;
            if (part->start + part->size > n)
                return E_SCCP_POINTER;
        } else {
            return options(b, n, at, 0, part);
        }
    }
    return 0;
}

/* Every other type that there is. */
APART int seldom(const uint8_t *b, int n, struct row *row, struct part *part) {
    int kind = b[0], error;
    if (kind > LUDTS)
        return E_SCCP_TYPE;
    if (kind >= LUDT)
        return long_unitdata(b, n, row, part);
    if (SHAPES[kind].fixed == 0)
        return E_SCCP_TYPE;
    error = shaped(b, n, SHAPES[kind], kind < XUDT, row, part);
    if (!error && kind == DT2)
        part->segment = b[5] & 1; /* Q.713 3.9: more data */
    return error;
}

/* One SCCP message of n octets, which begins `base` octets into the M3UA message. */
INLINED int sccp(const uint8_t *restrict b, int n, int base, struct row *restrict row, const int depth) {
    struct part part = {0, -1, 0};
    int error;
    if (UNLIKELY(n < 1))
        return E_SCCP_TRUNCATED;
    row->sccp = b[0];
    /* Those of which a network talks all day are compiled each with its own shape. */
    if (LIKELY(b[0] == DT1)) {
        error = shaped(b, n, SHAPES[DT1], 1, row, &part);
        part.segment = n > 4 ? b[4] & 1 : 0; /* Q.713 3.7 */
    } else switch (b[0]) {
    case CR: error = shaped(b, n, SHAPES[CR], 1, row, &part); break;
    case CREP: error = shaped(b, n, SHAPES[CREP], 1, row, &part); break;
    case RLSD: error = shaped(b, n, SHAPES[RLSD], 1, row, &part); break;
    case RLC: error = shaped(b, n, SHAPES[RLC], 1, row, &part); break;
    case UDT: error = shaped(b, n, SHAPES[UDT], 1, row, &part); break;
    default: {
        struct part other = part; /* by itself, so that the usual one can live in registers */
        error = seldom(b, n, row, &other);
        part = other;
    }
    }
    if (UNLIKELY(error))
        return error;
    if (part.size < 0)
        return 0;
    row->user_offset = (uint16_t)(base + part.start);
    row->user_length = (uint16_t)part.size;
    if (UNLIKELY(part.segment)) {
        row->more = 1;
        return 0;
    }
    if (UNLIKELY(b[0] == ED))
        return 0;
    return user_data(b + part.start, part.size, row, depth);
}

/* The parameters of a DATA message (RFC 4666 3.2, 3.3.1) one by one, from octet 8 on. */
APART int parameters(const uint8_t *b, int n, struct row *row, int *label, int *octets) {
    int at = 8, numbered = 0;
    *label = 0;
    while (at < n) {
        int tag, length;
        if (at + 4 > n)
            return E_M3UA_PARAMETER;
        tag = (int)be16(b + at);
        length = (int)be16(b + at + 2);
        if (length < 4 || at + length > n)
            return E_M3UA_PARAMETER;
        if (tag == 0x0210) { /* protocol data */
            if (length < 16)
                return E_M3UA_PARAMETER;
            if (*label == 0) {
                *label = at + 4;
                *octets = length - 4;
            }
        } else if (tag == 0x0013) { /* correlation id */
            if (length != 8)
                return E_M3UA_PARAMETER;
            if (!numbered)
                row->corr = be32(b + at + 4);
            numbered = 1;
        } else if (tag == 0x0200) { /* network appearance */
            if (length != 8)
                return E_M3UA_PARAMETER;
        } else if (tag == 0x0006) { /* routing context */
            if (length < 8 || length & 3)
                return E_M3UA_PARAMETER;
        }
        at += (length + 3) & ~3;
    }
    return *label ? 0 : E_M3UA_PARAMETER;
}

/* A DATA message of n octets; its user data are read last. */
INLINED int transfer(const uint8_t *restrict b, int n, struct row *restrict row, int ni, const int depth) {
    int label = 12, octets = 0, behind = 0, error;
    if (LIKELY(n >= 24 && be16(b + 8) == 0x0210)) {
        octets = (int)be16(b + 10) - 4;
        behind = 8 + ((octets + 4 + 3) & ~3);
    }
    /* Protocol data alone, or with a correlation id behind it: what nearly everyone sends. */
    if (LIKELY(octets >= 12 && behind + 8 == n && be32(b + behind) == 0x00130008)) {
        row->corr = be32(b + behind + 4);
    } else if (!(octets >= 12 && behind == n)) {
        error = parameters(b, n, row, &label, &octets);
        if (error)
            return error;
    }
    row->opc = be32(b + label);
    row->dpc = be32(b + label + 4);
    memcpy(&row->si, b + label + 8, 4); /* SI, NI, MP and SLS lie side by side in both */
    if (UNLIKELY(b[label + 8] != 3))
        return E_FOREIGN_SERVICE;
    if (UNLIKELY(ni >= 0 && b[label + 9] != ni))
        return E_FOREIGN_NETWORK;
    return sccp(b + label + 12, octets - 12, label + 12, row, depth);
}

/* Zeros, sixteen octets at a time: a compiler may make of a longer memset one slow instruction. */
INLINED void clear(struct row *row, const size_t size) {
    UNROLLED
    for (size_t at = 0; at < size; at += 16)
        memset((uint8_t *)row + at, 0, 16);
}

/* A row in error keeps the columns of the layers below the fault, and none of the payload. */
APART void refuse(struct row *row, int error, size_t size) {
    uint8_t m3ua_class = row->m3ua_class, m3ua_type = row->m3ua_type;
    if (error <= E_M3UA_PARAMETER) {
        memset(row, 0, size);
        row->m3ua_class = m3ua_class;
        row->m3ua_type = m3ua_type;
    } else {
        memset((uint8_t *)row + PAYLOAD, 0, size - PAYLOAD);
    }
    row->error = (uint8_t)error;
}

/* One M3UA message of n octets into its row, which need not be clean.  Reads only b[0] to b[n - 1]; at depth
 * BRIEF writes only the first BRIEF_OCTETS of the row. */
INLINED void message(const uint8_t *restrict b, int64_t n, struct row *restrict row, int ni, const int depth) {
    const size_t size = depth == BRIEF ? BRIEF_OCTETS : sizeof(struct row);
    uint32_t length;
    int error;
    clear(row, size);
    /* RFC 4666 3.1: version, reserved, class, type, length with the header and the padding. */
    if (UNLIKELY(n < 8 || b[0] != 1)) {
        row->error = E_M3UA_HEADER;
        return;
    }
    row->m3ua_class = b[2];
    row->m3ua_type = b[3];
    length = be32(b + 4);
    /* RFC 4666 3.1.4: the padding of the last parameter may be left out of the length. */
    if (UNLIKELY(n > 65535 || length < 8 || length > n || n - length > (-length & 3))) {
        row->error = E_M3UA_LENGTH;
        return;
    }
    if (UNLIKELY(b[2] != 1 || b[3] != 1))
        return;
    error = transfer(b, (int)length, row, ni, depth);
    if (UNLIKELY(error))
        refuse(row, error, size);
}

/* From the flat form (each message behind its length as 32-bit little-endian) from *at on, until `room` rows are
 * full; how many were, and in *at the position behind the last message. */
INLINED int64_t flat(const uint8_t *data, int64_t size, int64_t *at, uint8_t *rows, int64_t room, int ni,
                     const int depth) {
    const size_t stride = depth == BRIEF ? BRIEF_OCTETS : sizeof(struct row);
    int64_t from = *at, n = 0;
    while (n < room && from + 4 <= size) {
        const uint8_t *b = data + from;
        uint32_t length = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        if (length > size - from - 4)
            break;
        message(b + 4, length, (struct row *)(void *)(rows + n * (int64_t)stride), ni, depth);
        from += 4 + (int64_t)length;
        n++;
    }
    *at = from;
    return n;
}

/* Messages data[offsets[i]] to data[offsets[i + 1]], n of them. */
INLINED void batch(const uint8_t *data, const int64_t *offsets, int64_t n, uint8_t *rows, int ni,
                   const int depth) {
    const size_t stride = depth == BRIEF ? BRIEF_OCTETS : sizeof(struct row);
    for (int64_t i = 0; i < n; i++)
        message(data + offsets[i], offsets[i + 1] - offsets[i],
                (struct row *)(void *)(rows + i * (int64_t)stride), ni, depth);
}

#endif
