"""The contact ledger: reserve, send, settle. What cannot be proven unsent counts; nothing is ever sent twice.

One writer. Operations come in groups; each group is one transaction, durable when `apply` returns (SQLite:
WAL, synchronous=FULL; the same SQL runs on PostgreSQL). It checks the cap by itself: whatever went wrong
above, no reservation beyond the cap is granted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, Literal

import sqlalchemy as sa

from marketing.contact.schema import TRANSITIONS, ContactState, metadata
from marketing.contact.statements import Statements

__all__ = [
    "Ledger",
    "LedgerError",
    "MessageDone",
    "Operation",
    "OptOut",
    "OrderDone",
    "OrderWanted",
    "Reservation",
    "Settled",
]

CHUNK: Final = 400
"""Keys in one IN list."""


class LedgerError(Exception):
    """The ledger cannot be opened or written; nothing may be sent."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Asks for the right to send; the result is "" if granted, else why not."""

    contact_id: str
    trigger_id: str
    campaign: str
    originator: str
    offer: str
    imsi: int
    msisdn: int
    period: int
    day: int
    ordinal: int
    decided_us: int
    valid_until_us: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a reservation at the channel; the result says whether it could follow the old."""

    contact_id: str
    state: ContactState
    at_us: int
    counted: bool = True
    """False only if it is proven that nothing left."""
    reason: str = ""
    message_ids: tuple[str, ...] = ()
    """submitted: the message centre's, one a part."""


@dataclass(frozen=True, slots=True)
class MessageDone:
    """A final receipt for one part; the result is the contact's id and state, None for an unknown message."""

    message_id: str
    state: Literal["delivered", "expired", "failed"]
    at_us: int


@dataclass(frozen=True, slots=True)
class OptOut:
    """A stop code; the earliest one counts."""

    msisdn: int
    since_us: int
    originator: str


@dataclass(frozen=True, slots=True)
class OrderWanted:
    """A service to be opened; the result says whether this order is new."""

    order_id: str
    msisdn: int
    offer: str
    channel: str
    t_us: int


@dataclass(frozen=True, slots=True)
class OrderDone:
    """The order's outcome as BOSS told it."""

    order_id: str
    state: Literal["done", "refused"]
    answer: str = ""


Operation = Reservation | Settled | MessageDone | OptOut | OrderWanted | OrderDone


