"""Columns of any extract: types by schema, file or header; what is unknown, what is bad; words and bits."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing.profiles import DECLARED, Profiles, UnknownColumn
from marketing.profiles.loading import Loaded, read_extract
from marketing.profiles.reading import Unusable
from marketing.profiles.saving import columns_of


def csv_file(*lines: str) -> io.BytesIO:
    return io.BytesIO("\n".join(lines).encode() + b"\n")


def number(i: int) -> str:
    return f"{1010000000000 + i:015d},{8613900000000 + i}"


def read(file: io.BytesIO, encoding: str = "utf-8") -> tuple[Profiles, Loaded]:
    loaded = Loaded()
    return read_extract(file, loaded, encoding), loaded


def values(people: Profiles, name: str) -> list[object]:
    return [people.column(name).value(row) for row in range(len(people))]


def test_csv_columns_have_the_declared_type_or_that_of_their_header_and_else_are_text():
    people, loaded = read(
        csv_file(
            "imsi,msisdn,age,often_off,services,city,points:int,score:double,member:bool,tags:list,note",
            f"{number(1)},30,true,mms;wap,Harbin,-5,1.5e3,YES,a;b;a,hello",
            f"{number(2)},,,,,,,,,",
            f"{number(3)},0,0,mms, Harbin ,9000000000,.5,no,b,7",
        )
    )
    assert not loaded.errors.total
    assert values(people, "age") == [30, None, 0]
    assert values(people, "often_off") == [True, None, False]
    assert values(people, "services") == [("mms", "wap"), (), ("mms",)]
    assert values(people, "city") == ["Harbin", None, "Harbin"]
    assert values(people, "points") == [-5, None, 9_000_000_000]
    assert values(people, "score") == [1500.0, None, 0.5]
    assert values(people, "member") == [True, None, False]
    assert values(people, "tags") == [("a", "b"), (), ("b",)]
    assert values(people, "note") == ["hello", None, "7"]
    assert {n: c.type for n, c in people.columns.items()} == {
        "age": "int", "often_off": "bool", "services": "list", "city": "string", "points": "int",
        "score": "double", "member": "bool", "tags": "list", "note": "string",
    }  # fmt: skip
    assert len(loaded.remarks) == 5
    assert "note is not declared: kept as string" in loaded.remarks[-1]
    # What is not known matches nothing, not even its opposite.
    assert people.mask("often_off", False).tolist() == [False, False, True]
    assert people.column("city").has("").tolist() == [False, False, False]
    assert people.column("services").has(["wap", "none such"]).tolist() == [True, False, False]


def test_parquet_columns_have_the_type_that_the_file_gives_them():
    table = pa.table(
        {
            "imsi": pa.array([1010000000002, 1010000000001], pa.int64()),  # numbers have lost their zeros
            "msisdn": pa.array([8613900000002, 8613900000001], pa.uint64()),
            "age": pa.array([20.0, None], pa.float64()),  # as a tool writes whole numbers with a gap
            "arpu": pa.array(["30", "x"]),
            "segment": pa.array(["students", None]).dictionary_encode(),
            "interests": pa.array([["news", None], None], pa.list_(pa.string())),
            "weight": pa.array([1, 2], pa.int8()),
            "ratio": pa.array([float("nan"), 0.25]),
            "flag": pa.array([None, False]),
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file)
    file.seek(0)
    people, loaded = read(file)
    assert values(people, "age") == [None, 20]
    assert values(people, "arpu") == [None, 30]
    assert [(e.row, e.column, e.value) for e in loaded.errors.first()] == [(2, "arpu", "x")]
    assert values(people, "segment") == [None, "students"]
    assert values(people, "interests") == [None, ("news",)]
    assert values(people, "weight") == [2, 1]
    assert values(people, "ratio") == [0.25, None]
    assert values(people, "flag") == [False, None]


def test_a_bad_cell_costs_that_cell_and_a_bad_identity_the_row():
    people, loaded = read(
        csv_file(
            "imsi,msisdn,age,often_off",
            f"{number(1)},200,maybe",
            "12,8613900000002,30,true",
            f"{number(3)},30,true",
            f"{number(3)[:15]},8613900000009,31,true",
            f"{1010000000007:015d},8613900000003,32,true",
            f"{number(4)},33,true,more",
            "",
            f"{number(5)},34,false",
        )
    )
    assert people.msisdn.tolist() == [8613900000001, 8613900000003, 8613900000005]
    assert values(people, "age") == [None, 30, 34]
    found = [(e.row, e.column, e.expected) for e in loaded.errors.first()]
    assert found == [
        (2, "age", "a whole number from 0 to 130"),
        (2, "often_off", "true or false"),
        (3, "imsi", "15 digits"),
        (5, "imsi", "every imsi once"),
        (6, "msisdn", "every msisdn once"),
        (7, "", "4 columns"),
    ]
    assert (loaded.rows, loaded.errors.rows, loaded.errors.total) == (7, 5, 6)
    assert "first in row 4" in loaded.errors.first()[3].value


REFUSED = [
    ("imsi,msisdn,imsi", "every column once"),
    ("imsi,msisdn,age,age:int", "every column once"),
    ("imsi,number", "columns imsi and msisdn"),
    ("imsi;msisdn", "commas"),
    ("imsi,msisdn,Best Friend", "small letters"),
    ("imsi,msisdn,x:date", "one of the types"),
    ("imsi,msisdn,age:string", "age as int"),
    ("", "columns imsi and msisdn"),
    (",".join(["imsi", "msisdn", *(f"c{i}" for i in range(300))]), "at most 200 columns"),
]


@pytest.mark.parametrize(("header", "said"), REFUSED)
def test_headers_that_are_refused(header, said):
    with pytest.raises(Unusable, match=said):
        read(csv_file(header))


def test_files_that_are_something_else():
    for octets, said in (
        (b"", "empty"),
        ("imsi,msisdn\n".encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04rest", "spreadsheet"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"PAR1 and no more", "Parquet"),
        (b"imsi,ms\0isdn\n1,2\n", "NUL"),
        (b'"imsi,msisdn\n1,2\n', "quotes"),
    ):
        with pytest.raises(Unusable, match=said):
            read(io.BytesIO(octets))
    table = pa.table({"imsi": ["001010000000001"], "msisdn": ["8613900000001"], "born": [b"x"]})
    table = table.set_column(2, "born", pa.array([0], pa.date32()))
    file = io.BytesIO()
    pq.write_table(table, file)
    with pytest.raises(Unusable, match="column born as one of"):
        read(io.BytesIO(file.getvalue()))
    with pytest.raises(Unusable, match="Parquet"):
        read(io.BytesIO(file.getvalue()[:-20]))


def test_a_byte_order_mark_windows_lines_quotes_and_chinese():
    text = f'imsi,msisdn,"city",note\r\n{number(1)},哈尔滨,"a, ""b"""\r\n{number(2)},大庆,c'
    for encoding in ("utf-8-sig", "utf-8", "gb18030"):
        name = "gb18030" if encoding == "gb18030" else "utf-8"
        people, loaded = read(io.BytesIO(text.encode(encoding)), name)
        assert not loaded.errors.total
        assert values(people, "city") == ["哈尔滨", "大庆"]
        assert values(people, "note") == ['a, "b"', "c"]


