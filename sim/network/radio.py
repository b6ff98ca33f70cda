"""Radio: how strong each cell is where, which cell serves, when a call goes over to a neighbour.

Laws, all evaluated in whole numbers (hundredths of a dB, metres, committed tables) by
`sim.network.kernel.field`, so that every machine decides alike:

* Outdoor cells: Okumura-Hata for a medium city (M. Hata, "Empirical formula for propagation loss in land
  mobile radio services", IEEE Trans. VT-29, 1980) up to 1500 MHz, above that COST 231-Hata (COST 231 final
  report, chapter 4), antennas 30 m up, handsets at 1.5 m, with Hata's corrections for suburban and open
  ground where sites stand far apart. Both were fitted from 1 km on; nearer than that they are extrapolated.
* Indoor cells: Recommendation ITU-R P.1238, power loss coefficient 33, on one floor. Walls 60 m round an
  indoor antenna cost `wall_db` in either direction.
* Sectors: the horizontal pattern of TR 36.942 4.2.1, 65 degrees wide, 20 dB front to back.
* Shadow fading: log-normal, made of keyed deviates on a lattice of 64 m; the weights between its points keep
  the deviation the same everywhere. The correlation falls to nothing at 128 m. Half of the variance is
  shared by all sites at a point.
* Handover: the strongest neighbour once neighbours have been stronger by the hysteresis (the margin of
  TS 45.008 annex A) for the time to trigger.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.draws import NORMAL, Draws, purpose_word
from sim.network.kernel.field import Field
from sim.network.radio_tables import ATAN_CDEG, LOG2_Q16, SINE_Q14
from sim.scenario_network import RadioScenario

if TYPE_CHECKING:
    from sim.network.topology import Topology

I32 = NDArray[np.int32]

URBAN, SUBURBAN, OPEN, INSIDE = range(4)
"""The ground around a cell."""
ANTENNA_M: Final = 30
"""Height of outdoor antennas over the roofs."""
BEAM_CDEG: Final = 6500
"""Width of a sector where it has lost 3 dB, hundredths of a degree."""
FRONT_TO_BACK_CDB: Final = 2000
PING_PONG_S: Final = 10.0
"""A call that is back in the cell it left within this time has played ping-pong."""
STEP_M: Final = 10
"""Between two points of a ride."""

_LOG10_2_Q24 = 5_050_445  # log10(2) in 1/2**24
_ONE = 1 << 24


def log10_q24(n: int) -> int:
    """log10 of a positive whole number in 1/2**24, from the committed table (right to about 1e-5)."""
    e = n.bit_length() - 1
    digits = (n << 32 >> e) & 0xFFFFFFFF
    row, part = digits >> 24, digits >> 8 & 0xFFFF
    low = LOG2_Q16[row]
    log2_q16 = (e << 16) + low + ((LOG2_Q16[row + 1] - low) * part >> 16)
    return log2_q16 * _LOG10_2_Q24 >> 16


def outdoor_law(frequency_mhz: int, ground: int = URBAN) -> tuple[int, int]:
    """Okumura-Hata or COST 231 for a medium city: loss at one metre, and for each decade; hundredths of a dB.

    Suburban ground takes off 2 (log f / 28)^2 + 5.4, open ground 4.78 (log f)^2 - 18.33 log f + 40.94.
    """
    f, h = log10_q24(frequency_mhz), log10_q24(ANTENNA_M)
    # Correction for a handset at 1.5 m: (1.1 log f - 0.7) 1.5 - (1.56 log f - 0.8).
    handset = (165 - 156) * f + (-105 + 80) * _ONE
    if frequency_mhz <= 1500:
        at_1_km = 6955 * _ONE + 2616 * f - 1382 * h - handset
    else:
        at_1_km = 4630 * _ONE + 3390 * f - 1382 * h - handset
    if ground == SUBURBAN:
        relative = f - log10_q24(28)
        at_1_km -= 200 * (relative * relative >> 24) + 540 * _ONE
    elif ground == OPEN:
        at_1_km -= 478 * (f * f >> 24) - 1833 * f + 4094 * _ONE
    decade = 4490 * _ONE - 655 * h
    return (at_1_km - 3 * decade) // _ONE, decade // _ONE


def indoor_law(frequency_mhz: int) -> tuple[int, int]:
    """ITU-R P.1238 on one floor, 20 log f + 33 log d - 28: loss at one metre, and for each decade."""
    return (2000 * log10_q24(frequency_mhz) - 2800 * _ONE) // _ONE, 3300


def _laws(radio: RadioScenario) -> list[tuple[int, int]]:
    """Loss at one metre and for each decade, by ground."""
    f = radio.frequency_mhz
    return [*(outdoor_law(f, ground) for ground in (URBAN, SUBURBAN, OPEN)), indoor_law(f)]


def _field_constants(radio: RadioScenario) -> list[int]:
    # The field counts doublings of the squared distance: half a decade times log10 2.
    laws = _laws(radio)
    slopes = [decade * _LOG10_2_Q24 >> 9 for _, decade in (laws[URBAN], laws[INSIDE])]
    return [*slopes, _cdb(radio.shadow_db), _cdb(radio.wall_db), BEAM_CDEG, FRONT_TO_BACK_CDB]


def _cdb(value_db: float) -> int:
    return round(value_db * 100)


def field_of(
    radio: RadioScenario,
    draws: Draws,
    *,
    x_m: ArrayLike,
    y_m: ArrayLike,
    site: ArrayLike,
    azimuth_deg: ArrayLike,
    power_dbm: ArrayLike,
    ground: ArrayLike,
) -> Field:
    """The field of the cells in these columns."""
    return Field(
        x_m=x_m,
        y_m=y_m,
        site=site,
        azimuth_deg=azimuth_deg,
        at_1_m_cdbm=np.asarray(power_dbm, dtype=np.int32) * 100
        - np.array([intercept for intercept, _ in _laws(radio)], dtype=np.int32)[np.asarray(ground)],
        indoor=(np.asarray(ground) == INSIDE).astype(np.uint8),
        constants=_field_constants(radio),
        tables=(NORMAL.rows, np.array(LOG2_Q16, dtype=np.int32), np.array(ATAN_CDEG, dtype=np.int32)),
        key=draws.key,
        purpose=purpose_word("shadow"),
    )


def topology_field(topology: Topology, radio: RadioScenario, draws: Draws) -> Field:
    """The field of a map's cells."""
    return field_of(
        radio,
        draws,
        x_m=topology.x_m,
        y_m=topology.y_m,
        site=topology.site,
        azimuth_deg=topology.azimuth_deg,
        power_dbm=topology.power_dbm,
        ground=topology.ground,
    )


