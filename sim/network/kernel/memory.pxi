# Who holds how much memory: what the network has allocated, by holder.

cdef object held(Network net):
    """Octets in use by holder; room that was allocated and never touched is not counted."""
    cdef size_t i, resting = 0
    for i in range(16):
        resting += net.tmsis[i].resting
    found = {
        "stations": net.n * sizeof(Station),
        "identities": sum([values.nbytes for values in net._columns]) + net.imei.nbytes,
        "agenda": net.agenda.held * sizeof(Event),
        "resting TMSIs": resting * sizeof(Resting),
        "parties": net.party_room * sizeof(Party),
        "walkers": net.walker_room * sizeof(Walker),
        "texts": net.text_room * sizeof(Text),
        "visible rows to come": net.shown_room * sizeof(Shown),
        "messages to come": net.pending_room * sizeof(Pending) + net.pool_room,
        "acts": net.act_room * sizeof(ActRow),
    }
    resting = 0
    for i in range(272):
        resting += net.references[i].resting
    for i in range(256):
        resting += net.circuits[i].resting
    found["resting references and circuits"] = resting * sizeof(Resting)
    for name, stream, octets in BLOCK_ROWS:
        found[name] = net.cursor[<int>stream].end * octets
    return found


BLOCK_ROWS = (
    ("trips of the block", TRIPS, 24), ("power of the block", POWERS, 14), ("calls of the block", CALLS, 45),
    ("texts of the block", TEXTS, 28), ("services of the block", SERVICES, 27), ("journeys of the block", JOURNEYS, 24),
)
"""Octets of a row of each stream."""
