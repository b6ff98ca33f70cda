"""Tables and sentences of a capacity page, from the summary of its run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup

from reports.language import Words
from reports.rendering import number, percent

__all__ = [
    "config_name",
    "growth_rows",
    "knee_row",
    "limited",
    "others_said",
    "run_row",
    "scaling_said",
    "search_row",
    "share_name",
    "sittings_said",
    "sizing_rows",
    "why_not",
    "workers_name",
]

PERCENTILES: Final = ("p50", "p90", "p99", "p99.9")
WITH_INTERVAL: Final = ("p99", "p99.9")
_SETTINGS: Final = ("search.quiet_wait_s=120", "level.others_share=0.5")
"""What helps on a machine that is not quiet."""


def workers_name(n: int, words: Words) -> str:
    """`2 workers`."""
    return words("workers.one") if n == 1 else words("workers.more", n=n)


def config_name(one: Mapping[str, Any], words: Words) -> str:
    """Workers and people of a configuration."""
    return words(
        "shown.config", workers=workers_name(one["workers"], words), people=number(one["subscribers"])
    )


def why_not(run: Mapping[str, Any], level: Mapping[str, Any], words: Words) -> str:
    """What broke in a run, with its figures, and how much others had of the processors meanwhile."""
    value = run["percentiles_ms"][level["percentile"]].get("value")
    parts = {
        "latency": lambda: words(
            "why.latency",
            percentile=level["percentile"],
            value="∞" if value is None else number(round(value)),
            bound=number(level["latency_ms"]),
        ),
        "late": lambda: words("why.late", k=number(run["late"]), triggers=number(run["triggers"])),
        "lost": lambda: words("why.lost", k=number(run["lost"]), triggers=number(run["triggers"])),
        "wrong": lambda: words("why.wrong", k=number(run["wrong"]), triggers=number(run["triggers"])),
        "generator": lambda: words("why.generator", share=percent(run["lagging_share"])),
    }
    said = [parts[name]() for name in run["broke"]]
    if run["outcome"] == "too_few":
        said.append(words("why.too_few", triggers=number(run["triggers"])))
    if run.get("disturbed"):
        side = words(f"side.{'generator' if run['outcome'] == 'generator' else 'platform'}")
        said.append(
            words("why.others", share=percent(run.get("others_beside", run["others_share"])), side=side)
        )
    return words.list(said)


def share_name(share: float) -> str:
    return f"{100 * share:g} %"


def limited(one: Mapping[str, Any], words: Words) -> str:
    found = one["bottleneck"]
    return words(
        f"limited.{found['limited_by']}",
        resource=words.name(found["resource"], "resource"),
        stage=words.name(found["stage"] or "none", "stage"),
        others=percent(found.get("others")),
        side=words(f"side.{found.get('side', 'platform')}"),
    )


def _proof(knee: Mapping[str, Any], words: Words) -> str:
    proof = knee.get("proof")
    if proof is None:
        return "–"
    return words("shown.proof", seconds=f"{proof['seconds']:g}", triggers=number(proof["triggers"]))


def others_said(results: Mapping[str, Any], words: Words) -> list[str]:
    """How a knee comes to be labelled as others' doing, and what to do; nothing where none is."""
    mine = [one for one in results["configurations"] if one["bottleneck"]["limited_by"] == "others"]
    if not mine:
        return []
    bound = f"{100 * results['level']['others_share']:g}"
    named = [
        words(
            "others.one",
            config=config_name(one, words),
            others=percent(one["bottleneck"].get("others")),
            side=words(f"side.{one['bottleneck'].get('side', 'platform')}"),
            resource=words.name(one["bottleneck"]["resource"], "resource") or words("stage.none"),
            stage=words.name(one["bottleneck"]["stage"] or "none", "stage"),
        )
        for one in mine
    ]
    wait = number(results["search"]["quiet_wait_s"])
    patient, lenient = (Markup(f"<code>--set {said}</code>") for said in _SETTINGS)
    todo = words("others.todo", wait=wait, patient=patient, lenient=lenient)
    return [words("others.rule", bound=bound), *named, todo]


def sittings_said(found: list[dict[str, Any]], words: Words) -> list[str]:
    """A line for each, where there is more than one."""
    if len(found) < 2:
        return []
    lines = []
    for at, one in enumerate(found, start=1):
        said = words.list(
            words(f"piece.{piece['what']}", n=piece["n"], of=_configured(piece["of"], words))
            for piece in one["measured"]
        )
        lines.append(
            words(
                "details.sitting",
                n=at,
                began=_moment(one["began"]),
                last=_moment(one["last"]) if one["last"] else "–",
                said=said or words("mark.none"),
                others=percent(one["others_median"]),
            )
        )
    return lines


def _moment(iso: str) -> str:
    return iso.replace("T", " ").replace("+00:00", " UTC")


def _configured(of: str, words: Words) -> str:
    """`2x10000` as a configuration, `10000` as so many people."""
    workers, times, people = of.partition("x")
    if times:
        return config_name({"workers": int(workers), "subscribers": int(people)}, words)
    return number(int(of)) if of else ""


def knee_row(one: Mapping[str, Any], words: Words) -> list[str]:
    knee = one["knee"]
    return [
        config_name(one, words),
        words.name(knee["status"], "status"),
        number(round(knee["rate_per_s"])) if knee["rate_per_s"] else "–",
        "–" if knee["breaks_at_per_s"] is None else number(round(knee["breaks_at_per_s"])),
        _proof(knee, words),
        limited(one, words) if knee["breaks_at_per_s"] is not None else "–",
    ]


def search_row(one: Mapping[str, Any], words: Words) -> list[str]:
    """How it was found."""
    knee = one["knee"]
    return [
        config_name(one, words),
        number(round(knee["closed_per_s"])),
        str(knee["probes"]),
        str(knee.get("stepped_down", 0)),
        words.list(words.name(what, "broke") for what in knee["broke"]) or words("mark.none"),
        "–" if one["memory_mib"] is None else number(round(one["memory_mib"])),
    ]


def run_row(
    one: Mapping[str, Any], run: Mapping[str, Any], level: Mapping[str, Any], words: Words
) -> list[str]:
    outcome = words.name(run["outcome"], "outcome")
    if run["outcome"] != "held":
        outcome = words("mark.said", name=outcome, said=why_not(run, level, words))
    return [
        config_name(one, words),
        share_name(run["share"]),
        number(round(run["rate_per_s"])),
        outcome,
        number(run["triggers"]),
        *(_percentile(run["percentiles_ms"][name], interval=name in WITH_INTERVAL) for name in PERCENTILES),
        "–" if run["cost_us"] is None else number(run["cost_us"]),
        percent(run.get("others_beside", run["others_share"])),
    ]


def _percentile(found: Mapping[str, Any], *, interval: bool) -> str:
    if "value" not in found:
        return "–"
    if not interval:
        return f"{found['value']:.1f}"
    return f"{found['value']:.1f} ({found['low']:.1f}–{found['high']:.1f})"


def scaling_said(found: Mapping[str, Any] | None, words: Words) -> list[str] | None:
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


def growth_rows(found: Mapping[str, Any] | None, words: Words) -> dict[str, Any] | None:
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


def sizing_rows(found: Mapping[str, Any] | None, words: Words) -> dict[str, Any] | None:
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
