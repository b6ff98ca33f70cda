"""`kairos bench trigger`: from a message on the socket to submit_sm, at 20,000 messages a second over SCTP.

Open loop: the schedule is drawn first, a platform process is started with its ledger on disk (synced before
anything is sent), and each message goes out when it is due, whatever has become of those before. What
triggers is a hung-up call to the service line: 1 to 2 % of all messages complete one. The network answers:
paging, delivery and receipts of the messages sent are woven in. In the same run fsync is timed on the
ledger's disk.

Three latencies of the same triggers, on one clock: *intended* from the planned send of the completing message
to the arrival of submit_sm at the message centre (the headline: nothing is forgiven), *sent* from its real
send, and *socket* from the platform's read of the socket. A turn in which the generator did not keep its
schedule is told and does not count.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from numpy.typing import NDArray

from experiments.arm import of_day_us
from experiments.bench.stages import WrongResult
from experiments.latency.phase import Hosting, Site, run_phase
from experiments.live import schedule
from experiments.problems import BadInput, RunInvalid
from experiments.study import load_study
from sigtran import TransportUnavailable
from sigtran.transport import choose

__all__ = ["TriggerBench", "Turn"]

STUDY: Final = Path("scenarios/studies/demo.yaml")
RATE_PER_S: Final = 20_000
LEAST_S: Final = 10.0
"""A turn is at least so long: p99 needs a thousand triggers."""
TURNS: Final = 3
MOST_FACTOR: Final = 400
TOLD_S: Final = 10.0
SHARES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


def percentiles(took_ns: NDArray[np.int64]) -> dict[str, float]:
    """Milliseconds: the least that at least such a share of all did not exceed."""
    found = {name: np.quantile(took_ns, share, method="inverted_cdf") for name, share in SHARES.items()}
    return {name: round(float(value) / 1e6, 3) for name, value in found.items()}


@dataclass(frozen=True, slots=True)
class Turn:
    """What one phase gave; milliseconds by percentile."""

    messages: int
    """Of the schedule."""
    woven: int
    """Messages that the network sent for deliveries, beside the schedule."""
    seconds: float
    """From the beginning to the last send."""
    triggers: int
    intended: dict[str, float]
    """Planned send to arrival of submit_sm."""
    sent: dict[str, float]
    """Real send to arrival."""
    socket: dict[str, float]
    """The platform's read of the socket to arrival."""
    fsync: dict[str, float]
    """On the ledger's disk, meanwhile."""
    lag: dict[str, Any]
    """How well the generator kept its schedule."""
    load: float
    """Of the machine as the turn began: processes that run or wait for a processor or the disk."""

    @property
    def kept(self) -> bool:
        """Whether the schedule was kept; else it was the generator that was measured."""
        return bool(self.lag["late_share"] <= self.lag["late_share_bound"])

    @property
    def met(self) -> bool:
        """p50 under 2 ms, p99 under 20 ms plus the p99 of fsync."""
        return self.intended["p50"] < 2.0 and self.intended["p99"] < 20.0 + self.fsync["p99"]

    def said(self) -> str:
        """In words."""
        lags = self.lag["lag_ms"]
        kept = "" if self.kept else "; NOT COUNTED: the generator did not keep its schedule"
        return (
            f"{self.messages / self.seconds:,.0f} messages/s, {self.triggers} triggers: "
            f"p50 {self.intended['p50']:.2f} ms, p99 {self.intended['p99']:.2f} ms from the planned send; "
            f"{self.socket['p50']:.2f} and {self.socket['p99']:.2f} from the socket; fsync p50 "
            f"{self.fsync['p50']:.2f}, p99 {self.fsync['p99']:.2f} ms; the generator lagged by "
            f"{lags['p50']:.2f}, p99 {lags['p99']:.2f} ms; load {self.load:.1f}{kept}"
        )


