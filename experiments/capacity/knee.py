"""The search for the knee: the highest rate at which the service level holds. No I/O, no clock, no chance.

First a closed probe, with a bounded number of messages outstanding: about the most that the platform takes
when asked at its own pace. From there open-loop probes climb or descend until one rate holds and one breaks,
and then halve the ratio between the two. One probe that clearly holds settles a rate; a break may be a
neighbour's doing, so it counts only where most of several probes break, or where it is gross; one during
which
others used the machine counts only if it goes on like that. Both ends of what was found are confirmed with
probes of their own before it is believed.

A short probe passes a rate that a longer run does not: a backlog that grows slowly, a stall that comes now
and then. So at the end the rate must hold in a run as long as is asked for; where it does not, the next lower
rate is tried, until one holds. That one is the knee.

`Search` says what to ask next and is told what came of it; `find` drives it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from pydantic import Field

from experiments.capacity.levels import Broke, Probe, ProbeResult, ServiceLevel, Verdict, least_triggers
from marketing.config import Strict

__all__ = ["Ask", "Knee", "Search", "SearchKeys", "Try", "find"]

CLEAR: Final = 2.0
"""A percentile this many times under its bound is far from the knee."""
GROSS: Final = 10.0
"""A percentile this many times above its bound is no neighbour's doing."""
CLIMB: Final = 1.5
"""The next rate where even the highest one asked for holds."""
LONGEST: Final = 20.0
"""A probe is made at most this many times longer than planned for the sake of its triggers."""


class SearchKeys(Strict):
    """How the knee is looked for."""

    seconds: float = Field(default=8.0, gt=0, le=3600)
    """Length of a probe, seconds. A rate a little above capacity only shows its backlog with time: such a
    rate is
    passed where latency_ms is more than `resolution` of this."""
    outstanding: int = Field(default=4096, ge=1, le=1_000_000)
    """Messages at most under way in the closed probe."""
    closed_seconds: float = Field(default=3.0, gt=0, le=600)
    """Length of the closed probe, seconds."""
    resolution: float = Field(default=0.05, gt=0, le=1)
    """The search ends when the lowest rate that breaks is at most this share above the highest that holds."""
    repeats: int = Field(default=3, ge=1, le=99)
    """Probes of a rate near the knee; most of them decide. An odd number."""
    confirm_seconds: float = Field(default=15.0, ge=0, le=3600)
    """At the end the knee must hold in a run so long, seconds; else the next lower rate is tried. Not longer
    than `seconds`: probes suffice."""
    quiet_wait_s: float = Field(default=10.0, ge=0, le=3600)
    """Before a probe the machine may take so long to become as quiet as level.others_share says, seconds."""
    most_probes: int = Field(default=40, ge=2, le=1000)
    """Probes of one search; then it says what it knows."""
    least_rate_per_s: float = Field(default=50.0, gt=0)
    """A platform that breaks at this rate has no knee to be found."""
    most_rate_per_s: float = Field(default=200_000.0, gt=0)
    """Nothing above this is asked for; where it holds, the knee is said to lie higher."""


Why = Literal["bracket", "halve", "again", "confirm", "prove"]
"""prove: a run as long as `confirm_seconds` says."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The next probe."""

    rate_per_s: float
    seconds: float
    seed: int
    why: Why


@dataclass(frozen=True, slots=True)
class Try:
    """A probe that was made, and what it said."""

    ask: Ask
    result: ProbeResult
    verdict: Verdict


Status = Literal["found", "above", "below", "unsettled"]


@dataclass(frozen=True, slots=True)
class Knee:
    """What was found."""

    status: Status
    """found; above: nothing asked for breaks; below: nothing asked for holds; unsettled: too many probes."""
    rate_per_s: float
    """The highest rate at which the level holds, messages a second; 0: none is known."""
    breaks_at_per_s: float
    """The lowest rate known to break; infinite: none."""
    closed_per_s: float
    """Of the closed probe."""
    broke: tuple[Broke, ...]
    """What broke there, most often first; generator: the load could not be offered."""
    tries: tuple[Try, ...]

    def at(self, rate_per_s: float) -> tuple[Try, ...]:
        """Probes of that rate."""
        return tuple(t for t in self.tries if t.ask.rate_per_s == rate_per_s)

    @property
    def proof(self) -> Try | None:
        """The longer run in which it held; None: none was asked for, or none held."""
        held = (t for t in self.at(self.rate_per_s) if t.ask.why == "prove" and t.verdict.outcome == "held")
        return next(held, None)

    @property
    def stepped_down(self) -> int:
        """How many rates held in short probes and not in the longer run."""
        proved = {t.ask.rate_per_s for t in self.tries if t.ask.why == "prove"}
        return sum(rate > self.rate_per_s for rate in proved)

    @property
    def breaking(self) -> tuple[Try, ...]:
        """Probes of the lowest rate that breaks which did break."""
        return tuple(t for t in self.at(self.breaks_at_per_s) if t.verdict.outcome in ("broken", "generator"))


