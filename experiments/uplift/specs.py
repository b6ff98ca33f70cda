"""What one arm of an uplift study is told, and what it gives back; no code of the platform or the simulator.

Subscribers are numbers 0 to n - 1 of the world. Times are microseconds of the world, from midnight of day 1;
-1 stands for never. Days are counted from 1.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from experiments.study import Eligible, Lists
from sim.subscribers.offers import Offer
from sim.subscribers.response import Contacts

__all__ = [
    "BEFORE",
    "ArmName",
    "ArmOutcome",
    "ArmSpec",
    "BlanketPlan",
    "ContactTable",
    "DayTable",
    "Feed",
    "OrderTable",
    "PlannedContact",
    "Potential",
    "TriggerTable",
    "outcome_digest",
]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

ArmName = Literal["control", "precise", "blanket"]
Feed = Literal["behaviours", "signalling"]

DAY_S: Final = 86_400
BEFORE: Final = ("calls", "texts", "service_calls", "switched_on", "orders", "spend")
"""Columns of `ArmOutcome.before`: calls that were answered and texts, on both sides; calls made to service
lines; times the handset was switched on; orders of the study's offers; usual spending in a month."""


@dataclass(frozen=True, slots=True)
class PlannedContact:
    """One contact of the precise arm, as the pattern that a blanket arm repeats."""

    campaign: str
    sub: int
    """Who had it; a blanket arm moves all contacts of one person to another person."""
    day: int
    """Day of the decision, from 1."""
    cost: float = 0.0
    """What it was charged at, in the study's money."""


@dataclass(frozen=True, slots=True)
class BlanketPlan:
    """How the blanket arm sends: to people drawn at random among the eligible, at a fixed hour."""

    by: Literal["reach", "budget"]
    """reach: each person's contacts of the pattern as a whole on another person, so as many people have as
    many contacts of the same campaigns on the same days. budget: each day as many contacts of a campaign as
    the precise arm's money of that day buys at `price`; nobody a second time before everybody has had one."""
    pattern: tuple[PlannedContact, ...]
    """The contacts that the precise arm sent; `ArmOutcome.pattern` of that arm."""
    at: str = "10:00"
    """Local time of day of all group-sending."""
    price: Mapping[str, float] = field(default_factory=dict)
    """budget: campaign -> what one contact costs when it is sent to a list; absent: what it costs in the
    campaign's file."""


@dataclass(frozen=True, slots=True, eq=False)
class ArmSpec:
    """All that decides what an arm gives. It pickles; two arms of one comparison differ in `arm` alone."""

    world: Path
    """World file."""
    seed: int
    """Seed of everything drawn."""
    days: int
    """Days lived."""
    campaigns: tuple[Path, ...]
    """Campaign files; those of output contact count as contacts."""
    policy: Path
    """Contact policy file."""
    offers: tuple[Offer, ...]
    """How people respond; every offer of the campaigns."""
    arm: ArmName
    world_settings: Mapping[str, Any] = field(default_factory=dict)
    """Dotted keys laid over the world file, such as {"population.subscribers": 500}."""
    blanket: BlanketPlan | None = None
    """Needed in the blanket arm, and only there."""
    campaigns_from_day: int = 1
    """First day on which campaigns run; the days before are look-back."""
    treated: Mask | None = None
    """(subscribers,): who may be contacted; the rest stand in the platform's control group. None: all."""
    treated_by_day: Mask | None = None
    """(days,) or (days, subscribers): the same by local day; None: on all days."""
    feed: Feed = "behaviours"
    """behaviours: visible acts as the platform would have made them of the signalling, in this process.
    signalling: the bytes, over the memory transport in lockstep."""
    lists: Lists = field(default_factory=Lists)
    """Shares of the dated lists that the study draws."""
    eligible: Eligible = field(default_factory=Eligible)
    """Who is counted."""
    segments: Path | None = None
    """The platform's table of segments."""
    replays: int = 0
    """Replays of the response draws for the truth; 0: none."""
    tick_s: int = 60
    """Simulated seconds between two meetings of simulator and platform. What the platform submits enters the
    network at the end of a tick, so the tick belongs to the result."""
    covariates: bool = True
    """Whether `ArmOutcome.before` is wanted; without it a control arm need not be lived through."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Offer -> money of one order; absent: 0."""
    live_control: bool = False
    """Lives through a control arm even where nothing of its outcome needs it (a test of that very claim)."""

    def __post_init__(self) -> None:
        """Raises ValueError for keys that do not fit together."""
        problems = []
        if not self.days >= 1:
            problems.append(f"days: {self.days}, expected at least 1")
        if not 1 <= self.campaigns_from_day <= self.days:
            problems.append(f"campaigns_from_day: {self.campaigns_from_day}, expected 1 to {self.days}")
        if not 1 <= self.tick_s <= 3600 or DAY_S % self.tick_s:
            problems.append(f"tick_s: {self.tick_s}, expected a divisor of a day, at most 3600")
        if (self.arm == "blanket") is not (self.blanket is not None):
            problems.append("blanket: a plan is needed in the blanket arm, and only there")
        if self.replays < 0:
            problems.append(f"replays: {self.replays}, expected 0 or more")
        if self.treated is not None and self.treated.ndim != 1:
            problems.append(f"treated: shape {self.treated.shape}, expected (subscribers,)")
        by_day = self.treated_by_day
        if by_day is not None and (by_day.ndim not in (1, 2) or by_day.shape[0] != self.days):
            problems.append(
                f"treated_by_day: shape {by_day.shape}, expected ({self.days},) or ({self.days}, subscribers)"
            )
        if problems:
            raise ValueError("; ".join(problems))

    def as_arm(self, arm: ArmName, blanket: BlanketPlan | None = None) -> ArmSpec:
        """The same study in another arm."""
        return replace(self, arm=arm, blanket=blanket)


