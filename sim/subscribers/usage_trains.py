"""Texts in trains: one is answered, the answer is answered, and so on, a minute or a few apart.

People begin trains at random; what follows is to and fro (Wu et al., "Evidence for a bimodal distribution in
human communication", PNAS 107, 2010: bursts of mutual interaction after a Poisson initiation). The configured
mean is that of trains times their length. Within a family both write in turn. Anybody else inside is written
to several times, and writes back only in trains of the own making: to find one person's answers, all who
write to that person would have to be drawn. With another network answers from there lie between the texts
sent; they are part of the configured texts that come in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import LOGNORMAL, LOGNORMAL_HALF, U32, scale, threshold_q32
from sim.scenario import WorldScenario
from sim.subscribers.habitat import Habitat
from sim.subscribers.usage_arrivals import Arrivals
from sim.subscribers.usage_numbers import friends
from sim.subscribers.usage_profiles import LEANINGS
from sim.subscribers.usage_sessions import number_of, same_family

I64 = NDArray[np.int64]

ANSWERED: Final = 0.35
"""Chance that a single text is answered, and the answer, and so on; ours."""
TRAIN_MOST: Final = 4
"""Texts of a train that is not a chat, at most."""
CHAT_LEAST, CHAT_MOST = 2, 8
CHAT_MEAN: Final = 5
"""Texts of a chat: 2 to 8, as likely each."""
ANSWERS_MOST: Final = 0.5
"""Share of the texts from other networks that are answers in trains, at most."""

_TRAIN_GAP_MS: Final = 90_000  # median
_TRAIN_GAP_MOST_MS: Final = 900_000
_CHAT_GAP_MS: Final = 45_000  # median
_CHAT_GAP_MOST_MS: Final = 240_000
_GAP_LEAST_MS: Final = 5_000
TRAIN_LONGEST_US: Final = (
    max((TRAIN_MOST - 1) * _TRAIN_GAP_MOST_MS, (CHAT_MOST - 1) * _CHAT_GAP_MOST_MS) * 1000
)
"""From the first text of a train to its last, at most."""

# Out of 2**32: that there are at least two texts, three, four.
_AT_LEAST: Final = np.array([int(threshold_q32(ANSWERED**k)) for k in range(1, TRAIN_MOST)], dtype=np.int64)
_TRAIN_MEAN_Q32: Final = (1 << 32) + int(_AT_LEAST.sum())


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A kind of trains."""

    purpose: str
    most: int
    """Texts, at most."""
    blocks: int
    """Blocks of draws set aside for each; the first says to whom, and how many."""
    size: Callable[[U32], I64]
    """Texts by the first block."""
    gap_ms: Callable[[U32], I64]


def _single_size(u: U32) -> I64:
    size: I64 = 1 + np.count_nonzero(u[3].astype(np.int64) < _AT_LEAST[:, np.newaxis], axis=0)
    return size


def _chat_size(u: U32) -> I64:
    return CHAT_LEAST + scale(u[3], CHAT_MOST - CHAT_LEAST + 1)


def _single_gap(u: U32) -> I64:
    drawn = LOGNORMAL.quantile(u) * _TRAIN_GAP_MS >> 16
    gap: I64 = np.clip(drawn, _GAP_LEAST_MS, _TRAIN_GAP_MOST_MS)
    return gap


def _chat_gap(u: U32) -> I64:
    drawn = LOGNORMAL_HALF.quantile(u) * _CHAT_GAP_MS >> 16
    gap: I64 = np.clip(drawn, _GAP_LEAST_MS, _CHAT_GAP_MOST_MS)
    return gap


SINGLE: Final = Kind("text_own_detail", TRAIN_MOST, 4, _single_size, _single_gap)
CHAT: Final = Kind("text_chat_detail", CHAT_MOST, 8, _chat_size, _chat_gap)


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """Texts of trains."""

    found: Arrivals
    """When and by whom (of answers from outside: to whom); `day` and `k` are those of who began the train."""
    number: I64
    """Which of the day's texts it is, for its ordinal."""
    peer: I64
    """To whom inside; -1: to or from another network."""
    whom: U32
    """Draw that picks the number in another network."""
    wording: U32

    def within(self, from_us: int, to_us: int) -> Said:
        """Those of a span of time."""
        at = np.flatnonzero((self.found.t_us >= from_us) & (self.found.t_us < to_us))
        return Said(self.found[at], self.number[at], self.peer[at], self.whom[at], self.wording[at])


def chat_shares() -> I64:
    """Share of the texts sent in chats by segment, 1/65536."""
    return np.array([int(leaning.chat_share * 65536.0) for leaning in LEANINGS], dtype=np.int64)


