"""Features as conditions read them: one column of the catalogue for some subscribers, as of an instant each.

Presence is as after the behaviour at hand, habits as just before it: `now.place` is where it happened,
`last["10086"]` is how long ago the line was in contact before this call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BehaviourBatch
from marketing.contact import Book, Policy
from marketing.expressions import CATALOGUE, Type
from marketing.expressions.columns import AnyColumn, Numbers, Sets, Words
from marketing.features import Presence, Stays
from marketing.features.habits import NEW_HERE, RIDE_GAP_S, Habits
from marketing.profiles import Column, Places, Profiles, Terminals, UnknownColumn, tac_of_imei

__all__ = ["COLUMNS", "EngineView"]

Rows = NDArray[np.int64]
Instants = NDArray[np.int64]

Maker = Callable[["EngineView", Rows, Instants], AnyColumn]

POWER_UNKNOWN: Final = 0
POWER_ON: Final = 1
"""Of `Presence.power`; what is greater is one way or another of being off."""
HOUR_US: Final = 3_600_000_000
RIDE_CELLS: Final = 3
"""Rides: so many cells in quick succession, none entered from where it leads back to."""
WAIT_US: Final = (600_000_000, 4 * HOUR_US)
"""Waits: for so long in one cell, at least and at most."""
WAIT_IDLE_US: Final = 300_000_000
"""And has done nothing for so long."""
OFTEN_OFF_A_DAY: Final = 1.5
"""More than the once of those who switch off every night."""
OFTEN_REJECTS: Final = (0.25, 5)
"""Share of calls rejected, of at least so many."""
DAYS_TO_KNOW: Final = 2
"""Days of sight before a rate by day means anything."""
HOME_MINUTES: Final = 240
"""So much evidence for a home or a place of work."""
PRICES: Final = ("", "low", "middle", "high")
"""Words for the classes of price of the terminal table."""
USUAL_TIMES: Final = 2
"""A usual hour has come so often."""


@dataclass(slots=True)
class EngineView:
    """The dynamic columns and what they are read with."""

    profiles: Profiles
    places: Places
    zone: ZoneInfo
    book: Book
    presence: Presence
    habits: Habits
    terminals: Terminals
    stays: Stays
    """Stays that the latest rows began."""
    _zone_span: tuple[int, int, int, int] = field(default=(0, 0, 0, 0), repr=False)
    _named: NDArray[np.int16] | None = field(default=None, repr=False)
    """Handset of each subscriber by the extract, row in the terminal table."""
    _places_of_cells: NDArray[np.int16] | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        profiles: Profiles,
        places: Places,
        policy: Policy,
        book: Book,
        terminals: Terminals | None = None,
        silence_us: int = 0,
    ) -> EngineView:
        """Nothing seen yet. `silence_us`: after that a subscriber is taken for switched off; 0 = never."""
        n = len(profiles)
        nothing = Stays(np.zeros(0, np.int64), np.zeros(0, np.int16), np.zeros(0, np.int64))
        zone = policy.hours.zone if policy is not None else ZoneInfo("UTC")
        return cls(
            profiles,
            places,
            zone,
            book,
            Presence(n, silence_us=silence_us),
            Habits(n, places.cells),
            terminals if terminals is not None else Terminals.none(),
            nothing,
        )

    # ----------------------------------------------------------------- taking in

    def see(self, wave: BehaviourBatch, rows: Rows) -> tuple[BehaviourBatch, Rows]:
        """Presence takes in a wave; gives the behaviours that this implies, with their rows."""
        derived = self.presence.update(wave, rows, self.places)
        self.stays = derived.stays
        return derived.behaviours, derived.rows

    def sweep(self, until_us: int) -> tuple[BehaviourBatch, Rows]:
        """Who is silent for too long at a whole minute until then."""
        return self.presence.sweep(until_us, self.profiles.imsi)

    def switch(self, profiles: Profiles, presence: Presence, habits: Habits, book: Book) -> None:
        """Other columns, of another extract."""
        self.profiles, self.presence, self.habits, self.book = profiles, presence, habits, book
        self._named = None

    def calendar(self, t_us: int) -> tuple[int, int]:
        """Local time less UTC in seconds, and local months since 1970, at an instant; kept by the hour."""
        start_us, end_us, offset_s, month = self._zone_span
        if not start_us <= t_us < end_us:
            # Zones change at whole quarters of an hour.
            start_us = t_us // (HOUR_US // 4) * (HOUR_US // 4)
            local = datetime.fromtimestamp(start_us // 1_000_000, UTC).astimezone(self.zone)
            offset = local.utcoffset()
            assert offset is not None
            offset_s, month = int(offset.total_seconds()), (local.year - 1970) * 12 + local.month - 1
            self._zone_span = start_us, start_us + HOUR_US // 4, offset_s, month
        return offset_s, month

    def local_s(self, at_us: Instants) -> NDArray[np.int64]:
        """Local seconds since 1970, without leap of zone between them being missed."""
        unique, back = np.unique(at_us // (HOUR_US // 4), return_inverse=True)
        offsets = np.array([self.calendar(q * (HOUR_US // 4))[0] for q in unique.tolist()], dtype=np.int64)
        seconds: NDArray[np.int64] = at_us // 1_000_000 + offsets[back]
        return seconds

    # ----------------------------------------------------------------- asked

    def column(self, name: str, rows: Rows, at_us: Instants) -> AnyColumn:
        """One feature of the catalogue; see `marketing.expressions.View`.

        Raises:
            LookupError: no such feature, list or service line.
        """
        group, _, rest = name.partition(".")
        if group == "profile":
            return _typed(name, self._extract(name, rest, rows))
        if name.startswith("lists["):
            return Numbers(self.profiles.on_list(name[6:-1], rows))
        if name.startswith("last["):
            return self._line(name[5:-1], rows, at_us)
        if group == "terminal" and rest != "changed_ago":
            return self._terminal(rest, rows)
        make = COLUMNS.get(name)
        if make is None:
            raise LookupError(f"no feature {name!r}")
        return make(self, rows, at_us)

    def _extract(self, name: str, column: str, rows: Rows) -> AnyColumn:
        try:
            return _of_column(self.profiles.column(column), rows)
        except UnknownColumn:
            # Known to expressions, and in this extract's schema not at all.
            kind = CATALOGUE[name].type.value.replace("list(string)", "list")
            return _of_column(Column.unknown(kind, len(self.profiles)), rows)  # type: ignore[arg-type]

    def _line(self, line: str, rows: Rows, at_us: Instants) -> Numbers:
        if line not in self.habits.lines:
            raise LookupError(f"contacts with the line {line!r} are not kept")
        return _since(self.habits.line_s[rows, self.habits.lines.index(line)], at_us)

    def _terminal(self, name: str, rows: Rows) -> AnyColumn:
        """Of the handset seen last, else of the one that the extract names."""
        table = self.terminals
        at = self.handsets(rows)
        known = at >= 0
        column = table.column(name)
        if not len(table):
            nothing = Column.unknown(column.type, 1)
            return _typed(f"terminal.{name}", _of_column(nothing, np.zeros(len(rows), dtype=np.int64)))
        found = _of_column(column, np.where(known, at, 0).astype(np.int64))
        known = known if found.known is None else known & found.known
        return _typed(f"terminal.{name}", replace(found, known=known))

    def handsets(self, rows: Rows) -> NDArray[np.int16]:
        """Row of each handset, by the wire or else the extract, in the terminal table; -1 = none."""
        if self._named is None or len(self._named) != len(self.profiles):
            self._named = self.terminals.of_profiles(self.profiles)
        seen = self.terminals.rows(tac_of_imei(self.presence.imei[rows]))
        return np.where(self.presence.imei[rows] != 0, seen, self._named[rows])

    def place_of_cell(self, number: NDArray[np.uint16]) -> NDArray[np.int16]:
        """Place of each cell by its number in habits (1 + number in the table); -1 = none."""
        if self._places_of_cells is None or len(self._places_of_cells) != len(self.places.cells) + 1:
            cells = self.places.cells
            of = self.places.of((cells >> 16).astype(np.uint16), (cells & 0xFFFF).astype(np.uint16))
            self._places_of_cells = np.concatenate((np.array([-1], np.int16), of))
        return self._places_of_cells[number]


def _of_column(column: Column, rows: Rows) -> AnyColumn:
    values, known = column.values[rows], None if column.known is None else column.is_known(rows)
    if column.type == "string":
        return Words(values, column.words, known)
    if column.type == "list":
        return Sets(values.astype(np.uint64), column.words, known)
    if column.type == "int":
        return Numbers(values.astype(np.int64), known)
    return Numbers(values, known)


def _typed(name: str, found: AnyColumn) -> AnyColumn:
    """As the catalogue has it: whole numbers where it says double, words for the three classes of price."""
    if not isinstance(found, Numbers) or name not in CATALOGUE:
        return found
    if CATALOGUE[name].type is Type.DOUBLE:
        return Numbers(found.values.astype(np.float64), found.known)
    if name == "terminal.price_class" and CATALOGUE[name].type is Type.STRING:
        return Words(np.clip(found.values, 0, len(PRICES) - 1), PRICES, found.known)
    return found


def _since(then_s: NDArray[np.uint32], at_us: Instants) -> Numbers:
    """How long ago; never: not known."""
    return Numbers(np.maximum(at_us - then_s.astype(np.int64) * 1_000_000, 0), then_s != 0)


def _since_us(then_us: NDArray[np.int64], at_us: Instants, known: NDArray[np.bool_]) -> Numbers:
    return Numbers(np.maximum(at_us - then_us, 0), known & (then_us != 0))


# --------------------------------------------------------------------------- presence


def _place(view: EngineView, rows: Rows, _at: Instants) -> AnyColumn:
    return Words.of_codes(view.presence.place[rows], view.places.names)


def _area(view: EngineView, rows: Rows, _at: Instants) -> AnyColumn:
    lac = view.presence.lac[rows]
    return Numbers(lac.astype(np.int64), lac != 0)


def _cell(view: EngineView, rows: Rows, _at: Instants) -> AnyColumn:
    ci = view.presence.ci[rows]
    return Numbers(ci.astype(np.int64), ci != 0)


def _dwell(view: EngineView, rows: Rows, at_us: Instants) -> AnyColumn:
    return _since_us(view.presence.place_since_us[rows], at_us, view.presence.place[rows] >= 0)


def _on(view: EngineView, rows: Rows, _at: Instants) -> AnyColumn:
    power = view.presence.power[rows]
    return Numbers(power == POWER_ON, power != POWER_UNKNOWN)


def _idle(view: EngineView, rows: Rows, at_us: Instants) -> AnyColumn:
    return _since(view.habits.records["act_s"][rows], at_us)


def _riding(view: EngineView, rows: Rows, at_us: Instants) -> AnyColumn:
    habits = view.habits.records
    fresh = at_us // 1_000_000 - habits["change_s"][rows] <= RIDE_GAP_S
    return Numbers((habits["ride"][rows] >= RIDE_CELLS) & fresh)


def _waiting(view: EngineView, rows: Rows, at_us: Instants) -> AnyColumn:
    presence, records = view.presence, view.habits.records
    here_us = at_us - presence.cell_since_us[rows]
    act_s = records["act_s"][rows].astype(np.int64)
    idle = at_us - act_s * 1_000_000 >= WAIT_IDLE_US
    long = (here_us >= WAIT_US[0]) & (here_us <= WAIT_US[1]) & (presence.cell_since_us[rows] != 0)
    on = presence.power[rows] == POWER_ON
    return Numbers(on & long & idle & ~_at(view, rows, "night") & ~_at(view, rows, "day"))


def _crowd(view: EngineView, rows: Rows, _at: Instants) -> AnyColumn:
    cell = view.habits.records["cell"][rows]
    return Numbers(view.habits.crowd[cell].astype(np.int64), cell != 0)


# --------------------------------------------------------------------------- habits


def _learned(view: EngineView, rows: Rows, span: str) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Number of the cell with the most evidence, and whether it is enough and outweighs the other."""
    records = view.habits.records
    cells, minutes = records[f"{span}_cell"][rows], records[f"{span}_min"][rows]
    best = np.argmax(minutes, axis=1)
    pick = np.arange(len(rows))
    return cells[pick, best], minutes[pick, best] >= HOME_MINUTES


