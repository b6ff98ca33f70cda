"""However a stream is cut into batches, and however subscribers are divided over engines: the same
decisions.
"""

import copy
from collections import defaultdict

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing.behaviours import CODES, empty
from marketing.engine import on_batch, on_timers

DAY = "2009-03-02"
KINDS = ("power_on", "power_off", "location_update", "call_started", "call_ended", "sms_sent", "handover")
KINDS += ("sms_sent", "call_ended", "location_update", "location_update")
PEERS = (b"10086", b"12345", b"0755123", b"")
SUBSCRIBERS = 3

rows_of = st.lists(
    st.tuples(
        # Equal instants, stays that end in the minute in which they fall due, whole minutes, long gaps.
        st.sampled_from((0, 0, 0, 0, 1, 2, 7, 13, 13, 20, 21, 32, 60, 600, 30_000)),
        st.integers(0, SUBSCRIBERS),
        st.sampled_from(KINDS),
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(0, 2),
    ),
    min_size=20,
    max_size=80,
)


def stream(town, drawn):
    rows = empty(len(drawn))
    t_us = town.at(f"{DAY} 08:00")
    cells = (town.AIRPORT, town.HOME, (0x3333, 1), (0, 0))
    for row, (gap_s, sub, kind, cell, peer, role) in zip(rows, drawn, strict=True):
        t_us += gap_s * 1_000_000
        row["t_us"], row["imsi"], row["kind"] = t_us, town.imsi(sub), CODES[kind]
        row["lac"], row["ci"] = cells[cell]
        row["peer"], row["role"] = PEERS[peer], role
        row["duration_us"] = 61_000_000 if kind == "call_ended" else 0
    rows["corr"] = np.arange(1, len(rows) + 1)
    return rows


def campaigns(town):
    calls = {"begin": {"behaviour": "call_ended", "role": "caller", "peer": ["10086"]}}
    texts = {"begin": {"behaviour": ["sms_sent", "call_ended"]}}
    return (
        town.campaign(priority=30),
        town.dwell(at_least_s=20, priority=20),
        town.dwell("stay-on", at_least_s=33, priority=40, hold="drop"),
        town.campaign("hang-up", scene=calls, originator="1008603", hold="drop"),
        town.campaign("text", scene=texts, originator="1008604", caps={"same_campaign_days": 2}),
        town.campaign(
            "halved",
            scene=texts,
            originator="1008605",
            experiment={"arms": {"treated": 0.5, "control": 0.5}, "salt": "s"},
        ),
    )


def played(state, rows, cuts, end_us):
    decisions = []
    for part in np.split(rows, cuts):
        decisions += on_batch(state, part, 0)
    return decisions + on_timers(state, end_us)


def by_subscriber(decisions):
    """Each subscriber's own sequence: what is decided for one hangs on nobody else."""
    found = defaultdict(list)
    for d in decisions:
        contact = d.contact.contact_id if d.contact else ""
        trigger = d.trigger
        found[trigger.imsi].append(
            (trigger.campaign, trigger.t_us, trigger.corr, d.action, d.reason, d.t_us, d.arm, contact)
        )
    return dict(found)


def known(state):
    return {
        int(imsi): (state.habits.records[row].tobytes(), state.features.records[row].tobytes())
        for row, imsi in enumerate(state.profiles.imsi.tolist())
    }


def fresh(town, people):
    return town.engine_state(
        *campaigns(town),
        people=people,
        caps={"per_calendar_month": 6},
        duplicate={"same_campaign_days": 1},
    )


EXAMPLES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@EXAMPLES
@given(drawn=rows_of, data=st.data())
def test_cuts_change_nothing(town, drawn, data):
    rows = stream(town, drawn)
    end_us = int(rows["t_us"][-1]) + 86_400_000_000
    cuts = sorted(data.draw(st.sets(st.integers(1, len(rows) - 1), min_size=3)))
    whole, cut = (fresh(town, town.profiles(SUBSCRIBERS)) for _ in range(2))
    expected = by_subscriber(played(whole, rows, [], end_us))
    assert by_subscriber(played(cut, rows, cuts, end_us)) == expected
    assert known(cut) == known(whole)
    np.testing.assert_array_equal(cut.habits.counts, whole.habits.counts)
    np.testing.assert_array_equal(cut.habits.crowd, whole.habits.crowd)


@EXAMPLES
@given(drawn=rows_of, shards=st.integers(2, 4))
def test_shards_change_nothing(town, drawn, shards):
    rows = stream(town, drawn)
    end_us = int(rows["t_us"][-1]) + 86_400_000_000
    whole = fresh(town, town.profiles(SUBSCRIBERS))
    expected = by_subscriber(played(whole, rows, [], end_us))
    found = {}
    for shard in range(shards):
        mine = [sub for sub in range(SUBSCRIBERS) if sub % shards == shard]
        if not mine:
            continue
        people = town.profiles(
            len(mine), imsi=[f"{town.imsi(s):015d}" for s in mine], msisdn=[town.msisdn(s) for s in mine]
        )
        part = rows[np.isin(rows["imsi"] - np.uint64(town.imsi(0)), mine)]
        found |= by_subscriber(played(fresh(town, people), part, [], end_us))
    assert found == expected


@EXAMPLES
@given(drawn=rows_of, split=st.integers(0, 60))
def test_a_copy_goes_on_where_the_first_was(town, drawn, split):
    rows = stream(town, drawn)
    end_us = int(rows["t_us"][-1]) + 86_400_000_000
    first = fresh(town, town.profiles(SUBSCRIBERS))
    on_batch(first, rows[:split], 0)
    second = copy.deepcopy(first)
    one = on_batch(first, rows[split:], 0) + on_timers(first, end_us)
    assert on_batch(second, rows[split:], 0) + on_timers(second, end_us) == one
