"""The machine's clock is set while the platform runs: who is told, and in which order."""

from __future__ import annotations

import logging

from marketing.clock import Clock
from marketing.contact.ledger import LedgerError
from marketing.contact.steps import ClockStep
from marketing.contact.writer import LedgerWriter
from marketing.hiding import safe
from marketing.metrics import Metrics
from marketing.workers import EngineHost

__all__ = ["follow_clock"]

log = logging.getLogger("marketing")


def follow_clock(clock: Clock, engine: EngineHost, ledger: LedgerWriter, metrics: Metrics) -> None:
    """Between two rounds of the loop: follows a step of the wall clock, if there was one.

    Ledger and book move their contacts along first, and whatever was decided by the old time has been handed
    to the ledger before. Where it cannot be written, time goes on as if nothing had been set, and the next
    round tries again.
    """
    by_us = clock.step_us()
    if not by_us:
        return
    policy, said = engine.policy, f"the machine's clock was set by {by_us / 1e6:+.3f} s"
    if policy.remembers:
        spans = policy.validity_us + policy.guard_us, policy.keep_s * 1_000_000
        step = ClockStep.of(by_us, clock.now_us(), clock.began_us, *spans)
        try:
            ledger.apply_now([step])
        except LedgerError as error:
            log.error("%s; followed once the ledger can be written: %s", said, safe(str(error)))
            return
        engine.clock_set(step)
    clock.follow(by_us)
    metrics.count("clock_steps", direction="forward" if by_us > 0 else "back")
    log.warning("%s: gaps and rolling windows are measured on, calendars go by what it shows", said)
