/* Elements that several protocols share: identities, numbers, causes (TS 24.008 10.5). */
#ifndef KAIROS_DECODE_ELEMENTS_H
#define KAIROS_DECODE_ELEMENTS_H

#include "row.h"

/* The value of fifteen semi-octets behind the first; ~0 where one is no digit. */
INLINED uint64_t fifteen_digits(const uint8_t *b) {
    uint64_t x = le64(b) & 0xFFFFFFFFFFFFFFF0u;
    if (UNLIKELY((x & 0x8888888888888888u) & (x << 1 | x << 2)))
        return ~(uint64_t)0;
    x = (x & 0x0F0F0F0F0F0F0F0Fu) * 10 + (x >> 4 & 0x0F0F0F0F0F0F0F0Fu);
    x = (x & 0x00FF00FF00FF00FFu) * 100 + (x >> 8 & 0x00FF00FF00FF00FFu);
    x = (x & 0x0000FFFF0000FFFFu) * 10000 + (x >> 16 & 0x0000FFFF0000FFFFu);
    return (x & 0xFFFFFFFFu) * 100000000 + (x >> 32);
}

/* Digits one by one, for every other length; their number, 0 where it is no identity. */
APART int digits_by_one(const uint8_t *b, int n, uint64_t *value) {
    int digits = 2 * n - 1;
    uint64_t sum = b[0] >> 4;
    /* An even number of digits; without the end mark they are read to the end. */
    if (!(b[0] & 8) && b[n - 1] >> 4 == 15)
        digits--;
    if (digits < 1 || sum > 9)
        return 0;
    for (int i = 1; i < digits; i++) {
        int octet = b[(i + 1) >> 1], digit = i & 1 ? octet & 15 : octet >> 4;
        if (digit > 9)
            return 0;
        sum = sum * 10 + (uint64_t)digit;
    }
    *value = sum;
    return digits;
}

/* Mobile identity (TS 24.008 10.5.1.4), the value without tag and length. */
INLINED int identity(const uint8_t *restrict b, int n, struct row *restrict row) {
    uint64_t value;
    int kind, digits = 15;
    if (n < 1)
        return E_IDENTITY;
    kind = b[0] & 7;
    if (kind == 4) {
        if (n != 5)
            return E_IDENTITY;
        row->tmsi = be32(b + 1);
        row->present |= P_TMSI;
        return 0;
    }
    if (kind == 0 || kind == 5)
        return 0;
    if (kind > 3 || n > 10)
        return E_IDENTITY;
    if (LIKELY(n == 8 && b[0] & 8)) {
        /* Fifteen digits, as nearly always: eight octets at once. */
        value = fifteen_digits(b);
        if (UNLIKELY(value == ~(uint64_t)0))
            return E_IDENTITY;
    } else {
        digits = digits_by_one(b, n, &value);
        if (!digits)
            return E_IDENTITY;
    }
    if (kind == 1) {
        /* TS 23.003 2.2: MCC, MNC and at least one digit more; not more than fifteen. */
        if (digits < 6 || digits > 15)
            return E_IDENTITY;
        row->imsi = value;
        row->imsi_digits = (uint8_t)digits;
        row->present |= P_IMSI;
    } else {
        row->imei = value;
        row->imei_digits = (uint8_t)digits;
        row->present |= P_IMEI;
    }
    return 0;
}

/* The mobile identity (identifier 17) in an optional part that begins at `at` (TS 24.007 11.2.4): an element
 * that is unknown and overruns at the very end is left alone; one that is read is an error.  Repeated, the first
 * one counts (TS 24.008 8.6.3). */
APART int identity_tlv(const uint8_t *b, int n, int at, struct row *row) {
    struct row repeated;
    repeated.present = 0;
    while (at < n) {
        if (b[at] & 0x80) {
            at++;
            continue;
        }
        if (at + 1 >= n || at + 2 + b[at + 1] > n)
            return b[at] == 0x17 ? E_DTAP_ELEMENT : 0;
        if (b[at] == 0x17) {
            int error = identity(b + at + 2, b[at + 1], row);
            if (error)
                return error;
            row = &repeated;
        }
        at += 2 + b[at + 1];
    }
    return 0;
}

/* Digits of n octets (TS 24.008 10.5.4.7); their number, -1 where the end mark stands inside. */
INLINED int semi_octets(const uint8_t *b, int n, uint8_t *out) {
    int digits = 2 * n;
    for (int i = 0; i < n; i++) {
        if (UNLIKELY((b[i] & 15) == 15))
            return -1;
        if (b[i] >> 4 == 15) {
            if (i != n - 1)
                return -1;
            digits--;
        }
    }
    memcpy(out, b, (size_t)(n < 10 ? n : 10));
    return digits;
}

/* Called or calling party BCD number (TS 24.008 10.5.4.7, 10.5.4.9), the value without tag and length. */
APART int party(const uint8_t *b, int n, uint8_t *number, uint8_t *digits, uint8_t *kind) {
    int at, count;
    if (n < 1)
        return E_NUMBER;
    /* Octet 3a follows where the extension bit of octet 3 is 0. */
    at = b[0] & 0x80 ? 1 : 2;
    if (n < at)
        return E_NUMBER;
    count = semi_octets(b + at, n - at, number);
    if (count < 0)
        return E_NUMBER;
    *kind = b[0];
    *digits = (uint8_t)(count < 255 ? count : 255);
    return 0;
}

/* Cause (TS 24.008 10.5.4.11), the value without tag and length; the first one of a message counts. */
INLINED int cc_cause(const uint8_t *b, int n, struct row *row) {
    int at = 1;
    if (n < 2)
        return E_DTAP_ELEMENT;
    if (!(b[0] & 0x80)) {
        at = 2;
        if (n < 3)
            return E_DTAP_ELEMENT;
    }
    if (!(row->present & P_CAUSE)) {
        row->cause = b[at] & 0x7F;
        row->present |= P_CAUSE;
    }
    return 0;
}

/* Where a mandatory element of length and value that begins at `at` ends; -1 where it is cut off. */
INLINED int leading(const uint8_t *b, int n, int at) {
    if (UNLIKELY(at >= n || at + 1 + b[at] > n))
        return -1;
    return at + 1 + b[at];
}

#endif
