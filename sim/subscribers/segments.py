"""The nine segments: what tells a student's day from a farmer's, in one table.

Shares come from the world file (`segments:`), in the order of this table. Rates are factors on the world's
means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BRANDS: Final = ("gotone", "easyown", "mzone")
"""Brands; `Population.brand` is an index into it."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment. Times are minutes after midnight."""

    name: str
    brands: tuple[float, float, float]
    """Weights of BRANDS."""
    home: str
    """`town` anywhere, `campus` in the dormitories, `edge` at the outskirts."""
    work: str
    """`office` at the office park, `town` elsewhere in the town, `campus`, `edge` near home, or `none`."""
    leaves_min: int
    """Usual time of leaving for work (or for the morning's errand)."""
    returns_min: int
    """Usual time of leaving work."""
    rounds: float
    """Chance that part of a working day is spent away from work: at customers, sites, other halls."""
    lunch_out: float
    """Chance of going out at noon on a working day without that."""
    evening_out: float
    """Chance of an outing after work."""
    weekend_out: float
    """Chance of an outing on a free day (and, for those without work, on any day)."""
    about_town: float
    """Share of outings that lead to no place in particular: friends, streets, small shops."""
    airport: float
    """Factor on the world's share of people at the airport on a day."""
    calls: float
    texts: float
    services: float
    """Factor on calls to service lines."""
    night_off: float
    """Factor on the world's share of people who switch off at night."""
    prices: tuple[float, float, float]
    """Weights of handset price classes 1, 2, 3."""


SEGMENTS: Final = (
    Segment("business_travellers", (9, 1, 0), "town", "office", 485, 1110, 0.65, 0.45, 0.55, 0.75,
            0.65, 5.0, 2.2, 0.9, 1.3, 0.4, (0, 3, 7)),
    Segment("urban_women", (3, 4, 3), "town", "office", 500, 1050, 0.30, 0.45, 0.45, 0.90,
            0.55, 0.8, 1.2, 1.4, 1.2, 0.7, (1, 6, 3)),
    Segment("office_staff", (4, 4, 2), "town", "office", 490, 1090, 0.35, 0.45, 0.40, 0.80,
            0.60, 1.2, 1.2, 1.1, 1.1, 0.6, (2, 6, 2)),
    Segment("civil_servants", (7, 3, 0), "town", "town", 465, 1050, 0.35, 0.35, 0.35, 0.75,
            0.60, 1.4, 1.1, 0.7, 0.9, 0.8, (2, 6, 2)),
    Segment("students", (0, 2, 8), "campus", "campus", 475, 1010, 0.50, 0.35, 0.45, 0.80,
            0.50, 0.3, 0.6, 2.0, 1.0, 1.2, (4, 5, 1)),
    Segment("home_makers", (1, 7, 2), "town", "none", 555, 660, 0.00, 0.00, 0.35, 0.90,
            0.70, 0.4, 0.8, 0.6, 0.9, 1.1, (5, 4, 1)),
    Segment("migrant_workers", (0, 9, 1), "edge", "town", 425, 1110, 0.55, 0.30, 0.35, 0.65,
            0.70, 0.3, 0.9, 0.9, 0.8, 1.0, (8, 2, 0)),
    Segment("farmers", (0, 10, 0), "edge", "edge", 400, 1050, 0.50, 0.20, 0.25, 0.65,
            0.60, 0.2, 0.6, 0.3, 0.6, 1.6, (9, 1, 0)),
    Segment("elderly", (2, 8, 0), "town", "none", 430, 560, 0.00, 0.00, 0.25, 0.85,
            0.65, 0.3, 0.5, 0.2, 0.8, 1.9, (9, 1, 0)),
)  # fmt: skip
"""All segments; `Population.segment` is an index into it."""
