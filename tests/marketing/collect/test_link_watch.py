"""A link that falls silent while others talk is said once, and so is its return."""

import numpy as np

from marketing.collect.links import LinkWatch
from marketing.correlate import LINK, Correlator
from marketing.decode import decode_batch

SECOND = 1_000_000


def table(*links):
    return np.array(list(links), dtype=LINK)


def test_silence_is_by_the_pace_of_the_link():
    watch = LinkWatch()
    busy, quiet = (257, 1, 10_000, 0, 1000 * SECOND), (258, 1, 200, 0, 1000 * SECOND)
    assert watch.look(table(busy, quiet), 1059 * SECOND) == []
    said = watch.look(table(busy, quiet), 1061 * SECOND)
    assert [str(one) for one in said] == [
        "the link between point codes 257 and 1 has been silent for 61 s: its signalling is missing"
    ]
    assert watch.look(table(busy, quiet), 1062 * SECOND) == []
    assert watch.silent == {(257, 1)}
    assert [row["silent"] for row in watch.report(table(busy, quiet))] == [True, False]
    back = (257, 1, 10_001, 0, 1063 * SECOND)
    assert [str(one) for one in watch.look(table(back, quiet), 1064 * SECOND)] == [
        "the link between point codes 257 and 1 is heard again"
    ]
    # The other has one opening in five seconds: 300 of its gaps are 25 minutes.
    assert [one.one for one in watch.look(table(quiet), 2600 * SECOND)] == [258]


def test_few_openings_make_no_pace_and_looks_have_their_time():
    watch = LinkWatch()
    assert watch.due(0)
    assert watch.look(table((257, 1, 99, 0, SECOND)), 10_000 * SECOND) == []
    assert not watch.due(10_000 * SECOND + 1)
    assert watch.due(10_001 * SECOND)
    assert watch.due(0)  # time that went back


def test_the_correlator_knows_its_links(wire):
    correlator = Correlator(hold_us=0)
    stories = [*wire.story("mo_sms"), *wire.story("mo_call_answered", 100_000_000, handover=True)]
    data, offsets = wire.pack([m.octets for m in stories])
    correlator.feed(data, offsets, decode_batch(data, offsets), np.array([m.t_us for m in stories]))
    links = correlator.links
    assert sorted(zip(links["one"].tolist(), links["other"].tolist(), strict=True)) == [(1, 258), (257, 1)]
    assert sorted(links["openings"].tolist()) == [1, 2]
    assert links["first_us"].min() == stories[0].t_us
