"""What the platform is told: extract, dated lists, cell table; good, bad and unknown."""

import numpy as np
import pytest

from marketing.config import ConfigError
from marketing.profiles import Places, Profiles, load_cells, load_extract, read_dated_list

ROWS = {
    "imsi": ["001010000000003", "001010000000001", "460000000000009"],
    "msisdn": ["8613900000003", "8613900000009", "8613900000001"],
    "brand": ["gotone", "easyown", "gotone"],
    "language": ["zh", "en", "zh"],
    "often_off": [True, False, True],
    "often_rejects": [False, False, True],
    "services": [["mms"], [], ["mms", "gprs"]],
}


def write_parquet(path, columns):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_both_kinds_of_file_give_the_same(tmp_path, kind):
    if kind == "parquet":
        people = load_extract(write_parquet(tmp_path / "x.parquet", ROWS))
    else:
        lines = [",".join(ROWS)]
        for values in zip(*ROWS.values(), strict=True):
            lines.append(",".join(";".join(v) if isinstance(v, list) else str(v).lower() for v in values))
        (tmp_path / "x.csv").write_text("\n".join(lines) + "\n")
        people = load_extract(tmp_path / "x.csv")
    assert people.imsi.tolist() == [1010000000001, 1010000000003, 460000000000009]
    assert people.msisdn.tolist() == [8613900000009, 8613900000003, 8613900000001]
    assert people.rows(
        np.array([460000000000009, 0, 1010000000003, 1010000000002, 2**63], np.uint64)
    ).tolist() == [2, -1, 1, -1, -1]
    assert [people.row_of_msisdn(t) for t in ("8613900000001", "86139", "x", "", "9" * 30)] == [
        2,
        -1,
        -1,
        -1,
        -1,
    ]
    assert people.word("language", 0) == "en"
    for column, value, expected in (
        ("often_off", True, [False, True, True]),
        ("often_rejects", False, [True, True, False]),
        ("brand", "gotone", [False, True, True]),
        ("brand", ["easyown", "mzone"], [True, False, False]),
        ("brand", "nobody", [False, False, False]),
        ("services", ["gprs"], [False, False, True]),
        ("services", ["gprs", "mms"], [False, True, True]),
    ):
        assert people.mask(column, value).tolist() == expected, (column, value)


def test_close_numbers_are_found_by_a_table_and_far_ones_by_search():
    rng = np.random.default_rng(1)
    for span in (1_500, 10**9):
        values = np.sort(rng.choice(span, 1000, replace=False)) + 1_010_000_000_000
        order = rng.permutation(1000)
        people = Profiles.of(
            {"imsi": [f"{values[i]:015d}" for i in order], "msisdn": [str(8613900000000 + i) for i in order]}
        )
        wanted = rng.integers(1_010_000_000_000 - 50, 1_010_000_000_000 + span + 50, 5000).astype(np.uint64)
        wanted[:1000] = values
        place = {int(v): i for i, v in enumerate(values)}
        assert people.rows(wanted).tolist() == [place.get(int(w), -1) for w in wanted]


def test_nobody():
    people = Profiles.of({"imsi": [], "msisdn": []})
    assert people.rows(np.array([1, 2], np.uint64)).tolist() == [-1, -1]
    assert people.row_of_msisdn("8613900000001") == -1


BAD = [
    ({"imsi": ["00101000000000x", *ROWS["imsi"][1:]]}, "15 digits, row 1"),
    ({"imsi": ["12345", *ROWS["imsi"][1:]]}, "15 digits, row 1"),
    ({"msisdn": ["0123456", *ROWS["msisdn"][1:]]}, "without a leading zero"),
    ({"imsi": [ROWS["imsi"][1]] * 2 + ["460000000000009"]}, "is there twice"),
    ({"msisdn": [ROWS["msisdn"][1]] * 3}, "is there twice"),
]


@pytest.mark.parametrize(("change", "said"), BAD)
def test_bad_rows_are_named(tmp_path, change, said):
    with pytest.raises(ConfigError, match=said):
        load_extract(write_parquet(tmp_path / "x.parquet", ROWS | change))


def test_bad_files_are_named(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_extract(tmp_path / "x.parquet")
    with pytest.raises(ConfigError, match="expected the columns imsi and msisdn"):
        load_extract(write_parquet(tmp_path / "y.parquet", {"imsi": ["001010000000003"]}))


def test_dated_lists(tmp_path):
    path = tmp_path / "dnd.csv"
    path.write_text(
        "msisdn,since\n8613900000001,\n8613900000002,2009-03-02T08:00:00\n8613900000003,2009-03-02T00:00:00+00:00\n"
    )
    instant = 1235952000 * 1_000_000  # 2009-03-02T00:00:00Z, eight in the morning in Shanghai
    assert list(read_dated_list(path, "Asia/Shanghai")) == [
        (8613900000001, 0),
        (8613900000002, instant),
        (8613900000003, instant),
    ]
    assert list(read_dated_list(None, "Asia/Shanghai")) == []
    path.write_text("msisdn,since\nx,\n8613900000002,yesterday\n")
    with pytest.raises(ConfigError) as caught:
        read_dated_list(path, "Asia/Shanghai")
    assert [(p.line, p.key) for p in caught.value.problems] == [(2, "msisdn"), (3, "since")]
    path.write_text("number\n1\n")
    with pytest.raises(ConfigError, match="header msisdn,since"):
        read_dated_list(path, "Asia/Shanghai")


def test_cells(tmp_path):
    path = tmp_path / "cells.csv"
    path.write_text("lac,ci,place,kind\n1,2,airport,macro\n1,3,,macro\n65535,65535,mall,indoor\n")
    places = load_cells(path)
    lac, ci = np.array([1, 1, 65535, 9, 0], np.uint16), np.array([2, 3, 65535, 9, 0], np.uint16)
    assert [places.names[i] if i >= 0 else "" for i in places.of(lac, ci)] == ["airport", "", "mall", "", ""]
    assert Places.from_rows([]).of(lac, ci).tolist() == [-1] * 5
    for text, said in (
        ("lac,ci\n", "header lac,ci,place"),
        ("lac,ci,place\n1,70000,x\n", "two numbers of 16 bits"),
        ("lac,ci,place\n1,2,x\n1,2,y\n", "every cell once"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=said):
            load_cells(path)
