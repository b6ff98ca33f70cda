"""What a life came to: the pure measures over its records, as tables and as figures of the summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq

from experiments.audit import audit, read_parts, read_policy
from experiments.audit.local_time import EPOCH
from experiments.audit.parts import reassemble
from experiments.audit.policy import Policy as Judge
from experiments.audit.rules import Judged
from experiments.compliance.cap_use import cap_use
from experiments.compliance.displacement import (
    DISPLACING,
    Displaced,
    Holder,
    Lost,
    displaced,
    matrix,
    unplaced,
)
from experiments.compliance.holds import HeldTrigger, holds
from experiments.compliance.margins import BINS, Edge, edges, histogram
from experiments.compliance.pressure import pressure
from experiments.folder import write_csv
from marketing.campaigns import Campaign
from marketing.contact import Policy, load_policy
from reports.records import read, write

__all__ = ["measured"]

DAY_US: Final = 86_400_000_000
NEVER_EARLY: Final = ("since", "left")
"""Edges near which nothing is missed: nothing is received before it is sent, and caps are to be used."""
SHOWN: Final = 20
"""Findings of the audit in the summary."""


def measured(
    run_dir: Path, arm: Path, campaigns: Sequence[Campaign], epoch_us: int, days: int, near_s: float
) -> dict[str, Any]:
    """Writes the tables of a life and says what they come to.

    Args:
        run_dir: Where tables go.
        arm: The folder of the life's records.
        campaigns: Those that were played.
        epoch_us: Midnight of its first day, Unix microseconds.
        days: So many were lived through.
        near_s: How near an edge a near miss is.
    """
    policy = read_policy(arm / "policy.yaml")
    parts = read_parts(arm / "parts.parquet")
    found = audit(parts, policy)
    judged = Judged(reassemble(parts.from_sources(policy.is_marketing)), policy)
    names = [campaign.campaign for campaign in campaigns]
    triggers = read(arm / "triggers.parquet").to_pylist()
    members = read(arm / "eligible.parquet")
    dated = (*policy.do_not_disturb.items(), *policy.control_group.items())
    listed = {msisdn for msisdn, since_us in dated if since_us <= epoch_us}
    eligible = [
        (sub, msisdn)
        for sub, msisdn in zip(members["sub"].to_pylist(), members["msisdn"].to_pylist(), strict=True)
        if msisdn not in listed
    ]
    who = [msisdn for _, msisdn in eligible]
    pressed = _pressure(run_dir, judged, who, [sub for sub, _ in eligible])
    report = found.as_json()
    sent = Counter(one["campaign"] for one in triggers if one["state"] == "sent")
    values = {
        "audit": {
            **{key: report[key] for key in ("contacts", "violations", "in_flight", "unjudged", "incomplete")},
            "findings": report["findings"][:SHOWN],
        },
        "campaigns": names,
        "suppressed": _by_reason(triggers, names),
        "sent": {name: sent[name] for name in names},
        "near": _near(run_dir, judged, near_s),
        "caps": [asdict(one) for one in cap_use(judged, who, _days(policy, epoch_us, days))],
        "pressure": pressed,
        "displaced": _displaced(run_dir, arm, campaigns, triggers, policy),
        "holds": _holds(run_dir, triggers, epoch_us, epoch_us + days * DAY_US),
    }
    _spreadsheets(run_dir, values)
    return values


def _days(policy: Judge, epoch_us: int, days: int) -> tuple[int, int]:
    """First and last local day, since 1970-01-01."""
    first = date(1970, 1, 1).toordinal()
    ends = (epoch_us, epoch_us + days * DAY_US - 1)
    low, high = (_local(t_us, policy.zone).toordinal() - first for t_us in ends)
    return low, high


def _by_reason(triggers: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Campaign -> reason -> triggers suppressed, most first."""
    found = {name: Counter[str]() for name in names}
    for one in triggers:
        if one["state"] == "suppressed":
            found.setdefault(one["campaign"], Counter())[one["reason"] or "unknown"] += 1
    return {name: dict(sorted(c.items(), key=lambda item: (-item[1], item[0]))) for name, c in found.items()}


