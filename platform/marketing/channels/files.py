"""Interface files for desks that call, send in bulk or print: written whole, renamed, results read back.

DIR/CHANNEL/out/CHANNEL-YYYYMMDDTHHMMSSZ-N.csv   contacts: ours, for the desk to take
DIR/CHANNEL/out/stop-YYYYMMDDTHHMMSSZ-N.csv      contacts that are not to be made any more
DIR/CHANNEL/in/ANYTHING.csv                      results: the desk's, contact_id,result,t
DIR/CHANNEL/done/                                results read, each with a report beside it

A name that begins with a dot is a file that is still being written. Everything that was ever in out/ is known
again after a restart, by the files themselves and the desk's copies of them in taken/.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from marketing.channels.outgoing import Answer, FinalState, Outcome, Outgoing, Receipt, TakesInbound, ready

__all__ = ["COLUMNS", "RESULTS", "FileChannel"]

COLUMNS: Final = ("contact_id", "msisdn", "campaign", "offer", "originator", "valid_until", "text")
"""Of the files for a desk; valid_until is local ISO time with its offset."""
Said = Literal["accept", "refuse", "think", "stop"]
RESULTS: Final[Mapping[str, tuple[FinalState, Said | None]]] = {
    "accepted": ("delivered", "accept"),
    "refused": ("delivered", "refuse"),
    "thinking": ("delivered", "think"),
    "stop": ("delivered", "stop"),
    "delivered": ("delivered", None),
    "not_reached": ("failed", None),
    "failed": ("failed", None),
    "expired": ("expired", None),
}
"""What a desk may say of a contact: what becomes of it in the ledger, and what the customer answered."""
FORMULA: Final = ("=", "+", "-", "@")
"""What a spreadsheet takes a cell for that begins so."""
MOST_LINES: Final = 1_000_000
LONGEST_LINE: Final = 1_000
FIRST: Final = 100
"""Bad lines, and unknown ids, that a report names."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Line:
    message: Outgoing
    end_s: float
    outcome: asyncio.Future[Outcome]


