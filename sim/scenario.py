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

from pydantic import Field, PrivateAttr, field_validator, model_validator

from sim.cell_list import read_cell_list
from sim.place_kinds import PlaceKind
from sim.scenario_errors import load_model
from sim.scenario_faults import FaultScenario
from sim.scenario_network import (
    DEFAULT_PLACES,
    BscScenario,
    CityScenario,
    LineScenario,
    NetworkScenario,
    PlaceScenario,
    RadioScenario,
    Strict,
    TownScenario,
    brings_cells,
    check_places,
)
from sim.scenario_values import Day, Digits, Name

__all__ = [
    "DAY_US",
    "BscScenario",
    "CityScenario",
    "EventScenario",
    "FaultScenario",
    "HabitScenario",
    "LineScenario",
    "NetworkScenario",
    "Numbering",
    "PlaceKind",
    "PlaceScenario",
    "RadioScenario",
    "SegmentShares",
    "ServiceLine",
    "Strict",
    "TownScenario",
    "UsageScenario",
    "WorldScenario",
    "load_world",
]

Share = Annotated[float, Field(ge=0.0, le=1.0)]
PerDay = Annotated[float, Field(ge=0.0, le=40.0)]
BlockDigits = Annotated[str, Field(min_length=6, max_length=6), Digits]
ImsiDigits = Annotated[str, Field(min_length=5, max_length=6), Digits]

DAY_US = 86_400_000_000
"""Microseconds in a day. The world's zone must have no clock changes, so every day has this length."""


class CityNumbers(Strict):
    """The block of numbers of one city of a province."""

    name: Name = Field(description="Name of the city.")
    msisdn_prefix: BlockDigits = Field(
        description="First digits of its MSISDNs, with the country code; seven digits follow."
    )
    x_km: float = Field(
        description="Position east of the middle of the map, kilometres; people are of the nearest city.",
        ge=-2000,
        le=2000,
    )
    y_km: float = Field(description="Position north of the middle of the map, kilometres.", ge=-2000, le=2000)


class Origin(Strict):
    """Where roamers come from: another province or another country, with numbers of its own."""

    name: Name = Field(description="Name of the province or network.")
    imsi_prefix: ImsiDigits = Field(
        description="First digits of their IMSIs; the home network is the first five."
    )
    msisdn_prefix: BlockDigits = Field(
        description="First digits of their MSISDNs, with the country code; seven digits follow."
    )
    share: Share = Field(
        description="Share of the world's rows that are roamers from there; each is here 4 days a month."
    )
    homecoming_share: Share = Field(
        0.0,
        description="Share of them whose families live here: they come for the Spring Festival alone, days "
        "before it, and leave in the second week of the new year.",
    )


DEFAULT_ORIGINS = [
    Origin(name="next-province", imsi_prefix="001011", msisdn_prefix="861706", share=0.002),
    Origin(name="far-province", imsi_prefix="001012", msisdn_prefix="861708", share=0.001),
    Origin(name="abroad", imsi_prefix="99901", msisdn_prefix="999010", share=0.001),
]


