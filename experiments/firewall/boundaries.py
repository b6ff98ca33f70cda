"""Boundaries of the audit's rules as a table: contacts one second apart, of which one may be and the other may not.

Each case is judged by `experiments.audit`; what it must find is written beside it. `kairos run` of a firewall
study judges them too, so that an oracle that has gone blind cannot pass a platform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import yaml

from experiments.audit import Part, audit, read_policy

__all__ = ["CASES", "Case", "judge_case", "wrong_cases"]

WHO: Final = "8613900000001"
SHANGHAI: Final = "Asia/Shanghai"
FREE: Final[dict[str, Any]] = {
    "timezone": SHANGHAI,
    "caps": {"per_calendar_month": 1000},
    "duplicate": {"same_campaign_days": 0},
    "marketing_originators": ["100860"],
}
"""A policy that forbids nothing; each case adds what it is about."""


@dataclass(frozen=True, slots=True)
class At:
    """One message at a handset."""

    local: str
    """On the wall clock of the case's zone: `2009-03-31 23:59:59`, with a fraction where it matters."""
    source: str = "1008601"
    who: str = WHO
    fold: int = 0
    """1: the second time that the clock shows this."""
    accepted: str = ""
    """By the service centre; empty: as received, in whole seconds."""
    part: tuple[int, int, int] = (-1, 1, 1)
    """Reference, number, of how many."""
    channel: str = "sms"
    cell: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """What was received, and what the audit must say."""

    name: str
    policy: Mapping[str, Any]
    received: Sequence[At]
    broken: Mapping[str, int] = field(default_factory=dict)
    """Rule -> violations; all others none."""
    zone: str = SHANGHAI
    files: Mapping[str, str] = field(default_factory=dict)
    contacts: int = -1
    """Contacts counted; -1: as many as messages."""
    in_flight: int = 0


def _us(local: str, zone: str, fold: int = 0) -> int:
    moment = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone), fold=fold)
    since = moment - datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _part(at: At, zone: str) -> Part:
    t_us = _us(at.local, zone, at.fold)
    accepted = _us(at.accepted, zone) if at.accepted else t_us // 1_000_000 * 1_000_000
    return Part(t_us, at.who, at.source, accepted, *at.part, at.channel, at.cell)


def judge_case(case: Case, folder: Path) -> list[str]:
    """What the audit got wrong about a case; empty: nothing."""
    for name, text in case.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    policy = {**FREE, "timezone": case.zone, **case.policy}
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump(policy), encoding="utf-8")
    found = audit([_part(at, case.zone) for at in case.received], read_policy(path))
    wrong = []
    said = {rule: n for rule, n in found.by_rule.items() if n}
    if said != dict(case.broken):
        wrong.append(f"{case.name}: found {said or 'nothing'}, expected {dict(case.broken) or 'nothing'}")
    expected = len(case.received) if case.contacts < 0 else case.contacts
    if found.contacts != expected:
        wrong.append(f"{case.name}: {found.contacts} contacts, expected {expected}")
    if found.in_flight != case.in_flight:
        wrong.append(f"{case.name}: {found.in_flight} in flight, expected {case.in_flight}")
    return wrong


def wrong_cases(folder: Path) -> tuple[int, list[str]]:
    """Judges all of them; how many, and what the audit got wrong."""
    wrong = []
    for number, case in enumerate(CASES):
        own = folder / str(number)
        own.mkdir(parents=True, exist_ok=True)
        wrong += judge_case(case, own)
    return len(CASES), wrong


def _cap(**rule: Any) -> dict[str, Any]:
    return {"caps": {"per_calendar_month": 1000, "rules": [rule]}}


def _pair(
    name: str, policy: Mapping[str, Any], rule: str, rows: Sequence[tuple[str, str, int]], **more: Any
) -> list[Case]:
    """Cases of two contacts each: (first, second, violations)."""
    return [
        Case(
            f"{name}: {one} then {two}", policy, [At(one), At(two, "1008602")], {rule: n} if n else {}, **more
        )
        for one, two, n in rows
    ]


def _single(
    name: str, policy: Mapping[str, Any], rule: str, rows: Sequence[tuple[str, int]], **more: Any
) -> list[Case]:
    return [Case(f"{name}: {at}", policy, [At(at)], {rule: n} if n else {}, **more) for at, n in rows]


