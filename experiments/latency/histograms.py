"""Latencies as HDR histograms: recorded, written in HDR's own log format, added up over runs, read by rank.

A log (`latency.hlog`) has a line for each tag and interval of time, as every HdrHistogram tool reads it:
`Tag=corrected,start,length,max,histogram`. Tags are the two latencies, the stages and the holds; the first
two have windows of their own beside the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

from experiments.inference.estimate import Estimate, Refused
from experiments.inference.intervals import quantile_ranks
from experiments.problems import BadInput, relative

__all__ = ["PERCENTILES", "Log", "Ranked", "histogram_of", "percentiles", "read_log", "spectrum", "write_log"]

LOWEST_NS: Final = 1_000
HIGHEST_NS: Final = 3_600_000_000_000
DIGITS: Final = 3
"""Values from a microsecond to an hour, to a thousandth of themselves."""
PERCENTILES: Final = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
WINDOWED: Final = ("corrected", "raw")
"""Tags that are also kept by windows of time."""
_VERSION: Final = "#[Histogram log format version 1.2]"
_LEGEND: Final = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'


def histogram_of(values_ns: NDArray[np.int64]) -> Any:
    """A histogram of values; those below a microsecond count as nothing.

    Raises:
        ValueError: a value of more than an hour.
    """
    made = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
    kept, counts = np.unique(np.maximum(values_ns, 0), return_counts=True)
    for value, count in zip(kept.tolist(), counts.tolist(), strict=True):
        if not made.record_value(value, count):
            raise ValueError(f"{value} ns: expected at most an hour, {HIGHEST_NS} ns")
    return made


@dataclass(frozen=True, slots=True)
class Ranked:
    """What a histogram knows, as columns: the values met, ascending, and how many are at most that."""

    values_ns: NDArray[np.int64]
    """Upper ends of the histogram's steps, so that nothing is made smaller than it was."""
    upto: NDArray[np.int64]

    @classmethod
    def of(cls, histogram: Any) -> Ranked:
        """Of an HDR histogram."""
        # The library's own iterator goes through all of its thirty thousand steps one by one.
        counts = np.ctypeslib.as_array(histogram.counts)
        met = np.flatnonzero(counts)
        values = [
            histogram.get_highest_equivalent_value(histogram.get_value_from_index(int(step))) for step in met
        ]
        return cls(np.array(values, np.int64), np.cumsum(counts[met].astype(np.int64)))

    @property
    def n(self) -> int:
        """Values recorded."""
        return int(self.upto[-1]) if self.upto.size else 0

    def at(self, rank: int) -> int:
        """The value of a rank, from 1."""
        return int(self.values_ns[np.searchsorted(self.upto, rank)])


def percentiles(histogram: Any) -> dict[str, Any]:
    """Number, percentiles in milliseconds with order-statistic intervals, and the most.

    A percentile is refused, with the reason, where fewer than ten values are expected beyond it.
    """
    ranked = Ranked.of(histogram)
    found: dict[str, Any] = {"n": ranked.n}
    for name, share in PERCENTILES.items():
        ranks = quantile_ranks(ranked.n, share)
        if isinstance(ranks, Refused):
            found[name] = ranks.as_json()
            continue
        low, value, high = (ranked.at(rank) / 1e6 for rank in ranks)
        found[name] = Estimate(value, low, high, None, ranked.n, "order statistics").as_json()
    found["max"] = ranked.at(ranked.n) / 1e6 if ranked.n else None
    return found


def spectrum(histogram: Any, points: int = 200) -> dict[str, list[float]]:
    """The latency at each share, in milliseconds, on steps that are even in log(1 / (1 - share))."""
    ranked = Ranked.of(histogram)
    if not ranked.n:
        return {"share": [], "ms": []}
    beyond = np.unique(np.round(np.geomspace(1, ranked.n, points)).astype(np.int64))[::-1]
    ranks = ranked.n - beyond + 1  # so many lie at or beyond it
    values = ranked.values_ns[np.searchsorted(ranked.upto, ranks)]
    return {
        "share": [round(float(share), 9) for share in (ranks - 1) / ranked.n],
        "ms": [round(float(value) / 1e6, 4) for value in values],
    }


