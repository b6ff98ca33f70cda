"""Levels, bottlenecks, scaling, growth and sizing: arithmetic on made-up measurements, and refusals."""

from __future__ import annotations

import json
import math
import os
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from experiments.capacity import busy
from experiments.capacity.busy import held_up, loop_shares
from experiments.capacity.keeping import of_plain, plain
from experiments.capacity.levels import ProbeResult, ServiceLevel, least_triggers
from experiments.capacity.scaling import pair_ratio, scalability, slope
from experiments.capacity.sizing import SizingKeys, Unit, needs
from experiments.capacity.utilisation import Resource, bottleneck, joined
from experiments.inference.estimate import Estimate, Refused
from experiments.latency.pacing import SLOT_NS
from experiments.problems import RunInvalid


def probed(latency_ms, **more):
    values = np.asarray(latency_ms, float)
    return ProbeResult(1000.0, 5.0, 1, 5000, values, np.zeros(len(values)), **more)


# --------------------------------------------------------------------------- the level


def test_a_percentile_needs_ten_triggers_beyond_it():
    assert [least_triggers(name) for name in ("p50", "p90", "p99", "p99.9")] == [20, 100, 1000, 10_000]
    assert probed(np.arange(999)).quantile_ms("p99") is None
    assert probed(np.arange(1000)).quantile_ms("p99") == 989


@given(st.lists(st.floats(0, 1e4), min_size=20, max_size=300), st.integers(0, 30))
def test_a_lost_trigger_is_one_that_never_ends(latencies, lost):
    found = probed(latencies, lost=lost)
    every = np.sort([*latencies, *[math.inf] * lost])
    at = math.ceil(round(0.5 * len(every), 6)) - 1
    assert found.quantile_ms("p50") == every[at]


@pytest.mark.parametrize(
    ("found", "outcome", "broke"),
    [
        (probed([50.0] * 2000), "held", ()),
        (probed([50.0] * 1950 + [150.0] * 50), "broken", ("latency",)),
        (probed([50.0] * 1997 + [1500.0] * 3), "broken", ("late",)),
        (probed([50.0] * 1999 + [1500.0]), "held", ()),
        (probed([50.0] * 2000, lost=3), "broken", ("lost",)),
        (probed([50.0] * 2000, wrong=3), "broken", ("wrong",)),
        (probed([50.0] * 1900 + [1500.0] * 100, lost=10), "broken", ("latency", "late", "lost")),
        (probed([150.0] * 2000, lagging_share=0.02), "generator", ("generator",)),
        (probed([50.0] * 2000, lagging_share=0.02), "held", ()),
        (probed([50.0] * 100), "too_few", ()),
    ],
)
def test_what_a_probe_says(found, outcome, broke):
    verdict = ServiceLevel(latency_ms=100).judge(found)
    assert (verdict.outcome, verdict.broke) == (outcome, broke)


