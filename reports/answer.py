"""The answer of an end-to-end run in words, and the one screen a terminal shows at the end."""

from __future__ import annotations

from typing import Any

from reports.language import Words

__all__ = ["PAGE", "answer", "points", "screen", "unequal_reach"]

PAGE = "end-to-end"
"""Its catalogue."""
_MINUS = "−"
_AS_MANY = 0.05
"""Arms whose contacts and people reached differ by no more than this share reached as many people."""


def points(share: float | None, sign: bool = True) -> str:
    """A difference of shares in percentage points."""
    if share is None:
        return "–"
    text = f"{100 * share:+.2f}" if sign else f"{100 * share:.2f}"
    return text.replace("-", _MINUS)


def unequal_reach(summary: dict[str, Any], details: dict[str, Any], words: Words) -> str:
    """By how much precise and blanket arm differ in contacts or people reached; empty if hardly or not."""
    arms = summary["arms"]
    if not {"precise", "blanket"} <= set(arms):
        return ""
    counts = {}
    for name in ("precise", "blanket"):
        reached = details["arms"].get(name, {}).get("reached")
        counts[name] = {"contacts": arms[name]["contacts"]} | ({} if reached is None else {"people": reached})
    apart = {}
    for what in counts["precise"].keys() & counts["blanket"].keys():
        a, b = counts["precise"][what], counts["blanket"][what]
        apart[what] = (b - a) / a if a else float(b > 0)
    if all(abs(share) <= _AS_MANY for share in apart.values()):
        return ""
    said = {
        name: words("unequal.both" if "people" in found else "unequal.contacts", **found)
        for name, found in counts.items()
    }
    by = words.list(
        words(f"unequal.by_{what}", share=f"{100 * apart[what]:+.0f}".replace("-", _MINUS))
        for what in ("people", "contacts")
        if what in apart
    )
    return words("unequal.said", by=by, **said)


def answer(summary: dict[str, Any], details: dict[str, Any], words: Words) -> str:
    """One sentence with its interval; no winner where the arms compared did not reach as many people."""
    uplift = summary["uplift"].get("precise_vs_blanket")
    unequal = unequal_reach(summary, details, words)
    if uplift is not None and unequal:
        return words("answer.unequal", unequal=unequal)
    against = words("answer.blanket", at=details.get("blanket_at") or words("answer.at_hour"))
    if uplift is None:
        uplift = summary["uplift"].get("precise_vs_control")
        against = words("answer.nobody")
    if uplift is None:
        return words("answer.nothing")
    low, high = uplift["ci95"]
    way = "raised" if low > 0 else "lowered" if high < 0 else "undecided"
    size = points(uplift["estimate"]) if way == "undecided" else points(abs(uplift["estimate"]), sign=False)
    truth = uplift["truth"]
    return words(
        f"answer.{way}",
        size=size,
        against=against,
        interval=words("answer.interval", low=points(low), high=points(high)),
        truth="" if truth is None else words("answer.truth", truth=points(truth)),
    )


def screen(summary: dict[str, Any], details: dict[str, Any], report: str) -> str:
    """What the terminal shows when a run has ended."""
    signalling, triggers, contacts = summary["signalling"], summary["triggers"], summary["contacts"]
    latency = summary["latency_ms"]
    lines = [answer(summary, details, Words(PAGE)), ""]
    cost = f"cost, {details['currency']}" if details.get("currency") else "cost"
    wide = max(9, len(cost) + 2)
    lines.append(
        f"{'arm':10}{'eligible':>10}{'contacts':>10}{'take-up':>10}{'share':>9}{'complaints':>12}{cost:>{wide}}"
    )
    for name, arm in summary["arms"].items():
        share = 100 * arm["take_up"] / max(arm["subscribers"], 1)
        lines.append(
            f"{name:10}{arm['subscribers']:>10}{arm['contacts']:>10}{arm['take_up']:>10}{share:>8.2f}%"
            f"{arm['complaints']:>12}{arm['cost']:>{wide}.2f}"
        )
    lines.append("")
    for name, uplift in summary["uplift"].items():
        if uplift is not None:
            low, high = uplift["ci95"]
            lines.append(
                f"{name.replace('_', ' '):24}{points(uplift['estimate']):>8} points"
                f"  [{points(low)}, {points(high)}]"
                f"   truth {points(uplift['truth'])} (se {points(uplift['truth_se'], sign=False)})"
            )
    lines.append("")
    suppressed = ", ".join(f"{n} {reason}" for reason, n in triggers["suppressed"].items()) or "none"
    lines.append(
        f"triggers    {triggers['total']}: {triggers['sent']} sent, {triggers['held']} still held, "
        f"{triggers['failed']} failed, suppressed: {suppressed}"
    )
    if latency["n"]:
        said = "  ".join(
            f"{key} {'-' if latency[key] is None else format(latency[key], '.1f')}"
            for key in ("p50", "p90", "p99", "max")
        )
        reason = f"  ({latency['reason']})" if latency.get("reason") else ""
        lines.append(
            f"latency     {said} ms, n {latency['n']}, at {latency['offered_per_s']:.0f} messages/s{reason}"
        )
    elif latency.get("reason"):
        lines.append(f"latency     none: {latency['reason']}")
    lines.append(
        f"signalling  {signalling['generated']} generated, {signalling['received']} received, "
        f"{signalling['lost']} lost, {signalling['errors']} errors, over {summary['transport']['kind']}"
    )
    broken = {rule: n for rule, n in contacts["violations"].items() if n}
    lines.append(f"audit       {contacts['received']} contacts received, violations: {broken or 'none'}")
    equal = [arm["behaviours"]["equal"] for arm in details["arms"].values() if arm.get("behaviours")]
    if equal:
        lines.append(
            f"behaviours  {'equal to' if all(equal) else 'DIFFERENT FROM'} the table of visible acts"
        )
    lines.append(
        "time        "
        + ", ".join(
            f"{row['phase']} {row['used_s']:.0f} s"
            + (f" of {row['allowed_s']:.0f}" if row["allowed_s"] else "")
            + (" (over)" if row["allowed_s"] and round(row["used_s"]) > row["allowed_s"] else "")
            for row in summary["time"]["budget"]
        )
    )
    lines.append("")
    lines.append("valid" if summary["valid"] else "INVALID: " + "; ".join(summary["invalid_reasons"]))
    lines.append(f"report      {report}")
    return "\n".join(lines)
