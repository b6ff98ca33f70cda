"""Every behaviour of J2 in small worlds: seen, and nothing else; with faults, nothing harmful is false."""

from datetime import date

import pytest
from click.testing import CliRunner

from experiments.cli import cli
from experiments.see import markdown, see
from marketing.behaviours import Kind
from sim.scenario import FaultScenario, WorldScenario, load_world

TOWN = WorldScenario(world="w", about="x", epoch=date(2007, 6, 4), subscribers=500)
WORLDS = {
    "town": (TOWN, 24),
    "two MSCs": (load_world("scenarios/worlds/province.yaml", {"subscribers": 400}), 24),
    "journeys": (load_world("scenarios/worlds/airport-hub.yaml", {"subscribers": 400}), 36),
    "new handsets": (
        TOWN.model_copy(
            update={
                "subscribers": 120,
                "changes": TOWN.changes.model_copy(update={"handset_changes_per_month": 1.0}),
                "network": TOWN.network.model_copy(update={"t3212_h": 1.0}),
            }
        ),
        24 * 7,
    ),
}
LINK = FaultScenario(loss_share=0.01, duplication_share=0.01, reordering_share=0.01)
FAULTY = TOWN.model_copy(
    update={"subscribers": 800, "network": TOWN.network.model_copy(update={"t3212_h": 1.0}), "faults": LINK}
)


CRAMPED = """world: cramped
about: three cells of one transceiver each, too few for its people
epoch: 2007-06-04
subscribers: 600
network: {cell_list: cells.csv}
"""
CELLS = "lac,ci,bsc,msc,x_m,y_m,trx\n5,1,300,1,0,0,1\n5,2,300,1,900,0,1\n6,3,301,1,1800,100,1\n"


@pytest.fixture(scope="module")
def seen_worlds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cramped")
    (folder / "cells.csv").write_text(CELLS, encoding="utf-8")
    (folder / "w.yaml").write_text(CRAMPED, encoding="utf-8")
    worlds = WORLDS | {"too few channels": (load_world(folder / "w.yaml"), 24)}
    return {name: see(scenario, 1, hours) for name, (scenario, hours) in worlds.items()}


@pytest.mark.parametrize("name", [*WORLDS, "too few channels"])
def test_without_loss_precision_and_recall_of_every_kind_are_1(seen_worlds, name):
    seen = seen_worlds[name]
    assert {k.name: (k.precision, k.recall) for k in seen.check.kinds} == {
        k.name: (1.0, 1.0) for k in seen.check.kinds
    }, seen.check.examples[:3]
    assert seen.check.equal
    assert seen.false.none
    assert (seen.check.unknown_truth, seen.check.unknown_platform) == (0, 0)


def test_every_kind_occurs(seen_worlds):
    kinds = {int(k) for seen in seen_worlds.values() for k in seen.platform["kind"]}
    # SEEN is for connections whose other messages are lost.
    assert kinds == {int(kind) for kind in Kind} - {int(Kind.SEEN)}


@pytest.mark.parametrize("reuse", [0.0, 0.03])
def test_with_loss_copies_and_overtaking_nothing_harmful_is_false(reuse):
    plan = LINK.model_copy(update={"reference_reuse_share": reuse})
    seen = see(FAULTY.model_copy(update={"faults": plan}), 1, 20, tolerance_us=2_000_000)
    assert (seen.false.power_off, seen.false.power_off_implicit, seen.false.imei_changed) == (0, 0, 0)
    kinds = {k.name: k for k in seen.check.kinds}
    assert kinds["power_off"].truth > 100
    assert kinds["power_off_implicit"].truth > 2
    assert kinds["seen"].platform > 0
    for kind in kinds.values():
        if kind.truth >= 300:
            assert kind.recall > (0.92 if not reuse else 0.8), markdown(seen)
            assert kind.precision > (0.9 if not reuse else 0.85), markdown(seen)
    assert seen.counters["copies"] > 0


def test_one_missed_update_is_no_silence():
    """Two periods suffice at one message in a hundred lost, since any connection tells that he is there."""
    seen = see(FAULTY, 2, 20, periods=2, tolerance_us=2_000_000)
    assert seen.false.power_off_implicit == 0


def test_the_command(tmp_path):
    world = tmp_path / "w.yaml"
    world.write_text("world: w\nabout: x\nepoch: 2007-06-04\nsubscribers: 100\n", encoding="utf-8")
    out = tmp_path / "seen.json"
    done = CliRunner().invoke(cli, ["see", str(world), "--hours", "6", "--json", str(out)])
    assert done.exit_code == 0, done.output
    assert "| call_started |" in done.output
    assert "false: power_off 0, power_off_implicit 0, imei_changed 0" in done.output
    assert '"equal": true' in out.read_text()
    done = CliRunner().invoke(cli, ["see", str(tmp_path / "none.yaml")])
    assert done.exit_code == 2
