"""What a judge says of messages; every judge gives one, and the command prints it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Verdict"]


@dataclass(slots=True)
class Verdict:
    """What one judge said of a run."""

    judge: str
    version: str
    messages: int = 0
    complaints: list[tuple[str, str]] = field(default_factory=list)
    """(what is wrong, the message in hexadecimal)"""
    compared: Counter[str] = field(default_factory=Counter)
    """Field -> messages in which both spoke of it."""
    confirmed: Counter[str] = field(default_factory=Counter)
    """`protocol: message type` -> how many the judge confirmed."""
    elements: Counter[str] = field(default_factory=Counter)
    """`message: element` -> how often the judge met it in a message that it confirmed."""
    excused: Counter[str] = field(default_factory=Counter)
    """Excuse -> messages that needed it."""
