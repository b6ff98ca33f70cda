"""Metrics: one table of names; a registry of its own for each server, so that two can share a process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["METRICS", "MetricName", "Metrics"]

MetricName = Literal[
    "messages_received",
    "messages_decoded",
    "behaviours",
    "behaviours_unknown_subscriber",
    "triggers",
    "contacts",
    "replies",
    "orders",
    "answers",
    "confirmations",
    "boss_asked",
    "boss_unanswered",
    "boss_resting",
    "association_up",
    "associations_ended",
    "links",
    "peers_refused",
    "links_silent",
    "taps_damaged",
    "smpp_bound",
    "timers_waiting",
    "held_waiting",
    "workers",
    "worker_behaviours",
    "worker_cpu_seconds",
    "loop_seconds",
    "tick_seconds",
    "submit_seconds",
    "http_refused",
    "clock_steps",
]

METRICS: Final[
    dict[MetricName, tuple[type[Counter] | type[Gauge] | type[Histogram], str, tuple[str, ...]]]
] = {
    "messages_received": (Gauge, "M3UA DATA messages taken in since the start", ()),
    "messages_decoded": (Gauge, "M3UA DATA messages decoded since the start", ()),
    "behaviours": (Counter, "Behaviours recognised", ()),
    "behaviours_unknown_subscriber": (Gauge, "Behaviours of subscribers that the extract does not know", ()),
    "triggers": (Counter, "Triggers by the outcome of their decision", ("campaign", "outcome", "reason")),
    "contacts": (Counter, "Contacts by what the message centre or its receipts said", ("state",)),
    "replies": (Counter, "Replies by meaning", ("meaning",)),
    "answers": (Counter, "What customers said to agents and at desks", ("channel", "meaning")),
    "confirmations": (Counter, "Confirmations of orders by what the message centre said", ("state",)),
    "orders": (Counter, "Orders by what BOSS answered", ("state",)),
    "boss_asked": (Gauge, "Subscribers whom decisions hung on BOSS for, since the start", ()),
    "boss_unanswered": (Gauge, "Requests for accounts that failed or that BOSS did not answer in time", ()),
    "boss_resting": (Gauge, "1 while BOSS is left in peace after failures", ()),
    "taps_damaged": (Gauge, "Captures that ended in damage", ()),
    "association_up": (Gauge, "1 while signalling comes in", ()),
    "associations_ended": (Gauge, "Associations, taps and links that ended, broke or fell silent", ()),
    "peers_refused": (Gauge, "Associations and ASPs that collector.peers does not let in", ()),
    "links": (Gauge, "Pairs of point codes heard", ()),
    "links_silent": (Gauge, "Pairs of point codes that have fallen silent", ()),
    "smpp_bound": (Gauge, "1 while bound to the message centre", ()),
    "timers_waiting": (Gauge, "Dwell, group and release timers in the queue", ()),
    "held_waiting": (Gauge, "Triggers on hold", ()),
    "workers": (Gauge, "Engines that share out the subscribers", ()),
    "worker_behaviours": (Gauge, "Behaviours taken in by each worker", ("worker",)),
    "worker_cpu_seconds": (Gauge, "Processor time of each worker", ("worker",)),
    "loop_seconds": (Gauge, "What the event loop has spent its time with, since the start", ("stage",)),
    "tick_seconds": (Histogram, "lockstep: real time from a tick's barrier to its acknowledgement", ()),
    "http_refused": (Counter, "HTTP requests that were not let in", ("status",)),
    "clock_steps": (Counter, "How often the machine's clock was set while it ran", ("direction",)),
    "submit_seconds": (Histogram, "Real time from the socket read to the message centre's acceptance", ()),
}
"""Name -> kind, help, labels. No label ever carries a subscriber's number."""

BUCKETS: Final = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)


class Metrics:
    """All metrics of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters: dict[MetricName, Counter] = {}
        self._gauges: dict[MetricName, Gauge] = {}
        self._histograms: dict[MetricName, Histogram] = {}
        for name, (kind, text, labels) in METRICS.items():
            full = f"kairos_{name}"
            if kind is Counter:
                self._counters[name] = Counter(full, text, labels, registry=self.registry)
            elif kind is Gauge:
                self._gauges[name] = Gauge(full, text, labels, registry=self.registry)
            else:
                self._histograms[name] = Histogram(
                    full, text, labels, registry=self.registry, buckets=BUCKETS
                )

    def count(self, name: MetricName, amount: float = 1, **labels: str) -> None:
        """Adds to a counter."""
        counter = self._counters[name]
        (counter.labels(**labels) if labels else counter).inc(amount)

    def show(self, name: MetricName, value: float, **labels: str) -> None:
        """Sets a gauge."""
        gauge = self._gauges[name]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def signalling(self, report: Mapping[str, Any]) -> None:
        """What the collector reports."""
        links = report.get("links", [])
        self.show("associations_ended", len(report.get("ended", [])))
        self.show("peers_refused", report.get("refused_peers", 0))
        self.show("links", len(links))
        self.show("links_silent", sum(link["silent"] for link in links))
        self.show("messages_received", report.get("received", 0))
        self.show("messages_decoded", report.get("decoded", 0))
        self.show("taps_damaged", report.get("errors", {}).get("capture_damaged", 0))

    def time(self, name: MetricName, seconds: float) -> None:
        """Adds an observation to a histogram."""
        self._histograms[name].observe(seconds)

    def text(self) -> bytes:
        """Prometheus text format 0.0.4."""
        return generate_latest(self.registry)
