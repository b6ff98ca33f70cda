"""The comparison of behaviours finds what is the same and names what is not."""

import numpy as np
import pyarrow as pa
import pytest

from experiments.behaviours_check import compare


def rows(*given):
    base = {
        "t_us": 0,
        "imsi": 1,
        "kind": 10,
        "role": 1,
        "lac": 1,
        "ci": 1,
        "peer": "10086",
        "cause": 0,
        "duration_us": 0,
        "detail": 0,
        "corr": 0,
    }
    table = [{**base, **row} for row in given]
    return pa.Table.from_pylist(
        table,
        schema=pa.schema(
            [
                ("t_us", pa.int64()),
                ("imsi", pa.uint64()),
                ("kind", pa.uint8()),
                ("role", pa.uint8()),
                ("lac", pa.uint16()),
                ("ci", pa.uint16()),
                ("peer", pa.string()),
                ("cause", pa.uint8()),
                ("duration_us", pa.int64()),
                ("detail", pa.uint64()),
                ("corr", pa.uint32()),
            ]
        ),
    )


def test_the_same_rows_in_another_order_are_equal():
    truth = rows({"t_us": 1_000_000}, {"t_us": 5_000_000, "kind": 12, "duration_us": 4_000_000}, {"imsi": 2})
    found = compare(truth, truth.take([2, 0, 1]))
    assert found.equal
    assert [(k.name, k.truth, k.matched) for k in found.kinds] == [
        ("call_started", 2, 2),
        ("call_ended", 1, 1),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": 11},
        {"role": 2},
        {"imsi": 9},
        {"lac": 2},
        {"ci": 2},
        {"detail": 353918000000008},
        {"peer": "10010"},
        {"cause": 17},
        {"t_us": 1_000_001},
        {"duration_us": 1_000_001},
    ],
)
def test_a_row_that_differs_in_one_field_does_not_match(change):
    found = compare(rows({}), rows(change))
    assert not found.equal
    assert len(found.examples) == 2


def test_time_within_the_tolerance_matches_and_the_worst_is_told():
    found = compare(rows({"t_us": 10}), rows({"t_us": 1_000_010}))
    assert found.equal
    assert found.kinds[0].worst_s == 1.0


def test_each_row_matches_once():
    found = compare(rows({}), rows({}, {"t_us": 10}))
    assert (found.kinds[0].matched, found.kinds[0].precision, found.kinds[0].recall) == (1, 0.5, 1.0)


def test_unknown_subscribers_are_counted_and_not_compared():
    found = compare(rows({"imsi": 0}, {"imsi": 1}), rows({"imsi": 1}))
    assert found.equal
    assert (found.unknown_truth, found.unknown_platform) == (1, 0)


def test_a_missing_row_among_many_costs_only_itself():
    many = [{"t_us": i * 2_000_000, "imsi": 1 + i % 7, "kind": 10 + i % 3} for i in range(500)]
    found = compare(rows(*many), rows(*(row for i, row in enumerate(many) if i != 250)))
    assert sum(k.matched for k in found.kinds) == 499
    assert [e["t_us"] for e in found.examples] == [500_000_000]


def test_nothing_equals_nothing():
    assert compare(rows(), rows()).equal
    assert not compare(rows(), rows({})).equal


def test_a_hundred_thousand_rows_take_a_moment():
    n = 100_000
    rng = np.random.Generator(np.random.PCG64(1))
    table = pa.table(
        {
            "t_us": np.sort(rng.integers(0, 3 * 86400_000_000, n)),
            "imsi": rng.integers(1, 2000, n).astype(np.uint64),
            "kind": rng.choice([3, 10, 11, 12, 20], n).astype(np.uint8),
            "role": np.ones(n, np.uint8),
            "lac": rng.integers(1, 4, n).astype(np.uint16),
            "ci": rng.integers(1, 60, n).astype(np.uint16),
            "peer": np.full(n, "8613900000000"),
            "cause": np.zeros(n, np.uint8),
            "duration_us": np.zeros(n, np.int64),
            "detail": np.zeros(n, np.uint64),
            "corr": np.arange(n, dtype=np.uint32),
        }
    )
    assert compare(table, table).equal
