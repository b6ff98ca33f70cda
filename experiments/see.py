"""`kairos see`: what the platform makes of a world's signalling, kind by kind, and what the tap could show.

The platform side is its own decoder, correlator and presence, fed in memory; the truth is the table of
visible acts (`sim.network.visible`) and what follows from it (`sim.network.derived`). With faults, the truth
stays what it was: precision and recall then say what they cost.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.behaviours_check import KIND_NAMES, Check, compare
from experiments.problems import write_text
from experiments.progress import Doing, Tell, clock, untold
from marketing.behaviours import BehaviourBatch
from marketing.correlate import Correlator
from marketing.decode import decode_batch, new_rows
from marketing.features.presence import Presence, silence_of
from marketing.profiles import Places
from sim.network import visible as truth
from sim.network.derived import derived
from sim.network.wire import WireBatch
from sim.run import Run, World, build
from sim.scenario import WorldScenario
from sim.sinks import Nothing

__all__ = ["FalseAlarms", "Seen", "false_alarms", "markdown", "see"]

TICK_US: Final = 10_000_000
HOUR_US: Final = 3_600_000_000
_BATCH: Final = 8192
_PARALLEL: Final = ("t_us", "imsi", "kind", "role", "lac", "ci", "cause", "duration_us", "detail", "corr")


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Behaviours that would do harm, and that nothing in the truth stands behind."""

    power_off: int
    """No IMSI detach of his within the tolerance."""
    power_off_implicit: int
    """The truth has him neither silent nor switched off."""
    imei_changed: int
    """The truth knows of no such change."""

    @property
    def none(self) -> bool:
        return not (self.power_off or self.power_off_implicit or self.imei_changed)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One world seen."""

    check: Check
    false: FalseAlarms
    messages: int
    counters: dict[str, int]
    """Of the correlator."""
    truth: NDArray[np.void]
    platform: BehaviourBatch


class _Tap(Nothing):
    """The platform's first stages; keeps the truth beside them."""

    def __init__(self, hold_us: int) -> None:
        self.correlator = Correlator(hold_us=hold_us)
        self.found: list[BehaviourBatch] = []
        self.shown: list[NDArray[np.void]] = []
        self.messages = 0
        self._rows = new_rows(1 << 16)

    def signalling(self, batch: WireBatch) -> None:
        self.messages += batch.n
        rows = decode_batch(batch.data, batch.offsets, self._rows)
        self.found.append(self.correlator.feed(batch.data, batch.offsets, rows, batch.t_us))
        self.found.append(self.correlator.expire(int(batch.t_us[-1])))

    def visible(self, rows: NDArray[np.void]) -> None:
        self.shown.append(rows)


def see(
    scenario: WorldScenario,
    seed: int,
    hours: float,
    *,
    periods: int = 3,
    tolerance_us: int = 1_000,
    tell: Tell = untold,
) -> Seen:
    """Lets a world live and looks at it; the scenario's faults are done to its messages.

    `periods` of T3212 are the silence after which somebody is taken for switched off.
    """
    tell(f"{scenario.world}: the network and {scenario.subscribers:,} people")
    world, tap = build(scenario, seed), _Tap(200_000)
    end_us = round(hours * HOUR_US)
    run = Run(world, sink=tap, tick_us=TICK_US, end_us=end_us)
    while (now_us := run.step()) < end_us:
        tell(f"{scenario.world}: {clock(now_us)} of {hours:g} h, {tap.messages:,} messages")
    tell(f"{scenario.world}: comparing")
    tap.found += [tap.correlator.expire(end_us), tap.correlator.flush()]
    found = np.concatenate(tap.found)
    found["t_us"] += scenario.epoch_unix_us
    end_us += scenario.epoch_unix_us
    silence_us = silence_of(scenario.network.t3212_h, periods)
    shown = np.concatenate(tap.shown) if tap.shown else np.zeros(0, truth.VISIBLE)
    whole = np.concatenate([shown, derived(shown, silence_us, end_us)])
    platform = _with_presence(world, found, silence_us, end_us)
    return Seen(
        compare(_table(whole), _table(platform), tolerance_us=tolerance_us),
        false_alarms(whole, platform, max(tolerance_us, 2_000_000)),
        tap.messages,
        tap.correlator.counters,
        whole,
        platform,
    )


