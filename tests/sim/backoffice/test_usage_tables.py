"""Usage as Parquet: typed, documented, the same bytes; and call records of a run's network."""

from datetime import date

import numpy as np
import pyarrow.parquet as pq
import pytest

from sim.backoffice import usage_tables
from sim.network.visible import CALL_CONNECTED, CALL_ENDED
from sim.run import Run, build
from sim.scenario import BscScenario, NetworkScenario, WorldScenario
from sim.subscribers.usage import calls
from sim.subscribers.usage_records import call_records, usage_records

HOUR_US = 3_600_000_000
SCENARIO = WorldScenario(
    world="w",
    about="x",
    epoch=date(2007, 6, 4),
    subscribers=250,
    network=NetworkScenario(
        cells=40,
        bscs=[BscScenario(point_code=257, lacs=[4097, 4098]), BscScenario(point_code=258, lacs=[4099, 4112])],
    ),
)


class Memory:
    """A sink that keeps what is visible."""

    def __init__(self) -> None:
        self.rows = []

    def visible(self, rows):
        self.rows.append(rows)

    def signalling(self, batch): ...
    def acts(self, rows): ...
    def parts(self, rows): ...
    def contacts(self, rows): ...
    def responses(self, rows): ...


@pytest.fixture(scope="module")
def world():
    return build(SCENARIO, 3)


@pytest.fixture(scope="module")
def visible(world):
    sink = Memory()
    run = Run(world, sink=sink, tick_us=60_000_000, start_us=8 * HOUR_US, end_us=22 * HOUR_US)
    while run.step() < 22 * HOUR_US:
        pass
    return np.concatenate(sink.rows)


def test_month_as_parquet(world, tmp_path):
    columns = usage_records(world, 0, 0, 250)
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        usage_tables.write(folder, usage_tables.MONTH, columns)
    first, second = (tmp_path / one / "usage_month.parquet" for one in "ab")
    assert first.read_bytes() == second.read_bytes()
    table = pq.read_table(first)
    assert table.num_rows == 250
    assert table.column_names == list(usage_tables.MONTH.columns)
    assert table["texts_sent"].to_pylist() == columns["texts_sent"].tolist()
    assert table.schema.field("gprs_kb").metadata[b"doc"] == b"kilobytes over GPRS"


def test_other_columns_are_refused(world):
    with pytest.raises(ValueError, match="usage_calls has the columns sub, t_us"):
        usage_tables.arrow(usage_tables.CALLS, {"sub": np.zeros(1, np.int64)})
    with pytest.raises(ValueError, match=r"VISIBLE were expected"):
        usage_tables.records_of_run(world, np.zeros(1, np.dtype([("t_us", np.int64)])))


def test_call_records_of_a_run_are_the_meant_ones_that_got_through(world, visible, tmp_path):
    """Every conversation that the tap saw was meant by the same people, as long; not all got through."""
    ran = usage_tables.records_of_run(world, visible)
    assert len(ran["sub"]) == np.count_nonzero((visible["kind"] == CALL_ENDED) & (visible["imsi"] > 0))
    meant = call_records(world, calls(world, 0, 22 * HOUR_US))
    known = {}
    for sub, way, peer, seconds, t_us in zip(
        *(meant[name].tolist() for name in ("sub", "direction", "peer", "duration_s", "t_us")), strict=True
    ):
        known.setdefault((sub, way, peer), []).append((t_us, seconds))
    found = 0
    for sub, way, peer, seconds, t_us in zip(
        *(ran[name].tolist() for name in ("sub", "direction", "peer", "duration_s", "t_us")), strict=True
    ):
        # From the key to the answer: set-up, alerting and at times the end of an earlier exchange.
        near = [one for one in known.get((sub, way, peer), ()) if 0 <= t_us - one[0] < 120_000_000]
        assert near, (sub, way, peer, t_us)
        found += any(abs(one[1] - seconds) <= 1 for one in near)
    assert found > 0.98 * len(ran["sub"])  # a few are cut by the radio, or by the other end's
    assert 0.7 * len(meant["sub"]) < len(ran["sub"]) < len(meant["sub"])
    connected = np.count_nonzero(visible["kind"] == CALL_CONNECTED)
    assert connected >= len(ran["sub"]) > 500
    written = pq.read_table(usage_tables.write(tmp_path, usage_tables.CALLS, ran))
    assert written["peer"].to_pylist() == [peer.decode() for peer in ran["peer"].tolist()]
    assert written["charge_fen"].to_pylist() == ran["charge_fen"].tolist()
    made = ran["direction"] == 1
    assert ran["charge_fen"][made].sum() > 0
    assert (ran["charge_fen"][~made] == 0).all()
