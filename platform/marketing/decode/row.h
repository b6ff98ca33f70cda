/* The decoded row, the kinds of error, and what every other header here stands on.
 *
 * Every function of the decoder takes a pointer and the number of octets behind it, and compares with that
 * number before each read; nothing is read on trust.  A function returns an error kind, 0 when all is right.
 */
#ifndef KAIROS_DECODE_ROW_H
#define KAIROS_DECODE_ROW_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define INLINED static inline __attribute__((always_inline))
#define APART static __attribute__((noinline))
#define UNROLLED _Pragma("GCC unroll 8")
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#define INLINED static inline
#define APART static
#define UNROLLED
#define LIKELY(x) (x)
#define UNLIKELY(x) (x)
#endif

/* How much of a message is read: FULL fills every column; BRIEF those up to plmn, and passes over the causes,
 * areas and lists that other columns hold.  A constant at each call, so that each depth is compiled by itself. */
enum depth { BRIEF, FULL };

/* Columns as schema.COLUMNS has them: X(type, name, dimension).  Up to sccp_cause: how the message was routed;
 * from dlci on: payload, all zero on a row in error; up to plmn: the columns of a brief row. */
#define ROW_COLUMNS(X) \
    X(uint32_t, opc, ) X(uint32_t, dpc, ) X(uint32_t, corr, ) X(uint32_t, slr, ) X(uint32_t, dlr, ) \
    X(uint16_t, user_offset, ) X(uint16_t, user_length, ) X(uint8_t, error, ) X(uint8_t, m3ua_class, ) \
    X(uint8_t, m3ua_type, ) X(uint8_t, si, ) X(uint8_t, ni, ) X(uint8_t, mp, ) X(uint8_t, sls, ) \
    X(uint8_t, sccp, ) X(uint8_t, more, ) X(uint8_t, sccp_cause, ) \
    X(uint8_t, dlci, ) X(uint8_t, bssmap, ) X(uint16_t, lac, ) X(uint16_t, ci, ) X(uint32_t, tmsi, ) \
    X(uint8_t, pd, ) X(uint8_t, ti, ) X(uint8_t, dtap, ) X(uint8_t, imsi_digits, ) X(uint16_t, present, ) \
    X(uint8_t, imei_digits, ) X(uint8_t, called_digits, ) X(uint8_t, called_type, ) \
    X(uint8_t, calling_digits, ) X(uint8_t, calling_type, ) X(uint8_t, service, ) X(uint64_t, imsi, ) \
    X(uint64_t, imei, ) X(uint8_t, called, [10]) X(uint8_t, calling, [10]) X(uint32_t, plmn, ) \
    X(uint8_t, bssmap_cause, ) X(uint8_t, cause, ) X(uint8_t, cp, ) X(uint8_t, rp, ) \
    X(uint8_t, rp_reference, ) X(uint8_t, tp, ) X(uint8_t, discriminator, ) X(uint8_t, list_cells, ) \
    X(uint64_t, digest, ) X(uint32_t, lai_plmn, ) X(uint16_t, lai_lac, ) X(uint16_t, list_offset, ) \
    X(uint8_t, tp_reference, ) X(uint8_t, tp_pid, ) X(uint8_t, tp_dcs, ) X(uint8_t, tp_length, ) \
    X(uint8_t, component, ) X(uint8_t, operation, ) X(uint8_t, ss_code, ) X(uint8_t, invoke_id, )

#define MEMBER(type, name, dimension) type name dimension;
struct row { ROW_COLUMNS(MEMBER) };
#undef MEMBER

enum {
    PAYLOAD = offsetof(struct row, dlci),
    BRIEF_OCTETS = offsetof(struct row, bssmap_cause),
};

_Static_assert(sizeof(struct row) == 128, "two cache lines, no padding");
_Static_assert(PAYLOAD == 34 && BRIEF_OCTETS == 96, "as schema.py says");

/* schema.DecodeErrorKind */
enum error {
    E_M3UA_HEADER = 1, E_M3UA_LENGTH, E_M3UA_PARAMETER, E_FOREIGN_SERVICE, E_FOREIGN_NETWORK, E_SCCP_TYPE,
    E_SCCP_TRUNCATED, E_SCCP_POINTER, E_BSSAP_HEADER, E_BSSMAP_ELEMENT, E_DTAP_DISCRIMINATOR, E_DTAP_TRUNCATED,
    E_DTAP_ELEMENT, E_IDENTITY, E_NUMBER, E_SMS_HEADER, E_TPDU, E_MESSAGE_TYPE, E_COMPONENT,
};

/* schema.Present; columns.pxd tells it to the correlator. */
enum {
    P_IMSI = 1, P_TMSI = 2, P_IMEI = 4, P_CELL = 8, P_CI = 16, P_LAI = 32, P_CALLED = 64, P_CALLING = 128,
    P_CAUSE = 256, P_BSSMAP_CAUSE = 512, P_LIST = 1024, P_DTAP = 2048, P_BSSMAP = 4096, P_DIGEST = 8192,
    P_USSD = 16384,
    /* What a brief row has columns for. */
    P_BRIEF = P_IMSI | P_TMSI | P_IMEI | P_CELL | P_CI | P_CALLED | P_CALLING | P_DTAP | P_BSSMAP,
};

INLINED uint32_t be16(const uint8_t *b) { return (uint32_t)b[0] << 8 | b[1]; }

INLINED uint32_t be24(const uint8_t *b) { return (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2]; }

INLINED uint32_t be32(const uint8_t *b) {
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

INLINED uint64_t le64(const uint8_t *b) {
    return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24 |
           (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 | (uint64_t)b[6] << 48 | (uint64_t)b[7] << 56;
}

#endif
