"""What a study draws and writes before a run: lists, the eligible set, the blanket arm's targets."""

from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest

from experiments.arm import boss_of
from experiments.audit import read_policy
from experiments.inputs import (
    ListDraw,
    append_opt_outs,
    arm_files,
    blanket_targets,
    draw_lists,
    eligible_set,
    epoch_of,
    world_files,
)
from experiments.study import Eligible, Lists, load_study
from marketing.profiles import load_extract, load_terminals, tac_of_imei
from sim.backoffice.boss import UnknownCustomer
from sim.draws import Draws
from sim.scenario import load_world
from sim.subscribers.terminals import TERMINALS
from sim.world import build_world

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def test_nobody_but_customers_is_eligible_or_in_the_file(tmp_path):
    world = build_world(load_world(SCENARIOS / "worlds" / "town.yaml"), 7)
    extract = world_files(world, tmp_path)
    customers = np.flatnonzero(extract["customer"])
    assert 0.97 * world.n < len(customers) < world.n
    nobody = draw_lists(Lists(do_not_disturb_share=0.0, control_group_share=0.0), world.draws, world.n)
    assert np.array_equal(eligible_set(Eligible(), extract, nobody), customers)
    table = pq.read_table(tmp_path / "extract.parquet")
    assert table["imsi"].to_pylist() == [extract["imsi"][i] for i in customers]
    assert {"tariff", "arpu_band", "age", "terminal"} <= set(table.column_names)
    assert {"segment", "city", "arpu", "interests", "bundle_minutes"} <= set(table.column_names)
    people = load_extract(tmp_path / "extract.parquet")
    assert len(people) == len(customers)
    row = people.row_of_msisdn(extract["msisdn"][customers[3]])
    for name in ("segment", "arpu", "age", "bundle_minutes", "often_off", "city"):
        assert people.column(name).value(row) == extract[name][customers[3]], name
    assert set(people.column("interests").value(row)) == set(extract["interests"][customers[3]])
    terminals = load_terminals(tmp_path / "terminals.csv")
    assert len(terminals) == len(TERMINALS)
    assert terminals.of_profiles(people).min() >= 0
    models = terminals.rows(tac_of_imei(world.population.imei[customers]))
    assert np.array_equal(models, world.population.terminal[customers])
    for name in ("gprs", "edge", "wap", "mms", "java", "year"):
        wanted = [getattr(TERMINALS[model], name) for model in models.tolist()]
        assert terminals.column(name).values[models].tolist() == wanted, name
    prices = [terminals.column("price_class").value(model) for model in models.tolist()]
    assert prices == [("", "low", "middle", "high")[TERMINALS[m].price_class] for m in models.tolist()]
    boss = boss_of(extract)
    assert boss.customer(extract["msisdn"][customers[0]]).imsi == extract["imsi"][customers[0]]
    stranger = next(i for i in range(world.n) if not extract["customer"][i])
    with pytest.raises(UnknownCustomer):
        boss.customer(extract["msisdn"][stranger])


def test_lists_are_keyed_by_seed_and_apart():
    lists = Lists(do_not_disturb_share=0.1, control_group_share=0.1)
    one, again, other = (draw_lists(lists, Draws(seed), 20_000) for seed in (7, 7, 8))
    assert np.array_equal(one.do_not_disturb, again.do_not_disturb)
    assert not np.array_equal(one.do_not_disturb, other.do_not_disturb)
    assert not np.any(one.do_not_disturb & one.control_group)
    assert abs(one.do_not_disturb.mean() - 0.1) < 0.01
    # A larger world holds the same draws for the people it shares with a smaller one.
    assert np.array_equal(draw_lists(lists, Draws(7), 100).control_group, one.control_group[:100])


def test_eligible_set():
    drawn = ListDraw(np.array([1, 0, 0, 0], bool), np.array([0, 1, 0, 0], bool))
    extract = {
        "imsi": list("abcd"),
        "brand": ["x", "x", "x", "y"],
        "services": [[], [], ["mms", "wap"], ["mms"]],
    }
    assert eligible_set(Eligible(), extract, drawn).tolist() == [2, 3]
    assert eligible_set(Eligible(exclude=[]), extract, drawn).tolist() == [0, 1, 2, 3]
    assert eligible_set(Eligible(where={"brand": "x"}), extract, drawn).tolist() == [2]
    assert eligible_set(Eligible(where={"services": ["wap"]}), extract, drawn).tolist() == [2]


SENT = [("a", "861", 1), ("b", "861", 2), ("a", "862", 1), ("b", "863", 3), ("a", "863", 1), ("a", "864", 2)]


