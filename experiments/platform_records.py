"""The platform's own records, taken over into the run's tables after it has ended, however it ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from marketing.effects.records import recover_records
from reports.records import TABLES, write

__all__ = ["PlatformRecords", "take_over", "trigger_counts"]

STATES: Final = ("sent", "held", "failed", "suppressed")
"""In which a trigger may end."""


class PlatformRecords:
    """What the platform left behind."""

    def __init__(self, folder: Path) -> None:
        recover_records(folder)
        self.folder = folder
        self.triggers = self._table("triggers")
        self.behaviours = self._table("behaviours")
        self.collector: dict[str, Any] = {}
        path = folder / "collector.json"
        if path.exists():
            self.collector = json.loads(path.read_text(encoding="utf-8"))

    def _table(self, name: str) -> Any:
        path = self.folder / f"{name}.parquet"
        return pq.read_table(path) if path.exists() else None

    def counts(self) -> dict[str, Any]:
        """Triggers by state."""
        if self.triggers is None:
            return {"total": 0, "sent": 0, "held": 0, "failed": 0, "suppressed": {}}
        return trigger_counts(self.triggers)

    def signalling(self, generated: int) -> dict[str, int]:
        """Message counts; what was generated and never received is lost."""
        received = int(self.collector.get("received", 0))
        errors = self.collector.get("errors", {})
        return {
            "generated": generated,
            "received": received,
            "decoded": int(self.collector.get("decoded", 0)),
            "lost": generated - received,
            "errors": sum(errors.values()) if isinstance(errors, dict) else int(errors),
        }


def trigger_counts(triggers: pa.Table) -> dict[str, Any]:
    """Triggers by their final state; suppressed ones by reason."""
    states = triggers["state"].to_pylist()
    reasons = triggers["reason"].to_pylist()
    unknown = sorted(set(states) - set(STATES))
    if unknown:
        raise ValueError(f"triggers in states that are none: {unknown}")
    suppressed: dict[str, int] = {}
    for state, reason in zip(states, reasons, strict=True):
        if state == "suppressed":
            suppressed[reason or "unknown"] = suppressed.get(reason or "unknown", 0) + 1
    counts: dict[str, Any] = {"total": len(states)}
    counts.update({state: states.count(state) for state in STATES if state != "suppressed"})
    counts["suppressed"] = dict(sorted(suppressed.items()))
    return counts


def take_over(folder: Path, into: Path) -> PlatformRecords:
    """Writes the platform's behaviours and triggers as tables of the run, without stamps of real time."""
    records = PlatformRecords(folder)
    for name in ("behaviours", "triggers"):
        table = getattr(records, name)
        if table is not None:
            columns = [column.name for column in TABLES[name].columns]
            write(
                into / f"{name}.parquet", name, {column: table[column].combine_chunks() for column in columns}
            )
    return records
