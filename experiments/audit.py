"""The audit: did anybody receive what the policy forbids? Judged from handsets alone.

It reads what handsets received (`parts.parquet`) and the policy file with the dated lists that it names,
nothing of the
platform: not its ledger, not its code. Marketing is known by its originator; a long message counts once,
after its parts are put together.
"""

from __future__ import annotations

import csv
import difflib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import yaml

from experiments.folder import read_table
from experiments.problems import BadInput, relative

__all__ = [
    "RULES",
    "Audit",
    "Contact",
    "Finding",
    "Part",
    "Policy",
    "audit",
    "read_parts",
    "read_policy",
    "reassemble",
]

RULES: Final = {
    "cap": "more contacts in a calendar month than the policy allows",
    "quiet_hours": "received in quiet hours or on a holiday",
    "do_not_disturb": "accepted by the service centre after the subscriber was on the do-not-disturb list",
    "control_group": "received by a member of the control group",
    "duplicate": "the same campaign again within the days in which it may not repeat",
}
"""Name of the violation -> what it means."""

UNSAID: Final = {"per_calendar_month": 2, "same_campaign_days": 30}
"""What a policy file means that leaves a limit out, as `scenarios/README.md` says."""

PARTS_WITHIN: Final = timedelta(days=7)
"""Parts that come further apart than this belong to different messages: no validity period is longer."""


@dataclass(frozen=True, slots=True)
class Part:
    """One SMS-DELIVER at a handset."""

    t_us: int
    """Received, Unix microseconds."""
    msisdn: str
    source: str
    """Originator."""
    smsc_us: int
    """Service centre time stamp, Unix microseconds (TS 23.040 9.2.3.11: whole seconds)."""
    reference: int
    """Concatenation reference (TS 23.040 9.2.3.24.1); -1 for a message of one part."""
    part: int
    parts: int


@dataclass(frozen=True, slots=True)
class Contact:
    """One marketing message as its reader saw it."""

    msisdn: str
    source: str
    received_us: tuple[int, ...]
    """Receipt of each part, in order of time."""
    smsc_us: int
    """Earliest service centre time stamp of its parts."""
    whole: bool
    """False where a part never came; it counts as a contact all the same."""

    @property
    def t_us(self) -> int:
        """When the message was complete, or its last part that came."""
        return self.received_us[-1]


@dataclass(frozen=True, slots=True)
class Policy:
    """The parts of a policy file that can be judged from outside."""

    zone: ZoneInfo
    per_month: int | None
    quiet: tuple[time, time] | None
    """From, to; may span midnight."""
    holidays: frozenset[date]
    do_not_disturb: Mapping[str, int]
    """MSISDN -> Unix microseconds since when; 0 = always."""
    control_group: Mapping[str, int]
    duplicate_days: int | None
    originators: tuple[str, ...]
    """Prefixes of marketing originators."""

    def is_marketing(self, source: str) -> bool:
        return any(source.startswith(prefix) for prefix in self.originators)

    def local(self, t_us: int) -> datetime:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=t_us)).astimezone(self.zone)

    def is_quiet(self, t_us: int) -> bool:
        """Whether a moment lies in quiet hours."""
        if self.quiet is None:
            return False
        start, end = self.quiet
        now = self.local(t_us).time()
        return start <= now < end if start <= end else now >= start or now < end


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation."""

    rule: str
    msisdn: str
    source: str
    t_us: int
    said: str
    """The facts, in one line."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What the audit found."""

    contacts: int
    """Marketing messages received, long ones counted once."""
    parts: int
    """Marketing SMS-DELIVERs received."""
    incomplete: int
    """Contacts of which a part never came."""
    repeated_parts: int
    """Parts received twice with one service centre time stamp: a lost acknowledgement, no new contact."""
    findings: tuple[Finding, ...]
    in_flight: tuple[Finding, ...]
    """Received after an opt-out, but accepted by the service centre before it: listed, no violation."""
    by_rule: Mapping[str, int] = field(default_factory=dict)
    """Violations by rule, all rules present."""

    def as_json(self) -> dict[str, Any]:
        def listed(findings: Iterable[Finding]) -> list[dict[str, Any]]:
            return [
                {"rule": f.rule, "msisdn": f.msisdn, "source": f.source, "t_us": f.t_us, "said": f.said}
                for f in findings
            ]

        return {
            "contacts": self.contacts,
            "parts": self.parts,
            "incomplete": self.incomplete,
            "repeated_parts": self.repeated_parts,
            "violations": dict(self.by_rule),
            "in_flight": len(self.in_flight),
            "findings": listed(self.findings[:200]),
            "in_flight_listed": listed(self.in_flight[:200]),
        }


