"""What an arm's records say, worked out once the platform has ended: counts, audit, outcomes, replays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.arm_records import CaptureWindow, Recorder, write_rows
from experiments.audit import audit, read_parts, read_policy
from experiments.behaviours_check import compare
from experiments.folder import write_json
from experiments.inputs import write_eligible
from experiments.lockstep import Spent
from experiments.platform_records import PlatformRecords
from experiments.procedures import procedure_table
from experiments.study import Study
from reports.records import read, write
from sim.backoffice.boss import Boss
from sim.network.derived import derived
from sim.network.visible import VISIBLE
from sim.subscribers.planted import people_table, planted
from sim.subscribers.response import Contacts, replay
from sim.world import World

__all__ = ["ArmFacts", "results"]


@dataclass(frozen=True, slots=True)
class ArmFacts:
    """What is known of an arm besides its records."""

    study: Study
    world: World
    folder: Path
    platform: PlatformRecords
    policy: Path
    extract: Mapping[str, Sequence[Any]]
    eligible: NDArray[np.int64]
    boss: Boss
    end_us: int
    """World time of the end, microseconds."""
    costs: Mapping[str, float]
    """Campaign -> cost of one contact."""
    offers: Mapping[str, str]
    """Campaign -> offer."""


def results(facts: ArmFacts, recorder: Recorder, spent: Spent) -> dict[str, Any]:
    """Writes the arm's tables and says what they hold."""
    folder = facts.folder
    recorder.write(folder)
    for name, rows in recorder.rows.items():
        write_rows(folder / f"{name}.parquet", name, rows)
    orders = [order for order in facts.boss.orders() if order.first]
    write_rows(folder / "orders.parquet", "orders", [asdict(order) for order in orders])
    write_eligible(folder / "eligible.parquet", facts.extract, facts.eligible)
    write(folder / "people.parquet", "people", people_table(facts.world.population))
    write(folder / "planted.parquet", "planted", planted(facts.world.scenario))
    platform = facts.platform
    check = None
    if platform.behaviours is not None:
        check = compare(_truth(facts, recorder), read(folder / "behaviours.parquet")).as_json()
        write_json(folder / "behaviours_check.json", check)
    judged = audit(read_parts(folder / "parts.parquet"), read_policy(facts.policy)).as_json()
    write_json(folder / "audit.json", judged)
    outcomes, means = _outcomes(facts, recorder, [order.msisdn for order in orders])
    write(folder / "outcomes.parquet", "outcomes", outcomes)
    invalid = []
    if spent.messages and not platform.collector:
        invalid.append("the platform left no count of what it received")
    return {
        "world_subscribers": facts.world.n,
        "timezone": facts.world.scenario.timezone,
        "subscribers": len(facts.eligible),
        "contacts": len(recorder.rows["contacts"]),
        "take_up": int(np.sum(outcomes["ordered"])),
        "complaints": int(np.sum(outcomes["complaints"])),
        "cost": round(_cost(facts, platform), 2),
        "replay_means": means,
        "signalling": platform.signalling(spent.messages),
        "triggers": platform.counts(),
        "audit": {key: judged[key] for key in ("contacts", "parts", "incomplete", "violations", "in_flight")},
        "behaviours": check
        and {key: check[key] for key in ("equal", "kinds", "unknown_truth", "unknown_platform")},
        "capture": _capture(facts, recorder.capture, folder),
        "held_split": _held_split(facts, platform),
        "spent": {k: round(v, 2) for k, v in asdict(spent).items()},
        "invalid": invalid,
    }


def _truth(facts: ArmFacts, recorder: Recorder) -> pa.Table:
    """Visible acts, and what follows from those of the subscribers whom the platform has been told of."""
    shown = recorder.block("visible")
    if shown is None:
        return read(facts.folder / "visible.parquet")
    told = np.array(facts.extract["imsi"], np.uint64)[np.array(facts.extract["customer"], bool)]
    end_us = facts.world.scenario.epoch_unix_us + facts.end_us
    follows = derived(shown[np.isin(shown["imsi"], told)], 0, end_us)
    columns = {name: np.concatenate([shown[name], follows[name]]) for name in VISIBLE.names or ()}
    columns["peer"] = columns["peer"].astype(str)
    del columns["rule"]
    return pa.table(columns)


