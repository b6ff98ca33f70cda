"""Starts message ladders: borrows the numbers, fills the row, keeps what the visible table will need.

`Leg` is the plan of one ladder on the time axis; `Switch.begin` makes it real. Both sides of a call are
two legs whose moments are stretched until they agree.
"""

from __future__ import annotations

from array import array
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.draws import Draws, purpose_word
from sim.network.acts import ActRow
from sim.network.encode import Instances, TemplateLibrary
from sim.network.intents import Identities
from sim.network.references import FREEZE_US, FreeList, circuits, local_references, reserved_references
from sim.network.rows import FIXED, TRANSACTION_OCTETS, bcd
from sim.network.templates import END, SLOTS, Shape, Template, number_shape
from sim.network.topology import Topology

PAGE: Final = SLOTS.index("page")
Words = tuple[int, int, int, int]
"""Four 32-bit draws: the chance of one procedure."""
_SUB_BITS, _ORDINAL_BITS = 8, 3  # draws are made for so many subscribers and procedures at once
_SUB_MASK, _ORDINAL_MASK = (1 << _SUB_BITS) - 1, (1 << _ORDINAL_BITS) - 1


class Leg:
    """One ladder of one subscriber, planned."""

    __slots__ = ("pace", "slots", "start_us", "template")

    def __init__(self, template: Template, start_us: int, pace: int, page_us: int = 0) -> None:
        self.template = template
        self.start_us = start_us
        self.pace = pace
        self.slots = [page_us, 0, 0, 0, 0]

    def time(self, mark: str) -> int:
        """When the step with this mark happens."""
        moment = self.template.moments[mark]
        t_us = self.start_us + (moment.base_us * self.pace >> 16)
        for slot in moment.waits:
            t_us += self.slots[slot]
        return t_us

    def stretch(self, mark: str, target_us: int) -> None:
        """Makes the step happen no earlier than `target_us`, by the last wait before it."""
        late = target_us - self.time(mark)
        if late > 0:
            self.slots[self.template.moments[mark].stretch] += late

    @property
    def end_us(self) -> int:
        return self.time(END)


class Shown(NamedTuple):
    """What the visible rows of an act have in common."""

    imsi: int
    """0: the tap cannot know it."""
    cell: int
    cell2: int
    """Handover target, -1 none."""
    peer: bytes
    cause: int


class Outbox:
    """Ladders begun since the last window."""

    def __init__(self) -> None:
        self.instances: list[tuple[int, ...]] = []
        """Rows of `Instances.columns`."""
        self.rows: list[bytes] = []
        self.acts: list[ActRow] = []
        self.shown: dict[int, Shown] = {}
        """By act, until its last visible step is out."""

    def take(self) -> Instances:
        """The ladders as columns; the outbox is empty afterwards."""
        found = Instances.of(self.instances, self.rows)
        self.instances.clear()
        self.rows.clear()
        return found