def test_blanket_repeats_the_pattern_on_as_many_distinct_eligible_people():
    extract = {"msisdn": [f"86139{i:04d}" for i in range(500)]}
    eligible = np.arange(100, 400)
    targets = blanket_targets(SENT, eligible, extract, Draws(7))
    assert Counter((t.campaign, t.day) for t in targets) == Counter((c, d) for c, _, d in SENT)
    people = {t.msisdn for t in targets}
    assert len(people) == 4
    assert people <= {extract["msisdn"][i] for i in eligible}

    def patterns(rows):
        by = {}
        for campaign, msisdn, day in rows:
            by.setdefault(msisdn, set()).add((campaign, day))
        return Counter(frozenset(p) for p in by.values())

    assert patterns(SENT) == patterns((t.campaign, t.msisdn, t.day) for t in targets)


def test_blanket_people_are_drawn_evenly_and_keyed():
    extract = {"msisdn": [f"86139{i:04d}" for i in range(50)]}
    eligible = np.arange(50)
    assert blanket_targets(SENT, eligible, extract, Draws(7)) == blanket_targets(
        SENT, eligible, extract, Draws(7)
    )
    hits = Counter(
        t.msisdn for seed in range(1000) for t in blanket_targets(SENT[:1], eligible, extract, Draws(seed))
    )
    assert len(hits) == 50
    # 1,000 draws over 50 people: chi-square with 49 degrees stays under 95 with probability over 0.9999.
    assert sum((hits[m] - 20) ** 2 / 20 for m in extract["msisdn"]) < 95


def test_more_contacted_than_eligible_is_refused():
    with pytest.raises(ValueError, match="only 1 are eligible"):
        blanket_targets(SENT, np.array([3]), {"msisdn": ["0"] * 5}, Draws(7))


@pytest.fixture(scope="module")
def town():
    study = load_study(SCENARIOS / "studies" / "demo.yaml").keys
    scenario = load_world(study.world, {"subscribers": 120})
    return study, scenario, build_world(scenario, 7)


def test_the_platform_accepts_what_is_written_for_it(town, tmp_path):
    from marketing.config import load_config
    from marketing.server import load_state

    study, scenario, world = town
    study = study.model_copy(update={"segments": SCENARIOS / "audiences" / "segments.yaml"})
    extract = world_files(world, tmp_path / "inputs")
    drawn = draw_lists(Lists(do_not_disturb_share=0.2), world.draws, world.n)
    group = blanket_targets([("hang-up-sms", "1", 1)], np.arange(120), extract, world.draws)
    for name, listed in (("precise", None), ("blanket", group)):
        files = arm_files(
            tmp_path / "arms" / name, tmp_path / "inputs", study, scenario, drawn, extract, study.campaigns,
            clock={"mode": "lockstep", "tick_s": 5}, collector={"transport": "memory", "port": 0},
            smpp={"port": 1}, boss_url="http://127.0.0.1:1", group=listed,
        )  # fmt: skip
        config = load_config(files.config)
        state, zone = load_state(config)
        assert state.profiles.column("packages").is_known().all()
        students = state.profiles.column("segment").has("students")
        assert np.array_equal(state.profiles.column("packages").has("campus-fun"), students)
        assert state.view.handsets(np.arange(len(state.profiles))).min() >= 0
        assert len(state.profiles) == sum(extract["customer"])
        assert len(state.campaigns) == 4
        assert [c.mode for c in state.campaigns] == ["trigger" if listed is None else "group"] * 4
        assert zone == ZoneInfo("Asia/Shanghai")
        policy = read_policy(files.policy)
        assert len(policy.do_not_disturb) == int(drawn.do_not_disturb.sum()) > 0
        assert [(cap.most, cap.per) for cap in policy.caps] == [(2, "month")]
        assert policy.originators == ("100860",)
    assert epoch_of(scenario) == "2007-06-04T00:00:00+08:00"


def test_opt_outs_join_the_dated_list_in_local_time(tmp_path):
    listed = tmp_path / "dnd.csv"
    listed.write_text("msisdn,since\n8613900000001,\n")
    (tmp_path / "p.yaml").write_text("timezone: Asia/Shanghai\ndo_not_disturb: {file: dnd.csv}\n")
    t_us = 1_180_900_000_500_000
    assert (
        append_opt_outs(listed, [("8613900000002", t_us), ("8613900000002", t_us)], ZoneInfo("Asia/Shanghai"))
        == 1
    )
    assert read_policy(tmp_path / "p.yaml").do_not_disturb == {"8613900000001": 0, "8613900000002": t_us}
