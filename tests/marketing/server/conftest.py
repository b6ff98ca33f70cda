"""A whole platform in this process: a real SMSC session over a socket pair, behaviours by hand."""

import asyncio
import contextlib
import json
import os
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml

from marketing.behaviours import BehaviourBatch, concatenate, empty
from marketing.config import load_config
from marketing.server import Doors, Server
from smpp import pdu
from smpp.aio import SmscServer
from smpp.receipt import Receipt
from smpp.status import ESM_RECEIPT, CommandStatus, MessageState
from smpp.text import Reassembler, encode_text
from smpp.tlv import get_text, make

TOKEN = "the-operator-of-these-tests"


@dataclass
class HandMadeTick:
    t_unix_us: int
    behaviours: BehaviourBatch


class HandMadeSignalling:
    """Fits the server's SignallingSource; the test pushes, the server polls."""

    def __init__(self):
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        self._lock = threading.Lock()
        self._items: list[Any] = []
        self.acknowledged = threading.Semaphore(0)
        self.due_s = None
        self.status = "up"
        self.received = 0

    def fileno(self):
        return self._read

    def push(self, item):
        with self._lock:
            self._items.append(item)
        os.write(self._write, b"x")

    def lose(self):
        self.status = "lost"
        os.write(self._write, b"x")

    def poll(self):
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)
        with self._lock:
            items, self._items = self._items, []
        self.received += len(items)
        return items

    def acknowledge(self, tick):
        self.acknowledged.release()

    def flush(self):
        return empty()

    def address(self):
        return {"transport": "by hand"}

    def report(self):
        return {"received": self.received, "decoded": self.received, "errors": {}}

    def state(self):
        return self.status

    def close(self):
        os.close(self._read)
        os.close(self._write)