@dataclass(slots=True)
class FileChannel:
    """One kind of desk. Files are read and written on the loop: they are small, and nothing else waits."""

    name: str
    folder: Path
    """Of this channel."""
    now_us: Callable[[], int]
    on_inbound: TakesInbound
    zone: ZoneInfo
    gather_s: float
    """Real seconds for which lines are gathered; 0: what comes in one round of the loop."""
    most: int = 10_000
    on_bound: Callable[[bool, str], None] = lambda bound, reason: None
    poll_s: float | None = None
    """Real seconds between two looks for results; None: whenever `tend` is called."""
    throttled: int = 0
    _lines: list[_Line] = field(default_factory=list)
    _timer: asyncio.Handle | None = None
    _open: set[str] = field(default_factory=set)
    """Contacts in files without a final result."""
    _ended: set[str] = field(default_factory=set)
    _thinking: set[str] = field(default_factory=set)
    _up: bool = False
    _closed: bool = False
    _poller: asyncio.Task[None] | None = None

    @property
    def bound(self) -> bool:
        """Whether the folder could be written the last time."""
        return self._up

    async def start(self) -> None:
        """Makes the folders and learns what is in files already.

        Raises:
            OSError: it cannot be made.
        """
        for name in ("out", "in", "done"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for partial in (self.folder / "out").glob(".*.partial"):
            partial.unlink()  # nobody has ever seen it
        for path in [*(self.folder / "out").glob("*.csv"), *self.folder.glob("taken/*.csv")]:
            if not path.name.startswith("stop-"):
                self._open |= {row["contact_id"] for row in _rows(path)}
        for path in (self.folder / "done").glob("*.csv"):
            self._ended |= {row["contact_id"] for row in _rows(path) if _final(row.get("result", ""))}
        self._open -= self._ended
        self._up = True
        if self.poll_s is not None:
            self._poller = asyncio.get_running_loop().create_task(self._poll(self.poll_s))

    async def close(self) -> None:
        """Writes what waits, and looks for results no more."""
        if self._poller is not None:
            self._poller.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._poller
            self._poller = None
        if not self._closed:
            self._write()
        self._closed, self._up = True, False

    def submit(self, message: Outgoing, unsent_after_s: float) -> Awaitable[Outcome]:
        """Puts a line into the next file; await the result for whether the file is there."""
        if self._closed:
            return ready(Outcome("failed", "not sent: the channel is closed", counted=False))
        try:
            message.text.encode()
        except UnicodeEncodeError:
            return ready(Outcome("failed", "cannot be encoded: no text", counted=False))
        loop = asyncio.get_running_loop()
        line = _Line(message, loop.time() + unsent_after_s, loop.create_future())
        self._lines.append(line)
        if len(self._lines) >= self.most:
            self._write()
        elif self._timer is None:
            self._timer = (
                loop.call_later(self.gather_s, self._write) if self.gather_s else loop.call_soon(self._write)
            )
        return line.outcome

    async def cancel(self, message_id: str, originator: str, msisdn: str) -> bool:
        """Tells the desk that a contact is not to be made; False: it may have been made already."""
        contact_id = message_id.removeprefix(f"{self.name}:")
        if contact_id in self._open:
            with contextlib.suppress(OSError):
                self._place("stop", ("contact_id",), [{"contact_id": contact_id}])
        return False

    # ----------------------------------------------------------------- out

    def _write(self) -> None:
        """One file of all lines that are not too late; it is there whole or not at all."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, []
        now_s = asyncio.get_running_loop().time()
        late = [line for line in lines if line.end_s <= now_s]
        for line in late:
            _settle(line, Outcome("failed", "not sent: too late", counted=False))
        lines = [line for line in lines if line.end_s > now_s]
        if not lines:
            return
        try:
            self._place(self.name, COLUMNS, (self._row(line.message) for line in lines))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            if self._up:
                self._up = False
                self.on_bound(False, f"{self.folder}: {reason}")
            for line in lines:
                _settle(line, Outcome("failed", f"not sent: {reason}", counted=False))
            return
        if not self._up:
            self._up = True
            self.on_bound(True, f"{self.folder} can be written again")
        for line in lines:
            contact_id = line.message.contact_id
            self._open.add(contact_id)
            _settle(line, Outcome("submitted", "", (f"{self.name}:{contact_id}",)))

    def _row(self, message: Outgoing) -> dict[str, str]:
        until = (_EPOCH + timedelta(microseconds=message.valid_until_us)).astimezone(self.zone)
        return {
            "contact_id": message.contact_id,
            "msisdn": message.msisdn,
            "campaign": message.campaign,
            "offer": message.offer,
            "originator": message.originator,
            "valid_until": until.isoformat(timespec="seconds"),
            "text": _plain(message.text),
        }

    def _place(self, stem: str, columns: tuple[str, ...], rows: Any) -> Path:
        """Writes a file beside its name, and renames it once all of it is on the disk."""
        out = self.folder / "out"
        stamp = (_EPOCH + timedelta(microseconds=self.now_us())).strftime("%Y%m%dT%H%M%SZ")
        number = 1
        while any((self.folder / d / f"{stem}-{stamp}-{number}.csv").exists() for d in ("out", "taken")):
            number += 1
        path = out / f"{stem}-{stamp}-{number}.csv"
        partial = out / f".{path.name}.partial"
        try:
            with partial.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, columns, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        return path

    # ----------------------------------------------------------------- in

    def tend(self) -> None:
        """Reads whatever results there are, in the order of their names."""
        for path in sorted((self.folder / "in").glob("*.csv")):
            if not path.name.startswith("."):
                self._read(path)

    async def _poll(self, poll_s: float) -> None:
        while True:
            with contextlib.suppress(OSError):  # looked at again
                self.tend()
            if self._lines and self._timer is None:
                self._write()
            await asyncio.sleep(poll_s)

    def _read(self, path: Path) -> None:
        """Each contact is settled once; the file goes to done/ with a report of what was odd."""
        report: dict[str, Any] = {"lines": 0, "settled": 0, "duplicates": 0, "unknown": [], "bad": []}
        try:
            for number, row in enumerate(_rows(path), 2):
                report["lines"] += 1
                self._result(number, row, report)
        except ValueError as error:
            report["bad"].append(str(error))
        self._file_away(path, report)

    def _result(self, number: int, row: Mapping[str, str], report: dict[str, Any]) -> None:
        contact_id, word = row["contact_id"].strip(), row["result"].strip().lower()
        result = RESULTS.get(word)
        at_us = _instant_us(row["t"].strip(), self.zone)
        if result is None or at_us is None:
            if len(report["bad"]) < FIRST:
                what = f"result {word[:20]!r}" if result is None else f"t {row['t'][:30]!r}"
                report["bad"].append(f"line {number}: {what} is not known")
            return
        state, said = result
        if contact_id in self._ended:
            report["duplicates"] += 1
            return
        if contact_id not in self._open:
            if len(report["unknown"]) < FIRST:
                report["unknown"].append(contact_id[:16])
            return
        at_us = min(at_us, self.now_us())  # a desk's clock may be ahead of ours
        if contact_id not in self._thinking:
            self.on_inbound(Receipt(at_us, f"{self.name}:{contact_id}", state))
        if said is not None:
            self.on_inbound(Answer(at_us, contact_id, self.name, said))
        report["settled"] += 1
        if said == "think":  # and may say more
            self._thinking.add(contact_id)
            return
        self._thinking.discard(contact_id)
        self._open.discard(contact_id)
        self._ended.add(contact_id)

    def _file_away(self, path: Path, report: dict[str, Any]) -> None:
        done = self.folder / "done" / path.name
        number = 2
        while done.exists():
            done = self.folder / "done" / f"{path.stem}-{number}.csv"
            number += 1
        done.with_suffix(".report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        os.replace(path, done)


def _plain(text: str) -> str:
    """One line, and no formula for whoever opens the file in a spreadsheet: a space stands before it."""
    said = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f" {said}" if said.startswith(FORMULA) else said


def _settle(line: _Line, outcome: Outcome) -> None:
    if not line.outcome.done():
        line.outcome.set_result(outcome)


def _final(word: str) -> bool:
    result = RESULTS.get(word.strip().lower())
    return result is not None and result[1] != "think"


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """Lines of a file with a header; ValueError: it is none of these."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            reader = csv.DictReader(_bounded(file), strict=True, restval="")
            needed = {"contact_id"} if path.parent.name in ("out", "taken") else {"contact_id", "result", "t"}
            if not needed <= set(reader.fieldnames or ()):
                raise ValueError(f"expected the header {','.join(sorted(needed))}")
            for row in reader:
                yield {name: value for name, value in row.items() if isinstance(name, str)}
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"not CSV in UTF-8: {error}") from None


def _bounded(lines: Any) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if number > MOST_LINES or len(line) > LONGEST_LINE:
            raise csv.Error(f"line {number}: more lines, or a longer one, than results have")
        yield line


def _instant_us(text: str, zone: ZoneInfo) -> int | None:
    """ISO time, local to the zone where it has no offset."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return (moment - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None
