"""All that decisions depend on, in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BehaviourBatch, empty
from marketing.campaigns import CHANNELS, Campaign, Target
from marketing.contact import Book, Policy, Reason
from marketing.engine.judging import Roster
from marketing.engine.texts import Texts
from marketing.engine.triggers import Trigger
from marketing.engine.view import EngineView
from marketing.features import Dues, Habits, Presence, Timer, Timers, Waves
from marketing.profiles import Places, Profiles, Terminals
from marketing.rules import Rules, catalogue_of

__all__ = ["EngineState", "Rank", "TurnsTold", "compile_rules", "lines_of", "new_state", "schedule_group"]


Rank = tuple[float, float, str, int, int]
"""Of holds that end together the lowest goes first: priority and value, negative; campaign, instant, IMSI."""
TurnsTold = Callable[[int, list[Rank], bool], tuple[list[int], tuple[int, int]]]
"""See `EngineState.turns_told`."""


@dataclass(slots=True)
class EngineState:
    """Columns for crowds, objects for the few that are held or due."""

    profiles: Profiles
    places: Places
    campaigns: tuple[Campaign, ...]
    policy: Policy
    view: EngineView
    rules: Rules
    book: Book
    dues: Dues
    """Next moment at which a stay has lasted long enough for some campaign."""
    waves: Waves
    stay_corr: NDArray[np.uint32]
    """Correlation id of the message that showed the present stay; empty where no campaign waits for stays."""
    texts: Texts
    reads: frozenset[str]
    """Names that any condition reads."""
    timers: Timers = field(default_factory=Timers)
    """Groups, releases, follow-ups."""
    held: dict[tuple[int, str], Trigger] = field(default_factory=dict)
    """(row, campaign) -> the trigger on hold."""
    groups: dict[tuple[str, int], NDArray[np.int64]] = field(default_factory=dict)
    """(campaign, due) -> rows to contact then."""
    following: dict[int, list[tuple[int, str, str]]] = field(default_factory=dict)
    """Row -> follow-ups that wait for an answer not to come: (due, campaign, campaign of the first
    contact).
    """
    unknown_imsi: int = 0
    """Behaviours of subscribers that the extract does not know."""
    numbers: dict[str, int] = field(default_factory=dict)
    """Campaign name -> position."""
    reached_us: int = 0
    """Everything due until then has been fired."""
    published_us: int = 0
    """The whole minute whose crowds are told."""
    lately: tuple[int, frozenset[str]] = (0, frozenset())
    """The latest instant of a behaviour that triggered, and the triggers of that instant."""
    pruned: int = 0
    """The month, year x 100 + month, at whose begin the book forgot what no rule asks for any more."""
    log_pruned: int = 0
    """The local day at whose begin single contacts were forgotten that no rule asks for any more."""
    releases: tuple[int, int] = (0, 0)
    """The latest second that has been given to releases of holds, Unix seconds, and to how many."""
    ended: list[tuple[Trigger, Reason]] = field(default_factory=list)
    """Triggers that will not be decided any more, for whoever writes them down; see `take_ended`."""
    rostered: Roster | None = None
    """See `roster`."""
    crowds_told: Callable[[int, NDArray[np.int32]], NDArray[np.int32]] | None = field(
        default=None, repr=False, compare=False
    )
    """Where other engines have other subscribers: people by cell here, at a whole minute -> over all."""
    turns_told: TurnsTold | None = field(default=None, repr=False, compare=False)
    """Where other engines have other subscribers, and releases are spread: the second from which turns are
    given, who asks in order, whether all engines ask at this instant -> seconds, and `releases` after that.
    """
    reach: frozenset[str] = frozenset(CHANNELS)
    """Channels that are there and up."""
    derived: list[BehaviourBatch] = field(default_factory=list)
    """Behaviours that followed from others, for whoever writes them down; see `take_derived`."""

    def roster(self) -> Roster:
        """What judging must know of the campaigns as they are now."""
        known = self.rostered
        if known is None or known.campaigns is not self.campaigns or known.book_names is not self.book.names:
            known = self.rostered = Roster.of(self.campaigns, self.policy, self.book)
        return known

    @property
    def features(self) -> Presence:
        """Where everybody is, and whether on."""
        return self.view.presence

    @property
    def habits(self) -> Habits:
        """What everybody's behaviours add up to."""
        return self.view.habits

    @property
    def judges_at_once(self) -> bool:
        """Some condition asks for the last contact: each wave is judged before the next is matched."""
        return "last.contact" in self.reads

    @property
    def tells_crowds(self) -> bool:
        """Some condition asks for crowds: time may go on by a minute only."""
        return "now.crowd" in self.reads

    @property
    def minute_by_minute(self) -> bool:
        """Whole minutes matter: crowds are told then, silence is noted, or follow-ups may fall due."""
        return self.tells_crowds or self.features.silence_us > 0 or self.roster().has_follow_ups

    def take_derived(self) -> BehaviourBatch:
        """The derived behaviours since the last call, in the order of time."""
        if not self.derived:
            return empty()
        found = np.concatenate(self.derived)
        self.derived.clear()
        return found[np.argsort(found["t_us"], kind="stable")]

    def take_ended(self) -> list[tuple[Trigger, Reason]]:
        """Triggers on hold whose campaign or subscriber has gone since the last call."""
        ended, self.ended = self.ended, []
        return ended

    def __deepcopy__(self, _memo: dict[int, object]) -> EngineState:
        from marketing.engine.snapshot import twin  # it makes these

        return twin(self)

    @property
    def nbytes(self) -> dict[str, int]:
        """Octets held for subscribers, by what they are for; scratch of a batch is not among them."""
        return {
            "presence": self.features.nbytes,
            "habits": self.habits.nbytes,
            "dues": self.dues.nbytes + self.stay_corr.nbytes,
            "waves": self.waves.nbytes,
            "book": self.book.nbytes,
            "rules": self.rules.nbytes,
            "profiles": self.profiles.nbytes,
        }


