"""Is looking every day harmless? A z-test and the confidence sequence over experiments without effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from experiments.inference.peeking import LOOKS, peeking
from experiments.selfcheck.case import Case, Mapper, Scale

__all__ = ["peeking_cases"]

GROUP: Final = "peeking"
REPLICATES: Final[Mapping[Scale, int]] = {"small": 400, "full": 4000}
NAIVE_AT_LEAST: Final = 0.15
OURS_AT_MOST: Final = 0.05
_SETTINGS: Final = ((0.5, 40), (0.1, 200), (0.02, 100), (0.005, 400))
"""Share of people with the outcome, new people an arm between looks."""


@dataclass(frozen=True, slots=True)
class _Job:
    rate: float
    per_look: int
    replicates: int
    seed: int

    @property
    def key(self) -> str:
        return f"peeking/{self.rate:g}/{self.per_look}"


def _run(job: _Job) -> dict[str, float]:
    """Shares called a success, with their intervals."""
    found = peeking(job.seed, job.replicates, LOOKS, job.per_look, job.rate)
    shares = {"naive": found.naive, "ours": found.ours, "once": found.once}
    return {
        f"{name}{end}": value
        for name, share in shares.items()
        for end, value in (("", share.value), (" low", share.low), (" high", share.high))
    }


def peeking_cases(scale: Scale, executor: Mapper, seed: int) -> Iterator[Case]:
    """A case for each rate: the z-test fools whoever looks daily, the sequence does not."""
    jobs = [_Job(rate, per_look, REPLICATES[scale], seed) for rate, per_look in _SETTINGS]
    found = dict(executor.map(_run, jobs, key=lambda job: job.key))
    for job in jobs:
        one = found[job.key]
        yield Case(
            GROUP,
            f"{LOOKS} looks, {job.rate:.1%} take up",
            f"experiments without effect, {job.per_look} new people an arm at each of {LOOKS} looks",
            job.replicates,
            f"called a success: z-test above {NAIVE_AT_LEAST:.0%}, confidence sequence at most "
            f"{OURS_AT_MOST:.0%}, with the whole 95% intervals of these shares",
            one,
            one["naive low"] > NAIVE_AT_LEAST and one["ours high"] <= OURS_AT_MOST,
            {"naive low": (NAIVE_AT_LEAST, None), "ours high": (None, OURS_AT_MOST)},
        )
