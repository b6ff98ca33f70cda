# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The one writer of the network's state: what people mean to do, settled and put into messages.

MSC with its VLR, the BSCs as far as they number things, the service centre between people, and the stations,
in C structures. Everything is settled in the order (time, subscriber, class, ordinal), so the result does
not depend on how often `settle` is called. All chance comes from keyed draws, and only integers take part.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memmove, memset

import numpy as np

from sim.bssap.errors import EncodeError
from sim.draws import NORMAL as NORMAL_DEVIATES
from sim.draws import purpose_word
from sim.network import acts as act_table
from sim.network.exhaustion import NumbersExhaustedError
from sim.network.resting import KEPT_Q32
from sim.network.stations import TRAFFIC, Begun
from sim.network.stations import Station as StationView
from sim.network.templates import END, FREE_DIGIT, SLOTS
from sim.network.templates import Shape as TemplateShape
from sim.network.tpdus import text_body
from sim.network.visible import RULES, VISIBLE
from sim.network.wire import WireBatch
from sim.subscribers.identities import Series as NumberSeries

# Kinds of calls and texts, as sim.network.intents has them.
cdef enum:
    INSIDE = 1
    SERVICE_LINE = 2
    VACANT_NUMBER = 3
    FROM_OTHER_NETWORK = 5
    FORWARDING_REGISTERED = 2
    FORWARDING_ERASED = 3
    TEXT_INSIDE = 1
    TEXT_IN = 3
    BY_CALLER = 1
    DAY = 86_400_000_000
    FRESH_TMSI = 0xC0000000     # TS 23.003 2.4: 11 in the top bits is the SGSN's
    NUMBER_OCTETS = 10
    SOME = 65_536               # people looked at together
    RESERVED = 0xF00000         # references from here on are for deliveries made beside a schedule

include "words.pxi"
include "numbers.pxi"
include "columns.pxi"
include "resting.pxi"
include "ladders.pxi"
include "emission.pxi"
include "mobility.pxi"
include "channels.pxi"
include "calls.pxi"
include "forwarding.pxi"
include "talks.pxi"
include "texts.pxi"
include "diary.pxi"


def block_of(int64_t n):
    """Of so many people the intents of so many microseconds are in memory at a time."""
    cdef int64_t block_us = DAY
    while n * block_us > ROWS_OF_A_BLOCK * DAY and block_us > SHORTEST_BLOCK:
        block_us //= 2
    return block_us


