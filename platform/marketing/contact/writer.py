"""The ledger under asyncio, with group commit: what is asked for in one round of the loop is one transaction.

Transactions run on the loop itself. A thread of their own was tried: handing the interpreter lock to and fro
cost more than the disk (decision to submission 17 ms instead of 6 ms at the median, on a busy machine); and
while the disk works, input gathers in the sockets and makes the next group larger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from marketing.contact.ledger import Ledger, LedgerError, Operation
from marketing.occupation import Occupation

__all__ = ["LedgerWriter"]

PATIENCE_S: Final = 0.1
"""How long operations that nobody waits for may wait for company, so as not to delay a reservation."""


class LedgerWriter:
    """Collects operations and writes them together."""

    def __init__(self, ledger: Ledger, occupation: Occupation | None = None) -> None:
        """`occupation` is told of the time that transactions take."""
        self.ledger = ledger
        self._occupation = occupation or Occupation()
        self.commits = 0
        self._waiting: list[tuple[Sequence[Operation], asyncio.Future[list[Any]]]] = []
        self._soon: asyncio.Handle | None = None
        self._later: asyncio.TimerHandle | None = None

    async def apply(self, operations: Sequence[Operation], *, urgent: bool = True) -> list[Any]:
        """The results, once they are durable.

        Raises:
            LedgerError: nothing of the operations has been written, nor of those that shared the transaction.
        """
        if not operations:
            return []
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Any]] = loop.create_future()
        self._waiting.append((operations, future))
        if urgent and self._soon is None:
            self._soon = loop.call_soon(self._write)
        elif not urgent and self._later is None:
            self._later = loop.call_later(PATIENCE_S, self._write)
        return await future

    def apply_now(self, operations: Sequence[Operation]) -> list[Any]:
        """The results of operations that are written at once, after all that were asked for before.

        Raises:
            LedgerError: see `apply`.
        """
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((operations, future))
        self._write()
        return future.result()

    def close(self) -> None:
        """Writes what waits, then closes the database."""
        self._write()
        self.ledger.close()

    def _write(self) -> None:
        for handle in (self._soon, self._later):
            if handle is not None:
                handle.cancel()
        self._soon = self._later = None
        group, self._waiting = self._waiting, []
        if not group:
            return
        before = self._occupation.to("ledger")
        try:
            results = self.ledger.apply([operation for some, _ in group for operation in some])
        except LedgerError as error:
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
            return
        finally:
            self._occupation.to(before)
        self.commits += 1
        start = 0
        for some, future in group:
            if not future.done():
                future.set_result(results[start : start + len(some)])
            start += len(some)
