"""From a configuration to a state that can run: files read and checked together, the ledger's memory put back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from marketing.campaigns import load_all
from marketing.clock import Clock
from marketing.config import ClockConfig, ConfigError, PlatformConfig
from marketing.contact import Book, Policy, load_policy
from marketing.contact.ledger import Ledger, OrderWanted
from marketing.contact.schema import contact, message, opt_out, order
from marketing.effects import Conversations, SentContact
from marketing.engine import EngineState, new_state
from marketing.expressions import CATALOGUE
from marketing.features import silence_of
from marketing.profiles import Profiles, load_cells, load_extract, load_terminals, read_dated_list
from marketing.profiles.segments import load_segments
from marketing.profiles.store import told_at_start
from marketing.reloading import campaign_files
from marketing.rules import catalogue_of

__all__ = ["load_state", "make_clock", "restore"]

log = logging.getLogger("marketing")


def load_state(config: PlatformConfig) -> tuple[EngineState, ZoneInfo]:
    """Everything the configuration names, read and checked together.

    Raises:
        ConfigError: with every problem of every file.
    """
    problems: list[Any] = []

    def attempt(read: Callable[[], Any]) -> Any:
        try:
            return read()
        except ConfigError as error:
            problems.extend(error.problems)
            return None

    file = attempt(lambda: load_policy(config.policy))
    places = attempt(lambda: load_cells(config.cells))
    extract = attempt(lambda: load_extract(config.subscribers))
    segments = attempt(partial(load_segments, config.segments)) if config.segments is not None else None
    told = attempt(lambda: told_at_start(extract, config.lists, segments[0] if segments else None)) if extract is not None else None
    profiles: Any = told.profiles if told is not None else None
    terminals = attempt(partial(load_terminals, config.terminals)) if config.terminals is not None else None
    originators = file.marketing_originators if file else ()
    names = places.names if places else ()
    catalogue = catalogue_of(profiles) if profiles is not None else CATALOGUE
    files = campaign_files(config.campaigns, config.campaigns_dir)
    campaigns = attempt(lambda: load_all(files, originators=originators, places=names, catalogue=catalogue))
    named = (file.do_not_disturb.file, file.control_group.file) if file else ()
    lists = [attempt(partial(read_dated_list, path, file.timezone)) for path in named]
    if problems:
        raise ConfigError(problems)
    book = Book.empty(len(profiles))
    for column, entries in zip((book.do_not_disturb_us, book.control_us), lists, strict=True):
        _enter(profiles, column, entries)
    silence = config.silence
    silence_us = silence_of(silence.t3212_h, silence.periods, silence.margin_s) if silence is not None else 0
    state = new_state(
        profiles, places, campaigns, Policy.of(file), book, terminals=terminals, silence_us=silence_us
    )
    return state, ZoneInfo(file.timezone)


def _enter(profiles: Profiles, column: Any, entries: list[tuple[int, int]]) -> None:
    if entries:
        rows = profiles.rows_by_msisdn([msisdn for msisdn, _ in entries])
        since_us = np.array([since for _, since in entries], dtype=np.int64)
        np.minimum.at(column, rows[rows >= 0], since_us[rows >= 0])


def make_clock(config: ClockConfig, zone: ZoneInfo) -> Clock:
    """The configured clock; an epoch without an offset is local to the policy's zone."""
    epoch_us = 0
    if config.epoch is not None:
        epoch = config.epoch if config.epoch.tzinfo is not None else config.epoch.replace(tzinfo=zone)
        since = epoch.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        epoch_us = round(since.total_seconds() * 1e6)
    shown_us = epoch_us + round(config.start_s * 1e6) if config.mode == "live" else epoch_us
    origin_ns = time.monotonic_ns() if config.origin_ns is None else config.origin_ns
    return Clock(config.mode, shown_us, config.factor, origin_ns)


def restore(ledger: Ledger, state: EngineState, conversations: Conversations) -> list[OrderWanted]:
    """Book and conversations as the ledger remembers them; returns the orders left open."""
    unknown = ledger.recover()
    if unknown:
        log.warning(
            "%d contacts were reserved when the last run ended: unknown, counted, never sent again", unknown
        )
    messages: dict[str, list[str]] = {}
    for row in ledger.rows(message, message.c.state == ""):
        messages.setdefault(row["contact_id"], []).append(row["message_id"])
    for row in sorted(ledger.rows(contact), key=lambda r: (r["decided_us"], r["contact_id"])):
        at = state.profiles.row_of_msisdn(str(row["msisdn"]))
        if at >= 0:
            known = row["campaign"], row["period"], row["day"], row["ordinal"], row["counted"]
            state.book.restore(at, *known, row["decided_us"])
        if row["counted"]:
            sent = SentContact(
                row["contact_id"], row["campaign"], row["offer"], row["originator"], str(row["msisdn"])
            )
            conversations.sent(sent, tuple(sorted(messages.get(row["contact_id"], ()))))
    for row in ledger.rows(opt_out):
        at = state.profiles.row_of_msisdn(str(row["msisdn"]))
        if at >= 0:
            state.book.opt_out(at, row["since_us"])
    return [
        OrderWanted(row["order_id"], row["msisdn"], row["offer"], row["channel"], row["t_us"])
        for row in ledger.rows(order, order.c.state == "open")
    ]
