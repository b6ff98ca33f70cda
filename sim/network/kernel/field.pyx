# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The radio field: how strong every cell is at every point, and what a ride through it meets.

Whole numbers only: levels in hundredths of dBm, positions in metres. `sim.network.radio` says which laws
these are and gives the constants; here they are evaluated.
"""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

import numpy as np

cdef enum:
    PITCH_BITS = 6
    PITCH = 64              # metres between the points of the shadow lattice
    REMEMBERED = 1 << 14    # lattice points kept at hand
    COMMON = 0xFFFFFFFF     # the fading that all sites share, as a site of its own
    NEAREST_OUT_2 = 400     # no closer than 20 m to an outdoor antenna, and 3 m to an indoor one; squared
    NEAREST_IN_2 = 9
    WALLS_2 = 3600          # the walls of an indoor cell stand 60 m from its antenna; squared
    LINES = 7
    STEP_M = 12             # between the samples of a border ride, and where it leads into a building
    STEP_IN_M = 3
    ON_FOOT = 1_400         # the speed there, mm/s
    FEWEST = 8
    MOST = 128
    BACK_MS = 10_000        # back within this time is ping-pong
    WEAK_CDBM = -9200       # a command may be lost below this level, and is at the sensitivity of a
    LOST_CDBM = -10200      # handset, -102 dBm (TS 45.005 6.2)
    FLOOR_Q16 = 328         # of all handovers, 0.5 % fail for other reasons

# The seven lines from cell to cell: metres to the side, and mm/s.
cdef int32_t *ASIDE = [0, 40, -40, 80, -80, 120, -120]
cdef int64_t *SPEED = [10_000, 1_400, 5_000, 14_000, 8_000, 20_000, 12_000]


cdef struct Point:
    uint64_t key            # site, row and column, in 22 + 21 + 21 bits, + 1; 0 empty
    int32_t value           # a normal deviate, 1/65536


cdef inline uint32_t philox_first(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0,
                                  uint32_t k1) noexcept nogil:
    """The first word of a block of Philox4x32-10, as `sim.draws.philox4x32`."""
    cdef uint64_t p, q
    for _ in range(10):
        p = <uint64_t>0xD2511F53u * c0
        q = <uint64_t>0xCD9E8D57u * c2
        c0 = <uint32_t>(q >> 32) ^ c1 ^ k0
        c1 = <uint32_t>q
        c2 = <uint32_t>(p >> 32) ^ c3 ^ k1
        c3 = <uint32_t>p
        k0 += 0x9E3779B9u
        k1 += 0xBB67AE85u
    return c0


cdef inline int highest_bit(uint64_t v) noexcept nogil:
    cdef int e = 0
    if v >> 32:
        v >>= 32
        e += 32
    if v >> 16:
        v >>= 16
        e += 16
    if v >> 8:
        v >>= 8
        e += 8
    if v >> 4:
        v >>= 4
        e += 4
    if v >> 2:
        v >>= 2
        e += 2
    return e + <int>(v >> 1)


cdef class Field:
    """The field of a set of cells."""

    cdef readonly int32_t n
    cdef const int32_t[::1] x, y, site, power
    cdef const int16_t[::1] azimuth
    cdef const uint8_t[::1] indoor
    cdef const int64_t[::1] normal
    cdef const int32_t[::1] log2_rows, atan_rows
    cdef int64_t slope[2]
    cdef int64_t shadow, wall, beam, front_to_back
    cdef uint32_t key0, key1, purpose
    cdef int32_t weight[64][2]
    cdef Point *remembered

    def __init__(self, *, x_m, y_m, site, azimuth_deg, at_1_m_cdbm, indoor, constants, tables, key, int purpose):
        """`at_1_m_cdbm`: power less the loss at one metre. `constants`: slopes outdoors and indoors, shadow, wall,
        beam width, front to back; hundredths of a dB and of a degree, slopes in 1/65536 hundredths of a dB for
        a doubling of the squared distance. `tables`: normal quantiles, log2 and atan rows.
        """
        cdef int a
        self.n = len(x_m)
        self.x, self.y = column(x_m, np.int32), column(y_m, np.int32)
        self.site, self.power = column(site, np.int32), column(at_1_m_cdbm, np.int32)
        self.azimuth, self.indoor = column(azimuth_deg, np.int16), column(indoor, np.uint8)
        self.normal = column(tables[0], np.int64)
        self.log2_rows, self.atan_rows = column(tables[1], np.int32), column(tables[2], np.int32)
        for a in range(2):
            self.slope[a] = constants[a]
        self.shadow, self.wall, self.beam, self.front_to_back = constants[2:]
        self.key0, self.key1 = key
        self.purpose = <uint32_t>purpose
        # Weights of the two ends of a lattice step at each metre, such that their squares sum to one: the
        # fading has the same deviation everywhere.
        from math import isqrt

        for a in range(PITCH):
            root = isqrt(((PITCH - a) ** 2 + a * a) << 20)
            self.weight[a][0] = ((PITCH - a) << 24) // root
            self.weight[a][1] = (a << 24) // root
        self.remembered = <Point *>calloc(REMEMBERED, sizeof(Point))
        if self.remembered == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.remembered)

    def levels(self, cells, x_m, y_m, bint indoors=False):
        """Levels of cells at points, hundredths of dBm; all three broadcast. `indoors`: behind walls."""
        c, px, py = np.broadcast_arrays(cells, x_m, y_m)
        shape = c.shape
        cdef const int32_t[::1] cell = column(c.reshape(-1), np.int32)
        cdef const int32_t[::1] at_x = column(px.reshape(-1), np.int32)
        cdef const int32_t[::1] at_y = column(py.reshape(-1), np.int32)
        cdef int32_t[::1] out = np.empty(cell.shape[0], dtype=np.int32)
        cdef int64_t i
        if cell.shape[0] and not 0 <= np.min(c) <= np.max(c) < self.n:
            raise IndexError("no such cell")
        for i in range(cell.shape[0]):
            out[i] = <int32_t>level(self, cell[i], at_x[i], at_y[i], indoors)
        return np.asarray(out).reshape(shape)

    def shadows(self, cell, x_m, y_m):
        """The shadow fading of a cell at points, hundredths of a dB."""
        px, py = np.broadcast_arrays(x_m, y_m)
        cdef const int32_t[::1] at_x = column(px.reshape(-1), np.int32)
        cdef const int32_t[::1] at_y = column(py.reshape(-1), np.int32)
        cdef int32_t[::1] out = np.empty(at_x.shape[0], dtype=np.int32)
        cdef int64_t i
        cdef int32_t c = cell
        if not 0 <= c < self.n:
            raise IndexError("no such cell")
        for i in range(at_x.shape[0]):
            out[i] = <int32_t>fading(self, c, at_x[i], at_y[i])
        return np.asarray(out).reshape(px.shape)

    def strongest(self, x_m, y_m):
        """The strongest cell at points (the lowest index among equals), int32."""
        px, py = np.broadcast_arrays(x_m, y_m)
        cdef const int32_t[::1] at_x = column(px.reshape(-1), np.int32)
        cdef const int32_t[::1] at_y = column(py.reshape(-1), np.int32)
        cdef int32_t[::1] out = np.empty(at_x.shape[0], dtype=np.int32)
        cdef int64_t i
        for i in range(at_x.shape[0]):
            out[i] = best_of_all(self, at_x[i], at_y[i])
        return np.asarray(out).reshape(px.shape)

    def borders(self, first, second, spot_x_m, spot_y_m, int64_t hysteresis_cdb, int64_t trigger_ms):
        """What happens between pairs of cells: seven lines from spot to spot, ridden in both directions.

        Returns three int32 arrays of shape (pairs, 2), for first to second and back: where on the way the
        call goes over, the share of rides that go back within ten seconds, and the share of handovers that
        fail; all in 1/65536.
        """
        cdef const int32_t[::1] a = column(first, np.int32), b = column(second, np.int32)
        cdef const int32_t[::1] sx = column(spot_x_m, np.int32), sy = column(spot_y_m, np.int32)
        cdef int64_t pairs = a.shape[0], p
        border_array = np.empty((pairs, 2), dtype=np.int32)
        back_array, fails_array = np.empty_like(border_array), np.empty_like(border_array)
        cdef int32_t[:, ::1] border = border_array, back = back_array, fails = fails_array
        for p in range(pairs):
            meet(self, a[p], b[p], sx[a[p]], sy[a[p]], sx[b[p]], sy[b[p]], hysteresis_cdb, trigger_ms,
                 &border[p, 0], &back[p, 0], &fails[p, 0])
        return border_array, back_array, fails_array

    def walk(self, x_m, y_m, neighbour_start, neighbour_cells, int64_t hysteresis_cdb, int trigger_samples):
        """Serving cells of a call along a path of points.

        The call begins in the strongest cell and goes over to the strongest neighbour once neighbours have
        been stronger by the hysteresis for `trigger_samples` points in a row. Below the sensitivity of a
        handset it is lost and begins again in the strongest cell. Returns the indices of the points where the
        cell changes (the first is 0), the cells, and a flag: lost before.
        """
        cdef const int32_t[::1] px = column(x_m, np.int32), py = column(y_m, np.int32)
        cdef const int32_t[::1] start = column(neighbour_start, np.int32)
        cdef const int32_t[::1] cells = column(neighbour_cells, np.int32)
        cdef int64_t i, mine, best, one
        cdef int32_t serving, other, edge, above = 0
        cdef bint within
        if px.shape[0] == 0 or px.shape[0] != py.shape[0]:
            raise ValueError("a path has points with both coordinates")
        serving = best_of_all(self, px[0], py[0])
        at, to, lost = [0], [serving], [False]
        for i in range(1, px.shape[0]):
            within = behind_walls(self, serving, px[i], py[i])
            for edge in range(start[serving], start[serving + 1]):
                within = within or behind_walls(self, cells[edge], px[i], py[i])
            mine = level(self, serving, px[i], py[i], within)
            best, other = -(1 << 30), -1
            for edge in range(start[serving], start[serving + 1]):
                one = level(self, cells[edge], px[i], py[i], within)
                if one > best:
                    best, other = one, cells[edge]
            above = above + 1 if best > mine + hysteresis_cdb else 0
            if above > trigger_samples:
                serving, above = other, 0
                at.append(i)
                to.append(serving)
                lost.append(False)
            elif mine < LOST_CDBM:
                other = best_of_all(self, px[i], py[i])
                if other != serving:
                    serving, above = other, 0
                    at.append(i)
                    to.append(serving)
                    lost.append(True)
        return (
            np.array(at, dtype=np.int64), np.array(to, dtype=np.int32), np.array(lost, dtype=np.bool_)
        )


cdef column(values, dtype):
    """A contiguous read-only column."""
    return np.ascontiguousarray(values, dtype=dtype)


cdef inline int64_t log2_q16(Field f, int64_t v) noexcept:
    """log2 of a positive number, 1/65536."""
    cdef int e = highest_bit(<uint64_t>v)
    cdef uint64_t digits = (<uint64_t>v << (63 - e)) << 1      # what follows the leading one
    cdef int row = <int>(digits >> 56)
    cdef int64_t part = <int64_t>(digits >> 40 & 0xFFFF)
    cdef int64_t low = f.log2_rows[row]
    return (<int64_t>e << 16) + low + ((f.log2_rows[row + 1] - low) * part >> 16)


cdef inline int64_t bearing_cdeg(Field f, int64_t dx, int64_t dy) noexcept:
    """Direction of a vector, hundredths of a degree from north clockwise."""
    cdef int64_t ax = dx if dx >= 0 else -dx
    cdef int64_t ay = dy if dy >= 0 else -dy
    cdef int64_t ratio, angle, low
    if ax == 0 and ay == 0:
        return 0
    ratio = (ax << 16) // ay if ax <= ay else (ay << 16) // ax
    low = f.atan_rows[ratio >> 8]
    angle = low
    if ratio >> 8 < 256:
        angle += (f.atan_rows[(ratio >> 8) + 1] - low) * (ratio & 255) >> 8
    if ax > ay:
        angle = 9000 - angle
    if dy < 0:
        angle = 18000 - angle
    return 36000 - angle if dx < 0 else angle


cdef inline int64_t deviate(Field f, uint32_t site, int64_t column, int64_t row) noexcept:
    """The normal deviate at a lattice point, 1/65536; the quantile as `sim.draws.Table.at`."""
    cdef uint64_t key = ((<uint64_t>site & 0x3FFFFF) << 42 | (<uint64_t>column & 0x1FFFFF) << 21
                         | (<uint64_t>row & 0x1FFFFF)) + 1
    cdef Point *point = f.remembered + ((key * 0x9E3779B97F4A7C15ULL) >> 50)
    cdef uint64_t v, w, digits
    cdef int64_t low, start = 0
    cdef int e
    if point.key == key:
        return point.value
    v = <uint64_t>philox_first(site, <uint32_t>column, f.purpose, <uint32_t>row, f.key0, f.key1) << 1 | 1
    w = v
    if v >> 32:
        w, start = (<uint64_t>1 << 33) - v, 513
    e = highest_bit(w)
    digits = (w << (52 - e)) & ((<uint64_t>1 << 52) - 1)
    start += e * 16 + <int64_t>(digits >> 48)
    low = f.normal[start]
    point.key = key
    point.value = <int32_t>(low + ((f.normal[start + 1] - low) * <int64_t>(digits >> 28 & 0xFFFFF) >> 20))
    return point.value


cdef inline int64_t lattice(Field f, uint32_t site, int64_t x, int64_t y) noexcept:
    """A field of unit deviation between the lattice points, 1/65536."""
    cdef int64_t column = x >> PITCH_BITS, row = y >> PITCH_BITS
    cdef int32_t *wx = f.weight[x & (PITCH - 1)]
    cdef int32_t *wy = f.weight[y & (PITCH - 1)]
    cdef int64_t south = wx[0] * deviate(f, site, column, row)
    cdef int64_t north = wx[0] * deviate(f, site, column, row + 1)
    if wx[1]:
        south += wx[1] * deviate(f, site, column + 1, row)
        north += wx[1] * deviate(f, site, column + 1, row + 1)
    return ((south >> 14) * wy[0] + (north >> 14) * wy[1]) >> 14


cdef inline int64_t fading(Field f, int32_t cell, int64_t x, int64_t y) noexcept:
    """Half of the variance is the site's own, half is shared by all sites at the point: correlation 1/2."""
    if f.shadow == 0:
        return 0
    # 46341 / 65536 is the square root of one half.
    return (lattice(f, <uint32_t>f.site[cell], x, y) + lattice(f, COMMON, x, y)) * f.shadow * 46341 >> 32


