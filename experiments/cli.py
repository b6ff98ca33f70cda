"""The `kairos` command. Each subcommand imports what it needs when it runs, so `--help` answers at once.

Exit codes: 0 done; 1 anything unexpected; 2 bad input; 3 the run is invalid; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from experiments.audit_cli import audit
from experiments.bench.compare.cli import COMMANDS
from experiments.bench.network_cli import network_command
from experiments.bench.workers_cli import workers_command
from experiments.import_cli import COMMANDS as IMPORT_COMMANDS
from experiments.merge_cli import COMMANDS as MERGE_COMMANDS
from experiments.problems import BadInput, RunInvalid
from experiments.running.cli import COMMANDS as RUN_COMMANDS
from experiments.token_cli import COMMANDS as TOKEN_COMMANDS
from experiments.wire_cli import COMMANDS as WIRE_COMMANDS
from experiments.world_cli import COMMANDS as WORLD_COMMANDS

__all__ = ["main"]

EXIT_CODES: Final = """\b
Exit codes:
  0  done
  1  something unexpected went wrong
  2  bad input: every problem is printed with file, line, key and remedy
  3  the run is invalid: the reasons are printed and kept in its manifest
  130  stopped by Ctrl-C
"""

SERVE_EXAMPLES: Final = """\b
Examples:
  kairos serve platform.yaml
  tcpdump -i any -U -w - sctp | kairos serve platform.yaml --tap -
  kairos serve platform.yaml --tap monday.pcapng --tap tuesday.pcap --exit-at-end
"""

BENCH_EXAMPLES: Final = """\b
Examples:
  kairos bench
  kairos bench decode correlate --json figures.json
  kairos bench decode --capture tap.pcapng --yardstick ./my-decoder
  kairos bench decode decode-brief --threads 2
"""

KINDS: Final = ("world", "campaign", "study", "platform", "policy", "audience")

SHORT: Final = {
    "run": "Run a study and write its report.",
    "rerun": "Run a study again and compare the hashes of its results.",
    "dry-run": "Say what a world, study or campaign will come to.",
    "report": "Make the page of a run again, or compare several runs.",
    "merge": "Add up runs of one latency study.",
    "audit": "Judge contacts by a policy, from handset records alone.",
    "validate": "Check scenario files; every mistake at once.",
    "explain": "Say in plain words what triggers a campaign, and whom.",
    "schema": "Print the JSON Schema of a kind of file, for editors.",
    "map": "Draw the network of a world.",
    "see": "Compare what the platform sees with what was to be seen.",
    "serve": "Start the platform by itself.",
    "capture": "Write what a tap on a simulated network would see.",
    "decode": "Decode a capture of the A interface, or single messages.",
    "judge": "Let decoders that others wrote judge our messages.",
    "import": "Put an extract or a list of people in force.",
    "export": "Write a run's profiles, features, behaviours as Parquet.",
    "bench": "Measure how fast this machine decodes, decides, sends.",
    "bench compare": "Tell whether HEAD is slower than a base commit.",
    "bench aa": "Measure how often that alarms falsely on this machine.",
    "bench network": "Measure how fast the simulated network lives.",
    "bench workers": "Measure what several engines gain over one.",
    "fuzz": "Compare both decoders on damaged messages.",
    "token": "Make tokens for the platform's HTTP door.",
}
"""Every command in the order of use, in words that fit on a line of 80 letters."""

_BENCH: Final = {str(command.name): command for command in (*COMMANDS, network_command, workers_command)}
"""Commands of two words; `bench` alone takes stages."""


class _Commands(click.Group):
    """Lists the commands in the order of use and turns mistakes into messages and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SHORT)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = " ".join(args[:2])
        if name in _BENCH:
            return name, _BENCH[name], args[2:]
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BadInput as error:
            for line in error.lines:
                click.echo(line, err=True)
            sys.exit(2)
        except RunInvalid as error:
            click.echo(f"The run is invalid: {error}", err=True)
            sys.exit(3)
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            sys.exit(130)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="kairos-testbed", prog_name="kairos")
def cli() -> None:
    """Kairos: a simulated GSM network, a marketing platform that listens to it, and honest experiments.

    \b
    A first run (about a minute on two cores):
      kairos run scenarios/studies/demo.yaml

    Scenarios are YAML files; every key is explained in scenarios/README.md. Results go to
    ./experiments/runs/STUDY/RUN-ID/ with a report.html to open in a browser. Options and examples of a
    command: kairos COMMAND --help.
    """


