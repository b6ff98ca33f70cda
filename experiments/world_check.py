"""Whether what a world says on the A interface may happen, and whether its truth joins.

`Watch` is the sink of a run: every dialogue goes through the legality acceptor as it is spoken, references
are held against those in use, and at the end acts and messages are laid beside each other. Nothing of the
compiled network takes part: messages are read by the reference codec, and what the A interface can show is a
table here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.judge.command import judge, lines_of, record
from experiments.progress import Doing
from experiments.world_files import of_day_us, opened_world
from sim.bssap import bssap, bssmap, sccp
from sim.bssap.errors import DecodeError
from sim.bssap.legality import Acceptor, LegalityError
from sim.network import acts
from sim.network.library import TemplateLibrary
from sim.network.wire import WireBatch
from sim.run import Run, World, build
from sim.scenario import DAY_US

__all__ = ["Finding", "Said", "Watch", "judge_world", "lived"]

SILENT: Final[dict[int, frozenset[bytes] | None]] = {
    acts.POWER_OFF: frozenset({b"not registered"}),
    acts.POWER_LOST: None,
    acts.MOVE: None,
    acts.ROAMED_OUT: None,
    acts.ROAMED_IN: None,
    acts.CALL_MADE: frozenset({b"engaged", b"no service"}),
    acts.CALL_RECEIVED: frozenset({b"busy", b"unreachable", b"abandoned"}),
    acts.TEXT_SENT: frozenset({b"no service"}),
    acts.TEXT_RECEIVED: frozenset({b"expired"}),
    acts.SERVICE_USED: frozenset({b"no service"}),
    acts.HANDOVER: None,
    acts.CALL_DROPPED: None,
}
"""Kind of act -> outcomes with which it has no messages of its own; None: with any. A battery dies in
silence, people walk in silence, handovers and lost calls are told in the messages of the call.
"""
UNSURE: Final = {acts.CALL_MADE: frozenset({b"no channel"}), acts.CALL_RECEIVED: frozenset({b"forwarded"})}
"""Outcomes with messages (no traffic channel; forwarded after it has rung) or without (no SDCCH to say
anything on; forwarded before).
"""

INSIDE: Final = (
    (acts.HANDOVER, [b"inter-BSC", b"inter-MSC"], "HANDOVER COMPLETE"),
    (acts.HANDOVER, [b"intra-BSC"], "HANDOVER PERFORMED"),
    (acts.HANDOVER, [b"returned", b"no channel"], "HANDOVER FAILURE"),
    (acts.HANDOVER, [b"no channel"], "HANDOVER REQUIRED REJECT"),
    (acts.CALL_DROPPED, [b""], "CLEAR REQUEST"),
)
"""Kind of act, its outcomes, and the BSSMAP message that is there once for each."""

_SECOND: Final = 1_000_000
_LONGEST_US: Final = 7 * DAY_US
_SHOWN: Final = 20
_SETTLING_US: Final = 10 * _SECOND
"""So long before the end of a run, an act may have its messages behind the end."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    what: str
    act: int
    messages: tuple[str, ...] = ()
    """The dialogue in hexadecimal, where there is one."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message as the acceptor takes it."""

    leg: int
    uplink: bool
    payload: bytes


@dataclass(slots=True)
class _Dialogue:
    acceptor: Acceptor = field(default_factory=Acceptor)
    legs: dict[tuple[int, int], int] = field(default_factory=dict)
    """(point code, reference) of either end -> connection, in the order of their beginnings."""
    begun: int = 0
    open: set[int] = field(default_factory=set)
    said: list[Said] = field(default_factory=list)
    refused: bool = False


