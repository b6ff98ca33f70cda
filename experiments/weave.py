"""Deliveries woven into a schedule while it is sent: submits in, paging and short messages out when due.

Sans IO but for what is handed in; the pacing loop asks `look` after its own due messages, and each look costs
at most one reaction of the network.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from heapq import heappop, heappush
from typing import Any, Final, Protocol

import numpy as np

from experiments.latency.worldtime import WorldTime
from sigtran import MessageBatch
from sim.network.messages import Deliver, Submit
from sim.run import Reaction

__all__ = ["Centre", "Weaver", "streams_of"]

POLL_NS: Final = 2_000_000
"""With nothing due, submits are looked for this often, nanoseconds."""


class Centre(Protocol):
    """The SMSC's door (`sim.backoffice.smsc_door.SmscDoor`)."""

    def take_submits(self) -> list[Submit]: ...
    def post(self, messages: Sequence[Deliver], timeout: float = ...) -> Future[None]: ...


def streams_of(sls: Any, streams: int) -> Any:
    """SCTP stream of each message of an association with so many: never 0, which is the management's."""
    return (1 + sls.astype(np.uint16) % (streams - 1)).astype(np.uint16)


class Weaver:
    """What the network does about the platform's messages during one live phase."""

    def __init__(
        self,
        react: Callable[[Submit, int], Reaction],
        centre: Centre,
        send: Callable[[MessageBatch], None],
        *,
        time: WorldTime,
        streams: int,
    ) -> None:
        """`react` takes a submit and the world time of its arrival."""
        self.submits: list[Submit] = []
        """All that were taken, in order of arrival."""
        self.reactions: list[tuple[Submit, Reaction]] = []
        """What came of each."""
        self.sent: list[tuple[int, int, int]] = []
        """Messages woven in: correlation id, when due and when sent, nanoseconds since the beginning."""
        self.begin_ns = 0
        """Monotonic nanoseconds of the beginning."""
        self._react = react
        self._centre = centre
        self._send = send
        self._time = time
        self._streams = streams
        self._waiting: deque[Submit] = deque()
        # (due, order, ...): at one time in the order in which they were planned.
        self._messages: list[tuple[int, int, int, bytes, int]] = []
        self._receipts: list[tuple[int, int, Deliver]] = []
        self._posted: list[Future[None]] = []
        self._order = 0

    def look(self, begin_ns: int, now_ns: int) -> int:
        """Sends what is due and reacts to at most one submit; when to look again at the latest.

        Both `now_ns` and the result count from `begin_ns`. A result not after `now_ns` means at once.
        """
        self.begin_ns = begin_ns
        self._send_due(now_ns)
        self.take()
        if self._waiting:
            self._react_to(self._waiting.popleft())
            return now_ns
        next_ns = now_ns + POLL_NS
        for heap in (self._messages, self._receipts):
            if heap:
                next_ns = min(next_ns, heap[0][0])
        return next_ns

    def take(self) -> int:
        """Takes what has arrived; how many so far."""
        fresh = self._centre.take_submits()
        self.submits += fresh
        self._waiting += fresh
        return len(self.submits)

    def finish(self, now_ns: int, end_ns: int) -> None:
        """After the schedule: reacts to the rest, sends all that was due before the end, and no more."""
        self.take()
        while self._waiting:
            self._react_to(self._waiting.popleft())
        self._send_due(now_ns, end_ns)

    def untold(self, timeout_s: float) -> str:
        """Why receipts did not reach the platform; empty if all did. Waits for the last of them."""
        faults = [fault for future in self._posted if (fault := _fault(future, timeout_s))]
        return f"{len(faults)} of {len(self._posted)} receipts: {faults[0]}" if faults else ""

    def contacts(self) -> dict[str, Any]:
        """Contacts submitted by what became of them; one of which a part was received counts as received."""
        outcomes: dict[str, str] = {}
        for submit, reaction in self.reactions:
            name = submit.contact_id or submit.message_id
            if outcomes.get(name) != "delivered":
                outcomes[name] = reaction.outcome
        counts = Counter(outcomes.values())
        return {
            "submitted": len(outcomes),
            "received": counts.pop("delivered", 0),
            "unreached": dict(sorted(counts.items())),
        }

    def _react_to(self, submit: Submit) -> None:
        reaction = self._react(submit, self._time.at_us(submit.arrived_ns - self.begin_ns))
        self.reactions.append((submit, reaction))
        batch = reaction.batch
        streams = streams_of(batch.sls, self._streams)
        columns = zip(batch.t_us.tolist(), batch.corr.tolist(), streams.tolist(), strict=True)
        for i, (t_us, corr, stream) in enumerate(columns):
            self._order += 1
            heappush(self._messages, (self._time.due_ns(t_us), self._order, corr, batch.message(i), stream))
        if reaction.receipt is not None:
            self._order += 1
            heappush(
                self._receipts, (self._time.due_ns(reaction.receipt.t_us), self._order, reaction.receipt)
            )

    def _send_due(self, now_ns: int, until_ns: int | None = None) -> None:
        """Sends what is due at `until_ns`, which is now unless said otherwise."""
        upto_ns = now_ns if until_ns is None else until_ns
        messages: list[bytes] = []
        streams: list[int] = []
        while self._messages and self._messages[0][0] <= upto_ns:
            due_ns, _, corr, message, stream = heappop(self._messages)
            messages.append(message)
            streams.append(stream)
            self.sent.append((corr, due_ns, now_ns))
        if messages:
            self._send(MessageBatch.from_messages(messages, streams))
        receipts: list[Deliver] = []
        while self._receipts and self._receipts[0][0] <= upto_ns:
            receipts.append(heappop(self._receipts)[2])
        if receipts:
            self._posted.append(self._centre.post(receipts))


def _fault(future: Future[None], timeout_s: float) -> str:
    try:
        fault = future.exception(timeout_s)
    except TimeoutError:
        return f"not answered within {timeout_s:g} s"
    return "" if fault is None else str(fault)
