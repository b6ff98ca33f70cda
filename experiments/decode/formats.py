"""How `kairos decode` writes what it found: JSON lines, Parquet, a table to be read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, Final, Protocol

__all__ = ["KEYS", "WRITERS", "View", "Writer", "json_line"]

View = dict[str, Any]

#: Key -> its type. Parquet has exactly these columns, with `ies` as JSON text.
KEYS: Final[dict[str, type]] = {
    "t_unix_us": int, "message": str, "error": str, "undecoded": str,
    "m3ua": str, "opc": int, "dpc": int, "si": int, "ni": int, "mp": int, "sls": int,
    "sccp": str, "slr": str, "dlr": str, "class": int, "sccp_cause": int,
    "called_ssn": int, "calling_ssn": int, "called_gt": str, "calling_gt": str,
    "dlci": int, "bssmap": str, "dtap": str, "protocol": str, "pd": int, "ti": int, "ti_flag": int,
    "sequence": int, "imsi": str, "tmsi": str, "imei": str, "imeisv": str,
    "mcc": str, "mnc": str, "lac": int, "ci": int, "called": str, "calling": str,
    "cause": int, "reject_cause": int, "cp": str, "rp": str, "rp_reference": int, "rp_from_network": bool,
    "tp": str, "text": str, "ussd": str,
    "component": str, "invoke_id": int, "operation": str, "opcode": int, "ss_error": str, "error_code": int,
    "ies": str,
}  # fmt: skip

#: Columns of the table format and their widths.
_TABLE: Final = {
    "t_unix_us": 16, "opc": 5, "dpc": 5, "sccp": 5, "slr": 6, "dlr": 6, "message": 30, "imsi": 15, "tmsi": 8,
    "lac": 5, "ci": 5, "called": 15, "calling": 15, "cause": 5,
}  # fmt: skip
_REST: Final = ("reject_cause", "text", "ussd", "undecoded", "error")

#: Rows of a row group in Parquet.
_ROW_GROUP: Final = 65536


def json_line(found: Mapping[str, Any]) -> bytes:
    """One line of UTF-8; text that is no Unicode (half a surrogate pair) stays in escapes."""
    try:
        return json.dumps(found, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(found).encode() + b"\n"


class Writer(Protocol):
    """Takes rows as they come."""

    def write(self, rows: list[View]) -> None: ...

    def close(self) -> None:
        """Write what is left; the file stays open."""


class _Jsonl:
    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, rows: list[View]) -> None:
        self._out.write(b"".join(map(json_line, rows)))
        self._out.flush()

    def close(self) -> None:
        self._out.flush()


class _Table:
    """One line a message, made to be read: the keys of `_TABLE`, then what else tells something."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._line([f"{key:{width}}" for key, width in _TABLE.items()])

    def _line(self, cells: list[str]) -> None:
        self._out.write(" ".join(cells).rstrip().encode(errors="backslashreplace") + b"\n")

    def write(self, rows: list[View]) -> None:
        for found in rows:
            cells = [f"{found.get(key, '')!s:{width}}" for key, width in _TABLE.items()]
            rest = [f"{key}={found[key]}" for key in _REST if key in found]
            self._line([part.replace("\n", "\\n").replace("\r", "\\r") for part in (*cells, *rest)])
        self._out.flush()

    def close(self) -> None:
        self._out.flush()


class _Parquet:
    """The columns of `KEYS`; a key that a message does not have is null."""

    def __init__(self, out: BinaryIO) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        types = {int: pa.int64(), str: pa.string(), bool: pa.bool_()}
        self._schema = pa.schema([(key, types[kind]) for key, kind in KEYS.items()])
        self._table = pa.Table
        self._writer = pq.ParquetWriter(pa.PythonFile(out, mode="w"), self._schema)
        self._waiting: list[View] = []

    def write(self, rows: list[View]) -> None:
        self._waiting += rows
        if len(self._waiting) >= _ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        columns = {
            key: [_cell(found.get(key), kind) for found in self._waiting] for key, kind in KEYS.items()
        }
        self._writer.write_table(self._table.from_pydict(columns, schema=self._schema))
        self._waiting = []

    def close(self) -> None:
        self._flush()
        self._writer.close()


def _cell(value: Any, kind: type) -> Any:
    if value is None or kind is not str:
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode(errors="backslashreplace").decode()


WRITERS: Final[dict[str, Callable[[BinaryIO], Writer]]] = {
    "jsonl": _Jsonl, "parquet": _Parquet, "table": _Table,
}  # fmt: skip
