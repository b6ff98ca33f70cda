"""Presence: the same rows and columns however a stream is cut, and each rule by a case."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing.behaviours import DERIVED, NAMES, Kind, empty
from marketing.features.presence import MINUTE_US, PRESENCE, Presence, silence_of
from marketing.profiles import Places

PLACES = Places.from_rows([(1, 1, "mall"), (1, 2, "mall"), (1, 3, ""), (2, 1, "airport")])
IMSI = np.array([460001234500000, 460001234500001, 460001234500002], dtype=np.uint64)
SILENCE = 2 * 3_600_000_000
PLMN = 0x64F000
RAW = [
    *(Kind.POWER_ON, Kind.POWER_OFF, Kind.LOCATION_UPDATE, Kind.PERIODIC_UPDATE, Kind.CALL_STARTED),
    *(Kind.SMS_RECEIVED, Kind.HANDSET_SEEN, Kind.HANDOVER, Kind.PAGING_NO_RESPONSE, Kind.SEEN),
]


def batch(*rows):
    """From (minutes, subscriber, kind, lac, ci, detail)."""
    made = empty(len(rows))
    for i, (minutes, row, kind, *cell) in enumerate(rows):
        lac, ci, detail = (*cell, 0, 0, 0)[:3]
        made[i]["t_us"] = round(minutes * MINUTE_US)
        for name, value in (
            ("imsi", IMSI[row]),
            ("kind", kind),
            ("lac", lac),
            ("ci", ci),
            ("detail", detail),
        ):
            made[i][name] = value
        made[i]["corr"] = i + 1
    return made, np.array([row for _, row, *_ in rows], dtype=np.int64)


def told(made):
    return [
        (
            row["t_us"] / MINUTE_US,
            NAMES[int(row["kind"])],
            int(row["lac"]),
            int(row["ci"]),
            int(row["detail"]),
        )
        for row in made
    ]


def play(*rows, silence_us=SILENCE, until=None):
    """Presence after some rows; what followed, and what a sweep says."""
    presence = Presence(len(IMSI), silence_us=silence_us)
    derived = presence.update(*batch(*rows), PLACES)
    assert set(derived.behaviours["kind"].tolist()) <= set(DERIVED)
    swept = [] if until is None else told(presence.sweep(round(until * MINUTE_US), IMSI)[0])
    return presence, told(derived.behaviours), swept


CALL = Kind.CALL_STARTED
CASES = {
    "a first sight changes nothing": ([(1, 0, CALL, 1, 1)], []),
    "another cell": ([(1, 0, CALL, 1, 1), (2, 0, CALL, 1, 2)], [(2, "cell_changed", 1, 2, 0x10001)]),
    "another area is another cell too": (
        [(1, 0, CALL, 1, 1), (2, 0, CALL, 2, 1)],
        [(2, "cell_changed", 2, 1, 0x10001), (2, "area_entered", 2, 1, 1)],
    ),
    "without a cell nobody moves": ([(1, 0, CALL, 1, 1), (2, 0, CALL), (3, 0, CALL, 1, 1)], []),
    "another handset": (
        [(1, 0, Kind.HANDSET_SEEN, 1, 1, 490154203237518), (2, 0, Kind.HANDSET_SEEN, 1, 1, 353918000000008)],
        [(2, "imei_changed", 1, 1, 353918000000008)],
    ),
    "a check digit sent as 0 is the same handset": (
        [(1, 0, Kind.HANDSET_SEEN, 1, 1, 490154203237518), (2, 0, Kind.HANDSET_SEEN, 1, 1, 490154203237510)],
        [],
    ),
    "a guest comes": (
        [(1, 0, Kind.LOCATION_UPDATE, 1, 1, PLMN << 16 | 77)],
        [(1, "roamed_in", 1, 1, PLMN << 16 | 77)],
    ),
    "somebody known returns": (
        [(1, 0, CALL, 1, 1), (90, 0, Kind.LOCATION_UPDATE, 1, 1, PLMN << 16 | 77)],
        [(90, "roamed_out", 1, 1, PLMN << 16 | 77), (90, "roamed_in", 1, 1, PLMN << 16 | 77)],
    ),
    "an area of our own is no journey": ([(1, 0, Kind.LOCATION_UPDATE, 1, 1, 77)], []),
    "silence ends before the next act": (
        [(1.5, 0, CALL, 1, 1), (300, 0, CALL, 1, 1)],
        [(122, "power_off_implicit", 1, 1, 0)],
    ),
    "who switched off is not silent": ([(1, 0, Kind.POWER_OFF, 1, 1), (300, 0, CALL, 1, 1)], []),
    "a page is no act of his": (
        [(1.5, 0, CALL, 1, 1), (100, 0, Kind.PAGING_NO_RESPONSE, 2), (300, 0, CALL, 1, 1)],
        [(122, "power_off_implicit", 1, 1, 0)],
    ),
    "an act at the very minute is in time": ([(2, 0, CALL, 1, 1), (123, 0, CALL, 1, 1)], []),
}


@pytest.mark.parametrize("name", CASES)
def test_what_follows(name):
    rows, wanted = CASES[name]
    assert play(*rows)[1] == wanted


def test_a_sweep_finds_who_is_silent_once():
    rows = [(1.5, 0, CALL, 1, 1), (3, 1, CALL, 2, 1), (4, 2, Kind.POWER_OFF, 1, 1)]
    presence, followed, swept = play(*rows, until=122.9)
    assert followed == []
    assert swept == [(122, "power_off_implicit", 1, 1, 0)]
    assert presence.power.tolist() == [3, 1, 2]
    assert presence.place.tolist() == [-1, PLACES.number("airport"), -1]
    made, rows = presence.sweep(200 * MINUTE_US, IMSI)
    assert told(made) == [(124, "power_off_implicit", 2, 1, 0)]
    assert (rows.tolist(), made["imsi"].tolist()) == ([1], [IMSI[1]])
    assert len(presence.sweep(900 * MINUTE_US, IMSI)[0]) == 0
    # He is on again with his next act, and may fall silent again.
    assert len(presence.update(*batch((901, 0, CALL, 1, 1)), PLACES).behaviours) == 0
    assert presence.power[0] == 1
    assert told(presence.sweep(2000 * MINUTE_US, IMSI)[0]) == [(1022, "power_off_implicit", 1, 1, 0)]


def test_stays_and_columns():
    presence = Presence(len(IMSI))
    rows = batch(
        (1, 0, CALL, 1, 1), (2, 0, CALL, 1, 2), (3, 0, CALL, 1, 3), (4, 0, CALL, 1, 1), (5, 1, CALL, 2, 1)
    )
    stays = presence.update(*rows, PLACES).stays
    mall, airport = PLACES.number("mall"), PLACES.number("airport")
    assert (stays.row.tolist(), stays.place.tolist(), stays.index.tolist()) == (
        [0, 0, 1],
        [mall, mall, airport],
        [0, 3, 4],
    )
    assert presence.place_since_us[0] == presence.cell_since_us[0] == 4 * MINUTE_US
    assert presence.power_since_us[0] == MINUTE_US
    assert (presence.lac[1], presence.ci[1], presence.seen_us[1]) == (2, 1, 5 * MINUTE_US)
    assert presence.place[2] == -1
    presence.update(*batch((6, 0, Kind.POWER_OFF, 1, 1)), PLACES)
    assert (presence.power[0], presence.place[0], presence.place_since_us[0]) == (2, -1, 6 * MINUTE_US)
    assert presence.bytes_each == PRESENCE.itemsize == 48
    assert presence.nbytes <= 48 * len(IMSI) + 64


def test_what_is_older_than_the_last_act_changes_nothing():
    presence, _, _ = play((5, 0, CALL, 1, 1))
    assert len(presence.update(*batch((4, 0, CALL, 2, 1)), PLACES).behaviours) == 0
    assert (presence.lac[0], presence.seen_us[0], presence.late) == (1, 5 * MINUTE_US, 1)


def test_wrong_arguments():
    presence = Presence(2)
    rows, of = batch((1, 2, CALL, 1, 1))
    with pytest.raises(IndexError, match="row 2 of 2"):
        presence.update(rows, of, PLACES)
    with pytest.raises(ValueError, match="a row for each behaviour"):
        presence.update(rows, np.zeros(2, np.int64), PLACES)
    with pytest.raises(ValueError, match="2 IMSIs were expected, not 3"):
        presence.sweep(0, IMSI)
    with pytest.raises(ValueError, match="2 rows of PRESENCE"):
        presence.load(np.zeros(3, PRESENCE))
    with pytest.raises(ValueError, match="negative"):
        Presence(1, silence_us=-1)
    with pytest.raises(ValueError, match="positive"):
        silence_of(6.0, 0)
    assert silence_of(0.0) == 0
    assert silence_of(1.0, 2, 60.0) == 7_260_000_000


@st.composite
def streams(draw):
    rows, minutes = [], 1.0
    for _ in range(draw(st.integers(1, 60))):
        minutes += draw(st.sampled_from([0, 0, 0.25, 1, 7, 130]))
        kind = draw(st.sampled_from(RAW))
        cell = draw(st.sampled_from([(1, 1), (1, 2), (1, 3), (2, 1), (0, 0)]))
        detail = 0
        if kind == Kind.HANDSET_SEEN:
            detail = draw(st.sampled_from([490154203237518, 353918000000008]))
        if kind == Kind.LOCATION_UPDATE:
            detail = draw(st.sampled_from([0, 5, PLMN << 16 | 5]))
        rows.append((minutes, draw(st.integers(0, 2)), kind, *cell, detail))
    return rows


@settings(max_examples=150, deadline=None)
@given(rows=streams(), data=st.data())
def test_any_cut_gives_the_same_rows_and_columns(rows, data):
    """Cuts with a sweep at each, up to what can still come; a copy goes on from a snapshot in the middle."""
    whole, of = batch(*rows)
    until_us = int(whole["t_us"][-1]) + 400 * MINUTE_US
    one = Presence(len(IMSI), silence_us=SILENCE)
    first = one.update(whole, of, PLACES)
    wanted = np.concatenate([first.behaviours, one.sweep(until_us, IMSI)[0]])
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=6).map(sorted))
    other, made, stays = Presence(len(IMSI), silence_us=SILENCE), [], []
    for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        if start < len(rows):
            made.append(other.sweep(int(whole["t_us"][start]) - 1, IMSI)[0])
        derived = other.update(whole[start:end], of[start:end], PLACES)
        made.append(derived.behaviours)
        stays += list(zip(derived.stays.row.tolist(), (derived.stays.index + start).tolist(), strict=True))
        again = Presence(len(IMSI), silence_us=SILENCE)
        again.load(other.records)
        other = again
    made.append(other.sweep(until_us, IMSI)[0])
    assert sorted(row.tobytes() for row in np.concatenate(made)) == sorted(row.tobytes() for row in wanted)
    assert other.records.tobytes() == one.records.tobytes()
    assert stays == list(zip(first.stays.row.tolist(), first.stays.index.tolist(), strict=True))
    # Of one subscriber the rows come in the order of time.
    for imsi in IMSI:
        mine = first.behaviours[first.behaviours["imsi"] == imsi]
        assert (np.diff(mine["t_us"]) >= 0).all()


def test_silence_over_many_subscribers_looks_at_few():
    """Blocks whose earliest silence is not over are passed over; who falls silent is found all the same."""
    n = 20_000
    imsi = np.arange(1, n + 1, dtype=np.uint64)
    presence = Presence(n, silence_us=SILENCE)
    rows = empty(n)
    rows["t_us"], rows["imsi"], rows["kind"] = np.arange(n) * 60_000 + MINUTE_US, imsi, Kind.PERIODIC_UPDATE
    rows["lac"] = rows["ci"] = 1
    presence.update(rows, np.arange(n), PLACES)
    found = [presence.sweep(minute * MINUTE_US, imsi)[0] for minute in range(1, 150)]
    whole = np.concatenate(found)
    assert sorted(whole["imsi"].tolist()) == imsi.tolist()
    assert (
        whole["t_us"]
        == ((rows["t_us"][whole["imsi"].astype(int) - 1] + SILENCE) // MINUTE_US + 1) * MINUTE_US
    ).all()
