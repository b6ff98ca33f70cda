"""`kairos dry-run CAMPAIGN RUN_DIR`: what a campaign would have done on behaviours that a run has recorded.

The run's own extract, lists, cells, handsets and policy are used, and the platform's own engine with this
campaign. What the run's other campaigns had sent counts against the caps, and who had answered them with a
stop code is let alone, each from its moment on; `alone` leaves them out. BOSS is not asked, nobody answers
this campaign, nothing is written or sent.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.problems import BadInput, relative
from experiments.rehearsal.others import Others, read_others
from experiments.validate import problems_of
from reports.records import read

if TYPE_CHECKING:
    from marketing.campaigns import Campaign
    from marketing.config import PlatformConfig
    from marketing.engine import Decision, EngineState
    from marketing.profiles import Places
    from marketing.starting import Started

__all__ = ["Rehearsal", "rehearse", "rehearse_command"]

_CHUNK: Final = 50_000
_MOST_PLACES: Final = 20
_OUTCOMES: Final = {"send": "sent", "hold": "held at the end", "output": "written to the file"}


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would have happened."""

    campaign: str
    run: str
    arm: str
    behaviours: int
    """Recorded behaviours that it was played on."""
    first: str
    """Local time of the first of them."""
    last: str
    triggers: int
    subscribers: int
    """Different ones triggered."""
    by_hour: dict[str, int]
    """Triggers by local hour of the day."""
    by_place: dict[str, int]
    """Triggers by where the subscriber was; outside of places by location area."""
    outcomes: dict[str, int]
    """What the policy would have said in the end."""
    suppressed: dict[str, int]
    """What it would have suppressed, by reason."""
    asks_boss: bool
    """Whether BOSS would have been asked, which it is not here."""
    budgeted: int | None
    """Of those sent, how many the campaign's budget would have let through; None: it has none. The places
    under the caps of the others are not given back here."""
    others: dict[str, int] | None
    """Contacts of the run's other campaigns that were counted; None: they were left out."""
    visitors: list[dict[str, Any]]
    """Of a campaign of output statistics: counts by day, hour and origin."""


def rehearse(campaign: Path, run_dir: Path, arm: str | None = None, *, alone: bool = False) -> Rehearsal:
    """Plays a campaign on the behaviours of one arm of a run; absent: the precise arm, or the first.

    `alone`: as if the run's other campaigns had sent nothing.

    Raises:
        BadInput: the campaign cannot be used with this run, or the run has no behaviours.
    """
    folder = _arm_folder(run_dir, arm)
    found: list[Started] = []
    problems = problems_of(lambda: found.append(_started(folder, campaign)))
    if problems:
        raise BadInput(problems)
    started = found[0]
    playing = started.state.campaigns[0]
    batch = _behaviours(folder)
    others = Others()
    if not alone and playing.output == "contact":
        others = read_others(_config(folder), playing)
    zone = started.zone
    decisions, visitors = _played(started, batch, others)
    last: dict[str, Decision] = {one.trigger.trigger_id: one for one in decisions}
    triggers = [one.trigger for one in last.values()]
    hours = Counter(f"{_local(t.t_us, zone):%H}" for t in triggers)
    places = _where(batch, started.state.places, [(int(t.imsi), t.t_us) for t in triggers])
    outcomes = Counter(_OUTCOMES.get(one.action, "suppressed") for one in last.values())
    reasons = Counter(one.reason for one in last.values() if one.action == "suppress")
    return Rehearsal(
        campaign=started.state.campaigns[0].campaign,
        run=relative(run_dir),
        arm=folder.name,
        behaviours=len(batch),
        first=_local(int(batch["t_us"][0]), zone).isoformat(timespec="seconds"),
        last=_local(int(batch["t_us"][-1]), zone).isoformat(timespec="seconds"),
        triggers=len(triggers),
        subscribers=len({t.imsi for t in triggers}),
        by_hour=dict(sorted(hours.items())),
        by_place=dict(sorted(places.items(), key=lambda one: (-one[1], one[0]))),
        outcomes=dict(sorted(outcomes.items())),
        suppressed=dict(sorted(reasons.items())),
        others=None if alone or playing.output != "contact" else dict(others.contacts),
        budgeted=_budgeted(playing, [one.t_us for one in last.values() if one.action == "send"], str(zone)),
        asks_boss=started.state.campaigns[0].boss is not None,
        visitors=visitors,
    )


