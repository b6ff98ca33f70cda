"""Draws who somebody is: the stored columns of any subscribers, each row from (seed, index) alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import (
    EXPONENTIAL,
    LOGNORMAL,
    LOGNORMAL_HALF,
    ONE_Q16,
    ONE_Q32,
    U32,
    Draws,
    pick,
    pick_rows,
    scale,
    shares_q32,
    threshold_q32,
)
from sim.scenario import WorldScenario
from sim.subscribers.areas import Areas
from sim.subscribers.changes import MONTH, NEVER, homecomers, tenure_days
from sim.subscribers.column import pack_rate
from sim.subscribers.copula import Scores, at_least
from sim.subscribers.habitat import Ground
from sim.subscribers.segments import SEGMENTS, Segment
from sim.subscribers.social import COMMUNITY, MOST_FRIENDS, work_group
from sim.subscribers.terminals import models
from sim.subscribers.traits import CONTENTS, MISFIT_SHARE, SERVICES, TARIFFS, TARIFFS_A_BRAND, TRAITS, Traits

I64 = NDArray[np.int64]
Rows = dict[str, NDArray[Any]]

DTYPES: Final[dict[str, type[np.unsignedinteger[Any]]]] = {
    "segment": np.uint8, "brand": np.uint8, "tariff": np.uint8, "age": np.uint8, "arpu_yuan": np.uint16,
    "terminal": np.uint8, "services": np.uint16, "likes": np.uint16, "habits": np.uint8,
    "complaint": np.uint8, "home": np.uint16, "work": np.uint16, "calling": np.uint16, "asking": np.uint16,
    "texting": np.uint16,
    "degree": np.uint8, "rivals": np.uint8, "start_day": np.uint16, "leave_day": np.uint16,
    "origin": np.uint8,
}  # fmt: skip
"""The stored columns and their types: 30 octets a subscriber."""

HABITS: Final = ("often-off", "often-rejects", "nightly-off", "english")
"""Bit k of `habits` is the k-th."""
SAME_NEIGHBOURHOOD: Final = 1 / 3
"""Share of people of the main segment of their home community; as many are of that of their work group."""


def homecoming_of(scenario: WorldScenario) -> tuple[int, ...]:
    """By origin, own customers first: share who come home for the Spring Festival, out of 2**32."""
    shares = [origin.homecoming_share for origin in scenario.numbering.origins]
    return (0, *threshold_q32(shares).tolist()) if shares else (0,)


_HALF_MEAN: Final = 1.1331484530668263  # exp(1/8), mean of the log-normal with sigma 1/2
_TOGETHER: Final = 0.75  # of a community (work group) live (work) in the cell that they share
_MEDIAN_FRIENDS: Final = 4
FIRST_YEAR: Final = 12
"""Months in which new customers come."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is the same for all subscribers of a world, worked out once."""

    scenario: WorldScenario
    draws: Draws
    areas: Areas

    @classmethod
    def of(cls, scenario: WorldScenario, ground: Ground, draws: Draws) -> Plan:
        """For a world. Raises ValueError where cells do not fit sixteen bits."""
        if ground.n > 1 << 16:
            raise ValueError(f"network.cells: {ground.n} cells; home and work are kept in sixteen bits")
        return cls(scenario, draws, Areas.of(scenario, ground, draws))

    def rows(self, sub: I64) -> Rows:
        """The stored columns of some subscribers."""
        draws = self.draws
        community = sub // COMMUNITY
        group, _ = work_group(draws, sub)
        score = Scores(draws, sub, community)
        origin = self._origins(sub)
        segment = self._segments(sub, community, group)
        home, work = self._anchors(sub, community, group, segment, origin)
        brand = pick_rows(~score.rank("brand"), _BRANDS[segment]).astype(np.uint8)
        arpu = np.clip(_spread(_table(lambda t: t.arpu_yuan)[segment], score.rank("arpu")), 5, 5000)
        factor = LOGNORMAL.quantile(score.rank("degree"))
        degree = np.minimum(1 + (factor * _MEDIAN_FRIENDS >> 16), MOST_FRIENDS)
        u = draws.block("holding", sub)
        rivals = self._rivals(score, degree, u[0])
        rows: Rows = {
            "segment": segment,
            "brand": brand,
            "tariff": _tariffs(brand, arpu, u[1]),
            "age": _ages(segment, score.rank("age")),
            "arpu_yuan": arpu,
            "terminal": _terminals(score.rank("terminal"), draws.u32("terminal", sub), segment),
            "services": _flags(score, SERVICES, _HOLDINGS, segment),
            "likes": _flags(score, CONTENTS, _LIKES, segment),
            "habits": self._habits(score, segment, draws.u32("habit", sub)),
            "complaint": _complaint(score, segment),
            "home": home,
            "work": work,
            "calling": self._factor(lambda s: s.calls, segment, score.rank("calls")),
            "asking": self._factor(lambda s: s.services, segment, score.rank("services")),
            "texting": self._factor(lambda s: s.texts, segment, score.rank("texts")),
            "degree": degree,
            "rivals": rivals,
            "origin": origin,
        }
        rows["start_day"], rows["leave_day"] = self._tenure(score, sub, segment, degree, rivals, origin)
        return {name: rows[name].astype(dtype) for name, dtype in DTYPES.items()}

    def _origins(self, sub: I64) -> I64:
        """0 for own customers, else one more than the index of the roamer's origin."""
        shares = [origin.share for origin in self.scenario.numbering.origins]
        if not shares:
            return np.zeros(len(sub), dtype=np.int64)
        return pick(self.draws.u32("visit", sub, 0xFFFFFFFF), shares_q32([1.0 - sum(shares), *shares]))

    def _segments(self, sub: I64, community: I64, group: I64) -> I64:
        """A third of each is of the main segment of the community, of the work group, and of any."""
        u = self.draws.block("segment", sub)
        home, work = self.draws.u32("community", community), self.draws.u32("community", group, 2)
        third = threshold_q32(SAME_NEIGHBOURHOOD)
        source = np.where(u[0] < third, home, np.where(u[0] < third * np.uint64(2), work, u[1]))
        return pick(source, shares_q32(self.scenario.segments.weights()))

    def _anchors(self, sub: I64, community: I64, group: I64, segment: I64, origin: I64) -> tuple[I64, I64]:
        """Home and work cells: most of a community live, most of a work group work in one cell."""
        u, w = self.draws.block("home", sub), self.draws.block("work", sub)
        together = threshold_q32(_TOGETHER)
        home_at = np.where(u[0] < together, self.draws.u32("community", community, 3), u[1])
        work_at = np.where(w[0] < together, self.draws.u32("community", group, 4), w[1])
        home, work = np.zeros(len(sub), dtype=np.int64), np.zeros(len(sub), dtype=np.int64)
        town, one_of = self.areas.town(sub), self.areas.one_of
        for index, s in enumerate(SEGMENTS):
            mine = np.flatnonzero(segment == index)
            home[mine] = one_of(s.home, town[mine], home_at[mine], u[2][mine])
            if s.work == "none":
                work[mine] = home[mine]
            else:
                work[mine] = one_of(s.work, town[mine], work_at[mine], w[2][mine])
        # Who comes home has a home; other roamers are guests.
        guests = np.flatnonzero(
            (origin > 0) & ~homecomers(self.draws, sub, origin, homecoming_of(self.scenario))
        )
        home[guests] = one_of("hotel", town[guests], u[1][guests], u[2][guests])
        return home, work

    def _habits(self, score: Scores, segment: I64, u: U32) -> I64:
        habits, shares = self.scenario.habits, self.scenario.segments.weights()
        rows = (
            ("often-off", habits.often_off_share, _table(lambda t: t.often_off)),
            ("often-rejects", habits.often_rejects_share, _table(lambda t: t.often_rejects)),
            ("nightly-off", habits.nightly_off_share, column(lambda s: s.night_off)),
        )
        mask = (u < threshold_q32(habits.english_share)).astype(np.int64) << HABITS.index("english")
        for bit, (name, share, factors) in enumerate(rows):
            cut = at_least(by_segment(share, factors, shares))
            mask |= (score[name] >= cut[segment]).astype(np.int64) << bit
        return mask

    def _factor(self, read: Callable[[Segment], float], segment: I64, rank: U32) -> NDArray[np.uint16]:
        """Personal rates over the world's mean: the segment's, spread log-normally; mean one."""
        factors = column(read)
        mean = weighted_mean(factors, self.scenario.segments.weights())
        base = np.floor(factors / mean / _HALF_MEAN * ONE_Q16).astype(np.int64)
        return pack_rate(np.minimum(base[segment] * LOGNORMAL_HALF.quantile(rank) >> 16, 60 * ONE_Q16))

    def _rivals(self, score: Scores, degree: I64, u: U32) -> I64:
        """Friends in the competitor's network, so many that their share of all ties is the scenario's."""
        share = self.scenario.social.rival_share
        ratio = int(share / (1.0 - share) / _HALF_MEAN * ONE_Q16)
        mean = degree * (ratio * LOGNORMAL_HALF.quantile(score.rank("rivals")) >> 16)
        rivals: I64 = np.minimum((mean + (u >> np.uint32(16)).astype(np.int64)) >> 16, 255)
        return rivals

    def _tenure(
        self, score: Scores, sub: I64, segment: I64, degree: I64, rivals: I64, origin: I64
    ) -> tuple[I64, I64]:
        """First and last days. Whoever is irritable, poor, or has friends at the competitor leaves sooner."""
        changes = self.scenario.changes
        u = self.draws.block("tenure", sub)
        months = np.full(FIRST_YEAR, changes.new_per_month)
        month = pick(u[0], shares_q32([max(1.0 - float(months.sum()), 0.0), *months.tolist()]))
        start = np.where((month > 0) & (origin == 0), (month - 1) * MONTH + 1 + scale(u[1], MONTH), 0)
        rate = by_segment(
            changes.churn_per_month, _table(lambda t: t.churn), self.scenario.segments.weights()
        )
        base = np.floor(rate / _HALF_MEAN * ONE_Q32).astype(np.int64)
        monthly = base[segment] * LOGNORMAL_HALF.quantile(score.rank("churn")) >> 16
        share_q16 = (rivals << 16) // (degree + rivals)
        usual = max(round(self.scenario.social.rival_share * ONE_Q16), 1)
        monthly = monthly // 2 + monthly * share_q16 // (2 * usual)
        leave = start + 1 + tenure_days(EXPONENTIAL.quantile(u[2]), monthly)
        return start, np.where(origin == 0, np.minimum(leave, NEVER), NEVER)