class Numbering(Strict):
    """Where identities and numbers come from."""

    imsi_prefix: ImsiDigits = Field(
        "00101", description="First digits of every IMSI; 001 01 is the test network."
    )
    msisdn_prefix: BlockDigits = Field(
        "861390", description="First digits of every MSISDN, with the country code; seven digits follow."
    )
    cities: list[CityNumbers] = Field(
        [],
        description="Blocks of numbers by city; none: all numbers begin with `msisdn_prefix`.",
        max_length=32,
    )
    origins: list[Origin] = Field(
        DEFAULT_ORIGINS,
        description="Where roamers come from. 999 is a country code and a network code that nobody has.",
        max_length=32,
    )
    smsc: Annotated[str, Field(max_length=20), Digits] = Field(
        "8613800000500", description="Address of the short message service centre, E.164 without plus."
    )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        blocks = [self.msisdn_prefix] if not self.cities else [city.msisdn_prefix for city in self.cities]
        vacant = str(int(self.msisdn_prefix) ^ 1)  # whose numbers are dialled by mistake and are nobody's
        blocks += [vacant] + [origin.msisdn_prefix for origin in self.origins]
        twice = [block for block in blocks if blocks.count(block) > 1]
        if twice:
            raise ValueError(f"msisdn_prefix: every block once, and {vacant} vacant ({twice[0]} is not)")
        if any(block.startswith("86133") for block in blocks):
            raise ValueError("msisdn_prefix: not 86133, whose numbers belong to another network")
        if any(block.startswith("0") for block in blocks):
            raise ValueError("msisdn_prefix: a country code first, so no block that begins with 0")
        ranges = [
            prefix.ljust(6, "0") for prefix in (self.imsi_prefix, *(o.imsi_prefix for o in self.origins))
        ]
        if len(set(ranges)) != len(ranges):
            raise ValueError("origins: an imsi_prefix of its own for every origin of roamers")
        if sum(origin.share for origin in self.origins) > 0.9:
            raise ValueError("origins: shares of roamers of at most 0.9 together")
        return self


class ServiceLine(Strict):
    """A short number that people call: a hotline, an enquiry line."""

    number: Annotated[str, Field(min_length=3, max_length=8), Digits] = Field(
        description="The digits dialled."
    )
    weight: float = Field(
        1.0, description="Share of the calls to service lines, relative to the other lines.", gt=0
    )


class Festival(Strict):
    """A time at which everybody texts and calls more than usual; what comes on top rises and falls evenly."""

    date: Day = Field(description="Local date from which `peak_hour` counts.")
    peak_hour: float = Field(
        description="Hour of the peak; above 24 it is after that day's midnight.", ge=0, le=30
    )
    factor: float = Field(
        1.0, description="Texts on top at the peak, in means of an ordinary day's texts.", ge=0, le=200
    )
    calls_factor: float = Field(
        0.0,
        description="Calls to people on top at the peak, in means of an ordinary day's calls.",
        ge=0,
        le=50,
    )
    width_min: int = Field(
        90, description="Minutes from the peak to its end; it rises over twice as many.", ge=8, le=480
    )


DEFAULT_FESTIVALS = [
    *(
        Festival(date=eve, peak_hour=23.5, factor=40, calls_factor=3)
        for eve in (date(2007, 2, 17), date(2008, 2, 6), date(2009, 1, 25))
    ),
    *(
        Festival(date=day, peak_hour=20, factor=8, calls_factor=1)
        for day in (date(2007, 9, 25), date(2008, 9, 14), date(2009, 10, 3))
    ),
    *(
        Festival(date=date(year, 12, 31), peak_hour=24, factor=12, calls_factor=0.5)
        for year in (2006, 2007, 2008)
    ),
]
"""Eves of the Spring Festival, Mid-Autumn days and New Year's Eves."""


