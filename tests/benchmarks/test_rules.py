"""A hundred campaigns: made, held against behaviours, and one expression over a million rows."""

import time

import numpy as np
import pytest

from experiments.bench.rules import SteadyView, campaigns, cell_table, people, rows_of
from marketing.expressions import Numbers, Words, compile_expression
from marketing.expressions.syntax import parse
from marketing.rules import Rules

SUBSCRIBERS = 100_000


def group(name):
    return pytest.mark.benchmark(group=name, timer=time.process_time)


@pytest.fixture(scope="module")
def made():
    return campaigns(100), people(SUBSCRIBERS), cell_table(), SteadyView(SUBSCRIBERS)


@group("rules")
def test_compile_a_hundred_campaigns(benchmark, made):
    some, extract, places, view = made
    rules = benchmark.pedantic(lambda: Rules.compile(some, extract, places, view=view), rounds=5)
    assert 0 < rules.members(0).sum() < SUBSCRIBERS / 10
    benchmark.extra_info["octets_a_subscriber"] = rules.nbytes / SUBSCRIBERS


@group("rules")
def test_one_campaign_more(benchmark, made):
    some, extract, places, view = made
    rules = Rules.compile(some, extract, places, view=view)
    more = [*some[:50], campaigns(101)[100], *some[50:]]
    again = benchmark.pedantic(lambda: Rules.compile(more, extract, places, view=view, like=rules), rounds=5)
    assert np.array_equal(again.members(60), rules.members(59))


@group("rules")
@pytest.mark.parametrize("size", [500, 2_000, 20_000])
def test_match_behaviours_of_the_mix(benchmark, made, size):
    some, extract, places, view = made
    rules = Rules.compile(some, extract, places, view=view)
    batch, rows = rows_of(200_000, SUBSCRIBERS)

    def work():
        found = 0
        for start in range(0, len(batch), size):
            part = slice(start, start + size)
            found += len(rules.fire(rows[part], batch["t_us"][part]))
            found += len(rules.match(batch[part], rows[part]))
            found += len(rules.due(int(batch["t_us"][part][-1])))
        return found

    assert benchmark.pedantic(work, rounds=3, warmup_rounds=1) > 1000
    benchmark.extra_info["behaviours_per_s"] = len(batch) / benchmark.stats["min"]


TEXT = 'profile.brand == "gotone" && profile.age > 30 && now.idle > duration("20m") || "mms" == event.peer'


@group("expressions")
def test_parse_and_compile(benchmark):
    benchmark.pedantic(lambda: compile_expression.__wrapped__(TEXT), rounds=50, warmup_rounds=2)
    assert parse(TEXT).depth > 3


@group("expressions")
def test_mask_over_a_million_rows(benchmark):
    made, count = compile_expression(TEXT), 1_000_000
    ids = np.arange(count)
    columns = {
        "profile.brand": Words((ids % 3).astype(np.uint8), ("easyown", "gotone", "mzone")),
        "profile.age": Numbers(ids % 80),
        "now.idle": Numbers(ids * 1000, ids % 2 == 0),
        "event.peer": Words((ids % 2).astype(np.uint8), ("mms", "10086")),
    }
    held = benchmark.pedantic(
        lambda: made.holds(columns.__getitem__, count).sum(), rounds=10, warmup_rounds=1
    )
    assert held == count // 2
    benchmark.extra_info["rows_per_s"] = count / benchmark.stats["min"]


BOMBS = {"brackets": "(" * 1999, "negations": "!" * 1990 + "now.on", "chain": "now.on&&" * 240 + "now.on"}


@group("expressions")
@pytest.mark.parametrize("name", BOMBS)
def test_refuse_a_bomb(benchmark, name):
    def work():
        try:
            parse(BOMBS[name])
        except ValueError as error:
            return str(error)
        return "read"

    assert benchmark.pedantic(work, rounds=20, warmup_rounds=1)
