"""Faults on demand: none changes nothing; rates are as asked; each has its row; windows do not matter."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sim.draws import Draws
from sim.network import faults
from sim.network.fault_links import HOUR_US, Octets, half_of, links_of
from sim.network.faults import FAULT, KINDS, Faults, stage_of
from sim.network.wire import WireBatch
from sim.run import Run, build
from sim.scenario import FaultScenario, WorldScenario
from sim.sinks import Nothing

SECOND = 1_000_000
START, END = 17 * HOUR_US, 20 * HOUR_US
SCENARIO = WorldScenario(world="w", about="x", epoch=date(2007, 6, 4), subscribers=600)
EPOCH = SCENARIO.epoch_unix_us
BSCS = tuple(bsc.point_code for bsc in SCENARIO.network.bscs)
ALL = FaultScenario(
    loss_share=0.02, duplication_share=0.03, reordering_share=0.03, delay_share=0.03, truncation_share=0.02,
    byte_flip_share=0.02, no_beginning_share=0.02, no_end_share=0.03, reference_reuse_share=0.05,
    association_losses_per_day=12, takeovers_per_day=12, takeover_s=5,
)  # fmt: skip


class Kept(Nothing):
    def __init__(self):
        self.batches = []

    def signalling(self, batch):
        self.batches.append(batch)


def joined(batches) -> WireBatch:
    columns = {
        name: np.concatenate([getattr(b, name) for b in batches])
        for name in ("t_us", "sls", "uplink", "corr", "act")
    }
    offsets = np.concatenate(([0], np.concatenate([np.diff(b.offsets) for b in batches]).cumsum()))
    return WireBatch(data=b"".join(b.data for b in batches), offsets=offsets, **columns)


@pytest.fixture(scope="module")
def wire() -> WireBatch:
    """Three hours of a small town's messages."""
    sink = Kept()
    run = Run(build(SCENARIO, 3), sink=sink, tick_us=HOUR_US, start_us=START, end_us=END)
    while run.step() < END:
        pass
    return joined(sink.batches)


def part(batch: WireBatch, first: int, last: int) -> WireBatch:
    a, b = batch.offsets[first], batch.offsets[last]
    some = slice(first, last)
    return WireBatch(
        batch.t_us[some], batch.data[a:b], batch.offsets[first : last + 1] - a, batch.sls[some],
        batch.uplink[some], batch.corr[some], batch.act[some],
    )  # fmt: skip


def struck(wire: WireBatch, plan: FaultScenario, cuts=(), seed: int = 5) -> tuple[WireBatch, np.ndarray]:
    """What passes until long after the end, and the rows."""
    stage = Faults(plan, Draws(seed), EPOCH, BSCS, START)
    out, first = [], 0
    for until_us in [*sorted(cuts), END, END + HOUR_US, END + 2 * HOUR_US]:
        last = int(np.searchsorted(wire.t_us, until_us))
        out.append(stage.window(part(wire, first, last) if last > first else None, until_us))
        if out[-1].n:
            assert out[-1].t_us[-1] < until_us
        first = last
    assert stage.holding == 0
    return joined(out), np.sort(stage.take_rows())


def same(one: WireBatch, other: WireBatch) -> None:
    assert one.data == other.data
    for name in ("t_us", "offsets", "sls", "uplink", "corr", "act"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def messages(batch: WireBatch) -> dict[int, list[tuple[int, bytes]]]:
    found = defaultdict(list)
    for i, corr in enumerate(batch.corr.tolist()):
        found[corr].append((int(batch.t_us[i]), batch.message(i)))
    return found


def test_no_faults_no_stage_and_a_stage_without_faults_changes_nothing(wire) -> None:
    assert stage_of(FaultScenario(), Draws(1), EPOCH, BSCS, START) is None
    out, rows = struck(wire, FaultScenario(), cuts=range(START, END, 600 * SECOND))
    same(out, wire)
    assert len(rows) == 0


@pytest.fixture(scope="module")
def given_wire(wire):
    """The same, with nothing to be printed."""
    return lambda: wire


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(START + 1, END - 1), max_size=40), st.integers(0, 3))
def test_windows_do_not_matter(given_wire, cuts, seed) -> None:
    wire = given_wire()
    one, rows = struck(wire, ALL, seed=seed)
    other, same_rows = struck(wire, ALL, cuts, seed=seed)
    same(one, other)
    assert np.array_equal(rows, same_rows)
    assert np.all(np.diff(one.t_us) >= 0)


