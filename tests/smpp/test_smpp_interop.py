"""Against SMPP that nobody here wrote: smpplib as client of our SMSC, npm `smpp` as SMSC and as ESME."""

import asyncio
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue

import pytest
import smpplib.client
import smpplib.consts
import smpplib.exceptions
import smpplib.gsm

from smpp import pdu, receipt
from smpp.aio import Answer, BindRefused, EsmeClient, Peer, Refused, SmscServer
from smpp.session import SessionConfig
from smpp.status import CommandStatus, MessageState
from smpp.text import Reassembler, decode_text, split

LONG = "尊敬的客户，您乘坐的航班可能延误，漫游套餐九折，回复1办理。😀" * 5


# ---- smpplib, client


class Desk:
    """Our SMSC on a thread, for clients that block."""

    def __init__(self) -> None:
        self.submits: list[pdu.SubmitSm] = []
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
        assert isinstance(body, pdu.SubmitSm)
        if self.throttle:
            return pdu.SubmitSmResp(), CommandStatus.ESME_RTHROTTLED
        self.submits.append(body)
        return pdu.SubmitSmResp(f"m{len(self.submits)}"), 0

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    async def deliver(self, body: pdu.DeliverSm) -> Answer:
        return await self.server.peers[0].send(body)

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


@pytest.fixture
def client(desk: Desk) -> Iterator[smpplib.client.Client]:
    client = smpplib.client.Client("127.0.0.1", desk.server.port, allow_unknown_opt_params=True)
    client.connect()
    yield client
    client.disconnect()


def submit(client: smpplib.client.Client, **values: object) -> object:
    found: list[object] = []
    client.set_message_sent_handler(lambda pdu: found.append(pdu))
    client.send_message(
        source_addr="1008601", destination_addr="8613900012345", dest_addr_ton=1, dest_addr_npi=1, **values
    )
    client.read_once()
    return found[0]


@pytest.mark.parametrize("kind", ["transmitter", "transceiver"])
def test_smpplib_submits_long_ucs2(desk: Desk, client: smpplib.client.Client, kind: str) -> None:
    getattr(client, f"bind_{kind}")(system_id="kairos", password="secret")
    parts, coding, esm_class = smpplib.gsm.make_parts(LONG, smpplib.consts.SMPP_ENCODING_ISO10646)
    for number, part in enumerate(parts, start=1):
        answer = submit(
            client, data_coding=coding, esm_class=esm_class, short_message=part, registered_delivery=True
        )
        assert answer.message_id == f"m{number}".encode()
    joiner = Reassembler()
    texts = [
        joiner.add(
            one.source_addr, one.destination_addr, one.esm_class, one.data_coding, one.short_message, 0.0
        )
        for one in desk.submits
    ]
    assert texts == [None] * (len(parts) - 1) + [LONG]
    client.unbind()


def test_smpplib_receives_our_parts(desk: Desk, client: smpplib.client.Client) -> None:
    client.bind_receiver(system_id="kairos", password="secret")
    got: list[bytes] = []
    client.set_message_received_handler(lambda pdu: got.append(pdu.short_message))
    parts = split(LONG, reference=9)
    for part in parts:
        body = pdu.DeliverSm(
            source_addr="8613900012345",
            destination_addr="1008601",
            esm_class=part.esm_class,
            data_coding=part.data_coding,
            short_message=part.short_message,
        )
        waiting = asyncio.run_coroutine_threadsafe(desk.deliver(body), desk.loop)
        client.read_once()
        assert waiting.result(5) == (pdu.DeliverSmResp(), 0)
    assert b"".join(one[6:] for one in got).decode("utf-16-be") == LONG


def test_smpplib_hears_refusals(desk: Desk, client: smpplib.client.Client) -> None:
    with pytest.raises(smpplib.exceptions.PDUError, match="Invalid Password"):
        client.bind_transceiver(system_id="kairos", password="wrong")
    client.bind_transceiver(system_id="kairos", password="secret")
    desk.throttle = True
    with pytest.raises(smpplib.exceptions.PDUError, match="Throttling"):
        submit(client, short_message=b"x")
    desk.throttle = False
    assert submit(client, short_message=b"x").message_id == b"m1"
    states: list[int] = []
    client.set_query_resp_handler(lambda pdu: states.append(pdu.message_state))
    client.query_message(message_id="m1", source_addr_ton=0, source_addr_npi=0, source_addr="1008601")
    client.read_once()
    assert states == [MessageState.ENROUTE]


# ---- npm smpp


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment in which node finds the package `smpp`."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    for place in (os.environ.get("NODE_PATH", ""), *_installed_places()):
        environment = os.environ | {"NODE_PATH": place}
        found = subprocess.run(
            ["node", "-e", "require('smpp')"], env=environment, capture_output=True, check=False
        )
        if found.returncode == 0:
            return environment
    if os.environ.get("KAIROS_NPM") != "1" or shutil.which("npm") is None:
        pytest.skip(
            "npm package smpp is not installed; KAIROS_NPM=1 lets the test install it in a temporary folder"
        )
    folder = tmp_path_factory.mktemp("npm")
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), "smpp@0.5.1"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"npm install smpp failed: {done.stderr.strip()[-200:]}")
    return os.environ | {"NODE_PATH": str(folder / "node_modules")}


def _installed_places() -> list[str]:
    if shutil.which("npm") is None:
        return []
    found = subprocess.run(["npm", "root", "-g"], capture_output=True, text=True, check=False)
    return [found.stdout.strip()] if found.returncode == 0 else []


