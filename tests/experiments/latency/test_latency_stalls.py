"""What a planted stall must show: the formula against a simulated server; the loop that plants it."""

import os
import signal

import numpy as np
import pytest

from experiments.latency.plants import Stall, Stalls
from experiments.latency.stall_law import StallSeen, law, seen
from experiments.latency.usage import Usage, cores_of


def served(intended_s, service_s, stop_s, go_s):
    """Answers of a server that takes so long each, in order, and stands still between two moments."""
    free, answers = 0.0, []
    for at in intended_s:
        start = max(free, at)
        if stop_s <= start < go_s:
            start = go_s
        free = start + service_s
        if start < stop_s < free:
            free += go_s - stop_s
        answers.append(free)
    return np.array(answers)


@pytest.mark.parametrize("seconds", [10.0, 20.0, 60.0])
@pytest.mark.parametrize("use", [0.01, 0.3, 0.6])
@pytest.mark.parametrize("stall_s", [1.0, 2.0])
def test_the_law_holds_for_a_server_of_known_use(seconds, use, stall_s):
    rate = 500
    intended = np.arange(0, seconds, 1 / rate)
    stop = seconds / 4
    arrived = served(intended, use / rate, stop, stop + stall_s)
    ns = [np.round(column * 1e9).astype(np.int64) for column in (intended, arrived)]
    found = seen(*ns, (round(stop * 1e9), round((stop + stall_s) * 1e9)), seconds)
    # The derivation for a server that works at that use from the restart on.
    assert found.drained_s == pytest.approx(stall_s * use / (1 - use), abs=0.02)
    assert found.p99_s == pytest.approx(stall_s - 0.01 * seconds * (1 - use), rel=0.01)
    assert found.p99_even_s == pytest.approx(found.p99_s, rel=0.01)
    assert found.p99_law_s == pytest.approx(found.p99_s, rel=0.01)
    assert found.most_s == pytest.approx(stall_s, rel=0.01)
    assert found.problems == []


def test_without_a_drain_it_is_the_plain_formula():
    assert law(0.01 * 20, 1.0, 0.0, 0.0) == pytest.approx(0.8)
    assert law(0.01 * 100, 1.0, 0.0, 0.0) is None  # the stall is one hundredth of the run
    assert law(0.01 * 20, 1.0, 0.05, 0.05) == pytest.approx(0.85)


def test_latencies_that_forgive_the_stall_are_found_out():
    # As a closed loop would report it: one slow answer, the others never asked meanwhile.
    intended = np.concatenate((np.arange(0, 2, 0.01), np.arange(3, 6, 0.01)))
    arrived = intended + 0.002
    ns = [np.round(column * 1e9).astype(np.int64) for column in (intended, arrived)]
    found = seen(*ns, (2 * 10**9, 3 * 10**9), 6.0)
    assert len(found.problems) == 1
    assert "shows as 0.002 s at most, 0.950 s expected" in found.problems[0]
    wrong = StallSeen(1.0, 0.0, 0.0, 1.0, 0.5, 0.94, 0.94)
    assert "p99 of 0.500 s, 0.940 s expected within 5 %" in wrong.problems[0]
    with pytest.raises(ValueError, match="no trigger"):
        seen(ns[0][:0], ns[1][:0], (0, 1), 6.0)


def test_a_platform_is_stopped_and_goes_on_when_due(monkeypatch):
    sent, clock = [], [5_000_000_000]
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number, clock[0])))
    monkeypatch.setattr("experiments.latency.plants.time.monotonic_ns", lambda: clock[0])
    begin = clock[0]
    stalls = Stalls(Stall(1.0, platform_s=0.5), 77, lambda begin_ns, now_ns: now_ns + 2_000_000_000)
    assert stalls.look(begin, 0) == 1_000_000_000  # asked again when the stall is due
    clock[0] = begin + 1_000_000_000
    assert stalls.look(begin, 1_000_000_000) == 1_500_000_000  # and when it is over
    clock[0] = begin + 1_500_000_000
    assert stalls.look(begin, 1_500_000_000) == 3_500_000_000
    stalls.go_on()  # nothing is left to do
    assert sent == [(77, signal.SIGSTOP, begin + 10**9), (77, signal.SIGCONT, begin + 1_500_000_000)]
    assert stalls.stopped_ns == (begin + 10**9, begin + 1_500_000_000)


def test_a_platform_never_stays_stopped(monkeypatch):
    sent = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append(number))
    stalls = Stalls(Stall(0.0, platform_s=5.0), 77, lambda begin_ns, now_ns: now_ns)
    stalls.look(0, 0)
    stalls.go_on()
    assert sent == [signal.SIGSTOP, signal.SIGCONT]


def test_a_generator_sleeps_once(monkeypatch):
    slept = []
    monkeypatch.setattr("experiments.latency.plants.time.sleep", slept.append)
    stalls = Stalls(Stall(0.0, generator_s=0.7), 0, lambda begin_ns, now_ns: now_ns + 1)
    assert [stalls.look(0, now) for now in (0, 5, 9)] == [1, 6, 10]
    assert slept == [0.7]


def test_processor_time_of_a_process_is_counted_and_divided():
    before = Usage.of(os.getpid())
    sum(i * i for i in range(3_000_000))
    used = Usage.of(os.getpid()).since(before, 1.0)
    assert used["processor_s"] > 0.02
    assert used["busiest_thread"] <= used["busy"]
    assert used["waited"] >= 0
    assert Usage.of(os.getpid(), without=os.getppid()).processor_s >= before.processor_s


@pytest.mark.parametrize(
    ("cpus", "generator", "platform"),
    [({0, 1}, {0}, {1}), ({2, 3, 5}, {2}, {3, 5}), ({0, 1, 2, 3}, {0, 1}, {2, 3})],
)
def test_generator_and_platform_share_no_processor(cpus, generator, platform):
    cores = cores_of(frozenset(cpus))
    assert (cores.generator, cores.platform) == (generator, platform)
    assert cores.as_json()["apart"]


def test_one_processor_is_said():
    assert cores_of(frozenset({3})).as_json() == {
        "apart": False, "generator": [3], "platform": [3], "why_not": "there is one processor only",
    }  # fmt: skip
