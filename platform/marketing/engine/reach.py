"""By which channels each contact may go: the campaign's that are up and that the terminal shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from marketing.campaigns import CHANNEL_CODES, CHANNELS, Campaign
from marketing.contact.verdicts import NO_CHANNEL
from marketing.expressions.columns import Numbers

if TYPE_CHECKING:
    from marketing.engine.state import EngineState

__all__ = ["channels_for", "choosing"]

_SMS: Final = CHANNEL_CODES["sms"]


def choosing(campaigns: Sequence[Campaign]) -> tuple[int, ...]:
    """Positions of the campaigns whose contacts do not all go by short message."""
    return tuple(i for i, c in enumerate(campaigns) if c.output == "contact" and list(c.channels) != ["sms"])


def channels_for(
    state: EngineState, campaign: NDArray[np.int32], row: NDArray[np.int64], at_us: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """(n, k) codes of channels for each wish of a campaign (by position) and subscriber.

    In the campaign's order, NO_CHANNEL after them; where no rule of the policy diverts, the first alone.
    """
    choosing = state.roster().choosing
    most = max((len(state.campaigns[number].channels) for number in choosing), default=1)
    found = np.full((len(row), most if state.policy.diverts else 1), NO_CHANNEL, dtype=np.uint8)
    found[:, 0] = _SMS
    for number in choosing:
        mine = np.flatnonzero(campaign == number)
        if not len(mine):
            continue
        codes = np.full((len(mine), found.shape[1]), NO_CHANNEL, dtype=np.uint8)
        have = np.zeros(len(mine), dtype=np.int64)
        for name in state.campaigns[number].channels:
            if name in state.reach:
                more = np.flatnonzero((have < codes.shape[1]) & _shows(state, name, row[mine], at_us[mine]))
                codes[more, have[more]] = CHANNEL_CODES[name]
                have[more] += 1
        found[mine] = codes
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