def single_rate(rate_q16: I64, segment: I64) -> I64:
    """Trains begun, other than chats, by the texts sent (1/65536)."""
    return ((rate_q16 - (rate_q16 * chat_shares()[segment] >> 16)) << 32) // _TRAIN_MEAN_Q32


def chat_rate(rate_q16: I64, segment: I64) -> I64:
    """Chats begun, likewise."""
    return (rate_q16 * chat_shares()[segment] >> 16) // CHAT_MEAN


def answers(scenario: WorldScenario, segment: int) -> tuple[float, float, float]:
    """How trains of a segment with another network are answered.

    Returns:
        The chance that one is, and of the texts coming in the shares that are answers: to chats, to others.
    """
    usage, chat = scenario.usage, LEANINGS[segment].chat_share
    outside = 1.0 - usage.inside_share if scenario.subscribers > 1 else 1.0
    if usage.incoming_texts_per_day <= 0.0:
        return 0.0, 0.0, 0.0
    sent = usage.texts_per_day * outside / usage.incoming_texts_per_day
    single = sent * (1.0 - chat) * (1.0 - float(1 << 32) / float(_TRAIN_MEAN_Q32))
    chats = sent * chat * (1.0 - 1.0 / CHAT_MEAN)
    if single + chats <= 0.0:
        return 0.0, 0.0, 0.0
    chance = min(1.0, ANSWERS_MOST / (single + chats))
    return chance, chats * chance, single * chance


def spoken(world: Habitat, begun: Arrivals, kind: Kind, from_us: int) -> tuple[Said, Said]:
    """Texts of trains: those sent in this world, and answers that come in from other networks.

    Some of the trains that end before a moment are left out.
    """
    u = begun.details(world.draws, kind.purpose, 1, stride=kind.blocks)
    size = kind.size(u)
    some = np.flatnonzero((size > 1) | (begun.t_us >= from_us))
    begun, size, u = begun[some], size[some], u[:, some]
    share = world.scenario.usage.inside_share if world.population.n > 1 else 0.0
    inside = u[0] < threshold_q32(share)
    peer = np.full(len(begun), -1, dtype=np.int64)
    at = np.flatnonzero(inside)
    peer[at] = friends(world, begun.sub[at], u[1, at])
    # The first texts of all, and then what comes after them.
    long = np.flatnonzero(size > 1)
    train, place, t_us, wording = _later(world, begun[long], size[long], kind)
    train = long[train]
    both = np.zeros(len(begun), dtype=np.bool_)
    at = long[np.flatnonzero(same_family(begun.sub[long], peer[long]))]
    both[at] = world.population.active_on(begun.day[at], peer[at])
    turned = both[train] & (place % 2 == 1)
    sub = np.where(turned, peer[train], begun.sub[train])
    starter = Arrivals(t_us, begun.sub[train], begun.day[train], begun.k[train] * kind.most + place)
    sent = Said(
        Arrivals(
            np.append(begun.t_us, t_us), np.append(begun.sub, sub), np.append(begun.day, starter.day),
            np.append(begun.k * kind.most, starter.k),
        ),
        np.append(
            number_of(Arrivals(begun.t_us, begun.sub, begun.day, begun.k * kind.most)), number_of(starter)
        ),
        np.append(peer, np.where(turned, begun.sub[train], peer[train])),
        np.append(u[1], u[1, train]),
        np.append(u[2], wording),
    )  # fmt: skip
    chances = np.array([answers(world.scenario, segment)[0] for segment in range(len(LEANINGS))])
    answered = ~inside & (
        (u[2] << np.uint32(16)) < threshold_q32(chances)[world.population.segment[begun.sub]]
    )
    come = np.flatnonzero(answered[train])
    before = np.where(place == 1, begun.t_us[train], np.roll(t_us, 1))
    reply = starter[come]
    reply = Arrivals((before[come] + t_us[come]) // 2, reply.sub, reply.day, reply.k)
    received = Said(
        reply,
        number_of(reply),
        np.full(len(come), -1, dtype=np.int64),
        u[1, train[come]],
        wording[come] << np.uint32(16),
    )
    return sent, received


def _later(world: Habitat, begun: Arrivals, size: I64, kind: Kind) -> tuple[I64, I64, I64, U32]:
    """Train, place in it (from 1), time and wording of texts that are not the first, train by train."""
    train = np.repeat(np.arange(len(begun)), size - 1)
    place = np.arange(len(train)) - np.repeat(np.cumsum(size - 1) - (size - 1), size - 1) + 1
    blocks = (kind.most + 2) // 4  # four texts a block
    u = begun.details(world.draws, kind.purpose, 2 * blocks, first=1, stride=kind.blocks)
    gap = kind.gap_ms(u[: 4 * blocks])
    t_us = begun.t_us + np.cumsum(gap, axis=0) * 1000
    return train, place, t_us[place - 1, train], u[4 * blocks :][place - 1, train]
