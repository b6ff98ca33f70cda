"""Commands about octets on the wire: `kairos capture`, `kairos decode`, `kairos fuzz`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

__all__ = ["COMMANDS"]

DECODE_EXAMPLES: Final = """\b
Examples:
  kairos decode tap.pcapng --filter imsi=460001234567890
  kairos decode tap.pcapng --filter 'message~^LOCATION UPDATING' --filter reject_cause!=
  tcpdump -w - sctp | kairos decode - --format table
  echo 0524010333198105f4deadbeef | kairos decode --layer dtap --hex
"""

CAPTURE_EXAMPLES: Final = """\b
Examples:
  kairos capture scenarios/worlds/town.yaml --minutes 10 --seed 7 --out tap.pcapng
  kairos capture scenarios/worlds/town.yaml --minutes 60 --start 08:30 --out - | kairos decode -
  kairos capture scenarios/worlds/town.yaml --minutes 5 --out tap.pcap --link cooked2 --udp 9899
"""

FUZZ_EXAMPLES: Final = """\b
Examples:
  kairos fuzz --count 100000
  kairos fuzz --count 10000000 --workers 2 --out fuzz
"""


@click.command(epilog=CAPTURE_EXAMPLES)
@click.argument("world", type=click.Path(path_type=Path))
@click.option("--minutes", type=click.FloatRange(0, min_open=True), required=True, help="Simulated minutes.")
@click.option("--out", required=True, metavar="FILE|-", help="Where to write; - is standard output.")
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="Seed of all that is drawn."
)
@click.option("--start", default="18:00", show_default=True, metavar="HH:MM", help="Local time it begins at.")
@click.option("--day", type=click.IntRange(1), default=1, show_default=True, help="Day of the world, from 1.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["pcapng", "pcap"]),
    help="pcapng (default) names the nodes too; pcap is the default for a FILE that ends in .pcap.",
)
@click.option(
    "--link",
    type=click.Choice(["ethernet", "cooked", "cooked2", "raw", "loopback"]),
    default="ethernet",
    show_default=True,
    help="Link layer: cooked and cooked2 are what `tcpdump -i any` writes.",
)
@click.option("--vlan", type=click.IntRange(1, 4094), help="802.1Q tag on each Ethernet frame.")
@click.option("--ipv6", is_flag=True, help="IPv6 in place of IPv4.")
@click.option("--udp", type=click.IntRange(1, 65535), metavar="PORT", help="SCTP in UDP (RFC 6951): 9899.")
@click.option(
    "--mtu",
    type=click.IntRange(576, 65535),
    default=1500,
    show_default=True,
    help="Longest IP packet; longer messages become several DATA chunks.",
)
@click.option(
    "--bundle-ms",
    type=click.FloatRange(0, 1000),
    default=0.0,
    show_default=True,
    help="Messages of one direction this close behind each other share a packet.",
)
@click.option("--nanoseconds", is_flag=True, help="Times in nanoseconds in place of microseconds.")
@click.option(
    "--heartbeat-s",
    type=click.FloatRange(0, 3600),
    default=30.0,
    show_default=True,
    help="Silence after which an endpoint sends a HEARTBEAT; 0: none.",
)
@click.option(
    "--truth",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Also write acts.parquet, visible.parquet and faults.parquet there: what was really done.",
)
def capture(
    world: Path,
    minutes: float,
    out: str,
    seed: int,
    start: str,
    day: int,
    truth: Path | None,
    **layout: Any,
) -> None:
    """Write what a tap on a simulated network would see.

    WORLD is a world file, such as scenarios/worlds/town.yaml. The capture holds both directions of every
    link between a BSC and the MSC: the set-up of the SCTP association and of M3UA, DATA and SACK, HEARTBEAT
    while nothing is said. Wireshark opens it without options. Same world, options and seed: the same bytes.

    It streams: memory does not grow with --minutes. Ctrl-C completes the file up to there (exit code 130); a
    file that cannot be written to its end is removed.
    """
    from experiments.capture import layout_of, run_command

    run_command(
        world,
        out,
        minutes=minutes,
        start=start,
        day=day,
        seed=seed,
        framing=layout_of(out, **layout),
        truth=truth,
    )


@click.command(epilog=DECODE_EXAMPLES)
@click.argument("source", required=False, metavar="FILE|-")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "parquet", "table"]),
    default="jsonl",
    show_default=True,
    help="One JSON object a message, Parquet columns, or lines to be read by people.",
)
@click.option(
    "--engine",
    type=click.Choice(["columnar", "reference"]),
    help="reference (default): every element "
    "by name; columnar: the platform's fast decoder, only what it has columns for.",
)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="CONDITION",
    help="Only messages for which this holds: KEY=VALUE, KEY!=VALUE, KEY~REGEX or KEY!~REGEX, such as "
    "imsi~^46000. May be given many times: all must hold. A key that is absent is empty text.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Where to write; standard output."
)
@click.option(
    "--layer",
    type=click.Choice(["m3ua", "sccp", "bssap", "bssmap", "dtap", "rpdata", "tpdu"]),
    help="With --hex: the layer that each line begins with.",
)
@click.option(
    "--hex", "hexadecimal", is_flag=True, help="Read one message in hexadecimal a line from standard input."
)
def decode(
    source: str | None,
    form: str,
    engine: str | None,
    filters: tuple[str, ...],
    out: Path | None,
    layer: str | None,
    hexadecimal: bool,
) -> None:
    """Decode a capture of the A interface, or single messages in hexadecimal.

    Each message becomes an object with flat keys, such as message, opc, slr, imsi, lac, called, cause. One
    that cannot be decoded has the key "error" and does not end the run.
    """
    from experiments.decode.command import run_command

    run_command(
        source, layer=layer, hexadecimal=hexadecimal, form=form, engine=engine, filters=filters, out=out
    )


@click.command(epilog=FUZZ_EXAMPLES)
@click.option(
    "--count",
    type=click.IntRange(1),
    default=1_000_000,
    show_default=True,
    help="Messages; rounded up to whole thousands.",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Other messages.")
@click.option(
    "--start",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Number of the first message, to go on with a run that was stopped.",
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder that keeps the figures as JSON."
)
def fuzz(count: int, seed: int, start: int, workers: int, out: Path | None) -> None:
    """Compare the fast decoder with the reference codec on damaged messages.

    Messages of all procedures, and of every message and element that the codec's tables name, are cut,
    changed, spliced and given wrong lengths. Both decoders must accept the same ones and fill every column
    alike. What only the reference refuses, because it reads elements that no column tells of, is counted by a
    published list. Each kind of difference is printed once, shortened, and the command then ends with 3. The
    same seed gives the same messages everywhere.
    """
    from experiments.fuzz.command import run_command

    run_command(count, seed, start, workers, out)


COMMANDS: Final = (capture, decode, fuzz)
