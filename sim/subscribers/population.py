"""Who lives in a world: one row per subscriber in NumPy columns, each a function of (seed, index) alone.

Communities are blocks of neighbouring indices: family and friends share a part of the town and often a
segment. The social graph has no table: friend k of i is a keyed involution within the community (so that
friendship is mutual where both have that many friends), and every fifth friend lives anywhere in the world.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.draws import (
    LOGNORMAL,
    LOGNORMAL_HALF,
    ONE_Q16,
    U32,
    Draws,
    pick,
    pick_rows,
    scale,
    shares_q32,
    threshold_q32,
)
from sim.scenario import WorldScenario
from sim.subscribers.habitat import Ground
from sim.subscribers.identities import Permutation, keyed_permutation
from sim.subscribers.segments import BRANDS, SEGMENTS, Segment
from sim.subscribers.terminals import TERMINALS, imei

__all__ = ["BRANDS", "COMMUNITY", "LANGUAGES", "SERVICES", "Population", "build_population"]

Cells = NDArray[np.signedinteger[Any]]

COMMUNITY: Final = 64
"""Subscribers in a community (the last one may have fewer)."""
FAR_EVERY: Final = 5
"""Every fifth friend is no member of the community."""
LANGUAGES: Final = ("zh", "en")
SERVICES: Final = ("text-pack", "mms", "ring-back-tone", "wap", "newspaper", "mail", "im")
"""Services held; bit k of `Population.services` is the k-th."""

_HOLDINGS: Final = (0.35, 0.15, 0.30, 0.12, 0.08, 0.05, 0.18)  # share of subscribers holding each of SERVICES
_MOBILE_SERIALS = 10**7
_IMSI_SERIALS = 10**9
_LOGNORMAL_HALF_MEAN = 1.1331484530668263  # exp(1/8)


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Columns over subscribers 0 .. n - 1."""

    draws: Draws
    imsi_prefix: int
    msisdn_prefix: int
    imsi_serials: Permutation
    msisdn_serials: Permutation
    imsi: NDArray[np.uint64]
    """All fifteen digits as an integer."""
    msisdn: NDArray[np.uint64]
    """E.164 digits with the country code as an integer."""
    imei: NDArray[np.uint64]
    """Fourteen digits and the check digit, leading zeros not stored."""
    terminal: NDArray[np.uint8]
    """Index into TERMINALS."""
    segment: NDArray[np.uint8]
    """Index into SEGMENTS."""
    brand: NDArray[np.uint8]
    """Index into BRANDS."""
    language: NDArray[np.uint8]
    """Index into LANGUAGES."""
    services: NDArray[np.uint16]
    """Bit mask over SERVICES."""
    home_cell: NDArray[np.int32]
    work_cell: NDArray[np.int32]
    """Cell of the workplace or school; the home cell for those without."""
    often_off: NDArray[np.bool_]
    """Switches off by day on most days."""
    often_rejects: NDArray[np.bool_]
    nightly_off: NDArray[np.bool_]
    """Usually switches off at night."""
    reject_q16: NDArray[np.int32]
    """Chance of rejecting an alerting call, out of 65536."""
    no_answer_q16: NDArray[np.int32]
    """Chance of letting a call ring out, out of 65536."""
    call_rate_q16: NDArray[np.int32]
    """Calls made to people a day, times 65536; likewise the next four."""
    call_in_rate_q16: NDArray[np.int32]
    service_rate_q16: NDArray[np.int32]
    text_rate_q16: NDArray[np.int32]
    text_in_rate_q16: NDArray[np.int32]
    degree: NDArray[np.uint8]
    """Number of friends in this world."""

    @property
    def n(self) -> int:
        """Number of subscribers."""
        return len(self.imsi)

    def friend(self, sub: ArrayLike, k: ArrayLike) -> NDArray[np.int64]:
        """Friend number k (from 0) of each subscriber; nobody is an own friend, unless quite alone."""
        i, k = np.broadcast_arrays(np.asarray(sub, dtype=np.int64), np.asarray(k, dtype=np.int64))
        far = k % FAR_EVERY == FAR_EVERY - 1
        base = i - i % COMMUNITY
        far |= base == self.n - 1  # alone in the last community
        base = np.where(far, 0, base)
        size = np.where(far, self.n, np.minimum(COMMUNITY, self.n - base))
        offset = scale(self.draws.u32("friend", np.where(far, 0xFFFFFFFF, i // COMMUNITY), 0, k), size)
        other: NDArray[np.int64] = base + (offset - (i - base)) % size
        return np.where(other == i, base + (i - base + 1) % size, other)

    def sub_of_msisdn(self, msisdn: ArrayLike) -> NDArray[np.int64]:
        """Subscribers of numbers (integers), -1 where the number is nobody's."""
        return self._lookup(msisdn, self.msisdn_prefix, self.msisdn_serials)

    def sub_of_imsi(self, imsi: ArrayLike) -> NDArray[np.int64]:
        """Subscribers of identities (integers), -1 where the identity is nobody's."""
        return self._lookup(imsi, self.imsi_prefix, self.imsi_serials)

    def _lookup(self, number: ArrayLike, prefix: int, serials: Permutation) -> NDArray[np.int64]:
        value = np.asarray(number, dtype=np.uint64)
        modulus = np.uint64(serials.modulus)
        sub = serials.backward(value % modulus).astype(np.int64)
        return np.where((value // modulus == np.uint64(prefix)) & (sub < self.n), sub, -1)

    def imsi_text(self, sub: int) -> str:
        """The fifteen digits."""
        return f"{int(self.imsi[sub]):015d}"

    def msisdn_text(self, sub: int) -> str:
        """E.164 digits without plus."""
        return str(int(self.msisdn[sub]))

    def imei_text(self, sub: int) -> str:
        """The fifteen digits, check digit last."""
        return f"{int(self.imei[sub]):015d}"

    def extract(self) -> dict[str, list[object]]:
        """Columns of the extract that BOSS/BI gives the platform."""
        held = [
            [name for bit, name in enumerate(SERVICES) if mask >> bit & 1] for mask in self.services.tolist()
        ]
        return {
            "imsi": [f"{value:015d}" for value in self.imsi.tolist()],
            "msisdn": [str(value) for value in self.msisdn.tolist()],
            "brand": [BRANDS[value] for value in self.brand.tolist()],
            "often_off": self.often_off.tolist(),
            "often_rejects": self.often_rejects.tolist(),
            "services": list(held),
            "language": [LANGUAGES[value] for value in self.language.tolist()],
        }


def build_population(scenario: WorldScenario, ground: Ground, draws: Draws) -> Population:
    """Draws everybody."""
    sub = np.arange(scenario.subscribers, dtype=np.int64)
    segment = _segments(scenario, draws, sub)
    home, work = _anchors(ground, draws, sub, segment)
    habits, usage = scenario.habits, scenario.usage
    u = draws.block("habit", sub)
    often_off = u[0] < threshold_q32(habits.often_off_share)
    often_rejects = u[1] < threshold_q32(habits.often_rejects_share)
    shares = np.array(scenario.segments.weights())
    night = _column(lambda s: s.night_off)
    night = np.minimum(night * habits.nightly_off_share / _weighted_mean(night, shares), 1.0)
    terminal = _terminals(draws.u32("terminal", sub), segment)
    rates = draws.block("rate", sub)
    numbers = keyed_permutation(draws, 1, _MOBILE_SERIALS)
    identities = keyed_permutation(draws, 2, _IMSI_SERIALS)
    imsi_prefix = int(scenario.numbering.imsi_prefix) * 10 ** (6 - len(scenario.numbering.imsi_prefix))
    msisdn_prefix = int(scenario.numbering.msisdn_prefix)
    friends = 2 + (LOGNORMAL.quantile(draws.u32("friend", sub, 1)) * 5 >> 16)
    masks = np.zeros(len(sub), dtype=np.uint16)
    for bit, share in enumerate(_HOLDINGS):
        masks |= (draws.chance(share, "holding", sub, 0, bit).astype(np.uint16) << bit).astype(np.uint16)
    calls, texts = _column(lambda s: s.calls), _column(lambda s: s.texts)
    return Population(
        draws=draws,
        imsi_prefix=imsi_prefix,
        msisdn_prefix=msisdn_prefix,
        imsi_serials=identities,
        msisdn_serials=numbers,
        imsi=np.uint64(imsi_prefix * _IMSI_SERIALS) + identities.forward(sub),
        msisdn=np.uint64(msisdn_prefix * _MOBILE_SERIALS) + numbers.forward(sub),
        imei=imei(terminal, scale(draws.u32("terminal", sub, 0, 1), 1_000_000)),
        terminal=terminal,
        segment=segment,
        brand=pick_rows(draws.u32("brand", sub), _rows(lambda s: s.brands)[segment]).astype(np.uint8),
        language=(u[2] < threshold_q32(habits.english_share)).astype(np.uint8),
        services=masks,
        home_cell=home,
        work_cell=work,
        often_off=often_off,
        often_rejects=often_rejects,
        nightly_off=u[3] < threshold_q32(night)[segment],
        reject_q16=np.where(often_rejects, 22_000, 1_600).astype(np.int32),
        no_answer_q16=np.full(len(sub), 5_200, dtype=np.int32),
        call_rate_q16=_rate(usage.calls_per_day, calls, shares, segment, rates[0]),
        call_in_rate_q16=_rate(usage.incoming_calls_per_day, calls, shares, segment, rates[0]),
        service_rate_q16=_rate(
            usage.service_calls_per_day, _column(lambda s: s.services), shares, segment, rates[1]
        ),
        text_rate_q16=_rate(usage.texts_per_day, texts, shares, segment, rates[2]),
        text_in_rate_q16=_rate(usage.incoming_texts_per_day, texts, shares, segment, rates[2]),
        degree=np.minimum(friends, 60).astype(np.uint8),
    )


def _segments(scenario: WorldScenario, draws: Draws, sub: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Half of a community belongs to its main segment; shares over the world stay as given."""
    bounds = shares_q32(scenario.segments.weights())
    u = draws.block("segment", sub)
    main = draws.u32("community", sub // COMMUNITY)
    return pick(np.where(u[0] & 1, main, u[1]), bounds).astype(np.uint8)


def _anchors(
    ground: Ground, draws: Draws, sub: NDArray[np.int64], segment: NDArray[np.uint8]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Home and work cells. A community shares a home cell; three in four of its members live there."""
    town = np.flatnonzero((ground.kind == 0) & (ground.place < 0))
    out = ground.x_m.astype(np.int64) ** 2 + ground.y_m.astype(np.int64) ** 2
    edge = town[np.argsort(out[town], kind="stable")][len(town) * 2 // 3 :]
    office, campus = ground.cells_of_kind("office"), ground.cells_of_kind("campus")
    areas: dict[str, Cells] = {"town": town, "edge": edge, "office": office, "campus": campus}
    u, w = draws.block("home", sub), draws.block("work", sub)
    shared = draws.block("community", sub // COMMUNITY)[1]
    together = u[0] < threshold_q32(0.75)
    home = np.zeros(len(sub), dtype=np.int32)
    work = np.zeros(len(sub), dtype=np.int32)
    for index, s in enumerate(SEGMENTS):
        mine = np.flatnonzero(segment == index)
        # A fifth of those with a dormitory or an office park to go to live or work elsewhere all the same.
        home[mine] = _one_of(areas[s.home], town, np.where(together, shared, u[1])[mine], u[2][mine])
        if s.work == "none":
            work[mine] = home[mine]
        else:
            work[mine] = _one_of(areas[s.work], town, w[0][mine], w[1][mine])
    return home, work


def _one_of(area: Cells, other: Cells, where: U32, elsewhere: U32) -> Cells:
    """A cell of an area; one time in five, or where the world has no such area, a cell of the other."""
    anywhere: Cells = other[scale(where, len(other))]
    if len(area) == 0:
        return anywhere
    return np.where(elsewhere < threshold_q32(0.2), anywhere, area[scale(where, len(area))])


def _terminals(u: U32, segment: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Handset models: by the segment's price classes, the newer models of a class as often as the older."""
    prices = [t.price_class for t in TERMINALS]
    weights = np.array([[s.prices[p - 1] / prices.count(p) for p in prices] for s in SEGMENTS])
    return pick_rows(u, shares_q32(weights)[segment]).astype(np.uint8)


def _column(read: Callable[[Segment], float]) -> NDArray[np.float64]:
    return np.array([read(s) for s in SEGMENTS], dtype=np.float64)


def _rows(read: Callable[[Segment], tuple[float, ...]]) -> NDArray[np.uint64]:
    return shares_q32(np.array([read(s) for s in SEGMENTS], dtype=np.float64))


def _weighted_mean(values: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    total = weight = 0.0
    for value, share in zip(
        values.tolist(), shares.tolist(), strict=True
    ):  # one order of summation everywhere
        total += value * share
        weight += share
    return total / weight


def _rate(
    mean: float, factors: NDArray[np.float64], shares: NDArray[np.float64], segment: NDArray[np.uint8], u: U32
) -> NDArray[np.int32]:
    """Personal daily rates times 65536: log-normal round the segment's, the given mean over the world."""
    base = np.floor(mean * factors / _weighted_mean(factors, shares) / _LOGNORMAL_HALF_MEAN * ONE_Q16).astype(
        np.int64
    )
    personal: NDArray[np.int64] = base[segment] * LOGNORMAL_HALF.quantile(u) >> 16
    return np.minimum(personal, 60 * ONE_Q16).astype(np.int32)
