"""What the platform is told before a run: BOSS extract, cell table, dated lists, configuration.

Nothing here is drawn by the platform or known to it from the simulator's inside: the extract holds what an
operator's BOSS would hold, and the lists are dated files as the policy names them.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray

from experiments.study import Eligible, Lists
from experiments.target_lists import LISTS, write_lists, write_origins
from marketing.api.tokens import ROLES, make_token
from marketing.config import read_yaml
from reports.records import write
from sim.draws import Draws
from sim.scenario import WorldScenario
from sim.subscribers.terminals import tac_table
from sim.world import World

__all__ = [
    "EXTRACT_COLUMNS",
    "ArmFiles",
    "ArmKeys",
    "BlanketTarget",
    "ListDraw",
    "OpenDays",
    "arm_files",
    "blanket_targets",
    "draw_lists",
    "eligible_set",
    "epoch_of",
    "world_files",
]

# Purposes of draws that belong to the study and not to the world (sim.draws.PURPOSES ends below).
_DO_NOT_DISTURB: Final = 10_001
_CONTROL_GROUP: Final = 10_002
_BLANKET: Final = 10_003

_DISTURB_FILE: Final = "do_not_disturb.csv"
_CONTROL_FILE: Final = "control_group.csv"

_EXTRACT_SCHEMA: Final = pa.schema(
    [
        ("imsi", pa.string()),
        ("msisdn", pa.string()),
        ("brand", pa.string()),
        ("often_off", pa.bool_()),
        ("often_rejects", pa.bool_()),
        ("services", pa.list_(pa.string())),
        ("language", pa.string()),
        ("tariff", pa.string()),
        ("arpu_band", pa.string()),
        ("arpu", pa.uint16()),
        ("bundle_minutes", pa.uint16()),
        ("age", pa.uint8()),
        ("city", pa.string()),
        ("segment", pa.string()),
        ("interests", pa.list_(pa.string())),
        ("terminal", pa.string()),
    ]
)
EXTRACT_COLUMNS: Final = tuple(_EXTRACT_SCHEMA.names)
"""Columns of `extract.parquet`."""


OpenDays = Iterable[tuple[date, date, str]]
"""Spans of local days, both ends included, with an MSISDN, or with nothing for everybody."""


class ArmKeys(Protocol):
    """What of a study one platform is told of."""

    @property
    def policy(self) -> Path: ...
    @property
    def segments(self) -> Path | None: ...
    @property
    def blanket_at(self) -> str: ...


@dataclass(frozen=True, slots=True)
class ListDraw:
    """Who is on which list, by subscriber."""

    do_not_disturb: NDArray[np.bool_]
    control_group: NDArray[np.bool_]


def epoch_of(scenario: WorldScenario) -> str:
    """Midnight of day 1 as ISO 8601 with its offset."""
    day = scenario.epoch
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(scenario.timezone)).isoformat()


def draw_lists(lists: Lists, draws: Draws, n: int) -> ListDraw:
    """Members of both lists, keyed by seed and subscriber; nobody is on both."""
    sub = np.arange(n)
    disturb = draws.chance(lists.do_not_disturb_share, _DO_NOT_DISTURB, sub)
    control = draws.chance(lists.control_group_share, _CONTROL_GROUP, sub) & ~disturb
    return ListDraw(disturb, control)


def eligible_set(keys: Eligible, extract: Mapping[str, Sequence[Any]], drawn: ListDraw) -> NDArray[np.int64]:
    """The eligible subscribers, ascending: fixed before the run and the same in every arm."""
    keep = np.array(extract.get("customer", [True] * len(extract["imsi"])), bool)
    if "do_not_disturb" in keys.exclude:
        keep &= ~drawn.do_not_disturb
    if "control_group" in keys.exclude:
        keep &= ~drawn.control_group
    for column, wanted in keys.where.items():
        accepted = wanted if isinstance(wanted, list) else [wanted]
        keep &= np.array([_holds(value, accepted) for value in extract[column]], bool)
    return np.flatnonzero(keep)


def _holds(value: Any, accepted: Sequence[Any]) -> bool:
    return bool(set(value) & set(accepted)) if isinstance(value, list) else value in accepted


def world_files(world: World, folder: Path) -> dict[str, list[Any]]:
    """Writes `extract.parquet` (customers only), `cells.csv`, `terminals.csv`, `origins.csv` and `lists/`.

    Returns the columns of everybody in the world.
    """
    folder.mkdir(parents=True, exist_ok=True)
    extract = world.population.extract()
    everybody = pa.Table.from_pydict(
        {name: extract[name] for name in _EXTRACT_SCHEMA.names}, schema=_EXTRACT_SCHEMA
    )
    table = everybody.filter(pa.array(extract["customer"], pa.bool_()))
    pq.write_table(table, folder / "extract.parquet", compression="zstd", store_schema=False)
    world.topology.cells_csv(folder / "cells.csv")
    tac_table(folder / "terminals.csv")
    numbering = world.scenario.numbering
    origins = {numbering.imsi_prefix: "home"} | {o.imsi_prefix: o.name for o in numbering.origins}
    write_origins(origins, folder / "origins.csv")
    write_lists(extract, world.draws, folder / "lists")
    return extract


def write_eligible(path: Path, extract: Mapping[str, Sequence[Any]], eligible: NDArray[np.int64]) -> None:
    """Writes the eligible set as a table."""
    members = eligible.tolist()
    columns = {name: [extract[name][i] for i in members] for name in ("imsi", "msisdn")}
    write(path, "eligible", {"sub": eligible, **columns})


@dataclass(frozen=True, slots=True)
class ArmFiles:
    """The files one platform is started with."""

    folder: Path
    config: Path
    policy: Path
    do_not_disturb: Path
    campaigns: tuple[Path, ...]
    records: Path
    """Where the platform writes."""
    tokens: Mapping[str, str] = field(repr=False)
    """Role -> token of the platform's HTTP door; in clear it stands nowhere else."""


