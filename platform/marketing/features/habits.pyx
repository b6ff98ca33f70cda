# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Habits: what a subscriber's behaviours add up to, one record of 88 octets each, updated in place.

One record rather than a column a feature: a behaviour touches most of what is kept of its subscriber, and that
is then two cache lines and not twenty. `records` shows all of it to NumPy by name.

Counts follow habits that change: where one is full it is halved together with what it is divided by, so that
what lies long back weighs less and less.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

import numpy as np

from marketing.behaviours.batch import BEHAVIOUR, Kind

cdef extern from *:
    """
    #define kairos_prefetch(p) __builtin_prefetch((p), 1)
    """
    void kairos_prefetch(const void *p) noexcept nogil

HABIT = np.dtype([
    ("seen_s", np.uint32),       # last behaviour; every *_s is Unix seconds, 0 = never
    ("act_s", np.uint32),        # last own act
    ("call_s", np.uint32),       # last call that was connected
    ("text_s", np.uint32),       # last short message sent or received
    ("imei_s", np.uint32),       # the handset was another one from then on
    ("change_s", np.uint32),     # last change of cell
    ("regions", np.uint32),      # one bit a location area seen
    ("minutes", np.uint16),      # begun minutes of calls made in `month`
    ("month", np.uint16),        # local months since 1970
    ("cell", np.uint16),         # 1 + number in the cell table; 0 = in none of it
    ("prev", np.uint16),         # the cell before
    ("offs", np.uint16),         # times switched off since `since_day`
    ("since_day", np.uint16),    # local days since 1970
    ("calls", np.uint16),        # calls begun
    ("far", np.uint16),          # of them long-distance
    ("offers", np.uint16),       # calls that came in
    ("rejects", np.uint16),      # of them rejected
    ("night_cell", np.uint16, 2),
    ("night_min", np.uint16, 2), # minutes seen there at night, less what was seen elsewhere
    ("day_cell", np.uint16, 2),
    ("day_min", np.uint16, 2),   # the same in working hours
    ("on_hour", np.uint8, 2),
    ("on_n", np.uint8, 2),       # times switched on in that hour, less others
    ("off_hour", np.uint8, 2),
    ("off_n", np.uint8, 2),
    ("ride", np.uint8),          # cells entered in quick succession, none of them twice
    ("flags", np.uint8),         # PRESENT, NEW_HERE
    ("active", np.uint8, 12),    # own acts by local hour, four bits each
], align=True)

cdef struct Habit:
    uint32_t seen_s
    uint32_t act_s
    uint32_t call_s
    uint32_t text_s
    uint32_t imei_s
    uint32_t change_s
    uint32_t regions
    uint16_t minutes
    uint16_t month
    uint16_t cell
    uint16_t prev
    uint16_t offs
    uint16_t since_day
    uint16_t calls
    uint16_t far
    uint16_t offers
    uint16_t rejects
    uint16_t night_cell[2]
    uint16_t night_min[2]
    uint16_t day_cell[2]
    uint16_t day_min[2]
    uint8_t on_hour[2]
    uint8_t on_n[2]
    uint8_t off_hour[2]
    uint8_t off_n[2]
    uint8_t ride
    uint8_t flags
    uint8_t active[12]

if sizeof(Habit) != HABIT.itemsize:
    raise ImportError(f"the compiled habit has {sizeof(Habit)} octets, HABIT {HABIT.itemsize}")

PRESENT = 1
NEW_HERE = 2
RIDE_GAP_S = 600
NIGHT = (22, 6)
WORKING = (9, 17)
LONGEST_STAY_S = 8 * 3600
MOST_LINES = 16

cdef enum:
    _PRESENT = 1
    _NEW_HERE = 2
    _RIDE_GAP_S = 600
    _LONGEST_STAY_S = 8 * 3600
    _MOST_LINES = 16
    PEER = 20
    FULL = 60_000
    DAYS_KEPT = 60
    K_ON = 1
    K_OFF = 2
    K_IMEI = 6
    K_OFF_IMPLICIT = 7
    K_STARTED = 10
    K_CONNECTED = 11
    K_ENDED = 12
    K_REJECTED = 13
    K_SENT = 20
    K_RECEIVED = 21
    K_USSD = 23
    K_SS = 24
    K_NO_RESPONSE = 33
    CALLER = 1
    CALLEE = 2

