"""The platform's correlator under faults: it says less than the truth, hardly more, and never fails."""

from __future__ import annotations

from collections import Counter
from datetime import date

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from experiments.cli import cli
from experiments.sinks import TruthFolder
from marketing.behaviours import Kind
from marketing.correlate import Correlator
from marketing.decode import decode_batch, decode_flat, new_rows
from sigtran.capture import CaptureReader
from sim.network import faults
from sim.run import Run, build
from sim.scenario import FaultScenario, WorldScenario
from sim.sinks import Counter as Counted
from sim.sinks import FlatFile, Nothing, Several

HOUR = 3_600_000_000
SCENARIO = WorldScenario(world="w", about="x", epoch=date(2007, 6, 4), subscribers=700)
LINK = FaultScenario(loss_share=0.01, duplication_share=0.01, reordering_share=0.01)
HARSH = FaultScenario(
    loss_share=0.02, duplication_share=0.02, reordering_share=0.02, delay_share=0.02, truncation_share=0.02,
    byte_flip_share=0.02, no_beginning_share=0.02, no_end_share=0.02, reference_reuse_share=0.02,
    association_losses_per_day=6, takeovers_per_day=6,
)  # fmt: skip


class Platform(Nothing):
    """Decodes and correlates what comes, and keeps the truth beside it."""

    def __init__(self):
        self.correlator = Correlator()
        self.rows = new_rows(1 << 16)
        self._found, self._shown = [], []

    def signalling(self, batch):
        rows = decode_batch(batch.data, batch.offsets, self.rows)
        self._found.append(self.correlator.feed(batch.data, batch.offsets, rows, batch.t_us))
        self._found.append(self.correlator.expire(int(batch.t_us[-1])))

    def visible(self, rows):
        self._shown.append(rows)

    @property
    def found(self):
        return np.concatenate([*self._found, self.correlator.flush()])

    @property
    def shown(self):
        return np.concatenate(self._shown)


def lived(plan: FaultScenario, *more, hours: int = 24) -> Platform:
    platform = Platform()
    world = build(SCENARIO.model_copy(update={"faults": plan}), 1)
    run = Run(world, sink=Several(platform, *more), tick_us=10_000_000, end_us=hours * HOUR)
    while run.step() < hours * HOUR:
        pass
    return platform


def keys(rows):
    """What joins a behaviour to the truth."""
    return Counter(zip(rows["corr"].tolist(), rows["kind"].tolist(), rows["role"].tolist(), strict=True))


def test_one_in_a_hundred_lost_doubled_and_overtaken_makes_no_false_power_off():
    platform = lived(LINK)
    found, shown = platform.found, platform.shown
    # Where all that a connection would have told is lost, it tells that somebody was there.
    found = found[found["kind"] != Kind.SEEN]
    off, truth = (rows[rows["kind"] == Kind.POWER_OFF] for rows in (found, shown))
    assert len(truth) > 150
    true = {(row["imsi"], row["corr"]) for row in truth}
    said = [(row["imsi"], row["corr"]) for row in off if row["imsi"]]
    assert {row["corr"] for row in off} <= {corr for _, corr in true}
    assert [one for one in said if one not in true] == []  # 0 is left out: where the tap has missed who it is
    assert len(set(said)) > 0.95 * len(true)
    # A copy of IMSI DETACH INDICATION that comes when all is over opens a connection of its own: rarely.
    assert len(said) - len(set(said)) < 0.02 * len(true)
    missing, extra = keys(shown) - keys(found), keys(found) - keys(shown)
    assert missing.total() < 0.05 * len(shown)
    assert extra.total() < 0.02 * len(shown)
    # Nobody is taken for somebody else.
    who = {(row["corr"], row["kind"], row["role"]): row["imsi"] for row in shown}
    for row in found:
        key = (row["corr"], row["kind"], row["role"])
        assert row["imsi"] in (0, who.get(key, row["imsi"]))
    counters = platform.correlator.counters
    assert counters["orphans"] > 0
    assert counters["aged"] > 0


def test_every_kind_of_fault_and_the_correlator_goes_on(tmp_path):
    counted = Counted()
    with TruthFolder(tmp_path) as truth, (tmp_path / "flat").open("wb") as file:
        platform = lived(HARSH, truth, FlatFile(file), counted, hours=20)
    found, shown = platform.found, platform.shown
    assert counted.visible_rows == len(shown)
    assert len(found) > 0.5 * len(shown)
    assert platform.correlator.holding == 0
    made = pq.read_table(tmp_path / "faults.parquet").to_pydict()
    assert set(made["kind"]) == set(faults.KINDS)
    assert len(made["kind"]) == counted.fault_rows
    acts = pq.read_table(tmp_path / "acts.parquet").column("act").to_pylist()
    assert acts == list(range(counted.act_rows))
    seen = pq.read_table(tmp_path / "visible.parquet").column("corr").to_pylist()
    assert seen == shown["corr"].tolist()
    # The flat file has what went out: truncated messages too, which the decoder refuses one by one.
    flat = (tmp_path / "flat").read_bytes()
    assert len(flat) == counted.octets + 4 * counted.messages
    assert decode_flat(flat, new_rows(counted.messages)) == (counted.messages, len(flat))


def test_without_faults_everything_is_found():
    platform = lived(FaultScenario(), hours=6)
    assert keys(platform.found) == keys(platform.shown)


@pytest.mark.parametrize("kind", faults.KINDS)
def test_kinds_have_the_words_of_the_schema(kind):
    word = faults.KINDS[kind]
    names = " ".join(FaultScenario.model_fields)
    assert word in names.replace("association_losses", "association_loss").replace("takeovers", "take_over")


def test_a_capture_of_a_faulty_world_and_its_truth(tmp_path):
    world = tmp_path / "w.yaml"
    world.write_text(
        "world: w\nabout: x\nepoch: 2007-06-04\nsubscribers: 300\n"
        "faults: {loss_share: 0.05, truncation_share: 0.05, byte_flip_share: 0.05, takeovers_per_day: 24}\n",
        encoding="utf-8",
    )
    out, truth = tmp_path / "tap.pcapng", tmp_path / "truth"
    done = CliRunner().invoke(
        cli, ["capture", str(world), "--minutes", "40", "--out", str(out), "--truth", str(truth)]
    )
    assert done.exit_code == 0, done.output
    made = pq.read_table(truth / "faults.parquet").to_pydict()
    assert {faults.LOSS, faults.TRUNCATION, faults.BYTE_FLIP} <= set(made["kind"])
    lost = [corr for corr, kind in zip(made["corr"], made["kind"], strict=True) if kind == faults.LOSS]
    seen = set()
    for batch in CaptureReader(out):
        for i in range(len(batch.messages)):
            seen.add(int.from_bytes(batch.messages.message(i)[-4:], "big"))
    assert lost
    assert seen.isdisjoint(lost)
    assert set(pq.read_table(truth / "visible.parquet").column("corr").to_pylist()) & seen
    done = CliRunner().invoke(
        cli, ["capture", str(world), "--minutes", "1", "--out", str(out), "--truth", str(world)]
    )
    assert done.exit_code == 2