def learned_cells(view: EngineView, rows: Rows, span: str) -> NDArray[np.uint32]:
    """Lac * 65536 + ci learned as home (span night) or work (span day); 0 = not known yet."""
    cell, known = _learned(view, rows, span)
    table = np.concatenate((np.zeros(1, np.uint32), view.habits.cells))
    return np.where(known, table[cell], np.uint32(0))


def _learned_place(span: str) -> Maker:
    def make(view: EngineView, rows: Rows, _at: Instants) -> AnyColumn:
        cell, known = _learned(view, rows, span)
        return Words.of_codes(np.where(known, view.place_of_cell(cell), -1), view.places.names)

    return make


def _at(view: EngineView, rows: Rows, span: str) -> NDArray[np.bool_]:
    cell, known = _learned(view, rows, span)
    now = view.habits.records["cell"][rows]
    place = view.place_of_cell(cell)
    same_place = (place >= 0) & (place == view.place_of_cell(now))
    there: NDArray[np.bool_] = known & (now != 0) & ((cell == now) | same_place)
    return there


def _at_learned(span: str) -> Maker:
    def make(view: EngineView, rows: Rows, _at_us: Instants) -> AnyColumn:
        return Numbers(_at(view, rows, span), _learned(view, rows, span)[1])

    return make


