"""The terminal table by type allocation code: ranges and single codes, what is unknown, what is refused."""

import numpy as np
import pytest

from marketing.config import ConfigError
from marketing.profiles import TERMINAL_COLUMNS, Profiles, Terminals, load_terminals, tac_of_imei

REST = "maker,model,gprs,edge,wap,mms,java,price_class,year"
ROWS = (
    "00101000,00101999,Baihe,B90,no,no,no,no,no,low,2002",
    "00100000,00100000,Norda,N900,1,1,1,1,1,high,2006",
    "35000000,35000009,Quill,Note,true,false,yes,0,,middle,2004",
)


def write(path, *rows, head=f"tac_from,tac_to,{REST}"):
    path.write_text("\n".join((head, *rows)) + "\n", encoding="utf-8")
    return path


def test_codes_are_found_in_their_ranges(tmp_path):
    table = load_terminals(write(tmp_path / "t.csv", *ROWS))
    codes = np.array([100_000, 100_001, 101_000, 101_999, 102_000, 35_000_009, 35_000_010, 0, 99_999_999])
    names = [table.column("model").value(row) if row >= 0 else None for row in table.rows(codes).tolist()]
    assert names == ["N900", None, "B90", "B90", None, "Note", None, None, None]
    note = int(table.rows(np.array([35_000_003]))[0])
    said = {name: table.column(name).value(note) for name in TERMINAL_COLUMNS}
    assert said == {
        "model": "Note", "maker": "Quill", "gprs": True, "edge": False, "wap": True, "mms": False,
        "java": None, "price_class": "middle", "year": 2004,
    }  # fmt: skip
    assert tac_of_imei(np.array([1010001234567, 350000031234567, 0], np.uint64)).tolist() == [
        101_000, 35_000_003, 0,
    ]  # fmt: skip


def test_the_extracts_model_stands_in_where_no_handset_was_seen(tmp_path):
    table = load_terminals(write(tmp_path / "t.csv", *ROWS))
    people = Profiles.of(
        {
            "imsi": [f"{10**12 + i:015d}" for i in range(4)],
            "msisdn": [str(8 * 10**12 + i) for i in range(4)],
            "terminal": ["Quill Note", None, "Baihe B90", "Unknown X"],
        }
    )
    rows = table.of_profiles(people)
    assert [table.column("model").value(row) if row >= 0 else None for row in rows.tolist()] == [
        "Note", None, "B90", None,
    ]  # fmt: skip
    assert table.of_profiles(people, np.array([2, 1])).tolist() == rows[[2, 1]].tolist()
    nothing = Profiles.of({"imsi": ["001010000000001"], "msisdn": ["8613900000001"]})
    assert table.of_profiles(nothing).tolist() == [-1]


def test_single_codes(tmp_path):
    path = write(tmp_path / "t.csv", "35000001,A,B,1,1,1,1,1,low,2000", head=f"tac,{REST}")
    assert load_terminals(path).rows(np.array([35_000_001, 35_000_002])).tolist() == [0, -1]


def test_no_table():
    assert Terminals.none().rows(np.array([1, 2])).tolist() == [-1, -1]
    assert len(Terminals.none()) == 0
    with pytest.raises(LookupError, match="known are model"):
        Terminals.none().column("weight")


WRONG = [
    ((ROWS[0], ROWS[0]), "codes of no other row"),
    (("00101999,00101000,A,B,no,no,no,no,no,low,2002",), "not below the first"),
    (("123,00101000,A,B,no,no,no,no,no,low,2002",), "8 digits"),
    (("00101000,00101000,A,B,perhaps,no,no,no,no,low,2002",), "true or false"),
    (("00101000,00101000,A,B,no,no,no,no,no,low,1900",), "from 1980"),
]


@pytest.mark.parametrize(("rows", "said"), WRONG)
def test_wrong_rows_are_named(tmp_path, rows, said):
    with pytest.raises(ConfigError, match=said):
        load_terminals(write(tmp_path / "t.csv", *rows))


def test_a_wrong_header_is_named(tmp_path):
    with pytest.raises(ConfigError, match="expected the columns tac_from, tac_to, model"):
        load_terminals(write(tmp_path / "t.csv", head="tac_from,tac_to,model"))
    with pytest.raises(ConfigError, match="cannot be read"):
        load_terminals(tmp_path / "none.csv")