_kinds = {
    Kind.POWER_ON: K_ON, Kind.POWER_OFF: K_OFF, Kind.IMEI_CHANGED: K_IMEI, Kind.POWER_OFF_IMPLICIT: K_OFF_IMPLICIT,
    Kind.CALL_STARTED: K_STARTED, Kind.CALL_CONNECTED: K_CONNECTED, Kind.CALL_ENDED: K_ENDED,
    Kind.CALL_REJECTED: K_REJECTED, Kind.SMS_SENT: K_SENT, Kind.SMS_RECEIVED: K_RECEIVED, Kind.USSD_USED: K_USSD,
    Kind.SS_USED: K_SS, Kind.PAGING_NO_RESPONSE: K_NO_RESPONSE,
}
if any(int(kind) != code for kind, code in _kinds.items()):
    raise ImportError("the codes of behaviours have changed")

cdef struct Row:
    int64_t t_us
    int64_t duration_us
    uint16_t lac
    uint16_t ci
    uint8_t kind
    uint8_t role
    const char *peer

cdef int64_t AT_T = BEHAVIOUR.fields["t_us"][1]
cdef int64_t AT_DURATION = BEHAVIOUR.fields["duration_us"][1]
cdef int64_t AT_LAC = BEHAVIOUR.fields["lac"][1]
cdef int64_t AT_CI = BEHAVIOUR.fields["ci"][1]
cdef int64_t AT_KIND = BEHAVIOUR.fields["kind"][1]
cdef int64_t AT_ROLE = BEHAVIOUR.fields["role"][1]
cdef int64_t AT_PEER = BEHAVIOUR.fields["peer"][1]
cdef int64_t SIZE = BEHAVIOUR.itemsize


cdef struct Calendar:
    int64_t offset_s    # local time less UTC
    uint16_t month      # of the batch, local months since 1970


cdef inline Row read_row(const uint8_t *base) noexcept nogil:
    cdef Row row
    memcpy(&row.t_us, base + AT_T, 8)
    memcpy(&row.duration_us, base + AT_DURATION, 8)
    memcpy(&row.lac, base + AT_LAC, 2)
    memcpy(&row.ci, base + AT_CI, 2)
    row.kind = base[AT_KIND]
    row.role = base[AT_ROLE]
    row.peer = <const char *>base + AT_PEER
    return row


cdef void vote(uint16_t *what, uint16_t *weight, uint16_t one, uint32_t amount) noexcept nogil:
    """Weighs in for one of two candidates (Misra and Gries 1982): who has over a third stays among them."""
    cdef uint32_t least
    cdef int k
    if amount == 0:
        return
    for k in range(2):
        if weight[k] and what[k] == one:
            if weight[k] + amount > FULL:
                weight[0] >>= 1
                weight[1] >>= 1
            weight[k] += amount
            return
    for k in range(2):
        if not weight[k]:
            what[k], weight[k] = one, amount
            return
    least = amount
    for k in range(2):
        if weight[k] < least:
            least = weight[k]
    for k in range(2):
        weight[k] -= least
    if amount > least:
        vote(what, weight, one, amount - least)


cdef void vote_hour(uint8_t *what, uint8_t *weight, uint8_t hour) noexcept nogil:
    cdef int k
    for k in range(2):
        if weight[k] and what[k] == hour:
            if weight[k] == 255:
                weight[0] >>= 1
                weight[1] >>= 1
            weight[k] += 1
            return
    for k in range(2):
        if not weight[k]:
            what[k], weight[k] = hour, 1
            return
    weight[0] -= 1
    weight[1] -= 1


cdef inline int64_t within(int64_t start_s, int64_t end_s, int64_t day, int64_t first, int64_t last) noexcept nogil:
    """Seconds of [start, end) between two hours of a day, local time."""
    cdef int64_t low = day * 86400 + first * 3600, high = day * 86400 + last * 3600
    low = start_s if start_s > low else low
    high = end_s if end_s < high else high
    return high - low if high > low else 0