def rehearse_command(campaign: Path, run_dir: Path, arm: str | None, *, alone: bool, as_json: bool) -> None:
    """Prints it."""
    import click

    found = rehearse(campaign, run_dir, arm, alone=alone)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False))
        return
    click.echo(
        f"{found.campaign} on {found.run}, arm {found.arm}: {found.behaviours:,} behaviours, "
        f"{found.first} to {found.last}"
    )
    if found.visitors:
        _echo_table("visitors", [(_hour(one), one["visitors"]) for one in found.visitors])
        return
    if found.others is not None:
        told = ", ".join(f"{count:,} of {name}" for name, count in found.others.items())
        click.echo(f"beside the other campaigns of the run, whose contacts count: {told or 'none'}")
    if found.asks_boss:
        click.echo("of those sent, BOSS would still have been asked")
    click.echo(f"triggered {found.triggers:,} times, {found.subscribers:,} subscribers")
    _echo_table("when", [(f"{hour}:00", count) for hour, count in found.by_hour.items()])
    places = list(found.by_place.items())
    rest = sum(count for _, count in places[_MOST_PLACES:])
    _echo_table("where", [*places[:_MOST_PLACES], *([("elsewhere", rest)] if rest else [])])
    _echo_table("the policy would have", list(found.outcomes.items()))
    _echo_table("suppressed for", list(found.suppressed.items()))
    if found.budgeted is not None:
        click.echo(f"\nof those sent the campaign's budget lets {found.budgeted:,} through")


def _echo_table(heading: str, rows: Sequence[tuple[str, int]]) -> None:
    import click

    if not rows:
        return
    click.echo(f"\n{heading}")
    width = max(len(name) for name, _ in rows)
    for name, count in rows:
        click.echo(f"  {name:<{width}}  {count:>7,}")


def _hour(row: dict[str, Any]) -> str:
    hour = "whole day" if row["hour"] is None else f"{row['hour']:02d}:00"
    return f"{row['day']} {hour:<9} {row['origin']}"


# --------------------------------------------------------------------------- inside


def _arm_folder(run_dir: Path, arm: str | None) -> Path:
    """The arm's folder, with behaviours and a platform's configuration in it."""
    if not run_dir.is_dir():
        raise BadInput(f"{relative(run_dir)}: no such folder; expected the folder of a run")
    arms = sorted(path for path in (run_dir / "arms").glob("*") if path.is_dir())
    if not arms:
        raise BadInput(f"{relative(run_dir)}: no run of arms: there is no folder arms/ with any in it")
    named = {path.name: path for path in arms}
    if arm is not None and arm not in named:
        raise BadInput(f"{relative(run_dir)}: no arm {arm!r}; there are {', '.join(named)}")
    recorded = [path for path in arms if (path / "behaviours.parquet").is_file()]
    if arm is not None:
        recorded = [path for path in recorded if path.name == arm]
    if not recorded:
        which = f"its arm {arm}" if arm is not None else "any of its arms"
        raise BadInput(
            f"{relative(run_dir)}: {which} has no behaviours.parquet: the platform has recorded nothing there"
        )
    folder = next((path for path in recorded if path.name == "precise"), recorded[0])
    if not (folder / "platform.yaml").is_file():
        raise BadInput(f"{relative(folder)}: no platform.yaml, so its extract and policy are not known")
    return folder


def _config(folder: Path) -> PlatformConfig:
    from marketing.config import load_config

    return load_config(folder / "platform.yaml")


