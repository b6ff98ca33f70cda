"""The page of a capacity study, and its one screen of text, rendered from its folder alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from reports.capacity_tables import (
    config_name,
    growth_rows,
    knee_row,
    limited,
    others_said,
    run_row,
    scaling_said,
    search_row,
    share_name,
    sittings_said,
    sizing_rows,
    why_not,
    workers_name,
)
from reports.compared import Figure
from reports.language import LANGUAGES, Words
from reports.rendering import NotReportable, as_written, number, percent, publish, read_json

__all__ = ["NotReportable", "answer", "checks", "compared", "screen", "write_report"]

PAGE: Final = "capacity"
_FILES: Final = ("summary.json", "summary.csv", "drawn.json", "manifest.json", "probes.csv", "probes.parquet")


def write_report(run_dir: Path, out: Path | None = None, language: str = LANGUAGES[0]) -> Path:
    """Writes the page, and `summary.csv` beside the summary; where the page is.

    Raises:
        NotReportable: a file is missing, damaged, or lacks a key.
    """
    from reports import capacity_figures as figures

    manifest, summary = (read_json(run_dir / name) for name in ("manifest.json", "summary.json"))
    words = Words(PAGE, language)
    with as_written("summary.json"):
        results = summary["results"]
        return publish(
            "capacity.html.j2",
            words,
            {},
            run_dir,
            out,
            manifest=manifest,
            summary=summary,
            answer=answer(summary, words),
            checks=checks(summary, manifest, words),
            level=results["level"],
            probes=sum(one["knee"]["probes"] + len(one["runs"]) for one in results["configurations"]),
            knees=[knee_row(one, words) for one in results["configurations"]],
            searches=[search_row(one, words) for one in results["configurations"]],
            runs=[
                run_row(one, run, results["level"], words)
                for one in results["configurations"]
                for run in one["runs"]
            ],
            busy=[
                (config_name(one, words), figures.busy(one, words))
                for one in results["configurations"]
                if one["resources"]
            ],
            scaling=scaling_said(results["scaling"], words),
            growth=growth_rows(results["growth"], words),
            sizing=sizing_rows(results["sizing"], words),
            sittings=sittings_said(summary.get("sittings", []), words),
            others=others_said(results, words),
            pictures=figures.pictures(summary, words),
            files=[name for name in _FILES if name == "summary.csv" or (run_dir / name).exists()],
        )


# --------------------------------------------------------------------------- the answer, and can it be one?


def answer(summary: Mapping[str, Any], words: Words | None = None) -> str:
    """What came out for the first configuration, in two or three sentences."""
    words = words or Words(PAGE)
    base = summary["results"]["configurations"][0]
    knee = base["knee"]
    first = words(
        f"answer.{knee['status']}",
        workers=workers_name(base["workers"], words),
        people=number(base["subscribers"]),
        rate=number(round(knee["rate_per_s"])),
        breaks="–" if knee["breaks_at_per_s"] is None else number(round(knee["breaks_at_per_s"])),
    )
    if proof := knee.get("proof"):
        seconds, triggers = f"{proof['seconds']:g}", number(proof["triggers"])
        first += words.gap + words("answer.proof", seconds=seconds, triggers=triggers)
    if knee["breaks_at_per_s"] is None:
        return first
    found = base["bottleneck"]
    key = "queued" if found["limited_by"] == "platform" and not found["full"] else found["limited_by"]
    second = words(
        f"answer.{key}",
        resource=words.name(found["resource"], "resource"),
        stage=words.name(found["stage"] or "none", "stage"),
        busy=percent(found["busy"]),
        others=percent(found.get("others")),
        side=words(f"side.{found.get('side', 'platform')}"),
    )
    return f"{first}{words.gap}{second}"


def checks(summary: Mapping[str, Any], manifest: Mapping[str, Any], words: Words) -> list[dict[str, Any]]:
    """Whether the knee is one, whose it is, and what else was on the machine; None: not to be said."""
    results = summary["results"]
    every = results["configurations"]
    rows: list[dict[str, Any]] = []

    def row(key: str, holds: bool | None, found: str, **values: Any) -> None:
        rows.append({"asked": words(f"trust.{key}", **values), "found": found, "holds": holds})

    settled = sum(one["knee"]["status"] == "found" for one in every)
    row("knee", settled == len(every), words("trust.knee_found", found=settled, n=len(every)))
    if any(one["knee"].get("proof") or one["knee"].get("stepped_down") for one in every):
        proven = sum(one["knee"].get("proof") is not None for one in every)
        said = words("trust.proof_found", found=proven, n=len(every))
        if stepped := sum(one["knee"].get("stepped_down", 0) for one in every):
            said += words.gap + words("trust.proof_stepped", n=stepped)
        row("proof", proven == len(every), said)
    own = sum(one["bottleneck"]["of_platform"] for one in every)
    row("platform", own == len(every), words("trust.platform_found", found=own, n=len(every)))
    others, bound = results["others_share"], results["level"]["others_share"]
    row(
        "alone",
        None if others["median"] is None else others["median"] <= bound,
        words(
            "trust.alone_found" if (others["median"] or 0.0) <= bound else "trust.not_alone_found",
            median=percent(others["median"]),
            most=percent(others["most"]),
        ),
        bound=f"{100 * bound:g}",
    )
    cores = manifest["cores"]
    apart = (
        words("trust.apart_found", generator=_listed(cores["generator"]), platform=_listed(cores["platform"]))
        if cores["apart"]
        else words("trust.apart_not")
    )
    row("apart", bool(cores["apart"]), apart)
    runs = [run for one in every for run in one["runs"]]
    loss = results["loss"]
    row(
        "complete",
        (loss["lost"] + loss["wrong"] == 0) if runs else None,
        words(
            "trust.complete_found",
            lost=number(loss["lost"]),
            wrong=number(loss["wrong"]),
            n=number(loss["triggers"]),
        ),
    )
    held = sum(run["outcome"] == "held" for run in runs)
    said = words("trust.held_found", held=held, n=len(runs))
    for one in every:
        for run in one["runs"]:
            if run["outcome"] != "held":
                said += words("mark.semicolon") + words(
                    "trust.held_not",
                    config=config_name(one, words),
                    share=share_name(run["share"]),
                    why=why_not(run, results["level"], words),
                )
    row("held", held == len(runs) if runs else None, said)
    if len(summary.get("sittings", [])) > 1:
        row("sittings", None, words("trust.sittings_found", n=len(summary.get("sittings", []))))
    return rows


def compared(summary: Mapping[str, Any], words: Words) -> list[Figure]:
    """What is set side by side of several runs: the knees, by the clock."""
    own = Words(PAGE, words.language)
    return [
        Figure(
            f"knee.{one['name']}",
            f"{own('head.holds')}: {config_name(one, own)}",
            one["knee"]["rate_per_s"],
            unit="1/s",
            clock=True,
        )
        for one in summary["results"]["configurations"]
    ]


def screen(run_dir: Path) -> str:
    """The figures as lines of a terminal."""
    words = Words(PAGE)
    summary = read_json(run_dir / "summary.json")
    results = summary["results"]
    lines = [summary["title"] or summary["study"], answer(summary, words), ""]
    for one in results["configurations"]:
        knee = one["knee"]
        high = "–" if knee["breaks_at_per_s"] is None else number(round(knee["breaks_at_per_s"]))
        lines.append(
            f"  {config_name(one, words):34}{knee['status']:10}{number(round(knee['rate_per_s'])):>9} to "
            f"{high:>9} a second; {limited(one, words)}"
        )
        for run in one["runs"]:
            value = run["percentiles_ms"][results["level"]["percentile"]].get("value")
            said = f"    {run['share']:.0%}: {results['level']['percentile']} "
            said += f"{'refused' if value is None else f'{value:.1f} ms'}, level {run['outcome']}"
            if run["outcome"] != "held":
                said += f": {why_not(run, results['level'], words)}"
            lines.append(said)
    lines += ["", *(scaling_said(results["scaling"], words) or [])]
    if (sizing := sizing_rows(results["sizing"], words)) is not None:
        lines += [f"  {people} subscribers: {units} units" for people, _, units, *_ in sizing["rows"]]
    others = results["others_share"]
    lines.append(f"Others had {percent(others['median'])} of the processors (median of the probes).")
    if summary["invalid_reasons"]:
        lines += ["", f"The study is not valid, {len(summary['invalid_reasons'])} reasons:"]
        lines += [f"  {reason}" for reason in summary["invalid_reasons"]]
    sittings = len(summary.get("sittings", []))
    more = f", the last of {sittings} sittings" if sittings > 1 else ""
    lines.append(f"In {summary['time']['wall_s']:.0f} s{more}.")
    return "\n".join(lines)


def _listed(cpus: list[int]) -> str:
    return ", ".join(map(str, cpus))
