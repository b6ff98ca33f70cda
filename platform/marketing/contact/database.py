"""The ledger's database: how it is opened so that what is committed is on the disk."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from marketing.contact.migrations import NewerError, migrate

__all__ = ["LedgerError", "connect"]

CONNECT_S: Final = 10
"""How long PostgreSQL may take to answer."""


WRITERS: Final = 0x4B41_4952
"""PostgreSQL's advisory lock that a transaction of a ledger holds."""


class LedgerError(Exception):
    """The ledger cannot be opened or written; nothing may be sent."""


def connect(url: str) -> sa.Engine:
    """A database that is there and up to date; its connections are durable.

    Raises:
        LedgerError: it cannot be opened, or a newer platform has written it.
    """
    shown = url
    try:
        parsed = sa.make_url(url)
        shown = parsed.render_as_string(hide_password=True)
        engine = _engine(parsed)
    except sa.exc.SQLAlchemyError as error:
        raise LedgerError(f"cannot open the ledger {shown}: {error}") from None
    except ImportError as error:
        raise LedgerError(
            f"cannot open the ledger {shown}: {error}; PostgreSQL needs the extra `postgres` of this package"
        ) from None
    try:
        with engine.begin() as connection:
            migrate(connection)
    except (NewerError, sa.exc.SQLAlchemyError) as error:
        engine.dispose()
        raise LedgerError(f"cannot open the ledger {shown}: {error.__cause__ or error}") from None
    return engine


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "postgresql":
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        # A commit that has returned survives a crash, whatever the server's default is.
        options = {"connect_timeout": CONNECT_S, "options": "-c synchronous_commit=on"}
        engine = sa.create_engine(url, connect_args=options, pool_size=1)
        # One writer after another, as SQLite has it: two that count at once would both find room.
        sa.event.listen(
            engine, "begin", lambda one: one.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS})")
        )
        return engine
    engine = sa.create_engine(url)
    sa.event.listen(engine, "connect", _sqlite_connected)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _sqlite_connected(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
