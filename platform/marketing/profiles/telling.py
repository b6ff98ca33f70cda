"""What a configuration tells the platform at its start, and the doors by which more is told while it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from marketing.config import ConfigError, ImportsConfig, PlatformConfig, Problem
from marketing.profiles.loading import Limits, load_extract
from marketing.profiles.reading import Unusable
from marketing.profiles.segments import check_segments, load_segments
from marketing.profiles.store import Store, StoreFull, Told, told_at_start
from marketing.profiles.watch import Watch

__all__ = ["Imports", "open_imports", "told_by"]

log = logging.getLogger("marketing.imports")


@dataclass(frozen=True, slots=True)
class Imports:
    """The store of a running platform, watched."""

    store: Store
    watch: Watch
    largest: int
    """Octets of one upload."""


def told_by(config: PlatformConfig, zone: str) -> Told:
    """The extract, lists and segments that a configuration names, and over them what was imported.

    Raises:
        ConfigError: with every problem of the first of these that cannot be used.
    """
    profiles = load_extract(config.subscribers)
    segments = None
    if config.segments is not None:
        segments, document = load_segments(config.segments)
        try:
            check_segments(segments, document, profiles, frozenset())
        except ConfigError as error:
            # An extract without anybody of a segment is no mistake; a misspelt segment would look like it.
            for problem in error.problems:
                log.warning("%s", problem)
    told = told_at_start(profiles, config.lists, segments)
    if config.imports is None:
        return told
    try:
        return _store(config.imports, zone).load(told)
    except (Unusable, StoreFull) as error:
        raise ConfigError([Problem(str(config.imports.dir), 0, "imports.dir", "", str(error))]) from None


def open_imports(config: ImportsConfig, zone: str, told: Told, on_change: Callable[[Told], None]) -> Imports:
    """The store and its watch, not yet started; `on_change` is called on the watch's thread.

    Raises:
        ConfigError: the store cannot be made.
    """
    try:
        store = _store(config, zone)
        watch = Watch(store, told, on_change, config.poll_s)
    except StoreFull as error:
        raise ConfigError([Problem(str(config.dir), 0, "imports.dir", "", str(error))]) from None
    return Imports(store, watch, config.largest_mb << 20)


def _store(config: ImportsConfig, zone: str) -> Store:
    return Store(config.dir, zone, Limits(config.bad_share, config.encoding))
