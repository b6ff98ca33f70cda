"""Calls in sessions: one leads to another in minutes, and whoever is missed is called again or calls back.

Somebody begins sessions as a Poisson process; after each call of a session another follows with the same
chance. Calls thus come in bursts while their mean is as configured: sessions are as much rarer as they are
longer. What follows depends on the call before it. After one that nobody took the caller tries again, or is
called back, if the missed one is of the family; after one that was taken another person is called. All calls
of a session go to one kind of place (inside, outside), so that the shares of these are as configured as well.

Of a missed call only what people decide counts here (no answer, rejected, given up): that somebody is busy or
off turns out in the network, later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import LOGNORMAL, U32, threshold_q32
from sim.subscribers.habitat import Habitat
from sim.subscribers.social import FAMILY_SIZE
from sim.subscribers.usage_arrivals import Arrivals

I64 = NDArray[np.int64]

FOLLOWS: Final = 0.3
"""Chance that another call follows a call; ours: sources tell of trains of calls, not of this."""
SESSION_MOST: Final = 4
"""Calls of a session, at most."""
CALLS_BACK: Final = 0.5
"""Share of missed calls within a family after which the missed one calls, if any call follows; ours."""

_SECOND_US = 1_000_000
_GAP_MS: Final = 60_000  # median from the end of a call to the next
_GAP_LEAST_MS, _GAP_MOST_MS = 8_000, 300_000
BUSY_MOST_US: Final = 900 * _SECOND_US
"""So long the end of a call is waited for before the next."""
SESSION_LONGEST_US: Final = (SESSION_MOST - 1) * (BUSY_MOST_US + _GAP_MOST_MS * 1000)
"""From the first call of a session to its last, at most."""

# Out of 2**32: that there are at least two calls, three, four.
_AT_LEAST: Final = np.array([int(threshold_q32(FOLLOWS**k)) for k in range(1, SESSION_MOST)], dtype=np.int64)
MEAN_Q32: Final = (1 << 32) + int(_AT_LEAST.sum())
"""Mean calls of a session, out of 2**32."""


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """The calls of sessions, one session after another."""

    starter: Arrivals
    """Who began each call's session, and the call's number; times only of first calls."""
    place: I64
    """Number of a call within its session, from 0."""
    gap_us: I64
    """From the end of the call before to this one."""


def begin_rate(rate_q16: I64) -> I64:
    """Sessions of people by their calls (1/65536)."""
    return (rate_q16 << 32) // MEAN_Q32


def unfold(begun: Arrivals, u: U32, from_us: int) -> Sessions:
    """The calls of sessions by their block of draws; those sessions that end before a moment are left out."""
    size = 1 + np.count_nonzero(u[0].astype(np.int64) < _AT_LEAST[:, np.newaxis], axis=0)
    some = np.flatnonzero((size > 1) | (begun.t_us >= from_us))
    size, words = size[some], u[1:, some]
    session = np.repeat(np.arange(len(some)), size)
    place = np.arange(len(session)) - np.repeat(np.cumsum(size) - size, size)
    one = begun[some[session]]
    later = np.flatnonzero(place > 0)
    gap = np.zeros(len(session), dtype=np.int64)
    drawn = LOGNORMAL.quantile(words[place[later] - 1, session[later]]) * _GAP_MS >> 16
    gap[later] = np.clip(drawn, _GAP_LEAST_MS, _GAP_MOST_MS) * 1000
    return Sessions(Arrivals(one.t_us, one.sub, one.day, one.k * SESSION_MOST + place), place, gap)


def same_family(a: I64, b: I64) -> NDArray[np.bool_]:
    """Whether two people are of one family."""
    return np.asarray(a // FAMILY_SIZE == b // FAMILY_SIZE)


def family_of(who: I64, n: int) -> I64:
    """Everybody of the families of people, in order."""
    some = np.unique(who // FAMILY_SIZE)
    members = (some[:, np.newaxis] * FAMILY_SIZE + np.arange(FAMILY_SIZE)).reshape(-1)
    return members[members < n]


def number_of(sessions: Arrivals) -> I64:
    """A number for each call or text that no other of the family has on that day or the day before."""
    return (sessions.k * FAMILY_SIZE + sessions.sub % FAMILY_SIZE) * 2 + (sessions.day & 1)


def calls_back(world: Habitat, caller: I64, callee: I64, day: I64, u: U32) -> NDArray[np.bool_]:
    """Whether missed people call back: family, and people of this network on that day."""
    likely = np.flatnonzero((u < threshold_q32(CALLS_BACK)) & same_family(caller, callee) & (callee >= 0))
    back = np.zeros(len(caller), dtype=np.bool_)
    back[likely] = world.population.active_on(day[likely], callee[likely])
    return back
