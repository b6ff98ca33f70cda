"""The lockstep driver: simulator and platform tick by tick, repeatable over real SCTP, SMPP and HTTP.

One tick: the simulation advances; its signalling goes out with marks; receipts and replies go out by SMPP and
are answered; the barrier goes out and is answered, by when the platform has submitted and ordered all it will
in this tick; what it submitted enters the simulated network. Ticks in which nothing happened are skipped, but
a barrier comes at least once a simulated minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from experiments.link import SignallingLink
from experiments.problems import RunInvalid

__all__ = ["Lockstep", "MessageCentre", "Simulation", "Spent"]

MINUTE_US: Final = 60_000_000


class Simulation(Protocol):
    """The simulated network (`sim.run.Run`) with what it has emitted since the last call."""

    def step(self) -> int:
        """Advances one tick; the world time reached, microseconds."""

    def drain(self) -> Sequence[Any]:
        """Signalling emitted in the last step."""

    def outgoing(self) -> Sequence[Any]:
        """Receipts and replies due in the last step, in order."""

    def inject(self, submits: Sequence[Any], cancels: Sequence[Any], t_us: int) -> None:
        """What the platform submitted and took back, sorted."""

    def outgoing_mms(self) -> Sequence[Any]:
        """Reports on multimedia messages due in the last step, in order."""

    def inject_mms(self, submits: Sequence[Any], cancels: Sequence[Any], t_us: int) -> None:
        """The same of multimedia messages."""


class MessageCentre(Protocol):
    """The SMSC's door (`sim.backoffice.smsc_door.SmscDoor`)."""

    def take_submits(self) -> list[Any]: ...
    def take_cancels(self) -> list[Any]: ...
    def deliver(self, messages: Sequence[Any], timeout: float = 10.0) -> None: ...


class MultimediaCentre(Protocol):
    """The MMSC (`sim.backoffice.mmsc.Mmsc`)."""

    def take_submits(self) -> list[Any]: ...
    def take_cancels(self) -> list[Any]: ...
    def deliver(self, reports: Sequence[Any], timeout: float = 10.0) -> None: ...


@dataclass(slots=True)
class Spent:
    """Where the time of a run went, seconds; and what there was to do."""

    simulate_s: float = 0.0
    send_s: float = 0.0
    deliver_s: float = 0.0
    barrier_s: float = 0.0
    inject_s: float = 0.0
    ticks: int = 0
    barriers: int = 0
    messages: int = 0
    delivered: int = 0
    submitted: int = 0
    cancelled: int = 0


@dataclass(slots=True)
class Lockstep:
    """Drives one arm to its end."""

    simulation: Simulation
    link: SignallingLink
    centre: MessageCentre
    end_us: int
    barrier_s: float = 30.0
    limit_s: float = 600.0
    on_progress: Callable[[int, int], None] = lambda t_us, messages: None
    """Called a few times a second with the world time reached and the messages sent."""
    on_tick: Callable[[int, Sequence[Any]], None] = lambda t_us, delivered: None
    """Called after each barrier with its time and the deliver_sm that it confirmed."""
    multimedia: MultimediaCentre | None = None
    every_tick: bool = False
    """A barrier after every tick: then what timers bring never waits for somebody else's traffic."""
    spent: Spent = field(default_factory=Spent)

    def run(self) -> None:
        """To the end of the last day.

        Raises:
            RunInvalid: association, session or platform lost; a barrier not met; too slow.
        """
        spent, clock = self.spent, time.perf_counter
        began = last_progress = clock()
        last_barrier_us = t_us = 0
        while t_us < self.end_us:
            a = clock()
            t_us = self.simulation.step()
            batches = self.simulation.drain()
            outgoing = self.simulation.outgoing()
            reports = self.simulation.outgoing_mms() if self.multimedia is not None else ()
            told = bool(outgoing or reports)
            b = clock()
            spent.simulate_s += b - a
            spent.ticks += 1
            if b - last_progress > 0.25:
                last_progress = b
                self.on_progress(t_us, self.link.sent)
                if b - began > self.limit_s:
                    raise RunInvalid(f"the arm took longer than {self.limit_s:g} s")
            idle = not batches and not told and not self.every_tick
            if idle and t_us - last_barrier_us < MINUTE_US and t_us < self.end_us:
                continue
            last_barrier_us = t_us
            # The barrier ends the tick's own batch, unless messages have to reach the platform before it.
            self.link.send(batches, None if told else t_us)
            c = clock()
            if outgoing:
                self._deliver(outgoing)
            if reports and self.multimedia is not None:
                self._report(self.multimedia, reports)
            d = clock()
            self.link.barrier(t_us, self.barrier_s, sent=not told)
            e = clock()
            self.on_tick(t_us, outgoing)
            submits = sorted(self.centre.take_submits(), key=lambda s: s.message_id)
            cancels = sorted(self.centre.take_cancels(), key=lambda s: s.message_id)
            if submits or cancels:
                self.simulation.inject(submits, cancels, t_us)
            if self.multimedia is not None:
                pictures, back = self.multimedia.take_submits(), self.multimedia.take_cancels()
                if pictures or back:
                    self.simulation.inject_mms(pictures, sorted(back, key=lambda s: s.message_id), t_us)
                    spent.submitted += len(pictures)
                    spent.cancelled += len(back)
            spent.send_s += c - b
            spent.deliver_s += d - c
            spent.barrier_s += e - d
            spent.inject_s += clock() - e
            spent.barriers += 1
            spent.delivered += len(outgoing)
            spent.submitted += len(submits)
            spent.cancelled += len(cancels)
        spent.messages = self.link.sent
        self.on_progress(t_us, self.link.sent)

    def _report(self, centre: MultimediaCentre, reports: Sequence[Any]) -> None:
        try:
            centre.deliver(reports, self.barrier_s)
        except Exception as error:
            # The centre's own errors; their kind belongs to the centre.
            raise RunInvalid(f"{len(reports)} MMS reports to the platform: {error}") from error

    def _deliver(self, outgoing: Sequence[Any]) -> None:
        try:
            self.centre.deliver(outgoing, self.barrier_s)
        except RunInvalid:
            raise
        except Exception as error:
            # The door's own errors; their kind belongs to the door.
            raise RunInvalid(f"{len(outgoing)} deliver_sm to the platform: {error}") from error
