"""Each trigger that was found is counted in one place, and why it has no latency is said."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.latency.joining import join
from experiments.latency.pacing import Schedule
from experiments.latency.reckoning import ENDS, add_reckoned, reckon
from experiments.latency.worldtime import WorldTime
from sigtran import MessageBatch

BEGIN = 10**12
MS = 1_000_000
WOVEN = 4_000_000_000


def plan(n=40):
    batch = MessageBatch(b"x" * n, np.arange(n + 1, dtype=np.int64), np.ones(n, np.uint16))
    return Schedule(batch, np.arange(n) * MS, np.arange(1, n + 1), WorldTime.even(0, 1.0))


def trigger(number, state="sent", reason="", *, corr=None, held_us=0, contact=None):
    asked = state != "suppressed" if contact is None else contact
    return {
        "contact_id": f"c{number}" if asked else "",
        "campaign": "c",
        "corr": number if corr is None else corr,
        "state": state,
        "reason": reason,
        "timer": False,
        "t_us": 0,
        "held_until_us": held_us,
    }


def reckoned(rows, arrived):
    schedule = plan()
    table = pa.Table.from_pylist(rows)
    arrivals = dict.fromkeys(arrived, BEGIN + 900 * MS)
    joined = join(arrivals, table, schedule, schedule.intended_ns, BEGIN, lambda t_us: t_us * 1000)
    return reckon(table, joined, arrivals)


ROWS = [
    # row, whether its text arrived, where it is counted
    (trigger(1), True, "measured"),
    (trigger(2), False, "lost"),
    (trigger(3, held_us=500_000), True, "held"),
    (trigger(4, "held", "quiet_hours", held_us=500_000), False, "waiting"),
    (trigger(5, corr=WOVEN), True, "unplanned"),
    (trigger(6, "failed"), False, "failed"),
    (trigger(7, "failed"), True, "measured"),  # the centre took it, and its answer was lost
    (trigger(8, "suppressed", "cap"), False, "cap"),
    (trigger(9, "suppressed", "late", contact=True), False, "late"),
]


@pytest.mark.parametrize(("row", "came", "where"), ROWS, ids=lambda value: str(value)[:12])
def test_a_trigger_is_counted_as_what_became_of_it(row, came, where):
    found = reckoned([row], [row["contact_id"]] if came else [])
    suppressed = {where: 1} if where not in ENDS else {}
    assert found == {"found": 1, **dict.fromkeys(ENDS, 0), "suppressed": suppressed} | (
        {} if suppressed else {where: 1}
    )


@given(st.lists(st.tuples(st.sampled_from(range(len(ROWS))), st.booleans()), max_size=30))
def test_all_ends_together_are_all_triggers(drawn):
    rows = [
        ROWS[kind][0] | {"contact_id": f"c{i}" if ROWS[kind][0]["contact_id"] else ""}
        for i, (kind, _) in enumerate(drawn)
    ]
    came = [row["contact_id"] for row, (_, arrived) in zip(rows, drawn, strict=True) if arrived]
    if not rows:
        return
    found = reckoned(rows, [contact for contact in came if contact])
    ends = sum(found[end] for end in ENDS) + sum(found["suppressed"].values())
    assert ends == found["found"] == len(rows)
    both = add_reckoned([found, found])
    assert both["found"] == 2 * len(rows)
    assert both["suppressed"] == {reason: 2 * n for reason, n in found["suppressed"].items()}
    assert add_reckoned([found, None]) is None
