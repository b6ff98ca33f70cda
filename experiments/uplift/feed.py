"""Visible acts as the platform's collector would have made them of the signalling: batches of behaviours.

In lockstep a message happens, for the platform, at the mark that follows it: the end of its second. So each
row is dated there, durations are those between such dates, and rows of one second keep the order of their
messages. A page without response is the exception in the collector, and here: its ten seconds are over only
when time has gone past their end, so its row comes after all messages of that second, and where that is the
end of a tick, in the next tick.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BEHAVIOUR, BehaviourBatch, Kind, concatenate, empty

__all__ = ["SECOND_US", "Feed", "behaviours_of"]

SECOND_US: Final = 1_000_000
_PAGE: Final = int(Kind.PAGING_NO_RESPONSE)
_SAME: Final = ("imsi", "kind", "role", "lac", "ci", "peer", "cause", "detail")


def _marked(t_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """The end of the second (`experiments.link`): what happens as it begins belongs to it too."""
    return (t_us // SECOND_US + 1) * SECOND_US


def behaviours_of(visible: NDArray[np.void]) -> BehaviourBatch:
    """Rows of `sim.network.visible.VISIBLE`, in the order of their messages, as behaviours in theirs."""
    made = np.zeros(len(visible), BEHAVIOUR)
    for name in _SAME:
        made[name] = visible[name]
    made["corr"] = visible["corr"] & 0xFFFFFFFF
    t_us, lasted_us = visible["t_us"], visible["duration_us"]
    made["t_us"] = at_us = _marked(t_us)
    made["duration_us"] = np.where(lasted_us > 0, at_us - _marked(t_us - lasted_us), 0)
    pages = made["kind"] == _PAGE
    if pages.any() or bool(np.any(at_us[1:] < at_us[:-1])):
        made = made[np.lexsort((pages, at_us))]
    return made


class Feed:
    """The rows of tick after tick."""

    def __init__(self) -> None:
        self._waiting: list[BehaviourBatch] = []

    def tick(self, visible: list[NDArray[np.void]], until_us: int) -> BehaviourBatch:
        """What the collector gives at a barrier; `until_us` is its time, Unix us."""
        batches, self._waiting = self._waiting, []
        if visible:
            made = behaviours_of(np.concatenate(visible) if len(visible) > 1 else visible[0])
            late = (made["kind"] == _PAGE) & (made["t_us"] >= until_us)
            if late.any():
                self._waiting.append(made[late])
                made = made[~late]
            batches.append(made)
        return concatenate([batch for batch in batches if len(batch)] or [empty()])
