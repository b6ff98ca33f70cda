"""Values of files that are more than a number or any text: text of some form, days, times, networks.

pydantic takes seconds for times and times for days, and shows a regular expression where a text does not fit
one. Here every value is what it looks like, and what was expected is said in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

__all__ = [
    "Form",
    "IpNetwork",
    "LocalDay",
    "Moment",
    "NamedPath",
    "TimeOfDay",
    "WebAddress",
    "Words",
]


@dataclass(frozen=True, slots=True)
class Form:
    """What a text must look like. Stands in `Annotated`, behind bounds of its length."""

    pattern: str
    """For editors, from ^ to $."""
    words: str
    """For people, what comes after "expected"."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._fits, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": self.pattern}

    def _fits(self, text: str) -> str:
        if re.fullmatch(self.pattern, text) is None:
            raise PydanticCustomError("text_form", "expected {words}", {"words": self.words})
        return text


Words = Annotated[
    str,
    Field(max_length=60),
    Form(r"^[a-z0-9]+(-[a-z0-9]+)*$", "words of small letters and digits, joined by hyphens"),
]
"""Names of campaigns, classes, lists."""
WebAddress = Annotated[
    str, Form(r"^https?://[^\s]+$", "an address that begins with http:// or https://, without spaces")
]


def _read(kind: type, pattern: str, make: Callable[[str], object], words: str) -> BeforeValidator:
    """Takes text of one form alone, and what is one already: no number, no other notation."""

    def check(value: object) -> object:
        if type(value) is kind:
            return value
        if isinstance(value, str) and re.fullmatch(pattern, value):
            with suppress(ValueError):
                return make(value)
        raise PydanticCustomError("value_form", "expected {words}", {"words": words})

    return BeforeValidator(check)


_DAY: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME: Final = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"

LocalDay = Annotated[date, _read(date, _DAY, date.fromisoformat, "a date such as 2009-01-31")]
TimeOfDay = Annotated[
    time, _read(time, _TIME, time.fromisoformat, "a time of day such as 21:00, up to 23:59:59")
]
"""Local, so without an offset."""
Moment = Annotated[
    datetime,
    _read(
        datetime,
        rf"{_DAY}([T ]{_TIME}(Z|[+-][0-9]{{2}}:?[0-9]{{2}})?)?",
        datetime.fromisoformat,
        "a date and time such as 2009-01-31T00:00:00, with an offset such as +08:00 or without",
    ),
]


def _network(value: object) -> object:
    if isinstance(value, str):
        with suppress(ValueError):
            return ip_network(value)
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    raise PydanticCustomError("value_form", "expected an address, or a network such as 10.1.2.0/24")


IpNetwork = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]


def _path(value: object) -> object:
    if isinstance(value, str) and value:
        return Path(value)
    if isinstance(value, Path):
        return value
    raise PydanticCustomError("value_form", "expected the name of a file")


NamedPath = Annotated[Path, BeforeValidator(_path)]
"""A path as written in a file."""
