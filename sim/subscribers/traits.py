"""What else tells the nine segments apart: age, spending, services held, likings, places of contact, habits.

One row per segment, in the order of `SEGMENTS`. All figures are inputs of the simulation, sketched after the
segment tables of an operator's marketing handbook of those years; no measurement stands behind them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sim.subscribers.segments import BRANDS

SERVICES: Final = ("text-pack", "mms", "ring-back-tone", "wap", "newspaper", "mail", "im")
"""Services held; bit k of `Population.services` is the k-th."""

CONTENTS: Final = (
    "finance", "news", "cars", "travel", "sports", "fashion", "shopping", "games",
    "music", "film", "jokes", "exams", "jobs", "farming", "health", "parenting",
)  # fmt: skip
"""What people like to be told about; bit k of `Population.likes` is the k-th."""

PLACE_OF_CONTENT: Final = (
    "stock-hall", "government-office", "car-dealer", "airport", "gym", "mall", "supermarket", "net-cafe",
    "ktv", "cinema", "bar", "bookshop", "job-market", "rural-fair", "hospital", "park",
)  # fmt: skip
"""The kind of place to which liking the k-th of CONTENTS leads."""

ARPU_BANDS: Final = ((0, "0-29"), (30, "30-59"), (60, "60-119"), (120, "120-299"), (300, "300-"))
"""Bands of monthly spending as BOSS keeps them: from how many yuan on, and the name."""


@dataclass(frozen=True, slots=True)
class Tariff:
    """One tariff plan."""

    name: str
    brand: str
    fee_yuan: int
    """Monthly fee."""
    from_yuan: int
    """Monthly spending from which it is the cheapest of its brand."""
    minutes: int
    """Minutes of calls a month that the fee includes."""


TARIFFS: Final = (
    Tariff("gotone-basic", "gotone", 50, 0, 0),
    Tariff("gotone-168", "gotone", 168, 120, 300),
    Tariff("gotone-388", "gotone", 388, 300, 1000),
    Tariff("easyown-basic", "easyown", 0, 0, 0),
    Tariff("easyown-local", "easyown", 15, 35, 60),
    Tariff("easyown-family", "easyown", 30, 70, 120),
    Tariff("mzone-campus", "mzone", 10, 0, 30),
    Tariff("mzone-text", "mzone", 20, 40, 0),
    Tariff("mzone-music", "mzone", 35, 70, 60),
)
"""All plans, three a brand in the order of BRANDS; `Population.tariff` is an index into it."""
TARIFFS_A_BRAND: Final = len(TARIFFS) // len(BRANDS)
MISFIT_SHARE: Final = 0.2
"""Share of people on a plan of their brand that is not the cheapest for them."""


@dataclass(frozen=True, slots=True)
class Traits:
    """One segment."""

    ages: tuple[int, int, int, int, int]
    """Least age, quartiles, greatest age, years."""
    arpu_yuan: int
    """Median of monthly spending, yuan (log-normal, sigma 1/2)."""
    holdings: tuple[float, float, float, float, float, float, float]
    """Share holding each of SERVICES."""
    likes: str
    """Share liking each of CONTENTS: sixteen digits, tenths."""
    contact_places: tuple[str, ...]
    """Kinds of places where they are met, the likeliest first."""
    often_off: float
    """Factor on the world's share of people who are often off; likewise the next two."""
    often_rejects: float
    churn: float
    complaint: float
    """Shift of the score of complaining."""


TRAITS: Final = (
    # business travellers
    Traits((26, 33, 39, 46, 60), 280, (0.25, 0.25, 0.35, 0.20, 0.25, 0.25, 0.12), "7667521212100031",
           ("airport", "hotel", "bank-vip", "golf", "conference-centre", "car-dealer", "bar", "stock-hall"),
           0.7, 1.4, 0.5, 0.4),
    # urban women
    Traits((20, 25, 30, 38, 50), 110, (0.45, 0.25, 0.50, 0.12, 0.10, 0.05, 0.25), "1214186245312044",
           ("mall", "beauty-salon", "gym", "supermarket", "cinema", "ktv", "park", "bookshop"),
           0.8, 1.0, 0.8, 0.2),
    # office staff
    Traits((21, 26, 31, 38, 55), 120, (0.40, 0.20, 0.40, 0.16, 0.14, 0.12, 0.25), "3434434344333022",
           ("office", "mall", "bus-stop", "cinema", "gym", "bookshop", "stock-hall", "car-dealer"),
           0.8, 1.1, 0.9, 0.2),
    # civil servants
    Traits((23, 31, 38, 46, 59), 130, (0.25, 0.12, 0.20, 0.08, 0.22, 0.08, 0.06), "3744312122210042",
           ("government-office", "conference-centre", "insurance", "filling-station", "sanatorium",
            "bookshop", "hospital", "park"),
           1.0, 0.9, 0.4, 0.1),
    # students
    Traits((15, 18, 20, 22, 27), 55, (0.65, 0.22, 0.50, 0.25, 0.04, 0.03, 0.45), "0202433686774000",
           ("campus", "dormitory", "bookshop", "net-cafe", "exam-site", "recruitment-site", "cinema", "ktv"),
           1.1, 1.2, 1.3, 0.0),
    # home-makers
    Traits((24, 32, 39, 48, 60), 60, (0.20, 0.08, 0.20, 0.04, 0.06, 0.01, 0.08), "2201036123210056",
           ("market", "supermarket", "mall", "beauty-salon", "park", "hospital", "bus-stop", "insurance"),
           1.0, 0.8, 0.9, -0.1),
    # migrant workers
    Traits((17, 22, 27, 35, 52), 50, (0.30, 0.06, 0.28, 0.10, 0.02, 0.005, 0.15), "0101322344517111",
           ("station", "coach-station", "job-market", "dormitory", "wholesale-market", "net-cafe", "market",
            "bus-stop"),
           1.1, 0.9, 1.8, -0.3),
    # farmers
    Traits((20, 34, 42, 50, 64), 32, (0.10, 0.02, 0.10, 0.02, 0.03, 0.002, 0.02), "0200100021302932",
           ("rural-fair", "wholesale-market", "coach-station", "market", "job-market", "station", "hospital",
            "supermarket"),
           1.4, 0.7, 1.0, -0.5),
    # the elderly
    Traits((58, 63, 67, 73, 90), 30, (0.04, 0.01, 0.03, 0.005, 0.05, 0.002, 0.005), "3501101021200182",
           ("park", "senior-centre", "hospital", "market", "stock-hall", "sanatorium", "bus-stop",
            "supermarket"),
           1.6, 0.8, 0.5, -0.2),
)  # fmt: skip
"""All segments."""

PLACE_NAMES: Final = tuple(
    sorted({name for row in TRAITS for name in row.contact_places} | set(PLACE_OF_CONTENT))
)
"""Kinds of places that are anybody's place of contact; `Population.contact_places` gives indices into it."""