def _identity_octets(digits: NDArray[np.uint64], kind: int) -> bytes:
    """TS 24.008 10.5.1.4, eight octets a row, for a column of 15-digit identities."""
    powers = np.array([10**k for k in range(14, -1, -1)], dtype=np.uint64)
    d = (digits[:, np.newaxis] // powers % np.uint64(10)).astype(np.uint8)
    octets = np.empty((len(digits), 8), dtype=np.uint8)
    octets[:, 0] = d[:, 0] << 4 | 8 | kind
    octets[:, 1:] = d[:, 1::2] | d[:, 2::2] << 4
    return octets.tobytes()


def cell_description(cell: int) -> bytes:
    """TS 44.018 10.5.2.2: BSIC and ARFCN planned for a cell."""
    return bytes([(cell * 5 & 7) << 3 | cell * 3 & 7, 1 + cell % 124])


class Switch:
    """The MSC and its BSCs as far as they number things."""

    def __init__(
        self, topology: Topology, identities: Identities, library: TemplateLibrary, draws: Draws
    ) -> None:
        self.library = library
        self.draws = draws
        self.out = Outbox()
        self.lac: list[int] = topology.lac.tolist()
        self.ci: list[int] = topology.ci.tolist()
        self.bsc: list[int] = topology.bsc.tolist()
        self.place: list[int] = topology.place.tolist()
        self._codes = topology.bsc_point_codes
        self._msc = topology.msc_point_code
        self.imsi = array("Q", identities.imsi.tobytes())
        self.msisdn = array("Q", identities.msisdn.tobytes())
        self._imsi_octets = _identity_octets(identities.imsi, 1)
        self._imei_octets = _identity_octets(identities.imei, 2)
        seed = draws.seed & 0xFFFFFFFF
        count = len(self._codes)
        self._lists: list[FreeList] = [local_references(seed + 2 * i + 1) for i in range(count + 1)]
        self._reserved: list[FreeList] = [reserved_references(seed + 2 * i + 1) for i in range(count + 1)]
        self.circuits = [circuits() for _ in range(count)]
        self._bsc_of_lac = {lac: i for i, lacs in enumerate(topology.las_of_bsc) for lac in lacs}
        self._ordinals: dict[int, array[int]] = {}
        self._drawn: dict[tuple[int, int, int], NDArray[np.uint32]] = {}
        self._keys: dict[int, tuple[bytes, bytes, bytes]] = {}
        self._next_act = 0
        self.journal: list[tuple[int, int, int, int, int]] | None = None
        """If a list: (subscriber, begin, end, new TMSI or 0, location area) of every ladder begun."""

    @property
    def n(self) -> int:
        """Number of subscribers."""
        return len(self.imsi)

    def number(self, sub: int) -> str:
        """A subscriber's MSISDN."""
        return str(self.msisdn[sub])

    def use_reserved(self) -> None:
        """From here on borrow from the reserved part of the references."""
        self._lists = self._reserved

    def chance(self, sub: int, purpose: str = "options") -> Words:
        """The next draws of a subscriber for a purpose; each purpose counts its own procedures."""
        word = purpose_word(purpose)
        counts = self._ordinals.get(word)
        if counts is None:
            counts = self._ordinals[word] = array("l", bytes(array("l").itemsize * self.n))
        ordinal = counts[sub]
        counts[sub] = ordinal + 1
        key = (word, sub >> _SUB_BITS, ordinal >> _ORDINAL_BITS)
        drawn = self._drawn.get(key)
        if drawn is None:
            subs = (key[1] << _SUB_BITS) + np.arange(1 << _SUB_BITS)
            ordinals = (key[2] << _ORDINAL_BITS) + np.arange(1 << _ORDINAL_BITS)
            drawn = self._drawn[key] = self.draws.block(word, subs[:, np.newaxis], 0, ordinals)
        words: list[int] = drawn[:, sub & _SUB_MASK, ordinal & _ORDINAL_MASK].tolist()
        return words[0], words[1], words[2], words[3]

    def vectors(self, sub: int, fresh: bool) -> tuple[bytes, bytes, bytes]:
        """RAND, SRES and Kc: new ones for an authentication, else those of the last (TS 43.020 3.3)."""
        found = self._keys.get(sub)
        if fresh or found is None:
            a, b = self.chance(sub, "authentication"), self.chance(sub, "authentication")
            octets = b"".join(word.to_bytes(4, "big") for word in a + b)
            # A5/1 keys of that time have their last ten bits at zero.
            found = self._keys[sub] = (
                octets[:16],
                octets[16:20],
                octets[20:26] + bytes([octets[26] & 0xFC, 0]),
            )
        return found

    def leg(
        self,
        kind: str,
        options: tuple[tuple[str, str | int | bool], ...],
        start_us: int,
        words: Words,
        *,
        called: str = "",
        calling: str = "",
        tpdu_length: int = 0,
        page_us: int = 0,
    ) -> Leg:
        """A plan of a ladder; its pace (0.8 to 1.3) comes from the first word."""
        shape = Shape(kind, options, number_shape(called), number_shape(calling), tpdu_length)
        return Leg(self.library.template(shape), start_us, 52429 + (words[0] & 0x7FFF), page_us)

    def act(
        self, t_us: int, sub: int, kind: int, outcome: bytes, peer_sub: int = -1, peer: bytes = b""
    ) -> int:
        """Records an act; its number."""
        act = self._next_act
        self._next_act = act + 1
        self.out.acts.append((act, t_us, sub, kind, peer_sub, peer, outcome, b""))
        return act

    def begin(
        self,
        leg: Leg,
        act: int,
        sub: int,
        cell: int,
        words: Words,
        *,
        tmsi: int,
        identified: bool,
        peer: bytes = b"",
        cause: int = 0,
        new_tmsi: int = 0,
        old_lac: int = 0,
        paged_lac: int = -1,
        cell2: int = -1,
        called: str = "",
        calling: str = "",
        tpdu: bytes = b"",
        speech: bool = False,
        fresh_vectors: bool = False,
    ) -> int:
        """Puts a ladder into the outbox; the time of its last message."""
        start_us, end_us = leg.start_us, leg.end_us
        lac = self.lac[cell] if paged_lac < 0 else paged_lac
        bsc = self._bsc_of_lac[lac]
        bsc2 = bsc if cell2 < 0 else self.bsc[cell2]
        lists, msc = self._lists, self._lists[-1]
        free_us = end_us + FREEZE_US
        borrowed = [(lists[bsc], lists[bsc].take(start_us)), (msc, msc.take(start_us))]
        if cell2 >= 0:
            borrowed += [(lists[bsc2], lists[bsc2].take(start_us)), (msc, msc.take(start_us))]
        for owner, value in borrowed:
            owner.give_back(value, free_us)
        references = [value.to_bytes(3, "big") for _, value in borrowed]
        cic = cic2 = 0
        if speech:
            cic = self._circuit(bsc, start_us, end_us)
            if cell2 >= 0:
                cic2 = self._circuit(bsc2, start_us, end_us)
        rand, sres, kc = self.vectors(sub, fresh_vectors)
        out, at = self.out, 8 * sub
        row = (
            FIXED.pack(
                self._imsi_octets[at : at + 8],
                self._imei_octets[at : at + 8],
                tmsi,
                new_tmsi,
                lac,
                self.ci[cell],
                old_lac,
                self.lac[cell2],
                self.ci[cell2],
                references[0],
                references[1],
                references[2] if cell2 >= 0 else b"",
                references[3] if cell2 >= 0 else b"",
                cic,
                cic2,
                rand,
                sres,
                kc,
                words[3] & 0xFF,
                words[3] >> 8 & 0xFF,
                cell_description(cell2),
                self._codes[bsc],
                self._codes[bsc2],
                self._msc,
                references[0][2] & 15,
                references[2][2] & 15 if cell2 >= 0 else 0,
                TRANSACTION_OCTETS[(words[3] >> 16) % 7],
            )
            + bcd(called)
            + bcd(calling)
            + tpdu
        )
        out.rows.append(row)
        out.instances.append((leg.template.index, len(row), start_us, leg.pace, act, *leg.slots))
        if self.journal is not None:
            self.journal.append((sub, start_us, end_us, new_tmsi, lac))
        if leg.template.shows:
            out.shown[act] = Shown(self.imsi[sub] if identified else 0, cell, cell2, peer, cause)
        return end_us

    def _circuit(self, bsc: int, start_us: int, end_us: int) -> int:
        code = self.circuits[bsc].take(start_us)
        self.circuits[bsc].give_back(code, end_us)
        return code
