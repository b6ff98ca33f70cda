"""Fixtures shared by the SMPP tests: Wireshark's decoder, our SMSC on a thread."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from experiments.judge.tshark import exported_pdus
from smpp import pdu
from smpp.aio import Answer, Peer, SmscServer
from smpp.status import CommandStatus, MessageState

TsharkWords = Callable[[Sequence[bytes]], list[str]]


@pytest.fixture(scope="session")
def tshark_words(tmp_path_factory: pytest.TempPathFactory) -> TsharkWords:
    """read(PDUs) -> what Wireshark writes of each in full; a complaint of its own fails the test."""
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed")

    def read(messages: Sequence[bytes]) -> list[str]:
        path: Path = tmp_path_factory.mktemp("tshark") / "messages.pcap"
        path.write_bytes(b"".join(exported_pdus(messages, "smpp")))
        command = [program, "-n", "-r", str(path)]
        complaints = ["-T", "fields", "-e", "_ws.malformed", "-e", "_ws.expert.message", "-e", "_ws.short"]
        said = subprocess.run(
            [*command, *complaints], capture_output=True, text=True, timeout=120, check=True
        )
        bad = [(messages[i].hex(), line) for i, line in enumerate(said.stdout.splitlines()) if line.strip()]
        assert not bad
        run = subprocess.run([*command, "-V"], capture_output=True, text=True, timeout=120, check=True)
        texts = run.stdout.split("\nFrame ")
        assert len(texts) == len(messages)
        return texts

    return read


class Desk:
    """Our SMSC on a thread, for clients that block."""

    def __init__(self) -> None:
        self.submits: list[pdu.SubmitSm] = []
        self.replaced: list[pdu.ReplaceSm] = []
        self.throttle = False
        self.loop = asyncio.new_event_loop()
        self.server = SmscServer(self.take, authenticate=self.let_in)
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.run(self.server.listen("127.0.0.1"))

    def let_in(self, bind: pdu.Bind) -> int:
        return CommandStatus.ESME_ROK if bind.password == "secret" else CommandStatus.ESME_RINVPASWD

    def take(self, peer: Peer, body: pdu.Body) -> Answer:
        if isinstance(body, pdu.QuerySm):
            return pdu.QuerySmResp(body.message_id, "", MessageState.ENROUTE), 0
        if isinstance(body, pdu.CancelSm):
            return pdu.CancelSmResp(), CommandStatus.ESME_RCANCELFAIL
        if isinstance(body, pdu.ReplaceSm):
            self.replaced.append(body)
            return pdu.ReplaceSmResp(), CommandStatus.ESME_ROK
        assert isinstance(body, pdu.SubmitSm)
        if self.throttle:
            return pdu.SubmitSmResp(), CommandStatus.ESME_RTHROTTLED
        self.submits.append(body)
        return pdu.SubmitSmResp(f"m{len(self.submits)}"), 0

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    async def deliver(self, body: pdu.DeliverSm) -> Answer:
        peer = self.server.receiver("kairos")
        assert peer is not None
        return await peer.send(body)

    def close(self) -> None:
        self.run(self.server.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()
