"""Who puts which promises to the test: a table, so that a group is a line."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from experiments.running.executor import Executor
from experiments.selfcheck.case import Case, Scale

__all__ = ["GROUPS", "Group", "cases_of"]


@dataclass(frozen=True, slots=True)
class Group:
    """Checks of one kind."""

    cases: str
    """`module:function`; the function takes the scale and an executor, and gives cases one after another."""
    drawn: bool
    """Whether all that it finds is drawn from seeds; the clock has a part in the others."""
    kept: str = ""
    """Group with which it shares what is kept of its jobs; empty: it has jobs of its own."""


GROUPS: Final[Mapping[str, Group]] = {
    "intervals": Group("experiments.selfcheck.cases:interval_cases", drawn=True),
    "peeking": Group("experiments.selfcheck.cases:peeking_cases", drawn=True),
    "coverage": Group("experiments.selfcheck.uplift_cases:coverage_cases", drawn=True),
    "a_a": Group("experiments.selfcheck.uplift_cases:a_a_cases", drawn=True),
    "feeds": Group("experiments.selfcheck.uplift_cases:feed_cases", drawn=True),
    "rerun": Group("experiments.selfcheck.rerun:cases", drawn=True),
    "knee": Group("experiments.selfcheck.knee_cases:cases", drawn=False),
    "stall": Group("experiments.selfcheck.stall_cases:cases", drawn=False),
    "scale": Group("experiments.selfcheck.scale_cases:cases", drawn=False, kept="coverage"),
}
"""Name of a group -> who makes it, in the order in which they run. A new group needs a line here, and its
words under `group` in `reports/catalogues/selfcheck.yaml`."""


def cases_of(group: str, scale: Scale, executor: Executor) -> Iterator[Case]:
    """The cases of a group as they come, under the name that the table gives it."""
    module, _, function = GROUPS[group].cases.partition(":")
    made: Any = getattr(importlib.import_module(module), function)
    make = cast("Callable[[Scale, Executor], Iterator[Case]]", made)
    for case in make(scale, executor):
        yield replace(case, group=group)
