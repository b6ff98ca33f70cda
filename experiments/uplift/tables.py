"""The tables beside an uplift study's summary: Parquet by person and contact, CSV for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from experiments.folder import write_csv
from experiments.uplift.designs import CONTROL, HELD_OUT, TREATED
from experiments.uplift.results import Studied
from experiments.uplift.specs import BEFORE, ArmOutcome
from reports.records import write
from sim.subscribers.segments import SEGMENTS

__all__ = ["RESULTS", "results_of", "write_tables"]

_ROLES: Final = {TREATED: "treated", CONTROL: "control", HELD_OUT: "held out"}
RESULTS: Final = ("estimates.csv", "days.csv", "tornado.csv", "replicates.csv")
"""CSV files of a run."""


def write_tables(
    run_dir: Path, studied: Studied, results: Mapping[str, Any], replicates: Sequence[Mapping[str, Any]]
) -> None:
    """Writes all of them."""
    for name, outcome in studied.arms.items():
        folder = run_dir / "arms" / name
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / "outcomes.parquet", "uplift_outcomes", _outcomes(studied, name, outcome))
        write(folder / "contacts.parquet", "uplift_contacts", _contacts(outcome))
    write_csv(run_dir / "estimates.csv", ("comparison", "measure", *_FIGURES), _estimates(results))
    write_csv(run_dir / "days.csv", ("day", *results["days"]["arms"], *_LOOK), _days(results["days"]))
    write_csv(
        run_dir / "tornado.csv",
        ("offer", "parameter", "value", "at", "difference", "se", "how"),
        _tornado(results),
    )
    write_csv(
        run_dir / "replicates.csv",
        ("replicate", "people", "a", "b", "true", *_FIGURES),
        _replicates(replicates),
    )


def results_of(run_dir: Path) -> list[Path]:
    """Files that the clock has no part in."""
    tables = sorted((run_dir / "arms").glob("*/*.parquet"))
    return [run_dir / "summary.json", *(run_dir / name for name in RESULTS), *tables]


def _outcomes(studied: Studied, name: str, outcome: ArmOutcome) -> dict[str, Any]:
    assignment = studied.half if name == "half" else studied.assignment
    roles = [""] * len(outcome.sub)
    if name in ("half", "assigned") and assignment is not None and assignment.days is None:
        roles = [_ROLES[int(role)] for role in assignment.role[outcome.sub]]
    earlier = {name: outcome.before[:, index] for index, name in enumerate(BEFORE)}
    names = ("ordered", "ordered_us", "contacts", "first_contact_us", "complaints", "opted_out", "home_cell")
    return {
        "sub": outcome.sub,
        "segment": [SEGMENTS[int(index)].name for index in outcome.segment],
        "role": roles,
        **{column: getattr(outcome, column) for column in names},
        **{column: getattr(outcome, column) for column in ("cost", "value", "replay_share")},
        "before": earlier["calls"] + earlier["texts"] + earlier["orders"],
        **{f"{name}_before": earlier[name] for name in ("service_calls", "switched_on")},
    }


def _contacts(outcome: ArmOutcome) -> dict[str, Any]:
    table = outcome.contact_table
    names = ("sub", "t_us", "ordinal", "recent_contacts", "cell", "place", "p_take_up", "p_organic")
    texts = {name: [str(v) for v in getattr(table, name)] for name in ("campaign", "offer")}
    return {**texts, **{name: getattr(table, name) for name in names}}


_FIGURES: Final = ("value", "low", "high", "se", "n", "method", "refused")
_LOOK: Final = ("difference", "low", "high", "refused")

Row = Sequence[Any]


def _figures(found: Mapping[str, Any]) -> list[Any]:
    return [found.get(name) for name in _FIGURES]


def _estimates(results: Mapping[str, Any]) -> Iterable[Row]:
    primary = results["primary"]
    yield [primary["name"], "primary", *_figures(primary["estimate"])]
    for name, comparison in results["comparisons"].items():
        for measure, found in comparison["measures"].items():
            yield [name, measure, *_figures(found)]
        yield [name, "true take_up", *_figures(comparison["true"])]
    for row in results["segments"]:
        yield [f"segment {row['name']}", "take_up", *_figures(row["difference"])]
    for row in results["campaigns"]:
        yield [f"offer {row['name']}", "take_up", *_figures(row["difference"])]
    for row in results["places"]:
        yield [f"place {row['kind'] or 'elsewhere'}", "added within a day", *_figures(row["added"])]


def _days(days: Mapping[str, Any]) -> Iterable[Row]:
    looks = {row["day"]: row["sequence"] for row in days["looks"]}
    count = len(next(iter(days["arms"].values())))
    for k in range(1, count + 1):
        look = looks.get(k, {})
        shown = [look.get(name) for name in ("value", "low", "high", "refused")]
        yield [days["first_day"] + k - 1, *(arm[k - 1] for arm in days["arms"].values()), *shown]


def _tornado(results: Mapping[str, Any]) -> Iterable[Row]:
    found = results["sensitivity"]
    if found is None:
        return
    yield ["", "as it is", "", "", found["base"]["value"], found["base"]["se"], found["base"]["how"]]
    for row in found["rows"]:
        for way in ("low", "high"):
            if way in row:
                end = row[way]
                yield [
                    row["offer"],
                    row["name"],
                    row["value"],
                    end["at"],
                    end["value"],
                    end["se"],
                    row["how"],
                ]


def _replicates(found: Sequence[Mapping[str, Any]]) -> Iterable[Row]:
    for number, one in enumerate(found):
        yield [number, one["people"], *one["take_ups"], one["true"], *_figures(one["estimate"])]
