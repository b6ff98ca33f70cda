"""What the other campaigns of a recorded run had sent, and who had asked them for peace.

Read from the run's own ledger, which is only read.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from experiments.problems import BadInput, relative

if TYPE_CHECKING:
    from marketing.campaigns import Campaign
    from marketing.config import PlatformConfig
    from marketing.engine import EngineState

__all__ = ["Moment", "Others", "read_others"]

_SQLITE: Final = "sqlite:///"
_CONTACTS: Final = """
    SELECT decided_us, campaign, msisdn, period, day, ordinal, counted, originator, channels, latest_us
    FROM contact WHERE counted AND campaign <> ? ORDER BY decided_us, contact_id
"""
_STOPS: Final = "SELECT since_us, msisdn FROM opt_out WHERE originator <> ? ORDER BY since_us, msisdn"


@dataclass(frozen=True, slots=True)
class Moment:
    """Facts of others that come in together."""

    at_us: int
    last: bool
    """After whatever happened at that instant; False: before it."""
    contacts: list[dict[str, Any]]
    """As the ledger has them."""
    stops: list[tuple[str, int]]
    """(MSISDN, since)."""

    def enter(self, state: EngineState) -> None:
        """Into the book, as the platform did it."""
        from marketing.starting import counted_at

        for contact in self.contacts:
            row = state.profiles.row_of_msisdn(str(contact["msisdn"]))
            if row >= 0:
                state.book.restore(*counted_at(state.policy, row, contact))
        for msisdn, _ in self.stops:
            row = state.profiles.row_of_msisdn(msisdn)
            if row >= 0:
                state.book.opt_out(row)


@dataclass(frozen=True, slots=True)
class Others:
    """All of one run."""

    moments: tuple[Moment, ...] = ()
    """In the order of time."""
    contacts: tuple[tuple[str, int], ...] = ()
    """(campaign, how many contacts of it count)."""


def read_others(config: PlatformConfig, campaign: Campaign) -> Others:
    """Contacts that count of all campaigns but this one's name, and stop codes sent to others' senders.

    Where another campaign decided at the very instant of a trigger, the one of higher priority, then value,
    goes first, as in the platform; one whose file is gone goes last.

    Raises:
        BadInput: the run has no ledger that can be read.
    """
    rows, stops = _read(config.ledger.url, campaign)
    first = _before(config, campaign)
    events: list[tuple[int, bool, Any]] = [
        (row["decided_us"], row["campaign"] not in first, row) for row in rows
    ]
    events += [(since_us, True, (str(msisdn), since_us)) for since_us, msisdn in stops]
    events.sort(key=lambda event: event[:2])
    return Others(tuple(_moments(events)), tuple(sorted(Counter(row["campaign"] for row in rows).items())))


# --------------------------------------------------------------------------- inside


def _moments(events: list[tuple[int, bool, Any]]) -> Iterator[Moment]:
    for (at_us, last), group in groupby(events, key=lambda event: event[:2]):
        facts = [fact for *_, fact in group]
        contacts = [fact for fact in facts if isinstance(fact, dict)]
        yield Moment(at_us, last, contacts, [fact for fact in facts if isinstance(fact, tuple)])


def _read(url: str, campaign: Campaign) -> tuple[list[dict[str, Any]], list[Any]]:
    help_ = "--alone plays the campaign as if no other had sent anything"
    if not url.startswith(_SQLITE):
        raise BadInput(f"the ledger of this run is in a database of its own and is not read; {help_}")
    path = Path(url.removeprefix(_SQLITE))
    if not path.is_file():
        raise BadInput(f"{relative(path)}: no such file, so what others sent is not known; {help_}")
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as ledger:
            found = ledger.execute(_CONTACTS, (campaign.campaign,))
            names = [column[0] for column in found.description]
            rows = [dict(zip(names, row, strict=True)) for row in found]
            return rows, ledger.execute(_STOPS, (campaign.originator,)).fetchall()
    except sqlite3.Error as error:
        raise BadInput(f"{relative(path)}: cannot be read as a ledger: {error}; {help_}") from None


def _before(config: PlatformConfig, campaign: Campaign) -> set[str]:
    """Campaigns of the run that are judged before this one at the same instant."""
    from marketing.campaigns import load
    from marketing.config import ConfigError
    from marketing.reloading import campaign_files

    mine, found = (-campaign.priority, -campaign.value, campaign.campaign), set()
    for path in campaign_files(config.campaigns, config.campaigns_dir):
        with contextlib.suppress(ConfigError, OSError):
            other = load(path)
            if (-other.priority, -other.value, other.campaign) < mine:
                found.add(other.campaign)
    return found
