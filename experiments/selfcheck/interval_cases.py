"""Do intervals cover as they promise? Simulated over binomial worlds, and summed where that is possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.inference import Estimate, Refused, intervals, laws
from experiments.inference.cluster import cluster_difference
from experiments.inference.cuped import cuped
from experiments.inference.errors import BAND, BAND_LEVEL, allowed
from experiments.inference.means import mean_difference, paired_mean_difference
from experiments.inference.relative import log_relative, paired_ratio, paired_relative, relative
from experiments.inference.resampling import bootstrap
from experiments.inference.sequential import always_valid, paired_always_valid
from experiments.inference.targeting import uplift_at
from experiments.selfcheck.binomial_worlds import WORLDS, Population, World, population
from experiments.selfcheck.case import Band, Case, Mapper, Scale

__all__ = ["METHODS", "Method", "Replicates", "exact_cases", "simulated_cases", "try_replicates"]

Found = Estimate | Refused

GROUP: Final = "coverage of intervals"
REPLICATES: Final[Mapping[Scale, int]] = {"small": 100, "full": 2000}
SLOW_REPLICATES: Final[Mapping[Scale, int]] = {"small": 20, "full": 400}
_A_JOB: Final = 100  # replicates
_SMALL_WORLDS: Final = ("sparse", "few treated")
_LOOK_BACK: Final = 14.0


@dataclass(frozen=True, slots=True)
class Method:
    """An interval method, and the truth that it should cover."""

    of: Callable[[Population, World, int], Found]
    """From a population, its world and the number of the replicate to an estimate."""
    truth: Callable[[Population, World], float]
    conservative: bool = False
    """Covers more than its level by design, so that only the lower bound is asked."""
    slow: bool = False


def _counts(people: Population) -> tuple[int, int, int, int]:
    a, b = people.outcome[people.treated], people.outcome[~people.treated]
    return int(a.sum()), a.size, int(b.sum()), b.size


def _pairs(people: Population) -> tuple[int, int, int, int]:
    a, b = people.with_contact > 0, people.without_contact > 0
    return int(np.sum(a & b)), int(np.sum(a & ~b)), int(np.sum(~a & b)), a.size


def _split(
    people: Population, column: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return column[people.treated], column[~people.treated]


def _cuped(people: Population, _: World, __: int) -> Found:
    return cuped(*_split(people, people.outcome), *_split(people, people.before), _LOOK_BACK)


def _clusters(people: Population, _: World, __: int) -> Found:
    at, y, cell = people.cell_treated, people.cell_outcome, people.cell
    return cluster_difference(y[at], y[~at], cell[at], cell[~at])


def _bootstrap(people: Population, _: World, replicate: int) -> Found:
    def gap(samples: Sequence[NDArray[np.float64]]) -> float:
        return float(samples[0].mean() - samples[1].mean())

    return bootstrap(gap, _split(people, people.outcome), replicate, replicates=1000)


def _lift(_: Population, world: World) -> float:
    return world.lift


def _relative(people: Population, world: World) -> float:
    return world.lift / (world.base * people.luck_of_cells)


METHODS: Final[Mapping[str, Method]] = {
    "difference, by the rule of choice": Method(lambda p, w, r: intervals.difference(*_counts(p)), _lift),
    "miettinen-nurminen": Method(lambda p, w, r: intervals.miettinen_nurminen(*_counts(p)), _lift),
    "welch": Method(lambda p, w, r: mean_difference(*_split(p, p.outcome)), _lift),
    "cuped": Method(_cuped, _lift),
    "CR2, cells drawn": Method(_clusters, _lift),
    "relative, by the rule of choice": Method(lambda p, w, r: relative(*_counts(p)), _relative),
    "log delta": Method(lambda p, w, r: log_relative(*_counts(p)), _relative),
    "tango": Method(lambda p, w, r: intervals.paired_difference(*_pairs(p)[1:]), _lift),
    "paired t": Method(lambda p, w, r: paired_mean_difference(p.with_contact, p.without_contact), _lift),
    "paired score ratio": Method(lambda p, w, r: paired_relative(*_pairs(p)), _relative),
    "fieller, pairs": Method(lambda p, w, r: paired_ratio(p.with_contact, p.without_contact), _relative),
    "uplift at top": Method(
        lambda p, w, r: uplift_at(p.outcome, p.treated, p.score, 0.1), lambda p, w: w.truth_of_top
    ),
    "confidence sequence": Method(
        lambda p, w, r: always_valid(*_split(p, p.outcome), (w.people // 2, w.people // 2)),
        _lift,
        conservative=True,
    ),
    "confidence sequence, pairs": Method(
        lambda p, w, r: paired_always_valid(p.with_contact, p.without_contact, w.people),
        _lift,
        conservative=True,
    ),
    "bootstrap bca": Method(_bootstrap, _lift, slow=True),
}
"""Name -> method; those of `experiments.inference` that make an interval of an effect."""


@dataclass(frozen=True, slots=True)
class Replicates:
    """A job: some replicates of one world, for the quick methods or a slow one."""

    world: str
    methods: tuple[str, ...]
    seed: int
    start: int
    stop: int

    @property
    def key(self) -> str:
        """A name for good."""
        kind = "quick" if len(self.methods) > 1 else self.methods[0].replace(" ", "-")
        return f"coverage/{self.world.replace(' ', '-')}/{kind}/r{self.start:05d}"


def try_replicates(job: Replicates) -> dict[str, list[int]]:
    """By method: replicates covered, missed below the truth, missed above it, refused."""
    world = WORLDS[job.world]
    tally = {name: [0, 0, 0, 0] for name in job.methods}
    for replicate in range(job.start, job.stop):
        people = population(world, job.seed, replicate)
        for name in job.methods:
            method = METHODS[name]
            found, truth = method.of(people, world, replicate), method.truth(people, world)
            if isinstance(found, Refused):
                tally[name][3] += 1
            else:
                tally[name][1 if found.high < truth else 2 if found.low > truth else 0] += 1
    return tally


def simulated_cases(scale: Scale, executor: Mapper, seed: int) -> Iterator[Case]:
    """A case for each world and method."""
    worlds = _SMALL_WORLDS if scale == "small" else tuple(WORLDS)
    quick = tuple(name for name, method in METHODS.items() if not method.slow)
    slow = [(name,) for name, method in METHODS.items() if method.slow]
    jobs = []
    for world in worlds:
        for methods, whole in [(quick, REPLICATES), *((one, SLOW_REPLICATES) for one in slow)]:
            for start in range(0, whole[scale], _A_JOB):
                jobs.append(Replicates(world, methods, seed, start, min(start + _A_JOB, whole[scale])))
    of = {job.key: job for job in jobs}
    tally: dict[tuple[str, str], NDArray[np.int64]] = {}
    for key, found in executor.map(try_replicates, jobs, key=lambda job: job.key):
        for name, counts in found.items():
            at = of[key].world, name
            tally[at] = tally.get(at, np.zeros(4, dtype=np.int64)) + np.array(counts)
    for world in worlds:
        for name, method in METHODS.items():
            yield _judged(WORLDS[world], name, method, tally[world, name].tolist())


def _judged(world: World, name: str, method: Method, counts: list[int]) -> Case:
    covered, below, above, refused = counts
    n = covered + below + above
    tried = (
        f"{world.people} people redrawn each time, {world.base:.1%} take up unasked, true effect "
        f"{100 * world.lift:g} points, {world.treated:.0%} treated"
    )
    if not n:
        return Case(GROUP, f"{name}, {world.name}", tried, refused, "an interval", {"refused": 1.0}, False)
    low, high = allowed(BAND, n)
    share = covered / n
    passed = low <= share and (method.conservative or share <= high)
    bounds = f"at least {BAND[0]:.0%}" if method.conservative else f"{BAND[0]:.0%} to {BAND[1]:.0%}"
    expected = f"truth covered in {bounds}, and {BAND_LEVEL:.0%} binomial error: {low:.1%}"
    expected += "" if method.conservative else f" to {high:.1%}"
    found = {"covered": share, "below": below / n, "above": above / n, "refused": refused / (n + refused)}
    bands: dict[str, Band] = {"covered": (low, None if method.conservative else high)}
    return Case(GROUP, f"{name}, {world.name}", tried, n + refused, expected, found, passed, bands)


# ---------------------------------------------------------------------------------- summed, without chance

_RATES: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
_ONE: Final[Mapping[str, tuple[Callable[[int, int], Found], float]]] = {
    "clopper-pearson": (intervals.clopper_pearson, 0.95),
    "proportion, by the rule of choice": (intervals.proportion, 0.93),
    "mid-p": (intervals.mid_p, 0.91),
}
"""Name -> the method, its lowest coverage at any rate that we stand for."""
_TWO: Final[Mapping[str, tuple[Callable[[int, int, int, int], Found], float]]] = {
    "difference, by the rule of choice": (intervals.difference, 0.94),
    "miettinen-nurminen": (intervals.miettinen_nurminen, 0.9),
}
_SHAPES: Final[Mapping[Scale, tuple[tuple[int, int], ...]]] = {
    "small": ((200, 200),),
    "full": ((500, 500), (1000, 250), (250, 1000)),
}


@dataclass(frozen=True, slots=True)
class _Exact:
    """A job: the lowest coverage of a method at certain sizes."""

    method: str
    sizes: tuple[int, ...]

    @property
    def key(self) -> str:
        name = self.method.replace(" ", "-").replace(",", "")
        return f"exact/{name}/{'x'.join(str(n) for n in self.sizes)}"


def exact_cases(scale: Scale, executor: Mapper) -> Iterator[Case]:
    """The lowest coverage over many rates, summed over all outcomes: nothing is left to chance."""
    jobs = [_Exact(name, (n,)) for name in _ONE for n in ((50, 200) if scale == "small" else (50, 500, 2000))]
    jobs += [_Exact(name, sizes) for name in _TWO for sizes in _SHAPES[scale]]
    found = dict(executor.map(lowest_coverage, jobs, key=lambda job: job.key))
    for job in jobs:
        lowest, mean, rates = found[job.key]
        bound = (_ONE if len(job.sizes) == 1 else _TWO)[job.method][1]
        people = " and ".join(f"{n}" for n in job.sizes)
        tried = f"{people} people, coverage at {rates:.0f} rates summed over all outcomes"
        passed = lowest >= bound and mean >= 0.95 - 1e-3
        yield Case(
            GROUP,
            f"{job.method}, exact, {people}",
            tried,
            int(rates),
            f"at no rate below {bound:.0%}, on average at least 95%",
            {"lowest": lowest, "mean": mean},
            passed,
            {"lowest": (bound, None), "mean": (0.95 - 1e-3, None)},
        )


def lowest_coverage(job: _Exact) -> list[float]:
    """Lowest and mean coverage over rates, and how many rates."""
    shares = _coverage_of_one(job) if len(job.sizes) == 1 else _coverage_of_two(job)
    return [float(min(shares)), float(np.mean(shares)), float(len(shares))]


def _coverage_of_one(job: _Exact) -> list[float]:
    (n,), method = job.sizes, _ONE[job.method][0]
    limits = np.array([_limits(method(hits, n)) for hits in range(n + 1)])
    rates = np.r_[np.linspace(0.05, 12.0, 240) / n, np.linspace(0.02, 0.5, 97)]
    shares = []
    for rate in rates.tolist():
        inside = (limits[:, 0] <= rate) & (rate <= limits[:, 1])
        shares.append(float(laws.binomial_chances(n, rate)[inside].sum()))
    return shares


def _coverage_of_two(job: _Exact) -> list[float]:
    (n_a, n_b), method = job.sizes, cache(_TWO[job.method][0])
    shares = []
    for p_a in _RATES:
        for p_b in _RATES:
            a, b = laws.binomial_chances(n_a, p_a), laws.binomial_chances(n_b, p_b)
            share = 0.0
            for x in np.flatnonzero(a > 1e-7).tolist():
                for y in np.flatnonzero(b > 1e-7).tolist():
                    low, high = _limits(method(x, n_a, y, n_b))
                    share += float(a[x] * b[y]) * (low <= p_a - p_b <= high)
            shares.append(share)
    return shares


def _limits(found: Found) -> tuple[float, float]:
    if isinstance(found, Refused):
        raise AssertionError(f"{found.method}: {found.reason}")
    return found.low, found.high
