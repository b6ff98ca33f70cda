/* Supplementary services outside a call: the first component of a Facility (TS 24.080 3.6, X.690).
 *
 * What a component is must be right; an argument that is not understood (of an
 * operation without a column, or out of shape) is left out and is no error.
 */
#ifndef KAIROS_DECODE_COMPONENTS_H
#define KAIROS_DECODE_COMPONENTS_H

#include "elements.h"

/* One value of the Basic Encoding Rules: its tag (-1: one of several octets) and its contents. */
struct ber {
    const uint8_t *b;
    int n;
    int tag;
};

/* Takes the value at *at of n octets; 0 where it is cut off.  A value of indefinite length is taken to reach
 * to the end of the one around it: only what stands in front is read. */
INLINED int ber_value(const uint8_t *b, int n, int *at, struct ber *out) {
    int i = *at, more;
    uint32_t length;
    if (i >= n)
        return 0;
    out->tag = b[i++];
    if ((out->tag & 31) == 31) {
        out->tag = -1;
        do {
            if (i >= n)
                return 0;
        } while (b[i++] & 0x80);
    }
    if (i >= n)
        return 0;
    length = b[i++];
    if (length == 0x80) {
        length = (uint32_t)(n - i);
    } else if (length > 0x80) {
        more = (int)(length & 0x7F);
        if (more > 4 || i + more > n)
            return 0;
        for (length = 0; more; more--)
            length = length << 8 | b[i++];
    }
    if (length > (uint32_t)(n - i))
        return 0;
    out->b = b + i;
    out->n = (int)length;
    *at = i + (int)length;
    return 1;
}

/* The characters 0-9 * # of a USSD string in the default alphabet (TS 23.038 6.1.2.3), as semi-octets like
 * those of a dialled number; nothing where another character is in it. */
INLINED void ussd_code(const uint8_t *b, int n, struct row *row) {
    uint8_t digits[10];
    int septets = 8 * n / 7, i;
    if (septets > 255)
        return;
    memset(digits, 0xFF, sizeof digits);
    for (i = 0; i < septets; i++) {
        int bit = 7 * i, at = bit >> 3, pair = b[at] | (at + 1 < n ? b[at + 1] << 8 : 0), digit;
        int character = pair >> (bit & 7) & 0x7F;
        if (character == 0x0D && i == septets - 1 && !(septets & 7) && i)
            break; /* fills the last octet */
        if (character >= '0' && character <= '9')
            digit = character - '0';
        else if (character == '*')
            digit = 10;
        else if (character == '#')
            digit = 11;
        else
            return;
        if (i < 20)
            digits[i >> 1] = (uint8_t)(i & 1 ? (digits[i >> 1] & 15) | digit << 4 : 0xF0 | digit);
    }
    if (!i)
        return;
    memcpy(row->called, digits, (size_t)(i < 20 ? (i + 1) >> 1 : 10));
    row->called_digits = (uint8_t)i;
}

/* TS 23.038 5: whether a USSD string under this coding is in the default alphabet's septets. */
INLINED int ussd_septets(int dcs) {
    int group = dcs >> 4, alphabet = dcs >> 2 & 3;
    if (group == 1)
        return dcs != 0x11;
    if ((group >= 4 && group <= 7) || group == 9)
        return alphabet != 1 && alphabet != 2;
    return !(group == 15 && dcs & 4);
}

/* USSD-Arg, USSD-Res (TS 29.002 17.7.4): data coding scheme, string. */
INLINED void ussd(const struct ber *argument, const uint8_t *user, struct row *row) {
    struct ber dcs, string;
    int at = 0;
    if (argument->tag != 0x30 || !ber_value(argument->b, argument->n, &at, &dcs) || dcs.tag != 4 || dcs.n != 1)
        return;
    if (!ber_value(argument->b, argument->n, &at, &string) || string.tag != 4 || string.n > 255)
        return;
    row->tp_dcs = dcs.b[0];
    row->tp_length = (uint8_t)string.n;
    row->list_offset = (uint16_t)(string.b - user);
    row->present |= P_USSD;
    if (ussd_septets(dcs.b[0]))
        ussd_code(string.b, string.n, row);
}

/* SS-ForBS-Code, RegisterSS-Arg, SS-Code (TS 29.002 17.7.4): the service, and where calls are forwarded to; P_CALLED
 * is for parties of calls and short messages alone. */
INLINED void service_argument(const struct ber *argument, struct row *row) {
    struct ber value = *argument;
    int at = 0;
    if (argument->tag == 0x30 && !ber_value(argument->b, argument->n, &at, &value))
        return;
    if (value.tag != 4 || value.n != 1)
        return;
    row->ss_code = value.b[0];
    if (argument->tag != 0x30 || row->operation != 10)
        return;
    while (ber_value(argument->b, argument->n, &at, &value)) {
        if (value.tag == 0x84) {
            party(value.b, value.n, row->called, &row->called_digits, &row->called_type);
            return;
        }
    }
}

/* The Facility's value: invoke, return result, return error or reject (TS 24.080 3.6.2). */
APART int facility(const uint8_t *b, int n, const uint8_t *user, struct row *row) {
    struct ber component, value, inside;
    uint32_t code = 0;
    int at = 0;
    if (n == 0)
        return 0;
    if (!ber_value(b, n, &at, &component) || component.tag < 0xA1 || component.tag > 0xA4)
        return E_COMPONENT;
    row->component = (uint8_t)(component.tag & 7);
    at = 0;
    if (!ber_value(component.b, component.n, &at, &value))
        return E_COMPONENT;
    if (value.tag == 2) {
        if (value.n < 1 || value.n > 4)
            return E_COMPONENT;
        row->invoke_id = value.b[value.n - 1];
    } else if (component.tag != 0xA4 || value.tag != 5) {
        return E_COMPONENT;
    }
    if (component.tag == 0xA4)
        /* Reject: a problem code follows, which no column has. */
        return ber_value(component.b, component.n, &at, &value) ? 0 : E_COMPONENT;
    if (component.tag == 0xA1 && at < component.n && component.b[at] == 0x80 &&
        !ber_value(component.b, component.n, &at, &value)) /* linked identifier */
        return E_COMPONENT;
    if (component.tag == 0xA2) {
        /* Return result: nothing more, or a sequence of operation code and result. */
        if (at >= component.n)
            return 0;
        if (!ber_value(component.b, component.n, &at, &inside) || inside.tag != 0x30)
            return E_COMPONENT;
        component.b = inside.b;
        component.n = inside.n;
        at = 0;
    }
    if (!ber_value(component.b, component.n, &at, &value))
        return E_COMPONENT;
    if (value.tag != 2)
        return value.tag == 6 ? 0 : E_COMPONENT; /* an object identifier: a global code */
    if (value.n < 1 || value.n > 4)
        return E_COMPONENT;
    for (int i = 0; i < value.n; i++)
        code = code << 8 | value.b[i];
    if (value.b[0] & 0x80 || code > 255)
        return 0;
    row->operation = (uint8_t)code;
    if (component.tag == 0xA3 || at >= component.n || !ber_value(component.b, component.n, &at, &value))
        return 0;
    if (code >= 59 && code <= 61)
        ussd(&value, user, row);
    else if (code >= 10 && code <= 17 && code != 16 && row->component == 1)
        service_argument(&value, row);
    return 0;
}

#endif
