"""BOSS and BI tables of usage as Parquet: monthly profiles, and call records of what people meant or got.

    usage_month     one row a subscriber and month (`sim.subscribers.usage_records.usage_records`)
    usage_calls     one row a conversation and side, from the intents (`call_records`) or from a run's truth

Columns are documented where they are made; here they get their types, and a writer that gives the same bytes
for the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.network.visible import CALL_ENDED, CALLER, VISIBLE
from sim.subscribers.usage_accounts import FREE, class_of, minutes_fen
from sim.subscribers.usage_records import CALL_COLUMNS, MONTH_COLUMNS
from sim.world import World

if TYPE_CHECKING:
    import pyarrow as pa

Columns = Mapping[str, NDArray[Any]]

_NARROW: Final = {"direction": "uint8", "charged_as": "uint8", "sub": "int32", "peer": "string"}


@dataclass(frozen=True, slots=True)
class UsageTable:
    """One kind of table."""

    name: str
    """File name without `.parquet`."""
    doc: str
    """What one row is."""
    columns: Mapping[str, str]
    """Name of each column and what it holds, with its unit."""
    order: tuple[str, ...]
    """Columns that the rows are sorted by."""


MONTH: Final = UsageTable(
    "usage_month", "one subscriber's usage in one month", MONTH_COLUMNS, ("month", "sub")
)
CALLS: Final = UsageTable(
    "usage_calls",
    "one conversation of one subscriber",
    CALL_COLUMNS,
    ("t_us", "sub", "direction"),
)


def records_of_run(world: World, visible: NDArray[np.void]) -> dict[str, NDArray[Any]]:
    """Call records of conversations that a run's network really carried, from its visible acts.

    Takes rows of `sim.network.visible.VISIBLE` and gives the columns of CALL_COLUMNS; here `t_us` is the
    answer. Conversations of whom the tap could not know are left out. Charges are made from the digits.
    """
    if visible.dtype != VISIBLE:
        raise ValueError("rows of sim.network.visible.VISIBLE were expected")
    rows = visible[(visible["kind"] == CALL_ENDED) & (visible["imsi"] > 0)]
    sub = world.population.sub_of_imsi(rows["imsi"])
    rows, sub = rows[sub >= 0], sub[sub >= 0]
    made = rows["role"] == CALLER
    seconds = (rows["duration_us"] + 999_999) // 1_000_000
    charged = np.where(made, class_of(rows["peer"]), FREE)
    minutes = (rows["duration_us"] + 59_999_999) // 60_000_000
    table = {
        "sub": sub,
        "t_us": rows["t_us"] - rows["duration_us"] - world.scenario.epoch_unix_us,
        "direction": np.where(made, 1, 2).astype(np.uint8),
        "peer": rows["peer"].copy(),
        "duration_s": seconds,
        "charged_as": charged.astype(np.uint8),
        "charge_fen": minutes_fen(minutes, charged),
    }
    order = np.lexsort((table["direction"], table["sub"], table["t_us"]))
    return {name: table[name][order] for name in CALL_COLUMNS}


def arrow(table: UsageTable, columns: Columns) -> pa.Table:
    """The rows as an Arrow table, in the order that the table states. Raises ValueError for other columns."""
    import pyarrow as pa

    if list(columns) != list(table.columns):
        raise ValueError(f"{table.name} has the columns {', '.join(table.columns)}, not {', '.join(columns)}")
    order = np.lexsort(tuple(columns[name] for name in reversed(table.order)))
    fields, arrays = [], []
    for name, doc in table.columns.items():
        kind = getattr(pa, _NARROW.get(name, "int64"))()
        values = columns[name][order]
        said = [value.decode("ascii") for value in values.tolist()] if name == "peer" else values
        fields.append(pa.field(name, kind, nullable=False, metadata={"doc": doc}))
        arrays.append(pa.array(said, type=kind))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata={"doc": table.doc}))


def write(folder: Path, table: UsageTable, columns: Columns) -> Path:
    """Writes `<folder>/<name>.parquet`, what each column holds in its schema; the path."""
    import pyarrow.parquet as pq

    path = folder / f"{table.name}.parquet"
    pq.write_table(arrow(table, columns), path, compression="zstd")
    return path
