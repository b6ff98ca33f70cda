"""Campaign files read and checked: each by itself, then all that run together against each other."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from marketing.campaigns.campaign import LAST_DAY, Campaign, Group
from marketing.campaigns.condition import in_use, using
from marketing.config import ConfigError, Document, KeyPath, Problem, read_model, suggest
from marketing.expressions import CATALOGUE, Catalogue, Domain, impossible
from marketing.profiles.plain_csv import plain_csv

__all__ = ["Target", "load", "load_all", "read_all", "read_numbers", "read_targets"]


_DAY: Final = re.compile("[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Target:
    """One row of a group campaign's list."""

    msisdn: str
    day: int


def read_targets(group: Group) -> list[Target]:
    """The list of a group campaign, in the file's order.

    Raises:
        ConfigError: with every bad row (the first hundred).
    """
    targets: list[Target] = []
    problems: list[Problem] = []
    name = str(group.targets)
    with plain_csv(group.targets) as rows:
        header = rows.fieldnames or []
        if "msisdn" not in header:
            raise ConfigError([Problem(name, 1, "", ",".join(header), "expected the header msisdn,day")])
        for row in rows:
            msisdn, day = (row.get("msisdn") or "").strip(), (row.get("day") or "").strip()
            if not _is_number(msisdn):
                problems.append(
                    Problem(name, rows.line_num, "msisdn", repr(msisdn), "expected 5 to 15 digits")
                )
            elif day and not (_DAY.fullmatch(day) and 1 <= int(day) <= LAST_DAY):
                problems.append(
                    Problem(
                        name,
                        rows.line_num,
                        "day",
                        repr(day),
                        f"expected a day from 1 to {LAST_DAY}, or nothing",
                    )
                )
            else:
                targets.append(Target(msisdn, int(day) if day else group.day))
    if problems:
        raise ConfigError(problems[:100])
    return targets


def read_numbers(path: Path) -> list[int]:
    """MSISDNs of a target list: CSV with the header msisdn; other columns are left alone.

    Raises:
        ConfigError: with every bad row (the first hundred).
    """
    numbers: list[int] = []
    problems: list[Problem] = []
    with plain_csv(path) as rows:
        header = rows.fieldnames or []
        if "msisdn" not in header:
            raise ConfigError([Problem(str(path), 1, "", ",".join(header), "expected the header msisdn")])
        for row in rows:
            msisdn = (row.get("msisdn") or "").strip()
            if _is_number(msisdn):
                numbers.append(int(msisdn))
            elif len(problems) < 100:
                wrong = Problem(str(path), rows.line_num, "msisdn", repr(msisdn), "expected 5 to 15 digits")
                problems.append(wrong)
    if problems:
        raise ConfigError(problems)
    return numbers


def _is_number(msisdn: str) -> bool:
    return msisdn.isascii() and msisdn.isdigit() and 5 <= len(msisdn) <= 15


def load(path: Path | str) -> Campaign:
    """One campaign file.

    Raises:
        ConfigError: with every problem of the file and of its target list.
    """
    return read_campaign(Path(path))[0]


def read_campaign(path: Path, within: Path | None = None) -> tuple[Campaign, Document]:
    """One file with its document, for what has to be checked between files; see `read_model` for `within`.

    Raises:
        ConfigError: with every problem of the file and of its lists.
    """
    campaign, document = read_model(path, Campaign, within)
    never = _never(campaign, document)
    if never is not None:
        raise ConfigError([never])
    if campaign.group is not None:
        read_targets(campaign.group)
    for listed in campaign.number_files:
        read_numbers(listed)
    return campaign, document


