"""A sink of a run that needs more than the simulator: Parquet tables that grow as time goes on.

The truth of a long run never is in memory at once. An arm of a study, which needs it again, keeps it instead
(`experiments.arm_records`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reports.records import TABLES
from sim.sinks import Nothing

__all__ = ["TruthFolder"]

_GROUP: Final = 1 << 17
"""Rows of a row group."""


class TruthFolder(Nothing):
    """`acts.parquet`, `visible.parquet` and `faults.parquet` in a folder; complete when it is closed.

    Rows stand in the order in which they were settled, which needs no sorting at the end.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._waiting: dict[str, list[NDArray[np.void]]] = {"acts": [], "visible": [], "faults": []}
        self._writers = {
            name: pq.ParquetWriter(folder / f"{name}.parquet", TABLES[name].schema, compression="zstd")
            for name in self._waiting
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def acts(self, rows: NDArray[np.void]) -> None:
        self._take("acts", rows)

    def visible(self, rows: NDArray[np.void]) -> None:
        self._take("visible", rows)

    def faults(self, rows: NDArray[np.void]) -> None:
        self._take("faults", rows)

    def close(self) -> None:
        """Writes what is left and the end of each file."""
        for name, writer in self._writers.items():
            self._write(name)
            writer.close()

    def _take(self, name: str, rows: NDArray[np.void]) -> None:
        self._waiting[name].append(rows)
        if sum(map(len, self._waiting[name])) >= _GROUP:
            self._write(name)

    def _write(self, name: str) -> None:
        blocks, self._waiting[name] = self._waiting[name], []
        if not blocks:
            return
        rows, schema = np.concatenate(blocks), TABLES[name].schema
        self._writers[name].write_table(
            pa.table([_column(rows[f.name], f.type) for f in schema], schema=schema)
        )


def _column(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    if values.dtype.kind == "S":  # NumPy has left out the zeros at the end
        texts: Sequence[str] = values.astype("U").tolist()
        return pa.array(texts, kind)
    return pa.array(np.ascontiguousarray(values), kind)
