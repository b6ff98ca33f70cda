"""Starting: everything that a configuration names, read and checked together, and lists put into the book."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from marketing.campaigns import Campaign, load_all, read_targets
from marketing.clock import Clock
from marketing.config import BossConfig, ClockConfig, ConfigError, PlatformConfig, Problem, StateConfig
from marketing.contact import NEVER, Kind, Policy, load_policy
from marketing.contact.ledger import Ledger, OrderWanted
from marketing.contact.schema import contact, message, opt_out, order
from marketing.effects import Conversations, SentContact
from marketing.effects.orders import boss_headers
from marketing.effects.two_way import check_codes
from marketing.engine import EngineState, Resumed, StateFolder
from marketing.expressions import CATALOGUE
from marketing.features import silence_of
from marketing.outputs import Origins, Outputs, load_origins
from marketing.profiles import DatedList, Profiles, load_cells, load_terminals, read_dated_list
from marketing.profiles.boss_query import BossQuery
from marketing.profiles.store import Told
from marketing.profiles.telling import told_by
from marketing.reloading import campaign_files, read_watched
from marketing.rules import catalogue_of
from marketing.workers import CountedAt, DividedHost, EngineHost, LocalHost, Settings

__all__ = [
    "Loaded",
    "Remembered",
    "Started",
    "counted_at",
    "enter_lists",
    "load",
    "load_started",
    "load_state",
    "make_clock",
    "open_engine",
    "open_query",
    "remembered",
    "restore",
    "resume",
    "schedule_groups",
]

log = logging.getLogger("marketing")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a configuration names, read and checked; no engine yet."""

    settings: Settings
    zone: ZoneInfo
    told: Told
    lists: tuple[DatedList, DatedList]
    """The policy's do-not-disturb list and control group."""
    origins: Origins
    """Where visitors come from."""


@dataclass(frozen=True, slots=True)
class Started:
    """A platform that has been told everything and has seen nothing."""

    state: EngineState
    zone: ZoneInfo
    told: Told
    lists: tuple[DatedList, DatedList]
    """The policy's do-not-disturb list and control group."""
    origins: Origins
    """Where visitors come from."""


def load_state(config: PlatformConfig) -> tuple[EngineState, ZoneInfo]:
    """State and zone alone; see `load_started`."""
    started = load_started(config)
    return started.state, started.zone


def load_started(config: PlatformConfig) -> Started:
    """The same with an engine in this process, whatever `workers` says; see `load`."""
    loaded = load(config)
    host = LocalHost(loaded.settings.engine(loaded.told.profiles))
    enter_lists(host, loaded.lists, loaded.told)
    return Started(host.state, loaded.zone, loaded.told, loaded.lists, loaded.origins)


def open_engine(config: PlatformConfig, loaded: Loaded) -> EngineHost:
    """The engine that has been told everything and has seen nothing: here, or in so many workers.

    Raises:
        WorkerLost, OSError: a worker could not be started.
    """
    profiles = loaded.told.profiles
    host: EngineHost
    if config.workers == 1:
        host = LocalHost(loaded.settings.engine(profiles))
    else:
        host = DividedHost(profiles, loaded.settings, config.workers)
    enter_lists(host, loaded.lists, loaded.told)
    return host


def load(config: PlatformConfig) -> Loaded:
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
    origins = attempt(partial(load_origins, config.origins))
    originators = file.marketing_originators if file else ()
    names = places.names if places else ()
    files = campaign_files(config.campaigns, config.campaigns_dir)
    catalogue = catalogue_of(told.profiles) if told is not None else CATALOGUE
    watched = partial(read_watched, folder=config.campaigns_dir)
    campaigns = attempt(
        lambda: load_all(files, originators=originators, places=names, catalogue=catalogue, read=watched)
    )
    named = (file.do_not_disturb.file, file.control_group.file) if file else ()
    lists = [attempt(partial(read_dated_list, path, file.timezone)) for path in named]
    policy = attempt(lambda: Policy.of(file)) if file is not None else None
    if file is not None and campaigns is not None:
        problems.extend(check_codes(config.channels.codes, file.marketing_originators, campaigns))
    if config.channels.desks and config.workers > 1:
        what = "one engine in this process: workers: 1"
        problems.append(Problem("the platform's configuration", 0, "channels.desks", "", f"expected {what}"))
    if problems or policy is None:
        raise ConfigError(problems)
    silence = config.silence
    silence_us = silence_of(silence.t3212_h, silence.periods, silence.margin_s) if silence is not None else 0
    reach = config.channels.names
    settings = Settings(places, tuple(campaigns), policy, terminals, silence_us, reach)
    return Loaded(settings, ZoneInfo(file.timezone), told, (lists[0], lists[1]), origins)


