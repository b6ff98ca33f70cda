"""The audit: did anybody receive what the policy forbids? Judged from handsets alone.

It reads what handsets received (`parts.parquet`) and the policy file with the dated lists that it names,
nothing of the platform: not its ledger, not its code. Marketing is known by its originator; a long message
counts once, after its parts are put together. All of it works on columns: a million contacts take seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from experiments.audit.parts import Contacts, Part, Parts, reassemble
from experiments.audit.policy import Policy
from experiments.audit.rules import IN_FLIGHT, RULES, Broken, Judged, broken

__all__ = ["Audit", "Finding", "Seen", "audit", "earliest"]

KEPT: Final = 1000
"""Findings written out of each rule, the earliest; all are counted."""
LISTED: Final = 100
"""Findings in `audit.json` of each rule, the earliest."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One contact that a finding takes."""

    t_us: int
    local: str
    """Receipt in its reader's local time."""
    source: str
    channel: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation."""

    rule: str
    msisdn: str
    source: str
    t_us: int
    said: str
    """The facts, in one line."""
    contacts: tuple[Seen, ...] = ()
    """The contacts that it took, in the order of time, the violating one last."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What the audit found."""

    contacts: int
    """Marketing messages received, long ones counted once."""
    parts: int
    """Marketing messages as delivered, each part counted."""
    incomplete: int
    """Contacts of which a part never came."""
    repeated_parts: int
    """Parts received twice with one service centre time stamp: a lost acknowledgement, no new contact."""
    findings: tuple[Finding, ...]
    """The earliest of each rule, in the order of time."""
    in_flight: int
    """Received after an opt-out, but accepted by the service centre before it: no violation."""
    in_flight_listed: tuple[Finding, ...] = ()
    by_rule: Mapping[str, int] = field(default_factory=dict)
    """Violations by rule, all rules present."""
    unjudged: Mapping[str, str] = field(default_factory=dict)
    """Rules of the policy that these records cannot show, with the reason."""

    @property
    def violations(self) -> int:
        """Of all rules."""
        return sum(self.by_rule.values())

    def as_json(self) -> dict[str, Any]:
        """For `audit.json`; of findings the first."""

        def listed(findings: Iterable[Finding]) -> list[dict[str, Any]]:
            return [
                {
                    "rule": f.rule,
                    "msisdn": f.msisdn,
                    "source": f.source,
                    "t_us": f.t_us,
                    "said": f.said,
                    "contacts": [
                        {"t_us": s.t_us, "local": s.local, "source": s.source, "channel": s.channel}
                        for s in f.contacts
                    ],
                }
                for f in findings
            ]

        return {
            "contacts": self.contacts,
            "parts": self.parts,
            "incomplete": self.incomplete,
            "repeated_parts": self.repeated_parts,
            "violations": dict(self.by_rule),
            "in_flight": self.in_flight,
            "unjudged": dict(self.unjudged),
            "findings": listed(earliest(self.findings, LISTED)),
            "in_flight_listed": listed(earliest(self.in_flight_listed, LISTED)),
        }


def earliest(findings: Iterable[Finding], most: int) -> list[Finding]:
    """So many of each rule."""
    seen: dict[str, int] = {}
    kept = []
    for finding in findings:
        seen[finding.rule] = seen.get(finding.rule, 0) + 1
        if seen[finding.rule] <= most:
            kept.append(finding)
    return kept


def audit(parts: Parts | Iterable[Part], policy: Policy) -> Audit:
    """Judges what was received by the policy."""
    columns = parts if isinstance(parts, Parts) else Parts.of(parts)
    marketing = columns.from_sources(policy.is_marketing)
    contacts = reassemble(marketing)
    judged = Judged(contacts, policy)
    counts = dict.fromkeys((*RULES, IN_FLIGHT), 0)
    found: list[Finding] = []
    for one in broken(judged):
        counts[one.rule] += len(one.at)
        found += _findings(judged, one)
    found.sort(key=lambda f: (f.t_us, f.msisdn, f.rule))
    return Audit(
        contacts=len(contacts),
        parts=len(marketing),
        incomplete=int((~contacts.whole).sum()),
        repeated_parts=contacts.repeated,
        findings=tuple(f for f in found if f.rule != IN_FLIGHT),
        in_flight=counts.pop(IN_FLIGHT),
        in_flight_listed=tuple(f for f in found if f.rule == IN_FLIGHT),
        by_rule=counts,
        unjudged=_unjudged(contacts, policy),
    )


def _findings(judged: Judged, one: Broken) -> list[Finding]:
    contacts = judged.contacts
    parts = contacts.parts
    found = []
    for k in range(min(len(one.at), KEPT)):
        last = int(one.at[k])
        seen = tuple(
            Seen(
                int(contacts.t_us[i]),
                judged.where(i),
                parts.sources[contacts.source[i]],
                parts.channels[contacts.channel[i]],
            )
            for i in one.involved(k)
        )
        person, source = parts.persons[contacts.person[last]], parts.sources[contacts.source[last]]
        found.append(Finding(one.rule, person, source, int(contacts.t_us[last]), one.said(k), seen))
    return found


def _unjudged(contacts: Contacts, policy: Policy) -> dict[str, str]:
    if policy.busy and len(contacts) and not contacts.parts.cells:
        return {"busy_cell": "these records do not say in which cell a handset was"}
    return {}
