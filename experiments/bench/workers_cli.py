"""The command line of `kairos bench workers`; what it does is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["workers_command"]


@click.command("bench workers")
@click.option(
    "--world",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("scenarios/worlds/province.yaml"),
    show_default=True,
    help="World whose busy hour it is.",
)
@click.option("--subscribers", type=click.IntRange(1000), help="In place of the world's own number.")
@click.option("--campaigns", type=click.IntRange(1), default=100, show_default=True, help="Active.")
@click.option("--workers", type=click.IntRange(2, 64), default=2, show_default=True, help="Processes.")
@click.option("--turns", type=click.IntRange(1), default=3, show_default=True, help="Of both.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the figures there.",
)
def workers_command(**options: Any) -> None:
    """Measure what dividing the engine over processes gains, one engine and several in turns.

    The first time a busy hour is simulated, which takes minutes. Decisions must be the same, or the command
    ends with 3.

    \b
    Examples:
      kairos bench workers
      kairos bench workers --workers 4 --turns 5 --json workers.json
    """
    from experiments.bench.workers import run_command

    run_command(**options)
