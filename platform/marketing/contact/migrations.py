"""How a ledger's database came to be what it is: numbered steps, in SQL that SQLite and PostgreSQL both read.

A step that has been released never changes. A database is brought up to date in one transaction; one that a
newer platform has written is left alone.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from marketing.contact.schema import schema_version

__all__ = ["MIGRATIONS", "NewerError", "migrate"]

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    # 1: contacts, the parts of messages, the latest contact of each subscriber, stop codes, orders.
    (
        """CREATE TABLE contact (
            contact_id VARCHAR(16) NOT NULL PRIMARY KEY,
            trigger_id VARCHAR(16) NOT NULL,
            campaign VARCHAR(60) NOT NULL,
            originator VARCHAR(20) NOT NULL,
            offer VARCHAR(60) NOT NULL,
            imsi BIGINT NOT NULL,
            msisdn BIGINT NOT NULL,
            period INTEGER NOT NULL,
            day INTEGER NOT NULL,
            ordinal INTEGER NOT NULL,
            decided_us BIGINT NOT NULL,
            valid_until_us BIGINT NOT NULL,
            state VARCHAR(10) NOT NULL,
            counted BOOLEAN NOT NULL,
            reason VARCHAR(60) NOT NULL,
            parts INTEGER NOT NULL,
            submitted_us BIGINT NOT NULL,
            settled_us BIGINT NOT NULL
        )""",
        "CREATE INDEX contact_by_subscriber ON contact (imsi, period)",
        """CREATE TABLE message (
            message_id VARCHAR(65) NOT NULL PRIMARY KEY,
            contact_id VARCHAR(16) NOT NULL,
            part INTEGER NOT NULL,
            state VARCHAR(10) NOT NULL
        )""",
        "CREATE INDEX message_by_contact ON message (contact_id)",
        """CREATE TABLE last_contact (
            imsi BIGINT NOT NULL PRIMARY KEY,
            contact_id VARCHAR(16) NOT NULL,
            campaign VARCHAR(60) NOT NULL,
            at_us BIGINT NOT NULL
        )""",
        """CREATE TABLE opt_out (
            msisdn BIGINT NOT NULL PRIMARY KEY,
            since_us BIGINT NOT NULL,
            originator VARCHAR(20) NOT NULL
        )""",
        """CREATE TABLE service_order (
            order_id VARCHAR(16) NOT NULL PRIMARY KEY,
            msisdn BIGINT NOT NULL,
            offer VARCHAR(60) NOT NULL,
            channel VARCHAR(10) NOT NULL,
            t_us BIGINT NOT NULL,
            state VARCHAR(10) NOT NULL,
            answer VARCHAR(200) NOT NULL
        )""",
    ),
    # 2: rolling windows, gaps, caps by channel: when a contact cannot be received any more, how it may go.
    (
        "ALTER TABLE contact ADD COLUMN latest_us BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE contact ADD COLUMN channels INTEGER NOT NULL DEFAULT 1",
        # A minute is how long an attempt was allowed to take that began while the message was valid.
        """UPDATE contact SET latest_us = CASE
            WHEN state IN ('delivered', 'expired') AND settled_us > 0 THEN settled_us
            ELSE valid_until_us + 60000000 END""",
        "ALTER TABLE message ADD COLUMN done_us BIGINT NOT NULL DEFAULT 0",
        """UPDATE message SET done_us = (
            SELECT settled_us FROM contact WHERE contact.contact_id = message.contact_id
        ) WHERE state <> '' AND contact_id IN (SELECT contact_id FROM contact)""",
    ),
    # 3: by which channel a contact goes, what is said once an order has been opened, what was said at desks.
    (
        "ALTER TABLE contact ADD COLUMN channel VARCHAR(12) NOT NULL DEFAULT 'sms'",
        # Names of channels have become longer, and SQLite cannot widen a column.
        "ALTER TABLE service_order RENAME COLUMN channel TO channel_10",
        "ALTER TABLE service_order ADD COLUMN channel VARCHAR(12) NOT NULL DEFAULT 'sms'",
        "UPDATE service_order SET channel = channel_10",
        "ALTER TABLE service_order DROP COLUMN channel_10",
        """CREATE TABLE confirmation (
            contact_id VARCHAR(16) NOT NULL PRIMARY KEY,
            msisdn BIGINT NOT NULL,
            campaign VARCHAR(60) NOT NULL,
            state VARCHAR(10) NOT NULL,
            at_us BIGINT NOT NULL
        )""",
        """CREATE TABLE desk_answer (
            contact_id VARCHAR(16) NOT NULL PRIMARY KEY,
            msisdn BIGINT NOT NULL,
            channel VARCHAR(12) NOT NULL,
            answer VARCHAR(10) NOT NULL,
            t_us BIGINT NOT NULL
        )""",
    ),
    # 4: budgets of campaigns; a budget's row is counted from the contacts when it is first asked for.
    (
        "CREATE INDEX contact_by_campaign ON contact (campaign, decided_us)",
        """CREATE TABLE campaign_budget (
            campaign VARCHAR(60) NOT NULL,
            from_us BIGINT NOT NULL,
            until_us BIGINT NOT NULL,
            taken BIGINT NOT NULL,
            PRIMARY KEY (campaign, from_us, until_us)
        )""",
    ),
)


class NewerError(Exception):
    """The database was written by a platform that knows more; the message says which versions."""


def migrate(connection: sa.Connection) -> int:
    """Brings the database up to date, in the transaction that is open; returns from which version.

    Raises:
        NewerError: it is of a version that is not known here.
    """
    version = _version(connection)
    if version > len(MIGRATIONS):
        raise NewerError(
            f"it is of version {version}, written by a newer platform; this one knows up to "
            f"{len(MIGRATIONS)}. Use the newer platform, or another database"
        )
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.exec_driver_sql(statement)
    if version < len(MIGRATIONS):
        schema_version.create(connection, checkfirst=True)
        connection.execute(sa.delete(schema_version))
        connection.execute(sa.insert(schema_version).values(version=len(MIGRATIONS)))
    return version


def _version(connection: sa.Connection) -> int:
    tables = sa.inspect(connection)
    if tables.has_table(schema_version.name):
        return int(connection.execute(sa.select(schema_version.c.version)).scalar_one())
    # Before versions were written down there was the first.
    return 1 if tables.has_table("contact") else 0