@cli.command(epilog=SERVE_EXAMPLES)
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--tap",
    "taps",
    multiple=True,
    metavar="FILE|-",
    help="Read a capture too: a pcapng or pcap, a named pipe, - for standard input. May be given many times.",
)
@click.option("--exit-at-end", is_flag=True, help="End when all taps are at their end.")
def serve(config: Path, taps: tuple[str, ...], exit_at_end: bool) -> None:
    """Start the platform by itself.

    CONFIG is a platform configuration file (see `kairos schema platform`). The platform listens for
    signalling, connects to its short-message centre and BOSS, answers /healthz and /metrics, and stops
    cleanly on SIGTERM or Ctrl-C.

    With --tap it takes signalling from captures as it does from SCTP, several merged by their times.
    Behaviours carry the times of the capture. Contacts are judged at the clock's time; to judge those of an
    old capture at the capture's, set `clock: {mode: lockstep, epoch: ...}`: then the taps are the only
    source, and what is decided is the same at every run. A damaged capture is reported and does not end the
    platform.
    """
    import os

    if not config.is_file():
        raise BadInput(f"{config}: {'expected a file; that is none' if config.exists() else 'no such file'}.")
    options = [part for tap in taps for part in ("--tap", tap)] + ["--exit-at-end"] * exit_at_end
    os.execv(sys.executable, [sys.executable, "-m", "marketing", str(config), *options])


@cli.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--cells", type=click.Path(path_type=Path), help="Cell table (CSV) that campaigns' places must be in."
)
@click.option(
    "--subscribers", type=click.Path(path_type=Path), help="BOSS extract: say which audience nobody is in."
)
def validate(files: tuple[Path, ...], cells: Path | None, subscribers: Path | None) -> None:
    """Check scenario files and print every mistake at once.

    The kind of each file (world, campaign, study, platform, policy, audience) is recognised by its keys.
    Each mistake is one line: file:line: key = value: what was expected, with a suggestion for a misspelt key.

    \b
    Examples:
      kairos validate scenarios/studies/demo.yaml my-campaign.yaml
      kairos validate my-campaign.yaml --cells cells.csv --subscribers subscribers.parquet
    """
    from experiments.validate import check_campaigns_together, check_file

    problems: list[str] = []
    campaigns: list[Path] = []
    for file in files:
        kind, found = check_file(file)
        if kind == "campaign" and (cells or subscribers):
            # What it may name depends on the extract, so it is looked at with that alone.
            found = []
        campaigns += [file] if kind == "campaign" and not found else []
        problems += found
        if kind != "campaign" and not found:
            click.echo(f"{file}: a correct {kind} file")
    found = check_campaigns_together(campaigns, cells, subscribers)
    for file in [] if found else campaigns:
        click.echo(f"{file}: a correct campaign file")
    problems += found
    if problems:
        raise BadInput(problems)


@cli.command()
@click.argument("campaign", type=click.Path(path_type=Path))
@click.option(
    "--policy", type=click.Path(path_type=Path), help="Contact policy, for its figures and senders."
)
def explain(campaign: Path, policy: Path | None) -> None:
    """Say in plain words what triggers a CAMPAIGN file, whom, and for what it would stay silent."""
    from experiments.explain import explain as explained

    click.echo(explained(campaign, policy))


@cli.command()
@click.argument("kind", type=click.Choice(KINDS))
def schema(kind: str) -> None:
    """Print the JSON Schema of a kind of file, for editors.

    \b
    With the YAML extension of VS Code, for example:
      kairos schema study > study.schema.json
      # yaml-language-server: $schema=study.schema.json     (first line of the study file)
    """
    import json

    from experiments.validate import json_schema

    click.echo(json.dumps(json_schema(kind), ensure_ascii=False, indent=2))


