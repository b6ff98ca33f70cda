"""`kairos export`: profiles, features and behaviours of a run as Parquet for BI, numbers hashed on request.

Features are those that campaigns read, under the same names, as of the end of the run: the behaviours that
the platform wrote down are taken in again by its engine, without any campaign.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from experiments.problems import BadInput, relative
from marketing.behaviours import BEHAVIOUR, DERIVED, NAMES, BehaviourBatch, Role
from marketing.config import ConfigError, PlatformConfig, load_config
from marketing.contact import Book, Policy, load_policy
from marketing.engine import EngineState, new_state, on_batch
from marketing.expressions import CATALOGUE, Feature, Numbers, Type, Words
from marketing.profiles import Profiles, load_cells, load_extract, load_terminals
from marketing.profiles.saving import arrow_of, write_table

__all__ = ["SCHEMA_VERSION", "Hasher", "export_arm", "run_export"]

SCHEMA_VERSION: Final = "kairos.export/1"
HASH_OCTETS: Final = 16
LEAST_KEY: Final = 16
"""Octets of a key: a short one could be guessed."""
_BATCH: Final = 1 << 16
_ROLES: Final = {int(role): role.name.lower() if role else "" for role in Role}
_GROUPS: Final = ("terminal", "now", "habit", "last")
"""Groups of the catalogue that change with what subscribers do; `event` is of one behaviour, no feature."""
_CLOCK: Final = ("now.hour", "now.weekday")


@dataclass(frozen=True, slots=True)
class Hasher:
    """Numbers as keyed hashes, the same for the same number and key; or, without a key, as they are."""

    key: bytes

    def __call__(self, kind: str, values: NDArray[np.uint64]) -> pa.Array:
        """`kind` (msisdn, imsi) keeps hashes of different kinds of numbers apart; 0 is null."""
        once, back = np.unique(values, return_inverse=True)
        width = 15 if kind == "imsi" else 0
        texts = [self.text(kind, f"{number:0{width}d}") if number else None for number in once.tolist()]
        return pa.array(texts, pa.string()).take(pa.array(back))

    def text(self, kind: str, digits: str) -> str:
        """One number."""
        if not self.key:
            return digits
        # RFC 7693: BLAKE2b with a key is a message authentication code; 2**128 values do not collide.
        kind_octets = kind.encode().ljust(16, b"\0")
        return hashlib.blake2b(
            digits.encode(), key=self.key, person=kind_octets, digest_size=HASH_OCTETS
        ).hexdigest()


def run_export(run_dir: Path, out: Path, arm: str | None, key_file: Path | None) -> None:
    """The command.

    Raises:
        BadInput: the run, the key or the folder cannot be used.
    """
    hasher = Hasher(_key(key_file) if key_file is not None else b"")
    folder = _arm(run_dir, arm)
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = export_arm(folder, out, hasher)
    except OSError as error:
        raise BadInput(f"--out {relative(out)}: cannot be written: {error.strerror or error}") from None
    for path, rows in written.items():
        click.echo(f"{relative(path)}: {rows} rows")


def _key(path: Path) -> bytes:
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise BadInput(f"--hash-msisdn {relative(path)}: cannot be read: {error.strerror}") from None
    if len(key) < LEAST_KEY:
        helps = "head -c 32 /dev/urandom | base64 > KEY-FILE"
        raise BadInput(f"--hash-msisdn {relative(path)}: expected at least {LEAST_KEY} octets ({helps})")
    # A key of BLAKE2b has at most 64 octets; a longer secret is not cut but condensed.
    return key if len(key) <= 64 else hashlib.blake2b(key).digest()


def _arm(run_dir: Path, arm: str | None) -> Path:
    folders = sorted(p.parent for p in run_dir.glob("arms/*/behaviours.parquet"))
    names = [folder.name for folder in folders]
    if not names:
        raise BadInput(f"{relative(run_dir)}: no arm with behaviours.parquet in it: not the folder of a run")
    if arm is None:
        arm = "precise" if "precise" in names else names[0] if len(names) == 1 else None
    if arm not in names:
        raise BadInput(f"--arm: expected one of {', '.join(names)}")
    return run_dir / "arms" / str(arm)


def export_arm(folder: Path, out: Path, hasher: Hasher) -> dict[Path, int]:
    """Writes the tables and their description; rows by file.

    Raises:
        BadInput: the arm's files cannot be used.
        OSError: a table cannot be written.
    """
    try:
        config = load_config(folder / "platform.yaml")
        state = _state(config)
    except ConfigError as error:
        raise BadInput([str(problem) for problem in error.problems]) from None
    behaviours = _behaviours(folder / "behaviours.parquet")
    # What follows from others follows again.
    seen = behaviours[~np.isin(behaviours["kind"], [int(kind) for kind in DERIVED])]
    for start in range(0, len(seen), _BATCH):
        on_batch(state, seen[start : start + _BATCH], 0)
    at_us = int(behaviours["t_us"].max()) if len(behaviours) else 0
    tables = {
        "profiles": _profiles(state.profiles, hasher),
        "features": _features(state, at_us, hasher),
        "behaviours": _acts(state, behaviours, hasher),
    }
    written = {}
    for name, table in tables.items():
        path = out / f"{name}.parquet"
        write_table(path, table)
        written[path] = table.num_rows
    (out / "README.md").write_text(_described(tables, hasher), encoding="utf-8")
    return written


def _state(config: PlatformConfig) -> EngineState:
    profiles = load_extract(config.subscribers)
    terminals = load_terminals(config.terminals) if config.terminals is not None else None
    policy = Policy.of(load_policy(config.policy))
    places = load_cells(config.cells)
    return new_state(profiles, places, [], policy, Book.empty(len(profiles)), terminals=terminals)


def _behaviours(path: Path) -> BehaviourBatch:
    try:
        table = pq.read_table(path)
        rows = np.zeros(table.num_rows, dtype=BEHAVIOUR)
        for name in table.column_names:
            if name in (BEHAVIOUR.names or ()):
                values = table[name].to_pylist() if name == "peer" else table[name].to_numpy()
                rows[name] = [one.encode("ascii") for one in values] if name == "peer" else values
    except (OSError, pa.ArrowException, ValueError) as error:
        raise BadInput(f"{relative(path)}: cannot be read as a table of behaviours ({error})") from None
    return rows[np.argsort(rows["t_us"], kind="stable")]


# --------------------------------------------------------------------------- tables


def _table(columns: list[tuple[str, str, pa.Array]], doc: str) -> pa.Table:
    """Columns of (name, meaning, values), the meaning in the schema."""
    fields = [pa.field(name, values.type, metadata={"doc": meaning}) for name, meaning, values in columns]
    metadata = {"schema": SCHEMA_VERSION, "doc": doc}
    return pa.Table.from_arrays([v for _, _, v in columns], schema=pa.schema(fields, metadata=metadata))


def _who(profiles: Profiles, hasher: Hasher) -> list[tuple[str, str, pa.Array]]:
    how = ", keyed hash" if hasher.key else ""
    return [
        ("msisdn", f"E.164 number{how}", hasher("msisdn", profiles.msisdn)),
        ("imsi", f"15 digits{how}", hasher("imsi", profiles.imsi)),
    ]


def _profiles(profiles: Profiles, hasher: Hasher) -> pa.Table:
    columns = _who(profiles, hasher)
    for name, column in profiles.columns.items():
        feature = CATALOGUE.get(f"profile.{name}")
        columns.append((name, _meaning(feature) or "column of the extract", arrow_of(column)))
    return _table(columns, "one subscriber of the extract")


def _features(state: EngineState, at_us: int, hasher: Hasher) -> pa.Table:
    columns = _who(state.profiles, hasher)
    rows = np.arange(len(state.profiles))
    instants = np.full(len(rows), at_us, dtype=np.int64)
    columns.append(("as_of", "instant that the features are as of, UTC", _time(instants)))
    for name, feature in CATALOGUE.items():
        group, _, rest = name.partition(".")
        if group not in _GROUPS or not rest or name in _CLOCK:
            continue
        found = state.view.column(name, rows, instants)
        missing = None if found.known is None else ~found.known
        if isinstance(found, Numbers):
            values = found.values
            if feature.type is Type.DURATION:
                values = values / 1e6
            array = pa.array(values, mask=missing)
        elif isinstance(found, Words):
            codes = pa.array(np.asarray(found.codes).astype(np.int32), mask=missing)
            array = pa.DictionaryArray.from_arrays(codes, pa.array(list(found.words), pa.string()))
        else:
            continue
        unit = "_s" if feature.type is Type.DURATION else ""
        columns.append((f"{group}_{rest}{unit}", _meaning(feature), array))
    return _table(columns, "what is known of one subscriber by what was seen of him")


def _acts(state: EngineState, rows: BehaviourBatch, hasher: Hasher) -> pa.Table:
    profiles, places = state.profiles, state.places
    at = profiles.rows(rows["imsi"])
    msisdn = np.where(at >= 0, profiles.msisdn[np.maximum(at, 0)] if len(profiles) else 0, 0)
    place = places.of(rows["lac"], rows["ci"])
    names = pa.array([*places.names], pa.string())
    msisdn = msisdn.astype(np.uint64)
    how = ", keyed hash" if hasher.key else ""
    peers, back = np.unique(rows["peer"], return_inverse=True)
    peer_texts = [_peer(one.decode("ascii"), hasher) for one in peers.tolist()]
    kinds = {code: NAMES[code] for code in sorted(NAMES)}
    # An IMEI tells a handset as surely as a number tells its owner.
    is_imei = np.isin(rows["kind"], [code for code, name in kinds.items() if name in _TELL_IMEI])
    detail = np.where(is_imei & bool(hasher.key), np.uint64(0), rows["detail"])
    columns = [
        ("time", "when, UTC", _time(rows["t_us"])),
        ("msisdn", f"whose, E.164{how}; null: not in the extract", hasher("msisdn", msisdn)),
        ("imsi", f"whose, 15 digits{how}; null: not known at the tap", hasher("imsi", rows["imsi"])),
        ("behaviour", "what happened", _coded(rows["kind"], kinds)),
        ("role", "caller, callee or empty", _coded(rows["role"], _ROLES)),
        ("lac", "location area code; 0: not known", pa.array(rows["lac"])),
        ("ci", "cell identity; 0: not known", pa.array(rows["ci"])),
        ("place", "name of the place", pa.DictionaryArray.from_arrays(
            pa.array(place.astype(np.int32), mask=place < 0), names)),
        ("peer", f"number of the other side{how}; numbers of at most six digits are service lines and stay",
         pa.array(peer_texts, pa.string()).take(pa.array(back))),
        ("cause", "cause value; 0: none", pa.array(rows["cause"])),
        ("duration_s", "of a call since CONNECT, seconds", pa.array(rows["duration_us"] / 1e6)),
        ("detail", "as the kind of behaviour says; IMEIs are left out where numbers are hashed",
         pa.array(detail)),
    ]  # fmt: skip
    return _table(columns, "one behaviour that the platform recognised")


_TELL_IMEI: Final = ("imei_changed", "handset_seen")
LONGEST_SERVICE: Final = 6
"""Digits of a service line at most; longer numbers are somebody's."""