class Watch:
    """A sink that watches a run; `finish` says what was wrong."""

    def __init__(self, world: World, end_us: int, *, keep: int = 0) -> None:
        """Watches until `end_us`; keeps the octets of the first `keep` messages."""
        self.messages = 0
        self.dialogues = 0
        """Acts with messages."""
        self.cut = 0
        """Of these, those that the end of the run has cut off."""
        self.names: Counter[str] = Counter()
        """BSSMAP messages on connections, by name."""
        self.kept: list[bytes] = []
        self._keep = keep
        self._findings: list[Finding] = []
        self._acts: list[NDArray[np.void]] = []
        self._shown: list[NDArray[np.int64]] = []
        self._epoch_us = world.scenario.epoch_unix_us
        self._end_us = end_us + self._epoch_us
        topology = world.topology
        centres = [topology.msc_point_codes[msc] for msc in topology.msc_of_bsc]
        self._centre_of = dict(zip(topology.bsc_point_codes, centres, strict=True))
        self._talking: dict[int, _Dialogue] = {}
        self._in_use: dict[tuple[int, int], int] = {}
        self._last_us = -1
        self._next = 1

    def ends_at(self, end_us: int) -> None:
        """The run has ended earlier than was meant."""
        self._end_us = end_us + self._epoch_us

    # ------------------------------------------------------------------ the sink

    def signalling(self, batch: WireBatch) -> None:
        """Takes messages as they are sent."""
        if batch.n and (batch.t_us[0] < self._last_us or np.any(np.diff(batch.t_us) < 0)):
            self._find("messages out of the order of time", -1)
        if not np.array_equal(batch.corr, np.arange(self._next, self._next + batch.n)):
            self._find("messages not numbered one after the other", -1)
        uplink, number = batch.uplink.tolist(), batch.act.tolist()
        for i in range(batch.n):
            octets = batch.message(i)
            if len(self.kept) < self._keep:
                self.kept.append(octets)
            self._take(octets, uplink[i], number[i])
        self.messages += batch.n
        self._next += batch.n
        if batch.n:
            self._last_us = int(batch.t_us[-1])

    def acts(self, rows: NDArray[np.void]) -> None:
        """Takes what people did."""
        self._acts.append(rows)

    def visible(self, rows: NDArray[np.void]) -> None:
        """Takes what the interface shows of it."""
        self._shown.append(np.array(rows["act"]))

    def faults(self, rows: NDArray[np.void]) -> None:
        """None come: no world asks for any."""

    def parts(self, rows: list[Any]) -> None:
        """None come: nobody sends to the people."""

    contacts = responses = parts

    # ------------------------------------------------------------------ message by message

    def _find(self, what: str, act: int) -> None:
        said = self._talking[act].said if act in self._talking else []
        self._findings.append(Finding(what, act, tuple(step.payload.hex() for step in said)))

    def _take(self, octets: bytes, uplink: bool, act: int) -> None:
        # sim.network.wire.data_message: the parameter's length at 10, label at 12, SCCP from 24 on.
        opc, dpc = int.from_bytes(octets[12:16], "big"), int.from_bytes(octets[16:20], "big")
        payload = octets[24 : 8 + int.from_bytes(octets[10:12], "big")]
        dialogue = self._talking.setdefault(act, _Dialogue())
        if self._centre_of.get(opc if uplink else dpc) != (dpc if uplink else opc):
            self._find(f"a message between {opc} and {dpc}, which have no link", act)
        try:
            message = sccp.decode(payload)
            leg = self._leg(dialogue, message, (opc, dpc), act)
            if message.type == "DT1":
                self._name(message)
            said = Said(leg, uplink, payload)
            dialogue.said.append(said)
            if not dialogue.refused:
                dialogue.acceptor.take(said)
        except (DecodeError, LegalityError) as error:
            if not dialogue.refused:
                self._find(str(error), act)
            dialogue.refused = True

    def _leg(self, dialogue: _Dialogue, message: sccp.SccpMessage, way: tuple[int, int], act: int) -> int:
        """Which connection of the dialogue a message is on; references are taken and given back."""
        if message.type == "UDT":
            return 0
        sender, receiver = way
        if message.type == "CR":
            leg = dialogue.begun
            dialogue.begun += 1
            dialogue.open.add(leg)
        else:
            leg = dialogue.legs.get((receiver, message.destination or 0), -1)
            if leg < 0:
                raise DecodeError(f"{message.type} for reference {message.destination}, which is not in use")
        if message.type in ("CR", "CC"):
            end = (sender, message.source or 0)
            if end in self._in_use:
                self._find(f"reference {end[1]} of {end[0]} taken twice, by act {self._in_use[end]} too", act)
            self._in_use[end] = act
            dialogue.legs[end] = leg
        elif message.type in ("RLC", "CREF"):
            for end in [end for end, its in dialogue.legs.items() if its == leg]:
                del dialogue.legs[end]
                self._in_use.pop(end, None)
            dialogue.open.discard(leg)
        return leg

    def _name(self, message: sccp.SccpMessage) -> None:
        user = bssap.decode(message.data or b"")
        if user.discrimination == bssap.BSSMAP:
            self.names[bssmap.decode(user.payload).name] += 1

    def spoken(self) -> list[tuple[Said, ...]]:
        """All whole dialogues: every connection that was opened is released."""
        return [tuple(each.said) for each in self._talking.values() if not each.open]

    @property
    def rows(self) -> NDArray[np.void]:
        """What people did."""
        return np.concatenate(self._acts) if self._acts else np.zeros(0, acts.ACT)

    # ------------------------------------------------------------------ at the end

    def finish(self) -> list[Finding]:
        """All that was wrong, the ends of dialogues and the joining of acts and messages included."""
        for act, dialogue in self._talking.items():
            if dialogue.open:
                self.cut += 1
            elif not dialogue.refused:
                try:
                    dialogue.acceptor.finish()
                except LegalityError as error:
                    self._find(str(error), act)
        self.dialogues = len(self._talking)
        self._join(self.rows)
        return self._findings

    def _join(self, rows: NDArray[np.void]) -> None:
        known = dict(zip(rows["act"].tolist(), rows.tolist(), strict=True))
        if len(known) != len(rows):
            self._find("acts with one number", -1)
        for act in self._talking:
            if act not in known:
                self._find("messages of an act that nobody knows", act)
            elif self._silent(known[act]) is True:
                self._find(f"messages of {_title(known[act])}", act)
        early = self._end_us - _SETTLING_US
        for act, row in known.items():
            if row[1] < early and act not in self._talking and self._silent(row) is False:
                self._find(f"no message of {_title(row)}", act)
        strangers = set(np.concatenate(self._shown).tolist()) - set(self._talking) if self._shown else set()
        for act in sorted(strangers):
            self._find("shown, and without messages", act)
        self._inside(rows)

    @staticmethod
    def _silent(row: tuple[Any, ...]) -> bool | None:
        """Whether an act has no messages of its own; None: with or without."""
        kind, outcome = row[3], row[6]
        if outcome in UNSURE.get(kind, ()):
            return None
        outcomes = SILENT.get(kind, frozenset())
        return outcomes is None or outcome in outcomes

    def _inside(self, rows: NDArray[np.void]) -> None:
        """Handovers and lost calls are told within calls: as many of them as the messages say."""
        early = rows["t_us"] < self._end_us - _SETTLING_US
        for kind, outcomes, name in INSIDE:
            mine = (rows["kind"] == kind) & np.isin(rows["outcome"], outcomes)
            least, most, seen = int((mine & early).sum()), int(mine.sum()), self.names[name]
            if not least <= seen <= most:
                self._find(f"{seen} {name} for {most} acts {acts.KINDS[kind]} {outcomes}", -1)


