"""The ledger's tables as they are now, and which state of a contact may follow which.

A change here needs a step in `marketing.contact.migrations` that makes it of what there was.
"""

from __future__ import annotations

from typing import Final, Literal

import sqlalchemy as sa

__all__ = [
    "TRANSITIONS",
    "ContactState",
    "budget",
    "confirmation",
    "contact",
    "desk_answer",
    "last_contact",
    "message",
    "metadata",
    "opt_out",
    "order",
    "schema_version",
]

ContactState = Literal["reserved", "submitted", "delivered", "expired", "failed", "unknown"]

TRANSITIONS: Final[dict[ContactState, tuple[ContactState, ...]]] = {
    "reserved": ("submitted", "failed", "unknown"),
    "submitted": ("delivered", "expired", "failed", "unknown"),
    "unknown": ("delivered", "expired", "failed"),  # a late receipt tells after all; never sent again
    "delivered": (),
    "expired": (),
    "failed": (),
}
"""State -> states that may follow. Whether a contact counts against the cap is a column of its own: only a
reservation that was refused before it left counts no more."""

metadata: Final = sa.MetaData()

# One row: which of `marketing.contact.migrations` have been applied.
schema_version: Final = sa.Table("schema_version", metadata, sa.Column("version", sa.Integer, nullable=False))

contact: Final = sa.Table(
    "contact",
    metadata,
    sa.Column("contact_id", sa.String(16), primary_key=True),
    sa.Column("trigger_id", sa.String(16), nullable=False),
    sa.Column("campaign", sa.String(60), nullable=False),
    sa.Column("originator", sa.String(20), nullable=False),
    sa.Column("offer", sa.String(60), nullable=False),
    sa.Column("imsi", sa.BigInteger, nullable=False),
    sa.Column("msisdn", sa.BigInteger, nullable=False),
    sa.Column("period", sa.Integer, nullable=False),  # local calendar month, year x 100 + month
    sa.Column("day", sa.Integer, nullable=False),  # local calendar day, proleptic ordinal
    sa.Column("ordinal", sa.Integer, nullable=False),  # among this campaign's to this subscriber this month
    sa.Column("decided_us", sa.BigInteger, nullable=False),
    sa.Column("valid_until_us", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("counted", sa.Boolean, nullable=False),
    sa.Column("reason", sa.String(60), nullable=False),
    sa.Column("parts", sa.Integer, nullable=False),
    sa.Column("submitted_us", sa.BigInteger, nullable=False),
    sa.Column("settled_us", sa.BigInteger, nullable=False),
    sa.Column("latest_us", sa.BigInteger, nullable=False),  # it cannot be received later
    sa.Column("channels", sa.Integer, nullable=False),  # mask of that by which it goes; older rows: may
    sa.Column("channel", sa.String(12), nullable=False),  # the one by which it goes
    sa.Index("contact_by_subscriber", "imsi", "period"),
    sa.Index("contact_by_campaign", "campaign", "decided_us"),
)

# How many contacts of a campaign count that were decided within a period: what is asked of a budget. It
# could be counted anew each time; a group of reservations would take longer the more there are.
budget: Final = sa.Table(
    "campaign_budget",
    metadata,
    sa.Column("campaign", sa.String(60), primary_key=True),
    sa.Column("from_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("until_us", sa.BigInteger, primary_key=True, autoincrement=False),  # not included
    sa.Column("taken", sa.BigInteger, nullable=False),
)

message: Final = sa.Table(
    "message",
    metadata,
    sa.Column("message_id", sa.String(65), primary_key=True),  # the message centre's, SMPP 3.4 5.2.23
    sa.Column("contact_id", sa.String(16), nullable=False),
    sa.Column("part", sa.Integer, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),  # empty until a final receipt
    sa.Column("done_us", sa.BigInteger, nullable=False),  # when that said it ended; 0 = not yet
    sa.Index("message_by_contact", "contact_id"),
)

# One row a subscriber, whatever the month: gaps between contacts must hold over a month's end too.
last_contact: Final = sa.Table(
    "last_contact",
    metadata,
    sa.Column("imsi", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("contact_id", sa.String(16), nullable=False),
    sa.Column("campaign", sa.String(60), nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
)

opt_out: Final = sa.Table(
    "opt_out",
    metadata,
    sa.Column("msisdn", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("since_us", sa.BigInteger, nullable=False),
    sa.Column("originator", sa.String(20), nullable=False),  # where the stop code was sent
)

# Orders to be opened at BOSS, kept until their outcome is known.
order: Final = sa.Table(
    "service_order",
    metadata,
    sa.Column("order_id", sa.String(16), primary_key=True),  # the contact id: one contact orders once
    sa.Column("msisdn", sa.BigInteger, nullable=False),
    sa.Column("offer", sa.String(60), nullable=False),
    sa.Column("t_us", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),  # open, done, refused
    sa.Column("answer", sa.String(200), nullable=False),
    sa.Column("channel", sa.String(12), nullable=False),
)

# What is said once an order has been opened: once at most, so what may have left is not said again.
confirmation: Final = sa.Table(
    "confirmation",
    metadata,
    sa.Column("contact_id", sa.String(16), primary_key=True),  # of the contact that was answered by the order
    sa.Column("msisdn", sa.BigInteger, nullable=False),
    sa.Column("campaign", sa.String(60), nullable=False),
    sa.Column(
        "state", sa.String(10), nullable=False
    ),  # waiting, reserved, submitted, failed, unknown, suppressed
    sa.Column("at_us", sa.BigInteger, nullable=False),  # waiting: when it is due; else since when it is so
)

# What customers have said at a desk about an offer.
desk_answer: Final = sa.Table(
    "desk_answer",
    metadata,
    sa.Column("contact_id", sa.String(16), primary_key=True),
    sa.Column("msisdn", sa.BigInteger, nullable=False),
    sa.Column("channel", sa.String(12), nullable=False),
    sa.Column("answer", sa.String(10), nullable=False),  # accept, refuse, think
    sa.Column("t_us", sa.BigInteger, nullable=False),
)
