"""The service centre towards the platform: contacts on their way to a handset, each a process of its own.

A contact arrives, waits in the centre, is paged for; while the handset is off it waits for the next
switching on; it is delivered, cancelled, or expires; and its receipt goes back to the door.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import simpy

from sim.network import tpdus
from sim.network.intents import DAY_US
from sim.network.kernel import Network
from sim.network.messages import Deliver, FinalState, Submit

Story = Generator[simpy.Event, Any, None]

DEFAULT_VALIDITY_US: Final = 48 * 3_600_000_000
_CENTRE_US: Final = (150_000, 500_000)  # time in the centre: least, and range above it
_RETRY_US: Final = 300_000_000
_REGISTERS_US: Final = 1_500_000  # from switching on to the location update
_AGAIN_US: Final = 5_000_000
_ERRORS: Final[dict[FinalState, int]] = {"expired": 27, "undeliverable": 1}
"""Network error code of a receipt: absent subscriber (TS 29.002 17.6.6), unknown subscriber."""


@dataclass(frozen=True, slots=True)
class Part:
    """One SMS-DELIVER that a handset has acknowledged."""

    t_us: int
    sub: int
    submit: Submit
    smsc_us: int
    """Service centre time stamp, whole seconds."""
    body: bytes
    """TP-DCS, TP-UDL, TP-UD."""
    header: bool


@dataclass(slots=True)
class _Entry:
    """A message that the centre still holds."""

    submit: Submit
    taken_back: simpy.Event


class Handsets(Protocol):
    """Who reads what the centre delivers."""

    def received(self, part: Part) -> None: ...


class ServiceCentre:
    """Messages taken from the platform and not yet in a final state, and what is to be told of them."""

    def __init__(
        self,
        env: simpy.Environment,
        network: Network,
        sub_of_msisdn: Callable[[str], int],
        handsets: Handsets | None = None,
    ) -> None:
        self.env = env
        self.network = network
        self.handsets = handsets
        self._sub_of_msisdn = sub_of_msisdn
        self._held: dict[str, _Entry] = {}
        self._outgoing: list[Deliver] = []

    def take(self, submit: Submit, t_us: int) -> None:
        """A message arrives at `t_us`, which is not before now."""
        entry = _Entry(submit, self.env.event())
        self._held[submit.message_id] = entry
        self.env.process(self._carry(entry, t_us))

    def cancel(self, message_id: str) -> bool:
        """Takes a message back; False: it is in a final state already (or being delivered), or unknown."""
        entry = self._held.pop(message_id, None)
        if entry is None:
            return False
        entry.taken_back.succeed()
        return True

    def tell(self, message: Deliver) -> None:
        """Queues a deliver_sm for the platform."""
        self._outgoing.append(message)

    def outgoing(self) -> list[Deliver]:
        """What is to be told since the last call, in the order (time, stable id)."""
        out, self._outgoing = self._outgoing, []
        return sorted(out, key=lambda message: (message.t_us, message.stable_id))

    def _carry(self, entry: _Entry, t_us: int) -> Story:
        """The life of one message in the centre."""
        submit, env = entry.submit, self.env
        sub = self._sub_of_msisdn(submit.destination)
        until_us = submit.validity_until_us
        if until_us is None:
            until_us = t_us + DEFAULT_VALIDITY_US
        if t_us > env.now:
            yield env.timeout(t_us - env.now)
        if sub < 0:
            self._final(entry, "undeliverable", t_us)
            return
        body, header = tpdus.smpp_body(submit.data, submit.data_coding, submit.esm_class)
        stamp = self.network.clock.stamp(t_us)
        words = self.network.chance(sub, "smsc")
        wait_us = _CENTRE_US[0] + (words[0] * _CENTRE_US[1] >> 32)
        while True:
            yield from self._wait(entry, min(int(env.now) + wait_us, until_us))
            now_us = int(env.now)
            if entry.taken_back.triggered:
                self._final(entry, "deleted", now_us)
                return
            if now_us >= until_us:
                self._final(entry, "expired", t_us)
                return
            self.network.settle(now_us)
            outcome, at_us = self.network.deliver(
                now_us, sub, submit.source, body, stamp, header=header, more=submit.part < submit.parts
            )
            if outcome == "delivered":
                break
            if outcome == "absent":
                yield from self._absent(entry, sub, until_us)
                wait_us = 0
            else:
                wait_us = at_us - now_us + (_RETRY_US if outcome == "refused" else 0)
        self._held.pop(submit.message_id, None)
        yield env.timeout(at_us - now_us)
        second_us = t_us // 1_000_000 * 1_000_000
        if self.handsets is not None:
            self.handsets.received(Part(at_us, sub, submit, second_us, body, header))
        self._final(entry, "delivered", t_us)

    def _wait(self, entry: _Entry, until_us: int) -> Story:
        """Until a time, or until the message is taken back."""
        if until_us > self.env.now and not entry.taken_back.triggered:
            yield self.env.timeout(until_us - self.env.now) | entry.taken_back

    def _absent(self, entry: _Entry, sub: int, until_us: int) -> Story:
        """Until the subscriber is registered again, TS 23.040 10.2; the diary says when to look."""
        while self.env.now < until_us and not entry.taken_back.triggered:
            now_us = int(self.env.now)
            self.network.settle(now_us)
            if self.network.hears_page(sub):
                return
            wake_us = now_us + _AGAIN_US
            if not self.network.station(sub).on:
                next_us = self.network.next_on_us(sub, now_us)
                wake_us = next_us + _REGISTERS_US if next_us >= 0 else (now_us // DAY_US + 1) * DAY_US + 1
            yield from self._wait(entry, min(wake_us, until_us))

    def _final(self, entry: _Entry, state: FinalState, submitted_us: int) -> None:
        """The message leaves the centre; the receipt says how."""
        submit = entry.submit
        self._held.pop(submit.message_id, None)
        if submit.receipt:
            self.tell(receipt(submit, state, int(self.env.now), submitted_us))


def receipt(submit: Submit, state: FinalState, t_us: int, submitted_us: int) -> Deliver:
    """What the platform is told of a message that reached its final state at `t_us`."""
    return Deliver(
        t_us=t_us,
        stable_id=f"receipt {submit.message_id}",
        kind="receipt",
        source=submit.destination,
        destination=submit.source,
        message_id=submit.message_id,
        state=state,
        error=_ERRORS.get(state, 0),
        submitted_us=submitted_us,
    )