def bearings_cdeg(dx: ArrayLike, dy: ArrayLike) -> NDArray[np.int64]:
    """Directions of vectors, hundredths of a degree from north clockwise; the null vector points north."""
    east, north = (v.astype(np.int64) for v in np.broadcast_arrays(dx, dy))
    ax, ay = np.abs(east), np.abs(north)
    ratio = (np.minimum(ax, ay) << 16) // np.maximum(np.maximum(ax, ay), 1)
    rows = np.array([*ATAN_CDEG, ATAN_CDEG[-1]], dtype=np.int64)
    low = rows[ratio >> 8]
    angle = low + ((rows[(ratio >> 8) + 1] - low) * (ratio & 255) >> 8)
    angle = np.where(ax > ay, 9000 - angle, angle)
    angle = np.where(north < 0, 18000 - angle, angle)
    return np.asarray(np.where(east < 0, 36000 - angle, angle) % 36000)


def off_axis_cdeg(azimuth_deg: ArrayLike, dx: ArrayLike, dy: ArrayLike) -> NDArray[np.int64]:
    """Angle between antennas and directions, 0..18000; 0 for antennas in all directions (-1)."""
    azimuth = np.asarray(azimuth_deg, dtype=np.int64)
    off = (bearings_cdeg(dx, dy) - 100 * azimuth) % 36000
    return np.where(azimuth < 0, 0, np.minimum(off, 36000 - off))


