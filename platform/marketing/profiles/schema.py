"""What the extract may tell: types, the declared columns with their meaning, and names of any others.

A declared column is read as its type, whatever the file says. Any other column is kept as an attribute: in
Parquet of the type that the file gives it, in CSV as text, or of the type that its header names
(`points:int`). Nothing is guessed from values: a file with one odd row would change the type of a column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from marketing.config import suggest

__all__ = ["DECLARED", "NAME", "TYPES", "Declared", "Type", "UnknownColumn", "declared", "unknown_column"]

Type = Literal["bool", "int", "double", "string", "list"]
TYPES: Final[tuple[str, ...]] = get_args(Type)
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
"""How a column may be called, so that an expression can name it: `profile.NAME`."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One column that the platform knows by name."""

    name: str
    type: Type
    meaning: str
    source: str = "BOSS"
    """Which system of the operator knows it."""
    unit: str = ""
    least: int | None = None
    """Smallest value that is no mistake; whole numbers only."""
    most: int | None = None


DECLARED: Final[dict[str, Declared]] = {
    one.name: one
    for one in (
        Declared("brand", "string", "brand of the tariff, such as gotone, easyown, mzone"),
        Declared("language", "string", "language of messages: zh or en"),
        Declared("tariff", "string", "tariff plan"),
        Declared("city", "string", "city in which the number was given out"),
        Declared("services", "list", "services held, such as mms, ring-back-tone, wap"),
        Declared("terminal", "string", "maker and model of the handset last known"),
        Declared("age", "int", "age", unit="years", least=0, most=130),
        Declared("arpu", "int", "usual spending in a month", "BI", "yuan", 0, 1_000_000),
        Declared("arpu_band", "string", "band of monthly spending, such as 60-119", "BI", "yuan"),
        Declared(
            "bundle_minutes", "int", "minutes a month that the tariff includes", "BOSS", "minutes", 0, 100_000
        ),
        Declared("segment", "string", "customer segment, such as students", "BI"),
        Declared("interests", "list", "contents liked, such as news, games, music", "BI"),
        Declared("often_off", "bool", "switches off by day on most days", "BI"),
        Declared("often_rejects", "bool", "often rejects calls", "BI"),
    )
}
"""Name -> column; `imsi` and `msisdn`, which every extract has, are no columns but say whose row it is."""


class UnknownColumn(LookupError):  # noqa: N818 - the name says what happened
    """Neither the extract nor the declared schema has this column."""


def declared(name: str) -> Declared | None:
    """The declared column of a name."""
    return DECLARED.get(name)


def unknown_column(name: str, present: tuple[str, ...]) -> UnknownColumn:
    """Says which columns there are, the nearest first."""
    known = sorted({*present, *DECLARED})
    near = suggest(name, known)
    hint = f"; did you mean {near!r}?" if near else ""
    return UnknownColumn(f"no column {name!r} in the extract; known are {', '.join(known)}{hint}")
