"""The commands `kairos map` and `kairos dry-run`; what they do is imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

__all__ = ["COMMANDS"]


@click.command("map")
@click.argument("world", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Picture to write, .png, .svg or .pdf; WORLD.png in the current folder.",
)
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True, help="Seed of the map.")
@click.option(
    "--cells",
    "cell_list",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Writes the cells too, as a list (CSV) that a world can name in network.cell_list.",
)
@click.option(
    "--set", "settings", multiple=True, metavar="PATH=VALUE", help="Sets one key of the world. Repeatable."
)
def draw(world: Path, out: Path | None, seed: int, cell_list: Path | None, settings: tuple[str, ...]) -> None:
    """Draw the network of a world: cells, areas, BSCs and MSCs, roads, railways, places.

    \b
    Example:
      kairos map scenarios/worlds/town.yaml --out town.svg --cells town.csv
    """
    from experiments.city_map import map_command

    map_command(world, out, seed, cell_list, settings)


@click.command("dry-run")
@click.argument("file", type=click.Path(path_type=Path), metavar="WORLD|STUDY")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Seed of the sample.")
@click.option("--day", type=click.IntRange(1), default=1, show_default=True, help="Day of the world, from 1.")
@click.option(
    "--set", "settings", multiple=True, metavar="PATH=VALUE", help="Sets one key of the file. Repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a table.")
def dry_run(file: Path, seed: int, day: int, settings: tuple[str, ...], as_json: bool) -> None:
    """Say what a world or a study will come to, before anything runs.

    Counts of people, cells, areas, BSCs and MSCs; calls, short messages, location updates and messages a day;
    the busy hour's traffic in Erlang and the blocking that Erlang B expects of it; time, memory and disk. The
    network is built whole; its traffic is measured on a sample of its people and scaled.

    \b
    Examples:
      kairos dry-run scenarios/worlds/province.yaml
      kairos dry-run scenarios/studies/demo.yaml --json
      kairos run scenarios/studies/demo.yaml --dry-run
    """
    from experiments.dry_run import dry_run_command

    dry_run_command(file, settings, seed=seed, day=day, as_json=as_json)


COMMANDS: Final = (draw, dry_run)
"""For `kairos`."""
