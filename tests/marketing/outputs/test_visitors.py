"""Visitors: hours, days, silence, strangers; the same however the stream is cut."""

import json
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing.campaigns import Campaign
from marketing.config import ConfigError
from marketing.outputs import Origins, Outputs, Visitors, load_origins
from marketing.workers import LocalHost

DAY = "2009-03-02"  # a Monday
ZONE = ZoneInfo("Asia/Shanghai")
ORIGINS = Origins({"00101": "home", "001011": "next"})


def campaign(at_least_s=600, **keys):
    scene = {"begin": {"dwell": {"place": "airport", "at_least_s": at_least_s}}, **keys.pop("scene", {})}
    return Campaign.model_validate(
        {"campaign": "v", "title": "t", "output": "statistics", "scene": scene, **keys}
    )


def visitors(town, silence_us=0, **keys):
    return Visitors(campaign(**keys), town.places(), ZONE, ORIGINS, silence_us)


def counted(one):
    return {(row["day"], row["hour"], row["origin"]): row["visitors"] for row in one.rows}


def known(one):
    plain, arrays = one.freeze()()
    return plain, {key: sorted(map(tuple, column.tolist())) for key, column in arrays.items()}


def seen(t, cell, who=46001_0000000001, kind="location_update"):
    return {"t": f"{DAY} {t}", "imsi": who, "cell": cell, "kind": kind}


def rows_of(town, *rows):
    batch = town.batch(*({k: v for k, v in row.items() if k != "imsi"} | {"sub": 0} for row in rows))
    batch["imsi"] = [row["imsi"] for row in rows]
    return batch


def test_a_visit_counts_in_every_hour_of_it_and_once_a_day(town):
    one = visitors(town)
    one.take(rows_of(town, seen("10:55", town.AIRPORT), seen("12:10", town.HOME)))
    one.take(rows_of(town, seen("15:00", town.AIRPORT), seen("15:09:59", town.HOME)))  # too short
    one.take(rows_of(town, seen("16:00", town.AIRPORT), seen("16:10:01", town.HOME)))
    one.until(town.at(f"{DAY} 23:59"), whole=True)
    # 10:55 and ten minutes is 11:05.
    assert counted(one) == {
        (DAY, 11, "460-01"): 1,
        (DAY, 12, "460-01"): 1,
        (DAY, 16, "460-01"): 1,
        (DAY, None, "460-01"): 1,
    }


def test_origins_by_the_longest_prefix_and_only_in_hours_that_count(town):
    one = visitors(town, scene={"when": {"hours": ["12:00-13:00"]}})
    people = (1_010_000_000_001, 1_011_000_000_001, 46001_0000000001)
    one.take(rows_of(town, *(seen("11:00", town.AIRPORT, who) for who in people)))
    one.until(town.at(f"{DAY} 14:30"))
    assert counted(one) == {(DAY, 12, "home"): 1, (DAY, 12, "next"): 1, (DAY, 12, "460-01"): 1}


def test_an_hour_waits_for_what_is_late(town):
    one = visitors(town)
    one.take(rows_of(town, seen("10:00", town.AIRPORT)))
    assert not one.until(town.at(f"{DAY} 11:00:59"))
    assert one.until(town.at(f"{DAY} 11:01"))
    assert counted(one) == {(DAY, 10, "460-01"): 1}


@pytest.mark.parametrize("end", [("power_off", "AIRPORT"), ("location_update", "HOME")])
def test_what_ends_a_stay(town, end):
    one = visitors(town)
    kind, cell = end
    one.take(rows_of(town, seen("10:00", town.AIRPORT), seen("10:05", getattr(town, cell), kind=kind)))
    one.until(town.at(f"{DAY} 12:00"), whole=True)
    assert one.rows == []


def test_the_silent_are_gone(town):
    one = visitors(town, silence_us=3_600_000_000)
    one.take(rows_of(town, seen("10:00", town.AIRPORT), seen("10:30", town.AIRPORT)))
    one.until(town.at(f"{DAY} 14:00"), whole=True)
    assert counted(one) == {(DAY, 10, "460-01"): 1, (DAY, None, "460-01"): 1}


acts = st.tuples(
    st.integers(0, 3),
    st.integers(0, 30),
    st.sampled_from(["AIRPORT", "HOME"]),
    st.sampled_from(["location_update", "call_ended", "power_off", "cell_changed", "paging_no_response"]),
)


