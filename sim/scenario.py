"""A world as a file: its schema, with a sentence, a unit and a default for every key.

`load_world` reads a YAML file of `scenarios/worlds/`; everything wrong in it is reported at once as
`ScenarioError` (file, line, key, value, what was expected). Unknown keys are errors. Units end a numeric
name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sim.scenario_errors import load_model

PlaceKind = Literal["airport", "station", "mall", "office", "campus", "scenic"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
PerDay = Annotated[float, Field(ge=0.0, le=40.0)]
Digits = Annotated[str, Field(pattern=r"^[0-9]+$")]

DAY_US = 86_400_000_000
"""Microseconds in a day. The world's zone must have no clock changes, so every day has this length."""


class Strict(BaseModel):
    """Base of all scenario models: unknown keys are errors, objects are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BscScenario(Strict):
    """One base station controller and the location areas of its cells."""

    point_code: int = Field(description="Signalling point code of the BSC (14 bits).", ge=1, le=16383)
    lacs: list[Annotated[int, Field(ge=1, le=65533)]] = Field(
        description="Location areas of this BSC; those of no place are strips from west to east, by LAC.",
        min_length=1,
    )


class NetworkScenario(Strict):
    """The radio network: how many cells, how they are grouped, and its codes and timers."""

    cells: int = Field(
        60, description="Number of cells in all, those of places and roads included.", ge=8, le=4000
    )
    spacing_m: int = Field(
        800, description="Distance between neighbouring cells of the town, metres.", ge=100, le=20000
    )
    mcc: str = Field("001", description="Mobile country code; 001 is the test network.", pattern=r"^\d{3}$")
    mnc: str = Field("01", description="Mobile network code.", pattern=r"^\d{2}$")
    msc_point_code: int = Field(
        1, description="Signalling point code of the MSC/VLR (14 bits).", ge=1, le=16383
    )
    bscs: list[BscScenario] = Field(
        default=[
            BscScenario(point_code=257, lacs=[4097, 4099]),
            BscScenario(point_code=258, lacs=[4098, 4100, 4112]),
        ],
        description="Base station controllers.",
        min_length=1,
        max_length=16,
    )
    first_ci: int = Field(
        1001, description="Cell identity of the first cell; the others follow.", ge=1, le=60000
    )
    t3212_h: float = Field(
        6.0,
        description="Periodic location update timer T3212, hours; a multiple of 0.1 (TS 24.008 10.5.1.12).",
        gt=0,
        le=25.5,
    )


class PlaceScenario(Strict):
    """A place with indoor cells of its own, where people go on purpose."""

    name: str = Field(description="Name of the place, as campaigns write it.", pattern=r"^[a-z][a-z0-9-]*$")
    kind: PlaceKind = Field(description="What the place is; decides who goes there and when.")
    cells: int = Field(2, description="Number of indoor cells.", ge=1, le=50)
    x_km: float = Field(description="Position east of the town centre, kilometres.", ge=-200, le=200)
    y_km: float = Field(description="Position north of the town centre, kilometres.", ge=-200, le=200)
    lac: int | None = Field(
        None,
        description="Location area of its own (a LAC of a BSC); by default that of the cells around it.",
    )


class Numbering(Strict):
    """Where identities and numbers come from."""

    imsi_prefix: Digits = Field(
        "00101",
        description="First digits of every IMSI; 001 01 is the test network.",
        min_length=5,
        max_length=6,
    )
    msisdn_prefix: Digits = Field(
        "861390",
        description="First digits of every MSISDN, with the country code; seven digits follow.",
        min_length=6,
        max_length=6,
    )
    smsc: Digits = Field(
        "8613800000500",
        description="Address of the short message service centre, E.164 without plus.",
        max_length=20,
    )


class ServiceLine(Strict):
    """A short number that people call: a hotline, an enquiry line."""

    number: Digits = Field(description="The digits dialled.", min_length=3, max_length=8)
    weight: float = Field(
        1.0, description="Share of the calls to service lines, relative to the other lines.", gt=0
    )


class UsageScenario(Strict):
    """How much people call and text: means per subscriber and day, before habits, weekday and segment."""

    calls_per_day: PerDay = Field(
        1.3, description="Calls made to people (own and other networks, misdialled ones too)."
    )
    incoming_calls_per_day: PerDay = Field(0.35, description="Calls received from other networks.")
    service_calls_per_day: PerDay = Field(0.08, description="Calls made to service lines.")
    texts_per_day: PerDay = Field(0.8, description="Short messages sent.")
    incoming_texts_per_day: PerDay = Field(0.3, description="Short messages received from other networks.")
    talk_mean_s: float = Field(
        120.0, description="Mean length of an answered call, seconds (log-normal).", ge=5, le=1200
    )
    service_talk_mean_s: float = Field(
        55.0, description="Mean length of a call to a service line, seconds (log-normal).", ge=5, le=1200
    )
    inside_share: Share = Field(
        0.62, description="Share of calls and texts that stay among this world's subscribers."
    )
    vacant_share: Share = Field(0.03, description="Share of calls that go to vacant numbers by misdialling.")
    service_lines: list[ServiceLine] = Field(
        default=[
            ServiceLine(number="10086", weight=6),
            ServiceLine(number="12580", weight=3),
            ServiceLine(number="1860", weight=1),
        ],
        description="The service lines and how often each is called.",
        min_length=1,
    )


class HabitScenario(Strict):
    """Habits that a platform may learn or be told of."""

    often_off_share: Share = Field(0.10, description="Share of subscribers who often switch off by day.")
    often_rejects_share: Share = Field(0.08, description="Share of subscribers who often reject calls.")
    nightly_off_share: Share = Field(
        0.22, description="Share of subscribers who usually switch off at night."
    )
    airport_share_per_day: Share = Field(
        0.03, description="Share of subscribers who go to the airport on a day."
    )
    flight_share: Share = Field(
        0.6, description="Share of airport visits that end in a flight, with the handset off."
    )
    english_share: Share = Field(0.02, description="Share of subscribers who asked for English.")


class SegmentShares(Strict):
    """Shares of the nine segments; they need not sum to one."""

    business_travellers: float = Field(0.08, description="Business travellers.", ge=0)
    urban_women: float = Field(0.12, description="Urban women.", ge=0)
    office_staff: float = Field(0.18, description="Office staff.", ge=0)
    civil_servants: float = Field(0.07, description="Civil servants.", ge=0)
    students: float = Field(0.15, description="Students.", ge=0)
    home_makers: float = Field(0.09, description="Home-makers.", ge=0)
    migrant_workers: float = Field(0.15, description="Migrant workers.", ge=0)
    farmers: float = Field(0.08, description="Farmers.", ge=0)
    elderly: float = Field(0.08, description="The elderly.", ge=0)

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if sum(self.weights()) <= 0:
            raise ValueError("at least one share above zero")
        return self

    def weights(self) -> list[float]:
        """The shares in the order of the fields, which is the order of the segment table."""
        return [float(getattr(self, name)) for name in type(self).model_fields]


DEFAULT_PLACES = [
    PlaceScenario(name="airport", kind="airport", cells=3, x_km=11.0, y_km=3.5, lac=4112),
    PlaceScenario(name="station", kind="station", cells=2, x_km=-1.2, y_km=1.0),
    PlaceScenario(name="mall", kind="mall", cells=3, x_km=0.2, y_km=0.1),
    PlaceScenario(name="office-park", kind="office", cells=4, x_km=1.5, y_km=-0.4),
    PlaceScenario(name="campus", kind="campus", cells=4, x_km=-1.9, y_km=-1.1),
    PlaceScenario(name="scenic-spot", kind="scenic", cells=2, x_km=0.6, y_km=2.2),
]


class WorldScenario(Strict):
    """A world: people, places, a network, and how much they use it."""

    world: str = Field(description="Short name of the world.", pattern=r"^[a-z][a-z0-9-]*$")
    about: str = Field(description="Two sentences on why this world exists.", min_length=1)
    epoch: date = Field(description="Date of day 1; its midnight in `timezone` is time zero.")
    timezone: str = Field("Asia/Shanghai", description="IANA zone without clock changes.")
    subscribers: int = Field(2000, description="Number of subscribers.", ge=1, le=10_000_000)
    network: NetworkScenario = Field(NetworkScenario(), description="Cells, areas, codes, timers.")
    places: list[PlaceScenario] = Field(DEFAULT_PLACES, description="The places of the town.", min_length=1)
    numbering: Numbering = Field(Numbering(), description="Identities and numbers.")
    usage: UsageScenario = Field(UsageScenario(), description="Calls and texts.")
    habits: HabitScenario = Field(HabitScenario(), description="Habits.")
    segments: SegmentShares = Field(SegmentShares(), description="Shares of the nine segments.")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("the IANA name of a time zone, such as Asia/Shanghai") from error
        return name

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        zone = ZoneInfo(self.timezone)
        offsets = {datetime(self.epoch.year, month, 1, tzinfo=zone).utcoffset() for month in range(1, 13)}
        if len(offsets) > 1:
            raise ValueError(
                f"timezone: a zone without clock changes ({self.timezone} has them in {self.epoch.year})"
            )
        known = [lac for bsc in self.network.bscs for lac in bsc.lacs]
        if len(set(known)) != len(known):
            raise ValueError("network.bscs: every LAC belongs to one BSC only")
        codes = [bsc.point_code for bsc in self.network.bscs] + [self.network.msc_point_code]
        if len(set(codes)) != len(codes):
            raise ValueError("network: a point code of its own for the MSC and for every BSC")
        names = [place.name for place in self.places]
        if len(set(names)) != len(names):
            raise ValueError("places: every place has a name of its own")
        own = [place.lac for place in self.places if place.lac is not None]
        strangers = sorted(set(own) - set(known))
        if strangers:
            raise ValueError(f"places: every lac among the LACs of network.bscs ({strangers[0]} is not)")
        if set(own) == set(known):
            raise ValueError("network.bscs: at least one LAC that no place has taken for itself")
        if sum(place.cells for place in self.places) + 4 > self.network.cells:
            raise ValueError("network.cells: at least four more than the cells of the places together")
        if self.numbering.msisdn_prefix.startswith("86133"):
            raise ValueError("numbering.msisdn_prefix: not 86133, whose numbers belong to another network")
        return self

    @property
    def epoch_unix_us(self) -> int:
        """Unix time of the epoch, microseconds UTC."""
        midnight = datetime(self.epoch.year, self.epoch.month, self.epoch.day, tzinfo=ZoneInfo(self.timezone))
        return round(midnight.timestamp()) * 1_000_000

    def weekday(self, day: int) -> int:
        """Weekday of a day (day 0 is the epoch's date): 0 Monday .. 6 Sunday."""
        return (self.epoch.weekday() + day) % 7

    def is_weekend(self, day: int) -> bool:
        """Whether a day (day 0 is the epoch's date) is a Saturday or Sunday."""
        return self.weekday(day) >= 5


def load_world(path: str | Path, overrides: Mapping[str, Any] | None = None) -> WorldScenario:
    """Reads and checks a world file.

    `overrides` are dotted keys and values laid over it. Raises `ScenarioError`.
    """
    return load_model(path, WorldScenario, overrides=overrides)
