"""What of runs of one kind is set side by side: the figures of their summaries, with their intervals.

A kind's page may say which by itself: `compared(summary, words)` in `reports.<kind>`. Of others every figure
with an interval is taken, found by the shapes that estimates have in a summary.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from reports.language import Words
from reports.tabular import unit_of

__all__ = ["Figure", "figures_of", "module_of"]

MOST: Final = 40
"""Figures that a page sets side by side."""
_VALUES: Final = ("value", "estimate", "p50", "median", "mean")
_CLOCKED: Final = ("ms", "s", "us", "ns", "1/s", "1/h")
"""Units of what a clock measured, unless the kind says otherwise."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one run."""

    key: str
    """The same in every run of the kind."""
    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    clock: bool = False
    """Measured by a clock: it holds for the machine."""


def module_of(kind: str) -> str:
    """The module that writes the pages of a kind."""
    return "reports.page" if kind == "end-to-end" else f"reports.{kind.replace('-', '_')}"


def figures_of(kind: str, summary: Mapping[str, Any], words: Words) -> list[Figure]:
    """The figures of one run, in the order of its page."""
    try:
        own: Callable[..., list[Figure]] | None = getattr(
            importlib.import_module(module_of(kind)), "compared", None
        )
    except ModuleNotFoundError:
        own = None
    return own(summary, words) if own is not None else list(_found(summary, ()))[:MOST]


def _found(node: Any, path: tuple[str, ...], unit: str = "") -> Iterator[Figure]:
    if isinstance(node, Mapping):
        figure = _estimate(node, path, unit)
        if figure is not None:
            yield figure
            return
        for name, below in node.items():
            yield from _found(below, (*path, str(name)), unit_of(str(name)) or unit)
    elif isinstance(node, list):
        for place, below in enumerate(node):
            called = below.get("name", below.get("key")) if isinstance(below, Mapping) else None
            yield from _found(below, (*path, str(called or place)), unit)


def _estimate(node: Mapping[str, Any], path: tuple[str, ...], unit: str) -> Figure | None:
    """A value with its interval: `value, low, high`, `estimate, ci95: [low, high]` or the like."""
    value = next((node[name] for name in _VALUES if _counts(node.get(name))), None)
    ends = next((node[name] for name in ("ci95", "interval", "interval95") if node.get(name)), None)
    if ends is None and _counts(node.get("low")) and _counts(node.get("high")):
        ends = (node["low"], node["high"])
    if value is None or ends is None or len(ends) != 2 or not all(_counts(end) for end in ends):
        return None
    label = " · ".join(part.replace("_", " ") for part in path if part not in ("results",))
    return Figure(".".join(path), label, value, ends[0], ends[1], unit, unit in _CLOCKED)


def _counts(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
