"""The commands `kairos import` and `kairos export`; what they do is imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

__all__ = ["COMMANDS"]

IMPORT_EXAMPLES: Final = """\b
Examples:
  kairos import profiles subscribers.csv --to platform.yaml
  kairos import list vip.csv --name vip --to /var/lib/kairos/imports
  kairos import do-not-disturb dnd.parquet --to http://127.0.0.1:8000 --token-file token
  kairos import profiles gbk.csv --encoding gb18030 --check
"""

EXPORT_EXAMPLES: Final = """\b
Examples:
  kairos export experiments/runs/demo/20260101-120000-seed7 --out bi
  kairos export RUN_DIR --out bi --hash-msisdn secret.key
"""


@click.command("import", epilog=IMPORT_EXAMPLES)
@click.argument("kind", type=click.Choice(["profiles", "list", "do-not-disturb"]))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--to",
    metavar="CONFIG|FOLDER|URL",
    help="Where: a platform's configuration (its imports.dir), an import store, or a running platform.",
)
@click.option("--check", is_flag=True, help="Only say what would be said; change nothing.")
@click.option("--name", default="", help="Of a list; by default the file's name without its ending.")
@click.option(
    "--replace", "replace_all", is_flag=True, help="do-not-disturb: in place of the list in force, not added."
)
@click.option(
    "--encoding", type=click.Choice(["utf-8", "gb18030"]), default="utf-8", show_default=True, help="Of CSV."
)
@click.option(
    "--bad-share",
    type=click.FloatRange(0, 1),
    default=0.01,
    show_default=True,
    help="Refuse the whole file if a greater share of its rows is bad.",
)
@click.option("--zone", default="Asia/Shanghai", show_default=True, help="Of dates without an offset.")
@click.option(
    "--errors",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to list bad rows; FILE.errors.csv.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With a URL: file that holds the token.",
)
def import_command(
    kind: str,
    file: Path,
    to: str | None,
    check: bool,
    name: str,
    replace_all: bool,
    encoding: str,
    bad_share: float,
    zone: str,
    errors: Path | None,
    token_file: Path | None,
) -> None:
    """Put an extract, a target list or a do-not-disturb list in force.

    FILE is CSV (UTF-8) or Parquet. It is read whole and checked before anything changes; a running platform
    then switches over in one step and keeps what it has learned of everybody. Bad rows are listed in a CSV
    beside the file: the row, the column, the value, what was expected.
    """
    from experiments.imports import Options, run_import

    run_import(
        kind, file, Options(to, check, name, replace_all, encoding, bad_share, zone, errors, token_file)
    )


@click.command("export", epilog=EXPORT_EXAMPLES)
@click.argument("run_dir", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the tables."
)
@click.option("--arm", help="Which arm of the study; by default precise, or the only one.")
@click.option(
    "--hash-msisdn",
    "key_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="KEY-FILE",
    help="Replace MSISDN, IMSI and numbers called by keyed hashes (BLAKE2b); this file holds the key.",
)
def export_command(run_dir: Path, out: Path, arm: str | None, key_file: Path | None) -> None:
    """Write features and behaviours of a run as Parquet for BI.

    What each column holds is in the files' schemas and in OUT/README.md. With --hash-msisdn the same number
    gets the same hash in every table and every export with the same key, and cannot be found without it.
    """
    from experiments.export import run_export

    run_export(run_dir, out, arm, key_file)


COMMANDS: Final = (import_command, export_command)
"""For `kairos`."""
