"""Messages are counted on where the 32 bits of the wire begin again (RFC 4666 3.3.1): all joins hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from marketing.collect.lockstep import BEAT_DATA, Arrived, Beats
from marketing.decode import decode_batch
from sim.draws import Draws
from sim.network import faults
from sim.network.fault_links import HOUR_US
from sim.network.faults import Faults
from sim.network.visible import PAGE_US
from sim.network.wire import WireBatch
from sim.run import Run, build
from sim.scenario import FaultScenario, WorldScenario
from sim.sinks import Nothing

START, END = 17 * HOUR_US, 19 * HOUR_US
SCENARIO = WorldScenario(world="w", about="x", epoch=date(2007, 6, 4), subscribers=300)
BSCS = tuple(bsc.point_code for bsc in SCENARIO.network.bscs)
WRAP = 1 << 32


class Kept(Nothing):
    def __init__(self):
        self.batches, self.rows = [], []

    def signalling(self, batch):
        self.batches.append(batch)

    def visible(self, rows):
        self.rows.append(rows)


def evening(first: int) -> tuple[WireBatch, np.ndarray]:
    """Two hours whose first message has this number."""
    sink = Kept()
    run = Run(build(SCENARIO, 3), sink=sink, tick_us=HOUR_US, start_us=START, end_us=END)
    run.network.count_from(first)
    while run.step() < END:
        pass
    columns = {
        name: np.concatenate([getattr(b, name) for b in sink.batches])
        for name in ("t_us", "sls", "uplink", "corr", "act")
    }
    offsets = np.concatenate(([0], np.concatenate([np.diff(b.offsets) for b in sink.batches]).cumsum()))
    batch = WireBatch(data=b"".join(b.data for b in sink.batches), offsets=offsets, **columns)
    return batch, np.concatenate(sink.rows)


@pytest.fixture(scope="module")
def plain():
    return evening(1)


@pytest.fixture(scope="module")
def wrapped(plain):
    """The same with the wrap in its middle."""
    return evening(WRAP - plain[0].n // 2)


def test_only_the_ids_on_the_wire_differ(plain, wrapped) -> None:
    (one, seen), (other, seen_too) = plain, wrapped
    assert other.corr[0] < WRAP - 1_000 < WRAP + 1_000 < other.corr[-1]
    assert np.array_equal(other.corr - other.corr[0], one.corr - 1)
    octets = [np.frombuffer(batch.data, np.uint8).copy() for batch in (one, other)]
    at = (one.offsets[1:, None] - np.arange(4, 0, -1)).ravel()
    ids = octets[1][at].reshape(-1, 4).astype(np.int64) @ (256 ** np.arange(3, -1, -1))
    assert np.array_equal(ids, other.corr % WRAP)
    for some in octets:
        some[at] = 0
    assert np.array_equal(*octets)
    for name in seen.dtype.names:
        shift = other.corr[0] - 1 if name == "corr" else 0
        if seen[name].dtype.kind == "S":
            assert np.array_equal(seen[name], seen_too[name])
        else:
            assert np.array_equal(seen[name] + seen[name].dtype.type(shift), seen_too[name]), name


def test_every_visible_row_joins_its_message_by_number(wrapped) -> None:
    batch, seen = wrapped
    assert len(np.unique(batch.corr)) == batch.n
    at = np.searchsorted(batch.corr, seen["corr"])
    assert np.array_equal(batch.corr[at], seen["corr"])
    assert np.array_equal(batch.act[at], seen["act"])
    # A page shows by the answer that does not come, so long after it.
    later = seen["t_us"] - batch.t_us[at] - SCENARIO.epoch_unix_us
    assert set(seen["rule"][later != 0].tolist()) <= {b"page_unanswered"}
    assert set(later.tolist()) <= {0, PAGE_US}


def test_faults_over_the_wrap_do_not_depend_on_windows_and_overtaken_messages_stay_near(wrapped) -> None:
    batch, _ = wrapped
    plan = FaultScenario(reordering_share=0.05, delay_share=0.02, duplication_share=0.02)
    found = []
    for cuts in ([], range(START, END, 300_000_000)):
        stage = Faults(plan, Draws(5), SCENARIO.epoch_unix_us, BSCS, START)
        out, first = [], 0
        for until_us in [*cuts, END, END + HOUR_US]:
            last = int(np.searchsorted(batch.t_us, until_us))
            some = slice(first, last)
            a, b = batch.offsets[first], batch.offsets[last]
            columns = {k: getattr(batch, k)[some] for k in ("t_us", "sls", "uplink", "corr", "act")}
            part = replace(
                batch, data=batch.data[a:b], offsets=batch.offsets[first : last + 1] - a, **columns
            )
            out.append(stage.window(part if last > first else None, until_us))
            first = last
        corr = np.concatenate([one.corr for one in out])
        found.append((corr, np.sort(stage.take_rows())))
    assert np.array_equal(found[0][0], found[1][0])
    assert np.array_equal(found[0][1], found[1][1])
    rows = found[0][1]
    overtaken = rows[rows["kind"] == faults.REORDERING]
    near = overtaken[abs(overtaken["corr"] - WRAP) < batch.n // 4]
    assert len(near) > 50
    assert near["by_us"].max() <= plan.reordered_within_ms * 1000
    assert np.isin(rows["corr"], batch.corr).all()


@pytest.mark.parametrize("base", [0, 5, WRAP // 2, WRAP - 3, WRAP, 7 * WRAP - 2])
def test_a_platform_in_lockstep_places_messages_by_marks_beyond_the_wrap(plain, base) -> None:
    """Six messages numbered from base + 1; a mark after two, one after four, the barrier after six."""
    batch, _ = plain
    octets = bytearray(batch.data[: batch.offsets[6]])
    for i in range(6):
        end = batch.offsets[i + 1]
        octets[end - 4 : end] = ((base + 1 + i) % WRAP).to_bytes(4, "big")
    beats = Beats(5_000_000)
    for world_us, count in ((1_000_000, 2), (2_000_000, 4), (5_000_000, 6)):
        assert beats.beat(BEAT_DATA.pack(world_us, base + count))
    beats.received = base + 6
    offsets = batch.offsets[:7].copy()
    beats.arrived.append(Arrived(bytes(octets), offsets, decode_batch(bytes(octets), offsets)))
    placed = beats.take(5_000_000)
    expected = [1_000_000, 1_000_000, 2_000_000, 2_000_000, 5_000_000, 5_000_000]
    # An id of 0 means that there is none: such a message has the time of its barrier.
    expected = [5_000_000 if (base + 1 + i) % WRAP == 0 else t for i, t in enumerate(expected)]
    assert placed.world_us.tolist() == expected