class Ledger:
    """Blocking; the server gives it a thread of its own."""

    def __init__(self, url: str, *, cap: int) -> None:
        """Opens or makes the database; `cap` is per subscriber and calendar month.

        Raises:
            LedgerError: it cannot be opened.
        """
        self._cap = cap
        self._engine = _engine(url)
        try:
            metadata.create_all(self._engine)
            self._connection = self._engine.connect()
        except sa.exc.SQLAlchemyError as error:
            raise LedgerError(f"cannot open the ledger {url}: {error.__cause__ or error}") from None
        self._sql = Statements(self._engine.dialect.name)

    def recover(self) -> int:
        """What was reserved when the last run ended may have left: it becomes unknown, and counts."""
        with self._connection.begin():
            return self._connection.execute(self._sql.abandon).rowcount

    def apply(self, operations: Sequence[Operation]) -> list[Any]:
        """Performs operations in order, in one transaction; one result each.

        Raises:
            LedgerError: nothing of the group has been written.
        """
        results: list[Any] = []
        try:
            with self._connection.begin():
                for kind, group in groupby(operations, key=type):
                    results.extend(_HANDLERS[kind](self, list(group)))
        except sa.exc.SQLAlchemyError as error:
            raise LedgerError(f"the ledger cannot be written: {error.__cause__ or error}") from error
        return results

    def rows(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> Iterator[dict[str, Any]]:
        """Rows of a table in the order of its key."""
        select = sa.select(table).where(*where).order_by(*table.primary_key.columns)
        with self._connection.begin():
            for row in self._connection.execute(select):
                yield dict(row._mapping)

    def close(self) -> None:
        """Folds the write-ahead log into the database."""
        self._connection.close()
        self._engine.dispose()

    # ----------------------------------------------------------------- operations

    def _reserve(self, wanted: list[Reservation]) -> list[str]:
        sql, run = self._sql, self._connection.execute
        known = {contact_id for contact_id, _ in self._among(sql.states, [w.contact_id for w in wanted])}
        counts = {
            (imsi, period): n for imsi, period, n in self._among(sql.counts, sorted({w.imsi for w in wanted}))
        }
        results: list[str] = []
        granted: list[dict[str, Any]] = []
        for w in wanted:
            key = (w.imsi, w.period)
            refusal = (
                "duplicate" if w.contact_id in known else "cap" if counts.get(key, 0) >= self._cap else ""
            )
            results.append(refusal)
            if not refusal:
                counts[key] = counts.get(key, 0) + 1
                known.add(w.contact_id)
                granted.append(_columns(w) | _FRESH)
        if granted:
            run(sql.reserve, granted)
            run(sql.latest, [{**{k: g[k] for k in _LATEST}, "at_us": g["decided_us"]} for g in granted])
        return results

    def _settle(self, settled: list[Settled]) -> list[bool]:
        states = dict(self._among(self._sql.states, [s.contact_id for s in settled]))
        results: list[bool] = []
        updates: list[dict[str, Any]] = []
        messages: list[dict[str, Any]] = []
        for s in settled:
            old = states.get(s.contact_id, "delivered")
            follows = s.state in TRANSITIONS[old]
            results.append(follows)
            if not follows:
                continue
            states[s.contact_id] = s.state
            submitted = s.state == "submitted"
            updates.append(
                {
                    "key": s.contact_id,
                    "new_state": s.state,
                    # Once it may have left, nothing proves any more that it has not.
                    "new_counted": s.counted or old != "reserved",
                    "new_reason": s.reason,
                    "new_parts": len(s.message_ids),
                    "new_submitted_us": s.at_us if submitted else 0,
                    "new_settled_us": 0 if submitted else s.at_us,
                }
            )
            messages += [
                {"message_id": m, "contact_id": s.contact_id, "part": part, "state": ""}
                for part, m in enumerate(s.message_ids, 1)
            ]
        if updates:
            self._connection.execute(self._sql.settle, updates)
        if messages:
            self._connection.execute(self._sql.add_messages, messages)
        return results

    def _message_done(self, done: list[MessageDone]) -> list[tuple[str, ContactState] | None]:
        sql, run = self._sql, self._connection.execute
        owner: dict[str, str] = dict(self._among(sql.owners, [d.message_id for d in done]))
        known = [d for d in done if d.message_id in owner]
        if not known:
            return [None] * len(done)
        run(sql.part_done, [{"key": d.message_id, "new_state": d.state} for d in known])
        contacts = sorted(set(owner.values()))
        parts: dict[str, list[str]] = {}
        for contact_id, state in self._among(sql.parts, contacts):
            parts.setdefault(contact_id, []).append(state)
        states: dict[str, ContactState] = dict(self._among(sql.states, contacts))
        at = {owner[d.message_id]: d.at_us for d in known}
        changes: list[dict[str, Any]] = []
        for contact_id in contacts:
            became = _whole(parts[contact_id])
            if became is not None and became in TRANSITIONS[states[contact_id]]:
                states[contact_id] = became
                changes.append({"key": contact_id, "new_state": became, "new_settled_us": at[contact_id]})
        if changes:
            run(sql.ended, changes)
        return [
            (owner[d.message_id], states[owner[d.message_id]]) if d.message_id in owner else None
            for d in done
        ]

    def _opt_out(self, stops: list[OptOut]) -> list[None]:
        self._connection.execute(self._sql.opt_out, [_columns(s) for s in stops])
        return [None] * len(stops)

    def _order_wanted(self, wanted: list[OrderWanted]) -> list[bool]:
        known = {order_id for (order_id,) in self._among(self._sql.orders, [w.order_id for w in wanted])}
        results: list[bool] = []
        for w in wanted:
            results.append(w.order_id not in known)
            if results[-1]:
                known.add(w.order_id)
                self._connection.execute(self._sql.add_order, _columns(w) | {"state": "open", "answer": ""})
        return results

    def _order_done(self, done: list[OrderDone]) -> list[None]:
        changes = [{"key": d.order_id, "new_state": d.state, "new_answer": d.answer[:200]} for d in done]
        self._connection.execute(self._sql.order_done, changes)
        return [None] * len(done)

    def _among(self, statement: sa.Select[Any], keys: Sequence[Any]) -> Iterator[Any]:
        for start in range(0, len(keys), CHUNK):
            yield from self._connection.execute(statement, {"keys": keys[start : start + CHUNK]})


_FRESH: Final = {
    "state": "reserved",
    "counted": True,
    "reason": "",
    "parts": 0,
    "submitted_us": 0,
    "settled_us": 0,
}
_LATEST: Final = ("imsi", "contact_id", "campaign")


def _columns(operation: Any) -> dict[str, Any]:
    return {name: getattr(operation, name) for name in operation.__slots__}


_HANDLERS: Final[dict[type, Callable[[Ledger, list[Any]], list[Any]]]] = {
    Reservation: Ledger._reserve,
    Settled: Ledger._settle,
    MessageDone: Ledger._message_done,
    OptOut: Ledger._opt_out,
    OrderWanted: Ledger._order_wanted,
    OrderDone: Ledger._order_done,
}


def _whole(parts: Sequence[str]) -> ContactState | None:
    """Delivered when all parts are; failed or expired as soon as one is. None: not known yet."""
    if "failed" in parts:
        return "failed"
    if "expired" in parts:
        return "expired"
    return "delivered" if all(p == "delivered" for p in parts) else None


def _engine(url: str) -> sa.Engine:
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def _connected(connection: Any, _record: Any) -> None:
            connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
            cursor = connection.cursor()
            cursor.execute("PRAGMA busy_timeout=10000")
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.close()

        @sa.event.listens_for(engine, "begin")
        def _begun(connection: sa.Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
