"""`kairos audit`: handset records against a policy file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from experiments.problems import BadInput, RunInvalid, write_text

__all__ = ["audit"]

AUDIT_NOTES: Final = """\b
Examples:
  kairos audit experiments/runs/demo/20260101-120000-seed7
  kairos audit experiments/runs/demo/20260101-120000-seed7 --policy stricter.yaml --json audit.json
  kairos audit parts.parquet --policy scenarios/policies/default.yaml

\b
What counts:
  a contact    whatever comes from one of `marketing_originators`; a long message once, when it is complete
  its time     of receipt at the handset, in the time zone of its reader
  its class    by the prefix of its originator; its channel as the records say (sms, wap, mms)
  an opt-out   by the service centre's time stamp: accepted before it and received after it is listed as
               `in flight` and is no violation

\b
Exit codes:
  0  nobody received what the policy forbids
  2  bad input: records, policy or a list beside it are missing or wrong; each is named
  3  the policy was violated, or the run's summary counts other contacts than its handsets
"""


@click.command(epilog=AUDIT_NOTES)
@click.argument("records", metavar="RUN_DIR|PARTS.parquet", type=click.Path(path_type=Path))
@click.option(
    "--policy",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Judge by this policy; absent: by the policy.yaml beside the records.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the results here, with the earliest findings of each rule.",
)
def audit(records: Path, policy: Path | None, json_file: Path | None) -> None:
    """Judge contacts by a policy, from handset records alone.

    Reads what handsets received and the policy file with the lists and tables it names, nothing of the
    platform, and shares no code with it. Each finding names the rule, the person, the contacts that it took
    and their local times. A run folder's parts (arms, live phase) are judged each by its own policy, and
    `audit.json` is written beside the records, unless another policy is given.
    """
    import json

    from experiments.audit.run import audit_file, audit_run, table

    if records.is_dir():
        results = audit_run(records, policy)
    elif records.exists():
        results = {records.stem: audit_file(records, policy)}
    else:
        raise BadInput(f"{records}: no such run folder or file of handset records")
    if json_file is not None:
        found = {name: result.as_json() for name, result in results.items()}
        write_text("--json", json_file, json.dumps(found, ensure_ascii=False, indent=2) + "\n")
    click.echo(table(results))
    if any(result.violations for result in results.values()):
        raise RunInvalid("the policy was violated")