def _pressure(run_dir: Path, judged: Judged, who: Sequence[str], subs: Sequence[int]) -> dict[str, Any]:
    persons = judged.contacts.parts.persons
    counts = Counter(persons[p] for p in judged.contacts.person.tolist())
    contacts = np.array([counts[msisdn] for msisdn in who], np.int64)
    write(run_dir / "pressure.parquet", "pressure", {"sub": subs, "msisdn": who, "contacts": contacts})
    return {key: _rounded(value) for key, value in asdict(pressure(contacts)).items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    return [_rounded(one) for one in value] if isinstance(value, tuple) else value


# --------------------------------------------------------------------------- near misses


def _near(run_dir: Path, judged: Judged, near_s: float) -> list[dict[str, Any]]:
    contacts = judged.contacts
    rows: list[dict[str, Any]] = []
    found = []
    for edge in edges(judged):
        found.append(
            {
                "rule": edge.rule,
                "edge": edge.edge,
                "of": edge.of,
                "unit": edge.unit,
                "contacts": len(edge.at),
                "worst": edge.worst(),
                "near": _many_near(edge, near_s),
                "histogram": histogram(edge),
            }
        )
        for at, margin in zip(edge.at.tolist(), edge.margin.tolist(), strict=True):
            rows.append(
                {
                    "rule": edge.rule,
                    "edge": edge.edge,
                    "of": edge.of,
                    "unit": edge.unit,
                    "t_us": int(contacts.t_us[at]),
                    "msisdn": contacts.parts.persons[contacts.person[at]],
                    "source": contacts.parts.sources[contacts.source[at]],
                    "margin": margin,
                }
            )
    _write_rows(run_dir, "near_misses", rows)
    return found


def _many_near(edge: Edge, near_s: float) -> int:
    """Contacts that came so near, and did not break it."""
    if edge.edge in NEVER_EARLY:
        return 0
    most = near_s * 1e6 if edge.unit == "us" else 0
    return int(((edge.margin >= 0) & (edge.margin <= most)).sum())


# --------------------------------------------------------------------------- displaced


def _displaced(
    run_dir: Path, arm: Path, campaigns: Sequence[Campaign], triggers: Sequence[dict[str, Any]], judge: Judge
) -> dict[str, Any]:
    known = {campaign.campaign: campaign for campaign in campaigns}
    policy = Policy.of(load_policy(arm / "policy.yaml"))
    lost = [
        _lost(known[one["campaign"]], one, policy, judge)
        for one in triggers
        if one["state"] == "suppressed" and one["reason"] in DISPLACING
    ]
    found = list(displaced(lost, _ledger(arm, policy.guard_us, judge), judge))
    _write_rows(run_dir, "displaced", [_row(one) for one in found])
    names = list(known)
    return {
        "total": len(found),
        "matrix": [[round(value, 6) for value in row] for row in matrix(found, names)],
        "unplaced": {name: unplaced(found).get(name, 0) for name in names},
        "by_rule": dict(Counter(one.rule for one in found if one.rule).most_common()),
    }


def _lost(campaign: Campaign, trigger: dict[str, Any], policy: Policy, judge: Judge) -> Lost:
    """A suppressed trigger, with when it was judged for: the end of closed hours, where it fell into them."""
    at_us, zone = trigger["decided_us"], judge.zones.get(trigger["msisdn"], judge.zone)
    number = policy.zones.names.index(zone) + 1 if zone in policy.zones.names else 0
    window = policy.window(at_us, number)
    when_us = at_us if window.open else window.release_us
    local = _local(when_us, zone)
    return Lost(
        campaign.campaign,
        campaign.originator,
        tuple(campaign.channels),
        int(trigger["imsi"]),
        trigger["reason"],
        at_us,
        when_us,
        local.year * 100 + local.month,
        local.toordinal(),
        campaign.caps.per_calendar_month,
    )


def _ledger(arm: Path, guard_us: int, judge: Judge) -> list[Holder]:
    """Contacts of the platform's ledger that count."""
    path = arm / "platform" / "ledger.parquet"
    if not path.exists():
        return []
    names = ["campaign", "originator", "channel", "imsi", "msisdn", "decided_us", "valid_until_us", "period"]
    found = []
    for row in pq.read_table(path, columns=[*names, "counted"]).to_pylist():
        if row["counted"]:
            latest_us = row["valid_until_us"] + guard_us
            # Its day is that of its latest possible receipt, as the policy counts days and weeks.
            day = _local(latest_us - 1, judge.zones.get(row["msisdn"], judge.zone)).toordinal()
            found.append(
                Holder(
                    row["campaign"], row["originator"], row["channel"], int(row["imsi"]),
                    row["decided_us"], latest_us, row["period"], day,
                )
            )  # fmt: skip
    return found


def _local(t_us: int, zone: str) -> date:
    return (EPOCH + timedelta(microseconds=t_us)).astimezone(ZoneInfo(zone)).date()


def _row(one: Displaced) -> dict[str, Any]:
    return {
        "campaign": one.lost.campaign,
        "imsi": f"{one.lost.imsi:015d}",
        "decided_us": one.lost.decided_us,
        "reason": one.lost.reason,
        "rule": one.rule,
        "holders": [holder.campaign for holder in one.holders],
    }


# --------------------------------------------------------------------------- held


def _holds(run_dir: Path, triggers: Sequence[dict[str, Any]], start_us: int, end_us: int) -> dict[str, Any]:
    found = [
        HeldTrigger(t["campaign"], t["t_us"], t["held_until_us"], t["decided_us"], t["state"], t["reason"])
        for t in triggers
        if t["held_until_us"]
    ]
    _write_rows(run_dir, "holds", [asdict(one) for one in found])
    return asdict(holds(found, start_us, end_us))


# --------------------------------------------------------------------------- files


def _write_rows(run_dir: Path, name: str, rows: Sequence[dict[str, Any]]) -> None:
    from reports.records import TABLES

    columns = [column.name for column in TABLES[name].columns]
    write(run_dir / f"{name}.parquet", name, {c: [row[c] for row in rows] for c in columns})


def _spreadsheets(run_dir: Path, life: dict[str, Any]) -> None:
    """The same figures for spreadsheets."""
    names = life["campaigns"]
    write_csv(
        run_dir / "suppressed.csv",
        ("campaign", "reason", "triggers"),
        ((name, reason, n) for name, by in life["suppressed"].items() for reason, n in by.items()),
    )
    write_csv(
        run_dir / "displacement.csv",
        ("displaced", *names, "unknown"),
        (
            (name, *row, life["displaced"]["unplaced"][name])
            for name, row in zip(names, life["displaced"]["matrix"], strict=True)
        ),
    )
    write_csv(
        run_dir / "cap_use.csv",
        ("most", "per", "within_s", "channels", "classes", "contacts", "person_periods"),
        (
            (c["most"], c["per"], c["within_s"], " ".join(c["channels"]), " ".join(c["classes"]), n, many)
            for c in life["caps"]
            for n, many in enumerate(c["counts"])
        ),
    )
    write_csv(
        run_dir / "near_misses.csv",
        ("rule", "edge", "of", "unit", "from", "contacts"),
        (
            (e["rule"], e["edge"], e["of"], e["unit"], low, n)
            for e in life["near"]
            for low, n in zip(("", *BINS[e["unit"]]), e["histogram"], strict=True)
        ),
    )
    write_csv(
        run_dir / "pressure_distribution.csv",
        ("contacts", "subscribers"),
        enumerate(life["pressure"]["distribution"]),
    )
    write_csv(run_dir / "releases.csv", ("hour", "released"), enumerate(life["holds"]["by_hour"]))