def _started(folder: Path, campaign: Path) -> Started:
    """The run's platform with this campaign alone, as it was before anything was seen."""
    from marketing.starting import load_started

    config = _config(folder)
    changes = {"campaigns": [campaign], "campaigns_dir": None, "imports": None, "state": None}
    return load_started(config.model_copy(update=changes))


def _behaviours(folder: Path) -> NDArray[np.void]:
    """What was recorded, without what the engine itself makes of it, in the order of time."""
    from marketing.behaviours import BEHAVIOUR, DERIVED

    try:
        table = read(folder / "behaviours.parquet")
        batch = np.zeros(len(table), BEHAVIOUR)
        for name in set(BEHAVIOUR.names or ()) & set(table.column_names):
            column = table[name]
            text = pa.types.is_string(column.type)
            batch[name] = np.array(column.to_pylist(), "S20") if text else column.to_numpy()
    except (OSError, ValueError, pa.ArrowException) as error:
        raise BadInput(f"{relative(folder / 'behaviours.parquet')}: cannot be read: {error}") from None
    batch = batch[~np.isin(batch["kind"], [int(kind) for kind in DERIVED])]
    if not len(batch):
        raise BadInput(f"{relative(folder)}: behaviours.parquet is empty: there is nothing to play it on")
    return batch[np.argsort(batch["t_us"], kind="stable")]


def _played(
    started: Started, batch: NDArray[np.void], others: Others
) -> tuple[list[Decision], list[dict[str, Any]]]:
    """Decisions in their order, and the counts of a campaign of output statistics."""
    from marketing.engine import on_timers
    from marketing.outputs import Visitors

    state, campaign = started.state, started.state.campaigns[0]
    end_us = int(batch["t_us"][-1])
    if campaign.output == "statistics":
        visitors = Visitors(campaign, state.places, started.zone, started.origins, state.features.silence_us)
        visitors.take(batch)
        visitors.until(end_us, whole=True)
        return [], visitors.rows
    decisions: list[Decision] = []
    start = 0
    for moment in others.moments:
        until_us = moment.at_us if moment.last else moment.at_us - 1
        stop = int(np.searchsorted(batch["t_us"], until_us, side="right"))
        decisions += _taken(state, batch[start:stop])
        if moment.at_us <= end_us:
            decisions += on_timers(state, until_us)
        moment.enter(state)
        start = stop
    decisions += _taken(state, batch[start:])
    return decisions + on_timers(state, end_us), []


def _budgeted(campaign: Campaign, sent_us: Sequence[int], zone: str) -> int | None:
    if campaign.budget is None:
        return None
    periods = Counter(campaign.budget.span_us(at_us, zone) for at_us in sent_us)
    return sum(min(count, campaign.budget.contacts) for count in periods.values())


def _taken(state: EngineState, batch: NDArray[np.void]) -> list[Decision]:
    from marketing.engine import on_batch

    decisions: list[Decision] = []
    for first in range(0, len(batch), _CHUNK):
        decisions += on_batch(state, batch[first : first + _CHUNK], 0)
        state.take_derived()
    return decisions


def _where(batch: NDArray[np.void], places: Places, triggers: Sequence[tuple[int, int]]) -> Counter[str]:
    """Triggers by place: that of the subscriber's last behaviour with a cell."""
    located = batch[batch["ci"] != 0]
    order = np.lexsort((located["t_us"], located["imsi"]))
    located = located[order]
    key = located["imsi"]
    number = places.of(located["lac"], located["ci"])
    found: Counter[str] = Counter()
    for imsi, t_us in triggers:
        start, stop = (int(np.searchsorted(key, np.uint64(imsi), side=side)) for side in ("left", "right"))
        at = start + int(np.searchsorted(located["t_us"][start:stop], t_us, side="right")) - 1
        if at < start:
            found["not known"] += 1
        elif number[at] >= 0:
            found[places.names[int(number[at])]] += 1
        else:
            found[f"area {int(located['lac'][at])}"] += 1
    return found


def _local(at_us: int, zone: Any) -> datetime:
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).astimezone(zone)