def test_the_wrong_encoding_is_said_by_row():
    text = f"imsi,msisdn,city\n{number(1)},哈尔滨\n{number(2)},Daqing\n"
    people, loaded = read(io.BytesIO(text.encode("gb18030")))
    assert values(people, "city") == [None, "Daqing"]
    assert [(e.row, e.column) for e in loaded.errors.first()] == [(2, "city")]


def test_a_stray_quote_costs_one_line():
    lines = [f"{number(i)},x" for i in range(5000)]
    lines[17] = f'{number(17)},"x'
    people, loaded = read(csv_file("imsi,msisdn,note", *lines))
    assert len(people) == 4999
    assert [(e.row, e.expected) for e in loaded.errors.first()] == [
        (19, "quotes that are closed within the line")
    ]


def test_lines_over_the_edge_of_a_block_and_far_too_long_ones(monkeypatch):
    monkeypatch.setattr("marketing.profiles.lines._BLOCK", 100)
    lines = [f"{number(i)},{'x' * (i % 90)}" for i in range(300)]
    people, loaded = read(csv_file("imsi,msisdn,note", *lines))
    assert len(people) == 300
    assert not loaded.errors.total
    lines[100] = f"{number(100)},{'x' * 70_000}"
    lines[200] = "1,2,3"
    people, loaded = read(csv_file("imsi,msisdn,note", *lines))
    assert len(people) == 298
    assert [(e.row, e.column) for e in loaded.errors.first()] == [(102, ""), (202, "imsi"), (202, "msisdn")]
    assert loaded.errors.first()[0].expected == "at most 65536 octets"


def test_too_many_words_are_refused_with_what_helps():
    lines = [f"{number(i)},w{i}" for i in range(65)]
    with pytest.raises(Unusable, match="target list"):
        read(csv_file("imsi,msisdn,interests", *lines))
    lines = [f"{number(i)},w{i}" for i in range(65_600)]
    with pytest.raises(Unusable, match="number of its own"):
        read(csv_file("imsi,msisdn,note", *lines))