class NodePeer:
    """A running npm_peer.js and what it says."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        script = Path(__file__).with_name("npm_peer.js")
        self.process = subprocess.Popen(
            ["node", str(script), *arguments], env=environment, stdout=subprocess.PIPE, text=True
        )
        self.said: Queue[dict] = Queue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.put(json.loads(line))

    def hear(self, event: str, timeout: float = 10.0) -> dict:
        end = time.monotonic() + timeout
        while True:
            try:
                said = self.said.get(timeout=max(0.01, end - time.monotonic()))
            except Empty:
                raise AssertionError(f"the npm peer did not say {event!r}") from None
            if said.get("event") == event:
                return said

    def close(self) -> None:
        self.process.kill()
        self.process.wait(5)
        self.reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def peer(node: dict[str, str]) -> Iterator[Callable[..., NodePeer]]:
    started: list[NodePeer] = []

    def start(*arguments: str) -> NodePeer:
        started.append(NodePeer(node, *arguments))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.mark.npm
def test_npm_smsc_takes_our_submits_and_sends_receipts(peer: Callable[..., NodePeer]) -> None:
    smsc = peer("smsc")
    port = smsc.hear("listening")["port"]

    async def story() -> None:
        receipts: asyncio.Queue[pdu.DeliverSm] = asyncio.Queue()
        client = EsmeClient(
            pdu.BindTransceiver("kairos", "secret"),
            host="127.0.0.1",
            port=port,
            on_deliver=lambda body: receipts.put_nowait(body) or 0,
            config=SessionConfig(throttle_first_s=0.01, enquire_link_s=0.3),
        )
        await client.start()
        assert smsc.hear("bind_transceiver")["system_id"] == "kairos"
        parts = split(LONG, reference=200)
        heard = []
        for part in parts:
            response = await client.submit(
                pdu.SubmitSm(
                    source_addr="1008601",
                    dest_addr_ton=1,
                    dest_addr_npi=1,
                    destination_addr="8613900012345",
                    validity_period="061123163000032+",
                    registered_delivery=1,
                    esm_class=part.esm_class,
                    data_coding=part.data_coding,
                    short_message=part.short_message,
                )
            )
            said = smsc.hear("submit_sm")
            assert said["message_id"] == response.message_id
            assert said["data_coding"] == 8
            heard.append(said["text"])
            body = await asyncio.wait_for(receipts.get(), 15)
            assert receipt.is_receipt(body)
            found = receipt.from_deliver(body)
            assert (found.message_id, found.state) == (response.message_id, MessageState.DELIVERED)
            assert smsc.hear("deliver_sm_resp")["status"] == 0
        assert "".join(heard) == LONG
        with pytest.raises(Refused, match="ESME_RINVDSTADR"):
            await client.submit(pdu.SubmitSm(destination_addr="0"))
        with pytest.raises(Refused, match="ESME_RCANCELFAIL"):
            await client.cancel_sm(pdu.CancelSm(message_id="n1"))
        await asyncio.gather(
            *(client.submit(pdu.SubmitSm(destination_addr="1", short_message=b"throttle")) for _ in range(20))
        )
        assert client.counters.throttled > 0
        await asyncio.sleep(0.7)
        smsc.hear("enquire_link")
        await client.close()
        smsc.hear("unbind")
        with pytest.raises(BindRefused, match="ESME_RINVPASWD"):
            await EsmeClient(pdu.BindTransmitter("kairos", "no"), host="127.0.0.1", port=port).start()

    asyncio.run(asyncio.wait_for(story(), 60))


@pytest.mark.npm
def test_npm_esme_submits_to_our_smsc_and_is_delivered_to(peer: Callable[..., NodePeer], desk: Desk) -> None:
    esme = peer("esme", str(desk.server.port), "50")
    assert esme.hear("bound") == {"event": "bound", "status": 0, "system_id": "SMSC"}
    assert esme.hear("submitted") == {"event": "submitted", "message_id": "m50", "status": 0}
    texts = [decode_text(one.short_message, one.data_coding) for one in desk.submits]
    assert texts == [f"您好 {i}" for i in range(50)]
    part = split("好的")[0]
    body = pdu.DeliverSm(
        source_addr="8613900012345",
        destination_addr="1008601",
        data_coding=part.data_coding,
        short_message=part.short_message,
    )
    assert desk.run(desk.deliver(body)) == (pdu.DeliverSmResp(), 0)
    assert esme.hear("deliver_sm")["text"] == "好的"


@pytest.mark.npm
def test_our_client_against_npm_is_as_fast_as_npm_against_itself(
    peer: Callable[..., NodePeer], record_property: Callable[[str, object], None]
) -> None:
    own = peer("measure", "4000").said.get(timeout=30)["per_s"]
    port = peer("smsc").hear("listening")["port"]

    async def story() -> float:
        client = EsmeClient(
            pdu.BindTransceiver("kairos", "secret"),
            host="127.0.0.1",
            port=port,
            config=SessionConfig(window=128),
        )
        await client.start()
        body = pdu.SubmitSm(source_addr="1008601", destination_addr="8613900012345", short_message=b"load")
        best = 0.0
        for _ in range(2):
            began = time.perf_counter()
            await asyncio.gather(*(client.send(body) for _ in range(4000)))
            best = max(best, 4000 / (time.perf_counter() - began))
        await client.close()
        return best

    ours = asyncio.run(asyncio.wait_for(story(), 30))
    record_property("npm_against_itself_per_s", round(own))
    record_property("our_client_against_npm_per_s", round(ours))
    assert ours > min(5000, 0.8 * own), f"{ours:.0f} submit_sm/s, npm against itself {own:.0f}"
