"""The catalogue of features: every name that an expression may read, with its type, unit, meaning and source.

The table in `scenarios/campaigns/README.md` and the editors' schema are drawn from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from marketing.config import suggest

__all__ = ["BOSS_CATALOGUE", "CATALOGUE", "Catalogue", "Feature", "Source", "Type"]


class Type(Enum):
    """Type of a feature or of a part of an expression, by its name in CEL."""

    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    STRING = "string"
    DURATION = "duration"
    STRINGS = "list(string)"
    NUMBERS = "list(int)"
    DOUBLES = "list(double)"
    DURATIONS = "list(duration)"
    LASTS = "map(string, duration)"
    """Only `last`: indexed by a service line."""


Source = Literal["extract", "lists", "handset", "presence", "habits", "clock", "behaviour", "boss"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One name."""

    name: str
    """Dotted, such as `profile.age`."""
    type: Type
    unit: str
    """Empty where the type says it all."""
    meaning: str
    source: Source
    """extract: BOSS/BI. lists: imported lists. handset: by the type allocation code last seen, else the
    extract's. presence, habits: dynamic features. clock: policy's local time. behaviour: the row at hand.
    boss: asked of BOSS at the moment of the decision."""
    static: bool = False
    """Changes only when a new extract or list is switched in."""
    low: int | None = None
    """It is never less; None: not stated."""
    high: int | None = None
    """It is never more."""


_RANGES: Final[dict[str, tuple[int | None, int | None]]] = {
    "0-23": (0, 23),
    "1-7": (1, 7),
    "0-65535": (0, 65535),
    "of one": (0, 1),
    "people": (0, None),
    "times": (0, None),
    "minutes": (0, None),
}
"""Unit -> what a feature of it can be."""


def _range(source: Source, kind: Type, unit: str) -> tuple[int | None, int | None]:
    if source in ("extract", "boss"):
        return None, None  # what others tell may be anything
    return (0, None) if kind is Type.DURATION else _RANGES.get(unit, (None, None))


def _features(source: Source, group: str, rows: str, static: bool = False) -> Iterator[Feature]:
    """Rows `name | type | unit | meaning`, one a line."""
    for line in rows.strip().splitlines():
        name, kind, unit, meaning = (cell.strip() for cell in line.split("|"))
        limits = _range(source, Type(kind), unit)
        yield Feature(f"{group}.{name}", Type(kind), unit, meaning, source, static, *limits)