cdef inline bint behind_walls(Field f, int32_t cell, int64_t x, int64_t y) noexcept:
    """Whether a point lies within the walls of an indoor cell."""
    cdef int64_t dx = x - f.x[cell], dy = y - f.y[cell]
    return f.indoor[cell] and dx * dx + dy * dy <= WALLS_2


cdef int64_t level(Field f, int32_t cell, int64_t x, int64_t y, bint within) noexcept:
    """Level of a cell at a point, hundredths of dBm; `within`: the point lies behind some cell's walls."""
    cdef int64_t dx = x - f.x[cell], dy = y - f.y[cell]
    cdef int64_t square = dx * dx + dy * dy
    cdef int64_t result = f.power[cell], off, loss
    cdef bint indoor = f.indoor[cell]
    if f.azimuth[cell] >= 0:
        off = bearing_cdeg(f, dx, dy) - 100 * f.azimuth[cell]
        if off < 0:
            off += 36000
        if off > 18000:
            off = 36000 - off
        loss = 1200 * off * off // (f.beam * f.beam)
        result -= loss if loss < f.front_to_back else f.front_to_back
    if indoor != within:
        result -= f.wall
    if square < (NEAREST_IN_2 if indoor else NEAREST_OUT_2):
        square = NEAREST_IN_2 if indoor else NEAREST_OUT_2
    result -= f.slope[indoor] * log2_q16(f, square) >> 32
    return result + fading(f, cell, x, y)


