# What the correlator remembers: of a call, a short message, a connection, a row or message on hold.

cdef enum:
    NONE = 0xFFFFFFFF
    CHAINS = 4096           # heads of the chains of held messages, and of rows that wait for a TMSI
    LINKS = 4096            # pairs of point codes at most
    LINK_SLOTS = 16384
    MAX_HELD = 65536
    MAX_WAITING = 65536
    MAX_CLEARING = 65536
    MAX_PAGES = 65536
    MAX_PARTS = 512         # octets of a reassembled message at most; BSSAP's own length allows 258
    PART_CELLS = 4096       # messages of connections that are being put together at once
    UNIT_CELLS = 64         # the same of connectionless messages
    REASSEMBLY_US = 15000000    # Q.714 T(reass): 10 to 20 s
    COPY_US = 1000000       # how long after a message its copy may come
    FIRST_ERROR_ABOVE_SCCP = 9

cdef uint64_t ABSENT = 0xFFFFFFFFFFFFFFFFULL
cdef int64_t NEVER = 0x7FFFFFFFFFFFFFFF

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
    C_COPIES
    C_PAGES_DROPPED
    C_WRONG_IMEI
    C_COUNT

# Connection.handover
cdef enum:
    SOURCE = 1      # a handover away from this leg has begun
    TARGET = 2      # this leg was opened by HANDOVER REQUEST
    ARRIVED = 4     # HANDOVER COMPLETE was seen on it
    MOVED = 8       # its calls went over to the other leg
    BLOCKED = 16    # its messages wait until it is tied to its source
    DEFERRED = 32   # cleared, while a handover away from it may still turn out to have succeeded

# Connection.state
cdef enum:
    FREE = 0
    OPEN = 1
    RELEASING = 2   # RLSD seen, RLC not yet
    ZOMBIE = 3      # gone from the table, kept for a deferred clearing

# Connection.has: which of its fields, or of those elsewhere, hold something.
cdef enum:
    NAMED = 1       # tmsi
    RENAMED = 2     # new_tmsi
    BACK = 4        # its Back has been cleared
    WAITS = 8       # behaviours wait for its subscriber
    PARTS = 16      # segments wait for the rest
    CERTAIN = 32    # the IMSI itself was told on it, and not found by a TMSI
    ANSWERS = 64    # it answers a page, and its subscriber is not known yet
    HANDSET = 128   # its IMEI has been told, or may be somebody else's

# Connection.messages
cdef enum:
    TOLD = 128      # it has given a behaviour

# Call.state
cdef enum:
    STARTED = 1
    ALERTED = 2
    CONNECTED = 3
    OVER = 4

# A call, or the request of a supplementary service: that has no role and is told apart by its `ti`.
cdef struct Call:
    int64_t connected_us    # of a request: SS code << 8 | operation
    char peer[20]
    uint8_t ti          # three bits, bit 4 = allocated by the network, bit 6 = of a supplementary service
    uint8_t role
    uint8_t state
    uint8_t invoke      # of a request: its invoke identifier

cdef struct Message:
    uint8_t peer[10]
    uint8_t digits
    uint8_t type
    uint8_t reference
    uint8_t kind        # 0 = none waiting, else `tp`

# What every message of a connection needs: one cache line. Identities are kept as (location area, TMSI).
cdef struct Connection:
    uint64_t key_a      # of the side that sent CR
    uint64_t key_b      # of the other side; 0 until CC
    int64_t last_us
    uint64_t imsi
    uint32_t tmsi       # that the handset gave
    uint32_t new_tmsi   # that was given to it on this connection
    uint32_t generation
    uint32_t old_plmn   # of the area it came from at location updating, where it is another network's; else 0
    uint16_t tmsi_lac   # at location updating the area it came from, TMSI or not
    uint16_t new_lac
    uint16_t lac
    uint16_t ci
    uint8_t state
    uint8_t bss_opened  # 1: the BSS sent CR
    uint8_t updating    # location updating type, 255 = none
    uint8_t handover
    uint8_t has
    uint8_t calls       # bit i: calls[i] is not over
    uint8_t messages    # bit i: messages[i] waits for its answer; TOLD
    uint8_t clear_cause