def ahead(azimuth_deg: ArrayLike, metres: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The vector of a length in the direction of antennas, metres; null where they have none (-1)."""
    azimuth = np.asarray(azimuth_deg, dtype=np.int64)
    sine = np.array(SINE_Q14, dtype=np.int64)
    length = np.where(azimuth < 0, 0, np.asarray(metres, dtype=np.int64))
    return sine[azimuth % 360] * length >> 14, sine[(azimuth + 90) % 360] * length >> 14


def serving_cells(field: Field, x_m: ArrayLike, y_m: ArrayLike) -> I32:
    """The cells that serve at positions: the strongest ones."""
    return field.strongest(x_m, y_m)


def path_points(x_m: ArrayLike, y_m: ArrayLike, step_m: int = STEP_M) -> tuple[I32, I32]:
    """Points every `step_m` metres along straight pieces between corners, the first corner included."""
    corners = np.stack([np.asarray(x_m, dtype=np.int64), np.asarray(y_m, dtype=np.int64)], axis=1)
    xs, ys = [corners[:1, 0]], [corners[:1, 1]]
    for (ax, ay), (bx, by) in zip(corners[:-1].tolist(), corners[1:].tolist(), strict=True):
        steps = max(1, isqrt((bx - ax) ** 2 + (by - ay) ** 2) // step_m)
        along = np.arange(1, steps + 1, dtype=np.int64)
        xs.append(ax + (bx - ax) * along // steps)
        ys.append(ay + (by - ay) * along // steps)
    return np.concatenate(xs).astype(np.int32), np.concatenate(ys).astype(np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Ride:
    """A call on the move."""

    metres: NDArray[np.int64]
    """How far along the way each cell begins to serve; the first is 0."""
    cells: I32
    lost: NDArray[np.bool_]
    """Whether the call was lost before, and begun anew in this cell."""
    length_m: int

    def ping_pongs(self, within_m: int) -> int:
        """Handovers back into the cell left before, within so many metres of the handover out of it."""
        out = self.cells[2:] == self.cells[:-2]
        soon = self.metres[2:] - self.metres[1:-1] <= within_m
        return int(np.count_nonzero(out & soon & ~self.lost[1:-1] & ~self.lost[2:]))


def ride(
    field: Field,
    topology: Topology,
    x_m: ArrayLike,
    y_m: ArrayLike,
    *,
    hysteresis_db: float,
    time_to_trigger_s: float,
    speed_m_s: float = 10.0,
) -> Ride:
    """A ride with a call along straight pieces between corners."""
    px, py = path_points(x_m, y_m)
    at, cells, lost = field.walk(
        px, py, topology.neighbour_start, topology.neighbour_cells, _cdb(hysteresis_db),
        round(time_to_trigger_s * speed_m_s) // STEP_M,
    )  # fmt: skip
    return Ride(at * STEP_M, cells, lost, (len(px) - 1) * STEP_M)


def ride_route(
    field: Field,
    topology: Topology,
    origin: int,
    target: int,
    *,
    hysteresis_db: float,
    time_to_trigger_s: float,
) -> Ride:
    """A ride along the map's route from cell to cell."""
    route = [origin]
    while route[-1] != target:
        route.append(int(topology.next_cell[route[-1], target]))
    return ride(
        field, topology, topology.spot_x_m[route], topology.spot_y_m[route],
        hysteresis_db=hysteresis_db, time_to_trigger_s=time_to_trigger_s,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RideStudy:
    """What many rides have met."""

    rides: int
    km: float
    handovers: int
    ping_pongs: int
    losses: int

    @property
    def handovers_per_km(self) -> float:
        return self.handovers / self.km if self.km else 0.0

    @property
    def ping_pong_share(self) -> float:
        """Share of the handovers that lead back within ten seconds."""
        return self.ping_pongs / self.handovers if self.handovers else 0.0


def ride_study(
    topology: Topology,
    radio: RadioScenario,
    draws: Draws,
    rides: int,
    *,
    hysteresis_db: float,
    time_to_trigger_s: float,
    speed_m_s: float = 10.0,
) -> RideStudy:
    """Rides between random cells outside places, along the routes of the map; the same ones at any margin."""
    field = topology_field(topology, radio, draws)
    outside = np.flatnonzero(topology.ground != INSIDE)
    ends = draws.block("test_ride", np.arange(rides)).astype(np.int64)[:2] * len(outside) >> 32
    handovers = ping_pongs = losses = metres = 0
    for origin, target in outside[ends].T.tolist():
        if origin == target:
            continue
        route = [origin]
        while route[-1] != target:
            route.append(int(topology.next_cell[route[-1], target]))
        one = ride(
            field, topology, topology.spot_x_m[route], topology.spot_y_m[route],
            hysteresis_db=hysteresis_db, time_to_trigger_s=time_to_trigger_s, speed_m_s=speed_m_s,
        )  # fmt: skip
        losses += int(np.count_nonzero(one.lost))
        handovers += len(one.cells) - 1 - int(np.count_nonzero(one.lost))
        ping_pongs += one.ping_pongs(round(PING_PONG_S * speed_m_s))
        metres += one.length_m
    return RideStudy(rides, metres / 1000, handovers, ping_pongs, losses)
