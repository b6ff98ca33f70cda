"""Keyed draws: every random number is a pure function of (seed, purpose, subscriber, day, ordinal).

A counter-based generator, Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1,
2, 3", SC11), over whole columns (`sim.draw_columns`, compiled). Nothing has a state, so a subscriber can be
drawn alone, in any order and on any worker, and comes out the same. Only integers take part: NumPy's own
streams, logarithms and exponentials may differ between builds; these may not. Non-uniform quantities come
from committed tables (`sim.draw_tables`).

Counter words: subscriber, day, purpose, ordinal // 4; the word of the block is ordinal % 4; the key is the
seed. Four consecutive ordinals therefore cost as much as one: use `block` where four draws about one person
are needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim import draw_tables
from sim.draw_columns import philox, quantiles

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

ONE_Q16: Final = 1 << 16
"""One, in the fixed-point unit of the tables (1/65536)."""
ONE_Q32: Final = 1 << 32
"""One, in the unit of `unit_q32` and of probability thresholds (2**-32)."""

PURPOSES: Final[dict[str, int]] = {
    # the network's ground
    "cell_position": 1,
    "layout": 2,
    "place_site": 3,
    "shadow": 4,
    "test_ride": 5,
    # who somebody is
    "segment": 10,
    "community": 11,
    "brand": 12,
    "home": 13,
    "work": 14,
    "habit": 15,
    "rate": 16,
    "terminal": 17,
    "identity": 18,
    "holding": 19,
    "friend": 20,
    "latent": 21,
    "latent_community": 22,
    "contact_place": 23,
    "handset": 24,
    "swap": 25,
    "tenure": 26,
    "visit": 27,
    "rival": 28,
    # what somebody does on a day
    "day_plan": 30,
    "trip": 31,
    "outing": 32,
    "travel": 33,
    "power_night": 34,
    "power_day": 35,
    "favourite": 36,
    "journey": 37,
    "festival": 38,
    "crossing": 39,
    "event": 40,
    # calls and texts
    "call_own": 50,
    "call_own_detail": 51,
    "call_service": 52,
    "call_service_detail": 53,
    "call_in": 54,
    "call_in_detail": 55,
    "text_own": 56,
    "text_own_detail": 57,
    "text_in": 58,
    "text_in_detail": 59,
    "outside": 60,
    "call_festive": 61,
    "call_festive_detail": 62,
    "call_tone": 63,
    "text_festive": 64,
    "text_festive_detail": 65,
    "text_chat": 66,
    "text_chat_detail": 67,
    "text_mms": 68,
    "ussd": 69,
    "ussd_after_call": 70,
    "forwarding": 71,
    "call_waiting": 72,
    "mms_sent": 73,
    "gprs": 74,
    "account": 75,
    "complaint": 76,
    "call_session": 77,
    # answers to contacts
    "affinity": 80,
    "take_up": 81,
    "reply": 82,
    "hearsay": 83,
    "organic": 85,
    # the network's own chances (authentication vectors, paces, optional dialogue steps, failures)
    "pace": 100,
    "authentication": 101,
    "options": 102,
    "failure": 103,
    "paging": 104,
    "smsc": 105,
    "handover": 106,
    "rest_point": 107,
    "usual_room": 108,
    "other_room": 109,
    # what is done to messages on purpose
    "fault_message": 140,
    "fault_act": 141,
    "fault_link": 142,
}
"""Purpose names and their counter word. Numbers never change once a world has been published with them."""

_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_MASK = 0xFFFFFFFF
_ROUNDS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """An inverse distribution function: two half tables, laid out as in `sim.draw_tables_make`."""

    name: str
    rows: I64
    """Lower half, then upper half, in units of 1/65536."""

    def quantile(self, u: ArrayLike) -> I64:
        """Quantiles (units of 1/65536) at the probabilities (2 u + 1) / 2**33, for 32-bit `u`."""
        words = np.asarray(u)
        found: I64 = quantiles(self.rows, np.ascontiguousarray(words, dtype=np.uint32).reshape(-1))
        return found.reshape(words.shape)

    def at(self, u: int) -> int:
        """`quantile` of a single 32-bit integer in plain Python."""
        v = u << 1 | 1
        w, start = ((1 << 33) - v, 513) if v >> 32 else (v, 0)
        digits = (w << 52 >> (w.bit_length() - 1)) & ((1 << 52) - 1)
        row = start + (w.bit_length() - 1) * 16 + (digits >> 48)
        low, high = int(self.rows[row]), int(self.rows[row + 1])
        return low + ((high - low) * (digits >> 28 & 0xFFFFF) >> 20)


def _table(name: str, lower: tuple[int, ...], upper: tuple[int, ...]) -> Table:
    rows = np.array(lower + upper, dtype=np.int64)
    rows.flags.writeable = False
    return Table(name, rows)


EXPONENTIAL: Final = _table("exponential", draw_tables.EXPONENTIAL_LOWER, draw_tables.EXPONENTIAL_UPPER)
NORMAL: Final = _table("normal", draw_tables.NORMAL_LOWER, draw_tables.NORMAL_UPPER)
LOGISTIC: Final = _table("logistic", draw_tables.LOGISTIC_LOWER, draw_tables.LOGISTIC_UPPER)
LOGNORMAL: Final = _table("lognormal", draw_tables.LOGNORMAL_LOWER, draw_tables.LOGNORMAL_UPPER)
LOGNORMAL_HALF: Final = _table(
    "lognormal_half", draw_tables.LOGNORMAL_HALF_LOWER, draw_tables.LOGNORMAL_HALF_UPPER
)


def philox4x32(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """One block of Philox4x32-10 in plain integers: quick for one, and the measure of the columns."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & _MASK, (p0 >> 32) ^ c3 ^ k1, p0 & _MASK
        k0, k1 = (k0 + _W0) & _MASK, (k1 + _W1) & _MASK
    return c0, c1, c2, c3