def _flags(score: Scores, names: tuple[str, ...], cuts: NDArray[np.int64], segment: I64) -> I64:
    mask = np.zeros(len(segment), dtype=np.int64)
    for bit, name in enumerate(names):
        mask |= (score[name] >= cuts[:, bit][segment]).astype(np.int64) << bit
    return mask


def _spread(median: NDArray[Any], rank: U32) -> I64:
    """Log-normal of sigma 1/2 round medians."""
    return median.astype(np.int64) * LOGNORMAL_HALF.quantile(rank) >> 16


def _ages(segment: I64, rank: U32) -> I64:
    """Ages between the quartiles of the segment, in straight lines."""
    points = np.array([t.ages for t in TRAITS], dtype=np.int64)
    quarter = (rank >> np.uint32(30)).astype(np.int64)
    low, high = points[segment, quarter], points[segment, quarter + 1]
    return low + ((high - low) * (rank & np.uint32((1 << 30) - 1)).astype(np.int64) >> 30)


def _complaint(score: Scores, segment: I64) -> I64:
    """Proneness to complain, 0..255 with 128 in the middle: 42 for a standard deviation."""
    shift = np.array([round(t.complaint * ONE_Q16) for t in TRAITS])
    proneness: I64 = np.clip(128 + ((score["complaint"] + shift[segment]) * 42 >> 16), 0, 255)
    return proneness