def test_narrow_windows_do_not_matter_either(wire) -> None:
    one, rows = struck(wire, ALL)
    other, same_rows = struck(wire, ALL, range(START, END, 10 * SECOND))
    same(one, other)
    assert np.array_equal(rows, same_rows)


SHARES = {
    "loss_share": faults.LOSS,
    "duplication_share": faults.DUPLICATION,
    "delay_share": faults.DELAY,
    "truncation_share": faults.TRUNCATION,
    "byte_flip_share": faults.BYTE_FLIP,
}


@pytest.mark.parametrize("name", SHARES)
def test_a_share_of_messages(wire, name) -> None:
    share = 0.05
    _, rows = struck(wire, FaultScenario(**{name: share}))
    assert set(rows["kind"].tolist()) == {SHARES[name]}
    assert len(np.unique(rows["corr"])) == len(rows)
    # Five standard deviations: one false alarm in two million.
    assert abs(len(rows) - share * wire.n) < 5 * (share * (1 - share) * wire.n) ** 0.5


def test_every_difference_has_its_row_and_every_row_its_difference(wire) -> None:
    out, rows = struck(wire, ALL)
    before, after = messages(wire), messages(out)
    rows_of = defaultdict(list)
    for row in rows[rows["corr"] > 0].tolist():
        rows_of[row[2]].append(row)
    assert set(rows["kind"].tolist()) == set(KINDS)
    for corr, [(t_us, message)] in before.items():
        kinds = {row[1]: row for row in rows_of[corr]}
        there = after.get(corr, [])
        if not kinds:
            assert there == [(t_us, message)]
            continue
        assert all(row[0] == t_us + EPOCH for row in rows_of[corr])
        gone = kinds.keys() & {faults.LOSS, faults.NO_BEGINNING, faults.NO_END, faults.ASSOCIATION_LOSS}
        if gone:
            assert there == []
            continue
        late = sum(row[4] for kind, row in kinds.items() if kind != faults.DUPLICATION)
        assert there[0][0] == t_us + late
        assert len(there) == 1 + (faults.DUPLICATION in kinds)
        if faults.DUPLICATION in kinds:
            assert there[1] == (t_us + kinds[faults.DUPLICATION][4], there[0][1])
        changed = there[0][1]
        if faults.TRUNCATION in kinds:
            left = kinds[faults.TRUNCATION][5]
            assert 24 <= left < len(message)
            assert len(changed) == left
        elif faults.BYTE_FLIP in kinds:
            place, bits = divmod(kinds[faults.BYTE_FLIP][5], 256)
            assert 24 <= place < len(message) - 8
            assert bits
            if faults.REFERENCE_REUSE not in kinds:
                assert [i for i in range(len(message)) if message[i] != changed[i]] == [place]
                assert message[place] ^ changed[place] == bits
        elif faults.REFERENCE_REUSE in kinds:
            reference = kinds[faults.REFERENCE_REUSE][5].to_bytes(3, "big")
            assert len(changed) == len(message)
            assert reference in (changed[25:28], changed[28:31])
        else:
            assert changed == message
    assert after.keys() <= before.keys()


def test_whoever_is_overtaken_really_is(wire) -> None:
    share = 0.05
    out, rows = struck(wire, FaultScenario(reordering_share=share, reordered_within_ms=300))
    assert abs(len(rows) - share * wire.n) < 5 * (share * (1 - share) * wire.n) ** 0.5
    overtaken = rows[rows["kind"] == faults.REORDERING]
    assert len(overtaken) > 100
    place = np.full(int(wire.corr.max()) + 1, -1)
    place[out.corr] = np.arange(out.n)
    link = np.zeros_like(place)
    link[out.corr] = links_of(Octets(out))
    for corr, by_us in zip(overtaken["corr"].tolist(), overtaken["by_us"].tolist(), strict=True):
        assert by_us <= 300_000
        ahead = int(out.corr[place[corr] - 1])  # right behind a later message of its BSC, or another such
        while ahead in overtaken["corr"] and ahead < corr:
            ahead = int(out.corr[place[ahead] - 1])
        assert ahead > corr
        assert link[ahead] == link[corr]
    tired = rows[rows["kind"] == faults.DELAY]  # nobody came along
    assert set(tired["by_us"].tolist()) == {300_000}