_NIGHT = {"quiet_hours": {"from": "21:00", "to": "09:00"}}
_GAP = {"minimum_gap_s": 3600}
_DAY = _cap(most=1, per="day")
_WEEK = _cap(most=1, per="week")
_MONTH = {"caps": {"per_calendar_month": 1}}
_ROLL = _cap(most=2, within_s=604800)
_LUNCH = {"closed_hours": [{"name": "lunch", "from": "11:30", "to": "13:00"}]}
_HOLIDAY = {"holidays": {"dates": ["2009-10-01"]}}
_CLASSES = {
    "data": {"originators": ["10086001"]},
    "credit": {"originators": ["10086002"]},
    "care": {"originators": ["10086003"]},
}
_AFTER = {"classes": _CLASSES, "not_after": [{"classes": ["credit"], "after": ["care"], "within_s": 604800}]}
_STOPPED = {"do_not_disturb": {"file": "dnd.csv"}}
_STOP_FILES = {"dnd.csv": f"msisdn,since\n{WHO},2009-09-02T10:00:00\n"}
_STOP_FINE = {"dnd.csv": f"msisdn,since\n{WHO},2009-09-02T10:00:00.500000\n"}
_BUSY = {"busy_cells": {"file": "busy.csv", "then": "drop"}}
_BUSY_FILES = {"busy.csv": "cell,from,to\n1-257,18:00,20:00\n1-300,23:00,01:00\n"}
_ZONES = {"timezones": {"file": "zones.csv"}}
_URUMQI = {"zones.csv": f"msisdn,timezone\n{WHO},Asia/Urumqi\n"}
_LONG = [
    At("2009-09-02 12:00:02", part=(9, 2, 3)),
    At("2009-09-02 12:00:01", part=(9, 1, 3)),
    At("2009-09-02 12:00:03", part=(9, 3, 3)),
]