def fitting_tariff(brand: NDArray[Any], arpu_yuan: NDArray[Any]) -> I64:
    """The cheapest plan of the brand for so much spending; an index into TARIFFS."""
    first = brand.astype(np.int64) * TARIFFS_A_BRAND
    from_yuan = np.array([t.from_yuan for t in TARIFFS])
    better: I64 = first.copy()
    for step in range(1, TARIFFS_A_BRAND):
        better += arpu_yuan >= from_yuan[first + step]
    return better


def _tariffs(brand: NDArray[Any], arpu: I64, u: U32) -> I64:
    fit = fitting_tariff(brand, arpu)
    other = fit // TARIFFS_A_BRAND * TARIFFS_A_BRAND + (fit + 1 + (u & np.uint32(1))) % TARIFFS_A_BRAND
    return np.where(u < threshold_q32(MISFIT_SHARE), other, fit)


def _terminals(rank: U32, u: U32, segment: I64) -> NDArray[np.uint8]:
    """First handsets: the price class by segment and rank, a model of the class by chance."""
    price = 1 + pick_rows(rank, _rows(lambda s: s.prices)[segment])
    return models(price, u)


def column(read: Callable[[Segment], float]) -> NDArray[np.float64]:
    """A figure of all segments."""
    return np.array([read(s) for s in SEGMENTS], dtype=np.float64)


def _table(read: Callable[[Traits], float]) -> NDArray[np.float64]:
    return np.array([read(t) for t in TRAITS], dtype=np.float64)


def _rows(read: Callable[[Segment], tuple[float, ...]]) -> NDArray[np.uint64]:
    return shares_q32(np.array([read(s) for s in SEGMENTS], dtype=np.float64))


def weighted_mean(values: NDArray[np.float64], shares: list[float]) -> float:
    """Mean over segments of these shares."""
    total = weight = 0.0
    for value, share in zip(values.tolist(), shares, strict=True):  # one order of summation everywhere
        total += value * share
        weight += share
    return total / weight


def by_segment(share: float, factors: NDArray[np.float64], shares: list[float]) -> NDArray[np.float64]:
    """Shares of the segments with these factors, so that the world's is the given one; one at most."""
    return np.minimum(factors * share / weighted_mean(factors, shares), 1.0)


_BRANDS: Final = _rows(lambda s: s.brands)
_HOLDINGS: Final = at_least(np.array([t.holdings for t in TRAITS]))
_LIKES: Final = at_least(np.array([[int(digit) / 10 for digit in t.likes] for t in TRAITS]))
