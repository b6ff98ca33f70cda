"""Dynamic features one by one: a small stream in, the value out."""

import copy

import numpy as np
import pytest

from marketing.engine import on_batch, on_timers
from marketing.engine.view import COLUMNS, learned_cells
from marketing.expressions import CATALOGUE
from marketing.expressions.columns import Numbers, Sets, Words
from marketing.features.habits import Habits

MONDAY = "2009-03-02"
MALL = (0x3333, 1)


def value(town, state, name, at, sub=0):
    """The plain value of one subscriber; None where it is not known."""
    found = state.view.column(name, np.array([sub]), np.array([town.at(at)]))
    if found.known is not None and not found.known[0]:
        return None
    if isinstance(found, Words):
        return found.words[int(found.codes[0])]
    if isinstance(found, Sets):
        return {n for bit, n in enumerate(found.names) if int(found.bits[0]) >> bit & 1}
    assert isinstance(found, Numbers)
    return found.values[0].item()


def seen(town, *rows, lines=(), **people):
    state = town.engine_state(people=town.profiles(**people))
    state.view.habits = state.habits.keep_lines(lines)
    batch = town.batch(*({"sub": 0, "kind": "periodic_update", **row} for row in rows))
    on_batch(state, batch, 0)
    return state


def day(d, hour):
    return f"2009-03-{d:02d} {hour}"


HOUR = 3_600_000_000


def test_every_dynamic_feature_of_the_catalogue_has_a_column():
    dynamic = {f.name for f in CATALOGUE.values() if f.source in ("presence", "habits")} - {"last"}
    assert dynamic | {"terminal.changed_ago"} == set(COLUMNS)


@pytest.mark.parametrize("name", [n for n, f in CATALOGUE.items() if f.source not in ("clock", "behaviour")])
def test_a_column_has_the_type_of_the_catalogue(town, name):
    state = seen(town, {"t": f"{MONDAY} 10:00"}, lines=("10086",))
    name = {"lists": "habit.new_here", "last": "last[10086]"}.get(name, name)
    found = state.view.column(name, np.arange(3), np.full(3, town.at(f"{MONDAY} 11:00")))
    kind = CATALOGUE["last.call" if name == "last[10086]" else name].type.value
    if kind in ("string", "list(string)"):
        assert isinstance(found, Words if kind == "string" else Sets)
    else:
        assert isinstance(found, Numbers)
        assert found.values.dtype.kind == {"bool": "b", "double": "f"}.get(kind, "i")


def test_of_whom_nothing_is_seen_nothing_is_known(town):
    state = town.engine_state()
    at = f"{MONDAY} 10:00"
    flags = {"now.riding", "now.waiting", "habit.new_here"}
    for name in COLUMNS:
        expected = False if name in flags else 0 if name == "habit.minutes_used" else None
        assert value(town, state, name, at) == expected, name


def test_where_he_is(town):
    state = seen(
        town, {"t": f"{MONDAY} 09:00", "cell": town.AIRPORT}, {"t": f"{MONDAY} 09:20", "cell": (0x1111, 8)}
    )
    at = f"{MONDAY} 10:00"
    assert value(town, state, "now.place", at) == "airport"
    assert (value(town, state, "now.area", at), value(town, state, "now.cell", at)) == (0x1111, 8)
    assert value(town, state, "now.dwell", at) == HOUR
    assert value(town, state, "now.on", at) is True
    on_batch(state, town.batch({"t": f"{MONDAY} 10:01", "kind": "power_off"}), 0)
    assert value(town, state, "now.on", f"{MONDAY} 10:02") is False
    assert value(town, state, "now.dwell", f"{MONDAY} 10:02") is None


