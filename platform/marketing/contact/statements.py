"""The ledger's SQL, built once: making a statement costs more than running it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from marketing.contact.schema import (
    budget,
    confirmation,
    contact,
    desk_answer,
    last_contact,
    message,
    opt_out,
    order,
)

__all__ = ["Statements"]


class Many:
    """A statement for many rows, handed to the driver as it is: much of the time was spent on the way."""

    def __init__(self, dialect: sa.Dialect, statement: sa.Insert) -> None:
        compiled = statement.compile(dialect=dialect)
        self._text, self._order = str(compiled), compiled.positiontup if compiled.positional else None

    def run(self, connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
        """One execution a row."""
        order = self._order
        values: Any = rows if order is None else [tuple([row[name] for name in order]) for row in rows]
        connection.exec_driver_sql(self._text, values)


class Statements:
    """One attribute a statement. `keys` is a list; `key` the row to change."""

    def __init__(self, dialect: sa.Dialect) -> None:
        insert = _insert(dialect.name)
        keys: sa.BindParameter[Any] = sa.bindparam("keys", expanding=True)
        key: sa.BindParameter[Any] = sa.bindparam("key")

        self.states = sa.select(contact.c.contact_id, contact.c.state).where(contact.c.contact_id.in_(keys))
        self.counts = (
            sa.select(contact.c.imsi, contact.c.period, sa.func.count())
            .where(contact.c.imsi.in_(keys), contact.c.counted)
            .group_by(contact.c.imsi, contact.c.period)
        )
        columns = ("imsi", "originator", "channels", "latest_us", "period", "day")
        self.lately = sa.select(*(contact.c[name] for name in columns)).where(
            contact.c.imsi.in_(keys), contact.c.counted, contact.c.latest_us > sa.bindparam("since")
        )
        self.reserve = Many(dialect, sa.insert(contact))
        latest = insert(last_contact)
        self.latest = Many(
            dialect,
            latest.on_conflict_do_update(
                index_elements=[last_contact.c.imsi],
                set_={c.name: latest.excluded[c.name] for c in last_contact.c if not c.primary_key},
                where=latest.excluded.at_us >= last_contact.c.at_us,
            ),
        )
        self.budgets = sa.select(budget).where(
            budget.c.campaign.in_(keys), budget.c.until_us > sa.bindparam("since")
        )
        self.spent = sa.select(sa.func.count()).where(
            contact.c.campaign == key,
            contact.c.decided_us >= sa.bindparam("from_us"),
            contact.c.decided_us < sa.bindparam("until_us"),
            contact.c.counted,
        )
        spent = insert(budget)
        self.spend = spent.on_conflict_do_update(
            index_elements=list(budget.primary_key.columns), set_={"taken": spent.excluded.taken}
        )
        self.whose = sa.select(contact.c.campaign, contact.c.decided_us).where(contact.c.contact_id.in_(keys))
        self.give_back = (
            sa.update(budget)
            .where(budget.c.campaign == key)
            .where(budget.c.from_us <= sa.bindparam("at_us"), budget.c.until_us > sa.bindparam("at_us"))
            .values(taken=budget.c.taken - 1)
        )
        columns = ("state", "counted", "reason", "parts", "submitted_us", "settled_us")
        self.settle = (
            sa.update(contact)
            .where(contact.c.contact_id == key)
            .values({c: sa.bindparam(f"new_{c}") for c in columns})
        )
        self.ended = (
            sa.update(contact)
            .where(contact.c.contact_id == key)
            .values(state=sa.bindparam("new_state"), settled_us=sa.bindparam("new_settled_us"))
        )
        self.add_messages = insert(message).on_conflict_do_nothing()
        self.owners = sa.select(message.c.message_id, message.c.contact_id).where(
            message.c.message_id.in_(keys)
        )
        self.parts = sa.select(message.c.contact_id, message.c.state, message.c.done_us).where(
            message.c.contact_id.in_(keys)
        )
        # The first final receipt of a part stands.
        self.part_done = (
            sa.update(message)
            .where(message.c.message_id == key, message.c.state == "")
            .values(state=sa.bindparam("new_state"), done_us=sa.bindparam("new_done_us"))
        )
        latest_us = sa.bindparam("new_latest_us", type_=sa.BigInteger)
        self.over = (
            sa.update(contact)
            .where(contact.c.contact_id == key, contact.c.latest_us > latest_us)
            .values(latest_us=latest_us)
        )
        self.clock_set = (
            sa.update(contact)
            .where(contact.c.counted, contact.c.latest_us >= sa.bindparam("from_us"))
            .where(contact.c.latest_us <= sa.bindparam("until_us"))
            .values(latest_us=contact.c.latest_us + sa.bindparam("by_us", type_=sa.BigInteger))
        )
        stop = insert(opt_out)
        self.opt_out = stop.on_conflict_do_update(
            index_elements=[opt_out.c.msisdn],
            set_={"since_us": stop.excluded.since_us, "originator": stop.excluded.originator},
            where=stop.excluded.since_us < opt_out.c.since_us,
        )
        self.orders = sa.select(order.c.order_id).where(order.c.order_id.in_(keys))
        self.add_order = sa.insert(order)
        self.order_done = (
            sa.update(order)
            .where(order.c.order_id == key, order.c.state == "open")
            .values(state=sa.bindparam("new_state"), answer=sa.bindparam("new_answer"))
        )
        self.confirmations = sa.select(confirmation.c.contact_id).where(confirmation.c.contact_id.in_(keys))
        self.add_confirmation = sa.insert(confirmation)
        self.confirmation_done = (
            sa.update(confirmation)
            .where(confirmation.c.contact_id == key)
            .values(state=sa.bindparam("new_state"), at_us=sa.bindparam("new_at_us"))
        )
        self.abandon_confirmations = (
            sa.update(confirmation).where(confirmation.c.state == "reserved").values(state="unknown")
        )
        said = insert(desk_answer)
        self.answer = said.on_conflict_do_update(
            index_elements=[desk_answer.c.contact_id],
            set_={name: said.excluded[name] for name in ("channel", "answer", "t_us")},
            where=desk_answer.c.answer == "think",
        )
        self.answers = sa.select(desk_answer.c.contact_id, desk_answer.c.answer).where(
            desk_answer.c.contact_id.in_(keys)
        )
        self.abandon = (
            sa.update(contact).where(contact.c.state == "reserved").values(state="unknown", reason="restart")
        )


def _insert(dialect: str) -> Callable[[sa.Table], Any]:
    """INSERT with ON CONFLICT, which SQL leaves to each database; only the one in use is loaded."""
    if dialect == "sqlite":
        from sqlalchemy.dialects.sqlite import insert
    else:
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]
    return insert
