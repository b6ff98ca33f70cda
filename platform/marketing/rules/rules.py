"""All scenes of the running campaigns: rows to candidates, candidates to symbols, symbols to completions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BehaviourBatch
from marketing.campaigns import PLACEHOLDERS, Campaign
from marketing.expressions import (
    CATALOGUE,
    AnyColumn,
    Catalogue,
    Expression,
    View,
    split_expression,
)
from marketing.profiles import Places, Profiles
from marketing.rules.audiences import Known, audience_bits, members
from marketing.rules.automata import Automata
from marketing.rules.completions import Completions
from marketing.rules.finish import Finish, static_audience
from marketing.rules.local_time import LocalTime
from marketing.rules.peers import numbers_on, on_numbers
from marketing.rules.program import Dwell, compile_program
from marketing.rules.select import Selection
from marketing.rules.sources import Events, Sources
from marketing.rules.telling import Telling

if TYPE_CHECKING:
    from marketing.rules.automata import Completed

__all__ = ["Rules"]


class Rules:
    """Made once for a set of campaigns; holds the live partial matches of their patterns."""

    def __init__(
        self,
        campaigns: Sequence[Campaign],
        profiles: Profiles,
        places: Places,
        *,
        zone: str,
        view: View | None = None,
        catalogue: Catalogue = CATALOGUE,
        most_partial: int = 4_000_000,
        like: Rules | None = None,
    ) -> None:
        """As `compile`."""
        self.campaigns = tuple(campaigns)
        self._places = places
        self._catalogue = catalogue
        self._local = LocalTime.of(zone)
        self._sources = Sources(profiles, self._local, view, catalogue)
        self._program = compile_program(campaigns, places, catalogue)
        self._finish = [Finish.of(campaign, places, zone, catalogue) for campaign in campaigns]
        self._check_view(view)
        program = self._program
        self._selection = Selection(len(campaigns), program.steps, program.peers, program.prefixes)
        self._automata = Automata(program.stages, program.first, program.within_us, most_partial)
        same = like is not None and like._sources.profiles is profiles
        known = Known(like.campaigns, like._bits) if like is not None and same else None
        self._bits: NDArray[np.uint8] = audience_bits(campaigns, self._sources, catalogue, known)
        self._peer_lists = [numbers_on(name, profiles) for name in program.lists]
        self._listed = program.steps["list"] >= 0
        self._conditioned = program.steps["condition"] >= 0
        self._pattern_of_step = program.pattern_of[program.steps["campaign"]]
        self._kinds = np.zeros(256, dtype=np.bool_)
        self._kinds[program.steps["kind"]] = True
        self._needs_place = self._selection.by_place
        self._asks = np.array([finish.asks for finish in self._finish], dtype=np.bool_)
        self._valid_us = np.array([f.valid_us for f in self._finish], dtype=np.int64).reshape(-1, 2)

    @classmethod
    def compile(
        cls,
        campaigns: Sequence[Campaign],
        profiles: Profiles,
        places: Places,
        *,
        zone: str = "UTC",
        view: View | None = None,
        catalogue: Catalogue = CATALOGUE,
        most_partial: int = 4_000_000,
        like: Rules | None = None,
    ) -> Rules:
        """Numbers campaigns by their position.

        `zone`: IANA name for days and hours. `view`: gives the dynamic features. `most_partial`: partial
        matches of patterns at most; what finds no room is counted in `refused`. `like`: rules in force of
        the same profiles: audiences that are the same are not worked out again.

        Raises:
            ValueError: a scene names a place that the cell table lacks, or reads what only a view could give.
        """
        return cls(
            campaigns,
            profiles,
            places,
            zone=zone,
            view=view,
            catalogue=catalogue,
            most_partial=most_partial,
            like=like,
        )

    # ----------------------------------------------------------------- what the engine asks

    @property
    def dwells(self) -> dict[int, tuple[Dwell, ...]]:
        """Place number -> dwells there."""
        return self._program.dwells

    @property
    def reads(self) -> frozenset[str]:
        """Every feature that may be asked of the view, placeholders included."""
        names = self._asked()
        for campaign in self.campaigns:
            names |= {
                PLACEHOLDERS[name].source for name in campaign.placeholders if PLACEHOLDERS[name].source
            }
        return frozenset(name for name in names if not self._sources.own(name))

    @property
    def refused(self) -> int:
        """Partial matches that found no room so far."""
        return int(self._automata.refused)

    @property
    def partial(self) -> int:
        """Live partial matches."""
        return len(self._automata)

    @property
    def nbytes(self) -> int:
        """Octets of audience bits and partial matches."""
        return int(self._bits.nbytes + self._automata.nbytes)

    def next_due_us(self) -> int | None:
        """The next instant at which an absence may complete a pattern, or None."""
        return self._automata.next_due_us()

    def match(self, batch: BehaviourBatch, rows: NDArray[np.int64]) -> Completions:
        """What these rows complete; each subscriber's are in the order of time, and `rows[i]` >= 0.

        Features are taken as the view has them now; to be exact, a subscriber occurs once (a wave).
        """
        if not len(self._program.steps) or not len(batch):
            return Completions.none()
        events = Events(batch, self._places)
        position, step = self._candidates(batch, rows, events)
        if len(step) and self._peer_lists:
            position, step = self._on_lists(position, step, batch)
        if len(step):
            position, step = self._conditions_met(position, step, batch, rows, events)
        pattern = self._pattern_of_step[step]
        single = pattern < 0
        t_us = batch["t_us"]
        at = position[single]
        campaign = self._program.steps["campaign"][step[single]]
        found = [Completions(t_us[at], rows[at], campaign, at, t_us[at])]
        if len(self._program.names):
            fed = ~single
            found.append(self._feed(t_us, rows, position[fed], step[fed], pattern[fed]))
        return self._finished(Completions.joined(found), events)

    def concerned(self, batch: BehaviourBatch, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Rows that a scene asks for, as far as that hangs on no feature; `match` may be spared all others.

        Where a scene says `next`, everything that a subscriber does may break it.
        """
        if self._automata.has_strict:
            return np.ones(len(batch), dtype=np.bool_)
        concerned: NDArray[np.bool_] = self._kinds[batch["kind"]]
        if concerned.any():
            position, _ = self._candidates(batch, rows, Events(batch, self._places))
            concerned = np.zeros(len(batch), dtype=np.bool_)
            concerned[position] = True
        return concerned

    def fire(self, rows: NDArray[np.int64], t_us: NDArray[np.int64]) -> Completions:
        """Absences of these subscribers that fell due at or before their rows' instants; before `match`."""
        if self._automata.next_due_us() is None:
            return Completions.none()
        t_us = np.ascontiguousarray(t_us, dtype=np.int64)
        return self._finished(self._completed(self._automata.fire(t_us, rows.astype(np.uint32))), None)

    def due(self, until_us: int) -> Completions:
        """All absences that fell due at or before an instant; no row dated before it comes after this."""
        return self._finished(self._completed(self._automata.due(until_us)), None)

    def dwelt(
        self,
        dwell: Dwell,
        rows: int | NDArray[np.int64],
        since_us: int | NDArray[np.int64],
        at_us: int | NDArray[np.int64],
    ) -> Completions:
        """Stays, of one subscriber or several, that have lasted long enough at these instants."""
        rows, since_us, at_us = (
            np.atleast_1d(np.asarray(x, dtype=np.int64)) for x in (rows, since_us, at_us)
        )
        mine = self.members(dwell.campaign, rows)
        rows, since_us, at_us = rows[mine], since_us[mine], at_us[mine]
        if dwell.pattern < 0:
            campaign = np.full(len(rows), dwell.campaign, dtype=np.int32)
            index = np.full(len(rows), -1, dtype=np.int32)
            return self._finished(Completions(at_us, rows, campaign, index, since_us), None)
        begun = [
            self._completed(self._automata.begin(at, row, dwell.pattern))
            for row, at in zip(rows.tolist(), at_us.tolist(), strict=True)
        ]
        return self._finished(Completions.joined(begun), None)

    def members(self, campaign: int, rows: NDArray[np.int64] | None = None) -> NDArray[np.bool_]:
        """Who belongs to a campaign by extract, lists and targets: of all subscribers, or of some rows."""
        rows = np.arange(len(self._sources.profiles)) if rows is None else rows
        return members(self._bits, campaign, self._selection.stride, rows)

    def passing(self, campaign: int, rows: NDArray[np.int64], at_us: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Of subscribers chosen otherwise (a group, a follow-up): valid days and the moving audience."""
        passing = self.members(campaign, rows)
        return passing & self._finish[campaign].passing(
            at_us, self._getter(rows, at_us, None, None), self._local
        )

    def chosen(self, campaign: int, at_us: int) -> NDArray[np.int64]:
        """Rows of who belongs to a campaign at an instant: audience, targets, valid days; not its scene."""
        start_us, end_us = self._finish[campaign].valid_us
        rows = np.flatnonzero(self.members(campaign))
        if not start_us <= at_us < end_us:
            return rows[:0]
        made = self.campaigns[campaign]
        moving = split_expression(made.expression, self._catalogue)[1] if made.expression else None
        return rows if moving is None else rows[self.holding(moving, rows, at_us)]

    def belongs(self, campaign: int, row: int, at_us: int) -> bool:
        """Whether one subscriber belongs to a campaign at an instant; see `chosen`."""
        start_us, end_us = self._finish[campaign].valid_us
        if not start_us <= at_us < end_us or not self.members(campaign)[row]:
            return False
        made = self.campaigns[campaign]
        moving = split_expression(made.expression, self._catalogue)[1] if made.expression else None
        return moving is None or bool(self.holding(moving, np.array([row], dtype=np.int64), at_us)[0])

    def holding(self, condition: Expression, rows: NDArray[np.int64], at_us: int) -> NDArray[np.bool_]:
        """For which of some subscribers a condition without a behaviour holds at an instant.

        Raises:
            LookupError: it reads a service line that no campaign reads, or a list that there is not.
        """
        instants = np.full(len(rows), at_us, dtype=np.int64)
        return condition.holds(self._getter(rows, instants, None, None), len(rows))

    def values(
        self, campaign: int, row: int, at_us: int, event: BehaviourBatch | None = None
    ) -> dict[str, Any]:
        """Placeholder -> value, for `Campaign.render`; None: not known. `event`: one row, or None."""
        rows, instant = np.array([row], dtype=np.int64), np.array([at_us], dtype=np.int64)
        return self.told(campaign, rows, instant, event).of(0)

    def told(
        self,
        campaign: int,
        rows: NDArray[np.int64],
        at_us: NDArray[np.int64],
        events: BehaviourBatch | None = None,
    ) -> Telling:
        """The same of many, each as of its own instant. `events`: the behaviour of each, or None."""
        around = Events(events, self._places) if events is not None and len(events) else None
        get = self._getter(rows, at_us, around, np.arange(len(rows), dtype=np.int32))
        sources = (
            (name, PLACEHOLDERS[name].source) for name in sorted(self.campaigns[campaign].placeholders)
        )
        return Telling(
            {
                name: get(source)
                for name, source in sources
                if source and not (source.startswith("event.") and around is None)
            }
        )

    def switch(self, profiles: Profiles) -> None:
        """Another extract or other lists, with the same numbering of rows: audiences are worked out anew."""
        self._sources.profiles = profiles
        self._bits = audience_bits(self.campaigns, self._sources, self._catalogue)
        self._peer_lists = [numbers_on(name, profiles) for name in self._program.lists]

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Live partial matches as arrays, with the names of the patterns that they belong to."""
        return {**self._automata.snapshot(), "names": np.array(self._program.names, dtype=np.str_)}

    def restore(self, saved: Mapping[str, NDArray[Any]], rows: NDArray[np.int64] | None = None) -> int:
        """Goes on from a snapshot, also of other campaigns: matches of scenes that are the same here stay.

        `rows`: old row -> row here, -1 = gone; None: the same. Returns how many matches were left out.
        """
        here = {name: number for number, name in enumerate(self._program.names)}
        names = saved["names"].tolist()
        renumbered = np.array([here.get(name, -1) for name in names] or [-1], dtype=np.int32)
        pattern = renumbered[saved["pattern"]]
        row = saved["row"].astype(np.int64) if rows is None else rows[saved["row"]]
        kept = (pattern >= 0) & (row >= 0)
        columns = ("state", "count", "since_us", "entered_us", "ring_us")
        self._automata.restore(
            {
                **{name: saved[name][kept] for name in columns},
                "pattern": pattern[kept],
                "row": row[kept].astype(np.uint32),
                "horizon_us": saved["horizon_us"],
                "refused": saved["refused"],
            }
        )
        return int(np.count_nonzero(~kept))

    # ----------------------------------------------------------------- inside

    def _asked(self) -> frozenset[str]:
        """Features of all conditions."""
        static = [static_audience(campaign, self._catalogue) for campaign in self.campaigns]
        return frozenset().union(
            *(one.reads for one in static if one is not None),
            *(condition.reads for condition in self._program.conditions),
            *(finish.reads for finish in self._finish),
            *(
                {f"lists[{c.targets}]"}
                for c in self.campaigns
                if c.targets and not c.targets.endswith(".csv")
            ),
        )

    def _check_view(self, view: View | None) -> None:
        lacking = sorted(name for name in self._asked() if not self._sources.own(name))
        if view is None and lacking:
            raise ValueError(f"{', '.join(lacking)}: campaigns read what only a view could give")

    def _candidates(
        self, batch: BehaviourBatch, rows: NDArray[np.int64], events: Events
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        def column(name: str, dtype: Any) -> NDArray[Any]:
            return np.ascontiguousarray(batch[name], dtype=dtype)

        place = events.place() if self._needs_place else np.empty(0, dtype=np.int16)
        peer = column("peer", "S20").view(np.uint8).reshape(len(batch), 20)
        return self._selection.select(
            column("kind", np.uint8),
            column("role", np.uint8),
            np.ascontiguousarray(place, dtype=np.int16),
            column("lac", np.uint16),
            peer,
            np.ascontiguousarray(rows, dtype=np.int64),
            self._bits,
        )

    def _on_lists(
        self, position: NDArray[np.int32], step: NDArray[np.int32], batch: BehaviourBatch
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Drops candidates whose step wants the other side on a list that it is not on."""
        kept = ~self._listed[step]
        number = self._program.steps["list"][step]
        for one, numbers in enumerate(self._peer_lists):
            where = np.flatnonzero(number == one)
            kept[where] = on_numbers(batch["peer"][position[where]], numbers)
        return position[kept], step[kept]

    def _conditions_met(
        self,
        position: NDArray[np.int32],
        step: NDArray[np.int32],
        batch: BehaviourBatch,
        rows: NDArray[np.int64],
        events: Events,
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Drops candidates whose step has an `if` that does not hold."""
        asked = self._conditioned[step]
        if not asked.any():
            return position, step
        kept = ~asked
        number = self._program.steps["condition"][step]
        for one in np.unique(number[asked]).tolist():
            where = np.flatnonzero(number == one)
            at = position[where]
            get = self._getter(rows[at], batch["t_us"][at], events, at)
            kept[where] = self._program.conditions[one].holds(get, len(at))
        return position[kept], step[kept]

    def _feed(
        self,
        t_us: NDArray[np.int64],
        rows: NDArray[np.int64],
        position: NDArray[np.int32],
        step: NDArray[np.int32],
        pattern: NDArray[np.int32],
    ) -> Completions:
        """Symbols of a row and pattern together, in the order of rows."""
        bits = np.uint32(1) << self._program.steps["element"][step].astype(np.uint32)
        if self._automata.has_strict:
            # Whatever a subscriber does may break a `next`.
            others, broken = self._automata.broken(
                np.ascontiguousarray(t_us, dtype=np.int64), rows.astype(np.uint32)
            )
            position = np.concatenate([position, others.astype(np.int32)])
            pattern = np.concatenate([pattern, broken])
            bits = np.concatenate([bits, np.zeros(len(others), dtype=np.uint32)])
        if not len(position):
            return Completions.none()
        key = position.astype(np.int64) << 32 | pattern.astype(np.int64)
        order = np.argsort(key, kind="stable")
        key = key[order]
        starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
        symbols = np.bitwise_or.reduceat(bits[order], starts)
        at = position[order][starts]
        return self._completed(
            self._automata.feed(
                np.ascontiguousarray(t_us[at], dtype=np.int64),
                rows[at].astype(np.uint32),
                pattern[order][starts],
                symbols,
                at,
            )
        )

    def _completed(self, completed: Completed) -> Completions:
        t_us, since_us, pattern, row, index = completed
        return Completions(t_us, row, self._program.campaign_of[pattern], index, since_us)

    def _finished(self, found: Completions, events: Events | None) -> Completions:
        """Those whose campaign's conditions hold, features as they are now."""
        if not len(found):
            return found
        passing = (found.t_us >= self._valid_us[found.campaign, 0]) & (
            found.t_us < self._valid_us[found.campaign, 1]
        )
        if bool(np.any(found.index < 0)):
            # Behaviours were selected by the audience as it is; what time completes began some time ago.
            passing &= members(self._bits, found.campaign, self._selection.stride, found.row)
        asked = np.flatnonzero(self._asks[found.campaign] & passing)
        if len(asked):
            asked = asked[np.argsort(found.campaign[asked], kind="stable")]
            campaign = found.campaign[asked]
            bounds = np.flatnonzero(np.concatenate([[True], campaign[1:] != campaign[:-1], [True]]))
            for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
                part = asked[start:end]
                rows, at_us = found.row[part], found.t_us[part]
                get = self._getter(rows, at_us, events, found.index[part])
                passing[part] = self._finish[int(campaign[start])].passing(at_us, get, self._local)
        return found if passing.all() else found.take(passing)

    def _getter(
        self,
        rows: NDArray[np.int64],
        at_us: NDArray[np.int64],
        events: Events | None,
        index: NDArray[np.int32] | None,
    ) -> Any:
        def get(name: str) -> AnyColumn:
            if name.startswith("event."):
                assert events is not None
                assert index is not None
                return events.column(name, index)
            return self._sources.column(name, rows, at_us)

        return get
