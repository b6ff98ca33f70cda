"""`kairos fuzz`: the fast decoder against the reference codec on damaged messages, by the million.

Message i is a function of the seed and i alone: blocks of BLOCK messages have draws of their own, so that any
part can be run again, on any number of workers, and comes out the same.
"""

from __future__ import annotations

import json
import multiprocessing
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
import numpy as np
from numpy.typing import NDArray

from experiments.fuzz.differences import Verdict, compare
from experiments.fuzz.mutate import mutate, smaller
from experiments.fuzz.traffic import Draws, sound_messages
from experiments.problems import BadInput, RunInvalid
from experiments.progress import Doing, Tell, untold
from marketing.decode import (
    BRIEF,
    BRIEF_PASSES_OVER,
    BRIEF_PRESENT,
    ROW,
    RowBatch,
    decode_batch,
    decode_flat,
    new_rows,
)

__all__ = ["BLOCK", "Report", "block_messages", "check", "fuzz", "minimised", "run_command"]

BLOCK: Final = 1000
"""Messages that share a seed of their own and the sound messages that they are made of."""
#: In this share of a block the messages are as they were.
_SOUND_PERCENT: Final = 4
#: One message in so many is also decoded by itself, from octets that end where it ends.
_ALONE: Final = 16
_PAYLOAD: Final = int(ROW.fields["dlci"][1]) if ROW.fields is not None else 0
#: Attempts at a shorter message that differs in the same way.
_ATTEMPTS: Final = 3000
_PROGRESS_S: Final = 10.0


@dataclass(slots=True)
class Report:
    """What some messages came to."""

    messages: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    """Verdict.kind -> messages."""
    deeper: Counter[str] = field(default_factory=Counter)
    """Row of DEEPER -> messages."""
    differences: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """What differs -> number and octets of a message, the shortest seen."""

    def add(self, number: int, octets: bytes, verdict: Verdict) -> None:
        self.messages += 1
        self.kinds[verdict.kind] += 1
        if verdict.kind == "deeper":
            self.deeper[verdict.detail] += 1
        elif verdict.kind == "different":
            known = self.differences.get(verdict.detail)
            if known is None or len(octets) < len(known[1]):
                self.differences[verdict.detail] = (number, octets)

    def join(self, other: Report) -> list[str]:
        """Adds another report; the differences that are new."""
        self.messages += other.messages
        self.kinds += other.kinds
        self.deeper += other.deeper
        new = [detail for detail in other.differences if detail not in self.differences]
        self.differences = other.differences | self.differences
        return new


def block_messages(seed: int, block: int) -> list[bytes]:
    """The messages of one block."""
    sound = sound_messages(seed, block)
    d = Draws(seed, 1 << 48 | block)
    return [
        d.pick(sound) if d.chance(_SOUND_PERCENT) else mutate(d.pick(sound), d, sound) for _ in range(BLOCK)
    ]


def _packed(messages: list[bytes]) -> tuple[bytes, NDArray[np.int64]]:
    offsets = np.zeros(len(messages) + 1, dtype=np.int64)
    np.cumsum([len(octets) for octets in messages], out=offsets[1:])
    return b"".join(messages), offsets


def _alone(octets: bytes) -> RowBatch:
    return decode_batch(octets, np.array([0, len(octets)], dtype=np.int64))


def _promise(octets: bytes, row: np.void, *, alone: bool) -> str:
    """The promise about rows that this one breaks, or ""."""
    raw = row.tobytes()
    if row["error"] and any(raw[_PAYLOAD:]):
        return "payload columns of a message in error"
    if int(row["user_offset"]) + int(row["user_length"]) > len(octets):
        return "user data outside the message"
    if alone and _alone(octets)[0].tobytes() != raw:
        return "decoded alone it is another row"
    return ""


def _brief_differs(messages: list[bytes], rows: RowBatch) -> NDArray[np.bool_]:
    """Where a brief row is not what `marketing.decode.schema` says of it beside the whole row."""
    brief = decode_batch(*_packed(messages), new_rows(len(messages), BRIEF))
    # What is passed over may be refused for what comes behind it, or not at all.
    passed = np.isin(rows["error"], list(BRIEF_PASSES_OVER))
    wrong = (brief["error"] != rows["error"]) & ~passed
    for name in BRIEF.names or ():
        if name not in ("error", "present"):
            wrong |= (brief[name] != rows[name]) & ~passed
    return np.asarray(wrong | ((brief["present"] != rows["present"] & BRIEF_PRESENT) & ~passed))