def audit(parts: Iterable[Part], policy: Policy) -> Audit:
    """Judges what was received by the policy."""
    marketing = sorted(
        (p for p in parts if policy.is_marketing(p.source)), key=lambda p: (p.t_us, p.msisdn, p.part)
    )
    contacts, repeated = reassemble(marketing)
    findings = [
        *_over_cap(contacts, policy),
        *_at_a_wrong_time(contacts, policy),
        *_control(contacts, policy),
        *_duplicates(contacts, policy),
    ]
    forbidden, in_flight = _disturbed(contacts, policy)
    findings = sorted([*findings, *forbidden], key=lambda f: (f.t_us, f.msisdn, f.rule))
    counts = {rule: sum(f.rule == rule for f in findings) for rule in RULES}
    return Audit(
        contacts=len(contacts),
        parts=len(marketing),
        incomplete=sum(not c.whole for c in contacts),
        repeated_parts=repeated,
        findings=tuple(findings),
        in_flight=tuple(in_flight),
        by_rule=counts,
    )


def reassemble(parts: Iterable[Part]) -> tuple[list[Contact], int]:
    """Puts parts together by originator, reference and number of parts; also counts the repeated ones.

    TS 23.040 9.2.3.24.1.

    A reference is reused after 256 messages, so a part number already seen, or a gap longer than any validity
    period, begins another message; the same part with the same time stamp is one delivery told twice.
    """
    open_: dict[tuple[str, str, int, int], dict[int, Part]] = {}
    done: list[dict[int, Part]] = []
    repeated = 0
    for part in parts:
        if part.parts <= 1 or part.reference < 0:
            done.append({1: part})
            continue
        key = (part.msisdn, part.source, part.reference, part.parts)
        held = open_.setdefault(key, {})
        first = min((p.t_us for p in held.values()), default=part.t_us)
        if part.part in held and held[part.part].smsc_us == part.smsc_us:
            repeated += 1
            continue
        if part.part in held or part.t_us - first > PARTS_WITHIN // timedelta(microseconds=1):
            done.append(held)
            held = open_[key] = {}
        held[part.part] = part
    done += [held for held in open_.values() if held]
    contacts = [
        Contact(
            msisdn=next(iter(held.values())).msisdn,
            source=next(iter(held.values())).source,
            received_us=tuple(sorted(p.t_us for p in held.values())),
            smsc_us=min(p.smsc_us for p in held.values()),
            whole=len(held) == next(iter(held.values())).parts or next(iter(held.values())).parts <= 1,
        )
        for held in done
    ]
    return sorted(contacts, key=lambda c: (c.t_us, c.msisdn, c.source)), repeated


def _over_cap(contacts: Sequence[Contact], policy: Policy) -> Iterable[Finding]:
    if policy.per_month is None:
        return
    seen: dict[tuple[str, int, int], int] = defaultdict(int)
    for contact in contacts:
        month = policy.local(contact.t_us)
        key = (contact.msisdn, month.year, month.month)
        seen[key] += 1
        if seen[key] > policy.per_month:
            said = f"contact {seen[key]} in {month:%Y-%m}, {policy.per_month} allowed"
            yield Finding("cap", contact.msisdn, contact.source, contact.t_us, said)


def _at_a_wrong_time(contacts: Sequence[Contact], policy: Policy) -> Iterable[Finding]:
    for contact in contacts:
        for t_us in contact.received_us:
            local = policy.local(t_us)
            holiday = local.date() in policy.holidays
            if holiday or policy.is_quiet(t_us):
                said = f"received {local:%Y-%m-%d %H:%M:%S}, {'a holiday' if holiday else 'in quiet hours'}"
                yield Finding("quiet_hours", contact.msisdn, contact.source, t_us, said)
                break