def _never(campaign: Campaign, document: Document) -> Problem | None:
    """Conditions that cannot hold all at the moment the scene is complete; each by itself can."""
    scene = campaign.scene
    given: dict[str, Domain] = {}
    if scene is not None and scene.when is not None:
        hours = {minute // 60 for start, end in scene.when.spans for minute in range(start, end)}
        given["now.hour"] = Domain(only=frozenset(hours or range(24)))
        given["now.weekday"] = Domain(only=frozenset(day + 1 for day in scene.when.weekdays))
    conditions: list[tuple[KeyPath, str | None]] = [(("audience",), campaign.expression)]
    if scene is not None:
        conditions += [(("scene", "terminal"), scene.terminal), (("scene", "if"), scene.condition)]
    texts: list[str] = []
    for key, text in conditions:
        if text:
            texts.append(text)
            never = impossible(texts, in_use(), given)
            if never is not None:
                return document.problem(key, text, str(never))
    return None


@dataclass(slots=True)
class _Together:
    """Campaigns that run together, and what does not fit between them."""

    originators: Sequence[str]
    places: Sequence[str]
    beside: Sequence[Path] = ()
    """Further files, which follow-ups may name."""
    files: dict[str, tuple[Campaign, Document]] = field(default_factory=dict)
    senders: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, campaign: Campaign, document: Document) -> None:
        name, sender = campaign.campaign, campaign.originator
        if name in self.files:
            other = self.files[name][1].path
            self.problems.append(
                document.problem(("campaign",), name, f"a name of its own; {other} has it too")
            )
        if sender and sender in self.senders:
            other_name = self.senders[sender]
            expected = f"a sender of its own, or replies cannot be told apart; {other_name} has it too"
            self.problems.append(document.problem(("originator",), sender, expected))
        if sender and self.originators and not sender.startswith(tuple(self.originators)):
            prefixes = ", ".join(self.originators)
            expected = f"a sender that begins with one of the policy's marketing_originators: {prefixes}"
            self.problems.append(document.problem(("originator",), sender, expected))
        for path, place in campaign.scene.places if self.places and campaign.scene else ():
            if place not in self.places:
                expected = f"a place of the cell table: {', '.join(sorted(set(self.places)))}"
                near = suggest(place, self.places)
                self.problems.append(document.problem(("scene", *path), place, expected, near))
        self.files[name] = (campaign, document)
        self.senders[sender] = name

    def follow_ups(self) -> None:
        """Every follow-up is a campaign of mode follow_up, and no chain comes back to its start."""
        known = {name: campaign for name, (campaign, _) in self.files.items()}
        if any(f.campaign not in known for c in known.values() for f in c.follow_ups):
            known = {**self._others(), **known}
        after = {name: [f.campaign for f in c.follow_ups] for name, c in known.items()}
        for name, (campaign, document) in self.files.items():
            for i, follow_up in enumerate(campaign.follow_ups):
                at = ("follow_ups", i, "campaign")
                other = known.get(follow_up.campaign)
                if other is None:
                    near = suggest(follow_up.campaign, list(known))
                    expected = "the name of a campaign that runs beside this one"
                    if self.beside:
                        expected += "; no other file of its folder has it"
                    self.problems.append(document.problem(at, follow_up.campaign, expected, near))
                elif other.mode != "follow_up":
                    expected = f"a campaign of mode follow_up; this one has mode {other.mode}"
                    self.problems.append(document.problem(at, follow_up.campaign, expected))
                elif name in _reached(after, follow_up.campaign):
                    expected = "no way back: follow-ups would go round for ever"
                    self.problems.append(document.problem(at, follow_up.campaign, expected))

    def _others(self) -> dict[str, Campaign]:
        """Campaigns of further files that are correct by themselves."""
        found = {}
        for path in self.beside:
            with contextlib.suppress(ConfigError, OSError):
                campaign = read_campaign(path)[0]
                found[campaign.campaign] = campaign
        return found


def _reached(after: Mapping[str, Sequence[str]], start: str) -> set[str]:
    found, open_ = set(), [start]
    while open_:
        name = open_.pop()
        if name not in found:
            found.add(name)
            open_ += after.get(name, ())
    return found


def load_all(
    paths: Sequence[Path | str],
    *,
    originators: Sequence[str] = (),
    places: Sequence[str] = (),
    alone: bool = False,
    catalogue: Catalogue = CATALOGUE,
    read: Callable[[Path], tuple[Campaign, Document]] | None = None,
) -> list[Campaign]:
    """Several campaigns that run together, in the order of their names.

    `originators`: prefixes the policy calls marketing; `places`: names in the cell table; empty: unchecked.
    `alone`: files looked at one by one, so that follow-ups may name campaigns that are not here. `catalogue`:
    what expressions may name; with further columns of an extract: `marketing.rules.catalogue_of(profiles)`.
    `read`: instead of `read_campaign`, for who remembers files that have not changed.

    Raises:
        ConfigError: every problem of every file, and what does not fit between them.
    """
    found = read_all(
        paths, originators=originators, places=places, alone=alone, catalogue=catalogue, read=read
    )
    return [campaign for campaign, _ in found]


def read_all(
    paths: Sequence[Path | str],
    *,
    originators: Sequence[str] = (),
    places: Sequence[str] = (),
    alone: bool = False,
    beside: Sequence[Path] = (),
    catalogue: Catalogue = CATALOGUE,
    read: Callable[[Path], tuple[Campaign, Document]] | None = None,
) -> list[tuple[Campaign, Document]]:
    """The same, each with its document, for what has to be checked against other things.

    `beside`: further files, of which follow-ups may name campaigns; nothing else is asked of them.
    """
    together = _Together(originators, places, beside)
    for path in map(Path, paths):
        try:
            with using(catalogue):
                together.add(*(read or read_campaign)(path))
        except ConfigError as error:
            together.problems.extend(error.problems)
    if not alone and not together.problems:
        together.follow_ups()
    if together.problems:
        raise ConfigError(together.problems)
    return [together.files[name] for name in sorted(together.files)]
