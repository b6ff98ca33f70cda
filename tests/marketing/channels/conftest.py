"""Real peers of every channel, and a wire to them that can be cut."""

import asyncio
import contextlib
import csv
import socket
import threading
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

import mm7
from marketing.channels import (
    DeskChannel,
    FileChannel,
    MmsChannel,
    Outgoing,
    SmppLink,
    SmsChannel,
    WapChannel,
)
from marketing.config import SmppConfig
from marketing.config_channels import MmsConfig
from sim.backoffice.mmsc import Mmsc
from sim.network.messages import MmsReport
from smpp import pdu
from smpp.aio import SmscServer
from smpp.push import read as read_push
from smpp.receipt import Receipt as SmppReceipt
from smpp.session import SessionConfig
from smpp.status import ESM_RECEIPT, CommandStatus, MessageState
from smpp.text import Reassembler
from smpp.times import decode_time
from smpp.tlv import get_text, make

NOW_US = 1_181_030_400_000_000
"""2007-06-05, 16:00 in Shanghai."""
VALID_US = NOW_US + 3_600_000_000


@dataclass
class Got:
    """One contact as the peer has it, whole."""

    contact_id: str
    originator: str
    msisdn: str
    text: str
    valid_until_s: int
    extra: dict = field(default_factory=dict)


class Wire:
    """Everything between channel and peer goes through here: it can be down, or cut before the answer."""

    def __init__(self):
        self.peer_port = 0
        self.cut_before_answer = False
        self.connections = 0
        self.port = 0
        self._ends = []
        self._threads = []

    async def up(self):
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listening.getsockname()[1]
        self._begin(self._accept, self._listening)

    async def down(self):
        # accept() of another thread does not see a close: it is woken by a shutdown.
        for one in [self._listening, *self._ends]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        threads, self._threads = self._threads, []
        for thread in threads:
            await asyncio.to_thread(thread.join)
        for one in [self._listening, *self._ends]:
            one.close()
        self._ends.clear()

    def _begin(self, work, *arguments):
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listening):
        while True:
            try:
                ours, _ = listening.accept()
            except OSError:
                return
            self.connections += 1
            there = socket.create_connection(("127.0.0.1", self.peer_port))
            self._ends += [ours, there]
            self._begin(self._pass, ours, there, True)
            self._begin(self._pass, there, ours, False)

    def _pass(self, source, sink, to_peer):
        with contextlib.suppress(OSError):
            while octets := source.recv(65536):
                if self.cut_before_answer and not to_peer:
                    break
                sink.sendall(octets)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class SmppPeer:
    """`smpp.aio.SmscServer` behind the wire."""

    channel_type = SmsChannel

    def __init__(self, folder):
        self.wire, self.inbound, self.bound = Wire(), [], []
        self.statuses = []
        self.parts = Reassembler()
        self.got: list[Got] = []
        self.cancelled: list[str] = []
        self._numbers = {}

    async def start(self):
        self.server = SmscServer(self._take, config=SessionConfig(window=1000))
        await self.server.listen("127.0.0.1")
        self.wire.peer_port = self.server.port
        await self.wire.up()
        config = SmppConfig(host="127.0.0.1", port=self.wire.port, window=50)
        note = lambda bound, reason: self.bound.append(bound)  # noqa: E731
        self.channel = self.channel_type(SmppLink(config, lambda: NOW_US, self.inbound.append, note))
        await self.channel.start()

    async def close(self):
        await self.channel.close()
        await self.wire.down()
        await self.server.close()

    def refuse(self, times):
        self.statuses += [CommandStatus.ESME_RINVDSTADR] * times

    def throttle(self, times):
        self.statuses += [CommandStatus.ESME_RTHROTTLED] * times

    def _take(self, peer, body):
        if isinstance(body, pdu.CancelSm):
            known = body.message_id in self._numbers
            self.cancelled += [body.message_id] if known else []
            return pdu.CancelSmResp(), 0 if known else CommandStatus.ESME_RCANCELFAIL
        if self.statuses:
            return pdu.SubmitSmResp(), self.statuses.pop(0)
        contact_id = get_text(body.tlvs, "contact_id")
        message_id = f"{contact_id}.{sum(m.startswith(contact_id) for m in self._numbers) + 1}"
        self._numbers[message_id] = body
        whole = self.parts.add_octets(
            body.source_addr, body.destination_addr, body.esm_class, body.data_coding, body.short_message, 0.0
        )
        if whole is not None:
            text, extra = self.understand(whole)
            valid_s = decode_time(body.validity_period, 0) // 1_000_000
            self.got.append(Got(contact_id, body.source_addr, body.destination_addr, text, valid_s, extra))
        return pdu.SubmitSmResp(message_id), 0

    def understand(self, whole):
        coding = {8: "utf-16-be"}.get(whole.data_coding)
        from smpp.text import decode_text

        return (whole.data.decode(coding) if coding else decode_text(whole.data, whole.data_coding)), {}

    async def report(self, message_id, state="delivered"):
        told = SmppReceipt(
            message_id, {"delivered": MessageState.DELIVERED, "expired": MessageState.EXPIRED}[state]
        )
        body = pdu.DeliverSm(
            source_addr="1", destination_addr="1008601", esm_class=ESM_RECEIPT,
            short_message=told.format().encode(), tlvs=(*told.tlvs(), make("event_time", NOW_US)),
        )  # fmt: skip
        await self.server.peers[0].send(body)


