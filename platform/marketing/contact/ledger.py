"""The contact ledger: reserve, send, settle. What cannot be proven unsent counts; nothing is ever sent twice.

One writer. Operations come in groups; each group is one transaction, durable when `apply` returns (SQLite:
WAL, synchronous=FULL; the same SQL runs on PostgreSQL). It checks caps, gaps and windows by itself: whatever
went wrong above, no reservation beyond them is granted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa

from marketing.contact.budgets import Budgets
from marketing.contact.database import LedgerError, connect
from marketing.contact.guard import NO_GUARD, Guard
from marketing.contact.operations import (
    Allowance,
    AnswerGiven,
    ClockStep,
    ConfirmationDone,
    ConfirmationWanted,
    MessageDone,
    Operation,
    OptOut,
    OrderDone,
    OrderWanted,
    Reservation,
    Settled,
)
from marketing.contact.schema import TRANSITIONS, ContactState
from marketing.contact.statements import Statements

__all__ = [
    "Allowance",
    "AnswerGiven",
    "ClockStep",
    "ConfirmationDone",
    "ConfirmationWanted",
    "Ledger",
    "LedgerError",
    "MessageDone",
    "Operation",
    "OptOut",
    "OrderDone",
    "OrderWanted",
    "Reservation",
    "Settled",
    "whole",
]

CHUNK: Final = 400
"""Keys in one IN list."""


class Ledger:
    """Blocking; the server gives it a thread of its own."""

    def __init__(self, url: str, *, cap: int, guard: Guard = NO_GUARD) -> None:
        """Opens, makes or upgrades the database; `cap` is of a calendar month, `guard` the rest.

        Raises:
            LedgerError: it cannot be opened, or a newer platform has written it.
        """
        self._cap, self._guard = cap, guard
        self._engine = connect(url)
        self._connection = self._engine.connect()
        self._sql = Statements(self._engine.dialect)

    def recover(self) -> int:
        """What was reserved when the last run ended may have left: it becomes unknown, and counts."""
        with self._begin():
            self._connection.execute(self._sql.abandon_confirmations)
            return self._connection.execute(self._sql.abandon).rowcount

    def apply(self, operations: Sequence[Operation]) -> list[Any]:
        """Performs operations in order, in one transaction; one result each.

        A database that went away meanwhile is asked once more, unless it may have committed.

        Raises:
            LedgerError: nothing of the group has been written; or, where the connection broke while it was
                committed, all of it may have been. Nothing of it may be acted on.
        """
        for again in (False, True):
            try:
                transaction = self._begin()
                try:
                    results = self._perform(operations)
                except BaseException:
                    transaction.rollback()
                    raise
            except sa.exc.SQLAlchemyError as error:
                lost = isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated
                if again or not lost:
                    raise LedgerError(f"the ledger cannot be written: {error.__cause__ or error}") from error
                continue
            try:
                transaction.commit()
            except sa.exc.SQLAlchemyError as error:
                transaction.rollback()
                raise LedgerError(f"the ledger could not commit: {error.__cause__ or error}") from error
            return results
        raise AssertionError("the second time it returns or raises")

    def _begin(self) -> sa.RootTransaction:
        if self._connection.closed or self._connection.invalidated:
            self._connection.close()
            self._connection = self._engine.connect()
        return self._connection.begin()

    def _perform(self, operations: Sequence[Operation]) -> list[Any]:
        results: list[Any] = []
        for kind, group in groupby(operations, key=type):
            results.extend(_HANDLERS[kind](self, list(group)))
        return results

    def rows(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> Iterator[dict[str, Any]]:
        """Rows of a table in the order of its key."""
        select = sa.select(table).where(*where).order_by(*table.primary_key.columns)
        with self._begin():
            for row in self._connection.execute(select):
                yield dict(row._mapping)

    def close(self) -> None:
        """Folds the write-ahead log into the database."""
        self._connection.close()
        self._engine.dispose()

    # ----------------------------------------------------------------- operations

    def _reserve(self, wanted: list[Reservation]) -> list[str]:
        sql = self._sql
        known = {contact_id for contact_id, _ in self._among(sql.states, [w.contact_id for w in wanted])}
        counts = {
            (imsi, period): n for imsi, period, n in self._among(sql.counts, sorted({w.imsi for w in wanted}))
        }
        look = self._guard.look(
            wanted, lambda since_us, imsis: self._among(sql.lately, imsis, since=since_us)
        )
        budgets = Budgets.look(
            wanted, lambda since_us, names: self._among(sql.budgets, names, since=since_us), self._spent
        )
        results: list[str] = []
        granted: list[dict[str, Any]] = []
        for w in wanted:
            key = (w.imsi, w.period)
            refusal = (
                "duplicate" if w.contact_id in known else "cap" if counts.get(key, 0) >= self._cap else ""
            )
            refusal = refusal or look.refusal(w) or budgets.refusal(w)
            results.append(refusal)
            if not refusal:
                counts[key] = counts.get(key, 0) + 1
                known.add(w.contact_id)
                look.granted(w)
                budgets.granted(w)
                granted.append(_columns(w) | _FRESH | {"latest_us": w.latest_us or w.valid_until_us})
        if granted:
            sql.reserve.run(self._connection, granted)
            latest = [{**{k: g[k] for k in _LATEST}, "at_us": g["decided_us"]} for g in granted]
            sql.latest.run(self._connection, latest)
        if spent := budgets.changed():
            self._connection.execute(sql.spend, spent)
        return results

    def _spent(self, campaign: str, from_us: int, until_us: int) -> int:
        within = {"key": campaign, "from_us": from_us, "until_us": until_us}
        return int(self._connection.execute(self._sql.spent, within).scalar_one())

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
                {"message_id": m, "contact_id": s.contact_id, "part": part, "state": "", "done_us": 0}
                for part, m in enumerate(s.message_ids, 1)
            ]
        if updates:
            self._connection.execute(self._sql.settle, updates)
        unsent = [u["key"] for u in updates if not u["new_counted"]]
        given_back = [{"key": name, "at_us": at_us} for name, at_us in self._among(self._sql.whose, unsent)]
        if given_back:
            self._connection.execute(self._sql.give_back, given_back)
        if messages:
            self._connection.execute(self._sql.add_messages, messages)
        return results

    def _message_done(self, done: list[MessageDone]) -> list[tuple[str, ContactState] | None]:
        sql, run = self._sql, self._connection.execute
        owner: dict[str, str] = dict(self._among(sql.owners, [d.message_id for d in done]))
        known = [d for d in done if d.message_id in owner]
        if not known:
            return [None] * len(done)
        run(sql.part_done, [_done(d) for d in known])
        contacts = sorted(set(owner.values()))
        parts: dict[str, list[str]] = {}
        at: dict[str, int] = {}
        for contact_id, state, done_us in self._among(sql.parts, contacts):
            parts.setdefault(contact_id, []).append(state)
            at[contact_id] = max(done_us, at.get(contact_id, 0))
        states: dict[str, ContactState] = dict(self._among(sql.states, contacts))
        changes: list[dict[str, Any]] = []
        for contact_id in contacts:
            became = whole(parts[contact_id])
            if became is not None and became in TRANSITIONS[states[contact_id]]:
                states[contact_id] = became
                changes.append({"key": contact_id, "new_state": became, "new_settled_us": at[contact_id]})
        if changes:
            run(sql.ended, changes)
        # When every part has come to its end, nothing more can be received.
        over = [{"key": c, "new_latest_us": at[c]} for c in contacts if "" not in parts[c]]
        if over:
            run(sql.over, over)
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

    def _confirmation_wanted(self, wanted: list[ConfirmationWanted]) -> list[bool]:
        known = {key for (key,) in self._among(self._sql.confirmations, [w.contact_id for w in wanted])}
        results: list[bool] = []
        for w in wanted:
            results.append(w.contact_id not in known)
            if results[-1]:
                known.add(w.contact_id)
                self._connection.execute(self._sql.add_confirmation, _columns(w))
        return results

    def _confirmation_done(self, done: list[ConfirmationDone]) -> list[None]:
        changes = [{"key": d.contact_id, "new_state": d.state, "new_at_us": d.at_us} for d in done]
        self._connection.execute(self._sql.confirmation_done, changes)
        return [None] * len(done)

    def _answer_given(self, given: list[AnswerGiven]) -> list[str]:
        self._connection.execute(self._sql.answer, [_columns(g) for g in given])
        stands = dict(self._among(self._sql.answers, [g.contact_id for g in given]))
        return [stands[g.contact_id] for g in given]

    def _clock_set(self, steps: list[ClockStep]) -> list[int]:
        run = self._connection.execute
        return [run(self._sql.clock_set, _columns(step)).rowcount for step in steps]

    def _among(self, statement: sa.Select[Any], keys: Sequence[Any], **more: Any) -> Iterator[Any]:
        for start in range(0, len(keys), CHUNK):
            yield from self._connection.execute(statement, {"keys": keys[start : start + CHUNK], **more})


_FRESH: Final = {
    "state": "reserved",
    "counted": True,
    "reason": "",
    "parts": 0,
    "submitted_us": 0,
    "settled_us": 0,
}
_LATEST: Final = ("imsi", "contact_id", "campaign")


def _done(part: MessageDone) -> dict[str, Any]:
    return {"key": part.message_id, "new_state": part.state, "new_done_us": part.at_us}


def _columns(operation: Any) -> dict[str, Any]:
    return {name: getattr(operation, name) for name in operation.__slots__}


_HANDLERS: Final[dict[type, Callable[[Ledger, list[Any]], list[Any]]]] = {
    Reservation: Ledger._reserve,
    Settled: Ledger._settle,
    MessageDone: Ledger._message_done,
    OptOut: Ledger._opt_out,
    OrderWanted: Ledger._order_wanted,
    OrderDone: Ledger._order_done,
    ConfirmationWanted: Ledger._confirmation_wanted,
    ConfirmationDone: Ledger._confirmation_done,
    AnswerGiven: Ledger._answer_given,
    ClockStep: Ledger._clock_set,
}


def whole(parts: Sequence[str]) -> ContactState | None:
    """Delivered when all parts are; failed or expired as soon as one is. None: not known yet."""
    if "failed" in parts:
        return "failed"
    if "expired" in parts:
        return "expired"
    return "delivered" if all(p == "delivered" for p in parts) else None
