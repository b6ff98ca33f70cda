"""The wall clock: steady, until a step of the machine's time is followed."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import marketing.clock
from marketing.clock import STEP_US, Clock

SECOND_NS = 1_000_000_000


class Machine:
    """Its two clocks; the monotonic one goes on by itself, the other is set as well."""

    def __init__(self):
        self.ran_ns = 77 * SECOND_NS
        self.set_ns = 1_236_000_000 * SECOND_NS
        self.module = SimpleNamespace(
            time_ns=lambda: self.ran_ns + self.set_ns, monotonic_ns=lambda: self.ran_ns
        )


@pytest.fixture
def machine(monkeypatch):
    made = Machine()
    monkeypatch.setattr(marketing.clock, "time", made.module)
    return made


@pytest.mark.parametrize("by_s", [3 * 86_400, 0.2, -0.2, -3600])
def test_a_step_is_seen_by_nobody_before_it_is_followed(machine, by_s):
    clock = Clock("wall")
    began_us = clock.now_us()
    assert (clock.step_us(), clock.began_us) == (0, began_us)
    machine.ran_ns += SECOND_NS
    machine.set_ns += round(by_s * SECOND_NS)
    assert clock.now_us() == began_us + 1_000_000
    by_us = clock.step_us()
    assert by_us == round(by_s * 1e6)
    assert clock.now_us() == began_us + 1_000_000
    assert clock.step_us() == by_us, "and asked for again until it is followed"
    clock.follow(by_us)
    assert (clock.now_us(), clock.steps) == (machine.module.time_ns() // 1000, 1)
    assert clock.began_us == began_us + by_us, "as long ago as before"
    assert clock.step_us() == 0


def test_what_is_hardly_a_step_is_followed_as_it_is(machine):
    clock = Clock("wall")
    machine.set_ns += (STEP_US - 1) * 1000
    assert clock.step_us() == 0
    assert clock.now_us() == machine.module.time_ns() // 1000
    assert clock.steps == 0


@pytest.mark.parametrize("mode", ["live", "lockstep"])
def test_other_clocks_are_not_the_machines(machine, mode):
    clock = Clock(mode, 5_000_000)
    machine.set_ns += 9 * SECOND_NS
    assert clock.step_us() == 0


def test_a_process_that_has_to_wait_between_two_readings_sees_no_step(machine):
    """Both clocks are read several times; the closest pair counts."""
    clock = Clock("wall")
    turns = iter([3, 0, 2, 5, 1])
    wall_ns = machine.module.time_ns

    def late():
        said = wall_ns()
        machine.ran_ns += next(turns) * SECOND_NS
        return said

    machine.module.time_ns = late
    assert clock.step_us() == 0


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(-(10**6), 10**6)), max_size=20))
def test_elapsed_time_by_the_clock_is_elapsed_time(turns):
    """Since it began, however often it was set."""
    machine = Machine()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(marketing.clock, "time", machine.module)
        clock, ran_s = Clock("wall"), 0
        for goes_on_s, by_s in turns:
            machine.ran_ns += goes_on_s * SECOND_NS
            ran_s += goes_on_s
            machine.set_ns += by_s * SECOND_NS
            if step := clock.step_us():
                clock.follow(step)
            assert clock.now_us() - clock.began_us == ran_s * 1_000_000
            assert clock.now_us() == machine.module.time_ns() // 1000
