"""The outbound centre: agents who call the contacts of the platform's interface files.

    desk = OutboundDesk(folder, agents=3, calls_per_hour=12, reachable=..., answer=...)
    desk.work(until_us)          # takes files, calls until then, leaves results to be read back

The folder is that of the platform's channel (out/, in/); files taken go to taken/. A call needs somebody who
is reachable; who is not is tried again later. Nothing here reads a clock or draws: the same files and answers
make the same results.
"""

from __future__ import annotations

import csv
import heapq
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

__all__ = ["Call", "OutboundDesk"]

Result = Literal["accepted", "refused", "thinking", "stop", "not_reached", "expired"]
HOUR_US: Final = 3_600_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was made or tried."""

    t_us: int
    """Unix microseconds."""
    agent: int
    contact_id: str
    msisdn: str
    reached: bool


@dataclass(slots=True)
class _Contact:
    contact_id: str
    msisdn: str
    offer: str
    until_us: int
    tries: int = 0


@dataclass(slots=True)
class OutboundDesk:
    """Agents, a queue, and what has become of it."""

    folder: Path
    agents: int
    calls_per_hour: float
    """Of one agent."""
    reachable: Callable[[str, int], bool]
    """Whether an MSISDN can be called at an instant, Unix us."""
    answer: Callable[[str, str, int], Result]
    """What somebody says to an offer: MSISDN, offer, instant."""
    open_us: tuple[int, int] = (9 * HOUR_US, 21 * HOUR_US)
    """Of the local day, from and to."""
    utc_offset_us: int = 8 * HOUR_US
    tries: int = 3
    again_us: int = HOUR_US // 2
    """From an unsuccessful call to the next."""
    calls: list[Call] = field(default_factory=list)
    _queue: list[tuple[int, int, _Contact]] = field(default_factory=list)
    """(not before, number, contact), a heap."""
    _free_us: list[int] = field(default_factory=list)
    _stopped: set[str] = field(default_factory=set)
    _number: int = 0
    _files: int = 0

    @property
    def waiting(self) -> int:
        """Contacts not yet settled."""
        return len(self._queue)

    def work(self, from_us: int, until_us: int) -> list[tuple[str, Result]]:
        """Takes what lies there, calls until an instant, and writes results where there are any."""
        self._take(from_us)
        each_us = round(HOUR_US / self.calls_per_hour)
        self._free_us = self._free_us or [from_us] * self.agents
        results: list[tuple[str, Result, int]] = []
        while self._queue:
            agent = min(range(self.agents), key=lambda n: (self._free_us[n], n))
            not_before_us, number, contact = self._queue[0]
            t_us = self._opens_us(max(self._free_us[agent], not_before_us, from_us))
            if t_us >= until_us:
                break
            heapq.heappop(self._queue)
            if contact.contact_id in self._stopped:
                continue
            if t_us >= contact.until_us:
                results.append((contact.contact_id, "expired", contact.until_us))
                continue
            reached = self.reachable(contact.msisdn, t_us)
            self.calls.append(Call(t_us, agent, contact.contact_id, contact.msisdn, reached))
            self._free_us[agent] = t_us + (each_us if reached else each_us // 4)
            contact.tries += 1
            if reached:
                said = self.answer(contact.msisdn, contact.offer, t_us)
                results.append((contact.contact_id, said, t_us))
            elif contact.tries >= self.tries:
                results.append((contact.contact_id, "not_reached", t_us))
            else:
                heapq.heappush(self._queue, (t_us + self.again_us, number, contact))
        if results:
            self._tell(results)
        return [(contact_id, said) for contact_id, said, _ in results]

    def _opens_us(self, t_us: int) -> int:
        """The instant itself, or when the desk opens next."""
        day_us = (t_us + self.utc_offset_us) // (24 * HOUR_US) * 24 * HOUR_US - self.utc_offset_us
        if t_us < day_us + self.open_us[0]:
            return day_us + self.open_us[0]
        return t_us if t_us < day_us + self.open_us[1] else day_us + 24 * HOUR_US + self.open_us[0]

    def _take(self, now_us: int) -> None:
        """Files that are whole go to taken/; their contacts queue up in their order."""
        taken = self.folder / "taken"
        taken.mkdir(parents=True, exist_ok=True)
        for path in sorted((self.folder / "out").glob("*.csv")):
            if path.name.startswith("."):
                continue
            for row in _rows(path):
                if path.name.startswith("stop-"):
                    self._stopped.add(row["contact_id"])
                    continue
                until = datetime.fromisoformat(row["valid_until"])
                until_us = (until - _EPOCH) // timedelta(microseconds=1)
                contact = _Contact(row["contact_id"], row["msisdn"], row["offer"], until_us)
                self._number += 1
                heapq.heappush(self._queue, (now_us, self._number, contact))
            os.replace(path, taken / path.name)

    def _tell(self, results: list[tuple[str, Result, int]]) -> None:
        """Results in the order of time, in a file that is renamed once it is whole."""
        self._files += 1
        inbox = self.folder / "in"
        inbox.mkdir(parents=True, exist_ok=True)
        path = inbox / f"results-{self._files:05d}.csv"
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("contact_id", "result", "t"))
            for contact_id, said, t_us in sorted(results, key=lambda one: (one[2], one[0])):
                moment = _EPOCH + timedelta(microseconds=t_us)
                writer.writerow((contact_id, said, moment.isoformat(timespec="seconds")))
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
