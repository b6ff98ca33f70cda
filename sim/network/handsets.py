"""Handsets and the people behind them: a long message is put together, read, perhaps answered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import simpy

from sim.bssap import gsm7
from sim.bssap.errors import EncodeError
from sim.network import tpdus
from sim.network.kernel import Network
from sim.network.messages import Deliver
from sim.network.smsc import Part, ServiceCentre, Story

Row = dict[str, Any]

RECENT_US: Final = 30 * 86_400_000_000
"""Contacts of the last thirty days are recent."""
_ASLEEP_US: Final = 60_000_000  # how often somebody without service looks at the display
_DAY_S: Final = 86_400


class DecisionLike(Protocol):
    """What somebody does about a contact: `sim.subscribers.response.Decision`."""

    @property
    def take_up(self) -> bool: ...
    @property
    def delay_us(self) -> int: ...
    @property
    def reply_text(self) -> str: ...
    @property
    def complain(self) -> bool: ...
    @property
    def opt_out(self) -> bool: ...


class People(Protocol):
    """How people decide; the run binds it to the response model."""

    def moment(
        self, since_power_on_us: int, since_service_call_us: int, place: int, dwell_us: int, local_second: int
    ) -> Any: ...
    def decide(
        self, sub: int, offer: str, ordinal: int, moment: Any, recent_contacts: int
    ) -> DecisionLike: ...


class Recorder(Protocol):
    """Where the facts go, one row each, times in Unix microseconds."""

    def parts(self, rows: list[Row]) -> None: ...
    def contacts(self, rows: list[Row]) -> None: ...
    def responses(self, rows: list[Row]) -> None: ...


class Handsets:
    """All handsets, as far as contacts are concerned."""

    def __init__(
        self,
        env: simpy.Environment,
        network: Network,
        centre: ServiceCentre,
        recorder: Recorder,
        epoch_unix_us: int,
        offers: Mapping[str, str],
        people: People | None,
    ) -> None:
        """`offers`: originator -> offer that its messages make; `people` None: nobody reacts to anything."""
        self.env = env
        self.network = network
        self.centre = centre
        self.recorder = recorder
        self.people = people
        self._epoch_unix_us = epoch_unix_us
        self._offers = offers
        self._open: dict[tuple[int, str, int, int], dict[int, str]] = {}
        self._times: defaultdict[int, list[int]] = defaultdict(list)
        self._counts: defaultdict[tuple[int, str], int] = defaultdict(int)
        self._taken: set[tuple[int, str]] = set()
        self._replies = 0

    def received(self, part: Part) -> None:
        """A part is in the handset; the last one makes the contact."""
        source, sub = part.submit.source, part.sub
        row = part_row(part, self.network.number(sub), self._epoch_unix_us)
        self.recorder.parts([row.copy()])
        number, total = row.pop("part"), row["parts"]
        key = (sub, source, row["reference"], total)
        pieces = self._open.setdefault(key, {})
        pieces[number] = row["text"]
        if len(pieces) < total:
            return
        del self._open[key]
        whole = "".join(pieces[k] for k in sorted(pieces))
        self._contact({**row, "text": whole}, part.t_us, sub, source)

    def organic(self, sub: int, offer: str) -> bool:
        """Takes an offer up without being asked; False: has it already."""
        if (sub, offer) in self._taken:
            return False
        self._taken.add((sub, offer))
        self._respond(sub, offer, "organic", "", take_up=True)
        return True

    def _contact(self, row: Row, t_us: int, sub: int, source: str) -> None:
        """Somebody reads a whole message."""
        self.network.settle(t_us)
        station = self.network.station(sub)
        since_on, since_call = station.power_on_us, station.service_call_us
        moment: Row = {
            "since_power_on_us": t_us - since_on if since_on >= 0 else -1,
            "since_service_call_us": max(0, t_us - since_call) if since_call >= 0 else -1,
            "place": station.place,
            "dwell_us": t_us - station.place_since_us,
            "local_second": t_us // 1_000_000 % _DAY_S,
        }
        times = self._times[sub]
        recent = sum(1 for t in times if t_us - t < RECENT_US)
        offer = self._offers.get(source, "")
        ordinal = self._counts[sub, offer]
        self.recorder.contacts(
            [{**row, "offer": offer, **moment, "recent_contacts": recent, "ordinal": ordinal, "channel": 0}]
        )
        if not offer:
            return
        times.append(t_us)
        self._counts[sub, offer] = ordinal + 1
        if self.people is not None:
            decision = self.people.decide(sub, offer, ordinal, self.people.moment(**moment), recent)
            if decision.take_up or decision.complain or decision.reply_text:
                self.env.process(self._react(sub, source, offer, decision))

    def _react(self, sub: int, source: str, offer: str, decision: DecisionLike) -> Story:
        """Thinks about it; takes it up, complains, or says stop; answers by short message."""
        yield self.env.timeout(decision.delay_us)
        has_it = (sub, offer) in self._taken
        take_up = decision.take_up and not has_it
        reply = "" if decision.take_up and has_it else decision.reply_text
        if take_up:
            self._taken.add((sub, offer))
        if take_up or decision.complain or reply:
            self._respond(
                sub,
                offer,
                "contact",
                reply,
                take_up=take_up,
                complain=decision.complain,
                opt_out=decision.opt_out,
            )
        if reply:
            yield from self._reply(sub, source, reply)

    def _reply(self, sub: int, source: str, text: str) -> Story:
        """A short message to the access code, when there is service; handed on at RP-ACK."""
        body, env = tpdus.text_body(text), self.env
        while True:
            now_us = int(env.now)
            self.network.settle(now_us)
            outcome, at_us = self.network.send(now_us, sub, source, body)
            if outcome == "delivered":
                break
            yield env.timeout(_ASLEEP_US if outcome == "absent" else max(at_us - now_us, 1))
        yield env.timeout(at_us - now_us)
        self._replies += 1
        data, coding = smpp_text(text)
        number = self.network.number(sub)
        self.centre.tell(
            Deliver(
                t_us=at_us,
                stable_id=f"reply {number} {self._replies}",
                kind="reply",
                source=number,
                destination=source,
                data=data,
                data_coding=coding,
            )
        )

    def _respond(
        self, sub: int, offer: str, source: str, reply: str, *, take_up: bool, complain: bool = False,
        opt_out: bool = False,
    ) -> None:  # fmt: skip
        self.recorder.responses(
            [
                {
                    "t_us": int(self.env.now) + self._epoch_unix_us,
                    "sub": sub,
                    "offer": offer,
                    "source": source,
                    "reply": reply,
                    "take_up": take_up,
                    "complain": complain,
                    "opt_out": opt_out,
                }
            ]
        )


def part_row(part: Part, msisdn: str, epoch_unix_us: int) -> Row:
    """One SMS-DELIVER as the handset of this number shows it: a row of the table `parts`."""
    text, which = tpdus.body_text(part.body, part.header)
    return {
        "t_us": part.t_us + epoch_unix_us,
        "sub": part.sub,
        "msisdn": msisdn,
        "source": part.submit.source,
        "smsc_us": part.smsc_us + epoch_unix_us,
        "reference": which.reference if which else -1,
        "part": which.part if which else 1,
        "parts": which.total if which else 1,
        "text": text,
    }


def organic_story(
    env: simpy.Environment,
    handsets: Handsets,
    times: list[tuple[int, int, str]],
    order: Callable[[int, str, int], None],
) -> Story:
    """Everybody who takes something up without being asked, in the order of the times (time, sub, offer)."""
    for t_us, sub, offer in times:
        if t_us > env.now:
            yield env.timeout(t_us - env.now)
        if handsets.organic(sub, offer):
            order(sub, offer, t_us)


def smpp_text(text: str) -> tuple[bytes, int]:
    """A short text as SMPP user data: one septet an octet, or UCS2; and its data_coding."""
    try:
        return bytes(gsm7.encode_text(text)), 0
    except EncodeError:
        return text.encode("utf-16-be"), tpdus.UCS2_CODING