@dataclass(frozen=True, slots=True)
class Log:
    """The histograms of one phase, or of several added up."""

    whole: Mapping[str, Any]
    """Tag -> histogram."""
    windows: Mapping[tuple[str, int], Any]
    """Tag and window -> histogram of what was intended in it."""
    window_s: float

    @classmethod
    def of(
        cls,
        columns: Mapping[str, NDArray[np.int64]],
        intended_ns: NDArray[np.int64],
        window_s: float,
    ) -> Log:
        """Of the values of each tag; of those that have windows, a value for each `intended_ns`."""
        windows = {}
        window = intended_ns // round(window_s * 1e9)
        for tag in WINDOWED:
            for at in np.unique(window).tolist():
                windows[tag, at] = histogram_of(columns[tag][window == at])
        return cls({tag: histogram_of(values) for tag, values in columns.items()}, windows, window_s)

    @classmethod
    def merged(cls, logs: Iterable[Log]) -> Log:
        """All of them added up: as if they were one run.

        Raises:
            BadInput: their windows differ in length.
        """
        whole: dict[str, Any] = {}
        windows: dict[tuple[str, int], Any] = {}
        lengths = set()
        for log in logs:
            lengths.add(log.window_s)
            for tag, histogram in log.whole.items():
                whole.setdefault(tag, HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)).add(histogram)
            for at, histogram in log.windows.items():
                windows.setdefault(at, HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)).add(histogram)
        if len(lengths) != 1:
            said = ", ".join(f"{length:g} s" for length in sorted(lengths)) or "none"
            raise BadInput(f"histograms with windows of one length can be added up; found {said}")
        return cls(whole, windows, lengths.pop())


def write_log(path: Path, log: Log, seconds: float) -> None:
    """Writes it in HDR's log format: windows first, then the whole, which lasts `seconds`."""
    lines = [_VERSION, f"#[window {log.window_s:g} s]", _LEGEND]
    for (tag, at), histogram in sorted(log.windows.items(), key=lambda row: (row[0][1], row[0][0])):
        lines.append(_line(f"{tag}.window", at * log.window_s, log.window_s, histogram))
    lines += [_line(tag, 0.0, seconds, histogram) for tag, histogram in sorted(log.whole.items())]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def _line(tag: str, start_s: float, length_s: float, histogram: Any) -> str:
    most_ms = histogram.get_max_value() / 1e6 if histogram.get_total_count() else 0.0
    return f"Tag={tag},{start_s:.3f},{length_s:.3f},{most_ms:.3f},{histogram.encode().decode('ascii')}"


def read_log(path: Path) -> Log:
    """Reads one that `write_log` wrote.

    Raises:
        BadInput: it is not there or not whole.
    """
    whole: dict[str, Any] = {}
    windows: dict[tuple[str, int], Any] = {}
    window_s = 0.0
    try:
        for line in path.read_text(encoding="ascii").splitlines():
            if line.startswith("#[window "):
                window_s = float(line.split()[1])
            if not line.startswith("Tag="):
                continue
            tag, start, _, _, text = line.removeprefix("Tag=").split(",", 4)
            histogram = HdrHistogram.decode(text.encode("ascii"))
            if tag.endswith(".window"):
                windows[tag.removesuffix(".window"), round(float(start) / window_s)] = histogram
            else:
                whole[tag] = histogram
    except FileNotFoundError:
        raise BadInput(f"{relative(path)}: missing: the phase stopped too early, or it was removed") from None
    except Exception as error:  # hdrh raises kinds of its own, zlib's and struct's
        raise BadInput(
            f"{relative(path)}: not a log of HDR histograms ({type(error).__name__}: {error})"
        ) from None
    if not whole or not window_s:
        raise BadInput(f"{relative(path)}: no histogram in it")
    return Log(whole, windows, window_s)
