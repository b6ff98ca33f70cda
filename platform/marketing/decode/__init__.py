"""The fast decoder: batches of M3UA messages in, rows of columns out. `schema.COLUMNS` is what it reads."""

from marketing.decode.columns import decode_batch, decode_bssap, decode_flat, new_rows, tally
from marketing.decode.schema import (
    BRIEF,
    BRIEF_PASSES_OVER,
    BRIEF_PRESENT,
    COLUMNS,
    ERROR_NAMES,
    ROW,
    Column,
    DecodeErrorKind,
    Present,
    RowBatch,
    column_table,
    number_text,
)
from marketing.decode.threads import Decoders

__all__ = [
    "BRIEF",
    "BRIEF_PASSES_OVER",
    "BRIEF_PRESENT",
    "COLUMNS",
    "ERROR_NAMES",
    "ROW",
    "Column",
    "DecodeErrorKind",
    "Decoders",
    "Present",
    "RowBatch",
    "column_table",
    "decode_batch",
    "decode_bssap",
    "decode_flat",
    "new_rows",
    "number_text",
    "tally",
]