@dataclass(frozen=True, slots=True, eq=False)
class ContactTable:
    """Contacts that eligible subscribers' handsets received whole, in the order (t_us, sub, campaign)."""

    sub: I64
    campaign: NDArray[np.str_]
    offer: NDArray[np.str_]
    t_us: I64
    """Receipt of the last part."""
    ordinal: I64
    """Number of the contact among those of this subscriber with this offer, from 0."""
    recent_contacts: I64
    """Contacts in the days before, as fatigue counts them."""
    cell: I64
    """Index of the cell where the handset was; -1: not known."""
    place: I64
    """Index of the place; -1: none."""
    p_take_up: F64
    """The model's probability of taking up because of this contact, given when and where it came."""
    p_organic: F64
    """Probability of an organic take-up of the offer between this contact and the end, given none before."""


@dataclass(frozen=True, slots=True, eq=False)
class OrderTable:
    """Take-ups of eligible subscribers: the first order of an offer, in the order (t_us, sub, offer)."""

    sub: I64
    offer: NDArray[np.str_]
    t_us: I64
    organic: Mask
    """Nobody had asked."""


@dataclass(frozen=True, slots=True, eq=False)
class TriggerTable:
    """Triggers of output contact, of everybody, in the order (t_us, campaign, sub)."""

    campaign: NDArray[np.str_]
    sub: I64
    t_us: I64
    decided_us: I64
    state: NDArray[np.str_]
    reason: NDArray[np.str_]
    """Why it was suppressed or failed; empty where it was sent."""


@dataclass(frozen=True, slots=True, eq=False)
class DayTable:
    """What came to the eligible on each local day lived, (days,) each, look-back included."""

    complaints: I64
    """Complaints made that day."""
    opt_outs: I64
    """People whose wish for no more messages was confirmed that day."""
    cost: F64
    """Money of the contacts decided that day."""
    value: F64
    """Money of that day's take-ups; 0 before the campaigns begin."""


@dataclass(frozen=True, slots=True, eq=False)
class ArmOutcome:
    """What an arm has given: columns over the eligible subscribers, ascending, and what hangs on contacts."""

    arm: ArmName
    days: int
    sub: I64
    segment: NDArray[np.uint8]
    """Index into `sim.subscribers.segments.SEGMENTS`."""
    home_cell: NDArray[np.int32]
    """Index of the cell where he lives, for clusters."""
    ordered: Mask
    """Took up an offer of the study, in the days on which campaigns run."""
    ordered_us: I64
    """When first; -1: not."""
    contacts: NDArray[np.int32]
    """Marketing contacts received."""
    first_contact_us: I64
    """Receipt of the first; -1: none."""
    complaints: NDArray[np.int32]
    opted_out: Mask
    """Asked for no more messages."""
    cost: F64
    """Money of the contacts submitted for him, received or not."""
    value: F64
    """Money of his take-ups."""
    before: F64
    """(people, BEFORE): what the look-back shows of each; 0 where it was not wanted or there is none."""
    replay_share: F64
    """P(take up) over the replays; nan where there are none."""
    replay_means: F64
    """(replays,): share of the eligible who take up in each."""
    contact_table: ContactTable
    by_day: DayTable
    history: Contacts
    """Contacts of offers of the study that anybody received, as replays take them."""
    orders: OrderTable
    trigger_table: TriggerTable
    triggers: Mapping[str, Any]
    """total, sent, held, failed, and suppressed by reason."""
    violations: Mapping[str, int]
    """Of the policy, by rule, judged by what handsets received."""
    trigger_digest: str
    """SHA-256 over the sorted rows (campaign, IMSI, t_us, state, reason) of all triggers."""
    pattern: tuple[PlannedContact, ...] = ()
    """The contacts sent to anybody, in the order of decision: what a blanket plan repeats."""
    cpu_s: Mapping[str, float] = field(default_factory=dict)
    """Where processor time went; a clock's figure, in no digest."""


@dataclass(frozen=True, slots=True, eq=False)
class Potential:
    """Both sides of each eligible subscriber, as only the response model knows them."""

    sub: I64
    offer: tuple[str, ...]
    organic: F64
    """(subscribers, offers): P(take up without contact) from the start of the campaigns to the end."""
    contacted: F64
    """(subscribers, offers): P(take up | one contact at an ordinary moment, nothing received before)."""


def outcome_digest(outcome: ArmOutcome) -> str:
    """SHA-256 over everything in an outcome but the clock's figures: equal for the same spec anywhere."""
    made = hashlib.sha256()
    _feed(made, outcome)
    return made.hexdigest()


def _feed(made: Any, value: Any) -> None:
    for one in fields(value):
        if one.name == "cpu_s":
            continue
        held = getattr(value, one.name)
        made.update(one.name.encode())
        if isinstance(held, np.ndarray):
            column = np.char.encode(held, "utf-8") if held.dtype.kind == "U" else held
            made.update(f"{held.dtype.kind}{held.shape}".encode())
            rows = b"\0".join(column.tolist()) if held.dtype.kind == "U" else column.tobytes()
            made.update(rows)
        elif hasattr(held, "__dataclass_fields__"):
            _feed(made, held)
        elif isinstance(held, Mapping):
            made.update(json.dumps(dict(held), sort_keys=True).encode())
        else:
            made.update(repr(held).encode())
