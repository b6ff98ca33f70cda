"""What changes about people from day to day: handsets, SIMs in other handsets, customers come and gone.

Everything is a function of (seed, subscriber, day), so any day can be asked for without those before it.

* A handset line is a subscriber's succession of handsets. In every month of thirty days a new handset
  replaces the old one with the given chance, from a day of that month on; it has a new IMEI.
* Two partners of a home community swap handsets in a month with the given chance: from that day on each SIM
  is in the other's line, until they swap back.
* Some new customers take their SIM as a second one: it is used in the handset of the partner.
* Customers leave for ever after a tenure (exponential; its rate is personal), others first appear on a day of
  the first year. Roamers come for a visit in every month; those at home here for the Spring Festival.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import EXPONENTIAL, Draws, scale, threshold_q32
from sim.subscribers.social import Ties
from sim.subscribers.terminals import HANDSETS, MADE_SINCE, PRICE_CLASS, imei, models

if TYPE_CHECKING:
    from sim.subscribers.identities import Permutation

I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

MONTH: Final = 30
"""Days in a month of rates."""
NEVER: Final = 65_535
"""As `leave_day`: stays for ever (or for longer than 179 years)."""
_VISIT_DAYS = 4
_FESTIVAL_WITHIN = 20  # days around the new year outside which nobody is at home for it
_DEARER_SHARE = 0.3  # of new handsets are of the next price class


@dataclass(frozen=True, slots=True)
class Changes:
    """Chances a month, out of 2**32, and what they act on."""

    draws: Draws
    ties: Ties
    serials: Permutation
    """Numbers of handsets."""
    handset_q32: int
    swap_q32: int
    reuse_q32: int
    """Share of new customers whose SIM is a second one."""
    new_years: tuple[int, ...] = ()
    """Days on which lunar years begin."""

    @classmethod
    def of(
        cls, draws: Draws, ties: Ties, serials: Permutation, handset: float, swap: float, reuse: float,
        new_years: tuple[int, ...] = (),
    ) -> Changes:  # fmt: skip
        """From shares."""
        often, crosswise, second = (int(threshold_q32(p)) for p in (handset, swap, reuse))
        return cls(draws, ties, serials, often, crosswise, second, new_years)

    def _events(self, purpose: str, key: I64, day: int, chance_q32: int) -> I64:
        """How many of the monthly events of each key have happened by a day, that day's included."""
        count = np.zeros(len(key), dtype=np.int64)
        if chance_q32 == 0 or day < 1:
            return count
        for block in range((day // MONTH) // 2 + 1):
            words = self.draws.block(purpose, key, 0, block)
            for half in range(2):
                month = 2 * block + half
                when = month * MONTH + 1 + scale(words[2 * half + 1], MONTH)
                count += (words[2 * half].astype(np.int64) < chance_q32) & (when <= day)
        return count

    def generation(self, line: I64, day: int) -> I64:
        """Which handset of a line is in use: 0 is the first."""
        return np.minimum(self._events("handset", line, day, self.handset_q32), HANDSETS - 1)

    def second_sim(self, sub: I64, start_day: NDArray[np.uint16]) -> Flags:
        """Whether a SIM is a second one in the handset of the partner."""
        new = start_day > 0
        return new & (self.draws.u32("swap", sub, 2).astype(np.int64) < self.reuse_q32)

    def line(self, sub: I64, day: int, start_of: NDArray[np.uint16]) -> I64:
        """Whose line of handsets each SIM is in on a day; `start_of` is the column of everybody."""
        partner = self.ties.partner(sub)
        second = self.second_sim(sub, start_of[sub])
        swaps = self._events("swap", np.minimum(sub, partner), day, self.swap_q32)
        either = second | self.second_sim(partner, start_of[partner])
        moved = np.where(either, second, swaps % 2 == 1)
        return np.where(moved, partner, sub)

    def model(self, line: I64, generation: I64, first: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Models of handsets; `first` are those of generation 0."""
        u = self.draws.block("handset", line, 1, generation)
        dearer = u[0].astype(np.int64) < int(threshold_q32(_DEARER_SHARE))
        price = np.minimum(PRICE_CLASS[first].astype(np.int64) + dearer, 3)
        return np.where(generation == 0, first, models(price, u[1], MADE_SINCE))

    def imei(self, line: I64, generation: I64, model: NDArray[np.uint8]) -> NDArray[np.uint64]:
        """IMEIs of handsets: no two equal."""
        return imei(model, self.serials.forward(line * HANDSETS + generation))

    def visiting(self, sub: I64, day: int | I64) -> Flags:
        """Whether roamers are here: one stay in each month, four days in the mean."""
        u = self.draws.block("visit", sub, day // MONTH)
        first = scale(u[0], MONTH - 2)
        stay = 1 + (EXPONENTIAL.quantile(u[1]) * (_VISIT_DAYS - 1) >> 16)
        return (first <= day % MONTH) & (day % MONTH < first + stay)

    def home_for_new_year(self, sub: I64, day: int | I64) -> Flags:
        """Whether people who come home for the Spring Festival are here."""
        here = np.zeros(len(sub), dtype=np.bool_)
        for new_year in (y for y in self.new_years if np.any(abs(np.asarray(day) - y) <= _FESTIVAL_WITHIN)):
            first, last = festival_stay(self.draws.block("festival", sub, new_year), new_year)
            here |= (first <= day) & (day <= last)
        return here


def homecomers(draws: Draws, sub: I64, origin: NDArray[Any], shares_q32: tuple[int, ...]) -> Flags:
    """Whether people come home for the Spring Festival; shares by origin, none of origin 0."""
    cut = np.array(shares_q32, dtype=np.uint64)[origin]
    return np.asarray(draws.u32("visit", sub, 0xFFFFFFFF, 1) < cut)


def festival_stay(u: NDArray[np.uint32], new_year: int) -> tuple[I64, I64]:
    """First and last day at home: the nearer the festival, the more set out; back in the second week."""
    early = scale(u[1], 1 << 16)
    return new_year - 1 - (12 * early * early >> 32), new_year + 4 + scale(u[2], 11)


def tenure_days(gap_q16: I64, monthly_q32: I64) -> I64:
    """Days until an exponential event: gaps in means (1/65536), rates a month out of 2**32."""
    return np.where(monthly_q32 > 0, (gap_q16 * MONTH << 16) // np.maximum(monthly_q32, 1), NEVER)
