"""Puts a network together at a moment of its life: everybody registered, TMSIs held, T3212 running."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.draws import Draws
from sim.network.core import PERIODIC, Core
from sim.network.encode import TemplateLibrary
from sim.network.intents import Identities, People
from sim.network.ladders import ReferenceLadders
from sim.network.stations import Ahead, Stations
from sim.network.switch import Switch
from sim.network.topology import Topology
from sim.network.tpdus import ServiceCentreClock
from sim.network.visible import rule_of
from sim.network.vlr import Vlr

_TMSI_KEY = 0x7351


@dataclass(frozen=True, slots=True)
class Settings:
    """What the scenario says about the network."""

    mcc: str = "001"
    mnc: str = "01"
    smsc: str = "8613800000500"
    t3212_us: int = 6 * 3_600_000_000
    epoch_unix_us: int = 0
    utc_offset_quarters: int = 32


def template_library(settings: Settings) -> TemplateLibrary:
    """An empty library of this network's ladders; runs of one process may share it."""
    return TemplateLibrary(ReferenceLadders(settings.mcc, settings.mnc, settings.smsc), rule_of)


def build_core(
    settings: Settings,
    topology: Topology,
    identities: Identities,
    people: People,
    draws: Draws,
    library: TemplateLibrary,
    start_us: int,
    end_us: int,
) -> Core:
    """The network at `start_us`. Only those whose T3212 runs out before `end_us` are put on the agenda."""
    cell, on = people.state_at(start_us)
    n = identities.n
    since = draws.u32("paging", np.arange(n), 1).astype(np.int64)
    last_seen_us = start_us - (since * (settings.t3212_us >> 16) >> 16)
    stations = Stations(cell, on, start_us)
    lac = topology.lac[cell]
    vlr = Vlr(lac, on, last_seen_us, settings.t3212_us, draws.seed + _TMSI_KEY & 0xFFFFFFFF)
    switch = Switch(topology, identities, library, draws)
    clock = ServiceCentreClock(settings.epoch_unix_us, settings.utc_offset_quarters)
    core = Core(stations, vlr, switch, clock, settings.smsc, Ahead(n, [], []))
    for sub in np.flatnonzero(last_seen_us + settings.t3212_us < end_us).tolist():
        core.agenda.push(vlr.periodic_due_us(sub), sub, PERIODIC)
    return core
