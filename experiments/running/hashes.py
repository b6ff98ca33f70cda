"""What a run's results are, as hashes that another run of the same study must have, whatever the machine.

A table is hashed by what is in its columns: Parquet says in its bytes which version of the library wrote it,
and that decides on pages, encodings and compression. JSON is hashed without what the clock says.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CLOCKED", "content_hash", "results_of"]

CLOCKED: Final = ("time", "rerun")
"""Keys at the top of a JSON file that hashes leave out: when it ran, for how long, by which command."""


def results_of(run_dir: Path, manifest: Mapping[str, Any], valid: bool) -> dict[str, str]:
    """File of a run -> hash of its contents, of those that its kind says the clock has no part in.

    Empty where the kind names none; or where the run is not valid and one of them is not there.

    Raises:
        FileNotFoundError: a valid run lacks one: its kind must write it before it finishes the run.
    """
    from experiments.study_kinds import results_function

    function = results_function(manifest)
    files = [] if function is None else sorted(function(run_dir))
    lost = [file for file in files if not file.is_file()]
    if lost and valid:
        raise FileNotFoundError(f"{lost[0]}: a result of this kind that was not written before the end")
    if lost:
        return {}
    return {file.relative_to(run_dir).as_posix(): content_hash(file) for file in files}


def content_hash(file: Path) -> str:
    """SHA-256 of what a file says: Parquet by columns, JSON without `CLOCKED`, anything else by octets."""
    if file.suffix == ".parquet":
        return _of_table(file)
    if file.suffix == ".json":
        return _of_json(file)
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _of_json(file: Path) -> str:
    values = json.loads(file.read_text(encoding="utf-8"))
    if isinstance(values, dict):
        values = {name: value for name, value in values.items() if name not in CLOCKED}
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _of_table(file: Path) -> str:
    import pyarrow.parquet as pq

    opened = pq.ParquetFile(file)
    schema = opened.schema_arrow
    whole = hashlib.sha256(f"kairos.columns/1 {opened.metadata.num_rows}\n".encode())
    for name in schema.names:
        parts: defaultdict[str, Any] = defaultdict(hashlib.sha256)
        for batch in opened.iter_batches(columns=[name]):
            _feed(batch.column(0), parts, "")
        whole.update(f"{name} {_plain_type(schema.field(name).type)}\n".encode())
        for at in sorted(parts):
            whole.update(f"{at} {parts[at].hexdigest()}\n".encode())
    return whole.hexdigest()


def _plain_type(kind: pa.DataType) -> str:
    """The type as its values are hashed: how long texts may be in memory does not matter."""
    import pyarrow.types as types

    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_list(kind) or types.is_large_list(kind):
        return f"list<{_plain_type(kind.value_type)}>"
    return str(kind).removeprefix("large_")


def _feed(array: pa.Array, parts: defaultdict[str, Any], at: str) -> None:
    """Values of a column to hashes by name, so that it does not matter where its batches end."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as types

    def take(name: str, octets: bytes) -> None:
        parts[name].update(octets)

    if types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    take(f"{at}there", np.asarray(pc.is_valid(array).to_numpy(zero_copy_only=False), np.uint8).tobytes())
    if types.is_list(kind) or types.is_large_list(kind):
        take(f"{at}lengths", _octets(pc.fill_null(pc.list_value_length(array), 0), "<i8"))
        _feed(array.flatten(), parts, f"{at}values.")
    elif types.is_string(kind) or types.is_binary(kind) or types.is_large_string(kind):
        texts = pc.fill_null(array.cast(pa.large_binary()), b"")
        take(f"{at}lengths", _octets(pc.binary_length(texts), "<i8"))
        offsets = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]
        octets = texts.buffers()[2]
        if len(texts) and octets is not None:
            take(f"{at}values", memoryview(octets)[offsets[0] : offsets[-1]].tobytes())
    elif types.is_boolean(kind):
        take(f"{at}values", _octets(pc.fill_null(array.cast(pa.uint8()), 0), "u1"))
    elif types.is_integer(kind) or types.is_floating(kind):
        values = pc.fill_null(array, 0)
        take(f"{at}values", _octets(values, values.type.to_pandas_dtype()))
    elif types.is_temporal(kind):
        ticks = array.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
        take(f"{at}values", _octets(pc.fill_null(ticks, 0), "<i8"))
    else:
        raise TypeError(f"no hash of a column of {kind}")


def _octets(values: pa.Array, kind: Any) -> bytes:
    found: bytes = (
        np.asarray(values.to_numpy(zero_copy_only=False)).astype(np.dtype(kind).newbyteorder("<")).tobytes()
    )
    return found
