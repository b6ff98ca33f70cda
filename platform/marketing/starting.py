"""Starting: everything that a configuration names, read and checked together, and lists put into the book."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from marketing.campaigns import load_all
from marketing.config import ConfigError, PlatformConfig
from marketing.contact import Book, Policy, load_policy
from marketing.contact.ledger import Ledger
from marketing.contact.schema import contact, opt_out
from marketing.engine import EngineState, new_state
from marketing.profiles import DatedList, Profiles, load_cells, load_terminals, read_dated_list
from marketing.profiles.store import Told
from marketing.profiles.telling import told_by

__all__ = ["Remembered", "Started", "enter_lists", "load_started", "load_state", "remembered"]


@dataclass(frozen=True, slots=True)
class Started:
    """A platform that has been told everything and has seen nothing."""

    state: EngineState
    zone: ZoneInfo
    told: Told
    lists: tuple[DatedList, DatedList]
    """The policy's do-not-disturb list and control group."""


def load_state(config: PlatformConfig) -> tuple[EngineState, ZoneInfo]:
    """State and zone alone; see `load_started`."""
    started = load_started(config)
    return started.state, started.zone


def load_started(config: PlatformConfig) -> Started:
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
    told = attempt(lambda: told_by(config, file.timezone if file else "UTC"))
    terminals = attempt(partial(load_terminals, config.terminals)) if config.terminals is not None else None
    originators = file.marketing_originators if file else ()
    names = places.names if places else ()
    campaigns = attempt(lambda: load_all(config.campaigns, originators=originators, places=names))
    named = (file.do_not_disturb.file, file.control_group.file) if file else ()
    lists = [attempt(partial(read_dated_list, path, file.timezone)) for path in named]
    if problems:
        raise ConfigError(problems)
    book = Book.empty(len(told.profiles))
    state = new_state(told.profiles, places, campaigns, Policy.of(file), book, terminals=terminals)
    enter_lists(state, (lists[0], lists[1]), told)
    return Started(state, ZoneInfo(file.timezone), told, (lists[0], lists[1]))


def enter_lists(state: EngineState, lists: tuple[DatedList, DatedList], told: Told) -> None:
    """Puts the dated lists into the book: those of the policy, and the imported one.

    Who is on a list stays on it until the platform is started again: a date is only ever moved to earlier.
    """
    disturb_us, control_us = state.book.do_not_disturb_us, state.book.control_us
    columns = ((disturb_us, lists[0]), (control_us, lists[1]), (disturb_us, told.do_not_disturb))
    for column, entries in columns:
        rows = state.profiles.rows_by_msisdn(entries.msisdn)
        np.minimum.at(column, rows[rows >= 0], entries.since_us[rows >= 0])


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the ledger remembers of subscribers whom an extract knows and the one before it did not."""

    stops: list[tuple[int, int]]
    """(row, since)."""
    contacts: list[tuple[int, str, int, int, int, bool]]
    """As `Book.restore` takes them, in the order in which they were decided."""


def remembered(ledger: Ledger, profiles: Profiles, before: Profiles) -> Remembered:
    """Whoever comes back after a time outside the extract comes back with his stop code and his contacts."""
    fresh = profiles.mapping(before).old_of_new < 0
    if not fresh.any():
        return Remembered([], [])

    def row_of(msisdn: Any) -> int:
        at = profiles.row_of_msisdn(str(msisdn))
        return at if at >= 0 and fresh[at] else -1

    stops = [(row_of(row["msisdn"]), row["since_us"]) for row in ledger.rows(opt_out)]
    found = []
    for row in ledger.rows(contact):
        at = row_of(row["msisdn"])
        if at >= 0:
            counts = (at, row["campaign"], row["period"], row["day"], row["ordinal"], row["counted"])
            found.append((row["decided_us"], row["contact_id"], counts))
    return Remembered([one for one in stops if one[0] >= 0], [counts for _, _, counts in sorted(found)])
