"""Handsets behind the SMSC's door, for platforms that are killed: what they received is kept, whoever dies.

The message centre outlives the platform. It delivers after a while, to absent handsets when they come back,
tells receipts once somebody is bound, and hands over replies until they are acknowledged.
"""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from experiments.firewall.play import Played
from sim.backoffice.smsc_door import DoorError, SmscDoor
from sim.network.messages import Deliver, Submit
from smpp.concat import concatenation
from smpp.text import encode_text

__all__ = ["Behaviour", "Handsets", "Received"]

LOOK_S: Final = 0.01
"""Between two looks at the door."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the network and people behave, shares and real seconds."""

    centre_s: float = 0.15
    """Mean time in the centre."""
    absent_share: float = 0.15
    absent_s: float = 3.0
    """Mean time until an absent handset is back."""
    lost_ack_share: float = 0.02
    """Delivered twice, since the acknowledgement was lost."""
    stop_share: float = 0.1
    """Answer with the stop code."""
    order_share: float = 0.05
    """Answer with an order."""


@dataclass(frozen=True, slots=True)
class Received:
    """One SMS-DELIVER at a handset."""

    t_us: int
    msisdn: str
    source: str
    smsc_us: int
    reference: int
    part: int
    parts: int
    contact_id: str


@dataclass(slots=True, order=True)
class _Waiting:
    due_s: float
    number: int
    submit: Submit = field(compare=False)
    kind: Literal["attempt", "reply"] = field(compare=False, default="attempt")
    text: str = field(compare=False, default="")