def test_half_dialogues_are_of_whole_acts(wire) -> None:
    out, rows = struck(wire, FaultScenario(no_beginning_share=0.1, no_end_share=0.2))
    begins, ends = half_of(Octets(wire))
    missing = ~np.isin(wire.corr, out.corr)
    for kind, share, mine in ((faults.NO_BEGINNING, 0.1, begins), (faults.NO_END, 0.2, ends)):
        hit = np.unique(rows["act"][rows["kind"] == kind])
        assert missing[mine & np.isin(wire.act, hit)].all()
        with_any = len(np.unique(wire.act[mine]))
        assert abs(len(hit) - share * with_any) < 5 * (share * (1 - share) * with_any) ** 0.5
    assert missing.sum() == len(rows)
    assert not missing[~(begins | ends)].any()


def test_a_reused_reference_is_consistent_and_collides(wire) -> None:
    out, rows = struck(wire, FaultScenario(reference_reuse_share=0.2))
    assert out.n == wire.n
    assert len(rows) > 500
    opened = {}
    for i, row in (
        (int(np.searchsorted(wire.corr, row["corr"])), row) for row in np.sort(rows, order="corr")
    ):
        act, reference = int(row["act"]), int(row["detail"])
        if wire.uplink[i] and wire.message(i)[24] == 1:  # CR
            opened.setdefault(act, set()).add(reference)
        assert reference in opened[act]
        before, after = wire.message(i), out.message(i)
        assert before[:25] == after[:25]
        assert before[31:] == after[31:]
    taken = Counter(
        (bsc, message[25:28])
        for bsc, message, uplink in zip(
            links_of(Octets(out)).tolist(), (out.message(i) for i in range(out.n)), out.uplink, strict=True
        )
        if uplink and message[24] == 1
    )
    assert max(taken.values()) > 1


def test_associations_go_and_come(wire) -> None:
    plan = FaultScenario(
        association_losses_per_day=24, association_loss_s=60, takeovers_per_day=24, takeover_s=10
    )
    out, rows = struck(wire, plan, seed=9)
    events = rows[rows["corr"] == 0]
    link = links_of(Octets(wire))
    for kind, length_us in ((faults.ASSOCIATION_LOSS, 60 * SECOND), (faults.TAKE_OVER, 10 * SECOND)):
        mine = events[events["kind"] == kind]
        assert set(mine["detail"].tolist()) == set(BSCS)
        assert set(mine["by_us"].tolist()) == {length_us}
        assert len(mine) >= 3 * len(BSCS)  # one an hour each, rate 24 a day
        for row in mine.tolist():
            began = row[0] - EPOCH
            within = (link == row[5]) & (wire.t_us >= began) & (wire.t_us < began + length_us)
            for corr in wire.corr[within].tolist():
                marks = rows[(rows["corr"] == corr)]
                assert len(marks) == 1
                if kind == faults.TAKE_OVER and marks["kind"][0] == kind:
                    at = out.t_us[out.corr == corr]
                    assert at.tolist() == [began + length_us]
    lost = rows["corr"][(rows["kind"] == faults.ASSOCIATION_LOSS) & (rows["corr"] > 0)]
    assert not np.isin(out.corr, lost).any()
    assert len(lost) + out.n == wire.n


def test_rows_are_as_the_records_have_them() -> None:
    from reports.records import TABLES

    assert [column.name for column in TABLES["faults"].columns] == list(FAULT.names)


@pytest.mark.parametrize(
    "wrong",
    [{"loss_share": 0.6, "delay_share": 0.6}, {"no_end_share": 0.7, "no_beginning_share": 0.7}, {"loss": 1}],
)
def test_what_cannot_be_is_refused(wrong) -> None:
    with pytest.raises(ValidationError):
        FaultScenario(**wrong)
