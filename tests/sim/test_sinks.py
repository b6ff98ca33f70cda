"""Sinks: what each keeps of a run, and that all of them together do not disturb each other."""

from __future__ import annotations

import io
import struct
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.run import Run, build
from sim.scenario import WorldScenario
from sim.sinks import Counter, Digest, FlatFile, Nothing, Several, flat_of

HOUR = 3_600_000_000
START, END = 18 * HOUR, 19 * HOUR
SCENARIO = WorldScenario(world="w", about="x", epoch=date(2007, 6, 4), subscribers=200)


class Kept(Nothing):
    def __init__(self):
        self.octets = []
        self.rows = {"acts": 0, "visible": 0}

    def signalling(self, batch):
        assert batch.n
        self.octets += [batch.message(i) for i in range(batch.n)]

    def acts(self, rows):
        self.rows["acts"] += len(rows)

    def visible(self, rows):
        self.rows["visible"] += len(rows)


@given(st.lists(st.binary(max_size=40), max_size=30))
def test_the_flat_form_is_each_message_behind_its_length(messages) -> None:
    offsets = np.concatenate(([0], np.cumsum([len(m) for m in messages], dtype=np.int64))).astype(np.int64)
    assert flat_of(b"".join(messages), offsets) == b"".join(struct.pack("<I", len(m)) + m for m in messages)


def lived(*sinks, tick_us: int = 60_000_000) -> None:
    run = Run(build(SCENARIO, 1), sink=Several(*sinks), tick_us=tick_us, start_us=START, end_us=END)
    while run.step() < END:
        pass


def test_each_gets_everything() -> None:
    kept, counter, digest, file = Kept(), Counter(), Digest(), io.BytesIO()
    flat = FlatFile(file)
    lived(kept, counter, digest, flat, Nothing())
    assert counter.messages == digest.messages == flat.messages == len(kept.octets) > 500
    assert counter.octets == sum(map(len, kept.octets))
    assert (counter.act_rows, counter.visible_rows) == (kept.rows["acts"], kept.rows["visible"])
    assert file.getvalue() == b"".join(struct.pack("<I", len(m)) + m for m in kept.octets)


def test_a_digest_does_not_know_the_windows() -> None:
    one, other = Digest(), Digest()
    lived(one)
    lived(other, tick_us=7_000_000)
    assert one.each == other.each
    assert len(set(one.each.values())) == 4


def test_rows_of_handsets_reach_every_sink() -> None:
    told = []

    class Told(Nothing):
        def parts(self, rows):
            told.append(("parts", rows))

        def contacts(self, rows):
            told.append(("contacts", rows))

        def responses(self, rows):
            told.append(("responses", rows))

        def faults(self, rows):
            told.append(("faults", rows))

    both = Several(Told(), Counter(), Told())
    for name in ("parts", "contacts", "responses", "faults"):
        getattr(both, name)([{}])
        assert told == [(name, [{}])] * 2
        told.clear()


@pytest.mark.parametrize("sink", [Nothing(), Counter(), Digest()])
def test_what_a_sink_does_not_want_it_takes_all_the_same(sink) -> None:
    for name in ("parts", "contacts", "responses"):
        getattr(sink, name)([])