# What calls, short messages and handovers need besides; not touched by others, cleared when first needed.
cdef struct Back:
    Call calls[2]
    Message messages[2]
    uint32_t other      # the tied leg's number + 1
    uint32_t other_generation
    uint32_t clear_corr
    int64_t clear_us
    uint64_t digest
    uint16_t parts[2]   # cells of DT1 segments so far + 1, by direction (0 = from the opener)
    uint32_t waiting    # the first of its waiting behaviours, 0 = none

# Neighbours in the list of connections of a link; of a free one, the next free one.
cdef struct Near:
    uint32_t next
    uint32_t before

# The table of connections: half a hash and the connection's number + 1 (0 = free slot).
cdef struct Entry:
    uint32_t mark
    uint32_t number

# A directed pair of point codes, and what is above the reference in the keys of its receiver.
cdef struct Side:
    uint64_t pair
    uint64_t base

cdef struct Link:
    uint32_t msc
    uint32_t first      # its connections' list
    uint32_t one, other # point codes
    int64_t first_us
    int64_t last_us
    uint64_t openings   # CR and connectionless messages

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
    uint64_t detail
    uint32_t corr
    int64_t received_ns
    int64_t decoded_ns

# A behaviour whose subscriber is not known yet. In up to two lists: of its TMSI's chain and of its connection.
cdef struct Waiting:
    Behaviour row
    uint64_t name       # identity key, 0 = none
    int64_t until_us
    uint32_t connection # NONE: it has been dropped
    uint32_t next, before
    uint32_t next_here, before_here
    uint8_t live

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

# A page that waits for its answer, or an answer that may have overtaken its page.
cdef struct Page:
    uint64_t key        # IMSI + 1
    int64_t until_us    # an answer's: when it came
    int64_t received_ns
    uint32_t corr
    uint16_t lac
    uint8_t answered
    uint8_t live

# Segments of a message of a connection.
cdef struct Parts:
    uint32_t connection # + 1; 0 = free
    uint8_t way
    uint16_t length
    uint8_t octets[MAX_PARTS]

# Segments of a connectionless message (Q.714 4.1.1.2.3), by who sent it and its segmentation local reference.
cdef struct Unit:
    uint64_t pair
    uint64_t caller     # digest of the calling address
    uint32_t reference
    int left            # segments to come, 0 = free
    int64_t until_us
    uint16_t length
    uint8_t octets[MAX_PARTS]

# Who was given which TMSIs: identity keys, 0 = none. Two in a cache line.
cdef struct Subscriber:
    uint64_t key        # IMSI + 1; 0 = free slot
    uint64_t current
    uint64_t previous
    uint64_t unused

# The rows of a block that may mean something.
cdef struct Selection:
    uint32_t rows[BLOCK]
    uint8_t codes[BLOCK]
    int64_t misfit      # a row that is not of its message, -1 = none
    int more            # one has more to come

# All of it: what the functions below work on.
cdef struct Core:
    Connection *pool
    Back *backs
    Near *near
    uint32_t pool_size, pool_used, free_head, max_connections, sweep_at, evict_at
    Entry *table
    uint64_t table_mask, table_count
    Side *sides
    Link *links
    uint32_t link_count
    Map names
    Subscriber *people
    uint64_t people_mask, people_count, people_hand, names_hand
    Map away_digest, away_imsi, toward_digest, toward_imsi
    uint64_t max_identities
    Held *held
    uint32_t held_size, held_free, held_count
    uint32_t *held_order
    uint32_t order_head, order_tail
    uint32_t chain_head[CHAINS]
    uint32_t chain_tail[CHAINS]
    Waiting *waiting
    uint32_t *waiting_chain
    uint32_t waiting_size, waiting_head, waiting_tail, waiting_count
    Clearing *clearing
    uint32_t clearing_count, clearing_size
    Page *pages
    Map paged           # IMSI + 1 -> number of its page
    uint32_t pages_size, pages_head, pages_tail
    int64_t pages_next_us
    Parts *parts
    uint32_t parts_hand, parts_live
    Unit *units
    Behaviour *out
    uint64_t out_count, out_size
    int64_t hold_us, idle_us, releasing_us, page_us, received_ns
    bint broken, replaying
    uint64_t counts[C_COUNT]
    uint32_t open_connections
