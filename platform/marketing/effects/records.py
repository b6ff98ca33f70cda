"""What the platform writes down: journals while it runs, Parquet when it ends.

A journal line survives the process once it is flushed; `recover_records` makes the same tables of what a
killed one has left.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from marketing.behaviours import BEHAVIOUR, BehaviourBatch

__all__ = ["Records", "TriggerRecord", "Triggers", "recover_records"]

BEHAVIOURS_JOURNAL: Final = "behaviours.rows"
TRIGGERS_JOURNAL: Final = "triggers.jsonl"
STAMPS: Final = ("received_ns", "decoded_ns")
"""Columns of a batch that stay out of behaviours.parquet: they are no facts about subscribers."""


@dataclass(slots=True)
class TriggerRecord:
    """One trigger, as it stands; the last line of the journal counts."""

    trigger_id: str
    contact_id: str
    """Empty unless one was decided."""
    campaign: str
    imsi: str
    msisdn: str
    t_us: int
    """Scene complete or timer due, Unix us."""
    corr: int
    """Message that completed the scene; with `timer`, the one that began the stay; 0 = none."""
    timer: bool
    """Fired by a timer: a dwell or a group's hour."""
    state: Literal["sent", "held", "failed", "suppressed", "pending"]
    """pending only in the journal: handed to the ledger or the channel, outcome not yet known."""
    reason: str
    held_until_us: int
    """When the hold ends or ended; 0 = never held."""
    decided_us: int
    """The instant of the last decision, on the platform's clock."""
    arm: str = ""
    """The subscriber's arm of the campaign's experiment, control and hold_out among them; empty: none."""
    channel: str = ""
    """How the contact goes out; empty unless one was decided."""
    t_received_ns: int = 0
    t_decoded_ns: int = 0
    t_matched_ns: int = 0
    t_decided_ns: int = 0
    t_submitted_ns: int = 0
    """Stage stamps, monotonic; 0 = not reached, or lockstep."""


class Triggers:
    """Triggers as they stand, in memory alone."""

    def __init__(self) -> None:
        self._triggers: dict[str, TriggerRecord] = {}
        self._states: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def trigger(self, record: TriggerRecord) -> None:
        """Keeps the present state of one trigger."""
        before = self._states.get(record.trigger_id)
        if before is not None:
            self._counts[before] -= 1
        self._counts[record.state] = self._counts.get(record.state, 0) + 1
        self._states[record.trigger_id] = record.state
        self._triggers[record.trigger_id] = record

    def known(self, trigger_id: str) -> TriggerRecord | None:
        """The present state of a trigger."""
        return self._triggers.get(trigger_id)

    def counts(self) -> dict[str, int]:
        """Triggers by state."""
        return {state: n for state, n in self._counts.items() if n}

    def __iter__(self) -> Iterator[TriggerRecord]:
        """In the order in which they were first told."""
        return iter(self._triggers.values())


class Records(Triggers):
    """Journals of one run. What a killed one has left becomes tables in a folder `killed-1` beside them."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        folder.mkdir(parents=True, exist_ok=True)
        _set_aside(folder)
        self.folder = folder
        self.behaviours_written = 0
        self._rows = (folder / BEHAVIOURS_JOURNAL).open("wb")
        self._lines = (folder / TRIGGERS_JOURNAL).open("w", encoding="utf-8")

    def behaviours(self, batch: BehaviourBatch) -> None:
        """Appends rows."""
        self._rows.write(batch.tobytes())
        self.behaviours_written += len(batch)

    def trigger(self, record: TriggerRecord) -> None:
        """Appends the present state of one trigger."""
        super().trigger(record)
        self._lines.write(json.dumps(asdict(record), separators=(",", ":")) + "\n")

    def flush(self) -> None:
        """Hands everything to the operating system; a killed process loses nothing after this."""
        self._rows.flush()
        self._lines.flush()

    def close(self) -> None:
        """Closes the journals and leaves them; `recover_records` can still make tables of them."""
        self._rows.close()
        self._lines.close()

    def finish(
        self,
        ledger: Iterable[Mapping[str, Any]],
        collector: Mapping[str, Any],
        loop: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes the tables, with `loop` also what the event loop was busy with, and removes the journals."""
        self.close()
        write_json(self.folder / "collector.json", collector)
        if loop is not None:
            write_json(self.folder / "loop.json", loop)
        _write_ledger(self.folder, ledger)
        recover_records(self.folder)


