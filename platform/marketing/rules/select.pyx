# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Which steps of which campaigns a row fits: kind, audience, role, place, area and peer, in one compiled pass.

A row meets only the campaigns of its kind that its subscriber belongs to: two words of bits ANDed for a hundred
campaigns. What is left is looked at step by step.
"""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint64_t
from libc.string cimport memcmp, memcpy

import numpy as np

cdef enum:
    KINDS = 256
    PEER = 20  # octets of a peer number in a batch


cdef class Selection:
    """Steps ready to be looked up by kind and campaign.

    `steps`: structured array in the order of (kind, campaign) with kind, campaign, role (0 any), place (-1 any), area
    (-1 any), peers and prefixes (first and end in `peers` and `prefixes`, both 0 = any number). `peers` is sorted
    within each step; so is `prefixes`, by length and then by digits.
    """

    cdef readonly int campaigns
    cdef readonly int stride
    """Octets of audience bits a subscriber."""
    cdef int words
    cdef uint64_t[:, ::1] kind_mask
    cdef int32_t[:, ::1] first
    cdef int32_t[:, ::1] end
    cdef uint8_t[::1] role
    cdef int32_t[::1] place
    cdef int32_t[::1] area
    cdef int32_t[:, ::1] peer_span
    cdef int32_t[:, ::1] prefix_span
    cdef const uint8_t[:, ::1] peers
    cdef const uint8_t[:, ::1] prefixes
    cdef uint8_t[::1] prefix_length
    cdef readonly bint by_place
    cdef object _made_of

    def __init__(self, int campaigns, steps, peers, prefixes):
        cdef int i, kind, campaign
        self._made_of = (campaigns, steps, peers, prefixes)
        self.campaigns = campaigns
        self.stride = (campaigns + 7) // 8
        self.words = (campaigns + 63) // 64
        self.kind_mask = np.zeros((KINDS, max(self.words, 1)), dtype=np.uint64)
        self.first = np.zeros((KINDS, max(campaigns, 1)), dtype=np.int32)
        self.end = np.zeros((KINDS, max(campaigns, 1)), dtype=np.int32)
        self.role = np.ascontiguousarray(steps["role"], dtype=np.uint8)
        self.place = np.ascontiguousarray(steps["place"], dtype=np.int32)
        self.area = np.ascontiguousarray(steps["area"], dtype=np.int32)
        self.peer_span = np.ascontiguousarray(steps["peers"], dtype=np.int32)
        self.prefix_span = np.ascontiguousarray(steps["prefixes"], dtype=np.int32)
        padded = np.array(list(peers) or [b""], dtype=f"S{PEER}")
        self.peers = padded.view(np.uint8).reshape(len(padded), PEER)
        starts = np.array(list(prefixes) or [b""], dtype=f"S{PEER}")
        self.prefixes = starts.view(np.uint8).reshape(len(starts), PEER)
        self.prefix_length = np.array([len(p) for p in starts.tolist()], dtype=np.uint8)
        self.by_place = bool(np.any(steps["place"] >= 0))
        for i in range(len(steps)):
            kind, campaign = int(steps["kind"][i]), int(steps["campaign"][i])
            if not self.end[kind, campaign]:
                self.first[kind, campaign] = i
                self.kind_mask[kind, campaign >> 6] |= <uint64_t>1 << (campaign & 63)
            self.end[kind, campaign] = i + 1

    def __reduce__(self):
        return Selection, self._made_of

    def select(self, const uint8_t[::1] kind, const uint8_t[::1] role, const int16_t[::1] place,
               const uint16_t[::1] area, const uint8_t[:, ::1] peer, const int64_t[::1] row,
               const uint8_t[::1] audience):
        """Positions and steps that fit, in the order of (position, step).

        `audience`: bits of campaigns by subscriber, `stride` octets each and eight spare ones at the end. `place` may
        be empty where no step asks for a place.
        """
        cdef int64_t i, n = kind.shape[0], found = 0, room
        cdef int w, s, c, k
        cdef uint64_t bits, own
        positions = np.empty(max(256, n), dtype=np.int32)
        steps = np.empty(max(256, n), dtype=np.int32)
        cdef int32_t[::1] position_of = positions
        cdef int32_t[::1] step_of = steps
        room = positions.shape[0]
        for i in range(n):
            k = kind[i]
            for w in range(self.words):
                bits = self.kind_mask[k, w]
                if not bits:
                    continue
                memcpy(&own, &audience[row[i] * self.stride + 8 * w], 8)
                bits &= own
                while bits:
                    c = 64 * w + lowest(bits)
                    bits &= bits - 1
                    for s in range(self.first[k, c], self.end[k, c]):
                        if self.role[s] and self.role[s] != role[i]:
                            continue
                        if self.place[s] >= 0 and self.place[s] != place[i]:
                            continue
                        if self.area[s] >= 0 and self.area[s] != area[i]:
                            continue
                        if (self.peer_span[s, 1] or self.prefix_span[s, 1]) and not self._peer(s, &peer[i, 0]):
                            continue
                        if found == room:
                            positions = np.concatenate([positions, np.empty_like(positions)])
                            steps = np.concatenate([steps, np.empty_like(steps)])
                            position_of, step_of = positions, steps
                            room = positions.shape[0]
                        position_of[found] = <int32_t>i
                        step_of[found] = s
                        found += 1
        return positions[:found], steps[:found]

    cdef bint _peer(self, int step, const uint8_t* digits) noexcept nogil:
        cdef int low = self.peer_span[step, 0], high = self.peer_span[step, 1], middle, order, length
        while low < high:
            middle = (low + high) >> 1
            order = memcmp(&self.peers[middle, 0], digits, PEER)
            if order == 0:
                return True
            if order < 0:
                low = middle + 1
            else:
                high = middle
        low = self.prefix_span[step, 0]
        while low < self.prefix_span[step, 1]:
            # All prefixes of one length at a time, each by halving.
            length = self.prefix_length[low]
            high = self.prefix_span[step, 1]
            if self._prefix(low, high, length, digits):
                return True
            while low < high and self.prefix_length[low] == length:
                low += 1
        return False

    cdef bint _prefix(self, int low, int high, int length, const uint8_t* digits) noexcept nogil:
        cdef int middle, order
        while low < high:
            middle = (low + high) >> 1
            if self.prefix_length[middle] > length:
                high = middle
                continue
            order = memcmp(&self.prefixes[middle, 0], digits, length)
            if order == 0:
                return True
            if order < 0:
                low = middle + 1
            else:
                high = middle
        return False


cdef extern from *:
    """
    #define lowest(x) __builtin_ctzll(x)
    """
    int lowest(uint64_t) noexcept nogil
