"""The command `kairos bench network`; what it does is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["network_command"]


@click.command("bench network")
@click.option(
    "--subscribers",
    type=click.IntRange(1, 10_000_000),
    default=100_000,
    show_default=True,
    help="People, in place of the world's own number.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that draw what people mean to do, one block of hours ahead; 1: the only process does.",
)
@click.option(
    "--start",
    type=click.FloatRange(0, 24, max_open=True),
    default=0.0,
    show_default=True,
    help="Hour of the first day at which it begins: 18 for the busiest.",
)
@click.option(
    "--hours",
    type=click.FloatRange(0, 240, min_open=True),
    default=24.0,
    show_default=True,
    help="Simulated time. A part of a day has another mix than the whole.",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Another world.")
@click.option(
    "--world",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("scenarios/worlds/province.yaml"),
    show_default=True,
    help="World file, whose number of subscribers is replaced.",
)
@click.option(
    "--digest", is_flag=True, help="Also SHA-256 of all messages and of the truth; costs some time."
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the figures here.",
)
def network_command(**options: Any) -> None:
    """Measure how fast the simulated network lives, with messages and without.

    A world is built and lived through twice, in processes of their own: its signalling encoded, in order of
    time, in windows of ten seconds; and acts alone. Printed are messages a second of processor time (drawing
    included), subscriber-days, building time and peak memory. What comes out is the same whatever --workers:
    compare with --digest.

    \b
    Examples:
      kairos bench network --subscribers 100000 --json figures.json
      kairos bench network --subscribers 1000000 --workers 2
      kairos bench network --subscribers 200000 --start 15 --hours 6 --workers 4 --digest
    """
    from experiments.bench.network import run_command

    run_command(**options)
