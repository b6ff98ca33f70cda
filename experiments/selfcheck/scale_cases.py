"""Are studies of the sizes promised done in a quarter of an hour on two processors? By the clock.

What was too slow is said to be, with where the processor time went. The small worlds are those of the group
`coverage`: in a run that has both they are lived through once, and their time is read from what was kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from experiments.problems import RunInvalid
from experiments.running.executor import Executor
from experiments.selfcheck.case import Band, Case, Scale, judged
from experiments.selfcheck.uplift_cases import COVERED, Clock, covered, keys_in
from experiments.uplift.jobs import Arm, Sending, blanket_of, do, key_of
from experiments.uplift.packing import unpack
from experiments.uplift.replicates import SIZES
from experiments.uplift.specs import ArmOutcome
from experiments.uplift.study import precise_spec

__all__ = ["LARGE", "MOST_S", "cases", "replicates_case", "weeks_case"]

MOST_S: Final = 900.0
LARGE: Final[Mapping[Scale, tuple[int, int]]] = {"small": (2_000, 2), "full": (20_000, 10)}
"""People and weeks of the large world; small has a fiftieth of the days that people live."""


def cases(scale: Scale, executor: Executor) -> Iterator[Case]:
    """Small worlds, then three arms of a large one.

    Raises:
        BadInput: the study is not there.
        RunInvalid: the precise arm contacted nobody.
    """
    clock = Clock(executor, [])
    covered(clock, scale)
    yield replicates_case(scale, clock)
    clock = Clock(executor, [])
    arms = _weeks(scale, clock)
    yield weeks_case(scale, clock, arms)


def replicates_case(scale: Scale, clock: Clock) -> Case:
    """Small worlds, two arms each."""
    size = SIZES[scale]
    tried = f"{size.replicates} times {size.subscribers} people, {size.days} days, 2 arms"
    days = 2 * size.replicates * size.subscribers * size.days
    return _timed("small worlds", tried, size.replicates, clock, days)


def weeks_case(scale: Scale, clock: Clock, arms: Mapping[str, ArmOutcome]) -> Case:
    """A large world, three arms. The control arm contacts nobody, so its take-ups need no life."""
    people, weeks = LARGE[scale]
    tried = f"{people} people, {weeks} weeks, 3 arms"
    parts: Counter[str] = Counter()
    for outcome in arms.values():
        parts.update({name: s for name, s in outcome.cpu_s.items() if name != "life"})
    days = len(arms) * people * 7 * weeks
    case = _timed("large world", tried, len(arms), clock, days)
    whole = sum(parts.values()) or float("nan")
    found = dict(case.found) | {name: parts[name] / whole for name, _ in parts.most_common(4)}
    found["contacts"] = sum(int(outcome.contacts.sum()) for outcome in arms.values())
    return replace(case, found=found)


def _timed(name: str, tried: str, tries: int, clock: Clock, subscriber_days: int) -> Case:
    """Seconds that went by; processor time, halved, is what two quiet processors would take at least."""
    bands: dict[str, Band] = {"seconds": (None, MOST_S)}
    values = {
        "seconds": clock.seconds,
        "cpu_s": clock.cpu_s,
        "days_per_cpu_s": subscriber_days / clock.cpu_s if clock.cpu_s else float("nan"),
    }
    return judged("scale", name, tried, tries, bands, values)


def _weeks(scale: Scale, clock: Clock) -> dict[str, ArmOutcome]:
    keys, (people, weeks) = keys_in(COVERED), LARGE[scale]
    spec = replace(
        precise_spec(keys),
        world_settings={**keys.world_settings, "subscribers": people},
        days=7 * weeks,
    )
    first = [Arm("precise", spec), Arm("control", spec.as_arm("control"))]
    arms = {name: unpack(ArmOutcome, one) for name, one in clock.map(do, first, key=key_of)}
    precise = arms[first[0].key]
    if not precise.pattern:
        raise RunInvalid("the precise arm contacted nobody")
    plan = blanket_of(precise, "reach", Sending(keys.blanket.at, dict(keys.blanket.price)))
    blanket = [Arm("blanket_reach", spec.as_arm("blanket", plan))]
    for name, one in clock.map(do, blanket, key=key_of):
        arms[name] = unpack(ArmOutcome, one)
    return arms