_TABLE: Final = (
    *_features(
        "extract",
        "profile",
        """
        brand          | string       |         | brand of the tariff, such as gotone, easyown, mzone
        language       | string       |         | language of messages, zh or en
        tariff         | string       |         | tariff plan
        city           | string       |         | city in which the number was given out
        services       | list(string) |         | services held, such as mms, ring-back-tone, wap
        terminal       | string       |         | maker and model of the handset last known to BOSS
        age            | int          | years   | age
        arpu           | int          | yuan    | usual spending in a month
        arpu_band      | string       | yuan    | band of monthly spending, such as 60-119
        bundle_minutes | int          | minutes | minutes a month that the tariff includes
        segment        | string       |         | customer segment, such as students
        interests      | list(string) |         | contents liked, such as news, games, music
        often_off      | bool         |         | switches off by day on most days, as BI has it
        often_rejects  | bool         |         | often rejects calls, as BI has it
        """,
        static=True,
    ),
    Feature(
        "lists", Type.STRINGS, "", 'target lists that hold the subscriber: `"vip" in lists`', "lists", True
    ),
    *_features(
        "handset",
        "terminal",
        """
        model       | string   |      | model
        maker       | string   |      | maker
        gprs        | bool     |      | can GPRS
        edge        | bool     |      | can EDGE
        wap         | bool     |      | has a WAP browser
        mms         | bool     |      | can MMS
        java        | bool     |      | runs Java programs
        price_class | string   |      | low, middle or high
        year        | int      |      | year it came to market
        changed_ago | duration |      | since the handset was seen to be another one
        """,
    ),
    *_features(
        "presence",
        "now",
        """
        place    | string   |        | name of the place of the last cell seen
        area     | int      | 0-65535 | location area code last seen
        cell     | int      | 0-65535 | cell identity last seen
        dwell    | duration |        | at this place without a break
        idle     | duration |        | since the subscriber's last own act
        waiting  | bool     |        | waits: long in one cell, idle, not at home or at work
        riding   | bool     |        | rides: cells change fast, along a line
        crowd    | int      | people | subscribers present in this cell
        on       | bool     |        | switched on, as far as the network knows
        """,
    ),
    *_features(
        "clock",
        "now",
        """
        hour    | int | 0-23 | hour of the policy's local time
        weekday | int | 1-7  | day of the week, 1 = Monday
        """,
    ),
    *_features(
        "habits",
        "habit",
        """
        home              | string |         | place learned as home
        work              | string |         | place learned as work
        at_home           | bool   |         | now in the cell or place learned as home
        at_work           | bool   |         | now in the cell or place learned as work
        off_per_day       | double | times   | switched off, an average day
        often_off         | bool   |         | by what was seen, often switched off
        rejects_share     | double | of one  | share of incoming calls that are rejected
        often_rejects     | bool   |         | by what was seen, often rejects
        usual_on_hour     | int    | 0-23    | usual hour of switching on
        usual_off_hour    | int    | 0-23    | usual hour of switching off
        active_hour       | bool   |         | this hour is one of the usual active ones
        long_distance_share | double | of one | share of own calls that are long-distance
        minutes_used      | int    | minutes | called this calendar month
        minutes_left      | int    | minutes | bundle less minutes used; not known without a bundle
        new_here          | bool   |         | first sight in this region
        """,
    ),
    Feature(
        "last", Type.LASTS, "", 'since a service line was last called or texted: `last["10086"]`', "habits"
    ),
    *_features(
        "habits",
        "last",
        """
        call    | duration |  | since the last call, as caller or callee
        text    | duration |  | since the last short message sent
        contact | duration |  | since the last marketing contact
        """,
    ),
    *_features(
        "behaviour",
        "event",
        """
        kind     | string   |  | name of the behaviour, such as call_ended
        peer     | string   |  | other side's number, digits as dialled or shown
        role     | string   |  | caller, callee, or empty
        duration | duration |  | of a call since CONNECT
        cause    | int      |  | CC, reject or RP cause; 0 = none
        place    | string   |  | name of the place where it happened
        area     | int      | 0-65535 | location area code where it happened
        cell     | int      | 0-65535 | cell identity where it happened
        detail   | int      |  | IMEI, supplementary service x 256 + operation, or old area, by kind
        """,
    ),
)


class Catalogue(Mapping[str, Feature]):
    """Features by name; equal to itself only, so that compiled expressions can be kept by it."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def __init__(self, features: Iterable[Feature]) -> None:
        self._by_name = {f.name: f for f in features}
        self.groups: frozenset[str] = frozenset(name.split(".")[0] for name in self._by_name)
        """First parts of the names: profile, lists, terminal, now, habit, last, event."""

    def __getitem__(self, name: str) -> Feature:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def nearest(self, name: str) -> str:
        """The known name nearest to a misspelt one; empty where none is near."""
        return suggest(name, list(self._by_name))

    def having(self, columns: Mapping[str, Type]) -> Catalogue:
        """With further columns of an extract: `profile.` + name -> type."""
        more = (
            Feature(f"profile.{c}", t, "", "column of the extract", "extract", True)
            for c, t in columns.items()
        )
        return Catalogue({f.name: f for f in (*more, *self._by_name.values())}.values())


CATALOGUE: Final = Catalogue(_TABLE)
"""What the platform knows by itself."""

BOSS_CATALOGUE: Final = Catalogue(
    _features(
        "boss",
        "boss",
        """
        brand    | string       |      | brand at this moment
        services | list(string) |      | services held at this moment, those just ordered too
        balance  | double       | yuan | of a prepaid account
        charges  | double       | yuan | of this month, of an account paid by bill
        """,
    )
)
"""What a campaign's key `boss` may read, and nothing else may."""
