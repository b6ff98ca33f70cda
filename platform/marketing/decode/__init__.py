"""The fast decoder: batches of M3UA messages in, rows of columns out. `schema.COLUMNS` is what it reads."""

from marketing.decode.columns import decode_batch, decode_bssap, decode_flat, new_rows, tally
from marketing.decode.schema import (
    COLUMNS,
    ERROR_NAMES,
    ROW,
    Column,
    DecodeErrorKind,
    Present,
    RowBatch,
    number_text,
)

__all__ = [
    "COLUMNS",
    "ERROR_NAMES",
    "ROW",
    "Column",
    "DecodeErrorKind",
    "Present",
    "RowBatch",
    "decode_batch",
    "decode_bssap",
    "decode_flat",
    "new_rows",
    "number_text",
    "tally",
]