def _with_presence(world: World, found: BehaviourBatch, silence_us: int, end_us: int) -> BehaviourBatch:
    """What the correlator found, and what presence makes of it, for everybody in the world."""
    imsi = np.sort(world.population.imsi[:])
    known = found[found["imsi"] != 0]
    known = known[np.argsort(known["t_us"], kind="stable")]
    rows = np.searchsorted(imsi, known["imsi"]).astype(np.int64)
    places = Places.from_rows(
        [(int(lac), int(ci), "") for lac, ci in zip(world.topology.lac, world.topology.ci, strict=True)]
    )
    presence, made = Presence(len(imsi), silence_us=silence_us), [found]
    for at in range(0, len(known), _BATCH):
        part = slice(at, at + _BATCH)
        made.append(presence.update(known[part], rows[part], places).behaviours)
    made.append(presence.sweep(end_us - 1, imsi)[0])
    return np.concatenate(made)


_BESIDE: Final = (truth.PAGING_NO_RESPONSE, truth.CELL_CHANGED, truth.AREA_ENTERED)
"""Kinds that do not say whether a handset is on: a page in vain, and what follows from another row's cell."""


def false_alarms(shown: NDArray[np.void], found: BehaviourBatch, tolerance_us: int) -> FalseAlarms:
    """Power-offs and changes of handset of the platform that nothing in the truth stands behind."""
    truth_by_imsi: dict[int, NDArray[np.void]] = {}
    ordered = shown[np.lexsort((shown["t_us"], shown["imsi"]))]
    cuts = np.flatnonzero(np.diff(ordered["imsi"])) + 1
    for mine in np.split(ordered, cuts):
        if len(mine):
            truth_by_imsi[int(mine["imsi"][0])] = mine
    nobody = ordered[:0]
    counts = {truth.POWER_OFF: 0, truth.POWER_OFF_IMPLICIT: 0, truth.IMEI_CHANGED: 0}
    for row in found[np.isin(found["kind"], list(counts)) & (found["imsi"] != 0)]:
        kind, t_us = int(row["kind"]), int(row["t_us"])
        mine = truth_by_imsi.get(int(row["imsi"]), nobody)
        same = mine[mine["kind"] == kind]
        if kind == truth.POWER_OFF:
            real = bool((np.abs(same["t_us"] - t_us) <= tolerance_us).any())
        elif kind == truth.IMEI_CHANGED:
            real = bool((same["detail"] == row["detail"]).any())
        else:
            # Silent in the truth too, or switched off by a detach that the tap has missed.
            before = mine[(mine["t_us"] <= t_us) & ~np.isin(mine["kind"], _BESIDE)]
            real = bool(len(before)) and int(before["kind"][-1]) in (truth.POWER_OFF, kind)
        counts[kind] += not real
    return FalseAlarms(*counts.values())


def _table(rows: NDArray[np.void]) -> pa.Table:
    columns: dict[str, Any] = {name: pa.array(np.ascontiguousarray(rows[name])) for name in _PARALLEL}
    columns["peer"] = pa.array(rows["peer"].astype("U").tolist(), pa.string())
    return pa.table(columns)


def markdown(seen: Seen) -> str:
    """Kinds, counts, precision and recall as a table in Markdown."""
    lines = [
        "| kind | truth | platform | precision | recall |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {kind.name} | {kind.truth:,} | {kind.platform:,} | {_share(kind.precision)} "
            f"| {_share(kind.recall)} |"
            for kind in seen.check.kinds
        ),
    ]
    return "\n".join(lines) + "\n"


def _share(value: float | None) -> str:
    return "-" if value is None else ("1" if value == 1 else f"{value:.4f}")


def see_command(
    world: Path, settings: tuple[str, ...], *, seed: int, hours: float, periods: int, as_json: Path | None
) -> bool:
    """Prints what was seen; whether all of it was right, or with faults nothing harmful was false."""
    import click

    from experiments.world_files import opened_world

    scenario = opened_world(world, settings)
    faulty = not scenario.faults.nothing
    tolerance_us = 2_000_000 if faulty else 1_000
    with Doing() as tell:
        seen = see(scenario, seed, hours, periods=periods, tolerance_us=tolerance_us, tell=tell)
    click.echo(f"{seen.messages:,} messages, {len(seen.platform):,} behaviours, {hours:g} h, seed {seed}")
    click.echo(markdown(seen))
    false = asdict(seen.false)
    click.echo("false: " + ", ".join(f"{name} {count}" for name, count in false.items()))
    if as_json is not None:
        values = {"world": str(world), "seed": seed, "hours": hours, "periods": periods}
        values |= {"false": false, "correlation": seen.counters, **seen.check.as_json()}
        write_text("--json", as_json, json.dumps(values, indent=2) + "\n")
    if faulty:
        return seen.false.none
    for example in seen.check.examples:
        click.echo(f"{example['side']}: {KIND_NAMES.get(example['kind'], '?')} {example}")
    return seen.check.equal and seen.false.none
