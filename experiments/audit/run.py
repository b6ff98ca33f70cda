"""The audit over a run folder, each arm's handset records by that arm's policy file, or over one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from experiments.audit import RULES, Audit, audit, earliest, read_parts, read_policy
from experiments.folder import open_run, read_json, write_json
from experiments.problems import BadInput, RunInvalid, relative

__all__ = ["audit_file", "audit_run", "table"]

SHOWN: Final = 10
"""Findings on the screen of each part of a run."""


def audit_file(records: Path, policy: Path | None = None) -> Audit:
    """Audits one file of handset records; without a policy by the `policy.yaml` beside it.

    Raises:
        BadInput: records or policy are missing or damaged: every one is named.
    """
    rules = policy or records.parent / "policy.yaml"
    if policy is None and not rules.exists():
        raise BadInput(f"{relative(records)}: no policy.yaml beside it: name one with --policy FILE")
    parts, read = read_parts(records), read_policy(rules)
    if not read.originators:
        raise BadInput(
            f"{relative(rules)}: marketing_originators: missing, "
            "expected a list of sender prefixes such as ['100860']"
        )
    return audit(parts, read)


def audit_run(run_dir: Path, policy: Path | None = None) -> dict[str, Audit]:
    """Audits every part of a run (arms, live phase) that left handset records.

    Each part's `audit.json` is written into its folder, unless it was judged by another policy than its own.

    Raises:
        BadInput: records, policy or summary are missing or damaged: every one is named.
        RunInvalid: the run calls itself valid, but its summary counts other contacts than its handsets.
    """
    manifest = open_run(run_dir).manifest
    valid = manifest.get("validity") == "valid"
    summary = read_json(run_dir / "summary.json") if valid or (run_dir / "summary.json").exists() else {}
    results: dict[Path, Audit] = {}
    problems: list[str] = []
    for folder in _folders(run_dir, summary, valid):
        try:
            results[folder] = audit_file(folder / "parts.parquet", policy or folder / "policy.yaml")
        except BadInput as error:
            problems += [line for line in error.lines if line not in problems]
    if problems:
        raise BadInput(problems)
    if not results:
        raise BadInput(f"{relative(run_dir)}: no handset records (arms/*/parts.parquet, live/parts.parquet)")
    if valid and policy is None:
        _compare(run_dir, summary, sum(result.contacts for result in results.values()))
    for folder, result in results.items() if policy is None else ():
        try:
            write_json(folder / "audit.json", result.as_json())
        except OSError as error:
            said = error.strerror or error
            raise BadInput(f"{relative(folder / 'audit.json')}: cannot be written: {said}") from None
    return {folder.name: result for folder, result in results.items()}


def _folders(run_dir: Path, summary: Mapping[str, Any], valid: bool) -> list[Path]:
    """The parts of the run to be judged: those with records, those its summary names, all of a valid run."""
    arms = summary.get("arms", {})
    if not isinstance(arms, dict):
        raise BadInput(f"{relative(run_dir / 'summary.json')}: arms = {arms!r}: expected an object")
    wanted = "" if valid else "parts.parquet"
    found = {run_dir / "arms" / arm for arm in arms}
    found |= {f for f in run_dir.glob("arms/*") if f.is_dir() and (f / wanted).exists()}
    live = [f for f in (run_dir / "live",) if f.is_dir() and (f / wanted).exists()]
    return [*sorted(found), *live]


def _compare(run_dir: Path, summary: Mapping[str, Any], audited: int) -> None:
    said = summary.get("contacts")
    received = said.get("received") if isinstance(said, dict) else None
    if not isinstance(received, int):
        raise BadInput(
            f"{relative(run_dir / 'summary.json')}: contacts.received = {received!r}: expected a number"
        )
    if received != audited:
        raise RunInvalid(
            f"the handset records hold {audited} contacts, "
            f"{relative(run_dir / 'summary.json')} says {received} were received"
        )


def table(results: Mapping[str, Audit]) -> str:
    """The results as text: a column a part of the run, a line a rule, the first findings below."""
    width = max(10, *(len(arm) + 2 for arm in results))

    def line(name: str, values: list[int]) -> str:
        return f"{name:18}" + "".join(f"{value:>{width}}" for value in values)

    found = list(results.values())
    lines = [f"{'':18}" + "".join(f"{arm:>{width}}" for arm in results)]
    lines.append(line("contacts", [r.contacts for r in found]))
    lines += [line(f"  {rule}", [r.by_rule[rule] for r in found]) for rule in RULES]
    lines.append(line("in flight", [r.in_flight for r in found]))
    total = sum(r.violations for r in found)
    lines.append(f"{total} violations" if total else "no violation")
    for arm, result in results.items():
        lines += [f"  {arm}: {rule} not judged: {why}" for rule, why in result.unjudged.items()]
        shown = sorted(earliest(result.findings, SHOWN), key=lambda f: list(RULES).index(f.rule))[:SHOWN]
        lines += [f"  {arm}: {f.rule}: {f.msisdn} from {f.source}: {f.said}" for f in shown]
        if result.violations > len(shown):
            lines.append(f"  {arm}: and {result.violations - len(shown)} more, see its audit.json or --json")
    return "\n".join(lines)
