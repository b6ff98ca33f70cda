"""By which channel each contact would go: the first that is up and that the terminal shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from marketing.campaigns import CHANNEL_CODES, CHANNELS, Campaign
from marketing.expressions.columns import Numbers

if TYPE_CHECKING:
    from marketing.engine.state import EngineState

__all__ = ["NO_CHANNEL", "channels_for", "choosing"]

NO_CHANNEL: Final = 255
"""In place of a channel's code: none will do."""
_SMS: Final = CHANNEL_CODES["sms"]


def choosing(campaigns: Sequence[Campaign]) -> tuple[int, ...]:
    """Positions of the campaigns whose contacts do not all go by short message."""
    return tuple(i for i, c in enumerate(campaigns) if c.output == "contact" and list(c.channels) != ["sms"])


def channels_for(
    state: EngineState, campaign: NDArray[np.int32], row: NDArray[np.int64], at_us: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """A channel's code, or NO_CHANNEL, for each wish of a campaign (by position) and subscriber."""
    found = np.full(len(row), _SMS, dtype=np.uint8)
    for number in state.roster().choosing:
        mine = np.flatnonzero(campaign == number)
        if not len(mine):
            continue
        code = np.full(len(mine), NO_CHANNEL, dtype=np.uint8)
        for name in state.campaigns[number].channels:
            if name in state.reach:
                code[(code == NO_CHANNEL) & _shows(state, name, row[mine], at_us[mine])] = CHANNEL_CODES[name]
        found[mine] = code
    return found


def _shows(
    state: EngineState, channel: str, row: NDArray[np.int64], at_us: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether terminals show what comes by a channel; of one that nobody knows it is not to be expected."""
    needs = CHANNELS[channel].needs
    if not needs:
        return np.ones(len(row), dtype=np.bool_)
    column = state.view.column(needs, row, at_us)
    assert isinstance(column, Numbers), "an ability is true or false"
    able = np.asarray(column.values, dtype=np.bool_)
    return able if column.known is None else able & column.known