def _peer(digits: str, hasher: Hasher) -> str | None:
    if not digits:
        return None
    return digits if len(digits) <= LONGEST_SERVICE else hasher.text("msisdn", digits)


def _time(t_us: NDArray[np.int64]) -> pa.Array:
    return pa.array(np.ascontiguousarray(t_us)).cast(pa.timestamp("us", "UTC"))


def _coded(values: NDArray[Any], names: Mapping[int, str]) -> pa.Array:
    place = np.zeros(256, dtype=np.int32)
    for at, code in enumerate(names):
        place[code] = at
    return pa.DictionaryArray.from_arrays(pa.array(place[values]), pa.array(list(names.values())))


def _meaning(feature: Feature | None) -> str:
    if feature is None:
        return ""
    unit = "seconds" if feature.type is Type.DURATION else feature.unit
    return feature.meaning + (f" ({unit})" if unit else "")


def _described(tables: Mapping[str, pa.Table], hasher: Hasher) -> str:
    hashed = (
        "MSISDN and IMSI are keyed hashes (BLAKE2b, 128 bits, hexadecimal): the same number and key give the "
        "same hash in every table and export; numbers of the other side are hashed as dialled or shown."
        if hasher.key
        else "MSISDN and IMSI are written in full: handle these files as the numbers of customers."
    )
    parts = [f"# Export\n\nSchema {SCHEMA_VERSION}. {hashed} A value that is not known is null.\n"]
    for name, table in tables.items():
        doc = table.schema.metadata[b"doc"].decode()
        parts.append(
            f"## {name}.parquet\n\nOne row: {doc}.\n\n| column | type | meaning |\n| --- | --- | --- |"
        )
        parts += [
            f"| `{field.name}` | {_type(field.type)} | {field.metadata[b'doc'].decode()} |"
            for field in table.schema
        ]
        parts.append("")
    return "\n".join(parts)


def _type(kind: pa.DataType) -> str:
    return (
        "string" if pa.types.is_dictionary(kind) else str(kind).replace("element: ", "").replace("item: ", "")
    )
