"""One group a stage, each run checked: as many rows, acts and octets as were generated, and no error."""

import time
from collections import Counter

import numpy as np
import pytest

#: Frequent in a busy hour, and different in what there is to read; names as `kairos decode` prints them.
KINDS = (
    "ASSIGNMENT REQUEST", "CLEAR COMMAND", "COMMON ID", "Connection confirm", "DISCONNECT",
    "LOCATION UPDATING REQUEST", "PAGING", "Release complete", "SETUP", "SMS-SUBMIT",
)  # fmt: skip


def group(name):
    """Timed by the processor's clock, which other work on the machine disturbs least."""
    return pytest.mark.benchmark(group=name, timer=time.process_time)


@group("yardstick")
def test_yardstick(benchmark, yardstick):
    """Fixed work that is none of ours; `relative_to_yardstick` of the others divides by its best time."""
    work, expected = yardstick
    assert benchmark.pedantic(work, rounds=50, warmup_rounds=2) == expected


@group("decode")
def test_decode_mix(timed, sources):
    from experiments.bench.stages import STAGES

    timed(STAGES["decode"](sources), rounds=20)


@group("decode, one kind")
@pytest.mark.parametrize("name", KINDS)
def test_decode_kind(timed, sources, name):
    from experiments.bench.stages import Job
    from experiments.decode.columns import named_rows
    from marketing.decode import decode_batch, decode_flat, new_rows

    hour = sources.hour
    of_hour = decode_batch(hour.data, hour.offsets)
    names = [row.get("message") for row in named_rows(of_hour, hour.t_us)]
    chosen = [i for i, found in enumerate(names) if found == name]
    assert chosen, Counter(names).most_common()
    chosen = (chosen * (20_000 // len(chosen) + 1))[:20_000]
    octets = [hour.data[hour.offsets[i] : hour.offsets[i + 1]] for i in chosen]
    flat = b"".join(len(one).to_bytes(4, "little") + one for one in octets)
    rows = new_rows(len(chosen))

    def check(done):
        assert done == (len(chosen), len(flat))
        assert np.array_equal(rows, of_hour[chosen])

    size = len(flat) - 4 * len(chosen)
    timed(Job(len(chosen), size, name, lambda: None, lambda _: decode_flat(flat, rows), check), rounds=20)


@group("reference")
def test_reference_decode(timed, sources):
    from experiments.bench.stages import STAGES

    timed(STAGES["reference"](sources), rounds=5)


@group("correlate")
def test_decode_and_correlate(timed, sources):
    from experiments.bench.stages import STAGES

    timed(STAGES["correlate"](sources), rounds=20)


@group("encode")
def test_simulate_and_encode_the_busy_hour(timed, sources):
    from experiments.bench.stages import STAGES

    timed(STAGES["encode"](sources), rounds=5)


@group("capture")
def test_read_a_capture(timed, sources):
    from experiments.bench.stages import STAGES

    timed(STAGES["capture"](sources), rounds=10)
