# What the correlator remembers: of a call, a short message, a connection, a row or message on hold.

cdef enum:
    NONE = 0xFFFFFFFF
    CHAINS = 4096           # heads of the chains of held messages
    LINKS = 4096            # pairs of point codes at most
    LINK_SLOTS = 8192
    MAX_HELD = 65536
    MAX_WAITING = 65536
    MAX_PARTS = 512         # octets of a reassembled message at most; BSSAP's own length allows 258
    FIRST_ERROR_ABOVE_SCCP = 9

cdef uint64_t ABSENT = 0xFFFFFFFFFFFFFFFFULL

# Places in `counts`; their names are COUNTERS.
cdef enum:
    C_OPENED = 0
    C_RELEASED
    C_REFUSED
    C_REUSED
    C_ADOPTED
    C_AGED
    C_RESET
    C_STALE
    C_ORPHANS
    C_OVERFLOW
    C_HELD
    C_SEGMENTS
    C_REASSEMBLED
    C_REASSEMBLY_ERRORS
    C_HANDOVERS
    C_UNTIED
    C_BOUND
    C_IDENTITIES_FULL
    C_UNKNOWN_IDENTITY
    C_CALLS_DROPPED
    C_EVICTED
    C_COUNT

cdef enum:
    SOURCE = 1      # a handover away from this leg has begun
    TARGET = 2      # this leg was opened by HANDOVER REQUEST
    ARRIVED = 4     # HANDOVER COMPLETE was seen on it
    MOVED = 8       # its calls went over to the other leg
    BLOCKED = 16    # its messages wait until it is tied to its source
    DEFERRED = 32   # cleared, while a handover away from it may still turn out to have succeeded

cdef enum:
    FREE = 0
    OPEN = 1
    RELEASING = 2   # RLSD seen, RLC not yet
    ZOMBIE = 3      # gone from the table, kept for a deferred clearing

cdef enum:
    STARTED = 1
    ALERTED = 2
    CONNECTED = 3
    OVER = 4

cdef struct Call:
    int64_t connected_us
    uint8_t peer[10]
    uint8_t digits
    uint8_t type
    uint8_t ti          # three bits, bit 4 = allocated by the network
    uint8_t role
    uint8_t state

cdef struct Message:
    uint8_t peer[10]
    uint8_t digits
    uint8_t type
    uint8_t reference
    uint8_t kind        # 0 = none waiting, else `tp`

# 256 octets; what every message needs is in the first 64.
cdef struct Connection:
    uint64_t key_a      # of the side that sent CR
    int64_t last_us
    uint8_t *parts[2]   # DT1 segments so far, by direction (0 = from the opener)
    uint16_t part_length[2]
    uint32_t opener     # point code that sent CR
    uint32_t generation
    uint16_t lac
    uint16_t ci
    uint8_t state
    uint8_t bss_opened  # 1: the BSS sent CR
    uint8_t updating    # location updating type, 255 = none
    uint8_t handover
    uint8_t waits       # behaviours of it may be waiting for its subscriber
    uint8_t clear_cause
    uint8_t unused[2]
    uint64_t imsi
    uint64_t key_b      # of the other side; 0 until CC
    uint64_t tmsi       # identity key the handset gave, 0 = none
    uint64_t new_tmsi   # identity key given to it on this connection
    uint32_t plmn
    uint32_t other      # the tied leg's number + 1
    uint32_t other_generation
    uint32_t clear_corr
    int64_t clear_us
    uint64_t digest
    Call calls[2]
    Message messages[2]
    uint64_t rest[7]

# The same fields in the same order as behaviours.batch.BEHAVIOUR, packed.
cdef packed struct Behaviour:
    int64_t t_us
    uint64_t imsi
    uint8_t kind
    uint8_t role
    uint16_t lac
    uint16_t ci
    char peer[20]
    uint8_t cause
    int64_t duration_us
    uint32_t corr
    int64_t received_ns
    int64_t decoded_ns

# A behaviour whose subscriber is not known yet.
cdef struct Waiting:
    Behaviour row
    uint64_t tmsi
    int64_t until_us
    uint32_t connection
    uint32_t generation

# A message whose connection is not known yet, or blocked.
cdef struct Held:
    uint64_t key
    int64_t t_us
    int64_t until_us
    int64_t received_ns
    uint32_t next       # in its chain, 0 = last
    uint8_t live
    Row row
    uint8_t user[260]

# A clearing that waits for a HANDOVER COMPLETE.
cdef struct Clearing:
    int64_t until_us
    uint32_t connection
    uint32_t generation

# All of it: what the functions below work on.
cdef struct Core:
    Connection *pool
    uint32_t pool_size, pool_used, free_head, max_connections, sweep_at
    uint32_t *free_next
    Map table, names, current, previous
    Map away_digest, away_imsi, toward_digest, toward_imsi
    uint64_t max_identities
    uint64_t link_key[LINK_SLOTS]
    uint32_t link_id[LINK_SLOTS]
    uint32_t link_msc[LINKS]
    uint32_t links
    uint64_t last_pair
    uint32_t last_link
    Held *held
    uint32_t held_size, held_free, held_count
    uint32_t *held_order
    uint32_t order_head, order_tail
    uint32_t chain_head[CHAINS]
    uint32_t chain_tail[CHAINS]
    Waiting *waiting
    uint32_t waiting_count, waiting_size
    Clearing *clearing
    uint32_t clearing_count, clearing_size
    Behaviour *out
    uint64_t out_count, out_size
    int64_t hold_us, idle_us, releasing_us, received_ns
    bint broken, replaying
    uint64_t counts[C_COUNT]
    uint32_t open_connections
