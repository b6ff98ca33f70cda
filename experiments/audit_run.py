"""The audit over a run folder: each arm's handset records by that arm's policy file."""

from __future__ import annotations

from pathlib import Path

from experiments.audit import RULES, Audit, audit, read_parts, read_policy
from experiments.folder import open_run, write_json
from experiments.problems import BadInput, relative

__all__ = ["audit_run", "table"]


def audit_run(run_dir: Path) -> dict[str, Audit]:
    """Audits every part of a run (arms, live phase) that left handset records.

    Each part's `audit.json` is written into its folder.
    """
    open_run(run_dir)
    results: dict[str, Audit] = {}
    for parts in [*sorted(run_dir.glob("arms/*/parts.parquet")), *run_dir.glob("live/parts.parquet")]:
        results[parts.parent.name] = audit(read_parts(parts), read_policy(parts.parent / "policy.yaml"))
        write_json(parts.parent / "audit.json", results[parts.parent.name].as_json())
    if not results:
        raise BadInput(f"{relative(run_dir)}: no handset records (arms/*/parts.parquet, live/parts.parquet)")
    return results


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
