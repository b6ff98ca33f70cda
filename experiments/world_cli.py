"""The commands `kairos map`, `dry-run`, `judge` and `see`; what they do is imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from experiments.problems import BadInput, RunInvalid

__all__ = ["COMMANDS"]


JUDGE_EXAMPLES: Final = """\b
Examples:
  kairos judge
  kairos judge --judge tshark --count 200000 --seed 7
  kairos judge --judge tshark --judge pycrate --count 5000 --json verdicts.json
  kairos judge --world scenarios/worlds/province.yaml --count 200000
"""


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
@click.argument("file", type=click.Path(path_type=Path), metavar="WORLD|STUDY|CAMPAIGN")
@click.argument("run_dir", type=click.Path(path_type=Path), required=False)
@click.option(
    "--seed", type=click.IntRange(0), help="Seed of the sample. Default: the study's own, of a world 1."
)
@click.option("--day", type=click.IntRange(1), default=1, show_default=True, help="Day of the world, from 1.")
@click.option(
    "--set", "settings", multiple=True, metavar="PATH=VALUE", help="Sets one key of the file. Repeatable."
)
@click.option("--arm", help="With a campaign: on whose behaviours. Default: the precise arm's.")
@click.option(
    "--alone", is_flag=True, help="With a campaign: as if the other campaigns of the run had sent nothing."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a table.")
def dry_run(
    file: Path,
    run_dir: Path | None,
    seed: int | None,
    day: int,
    settings: tuple[str, ...],
    arm: str | None,
    alone: bool,
    as_json: bool,
) -> None:
    """Say what a world, a study or a campaign will come to, before anything runs.

    Counts of people, cells, areas, BSCs and MSCs; calls, short messages, location updates and messages a day;
    the busy hour's traffic in Erlang and the blocking that Erlang B expects of it; time, memory and disk. The
    network is built whole; its traffic is measured on a sample of its people and scaled.

    A campaign is played on the behaviours that a run has recorded, with that run's extract, cells and policy:
    how many would have been triggered, when and where, and what the policy would have suppressed, and why.
    What the other campaigns of that run had sent counts against the caps.

    \b
    Examples:
      kairos dry-run scenarios/worlds/province.yaml
      kairos dry-run scenarios/studies/demo.yaml --json
      kairos run scenarios/studies/demo.yaml --dry-run
      kairos dry-run scenarios/campaigns/wrong-number.yaml experiments/runs/demo/RUN
    """
    from experiments.validate import kind_of

    if run_dir is not None or (file.is_file() and kind_of(file) == "campaign"):
        from experiments.rehearsal.campaign import rehearse_command

        if run_dir is None:
            raise BadInput(
                f"{file}: a campaign is played on a recorded run: give the folder of one as RUN_DIR"
            )
        if file.is_file() and kind_of(file) != "campaign":
            raise BadInput(f"{file}: RUN_DIR goes with a campaign file, and this is none")
        rehearse_command(file, run_dir, arm, alone=alone, as_json=as_json)
        return
    from experiments.rehearsal.command import dry_run_command

    dry_run_command(file, settings, seed=seed, day=day, as_json=as_json)


@click.command(epilog=JUDGE_EXAMPLES)
@click.option(
    "--judge",
    "judges",
    type=click.Choice(["tshark", "pycrate"]),
    multiple=True,
    default=["tshark"],
    show_default=True,
    help="Who judges: Wireshark's decoder, or the Python library pycrate. May be given many times.",
)
@click.option("--count", type=click.IntRange(1), default=10_000, show_default=True, help="How many messages.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Seed of the messages.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write here what was compared, confirmed, excused and complained of.",
)
@click.option(
    "--world", type=click.Path(path_type=Path, dir_okay=False), help="Judge what this world says instead."
)
@click.option("--day", type=click.IntRange(1), default=1, show_default=True, help="With --world: its day.")
@click.option("--start", default="18:00", show_default=True, metavar="HH:MM", help="And local time.")
@click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="Sets one key of the world.")
def judge(
    judges: tuple[str, ...], count: int, seed: int, json_file: Path | None, world: Path | None, **at: Any
) -> None:
    """Let decoders that others wrote judge what the codec writes, or what a world says.

    Messages of every procedure and of every type, with random contents, must be named as here, be free of
    malformed parts and expert complaints, and agree field by field. Where a judge is known to be wrong its
    complaint is excused and counted; sim/bssap/MESSAGES.md says why. Exits with 3 for any other complaint.

    With --world the messages are the first of that world. Besides, every dialogue must be one that may
    happen, references must be alone, every message must belong to an act, and every act that the A interface
    can show must have its messages.
    """
    if world is not None:
        from experiments.world_check import judge_world

        content = judge_world(world, judges, count, seed=seed, json_file=json_file, **at)
    else:
        from experiments.judge.command import run_command

        content = run_command(judges, count, seed, json_file)
    if not content:
        raise RunInvalid("a judge complained")


@click.command()
@click.argument("world", type=click.Path(path_type=Path))
@click.option(
    "--hours",
    type=click.FloatRange(0, min_open=True),
    default=24.0,
    show_default=True,
    help="Simulated hours from midnight of day 1.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="Seed of all that is drawn."
)
@click.option(
    "--periods",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="T3212 missed until somebody silent is taken for switched off.",
)
@click.option(
    "--set", "settings", multiple=True, metavar="PATH=VALUE", help="Sets one key of the world. Repeatable."
)
@click.option(
    "--json",
    "as_json",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write all counts here.",
)
def see(
    world: Path, hours: float, seed: int, periods: int, settings: tuple[str, ...], as_json: Path | None
) -> None:
    """Compare what the platform sees of a world with what the tap can show, kind by kind.

    Exits with 3 where anything differs; with faults in the world, where a power-off or a change of handset is
    false.

    \b
    Examples:
      kairos see scenarios/worlds/town.yaml --set subscribers=1000
      kairos see scenarios/worlds/town.yaml --set subscribers=1000 --set faults.loss_share=0.01
    """
    from experiments.see import see_command

    if not see_command(world, settings, seed=seed, hours=hours, periods=periods, as_json=as_json):
        raise RunInvalid("the platform saw something else than was to be seen")


COMMANDS: Final = (draw, dry_run, judge, see)
"""For `kairos`."""
