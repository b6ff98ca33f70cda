"""The multimedia message centre towards handsets: each message a process of its own.

A handset is notified by a push in a short message, over the air interface like any other; it fetches the
message over packet data, which the A interface does not show, if it can, while it is switched on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import simpy

from sim.network import mms_notification
from sim.network.kernel import Network
from sim.network.messages import MmsReport, MmsSubmit, Submit
from sim.network.smsc import DEFAULT_VALIDITY_US, ServiceCentre, Story
from smpp.push import MMS_TYPE, MMS_UA, Push, application_id, split

__all__ = ["LOCATION", "MultimediaCentre", "Retriever"]

LOCATION: Final = "http://mmsc.kairos.example/"
"""Before the id of a message: where handsets fetch it."""
_FETCH_US: Final = (1_500_000, 6_000_000)  # notification shown to message there: least, and range above it
_LOOK_US: Final = 60_000_000  # how often one that is switched off in between is looked at again


class Retriever(Protocol):
    """Who shows what is fetched; `sim.network.handsets.Handsets`."""

    def shows(self, sub: int, ability: str) -> bool: ...
    def retrieved(self, sub: int, submit: MmsSubmit, t_us: int, taken_us: int) -> None: ...


@dataclass(slots=True)
class _Entry:
    submit: MmsSubmit
    notified: simpy.Event
    taken_back: simpy.Event


class MultimediaCentre:
    """Messages taken from the platform and not yet in a final state, and what is to be told of them."""

    def __init__(
        self,
        env: simpy.Environment,
        network: Network,
        centre: ServiceCentre,
        handsets: Retriever,
        sub_of_msisdn: Callable[[str], int],
    ) -> None:
        """Notifications go by way of the service centre of short messages."""
        self.env = env
        self._network, self._centre, self._handsets = network, centre, handsets
        self._sub_of_msisdn = sub_of_msisdn
        self._held: dict[str, _Entry] = {}
        self._outgoing: list[MmsReport] = []

    def take(self, submit: MmsSubmit, t_us: int) -> None:
        """A message arrives at `t_us`, which is not before now."""
        entry = _Entry(submit, self.env.event(), self.env.event())
        self._held[submit.message_id] = entry
        self.env.process(self._carry(entry, t_us))

    def cancel(self, message_id: str) -> bool:
        """Takes a message back; False: it is in a final state already, or unknown."""
        entry = self._held.pop(message_id, None)
        if entry is None:
            return False
        entry.taken_back.succeed()
        return True

    def notified(self, location: str) -> None:
        """A handset has the notification of the message at a location."""
        entry = self._held.get(location.removeprefix(LOCATION))
        if entry is not None and not entry.notified.triggered:
            entry.notified.succeed()

    def outgoing(self) -> list[MmsReport]:
        """What is to be told since the last call, in the order (time, message id)."""
        out, self._outgoing = self._outgoing, []
        return sorted(out, key=lambda report: (report.t_us, report.message_id))

    def _carry(self, entry: _Entry, t_us: int) -> Story:
        """The life of one message in the centre."""
        submit, env = entry.submit, self.env
        until_us = submit.until_us if submit.until_us is not None else t_us + DEFAULT_VALIDITY_US
        if t_us > env.now:
            yield env.timeout(t_us - env.now)
        sub = self._sub_of_msisdn(submit.destination)
        if sub < 0 or until_us <= env.now:
            self._final(entry, "Rejected" if sub < 0 else "Expired")
            return
        notices = self._notify(submit, t_us, until_us)
        yield from self._wait(entry, until_us, entry.notified)
        if entry.notified.triggered and self._handsets.shows(sub, "mms"):
            words = self._network.chance(sub, "smsc")
            wake_us = int(env.now) + _FETCH_US[0] + (words[0] * _FETCH_US[1] >> 32)
            while True:
                yield from self._wait(entry, min(wake_us, until_us))
                now_us = int(env.now)
                if entry.taken_back.triggered or now_us >= until_us:
                    break
                self._network.settle(now_us)
                if self._network.station(sub).on:
                    self._handsets.retrieved(sub, submit, now_us, t_us)
                    self._final(entry, "Retrieved")
                    return
                wake_us = now_us + _LOOK_US
        else:  # a handset that cannot show it leaves the notification unanswered
            yield from self._wait(entry, until_us)
        if entry.taken_back.triggered:
            for notice in notices:
                self._centre.cancel(notice)
            return
        self._final(entry, "Expired")

    def _notify(self, submit: MmsSubmit, t_us: int, until_us: int) -> list[str]:
        """Hands the notification to the service centre; ids of its parts."""
        notification = mms_notification.Notification(
            transaction_id=submit.message_id,
            location=f"{LOCATION}{submit.message_id}",
            sender=submit.source,
            size=sum(octets for _, _, octets in submit.parts),
            expiry_s=max(0, (until_us - t_us) // 1_000_000),
            subject=submit.subject,
        )
        push = Push(MMS_TYPE, mms_notification.encode(notification), (application_id(MMS_UA),), charset=None)
        reference = sum(submit.message_id.encode()) & 0xFF
        parts = split(push, reference=reference)
        ids = []
        for number, part in enumerate(parts, 1):
            notice = Submit(
                message_id=f"{submit.message_id}.notice.{number}",
                contact_id=submit.contact_id,
                part=number,
                parts=len(parts),
                source=submit.source,
                destination=submit.destination,
                data=part.short_message,
                data_coding=part.data_coding,
                esm_class=part.esm_class,
                validity_until_us=until_us,
                receipt=False,
            )
            ids.append(notice.message_id)
            self._centre.take(notice, t_us)
        return ids

    def _wait(self, entry: _Entry, until_us: int, event: simpy.Event | None = None) -> Story:
        """Until a time, or the event, or until the message is taken back."""
        if until_us > self.env.now and not entry.taken_back.triggered:
            first = self.env.timeout(until_us - self.env.now) | entry.taken_back
            yield first if event is None else first | event

    def _final(self, entry: _Entry, status: str) -> None:
        submit = entry.submit
        self._held.pop(submit.message_id, None)
        if submit.report:
            self._outgoing.append(
                MmsReport(int(self.env.now), submit.message_id, status, submit.source, submit.destination)  # type: ignore[arg-type]
            )
