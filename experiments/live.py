"""The live phase: signalling paced by the wall clock, open loop, and how long triggers take.

The whole schedule is drawn before the first send. Latency counts from the planned send of the message that
completed a trigger to the arrival of the first submit_sm of its contact at the SMSC's door, both on this
process's clock; for a trigger fired by a timer, from the moment its condition fell due. A generator that lags
makes the run invalid.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.latency.joining import Joined
from experiments.latency.pacing import Schedule
from experiments.latency.shapes import even, spread
from experiments.study import LiveKeys
from reports.records import write

__all__ = ["schedule", "write_tables"]


def schedule(batch: Any, start_us: int, keys: LiveKeys, streams: int) -> Schedule:
    """Makes the schedule of the first seconds x rate messages of the world, stretched or squeezed to fit.

    Args:
        batch: These messages, from `start_us` on.
        start_us: World time at which the phase begins.
        keys: The study's keys of the phase.
        streams: Streams of the association.

    Raises:
        RunInvalid: the world has too little signalling for the rate at the largest factor.
    """
    at_s, upto = even(keys.seconds, keys.rate_per_s)
    return spread(batch, start_us, at_s, upto, streams, most_factor=keys.max_factor)


def write_tables(
    folder: Path, plan: Schedule, sent_ns: NDArray[np.int64], woven: NDArray[np.int64], joined: Joined
) -> None:
    """Writes `sends.parquet` and `latencies.parquet`.

    `woven`: a row for each message woven in: correlation id, due, sent.
    """
    own = np.stack((plan.corr, plan.intended_ns, sent_ns), axis=1)
    columns = np.concatenate((own, woven)).T
    names = ("corr", "t_intended_ns", "t_sent_ns")
    sends = dict(zip(names, (columns[0].astype(np.uint32), *columns[1:]), strict=True))
    write(folder / "sends.parquet", "sends", sends)
    write(folder / "latencies.parquet", "latencies", joined.columns)
