"""The Parquet records of a run: which tables there are, what each column means, and how they are written.

Everything in a run directory that is a table is described here and written by `write`, so that a page can be
made from the directory alone and the same run gives the same bytes: rows are sorted by stated keys, no time
of writing and no library metadata go into the file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = ["DETERMINISTIC", "SCHEMA_VERSION", "TABLES", "Column", "TableSpec", "digest", "read", "write"]

SCHEMA_VERSION: Final = 1
"""Version of these tables, kept in the manifest; raised when a column changes its meaning."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    name: str
    type: pa.DataType
    doc: str
    """What it holds, with its unit."""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One kind of table."""

    name: str
    """File name without `.parquet`."""
    doc: str
    """What one row is."""
    columns: tuple[Column, ...]
    order: tuple[str, ...]
    """Columns that the rows are sorted by."""

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([pa.field(c.name, c.type, nullable=False) for c in self.columns])


_T = Column("t_us", pa.int64(), "Unix microseconds, UTC")
_SUB = Column("sub", pa.int32(), "index of the subscriber in the world")
_MSISDN = Column("msisdn", pa.string(), "E.164 number without plus")
_BEHAVIOUR: Final = (
    _T,
    Column("imsi", pa.uint64(), "value of the 15 digits; 0 = not known at the tap"),
    Column("kind", pa.uint8(), "code of the behaviour"),
    Column("role", pa.uint8(), "0 none, 1 caller or sender, 2 callee or receiver"),
    Column("lac", pa.uint16(), "location area code"),
    Column("ci", pa.uint16(), "cell identity"),
    Column("peer", pa.string(), "digits of the other number; empty = not known"),
    Column("cause", pa.uint8(), "cause value; 0 = none"),
    Column("duration_us", pa.int64(), "since CONNECT, microseconds; 0 = none"),
    Column("detail", pa.uint64(), "as the kind says: IMEI, SS code * 256 + operation, old LAC; 0 = none"),
    Column("corr", pa.uint32(), "correlation id of the completing message; 0 = none"),
)
_MOMENT: Final = (
    Column(
        "since_power_on_us", pa.int64(), "since the handset was switched on, microseconds; -1 = not that day"
    ),
    Column(
        "since_service_call_us", pa.int64(), "since the last call to a service line, microseconds; -1 = none"
    ),
    Column("place", pa.int16(), "index of the place; -1 = none"),
    Column("dwell_us", pa.int64(), "since arriving there, microseconds"),
    Column("local_second", pa.int32(), "second of the local day"),
    Column("at_cell", pa.int32(), "index of the cell where the handset was; -1 = not known"),
    Column("recent_contacts", pa.uint8(), "contacts in the days before"),
)
_CONTACT: Final = (
    _T,
    _SUB,
    _MSISDN,
    Column("source", pa.string(), "originator as the handset shows it"),
    Column("smsc_us", pa.int64(), "service centre time stamp, Unix microseconds"),
    Column("reference", pa.int32(), "concatenation reference; -1 = single message"),
)

TABLES: Final[dict[str, TableSpec]] = {
    spec.name: spec
    for spec in (
        TableSpec(
            "acts",
            "Truth: one act of a subscriber, whether or not the tap can see it",
            (
                Column("act", pa.int64(), "number of the act in this run"),
                _T,
                _SUB,
                Column("kind", pa.uint8(), "code of the act"),
                Column("peer_sub", pa.int32(), "the other subscriber; -1 = none in this world"),
                Column("peer_number", pa.string(), "digits of the other number"),
                Column("outcome", pa.string(), "how it ended"),
                Column("label", pa.string(), "what it is called"),
            ),
            ("t_us", "act", "sub", "kind"),
        ),
        TableSpec(
            "visible",
            "Truth: one act as the tap can see it",
            (
                *_BEHAVIOUR[:-1],
                Column("corr", pa.int64(), "number of the completing message; 32 bits are on the wire"),
                Column("act", pa.int64(), "number of the act it comes from"),
                Column("rule", pa.string(), "the rule that says what is visible of this kind, and when"),
            ),
            ("corr", "t_us", "imsi", "kind", "role"),
        ),
        TableSpec(
            "faults",
            "Truth: one thing done to a message on purpose, or to an association",
            (
                Column("t_us", pa.int64(), "Unix microseconds at which the message was due, or it began"),
                Column("kind", pa.uint8(), "code of the fault (sim.network.faults)"),
                Column("corr", pa.int64(), "number of the message; 0 = of an association"),
                Column("act", pa.int64(), "number of the act; -1 = of an association"),
                Column("by_us", pa.int64(), "how much later it comes, or how long it lasts, microseconds"),
                Column("detail", pa.int64(), "octets left; place << 8 | bits; reference; point code"),
            ),
            ("t_us", "corr", "kind", "detail"),
        ),
        TableSpec(
            "behaviours",
            "Platform: one behaviour it recognised",
            _BEHAVIOUR,
            ("corr", "t_us", "imsi", "kind", "role"),
        ),
        TableSpec(
            "parts",
            "Truth: one SMS-DELIVER, or multimedia message, that a handset received",
            (
                *_CONTACT,
                Column("part", pa.uint8(), "number of the part, from 1"),
                Column("parts", pa.uint8(), "parts of the message"),
                Column("text", pa.string(), "text of this part; of a link in the part that completes it"),
                Column("channel", pa.string(), "sms, wap: to the push port, mms: fetched after its notice"),
                Column("cell", pa.string(), "LAC-CI of the cell where the handset was; empty = not known"),
            ),
            ("t_us", "sub", "source", "reference", "part", "smsc_us"),
        ),
        TableSpec(
            "contacts",
            "Truth: one marketing message, whole, that a handset has shown",
            (
                *_CONTACT,
                Column("parts", pa.uint8(), "parts it came in"),
                Column("text", pa.string(), "the whole text"),
                Column("offer", pa.string(), "offer of the campaign with this originator"),
                *_MOMENT,
                Column("ordinal", pa.uint16(), "number of the contact among those with this offer, from 0"),
                Column("channel", pa.uint8(), "0 = sms, 1 = mms, 2 = wap"),
            ),
            ("t_us", "sub", "source", "reference"),
        ),
        TableSpec(
            "responses",
            "Truth: what one subscriber did about an offer",
            (
                _T,
                _SUB,
                Column("offer", pa.string(), "name of the offer"),
                Column("source", pa.string(), "contact or organic"),
                Column("reply", pa.string(), "text of the reply; empty = none"),
                Column("take_up", pa.bool_(), "wants the offer"),
                Column("complain", pa.bool_(), "complained"),
                Column("opt_out", pa.bool_(), "asked not to be contacted again"),
            ),
            ("t_us", "sub", "offer", "source"),
        ),
        TableSpec(
            "orders",
            "BOSS: one service opened, as the operator sees it",
            (
                _T,
                _MSISDN,
                Column("offer", pa.string(), "name of the offer"),
                Column("channel", pa.string(), "how the order came"),
                Column("order_id", pa.string(), "identity of the order"),
            ),
            ("t_us", "msisdn", "offer", "order_id"),
        ),
        TableSpec(
            "triggers",
            "Platform: one wish to contact, in its one final state",
            (
                Column("trigger_id", pa.string(), "identity"),
                Column("contact_id", pa.string(), "identity of the contact; empty = none reserved"),
                Column("campaign", pa.string(), "name of the campaign"),
                Column("imsi", pa.string(), "15 digits"),
                _MSISDN,
                _T,
                Column(
                    "corr",
                    pa.uint32(),
                    "correlation id of the message that completed it; 0 = a timer or a plan",
                ),
                Column("state", pa.string(), "sent, held, failed or suppressed"),
                Column("reason", pa.string(), "why, where it was not sent"),
                Column("held_until_us", pa.int64(), "Unix microseconds a policy held it to; 0 = not held"),
                Column("timer", pa.bool_(), "fired by a timer: a stay that lasted, a group's hour"),
                Column("decided_us", pa.int64(), "instant of the last decision, Unix microseconds"),
                Column("arm", pa.string(), "arm of the campaign's experiment; empty = it has none"),
            ),
            ("t_us", "trigger_id"),
        ),
        TableSpec(
            "outcomes",
            "Potential outcomes: one eligible subscriber in one arm",
            (
                _SUB,
                _MSISDN,
                Column("ordered", pa.bool_(), "has an order by the end, as the operator sees it"),
                Column("contacts", pa.uint16(), "marketing messages received"),
                Column("complaints", pa.uint16(), "complaints made"),
                Column("replay_share", pa.float64(), "share of replays with a take-up"),
            ),
            ("sub",),
        ),
        TableSpec(
            "pressure",
            "Compliance: one subscriber who might have been contacted",
            (_SUB, _MSISDN, Column("contacts", pa.uint16(), "marketing messages received")),
            ("sub",),
        ),
        TableSpec(
            "near_misses",
            "Compliance: one contact received, and one edge of one rule",
            (
                Column("rule", pa.string(), "as the audit names it"),
                Column("edge", pa.string(), "which edge of it (experiments.compliance.margins)"),
                Column("of", pa.string(), "which cap, hours or classes; empty = there is one"),
                Column("unit", pa.string(), "of the margin: us = microseconds, contacts, days"),
                _T,
                _MSISDN,
                Column("source", pa.string(), "originator"),
                Column("margin", pa.int64(), "how far from the edge; below zero = beyond it"),
            ),
            ("rule", "edge", "of", "t_us", "msisdn", "source"),
        ),
        TableSpec(
            "displaced",
            "Compliance: one trigger suppressed since contacts had taken its place",
            (
                Column("campaign", pa.string(), "name of the campaign whose trigger it was"),
                Column("imsi", pa.string(), "15 digits"),
                Column("decided_us", pa.int64(), "Unix microseconds"),
                Column("reason", pa.string(), "cap, gap or not_after"),
                Column("rule", pa.string(), "the cap in words, or the reason; empty = no such contact found"),
                Column("holders", pa.list_(pa.string()), "campaigns of the contacts that had its place"),
            ),
            ("decided_us", "campaign", "imsi"),
        ),
        TableSpec(
            "holds",
            "Compliance: one trigger that waited for closed hours to end",
            (
                Column("campaign", pa.string(), "name of the campaign"),
                _T,
                Column("due_us", pa.int64(), "end of the hours that it waited for, Unix microseconds"),
                Column("decided_us", pa.int64(), "last decision, Unix microseconds"),
                Column("state", pa.string(), "sent, held, failed or suppressed"),
                Column("reason", pa.string(), "why, where it was not sent"),
            ),
            ("t_us", "campaign", "decided_us"),
        ),
        TableSpec(
            "uplift_outcomes",
            "Uplift study: one eligible subscriber in one arm; times from midnight of day 1",
            (
                _SUB,
                Column("segment", pa.string(), "segment"),
                Column("role", pa.string(), "treated, control, held out; empty: nobody was divided"),
                Column("home_cell", pa.int32(), "index of the cell where they live"),
                Column("ordered", pa.bool_(), "took up an offer while campaigns ran"),
                Column("ordered_us", pa.int64(), "when first, microseconds; -1 = not"),
                Column("contacts", pa.int32(), "marketing messages received"),
                Column("first_contact_us", pa.int64(), "receipt of the first, microseconds; -1 = none"),
                Column("complaints", pa.int32(), "complaints made"),
                Column("opted_out", pa.bool_(), "asked for no more messages"),
                Column("cost", pa.float64(), "money of contacts submitted"),
                Column("value", pa.float64(), "money of orders"),
                Column("before", pa.float64(), "calls, texts and orders of the look-back"),
                Column("service_calls_before", pa.float64(), "calls to service lines of the look-back"),
                Column("switched_on_before", pa.float64(), "times switched on in the look-back"),
                Column("replay_share", pa.float64(), "share of replays with a take-up"),
            ),
            ("sub",),
        ),
        TableSpec(
            "uplift_contacts",
            "Uplift study: one contact of an eligible subscriber in one arm",
            (
                _SUB,
                Column("campaign", pa.string(), "name of the campaign"),
                Column("offer", pa.string(), "its offer"),
                Column("t_us", pa.int64(), "receipt, microseconds from midnight of day 1"),
                Column("ordinal", pa.int32(), "number among the person's contacts with this offer, from 0"),
                Column("recent_contacts", pa.int32(), "contacts in the days before"),
                Column("cell", pa.int32(), "index of the cell where it was read; -1 = not known"),
                Column("place", pa.int16(), "index of the place; -1 = none"),
                Column("p_take_up", pa.float64(), "the model's chance that it is taken up"),
                Column("p_organic", pa.float64(), "the model's chance of an order unasked until the end"),
            ),
            ("t_us", "sub", "campaign"),
        ),
        TableSpec(
            "eligible",
            "One subscriber of the eligible set, fixed before the run",
            (_SUB, Column("imsi", pa.string(), "15 digits"), _MSISDN),
            ("sub",),
        ),
        TableSpec(
            "people",
            "Truth: who one subscriber is; nothing of it is known to the platform but through the extract",
            (
                _SUB,
                Column("imsi", pa.string(), "15 digits"),
                _MSISDN,
                Column("home_plmn", pa.string(), "home network, MCC and MNC: five digits"),
                Column("segment", pa.string(), "segment"),
                Column("brand", pa.string(), "brand"),
                Column("tariff", pa.string(), "tariff plan"),
                Column("fitting_tariff", pa.string(), "cheapest plan of the brand for the usual spending"),
                Column("age", pa.uint8(), "years"),
                Column("arpu_yuan", pa.uint16(), "usual spending in a month, yuan"),
                Column("terminal", pa.string(), "maker and model of the handset on day 1"),
                Column("services", pa.list_(pa.string()), "services held"),
                Column("likes", pa.list_(pa.string()), "contents liked"),
                Column("places", pa.list_(pa.string()), "three kinds of places of contact, likeliest first"),
                Column("often_off", pa.bool_(), "often switches off by day"),
                Column("often_rejects", pa.bool_(), "often rejects calls"),
                Column("nightly_off", pa.bool_(), "usually switches off at night"),
                Column("complaint", pa.uint8(), "proneness to complain: 128 the middle, 42 a deviation"),
                Column("degree", pa.uint8(), "friends in this world"),
                Column("rivals", pa.uint8(), "friends in the competitor's network"),
                Column("start_day", pa.uint16(), "day (from 0) of first switching on, 0: always a customer"),
                Column("leave_day", pa.uint16(), "day (from 0) from which off for ever, 65535: none"),
            ),
            ("sub",),
        ),
        TableSpec(
            "planted",
            "Truth: one figure that people were drawn by and that analysis may find again",
            (
                Column("kind", pa.string(), "share, mean, median, lift, a kind of correlation, parameter"),
                Column("segment", pa.string(), "segment; empty: the whole world, or any segment"),
                Column("a", pa.string(), "trait, service, content or parameter"),
                Column("b", pa.string(), "the other of two; empty where there is none"),
                Column("value", pa.float64(), "the figure"),
            ),
            ("kind", "segment", "a", "b"),
        ),
        TableSpec(
            "sends",
            "Live phase: one signalling message, planned and sent; those of deliveries woven in come last",
            (
                Column("corr", pa.uint32(), "correlation id"),
                Column("t_intended_ns", pa.int64(), "when it was to be sent, since the phase began"),
                Column(
                    "t_sent_ns", pa.int64(), "when it was handed to the association, since the phase began"
                ),
            ),
            ("corr",),
        ),
        TableSpec(
            "latencies",
            "Live phase: one trigger from its message to its SMS",
            (
                Column("contact_id", pa.string(), "identity of the contact"),
                Column("campaign", pa.string(), "name of the campaign"),
                Column("corr", pa.uint32(), "message that completed it"),
                Column("t_intended_ns", pa.int64(), "planned send of that message, since the phase began"),
                Column("t_sent_ns", pa.int64(), "its actual send"),
                Column("t_arrived_ns", pa.int64(), "arrival of the first submit_sm at the SMSC"),
                Column("latency_ns", pa.int64(), "arrival minus planned send"),
                Column("wire_ns", pa.int64(), "platform's stamp: actual send to socket read; -1 = no stamp"),
                Column("decode_ns", pa.int64(), "platform's stamp: socket read to behaviour; -1 = no stamp"),
                Column("decide_ns", pa.int64(), "platform's stamp: behaviour to decision; -1 = no stamp"),
                Column("submit_ns", pa.int64(), "decision to arrival at the SMSC; -1 = no stamp"),
            ),
            ("t_intended_ns", "contact_id"),
        ),
        TableSpec(
            "stages",
            "Open-loop phase: one trigger that was sent, when it passed each stage; since the phase began, "
            "-1 = no stamp",
            (
                Column("contact_id", pa.string(), "identity of the contact"),
                Column("campaign", pa.string(), "name of the campaign"),
                Column("corr", pa.uint32(), "message that completed it; 0 = none"),
                Column(
                    "timer",
                    pa.bool_(),
                    "fired by a timer, which is what t_intended_ns and t_sent_ns are then",
                ),
                Column(
                    "hold_ns",
                    pa.int64(),
                    "so long the policy held it, up to the release, which t_intended_ns and t_sent_ns are "
                    "then; 0 = not held",
                ),
                Column("t_intended_ns", pa.int64(), "planned send of that message"),
                Column("t_sent_ns", pa.int64(), "its actual send"),
                Column("t_received_ns", pa.int64(), "the platform read the socket"),
                Column("t_decoded_ns", pa.int64(), "the platform knew the behaviour"),
                Column("t_matched_ns", pa.int64(), "the rule fired"),
                Column("t_decided_ns", pa.int64(), "the policy passed it"),
                Column("t_submitted_ns", pa.int64(), "the channel had accepted it"),
                Column("t_arrived_ns", pa.int64(), "first submit_sm at the SMSC, on the generator's clock"),
                Column("t_delivered_ns", pa.int64(), "the handset had it, by the simulated network"),
            ),
            ("t_intended_ns", "contact_id"),
        ),
        TableSpec(
            "probes",
            "Capacity: one phase at one rate, in the order in which they were made",
            (
                Column("number", pa.int32(), "from 0"),
                Column("workers", pa.int32(), "engines of the platform"),
                Column("subscribers", pa.int64(), "people of the world"),
                Column("why", pa.string(), "bracket, halve, again, confirm, prove; run: below the knee"),
                Column("rate_per_s", pa.float64(), "messages a second, offered"),
                Column("seconds", pa.float64(), "length of the phase"),
                Column("outcome", pa.string(), "held, broken, generator or too_few"),
                Column("broke", pa.string(), "what broke, with blanks between; empty: nothing"),
                Column("messages", pa.int64(), "of the schedule"),
                Column("triggers", pa.int64(), "expected"),
                Column("p50_ms", pa.float64(), "trigger latency from the planned send; NaN = too few"),
                Column("p99_ms", pa.float64(), "the same"),
                Column("max_ms", pa.float64(), "the same"),
                Column("late", pa.int64(), "triggers later than the level allows"),
                Column("lost", pa.int64(), "triggers that never arrived"),
                Column("wrong", pa.int64(), "triggers that should not have come"),
                Column("lagging_share", pa.float64(), "messages sent late by the generator's own doing"),
                Column("others_share", pa.float64(), "processors used by other programs meanwhile"),
                Column("others_generator", pa.float64(), "of the generator's; NaN = bound to none"),
                Column("others_platform", pa.float64(), "of the platform's; NaN = bound to none"),
                Column(
                    "cost_us", pa.float64(), "processor time of the platform a message; NaN = not measured"
                ),
                Column("memory_mib", pa.float64(), "resident memory of the platform; NaN = not measured"),
            ),
            ("number",),
        ),
        TableSpec(
            "wakes",
            "Open-loop phase: the generator's loop in a tenth of a second; the worst of each",
            (
                Column("at_ns", pa.int64(), "beginning of the slot, since the phase began"),
                Column("woken", pa.int32(), "how often it was woken from sleep"),
                Column("late_ns", pa.int64(), "so much later than asked for it was woken"),
                Column("turn_ns", pa.int64(), "so long one turn of its own took"),
                Column("kept_ns", pa.int64(), "so long of a turn it stood in a send to the association"),
            ),
            ("at_ns",),
        ),
    )
}
"""Name of the table -> its description."""

DETERMINISTIC: Final = (
    "acts",
    "visible",
    "behaviours",
    "parts",
    "contacts",
    "responses",
    "orders",
    "triggers",
)
"""Tables of a lockstep arm that are the same, byte for byte, whenever scenario and seed are."""


def write(path: Path, name: str, columns: Mapping[str, Any]) -> int:
    """Writes one table whole or not at all; the number of rows.

    Args:
        path: The file.
        name: Which table of `TABLES` it is.
        columns: A sequence or array for each column of that table.

    Raises:
        ValueError: a column is missing, unknown, of another length, or holds what its type cannot.
    """
    spec = TABLES[name]
    given, wanted = set(columns), {c.name for c in spec.columns}
    if given != wanted:
        raise ValueError(f"table {name}: missing {sorted(wanted - given)}, unknown {sorted(given - wanted)}")
    arrays = [_array(columns[c.name], c.type) for c in spec.columns]
    table = pa.Table.from_arrays(arrays, schema=spec.schema)
    table = table.take(pc.sort_indices(table, sort_keys=[(key, "ascending") for key in spec.order]))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    pq.write_table(table, partial, compression="zstd", compression_level=3, store_schema=False, version="2.6")
    os.replace(partial, path)
    return int(table.num_rows)


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.Array):
        return values.cast(kind)
    if isinstance(values, np.ndarray) and values.dtype.kind == "S" and pa.types.is_string(kind):
        return pc.cast(pa.array(values, type=pa.binary()), pa.string())
    return pa.array(values, type=kind)


def read(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Reads a table of a run.

    Raises:
        FileNotFoundError: there is none.
    """
    return pq.read_table(path, columns=None if columns is None else list(columns))


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