@dataclass
class Centre:
    """The message centre's end; runs on its own loop and thread."""

    submits: list[pdu.SubmitSm] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)
    cancels: list[str] = field(default_factory=list)
    answer: Any = None
    """submit_sm -> command status, or None for the default."""
    withholds: bool = False
    """While it does, submissions are taken and not answered."""
    parts: Reassembler = field(default_factory=Reassembler)

    def __post_init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.ours, self.theirs = socket.socketpair()
        self.server = SmscServer(self._take)
        self.run(self.server.adopt(self.ours))

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(40)

    def listen(self):
        self.run(self.server.listen("127.0.0.1"))
        return self.server.port

    def _take(self, peer, body):
        if isinstance(body, pdu.CancelSm):
            self.cancels.append(body.message_id)
            return pdu.CancelSmResp(), CommandStatus.ESME_ROK
        status = self.answer(body) if self.answer else CommandStatus.ESME_ROK
        contact_id = get_text(body.tlvs, "contact_id")
        same = sum(get_text(s.tlvs, "contact_id") == contact_id for s in self.submits)
        self.submits.append(body)
        self.arrived.append(time.monotonic_ns())
        answer = pdu.SubmitSmResp(f"{contact_id}.{same + 1}" if not status else ""), status
        return self._later(answer) if self.withholds else answer

    async def _later(self, answer):
        while self.withholds:
            await asyncio.sleep(0.002)
        return answer

    def deliver(self, body):
        async def send():
            return await self.server.peers[0].send(body)

        return self.run(send())[1]

    def reply(self, msisdn, originator, text, t_us):
        data, coding = encode_text(text)
        return self.deliver(
            pdu.DeliverSm(
                source_addr=msisdn,
                destination_addr=originator,
                short_message=data,
                data_coding=coding,
                tlvs=(make("event_time", t_us),),
            )
        )

    def receipt(self, message_id, t_us, state=MessageState.DELIVERED):
        told = Receipt(message_id, state)
        return self.deliver(
            pdu.DeliverSm(
                source_addr="1",
                destination_addr="1008601",
                esm_class=ESM_RECEIPT,
                short_message=told.format().encode(),
                tlvs=(*told.tlvs(), make("event_time", t_us)),
            )
        )

    def texts(self):
        whole = []
        for s in self.submits:
            text = self.parts.add(
                s.source_addr, s.destination_addr, s.esm_class, s.data_coding, s.short_message, 0.0
            )
            if text is not None:
                whole.append((s.destination_addr, s.source_addr, text))
        return whole

    def close(self):
        self.run(self.server.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        for sock in (self.ours, self.theirs):
            sock.close()


class Platform:
    """The server on a thread, with everything around it."""

    def __init__(
        self,
        town,
        folder: Path,
        mode="lockstep",
        campaigns=("missed-call-alert", "airport-travel", "hang-up-sms"),
        by_hand=True,
        **changes,
    ):
        self.town, self.folder = town, folder
        self.orders: list[dict[str, Any]] = []
        self.boss_answers: list[int] = []
        self.centre = Centre()
        self.signalling = HandMadeSignalling() if by_hand else None
        people = ["imsi,msisdn,brand,often_off,often_rejects,services,language"]
        people += [f"{town.imsi(i):015d},{town.msisdn(i)},gotone,true,false,,zh" for i in range(20)]
        (folder / "people.csv").write_text("\n".join(people) + "\n")
        cells = [
            "lac,ci,place,kind",
            f"{town.AIRPORT[0]},{town.AIRPORT[1]},airport,macro",
            f"{town.HOME[0]},{town.HOME[1]},,macro",
        ]
        (folder / "cells.csv").write_text("\n".join(cells) + "\n")
        (folder / "token").write_text(TOKEN)
        values = {
            "clock": {"mode": mode, "epoch": "2009-03-02T00:00:00", "factor": 1.0},
            "http": {"port": 0, "token_file": "token"},
            "subscribers": "people.csv",
            "cells": "cells.csv",
            "campaigns": [str(town.SCENARIOS / "campaigns" / f"{name}.yaml") for name in campaigns],
            "policy": str(town.SCENARIOS / "policies" / "default.yaml"),
            "records": {"dir": "records"},
        }
        self.values = values
        self.write(**changes)
        self.server: Server
        self.thread: threading.Thread | None = None
        self.code: int | None = None

    def write(self, **changes):
        for key, value in changes.items():
            self.values[key] = {**self.values.get(key, {}), **value} if isinstance(value, dict) else value
        if self.values.get("smpp", {}).get("port") == "centre":
            self.values["smpp"]["port"] = self.centre.listen()
        (self.folder / "platform.yaml").write_text(yaml.safe_dump(self.values))

    @property
    def config(self):
        return load_config(self.folder / "platform.yaml")

    def start(self):
        # With an address of its own BOSS is asked over real HTTP.
        boss = None if "boss" in self.values else httpx.MockTransport(self._boss)
        self.server = Server(self.config, Doors(self.centre.theirs, boss, self.signalling))
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self.server.ready.wait(60)
        return self

    def _run(self):
        self.code = self.server.run()

    def _boss(self, request):
        status = self.boss_answers.pop(0) if self.boss_answers else 201
        self.orders.append({"status": status, **json.loads(request.content)})
        return httpx.Response(status, json=json.loads(request.content))

    def tick(self, until, *rows, timeout_s=40):
        self.tick_of(self.town.at(until), self.town.batch(*rows) if rows else empty(), timeout_s)

    def tick_of(self, until_us, batch, timeout_s=40):
        self.signalling.push(HandMadeTick(until_us, batch))
        assert self.signalling.acknowledged.acquire(timeout=timeout_s), (
            self.server.reason or "no acknowledgement"
        )

    @property
    def door(self):
        """Where HTTP is answered, and the header that opens everything."""
        at = self.server.addresses["http"]
        return f"http://127.0.0.1:{at['port']}", {"Authorization": f"Bearer {TOKEN}"}

    def push(self, *rows):
        self.signalling.push(concatenate([self.town.batch(*rows)]))

    def until(self, condition, timeout_s=40.0):
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.002)

    def stop(self):
        self.server.stop()
        self.thread.join(40)
        assert not self.thread.is_alive()
        return self.code

    def records(self):
        import pyarrow.parquet as pq

        folder = self.config.records.dir
        names = ("triggers", "behaviours", "ledger")
        tables = {name: pq.read_table(folder / f"{name}.parquet").to_pylist() for name in names}
        return SimpleNamespace(**tables, collector=json.loads((folder / "collector.json").read_text()))


@pytest.fixture
def platform(town, tmp_path):
    made: list[Platform] = []

    def make(**changes):
        folder = tmp_path / f"p{len(made)}"
        folder.mkdir()
        made.append(Platform(town, changes.pop("folder", folder), **changes))
        return made[-1].start()

    yield make
    for one in made:
        if one.thread is not None and one.thread.is_alive():
            one.stop()
        one.centre.close()


@pytest.fixture
def dormant(town, tmp_path):
    """A platform's files and surroundings, for starting it as a process."""
    made: list[Platform] = []

    def make(**changes):
        made.append(Platform(town, tmp_path, **changes))
        return made[-1]

    yield make
    for one in made:
        one.signalling.close()
        one.centre.close()
