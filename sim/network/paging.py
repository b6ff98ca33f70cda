"""What mobile-terminated procedures share: the page, its options, and the page that nobody answers."""

from __future__ import annotations

from typing import Final

from sim.network import acts
from sim.network.core import Core
from sim.network.switch import PAGE, Leg, Words

Options = tuple[tuple[str, str | int | bool], ...]

_AUTH, _CIPHER = 64, 224  # out of 256
_RESPONSE_US: Final = (300_000, 2_200_000)  # least, and range above it: paging channel, random access, set-up
NO_RESPONSE_US: Final = 5_000_000
"""How long the MSC waits for a paging response."""


def security(words: Words, *more: tuple[str, str | int | bool]) -> Options:
    """Options of a connection of a station known by TMSI, with others beside them, by name."""
    auth = words[1] & 0xFF < _AUTH
    cipher = auth or words[1] >> 8 & 0xFF < _CIPHER
    return tuple(sorted((("auth", auth), ("cipher", cipher), ("identity", "tmsi"), *more)))


def authenticates(options: Options) -> bool:
    """Whether the dialogue has an authentication."""
    return ("auth", True) in options


def response_us(words: Words) -> int:
    """How long a station takes to answer a page."""
    return _RESPONSE_US[0] + (words[2] * _RESPONSE_US[1] >> 32)


def wait_for_station(core: Core, leg: Leg, sub: int) -> None:
    """A page during another connection of the station is answered when that has ended."""
    answered_us = leg.start_us + leg.slots[PAGE]
    leg.slots[PAGE] += max(0, core.stations.free_us(sub, answered_us) - answered_us)


def page_in_vain(core: Core, t_us: int, sub: int, purpose: str) -> None:
    """A page without response; IMSI and TMSI in it tell the tap who is who."""
    words = core.switch.chance(sub, purpose)
    leg = core.switch.leg("paging_only", (), t_us, words)
    act = core.switch.act(t_us, sub, acts.PAGE, b"no response")
    core.switch.begin(
        leg, act, sub, core.stations.cell[sub], words,
        tmsi=core.vlr.tmsi[sub], identified=True, paged_lac=core.vlr.lac[sub],
    )  # fmt: skip
    core.vlr.known[sub] = 1
