"""`kairos judge`: decoders that others wrote judge what our codec writes.

Random traffic of every procedure and of every message type goes to a judge; it must name every message as we
do, find nothing malformed, and agree field by field. What a judge is known to get wrong is in its table of
excuses, each with the clause that says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from experiments.judge.messages import traffic
from experiments.judge.verdict import Verdict
from experiments.problems import write_text
from experiments.progress import Doing

__all__ = ["judge", "lines_of", "record", "run_command"]

_SHOWN: Final = 20
"""Complaints that are printed in full."""


def _sources() -> dict[str, Callable[[list[bytes]], Verdict]]:
    from experiments.judge.pycrate import judge_pycrate
    from experiments.judge.wireshark import judge_wireshark

    return {"tshark": judge_wireshark, "pycrate": judge_pycrate}


def judge(name: str, messages: Iterable[bytes]) -> Verdict:
    """The verdict of one judge; `BadInput` where it is not installed."""
    return _sources()[name](list(messages))


def lines_of(verdict: Verdict) -> Iterator[str]:
    """The verdict for people."""
    yield (
        f"{verdict.judge} {verdict.version}: {verdict.messages} messages, "
        f"{len(verdict.complaints)} complaints, "
        f"{sum(verdict.compared.values())} values compared in {len(verdict.compared)} fields, "
        f"{len(verdict.confirmed)} message types confirmed"
    )
    for name, number in sorted(verdict.excused.items()):
        yield f"  excused {number}: {name}"
    kinds = Counter(what.split("\n")[0][:160] for what, _ in verdict.complaints)
    for what, number in kinds.most_common(_SHOWN):
        example = next(hexadecimal for said, hexadecimal in verdict.complaints if said.startswith(what))
        yield f"  {number} x {what}"
        yield f"      {example}"


def run_command(names: Iterable[str], count: int, seed: int, json_file: Path | None) -> bool:
    """What `kairos judge` does; True where no judge complained."""
    import json

    with Doing() as tell:
        tell(f"{count:,} messages are made")
        messages = list(traffic(seed, count))
        verdicts = []
        for name in names:
            tell(f"{name} reads {len(messages):,} messages, and each is compared")
            verdicts.append(judge(name, messages))
    for verdict in verdicts:
        for line in lines_of(verdict):
            print(line)  # noqa: T201 - the command's answer
    if json_file is not None:
        records = [record(verdict, seed) for verdict in verdicts]
        write_text("--json", json_file, json.dumps(records, indent=1, sort_keys=True))
    return not any(verdict.complaints for verdict in verdicts)


def record(verdict: Verdict, seed: int) -> dict[str, Any]:
    """The verdict for JSON."""
    return {
        "judge": verdict.judge, "version": verdict.version, "seed": seed, "messages": verdict.messages,
        "complaints": [{"what": what, "hex": octets} for what, octets in verdict.complaints],
        "compared": dict(verdict.compared), "confirmed": dict(verdict.confirmed),
        "elements": dict(verdict.elements), "excused": dict(verdict.excused),
    }  # fmt: skip