class WapPeer(SmppPeer):
    channel_type = WapChannel

    def understand(self, whole):
        received = read_push(whole.data)
        assert whole.ports.destination == 2948
        return received.content.text, {"url": received.content.href, "expires": received.content.si_expires_s}


class MmsPeer:
    """The simulator's MMSC behind the wire."""

    def __init__(self, folder):
        self.wire, self.inbound, self.bound = Wire(), [], []
        self.statuses = []
        self.cancelled: list[str] = []
        self._got: list[Got] = []

    async def start(self):
        self.mmsc = Mmsc(user="kairos", password="s3cret", decide=self._decide)
        self.wire.peer_port = self.mmsc.port
        await self.wire.up()
        config = MmsConfig(
            url=f"http://127.0.0.1:{self.wire.port}/mm7", user="kairos", password="s3cret", port=0,
            peer_user="mmsc", peer_password="other", timeout_s=30.0,
        )  # fmt: skip
        note = lambda bound, reason: self.bound.append(bound)  # noqa: E731
        self.channel = MmsChannel(config, lambda: NOW_US, self.inbound.append, note)
        await self.channel.start()
        self.mmsc.reports_to(f"http://127.0.0.1:{self.channel.port}/", "mmsc", "other")

    async def close(self):
        await self.channel.close()
        await self.wire.down()
        await asyncio.to_thread(self.mmsc.close)

    def refuse(self, times):
        self.statuses += [mm7.Status(mm7.StatusCode.ADDRESS_NOT_FOUND)] * times

    def throttle(self, times):
        self.statuses += [mm7.Status(mm7.StatusCode.SERVICE_UNAVAILABLE)] * times

    def _decide(self, request):
        return self.statuses.pop(0) if self.statuses else mm7.Status()

    @property
    def got(self):
        for one in self.mmsc.take_submits():
            extra = {"subject": one.subject, "parts": one.parts}
            valid_s = one.until_us // 1_000_000
            self._got.append(Got(one.contact_id, one.source, one.destination, one.text, valid_s, extra))
        self.cancelled += [one.message_id for one in self.mmsc.take_cancels()]
        return self._got

    async def report(self, message_id, state="delivered"):
        status = {"delivered": "Retrieved", "expired": "Expired"}[state]
        one = MmsReport(NOW_US, message_id.removeprefix("mms:"), status, "1008601", "8613900000001")
        await asyncio.to_thread(self.mmsc.deliver, [one])


class FilePeer:
    """A desk that looks into the folder of its channel."""

    def __init__(self, folder, name):
        self.folder, self.inbound, self.bound = folder / name, [], []
        self.name = name
        self.cancelled: list[str] = []

    async def start(self):
        note = lambda bound, reason: self.bound.append(bound)  # noqa: E731
        self.channel = FileChannel(
            self.name, self.folder, lambda: NOW_US, self.inbound.append, ZoneInfo("Asia/Shanghai"), 0.0,
            on_bound=note,
        )  # fmt: skip
        await self.channel.start()

    async def close(self):
        await self.channel.close()

    def refuse(self, times):
        (self.folder / "out").rename(self.folder / "away")  # no such folder: nothing can be written

    @property
    def got(self):
        if (self.folder / "away").exists():
            (self.folder / "away").rename(self.folder / "out")
        found = []
        for path in sorted((self.folder / "out").glob("[!.]*.csv")):
            with path.open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    until_s = int(datetime.fromisoformat(row["valid_until"]).timestamp())
                    names = ("contact_id", "originator", "msisdn", "text")
                    found.append(Got(*(row[name] for name in names), until_s, row))
        return found


class ScreenPeer:
    """A desk's screens."""

    def __init__(self, folder, name):
        self.name, self.inbound, self.bound = name, [], []

    async def start(self):
        self.channel = DeskChannel(self.name)
        await self.channel.start()

    async def close(self):
        await self.channel.close()

    @property
    def got(self):
        return [
            Got(m.contact_id, m.originator, m.msisdn, m.text, m.valid_until_us // 1_000_000)
            for m in self.channel.screens.values()
        ]


FILES = ("outbound", "bulk-sms", "email", "direct-mail")
PEERS = (
    {"sms": SmppPeer, "wap": WapPeer, "mms": MmsPeer}
    | {name: partial(FilePeer, name=name) for name in FILES}
    | {name: partial(ScreenPeer, name=name) for name in ("hall", "hotline", "web")}
)


def message(name="sms", number=1, text="您好，回复1开通。Hello!", **changes):
    values = {
        "contact_id": f"{number:016x}", "channel": name, "originator": "1008601",
        "msisdn": f"86139{number:08d}", "text": text, "valid_until_us": VALID_US, "campaign": "alert",
        "offer": "alert-pack",
    }  # fmt: skip
    if name == "wap":
        values["url"] = "http://wap.example.com/news"
    if name == "mms":
        values["subject"] = "新手机"
    return Outgoing(**values | changes)


@pytest.fixture
def desk(tmp_path: Path):
    """`run(name, story)`: plays an asynchronous story with a channel's peer, everything closed afterwards."""

    def run(name, story):
        async def whole():
            peer = PEERS[name](tmp_path)
            await peer.start()
            try:
                await asyncio.wait_for(story(peer), 60)
            finally:
                await peer.close()

        asyncio.run(whole())

    return SimpleNamespace(run=run, message=message, NOW_US=NOW_US, VALID_US=VALID_US, peers=PEERS)
