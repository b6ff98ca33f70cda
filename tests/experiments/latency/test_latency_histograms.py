"""Histograms: ranks as in the sample, merging is adding up, percentiles refused, logs read back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.latency.histograms import (
    Log,
    Ranked,
    histogram_of,
    percentiles,
    read_log,
    spectrum,
    write_log,
)
from experiments.problems import BadInput

VALUES = st.lists(st.integers(1_000, 60_000_000_000), min_size=1, max_size=300)


@given(values=VALUES)
@settings(max_examples=100, deadline=None)
def test_a_rank_has_the_samples_value_to_a_thousandth_and_never_less(values):
    ranked = Ranked.of(histogram_of(np.array(values)))
    assert ranked.n == len(values)
    for rank, value in enumerate(sorted(values), 1):
        assert value <= ranked.at(rank) <= value * 1.001 + 512


@given(first=VALUES, second=VALUES)
@settings(max_examples=30, deadline=None)
def test_merged_runs_are_as_one(first, second):
    def log(values):
        column = np.array(values)
        return Log.of({"corrected": column, "raw": column // 2}, np.arange(len(column)) * 10**8, 1.0)

    merged = Log.merged([log(first), log(second)])
    whole = histogram_of(np.array(first + second))
    assert percentiles(merged.whole["corrected"]) == percentiles(whole)
    in_window = first[:10] + second[:10]  # ten of 0.1 s each fall into the first second
    assert percentiles(merged.windows["corrected", 0]) == percentiles(histogram_of(np.array(in_window)))


def test_windows_of_different_length_do_not_add_up():
    column = np.array([5_000_000])
    logs = [Log.of({"corrected": column, "raw": column}, column, length) for length in (1.0, 2.0)]
    with pytest.raises(BadInput, match="one length"):
        Log.merged(logs)


def test_percentiles_have_intervals_or_reasons():
    ms = np.arange(1, 1_001) * 1_000_000
    found = percentiles(histogram_of(ms))
    assert found["n"] == 1000
    assert found["p50"]["value"] == pytest.approx(500, rel=1e-3)
    # Binomial (1000, 0.5): ranks 469 and 532 hold the median with 95 %.
    assert (found["p50"]["low"], found["p50"]["high"]) == pytest.approx((469, 532), rel=2e-3)
    assert found["p99"]["low"] < 990 < found["p99"]["high"]
    assert found["p99.9"]["refused"] == "a p99.9 needs 10000 observations; there are 1000"
    assert found["max"] == pytest.approx(1000, rel=1e-3)
    assert "refused" in percentiles(histogram_of(ms[:999]))["p99"]
    assert percentiles(histogram_of(ms[:0]))["max"] is None


def test_a_spectrum_ends_at_the_longest_and_begins_at_the_shortest():
    line = spectrum(histogram_of(np.arange(1, 5_001) * 1_000_000))
    assert line["share"][0] == 0
    assert line["share"][-1] == pytest.approx(1 - 1 / 5000)
    assert line["ms"][0] == pytest.approx(1, rel=1e-3)
    assert line["ms"][-1] == pytest.approx(5000, rel=1e-3)
    for share, value in zip(line["share"], line["ms"], strict=True):
        assert value == pytest.approx(1 + share * 5000, rel=2e-3)


def test_a_log_is_read_back_by_us_and_by_the_librarys_reader(tmp_path):
    from hdrh.histogram import HdrHistogram
    from hdrh.log import HistogramLogReader

    rng = np.random.default_rng(1)
    values = (rng.exponential(3e6, 500) + 1000).astype(np.int64)
    log = Log.of({"corrected": values, "raw": values - 500}, np.sort(rng.integers(0, 3 * 10**9, 500)), 1.0)
    write_log(tmp_path / "latency.hlog", log, 3.0)
    again = read_log(tmp_path / "latency.hlog")
    assert again.window_s == 1.0
    assert again.windows.keys() == log.windows.keys()
    for one, other in ((again.whole, log.whole), (again.windows, log.windows)):
        for key, histogram in other.items():
            assert percentiles(one[key]) == percentiles(histogram)
    reader = HistogramLogReader(str(tmp_path / "latency.hlog"), HdrHistogram(1000, 3_600_000_000_000, 3))
    counts = {}
    while (histogram := reader.get_next_interval_histogram()) is not None:
        tag = histogram.get_tag()
        counts[tag] = counts.get(tag, 0) + histogram.get_total_count()
    reader.input_file.close()
    assert counts == {"corrected": 500, "raw": 500, "corrected.window": 500, "raw.window": 500}


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "no histogram"), ("Tag=a,0,1,2,HISTFxx\n", "not a log"), ("Tag=a,0\n", "not a log")],
)
def test_a_damaged_log_is_the_users_mistake(tmp_path, text, said):
    path = tmp_path / "latency.hlog"
    with pytest.raises(BadInput, match="missing"):
        read_log(path)
    path.write_text("#[window 1 s]\n" + text)
    with pytest.raises(BadInput, match=said):
        read_log(path)


def test_more_than_an_hour_is_refused():
    with pytest.raises(ValueError, match="at most an hour"):
        histogram_of(np.array([2 * 3_600_000_000_000]))