def _set_aside(folder: Path) -> None:
    left = [folder / name for name in (BEHAVIOURS_JOURNAL, TRIGGERS_JOURNAL) if (folder / name).exists()]
    if left:
        number = next(n for n in range(1, 1_000_000) if not (folder / f"killed-{n}").exists())
        aside = folder / f"killed-{number}"
        aside.mkdir()
        for path in left:
            path.rename(aside / path.name)
        recover_records(aside)


def recover_records(folder: Path) -> list[str]:
    """Makes tables of the journals of a run, ended or killed; returns the tables made.

    A trigger whose outcome never became known is failed, for the reason "unknown outcome".
    """
    made: list[str] = []
    rows, lines = folder / BEHAVIOURS_JOURNAL, folder / TRIGGERS_JOURNAL
    if lines.exists():
        triggers: dict[str, dict[str, Any]] = {}
        for line in lines.read_text(encoding="utf-8").splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue  # the last line of a killed process may be cut
            triggers[record["trigger_id"]] = record
        _write_triggers(folder, list(triggers.values()))
        lines.unlink()
        made.append("triggers.parquet")
    if rows.exists():
        whole = rows.stat().st_size // BEHAVIOUR.itemsize
        _write_behaviours(folder, np.fromfile(rows, dtype=BEHAVIOUR, count=whole))
        rows.unlink()
        made.append("behaviours.parquet")
    return made


def write_json(path: Path, values: Any) -> None:
    """Writes JSON whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(partial, path)


def _write_behaviours(folder: Path, batch: BehaviourBatch) -> None:
    import pyarrow as pa  # a third of a second, and only needed at the end

    columns: dict[str, Any] = {
        name: pa.array(batch[name]) for name in BEHAVIOUR.names or () if name not in ("peer", *STAMPS)
    }
    columns["peer"] = pa.array(batch["peer"], type=pa.binary()).cast(pa.string())
    order = [name for name in BEHAVIOUR.names or () if name not in STAMPS]
    _write_table(folder / "behaviours.parquet", pa.table({name: columns[name] for name in order}))


_TYPES: Final = {"str": "string", "int": "int64", "bool": "bool_"}


def _write_triggers(folder: Path, records: Sequence[dict[str, Any]]) -> None:
    import pyarrow as pa

    for record in records:
        if record["state"] == "pending":
            record["state"], record["reason"] = "failed", "unknown outcome"
    ordered = sorted(records, key=lambda r: (r["t_us"], r["campaign"], r["imsi"]))
    schema = [(f.name, getattr(pa, _TYPES.get(str(f.type), "string"))()) for f in fields(TriggerRecord)]
    _write_table(folder / "triggers.parquet", pa.Table.from_pylist(ordered, schema=pa.schema(schema)))


def _write_ledger(folder: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    import pyarrow as pa

    texts = (
        "contact_id",
        "trigger_id",
        "campaign",
        "originator",
        "offer",
        "channel",
        "imsi",
        "msisdn",
        "state",
        "reason",
    )
    numbers = ("period", "ordinal", "parts", "decided_us", "valid_until_us", "submitted_us", "settled_us")
    schema = [(name, pa.string()) for name in texts] + [("counted", pa.bool_())]
    schema += [(name, pa.int64()) for name in numbers]
    made = [{**row, "imsi": f"{row['imsi']:015d}", "msisdn": str(row["msisdn"])} for row in rows]
    kept = [{name: row[name] for name, _ in schema} for row in made]
    _write_table(folder / "ledger.parquet", pa.Table.from_pylist(kept, schema=pa.schema(schema)))


def _write_table(path: Path, table: Any) -> None:
    import pyarrow.parquet as pq

    partial = path.with_name(f".{path.name}.partial")
    pq.write_table(table, partial, compression="zstd", store_schema=False)
    os.replace(partial, path)