class TriggerBench:
    """Everything but the turns: the study, its world."""

    def __init__(self, folder: Path, seconds: float, rate_per_s: float = RATE_PER_S) -> None:
        """`folder` is a scratch folder on the disk whose fsync counts.

        Raises:
            BadInput: no SCTP, or not in the repository.
        """
        try:
            self.kind = choose("auto").kind
        except TransportUnavailable as error:
            raise BadInput(f"trigger: {error}") from None
        if not STUDY.is_file():
            raise BadInput(f"{STUDY}: no such file. Start kairos in its repository")
        settings = (f"live.seconds={seconds}", f"live.rate_per_s={rate_per_s}")
        self.study = load_study(STUDY, [*settings, f"live.max_factor={MOST_FACTOR}"]).keys
        self.folder = folder
        assert self.study.live is not None  # the demo has one
        self.live = self.study.live
        self.site = Site(self.study, self.live.world, self.study.seed, folder, transport=self.kind)
        self.turns = 0
        self.factor = 0.0
        """Simulated seconds a second, of the last turn."""
        self.octets = 0
        """Of its schedule."""

    def turn(self) -> Turn:
        """One phase with a platform of its own.

        Raises:
            RunInvalid: the platform ended or did not start.
            WrongResult: messages or contacts were lost.
        """
        self.turns += 1
        study, start_us = self.study, of_day_us(self.live.starts)
        most_us = start_us + round(self.live.seconds * self.live.max_factor * 1e6)
        network = self.site.live(start_us, most_us, round(self.live.seconds * self.live.rate_per_s))
        plan = schedule(network.batch, start_us, self.live, study.streams)
        self.factor, self.octets = plan.time.factor, len(plan.batch.data)
        hosting = Hosting(self.live.campaigns or study.campaigns, fsync=True, told_s=TOLD_S)
        phase = run_phase(self.site, network, plan, self.folder / f"turn-{self.turns}", hosting)
        if phase.untold:
            raise WrongResult(f"the platform did not take {phase.untold}")
        records, arrivals, sent_ns = phase.records, phase.arrivals, phase.sent_ns
        wire = phase.signalling()
        if wire["lost"] or wire["errors"]:
            raise WrongResult(
                f"of {wire['generated']} messages {wire['lost']} were lost, {wire['errors']} bad"
            )
        joined = phase.joined()
        states = records.counts()
        if joined.unmatched or states["failed"] or states["sent"] != len(arrivals):
            raise WrongResult(f"{len(arrivals)} contacts arrived, {len(joined.unmatched)} unknown; {states}")
        if not arrivals:
            raise WrongResult("nothing was triggered: the phase is too short")
        columns = {name: np.asarray(joined.columns[name], np.int64) for name in _NEEDED}
        since_sent = columns["t_arrived_ns"] - columns["t_sent_ns"]
        return Turn(
            plan.batch.n,
            len(phase.woven),
            float(sent_ns[-1]) / 1e9,
            len(arrivals),
            percentiles(columns["latency_ns"]),
            percentiles(since_sent),
            percentiles(since_sent - columns["wire_ns"]),
            percentiles(phase.fsync_ns),
            phase.lag(study.limits),
            phase.load,
        )

    def turns_of(self, n: int) -> list[Turn]:
        """So many that count, in the order of their p99; at most twice as many are tried.

        Raises:
            RunInvalid: in none of them the generator kept its schedule.
        """
        found: list[Turn] = []
        for _ in range(2 * n):
            turn = self.turn()
            click.echo(f"trigger: {turn.said()}", err=True)
            found += [turn] if turn.kept else []
            if len(found) == n:
                break
        if not found:
            raise RunInvalid("trigger: the generator never kept its schedule; other programs are at work")
        return sorted(found, key=lambda turn: turn.intended["p99"])


_NEEDED: Final = ("latency_ns", "t_arrived_ns", "t_sent_ns", "wire_ns")


def main(rate_per_s: float, turns: int, seconds: float = LEAST_S) -> None:
    """Some turns at another rate, each told as it ends: `python -m experiments.bench.trigger RATE TURNS`."""
    with tempfile.TemporaryDirectory(prefix="kairos-trigger-", dir=os.environ.get("TMPDIR")) as folder:
        bench = TriggerBench(Path(folder), seconds, rate_per_s)
        for _ in range(turns):
            click.echo(bench.turn().said())


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
