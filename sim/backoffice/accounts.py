"""Accounts of a world's customers, as BOSS has them at the midnight before a moment."""

from collections.abc import Mapping, Sequence

import numpy as np

from sim.backoffice.boss import Money
from sim.scenario import DAY_US
from sim.subscribers.usage_accounts import account_fen, is_prepaid
from sim.world import World

__all__ = ["accounts_of"]


def accounts_of(world: World) -> Money:
    """Balance of prepaid accounts and charges of the others, by MSISDN and Unix us.

    What people mean to do is charged, not what the network let them do: the same as their USSD queries hear.
    """

    def money(msisdns: Sequence[str], t_us: int) -> Mapping[str, tuple[int | None, int | None]]:
        day = (t_us - world.scenario.epoch_unix_us) // DAY_US
        sub = world.population.sub_of_msisdn(np.array([int(msisdn) for msisdn in msisdns], dtype=np.uint64))
        known = np.flatnonzero(sub >= 0)
        if day < 0 or not len(known):
            return {}
        sub = sub[known]
        fen = account_fen(world, sub, np.full(len(sub), day, dtype=np.int64)).tolist()
        prepaid = is_prepaid(world, sub).tolist()
        return {
            msisdns[at]: (one, None) if before else (None, one)
            for at, one, before in zip(known.tolist(), fen, prepaid, strict=True)
        }

    return money
