"""What all procedures of the network share: stations, registers, numbers, the agenda and the look ahead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from sim.network.stations import Agenda, Ahead, Stations
from sim.network.switch import Switch
from sim.network.tpdus import ServiceCentreClock
from sim.network.vlr import Vlr

# Event classes, in the order in which they are settled at one time for one subscriber.
POWER: Final = 0
MOVE: Final = 1
LOCATION: Final = 2
POWER_OFF: Final = 3
PERIODIC: Final = 4
CALL: Final = 5
TEXT: Final = 6
DELIVERY: Final = 7

_ALERT_US: Final = 1_000_000
_BETWEEN_US: Final = 200_000


class StoredText(NamedTuple):
    """A short message between people, kept by the service centre until it can be delivered."""

    originator: str
    body: bytes
    """TP-DCS, TP-UDL, TP-UD."""
    sent_us: int
    until_us: int


class Core:
    """The state of the network at the moment up to which it has been settled."""

    def __init__(
        self, stations: Stations, vlr: Vlr, switch: Switch, clock: ServiceCentreClock, smsc: str, ahead: Ahead
    ) -> None:
        self.stations = stations
        self.vlr = vlr
        self.switch = switch
        self.clock = clock
        self.smsc = smsc
        self.ahead = ahead
        self.agenda = Agenda()
        self.stored: dict[int, list[StoredText]] = {}
        """Texts waiting for their receiver to come back."""
        self.admits: Callable[[int, int], bool] | None = None
        """Whether a cell (index) has a channel for a call at a time; None: always."""

    def reachable(self, t_us: int, sub: int) -> None:
        """The VLR alerts the service centre: a station with waiting texts is back (TS 23.040 10.2)."""
        waiting = self.stored.pop(sub, None)
        if waiting is not None:
            for i, text in enumerate(waiting):
                self.agenda.push(t_us + _ALERT_US + i * _BETWEEN_US, sub, DELIVERY, text)

    def in_call(self, sub: int, t_us: int) -> bool:
        """Whether the subscriber has a call at the time."""
        return self.stations.call_until_us[sub] > t_us

    def hears_page(self, sub: int) -> bool:
        """Whether the station would answer in the location area where it is registered."""
        station = self.stations
        return bool(station.camped[sub]) and self.switch.lac[station.cell[sub]] == self.vlr.lac[sub]
