# The words of the network's records, and the purposes of its draws.

# Purposes of draws; each counts its own procedures.
cdef enum:
    OPTIONS_DRAWN = 0
    AUTHENTICATION = 1
    PAGING_DRAWN = 2
    SMSC_DRAWN = 3
    HANDOVER_DRAWN = 4

PURPOSES = ("options", "authentication", "paging", "smsc", "handover")

# Acts, as sim.network.acts has them.
cdef enum:
    A_POWER_ON = 1
    A_POWER_OFF = 2
    A_LOCATION_UPDATE = 3
    A_PERIODIC_UPDATE = 4
    A_POWER_LOST = 40
    A_MOVE = 41
    A_CALL_MADE = 42
    A_CALL_RECEIVED = 43
    A_TEXT_SENT = 44
    A_TEXT_RECEIVED = 45
    A_PAGE = 46
    A_HANDOVER = 47
    A_CALL_DROPPED = 48
    A_SERVICE_USED = 49
    A_ROAMED_OUT = 50
    A_ROAMED_IN = 51

# Outcomes of acts; their words are OUTCOMES.
cdef enum:
    O_NONE = 0
    O_ACCEPTED
    O_REJECTED
    O_DETACHED
    O_NOT_REGISTERED
    O_BATTERY
    O_ANSWERED
    O_NO_ANSWER
    O_ABANDONED
    O_BUSY
    O_UNREACHABLE
    O_CONGESTED
    O_VACANT
    O_ENGAGED
    O_NO_SERVICE
    O_NO_RESPONSE
    O_DELIVERED
    O_REFUSED
    O_EXPIRED
    O_NO_CHANNEL
    O_INTRA_BSC
    O_INTER_BSC
    O_INTER_MSC
    O_RETURNED
    O_FORWARDED
    O_COUNT

OUTCOMES = (
    "", "accepted", "rejected", "detached", "not registered", "battery", "answered", "no_answer", "abandoned",
    "busy", "unreachable", "congested", "vacant", "engaged", "no service", "no response", "delivered",
    "refused", "expired", "no channel", "intra-BSC", "inter-BSC", "inter-MSC", "returned",
    "forwarded",
)
