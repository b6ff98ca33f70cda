"""The audit over a run folder: each arm's handset records by that arm's policy file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.audit import RULES, Audit, audit, read_parts, read_policy
from experiments.folder import open_run, read_json, write_json
from experiments.problems import BadInput, RunInvalid, relative

__all__ = ["audit_run", "table"]


def audit_run(run_dir: Path) -> dict[str, Audit]:
    """Audits every part of a run (arms, live phase) that left handset records.

    Each part's `audit.json` is written into its folder.

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
            parts = read_parts(folder / "parts.parquet")
            policy = read_policy(folder / "policy.yaml")
            if not policy.originators:
                raise BadInput(
                    f"{relative(folder / 'policy.yaml')}: marketing_originators: missing, "
                    "expected a list of sender prefixes such as ['100860']"
                )
            results[folder] = audit(parts, policy)
        except BadInput as error:
            problems += error.lines
    if problems:
        raise BadInput(problems)
    if not results:
        raise BadInput(f"{relative(run_dir)}: no handset records (arms/*/parts.parquet, live/parts.parquet)")
    if valid:
        _compare(run_dir, summary, sum(result.contacts for result in results.values()))
    for folder, result in results.items():
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


def table(results: dict[str, Audit]) -> str:
    """The results as text, with the first findings below."""
    head = (
        f"{'arm':10}{'contacts':>10}"
        + "".join(f"{rule.replace('_', ' '):>16}" for rule in RULES)
        + f"{'in flight':>12}"
    )
    lines = [head]
    for arm, result in results.items():
        counts = "".join(f"{result.by_rule[rule]:>16}" for rule in RULES)
        lines.append(f"{arm:10}{result.contacts:>10}{counts}{len(result.in_flight):>12}")
    for arm, result in results.items():
        lines += [f"  {arm}: {f.rule}: {f.msisdn} from {f.source}: {f.said}" for f in result.findings[:10]]
        if len(result.findings) > 10:
            folder = arm if arm == "live" else f"arms/{arm}"
            lines.append(f"  {arm}: and {len(result.findings) - 10} more, see {folder}/audit.json")
    return "\n".join(lines)
