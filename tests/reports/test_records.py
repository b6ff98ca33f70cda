"""Records: the same rows give the same bytes, wrong columns are refused, nothing is half written."""

import numpy as np
import pytest

from reports.records import DETERMINISTIC, TABLES, digest, read, write

ORDERS = {
    "t_us": [3, 1, 2],
    "msisdn": ["8613900000003", "8613900000001", "8613900000002"],
    "offer": ["e-bill"] * 3,
    "channel": ["sms", "organic", "sms"],
    "order_id": ["c", "a", "b"],
}


def test_rows_are_sorted_and_bytes_are_the_same(tmp_path):
    write(tmp_path / "a.parquet", "orders", ORDERS)
    shuffled = {name: [column[i] for i in (2, 0, 1)] for name, column in ORDERS.items()}
    write(tmp_path / "b.parquet", "orders", shuffled)
    assert digest(tmp_path / "a.parquet") == digest(tmp_path / "b.parquet")
    assert read(tmp_path / "a.parquet", ["order_id"])["order_id"].to_pylist() == ["a", "b", "c"]


def test_missing_and_unknown_columns_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"missing \['offer'\], unknown \['offre'\]"):
        write(
            tmp_path / "a.parquet",
            "orders",
            {**{k: v for k, v in ORDERS.items() if k != "offer"}, "offre": []},
        )
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_its_type_cannot_hold_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises((ValueError, TypeError)):
        write(tmp_path / "a.parquet", "orders", {**ORDERS, "t_us": ["x", "y", "z"]})
    assert list(tmp_path.iterdir()) == []


def test_bytes_columns_become_text(tmp_path):
    n = 2
    columns = {
        c.name: np.zeros(n, c.type.to_pandas_dtype())
        for c in TABLES["behaviours"].columns
        if c.name != "peer"
    }
    write(tmp_path / "b.parquet", "behaviours", {**columns, "peer": np.array([b"10086", b""], "S20")})
    assert sorted(read(tmp_path / "b.parquet")["peer"].to_pylist()) == ["", "10086"]


def test_an_empty_table_can_be_written(tmp_path):
    assert write(tmp_path / "e.parquet", "acts", {c.name: [] for c in TABLES["acts"].columns}) == 0
    assert read(tmp_path / "e.parquet").schema.names == [c.name for c in TABLES["acts"].columns]


@pytest.mark.parametrize("name", TABLES)
def test_every_column_is_described_and_every_order_exists(name):
    spec = TABLES[name]
    assert spec.doc
    assert all(column.doc for column in spec.columns)
    assert set(spec.order) <= {column.name for column in spec.columns}


def test_the_tables_that_must_repeat_are_tables():
    assert set(DETERMINISTIC) <= set(TABLES)
