"""The platform with faults around it, in a process of its own: a clock that is stepped, a disk that is full.

    python -m experiments.firewall.served FAULTS.json CONFIG

The platform is the very same; what is exchanged is what it stands on. The file may change while it runs:
`clock_step_s` is added to the machine's time, which a platform with `clock: wall` reads; `ledger_pages` is
the most pages that SQLite may use for the ledger from the start on (`PRAGMA max_page_count`: writing more
fails as on a full disk, SQLITE_FULL).
"""

from __future__ import annotations

import contextlib
import json
import sys
import time as real_time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

__all__ = ["Faults", "main"]

LOOK_S: Final = 0.02
"""The file is read again after this."""


class Faults:
    """What the file says, as of now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_s = 0.0
        self._values: dict[str, Any] = {}

    def get(self, name: str) -> float:
        """A value; 0 where nothing is said."""
        now_s = real_time.monotonic()
        if now_s - self._read_s > LOOK_S:
            self._read_s = now_s
            with contextlib.suppress(OSError, ValueError):  # it is being written
                self._values = json.loads(self._path.read_text(encoding="utf-8"))
        return float(self._values.get(name, 0))


def main(arguments: list[str]) -> int:
    """Puts the faults in place and runs the platform's own command line."""
    import sqlalchemy as sa

    import marketing.clock
    from marketing.__main__ import main as platform

    faults = Faults(Path(arguments[0]))
    shown = {name: getattr(real_time, name) for name in ("monotonic_ns", "monotonic", "perf_counter")}
    # The platform reads time through marketing.clock alone.
    stepped = SimpleNamespace(
        time_ns=lambda: real_time.time_ns() + int(faults.get("clock_step_s") * 1e9), **shown
    )
    setattr(marketing.clock, "time", stepped)  # noqa: B010 - no module exports what it stands on

    @sa.event.listens_for(sa.Engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        pages = int(faults.get("ledger_pages"))
        if pages:
            connection.execute(f"PRAGMA max_page_count={pages}")

    return platform(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