@cli.command()
@click.argument(
    "runs", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False), metavar="RUN_DIR..."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write; RUN_DIR/report.html, of several runs comparison.html beside the first of them.",
)
@click.option(
    "--language",
    type=click.Choice(["en", "zh"]),
    default="en",
    show_default=True,
    help="Of the page; in Chinese it is called report.zh.html.",
)
def report(runs: tuple[Path, ...], out: Path | None, language: str) -> None:
    """Rebuild report.html from a run folder alone, or compare several runs of one kind.

    \b
    Examples:
      kairos report experiments/runs/demo/20261123-100000-seed7
      kairos report experiments/runs/demo/20261123-100000-seed7 --language zh
      kairos report experiments/runs/demo/*              # all of them, side by side

    Beside the page it writes the figures as CSV: summary.csv in the run's folder, of a comparison
    comparison.csv. A comparison says what differs between the runs (study, files, seed, software, machine),
    warns where they cannot be compared, and sets their figures side by side with their intervals. To compare
    the speed of two commits, see `kairos bench compare`.
    """
    from experiments.reporting import compare_runs, report_run

    click.echo(report_run(runs[0], out, language) if len(runs) == 1 else compare_runs(runs, out, language))


@cli.command(epilog=BENCH_EXAMPLES)
@click.argument("stages", nargs=-1, metavar="[STAGE]...")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the figures here.",
)
@click.option(
    "--capture",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Take the messages from a pcapng or pcap instead of the simulated hour (encode always simulates).",
)
@click.option(
    "--yardstick",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PROGRAM",
    help="A compiled decoder to compare with, run in turn on the same buffer: PROGRAM 2 FILE PASSES, which "
    "prints JSON with msgs and mps.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=2.0,
    show_default=True,
    help="How long each stage is repeated; its best run counts.",
)
@click.option(
    "--messages",
    type=click.IntRange(1),
    default=1_000_000,
    show_default=True,
    help="Least number of messages in the buffer of decode and correlate; a capture is read so far.",
)
@click.option(
    "--world",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("scenarios/worlds/town.yaml"),
    show_default=True,
    help="World whose busy hour is simulated.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Also decode by so many threads and by one in turns, by the wall clock (decode, decode-brief).",
)
@click.option(
    "--subscribers",
    type=click.IntRange(1),
    help="engine, change: people of the province; absent: a million.",
)
@click.option(
    "--campaigns",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="engine, change: active campaigns.",
)
def bench(stages: tuple[str, ...], json_file: Path | None, **options: Any) -> None:
    """Measure how fast this machine decodes, correlates, encodes and reads captures.

    \b
    STAGE is one of these; without any, all of them:
      decode        M3UA to short message, every column, one thread
      decode-brief  the same without causes, areas and short message headers
      reference     the readable codec, every element by name
      correlate     decode and correlate to behaviours
      encode        a simulated busy hour, to octets
      capture       read a capture file to M3UA messages

    \b
    Only when named:
      import        seconds from import to the decoder's first message
      tshark        `tshark -T fields` with the columns of decode-brief, and how many times as fast that is
      engine        behaviours of a province's busy hour to decisions (simulated once, which takes minutes)
      change        campaigns and an extract changed while the engine runs: until when, and what it costs
      restart       how long a killed engine takes to go on, and what a snapshot costs
      collector     messages over libusrsctp, from another process, to behaviours; by the wall clock
      smpp          submits with receipts through one bind, in turns with npm `smpp` against itself
      trigger       20,000 messages/s over SCTP, open loop: from a message to its submit_sm; a minute
      policy        triggers judged by rules of every kind, a million subscribers
      ledger        reservations in groups, by the wall clock, with what the disk alone takes in the same run

    The procedure mix is that of a simulated busy hour, repeated. Every run is checked: what is decoded equals
    what was generated, or the command ends with 3. Rates are per second of processor time, of one thread.
    """
    from experiments.bench.stages_command import run_command

    run_command(stages, json_file, **options)


for _command in (
    *RUN_COMMANDS,
    audit,
    *_BENCH.values(),
    *WORLD_COMMANDS,
    *WIRE_COMMANDS,
    *IMPORT_COMMANDS,
    *MERGE_COMMANDS,
    *TOKEN_COMMANDS,
):
    cli.add_command(_command)
for _name, _words in SHORT.items():
    cli.commands[_name].short_help = _words


def main() -> NoReturn:
    """Entry point."""
    cli.main(prog_name="kairos", standalone_mode=True)
    raise AssertionError("click exits by itself")


if __name__ == "__main__":
    main()
