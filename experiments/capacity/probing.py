"""The real probe: for each rate a platform of its own, and what became of its triggers."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from experiments.capacity.busy import Beside, held_up, memory_mib, resources_of, wait_for_quiet
from experiments.capacity.closed import Windowed
from experiments.capacity.levels import ProbeResult
from experiments.capacity.town import Drawn, Town
from experiments.latency.judged import expected_of, judge
from experiments.latency.pacing import Schedule
from experiments.latency.phase import Hosting, Phase, run_phase
from experiments.latency.usage import Cores
from experiments.problems import RunInvalid

__all__ = ["PlatformProbe"]

SETTLE_MOST_S: Final = 8.0
"""After the last send, texts are waited for so long; what has not come by then is lost."""
BY_THE_HOUR: Final = frozenset({"quiet_hours", "closed_hours", "delivery_margin", "late", "stale"})
"""Reasons of the policy that a platform has only where it is late."""
MOST_CLOSED_PER_S: Final = 200_000.0
"""The closed probe has no more messages ready than this a second: more than any platform here takes in."""


@dataclass(slots=True)
class PlatformProbe:
    """Platforms of one configuration in one town."""

    town: Town
    campaigns: Sequence[Path]
    """Campaigns whose triggers are judged."""
    beside: Sequence[Path]
    """Campaigns that are load alone."""
    workers: int
    cores: Cores | None
    """None: nobody is bound to a processor."""
    folder: Path
    quiet: tuple[float, float] = (1.0, 0.0)
    """Others' share of the processors that is waited for before a phase, and how long at most, seconds."""
    probes: int = 0

    def closed(self, outstanding: int, seconds: float, seed: int) -> float:
        """See `experiments.capacity.levels.Probe`.

        Raises:
            RunInvalid: the platform did not take in a single window, or broke off.
        """
        # Nobody knows the rate yet; what is not sent when the time is over stays unsent.
        most = min(self.town.most_per_s(seconds), MOST_CLOSED_PER_S)
        windowed = Windowed(outstanding, seconds)
        with self._phase(self.town.draw(most, seconds, seed), pacing=windowed):
            return windowed.rate_per_s

    def probe(self, rate_per_s: float, seconds: float, seed: int) -> ProbeResult:
        """See `experiments.capacity.levels.Probe`. A platform that breaks off has lost everything."""
        seconds = min(max(seconds, self.town.least_s(rate_per_s)), self.town.most_s(rate_per_s))
        drawn = self.town.draw(rate_per_s, seconds, seed)
        try:
            return self._probed(drawn, rate_per_s, seconds, seed)
        except RunInvalid as error:
            n = drawn.plan.batch.n
            none = np.zeros(0)
            notes = {"broke_off": str(error)}
            return ProbeResult(rate_per_s, seconds, seed, n, none, none, lost=n, notes=notes)

    def _probed(self, drawn: Drawn, rate_per_s: float, seconds: float, seed: int) -> ProbeResult:
        memory: list[float | None] = []
        beside = Beside()
        told: dict[str, Any] = {"before_end": lambda ready: memory.append(memory_mib()), "on_stage": beside}
        with self._phase(drawn, **told) as phase:
            joined = phase.joined()
            resources = resources_of(phase, self.cores)
        expected = expected_of(
            self.campaigns, drawn.network.visible, self.town.customers, int(drawn.plan.corr[-1])
        )
        destinations = {submit.contact_id: submit.destination for submit in phase.weaver.submits}
        # Late ones are counted by the level, of the same latencies.
        woven = set(phase.woven[:, 0].tolist())
        verdict = judge(
            expected,
            drawn.plan,
            phase.records.triggers,
            joined,
            destinations,
            math.inf,
            woven,
            phase.records.behaviours,
        )
        limits = self.town.terms.limits
        lag = phase.lag(limits)["lag_ms"]
        lagging, held_back = held_up(phase, limits.late_after_ms)
        used = phase.platform or {}
        return ProbeResult(
            rate_per_s,
            seconds,
            seed,
            drawn.plan.batch.n,
            latency_ms=joined.latency_ns / 1e6,
            at_s=np.asarray(joined.columns["t_intended_ns"], np.float64) / 1e9,
            lost=verdict.lost + overtaken(phase.records.triggers, drawn.plan),
            wrong=verdict.wrong,
            lagging_share=lagging,
            lag_p99_ms=float(lag["p99"]) if lag else 0.0,
            resources=resources,
            cost_us=1e6 * float(used["processor_s"]) / drawn.plan.batch.n if used else None,
            memory_mib=memory[0] if memory else None,
            others_share=beside.share or 0.0,
            others_generator=beside.of(*self._used("generator", phase.generator)),
            others_platform=beside.of(*self._used("platform", used)),
            notes={
                **_notes(phase, joined.columns),
                "held_back": round(held_back, 5),
                "merged": verdict.merged,
            },
        )

    def _used(self, side: str, used: Mapping[str, Any]) -> tuple[frozenset[int], float]:
        """The processors of a side, none where they are anybody's, and what it used of them, seconds."""
        if self.cores is None or self.cores.why_not or not used:
            return frozenset(), 0.0
        return getattr(self.cores, side), float(used["processor_s"])

    @contextmanager
    def _phase(self, drawn: Drawn, **hosting: Any) -> Iterator[Phase]:
        """A phase whose files are there while the block lasts."""
        self.probes += 1
        folder = self.folder / f"probe-{self.probes}"
        how = Hosting(
            [*self.campaigns, *self.beside],
            config={"workers": self.workers},
            cores=self.cores,
            settle_most_s=SETTLE_MOST_S,
            **hosting,
        )
        wait_for_quiet(*self.quiet)
        try:
            yield run_phase(self.town.site, drawn.network, drawn.plan, folder, how)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def overtaken(triggers: Any, plan: Schedule) -> int:
    """Triggers of the schedule that the platform took up so late that the hour forbade the contact by then.

    A schedule ends before the quiet hours begin, so that nobody who keeps up has any of these.
    """
    columns = [triggers[name].to_pylist() for name in ("corr", "timer", "state", "reason")]
    return sum(
        state in ("suppressed", "held") and reason in BY_THE_HOUR and not timer and plan.index_of(corr) >= 0
        for corr, timer, state, reason in zip(*columns, strict=True)
    )


def _notes(phase: Phase, columns: dict[str, Any]) -> dict[str, Any]:
    """Where the time went, and counts of the wire."""
    parts, signalling = {}, phase.signalling()
    for name in ("wire_ns", "decode_ns", "decide_ns", "submit_ns"):
        values = np.asarray(columns[name], np.int64)
        values = values[values >= 0]
        if values.size:
            parts[name.removesuffix("_ns")] = round(
                float(np.quantile(values, 0.99, method="inverted_cdf")) / 1e6, 3
            )
    wakes = np.asarray(phase.wakes["late_ns"], np.int64)
    kept = np.asarray(phase.wakes["kept_ns"], np.int64)
    return {
        "stages_p99_ms": parts,
        "messages_lost": signalling["lost"],
        "messages_bad": signalling["errors"],
        "woven": len(phase.weaver.sent),
        "jitter_ms": round(float(wakes.max()) / 1e6, 3) if wakes.size else 0.0,
        "kept_ms": round(float(kept.max()) / 1e6, 3) if kept.size else 0.0,
        "load": round(phase.load, 2),
        "untold": phase.untold,
    }
