"""The command `kairos merge`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

__all__ = ["COMMANDS"]

EXAMPLES: Final = """\b
Examples:
  kairos merge experiments/runs/latency/*
"""


@click.command("merge", epilog=EXAMPLES)
@click.argument(
    "runs", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False), metavar="RUN_DIR..."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("experiments/runs"),
    show_default=True,
    help="Folder that keeps the runs.",
)
@click.pass_context
def merge(ctx: click.Context, runs: tuple[Path, ...], out: Path) -> None:
    """Add up runs of one latency study: one folder, one page, percentiles of all their triggers.

    Histograms are added, never percentiles averaged. The runs must be of the same study under the same load
    on the same machine; to set runs side by side that differ, see `kairos report RUN_DIR RUN_DIR`.
    """
    from experiments.latency.running import merge_runs

    ctx.exit(merge_runs(runs, out, sys.argv[1:]))


COMMANDS: Final = (merge,)
"""For `kairos`."""
