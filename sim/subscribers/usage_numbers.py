"""Numbers in other networks that people know, and numbers that nobody has.

Somebody's contacts are a function of (seed, subscriber): the same few numbers come up again and again, in
calls made and in calls received.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import U32, scale, threshold_q32
from sim.scenario import WorldScenario
from sim.subscribers.habitat import Habitat

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
Numbers = NDArray[np.bytes_]

RIVAL: Final = 0
"""Friends in the competitor's network (`Population.rival_number`), 86 133."""
FIXED: Final = 1
"""Fixed lines of the town's area, 25."""
FAR: Final = 2
"""Fixed lines of other provinces."""
CONTACTS: Final = 4
"""How many fixed lines, near and far, somebody knows."""

HOME_AREA: Final = "25"
AREAS: Final = (
    "10", "20", "21", "22", "23", "24", "27", "28", "29",
    "371", "431", "451", "531", "551", "571", "591", "731", "755", "771", "791", "851", "871", "931",
)  # fmt: skip
"""Area codes of cities in other provinces, without the leading 0."""
PREFIX: Final = "12593"
"""Dialled before a long-distance number to make it cheaper."""
OLD_CODES: Final = ("1860", "96121", "12117")
"""Service codes of former times, dialled by habit."""
TONE_LINE: Final = b"12530"
"""Where ring-back tones are chosen."""
MMS_LINE: Final = b"10658000"
"""Where texts about multimedia messages come from."""

_MSISDN_DIGITS: Final = 13  # a prefix of six and seven more, by the schema of the scenario
_FOUR: Final = np.array([f"{k:04d}" for k in range(10_000)], dtype="S4").view(np.uint32)
_OLD_CODE_SHARE: Final = 0.4  # of misdialled numbers
_SERIALS: Final = 10**8


def contact_numbers(world: Habitat, sub: I64, kind: I64, u: U32, *, dialled: bool) -> Numbers:
    """Numbers of contacts outside, by RIVAL, FIXED or FAR; as dialled, or in E.164 as callers' are shown."""
    number = np.zeros(len(sub), dtype="S20")
    rival, lines = np.flatnonzero(kind == RIVAL), np.flatnonzero(kind != RIVAL)
    known = np.maximum(world.population.rivals[sub[rival]], 1)
    friend = world.population.rival_number(sub[rival], scale(u[rival], known))
    number[rival] = digits_of(friend, 13)
    which = kind[lines] * CONTACTS + scale(u[lines], CONTACTS)
    v = world.draws.block("outside", sub[lines], 0, which)
    serial = scale(v[0], _SERIALS).astype(np.uint64)
    head = np.uint64((8_600 + int(HOME_AREA)) * _SERIALS)
    number[lines] = digits_of(head + serial, 12)
    at = np.flatnonzero(kind[lines] == FAR)
    far = lines[at]
    if len(far):
        areas = np.array(AREAS, dtype=np.uint64)[scale(v[1, at], len(AREAS))]
        digits = (areas * np.uint64(_SERIALS) + serial[at]).astype("S20")
        number[far] = np.char.add(b"0" if dialled else b"86", digits)
    return number


def with_prefix(number: Numbers) -> Numbers:
    """Long-distance numbers behind the prefix."""
    return np.char.add(PREFIX.encode(), number).astype("S20")


def vacant_numbers(scenario: WorldScenario, u: U32) -> Numbers:
    """Old service codes out of service, or mobile numbers of a block that nobody has; `u` has three rows."""
    lines = {line.number for line in scenario.usage.service_lines}
    codes = [code for code in OLD_CODES if code not in lines]
    prefix = int(scenario.numbering.msisdn_prefix) ^ 1  # the neighbouring block
    mobiles = digits_of(np.uint64(prefix * 10**7) + scale(u[1], 10**7).astype(np.uint64), _MSISDN_DIGITS)
    if not codes:
        return mobiles
    picked = np.array(codes, dtype="S20")[scale(u[2], len(codes))]
    return np.where(u[0] < threshold_q32(_OLD_CODE_SHARE), picked, mobiles)


def friends(world: Habitat, sub: I64, u: U32) -> I64:
    """A friend, the nearer the likelier: the square of a uniform draw picks the rank."""
    square = (u.astype(np.uint64) * u.astype(np.uint64)) >> np.uint64(32)
    return world.population.friend(sub, scale(square, world.population.degree[sub]))


def own_numbers(world: Habitat, sub: I64) -> Numbers:
    """Numbers of subscribers."""
    return digits_of(world.population.msisdn[sub], _MSISDN_DIGITS)


def digits_of(value: U64, length: int) -> Numbers:
    """Integers of so many digits (at most 16) as text: four digits at a time from a table."""
    groups = np.empty((len(value), 4), dtype=np.uint32)
    rest = value
    for group in (3, 2, 1, 0):
        above = rest // np.uint64(10_000)
        groups[:, group] = _FOUR[(rest - above * np.uint64(10_000)).astype(np.int64)]
        rest = above
    out = np.zeros((len(value), 20), dtype=np.uint8)
    out[:, :length] = groups.view(np.uint8)[:, 16 - length :]
    return out.reshape(-1).view("S20")
