"""Settles what people mean to do, in the order (time, subscriber, class, ordinal).

Intents come a day at a time as columns; what the network makes due itself (updates after a call, T3212,
deliveries) waits in the agenda. `settle` may be called for any moment: the result does not depend on how
often it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.network import calls, mobility, texts, tpdus
from sim.network.calls import Call
from sim.network.core import CALL, DELIVERY, LOCATION, MOVE, PERIODIC, POWER, POWER_OFF, TEXT, Core
from sim.network.intents import DAY_US, Moves, People, Power
from sim.network.stations import Ahead
from sim.network.texts import Text

Event = tuple[int, int, int, int, Any]
_NEVER: Event = (1 << 62, 0, 0, 0, None)
_LONGEST_US = 2 * 3_600_000_000  # no call lasts longer


class Resolver:
    """The one writer of the network's state."""

    def __init__(self, core: Core, people: People, start_us: int, end_us: int) -> None:
        """Settles start_us <= t < end_us at most; `core` holds the state at `start_us`."""
        self.core = core
        self._people = people
        self._start_us = start_us
        self._end_us = end_us
        self._day = start_us // DAY_US - 1
        self._tomorrow: tuple[Moves, Power] | None = None
        self._events: Iterator[Event] = iter(())
        self._next: Event = _NEVER
        self.settled_us = start_us
        self._advance()

    def settle(self, until_us: int) -> None:
        """Settles everything before `until_us`."""
        core, heap = self.core, self.core.agenda.heap
        until: Event = (until_us, -1, 0, 0, None)
        while True:
            event = self._next
            if heap and heap[0] < event:
                if heap[0] >= until:
                    break
                t_us, sub, what, _, detail = core.agenda.pop()
            elif event < until:
                t_us, sub, what, _, detail = event
                self._advance()
            else:
                break
            if what == MOVE:
                mobility.move(core, t_us, sub, detail)
            elif what == LOCATION:
                mobility.location(core, t_us, sub)
            elif what == POWER:
                mobility.power(core, t_us, sub, *detail)
            elif what == POWER_OFF:
                mobility.postponed_off(core, t_us, sub, detail)
            elif what == PERIODIC:
                mobility.periodic(core, t_us, sub)
            elif what == CALL:
                calls.call(core, t_us, sub, detail)
            elif what == TEXT:
                texts.text(core, t_us, sub, detail)
            elif what == DELIVERY:
                texts.receive(core, t_us, sub, detail)
        self.settled_us = max(self.settled_us, until_us)

    def _advance(self) -> None:
        """The next intent; opens the next day when this one is over."""
        self._next = next(self._events, _NEVER)
        while self._next is _NEVER and (self._day + 1) * DAY_US < self._end_us:
            self._day += 1
            self._events = self._open_day(self._day)
            self._next = next(self._events, _NEVER)

    def _open_day(self, day: int) -> Iterator[Event]:
        """All intents of a day in order; the next day's diary is opened too, for those awake at midnight."""
        people, n = self._people, self.core.switch.n
        today = self._tomorrow or people.diary(day)
        moves, power = today
        over_midnight = self._end_us + _LONGEST_US > (day + 1) * DAY_US
        self._tomorrow = people.diary(day + 1) if over_midnight else None
        diaries = [today, self._tomorrow] if self._tomorrow else [today]
        self.core.ahead = Ahead(n, [d[0] for d in diaries], [d[1] for d in diaries])
        first_us, last_us = max(self._start_us, day * DAY_US), min(self._end_us, (day + 1) * DAY_US)

        def within(t_us: NDArray[np.int64]) -> slice:
            return slice(int(np.searchsorted(t_us, first_us)), int(np.searchsorted(t_us, last_us)))

        wished, written = people.calls(day), people.texts(day)
        rows = (within(power.t_us), within(moves.t_us), within(wished.t_us), within(written.t_us))
        times_of = (power.t_us, moves.t_us, wished.t_us, written.t_us)
        subs_of = (power.sub, moves.sub, wished.sub, written.sub)
        t_us = np.concatenate([column[r] for column, r in zip(times_of, rows, strict=True)])
        sub = np.concatenate([column[r] for column, r in zip(subs_of, rows, strict=True)])
        counts = [r.stop - r.start for r in rows]
        what = np.repeat(np.array([POWER, MOVE, CALL, TEXT]), counts)
        details: list[Any] = list(
            zip(power.on[rows[0]].tolist(), power.graceful[rows[0]].tolist(), strict=True)
        )
        details += moves.cell[rows[1]].tolist()
        r = rows[2]
        details += map(
            Call, wished.kind[r].tolist(), wished.peer_sub[r].tolist(), _numbers(wished.peer_number[r]),
            wished.alert_us[r].tolist(), wished.ring_us[r].tolist(), wished.talk_us[r].tolist(),
            wished.intent[r].tolist(), wished.hangup[r].tolist(),
        )  # fmt: skip
        r = rows[3]
        bodies = [tpdus.text_body(people.text(i)) for i in written.text_id[r].tolist()]
        details += map(
            Text,
            written.kind[r].tolist(),
            written.peer_sub[r].tolist(),
            _numbers(written.peer_number[r]),
            bodies,
        )
        order = np.lexsort((np.arange(len(t_us)), what, sub, t_us))
        times, subs, kinds = t_us[order].tolist(), sub[order].tolist(), what[order].tolist()
        return iter([(times[i], subs[i], kinds[i], i, details[row]) for i, row in enumerate(order.tolist())])


def _numbers(column: NDArray[np.bytes_]) -> list[str]:
    return [number.decode("ascii") for number in column.tolist()]
