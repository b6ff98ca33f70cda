"""The page of a capacity study, and its one screen of text, rendered from its folder alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from reports.compared import Figure
from reports.language import LANGUAGES, Words
from reports.rendering import NotReportable, as_written, number, percent, publish, read_json

__all__ = ["NotReportable", "answer", "checks", "compared", "screen", "write_report"]

PAGE: Final = "capacity"
PERCENTILES: Final = ("p50", "p90", "p99", "p99.9")
WITH_INTERVAL: Final = ("p99", "p99.9")
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
            knees=[_knee(one, words) for one in results["configurations"]],
            runs=[_run(one, run, words) for one in results["configurations"] for run in one["runs"]],
            busy=[
                (config_name(one, words), figures.busy(one, words))
                for one in results["configurations"]
                if one["resources"]
            ],
            scaling=_scaling(results["scaling"], words),
            growth=_growth(results["growth"], words),
            sizing=_sizing(results["sizing"], words),
            pictures=figures.pictures(summary, words),
            files=[name for name in _FILES if name == "summary.csv" or (run_dir / name).exists()],
        )


# --------------------------------------------------------------------------- the answer, and whether it is
# one


def workers_name(n: int, words: Words) -> str:
    """`2 workers`."""
    return words("workers.one") if n == 1 else words("workers.more", n=n)


def config_name(one: Mapping[str, Any], words: Words) -> str:
    """Workers and people of a configuration."""
    return words(
        "shown.config", workers=workers_name(one["workers"], words), people=number(one["subscribers"])
    )


def answer(summary: Mapping[str, Any], words: Words | None = None) -> str:
    """What came out for the first configuration, in two sentences."""
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
    if knee["breaks_at_per_s"] is None:
        return first
    found = base["bottleneck"]
    key = "queued" if found["limited_by"] == "platform" and not found["full"] else found["limited_by"]
    second = words(
        f"answer.{key}",
        resource=words.name(found["resource"], "resource"),
        stage=words.name(found["stage"] or "none", "stage"),
        busy=percent(found["busy"]),
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
    row("held", held == len(runs) if runs else None, words("trust.held_found", held=held, n=len(runs)))
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
            f"{high:>9} a second; {_limited(one, words)}"
        )
        for run in one["runs"]:
            value = run["percentiles_ms"][results["level"]["percentile"]].get("value")
            lines.append(
                f"    {run['share']:.0%}: {results['level']['percentile']} "
                f"{'refused' if value is None else f'{value:.1f} ms'}, level {run['outcome']}"
            )
    lines += ["", *(_scaling(results["scaling"], words) or [])]
    if (sizing := _sizing(results["sizing"], words)) is not None:
        lines += [f"  {people} subscribers: {units} units" for people, _, units, *_ in sizing["rows"]]
    others = results["others_share"]
    lines.append(f"Others had {percent(others['median'])} of the processors (median of the probes).")
    if summary["invalid_reasons"]:
        lines += ["", f"The study is not valid, {len(summary['invalid_reasons'])} reasons:"]
        lines += [f"  {reason}" for reason in summary["invalid_reasons"]]
    lines.append(f"In {summary['time']['wall_s']:.0f} s.")
    return "\n".join(lines)


# --------------------------------------------------------------------------- tables


def _listed(cpus: list[int]) -> str:
    return ", ".join(map(str, cpus))


def _limited(one: Mapping[str, Any], words: Words) -> str:
    found = one["bottleneck"]
    return words(
        f"limited.{found['limited_by']}",
        resource=words.name(found["resource"], "resource"),
        stage=words.name(found["stage"] or "none", "stage"),
    )


def _knee(one: Mapping[str, Any], words: Words) -> list[str]:
    knee = one["knee"]
    return [
        config_name(one, words),
        words.name(knee["status"], "status"),
        number(round(knee["rate_per_s"])) if knee["rate_per_s"] else "–",
        "–" if knee["breaks_at_per_s"] is None else number(round(knee["breaks_at_per_s"])),
        number(round(knee["closed_per_s"])),
        words.list(words.name(what, "broke") for what in knee["broke"]) or words("mark.none"),
        _limited(one, words) if knee["breaks_at_per_s"] is not None else "–",
        str(knee["probes"]),
        "–" if one["memory_mib"] is None else number(round(one["memory_mib"])),
    ]


def _run(one: Mapping[str, Any], run: Mapping[str, Any], words: Words) -> list[str]:
    return [
        config_name(one, words),
        percent(run["share"]),
        number(round(run["rate_per_s"])),
        words.name(run["outcome"], "outcome"),
        number(run["triggers"]),
        *(_percentile(run["percentiles_ms"][name], interval=name in WITH_INTERVAL) for name in PERCENTILES),
        "–" if run["cost_us"] is None else number(run["cost_us"]),
    ]


def _percentile(found: Mapping[str, Any], *, interval: bool) -> str:
    if "value" not in found:
        return "–"
    if not interval:
        return f"{found['value']:.1f}"
    return f"{found['value']:.1f} ({found['low']:.1f}–{found['high']:.1f})"


def _scaling(found: Mapping[str, Any] | None, words: Words) -> list[str] | None:
    if found is None:
        return None
    one, two = found["pair"]
    ratio, law = found["ratio"], found["law"]
    if "refused" in ratio:
        said = [words("details.ratio_refused", why=_refused(ratio, words))]
    else:
        values = {
            name: f"{ratio[key]:.2f}" for name, key in (("ratio", "value"), ("low", "low"), ("high", "high"))
        }
        said = [words("details.ratio", one=one, two=two, n=ratio["n"], cpus=found["processors"], **values)]
    if not found["enough_processors"]:
        said.append(words("details.too_few_processors"))
    if "refused" in law:
        said.append(words("details.law_refused", why=_refused(law, words)))
    else:
        said.append(
            words(
                "details.law",
                low=law["counts"][0],
                high=law["counts"][-1],
                rate=number(round(law["rate_per_s"])),
                contention=f"{law['contention']:.3f}",
                coherence=f"{law['coherence']:.4f}",
                worst=percent(law["worst"]),
            )
        )
    return said


def _refused(found: Mapping[str, Any], words: Words) -> str:
    """Why there is no figure."""
    return words.told(found["refused"], "refused") or str(found["refused"])


def _growth(found: Mapping[str, Any] | None, words: Words) -> dict[str, Any] | None:
    if found is None:
        return None
    slopes, levels = [], []
    for axis, one in found["axes"].items():
        name, step = words.name(axis, "axis"), words.name(one["unit"], "step")
        slope = one["per_step"]
        if "refused" in slope:
            slopes.append([name, step, "–", _refused(slope, words)])
        else:
            slopes.append(
                [name, step, _signed(slope["value"]), f"{_signed(slope['low'])} … {_signed(slope['high'])}"]
            )
        for row in one["levels"]:
            levels.append(
                [
                    name,
                    number(round(row["value"])),
                    str(row["runs"]),
                    "–" if row["cost_us"] is None else number(row["cost_us"]),
                    "–" if row["memory_mib"] is None else number(round(row["memory_mib"])),
                ]
            )
    return {"slopes": slopes, "levels": levels, "rate": number(round(found["rate_per_s"]))}


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _sizing(found: Mapping[str, Any] | None, words: Words) -> dict[str, Any] | None:
    if found is None:
        return None
    rows = []
    for need in found["needs"]:
        low, high = need["units_low"], need["units"]
        units = str(high) if low == high else words("sizing.range", low=low, high=high)
        rows.append(
            [
                number(need["subscribers"]),
                number(round(need["busy_per_s"])),
                units,
                str(need["with_spares"]),
                number(need["subscribers_each"]),
                words("sizing.outside" if need["beyond"] else "sizing.inside"),
            ]
        )
    assumed = found["assumed"]
    said = [
        words(
            "sizing.unit",
            workers=workers_name(assumed["workers"], words),
            cpus=assumed["processors"],
            people=number(assumed["subscribers"]),
            knee=number(round(assumed["knee_per_s"])),
        ),
        words(
            "sizing.busy_hour",
            n=number(assumed["busy_hour_messages"]),
            sample=number(assumed["sample"]),
            world=assumed["world"],
        ),
        words("sizing.peak", n=number(assumed["peak"])),
        words("sizing.headroom", n=percent(assumed["headroom"])),
        words("sizing.spare", n=assumed["spare_units"]),
        words("sizing.dealt"),
    ]
    if found["at_most"]:
        said.insert(0, words("sizing.at_most"))
    return {"rows": rows, "assumed": said}
