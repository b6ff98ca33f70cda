"""The collector: SCTP associations in, behaviours out.

It listens, answers the M3UA handshake as the gateway side, and turns whatever an association or a tap gives
into behaviour batches. `poll` never waits and never raises for what a peer sends; a driver (asyncio, a
thread) watches `fileno` and calls it. In lockstep it gives `Tick`s, each complete and in order: by
the simulator's beats, or, with taps and then no associations, by the times in the captures.
"""

from __future__ import annotations

import logging
import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BehaviourBatch, concatenate, empty
from marketing.clock import Clock
from marketing.collect.errors import Rejects
from marketing.collect.links import LinkWatch
from marketing.collect.listening import open_listener
from marketing.collect.lockstep import BEAT, BEAT_ACK, BEAT_DATA, Arrived, Beats, Placed, merge
from marketing.collect.peers import AllowList, Gate, show_out
from marketing.collect.tap_ticks import TapTicks
from marketing.collect.taps import Taken, Taps
from marketing.config import CollectorConfig
from marketing.correlate import Correlator
from marketing.decode import ERROR_NAMES, Decoders, RowBatch, tally
from sigtran import Association, AssociationLost, MessageBatch
from sigtran.association import (
    AspActive,
    AspInactive,
    AspState,
    AspUp,
    Beat,
    Down,
    Garbage,
    PeerError,
    SgpSide,
    Unexpected,
)

__all__ = ["HOLD_US", "Collector", "Tick"]

log = logging.getLogger(__name__)

HOLD_US: Final = 200_000
"""Real microseconds for which a message waits for one that it overtook."""
MAX_PENDING: Final = 1 << 28
"""Octets of a tick that may wait for their barrier."""
ANSWERED_GARBAGE: Final = 8
"""Bad messages of one read that are answered with an ERR; a flood must not fill our own queue."""
_ALIVE: Final = ("connecting", "up")
_DATA_CLASS: Final = 1
_DATA_TYPE: Final = 1
_BEAT_LENGTH: Final = len(BEAT) + BEAT_DATA.size


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """Everything up to a barrier, in lockstep."""

    t_unix_us: int
    """The barrier's time."""
    behaviours: BehaviourBatch
    """In the order of sending; may be empty."""
    world_us: int
    """The same time since the world's epoch."""


@dataclass(slots=True, eq=False)
class _Peer:
    """One association and its M3UA state."""

    number: int
    association: Association
    side: SgpSide
    beats: Beats
    gate: Gate
    received: int = 0


@dataclass(slots=True)
class _Counts:
    received: int = 0
    decoded: int = 0
    other: int = 0
    beats: int = 0
    rejects: Rejects = field(default_factory=Rejects)


