"""The trust block of an end-to-end run, and where its triggers went, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.language import Words
from reports.numerals import number, plain

__all__ = ["checks", "reconciled"]


def checks(summary: dict[str, Any], details: dict[str, Any], words: Words) -> list[dict[str, Any]]:
    """What was checked, what was found, whether it holds (None: not checked)."""
    signalling, triggers, contacts = summary["signalling"], summary["triggers"], summary["contacts"]
    violations: Mapping[str, int] = contacts["violations"]
    broken = sum(violations.values())
    suppressed = sum(triggers["suppressed"].values())
    states = triggers["sent"] + triggers["held"] + triggers["failed"] + suppressed
    arms = details["arms"].values()
    kinds = [kind for arm in arms for kind in (arm.get("behaviours") or {}).get("kinds", {}).values()]
    seen = sum(kind["truth"] for kind in kinds)
    differing = sum(kind["truth"] + kind["platform"] - 2 * kind["matched"] for kind in kinds)
    parts = [*arms, *([details["live"]] if details["live"] else [])]
    recorded, audited = bool(signalling["generated"]), any(part.get("audit") for part in parts)
    rows: list[dict[str, Any]] = []

    def row(key: str, holds: bool | None, **values: Any) -> None:
        found = words(f"trust.{key}_found", **values)
        rows.append({"asked": words(f"trust.{key}"), "found": found, "holds": holds})

    row(
        "no_loss", signalling["lost"] == 0 if recorded else None,
        lost=number(signalling["lost"]), generated=number(signalling["generated"]),
    )  # fmt: skip
    row("understood", signalling["errors"] == 0 if recorded else None, n=number(signalling["errors"]))
    row("saw", (differing == 0) if kinds else None, differing=number(differing), seen=number(seen))
    row(
        "one_state", states == triggers["total"] if parts else None,
        states=number(states), triggers=number(triggers["total"]),
    )  # fmt: skip
    row(
        "audit", broken == 0 if audited or broken else None,
        broken=number(broken), contacts=number(contacts["received"]),
    )  # fmt: skip
    live = details["live"]
    if live is None and details["planned"]["live"]:
        rows.append({"asked": words("trust.schedule"), "found": words("trust.no_live"), "holds": None})
    if live is not None:
        row(
            "schedule", live["late_share"] <= live["late_share_bound"],
            late=f"{100 * live['late_share']:.2f}", after=plain(live["late_after_ms"]),
            bound=f"{100 * live['late_share_bound']:g}", lag=f"{live['lag_ms']['p99']:.2f}",
        )  # fmt: skip
        sent, received = live["triggers"]["sent"], live["audit"]["contacts"]
        found = words("trust.reached_found", sent=number(sent), received=number(received))
        rows.append(
            {
                "asked": words("trust.reached"),
                "found": words("mark.comma").join([found, *_unreached(live, words)]),
                "holds": sent == received + sum(live["contacts"]["unreached"].values()),
            }
        )
    return rows


def reconciled(details: dict[str, Any], words: Words) -> str:
    """One line from triggers sent to contacts received, over the arms and the live phase."""
    said, sent, received = [], 0, 0
    arms = [arm for arm in details["arms"].values() if arm.get("triggers") and arm.get("audit")]
    if arms:
        sent = sum(arm["triggers"]["sent"] for arm in arms)
        received = sum(arm["audit"]["contacts"] for arm in arms)
        said.append(words("pressed.in_arms", sent=number(sent), received=number(received)))
    live = details["live"]
    if live is not None:
        live_sent, live_received = live["triggers"]["sent"], live["audit"]["contacts"]
        sent, received = sent + live_sent, received + live_received
        found = [words("pressed.were_received", n=number(live_received)), *_unreached(live, words)]
        said.append(words("pressed.in_live", sent=number(live_sent), found=words("mark.comma").join(found)))
    if not said:
        return ""
    parts = words("mark.semicolon").join(said)
    return words("pressed.reconciled", sent=number(sent), parts=parts, received=number(received))


def _unreached(live: dict[str, Any], words: Words) -> list[str]:
    return [words(f"unreached.{why}", n=number(n)) for why, n in live["contacts"]["unreached"].items()]
