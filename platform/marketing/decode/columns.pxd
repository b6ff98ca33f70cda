"""The decoded row as C sees it, and the two entries into the decoder that the correlator calls."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

# The same fields, in the same order, as `row.h` and `decode.schema.COLUMNS`; 128 octets, no padding.
# Up to `sccp_cause`: how the message was routed. From `dlci` on: payload, all zero on a row in error.
cdef struct Row:
    uint32_t opc
    uint32_t dpc
    uint32_t corr
    uint32_t slr
    uint32_t dlr
    uint16_t user_offset
    uint16_t user_length
    uint8_t error
    uint8_t m3ua_class
    uint8_t m3ua_type
    uint8_t si
    uint8_t ni
    uint8_t mp
    uint8_t sls
    uint8_t sccp
    uint8_t more
    uint8_t sccp_cause
    uint8_t dlci
    uint8_t bssmap
    uint16_t lac
    uint16_t ci
    uint32_t tmsi
    uint8_t pd
    uint8_t ti
    uint8_t dtap
    uint8_t imsi_digits
    uint16_t present
    uint8_t imei_digits
    uint8_t called_digits
    uint8_t called_type
    uint8_t calling_digits
    uint8_t calling_type
    uint8_t service
    uint64_t imsi
    uint64_t imei
    uint8_t called[10]
    uint8_t calling[10]
    uint32_t plmn
    uint8_t bssmap_cause
    uint8_t cause
    uint8_t cp
    uint8_t rp
    uint8_t rp_reference
    uint8_t tp
    uint8_t discriminator
    uint8_t list_cells
    uint64_t digest
    uint32_t lai_plmn
    uint16_t lai_lac
    uint16_t list_offset
    uint8_t tp_reference
    uint8_t tp_pid
    uint8_t tp_dcs
    uint8_t tp_length
    uint8_t component
    uint8_t operation
    uint8_t ss_code
    uint8_t invoke_id

cdef enum:
    HAS_IMSI = 1
    HAS_TMSI = 2
    HAS_IMEI = 4
    HAS_CELL = 8
    HAS_CI = 16
    HAS_LAI = 32
    HAS_CALLED = 64
    HAS_CALLING = 128
    HAS_CAUSE = 256
    HAS_BSSMAP_CAUSE = 512
    HAS_LIST = 1024
    HAS_DTAP = 2048
    HAS_BSSMAP = 4096
    HAS_DIGEST = 8192
    HAS_USSD = 16384

# One message of n octets into its row (which need not be clean). Reads only b[0] to b[n - 1].
cdef void decode_message(const uint8_t *b, int64_t n, Row *row, int ni) noexcept nogil

# SCCP user data (a BSSAP message) into the payload columns of a row; the error kind, 0 when it is right.
cdef int decode_user(const uint8_t *b, int n, Row *row) noexcept nogil
