"""The CSV of a summary: every leaf once, by its path, with the unit that its name says."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.tabular import csv_of, rows_of, unit_of

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
NAMES = st.text("abcdefg_", min_size=1, max_size=6)
NESTED = st.recursive(
    LEAVES,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3),
    max_leaves=12,
)
SUMMARIES = st.dictionaries(NAMES, NESTED)


def follow(summary, path):
    for part in path.split("."):
        summary = summary[int(part)] if isinstance(summary, list) else summary[part]
    return summary


@given(SUMMARIES)
def test_every_row_leads_back_to_its_value(summary):
    header, *rows = csv.reader(io.StringIO(csv_of(summary), newline=""))
    assert header == ["key", "value", "unit"]
    assert len(rows) == len(list(rows_of(summary)))
    for path, value, unit in rows:
        found = follow(summary, path)
        if isinstance(found, bool):
            assert value == ("true" if found else "false")
        elif isinstance(found, int | float):
            assert type(found)(value) == found
        else:
            assert value == ("" if found is None else "\n".join(found.splitlines()))
            assert unit == ""


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("latency_ms", "ms"), ("offered_per_s", "1/s"), ("wall_s", "s"), ("from_home_km", "km"),
        ("late_pct", "%"), ("messages", ""), ("busy_erl", "Erl"), ("level_dbm", "dBm"), ("gain_db", "dB"),
    ],
)  # fmt: skip
def test_a_name_says_its_unit(name, unit):
    assert unit_of(name) == unit


def test_a_unit_is_that_of_the_nearest_name():
    summary = {"latency_ms": {"p50": 3.0, "n": 7, "wait_s": 2.5, "why": "few"}, "back": [1.5]}
    assert list(rows_of(summary)) == [
        ("latency_ms.p50", "3.0", "ms"), ("latency_ms.n", "7", "ms"), ("latency_ms.wait_s", "2.5", "s"),
        ("latency_ms.why", "few", ""), ("back.0", "1.5", ""),
    ]  # fmt: skip


def test_a_report_leaves_its_figures_beside_the_summary(made_up_run, tmp_path):
    from reports.page import write_report

    run = made_up_run(tmp_path / "run")
    write_report(run, tmp_path / "elsewhere.html")
    rows = list(csv.DictReader(io.StringIO((run / "summary.csv").read_text(encoding="utf-8"))))
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    found = {row["key"]: row for row in rows}
    assert (
        float(found["uplift.precise_vs_blanket.ci95.1"]["value"])
        == summary["uplift"]["precise_vs_blanket"]["ci95"][1]
    )
    assert found["latency_ms.p99"] == {"key": "latency_ms.p99", "value": "10.4", "unit": "ms"}
