"""What a running platform shows of itself at the moment of asking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from marketing.api import HealthView
from marketing.channels.switchboard import Switchboard
from marketing.clock import Clock
from marketing.config import PlatformConfig
from marketing.effects import Records
from marketing.metrics import Metrics
from marketing.occupation import Occupation
from marketing.profiles.boss_query import BossQuery
from marketing.workers import EngineHost, Figures

__all__ = ["health_of", "show_boss", "show_engine", "show_loop"]


class Heard(Protocol):
    """Where signalling comes from; see `marketing.doors.SignallingSource`."""

    def state(self) -> str: ...
    def report(self) -> dict[str, Any]: ...


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


def show_loop(metrics: Metrics, occupation: Occupation) -> None:
    """What the event loop has spent its time with."""
    for stage, seconds in occupation.seconds().items():
        metrics.show("loop_seconds", seconds, stage=stage)


def health_of(
    config: PlatformConfig,
    clock: Clock,
    signalling: Heard,
    channels: Switchboard,
    engine: EngineHost,
    records: Records,
    *,
    stopping: bool,
    problems: list[str],
) -> HealthView:
    """What `/healthz` says."""
    association = signalling.state()
    return HealthView(
        healthy=channels.bound("sms") and association != "lost" and not engine.lost and not stopping,
        workers=config.workers,
        clock=clock.mode,
        now_us=clock.now_us(),
        association=association,
        links_silent=sum(link["silent"] for link in signalling.report().get("links", [])),
        smpp="bound" if channels.bound("sms") else "unbound",
        behaviours=records.behaviours_written,
        triggers=records.counts(),
        campaigns=[c.campaign for c in engine.campaigns],
        campaign_problems=problems,
    )
