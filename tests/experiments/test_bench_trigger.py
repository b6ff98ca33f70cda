"""`kairos bench trigger`: one short turn is whole, and what counts is judged as said. No time is asserted."""

import numpy as np
import pytest

from experiments.bench.trigger import TriggerBench, Turn, percentiles
from sigtran import TransportUnavailable, choose


def turn(p50=1.0, p99=10.0, fsync=5.0, late=0.0):
    took = {"p50": p50, "p90": p50, "p99": p99, "max": p99}
    kept = {"late_share": late, "late_share_bound": 0.01, "lag_ms": {"p50": 0.1, "p99": 0.2, "max": 0.3}}
    return Turn(200_000, 100, 10.0, 1000, took, took, took, {**took, "p99": fsync}, kept, 0.5)


@pytest.mark.parametrize(
    ("made", "kept", "met"),
    [
        (turn(), True, True),
        (turn(p50=2.0), True, False),
        (turn(p99=24.9), True, True),
        (turn(p99=25.0), True, False),
        (turn(late=0.011), False, True),
    ],
)
def test_what_counts(made, kept, met):
    assert (made.kept, made.met) == (kept, met)
    assert ("NOT COUNTED" in made.said()) is not kept


def test_percentiles_are_of_the_sample():
    assert percentiles(np.arange(1, 101) * 1_000_000) == {"p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 100.0}


def test_a_short_turn_is_whole(tmp_path):
    try:
        choose("auto")
    except TransportUnavailable as error:
        pytest.skip(f"no SCTP here: {error}")
    bench = TriggerBench(tmp_path, seconds=2.0, rate_per_s=8000)
    found = bench.turn()
    assert found.messages == 16_000
    assert found.woven > found.triggers > 5
    for took in (found.intended, found.sent, found.socket, found.fsync):
        assert 0 < took["p50"] <= took["p90"] <= took["p99"] <= took["max"]
    # The same triggers on one clock: what begins later took less.
    assert found.socket["p50"] <= found.sent["p50"] <= found.intended["p50"]
