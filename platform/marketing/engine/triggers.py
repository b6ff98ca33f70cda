"""What passes through the engine: triggers, contacts, decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from marketing.behaviours import BehaviourBatch
from marketing.campaigns import Campaign
from marketing.contact import Reason, Span

__all__ = ["BY_TIME", "Contact", "Decision", "Origin", "Stamp", "Trigger", "Wish", "no_stamp"]

Stamp = Callable[[], int]
Origin = Literal["behaviour", "absence", "dwell", "group", "follow_up", "manual"]
"""absence: a pattern that ends by something not happening in time. manual: an operator's selection."""
BY_TIME: Final = 1 << 30
"""Order of what the passing of time brings: after everything that was done at the same instant."""


def no_stamp() -> int:
    """No clock for stage stamps."""
    return 0


@dataclass(frozen=True, slots=True)
class Trigger:
    """Rule + subscriber + instant: a wish to contact."""

    trigger_id: str
    campaign: str
    row: int
    """The subscriber's row in the profiles."""
    imsi: str
    msisdn: str
    t_us: int
    """When the scene was complete, or its timer due; Unix us."""
    corr: int
    """Correlation id of the message that completed it; dwell: of the one that began the stay; 0 = none."""
    origin: Origin
    received_ns: int = 0
    decoded_ns: int = 0
    matched_ns: int = 0
    event: BehaviourBatch | None = field(default=None, compare=False, repr=False)
    """The behaviour that completed it, one row, where the text tells of it."""
    values: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)
    """Placeholder -> value as of then, where the text has placeholders; not kept over a restart."""


@dataclass(frozen=True, slots=True)
class Contact:
    """One message to one person, decided but not yet reserved."""

    contact_id: str
    campaign: Campaign
    msisdn: str
    text: str
    span: Span
    ordinal: int
    submit_before_us: int
    valid_until_us: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy said of one trigger; a held one is decided again at its release."""

    trigger: Trigger
    action: Literal["send", "hold", "suppress", "output"]
    """output: for a file; nobody is contacted."""
    reason: Reason
    t_us: int
    """The instant it was decided for, Unix us; never before the trigger's."""
    decided_ns: int
    held_until_us: int = 0
    """hold: when it will be decided again. Otherwise when it was released; 0 = never held."""
    contact: Contact | None = None
    """send only."""
    arm: str = ""
    """The subscriber's arm, where the campaign has an experiment."""


class Wish(NamedTuple):
    """A trigger about to be judged; tuples sort in the order of judgement."""

    at_us: int
    when_us: int
    """When it came about: completed, due or released."""
    turn: int
    """Which of the subscriber's rows of that instant completed it; BY_TIME: none."""
    priority: int
    """Negated: higher goes first."""
    campaign: str
    imsi: str
    t_us: int
    trigger: Trigger
    released: bool