def test_what_the_association_held_up_is_not_the_generators_fault():
    """In the second slot the sender stood in a full association for half of it; in the fourth it slept."""
    at = np.arange(0, 5 * SLOT_NS, SLOT_NS // 20)
    late = np.zeros(len(at), np.int64)
    late[20:40], late[60:80] = 50_000_000, 50_000_000
    phase = SimpleNamespace(
        sent_ns=at + 0,
        plan=SimpleNamespace(intended_ns=at - late),
        wakes={"kept_ns": np.array([0, 50_000_000, 0, 0, 0, 0])},
    )
    own, kept_back = held_up(phase, 10.0)
    assert (own, kept_back) == (0.2, 0.2)


@given(st.lists(st.floats(0, 1e6), max_size=30), st.one_of(st.none(), st.floats(0, 1)), st.integers(0, 5))
def test_a_kept_result_is_the_result(latencies, others, lost):
    found = probed(
        latencies, lost=lost, others_platform=others, cost_us=others, resources=(LOOP, SENDER),
        notes={"stages_p99_ms": {"wire": 0.25}, "broke_off": "said"},
    )  # fmt: skip
    again = of_plain(json.loads(json.dumps(plain(found))))
    for name in ProbeResult.__dataclass_fields__:
        if name in ("latency_ms", "at_s"):
            np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
        else:
            assert getattr(again, name) == getattr(found, name), name


def test_others_are_told_processor_by_processor(tmp_path, monkeypatch):
    """Two processors over ten seconds: on the first we had four of its nine, on the second others three."""
    tick = 1 / os.sysconf("SC_CLK_TCK")
    stat = tmp_path / "stat"
    times = iter((100.0, 110.0))
    spent = iter((50.0, 54.0))
    monkeypatch.setattr(busy.time, "monotonic", lambda: next(times))
    monkeypatch.setattr(busy.Usage, "of", lambda pid: SimpleNamespace(processor_s=next(spent)))
    monkeypatch.setattr(busy, "processors_busy_s", partial(busy.processors_busy_s, stat))
    beside = busy.Beside()
    for stage, first, second in (("sending", 0, 0), ("sent", 9, 3)):
        rows = [("cpu", first + second), ("cpu0", first), ("cpu1", second)]
        # user nice system idle iowait irq softirq steal guest guest_nice: idle and iowait are no work
        stat.write_text(
            "".join(
                f"{name} {round(s / tick)} 0 0 {round(s / tick)} 7 0 0 0 {round(s / tick)} 0\n"
                for name, s in rows
            )
            + "intr 5 5\n"
        )
        beside(stage)
    assert beside.of(frozenset({0}), 4.0) == pytest.approx(0.5)
    assert beside.of(frozenset({1}), 0.0) == pytest.approx(0.3)
    assert beside.share == pytest.approx(0.4)
    assert beside.of(frozenset(), 0.0) is None
    assert beside.of(frozenset({0, 7}), 0.0) is None
    assert busy.Beside().share is None
    stat.write_text("cpu0 what\n")
    assert busy.processors_busy_s() == {}


# --------------------------------------------------------------------------- bottlenecks


LOOP = Resource("platform_loop", 0.97, {"decode": 0.2, "engine": 0.3, "ledger": 0.45})
PUMP = Resource("platform_pump", 0.5, {"transport": 0.5}, "transport")
SENDER = Resource("generator_thread", 0.4, {"generator": 0.4}, "generator")


@pytest.mark.parametrize(
    ("resources", "lagged", "said"),
    [
        ([LOOP, PUMP, SENDER], False, ("platform", "platform_loop", "ledger", True)),
        ([LOOP, PUMP, SENDER], True, ("generator", "generator_thread", "generator", True)),
        ([Resource("platform_pump", 0.96, {"transport": 0.96}, "transport"), SENDER], False,
         ("transport", "platform_pump", "transport", True)),
        ([Resource("generator_thread", 0.99, {"generator": 0.99}, "generator"), PUMP], False,
         ("generator", "generator_thread", "generator", True)),
        # The processors are full, but the loop says more.
        ([LOOP, Resource("platform_processors", 1.0, {"transport": 0.6, "engine": 0.4})], False,
         ("platform", "platform_loop", "ledger", True)),
        # Nothing is full by itself, but all of it together on one processor.
        ([PUMP, Resource("platform_processors", 0.95, {"transport": 0.5, "engine": 0.45})], False,
         ("transport", "platform_processors", "transport", True)),
        ([Resource("platform_loop", 0.8, {"engine": 0.8}), SENDER], False,
         ("platform", "platform_loop", "engine", False)),
        ([SENDER], False, ("unknown", "", "", True)),
        ([], False, ("unknown", "", "", True)),
    ],
)  # fmt: skip
def test_what_gives_way_first(resources, lagged, said):
    found = bottleneck(resources, lagged=lagged)
    assert (found.limited_by, found.resource, found.stage, found.full) == said
    assert found.of_platform is (said[0] == "platform")


def test_probes_are_put_together_by_their_medians():
    rows = [[Resource("platform_loop", x, {"engine": x / 2, "ledger": x / 4})] for x in (0.2, 0.9, 0.5)]
    (found,) = joined(rows)
    assert (found.busy, dict(found.parts)) == (0.5, {"engine": 0.25, "ledger": 0.125})


def test_the_loop_is_read_between_two_instants(tmp_path):
    """Sums at 0, 1 and 2 s: idle in the first second, half engine and half ledger in the second."""
    file = tmp_path / "loop.json"
    rows = [[0, 0, 0, 0], [10**9, 10**9, 0, 0], [2 * 10**9, 10**9, 5 * 10**8, 5 * 10**8]]
    file.write_text(json.dumps({"columns": ["t_ns", "idle", "engine", "ledger"], "rows": rows}))
    assert loop_shares(file, 0, 2 * 10**9) == {"idle": 0.5, "engine": 0.25, "ledger": 0.25}
    assert loop_shares(file, 10**9, 2 * 10**9) == {"idle": 0.0, "engine": 0.5, "ledger": 0.5}
    assert loop_shares(tmp_path / "none.json", 0, 1) == {}
    file.write_text('{"columns": ["t_ns"], "rows": 7}')
    with pytest.raises(RunInvalid, match=r"loop\.json"):
        loop_shares(file, 0, 1)


# --------------------------------------------------------------------------- scaling


def test_the_ratio_of_pairs_is_geometric_with_a_t_interval():
    found = pair_ratio([(100, 150), (200, 320), (50, 85)])
    assert isinstance(found, Estimate)
    logs = np.log([1.5, 1.6, 1.7])
    half = 4.302652729911275 * logs.std(ddof=1) / math.sqrt(3)  # t of 2 degrees of freedom, 97.5 %
    assert found.value == pytest.approx(math.exp(logs.mean()))
    assert (found.low, found.high) == pytest.approx(
        (math.exp(logs.mean() - half), math.exp(logs.mean() + half))
    )


def test_two_pairs_have_no_interval_and_a_rate_of_none_is_a_mistake():
    assert isinstance(pair_ratio([(1, 2), (1, 2)]), Refused)
    with pytest.raises(ValueError, match="above 0"):
        pair_ratio([(1, 2), (0, 2), (1, 2)])


def usl(n, rate=1000.0, contention=0.05, coherence=0.01):
    return rate * n / (1 + contention * (n - 1) + coherence * n * (n - 1))


def test_the_law_is_found_from_four_counts_and_says_nothing_beyond():
    law = scalability({n: [usl(n)] for n in (1, 2, 4, 8)})
    assert (law.rate_per_s, law.contention, law.coherence) == pytest.approx((1000, 0.05, 0.01))
    assert law.worst == pytest.approx(0, abs=1e-9)
    assert law.at(3) == pytest.approx(usl(3))
    with pytest.raises(ValueError, match="nothing is said beyond"):
        law.at(16)


@pytest.mark.parametrize("counts", [(1,), (1, 2), (1, 2, 4)])
def test_a_law_is_refused_below_four_counts_however_often_they_were_run(counts):
    found = scalability({n: [usl(n)] * 50 for n in counts})
    assert isinstance(found, Refused)
    assert "never extrapolated" in found.reason


def test_the_law_keeps_to_parameters_that_mean_something():
    """More than linear: no negative contention is made of it."""
    law = scalability({n: [1000.0 * n**1.2] for n in (1, 2, 4, 8)})
    assert (law.contention, law.coherence) == (0, 0)
    assert law.worst > 0.1


# --------------------------------------------------------------------------- growth


def test_slopes_are_of_steps_that_people_think_in():
    tenfold = slope("subscribers", [(10_000, 20.0), (100_000, 25.0), (1_000_000, 30.0)])
    assert tenfold.unit == "tenfold"
    assert tenfold.per_step.value == pytest.approx(5.0)
    hundred = slope("campaigns", [(1, 20.0), (1, 22.0), (101, 30.0), (101, 32.0)])
    assert hundred.per_step.value == pytest.approx(10.0)
    assert hundred.per_step.low < 10 < hundred.per_step.high
    assert hundred.levels == (1, 101)


@pytest.mark.parametrize("points", [[], [(1, 2.0)], [(1, 2.0), (1, 3.0), (1, 4.0)], [(1, 2.0), (2, 3.0)]])
def test_a_slope_that_the_runs_cannot_bear_is_refused(points):
    assert isinstance(slope("campaigns", points).per_step, Refused)


# --------------------------------------------------------------------------- sizing


def sizing_keys(tmp_path, **more):
    world = tmp_path / "world.yaml"
    world.write_text("{}")
    return SizingKeys(world=world, **more)


def test_sizing_is_peak_load_over_what_of_the_knee_is_used(tmp_path):
    keys = sizing_keys(tmp_path, peak=1.5, headroom=0.25, spare_units=2)
    unit = Unit(knee_per_s=20_000, breaks_at_per_s=25_000, workers=2, processors=3, subscribers=1_000_000)
    one, ten, thirty = needs(keys, unit, busy_hour_messages=36.0, most_subscribers=1_000_000)
    # 36 messages an hour are 0.01 a second; times 1.5: 15,000 a second of a million, and 15,000 a unit.
    assert (one.busy_per_s, one.units, one.with_spares, one.subscribers_each) == (15_000, 1, 3, 1_000_000)
    assert (ten.units, ten.units_low, ten.beyond) == (10, 8, False)
    assert (thirty.units, thirty.units_low, thirty.with_spares) == (30, 24, 32)


def test_a_unit_that_would_hold_more_subscribers_than_were_measured_says_so(tmp_path):
    unit = Unit(50_000, 60_000, 1, 1, 10_000)
    (one,) = needs(sizing_keys(tmp_path, subscribers=[1_000_000]), unit, 36.0, 10_000)
    assert one.beyond
    assert one.subscribers_each == 1_000_000


@given(
    people=st.integers(1, 50_000_000),
    knee=st.floats(10, 1e6),
    over=st.floats(1, 2),
    messages=st.floats(0.01, 1000),
)
def test_units_carry_the_load_and_one_less_would_not(tmp_path_factory, people, knee, over, messages):
    keys = sizing_keys(tmp_path_factory.mktemp("s"), subscribers=[people])
    (need,) = needs(keys, Unit(knee, knee * over, 1, 1, 10_000), messages, 10_000)
    each = knee * (1 - keys.headroom)
    assert need.units * each >= need.busy_per_s * (1 - 1e-9)
    assert need.units == 1 or (need.units - 1) * each < need.busy_per_s * (1 + 1e-9)
    assert need.units_low <= need.units
    assert need.units * need.subscribers_each >= people


def test_sizing_from_nothing_is_a_mistake(tmp_path):
    keys = sizing_keys(tmp_path)
    with pytest.raises(ValueError, match="knee"):
        needs(keys, Unit(0.0, 10.0, 1, 1, 10_000), 36.0, 10_000)
    with pytest.raises(ValueError, match="busy hour"):
        needs(keys, Unit(10.0, 11.0, 1, 1, 10_000), 0.0, 10_000)
    with pytest.raises(ValidationError, match="headroom"):
        sizing_keys(tmp_path, headroom=1.0)