# The helpers of `town` keep nothing from one example to the next.
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(acts, min_size=1, max_size=40), st.sets(st.integers(1, 39)))
def test_cuts_and_restarts_change_nothing_and_counts_are_those_of_a_loop(town, drawn, cuts):
    at_us, rows = town.at(f"{DAY} 06:00"), []
    for who, minutes, cell, kind in drawn:
        at_us += minutes * 60_000_000 + 1
        rows.append(
            {
                "t": f"{DAY} 06:00",
                "imsi": 1_010_000_000_001 + who,
                "cell": getattr(town, cell),
                "kind": kind,
                "at": at_us,
            }
        )
    batch = rows_of(town, *({k: v for k, v in row.items() if k != "at"} for row in rows))
    batch["t_us"] = [row["at"] for row in rows]
    end_us = at_us + 2 * 3_600_000_000
    found = []
    for pieces in ([batch], np.split(batch, sorted(cut for cut in cuts if cut < len(batch)))):
        one = visitors(town)
        for piece in pieces:
            one.take(piece)
            one.until(int(piece["t_us"][-1]))
            plain, arrays = one.freeze()()
            again = visitors(town)
            again.restore((json.loads(json.dumps(plain)), arrays))
            assert known(again) == known(one)
            one = again
        shown = one.ended(end_us)
        assert known(again) == known(one)
        one.until(end_us, whole=True)
        assert shown == one.rows
        found.append(counted(one))
    assert found[0] == found[1]
    assert found[0] == by_loop(town, rows, end_us)


def by_loop(town, rows, end_us):
    """Minutes are what a loop can go through: who is a visitor at each, to the microsecond at the edges."""
    sets, start_us = {}, town.at(f"{DAY} 00:00")
    for who in {row["imsi"] for row in rows}:
        since, spans = None, []
        for row in rows:
            if row["imsi"] != who or row["kind"] in ("cell_changed", "paging_no_response"):
                continue
            here = row["cell"] == town.AIRPORT and row["kind"] != "power_off"
            if here and since is None:
                since = row["at"]
            elif not here and since is not None:
                spans.append((since, row["at"]))
                since = None
        spans += [(since, end_us)] if since is not None else []
        for begin, end in spans:
            for hour in range(60):
                low, high = start_us + hour * 3_600_000_000, start_us + (hour + 1) * 3_600_000_000
                if max(low, begin + 600_000_000) < min(high, end):
                    day = f"2009-03-{2 + hour // 24:02d}"
                    sets.setdefault((day, hour % 24, "home"), set()).add(who)
                    sets.setdefault((day, None, "home"), set()).add(who)
    return {key: len(members) for key, members in sets.items()}


def test_statistics_have_no_use_for_what_only_an_extract_knows():
    for keys in ({"audience": {"brand": "gotone"}}, {"targets": "vip"}, {"scene": {"if": "now.on"}}):
        with pytest.raises(ValueError, match="statistics counts strangers too"):
            campaign(**keys)
    with pytest.raises(ValueError, match="dwell"):
        Campaign.model_validate(
            {
                "campaign": "v",
                "title": "t",
                "output": "statistics",
                "scene": {"begin": {"behaviour": "power_on"}},
            }
        )


def test_a_wrong_file_of_origins_is_explained(tmp_path):
    path = tmp_path / "origins.csv"
    path.write_text("imsi_prefix,origin\n46000,home\n4600,short\n46001,\n46000,other\n")
    with pytest.raises(ConfigError) as caught:
        load_origins(path)
    assert [(p.line, p.key) for p in caught.value.problems] == [
        (3, "imsi_prefix"),
        (4, "origin"),
        (5, "imsi_prefix"),
    ]
    path.write_text("prefix\n1\n")
    with pytest.raises(ConfigError, match="header imsi_prefix,origin"):
        load_origins(path)
    assert load_origins(None).of(46000_1234567890) == "460-00"


def test_what_another_version_froze_is_refused(town, tmp_path):
    one = Outputs(LocalHost(town.engine_state(campaign())), tmp_path, ZONE, ORIGINS)
    kept = one.freeze()()
    one.restore({})  # an older platform kept none
    one.restore(kept)
    kept["plain"] = np.frombuffer(kept["plain"].tobytes().replace(b'"version": 1', b'"version": 9'), np.uint8)
    with pytest.raises(ValueError, match="version 9: expected 1"):
        one.restore(kept)
