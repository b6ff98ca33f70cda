"""Files of rows, CSV or Parquet by their content, as blocks of columns with the number of each row."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from marketing.profiles.lines import LONGEST_LINE, WrongEncoding, clean_blocks
from marketing.profiles.report import RowErrors

__all__ = ["Block", "Table", "Unusable", "open_table"]

MOST_COLUMNS: Final = 200
MOST_ROWS: Final = 50_000_000
_ROWS: Final = 1 << 16
_MOST_UNPACKED: Final = 16 << 30
"""Octets that a Parquet file may say it unpacks to."""
_MOST_OCTETS: Final = 256 << 20
"""Octets of one column in one block."""


class Unusable(ValueError):  # noqa: N818 - the name says what happened
    """A file of which nothing can be used: what was found, and what was expected."""

    def __init__(self, expected: str, value: str = "", line: int = 0, hint: str = "") -> None:
        self.expected, self.value, self.line, self.hint = expected, value, line, hint
        super().__init__(expected + (f" (found {value})" if value else ""))


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some rows."""

    rows: NDArray[np.int64]
    """CSV: line, the header being 1; Parquet: row, from 1."""
    cells: dict[str, pa.Array]
    """CSV: binary, as it stands there; Parquet: the file's types."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """An open file."""

    columns: tuple[str, ...]
    types: dict[str, pa.DataType]
    """Parquet only; empty for CSV."""
    blocks: Iterator[Block]
    """To be taken once."""


def open_table(file: BinaryIO, errors: RowErrors, encoding: str = "utf-8") -> Table:
    """The file's columns, and its rows block by block; rows of a wrong shape go to `errors`.

    Raises:
        Unusable: it is neither, has no header, or says a column twice. The blocks may raise it too.
        OSError: it cannot be read.
    """
    magic = file.read(4)
    file.seek(0)
    if magic == b"PAR1":
        return _parquet(file)
    return _csv(file, errors, encoding)


def _checked(names: Sequence[str], line: int) -> tuple[str, ...]:
    for at, name in enumerate(names):
        if name in names[:at]:
            raise Unusable(f"every column once; {name!r} is there again", ",".join(names)[:80], line)
    if len(names) > MOST_COLUMNS:
        raise Unusable(f"at most {MOST_COLUMNS} columns", str(len(names)), line)
    return tuple(names)


# --------------------------------------------------------------------------- Parquet


def _parquet(file: BinaryIO) -> Table:
    try:
        source = pq.ParquetFile(file)
        schema, facts = source.schema_arrow, source.metadata
        unpacked = sum(facts.row_group(g).total_byte_size for g in range(facts.num_row_groups))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Unusable(f"cannot be read as Parquet ({_said(error)})") from None
    if facts.num_rows > MOST_ROWS or unpacked > _MOST_UNPACKED:
        raise Unusable(
            f"at most {MOST_ROWS} rows and {_MOST_UNPACKED >> 30} GiB unpacked",
            f"{facts.num_rows} rows, {unpacked >> 20} MiB",
        )
    names = _checked(schema.names, 0)
    types = dict(zip(names, schema.types, strict=True))
    # A few kilobytes can say that each of a million rows has the same long word. So words are taken by their
    # numbers, and unpacked when it is known how long they are.
    leaves = (source.schema.column(i) for i in range(len(source.schema)))
    words = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    return Table(names, types, _row_groups(pq.ParquetFile(file, read_dictionary=words), types))


def _row_groups(source: pq.ParquetFile, types: dict[str, pa.DataType]) -> Iterator[Block]:
    row = 1
    try:
        for batch in source.iter_batches(batch_size=_ROWS, use_threads=False):
            rows = np.arange(row, row + batch.num_rows, dtype=np.int64)
            cells = {name: _unpacked(array, row) for name, array in zip(types, batch.columns, strict=True)}
            row += batch.num_rows
            yield Block(rows, cells)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Unusable(f"cannot be read as Parquet from row {row} on ({_said(error)})") from None


def _unpacked(array: pa.Array, row: int) -> pa.Array:
    """Words in place of their numbers; in lists too."""
    kind = array.type
    if pa.types.is_list(kind) and pa.types.is_dictionary(kind.value_type):
        _check_words(array.flatten(), row)
        return array.cast(pa.list_(kind.value_type.value_type))
    if pa.types.is_dictionary(kind):
        _check_words(array, row)
        return array.dictionary_decode()
    return array


def _check_words(array: pa.DictionaryArray, row: int) -> None:
    """Before they are unpacked."""
    words = array.dictionary
    if not (pa.types.is_string(words.type) or pa.types.is_binary(words.type)) or not len(words):
        return
    lengths = pc.binary_length(words)
    longest, octets = pc.max(lengths).as_py(), pc.sum(lengths.take(array.indices)).as_py() or 0
    if longest is not None and longest > LONGEST_LINE:
        raise Unusable(f"words of at most {LONGEST_LINE} octets", f"{longest} octets from row {row} on")
    if octets > _MOST_OCTETS:
        expected = f"at most {_MOST_OCTETS >> 20} MiB in {_ROWS} rows of a column"
        raise Unusable(expected, f"{octets >> 20} MiB from row {row} on")


def _said(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:120]


# --------------------------------------------------------------------------- CSV


def _csv(file: BinaryIO, errors: RowErrors, encoding: str) -> Table:
    blocks = clean_blocks(file, encoding)
    try:
        head = next(blocks, None)
    except WrongEncoding as error:
        raise Unusable(f"CSV or Parquet; {error}") from None
    if head is None:
        raise Unusable("a header and rows; the file is empty")
    if head.spoilt and head.spoilt[0][0] == 1:
        raise Unusable(f"a header with {head.spoilt[0][1]}", repr(head.spoilt[0][2][:40]), 1)
    header, _, rest = head.text.partition(b"\n")
    try:
        names = next(csv.reader([header.decode("utf-8").rstrip("\r")]), [])
    except (UnicodeDecodeError, csv.Error):
        raise Unusable("a header in UTF-8", repr(header[:40]), 1, "utf-8") from None
    names = [name.strip() for name in names]
    if len(names) == 1 and any(sign in names[0] for sign in "\t;|"):
        raise Unusable("commas between the columns", names[0][:60], 1)
    columns = _checked(names, 1)

    def all_blocks() -> Iterator[Block]:
        line, count, text, spoilt = 2, head.count - 1, rest, head.spoilt
        while True:
            for row, expected, value in spoilt:
                errors.rows += 1
                errors.add("", expected, [row], [value])
            if count:
                yield _parsed(columns, text, line, count, errors)
            following = next(blocks, None)
            if following is None:
                return
            line, count, text, spoilt = following.first, following.count, following.text, following.spoilt
            if line > MOST_ROWS:
                raise Unusable(f"at most {MOST_ROWS} rows")

    return Table(columns, {}, all_blocks())


def _parsed(columns: tuple[str, ...], text: bytes, line: int, count: int, errors: RowErrors) -> Block:
    """Lines as columns; those with a wrong number of them are errors, empty ones are nothing."""
    wrong: list[int] = []
    shape = f"{len(columns)} column{'s' if len(columns) > 1 else ''}"

    def refuse(row: pacsv.InvalidRow) -> str:
        at = line + row.number - 1
        wrong.append(at)
        errors.rows += 1
        errors.add("", shape, [at], [row.text])
        return "skip"

    table = pacsv.read_csv(
        pa.py_buffer(text),
        read_options=pacsv.ReadOptions(
            use_threads=False, block_size=len(text) + 1, column_names=list(columns)
        ),
        parse_options=pacsv.ParseOptions(invalid_row_handler=refuse, ignore_empty_lines=False),
        convert_options=pacsv.ConvertOptions(
            check_utf8=False, column_types=dict.fromkeys(columns, pa.binary()), strings_can_be_null=False
        ),
    )
    lines = np.arange(line, line + count, dtype=np.int64)
    if wrong:
        lines = np.delete(lines, np.array(wrong) - line)
    cells = {name: table.column(name).combine_chunks() for name in columns}
    filled = np.zeros(len(lines), dtype=np.bool_)
    for array in cells.values():
        filled |= _lengths(array) > 0
    if not filled.all():
        keep = pa.array(filled)
        lines, cells = lines[filled], {name: array.filter(keep) for name, array in cells.items()}
    return Block(lines, cells)


def _lengths(array: pa.Array) -> NDArray[np.int64]:
    offsets = np.frombuffer(array.buffers()[1], dtype=np.int32, count=len(array) + 1, offset=4 * array.offset)
    return np.diff(offsets).astype(np.int64)
