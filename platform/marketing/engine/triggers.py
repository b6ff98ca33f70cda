"""What passes through the engine: triggers, contacts, decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from marketing.behaviours import BehaviourBatch
from marketing.campaigns import Campaign
from marketing.contact import PLAIN, Kind, Reason, Span

if TYPE_CHECKING:
    from marketing.engine.judged import Judged

__all__ = ["BY_TIME", "ORIGINS", "Contact", "Decision", "Origin", "Stamp", "Trigger", "no_stamp"]

Stamp = Callable[[], int]
Action = Literal["send", "hold", "suppress", "output"]
"""output: for a file; nobody is contacted."""
Origin = Literal["behaviour", "absence", "dwell", "group", "follow_up", "manual"]
"""absence: a pattern that ends by something not happening in time. manual: an operator's selection."""
ORIGINS: Final[tuple[Origin, ...]] = get_args(Origin)
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
    """Whose month it counts in; its day is the local day of its latest possible receipt."""
    ordinal: int
    submit_before_us: int
    valid_until_us: int
    decided_us: int = 0
    latest_us: int = 0
    """It cannot be received later, Unix us."""
    kind: Kind = PLAIN
    """Class and channel, as rules ask for them."""
    channel: str = "sms"
    language: str = ""
    """The subscriber's, where the extract tells it."""


class Decision:
    """What the policy said of one trigger; a held one is decided again at its release.

    One entry of the columns in which all that was judged together is kept: trigger and contact become objects
    for whoever asks.
    """

    __slots__ = ("_at", "_contact", "_of", "_trigger")

    def __init__(self, of: Judged, at: int) -> None:
        self._of, self._at = of, at
        self._trigger: Trigger | None = None
        self._contact: Contact | None = None

    @property
    def judged(self) -> Judged:
        """The columns that it is an entry of."""
        return self._of

    @property
    def trigger(self) -> Trigger:
        """What was judged."""
        if self._trigger is None:
            self._trigger = self._of.trigger(self._at)
        return self._trigger

    @property
    def action(self) -> Action:
        """What was decided."""
        return self._of.action(self._at)

    @property
    def reason(self) -> Reason:
        """Why it is suppressed, or what a held one waits for."""
        return self._of.reason(self._at)

    @property
    def t_us(self) -> int:
        """The instant it was decided for, Unix us; never before the trigger's."""
        return int(self._of.at_us[self._at])

    @property
    def decided_ns(self) -> int:
        """Stage stamp."""
        return self._of.decided_ns

    @property
    def held_until_us(self) -> int:
        """When a held one will be decided again. Otherwise when it was released; 0 = never held."""
        return self._of.held_until_us(self._at)

    @property
    def contact(self) -> Contact | None:
        """What to send; None where nothing is sent."""
        if self._contact is None and self.action == "send":
            self._contact = self._of.contact(self._at, self.trigger)
        return self._contact

    @property
    def arm(self) -> str:
        """The subscriber's arm, where the campaign has an experiment."""
        return self._of.arm(self._at)

    def _all(self) -> tuple[Any, ...]:
        names = ("trigger", "action", "reason", "t_us", "decided_ns", "held_until_us", "contact", "arm")
        return tuple(getattr(self, name) for name in names)

    def __eq__(self, other: object) -> bool:
        return self._all() == other._all() if isinstance(other, Decision) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.trigger, self.t_us))

    def __repr__(self) -> str:
        return f"Decision{self._all()}"
