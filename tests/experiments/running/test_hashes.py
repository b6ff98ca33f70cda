"""Hashes of results: of what files say, not of how a library wrote it down."""

import json
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.running.hashes import content_hash, results_of

VALUES = {
    "whole": st.integers(-(2**63), 2**63 - 1),
    "small": st.integers(0, 255),
    "number": st.floats(allow_nan=False),
    "flag": st.booleans(),
    "text": st.text(max_size=8),
    "maybe": st.none() | st.integers(0, 9),
    "many": st.lists(st.integers(-5, 5), max_size=3),
    "words": st.lists(st.text(max_size=3), max_size=3),
}
SCHEMA = pa.schema(
    [
        ("whole", pa.int64()), ("small", pa.uint8()), ("number", pa.float64()), ("flag", pa.bool_()),
        ("text", pa.string()), ("maybe", pa.int32()), ("many", pa.list_(pa.int16())),
        ("words", pa.list_(pa.string())),
    ]
)  # fmt: skip
ROWS = st.lists(st.fixed_dictionaries(VALUES), max_size=12)


def written(path, rows, **how):
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path, **how)
    return content_hash(path)


@given(ROWS)
def test_how_a_table_is_written_does_not_matter(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("tables")
    first = written(folder / "a.parquet", rows, compression="zstd")
    second = written(
        folder / "b.parquet", rows, compression="none", row_group_size=2, use_dictionary=False, version="1.0",
        store_schema=False, data_page_size=64,
    )  # fmt: skip
    assert first == second
    assert (folder / "a.parquet").read_bytes() != (folder / "b.parquet").read_bytes()


@given(ROWS, st.data())
def test_every_change_of_a_value_changes_the_hash(tmp_path_factory, rows, data):
    folder = tmp_path_factory.mktemp("tables")
    first = written(folder / "a.parquet", rows)
    if rows:
        at = data.draw(st.integers(0, len(rows) - 1))
        name = data.draw(st.sampled_from(sorted(VALUES)))
        other = data.draw(VALUES[name])
        changed = [dict(row) for row in rows]
        changed[at][name] = other
        same = rows[at][name] == other and (not isinstance(other, float) or copied(rows[at][name], other))
        assert (written(folder / "b.parquet", changed) == first) == same
    assert written(folder / "c.parquet", [*rows, dict.fromkeys(VALUES)]) != first


def copied(a, b):
    return math.copysign(1, a) == math.copysign(1, b)


def test_names_and_types_of_columns_count(tmp_path):
    found = set()
    for number, (name, kind) in enumerate([("a", pa.int64()), ("b", pa.int64()), ("a", pa.int32())]):
        file = tmp_path / f"{number}.parquet"
        pq.write_table(pa.table({name: pa.array([1, 2], kind)}), file)
        found.add(content_hash(file))
    assert len(found) == 3


def test_where_texts_end_counts(tmp_path):
    for name, texts in {"a": ["ab", "c"], "b": ["a", "bc"]}.items():
        pq.write_table(pa.table({"x": texts}), tmp_path / f"{name}.parquet")
    assert content_hash(tmp_path / "a.parquet") != content_hash(tmp_path / "b.parquet")


@pytest.mark.parametrize(
    ("values", "equal"),
    [
        ({"b": 1.5, "a": [1], "time": {"wall_s": 9}, "rerun": "kairos"}, True),
        ({"a": [1], "b": 1.5}, True),
        ({"a": [1], "b": 1.5000000000000002}, False),
        ({"a": [1], "b": 1.5, "deep": {"time": 1}}, False),
    ],
)
def test_json_is_hashed_without_the_clock(tmp_path, values, equal):
    (tmp_path / "a.json").write_text(json.dumps({"time": 3, "a": [1], "b": 1.5}, indent=2))
    (tmp_path / "b.json").write_text(json.dumps(values))
    assert (content_hash(tmp_path / "a.json") == content_hash(tmp_path / "b.json")) == equal


def test_anything_else_is_its_octets(tmp_path):
    for name, octets in {"a.pcapng": b"\x0a\x0d", "b.pcapng": b"\x0a\x0d", "c.pcapng": b"\x0a"}.items():
        (tmp_path / name).write_bytes(octets)
    a, b, c = (content_hash(tmp_path / f"{name}.pcapng") for name in "abc")
    assert a == b != c


def test_a_valid_run_must_have_written_its_results(tmp_path):
    manifest = {"kind": "realism"}
    (tmp_path / "summary.json").write_text("{}")
    assert results_of(tmp_path, manifest, valid=False) == {}
    with pytest.raises(FileNotFoundError, match=r"details\.json: a result of this kind"):
        results_of(tmp_path, manifest, valid=True)
    (tmp_path / "details.json").write_text("{}")
    assert set(results_of(tmp_path, manifest, valid=True)) == {"summary.json", "details.json"}
    assert results_of(tmp_path, {"kind": "unheard of"}, valid=True) == {}