def new_state(
    profiles: Profiles,
    places: Places,
    campaigns: Sequence[Campaign],
    policy: Policy,
    book: Book,
    *,
    terminals: Terminals | None = None,
    silence_us: int = 0,
) -> EngineState:
    """A state that knows the campaigns and has seen nothing yet.

    `silence_us`: who is silent for longer is taken for switched off at the next whole minute; 0 = nobody.
    """
    n = len(profiles)
    view = EngineView.of(profiles, places, policy, book, terminals, silence_us)
    rules = compile_rules(campaigns, profiles, places, policy, view)
    view.habits = view.habits.keep_lines(lines_of(rules))
    return EngineState(
        profiles,
        places,
        tuple(campaigns),
        policy,
        view,
        rules,
        book,
        Dues(n),
        Waves(n),
        np.zeros(n if rules.dwells else 0, dtype=np.uint32),
        Texts.of_campaigns(tuple(campaigns), profiles),
        rules.reads,
        numbers={c.campaign: i for i, c in enumerate(campaigns)},
    )


def compile_rules(
    campaigns: Sequence[Campaign],
    profiles: Profiles,
    places: Places,
    policy: Policy,
    view: EngineView,
    before: Rules | None = None,
) -> Rules:
    """Rules that read their features from this view; `before`: see `Rules.compile`."""
    zone = policy.file.timezone if policy is not None else "UTC"
    catalogue = catalogue_of(profiles)
    return Rules.compile(campaigns, profiles, places, zone=zone, view=view, catalogue=catalogue, like=before)


def lines_of(rules: Rules) -> list[str]:
    """The service lines whose last contact some campaign asks for."""
    return sorted(name[5:-1] for name in rules.reads if name.startswith("last["))


def schedule_group(state: EngineState, campaign: Campaign, targets: Iterable[Target], day_1_us: int) -> int:
    """Sets a group campaign's timers; `day_1_us` is any instant of day 1. Returns how many are unknown."""
    if campaign.group is None:
        raise ValueError(f"{campaign.campaign} is no group campaign")
    hours = state.policy.hours
    first = hours.local(day_1_us).date()
    by_due: dict[int, set[int]] = {}
    unknown = 0
    for target in targets:
        row = state.profiles.row_of_msisdn(target.msisdn)
        if row < 0:
            unknown += 1
            continue
        day = first.fromordinal(first.toordinal() + target.day - 1)
        by_due.setdefault(hours.instant_us(day, campaign.group.at), set()).add(row)
    for due_us, rows in by_due.items():
        state.groups[campaign.campaign, due_us] = np.array(sorted(rows), dtype=np.int64)
        state.timers.add(Timer(due_us, "group", campaign.campaign, -1))
    return unknown
