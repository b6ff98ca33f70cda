"""Checked extracts and lists as Parquet files, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from marketing.profiles.columns import Column
from marketing.profiles.extract import Profiles
from marketing.profiles.lists import DatedList
from marketing.profiles.schema import DECLARED

__all__ = ["arrow_of", "columns_of", "dated_of", "targets_of", "write_table", "write_whole"]


def arrow_of(column: Column, rows: NDArray[np.integer[Any]] | None = None) -> pa.Array:
    """A column as Arrow has it, null where it is not known: of all rows or of some."""
    values = column.values if rows is None else column.values[rows]
    missing = ~column.is_known(rows)
    if column.type == "string":
        words = pa.array(column.words or ("",), pa.string())
        return pa.DictionaryArray.from_arrays(pa.array(values.astype(np.int32), mask=missing), words)
    if column.type == "list":
        held, place = np.unique(values, return_inverse=True)
        lists = [[word for bit, word in enumerate(column.words) if bits >> bit & 1] for bits in held.tolist()]
        return pa.array(lists, pa.list_(pa.string())).take(pa.array(place, mask=missing))
    return pa.array(values, mask=missing if missing.any() else None)


def columns_of(profiles: Profiles) -> pa.Table:
    """An extract as the table that `load_extract` reads back to the same."""
    fields = [pa.field("imsi", pa.uint64(), nullable=False), pa.field("msisdn", pa.uint64(), nullable=False)]
    arrays: list[pa.Array] = [pa.array(profiles.imsi), pa.array(profiles.msisdn)]
    for name, column in profiles.columns.items():
        array = arrow_of(column)
        doc = {"doc": DECLARED[name].meaning} if name in DECLARED else None
        fields.append(pa.field(name, array.type, metadata=doc))
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def targets_of(msisdn: NDArray[np.uint64]) -> pa.Table:
    """A target list."""
    return pa.table({"msisdn": pa.array(msisdn)})


def dated_of(entries: DatedList) -> pa.Table:
    """A dated list; 0 is written as no date."""
    since = pa.array(entries.since_us, mask=entries.since_us == 0).cast(pa.timestamp("us", "UTC"))
    return pa.table({"msisdn": pa.array(entries.msisdn), "since": since})


def write_whole(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """A file that is there with all its octets on the disk, or not there.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_table(path: Path, table: pa.Table) -> None:
    """One table as Parquet.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    write_whole(path, lambda file: pq.write_table(table, file, compression="zstd"))
