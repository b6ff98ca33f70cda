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
TOLD = "{place|nowhere} {peer|nobody} {minutes_used|no}"

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


def pattern(town, name, begin, *then, **more):
    scene = {"begin": {"behaviour": begin}, "then": list(then), "within_s": 300, **more}
    return town.campaign(name, scene=scene, originator="1008606", hold="drop")


def campaigns(town):
    calls = {"begin": {"behaviour": "call_ended", "role": "caller", "peer": ["10086"]}}
    texts = {"begin": {"behaviour": ["sms_sent", "call_ended"]}}
    return (
        town.campaign(priority=30),
        town.dwell(at_least_s=20, priority=20),
        town.dwell("stay-on", at_least_s=33, priority=40, hold="drop"),
        town.campaign("hang-up", scene=calls, originator="1008603", hold="drop"),
        town.campaign("text", scene=texts, originator="1008604", caps={"same_campaign_days": 2}),
        town.campaign("telling", scene=texts, originator="1008604", content={"zh": TOLD}),
        town.dwell("stay-told", at_least_s=7, content={"zh": TOLD}),
        # Patterns over time: sequence, strict sequence, count, absence, and what is true at a step.
        pattern(
            town, "sequence", ["sms_sent"], {"followed_by": {"behaviour": "call_ended"}, "within_s": 120}
        ),
        pattern(town, "strict", ["location_update"], {"next": {"behaviour": "sms_sent"}}),
        pattern(
            town, "count", ["sms_sent"], {"followed_by": {"behaviour": "sms_sent"}, "times": 2}, within_s=60
        ),
        pattern(
            town,
            "absence",
            ["call_started", "location_update"],
            {"not_followed_by": {"behaviour": ["sms_sent", "power_off"]}, "within_s": 13},
        ),
        pattern(
            town,
            "between",
            ["sms_sent"],
            {"not_followed_by": {"behaviour": "power_off"}},
            {"followed_by": {"behaviour": "call_ended", "if": 'now.idle >= duration("1s")'}},
            **{"if": 'event.cell != 9 || !(now.dwell > duration("5s"))'},
        ),
        pattern(
            town,
            "implied",
            ["cell_changed"],
            {
                "followed_by": {
                    "behaviour": "sms_sent",
                    "if": 'last["10086"] > duration("30s") || !has(last.call)',
                }
            },
        ),
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
        contact = (d.contact.contact_id, d.contact.text) if d.contact else ""
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
        caps={"per_calendar_month": 12},
        duplicate={"same_campaign_days": 1},
    )


EXAMPLES = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
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


def test_such_streams_complete_every_scene(town):
    """So that the laws above are about every kind of scene and not about silence."""
    rng = np.random.default_rng(5)
    gaps = (0, 0, 0, 1, 2, 7, 13, 13, 20, 32, 60, 600)
    drawn = [
        (*map(int, (rng.choice(gaps), rng.integers(0, 3))), str(rng.choice(KINDS)), *rng.integers(0, 3, 3))
        for _ in range(1500)
    ]
    rows = stream(town, drawn)
    decisions = played(fresh(town, town.profiles(SUBSCRIBERS)), rows, [], int(rows["t_us"][-1]))
    found = {d.trigger.campaign for d in decisions}
    assert found == {c.campaign for c in campaigns(town)}
    assert {d.action for d in decisions} >= {"send", "suppress"}