def test_unknown_columns_are_named_and_declared_ones_may_be_absent():
    people = Profiles.of({"imsi": ["001010000000001"], "msisdn": ["8613900000001"]})
    for name, one in DECLARED.items():
        column = people.column(name)
        assert (column.type, len(column), column.value(0)) == (one.type, 1, None)
        assert not column.is_known(np.array([0]))[0]
    assert people.word("language", 0) == ""
    with pytest.raises(UnknownColumn, match="did you mean 'segment'"):
        people.column("segmant")


def test_words_have_the_same_codes_whatever_order_rows_come_in():
    rows = [(i, f"w{i * 7 % 5}", [f"t{i * 3 % 4}", f"t{i % 3}"]) for i in range(40)]

    def made(some):
        return Profiles.of(
            {
                "imsi": [f"{1010000000000 + i:015d}" for i, _, _ in some],
                "msisdn": [str(8613900000000 + i) for i, _, _ in some],
                "city": [city for _, city, _ in some],
                "interests": [tags for _, _, tags in some],
            }
        )

    one, other = made(rows), made(rows[::-1])
    for name in ("city", "interests"):
        assert one.column(name).words == other.column(name).words
        assert np.array_equal(one.column(name).values, other.column(name).values)


words = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters=';,"'), max_size=8).map(
    str.strip
)
person = st.fixed_dictionaries(
    {
        "age": st.none() | st.integers(0, 130),
        "often_off": st.none() | st.booleans(),
        "city": st.none() | words.filter(bool),
        "interests": st.none() | st.lists(words.filter(bool), max_size=4),
        "points": st.none() | st.integers(-(2**62), 2**62),
        "score": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(person, max_size=20), st.randoms(use_true_random=False))
def test_what_is_written_down_is_read_back_the_same(people, random):
    order = list(range(len(people)))
    random.shuffle(order)
    columns = {name: pa.array([people[i][name] for i in order], kind) for name, kind in (
        ("age", pa.int16()), ("often_off", pa.bool_()), ("city", pa.string()),
        ("interests", pa.list_(pa.string())), ("points", pa.int64()), ("score", pa.float64()),
    )}  # fmt: skip
    table = pa.table(
        {"imsi": [f"{10**12 + i:015d}" for i in order], "msisdn": [str(10**12 + i) for i in order], **columns}
    )
    file = io.BytesIO()
    pq.write_table(table, file)
    once, loaded = read(io.BytesIO(file.getvalue()))
    assert not loaded.errors.total
    for row, one in enumerate(people):
        for name, value in one.items():
            wanted = tuple(sorted(set(value))) if isinstance(value, list) else value
            assert once.column(name).value(row) == wanted
    file = io.BytesIO()
    pq.write_table(columns_of(once), file)
    again, loaded = read(io.BytesIO(file.getvalue()))
    assert not loaded.errors.total
    for name in once.columns:
        one, other = once.column(name), again.column(name)
        assert one.words == other.words or (one.type in ("string", "list") and not len(once))
        assert np.array_equal(one.values, other.values)
        assert np.array_equal(one.is_known(), other.is_known())


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400) | st.binary(max_size=300).map(lambda b: b"imsi,msisdn,age,services\n" + b))
def test_any_octets_are_read_or_refused(octets):
    loaded = Loaded()
    try:
        people = read_extract(io.BytesIO(octets), loaded)
    except Unusable:
        return
    assert len(people) + loaded.errors.rows >= loaded.rows >= len(people)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_parquet_file_is_read_or_refused(data):
    table = pa.table(
        {
            "imsi": [f"{1010000000000 + i:015d}" for i in range(20)],
            "msisdn": [str(8613900000000 + i) for i in range(20)],
            "age": list(range(20)),
            "services": [["mms"]] * 20,
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file)
    octets = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(4, len(octets) - 1))] = data.draw(st.integers(0, 255))
    loaded = Loaded()
    try:
        people = read_extract(io.BytesIO(bytes(octets)), loaded)
    except Unusable:
        return
    assert len(people) <= 20


@pytest.mark.parametrize("column", ["imsi", "msisdn", "age", "services", "brand", "often_off"])
@pytest.mark.parametrize(
    "cell",
    [
        {"a": "b"},
        [{"a": 1}],
        [["mms"]],
        {"list": [{"element": "mms"}]},
    ],
    ids=["structure", "list of structures", "list of lists", "list in a structure"],
)
def test_a_column_that_is_no_text_has_bad_rows(column, cell):
    columns = {
        "imsi": [f"{1010000000000 + i:015d}" for i in range(3)],
        "msisdn": [str(8613900000000 + i) for i in range(3)],
    }
    columns[column] = [cell] * 3
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    loaded = Loaded()
    people = read_extract(io.BytesIO(file.getvalue()), loaded)
    assert loaded.errors.rows == 3
    assert len(people) == (0 if column in ("imsi", "msisdn") else 3)
