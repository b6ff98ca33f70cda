"""The self-check of the statistics: its worlds are what they claim, it passes when small, and it can fail."""

import json
import pickle
import re
from dataclasses import replace

import numpy as np
import pytest

from experiments.inference import Estimate
from experiments.selfcheck import interval_cases
from experiments.selfcheck.binomial_worlds import WORLDS, population
from experiments.selfcheck.cases import SEED, Case, InThisProcess, cases
from experiments.selfcheck.interval_cases import METHODS, Replicates, simulated_cases, try_replicates


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_worlds_have_the_effect_that_they_claim(name):
    # 400 replicates; all bounds are 4.5 standard errors of the mean over them.
    world = WORLDS[name]
    rows = []
    for r in range(400):
        people = population(world, 1, r)
        top = people.score == 3
        gap = people.with_contact - people.without_contact
        rows.append(
            (
                gap.mean(),
                people.without_contact.mean() / people.luck_of_cells,
                people.treated.mean(),
                gap[top].mean(),
            )
        )
        assert min(people.outcome[people.treated].sum(), people.outcome[~people.treated].sum()) > 0
    means, errors = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1) / 20
    expected = (world.lift, world.base, world.treated, world.truth_of_top)
    assert np.all(np.abs(means - expected) < 4.5 * errors)
    assert world.base * world.people * min(world.treated, 1 - world.treated) >= 10


def test_a_population_is_a_function_of_its_number():
    one, same, other = (population(WORLDS["usual"], 1, r) for r in (3, 3, 4))
    assert np.array_equal(one.outcome, same.outcome)
    assert not np.array_equal(one.outcome, other.outcome)
    assert np.unique(one.cell[one.cell_treated]).size == 12


class Elsewhere:
    """As other processes have it: jobs and functions pickled, the last first, results kept as JSON by key."""

    def map(self, function, jobs, *, key):
        assert len({key(job) for job in jobs}) == len(jobs)
        for job in reversed(jobs):
            assert re.fullmatch(r"[\w.=+-]+(/[\w.=+-]+)*", key(job))
            again, of = pickle.loads(pickle.dumps((job, function)))
            yield key(job), json.loads(json.dumps(of(again)))


def test_the_small_self_check_passes_wherever_it_runs():
    found = list(cases("small", Elsewhere()))
    assert [case.name for case in found if not case.passed] == []
    assert len({case.name for case in found}) == len(found)
    assert {case.group for case in found} == {"coverage of intervals", "peeking"}
    names = " ".join(case.name for case in found)
    assert all(method in names for method in METHODS)
    assert all(isinstance(case, Case) and case.found and case.tries > 0 for case in found)


def test_jobs_in_any_order_give_the_same():
    job = Replicates("sparse", ("tango", "welch"), SEED, 0, 30)
    halves = [try_replicates(replace(job, start=at, stop=at + 15)) for at in (15, 0)]
    for name, counts in try_replicates(job).items():
        assert counts == [sum(pair) for pair in zip(*(half[name] for half in halves), strict=True)]


@pytest.mark.parametrize("error", [0.6, 1.6])
def test_intervals_of_wrong_width_fail(monkeypatch, error):
    def wrong(people, world, replicate):
        found = METHODS["welch"].of(people, world, replicate)
        half = error * (found.high - found.value)
        return Estimate(found.value, found.value - half, found.value + half, found.se, found.n, "wrong")

    mistaken = {"wrong": replace(METHODS["welch"], of=wrong), "welch": METHODS["welch"]}
    monkeypatch.setattr(interval_cases, "METHODS", mistaken)
    monkeypatch.setattr(interval_cases, "REPLICATES", {"small": 300, "full": 300})
    verdicts = {case.name: case.passed for case in simulated_cases("small", InThisProcess(), SEED)}
    assert not verdicts["wrong, sparse"]
    assert not verdicts["wrong, few treated"]
    assert verdicts["welch, sparse"]