class UsageScenario(Strict):
    """How much people call and text: means per subscriber and day over a week, before habits and segment.

    The defaults make the usual busy hour of planning: 20 mErl a subscriber in calls of 120 s, a third of them
    received, and half a page.
    """

    calls_per_day: PerDay = Field(
        6.1, description="Calls made to people (own and other networks, misdialled ones too)."
    )
    incoming_calls_per_day: PerDay = Field(0.76, description="Calls received from other networks.")
    busy_hour_merl: float | None = Field(
        None,
        description="Conversation in the busy hour of a working day, milli-Erlang per subscriber, both ends"
        " counted; given, `calls_per_day` and `incoming_calls_per_day` are scaled together to meet it.",
        gt=0,
        le=200,
    )
    service_calls_per_day: PerDay = Field(0.08, description="Calls made to service lines.")
    texts_per_day: PerDay = Field(4.0, description="Short messages sent.")
    incoming_texts_per_day: PerDay = Field(2.95, description="Short messages received from other networks.")
    festivals: list[Festival] = Field(
        DEFAULT_FESTIVALS,
        description="Times of more texts and calls: eves of the Spring Festival, Mid-Autumn, New Year's Eves"
        " of 2006 to 2009; events may be added.",
        max_length=64,
    )
    long_distance_share: Share = Field(
        0.14, description="Share of calls to other networks that go to other provinces."
    )
    prefix_share: Share = Field(
        0.35, description="Share of long-distance calls dialled with the cheap prefix 12593."
    )
    competitor_share: Share = Field(
        0.7, description="Share of the other calls to other networks that go to the competitor's mobiles."
    )
    ring_back_changes_per_month: float = Field(
        0.6, description="Calls to 12530 to change the ring-back tone, per holder and 30 days.", ge=0, le=15
    )
    balance_after_call_share: Share = Field(
        0.01, description="Share of a prepaid subscriber's calls made that a USSD balance query follows."
    )
    ussd_per_day: float = Field(
        0.03, description="Other USSD queries per subscriber and day (balance, charges, points).", ge=0, le=5
    )
    forwarding_per_day: Share = Field(
        0.006, description="Share of subscribers who register call forwarding and erase it on the same day."
    )
    call_waiting_per_day: Share = Field(
        0.0005, description="Share of subscribers who activate call waiting on a day."
    )
    mms_per_day: float = Field(
        0.12,
        description="Multimedia messages per holder and day: as many received, each told by a text, as sent.",
        ge=0,
        le=10,
    )
    gprs_sessions_per_day: float = Field(
        0.8,
        description="GPRS sessions per holder of WAP and day; they show in usage records only.",
        ge=0,
        le=50,
    )
    complaint_share: Share = Field(
        0.04, description="Share of calls to the first service line that are complaints."
    )
    talk_mean_s: float = Field(
        120.0, description="Mean length of an answered call, seconds (log-normal).", ge=5, le=1200
    )
    service_talk_mean_s: float = Field(
        55.0, description="Mean length of a call to a service line, seconds (log-normal).", ge=5, le=1200
    )
    inside_share: Share = Field(
        0.32, description="Share of calls and texts that stay among this world's subscribers."
    )
    vacant_share: Share = Field(0.03, description="Share of calls that go to vacant numbers by misdialling.")
    service_lines: list[ServiceLine] = Field(
        default=[
            ServiceLine(number="10086", weight=6),
            ServiceLine(number="12580", weight=3),
            ServiceLine(number="1860", weight=1),
        ],
        description="The service lines and how often each is called. Of the old codes 1860, 96121 and 12117,"
        " those that are none of them are dialled by mistake, and vacant.",
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
        0.6, description="Share of airport visits that are the beginning or the end of a flight."
    )
    train_journeys_per_month: float = Field(
        0.15,
        description="Journeys by train to other networks, of one to seven days, per subscriber in 30 days.",
        ge=0,
        le=2,
    )
    abroad_share: Share = Field(0.08, description="Share of flights that lead to another country.")
    festival_travel_share: Share = Field(
        0.35, description="Share of subscribers who travel home for the Spring Festival, in its year's weeks."
    )
    english_share: Share = Field(0.02, description="Share of subscribers who asked for English.")


class SocialScenario(Strict):
    """Who knows whom."""

    rival_share: float = Field(
        0.28, description="Share of people's ties that lead into the competitor's network.", ge=0, le=0.9
    )


PerMonth = Annotated[float, Field(ge=0.0, le=1.0)]


class ChangeScenario(Strict):
    """What changes about customers: shares per month of thirty days."""

    handset_changes_per_month: PerMonth = Field(
        0.02, description="Share who replace their handset by a new one, with a new IMEI."
    )
    handset_swaps_per_month: PerMonth = Field(
        0.001, description="Share who swap handsets with a neighbour: two SIMs, two IMEIs, crosswise."
    )
    second_sim_share: Share = Field(
        0.1, description="Share of new customers whose SIM is a second one in a neighbour's handset."
    )
    churn_per_month: PerMonth = Field(
        0.002, description="Share who leave the operator: off for ever from that day."
    )
    new_per_month: float = Field(
        0.001,
        description="Share of the world's rows who become customers in each of the first twelve months.",
        ge=0,
        le=0.08,
    )