def check(messages: list[bytes], first: int = 0) -> Report:
    """The verdicts on messages; `first` is the number of the first one."""
    report = Report()
    rows = decode_batch(*_packed(messages))
    flat = new_rows(len(messages))
    decode_flat(b"".join(len(octets).to_bytes(4, "little") + octets for octets in messages), flat)
    brief = _brief_differs(messages, rows)
    for i, (octets, row) in enumerate(zip(messages, rows, strict=True)):
        broken = _promise(octets, row, alone=i % _ALONE == 0)
        if not broken and flat[i].tobytes() != row.tobytes():
            broken = "decode_flat gives another row than decode_batch"
        if not broken and brief[i]:
            broken = "the brief row is not the front of the whole row"
        report.add(first + i, octets, Verdict("different", broken) if broken else compare(octets, row))
    return report


def _verdict(octets: bytes) -> str:
    """What differs in one message, "" = nothing."""
    return next(iter(check([octets]).differences), "")


def minimised(octets: bytes, same: Callable[[bytes], bool]) -> bytes:
    """A shorter message of which `same` holds as well, found by leaving out parts and putting zeros."""
    attempts = 0
    while True:
        for candidate in smaller(octets):
            attempts += 1
            if attempts > _ATTEMPTS:
                return octets
            if same(candidate):
                octets = candidate
                break
        else:
            return octets


def _one_block(task: tuple[int, int]) -> Report:
    seed, block = task
    return check(block_messages(seed, block), block * BLOCK)


def _leave_ctrl_c_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _reports(seed: int, blocks: range, workers: int) -> Iterator[Report]:
    tasks = ((seed, block) for block in blocks)
    if workers == 1:
        yield from map(_one_block, tasks)
        return
    with multiprocessing.get_context("spawn").Pool(workers, _leave_ctrl_c_to_the_parent) as pool:
        yield from pool.imap(_one_block, tasks)


def fuzz(
    seed: int, count: int, start: int, workers: int, tell: Callable[[str], None], doing: Tell = untold
) -> Report:
    """Messages `start` to `start + count`, in whole blocks; tells progress and each difference once."""
    total, began = Report(), time.monotonic()
    blocks = range(start // BLOCK, (start + count + BLOCK - 1) // BLOCK)
    told = began
    doing(f"{start:,} of {start + count:,} messages")
    for found in _reports(seed, blocks, workers):
        for detail in total.join(found):
            tell(_difference(detail, *total.differences[detail]))
        now = time.monotonic()
        doing(f"{start + total.messages:,} of {start + count:,} messages")
        if now - told >= _PROGRESS_S:
            told = now
            done, rate = start + total.messages, total.messages / (now - began)
            found_so_far = f"{len(total.differences)} differences"
            tell(f"{done:,} of {start + count:,}, {rate:,.0f} messages/s, {found_so_far} (--start {done})")
    return total


def _difference(detail: str, number: int, octets: bytes) -> str:
    def same(candidate: bytes) -> bool:
        return _verdict(candidate) == detail

    short = minimised(octets, same) if same(octets) else octets
    return (
        f"DIFFERENT: {detail}\n  message {number}, shortened: {short.hex()}\n"
        f"  echo {short.hex()} | kairos decode --layer m3ua --hex"
    )


def _summary(report: Report, seed: int, seconds: float) -> dict[str, object]:
    return {
        "seed": seed,
        "messages": report.messages,
        "seconds": round(seconds, 1),
        "kinds": dict(report.kinds),
        "deeper": dict(report.deeper.most_common()),
        "differences": [
            {"what": what, "number": number, "hex": octets.hex()}
            for what, (number, octets) in report.differences.items()
        ],
    }


def run_command(count: int, seed: int, start: int, workers: int, out: Path | None) -> None:
    """`kairos fuzz`. Raises RunInvalid where anything differs."""
    if start % BLOCK:
        raise BadInput(f"--start {start}: a multiple of {BLOCK} is wanted")
    began = time.monotonic()
    with Doing() as doing:

        def tell(text: str) -> None:
            doing.__exit__()  # the line that changes makes room
            click.echo(text)

        report = fuzz(seed, count, start, workers, tell, doing)
    seconds = time.monotonic() - began
    kinds = report.kinds
    click.echo(
        f"{report.messages:,} messages in {seconds:,.0f} s: {kinds['equal']:,} equal in all columns, "
        f"{kinds['refused']:,} refused by both, {kinds['deeper']:,} by the reference alone, as listed:"
    )
    for name, n in report.deeper.most_common():
        click.echo(f"  {n:>9,}  {name}")
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            text = json.dumps(_summary(report, seed, seconds), indent=2) + "\n"
            (out / f"fuzz-{seed}-{start}.json").write_text(text, encoding="utf-8")
        except OSError as error:
            raise BadInput(f"--out {out}: cannot be written: {error.strerror or error}") from None
    if report.differences:
        raise RunInvalid(f"{len(report.differences)} kinds of difference in {kinds['different']:,} messages")
