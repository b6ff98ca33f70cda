"""What the event loop is busy with: sums by stage, rows bounded in number, an idle loop that says so."""

from __future__ import annotations

import asyncio
import time

from hypothesis import given
from hypothesis import strategies as st

from marketing.occupation import MOST_ROWS, STAGES, STEP_NS, Occupation, watched_loop


class Ticking:
    def __init__(self):
        self.now = 1_000

    def __call__(self):
        return self.now


@given(st.lists(st.tuples(st.sampled_from(STAGES), st.integers(0, 3 * STEP_NS)), max_size=60))
def test_all_time_belongs_to_one_stage(steps):
    clock = Ticking()
    occupation = Occupation(clock)
    expected = dict.fromkeys(STAGES, 0)
    current = "messages"
    for stage, ns in steps:
        clock.now += ns
        expected[current] += ns
        assert occupation.to(stage) == current
        current = stage
    table = occupation.table()
    assert table["columns"] == ["t_ns", *STAGES]
    last = table["rows"][-1]
    assert last == [clock.now, *expected.values()]
    assert sum(last[1:]) == clock.now - 1_000
    assert table["rows"] == sorted(table["rows"])


def test_rows_are_bounded_and_lose_nothing():
    clock = Ticking()
    occupation = Occupation(clock)
    for i in range(3 * MOST_ROWS):
        clock.now += STEP_NS
        occupation.to("engine" if i % 2 else "idle")
    rows = occupation.table()["rows"]
    assert MOST_ROWS // 4 < len(rows) <= MOST_ROWS
    assert rows[-1][0] == clock.now
    assert sum(rows[-1][1:]) == 3 * MOST_ROWS * STEP_NS


def test_a_loop_that_waits_is_idle():
    occupation = Occupation()

    async def waits():
        await asyncio.sleep(0.2)
        before = occupation.to("engine")
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            pass
        occupation.to(before)

    with asyncio.Runner(loop_factory=watched_loop(occupation)) as runner:
        runner.run(waits())
    spent = occupation.seconds()
    assert spent["idle"] > 0.15
    assert spent["engine"] >= 0.05
