"""Texts with placeholders: read once, filled without ever being read again, so that no value can inject."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from marketing.config import suggest

__all__ = ["PLACEHOLDERS", "Placeholder", "Template", "template"]

VALUE_MAX: Final = 60
"""Characters of a value that a text takes at most."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A name that texts may hold in braces."""

    name: str
    meaning: str
    source: str
    """Feature of the catalogue; empty: the campaign itself says it, always."""


PLACEHOLDERS: Final[dict[str, Placeholder]] = {
    p.name: p
    for p in (
        Placeholder("offer", "name of the offer at BOSS", ""),
        Placeholder("sender", "number to reply to: the originator", ""),
        Placeholder("place", "place where the subscriber is", "now.place"),
        Placeholder("peer", "other side's number of the behaviour that completed the scene", "event.peer"),
        Placeholder("minutes_left", "minutes of the bundle not yet used this month", "habit.minutes_left"),
        Placeholder("minutes_used", "minutes called this month", "habit.minutes_used"),
        Placeholder("brand", "the subscriber's brand", "profile.brand"),
        Placeholder("tariff", "the subscriber's tariff", "profile.tariff"),
        Placeholder("city", "the subscriber's city", "profile.city"),
        Placeholder("maker", "maker of the handset", "terminal.maker"),
        Placeholder("model", "model of the handset", "terminal.model"),
    )
}
"""The whole table; nothing else can be said in braces."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text in pieces: plain, or (placeholder, fallback)."""

    pieces: tuple[str | tuple[str, str], ...]

    @property
    def names(self) -> frozenset[str]:
        """Placeholders used."""
        return frozenset(piece[0] for piece in self.pieces if not isinstance(piece, str))

    def fill(self, values: Mapping[str, object]) -> str:
        """The text with values; None, an empty value or none at all gives the fallback."""
        return "".join(
            piece if isinstance(piece, str) else _shown(values.get(piece[0])) or piece[1]
            for piece in self.pieces
        )


def _shown(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.10g}" if isinstance(value, float) else str(value)
    # A control or format character in a value could break a line or turn the reading direction.
    safe = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    return " ".join(safe.split())[:VALUE_MAX]


@lru_cache(maxsize=4096)
def template(text: str) -> Template:
    """Reads `{name}`, `{name|fallback}`, and `{{` and `}}` for braces themselves.

    Raises:
        ValueError: a brace alone, an unknown name, or no fallback where a value may be missing.
    """
    pieces: list[str | tuple[str, str]] = []
    plain: list[str] = []
    at = 0
    while at < len(text):
        if text[at : at + 2] in ("{{", "}}"):
            plain.append(text[at])
            at += 2
        elif text[at] == "}":
            raise ValueError(f"character {at + 1}: a closing brace alone; write }}}} for one brace")
        elif text[at] == "{":
            end = text.find("}", at)
            if end < 0 or "{" in text[at + 1 : end]:
                raise ValueError(f"character {at + 1}: this brace is not closed; write {{{{ for one brace")
            if plain:
                pieces.append("".join(plain))
                plain.clear()
            pieces.append(_placeholder(text[at + 1 : end], at + 1))
            at = end + 1
        else:
            plain.append(text[at])
            at += 1
    if plain:
        pieces.append("".join(plain))
    return Template(tuple(pieces))


def _placeholder(inside: str, at: int) -> tuple[str, str]:
    name, bar, fallback = inside.partition("|")
    known = PLACEHOLDERS.get(name)
    if known is None:
        near = suggest(name, list(PLACEHOLDERS))
        hint = f" (did you mean {near!r}?)" if near else ""
        names = ", ".join(PLACEHOLDERS)
        raise ValueError(f"character {at}: no placeholder {name!r}; known are {names}{hint}")
    if known.source and not bar:
        raise ValueError(
            f"character {at}: {{{name}}} may be unknown of a subscriber; say what stands there then, "
            f"such as {{{name}|...}}"
        )
    return name, fallback
