"""`kairos run` and `kairos rerun`: a study, one that was broken off, one that has been run before."""

from __future__ import annotations

import errno
import shlex
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from experiments.problems import BadInput, RunInvalid, relative
from experiments.running.how import Running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from experiments.folder import RunFolder

__all__ = ["COMMANDS"]

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says when there is no room for a file."""
STOPPED: Final = 130
"""What a kind ends with that has tidied up after Ctrl-C by itself."""
RUNS: Final = Path("experiments/runs")

RUN_EXAMPLES: Final = """\b
Examples:
  kairos run scenarios/studies/demo.yaml --seed 7
  kairos run scenarios/studies/demo.yaml --transport memory --set days=1 --set live=null
  kairos run scenarios/studies/realism.yaml --processes 4
  kairos run scenarios/studies/realism.yaml --cluster tcp://10.0.0.5:8786
  kairos run --resume experiments/runs/realism/20260301-101500-seed7
"""

RERUN_EXAMPLES: Final = """\b
Examples:
  kairos rerun experiments/runs/demo/20260301-101500-seed1/manifest.json
  kairos rerun experiments/runs/realism/20260301-101500-seed7 --processes 1
"""

Command = Callable[..., Any]


def _at_scale(command: Command) -> Command:
    """Options of how the jobs of a study are run."""
    for option in (
        click.option(
            "--cluster",
            metavar="ADDRESS",
            help="Run the jobs of the study (replicates, seeds, sweeps) on the Dask cluster whose scheduler "
            "has this address, such as tcp://10.0.0.5:8786. Its workers need the same Kairos and files. "
            "Needs the extra: ./run pip install -e '.[cluster]'.",
        ),
        click.option(
            "--processes",
            type=click.IntRange(1),
            metavar="N",
            help="Run so many jobs of the study at a time, each in a process of its own; 1: all in this one. "
            "The results are the same. Without it, as many as there are processors.",
        ),
    ):
        command = option(command)
    return command


@click.command(epilog=RUN_EXAMPLES)
@click.argument("study", type=click.Path(path_type=Path), required=False)
@click.option("--seed", type=click.IntRange(0), help="Seed of everything drawn, in place of the study's.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Folder that keeps the runs; {RUNS} by default.",
)
@click.option(
    "--transport",
    type=click.Choice(["auto", "kernel", "usrsctp", "memory"]),
    help="How signalling reaches the platform. auto: the kernel's SCTP where it works, else libusrsctp; "
    "memory: both programs in one process, over the same bytes.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PATH=VALUE",
    help="Sets one key of the study, such as live.seconds=10 or days=1. May be given many times.",
)
@_at_scale
@click.option(
    "--resume",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="RUN_DIR",
    help="Go on with a run that was broken off, from its folder: study, settings and seed are those that it "
    "began with, and what it had finished is not done again. STUDY is needed only where its file has moved.",
)
@click.option("--dry-run", is_flag=True, help="Say what it will come to, and run nothing.")
def run(
    study: Path | None,
    seed: int | None,
    out: Path | None,
    transport: str | None,
    settings: tuple[str, ...],
    processes: int | None,
    cluster: str | None,
    resume: Path | None,
    dry_run: bool,
) -> None:
    """Run a study and write its report.

    The arms run in lockstep with the platform, which makes them repeatable: same study, same seed, same
    records. The live phase is paced by the clock and measures latency. A run that lags, loses messages or
    loses the platform is invalid: it keeps what it has, says why, and exits with 3.

    A run that was broken off (Ctrl-C, a full disk, a machine that went down) goes on with --resume: finished
    jobs are in RUN_DIR/kept, finished arms in RUN_DIR/arms, and the results are those of a run that was never
    interrupted. It is refused where the study, a file that it names or Kairos itself has changed since, or
    where the run is still going on.
    """
    overrides = list(settings)
    if seed is not None:
        overrides.append(f"seed={seed}")
    if transport is not None:
        overrides.append(f"transport={transport}")
    running = Running(processes, cluster, resume)
    if resume is not None:
        if overrides or out is not None or dry_run:
            raise BadInput(
                "--resume: a run goes on as it began; expected neither --seed, --set, --transport, --out nor "
                "--dry-run beside it"
            )
        from experiments.running.begin import loaded_again

        loaded = loaded_again(resume, study)
    elif study is None:
        raise click.UsageError("Missing argument 'STUDY': a study file, or --resume RUN_DIR.")
    else:
        from experiments.study import load_study

        loaded = load_study(study, overrides)
    from experiments.validate import check_study_files

    check_study_files(loaded)
    if dry_run:
        from experiments.rehearsal.command import dry_run_command

        return dry_run_command(loaded.path, overrides)
    sys.exit(_started(loaded, running, out or RUNS))


def _started(loaded: Any, running: Running, out: Path) -> int:
    """Runs a study; where it is broken off, says how it goes on."""
    from experiments.running.processes import one_thread
    from experiments.study_kinds import start

    one_thread()
    with _told_how_to_go_on(running) as told:
        code = start(replace(loaded, running=told), out, sys.argv[1:])
        if code == STOPPED:
            raise KeyboardInterrupt
        return code


@contextmanager
def _told_how_to_go_on(running: Running) -> Iterator[Running]:
    """The same, and whoever breaks the run off is told what to do."""
    made: list[RunFolder] = []

    def began(folder: RunFolder) -> None:
        made.append(folder)
        running.on_begin(folder)

    def said() -> str:
        return f"Go on with: {shlex.join(['kairos', 'run', '--resume', relative(made[0].path)])}"

    try:
        yield replace(running, on_begin=began)
    except (KeyboardInterrupt, RunInvalid):
        if made:
            click.echo(said(), err=True)
        raise
    except OSError as error:
        if error.errno not in FULL:
            raise
        where = relative(made[0].path) if made else error.filename
        click.echo(
            f"{where}: no room: {error.strerror}. What was finished before is whole.\n"
            + (f"Make room. {said()}" if made else "Make room."),
            err=True,
        )
        sys.exit(1)
    finally:
        for folder in made:
            folder.release()


@click.command(epilog=RERUN_EXAMPLES)
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=RUNS,
    show_default=True,
    help="Folder that keeps the new run.",
)
@click.option(
    "--study",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The study's file, where it is no longer where the manifest says.",
)
@click.option(
    "--anyway", is_flag=True, help="Run and compare though the study or a file that it names has changed."
)
@_at_scale
def rerun(
    manifest: Path,
    out: Path,
    study: Path | None,
    anyway: bool,
    processes: int | None,
    cluster: str | None,
) -> None:
    """Run a study again from the MANIFEST of a run, and compare the results.

    It runs the same study with the same settings and seed in a new folder, says what is not as it was
    (versions, commit, files), and compares the hashes of all results in which the clock has no part: tables
    by what is in their columns, JSON without its times, captures byte for byte. MANIFEST is the run's
    manifest.json, or its folder.

    Exit codes: 0 all hashes are equal; 1 some differ, each file is named; 2 it cannot be run again: a
    file is missing or has changed; 3 the new run came to no end.
    """
    from experiments.running.rerun import rerun_study

    sys.exit(rerun_study(manifest, out, study, Running(processes, cluster), _started, anyway=anyway))


COMMANDS: Final = (run, rerun)
"""For the `kairos` command."""