@dataclass(frozen=True, slots=True)
class BlanketTarget:
    """One row of a group-sending list."""

    campaign: str
    msisdn: str
    day: int
    """Day of the world, from 1."""


def arm_files(
    folder: Path,
    inputs: Path,
    study: ArmKeys,
    scenario: WorldScenario,
    drawn: ListDraw,
    extract: Mapping[str, Sequence[Any]],
    campaigns: Sequence[Path],
    *,
    clock: Mapping[str, Any],
    collector: Mapping[str, Any],
    smpp: Mapping[str, Any],
    boss_url: str,
    group: Sequence[BlanketTarget] | None = None,
    channels: Mapping[str, Any] | None = None,
    valid_from: date | None = None,
    open_days: OpenDays | None = None,
    more: Mapping[str, Any] | None = None,
) -> ArmFiles:
    """Writes policy copy, lists, campaigns and platform configuration of one arm.

    With `group` its rows are sent at a set time and nothing is triggered. No campaigns: watch only.
    `valid_from`: local day before which no campaign runs. `open_days`: on which days contacts are made.
    `more`: other keys of the configuration.
    """
    folder.mkdir(parents=True, exist_ok=True)
    policy = folder / "policy.yaml"
    _write_policy(policy, study.policy, drawn, extract)
    days = None
    if open_days is not None:
        days = (folder / "days.csv").resolve()
        _write_csv(days, ("from", "until", "msisdn"), open_days)
    files = _campaign_files(folder / "campaigns", campaigns, group, study.blanket_at, valid_from, days)
    records = folder / "platform"
    made = {role: make_token(role) for role in ROLES}
    (folder / "tokens").write_text("".join(f"{token.line()}\n" for _, token in made.values()))
    config = {
        "clock": {"epoch": epoch_of(scenario), **clock},
        "collector": dict(collector),
        "smpp": dict(smpp),
        "channels": dict(channels or {}),
        "boss": {"url": boss_url},
        "http": {"host": "127.0.0.1", "port": 0, "tokens_file": "tokens", "rate_per_s": 0},
        "subscribers": os.path.relpath(inputs / "extract.parquet", folder),
        "cells": os.path.relpath(inputs / "cells.csv", folder),
        "terminals": os.path.relpath(inputs / "terminals.csv", folder),
        "origins": os.path.relpath(inputs / "origins.csv", folder),
        "lists": {name: os.path.relpath(inputs / "lists" / f"{name}.csv", folder) for name in LISTS},
        "campaigns": [os.path.relpath(file, folder) for file in files],
        "policy": policy.name,
        "ledger": {"url": "sqlite:///ledger.db"},
        "records": {"dir": records.name},
        **(more or {}),
    }
    if study.segments is not None:
        config["segments"] = os.path.relpath(study.segments, folder)
    _write_yaml(folder / "platform.yaml", config)
    tokens: dict[str, str] = {role: clear for role, (clear, _) in made.items()}
    disturb = folder / _DISTURB_FILE
    return ArmFiles(folder, folder / "platform.yaml", policy, disturb, tuple(files), records, tokens)


def _write_policy(to: Path, source: Path, drawn: ListDraw, extract: Mapping[str, Sequence[Any]]) -> None:
    """Copies a policy with the lists that it names; theirs are joined by those drawn for the study."""
    folder = to.parent
    policy = dict(read_yaml(source).values)
    lists = ((_DISTURB_FILE, drawn.do_not_disturb), (_CONTROL_FILE, drawn.control_group))
    for path, members in ((folder / name, members) for name, members in lists):
        rows = [(extract["msisdn"][i], "") for i in np.flatnonzero(members).tolist()]
        _write_csv(path, ("msisdn", "since"), [*rows, *_listed(source, policy.get(path.stem))])
        policy[path.stem] = {"file": path.name}
    for section in ("timezones", "busy_cells"):
        named = policy.get(section)
        if isinstance(named, dict) and named.get("file"):
            # The copy stands in another folder than what it names.
            copied = folder / f"{section}.csv"
            copied.write_bytes((source.parent / named["file"]).read_bytes())
            policy[section] = {**named, "file": copied.name}
    _write_yaml(to, policy)


