"""The last question before a contact (J4): does the account, as BOSS has it now, suit the campaign?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from marketing.contact import Reason
from marketing.engine import Contact
from marketing.expressions import (
    BOSS_CATALOGUE,
    AnyColumn,
    Expression,
    Numbers,
    Sets,
    Words,
    compile_expression,
)
from marketing.profiles import Column

__all__ = ["Accounts", "Asks"]

_GROUP: Final = "boss."


class Asks(Protocol):
    """Who knows; see `marketing.profiles.boss_query.BossQuery`."""

    async def ask(
        self, msisdns: Sequence[int], names: Sequence[str], now_us: int
    ) -> Mapping[str, Column]: ...


@dataclass(slots=True)
class Accounts:
    """Many contacts in one question, whatever campaigns they are of."""

    boss: Asks

    async def refusals(self, contacts: Sequence[Contact], now_us: int) -> list[Reason]:
        """Why each contact is not to be; empty: it may be. Takes as long as BOSS may take, and no longer."""
        conditions = {c.campaign.boss: _compiled(c.campaign.boss) for c in contacts if c.campaign.boss}
        names = sorted({name.removeprefix(_GROUP) for one in conditions.values() for name in one.reads})
        found: list[Reason] = [""] * len(contacts)
        if not names:
            return found
        columns = await self.boss.ask([int(c.msisdn) for c in contacts], names, now_us)
        for text, condition in conditions.items():
            of = np.array([at for at, c in enumerate(contacts) if c.campaign.boss == text], dtype=np.int64)

            def get(name: str, of: NDArray[np.int64] = of) -> AnyColumn:
                return _answers(columns[name.removeprefix(_GROUP)], of)

            holds, unknown = condition.holds(get, len(of)), condition.unknown(get, len(of))
            for at, met, open_ in zip(of.tolist(), holds.tolist(), unknown.tolist(), strict=True):
                if open_:
                    drops = contacts[at].campaign.boss_unknown == "drop"
                    found[at] = "boss_unknown" if drops else ""
                elif not met:
                    found[at] = "boss"
        return found


def _compiled(text: str) -> Expression:
    return compile_expression(text, BOSS_CATALOGUE)


def _answers(column: Column, rows: NDArray[np.int64]) -> AnyColumn:
    known = None if column.known is None else column.is_known(rows)
    values = column.values[rows]
    if column.type == "string":
        return Words(values, column.words or ("",), known)
    if column.type == "list":
        return Sets(values, column.words, known)
    return Numbers(values, known)
