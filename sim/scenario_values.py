"""Values of world files that are more than a number or any text: text of some form, and days.

pydantic shows a regular expression where a text does not fit one, and takes times for days. Here what was
expected is said in words, and a day is written as one.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

__all__ = ["STRICT", "Day", "Digits", "Form", "Name"]

STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
"""Of all that is read from files: no unknown keys, no numbers as text or booleans, nothing infinite."""


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


Name = Annotated[str, Form(r"^[a-z][a-z0-9-]*$", "small letters, digits and hyphens, a letter first")]
Digits = Form(r"^[0-9]+$", "digits alone")
"""Behind the bounds of how many."""


def _day(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    if type(value) is date:
        return value
    raise PydanticCustomError("value_form", "expected a date such as 2009-01-31")


Day = Annotated[date, BeforeValidator(_day)]
