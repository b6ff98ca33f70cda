"""`summary.json`: the shape that scripts and CI rely on, computed from records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.audit import RULES
from experiments.uplift import COMPARISONS, Paired, Truth

__all__ = [
    "BEYOND",
    "PERCENTILES",
    "SUMMARY_SCHEMA",
    "add_signalling",
    "add_triggers",
    "latency",
    "no_latency",
    "summary",
    "uplift_entry",
]

SUMMARY_SCHEMA: Final = "kairos.summary/1"
PERCENTILES: Final = {"p50": 0.50, "p90": 0.90, "p99": 0.99}
BEYOND: Final = 3
"""A percentile is given where so many samples are expected beyond it: n (1 - p) >= 3, so 300 for p99."""
SIGNALLING: Final = ("generated", "received", "decoded", "lost", "errors")


def latency(latency_ns: NDArray[np.int64], offered_per_s: float) -> dict[str, Any]:
    """Percentiles in milliseconds; null, with the reason, where too few samples lie beyond them.

    A percentile is the smallest latency that at least this share of all triggers did not exceed.
    """
    n = int(latency_ns.size)
    if not n:
        return no_latency("no trigger was measured", offered_per_s)
    ordered = np.sort(latency_ns)
    found: dict[str, Any] = {"n": n}
    refused = []
    for name, p in PERCENTILES.items():
        needed = round(BEYOND / (1 - p))
        if n < needed:
            found[name] = None
            refused.append(f"{name} needs n >= {needed}")
        else:
            rank = min(n - 1, int(np.ceil(p * n)) - 1)
            found[name] = round(float(ordered[rank]) / 1e6, 3)
    found["max"] = round(float(ordered[-1]) / 1e6, 3)
    found["offered_per_s"] = round(offered_per_s, 1)
    if refused:
        found["reason"] = f"n is {n}; " + ", ".join(refused)
    return found


def no_latency(reason: str, offered_per_s: float | None = None) -> dict[str, Any]:
    """The entry of a run that measured none."""
    return {
        "n": 0,
        **dict.fromkeys(PERCENTILES),
        "max": None,
        "offered_per_s": None if offered_per_s is None else round(offered_per_s, 1),
        "reason": reason,
    }


def add_triggers(counts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The counts of several phases together."""
    total: dict[str, Any] = {"total": 0, "sent": 0, "held": 0, "failed": 0, "suppressed": {}}
    for one in counts:
        for key in ("total", "sent", "held", "failed"):
            total[key] += one[key]
        for reason, n in one["suppressed"].items():
            total["suppressed"][reason] = total["suppressed"].get(reason, 0) + n
    total["suppressed"] = dict(sorted(total["suppressed"].items()))
    return total


def add_signalling(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Message counts of several phases together."""
    total = dict.fromkeys(SIGNALLING, 0)
    for one in counts:
        for key in SIGNALLING:
            total[key] += one[key]
    return total


def uplift_entry(estimate: Paired, truth: Truth | None) -> dict[str, Any]:
    """One comparison."""
    return {
        "estimate": estimate.estimate,
        "ci95": list(estimate.ci95),
        "truth": None if truth is None else truth.value,
        "truth_se": None if truth is None else truth.se,
    }


def summary(
    *,
    study: str,
    kind: str,
    seed: int,
    invalid_reasons: list[str],
    signalling: Mapping[str, int],
    triggers: Mapping[str, Any],
    violations: Mapping[str, int],
    contacts: int,
    latency_ms: Mapping[str, Any],
    arms: Mapping[str, Mapping[str, Any]],
    uplift: Mapping[str, Mapping[str, Any]],
    transport: Mapping[str, str],
    time: Mapping[str, Any],
) -> dict[str, Any]:
    """The whole of it, in the order of the contract."""
    return {
        "schema": SUMMARY_SCHEMA,
        "study": study,
        "kind": kind,
        "seed": seed,
        "valid": not invalid_reasons,
        "invalid_reasons": invalid_reasons,
        "signalling": {key: signalling[key] for key in SIGNALLING},
        "triggers": dict(triggers),
        "contacts": {"received": contacts, "violations": {rule: violations.get(rule, 0) for rule in RULES}},
        "latency_ms": dict(latency_ms),
        "arms": {name: dict(arm) for name, arm in arms.items()},
        "uplift": {name: dict(uplift[name]) for name in COMPARISONS if name in uplift},
        "transport": dict(transport),
        "time": dict(time),
    }
