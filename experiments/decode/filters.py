"""`kairos decode --filter`: which messages are wanted, by the keys that they have."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from experiments.decode.formats import KEYS, View
from experiments.problems import BadInput

__all__ = ["FORMS", "Filter", "Filters", "parse_filters", "passes"]

FORMS: Final = "KEY=VALUE, KEY!=VALUE, KEY~REGEX or KEY!~REGEX"
_FORM: Final = re.compile(r"\s*(\w+)\s*(!=|!~|=|~)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on one key. A key that a message does not have counts as empty text."""

    key: str
    accepts: Callable[[str], bool]
    wanted: bool
    """False: messages that `accepts` refuses."""


Filters = tuple[Filter, ...]
"""All of them must hold."""


def parse_filters(texts: Iterable[str]) -> Filters:
    """Conditions as written on the command line. Raises BadInput with all that are none."""
    filters: list[Filter] = []
    wrong: list[str] = []
    for text in texts:
        try:
            filters.append(_parse(text))
        except BadInput as error:
            wrong += error.lines
    if wrong:
        raise BadInput(wrong)
    return tuple(filters)


def _parse(text: str) -> Filter:
    found = _FORM.fullmatch(text)
    if found is None:
        raise BadInput(f"--filter {text}: {FORMS} is wanted")
    key, sign, value = found.groups()
    if key not in KEYS:
        near = difflib.get_close_matches(key.lower(), KEYS, n=3, cutoff=0.6)
        near.sort(key=lambda known: sorted(known) != sorted(key))  # letters that changed places first
        hint = f"; did you mean {near[0]}?" if near else ""
        raise BadInput(f"--filter {text}: no key is called {key}{hint} Keys are {', '.join(KEYS)}")
    if sign.endswith("="):
        return Filter(key, value.__eq__, wanted=sign == "=")
    try:
        pattern = re.compile(value)
    except re.error as error:
        raise BadInput(f"--filter {text}: {value} is no regular expression: {error}") from None
    return Filter(key, lambda shown: pattern.search(shown) is not None, wanted=sign == "~")


def _text(value: Any) -> str:
    """As the JSON lines show it, strings without their quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def passes(found: View, filters: Filters) -> bool:
    """Whether a message has what all filters want."""
    return all(
        one.accepts(_text(found[one.key]) if one.key in found else "") == one.wanted for one in filters
    )