def _title(row: tuple[Any, ...]) -> str:
    return f"{acts.KINDS[row[3]]} {row[6].decode() or '(no outcome)'}"


def lived(
    world: World,
    start_us: int,
    end_us: int,
    *,
    tick_us: int = 10 * _SECOND,
    keep: int = 0,
    most: int | None = None,
    library: TemplateLibrary | None = None,
) -> Watch:
    """A world watched from `start_us` to `end_us`, or until there are `most` messages."""
    watch = Watch(world, end_us, keep=keep)
    run = Run(world, sink=watch, tick_us=tick_us, start_us=start_us, end_us=end_us, library=library)
    while (now_us := run.step()) < end_us and (most is None or watch.messages < most):
        pass
    watch.ends_at(now_us)
    return watch


def judge_world(
    path: Path,
    names: Iterable[str],
    count: int,
    *,
    seed: int,
    day: int,
    start: str,
    settings: Sequence[str] = (),
    json_file: Path | None = None,
) -> bool:
    """`kairos judge --world`: a world's first messages before outside judges, all before the rules above.

    True where nobody complained.
    """
    scenario, start_us = opened_world(path, settings), (day - 1) * DAY_US + of_day_us(start)
    with Doing() as tell:
        tell(f"{scenario.world}: the network and {scenario.subscribers:,} people")
        world = build(scenario, seed)
        tell(f"{scenario.world}: {count:,} messages from day {day} {start}")
        watch = lived(world, start_us, start_us + _LONGEST_US, keep=count, most=count)
        findings = watch.finish()
    name = world.scenario.world
    print(  # noqa: T201 - the command's answer
        f"{name}: {watch.messages} messages of {world.n} subscribers in {len(watch.rows)} acts "
        f"from day {day} {start}, {watch.dialogues} dialogues ({watch.cut} cut off by the end), "
        f"{len(findings)} findings"
    )
    for what, number in Counter(finding.what for finding in findings).most_common(_SHOWN):
        example = next(finding for finding in findings if finding.what == what)
        print(f"  {number} x {what} (act {example.act}: {' '.join(example.messages)})")  # noqa: T201 - the command's answer
    verdicts = []
    with Doing() as tell:
        for judged in names:
            tell(f"{judged} reads {len(watch.kept):,} messages, and each is compared")
            verdicts.append(judge(judged, watch.kept))
    for verdict in verdicts:
        for line in lines_of(verdict):
            print(line)  # noqa: T201 - the command's answer
    if json_file is not None:
        said = {
            "world": name, "subscribers": world.n, "messages": watch.messages, "acts": len(watch.rows),
            "dialogues": watch.dialogues, "cut": watch.cut,
            "findings": [{"what": f.what, "act": f.act, "messages": f.messages} for f in findings],
            "verdicts": [record(verdict, seed) for verdict in verdicts],
        }  # fmt: skip
        json_file.write_text(json.dumps(said, indent=1, sort_keys=True), encoding="utf-8")
    return not findings and not any(verdict.complaints for verdict in verdicts)