CASES: Final[tuple[Case, ...]] = (
    # ---- calendar days, weeks, months
    *_pair("day", _DAY, "cap", [
        ("2009-03-10 00:00:00", "2009-03-10 23:59:59", 1),
        ("2009-03-10 23:59:59", "2009-03-11 00:00:00", 0),
        ("2009-03-10 23:59:59.999999", "2009-03-11 00:00:00", 0),
        ("2009-03-10 23:59:58", "2009-03-10 23:59:59", 1),
        ("2009-03-11 00:00:00", "2009-03-11 00:00:01", 1),
    ]),
    *_pair("week", _WEEK, "cap", [  # 2009-03-09 is a Monday
        ("2009-03-09 00:00:00", "2009-03-15 23:59:59", 1),
        ("2009-03-15 23:59:59", "2009-03-16 00:00:00", 0),
        ("2009-03-08 23:59:59", "2009-03-09 00:00:00", 0),
        ("2009-03-14 12:00:00", "2009-03-15 12:00:00", 1),  # Saturday, Sunday: one week
        ("2009-12-31 12:00:00", "2010-01-03 12:00:00", 1),  # over the year's end
    ]),
    *_pair("month", _MONTH, "cap", [
        ("2009-03-31 23:59:59", "2009-04-01 00:00:00", 0),
        ("2009-03-31 23:59:58", "2009-03-31 23:59:59", 1),
        ("2009-04-01 00:00:00", "2009-04-30 23:59:59", 1),
        ("2008-02-28 23:59:59", "2008-02-29 00:00:00", 1),
        ("2008-02-29 23:59:59", "2008-03-01 00:00:00", 0),
        ("2008-02-01 00:00:00", "2008-02-29 23:59:59", 1),
        ("2009-02-28 23:59:59", "2009-03-01 00:00:00", 0),
        ("2008-12-31 23:59:59", "2009-01-01 00:00:00", 0),
        ("2008-03-10 12:00:00", "2009-03-10 12:00:00", 0),  # the same month of another year
        ("2009-03-01 00:30:00", "2009-03-31 23:30:00", 1),  # in UTC the first is of February
    ]),
    *_pair("day on 2008-02-29", _DAY, "cap", [
        ("2008-02-29 00:00:00", "2008-02-29 23:59:59", 1), ("2008-02-28 23:59:59", "2008-02-29 00:00:00", 0),
    ]),
    Case("a cap of none", _cap(most=0, per="day"), [At("2009-03-10 12:00:00")], {"cap": 1}),
    Case("every contact beyond it counts", _DAY, [At(f"2009-03-10 12:00:0{n}", f"100860{n}") for n in range(4)], {"cap": 3}),
    Case("two people", _DAY, [At("2009-03-10 12:00:00"), At("2009-03-10 12:00:01", who="8613900000002")]),
    Case("a friend's message", _DAY, [At("2009-03-10 12:00:00"), At("2009-03-10 12:00:01", "8613911112222")], contacts=1),
    # ---- rolling windows: (t - within, t] holds no more than most
    *[
        Case(f"rolling, third at {third}", _ROLL, [At("2009-03-10 12:00:00"), At("2009-03-12 12:00:00", "1008602"), At(third, "1008603")], {"cap": n} if n else {})
        for third, n in (("2009-03-17 11:59:59", 1), ("2009-03-17 11:59:59.999999", 1), ("2009-03-17 12:00:00", 0), ("2009-03-17 12:00:01", 0))
    ],
    Case("a window exactly full", _ROLL, [At("2009-03-10 12:00:00"), At("2009-03-17 11:59:59", "1008602")]),
    Case("rolling over a month's end", _cap(most=1, within_s=86400), [At("2009-03-31 20:00:00"), At("2009-04-01 10:00:00", "1008602")], {"cap": 1}),
    Case("rolling at one instant", _cap(most=1, within_s=1), [At("2009-03-10 12:00:00"), At("2009-03-10 12:00:00", "1008602")], {"cap": 1}),
    # ---- channels and classes
    Case("another channel", _cap(most=1, per="month", channels=["mms"]), [At("2009-03-10 12:00:00", channel="mms"), At("2009-03-11 12:00:00", "1008602")]),
    Case("the same channel", _cap(most=1, per="month", channels=["mms"]), [At("2009-03-10 12:00:00", channel="mms"), At("2009-03-11 12:00:00", "1008602", channel="mms")], {"cap": 1}),
    Case("one of two channels", _cap(most=1, per="month", channels=["mms", "wap"]), [At("2009-03-10 12:00:00", channel="mms"), At("2009-03-11 12:00:00", "1008602", channel="wap")], {"cap": 1}),
    Case("all channels together", _MONTH, [At("2009-03-10 12:00:00", channel="mms"), At("2009-03-11 12:00:00", "1008602", channel="wap")], {"cap": 1}),
    Case("class by prefix", {"classes": _CLASSES, **_cap(most=1, within_s=2592000, classes=["data"])}, [At("2009-03-10 12:00:00", "100860011"), At("2009-03-11 12:00:00", "100860012")], {"cap": 1}),
    Case("another class", {"classes": _CLASSES, **_cap(most=1, within_s=2592000, classes=["data"])}, [At("2009-03-10 12:00:00", "100860011"), At("2009-03-11 12:00:00", "100860021")]),
    Case("class of which the originator is a prefix", {"classes": _CLASSES, **_cap(most=0, per="day", classes=["data"])}, [At("2009-03-10 12:00:00", "1008600")]),
    # ---- minimum gap
    *_pair("gap", _GAP, "gap", [
        ("2009-03-10 12:00:00", "2009-03-10 12:59:59", 1),
        ("2009-03-10 12:00:00", "2009-03-10 12:59:59.999999", 1),
        ("2009-03-10 12:00:00", "2009-03-10 13:00:00", 0),
        ("2009-03-31 23:30:00", "2009-04-01 00:10:00", 1),
        ("2008-12-31 23:30:00", "2009-01-01 00:10:00", 1),
        ("2009-03-10 12:00:00", "2009-03-10 12:00:00", 1),
    ]),
    Case("gap over channels", _GAP, [At("2009-03-10 12:00:00", channel="mms"), At("2009-03-10 12:30:00", "1008602")], {"gap": 1}),
    Case("gap from one to the next", _GAP, [At("2009-03-10 12:00:00"), At("2009-03-10 12:40:00", "1008602"), At("2009-03-10 13:20:00", "1008603")], {"gap": 2}),
    # ---- never A after B
    *[
        Case(f"credit after care: {away}", _AFTER, [At("2009-03-10 12:00:00", "100860031"), At(then, "100860021")], {"not_after": n} if n else {})
        for away, then, n in (("a second less", "2009-03-17 11:59:59", 1), ("exactly", "2009-03-17 12:00:00", 0), ("at once", "2009-03-10 12:00:00", 1))
    ],
    Case("care after credit", _AFTER, [At("2009-03-10 12:00:00", "100860021"), At("2009-03-11 12:00:00", "100860031")]),
    Case("another between", _AFTER, [At("2009-03-10 12:00:00", "100860031"), At("2009-03-11 12:00:00", "100860011"), At("2009-03-12 12:00:00", "100860021")], {"not_after": 1}),
    Case("somebody else's", _AFTER, [At("2009-03-10 12:00:00", "100860031", "8613900000002"), At("2009-03-12 12:00:00", "100860021")]),
    Case(
        "a class not after itself",
        {"classes": _CLASSES, "not_after": [{"classes": ["data"], "after": ["data"], "within_s": 60}]},
        [At("2009-03-10 12:00:00", "100860011"), At("2009-03-10 12:00:59", "100860011"), At("2009-03-10 12:01:59", "100860012")],
        {"not_after": 1},
    ),
    # ---- hours
    *_single("quiet", _NIGHT, "quiet_hours", [
        ("2009-03-10 20:59:59", 0), ("2009-03-10 20:59:59.999999", 0), ("2009-03-10 21:00:00", 1), ("2009-03-10 21:00:01", 1),
        ("2009-03-10 23:59:59", 1), ("2009-03-11 00:00:00", 1), ("2009-03-11 08:59:59", 1), ("2009-03-11 09:00:00", 0),
        ("2008-02-29 21:00:00", 1), ("2008-02-29 09:00:00", 0),
    ]),
    *_single("quiet within a day", {"quiet_hours": {"from": "12:00", "to": "14:00"}}, "quiet_hours", [
        ("2009-03-10 11:59:59", 0), ("2009-03-10 12:00:00", 1), ("2009-03-10 13:59:59", 1), ("2009-03-10 14:00:00", 0),
    ]),
    *_single("lunch", _LUNCH, "closed_hours", [
        ("2009-03-10 11:29:59", 0), ("2009-03-10 11:30:00", 1), ("2009-03-10 12:59:59", 1), ("2009-03-10 13:00:00", 0),
    ]),
    *_single("closed on Fridays over midnight", {"closed_hours": [{"name": "party", "from": "22:00", "to": "02:00", "days": ["fri"]}]}, "closed_hours", [
        ("2009-03-13 21:59:59", 0), ("2009-03-13 22:00:00", 1), ("2009-03-14 01:59:59", 0), ("2009-03-14 02:00:00", 0),
        ("2009-03-14 22:00:00", 0), ("2009-03-13 01:59:59", 1), ("2009-03-13 02:00:00", 0),
    ]),
    *_single("holiday", _HOLIDAY, "holiday", [
        ("2009-09-30 23:59:59", 0), ("2009-10-01 00:00:00", 1), ("2009-10-01 23:59:59", 1), ("2009-10-02 00:00:00", 0),
    ]),
    Case("a holiday at night breaks both", {**_HOLIDAY, **_NIGHT}, [At("2009-10-01 22:00:00")], {"holiday": 1, "quiet_hours": 1}),
    Case("a holiday on a leap day", {"holidays": {"dates": ["2008-02-29"]}}, [At("2008-02-29 00:00:00"), At("2008-02-28 23:59:59", "1008602"), At("2008-03-01 00:00:00", "1008603")], {"holiday": 1}),
    # ---- cells
    *[
        Case(f"cell {cell} at {at}", _BUSY, [At(at, cell=cell)], {"busy_cell": n} if n else {}, files=_BUSY_FILES)
        for cell, at, n in (
            ("1-257", "2009-03-10 17:59:59", 0), ("1-257", "2009-03-10 18:00:00", 1), ("1-257", "2009-03-10 19:59:59", 1),
            ("1-257", "2009-03-10 20:00:00", 0), ("1-258", "2009-03-10 19:00:00", 0), ("11-257", "2009-03-10 19:00:00", 0),
            ("1-300", "2009-03-10 23:00:00", 1), ("1-300", "2009-03-11 00:59:59", 1), ("1-300", "2009-03-11 01:00:00", 0),
        )
    ],
    # ---- zones
    Case("Urumqi has two hours more", {**_ZONES, **_NIGHT}, [At("2009-03-10 22:59:59")], files=_URUMQI),
    Case("and is quiet at eleven of Shanghai", {**_ZONES, **_NIGHT}, [At("2009-03-10 23:00:00")], {"quiet_hours": 1}, files=_URUMQI),
    Case("his month begins two hours later", {**_ZONES, **_MONTH}, [At("2009-03-31 12:00:00"), At("2009-04-01 01:59:59", "1008602")], {"cap": 1}, files=_URUMQI),
    Case("and then is the next", {**_ZONES, **_MONTH}, [At("2009-03-31 12:00:00"), At("2009-04-01 02:00:00", "1008602")], files=_URUMQI),
    Case("everybody else's does not", {**_ZONES, **_MONTH}, [At("2009-03-31 12:00:00", who="8613900000002"), At("2009-04-01 00:00:00", "1008602", "8613900000002")], files=_URUMQI),
    *_single("Kathmandu, +05:45", _NIGHT, "quiet_hours", [
        ("2009-03-10 20:59:59", 0), ("2009-03-10 21:00:00", 1), ("2009-03-11 09:00:00", 0),
    ], zone="Asia/Kathmandu"),
    *_pair("Kathmandu's midnight", _DAY, "cap", [
        ("2009-03-10 23:59:59", "2009-03-11 00:00:00", 0), ("2009-03-11 00:00:00", "2009-03-11 05:50:00", 1),
    ], zone="Asia/Kathmandu"),
    # ---- clock changes: Berlin 2009-03-29 has 23 hours, 2009-10-25 has 25; Sao Paulo skipped midnight of 2009-10-18
    *_pair("Berlin's short day", _DAY, "cap", [
        ("2009-03-29 00:00:00", "2009-03-29 23:59:59", 1), ("2009-03-28 23:59:59", "2009-03-29 00:00:00", 0), ("2009-03-29 23:59:59", "2009-03-30 00:00:00", 0),
    ], zone="Europe/Berlin"),
    *_single("Berlin's short night", _NIGHT, "quiet_hours", [
        ("2009-03-29 08:59:59", 1), ("2009-03-29 09:00:00", 0), ("2009-03-29 20:59:59", 0), ("2009-03-29 21:00:00", 1),
    ], zone="Europe/Berlin"),
    *_single("Berlin's long night", _NIGHT, "quiet_hours", [("2009-10-25 08:59:59", 1), ("2009-10-25 09:00:00", 0)], zone="Europe/Berlin"),
    Case("Berlin's long day is one day", _DAY, [At("2009-10-25 00:00:00"), At("2009-10-25 23:59:59", "1008602")], {"cap": 1}, zone="Europe/Berlin"),
    Case("two o'clock twice, closed both times", {"closed_hours": [{"from": "02:00", "to": "03:00"}]}, [At("2009-10-25 02:30:00"), At("2009-10-25 02:30:00", "1008602", fold=1)], {"closed_hours": 2}, zone="Europe/Berlin"),
    Case("a gap over the hour that comes twice", _GAP, [At("2009-10-25 02:30:00"), At("2009-10-25 02:30:00", "1008602", fold=1)], zone="Europe/Berlin"),
    Case("a gap over the hour that is skipped", _GAP, [At("2009-03-29 01:30:00"), At("2009-03-29 03:29:59", "1008602")], {"gap": 1}, zone="Europe/Berlin"),
    *_pair("a day that begins at one", _DAY, "cap", [
        ("2009-10-17 23:59:59", "2009-10-18 01:00:00", 0), ("2009-10-18 01:00:00", "2009-10-18 23:59:59", 1),
    ], zone="America/Sao_Paulo"),
    # ---- lists by date; the service centre's stamp has whole seconds
    *[
        Case(f"opt-out at 10:00:00, accepted {accepted}, received {at}", _STOPPED, [At(at, accepted=accepted)], {"do_not_disturb": n} if n else {}, files=_STOP_FILES, in_flight=flying)
        for accepted, at, n, flying in (
            ("2009-09-02 09:59:58", "2009-09-02 09:59:59", 0, 0), ("2009-09-02 09:59:59", "2009-09-02 10:00:00", 0, 1), ("2009-09-02 09:59:59", "2009-09-02 10:00:01", 0, 1),
            ("2009-09-02 10:00:00", "2009-09-02 10:00:01", 0, 1), ("2009-09-02 10:00:01", "2009-09-02 10:00:02", 1, 0), ("2009-09-02 10:01:00", "2009-09-02 10:01:00", 1, 0),
        )
    ],
    Case("within the second of the opt-out", _STOPPED, [At("2009-09-02 10:00:00.900000", accepted="2009-09-02 10:00:00")], files=_STOP_FINE, in_flight=1),
    Case("in the second after it", _STOPPED, [At("2009-09-02 10:00:01.200000", accepted="2009-09-02 10:00:01")], {"do_not_disturb": 1}, files=_STOP_FINE),
    Case("always on the list", _STOPPED, [At("2009-09-02 12:00:00")], {"do_not_disturb": 1}, files={"dnd.csv": f"msisdn,since\n{WHO},\n"}),
    Case("listed twice, the earlier counts", _STOPPED, [At("2009-09-02 12:00:00")], {"do_not_disturb": 1}, files={"dnd.csv": f"msisdn,since\n{WHO},2009-09-03\n{WHO},2009-09-01\n"}),
    Case("control group", {"control_group": {"file": "c.csv"}}, [At("2009-09-02 12:00:00"), At("2009-08-31 23:59:59", "1008602")], {"control_group": 1}, files={"c.csv": f"msisdn,since\n{WHO},2009-09-01\n"}),
    # ---- the same campaign
    *[
        Case(f"the same campaign {then}", {"duplicate": {"same_campaign_days": 30}}, [At("2009-09-02 20:00:00"), At(then)], {"duplicate": n} if n else {})
        for then, n in (("2009-09-02 20:00:00", 1), ("2009-10-01 23:59:59", 1), ("2009-10-02 00:00:00", 0))
    ],
    # ---- long messages
    Case("a long message counts once", _DAY, _LONG, contacts=1),
    Case("of which a part is missing", _DAY, [_LONG[0], At("2009-09-02 12:00:09", "1008602")], {"cap": 1}),
    Case("two long messages", _DAY, [*_LONG, *(At(f"2009-09-02 13:00:0{n}", part=(10, n, 3)) for n in (1, 2, 3))], {"cap": 1}, contacts=2),
    Case("a part over midnight: of the day on which it was complete", _DAY, [At("2009-03-10 23:59:59", part=(7, 1, 2)), At("2009-03-11 00:00:00", part=(7, 2, 2)), At("2009-03-11 12:00:00", "1008602")], {"cap": 1}, contacts=2),
    Case("and not of the day before", _DAY, [At("2009-03-10 12:00:00", "1008602"), At("2009-03-10 23:59:59", part=(7, 1, 2)), At("2009-03-11 00:00:00", part=(7, 2, 2))], contacts=2),
    Case("one part in the quiet hours", _NIGHT, [At("2009-03-10 20:59:59", part=(7, 1, 2)), At("2009-03-10 21:00:00", part=(7, 2, 2))], {"quiet_hours": 1}, contacts=1),
    Case("the first part on a holiday", _HOLIDAY, [At("2009-10-01 23:59:59", part=(7, 1, 2)), At("2009-10-02 00:00:00", part=(7, 2, 2))], {"holiday": 1}, contacts=1),
    Case("a gap runs from completion to completion", _GAP, [At("2009-03-10 12:00:00", part=(7, 1, 2)), At("2009-03-10 12:10:00", part=(7, 2, 2)), At("2009-03-10 13:09:59", "1008602")], {"gap": 1}, contacts=2),
    Case("a reused reference, the second message's parts out of order, the first's part 2 never came", _DAY, [At("2009-03-10 12:00:00", part=(7, 1, 2)), At("2009-03-12 12:00:00", part=(7, 2, 2)), At("2009-03-12 12:00:01", part=(7, 1, 2))], contacts=2),
    Case("two within an hour, interleaved", _DAY, [At("2009-03-10 12:00:00", part=(7, 1, 2)), At("2009-03-10 12:00:01", part=(7, 1, 2)), At("2009-03-10 12:00:02", part=(7, 2, 2)), At("2009-03-10 12:00:03", part=(7, 2, 2))], {"cap": 1}, contacts=2),
    Case("a part told twice", _DAY, [At("2009-03-10 12:00:00", part=(7, 1, 2)), At("2009-03-10 12:00:05", part=(7, 1, 2), accepted="2009-03-10 12:00:00"), At("2009-03-10 12:00:06", part=(7, 2, 2))], contacts=1),
)  # fmt: skip
