"""Handsets and the people behind them: a long message is put together, read, perhaps answered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import simpy

from sim.bssap import gsm7
from sim.bssap.errors import EncodeError
from sim.network import mms_notification, tpdus
from sim.network.kernel import Network
from sim.network.messages import Deliver, MmsSubmit
from sim.network.mms import MultimediaCentre
from sim.network.smsc import Part, ServiceCentre, Story
from sim.subscribers.offers import CHANNELS
from smpp.errors import SmppError
from smpp.push import MMS_TYPE, PUSH_PORT
from smpp.push import read as read_push

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

    def moment(self, **facts: int) -> Any:
        """What somebody is in the middle of: the facts of a contact, and `day`."""

    def decide(
        self, sub: int, offer: str, ordinal: int, moment: Any, recent_contacts: int, channel: str
    ) -> DecisionLike: ...
    def tells(self, sub: int, offer: str) -> Sequence[tuple[int, int]]:
        """Friends who take it up on this person's word, and after how many microseconds."""


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
        *,
        cell_name: Callable[[int], str],
        able: Callable[[int, int, str], bool],
    ) -> None:
        """Nobody has anything yet.

        `offers`: originator -> offer that its messages make; `people` None: nobody reacts to anything.
        `cell_name`: LAC-CI of a cell. `able(sub, t_us, what)`: whether a handset can "wap" or "mms".
        """
        self.env = env
        self.network = network
        self.centre = centre
        self.recorder = recorder
        self.people = people
        self._epoch_unix_us = epoch_unix_us
        self._offers = offers
        self._cell_name, self._able = cell_name, able
        self.desk: Callable[[int, str, int], None] = lambda sub, offer, t_us: None
        """Told who orders on a friend's word: subscriber, offer, microseconds."""
        self.multimedia: MultimediaCentre | None = None
        """Told of notifications; None where there is no such centre."""
        self._open: dict[tuple[int, str, int, int, bool], dict[int, Any]] = {}
        self._times: defaultdict[int, list[int]] = defaultdict(list)
        self._counts: defaultdict[tuple[int, str], int] = defaultdict(int)
        self._taken: set[tuple[int, str]] = set()
        self._replies = 0

    def received(self, part: Part) -> None:
        """A part is in the handset; the last one makes the contact."""
        source, sub = part.submit.source, part.sub
        self.network.settle(part.t_us)
        row = part_row(part, self.network.number(sub), self._epoch_unix_us, self._cell(sub))
        data = tpdus.user_data(part.body, part.header)
        pushed = data.ports is not None and data.ports[0] == PUSH_PORT
        pieces = self._pieces((sub, source, row["reference"], row["parts"], pushed), row["part"])
        pieces[row["part"]] = data.payload if pushed else row["text"]
        whole = len(pieces) == row["parts"]
        if pushed:
            self._pushed(part, row, pieces if whole else None)
            return
        self.recorder.parts([row.copy()])
        if whole:
            del row["part"]
            self._contact({**row, "text": "".join(pieces[k] for k in sorted(pieces))}, part.t_us, sub, source)

    def _pieces(self, key: tuple[int, str, int, int, bool], number: int) -> dict[int, Any]:
        """What there is of a message, this part to come; a whole one is not waited for any more."""
        pieces = self._open.setdefault(key, {})
        if len(pieces.keys() | {number}) == key[3]:
            del self._open[key]
        return pieces

    def _pushed(self, part: Part, row: Row, pieces: dict[int, bytes] | None) -> None:
        """Something for the push port: a link to show, or the notice of a multimedia message.

        A notice is nothing that people see; the message is, once it has been fetched. The text of a link
        stands in the row of the part that completes it.
        """
        said, received = "", None
        if pieces is not None:
            try:
                received = read_push(b"".join(pieces[k] for k in sorted(pieces)))
            except SmppError:
                received = None  # the handset throws it away
        if received is not None and received.push.content_type == MMS_TYPE:
            try:
                notice = mms_notification.decode(received.push.data)
            except ValueError:
                return
            if self.multimedia is not None:
                self.multimedia.notified(notice.location)
            return
        if received is not None and received.content is not None:
            content = received.content
            texts = (getattr(content, "text", ""), content.href)
            said = " ".join(text for text in texts if text)
        self.recorder.parts([{**row, "text": said}])
        if said and self._able(part.sub, part.t_us, "wap"):
            del row["part"]
            self._contact({**row, "text": said}, part.t_us, part.sub, part.submit.source)

    def shows(self, sub: int, ability: str) -> bool:
        """Whether the handset that somebody has now can do something."""
        return self._able(sub, int(self.env.now), ability)

    def retrieved(self, sub: int, submit: MmsSubmit, t_us: int, taken_us: int) -> None:
        """A multimedia message has been fetched: one row of `parts`, and somebody reads it."""
        row: Row = {
            "t_us": t_us + self._epoch_unix_us,
            "sub": sub,
            "msisdn": self.network.number(sub),
            "source": submit.source,
            "smsc_us": taken_us // 1_000_000 * 1_000_000 + self._epoch_unix_us,
            "reference": -1,
            "parts": 1,
            "text": " ".join(text for text in (submit.subject, submit.text) if text),
            "channel": "mms",
            "cell": self._cell(sub),
        }
        self.recorder.parts([{**row, "part": 1}])
        self._contact(row, t_us, sub, submit.source)

    def _cell(self, sub: int) -> str:
        return self._cell_name(self.network.station(sub).cell)

    def organic(self, sub: int, offer: str, *, tells: bool = True) -> bool:
        """Takes an offer up without being asked; False: has it already. `tells`: friends hear of the wish."""
        if tells:
            self._tell(sub, offer)
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
        at_cell, day = station.cell, t_us // 1_000_000 // _DAY_S
        times = self._times[sub]
        recent = sum(1 for t in times if t_us - t < RECENT_US)
        offer = self._offers.get(source, "")
        if not offer:  # no campaign's: a confirmation
            return
        ordinal, channel = self._counts[sub, offer], CHANNELS.index(row["channel"])
        facts = {"offer": offer, **moment, "recent_contacts": recent, "ordinal": ordinal, "channel": channel}
        facts["at_cell"] = at_cell
        self.recorder.contacts([{**row, **facts}])
        times.append(t_us)
        self._counts[sub, offer] = ordinal + 1
        if self.people is not None:
            then = self.people.moment(**moment, cell=at_cell, day=day)
            decision = self.people.decide(sub, offer, ordinal, then, recent, row["channel"])
            if decision.take_up or decision.complain or decision.reply_text:
                self.env.process(self._react(sub, source, offer, decision))

    def _tell(self, sub: int, offer: str) -> None:
        """Somebody who came to it first-hand speaks of it."""
        for friend, delay_us in self.people.tells(sub, offer) if self.people is not None else ():
            self.env.process(self._follow(friend, offer, delay_us))

    def _follow(self, sub: int, offer: str, delay_us: int) -> Story:
        """Takes an offer up on a friend's word."""
        yield self.env.timeout(delay_us)
        if self.organic(sub, offer, tells=False):
            self.desk(sub, offer, int(self.env.now))

    def _react(self, sub: int, source: str, offer: str, decision: DecisionLike) -> Story:
        """Thinks about it; takes it up, complains, or says stop; answers by short message."""
        yield self.env.timeout(decision.delay_us)
        has_it = (sub, offer) in self._taken
        take_up = decision.take_up and not has_it
        reply = "" if decision.take_up and has_it else decision.reply_text
        if decision.take_up:
            self._tell(sub, offer)
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


def part_row(part: Part, msisdn: str, epoch_unix_us: int, cell: str) -> Row:
    """One SMS-DELIVER as the handset of this number shows it: a row of the table `parts`."""
    data = tpdus.user_data(part.body, part.header)
    text, which = data.text or "", data.concatenation
    pushed = data.ports is not None and data.ports[0] == PUSH_PORT
    return {
        "t_us": part.t_us + epoch_unix_us,
        "sub": part.sub,
        "msisdn": msisdn,
        "source": part.submit.source,
        "smsc_us": part.smsc_us + epoch_unix_us,
        "reference": which.reference if which else -1,
        "part": which.part if which else 1,
        "parts": which.total if which else 1,
        "text": "" if pushed else text,
        "channel": "wap" if pushed else "sms",
        "cell": cell,
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
