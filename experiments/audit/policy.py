"""The policy file as the audit reads it: its own reader, its own model, nothing of the platform."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from experiments.audit.policy_keys import (
    NULLABLE,
    POLICY_KEYS,
    UNSAID,
    WEEKDAYS,
    Quoted,
    expected_of,
    number,
    passes,
)
from experiments.problems import BadInput, relative

__all__ = ["Cap", "NotAfter", "Policy", "Stretch", "read_policy"]


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many contacts of one subscriber in a stretch of time."""

    most: int
    per: str = ""
    """day, week or month of the subscriber's calendar; empty: a rolling window."""
    within_us: int = 0
    """Rolling: no (t - within, t] holds more."""
    channels: frozenset[str] = frozenset()
    """Empty: whatever the channel."""
    classes: tuple[str, ...] = ()
    """Empty: whatever the message."""

    @property
    def text(self) -> str:
        """As one says it."""
        where = [f"channel {' or '.join(sorted(self.channels))}"] if self.channels else []
        where += [f"class {' or '.join(self.classes)}"] if self.classes else []
        long = f"a calendar {self.per}" if self.per else f"within {self.within_us / 1e6:g} s"
        return ", ".join([f"{self.most} allowed {long}", *where])


@dataclass(frozen=True, slots=True)
class NotAfter:
    """Never one of these within so long after one of those."""

    classes: tuple[str, ...]
    after: tuple[str, ...]
    within_us: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A daily stretch of local time; from included, to not; may run over midnight."""

    name: str
    start_us: int
    """Microseconds after local midnight."""
    end_us: int
    days: frozenset[int] = frozenset(range(7))
    """Weekdays whose hours are meant, Monday = 0; over midnight from 00:00 to the end, and from the start."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The parts of a policy file that can be judged from outside."""

    zone: str
    """IANA name: everybody's but those of `zones`."""
    zones: Mapping[str, str] = field(default_factory=dict)
    """MSISDN -> IANA name."""
    caps: tuple[Cap, ...] = ()
    gap_us: int = 0
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name -> prefixes of originators."""
    not_after: tuple[NotAfter, ...] = ()
    quiet: Stretch | None = None
    closed: tuple[Stretch, ...] = ()
    holidays: frozenset[date] = frozenset()
    busy: Mapping[str, tuple[Stretch, ...]] = field(default_factory=dict)
    """Cell, LAC-CI -> its busy hours."""
    do_not_disturb: Mapping[str, int] = field(default_factory=dict)
    """MSISDN -> Unix microseconds since when; 0 = always."""
    control_group: Mapping[str, int] = field(default_factory=dict)
    duplicate_days: int = 0
    originators: tuple[str, ...] = ()
    """Prefixes of marketing originators."""

    def is_marketing(self, source: str) -> bool:
        """Whatever comes from such an originator is a contact."""
        return source.startswith(self.originators) if self.originators else False

    def in_classes(self, source: str, names: Iterable[str]) -> bool:
        """Whether an originator belongs to one of these classes."""
        return any(source.startswith(self.classes[name]) for name in names)


class _Loader(yaml.BaseLoader):
    """Every scalar as it is written (YAML 1.1 would make minutes of 21:00), and whether in quotes."""

    def construct_scalar(self, node: yaml.ScalarNode) -> str:
        text = str(super().construct_scalar(node))
        return Quoted(text) if node.style else text


def read_policy(path: Path) -> Policy:
    """The policy file, with the lists and tables that it names read from beside it.

    Raises:
        BadInput: a key or value is wrong, a list is missing or a line of it cannot be read.
    """
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        said = " ".join(str(error).split()) or "nested too deeply"
        raise BadInput(f"{relative(path)}: cannot be read as a policy ({said})") from None
    if not isinstance(values, dict):
        raise BadInput(f"{relative(path)}: expected a mapping of keys to values")

    problems = [f"{relative(path)}: {problem}" for problem in _problems(values, POLICY_KEYS)]
    if "timezone" not in values:
        problems.append(
            f"{relative(path)}: timezone: missing, expected {expected_of(POLICY_KEYS['timezone'])}"
        )
    if not problems:
        problems = [f"{relative(path)}: {problem}" for problem in _contradictions(values)]
    if problems:
        raise BadInput(problems)

    def section(name: str) -> dict[str, Any]:
        found = values.get(name)
        return found if isinstance(found, dict) else {}

    zone = ZoneInfo(values["timezone"])
    again = section("duplicate").get("same_campaign_days")
    quiet, monthly = section("quiet_hours"), section("caps").get("per_calendar_month")
    return Policy(
        zone=values["timezone"],
        zones=_zones(path, section("timezones").get("file")),
        caps=(
            Cap(UNSAID["caps"] if monthly is None else int(number(monthly)), "month"),
            *(_cap(rule) for rule in section("caps").get("rules") or ()),
        ),
        gap_us=_us(values.get("minimum_gap_s", "0")),
        classes={name: tuple(row["originators"]) for name, row in section("classes").items()},
        not_after=tuple(
            NotAfter(tuple(row["classes"]), tuple(row["after"]), _us(row["within_s"]))
            for row in values.get("not_after") or ()
        ),
        quiet=_stretch("quiet hours", quiet["from"], quiet["to"]) if quiet else None,
        closed=tuple(
            _stretch(row.get("name", "closed"), row["from"], row["to"], row.get("days"))
            for row in values.get("closed_hours") or ()
        ),
        holidays=frozenset(date.fromisoformat(d) for d in section("holidays").get("dates") or ()),
        busy=_busy(path, section("busy_cells").get("file")),
        do_not_disturb=_dated_list(path, section("do_not_disturb").get("file"), zone),
        control_group=_dated_list(path, section("control_group").get("file"), zone),
        duplicate_days=UNSAID["duplicate"] if again is None else int(number(again)),
        originators=tuple(values.get("marketing_originators") or ()),
    )


def _us(seconds: str) -> int:
    return round(number(seconds) * 1e6)


def _cap(rule: Mapping[str, Any]) -> Cap:
    return Cap(
        int(number(rule["most"])),
        rule.get("per", ""),
        _us(rule.get("within_s", "0")),
        frozenset(rule.get("channels") or ()),
        tuple(rule.get("classes") or ()),
    )


def _stretch(name: str, start: str, end: str, days: Iterable[str] | None = None) -> Stretch:
    chosen = frozenset(range(7)) if days is None else frozenset(WEEKDAYS.index(day) for day in days)
    return Stretch(name, _of_day(start), _of_day(end), chosen)


def _of_day(text: str) -> int:
    at = time.fromisoformat(text)
    return ((at.hour * 60 + at.minute) * 60 + at.second) * 1_000_000 + at.microsecond


# --------------------------------------------------------------------------- checking


def _problems(values: dict[str, Any], known: Mapping[str, Any], above: str = "") -> Iterable[str]:
    """Every wrong key and value; takes away those that are null."""
    for key, value in list(values.items()):
        name, judge = f"{above}{key}", known.get(key, known.get("*")) if key != "needed" else None
        nothing = not isinstance(value, Quoted) and value in ("", "~", "null", "Null", "NULL")
        if name in NULLABLE and nothing:
            del values[key]
        elif judge is None:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            yield f"{name} = {_short(value)}: unknown key, expected one of {_keys(known)}.{hint}"
        else:
            yield from _misfits(name, value, judge)
    needed = known.get("needed", ())
    yield from (
        f"{above}{key}: missing, expected {expected_of(known[key])}" for key in needed if key not in values
    )


def _misfits(name: str, value: Any, judge: Any) -> Iterable[str]:
    if isinstance(judge, list):
        if not isinstance(value, list):
            yield f"{name} = {_short(value)}: expected a list of mappings with {_keys(judge[0])}"
            return
        for position, row in enumerate(value):
            yield from _misfits(f"{name}[{position}]", row, judge[0])
    elif isinstance(judge, dict):
        if not isinstance(value, dict):
            yield f"{name} = {_short(value)}: expected a mapping with {_keys(judge)}"
        else:
            yield from _problems(value, judge, f"{name}.")
    elif not passes(judge, value):
        quoted = isinstance(value, Quoted) and passes(judge, str(value))
        yield f"{name} = {_short(value)}: expected {expected_of(judge)}{', without quotes' if quoted else ''}"


def _keys(judge: Mapping[str, Any]) -> str:
    return ", ".join("names" if key == "*" else key for key in judge if key != "needed")


def _contradictions(values: Mapping[str, Any]) -> Iterable[str]:
    """What is wrong between keys that are right by themselves."""
    classes = values.get("classes") or {}
    yield from _overlaps(classes)
    named: list[tuple[str, Iterable[str]]] = []
    for position, rule in enumerate((values.get("caps") or {}).get("rules") or ()):
        where = f"caps.rules[{position}]"
        if ("per" in rule) == ("within_s" in rule):
            yield f"{where}: expected one of per and within_s"
        named.append((f"{where}.classes", rule.get("classes") or ()))
    for position, row in enumerate(values.get("not_after") or ()):
        named += [(f"not_after[{position}].{key}", row[key]) for key in ("classes", "after")]
    for where, names in named:
        for name in names:
            if name not in classes:
                near = difflib.get_close_matches(name, classes, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                yield f"{where} = {_short(name)}: expected a class of `classes`.{hint}"


def _overlaps(classes: Mapping[str, Any]) -> Iterable[str]:
    """A sender belongs to one class at most, whoever asks."""
    seen: list[tuple[str, str]] = []
    for name, row in classes.items():
        for position, prefix in enumerate(row["originators"]):
            for before, other in seen:
                if prefix.startswith(before) or before.startswith(prefix):
                    yield (
                        f"classes.{name}.originators[{position}] = {_short(prefix)}: expected senders that "
                        f"share no beginning with {before} of class {other}"
                    )
                    break
            seen.append((prefix, name))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# --------------------------------------------------------------------------- files beside it


def _dated_list(policy: Path, name: str | None, zone: ZoneInfo) -> dict[str, int]:
    found: dict[str, int] = {}

    def take(row: Mapping[str, str]) -> None:
        since = (row.get("since") or "").strip()
        moment = datetime.fromisoformat(since) if since else None
        if moment is not None and moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        at = 0 if moment is None else (moment - epoch) // timedelta(microseconds=1)
        # Listed twice: the earlier date counts.
        found[row["msisdn"]] = min(at, found.get(row["msisdn"], at))

    _rows(policy, name, "msisdn,since", take)
    return found


def _zones(policy: Path, name: str | None) -> dict[str, str]:
    found: dict[str, str] = {}

    def take(row: Mapping[str, str]) -> None:
        ZoneInfo(row["timezone"])
        found[row["msisdn"]] = row["timezone"]

    _rows(policy, name, "msisdn,timezone", take)
    return found


def _busy(policy: Path, name: str | None) -> dict[str, tuple[Stretch, ...]]:
    found: dict[str, list[Stretch]] = {}

    def take(row: Mapping[str, str]) -> None:
        cell = row["cell"].strip()
        found.setdefault(cell, []).append(_stretch(cell, row["from"].strip(), row["to"].strip()))

    _rows(policy, name, "cell,from,to", take)
    return {cell: tuple(stretches) for cell, stretches in found.items()}


def _rows(policy: Path, name: str | None, columns: str, take: Callable[[Mapping[str, str]], None]) -> None:
    """Hands each line of a CSV file beside the policy to `take`."""
    if not name:
        return
    path = policy.parent / name
    line = 1
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                line += 1
                take(row)
    except FileNotFoundError:
        raise BadInput(f"{relative(policy)}: the list it names is not there: {name}") from None
    except (KeyError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise BadInput(f"{relative(path)}:{line}: expected columns {columns} ({error})") from None
    except OSError as error:
        raise BadInput(f"{relative(path)}: cannot be read ({error.strerror or error})") from None