class EventScenario(Strict):
    """Something that draws a crowd to a place on one day."""

    name: Name = Field(description="Name of the event.")
    kind: Literal["concert", "exhibition"] = Field(
        "concert",
        description="concert: all come before it opens and leave when it closes; "
        "exhibition: people come and go while it is open.",
    )
    place: Name = Field(description="Name of the place where it happens.")
    day: int = Field(description="Day of the world (1 = the date of `epoch`).", ge=1)
    opens_h: float = Field(19.5, description="Hour at which it begins.", ge=6, le=21)
    closes_h: float = Field(22.0, description="Hour at which it ends.", ge=7, le=22.25)
    visitors: int = Field(description="How many subscribers come, on average over seeds.", ge=1)
    within_km: float | None = Field(
        None, description="Only people who live within so many kilometres come; by default anybody.", gt=0
    )

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.closes_h < self.opens_h + 0.5:
            raise ValueError("events: closes_h at least half an hour after opens_h")
        return self


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


class WorldScenario(Strict):
    """A world: people, places, a network, and how much they use it."""

    world: Name = Field(description="Short name of the world.")
    about: str = Field(description="Two sentences on why this world exists.", min_length=1)
    epoch: Day = Field(description="Date of day 1; its midnight in `timezone` is time zero.")
    timezone: str = Field("Asia/Shanghai", description="IANA zone without clock changes.")
    subscribers: int = Field(2000, description="Number of subscribers.", ge=1, le=10_000_000)
    network: NetworkScenario = Field(NetworkScenario(), description="Cells, areas, codes, timers.")
    places: list[PlaceScenario] = Field(
        DEFAULT_PLACES,
        description="The places of the town; in a drawn city those that are given by hand (by default none).",
    )
    numbering: Numbering = Field(Numbering(), description="Identities and numbers.")
    usage: UsageScenario = Field(UsageScenario(), description="Calls and texts.")
    habits: HabitScenario = Field(HabitScenario(), description="Habits.")
    segments: SegmentShares = Field(SegmentShares(), description="Shares of the nine segments.")
    social: SocialScenario = Field(SocialScenario(), description="Ties between people.")
    changes: ChangeScenario = Field(
        ChangeScenario(), description="New handsets, swapped handsets, customers who come and go."
    )
    events: list[EventScenario] = Field([], description="Events that draw crowds.", max_length=100)
    faults: FaultScenario = Field(
        FaultScenario(),
        description="What is done to messages on purpose; not in the live phase of a study.",
    )
    _folder: Path = PrivateAttr(default=Path())

    @model_validator(mode="before")
    @classmethod
    def _places_of_their_own(cls, data: Any) -> Any:
        """The default places are those of the small town; a drawn city and a cell list bring theirs."""
        if isinstance(data, Mapping) and "places" not in data:
            network = data.get("network")
            if isinstance(network, NetworkScenario):
                network = {"city": network.city, "cell_list": network.cell_list}
            if isinstance(network, Mapping) and brings_cells(network):
                return {**data, "places": []}
        return data

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
        check_places(self.network, self.places)
        if self.network.is_town:
            self.check_events({place.name for place in self.places})
        return self

    @property
    def cell_list_path(self) -> Path | None:
        """Where the cell list of the network is; None if the map is drawn."""
        named = self.network.cell_list
        return None if named is None else self._folder / named

    def check_events(self, places: set[str]) -> None:
        """Raises ValueError for an event at none of these places."""
        for event in self.events:
            if event.place not in places:
                raise ValueError(f"events: the name of a place ({event.place} of {event.name} is none)")

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

    `overrides` are dotted keys and values laid over it. The cell list that it names is checked too. Raises
    `ScenarioError`.
    """
    world = load_model(path, WorldScenario, overrides=overrides)
    if world.network.cell_list is not None:
        world._folder = Path(path).parent
        read_cell_list(world._folder / world.network.cell_list)
    return world