class Handsets:
    """A thread that takes what arrives at the door and delivers it. A context manager."""

    def __init__(
        self,
        door: SmscDoor,
        now_us: Callable[[int], int],
        behaviour: Behaviour,
        seed: int,
        epoch_us: int,
        played: Played,
    ) -> None:
        """`now_us`: monotonic nanoseconds to Unix microseconds of the world; `epoch_us`: its begin."""
        self.received: list[Received] = []
        self.submits: dict[str, int] = {}
        """Contact id -> SUBMITs taken for it."""
        self.stops: list[tuple[str, int]] = []
        """MSISDN and when the platform had confirmed the stop code, Unix microseconds."""
        self.orders: list[tuple[str, str]] = []
        """MSISDN and originator of orders that the platform had confirmed."""
        self.confirmed = threading.Event()
        """Set at the instant at which the platform confirms a reply."""
        self.expired = 0
        self.faults: list[str] = []
        self._door, self._now_us, self._how, self._epoch_us = door, now_us, behaviour, epoch_us
        self._chance = random.Random(seed)
        self._played = played
        self._queue: list[_Waiting] = []
        self._receipts: list[Deliver] = []
        self._told: tuple[Future[None], list[Deliver]] | None = None
        self._replies: list[tuple[Future[None], _Waiting]] = []
        self._cancelled: set[str] = set()
        self._numbers = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="handsets", daemon=True)

    def __enter__(self) -> Handsets:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)

    @property
    def waiting(self) -> int:
        """Messages and replies that are still under way."""
        return len(self._queue) + len(self._receipts) + len(self._replies) + (self._told is not None)

    def arrivals(self) -> int:
        """SUBMITs taken so far."""
        return sum(self.submits.values())

    # ---- the thread

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except Exception as error:  # a fault here must not look like a quiet network
                self.faults.append(f"{type(error).__name__}: {error}")
                return
            time.sleep(LOOK_S)

    def _look(self) -> None:
        now_s = time.monotonic()
        for submit in self._door.take_submits():
            self.submits[submit.contact_id] = self.submits.get(submit.contact_id, 0) + 1
            wait_s = self._chance.expovariate(1 / self._how.centre_s)
            if self._chance.random() < self._how.absent_share:
                wait_s += self._chance.expovariate(1 / self._how.absent_s)
            self._later(now_s + wait_s, submit)
        self._cancelled |= {cancel.message_id for cancel in self._door.take_cancels()}
        while self._queue and self._queue[0].due_s <= now_s:
            waiting = heapq.heappop(self._queue)
            if waiting.kind == "reply":
                self._reply(waiting)
            else:
                self._attempt(waiting.submit)
        self._tell()
        self._heard(now_s)

    def _later(self, due_s: float, submit: Submit, kind: Any = "attempt", text: str = "") -> None:
        self._numbers += 1
        heapq.heappush(self._queue, _Waiting(due_s, self._numbers, submit, kind, text))

    def _attempt(self, submit: Submit) -> None:
        t_us = self._now_us(time.monotonic_ns())
        until_us = submit.validity_until_us
        if submit.message_id in self._cancelled:
            self._receipt(submit, "deleted", t_us)
        elif until_us is not None and t_us - self._epoch_us >= until_us:
            self.expired += 1
            self._receipt(submit, "expired", t_us)
        else:
            self._deliver(submit, t_us)

    def _deliver(self, submit: Submit, t_us: int) -> None:
        where, _ = concatenation(submit.esm_class, submit.data)
        accepted_us = self._now_us(submit.arrived_ns) // 1_000_000 * 1_000_000
        reference = where.reference if where else -1
        row = Received(
            t_us,
            submit.destination,
            submit.source,
            accepted_us,
            reference,
            submit.part,
            submit.parts,
            submit.contact_id,
        )
        self.received.append(row)
        if where and self._chance.random() < self._how.lost_ack_share:
            self.received.append(row)
        self._receipt(submit, "delivered", t_us)
        if submit.part == submit.parts:
            drawn = self._chance.random()
            if drawn < self._how.stop_share + self._how.order_share:
                text = self._played.word(submit.source, "stop" if drawn < self._how.stop_share else "order")
                if text:
                    self._later(time.monotonic() + self._chance.expovariate(2.0), submit, "reply", text)

    def _receipt(self, submit: Submit, state: Any, t_us: int) -> None:
        if submit.receipt:
            self._receipts.append(
                Deliver(
                    t_us=t_us - self._epoch_us,
                    stable_id=f"receipt {submit.message_id}",
                    kind="receipt",
                    source=submit.destination,
                    destination=submit.source,
                    message_id=submit.message_id,
                    state=state,
                    submitted_us=self._now_us(submit.arrived_ns) - self._epoch_us,
                )
            )

    def _tell(self) -> None:
        """Receipts, one batch at a time; again where nobody acknowledged them."""
        if self._told is not None:
            future, batch = self._told
            if not future.done():
                return
            self._told = None
            if future.exception() is not None:
                self._receipts = batch + self._receipts
        if self._receipts and self._door.wait_bound(0):
            batch, self._receipts = self._receipts[:200], self._receipts[200:]
            self._told = self._door.post(batch, 2.0), batch

    def _reply(self, waiting: _Waiting) -> None:
        if not self._door.wait_bound(0):
            self._later(time.monotonic() + 0.2, waiting.submit, "reply", waiting.text)
            return
        data, coding = encode_text(waiting.text)
        t_us = self._now_us(time.monotonic_ns()) - self._epoch_us
        told = Deliver(
            t_us=t_us,
            stable_id=f"reply {waiting.submit.message_id}",
            kind="reply",
            source=waiting.submit.destination,
            destination=waiting.submit.source,
            data=data,
            data_coding=coding,
        )
        future = self._door.post([told], 2.0)
        future.add_done_callback(self._confirm)
        self._replies.append((future, waiting))

    def _confirm(self, done: Future[Any]) -> None:
        if done.exception() is None:
            self.confirmed.set()

    def _heard(self, now_s: float) -> None:
        """Replies that were acknowledged have been taken; the others go again."""
        left = []
        for future, waiting in self._replies:
            if not future.done():
                left.append((future, waiting))
            elif future.exception() is None:
                if waiting.text == self._played.word(waiting.submit.source, "stop"):
                    self.stops.append((waiting.submit.destination, self._now_us(time.monotonic_ns())))
                else:
                    self.orders.append((waiting.submit.destination, waiting.submit.source))
            elif isinstance(future.exception(), DoorError):
                self._later(now_s + 0.2, waiting.submit, "reply", waiting.text)
            else:
                self.faults.append(repr(future.exception()))
        self._replies = left