def _control(contacts: Sequence[Contact], policy: Policy) -> Iterable[Finding]:
    for contact in contacts:
        since = policy.control_group.get(contact.msisdn)
        if since is not None and contact.smsc_us >= since:
            yield Finding(
                "control_group", contact.msisdn, contact.source, contact.t_us, "is in the control group"
            )


def _disturbed(contacts: Sequence[Contact], policy: Policy) -> tuple[list[Finding], list[Finding]]:
    forbidden: list[Finding] = []
    in_flight: list[Finding] = []
    for contact in contacts:
        since = policy.do_not_disturb.get(contact.msisdn)
        if since is None or contact.t_us < since:
            continue
        listed = "always" if not since else f"since {policy.local(since):%Y-%m-%d %H:%M:%S}"
        said = f"on the list {listed}, accepted {policy.local(contact.smsc_us):%Y-%m-%d %H:%M:%S}"
        finding = Finding("do_not_disturb", contact.msisdn, contact.source, contact.t_us, said)
        # The time stamp has whole seconds: within the opt-out's second the message was on its way already.
        (forbidden if contact.smsc_us > since else in_flight).append(finding)
    return forbidden, in_flight


def _duplicates(contacts: Sequence[Contact], policy: Policy) -> Iterable[Finding]:
    if policy.duplicate_days is None:
        return
    last: dict[tuple[str, str], date] = {}
    for contact in contacts:
        key, day = (contact.msisdn, contact.source), policy.local(contact.t_us).date()
        before = last.get(key)
        last[key] = day
        if before is not None and (day - before).days < policy.duplicate_days:
            said = f"{contact.source} again after {(day - before).days} days, {policy.duplicate_days} needed"
            yield Finding("duplicate", contact.msisdn, contact.source, contact.t_us, said)


def read_parts(path: Path) -> list[Part]:
    """The handset records of a run."""
    import pyarrow as pa

    text = ("msisdn", "source")
    names = ["t_us", "msisdn", "source", "smsc_us", "reference", "part", "parts"]
    table = read_table(path, names)
    for name in names:
        kind = table[name].type
        fits = pa.types.is_string(kind) if name in text else pa.types.is_integer(kind)
        if not fits or table[name].null_count:
            expected = "text" if name in text else "whole numbers"
            raise BadInput(f"{relative(path)}: column {name} = {kind}: expected {expected}, none missing")
    return [Part(*row) for row in zip(*(table[name].to_pylist() for name in names), strict=True)]


def read_policy(path: Path) -> Policy:
    """The policy file, with its dated lists read from beside it.

    Raises:
        BadInput: a key or value is wrong, a list is missing or a line of it cannot be read.
    """
    try:
        # Every scalar as it is written: YAML 1.1 would make minutes of 21:00.
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BadInput(f"{relative(path)}: cannot be read as a policy ({error})") from None
    if not isinstance(values, dict):
        raise BadInput(f"{relative(path)}: expected a mapping of keys to values")

    problems = [f"{relative(path)}: {problem}" for problem in _problems(values, POLICY_KEYS)]
    if "timezone" not in values:
        problems.append(f"{relative(path)}: timezone: missing, expected {EXPECTED[_zone]}")
    if problems:
        raise BadInput(problems)

    def section(name: str) -> dict[str, Any]:
        found = values.get(name)
        return found if isinstance(found, dict) else {}

    def number(name: str, key: str) -> int:
        return int(section(name).get(key, UNSAID[key]))

    zone = ZoneInfo(values["timezone"])
    quiet = section("quiet_hours")
    return Policy(
        zone=zone,
        per_month=number("caps", "per_calendar_month"),
        quiet=(time.fromisoformat(quiet["from"]), time.fromisoformat(quiet["to"])) if quiet else None,
        holidays=frozenset(date.fromisoformat(d) for d in section("holidays").get("dates") or ()),
        do_not_disturb=_dated_list(path, section("do_not_disturb").get("file"), zone),
        control_group=_dated_list(path, section("control_group").get("file"), zone),
        duplicate_days=number("duplicate", "same_campaign_days"),
        originators=tuple(values.get("marketing_originators") or ()),
    )


