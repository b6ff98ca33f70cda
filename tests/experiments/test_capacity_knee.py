"""The search for the knee: queues of known rate in virtual time, any monotone platform, a real clock."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal, getcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.capacity.knee import Search, SearchKeys, find
from experiments.capacity.levels import ProbeResult, ServiceLevel, least_triggers
from experiments.capacity.mock import VirtualQueue, served
from experiments.capacity.mock_site import ClockedMock
from experiments.capacity.utilisation import Resource, at_knee

KEYS = SearchKeys(seconds=8, resolution=0.03)
LEVEL = ServiceLevel(latency_ms=100)


# --------------------------------------------------------------------------- queues of known rate


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("arrivals", ["even", "poisson"])
@pytest.mark.parametrize("serves_per_s", [1000, 7777, 30_000])
def test_the_knee_of_a_queue_is_found_within_five_per_cent(serves_per_s, arrivals, noise, seed):
    knee = find(VirtualQueue(serves_per_s, arrivals, noise), KEYS, LEVEL, seed)
    assert knee.status == "found"
    assert knee.rate_per_s == pytest.approx(serves_per_s, rel=0.05)
    assert knee.rate_per_s < knee.breaks_at_per_s <= knee.rate_per_s * 1.03 * (1 + 1e-9)
    assert knee.broke == ("latency",)
    _, gave_way = at_knee(knee)
    assert (gave_way.limited_by, gave_way.stage) == ("platform", "engine")


def crommelin(load: float, services: float) -> float:
    """P(wait <= services x D) of M/D/1 (Crommelin 1932), in exact arithmetic: its terms cancel badly."""
    getcontext().prec = 120
    rho, t = Decimal(load), Decimal(services)
    total = Decimal(0)
    for k in range(int(services) + 1):
        x = rho * (Decimal(k) - t)
        total += x**k / Decimal(math.factorial(k)) * (-x).exp() if k or x else (-x).exp()
    return float((1 - rho) * total)


def test_the_knee_of_random_arrivals_is_where_theory_has_it():
    """A bound of ten services: the queue is busy four fifths of the time where p99 of the stay passes it."""
    low, high = 0.5, 0.99
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if crommelin(middle, 9) >= 0.99 else (low, middle)
    knee = find(VirtualQueue(100, "poisson"), SearchKeys(seconds=300, resolution=0.02), LEVEL, seed=5)
    assert knee.rate_per_s == pytest.approx(100 * low, rel=0.05)
    _, gave_way = at_knee(knee)
    assert (gave_way.limited_by, gave_way.full) == ("platform", False)


def test_hiccups_of_neighbours_do_not_move_the_knee():
    """Every sixth probe has half a second in which nothing goes on, which breaks the level at any rate."""
    keys = SearchKeys(seconds=8, resolution=0.03, repeats=5)
    queue = VirtualQueue(5000, "poisson", 0.005, hiccups=0.15)
    knees = [find(queue, keys, LEVEL, seed).rate_per_s for seed in range(100, 110)]
    assert np.median(knees) == pytest.approx(5000, rel=0.05)
    assert sum(abs(knee / 5000 - 1) <= 0.05 for knee in knees) >= 8


@pytest.mark.parametrize(
    ("slow", "limited_by", "broke"),
    [
        ({"sends_per_s": 3000}, "generator", "generator"),
        ({"carries_per_s": 3000}, "transport", "latency"),
        ({}, "platform", "latency"),
    ],
)
def test_who_gives_way_first_is_said(slow, limited_by, broke):
    knee = find(VirtualQueue(5000, **slow), KEYS, LEVEL, 3)
    _, gave_way = at_knee(knee)
    assert gave_way.limited_by == limited_by
    assert gave_way.of_platform is (limited_by == "platform")
    assert broke in knee.broke
    assert knee.rate_per_s == pytest.approx(3000 if slow else 5000, rel=0.05)


def test_losses_break_at_any_rate_and_the_search_ends():
    keys = SearchKeys(seconds=8, least_rate_per_s=500, most_rate_per_s=50_000)
    knee = find(VirtualQueue(5000, loses=0.01), keys, LEVEL, 3)
    assert (knee.status, knee.rate_per_s) == ("below", 0.0)
    assert "lost" in knee.broke


def test_a_platform_that_takes_all_that_may_be_asked_has_its_knee_above():
    keys = SearchKeys(seconds=8, most_rate_per_s=4000)
    knee = find(VirtualQueue(50_000), keys, LEVEL, 3)
    assert (knee.status, knee.rate_per_s) == ("above", 4000)
    assert math.isinf(knee.breaks_at_per_s)
    assert len(knee.at(4000)) >= 2  # one probe is not enough to believe it


def test_lindley_without_recursion_is_lindley():
    random = np.random.default_rng(7)
    arrivals = np.sort(random.random(500))
    done, free = [], 0.0
    for at in arrivals:
        free = max(at, free) + 1 / 600
        done.append(free)
    np.testing.assert_allclose(served(arrivals, 600), done)


# --------------------------------------------------------------------------- any platform


class Monotone:
    """Holds up to a rate, breaks above; how far from the bound it is depends on the distance."""

    def __init__(self, knee, closed, margin=4.0):
        self.knee, self.first, self.margin = knee, closed, margin

    def closed(self, outstanding, seconds, seed):
        return self.first

    def probe(self, rate_per_s, seconds, seed):
        latency = LEVEL.latency_ms * (rate_per_s / self.knee) ** self.margin
        n = round(rate_per_s * seconds)
        return ProbeResult(rate_per_s, seconds, seed, n, np.full(n, latency), np.linspace(0, seconds, n))


@settings(max_examples=150, deadline=None)
@given(
    knee=st.floats(200, 50_000),
    closed_over_knee=st.floats(0.05, 20),
    margin=st.floats(0.2, 40),
    resolution=st.floats(0.01, 0.5),
    repeats=st.sampled_from([1, 3, 5]),
)
def test_the_knee_of_a_monotone_platform_is_inside_the_bracket(
    knee, closed_over_knee, margin, resolution, repeats
):
    keys = SearchKeys(seconds=6, resolution=resolution, repeats=repeats, most_probes=200)
    found = find(Monotone(knee, knee * closed_over_knee, margin), keys, LEVEL)
    assert found.status == "found"
    assert found.rate_per_s <= knee * (1 + 1e-9)
    assert found.breaks_at_per_s >= knee * (1 - 1e-9)
    assert found.breaks_at_per_s <= found.rate_per_s * (1 + resolution) * (1 + 1e-9)


@given(outcomes=st.lists(st.sampled_from(["held", "broken", "generator", "few"]), min_size=60, max_size=60))
def test_whatever_comes_the_search_ends(outcomes):
    class Erratic(Monotone):
        def probe(self, rate_per_s, seconds, seed):
            said = outcomes[seed % len(outcomes)]
            latency = {"held": 20, "broken": 300, "generator": 300, "few": 20}[said]
            n = 5 if said == "few" else 2000
            late = 0.5 if said == "generator" else 0.0
            return ProbeResult(
                rate_per_s, seconds, seed, n, np.full(n, float(latency)), np.zeros(n), lagging_share=late
            )

    found = find(Erratic(1000, 1500), SearchKeys(most_probes=50), LEVEL)
    assert len(found.tries) <= 50
    assert found.rate_per_s < found.breaks_at_per_s


def test_a_break_while_others_are_at_work_is_tried_again():
    class Shared(Monotone):
        def probe(self, rate_per_s, seconds, seed):
            found = super().probe(rate_per_s, seconds, seed)
            if seed % 3:  # a neighbour, two times of three
                return found
            n = found.messages
            return ProbeResult(
                rate_per_s, seconds, seed, n, np.full(n, 5000.0), np.zeros(n), others_share=0.6
            )

    found = find(Shared(2000, 2400), SearchKeys(resolution=0.04), LEVEL)
    assert found.rate_per_s == pytest.approx(2000, rel=0.05)
    assert any(t.verdict.disturbed for t in found.tries)


@pytest.mark.parametrize(
    ("more", "limited_by", "side", "others"),
    [
        ({"others_share": 0.6}, "others", "platform", 0.6),
        ({"others_share": 0.1}, "platform", "platform", 0.1),
        # Bound to processors of their own: what others do on those of the generator is not the platform's.
        ({"others_share": 0.3, "others_generator": 0.6, "others_platform": 0.0}, "platform", "platform", 0.0),
        ({"others_share": 0.1, "others_generator": 0.0, "others_platform": 0.2}, "others", "platform", 0.2),
        ({"others_share": 0.1, "others_generator": 0.2, "others_platform": 0.0, "lagging_share": 0.5},
         "others", "generator", 0.2),
        ({"others_share": 0.3, "others_generator": 0.0, "others_platform": 0.6, "lagging_share": 0.5},
         "generator", "generator", 0.0),
    ],
)  # fmt: skip
def test_others_are_named_where_they_had_the_processors_of_who_gave_way(more, limited_by, side, others):
    class Beside(Monotone):
        def probe(self, rate_per_s, seconds, seed):
            found = super().probe(rate_per_s, seconds, seed)
            busy = (
                Resource("generator_thread", 0.5, {"generator": 0.5}, "generator"),
                Resource("platform_loop", 0.95, {"engine": 0.95}),
            )
            return replace(found, resources=busy, **more)

    knee = find(Beside(2000, 2400), SearchKeys(resolution=0.04), LEVEL)
    assert knee.rate_per_s == pytest.approx(2000, rel=0.05)
    _, gave_way = at_knee(knee)
    assert (gave_way.limited_by, gave_way.side, gave_way.others) == (limited_by, side, others)
    assert gave_way.resource == ("generator_thread" if side == "generator" else "platform_loop")


class Tiring(Monotone):
    """Bears more for a few seconds than in the long run."""

    def __init__(self, knee, lasting, closed):
        super().__init__(knee, closed, margin=8.0)
        self.short, self.lasting = knee, lasting

    def probe(self, rate_per_s, seconds, seed):
        self.knee = self.short if seconds < 12 else self.lasting
        return super().probe(rate_per_s, seconds, seed)


@settings(max_examples=60, deadline=None)
@given(lasting=st.floats(0.3, 1.5), resolution=st.floats(0.03, 0.3), most=st.sampled_from([1500, 200_000]))
def test_the_knee_is_a_rate_that_holds_in_a_longer_run(lasting, resolution, most):
    keys = SearchKeys(seconds=6, resolution=resolution, most_probes=300, most_rate_per_s=most)
    found = find(Tiring(2000, 2000 * lasting, 3000), keys, LEVEL)
    assert found.status == ("above" if 2000 * min(1, lasting) >= most else "found")
    assert found.proof.result.seconds >= 15
    assert found.proof.verdict.outcome == "held"
    assert found.rate_per_s <= 2000 * min(1, lasting) * (1 + 1e-9)
    if found.status == "found":
        assert found.breaks_at_per_s <= found.rate_per_s * (1 + resolution) * (1 + 1e-9)
        assert found.breaks_at_per_s >= 2000 * min(1, lasting) * (1 - 1e-9)
        assert all(one.verdict.outcome == "broken" for one in found.breaking)
        assert found.breaking
    # As many rates were given up as broke in the longer run.
    gave_up = {t.ask.rate_per_s for t in found.tries if t.ask.why == "prove"} - {found.rate_per_s}
    assert found.stepped_down == len(gave_up)


def test_a_platform_that_holds_no_longer_run_has_no_knee():
    keys = SearchKeys(seconds=6, resolution=0.3, least_rate_per_s=1000)
    found = find(Tiring(2000, 500, 3000), keys, LEVEL)
    assert (found.status, found.rate_per_s, found.proof) == ("below", 0.0, None)


def test_one_break_in_the_longer_run_may_be_a_neighbours_doing():
    class Once(Tiring):
        broke = False

        def probe(self, rate_per_s, seconds, seed):
            found = super().probe(rate_per_s, seconds, seed)
            if seconds < 12 or self.broke:
                return found
            self.broke = True
            n = found.messages
            return ProbeResult(rate_per_s, seconds, seed, n, np.full(n, 300.0), np.zeros(n))

    found = find(Once(2000, 2000, 2400), SearchKeys(resolution=0.04), LEVEL)
    assert found.stepped_down == 0
    proofs = [t.verdict.outcome for t in found.tries if t.ask.why == "prove"]
    assert proofs == ["broken", "held", "held"]


def test_too_few_triggers_make_the_next_probe_longer():
    search = Search(SearchKeys(seconds=2), LEVEL, 1000.0)
    ask = search.next()
    few = ProbeResult(ask.rate_per_s, ask.seconds, ask.seed, 2000, np.full(100, 5.0), np.zeros(100))
    assert search.tell(ask, few).outcome == "too_few"
    again = search.next()
    assert again.rate_per_s == ask.rate_per_s
    assert again.seconds * ask.rate_per_s * 100 / 2000 > least_triggers("p99")


@pytest.mark.parametrize("closed", [0.0, -1.0, math.inf, math.nan])
def test_a_closed_probe_that_gave_nothing_is_refused(closed):
    with pytest.raises(ValueError, match="expected more than none"):
        Search(SearchKeys(), LEVEL, closed)


# --------------------------------------------------------------------------- a real clock


def test_the_knee_of_a_mock_that_serves_by_the_wall_clock():
    """Through the phases' own pacing, to another process; skipped where the machine is too busy for it."""
    mock = ClockedMock(500.0)
    keys = SearchKeys(
        seconds=1.5,
        closed_seconds=0.4,
        confirm_seconds=3,
        outstanding=64,
        resolution=0.05,
        most_rate_per_s=650,
        least_rate_per_s=350,
    )
    level = ServiceLevel(percentile="p90", latency_ms=60, lagging_share=0.2)
    knee = find(mock, keys, level)
    if any(t.result.lag_p99_ms > 30 for t in knee.tries):
        pytest.skip("the generator was kept from its schedule by others")
    assert knee.status == "found"
    assert knee.closed_per_s == pytest.approx(500, rel=0.05)
    # A probe of so many seconds passes a rate that is a little too high: its backlog stays under the bound.
    passed = level.latency_ms / 1000 / (0.9 * keys.seconds)
    assert 500 * 0.95 <= knee.rate_per_s <= 500 * (1.05 + passed)
    assert all(t.result.lost == 0 for t in knee.tries)