def _off_per_day(view: EngineView, rows: Rows, at_us: Instants) -> AnyColumn:
    records = view.habits.records
    days = view.local_s(at_us) // 86400 - records["since_day"][rows]
    known = (records["seen_s"][rows] != 0) & (days >= DAYS_TO_KNOW)
    return Numbers(records["offs"][rows] / np.maximum(days, 1).astype(np.float64), known)


def _often_off(view: EngineView, rows: Rows, at_us: Instants) -> AnyColumn:
    found = _off_per_day(view, rows, at_us)
    assert isinstance(found, Numbers)
    return Numbers(found.values >= OFTEN_OFF_A_DAY, found.known)


def _rejects_share(view: EngineView, rows: Rows, _at: Instants) -> AnyColumn:
    offers, rejects = view.habits.records["offers"][rows], view.habits.records["rejects"][rows]
    return Numbers(rejects / np.maximum(offers, 1).astype(np.float64), offers > 0)


def _often_rejects(view: EngineView, rows: Rows, at_us: Instants) -> AnyColumn:
    share = _rejects_share(view, rows, at_us)
    assert isinstance(share, Numbers)
    return Numbers(share.values >= OFTEN_REJECTS[0], view.habits.records["offers"][rows] >= OFTEN_REJECTS[1])