def _cost(facts: ArmFacts, platform: PlatformRecords) -> float:
    """Of all contacts that the platform paid for: what it submitted, received or not."""
    if platform.triggers is None:
        return 0.0
    sent = Counter(
        campaign
        for campaign, state in zip(
            platform.triggers["campaign"].to_pylist(), platform.triggers["state"].to_pylist(), strict=True
        )
        if state == "sent"
    )
    return sum(facts.costs.get(campaign, 0.0) * n for campaign, n in sorted(sent.items()))


def _outcomes(
    facts: ArmFacts, recorder: Recorder, ordered_by: Sequence[str]
) -> tuple[dict[str, Any], list[float]]:
    """One row for each eligible subscriber, and the share of the eligible who take up in each replay."""
    study, world, eligible = facts.study, facts.world, facts.eligible
    ordered = set(ordered_by)
    contacts = Counter(row["sub"] for row in recorder.rows["contacts"])
    complaints = Counter(row["sub"] for row in recorder.rows["responses"] if row["complain"])
    members = eligible.tolist()
    taken = replay(
        contact_history(
            [row for row in recorder.rows["contacts"] if row["offer"]],
            [offer.name for offer in study.offers],
            world.scenario.epoch_unix_us,
        ),
        world,
        study.offers,
        study.seed,
        study.replays,
        end_us=facts.end_us,
    )
    by_person: NDArray[np.bool_] = np.asarray(taken.any(axis=2), bool)[:, eligible]
    columns = {
        "sub": eligible,
        "msisdn": [facts.extract["msisdn"][i] for i in members],
        "ordered": np.array([facts.extract["msisdn"][i] in ordered for i in members], bool),
        "contacts": np.array([contacts[i] for i in members], np.uint16),
        "complaints": np.array([complaints[i] for i in members], np.uint16),
        "replay_share": by_person.mean(axis=0),
    }
    return columns, [float(share) for share in by_person.mean(axis=1)]


def contact_history(rows: Sequence[Mapping[str, Any]], offers: Sequence[str], epoch_unix_us: int) -> Contacts:
    """Contacts received, in the form that replays take."""
    columns = {name: np.array([row[name] for row in rows], np.int64) for name in _AS_RECORDED}
    columns["t_us"] = columns["t_us"] - epoch_unix_us
    columns["cell"] = np.array([row["at_cell"] for row in rows], np.int64)
    columns["offer"] = np.array([offers.index(row["offer"]) for row in rows], np.int64)
    return Contacts(**columns)


_AS_RECORDED: Final = (
    "t_us",
    "sub",
    "ordinal",
    "recent_contacts",
    "channel",
    "since_power_on_us",
    "since_service_call_us",
    "place",
    "dwell_us",
    "local_second",
)


def _capture(facts: ArmFacts, window: CaptureWindow | None, folder: Path) -> dict[str, Any] | None:
    keys = facts.study.capture
    if window is None or keys is None:
        return None
    table = read(folder / "visible.parquet", ["t_us", "rule"])
    t_us = table["t_us"].to_numpy() - facts.world.scenario.epoch_unix_us
    inside = (t_us >= window.start_us) & (t_us < window.end_us)
    rules = table.filter(pa.array(inside))["rule"].to_pylist()
    return {
        "from": keys.from_,
        "to": keys.to,
        "day": keys.day,
        "messages": window.messages,
        "procedures": procedure_table(window.payloads, rules),
    }


def _held_split(facts: ArmFacts, platform: PlatformRecords) -> list[dict[str, Any]]:
    """Triggers sent at the moment and released later, by campaign, and what became of them."""
    if platform.triggers is None:
        return []
    first: dict[tuple[str, str], int] = {}
    for order in facts.boss.orders():
        if order.first and order.channel != "organic":
            first[order.msisdn, order.offer] = order.t_us
    rows: dict[str, dict[str, Any]] = {}
    for trigger in platform.triggers.to_pylist():
        if trigger["state"] != "sent":
            continue
        name = trigger["campaign"]
        row = rows.setdefault(
            name, {"campaign": name, "at_once": 0, "at_once_took_up": 0, "released": 0, "released_took_up": 0}
        )
        how = "released" if trigger["held_until_us"] else "at_once"
        row[how] += 1
        row[f"{how}_took_up"] += first.get((trigger["msisdn"], facts.offers[name]), -1) >= trigger["t_us"]
    return [rows[name] for name in sorted(rows)]