class Collector:
    """Listens from construction on; `close` when done.

    `epoch_us` is the world's epoch in Unix microseconds (lockstep). `network_indicator` is the only one
    accepted; -1 takes all. `on_lost` is told why an association broke; an orderly end is not a loss.
    `threads` decode.

    Raises:
        TransportUnavailable: no SCTP of the kind asked for, with the remedy.
        ListenError: the port is taken.
        TapError: a tap cannot be opened.
    """

    def __init__(
        self,
        config: CollectorConfig,
        clock: Clock,
        *,
        epoch_us: int = 0,
        tick_s: float = 5.0,
        network_indicator: int = 2,
        on_lost: Callable[[str], None] | None = None,
        threads: int = 1,
    ) -> None:
        self._clock = clock
        self._decoders = Decoders(threads)
        self._lockstep = clock.mode == "lockstep"
        self._epoch_us = epoch_us
        self._tick_us = round(tick_s * 1_000_000)
        self._ni = network_indicator
        self._on_lost = on_lost
        self._hold_us = (
            0 if self._lockstep else int(HOLD_US * (clock.factor if clock.mode == "live" else 1.0))
        )
        self.correlator = Correlator(hold_us=self._hold_us)
        self._counts = _Counts()
        self._watch = LinkWatch()
        self._allowed = AllowList(config.peers)
        self._peers: list[_Peer] = []
        self._over: list[str] = []
        self._accepted = 0
        self._broken = False
        self._pending = 0
        self._open: Tick | None = None
        self._tap_now_us = 0
        self._epoll = select.epoll()
        self._taps = Taps(config.taps) if config.taps else None
        try:
            self.transport, self._listener = open_listener(
                config, taps=self._taps is not None, lockstep=self._lockstep
            )
        except BaseException:
            if self._taps is not None:
                self._taps.close()
            self._epoll.close()
            raise
        for source in (self._listener, self._taps):
            if source is not None:
                self._epoll.register(source.fileno(), select.EPOLLIN)
        self._closed = False
        self._ticks: TapTicks | None = None
        if self._taps is not None and self._lockstep:
            self._ticks = TapTicks(self._taps, epoch_us, self._tick_us, self._tapped, self.correlator.expire)

    # ------------------------------------------------------------------ doors

    @property
    def host(self) -> str:
        """Address that it listens on; empty where it does not."""
        return self._listener.host if self._listener is not None else ""

    @property
    def port(self) -> int:
        """SCTP port, the real one where 0 was asked for; 0 where nothing listens."""
        return self._listener.port if self._listener is not None else 0

    @property
    def encap_port(self) -> int:
        """UDP port of the encapsulation; 0 where there is none."""
        return self._listener.encap_port if self._listener is not None else 0

    def fileno(self) -> int:
        """One descriptor, readable when `poll` has something to do."""
        return self._epoll.fileno()

    def wait(self, timeout_s: float) -> bool:
        """Wait until `fileno` is readable."""
        return bool(self._epoll.poll(timeout_s, 1))

    @property
    def due_s(self) -> float | None:
        """Real seconds after which `poll` should be called though nothing came; None = no need."""
        if self._lockstep:
            return None
        return 0.05 if self.correlator.holding else (1.0 if self.correlator.pages else None)

    def close(self) -> None:
        """End all associations and listen no longer."""
        if self._closed:
            return
        self._closed = True
        self._epoll.close()
        if self._listener is not None:
            self._listener.close()
        if self._taps is not None:
            self._taps.close()
        self._decoders.close()
        for peer in self._peers:
            peer.association.close()
            self._over.append(f"association {peer.number} closed here")
        self._peers.clear()

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ work

    def poll(self) -> list[BehaviourBatch | Tick]:
        """Whatever has come: batches of behaviours (at least one row each), or in lockstep complete ticks."""
        if self._closed:
            return []
        self._accept()
        found: list[BehaviourBatch] = []
        for peer in list(self._peers):
            association = peer.association
            while (batch := association.receive()) is not None:
                behaviours = self._read(peer, batch)
                if behaviours is not None and len(behaviours):
                    found.append(behaviours)
                if association.state in _ALIVE or peer.gate.closed:
                    break  # who has just been shown out is neither read nor lost any more
            if batch is None and association.state not in _ALIVE:
                self._end(peer)
        if self._taps is not None:
            self._taps.clear()
        if self._lockstep:
            if self._open is None:
                self._open = self._tick()
                if self._open is not None:
                    return [self._open]
            return []
        if self._taps is not None:
            found += self._read_taps(self._taps)
        reached_us = self._reached_us()
        if self._peers or (self._taps is not None and self._taps.reading):
            self._look_at_links(reached_us)
        if self.correlator.holding or self.correlator.pages:
            late = self.correlator.expire(reached_us)
            if len(late):
                late["decoded_ns"] = self._clock.stamp_ns()
                found.append(late)
        return [concatenate(found)] if found else []

    def acknowledge(self, tick: Tick) -> None:
        """Answer the BEATs up to this tick: the simulator goes on. Until then `poll` gives no other one."""
        self._open = None
        for peer in self._peers:
            self._send(peer, [BEAT_ACK + data for data in peer.beats.finish(tick.world_us)])

    def flush(self) -> BehaviourBatch:
        """What still waits for something, at the end of everything."""
        return self.correlator.flush()

    # ------------------------------------------------------------------ counters

    @property
    def active(self) -> int:
        """Associations whose peer is ASP-ACTIVE."""
        return sum(peer.side.state is AspState.ACTIVE for peer in self._peers)

    @property
    def received(self) -> int:
        """DATA messages so far."""
        return self._counts.received

    def _look_at_links(self, now_us: int) -> None:
        if not self._watch.due(now_us):
            return
        for said in self._watch.look(self.correlator.links, now_us):
            log.log(logging.WARNING if said.silent else logging.INFO, "%s", said)
            if said.silent:
                self._over.append(str(said))

    @property
    def over(self) -> bool:
        """There were taps, and all are at their end."""
        if self._taps is None or self._taps.reading:
            return False
        return self._open is None and (self._ticks is None or not self._ticks.pending)

    @property
    def damaged(self) -> int:
        """Taps whose capture was damaged."""
        return self._taps.damaged if self._taps is not None else 0

    def state(self) -> Literal["up", "waiting", "lost"]:
        """Up: an association is active, or a tap read; lost: the last association broke; waiting: for any."""
        if self.active or (self._taps is not None and self._taps.reading):
            return "up"
        return "lost" if self._broken and not self._peers else "waiting"

    def address(self) -> dict[str, Any]:
        """Where to connect to."""
        return {
            "transport": self._kind(),
            "host": self.host,
            "port": self.port,
            "encap_port": self.encap_port,
        }

    def _kind(self) -> str:
        return self.transport.kind if self.transport is not None else "none"

    def report(self) -> dict[str, Any]:
        """What collector.json holds: counters, and the first few bad messages of each kind."""
        return {**self.counters(), "kept": self.kept()}

    def counters(self) -> dict[str, Any]:
        """Plain values for metrics and records."""
        counts = self._counts
        return {
            "transport": self._kind(),
            "received": counts.received,
            "decoded": counts.decoded,
            "errors": dict(sorted(counts.rejects.counts.items())),
            "other_messages": counts.other,
            "beats": counts.beats,
            "associations": [
                {
                    "number": peer.number,
                    "state": peer.association.state,
                    "asp": peer.side.state.value,
                    "received": peer.received,
                    "missing": peer.beats.missing(),
                }
                for peer in self._peers
            ],
            "ended": list(self._over),
            "refused_peers": self._allowed.refused,
            "taps": self._taps.counters() if self._taps is not None else [],
            "links": self._watch.report(self.correlator.links),
            "connections": self.correlator.connections,
            "identities": self.correlator.identities,
            "holding": self.correlator.holding,
            "correlation": self.correlator.counters,
        }

    def kept(self) -> list[dict[str, str | int]]:
        """The first few bad messages of each kind, in hexadecimal."""
        return [bad.as_record() for bad in self._counts.rejects.kept]

    # ------------------------------------------------------------------ associations

    def _accept(self) -> None:
        while self._listener is not None:
            association = self._listener.accept(0)
            if association is None:
                return
            if not self._allowed.admits(association.peer):
                show_out(association, tell=True)
                continue
            self._accepted += 1
            self._broken = False
            gate = Gate(self._allowed, association.peer)
            side = SgpSide(answer_beats=not self._lockstep, admit=gate)
            peer = _Peer(self._accepted, association, side, Beats(self._tick_us), gate)
            self._peers.append(peer)
            self._epoll.register(association.fileno(), select.EPOLLIN)
            log.info("association %d is up", peer.number)

    def _end(self, peer: _Peer) -> None:
        association = peer.association
        why = f"association {peer.number} {association.state}: {association.reason}"
        peer.side.lost(association.reason)
        self._peers.remove(peer)
        self._over.append(why)
        try:
            self._epoll.unregister(association.fileno())
        except (OSError, ValueError) as error:  # its descriptor may be gone already
            log.debug("association %d: %s", peer.number, error)
        if association.state == "lost":
            self._broken = True
            log.error("%s", why)
            if self._on_lost is not None:
                self._on_lost(why)
        else:
            log.info("%s", why)

    def _answer(self, peer: _Peer) -> None:
        """Send what the association's state machine wants sent, on stream 0 (RFC 4666 1.4.7)."""
        self._send(peer, peer.side.pending())

    def _send(self, peer: _Peer, out: list[bytes]) -> None:
        if not out:
            return
        try:
            peer.association.send(MessageBatch.from_messages(out, 0))
        except AssociationLost as error:
            log.warning("association %d: %d answers lost: %s", peer.number, len(out), error)

    # ------------------------------------------------------------------ messages

    def _read(self, peer: _Peer, batch: MessageBatch) -> BehaviourBatch | None:
        received_ns = self._clock.stamp_ns()
        rows = self._decoders.decode(batch.data, batch.offsets, self._ni)
        n, _ = tally(rows)
        if n != batch.n:
            self._control(peer, batch, rows)
            if n == 0:
                return None
        self._counts.received += n
        peer.received += n
        peer.beats.received += n
        if peer.side.state is not AspState.ACTIVE:
            # RFC 4666 4.3.4.3: DATA before ASP ACTIVE is discarded.
            self._counts.rejects.add("data_while_inactive", n)
            first = int(np.flatnonzero(_is_data(rows))[0])
            self._counts.rejects.keep("data_while_inactive", batch.message(first), peer.number, self._now())
            return None
        if self._lockstep:
            if self._pending + len(batch.data) > MAX_PENDING:
                self._counts.rejects.add("backlog", n)
                return None
            self._pending += len(batch.data)
            peer.beats.arrived.append(Arrived(batch.data, batch.offsets, rows))
            return None
        now_us = self._clock.now_us()
        times = np.full(batch.n, now_us, dtype=np.int64)
        behaviours = self.correlator.feed(batch.data, batch.offsets, rows, times, received_ns)
        self._judge(peer.number, batch.data, batch.offsets, rows, None)
        if len(behaviours):
            behaviours["decoded_ns"] = self._clock.stamp_ns()
        return behaviours

    def _control(self, peer: _Peer, batch: MessageBatch, rows: RowBatch) -> None:
        """What is not DATA: the association's own messages, and what is no M3UA at all."""
        answered = 0
        for i in np.flatnonzero(~_is_data(rows)).tolist():
            octets = batch.message(i)
            self._counts.other += 1
            if self._lockstep and len(octets) == _BEAT_LENGTH and octets.startswith(BEAT):
                # The beats of lockstep come by the hundred thousand: a way around the state machine, in which
                # every state takes a BEAT and stays as it is.
                self._counts.beats += 1
                if not peer.beats.beat(octets[len(BEAT) :]):
                    self._reject(peer.number, "beat_data", octets)
                continue
            error = int(rows["error"][i])
            if error:
                self._reject(peer.number, ERROR_NAMES[error], octets)
                answered += 1
                if answered > ANSWERED_GARBAGE:
                    continue
            for event in peer.side.receive(octets, time.monotonic_ns()):
                match event:
                    case Beat(beat):
                        self._counts.beats += 1
                        self._reject(peer.number, "beat_data", octets)
                        peer.side.acknowledge_beat(beat)
                    case AspUp() | AspActive() | AspInactive() | Down():
                        log.info("association %d: %s", peer.number, event)
                    case Garbage():
                        if not error:
                            self._reject(peer.number, "m3ua_content", octets)
                    case Unexpected():
                        self._reject(peer.number, "m3ua_unexpected", octets)
                    case PeerError(code):
                        self._counts.rejects.add("peer_error")
                        log.warning("association %d: ERR %#04x from the peer", peer.number, code)
                    case _:
                        log.debug("association %d: %s", peer.number, event)
        self._answer(peer)
        if peer.gate.closed and peer in self._peers:
            self._peers.remove(peer)
            self._epoll.unregister(peer.association.fileno())
            show_out(peer.association, tell=False)

    def _judge(
        self,
        source: int,
        data: bytes,
        offsets: NDArray[np.int64],
        rows: RowBatch,
        order: NDArray[np.int64] | None,
    ) -> None:
        """Count rows by error kind, after the correlator has put segments together."""
        if order is not None and len(order) != len(rows):
            offsets_of, rows = order, rows[order]
        else:
            offsets_of = None
        n, right = tally(rows)
        self._counts.decoded += right
        if n == right:
            return
        errors = rows["error"]
        for i in np.flatnonzero(_is_data(rows) & (errors != 0)).tolist():
            kind = ERROR_NAMES[int(errors[i])]
            self._counts.rejects.add(kind)
            if self._counts.rejects.wants(kind):
                at = i if offsets_of is None else int(offsets_of[i])
                self._counts.rejects.keep(kind, data[offsets[at] : offsets[at + 1]], source, self._now())

    def _reject(self, source: int, kind: str, octets: bytes) -> None:
        self._counts.rejects.add(kind)
        self._counts.rejects.keep(kind, octets, source, self._now())

    def _now(self) -> int:
        return self._clock.now_us()

    # ------------------------------------------------------------------ taps

    def _read_taps(self, taps: Taps) -> list[BehaviourBatch]:
        """What comes next of the taps; what else waits is for the next call, so that nobody else waits."""
        taken = taps.take(patient=False)
        found = [] if taken is None else [self._tapped(taken)]
        self._say_ends(taps)
        if taken is not None:
            taps.wake()
        return [batch for batch in found if len(batch)]

    def _tapped(self, taken: Taken) -> BehaviourBatch:
        """The messages of a tap. What is not DATA is between others, and only counted."""
        messages, source, received_ns = taken.messages, -taken.tap, self._clock.stamp_ns()
        rows = self._decoders.decode(messages.data, messages.offsets, self._ni)
        n, _ = tally(rows)
        self._counts.received += n
        if n != messages.n:
            self._counts.other += messages.n - n
            errors = rows["error"]
            for i in np.flatnonzero(~_is_data(rows) & (errors != 0)).tolist():
                self._reject(source, ERROR_NAMES[int(errors[i])], messages.message(i))
        behaviours = self.correlator.feed(messages.data, messages.offsets, rows, taken.t_unix_us, received_ns)
        self._judge(source, messages.data, messages.offsets, rows, None)
        self._tap_now_us = max(self._tap_now_us, int(taken.t_unix_us[-1]))
        if len(behaviours):
            behaviours["decoded_ns"] = self._clock.stamp_ns()
        return behaviours

    def _say_ends(self, taps: Taps) -> None:
        for said, problem in taps.ended():
            self._over.append(said)
            if problem:
                self._counts.rejects.add("capture_damaged")
                log.error("%s", said)
            else:
                log.info("%s", said)

    def _reached_us(self) -> int:
        """The time that no source will go back behind, for what waits for a message that it overtook."""
        clock_us = self._clock.now_us()
        if self._taps is None:
            return clock_us
        taps_us = self._taps.now_us()
        if taps_us is None:  # all are at their end: nothing of them is overtaken any more
            return max(clock_us, self._tap_now_us + self._hold_us)
        return min(taps_us, clock_us) if self._peers else taps_us

    def _tap_tick(self, ticks: TapTicks, taps: Taps) -> Tick | None:
        found = ticks.next()
        self._say_ends(taps)
        return None if found is None else Tick(found[0], found[1], found[0] - self._epoch_us)

    # ------------------------------------------------------------------ lockstep

    def _tick(self) -> Tick | None:
        """The next tick, if every active association has reached its barrier; time is the least of them."""
        if self._ticks is not None and self._taps is not None:
            return self._tap_tick(self._ticks, self._taps)
        active = [peer for peer in self._peers if peer.side.state is AspState.ACTIVE]
        if not active:
            return None
        world_us = -1
        for peer in active:
            barrier = peer.beats.barrier()
            if barrier is None:
                return None
            if world_us < 0 or barrier.world_us < world_us:
                world_us = barrier.world_us
        taken = [(peer, placed) for peer in active if (placed := peer.beats.take(world_us)) is not None]
        now_us = self._epoch_us + world_us
        behaviours = [self._place(peer, placed) for peer, placed in merge(taken)]
        behaviours.append(self.correlator.expire(now_us))
        self._look_at_links(now_us)
        found = concatenate([batch for batch in behaviours if len(batch)] or [empty()])
        self._pending = sum(len(part.data) for peer in self._peers for part in peer.beats.arrived)
        return Tick(now_us, found, world_us)

    def _place(self, peer: _Peer, placed: Placed) -> BehaviourBatch:
        part, order = placed.part, placed.order
        times = placed.world_us + self._epoch_us
        behaviours = self.correlator.feed(part.data, part.offsets, part.rows, times, 0, order)
        self._judge(peer.number, part.data, part.offsets, part.rows, order)
        return behaviours


def _is_data(rows: RowBatch) -> NDArray[np.bool_]:
    is_data: NDArray[np.bool_] = (rows["m3ua_class"] == _DATA_CLASS) & (rows["m3ua_type"] == _DATA_TYPE)
    return is_data