def _campaign_files(
    folder: Path,
    campaigns: Sequence[Path],
    group: Sequence[BlanketTarget] | None,
    at: str,
    valid_from: date | None,
    days: Path | None,
) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for source in campaigns:
        values = dict(read_yaml(source).values)
        if group is not None:
            if values.get("output", "contact") != "contact":
                continue
            # The same offer, text and sender; who and when come from the list alone.
            targets = [t for t in group if t.campaign == values["campaign"]]
            listed = folder / f"{values['campaign']}.csv"
            _write_csv(listed, ("msisdn", "day"), ((t.msisdn, t.day) for t in targets))
            values = {
                key: value for key, value in values.items() if key not in ("scene", "audience", "targets")
            }
            values |= {"mode": "group", "group": {"at": at, "targets": listed.name}, "audience": {}}
        if valid_from is not None:
            values["valid"] = _valid_from(values.get("valid") or {}, valid_from)
        if days is not None and values.get("output", "contact") == "contact":
            dealt = values.get("experiment") or {"arms": {"treated": 1.0}, "salt": values["campaign"]}
            values["experiment"] = {**dealt, "days": str(days)}
        if pictures := values.get("mms", {}).get("files"):
            files = [str((source.parent / name).resolve()) for name in pictures]
            values["mms"] = {**values["mms"], "files": files}
        path = folder / f"{values['campaign']}.yaml"
        _write_yaml(path, values)
        written.append(path)
    return written


def _valid_from(valid: Mapping[str, Any], day: date) -> dict[str, Any]:
    """A campaign's days, none before this one."""
    first = valid.get("from")
    return {**valid, "from": max(day, date.fromisoformat(str(first))) if first else day}


def blanket_targets(
    sent: Iterable[tuple[str, str, int]],
    eligible: NDArray[np.int64],
    extract: Mapping[str, Sequence[Any]],
    draws: Draws,
) -> list[BlanketTarget]:
    """The precise arm's pattern of contacts, each person's moved as a whole to a random eligible person.

    So the blanket arm contacts as many distinct people, each as often, with the same offers on the same days,
    as the precise arm did. The k-th contacted person (by number) goes to the k-th place of a keyed
    permutation of the eligible set.

    Args:
        sent: (campaign, MSISDN, day from 1) of the precise arm's contacts.
        eligible: The eligible set.
        extract: Columns of the BOSS extract.
        draws: The world's draws.
    """
    pattern: dict[str, list[tuple[str, int]]] = {}
    for campaign, msisdn, day in sent:
        pattern.setdefault(msisdn, []).append((campaign, day))
    if len(pattern) > len(eligible):
        raise ValueError(f"{len(pattern)} people were contacted, only {len(eligible)} are eligible")
    # Sorting by keyed draws is a permutation; the index breaks ties.
    order = eligible[np.lexsort((eligible, draws.u64(_BLANKET, eligible)))]
    targets = [
        BlanketTarget(campaign, extract["msisdn"][int(sub)], day)
        for (_, contacts), sub in zip(sorted(pattern.items()), order.tolist(), strict=False)
        for campaign, day in sorted(contacts)
    ]
    return sorted(targets, key=lambda t: (t.campaign, t.day, t.msisdn))


def append_opt_outs(path: Path, opt_outs: Iterable[tuple[str, int]], zone: ZoneInfo) -> int:
    """Adds subscribers who answered with a stop code to the dated list; how many.

    Args:
        path: The list.
        opt_outs: MSISDN and Unix microseconds at which the platform had confirmed the stop code.
        zone: Local time of the list.
    """
    rows = sorted(set(opt_outs), key=lambda row: (row[1], row[0]))
    with path.open("a", encoding="utf-8", newline="") as file:
        for msisdn, t_us in rows:
            local = datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC")) + timedelta(microseconds=t_us)
            file.write(f"{msisdn},{local.astimezone(zone).replace(tzinfo=None).isoformat()}\n")
    return len(rows)


def _listed(policy: Path, named: Any) -> list[tuple[str, str]]:
    """Whom the policy's own dated list names, for a copy beside those that a study draws."""
    name = named.get("file") if isinstance(named, dict) else None
    if not name:
        return []
    with (policy.parent / name).open(encoding="utf-8", newline="") as file:
        return [(row["msisdn"], row["since"] or "") for row in csv.DictReader(file)]


def _write_yaml(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(dict(values), allow_unicode=True, sort_keys=False), encoding="utf-8")


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
