"""Offered is what the scenario configures: Erlang, calls in the busy hour, texts and service calls a day.

Each measure is the mean of eight worlds; what is configured must lie within the t interval of those eight at
99.99 %, and that interval must be narrow. A right simulator fails in one of 700 choices of seeds (fourteen
measures); the seeds are fixed.
"""

from datetime import date

import numpy as np
import pytest

from sim.scenario import DAY_US, UsageScenario, WorldScenario
from sim.subscribers import usage, usage_texts
from sim.subscribers.usage import calls, texts
from sim.subscribers.usage_offered import call_scale_q16, offered
from sim.world import build_world

HOUR_US = DAY_US // 24
SEEDS = range(40, 48)
WORKDAYS = 5
PEOPLE = 6000
T_7_9999 = 7.885  # two-sided 0.01 % of Student's t with seven degrees of freedom
PLANNED = WorldScenario(world="w", about="x", epoch=date(2007, 6, 4), subscribers=PEOPLE)
QUIET = PLANNED.model_copy(update={"usage": UsageScenario(busy_hour_merl=8.0, service_calls_per_day=0.5)})


def measure(scenario, seed):
    """What a world's people mean to do from Monday to Friday, in the words of `Offered`."""
    world, expected = build_world(scenario, seed), offered(scenario)
    made, sent = calls(world, 0, WORKDAYS * DAY_US), texts(world, 0, WORKDAYS * DAY_US)
    tone = made.peer_number == b"12530"
    festive = np.isin(sent.ordinal % 8, (usage_texts.FESTIVE, usage_texts.FESTIVE + 1))
    assert not festive.any()
    people = np.isin(made.kind, (usage.CALL_INSIDE, usage.CALL_OUT, usage.CALL_VACANT))
    lines = (made.kind == usage.CALL_SERVICE) & ~tone
    came = made.kind == usage.CALL_IN
    busy = (made.t_us % DAY_US // HOUR_US == expected.busy_hour) & ~tone
    talks = busy & (made.intent == usage.ANSWER) & (made.kind != usage.CALL_VACANT)
    ends = np.where(made.kind == usage.CALL_INSIDE, 2, 1) * talks
    per_day, per_hour = PEOPLE * WORKDAYS, PEOPLE * WORKDAYS * 3600.0 / 1000.0
    received = np.count_nonzero(busy & (came | (made.kind == usage.CALL_INSIDE)))
    notices = sent.ordinal % 8 == usage_texts.MMS
    to_come = np.isin(sent.kind, (usage.TEXT_INSIDE, usage.TEXT_IN)) & ~notices
    texted = np.count_nonzero(to_come & (sent.t_us % DAY_US // HOUR_US == expected.busy_hour))
    return {
        "merl": (ends * made.talk_us / 1e6).sum() / per_hour,
        "bhca": np.count_nonzero(busy & (people | lines)) / per_day,
        "terminating_share": np.count_nonzero(talks & (came | (made.kind == usage.CALL_INSIDE))) / ends.sum(),
        "pages_per_hour": (received + texted) / per_day,
        "calls_per_day": np.count_nonzero(people) / per_day,
        "service_calls_per_day": np.count_nonzero(lines) / per_day,
        "texts_per_day": np.count_nonzero(sent.kind != usage.TEXT_IN) / per_day,
    }


@pytest.mark.parametrize("scenario", [PLANNED, QUIET], ids=["planned", "scaled"])
def test_offered_is_configured(scenario):
    found = [measure(scenario, seed) for seed in SEEDS]
    for name in found[0]:
        values = np.array([one[name] for one in found])
        half_width = T_7_9999 * values.std(ddof=1) / len(values) ** 0.5
        expected = getattr(offered(scenario), name)
        assert half_width < 0.15 * expected, name
        assert abs(values.mean() - expected) < half_width, (name, values.mean(), expected, half_width)


def test_defaults_are_the_planners_busy_hour():
    plan = offered(PLANNED)
    assert plan.merl == pytest.approx(20.0, rel=0.01)
    assert plan.terminating_share == pytest.approx(1 / 3, rel=0.01)
    assert plan.pages_per_hour == pytest.approx(0.5, rel=0.01)
    assert PLANNED.usage.talk_mean_s == 120.0


@pytest.mark.parametrize("target", [0.5, 5.0, 20.0, 35.0])
def test_the_busy_hour_is_met_by_scaling(target):
    usage_ = UsageScenario(busy_hour_merl=target, service_calls_per_day=0.1)
    scenario = PLANNED.model_copy(update={"usage": usage_})
    assert offered(scenario).merl == pytest.approx(target, rel=2e-3)
    assert offered(scenario).calls_per_day == pytest.approx(
        offered(PLANNED).calls_per_day * call_scale_q16(scenario) / 65536
    )
    assert call_scale_q16(PLANNED) == 65536