cdef int32_t best_of_all(Field f, int64_t x, int64_t y) noexcept:
    cdef int32_t cell, best = 0
    cdef int64_t strongest = -(1 << 40), one
    cdef bint within = False
    for cell in range(f.n):
        if behind_walls(f, cell, x, y):
            within = True
            break
    for cell in range(f.n):
        one = level(f, cell, x, y, within)
        if one > strongest:
            best, strongest = cell, one
    return best


cdef void meet(Field f, int32_t a, int32_t b, int64_t ax, int64_t ay, int64_t bx, int64_t by, int64_t hysteresis,
               int64_t trigger_ms, int32_t *border, int32_t *back, int32_t *fails) noexcept:
    cdef int64_t dx = bx - ax, dy = by - ay, length = 1, side, samples, i, px, py, when, per_sample_ms
    cdef int64_t here[MOST + 1]
    cdef int64_t there[MOST + 1]
    cdef int64_t where_sum[2]
    cdef int64_t fail_sum[2]
    cdef int64_t back_count[2]
    cdef int line, way
    cdef bint within, on_foot = f.indoor[a] or f.indoor[b]
    while length * length < dx * dx + dy * dy:      # the root, rounded up by less than a hundredth
        length += 1 + (length >> 7)
    samples = min(max(length // (STEP_IN_M if on_foot else STEP_M), FEWEST), MOST)
    memset(where_sum, 0, sizeof(where_sum))
    memset(fail_sum, 0, sizeof(fail_sum))
    memset(back_count, 0, sizeof(back_count))
    for line in range(LINES):
        side = min(max(<int64_t>ASIDE[line], -(length >> 2)), length >> 2)
        for i in range(samples + 1):
            px = ax + dx * i // samples - dy * side // length
            py = ay + dy * i // samples + dx * side // length
            # Between two cells of one building all of the way is inside.
            within = (f.indoor[a] and f.indoor[b]) or behind_walls(f, a, px, py) or behind_walls(f, b, px, py)
            here[i] = level(f, a, px, py, within)
            there[i] = level(f, b, px, py, within)
        per_sample_ms = max(1, length * 1_000_000 // (samples * (ON_FOOT if on_foot else SPEED[line])))
        for way in range(2):
            when = go_over(here, there, samples, 0, samples, way, hysteresis, trigger_ms // per_sample_ms)
            where_sum[way] += min(when, samples)
            if when > samples:
                when = samples
            else:
                i = min(samples, when + BACK_MS // per_sample_ms)
                if go_over(here, there, samples, when + 1, i, way + 2, hysteresis, trigger_ms // per_sample_ms) <= i:
                    back_count[way] += 1
            i = when if way == 0 else samples - when
            i = min(here[i], there[i])
            if i < WEAK_CDBM:
                fail_sum[way] += min((WEAK_CDBM - i) * 65536 // (WEAK_CDBM - LOST_CDBM), 65536)
    for way in range(2):
        # Never at the very ends: whoever goes over is in both cells for a while.
        border[way] = <int32_t>min(max(where_sum[way] * 65536 // (LINES * samples), 1024), 64512)
        back[way] = <int32_t>(back_count[way] * 65536 // LINES)
        fails[way] = <int32_t>min(FLOOR_Q16 + fail_sum[way] // LINES, 65536)


cdef int64_t go_over(const int64_t *here, const int64_t *there, int64_t samples, int64_t begin, int64_t end, int way,
                     int64_t hysteresis, int64_t trigger) noexcept:
    """First sample at which the other cell has been stronger long enough; end + 1 if none.

    Way 0: from here to there. Way 1: the other direction, samples counted from there. Ways 2 and 3: back into
    the cell that ways 0 and 1 have left.
    """
    cdef int64_t i, at, gain, above = 0
    for i in range(begin, end + 1):
        at = samples - i if way & 1 else i
        gain = there[at] - here[at]
        if way == 1 or way == 2:
            gain = -gain
        above = above + 1 if gain > hysteresis else 0
        if above > trigger:
            return i
    return end + 1
