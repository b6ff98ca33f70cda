/* What columns.pyx calls: each of these is the decoder compiled at one depth. */
#ifndef KAIROS_DECODE_DECODER_H
#define KAIROS_DECODE_DECODER_H

#include "message.h"

APART void kairos_message(const uint8_t *b, int64_t n, void *row, int ni) { message(b, n, row, ni, FULL); }

APART int kairos_user(const uint8_t *b, int n, void *row) { return user_data(b, n, row, FULL); }

APART int64_t kairos_flat(const uint8_t *data, int64_t size, int64_t *at, uint8_t *rows, int64_t room, int ni) {
    return flat(data, size, at, rows, room, ni, FULL);
}

APART int64_t kairos_flat_brief(const uint8_t *data, int64_t size, int64_t *at, uint8_t *rows, int64_t room,
                                int ni) {
    return flat(data, size, at, rows, room, ni, BRIEF);
}

APART void kairos_batch(const uint8_t *data, const int64_t *offsets, int64_t n, uint8_t *rows, int ni) {
    batch(data, offsets, n, rows, ni, FULL);
}

APART void kairos_batch_brief(const uint8_t *data, const int64_t *offsets, int64_t n, uint8_t *rows, int ni) {
    batch(data, offsets, n, rows, ni, BRIEF);
}

/* How many of n rows of `stride` octets are DATA messages, and in *right how many of those are right. */
APART int64_t kairos_tally(const uint8_t *rows, int64_t n, int64_t stride, int64_t *right) {
    int64_t data = 0;
    *right = 0;
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *row = rows + i * stride;
        if (row[offsetof(struct row, m3ua_class)] == 1 && row[offsetof(struct row, m3ua_type)] == 1) {
            data++;
            *right += row[offsetof(struct row, error)] == 0;
        }
    }
    return data;
}

/* Where each column begins, in the order of schema.COLUMNS. */
static const int KAIROS_OFFSETS[] = {
#define OFFSET(type, name, dimension) offsetof(struct row, name),
    ROW_COLUMNS(OFFSET)
#undef OFFSET
};

enum { KAIROS_COLUMNS = sizeof KAIROS_OFFSETS / sizeof KAIROS_OFFSETS[0] };

#endif