@dataclass(slots=True)
class _Rate:
    """What is known of one rate."""

    tries: list[Try] = field(default_factory=list)

    patience: int = 0
    """So many tries more than there are without others at work, before disturbed ones count."""

    @property
    def held(self) -> int:
        return sum(t.verdict.outcome == "held" for t in self.tries)

    @property
    def broken(self) -> int:
        breaks = [t.verdict for t in self.tries if t.verdict.outcome in ("broken", "generator")]
        disturbed = sum(verdict.disturbed for verdict in breaks)
        return len(breaks) if disturbed > self.patience else len(breaks) - disturbed


class Search:
    """Asks and is told, until `found`."""

    def __init__(self, keys: SearchKeys, level: ServiceLevel, closed_per_s: float, seed: int = 0) -> None:
        """`closed_per_s` is where to begin; probe k has the seed `seed` + k.

        Raises:
            ValueError: it is not above zero.
        """
        if not closed_per_s > 0 or math.isinf(closed_per_s):
            raise ValueError(f"the closed probe gave {closed_per_s} messages/s: expected more than none")
        self._keys, self._level, self._seed = keys, level, seed
        self._closed = closed_per_s
        self._low, self._high = 0.0, math.inf
        self._rate = self._within(closed_per_s)
        self._rates: dict[float, _Rate] = {}
        self._tries: list[Try] = []
        self._why: Why = "bracket"
        self._confirming: float | None = None
        self._proofs: dict[float, _Rate] = {}
        self._share = 0.0  # triggers a message
        self._longer = 1.0
        self.found: Knee | None = None

    # ----------------------------------------------------------------- asked

    def next(self) -> Ask | None:
        """The next probe; None: `found`."""
        if self.found is not None:
            return None
        seconds = self._keys.seconds * self._longer
        if self._why == "prove":
            seconds = max(seconds, self._keys.confirm_seconds)
        if self._share:
            wanted_s = 1.2 * least_triggers(self._level.percentile) / (self._share * self._rate)
            seconds = max(seconds, min(wanted_s, LONGEST * self._keys.seconds))
        return Ask(self._rate, seconds, self._seed + len(self._tries), self._why)

    def tell(self, ask: Ask, result: ProbeResult) -> Verdict:
        """What came of it."""
        verdict = self._level.judge(result)
        one = Try(ask, result, verdict)
        self._tries.append(one)
        self._share = max(result.triggers, 1) / max(result.messages, 1)
        proving = ask.why == "prove"
        rates = self._proofs if proving else self._rates
        rates.setdefault(ask.rate_per_s, _Rate(patience=(self._keys.repeats + 1) // 2)).tries.append(one)
        if verdict.outcome == "too_few":
            self._longer = min(2 * self._longer, LONGEST)
        holds = self._proven(ask.rate_per_s) if proving else self._settled(ask.rate_per_s)
        if holds is None:
            self._why = ask.why if proving else "confirm" if self._confirming is not None else "again"
        elif proving:
            self._step(ask.rate_per_s, holds)
        else:
            self._decide(ask.rate_per_s, holds)
        if self.found is None and len(self._tries) >= self._keys.most_probes:
            self._end("unsettled")
        return verdict

    # ----------------------------------------------------------------- what a rate's probes say

    def _settled(self, rate: float) -> bool | None:
        """Whether that rate holds; None: it must be asked again."""
        known = self._rates[rate]
        most = self._keys.repeats // 2 + 1
        if known.held >= most or known.broken >= most:
            return known.held >= most
        if self._confirming == rate:
            return None
        last = known.tries[-1].verdict
        if last.value_ms is None:
            return None
        first = len(known.tries) == 1
        if first and last.outcome == "held" and last.value_ms * CLEAR <= self._level.latency_ms:
            return True
        return False if first and self._gross(last) else None

    def _gross(self, verdict: Verdict) -> bool:
        """Whether one such break is enough."""
        value = verdict.value_ms
        broken = verdict.outcome == "broken" and not verdict.disturbed
        return broken and value is not None and value >= GROSS * self._level.latency_ms

    def _proven(self, rate: float) -> bool | None:
        """Whether that rate holds in the longer run; None: it must be run again."""
        known = self._proofs[rate]
        if known.held:  # one that breaks may be a neighbour's doing; nothing makes a rate hold that does not
            breaks = sum(t.verdict.outcome in ("broken", "generator") for t in known.tries)
            most = self._keys.repeats // 2 + 1
            if not breaks or known.held >= most:
                return True
        if known.broken > self._keys.repeats // 2 or (
            len(known.tries) == 1 and self._gross(known.tries[0].verdict)
        ):
            return False
        return None

    def _step(self, rate: float, holds: bool) -> None:
        """The rate that is the knee, or the next lower one."""
        self._longer = 1.0
        if holds:
            self._low = rate
            self._end("above" if math.isinf(self._high) else "found")
            return
        self._high, lower = rate, rate / (1 + self._keys.resolution)
        if lower < self._keys.least_rate_per_s:
            self._low = 0.0
            self._end("below")
            return
        self._low = max((r for r in self._rates if r < rate and self._holds(r)), default=0.0)
        self._ask(lower, "prove")

    def _decide(self, rate: float, holds: bool) -> None:
        """Moves an end of the bracket; one that is not confirmed gives way to the next that is known."""
        if holds:
            self._low = max(self._low, rate)
            if self._high <= rate:
                self._high = min((r for r in self._rates if r > rate and self._breaks(r)), default=math.inf)
        else:
            self._high = min(self._high, rate)
            if self._low >= rate:
                self._low = max((r for r in self._rates if r < rate and self._holds(r)), default=0.0)
        self._confirming = None
        self._longer = 1.0
        self._go_on()

    def _holds(self, rate: float) -> bool:
        return self._rates[rate].held > self._rates[rate].broken

    def _breaks(self, rate: float) -> bool:
        return self._rates[rate].broken > self._rates[rate].held

    def _go_on(self) -> None:
        keys = self._keys
        if math.isinf(self._high):
            if self._low >= keys.most_rate_per_s:
                self._confirm("above", self._low)
                return
            self._ask(self._within(self._low * CLIMB), "bracket")
        elif not self._low:
            if self._high <= keys.least_rate_per_s:
                self._confirm("below", self._high)
                return
            self._ask(self._within(self._high / 2), "bracket")
        elif self._high <= self._low * (1 + keys.resolution):
            self._confirm("found", self._low, self._high)
        else:
            self._ask(math.sqrt(self._low * self._high), "halve")

    def _confirm(self, status: Status, *rates: float) -> None:
        """Ends where a majority of probes says so of each of these rates; else asks one again."""
        most = self._keys.repeats // 2 + 1
        for rate in rates:
            if max(self._rates[rate].held, self._rates[rate].broken) < most:
                self._confirming = rate
                self._ask(rate, "confirm")
                return
        if status in ("found", "above") and self._keys.confirm_seconds > self._keys.seconds:
            self._ask(self._low, "prove")
            return
        self._end(status)

    def _ask(self, rate: float, why: Why) -> None:
        self._rate, self._why = rate, why

    def _within(self, rate: float) -> float:
        return min(max(rate, self._keys.least_rate_per_s), self._keys.most_rate_per_s)

    def _end(self, status: Status) -> None:
        broke: Counter[Broke] = Counter()
        if not math.isinf(self._high):
            for one in self._tries:
                if one.ask.rate_per_s == self._high:
                    broke.update(one.verdict.broke)
        names = tuple(name for name, _ in broke.most_common())
        self.found = Knee(status, self._low, self._high, self._closed, names, tuple(self._tries))


def find(
    probe: Probe,
    keys: SearchKeys,
    level: ServiceLevel,
    seed: int = 0,
    tell: Callable[[Try], None] = lambda one: None,
) -> Knee:
    """The knee of whatever is behind the probe."""
    closed = probe.closed(keys.outstanding, keys.closed_seconds, seed)
    search = Search(keys, level, closed, seed + 1)
    while (ask := search.next()) is not None:
        result = probe.probe(ask.rate_per_s, ask.seconds, ask.seed)
        tell(Try(ask, result, search.tell(ask, result)))
    assert search.found is not None  # it asks until then
    return search.found