def enter_lists(engine: EngineHost, lists: tuple[DatedList, DatedList], told: Told) -> None:
    """Puts the lists into the book: the policy's dated ones, the imported one, and who lives in which zone.

    Who is on a list stays on it until the platform is started again: a date is only ever moved to earlier.
    """
    profiles = engine.profiles
    disturb_us, control_us = np.full(len(profiles), NEVER), np.full(len(profiles), NEVER)
    columns = ((disturb_us, lists[0]), (control_us, lists[1]), (disturb_us, told.do_not_disturb))
    for column, entries in columns:
        rows = profiles.rows_by_msisdn(entries.msisdn)
        np.minimum.at(column, rows[rows >= 0], entries.since_us[rows >= 0])
    zones = engine.policy.zones
    rows = profiles.rows_by_msisdn(zones.msisdn)
    engine.enter(disturb_us, control_us, rows[rows >= 0], zones.zone[rows >= 0])


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the ledger remembers of subscribers whom an extract knows and the one before it did not."""

    stops: list[int]
    """Rows."""
    contacts: list[CountedAt]
    """In the order in which they were decided."""


def remembered(ledger: Ledger, policy: Policy, profiles: Profiles, before: Profiles) -> Remembered:
    """Whoever comes back after a time outside the extract comes back with his stop code and his contacts."""
    fresh = profiles.mapping(before).old_of_new < 0
    if not fresh.any():
        return Remembered([], [])

    def row_of(msisdn: Any) -> int:
        at = profiles.row_of_msisdn(str(msisdn))
        return at if at >= 0 and fresh[at] else -1

    stops = [row_of(row["msisdn"]) for row in ledger.rows(opt_out)]
    found = []
    for row in ledger.rows(contact):
        at = row_of(row["msisdn"])
        if at >= 0:
            found.append((row["decided_us"], row["contact_id"], at, row))
    ordered = sorted(found, key=lambda one: one[:2])
    contacts = [counted_at(policy, at, row) for _, _, at, row in ordered]
    return Remembered([row for row in stops if row >= 0], contacts)


def counted_at(policy: Policy, at: int, row: Mapping[str, Any]) -> CountedAt:
    """A contact of the ledger as the book takes it, of the subscriber in a row of the extract."""
    latest_us = row["latest_us"] if policy.remembers else 0
    kind = Kind(policy.kind(row["originator"]).group, row["channels"])
    names = ("campaign", "period", "day", "ordinal", "counted", "decided_us")
    campaign, period, day, ordinal, counted, decided_us = (row[name] for name in names)
    return at, campaign, period, day, ordinal, counted, decided_us, latest_us, kind


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


LOCKSTEP_PATIENCE_S: Final = 25.0
"""Real seconds that an answer may take while the simulation stands still."""


def open_query(
    config: BossConfig, clock: Clock, transport: Any, on_fault: Callable[[str], None]
) -> BossQuery:
    """Who asks BOSS of accounts. In lockstep nothing of it hangs on real time: no answer ends the run."""
    if clock.mode != "lockstep":
        return BossQuery(config.url, config.query, transport, headers=boss_headers(config))
    patient = config.query.model_copy(update={"timeout_s": LOCKSTEP_PATIENCE_S})
    return BossQuery(
        config.url, patient, transport, lambda: clock.now_us() / 1e6, on_fault, boss_headers(config)
    )


def restore(ledger: Ledger, engine: EngineHost, conversations: Conversations) -> list[OrderWanted]:
    """Book and conversations as the ledger remembers them; returns the orders left open."""
    unknown = ledger.recover()
    if unknown:
        log.warning(
            "%d contacts were reserved when the last run ended: unknown, counted, never sent again", unknown
        )
    messages: dict[str, list[str]] = {}
    for row in ledger.rows(message, message.c.state == ""):
        messages.setdefault(row["contact_id"], []).append(row["message_id"])
    newest_us = 0
    contacts: list[CountedAt] = []
    for row in sorted(ledger.rows(contact), key=lambda r: (r["decided_us"], r["contact_id"])):
        at = engine.profiles.row_of_msisdn(str(row["msisdn"]))
        if at >= 0:
            contacts.append(counted_at(engine.policy, at, row))
            newest_us = row["decided_us"]
        if row["counted"]:
            sent = SentContact(
                row["contact_id"],
                row["campaign"],
                row["offer"],
                row["originator"],
                str(row["msisdn"]),
                row["channel"],
            )
            sent.decided_us = row["decided_us"]
            conversations.sent(sent, tuple(sorted(messages.get(row["contact_id"], ()))))
    stops = [engine.profiles.row_of_msisdn(str(row["msisdn"])) for row in ledger.rows(opt_out)]
    engine.remember([at for at in stops if at >= 0], contacts, newest_us // 1_000_000 - engine.policy.keep_s)
    conversations.ordered(row["order_id"] for row in ledger.rows(order))
    return [
        OrderWanted(row["order_id"], row["msisdn"], row["offer"], row["channel"], row["t_us"])
        for row in ledger.rows(order, order.c.state == "open")
    ]


def schedule_groups(
    engine: EngineHost, campaigns: Sequence[Campaign], clock: Clock, keys: ClockConfig
) -> None:
    """Sets the timers of those that send to a list at a set time."""
    day_1_us = clock.epoch_us if keys.epoch is not None else clock.now_us()
    for campaign in campaigns:
        if campaign.group is not None:
            unknown = engine.schedule_group(campaign, read_targets(campaign.group), day_1_us)
            if unknown:
                log.warning("%s: %d targets are unknown to the extract", campaign.campaign, unknown)


def resume(
    keys: StateConfig, engine: EngineHost, outputs: Outputs, now_us: int
) -> tuple[StateFolder, Resumed]:
    """Goes on with what the last run has learned, and says what nobody has seen since. Raises OSError."""
    folder = StateFolder(keys.dir, every_s=keys.every_s, sync_s=keys.sync_s, beside=outputs)
    resumed = folder.resume(engine)
    if resumed.last_us:
        unseen_s = max(0, now_us - resumed.last_us) / 1e6
        log.warning(
            "goes on with %d subscribers from %s and %d behaviours after it; nothing was seen in the "
            "%.1f s since %d us; %d triggers of that time are not sent any more",
            *(resumed.subscribers, resumed.snapshot or "nothing", resumed.replayed),
            *(unseen_s, resumed.last_us, resumed.not_sent),
        )
    return folder, resumed