cdef void stayed(Habit *h, int64_t start_s, int64_t end_s) noexcept nogil:
    """He was in his cell from one local time to another: evidence of where he lives and works."""
    cdef int64_t day, last, night = 0, work = 0
    if end_s - start_s > _LONGEST_STAY_S:
        end_s = start_s + _LONGEST_STAY_S
    day, last = start_s // 86400, (end_s - 1) // 86400
    while day <= last:
        night += within(start_s, end_s, day, 0, 6) + within(start_s, end_s, day, 22, 24)
        if (day + 3) % 7 < 5:  # 1970-01-01 was a Thursday
            work += within(start_s, end_s, day, 9, 17)
        day += 1
    vote(h.night_cell, h.night_min, h.cell, <uint32_t>((night + 30) // 60))
    vote(h.day_cell, h.day_min, h.cell, <uint32_t>((work + 30) // 60))


cdef inline void active_in(Habit *h, int hour) noexcept nogil:
    cdef int shift = 4 * (hour & 1), k
    if (h.active[hour >> 1] >> shift) & 15 == 15:
        for k in range(12):
            h.active[k] = (h.active[k] >> 1) & 0x77
    h.active[hour >> 1] += 1 << shift


cdef inline bint is_act(const Row *row) noexcept nogil:
    """Something the subscriber did himself: called, answered, rejected, wrote, asked."""
    if row.kind == K_STARTED:
        return row.role == CALLER
    if row.kind == K_REJECTED:
        return row.role == CALLEE
    return row.kind in (K_CONNECTED, K_ENDED, K_SENT, K_USSD, K_SS)


cdef class Habits:
    """Habits of so many subscribers, over a table of cells.

    `cells` ascending lac * 65536 + ci, at most 65,535; `lines` the service lines of which the last contact is kept.
    """

    cdef readonly object records
    cdef readonly object line_s
    cdef readonly object counts
    cdef readonly object crowd
    cdef readonly tuple lines
    cdef readonly object cells
    cdef uint8_t[::1] raw
    cdef Habit *habits
    cdef int64_t people
    cdef uint32_t[:, ::1] line
    cdef int32_t[::1] count
    cdef const uint32_t[::1] table
    cdef uint32_t[::1] slots
    cdef uint16_t[::1] slot_cell
    cdef uint32_t mask
    cdef char line_text[_MOST_LINES][PEER]
    cdef int n_lines

    def __init__(self, int64_t subscribers, cells, lines=()):
        if len(cells) > 65_535:
            raise ValueError(f"at most 65535 cells can be told apart, not {len(cells)}")
        if len(lines) > _MOST_LINES:
            raise ValueError(f"the last contact of at most {_MOST_LINES} service lines is kept, not {len(lines)}")
        self.lines = tuple(lines)
        self.n_lines = len(self.lines)
        memset(self.line_text, 0, sizeof(self.line_text))
        cdef int i, k
        for i in range(self.n_lines):
            text = self.lines[i]
            octets = text.encode("ascii")
            if not 1 <= len(octets) <= PEER:
                raise ValueError(f"a service line has 1 to {PEER} digits, not {text!r}")
            for k in range(len(octets)):
                self.line_text[i][k] = <char>(<int>octets[k])
        self.records = np.zeros(subscribers, dtype=HABIT)
        self.raw = self.records.view(np.uint8)
        self.habits = <Habit *>&self.raw[0] if subscribers else NULL
        self.people = subscribers
        self.line_s = np.zeros((subscribers, self.n_lines), dtype=np.uint32)
        self.line = self.line_s
        self.cells = np.ascontiguousarray(cells, dtype=np.uint32)
        self.table = self.cells
        self.counts = np.zeros(len(cells) + 1, dtype=np.int32)
        self.count = self.counts
        self.crowd = self.counts.copy()
        size = 64
        while size < 2 * len(cells) + 2:
            size *= 2
        self.mask = size - 1
        self.slots = np.zeros(size, dtype=np.uint32)
        self.slot_cell = np.zeros(size, dtype=np.uint16)
        cdef uint32_t cell, at
        for i in range(len(cells)):
            cell = self.table[i]
            at = (cell * <uint32_t>0x9E3779B1) >> 7 & self.mask
            while self.slot_cell[at]:
                at = (at + 1) & self.mask
            self.slots[at], self.slot_cell[at] = cell, i + 1

    def __len__(self):
        return self.people

    @property
    def nbytes(self):
        """Octets held for subscribers."""
        return self.records.nbytes + self.line_s.nbytes

    cdef inline uint16_t cell_of(self, uint16_t lac, uint16_t ci) noexcept nogil:
        cdef uint32_t cell = (<uint32_t>lac << 16) | ci
        cdef uint32_t at = (cell * <uint32_t>0x9E3779B1) >> 7 & self.mask
        while self.slot_cell[at]:
            if self.slots[at] == cell:
                return self.slot_cell[at]
            at = (at + 1) & self.mask
        return 0

    def numbers_of(self, cells not None):
        """1 + number in the table of each lac * 65536 + ci; 0 where it is not there."""
        cdef const uint32_t[::1] wanted = np.ascontiguousarray(cells, dtype=np.uint32)
        found = np.zeros(wanted.shape[0], dtype=np.uint16)
        cdef uint16_t[::1] out = found
        cdef int64_t i
        for i in range(wanted.shape[0]):
            out[i] = self.cell_of(wanted[i] >> 16, wanted[i] & 0xFFFF)
        return found

    def update(self, batch not None, const int64_t[::1] rows not None, const int64_t[::1] index not None,
               int64_t offset_s, int month):
        """Takes in `batch[index]`, of subscribers `rows[index]`, in this order.

        `offset_s`: local time less UTC; `month`: local months since 1970: both of the whole batch.
        """
        if batch.dtype != BEHAVIOUR or batch.ndim != 1 or not batch.flags.c_contiguous:
            raise TypeError("a contiguous array of dtype BEHAVIOUR was expected")
        if rows.shape[0] != batch.shape[0]:
            raise ValueError(f"{batch.shape[0]} behaviours and {rows.shape[0]} rows")
        cdef int64_t n = index.shape[0], i, at, total = rows.shape[0], people = self.people
        if n == 0:
            return
        for i in range(n):
            if not 0 <= index[i] < total or not 0 <= rows[index[i]] < people:
                raise IndexError(f"position {index[i]} of {total}, or its row, is out of range")
        cdef const uint8_t[::1] raw = batch.view(np.uint8)
        cdef const uint8_t *base = &raw[0]
        cdef Habit *habits = self.habits
        cdef Row row
        with nogil:
            for i in range(n):
                if i + 8 < n:
                    at = index[i + 8]
                    kairos_prefetch(<const uint8_t *>&habits[rows[at]])
                    kairos_prefetch(<const uint8_t *>&habits[rows[at]] + 64)
                    kairos_prefetch(base + at * SIZE)
                at = index[i]
                row = read_row(base + at * SIZE)
                self.one(&habits[rows[at]], &row, rows[at], offset_s, <uint16_t>month)

    cdef void one(self, Habit *h, const Row *row, int64_t number, int64_t offset_s, uint16_t month) noexcept nogil:
        cdef int64_t t_s = row.t_us // 1_000_000, local_s = t_s + offset_s
        cdef uint32_t now_s = <uint32_t>t_s
        cdef uint16_t cell, day = <uint16_t>(local_s // 86400)
        cdef int hour = <int>(local_s % 86400 // 3600), i
        cdef bint off = row.kind == K_OFF or row.kind == K_OFF_IMPLICIT
        if row.kind == K_NO_RESPONSE:
            return  # he has shown nothing
        if h.seen_s == 0:
            h.since_day = day
        elif now_s > h.seen_s and h.flags & _PRESENT and h.cell and row.kind != K_OFF_IMPLICIT:
            stayed(h, h.seen_s + offset_s, local_s)
        if now_s > h.seen_s and row.kind != K_OFF_IMPLICIT:
            h.seen_s = now_s
        if row.ci and not off:
            cell = self.cell_of(row.lac, row.ci)
            if cell != h.cell:
                self.entered(h, row, cell, now_s)
            elif not h.flags & _PRESENT:
                h.flags |= _PRESENT
                self.count[cell] += 1
        if off:
            if h.flags & _PRESENT:
                h.flags &= ~<uint8_t>_PRESENT
                self.count[h.cell] -= 1
            if <uint16_t>(day - h.since_day) > DAYS_KEPT:
                h.offs >>= 1
                h.since_day = day - DAYS_KEPT // 2
            if h.offs < 65535:
                h.offs += 1
            if row.kind == K_OFF:
                vote_hour(h.off_hour, h.off_n, hour)
            return
        if row.kind == K_ON:
            vote_hour(h.on_hour, h.on_n, hour)
        elif row.kind == K_IMEI:
            h.imei_s = now_s
        elif row.kind == K_STARTED:
            if row.role == CALLER:
                if h.calls >= 1000:
                    h.calls >>= 1
                    h.far >>= 1
                h.calls += 1
                # A trunk prefix 0 or the international prefix 00 leads out of the home area.
                h.far += row.peer[0] == c"0"
            else:
                if h.offers >= 1000:
                    h.offers >>= 1
                    h.rejects >>= 1
                h.offers += 1
        elif row.kind == K_REJECTED and row.role == CALLEE:
            if h.rejects < h.offers:
                h.rejects += 1
        elif row.kind == K_CONNECTED:
            h.call_s = now_s
        elif row.kind == K_ENDED:
            h.call_s = now_s
            if row.role == CALLER:
                if h.month != month:
                    h.month, h.minutes = month, 0
                i = <int>((row.duration_us + 59_999_999) // 60_000_000)
                h.minutes = h.minutes + i if h.minutes + i < 65535 else 65535
        elif row.kind == K_SENT or row.kind == K_RECEIVED:
            h.text_s = now_s
        if is_act(row):
            h.act_s = now_s
            active_in(h, hour)
        if self.n_lines and (row.kind in (K_CONNECTED, K_ENDED, K_SENT, K_USSD)):
            for i in range(self.n_lines):
                if memcmp(row.peer, self.line_text[i], PEER) == 0:
                    self.line[number, i] = now_s

    cdef inline void entered(self, Habit *h, const Row *row, uint16_t cell, uint32_t now_s) noexcept nogil:
        cdef uint32_t old_area, area, bit
        if h.flags & _PRESENT:
            self.count[h.cell] -= 1
        h.flags |= _PRESENT
        self.count[cell] += 1
        if now_s - h.change_s > _RIDE_GAP_S:
            h.ride = 0
        elif cell == h.prev:
            h.ride = 0  # to and fro between two cells is no way forward
        elif h.ride < 255:
            h.ride += 1
        old_area = self.table[h.cell - 1] >> 16 if h.cell else 0
        area = row.lac
        if area != old_area:
            bit = <uint32_t>1 << (area & 31)
            # Whoever has been seen nowhere yet is not new where he is.
            if h.regions and not h.regions & bit:
                h.flags |= _NEW_HERE
            else:
                h.flags &= ~<uint8_t>_NEW_HERE
            h.regions |= bit
        h.prev, h.cell, h.change_s = h.cell, cell, now_s

    def publish(self, counts=None):
        """Makes the present counts of people by cell the ones that are told until the next time."""
        self.crowd[:] = self.counts if counts is None else counts

    def recount(self):
        """Counts the present people by cell anew, after records were put in from outside."""
        cdef int64_t i
        self.counts[:] = 0
        for i in range(self.people):
            if self.habits[i].flags & _PRESENT:
                self.count[self.habits[i].cell] += 1

    def keep_lines(self, lines):
        """Habits with other service lines: what is known of those that stay is kept."""
        twin = Habits(len(self), self.cells, lines)
        twin.records[:] = self.records
        twin.counts[:] = self.counts
        twin.crowd[:] = self.crowd
        for i, line in enumerate(twin.lines):
            if line in self.lines:
                twin.line_s[:, i] = self.line_s[:, self.lines.index(line)]
        return twin

    def __deepcopy__(self, _memo):
        return self.keep_lines(self.lines)
