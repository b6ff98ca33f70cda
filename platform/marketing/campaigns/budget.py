"""How many contacts a campaign may spend, over all subscribers together, by the policy's calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from marketing.config import Strict

__all__ = ["ALWAYS", "Budget", "instant_us"]

Per = Literal["campaign", "day", "week", "month"]
ALWAYS: Final = (-(1 << 62), 1 << 62)
"""From before to after all instants, Unix us."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_US: Final = 1_000_000


class Budget(Strict):
    """Contacts that may be reserved at most; a plain number is of the whole campaign."""

    contacts: int = Field(ge=1, le=1_000_000_000)
    """Contacts at most, of all subscribers together; what has demonstrably not left is given back."""
    per: Per = "campaign"
    """campaign: once and for all. day, week, month: anew in each, of the policy's time zone; weeks begin on
    Monday. The instant of decision tells which one a contact is of."""

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        return {"contacts": value} if plain else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Editors are told of the plain number too."""
        keys = handler.resolve_ref_schema(handler(schema))
        number = {k: v for k, v in keys["properties"]["contacts"].items() if k not in ("title", "default")}
        return {"anyOf": [number, dict(keys)]}

    def span_us(self, at_us: int, zone: str) -> tuple[int, int]:
        """The period around an instant: its first instant and the first after it, Unix us.

        Periods begin at local midnight, follow each other without a gap and share no instant.
        """
        if self.per == "campaign":
            return ALWAYS
        day = datetime.fromtimestamp(at_us // _SECOND_US, ZoneInfo(zone)).date()
        start_us, end_us = _period_us(day, self.per, zone)
        # Where clocks go back over midnight a day comes twice; its second part is of the day after.
        return (start_us, end_us) if at_us < end_us else _period_us(day + timedelta(days=1), self.per, zone)


@lru_cache(maxsize=4096)
def _period_us(day: date, per: Per, zone: str) -> tuple[int, int]:
    first = day
    after = day + timedelta(days=1)
    if per == "week":
        first = day - timedelta(days=day.weekday())
        after = first + timedelta(days=7)
    elif per == "month":
        first = day.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
    return instant_us(first, zone), instant_us(after, zone)


def instant_us(day: date, zone: str) -> int:
    """When a local day begins, Unix us."""
    moment = datetime.combine(day, time(0), ZoneInfo(zone)).astimezone(UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)
