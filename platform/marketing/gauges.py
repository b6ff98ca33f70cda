"""What a running platform shows of itself at the moment of asking."""

from __future__ import annotations

from collections.abc import Sequence

from marketing.metrics import Metrics
from marketing.profiles.boss_query import BossQuery
from marketing.workers import Figures

__all__ = ["show_boss", "show_engine"]


def show_engine(metrics: Metrics, figures: Sequence[Figures]) -> None:
    """Sums over workers, and for each of several what it does."""
    metrics.show("behaviours_unknown_subscriber", sum(one.unknown for one in figures))
    metrics.show("timers_waiting", sum(one.timers for one in figures))
    metrics.show("held_waiting", sum(one.held for one in figures))
    metrics.show("workers", len(figures))
    for number, one in enumerate(figures if len(figures) > 1 else ()):
        metrics.show("worker_behaviours", one.behaviours, worker=str(number))
        metrics.show("worker_cpu_seconds", one.cpu_s, worker=str(number))


def show_boss(metrics: Metrics, query: BossQuery) -> None:
    """How BOSS answers."""
    metrics.show("boss_asked", query.counts["asked"])
    metrics.show("boss_unanswered", query.counts["requests"] - query.counts["answered"])
    metrics.show("boss_resting", int(query.breaker.state != "closed"))