cdef class Network:
    """The network at the moment up to which it has been settled."""

    cdef readonly uint32_t n
    cdef readonly int64_t start_us, end_us, settled_us
    cdef readonly object library, people, clock
    cdef public object admits
    cdef public object journal
    cdef bint keeps_journal, beside
    cdef readonly bint silent
    cdef dict _short, bodies, waiting, forwarding, foreign      # foreign: of strangers, the network of their last area
    cdef list _short_digits, _kept
    cdef uint32_t key0, key1
    cdef uint32_t purpose[5]
    cdef uint32_t plmn
    cdef const int32_t[::1] border_q16, ping_pong_q16, fails_q16
    cdef int64_t now_us
    cdef Cell *cell
    cdef const int32_t[::1] neighbour_start, neighbour_cells
    cdef const int64_t[::1] normal
    cdef const int16_t[::1] rivals, behind_cdb, room_cdb    # sim.network.resting.Rest
    cdef const uint8_t[::1] walls
    cdef uint32_t usual_room, other_room, kept
    cdef Party *parties
    cdef int32_t party_room, party_free
    cdef Station *stations
    cdef Series imsi, msisdn
    cdef const uint64_t[::1] imei      # of the day
    cdef int64_t imei_day
    cdef object _columns
    cdef int32_t cells, bscs, mscs
    cdef int32_t msc_of_bsc[256]
    cdef int32_t *lac
    cdef int32_t *ci
    cdef int32_t *bsc
    cdef int32_t *place
    cdef int32_t bsc_of_lac[65536]
    cdef uint32_t bsc_codes[256]
    cdef uint32_t msc_codes[16]
    cdef int64_t t3212_us, epoch_unix_us
    cdef Numbers references[272]   # BSCs, then MSCs
    cdef Numbers reserved[272]
    cdef Numbers circuits[256]
    cdef Numbers tmsis[16]
    cdef Agenda agenda
    cdef uint64_t *shape_key
    cdef int32_t *shape_template
    cdef uint64_t shape_mask
    cdef Template **templates
    cdef int32_t template_count, template_room
    cdef ActRow *acts
    cdef size_t act_count, act_room
    cdef int64_t next_act
    cdef char outcomes[O_COUNT][16]
    cdef Shown *shown
    cdef int32_t shown_room, shown_free
    cdef Text *texts
    cdef int32_t text_room, text_free
    cdef Pending *pending
    cdef size_t pending_count, pending_room
    cdef uint8_t *pool
    cdef uint64_t used, pool_room
    cdef Rule rules[128]
    cdef int page_rule
    cdef dict paged             # IMSI -> end of its page, area, correlation id, act; in the order of their ends
    cdef int64_t next_correlation
    cdef int64_t stamp_day
    cdef uint8_t stamp[7]
    cdef Cursor cursor[STREAMS]
    cdef readonly int64_t block_us, block_end_us
    cdef Walker *walkers
    cdef int32_t walker_room, walker_free
    cdef const int32_t[:, ::1] distance_m
    cdef const int16_t[:, ::1] next_cell
    cdef const int64_t[::1] trip_leave, trip_ride, power_t, call_t, text_t, service_t, journey_t
    cdef const int32_t[::1] trip_sub, power_sub, call_sub, text_sub, service_sub, journey_sub
    cdef const int16_t[::1] trip_from, trip_to
    cdef const int32_t[::1] service_dialogue, journey_cell, journey_plmn, journey_lac
    cdef const uint8_t[::1] power_on, power_graceful, call_kind, call_intent, call_hangup
    cdef const uint8_t[::1] service_kind, text_kind, text_body
    cdef const int32_t[::1] call_peer, text_peer
    cdef const uint8_t[:, ::1] call_number, text_number, service_number
    cdef const uint32_t[::1] call_alert, call_ring
    cdef const int64_t[::1] call_talk

    def __init__(self, *, topology, identities, people, library, draws, clock, int64_t t3212_us,
                 int64_t epoch_unix_us, int64_t start_us, int64_t end_us, bytes plmn=b"\x00\xf1\x10",
                 ping_pong_q16=None, fails_q16=None, bint silent=False, int64_t block_us=0):
        """Who is on was registered before the world began; cell -1: in another network. The tap knows nobody.

        Settles start_us <= t < end_us at most. Shares of handovers that go back or fail (out of 65536) hold
        for all borders; None: each border has its own in the topology. A silent network gives acts and what is
        visible of them, the same as otherwise, and no messages. People are asked for `block_us` at a time, a part
        of a day; 0: the more they are, the shorter. Nothing that comes out depends on it.
        """
        cdef uint32_t i
        cdef uint64_t seed = draws.seed & 0xFFFFFFFF
        cdef int64_t[::1] last_seen
        if not 0 <= end_us < LATEST:
            raise ValueError(f"end at {end_us} us: a network lives for at most {<int64_t>LATEST} us")
        cdef const int32_t[::1] cell
        cdef const uint8_t[::1] on
        self.n = identities.n
        self.library, self.people, self.clock = library, people, clock
        self.start_us, self.end_us, self.settled_us = start_us, end_us, start_us
        self.silent = silent
        self.t3212_us, self.epoch_unix_us = t3212_us, epoch_unix_us
        self.block_end_us = start_us
        self.block_us = block_us if block_us else block_of(self.n)
        if self.block_us < 1 or DAY % self.block_us:
            raise ValueError(f"blocks of {block_us} us: a part of a day was expected")
        self._short, self._short_digits, self._kept = {}, [""], []
        self.bodies, self.waiting, self.forwarding, self.paged, self.foreign = {}, {}, {}, {}, {}
        self.key0, self.key1 = draws.key
        for i, name in enumerate(PURPOSES):
            self.purpose[i] = purpose_word(name)
        self.agenda.number = <uint64_t>1 << 40
        self.shown_free = self.text_free = self.walker_free = self.party_free = -1
        self.next_correlation = 1
        self.stamp_day = -1
        for i, word in enumerate(OUTCOMES):
            put_word(self.outcomes[i], word, 16)
        for i, rule in enumerate(RULES):
            self.rules[i].kind, self.rules[i].role, self.rules[i].cause = rule.kind, rule.role, rule.cause
            self.rules[i].there, self.rules[i].peer, self.rules[i].detail = rule.there, rule.peer, rule.detail
            self.rules[i].page = rule.page
            if rule.page == 1:
                self.page_rule = i
            put_word(self.rules[i].name, rule.name, 24)
        grow_shapes(self)
        self._lay_out(topology, seed)
        self.plmn = int.from_bytes(plmn, "big")
        relations = len(topology.neighbour_cells)
        self.border_q16 = column(topology.border_q16, np.int32)
        self.ping_pong_q16 = column(topology.ping_pong_q16 if ping_pong_q16 is None else np.full(relations, ping_pong_q16), np.int32)
        self.fails_q16 = column(topology.fails_q16 if fails_q16 is None else np.full(relations, fails_q16), np.int32)
        self.now_us = start_us
        self._columns = read_series(&self.imsi, identities.imsi) + read_series(&self.msisdn, identities.msisdn)
        self.imei_day = -1
        handsets_of(self, start_us // DAY)
        self.stations = <Station *>calloc(self.n + 1, sizeof(Station))
        if self.stations == NULL:
            raise MemoryError
        where, awake = people.state_at(start_us)
        cell, on = column(where, np.int32), column(awake, np.bool_).view(np.uint8)
        for first in range(0, self.n, SOME):
            since = draws.u32("paging", np.arange(first, min(first + SOME, self.n)), 1).astype(np.int64)
            last_seen = start_us - (since * (t3212_us >> 16) >> 16)
            for i in range(<uint32_t>first, <uint32_t>(first + len(since))):
                settle_in(self, i, cell[i], on[i], last_seen[i - <uint32_t>first])

    def _lay_out(self, topology, uint64_t seed):
        cdef int i
        self.cells = topology.n
        if self.cells >= 1 << 15:
            raise ValueError(f"{self.cells} cells: fewer than {1 << 15} were expected")
        self.bscs = len(topology.bsc_point_codes)
        codes, of_bsc = topology.msc_point_codes, topology.msc_of_bsc
        self.mscs = len(codes)
        for i in range(self.mscs):
            self.msc_codes[i] = codes[i]
            numbers_open(&self.tmsis[i], 1, FRESH_TMSI, seed + 0x7351 + i & 0xFFFFFFFF, True)
        self.distance_m, self.next_cell = column(topology.distance_m, np.int32), column(topology.next_cell, np.int16)
        self.neighbour_start = column(topology.neighbour_start, np.int32)
        self.neighbour_cells = column(topology.neighbour_cells, np.int32)
        rest = topology.rest
        if rest.rivals.shape != (self.cells, SPOTS, RIVALS):
            raise ValueError(f"rest of shape {rest.rivals.shape}: {(self.cells, SPOTS, RIVALS)} was expected")
        self.rivals, self.behind_cdb = column(rest.rivals.reshape(-1), np.int16), column(rest.behind_cdb.reshape(-1), np.int16)
        self.walls, self.room_cdb = column(rest.walls.reshape(-1), np.uint8), column(rest.room_cdb, np.int16)
        self.normal, self.kept = column(NORMAL_DEVIATES.rows), KEPT_Q32
        self.usual_room, self.other_room = purpose_word("usual_room"), purpose_word("other_room")
        self.cell = <Cell *>calloc(self.cells, sizeof(Cell))
        if self.cell == NULL:
            raise MemoryError
        for i in range(self.cells):
            self.cell[i].since_us = self.start_us
            self.cell[i].tch, self.cell[i].sdcch = topology.tch[i], topology.sdcch[i]
        self.lac, self.ci = cells_of(topology.lac), cells_of(topology.ci)
        self.bsc, self.place = cells_of(topology.bsc), cells_of(topology.place)
        for i, lacs in enumerate(topology.las_of_bsc):
            self.bsc_codes[i] = topology.bsc_point_codes[i]
            self.msc_of_bsc[i] = of_bsc[i]
            for lac in lacs:
                self.bsc_of_lac[<int>lac] = i
            numbers_open(&self.circuits[i], 1 << 5, 1 << 16, 0, False)
        # One list for each BSC, and then for each MSC. Zero is left out: some decoders take it for none.
        for i in range(self.bscs + self.mscs):
            numbers_open(&self.references[i], 1, RESERVED, seed + 2 * i + 1, True)
            numbers_open(&self.reserved[i], RESERVED, 1 << 24, seed + 2 * i + 1, True)

    def __dealloc__(self):
        cdef int i
        for i in range(272):
            free(self.references[i].heap)
            free(self.reserved[i].heap)
        for i in range(256):
            free(self.circuits[i].heap)
        for i in range(self.template_count):
            free(self.templates[i].begins)
            free(self.templates[i])
        for i in range(16):
            free(self.tmsis[i].heap)
        free(self.cell)
        free(self.parties)
        free(self.agenda.heap)
        free(self.templates)
        free(self.shape_key)
        free(self.shape_template)
        free(self.stations)
        free(self.lac)
        free(self.ci)
        free(self.bsc)
        free(self.place)
        free(self.acts)
        free(self.shown)
        free(self.texts)
        free(self.pending)
        free(self.pool)
        free(self.walkers)

    # ------------------------------------------------------------------ settling

    def settle(self, int64_t until_us):
        """Settles everything before `until_us`."""
        cdef int stream
        cdef int64_t t_us
        cdef uint32_t sub
        while True:
            stream = self._next(&t_us, &sub)
            if stream < 0 and self.block_end_us < min(self.end_us, until_us) and (
                self.agenda.held == 0 or self.agenda.heap[0].t_us >= self.block_end_us
            ):
                open_block(self)
                continue
            if self.agenda.held and self.agenda.heap[0].t_us < until_us and (
                stream < 0 or not intent_first(t_us, sub, CLASSES[stream], self.agenda.heap)
            ):
                self._happen(pop(&self.agenda))
            elif stream >= 0 and t_us < until_us:
                self._mean(stream, t_us, sub)
            else:
                break
        self.settled_us = max(self.settled_us, until_us)

    cdef int _next(self, int64_t *t_us, uint32_t *sub) noexcept:
        """The stream with the next intent of the day, and whose it is; -1 where there is none."""
        cdef int found = -1
        if self.cursor[POWERS].at < self.cursor[POWERS].end:
            found = sooner_of(found, POWERS, t_us, sub, self.power_t, self.power_sub, self.cursor[POWERS].at)
        if self.cursor[TRIPS].at < self.cursor[TRIPS].end:
            found = sooner_of(found, TRIPS, t_us, sub, self.trip_leave, self.trip_sub, self.cursor[TRIPS].at)
        if self.cursor[CALLS].at < self.cursor[CALLS].end:
            found = sooner_of(found, CALLS, t_us, sub, self.call_t, self.call_sub, self.cursor[CALLS].at)
        if self.cursor[TEXTS].at < self.cursor[TEXTS].end:
            found = sooner_of(found, TEXTS, t_us, sub, self.text_t, self.text_sub, self.cursor[TEXTS].at)
        if self.cursor[SERVICES].at < self.cursor[SERVICES].end:
            found = sooner_of(found, SERVICES, t_us, sub, self.service_t, self.service_sub, self.cursor[SERVICES].at)
        if self.cursor[JOURNEYS].at < self.cursor[JOURNEYS].end:
            found = sooner_of(found, JOURNEYS, t_us, sub, self.journey_t, self.journey_sub, self.cursor[JOURNEYS].at)
        return found

    cdef int _mean(self, int stream, int64_t t_us, uint32_t sub) except -1:
        """Settles the next intent of a stream."""
        cdef int64_t at = self.cursor[stream].at
        cdef Wish wish
        cdef int32_t place
        cdef Text *one
        self.cursor[stream].at = at + 1
        self.now_us = t_us
        if stream == POWERS:
            return power(self, t_us, sub, self.power_on[at], self.power_graceful[at])
        if stream == TRIPS:
            return set_out(self, sub, at, t_us - 1)
        if stream == CALLS:
            wish.number = number_at(&self.call_number[at, 0])
            wish.alert_us, wish.ring_us, wish.talk_us = self.call_alert[at], self.call_ring[at], self.call_talk[at]
            wish.peer_sub = self.call_peer[at]
            wish.kind, wish.intent = self.call_kind[at], self.call_intent[at]
            wish.caller_ends = self.call_hangup[at] == BY_CALLER
            return call(self, t_us, sub, &wish)
        if stream == JOURNEYS:
            return journey(
                self, t_us, sub, self.journey_cell[at], self.journey_plmn[at], <uint16_t>self.journey_lac[at]
            )
        place = new_text(self)
        one = self.texts + place
        if stream == SERVICES:
            one.peer = number_at(&self.service_number[at, 0])
            one.kind, one.body = self.service_kind[at], self.service_dialogue[at]
            return service(self, t_us, sub, place)
        one.peer = number_at(&self.text_number[at, 0])
        one.peer_sub, one.body, one.kind = self.text_peer[at], self.text_body[at], self.text_kind[at]
        return text(self, t_us, sub, place)

    cdef int _happen(self, Event due) except -1:
        """Settles what the network itself made due."""
        self.now_us = due.t_us
        cdef uint8_t what = class_of(&due)
        if what == MOVE:
            move(self, due.t_us, due.sub, self.walkers[due.detail].step)
            return go_on(self, due.sub, due.detail, due.t_us - 1)
        if what == LOCATION:
            return location(self, due.t_us, due.sub)
        if what == POWER_OFF:
            return postponed_off(self, due.t_us, due.sub, due.detail)
        if what == PERIODIC:
            return periodic(self, due.t_us, due.sub)
        if what == TEXT:
            return text(self, due.t_us, due.sub, due.detail)
        if what == HANDOVER:
            return hand_over(self, due.t_us, due.sub, due.detail)
        if what == ENDING_CALL:
            return end_call(self, due.t_us, due.sub, due.detail)
        if what == CHANNEL:
            released(self, due.detail)
            return 0
        if what == SERVICE:
            return service(self, due.t_us, due.sub, due.detail)
        if what == LEAVING:
            return journey(self, due.t_us, due.sub, -1, 0, 0)
        return receive(self, due.t_us, due.sub, due.detail)

    # ------------------------------------------------------------------ what comes out

    def window(self, int64_t until_us):
        """Messages before `until_us` that have not been out yet, and visible rows; None where there are none.

        A silent network gives rows alone, and a batch of no messages.
        """
        return window(self, until_us)

    def take_acts(self):
        """The acts settled since the last call, in the order in which they were settled."""
        rows = np.empty(self.act_count, act_table.ACT)
        cdef uint8_t[::1] raw
        if self.act_count:
            raw = rows.view(np.uint8)
            memcpy(&raw[0], self.acts, self.act_count * sizeof(ActRow))
        self.act_count = 0
        return rows

    def traffic(self):
        """What each cell was asked for and gave since the start (`sim.network.stations.TRAFFIC`)."""
        cdef int i
        out = np.zeros(self.cells, TRAFFIC)
        for i in range(self.cells):
            out[i] = (
                self.cell[i].tch, self.cell[i].sdcch, self.cell[i].tch_asked, self.cell[i].tch_refused,
                self.cell[i].sdcch_asked, self.cell[i].sdcch_refused, self.cell[i].handovers_in,
                self.cell[i].handovers_refused, self.cell[i].handovers_repeated, self.cell[i].dropped,
                self.cell[i].tch_us + self.cell[i].tch_held * (self.settled_us - self.cell[i].since_us),
            )
        return out

    @property
    def pending(self):
        """Messages kept for later windows."""
        return self.pending_count

    @property
    def numbered(self):
        """Messages that windows have given so far, of a silent network those that they would have."""
        return self.next_correlation - 1

    def held(self):
        """Octets that the network holds, by holder."""
        return held(self)

    def count_from(self, int64_t number):
        """The next message has this number."""
        self.next_correlation = number

    def drop_pending(self):
        """Forgets the messages kept for later, and what their visible rows would have needed."""
        self.pending_count = 0
        self.used = 0
        free(self.shown)
        self.shown = NULL
        self.shown_room = 0
        self.shown_free = -1

    def keep_journal(self):
        """From here on `journal` has every ladder begun."""
        self.keeps_journal = True
        self.journal = []

    def work_beside(self):
        """From here on borrows from the reserved part of the references, and keeps no journal."""
        self.beside = True
        self.keeps_journal = False
        self.journal = None

    # ------------------------------------------------------------------ individuals

    def number(self, uint32_t sub):
        """A subscriber's MSISDN."""
        return str(identity(&self.msisdn, self._known(sub)))

    def station(self, uint32_t sub):
        """What a subscriber's station is doing."""
        cdef Station *s = self.stations + self._known(sub)
        return StationView(
            s.cell, self.place[s.cell], s.flags & ON != 0, s.flags & CAMPED != 0, s.lac, s.tmsi,
            moment(s, POWERED_ON), moment(s, SERVED), moment(s, ARRIVED),
        )

    def column(self, name):
        """A copy of a column over all stations: cell, riding, on, tmsi or registered_lac."""
        cdef uint32_t i
        out = np.empty(self.n, np.int64)
        cdef int64_t[::1] values = out
        if name == "cell":
            for i in range(self.n):
                values[i] = self.stations[i].cell
        elif name == "riding":
            for i in range(self.n):
                values[i] = self.stations[i].flags & RIDING != 0
        elif name == "on":
            for i in range(self.n):
                values[i] = self.stations[i].flags & ON
        elif name == "tmsi":
            for i in range(self.n):
                values[i] = self.stations[i].tmsi
        elif name == "registered_lac":
            for i in range(self.n):
                values[i] = self.stations[i].lac
        else:
            raise KeyError(name)
        return out

    def at_rest(self, uint32_t sub, int32_t cell, int64_t t_us):
        """The cell that serves a subscriber who stays in a cell, at a moment."""
        if not 0 <= cell < self.cells:
            raise IndexError(f"cell {cell} of {self.cells}")
        return at_rest(self, self._known(sub), cell, t_us)

    def area(self, int32_t cell):
        """Location area code of a cell."""
        if not 0 <= cell < self.cells:
            raise IndexError(f"cell {cell} of {self.cells}")
        return self.lac[cell]

    def hears_page(self, uint32_t sub):
        """Whether the station would answer in the location area where it is registered."""
        return hears_page(self, self._known(sub))

    def next_on_us(self, uint32_t sub, int64_t after_us):
        """When the subscriber next switches on; -1: not soon."""
        return self.people.next_on_us(self._known(sub), after_us)

    def chance(self, uint32_t sub, purpose="options"):
        """The next four 32-bit draws of a subscriber for a purpose."""
        cdef uint32_t words[4]
        chance(self, self._known(sub), PURPOSES.index(purpose), words)
        return words[0], words[1], words[2], words[3]

    def send(self, int64_t t_us, uint32_t sub, number, bytes body, purpose="smsc"):
        """A short message of a subscriber to a number; (outcome of ATTEMPTS, when it is known)."""
        cdef Number peer = number_from(number.encode())
        self.now_us = t_us
        cdef Attempt attempt = send(self, t_us, self._known(sub), &peer, -1, body, -1, PURPOSES.index(purpose))
        return ATTEMPTS[attempt.outcome], attempt.at_us

    def deliver(self, int64_t t_us, uint32_t sub, originator, bytes body, bytes stamp, *, bint header=False,
                bint more=False, purpose="smsc"):
        """A short message to a subscriber; (outcome of ATTEMPTS, when it is known)."""
        cdef Number peer = number_from(originator.encode())
        cdef int which = PURPOSES.index(purpose)
        self.now_us = t_us
        cdef Attempt attempt = deliver(
            self, t_us, self._known(sub), &peer, body, stamp_octets(stamp), header, more, which,
            PAGING_DRAWN if which == OPTIONS_DRAWN else which,
        )
        return ATTEMPTS[attempt.outcome], attempt.at_us

    cdef uint32_t _known(self, uint32_t sub) except? 0xFFFFFFFF:
        if sub >= self.n:
            raise IndexError(f"subscriber {sub} of {self.n}")
        return sub


# The class of the intents of each stream.
cdef uint8_t *CLASSES = [POWER, MOVE, CALL, TEXT, SERVICE, JOURNEY]


cdef inline bint intent_first(int64_t t_us, uint32_t sub, uint8_t what, const Event *due) noexcept nogil:
    """Whether an intent comes before an event; where all is equal, it does."""
    if t_us != due.t_us:
        return t_us < due.t_us
    if sub != due.sub:
        return sub < due.sub
    return what <= class_of(due)


cdef inline int sooner_of(int found, int stream, int64_t *t_us, uint32_t *sub, const int64_t[::1] times,
                          const int32_t[::1] subs, int64_t at) noexcept nogil:
    """Of what was found and the head of a later stream, the one that comes first."""
    if found >= 0 and (t_us[0] < times[at] or (t_us[0] == times[at] and sub[0] <= subs[at])):
        return found
    t_us[0] = times[at]
    sub[0] = <uint32_t>subs[at]
    return stream


cdef int put_word(char *out, str word, int room) except -1:
    """A word of a record, filled up with zeros."""
    cdef bytes octets = word.encode("ascii").ljust(room, b"\0")
    memcpy(out, <const char *>octets, room)
    return 0


cdef int32_t *cells_of(values) except NULL:
    """A column over cells as C has it."""
    cdef const int32_t[::1] view = np.ascontiguousarray(values, dtype=np.int32)
    cdef int32_t *out = <int32_t *>malloc((view.shape[0] + 1) * sizeof(int32_t))
    if out == NULL:
        raise MemoryError
    if view.shape[0]:
        memcpy(out, &view[0], view.shape[0] * sizeof(int32_t))
    return out


include "beside.pxi"
include "memory.pxi"
