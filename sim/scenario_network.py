"""The part of a world file about the network and the places: models with a sentence, unit and default each.

`network.city` asks for a drawn city or province, `network.cell_list` takes a real network from a file; with
neither the map is a small town laid out from `bscs` and `places`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from sim.place_kinds import PlaceKind
from sim.scenario_values import STRICT, Form, Name

Kilometres = Annotated[float, Field(ge=-200, le=200)]

LAST_LAC = 65533
"""0 and 65534 mean no area at all, TS 23.003 4.1."""


class Strict(BaseModel):
    """Base of all scenario models: unknown keys are errors, numbers are numbers, objects are frozen."""

    model_config = STRICT


class BscScenario(Strict):
    """One base station controller and the location areas of its cells."""

    point_code: int = Field(description="Signalling point code of the BSC (14 bits).", ge=1, le=16383)
    lacs: list[Annotated[int, Field(ge=1, le=LAST_LAC)]] = Field(
        description="Location areas of this BSC; those of no place are strips from west to east, by LAC.",
        min_length=1,
    )


class TownScenario(Strict):
    """One town of a province."""

    name: Name = Field(description="Name of the town, for maps.")
    x_km: Kilometres = Field(0.0, description="Position of its centre to the east, kilometres.")
    y_km: Kilometres = Field(0.0, description="Position of its centre to the north, kilometres.")
    share: float = Field(1.0, description="Its part of the cells, relative to the other towns.", gt=0, le=1e6)


class LineScenario(Strict):
    """A road or a railway with cells of its own along it."""

    name: Name = Field(description="Name of the line, for maps.")
    kind: Literal["road", "rail"] = Field(description="Road or railway.")
    points_km: list[Annotated[list[Kilometres], Field(min_length=2, max_length=2)]] = Field(
        description="Its course: points east and north of the origin, kilometres.", min_length=2
    )


class CityScenario(Strict):
    """A city or a province to be drawn: how dense, how it is grouped, what lies in it."""

    towns: list[TownScenario] = Field(
        default=[TownScenario(name="city")],
        description="The towns; each is dense in the middle and sparse outside.",
        min_length=1,
        max_length=50,
    )
    lines: list[LineScenario] | None = Field(
        None, description="Roads and railways; by default they join the towns, or cross the only one."
    )
    line_share: float = Field(0.12, description="Most of the cells that lines may take.", ge=0.0, le=0.5)
    sector_share: float = Field(
        0.7,
        description="Share of a town's cells at sites of three sectors; they are the inner ones.",
        ge=0.0,
        le=1.0,
    )
    area_cells: int = Field(100, description="Cells aimed at for a location area.", ge=80, le=120)
    bsc_areas: int = Field(3, description="Location areas aimed at for a BSC.", ge=1, le=20)
    mscs: int = Field(
        1, description="Number of MSCs; their point codes follow `msc_point_code`.", ge=1, le=16
    )
    first_bsc_point_code: int = Field(
        257, description="Point code of the first BSC; the others follow.", ge=1, le=16000
    )
    first_lac: int = Field(
        4097, description="The first location area code; the others follow.", ge=1, le=65500
    )
    generated_places: bool = Field(
        True, description="Whether places of every kind are added by the number of inhabitants."
    )


class RadioScenario(Strict):
    """What decides which cell serves whom, and when a call changes cells."""

    frequency_mhz: int = Field(
        900, description="Carrier frequency, MHz (Okumura-Hata to 1500, COST 231 above).", ge=450, le=2000
    )
    hysteresis_db: float = Field(
        4.0, description="How much stronger a neighbour must be before a call goes there, dB.", ge=0, le=24
    )
    time_to_trigger_s: float = Field(
        1.5, description="For how long it must be stronger, seconds.", ge=0, le=10
    )
    shadow_db: float = Field(
        6.0, description="Deviation of the shadow fading, dB; consistent in space.", ge=0, le=12
    )
    wall_db: float = Field(15.0, description="Loss of the walls around an indoor cell, dB.", ge=0, le=40)
    room_db: float = Field(
        8.0,
        description="Deviation of a mast's level from room to room, dB (a quarter more in places with cells "
        "of their own): why phones at rest change cells within an area; 0: they do not.",
        ge=0,
        le=20,
    )


class PlaceScenario(Strict):
    """A place where people go on purpose."""

    name: Name = Field(description="Name of the place, as campaigns write it.")
    kind: PlaceKind = Field(description="What the place is; decides who goes there and when.")
    cells: int = Field(
        2,
        description="Number of indoor cells; 0, in a drawn city: served by the cell around it.",
        ge=0,
        le=50,
    )
    x_km: Kilometres = Field(description="Position east of the town centre, kilometres.")
    y_km: Kilometres = Field(description="Position north of the town centre, kilometres.")
    lac: int | None = Field(
        None,
        description="Location area of its own (a LAC of a BSC; in a drawn city a free one); by default that "
        "of the cells around it.",
        ge=1,
        le=LAST_LAC,
    )


def brings_cells(network: Mapping[str, Any]) -> bool:
    """Whether the raw data of a network ask for a drawn city or a cell list."""
    return network.get("city") is not None or network.get("cell_list") is not None


DEFAULT_BSCS = [
    BscScenario(point_code=257, lacs=[4097, 4099]),
    BscScenario(point_code=258, lacs=[4098, 4100, 4112]),
]
DEFAULT_PLACES = [
    PlaceScenario(name="airport", kind="airport", cells=3, x_km=11.0, y_km=3.5, lac=4112),
    PlaceScenario(name="station", kind="station", cells=2, x_km=-1.2, y_km=1.0),
    PlaceScenario(name="mall", kind="mall", cells=3, x_km=0.2, y_km=0.1),
    PlaceScenario(name="office-park", kind="office", cells=4, x_km=1.5, y_km=-0.4),
    PlaceScenario(name="campus", kind="campus", cells=4, x_km=-1.9, y_km=-1.1),
    PlaceScenario(name="scenic-spot", kind="scenic", cells=2, x_km=0.6, y_km=2.2),
]


class NetworkScenario(Strict):
    """The radio network: how many cells, how they are grouped, and its codes and timers."""

    cells: int = Field(
        60,
        description="Number of cells in all, those of places and lines included; not used with `cell_list`.",
        ge=8,
        le=8000,
    )
    spacing_m: int = Field(
        800,
        description="Distance between neighbouring sites in the middle of a town, metres.",
        ge=100,
        le=20000,
    )
    city: CityScenario | None = Field(
        None, description="Draws a city or a province; without it the map is a small town."
    )
    cell_list: str | None = Field(
        None,
        description="File with the cells of a network, in place of a drawn one (CSV, columns in "
        "sim/network/README.md).",
    )
    mcc: Annotated[str, Form(r"^[0-9]{3}$", "three digits, in quotes")] = Field(
        "001", description="Mobile country code; 001 is the test network."
    )
    mnc: Annotated[str, Form(r"^[0-9]{2}$", "two digits, in quotes")] = Field(
        "01", description="Mobile network code."
    )
    msc_point_code: int = Field(
        1, description="Signalling point code of the (first) MSC/VLR (14 bits).", ge=1, le=16383
    )
    bscs: list[BscScenario] = Field(
        default=DEFAULT_BSCS, description="Base station controllers of the small town.", max_length=16
    )
    first_ci: int = Field(
        1001, description="Cell identity of the first cell; the others follow.", ge=1, le=57000
    )
    t3212_h: float = Field(
        6.0,
        description="Periodic location update timer T3212, hours; a multiple of 0.1 (TS 24.008 10.5.1.12).",
        gt=0,
        le=25.5,
    )
    radio: RadioScenario = Field(RadioScenario(), description="Propagation and handover.")

    @property
    def is_town(self) -> bool:
        """Whether the map is the small town, laid out from `bscs` and the places of the world."""
        return self.city is None and self.cell_list is None

    @model_validator(mode="before")
    @classmethod
    def _controllers_of_their_own(cls, data: Any) -> Any:
        """A drawn city and a cell list bring their BSCs."""
        if isinstance(data, Mapping) and "bscs" not in data and brings_cells(data):
            return {**data, "bscs": []}
        return data

    @model_validator(mode="after")
    def _one_map(self) -> Self:
        if self.city is not None and self.cell_list is not None:
            raise ValueError("cell_list: either a drawn `city` or a `cell_list`")
        if self.is_town and not self.bscs:
            raise ValueError("bscs: at least one BSC")
        if not self.is_town and self.bscs:
            raise ValueError("bscs: nothing here, since the `city` or the `cell_list` brings its BSCs")
        if self.city is not None:
            self._codes_fit(self.city)
        return self

    def _codes_fit(self, city: CityScenario) -> None:
        areas = max(1, -(-self.cells // 80))
        if city.first_lac + areas > LAST_LAC:
            raise ValueError(f"city.first_lac: {areas} codes from it on, up to {LAST_LAC}")
        mscs = range(self.msc_point_code, self.msc_point_code + city.mscs)
        bscs = range(city.first_bsc_point_code, city.first_bsc_point_code + max(areas, city.mscs))
        if mscs[-1] > 16383 or bscs[-1] > 16383:
            raise ValueError("city.first_bsc_point_code: point codes of 14 bits for all BSCs and MSCs")
        if max(mscs[0], bscs[0]) <= min(mscs[-1], bscs[-1]):
            raise ValueError(
                "city.first_bsc_point_code: a point code of its own for every MSC and every BSC "
                f"(MSCs {mscs[0]}..{mscs[-1]}, BSCs {bscs[0]}..{bscs[-1]})"
            )
        if city.mscs > 1 and self.cells < 2 * city.mscs * 20:
            raise ValueError(f"city.mscs: at most one for 40 cells ({self.cells} cells)")


def check_places(network: NetworkScenario, places: list[PlaceScenario]) -> None:
    """What the network and the places of a world say about each other; raises ValueError naming the key."""
    names = [place.name for place in places]
    if len(set(names)) != len(names):
        raise ValueError("places: every place has a name of its own")
    if network.cell_list is not None:
        if places:
            raise ValueError("places: nothing here, since the places come from network.cell_list")
        return
    own = [place.lac for place in places if place.lac is not None]
    if network.city is not None:
        last = network.city.first_lac + -(-network.cells // 80)
        taken = [lac for lac in own if network.city.first_lac <= lac <= last]
        if taken:
            raise ValueError(
                f"places: every lac outside the city's {network.city.first_lac}..{last} ({taken[0]} is not)"
            )
        if sum(place.cells for place in places) > network.cells // 2:
            raise ValueError("network.cells: at least twice the cells of the places together")
        return
    if not places:
        raise ValueError("places: at least one place")
    if any(place.cells == 0 for place in places):
        raise ValueError("places: at least one cell for every place of the small town")
    known = [lac for bsc in network.bscs for lac in bsc.lacs]
    if len(set(known)) != len(known):
        raise ValueError("network.bscs: every LAC belongs to one BSC only")
    codes = [bsc.point_code for bsc in network.bscs] + [network.msc_point_code]
    if len(set(codes)) != len(codes):
        raise ValueError("network: a point code of its own for the MSC and for every BSC")
    strangers = sorted(set(own) - set(known))
    if strangers:
        raise ValueError(f"places: every lac among the LACs of network.bscs ({strangers[0]} is not)")
    if set(own) == set(known):
        raise ValueError("network.bscs: at least one LAC that no place has taken for itself")
    if sum(place.cells for place in places) + 4 > network.cells:
        raise ValueError("network.cells: at least four more than the cells of the places together")