ACTS = [
    ({"kind": "call_started", "role": 1}, True),
    ({"kind": "call_started", "role": 2}, False),  # it rings: somebody else's act
    ({"kind": "call_connected", "role": 2}, True),
    ({"kind": "call_rejected", "role": 2}, True),
    ({"kind": "call_rejected", "role": 1}, False),
    ({"kind": "sms_sent", "role": 1}, True),
    ({"kind": "sms_received", "role": 2}, False),
    ({"kind": "ussd_used"}, True),
    ({"kind": "ss_used"}, True),
    ({"kind": "location_update"}, False),
    ({"kind": "handover"}, False),
]


@pytest.mark.parametrize(("act", "own"), ACTS)
def test_idle_since_the_last_own_act(town, act, own):
    state = seen(town, {"t": f"{MONDAY} 09:00", "kind": "sms_sent"}, {"t": f"{MONDAY} 09:30", **act})
    assert value(town, state, "now.idle", f"{MONDAY} 10:00") == (HOUR // 2 if own else HOUR)


def test_a_condition_sees_habits_as_before_the_behaviour(town):
    """`last["10086"]` at a call to 10086 tells of the call before."""
    state = town.engine_state()
    state.view.habits = state.habits.keep_lines(["10086"])
    seen_then = []
    match = state.rules.match

    def watch(wave, rows):
        at = np.asarray(wave["t_us"])
        seen_then.append(state.view.column("last[10086]", rows, at))
        return match(wave, rows)

    state.rules.match = watch
    state.rules.concerned = lambda batch, rows: np.ones(len(batch), bool)
    calls = [{"t": f"{MONDAY} {h}:00", "kind": "call_ended", "role": 1, "peer": b"10086"} for h in (10, 12)]
    on_batch(state, town.batch(*calls), 0)
    first, second = seen_then
    assert not first.known[0]
    assert second.values[0] == 2 * HOUR


def test_last_contact_with_each_line(town):
    state = seen(
        town,
        {"t": f"{MONDAY} 09:00", "kind": "call_ended", "role": 1, "peer": b"10086"},
        {"t": f"{MONDAY} 09:30", "kind": "sms_sent", "role": 1, "peer": b"12580"},
        {"t": f"{MONDAY} 09:40", "kind": "call_ended", "role": 1, "peer": b"100861"},
        lines=("10086", "12580", "1860"),
    )
    at = f"{MONDAY} 10:00"
    assert value(town, state, "last[10086]", at) == HOUR
    assert value(town, state, "last[12580]", at) == HOUR // 2
    assert value(town, state, "last[1860]", at) is None
    assert value(town, state, "last.call", at) == HOUR // 3
    assert value(town, state, "last.text", at) == HOUR // 2
    with pytest.raises(LookupError, match="10000"):
        value(town, state, "last[10000]", at)


def test_lines_that_stay_keep_what_is_known(town):
    state = seen(
        town, {"t": f"{MONDAY} 09:00", "kind": "sms_sent", "peer": b"10086"}, lines=("10086", "1860")
    )
    state.view.habits = state.habits.keep_lines(["12580", "10086"])
    assert value(town, state, "last[10086]", f"{MONDAY} 10:00") == HOUR
    assert value(town, state, "last[12580]", f"{MONDAY} 10:00") is None


def test_minutes_of_this_month_against_the_bundle(town):
    state = seen(
        town,
        {"t": "2009-02-27 10:00", "kind": "call_ended", "role": 1, "duration_us": 600_000_000},
        {"t": "2009-03-01 00:00:01", "kind": "call_ended", "role": 1, "duration_us": 61_000_000},
        {"t": f"{MONDAY} 10:00", "kind": "call_ended", "role": 2, "duration_us": 300_000_000},
        {"t": f"{MONDAY} 11:00", "kind": "call_ended", "role": 1, "duration_us": 60_000_000},
        bundle_minutes=[100] * 10,
    )
    assert value(town, state, "habit.minutes_used", f"{MONDAY} 12:00") == 3  # begun minutes, as billed
    assert value(town, state, "habit.minutes_left", f"{MONDAY} 12:00") == 97
    assert value(town, state, "habit.minutes_used", "2009-04-01 00:00:01") == 0
    assert value(town, state, "habit.minutes_left", "2009-04-01 00:00:01") == 100
    assert value(town, town.engine_state(), "habit.minutes_left", f"{MONDAY} 12:00") is None


def test_long_distance_share(town):
    peers = (b"0755123", b"008613", b"13900", b"10086", b"")
    rows = [
        {"t": f"{MONDAY} 1{i}:00", "kind": "call_started", "role": 1, "peer": p} for i, p in enumerate(peers)
    ]
    state = seen(town, *rows, {"t": f"{MONDAY} 16:00", "kind": "call_started", "role": 2, "peer": b"0755"})
    assert value(town, state, "habit.long_distance_share", f"{MONDAY} 17:00") == 2 / 5


def test_rejects(town):
    rows = []
    for i in range(6):
        rows.append({"t": f"{MONDAY} 1{i}:00", "kind": "call_started", "role": 2})
        if i < 3:
            rows.append({"t": f"{MONDAY} 1{i}:01", "kind": "call_rejected", "role": 2})
    state = seen(town, *rows[:4])
    assert value(town, state, "habit.rejects_share", f"{MONDAY} 20:00") == 1.0
    assert (
        value(town, state, "habit.often_rejects", f"{MONDAY} 20:00") is None
    )  # of two calls nothing is known
    state = seen(town, *rows)
    assert value(town, state, "habit.rejects_share", f"{MONDAY} 20:00") == 0.5
    assert value(town, state, "habit.often_rejects", f"{MONDAY} 20:00") is True


def on_and_off(days, off="21:30", on="07:10"):
    rows = []
    for d in range(2, 2 + days):
        rows += [{"t": day(d, on), "kind": "power_on"}, {"t": day(d, off), "kind": "power_off"}]
    return rows


def test_usual_hours_and_how_often_off(town):
    state = seen(town, *on_and_off(4))
    at = day(6, "06:00")
    assert value(town, state, "habit.usual_on_hour", at) == 7
    assert value(town, state, "habit.usual_off_hour", at) == 21
    assert value(town, state, "habit.off_per_day", at) == 1.0
    assert value(town, state, "habit.often_off", at) is False
    more = [
        {"t": day(d, f"1{h}:00"), "kind": kind}
        for d in range(6, 10)
        for h, kind in ((0, "power_on"), (1, "power_off"), (2, "power_on"), (3, "power_off"))
    ]
    on_batch(state, town.batch(*({"sub": 0, **row} for row in more)), 0)
    assert value(town, state, "habit.often_off", day(10, "06:00")) is True
    assert value(town, seen(town, *on_and_off(1)), "habit.off_per_day", day(2, "23:00")) is None


def test_old_habits_fade(town):
    """Two offs a day for three months, then none: the rate follows within its memory of sixty days."""
    state = town.engine_state()
    start = town.at("2009-01-01 12:00")
    day_us = 24 * HOUR
    for d in range(90):
        rows = [{"t": start + d * day_us + k * HOUR, "kind": "power_off"} for k in (0, 2)]
        on_batch(state, town.batch(*rows), 0)
    assert 1.5 < value(town, state, "habit.off_per_day", "2009-04-01 12:00") < 2.5


def test_usual_active_hours(town):
    rows = [{"t": day(d, "20:15"), "kind": "sms_sent"} for d in range(2, 8)]
    rows += [{"t": day(d, "12:15"), "kind": "sms_sent"} for d in range(8, 9)]
    state = seen(town, *rows)
    assert value(town, state, "habit.active_hour", day(10, "20:59")) is True
    assert value(town, state, "habit.active_hour", day(10, "12:30")) is False
    assert value(town, state, "habit.active_hour", day(10, "03:00")) is False
    many = town.engine_state()
    acts = town.batch(*({"t": day(2, f"20:{i % 60:02d}"), "kind": "sms_sent"} for i in range(59)))
    on_batch(many, acts, 0)
    assert value(town, many, "habit.active_hour", day(3, "20:00")) is True


def commute(days):
    """Home by night, the mall by day on working days (2009-03-02 is a Monday)."""
    rows = []
    for d in range(2, 2 + days):
        working = (d - 2) % 7 < 5
        cells = [("07:00", town_home), ("09:30", MALL if working else town_home), ("12:30", None)]
        cells += [("18:30", town_home), ("22:00", None), ("23:59", None)]
        last = town_home
        for t, cell in cells:
            last = cell or last
            rows.append({"t": day(d, t), "cell": last, "kind": "location_update"})
    return rows


town_home = (0x2222, 9)


def test_home_and_work_are_learned(town):
    state = seen(town, *commute(7))
    at = day(9, "03:00")
    assert learned_cells(state.view, np.array([0]), "night")[0] == (0x2222 << 16) + 9
    assert learned_cells(state.view, np.array([0]), "day")[0] == (0x3333 << 16) + 1
    assert value(town, state, "habit.work", at) == "mall"
    assert value(town, state, "habit.home", at) is None  # his home is no named place
    assert value(town, state, "habit.at_home", at) is True
    assert value(town, state, "habit.at_work", at) is False
    assert value(town, seen(town, *commute(1)), "habit.at_home", day(3, "00:10")) is None


def test_a_handset_switched_off_is_nowhere(town):
    rows = []
    for d in range(2, 9):
        rows += [
            {"t": day(d, "20:00"), "cell": MALL, "kind": "power_on"},
            {"t": day(d, "21:59"), "cell": MALL, "kind": "power_off"},
        ]
    assert not learned_cells(seen(town, *rows).view, np.array([0]), "night")[0]


def ride(*cells, gap_s=120):
    start = f"{MONDAY} 10:00"
    return start, [(c, gap_s) for c in cells]


LINE = [(0x1111, 7), (0x1111, 8), (0x2222, 9), (0x3333, 1)]
RIDES = [
    (LINE, 120, True),
    (LINE[:3], 120, False),  # two changes: nobody can tell
    (LINE, 1200, False),  # on foot
    ([LINE[0], LINE[1], LINE[0], LINE[1], LINE[0], LINE[1]], 120, False),  # between two cells
]


@pytest.mark.parametrize(("cells", "gap_s", "rides"), RIDES)
def test_riding(town, cells, gap_s, rides):
    start = town.at(f"{MONDAY} 10:00")
    rows = [
        {"t": start + i * gap_s * 1_000_000, "cell": cell, "kind": "location_update"}
        for i, cell in enumerate(cells)
    ]
    state = seen(town, *rows)
    last = rows[-1]["t"]
    column = state.view.column("now.riding", np.array([0]), np.array([last + 1_000_000]))
    assert bool(column.values[0]) is rides
    assert not state.view.column("now.riding", np.array([0]), np.array([last + HOUR])).values[0]


def test_waiting(town):
    rows = [
        {"t": f"{MONDAY} 09:50", "kind": "sms_sent", "cell": MALL},
        {"t": f"{MONDAY} 10:00", "cell": town.AIRPORT, "kind": "location_update"},
    ]
    state = seen(town, *rows)
    for at, waits in (("10:09", False), ("10:10", True), ("13:59", True), ("14:01", False)):
        assert value(town, state, "now.waiting", f"{MONDAY} {at}") is waits, at
    on_batch(state, town.batch({"t": f"{MONDAY} 10:30", "kind": "sms_sent", "cell": town.AIRPORT}), 0)
    assert value(town, state, "now.waiting", f"{MONDAY} 10:33") is False
    assert value(town, state, "now.waiting", f"{MONDAY} 10:36") is True


def test_crowds_are_told_by_the_minute(town):
    state = town.engine_state()
    rows = [
        {"t": f"{MONDAY} 10:00:{s + 1:02d}", "sub": s, "kind": "location_update", "cell": town.AIRPORT}
        for s in range(5)
    ]
    on_batch(state, town.batch(*rows), 0)
    assert value(town, state, "now.crowd", f"{MONDAY} 10:00:30") == 0
    on_timers(state, town.at(f"{MONDAY} 10:01"))
    assert value(town, state, "now.crowd", f"{MONDAY} 10:01:30") == 5
    more = [
        {"t": f"{MONDAY} 10:01:10", "sub": 1, "kind": "power_off", "cell": town.AIRPORT},
        {"t": f"{MONDAY} 10:01:20", "sub": 2, "kind": "location_update", "cell": MALL},
        {"t": f"{MONDAY} 10:01:30", "sub": 3, "kind": "call_started", "cell": (0, 0)},
    ]
    on_batch(state, town.batch(*more), 0)
    on_timers(state, town.at(f"{MONDAY} 10:02"))
    assert value(town, state, "now.crowd", f"{MONDAY} 10:03") == 3
    assert value(town, state, "now.crowd", f"{MONDAY} 10:03", sub=2) == 1
    state.habits.recount()
    assert state.habits.counts.sum() == 4


def test_new_in_a_region(town):
    state = seen(town, {"t": f"{MONDAY} 09:00", "cell": town.HOME})
    at = f"{MONDAY} 12:00"
    assert value(town, state, "habit.new_here", at) is False  # where he is first seen says nothing
    for t, cell, new in (
        ("10:00", MALL, True),
        ("10:10", MALL, True),
        ("10:20", town.HOME, False),
        ("10:30", MALL, False),
    ):
        on_batch(state, town.batch({"t": f"{MONDAY} {t}", "cell": cell, "kind": "location_update"}), 0)
        assert value(town, state, "habit.new_here", at) is new, t


def test_another_handset(town):
    state = seen(town, {"t": f"{MONDAY} 09:00", "kind": "imei_changed"})
    assert value(town, state, "terminal.changed_ago", f"{MONDAY} 10:00") == HOUR


def test_last_contact_is_of_the_book(town):
    state = town.engine_state(town.campaign())
    (sent,) = on_batch(state, town.batch({"t": f"{MONDAY} 10:00", "sub": 0, "kind": "power_on"}), 0)
    assert sent.action == "send"
    assert value(town, state, "last.contact", f"{MONDAY} 11:00") == HOUR


def test_a_page_that_nobody_answers_is_no_sight_of_him(town):
    state = seen(town, {"t": f"{MONDAY} 09:00"})
    before = state.habits.records.tobytes()
    on_batch(
        state, town.batch({"t": f"{MONDAY} 10:00", "kind": "paging_no_response", "cell": (0x2222, 0)}), 0
    )
    assert state.habits.records.tobytes() == before


def test_late_rows_take_nothing_back(town):
    state = seen(town, {"t": f"{MONDAY} 10:00", "kind": "sms_sent"})
    on_batch(state, town.batch({"t": f"{MONDAY} 09:00", "cell": MALL, "kind": "location_update"}), 0)
    assert state.habits.records["seen_s"][0] == town.at(f"{MONDAY} 10:00") // 1_000_000


def test_copies_are_apart(town):
    state = seen(town, {"t": f"{MONDAY} 10:00", "kind": "sms_sent"})
    twin = copy.deepcopy(state.habits)
    assert twin.records.tobytes() == state.habits.records.tobytes()
    twin.records["act_s"][0] = 1
    assert state.habits.records["act_s"][0] != 1


def test_what_cannot_be_kept_is_refused():
    cells = np.arange(70_000, dtype=np.uint32)
    with pytest.raises(ValueError, match="70000"):
        Habits(1, cells)
    with pytest.raises(ValueError, match="17"):
        Habits(1, cells[:1], [str(i) for i in range(17)])
    with pytest.raises(ValueError, match="digits"):
        Habits(1, cells[:1], ["1" * 21])