def _usual_hour(which: str) -> Maker:
    def make(view: EngineView, rows: Rows, _at: Instants) -> AnyColumn:
        hours, times = view.habits.records[f"{which}_hour"][rows], view.habits.records[f"{which}_n"][rows]
        best, pick = np.argmax(times, axis=1), np.arange(len(rows))
        return Numbers(hours[pick, best].astype(np.int64), times[pick, best] >= USUAL_TIMES)

    return make


def _active_hour(view: EngineView, rows: Rows, at_us: Instants) -> AnyColumn:
    packed = view.habits.records["active"][rows]
    counts = np.stack((packed & 15, packed >> 4), axis=2).reshape(len(rows), 24)
    hour = view.local_s(at_us) % 86400 // 3600
    most = counts.max(axis=1)
    here = counts[np.arange(len(rows)), hour]
    return Numbers((here >= USUAL_TIMES) & (2 * here >= most), most >= USUAL_TIMES)


def _long_distance(view: EngineView, rows: Rows, _at: Instants) -> AnyColumn:
    calls, far = view.habits.records["calls"][rows], view.habits.records["far"][rows]
    return Numbers(far / np.maximum(calls, 1).astype(np.float64), calls > 0)


def _minutes_used(view: EngineView, rows: Rows, at_us: Instants) -> AnyColumn:
    records = view.habits.records
    months = (view.local_s(at_us).astype("datetime64[s]")).astype("datetime64[M]").astype(np.int64)
    return Numbers(np.where(records["month"][rows] == months, records["minutes"][rows], 0).astype(np.int64))


def _minutes_left(view: EngineView, rows: Rows, at_us: Instants) -> AnyColumn:
    bundle, used = view.column("profile.bundle_minutes", rows, at_us), _minutes_used(view, rows, at_us)
    assert isinstance(bundle, Numbers)
    assert isinstance(used, Numbers)
    return Numbers(np.maximum(bundle.values.astype(np.int64) - used.values, 0), bundle.known)


def _new_here(view: EngineView, rows: Rows, _at: Instants) -> AnyColumn:
    return Numbers((view.habits.records["flags"][rows] & NEW_HERE) != 0)


def _seconds(field_name: str) -> Maker:
    def make(view: EngineView, rows: Rows, at_us: Instants) -> AnyColumn:
        return _since(view.habits.records[field_name][rows], at_us)

    return make


def _last_contact(view: EngineView, rows: Rows, at_us: Instants) -> AnyColumn:
    return _since(view.book.contact_s[rows], at_us)


COLUMNS: Final[dict[str, Maker]] = {
    "terminal.changed_ago": _seconds("imei_s"),
    "now.place": _place,
    "now.area": _area,
    "now.cell": _cell,
    "now.dwell": _dwell,
    "now.idle": _idle,
    "now.waiting": _waiting,
    "now.riding": _riding,
    "now.crowd": _crowd,
    "now.on": _on,
    "habit.home": _learned_place("night"),
    "habit.work": _learned_place("day"),
    "habit.at_home": _at_learned("night"),
    "habit.at_work": _at_learned("day"),
    "habit.off_per_day": _off_per_day,
    "habit.often_off": _often_off,
    "habit.rejects_share": _rejects_share,
    "habit.often_rejects": _often_rejects,
    "habit.usual_on_hour": _usual_hour("on"),
    "habit.usual_off_hour": _usual_hour("off"),
    "habit.active_hour": _active_hour,
    "habit.long_distance_share": _long_distance,
    "habit.minutes_used": _minutes_used,
    "habit.minutes_left": _minutes_left,
    "habit.new_here": _new_here,
    "last.call": _seconds("call_s"),
    "last.text": _seconds("text_s"),
    "last.contact": _last_contact,
}
"""Name -> how it is made; profile, lists, terminal and service lines are made by their keys."""