def philox4x32_columns(
    counter: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike], key: tuple[int, int]
) -> U32:
    """Blocks of Philox4x32-10 for columns of counters (broadcast together); shape (4,) + broadcast shape."""
    words = [np.asarray(c) for c in counter]
    shape = np.broadcast_shapes(*(w.shape for w in words))
    flat = [
        np.ascontiguousarray(w if w.size == 1 else np.broadcast_to(w, shape), dtype=np.int64).reshape(-1)
        for w in words
    ]
    return philox(flat, key, int(np.prod(shape, dtype=np.int64))).reshape((4, *shape))


def threshold_q32(probability: ArrayLike) -> U64:
    """Probabilities as integers out of 2**32, so that `u32 < threshold` is true with that probability."""
    scaled = np.asarray(probability, dtype=np.float64) * float(ONE_Q32)  # a power of two: exact
    if np.any(scaled < 0.0) or np.any(scaled > float(ONE_Q32)):
        raise ValueError("a probability lies outside 0..1")
    return np.floor(scaled).astype(np.uint64)


def shares_q32(weights: ArrayLike) -> U64:
    """Upper bounds (out of 2**32) of the classes with these weights, along the last axis."""
    w = np.asarray(weights, dtype=np.float64)
    whole = np.floor(w * 1e6 + 0.5).astype(
        np.int64
    )  # integers from here on: the order of a sum cannot matter
    total = whole.sum(axis=-1, keepdims=True)
    if np.any(whole < 0) or np.any(total <= 0):
        raise ValueError("weights must be non-negative and not all zero")
    bounds = np.cumsum(whole, axis=-1).astype(np.uint64)
    out: U64 = (bounds * np.uint64(1 << 20) // total.astype(np.uint64)) << np.uint64(12)
    return out


def purpose_word(purpose: str | int) -> int:
    """The counter word of a purpose: from the table by name, or a number as it is."""
    return purpose if isinstance(purpose, int) else PURPOSES[purpose]


@dataclass(frozen=True, slots=True)
class Draws:
    """All the chance of one world. Arguments `sub`, `day` and `ordinal` broadcast like NumPy operands."""

    seed: int
    """0 .. 2**64 - 1."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 1 << 64:
            raise ValueError(f"seed {self.seed} is outside 0..2**64-1")

    @property
    def key(self) -> tuple[int, int]:
        """The two key words of the generator."""
        return self.seed & _MASK, self.seed >> 32

    def block(self, purpose: str | int, sub: ArrayLike, day: ArrayLike = 0, block: ArrayLike = 0) -> U32:
        """Ordinals 4 block .. 4 block + 3 at once: shape (4,) + broadcast shape."""
        return philox4x32_columns((sub, day, purpose_word(purpose), block), self.key)

    def u32(self, purpose: str | int, sub: ArrayLike, day: ArrayLike = 0, ordinal: ArrayLike = 0) -> U32:
        """Uniform 32-bit integers."""
        order = np.asarray(ordinal, dtype=np.int64)
        words = self.block(purpose, sub, day, order >> 2)
        if order.size == 1:
            row: U32 = words[int(order.reshape(-1)[0]) & 3]
            return row
        which = np.broadcast_to(order & 3, words.shape[1:])
        picked: U32 = np.take_along_axis(words, which[np.newaxis], axis=0)[0]
        return picked

    def unit_q32(self, purpose: str | int, sub: ArrayLike, day: ArrayLike = 0, ordinal: ArrayLike = 0) -> U64:
        """Uniform fractions of one, out of 2**32, as 64-bit integers ready for products."""
        return self.u32(purpose, sub, day, ordinal).astype(np.uint64)

    def u64(self, purpose: str | int, sub: ArrayLike, day: ArrayLike = 0, ordinal: ArrayLike = 0) -> U64:
        """Uniform 64-bit integers; ordinal k uses the 32-bit ordinals 2 k and 2 k + 1."""
        twice = np.asarray(ordinal, dtype=np.int64) * 2
        high = self.u32(purpose, sub, day, twice + 1).astype(np.uint64) << np.uint64(32)
        return high | self.u32(purpose, sub, day, twice).astype(np.uint64)

    def below(
        self, n: ArrayLike, purpose: str | int, sub: ArrayLike, day: ArrayLike = 0, ordinal: ArrayLike = 0
    ) -> I64:
        """Integers 0 .. n - 1 (n at most 2**31), by multiply and shift: the bias is below n / 2**32."""
        return scale(self.u32(purpose, sub, day, ordinal), n)

    def chance(
        self, p: ArrayLike, purpose: str | int, sub: ArrayLike, day: ArrayLike = 0, ordinal: ArrayLike = 0
    ) -> NDArray[np.bool_]:
        """True with probability p."""
        return self.u32(purpose, sub, day, ordinal) < threshold_q32(p)

    def table(
        self, table: Table, purpose: str | int, sub: ArrayLike, day: ArrayLike = 0, ordinal: ArrayLike = 0
    ) -> I64:
        """Draws of a tabled distribution, in units of 1/65536."""
        return table.quantile(self.u32(purpose, sub, day, ordinal))

    def one(self, purpose: str | int, sub: int, day: int = 0, ordinal: int = 0) -> int:
        """`u32` for a single key in plain Python, several times quicker than a vector of one."""
        words = philox4x32((sub, day & _MASK, purpose_word(purpose), ordinal >> 2), self.key)
        return words[ordinal & 3]


def scale(u: ArrayLike, n: ArrayLike) -> I64:
    """Turns uniform 32-bit integers into 0 .. n - 1."""
    product: I64 = np.asarray(u).astype(np.int64) * np.asarray(n, dtype=np.int64)
    return product >> 32


def pick(u: ArrayLike, bounds: U64) -> I64:
    """The class (from `shares_q32`) of each uniform 32-bit integer; `bounds` is one row for all."""
    return np.searchsorted(bounds, np.asarray(u).astype(np.uint64), side="right").astype(np.int64)


def pick_rows(u: ArrayLike, bounds: U64) -> I64:
    """The class of each uniform 32-bit integer where `bounds` has a row per element (few classes)."""
    passed = np.asarray(u).astype(np.uint64)[..., np.newaxis] >= bounds
    return np.asarray(np.count_nonzero(passed, axis=-1), dtype=np.int64)
