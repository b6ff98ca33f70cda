"""Who lives in a world: one row per subscriber in NumPy columns, each a function of (seed, index) alone.

Some thirty octets a subscriber are stored; numbers come from keyed permutations, flags and rates from codes,
friends from the index, all when they are read (`sim.subscribers.column`). Only far friends, and who is met in
a circle that the last index cuts off, depend on how many people there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.draws import ONE_Q16, Draws, scale
from sim.scenario import Numbering, UsageScenario, WorldScenario
from sim.subscribers.acquaintances import CLOSE, Acquaintances
from sim.subscribers.almanac import LUNAR_NEW_YEARS
from sim.subscribers.changes import Changes, homecomers
from sim.subscribers.column import Column, unpack_rate
from sim.subscribers.drawing import DTYPES, HABITS, Plan, homecoming_of
from sim.subscribers.habitat import Ground
from sim.subscribers.identities import Permutation, Series, keyed_permutation
from sim.subscribers.segments import BRANDS, SEGMENTS
from sim.subscribers.social import COMMUNITY, Ties
from sim.subscribers.terminals import SERIALS, TERMINALS
from sim.subscribers.traits import (
    ARPU_BANDS,
    CONTENTS,
    PLACE_NAMES,
    PLACE_OF_CONTENT,
    SERVICES,
    TARIFFS,
    TRAITS,
)

__all__ = ["BRANDS", "COMMUNITY", "LANGUAGES", "SERVICES", "Population", "build_population", "numbers_of"]

T = TypeVar("T", bound=np.generic)
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]

LANGUAGES: Final = ("zh", "en")
CHUNK: Final = 1 << 16
"""Subscribers drawn at a time."""
REJECTS_Q16: Final = (1_600, 22_000)
"""Share of calls rejected, 1/65536: by most, and by those who often reject."""
NO_ANSWER_Q16: Final = 5_200
"""Share of calls left ringing, 1/65536."""

_MOBILE_SERIALS = 10**7
_IMSI_SERIALS = 10**9
_CITY_SHIFT = 32  # msisdn ranges: cities from 0 on, origins of roamers from here on
_LIKED_FACTOR = 6  # a kind of place that somebody's likings lead to weighs so much more
_PLACE_OF_WEIGHT = np.array(
    [
        [PLACE_NAMES.index(name) for rank, name in enumerate(t.contact_places) for _ in range(8 - rank)]
        for t in TRAITS
    ]
)
"""Segment and unit of weight -> kind of place: the likeliest has eight units, the next seven, .."""
_PLACE_OF_CONTENT = np.array([PLACE_NAMES.index(name) for name in PLACE_OF_CONTENT])
_MORE_IF_LIKED = np.array(
    [
        [(_LIKED_FACTOR - 1) * max(int(np.count_nonzero(row == place)), 1) for place in _PLACE_OF_CONTENT]
        for row in _PLACE_OF_WEIGHT
    ]
)
"""Segment and content -> units of weight that liking it adds to its place."""


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """Prefixes and permutations: subscriber <-> IMSI and MSISDN."""

    imsi_prefix: U64
    """By origin: own customers, then origins of roamers; six digits."""
    msisdn_prefix: U64
    """Cities from 0 on, origins of roamers (1 ..) from `_CITY_SHIFT` on; six digits, 0: there is none."""
    city_of_cell: NDArray[np.uint8]
    cities: tuple[str, ...]
    """Names of the cities; none where all numbers are of one block."""
    imsi_serials: Permutation
    msisdn_serials: Permutation


def numbers_of(numbering: Numbering, ground: Ground, draws: Draws) -> Numbers:
    """The numbers of a world."""
    imsi = [
        int(p.ljust(6, "0")) for p in (numbering.imsi_prefix, *(o.imsi_prefix for o in numbering.origins))
    ]
    msisdn = np.zeros(_CITY_SHIFT + 1 + len(numbering.origins), dtype=np.uint64)
    for k, origin in enumerate(numbering.origins):
        msisdn[_CITY_SHIFT + 1 + k] = int(origin.msisdn_prefix)
    city_of_cell = np.zeros(ground.n, dtype=np.uint8)
    if numbering.cities:
        x = np.array([round(city.x_km * 1000) for city in numbering.cities], dtype=np.int64)
        y = np.array([round(city.y_km * 1000) for city in numbering.cities], dtype=np.int64)
        away = (ground.x_m.astype(np.int64)[:, None] - x) ** 2 + (
            ground.y_m.astype(np.int64)[:, None] - y
        ) ** 2
        city_of_cell[:] = np.argmin(away, axis=1)
    msisdn[: max(len(numbering.cities), 1)] = [
        int(prefix) for prefix in [c.msisdn_prefix for c in numbering.cities] or [numbering.msisdn_prefix]
    ]
    return Numbers(
        np.array(imsi, dtype=np.uint64),
        msisdn,
        city_of_cell,
        tuple(city.name for city in numbering.cities),
        keyed_permutation(draws, 2, _IMSI_SERIALS),
        keyed_permutation(draws, 1, _MOBILE_SERIALS),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Columns over subscribers 0 .. n - 1."""

    draws: Draws
    usage: UsageScenario
    origins: tuple[str, ...]
    """Names of where people are from: "" for own customers, then the origins of roamers."""
    homecoming_q32: tuple[int, ...]
    """By origin: share who come home for the Spring Festival, out of 2**32."""
    numbers: Numbers
    ties: Ties
    acquaintances: Acquaintances
    changes: Changes
    segment: NDArray[np.uint8]
    """Index into SEGMENTS."""
    brand: NDArray[np.uint8]
    """Index into BRANDS."""
    tariff: NDArray[np.uint8]
    """Index into TARIFFS."""
    age: NDArray[np.uint8]
    """Years."""
    arpu_yuan: NDArray[np.uint16]
    """Usual spending in a month, yuan."""
    terminal: NDArray[np.uint8]
    """First handset: index into TERMINALS."""
    services: NDArray[np.uint16]
    """Bit mask over SERVICES."""
    likes: NDArray[np.uint16]
    """Bit mask over CONTENTS."""
    habits: NDArray[np.uint8]
    """Bit mask over HABITS."""
    complaint: NDArray[np.uint8]
    """Proneness to complain: 128 in the middle, 42 to a standard deviation."""
    home: NDArray[np.uint16]
    work: NDArray[np.uint16]
    calling: NDArray[np.uint16]
    """Calls over the mean of the world, 1/65536, as `sim.subscribers.column.pack_rate`; so the next two."""
    asking: NDArray[np.uint16]
    texting: NDArray[np.uint16]
    degree: NDArray[np.uint8]
    """Number of friends in this world."""
    rivals: NDArray[np.uint8]
    """Number of friends in the competitor's network."""
    start_day: NDArray[np.uint16]
    """Day on which a new customer first switches on; 0 for those who always were customers."""
    leave_day: NDArray[np.uint16]
    """Day from which a customer is off for ever; `sim.subscribers.changes.NEVER` for nobody knows when."""
    origin: NDArray[np.uint8]
    """Index into `origins`: above 0 for roamers."""

    @property
    def n(self) -> int:
        """Number of subscribers."""
        return len(self.segment)

    @property
    def nbytes(self) -> int:
        """Octets of all stored columns."""
        return sum(getattr(self, name).nbytes for name in DTYPES)

    def _column(self, dtype: type[T], of: Callable[[I64], NDArray[Any]]) -> Column[T]:
        return Column(self.n, dtype, of)

    def _habit(self, name: str) -> Column[np.bool_]:
        bit = HABITS.index(name)
        return self._column(np.bool_, lambda i: (self.habits[i] >> bit & 1).astype(np.bool_))

    def _rate(self, mean: float, codes: NDArray[np.uint16]) -> Column[np.int32]:
        q16 = int(mean * ONE_Q16)
        return self._column(np.int32, lambda i: np.minimum(unpack_rate(codes[i]) * q16 >> 16, 60 * ONE_Q16))

    @property
    def imsi(self) -> Column[np.uint64]:
        """All fifteen digits as an integer, uint64."""
        return self._column(np.uint64, self._imsi)

    @property
    def msisdn(self) -> Column[np.uint64]:
        """E.164 digits with the country code as an integer, uint64."""
        return self._column(np.uint64, self._msisdn)

    @property
    def imei(self) -> Column[np.uint64]:
        """IMEI on day 0: fourteen digits and the check digit, leading zeros not stored, uint64."""
        return self._column(np.uint64, lambda i: self.imei_at(0, i))

    @property
    def home_plmn(self) -> Column[np.uint32]:
        """Home network as the first five digits of the IMSI (MCC and MNC as an integer), uint32."""
        return self._column(np.uint32, lambda i: self.numbers.imsi_prefix[self.origin[i]] // np.uint64(10))

    @property
    def home_cell(self) -> Column[np.int32]:
        """Cell of the home, int32."""
        return self._column(np.int32, lambda i: self.home[i])

    @property
    def work_cell(self) -> Column[np.int32]:
        """Cell of the workplace or school; the home cell for those without, int32."""
        return self._column(np.int32, lambda i: self.work[i])

    @property
    def language(self) -> Column[np.uint8]:
        """Index into LANGUAGES, uint8."""
        bit = HABITS.index("english")
        return self._column(np.uint8, lambda i: self.habits[i] >> bit & 1)

    @property
    def often_off(self) -> Column[np.bool_]:
        """Switches off by day on most days."""
        return self._habit("often-off")

    @property
    def often_rejects(self) -> Column[np.bool_]:
        """Often rejects calls."""
        return self._habit("often-rejects")

    @property
    def nightly_off(self) -> Column[np.bool_]:
        """Usually switches off at night."""
        return self._habit("nightly-off")

    @property
    def reject_q16(self) -> Column[np.int32]:
        """Chance of rejecting an alerting call, out of 65536."""
        chance = np.array(REJECTS_Q16, dtype=np.int32)
        return self._column(np.int32, lambda i: chance[self.habits[i] >> HABITS.index("often-rejects") & 1])

    @property
    def no_answer_q16(self) -> Column[np.int32]:
        """Chance of letting a call ring out, out of 65536."""
        return self._column(np.int32, lambda i: np.full(len(i), NO_ANSWER_Q16, dtype=np.int32))

    @property
    def call_rate_q16(self) -> Column[np.int32]:
        """Calls made to people a day, times 65536; likewise the next four."""
        return self._rate(self.usage.calls_per_day, self.calling)

    @property
    def call_in_rate_q16(self) -> Column[np.int32]:
        """Calls received from other networks a day."""
        return self._rate(self.usage.incoming_calls_per_day, self.calling)

    @property
    def service_rate_q16(self) -> Column[np.int32]:
        """Calls to service lines a day."""
        return self._rate(self.usage.service_calls_per_day, self.asking)

    @property
    def text_rate_q16(self) -> Column[np.int32]:
        """Short messages sent a day."""
        return self._rate(self.usage.texts_per_day, self.texting)

    @property
    def text_in_rate_q16(self) -> Column[np.int32]:
        """Short messages received from other networks a day."""
        return self._rate(self.usage.incoming_texts_per_day, self.texting)

    def friend(self, sub: ArrayLike, k: ArrayLike) -> I64:
        """Friend number k (below `degree`) of each; nobody is an own friend, unless quite alone."""
        shape = np.broadcast_shapes(np.shape(sub), np.shape(k))
        i = np.broadcast_to(np.asarray(sub, dtype=np.int64), shape).reshape(-1)
        rank = np.broadcast_to(np.asarray(k, dtype=np.int64), shape).reshape(-1)
        close = CLOSE[self.degree[i]].astype(np.int64)
        other, near, rest = i.copy(), np.flatnonzero(rank < close), np.flatnonzero(rank >= close)
        other[near] = self.ties.friend(i[near], rank[near])
        other[rest] = self.acquaintances.of_rank(i[rest], rank[rest] - close[rest])
        oneself = np.flatnonzero(other == i)
        other[oneself] = self.ties.anybody(i[oneself], rank[oneself])
        return other.reshape(shape)

    def rival_number(self, sub: ArrayLike, k: ArrayLike) -> U64:
        """Number of friend k (below `rivals`) in the competitor's network."""
        return self.ties.rival_number(sub, k)

    def contact_places(self, sub: ArrayLike, how_many: int = 3) -> I64:
        """Where somebody likes to be: indices into PLACE_NAMES, shape (subscribers, how_many), some twice.

        Drawn by the segment's places of contact (weights 8, 7 .. 1); places to which somebody's likings lead
        weigh six times as much (five for those that the segment has none of), so that both go together.
        """
        i = np.atleast_1d(np.asarray(sub, dtype=np.int64))
        segment, likes = self.segment[i], self.likes[i]
        usual, more = _PLACE_OF_WEIGHT, _MORE_IF_LIKED
        extra = more[segment] * (likes[:, np.newaxis] >> np.arange(len(CONTENTS)) & 1)
        total = usual.shape[1] + extra.sum(axis=1)
        picked = []
        for k in range(how_many):
            at = scale(self.draws.u32("contact_place", i, 0, k), total)
            place = usual[segment, np.minimum(at, usual.shape[1] - 1)]
            beyond = np.flatnonzero(at >= usual.shape[1])
            passed = (at[beyond] - usual.shape[1])[:, np.newaxis] >= np.cumsum(extra[beyond], axis=1)
            place[beyond] = _PLACE_OF_CONTENT[np.count_nonzero(passed, axis=1)]
            picked.append(place)
        return np.stack(picked, axis=1)

    def active_on(self, day: int | I64, subs: ArrayLike) -> NDArray[np.bool_]:
        """Whether people have to do with this network on a day (or each on one): customers, visitors."""
        i = np.asarray(subs, dtype=np.int64)
        own = (self.start_day[i] <= day) & (day < self.leave_day[i])
        guests = np.flatnonzero(self.origin[i] > 0)
        if len(guests):
            who, on = i[guests], np.broadcast_to(np.asarray(day, dtype=np.int64), i.shape)[guests]
            visits = self.changes.visiting(who, on)
            home = self.comes_home(who)
            if home.any():
                visits = np.where(home, self.changes.home_for_new_year(who, on), visits)
            own[guests] = visits
        return own

    def comes_home(self, subs: ArrayLike) -> NDArray[np.bool_]:
        """Whether roamers have their families here and come for the Spring Festival."""
        i = np.asarray(subs, dtype=np.int64)
        return homecomers(self.draws, i, self.origin[i], self.homecoming_q32)

    def handset_at(self, day: int, subs: ArrayLike) -> tuple[I64, I64, NDArray[np.uint8]]:
        """On a day: whose line the SIM's handset is of, which of that line it is, and its model."""
        i = np.asarray(subs, dtype=np.int64)
        line = self.changes.line(i, day, self.start_day)
        generation = self.changes.generation(line, day)
        return line, generation, self.changes.model(line, generation, self.terminal[line])

    def terminal_at(self, day: int, subs: ArrayLike) -> NDArray[np.uint8]:
        """Models of the handsets that SIMs are in on a day; indices into TERMINALS."""
        return self.handset_at(day, subs)[2]

    def imei_at(self, day: int, subs: ArrayLike) -> U64:
        """IMEIs of the handsets that SIMs are in on a day."""
        return self.changes.imei(*self.handset_at(day, subs))

    def _imsi(self, i: I64) -> U64:
        prefix = self.numbers.imsi_prefix[self.origin[i]]
        return prefix * np.uint64(_IMSI_SERIALS) + self.numbers.imsi_serials.forward(i)

    def imsi_series(self) -> Series:
        """IMSIs of everybody without a column of them."""
        return Series(self.origin, self.numbers.imsi_prefix, self.numbers.imsi_serials)

    def msisdn_series(self) -> Series:
        """MSISDNs likewise."""
        ranges = self._column(np.uint8, self._range_of)[:]
        return Series(ranges, self.numbers.msisdn_prefix, self.numbers.msisdn_serials)

    def _range_of(self, i: I64) -> I64:
        """Which range of numbers somebody has one of."""
        city = self.numbers.city_of_cell[self.home[i]].astype(np.int64)
        origin = self.origin[i].astype(np.int64)
        return np.where(origin > 0, _CITY_SHIFT + origin, city)

    def _msisdn(self, i: I64) -> U64:
        prefix = self.numbers.msisdn_prefix[self._range_of(i)]
        return prefix * np.uint64(_MOBILE_SERIALS) + self.numbers.msisdn_serials.forward(i)

    def sub_of_msisdn(self, msisdn: ArrayLike) -> I64:
        """Subscribers of numbers (integers), -1 where the number is nobody's."""
        return self._lookup(msisdn, self.numbers.msisdn_serials, self._msisdn)

    def sub_of_imsi(self, imsi: ArrayLike) -> I64:
        """Subscribers of identities (integers), -1 where the identity is nobody's."""
        return self._lookup(imsi, self.numbers.imsi_serials, self._imsi)

    def _lookup(self, number: ArrayLike, serials: Permutation, forward: Callable[[I64], U64]) -> I64:
        value = np.asarray(number, dtype=np.uint64)
        flat = value.reshape(-1)
        sub = serials.backward(flat % np.uint64(serials.modulus)).astype(np.int64)
        known = sub < self.n
        back = forward(np.where(known, sub, 0))  # right only if the whole number is theirs
        return np.where(known & (back == flat), sub, -1).reshape(value.shape)

    def imsi_text(self, sub: int) -> str:
        """The fifteen digits."""
        return f"{int(self.imsi[sub]):015d}"

    def msisdn_text(self, sub: int) -> str:
        """E.164 digits without plus."""
        return str(int(self.msisdn[sub]))

    def extract(self, day: int = 0) -> dict[str, list[Any]]:
        """Columns of the extract that BOSS/BI gives the platform, a row for everybody in the world.

        Rows whose `customer` is false (roamers; customers to come or gone) are no part of it: BOSS does not
        know them. Segment and interests are BI's, which has found what was planted. The terminal is the model
        by the last IMEI.
        """
        everybody = np.arange(self.n, dtype=np.int64)
        cities: tuple[str | None, ...] = self.numbers.cities or (None,)
        from_yuan = np.array([yuan for yuan, _ in ARPU_BANDS])
        bands = np.searchsorted(from_yuan, self.arpu_yuan, side="right") - 1
        customer = (self.origin == 0) & self.active_on(day, everybody)
        return {
            "imsi": [f"{value:015d}" for value in self.imsi.tolist()],
            "msisdn": [str(value) for value in self.msisdn.tolist()],
            "brand": [BRANDS[value] for value in self.brand.tolist()],
            "often_off": self.often_off.tolist(),
            "often_rejects": self.often_rejects.tolist(),
            "services": _named(self.services, SERVICES),
            "language": [LANGUAGES[value] for value in self.language.tolist()],
            "tariff": [TARIFFS[value].name for value in self.tariff.tolist()],
            "arpu_band": [ARPU_BANDS[value][1] for value in bands.tolist()],
            "arpu": self.arpu_yuan.tolist(),
            "bundle_minutes": [TARIFFS[value].minutes for value in self.tariff.tolist()],
            "age": self.age.tolist(),
            "city": [cities[value] for value in self.numbers.city_of_cell[self.home].tolist()],
            "segment": [SEGMENTS[value].name for value in self.segment.tolist()],
            "interests": _named(self.likes, CONTENTS),
            "terminal": [TERMINALS[value].name for value in self.terminal_at(day, everybody).tolist()],
            "customer": customer.tolist(),
        }


def _named(masks: NDArray[np.uint16], names: tuple[str, ...]) -> list[list[str]]:
    """Names of the bits of each mask."""
    known = {
        mask: [name for bit, name in enumerate(names) if mask >> bit & 1]
        for mask in np.unique(masks).tolist()
    }
    return [known[mask] for mask in masks.tolist()]


def build_population(scenario: WorldScenario, ground: Ground, draws: Draws) -> Population:
    """Draws everybody, so many at a time that little but the columns themselves is in memory."""
    n = scenario.subscribers
    plan = Plan.of(scenario, ground, draws)
    columns = {name: np.empty(n, dtype=dtype) for name, dtype in DTYPES.items()}
    for first in range(0, n, CHUNK):
        some = np.arange(first, min(first + CHUNK, n), dtype=np.int64)
        for name, values in plan.rows(some).items():
            columns[name][first : first + len(some)] = values
    ties, changes = Ties(draws, n), scenario.changes
    return Population(
        draws=draws,
        usage=scenario.usage,
        origins=("", *(origin.name for origin in scenario.numbering.origins)),
        homecoming_q32=homecoming_of(scenario),
        numbers=numbers_of(scenario.numbering, ground, draws),
        ties=ties,
        acquaintances=Acquaintances.of(draws, columns["degree"]),
        changes=Changes.of(
            draws,
            ties,
            keyed_permutation(draws, 3, SERIALS),
            changes.handset_changes_per_month,
            changes.handset_swaps_per_month,
            changes.second_sim_share,
            tuple((first - scenario.epoch).days for first in LUNAR_NEW_YEARS),
        ),
        **columns,
    )