def _zone(value: Any) -> bool:
    ZoneInfo(value)
    return True


def _count(value: Any) -> bool:
    return int(value) >= 0


def _seconds(value: Any) -> bool:
    return 0 <= float(value) < float("inf")


def _clock(value: Any) -> bool:
    return time.fromisoformat(value).tzinfo is None


def _then(value: Any) -> bool:
    return value in ("hold", "drop")


def _dates(value: Any) -> bool:
    return isinstance(value, list) and all(date.fromisoformat(day) for day in value)


def _file(value: Any) -> bool:
    return isinstance(value, str)


def _prefixes(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(p.isascii() and p.isdigit() for p in value)


EXPECTED: Final[dict[Callable[[Any], bool], str]] = {
    _zone: "an IANA time zone such as Asia/Shanghai",
    _count: "a whole number, 0 or more",
    _seconds: "seconds, 0 or more",
    _clock: "a local time of day such as '21:00'",
    _then: "hold or drop",
    _dates: "a list of dates such as 2009-10-01",
    _file: "the name of a CSV file, or null",
    _prefixes: "a list of sender prefixes such as ['100860']",
}
"""What a value is judged by -> what is said where it fails."""

POLICY_KEYS: Final[dict[str, Any]] = {
    "timezone": _zone,
    "caps": {"per_calendar_month": _count},
    "quiet_hours": {"from": _clock, "to": _clock, "then": _then},
    "holidays": {"dates": _dates, "then": _then},
    "do_not_disturb": {"file": _file},
    "control_group": {"file": _file},
    "delivery_margin_s": _seconds,
    "validity_s": _seconds,
    "validity_guard_s": _seconds,
    "duplicate": {"same_campaign_days": _count},
    "marketing_originators": _prefixes,
}
"""All keys of a policy file, by section."""

NULLABLE: Final = ("quiet_hours", "do_not_disturb.file", "control_group.file")
"""Keys that may say `null`: no such rule."""


def _problems(values: dict[str, Any], known: Mapping[str, Any], above: str = "") -> Iterable[str]:
    """Every wrong key and value; takes away those that are null."""
    for key, value in list(values.items()):
        name, judge = f"{above}{key}", known.get(key)
        if name in NULLABLE and value in ("", "~", "null", "Null", "NULL"):
            del values[key]
        elif judge is None:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            yield f"{name} = {_short(value)}: unknown key, expected one of {', '.join(known)}.{hint}"
        elif not isinstance(judge, dict):
            if not _passes(judge, value):
                yield f"{name} = {_short(value)}: expected {EXPECTED[judge]}"
        elif not isinstance(value, dict):
            yield f"{name} = {_short(value)}: expected a mapping with {', '.join(judge)}"
        else:
            yield from _problems(value, judge, f"{name}.")
    if above == "quiet_hours.":
        yield from (
            f"{above}{key}: missing, expected {EXPECTED[_clock]}"
            for key in ("from", "to")
            if key not in values
        )


def _passes(judge: Callable[[Any], bool], value: Any) -> bool:
    try:
        return judge(value)
    except (ValueError, TypeError, AttributeError, LookupError, OSError):
        return False


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _dated_list(policy: Path, name: str | None, zone: ZoneInfo) -> dict[str, int]:
    if not name:
        return {}
    path = policy.parent / name
    found: dict[str, int] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                since = (row.get("since") or "").strip()
                moment = datetime.fromisoformat(since) if since else None
                if moment is not None and moment.tzinfo is None:
                    moment = moment.replace(tzinfo=zone)
                epoch = datetime(1970, 1, 1, tzinfo=UTC)
                at = 0 if moment is None else (moment - epoch) // timedelta(microseconds=1)
                # Listed twice: the earlier date counts.
                found[row["msisdn"]] = min(at, found.get(row["msisdn"], at))
    except FileNotFoundError:
        raise BadInput(f"{relative(policy)}: the list it names is not there: {name}") from None
    except OSError as error:
        raise BadInput(f"{relative(path)}: cannot be read ({error.strerror or error})") from None
    except (KeyError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise BadInput(f"{relative(path)}: expected columns msisdn,since ({error})") from None
    return found
