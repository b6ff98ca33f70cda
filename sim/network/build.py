"""Puts a network together at a moment of its life: everybody registered, TMSIs held, T3212 running."""

from __future__ import annotations

from dataclasses import dataclass

from sim.bssap.identity import encode_plmn
from sim.draws import Draws
from sim.network.intents import Identities, People
from sim.network.kernel import Network
from sim.network.ladders import ReferenceLadders
from sim.network.library import TemplateLibrary
from sim.network.topology import Topology
from sim.network.tpdus import ServiceCentreClock
from sim.network.visible import rule_of


@dataclass(frozen=True, slots=True)
class Settings:
    """What the scenario says about the network."""

    mcc: str = "001"
    mnc: str = "01"
    smsc: str = "8613800000500"
    t3212_us: int = 6 * 3_600_000_000
    epoch_unix_us: int = 0
    utc_offset_quarters: int = 32
    ping_pong_share: float | None = None
    """Of handovers, those that soon go back; None: as the radio field has it at each border."""
    handover_failure_share: float | None = None
    """Of handovers, those that come to nothing; None likewise."""


def template_library(settings: Settings) -> TemplateLibrary:
    """An empty library of this network's ladders; runs of one process may share it."""
    return TemplateLibrary(ReferenceLadders(settings.mcc, settings.mnc, settings.smsc), rule_of)


def service_centre_clock(settings: Settings) -> ServiceCentreClock:
    """The clock of the time stamps on short messages."""
    return ServiceCentreClock(settings.epoch_unix_us, settings.utc_offset_quarters)


def build_network(
    settings: Settings,
    topology: Topology,
    identities: Identities,
    people: People,
    draws: Draws,
    library: TemplateLibrary,
    start_us: int,
    end_us: int,
    *,
    silent: bool = False,
    block_us: int = 0,
) -> Network:
    """The network at `start_us`; a silent one settles everything and encodes nothing.

    `block_us`: how much of a day people are asked for at a time; 0: the more they are, the less.
    """
    return Network(
        topology=topology,
        identities=identities,
        people=people,
        library=library,
        draws=draws,
        clock=service_centre_clock(settings),
        t3212_us=settings.t3212_us,
        epoch_unix_us=settings.epoch_unix_us,
        start_us=start_us,
        end_us=end_us,
        plmn=encode_plmn(settings.mcc, settings.mnc),
        ping_pong_q16=_q16(settings.ping_pong_share),
        fails_q16=_q16(settings.handover_failure_share),
        silent=silent,
        block_us=block_us,
    )


def _q16(share: float | None) -> int | None:
    return None if share is None else round(share * 65536)
