"""The commands `kairos bench compare` and `kairos bench aa`; what they do is imported when they run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

__all__ = ["COMMANDS"]

F = TypeVar("F", bound=Callable[..., Any])


def _shared(command: F) -> F:
    """Options of both commands."""
    for option in reversed(
        (
            click.option(
                "--stages",
                metavar="A,B",
                help="Stages to measure, separated by commas; without it all. Fewer are faster.",
            ),
            click.option(
                "--rounds",
                type=click.IntRange(1),
                default=10,
                show_default=True,
                help="Pairs of fresh processes; stages that stay unclear get as many again, once.",
            ),
            click.option(
                "--json",
                "json_file",
                type=click.Path(path_type=Path, dir_okay=False),
                help="Also write the result here, with every round's log-ratio.",
            ),
            click.option(
                "--builds",
                type=click.Path(path_type=Path, file_okay=False),
                help="Folder that keeps what was built, by content; without it a scratch folder.",
            ),
            click.option(
                "--world",
                type=click.Path(path_type=Path, dir_okay=False),
                default=Path("scenarios/worlds/town.yaml"),
                show_default=True,
                help="World whose busy hour is simulated; a path in the newer commit, or absolute.",
            ),
            click.option(
                "--capture",
                type=click.Path(path_type=Path, dir_okay=False),
                help="Take the messages from a pcapng or pcap instead (encode always simulates).",
            ),
            click.option(
                "--messages",
                type=click.IntRange(1),
                default=20_000,
                show_default=True,
                help="Least number of messages in the buffer of decode and correlate.",
            ),
            click.option(
                "--seed", type=int, help="Of the toss who goes first; without it a new one each time."
            ),
        )
    ):
        command = option(command)
    return command


COMPARE_EXAMPLES: Final = """\b
Examples:
  kairos bench compare origin/main
  kairos bench compare HEAD~1 --stages decode,correlate --json compare.json
  kairos bench compare v0.1.0 --dirty --noise noise.json

\b
Exit codes: 0 no stage is slower; 3 one is, or HEAD gives a wrong result; 2 bad input: no such commit, changed
files, a commit that does not build.
"""

AA_EXAMPLES: Final = """\b
Examples:
  kairos bench aa --pool 60 --save noise.json
  kairos bench aa --stages decode --plant 20

\b
Exit codes: 0 at most 2 % of the comparisons alarmed falsely; 3 more did; 2 bad input.
"""


@click.command("bench compare", epilog=COMPARE_EXAMPLES)
@click.argument("base", metavar="BASE_REV")
@_shared
@click.option(
    "--threshold",
    default="auto",
    show_default=True,
    metavar="auto|PCT",
    help="A stage is slower when its time grew by so much and chance cannot explain it. auto: that of the "
    "--noise file, else 10.",
)
@click.option(
    "--noise",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What `kairos bench aa --save` learnt on this class of machine.",
)
@click.option("--dirty", is_flag=True, help="Compare the tracked files as they are, not HEAD.")
def compare(base: str, **options: Any) -> None:
    """Tell whether HEAD is slower than a base commit.

    Builds both commits beside each other and lets them take turns: fresh processes each round, short slices,
    who is first decided by toss, processor time of a message. The harness is this one for both. A stage that
    the base lacks is "new". Works on the simulated busy hour of `kairos bench`, or on your capture.
    """
    from experiments.bench.compare.comparison import run_compare

    if not run_compare(base, **options):
        sys.exit(3)


@click.command("bench aa", epilog=AA_EXAMPLES)
@_shared
@click.option("--rev", default="HEAD", show_default=True, help="The commit to compare with itself.")
@click.option(
    "--pool",
    type=click.IntRange(1),
    default=40,
    show_default=True,
    help="Rounds to record; comparisons are put together from them.",
)
@click.option(
    "--draws",
    type=click.IntRange(100),
    default=2000,
    show_default=True,
    help="Comparisons to draw from the pool.",
)
@click.option(
    "--plant",
    type=click.FloatRange(0, 1000, min_open=True),
    metavar="PCT",
    help="Record each round once more with so much real work added to one side, and tell how often the rule "
    "notices.",
)
@click.option(
    "--save",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the noise of this class of machine, for `kairos bench compare --noise`.",
)
def aa(**options: Any) -> None:
    """Measure how often `kairos bench compare` would alarm falsely on this machine.

    Runs one commit against itself, exactly as a comparison does, and applies the rule: its false alarms, the
    noise of each stage, and the threshold that this machine can hold. Worth doing once for each class of
    machine, when it is as busy as it will be.
    """
    from experiments.bench.compare.aa import run_aa

    if not run_aa(**options):
        sys.exit(3)


COMMANDS: Final = (compare, aa)
"""For `kairos`; the name of each is two words."""
