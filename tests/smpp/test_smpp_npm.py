"""Against npm `smpp`, which nobody here wrote: as SMSC for our client, and as ESME of our SMSC."""

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from queue import Empty, Queue

import pytest

from experiments.bench.smpp import node_environment
from experiments.problems import BadInput
from smpp import pdu, receipt
from smpp.aio import (
    BindRefused,
    EsmeClient,
    NotSent,
    OutbindListener,
    OutcomeUnknown,
    Reconnect,
    Refused,
    SmscServer,
)
from smpp.push import ServiceIndication
from smpp.push import split as split_push
from smpp.session import SessionConfig
from smpp.status import ESM_UDHI, CommandStatus, MessageState
from smpp.text import How, Part, Reassembler, split
from smpp.tlv import get_int, get_octets

pytestmark = pytest.mark.npm

LONG = "尊敬的客户，您乘坐的航班可能延误，漫游套餐九折，回复1办理。😀" * 5
EXTENDED = "{x} [y] ~5€ ^|\\ @£Δ"
CONFIG = SessionConfig(throttle_first_s=0.01, response_timeout_s=5, enquire_link_s=0.3)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment in which node finds the package `smpp`, fetched for this run of the tests if need be."""
    try:
        return node_environment(tmp_path_factory.mktemp("npm"))
    except BadInput as reason:
        pytest.skip(str(reason))


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

    def hear(self, event: str, timeout: float = 15.0) -> dict:
        """What it says next of `event`; what it said before of other things is passed over."""
        end = time.monotonic() + timeout
        while True:
            try:
                said = self.said.get(timeout=max(0.01, end - time.monotonic()))
            except Empty:
                raise AssertionError(f"the npm peer did not say {event!r}") from None
            assert "error" not in said, said
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


@pytest.fixture
def smsc(peer: Callable[..., NodePeer]) -> tuple[NodePeer, int]:
    """Npm's SMSC and its port."""
    found = peer("smsc")
    return found, found.hear("listening")["port"]


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 60))


def submit_of(part: Part, **more: object) -> pdu.SubmitSm:
    values = {
        "source_addr": "1008601",
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "destination_addr": "8613900012345",
        "validity_period": "061123163000032+",
        "esm_class": part.esm_class,
        "data_coding": part.data_coding,
        "short_message": part.short_message,
        "tlvs": part.tlvs,
    }
    return pdu.SubmitSm(**{**values, **more})


def say(word: str, **more: object) -> pdu.SubmitSm:
    """A message that tells npm_peer.js what to do."""
    return submit_of(split(word)[0], **more)


# ---- npm as SMSC


@pytest.mark.parametrize("both", [True, False], ids=["transceiver", "transmitter and receiver"])
def test_submits_receipts_and_unbind_both_ways_to_bind(smsc: tuple[NodePeer, int], both: bool) -> None:
    npm, port = smsc

    async def story() -> None:
        receipts: asyncio.Queue[pdu.DeliverSm] = asyncio.Queue()

        def client(bind: pdu.Bind) -> EsmeClient:
            return EsmeClient(
                bind,
                host="127.0.0.1",
                port=port,
                config=CONFIG,
                on_deliver=lambda body: receipts.put_nowait(body) or 0,
            )

        if both:
            clients = [client(pdu.BindTransceiver("kairos", "secret"))]
        else:
            clients = [
                client(pdu.BindReceiver("kairos", "secret")),
                client(pdu.BindTransmitter("kairos", "secret")),
            ]
        kinds = ["bind_transceiver"] if both else ["bind_receiver", "bind_transmitter"]
        for one, kind in zip(clients, kinds, strict=True):
            await one.start()
            assert npm.hear(kind)["system_id"] == "kairos"
        sender = clients[-1]
        heard = []
        for part in split(LONG, reference=200):
            response = await sender.submit(submit_of(part, registered_delivery=1))
            said = npm.hear("submit_sm")
            assert said["message_id"] == response.message_id
            assert (said["data_coding"], said["esm_class"], said["payload"]) == (8, ESM_UDHI, False)
            heard.append(said["text"])
            body = await asyncio.wait_for(receipts.get(), 15)
            assert receipt.is_receipt(body)
            found = receipt.from_deliver(body)
            assert (found.message_id, found.state) == (response.message_id, MessageState.DELIVERED)
            assert npm.hear("deliver_sm_resp")["status"] == 0
        assert "".join(heard) == LONG
        with pytest.raises(Refused, match="ESME_RINVDSTADR"):
            await sender.submit(pdu.SubmitSm(destination_addr="0"))
        for one in clients:
            await one.close()
            npm.hear("unbind")
        with pytest.raises(BindRefused, match="ESME_RINVPASWD"):
            await client(pdu.BindTransmitter("kairos", "no")).start()

    run(story)


def with_client(smsc: tuple[NodePeer, int], **options: object) -> Callable[[Callable], None]:
    """Decorates a story of npm and a bound transceiver, and runs it."""
    npm, port = smsc

    def decorate(story: Callable[[NodePeer, EsmeClient], Awaitable[None]]) -> None:
        async def whole() -> None:
            bind = pdu.BindTransceiver("kairos", "secret")
            client = EsmeClient(bind, host="127.0.0.1", port=port, **{"config": CONFIG, **options})
            await client.start()
            try:
                await story(npm, client)
            finally:
                await client.close()

        run(whole)

    return decorate


@pytest.mark.parametrize("how", ["sar", "payload"])
def test_long_messages_that_npm_is_to_cut_or_to_number(smsc: tuple[NodePeer, int], how: How) -> None:
    @with_client(smsc)
    async def story(npm: NodePeer, client: EsmeClient) -> None:
        parts = split(LONG, reference=300, how=how)
        assert len(parts) == (1 if how == "payload" else 3)
        said = []
        for part in parts:
            await client.submit(submit_of(part))
            said.append(npm.hear("submit_sm"))
        assert "".join(one["text"] for one in said) == LONG
        assert all(one["payload"] == (how == "payload") for one in said)
        if how == "sar":
            assert [one["sar"] for one in said] == [[300, 3, 1], [300, 3, 2], [300, 3, 3]]


def test_extension_characters_and_a_push(smsc: tuple[NodePeer, int]) -> None:
    @with_client(smsc)
    async def story(npm: NodePeer, client: EsmeClient) -> None:
        await client.submit(submit_of(split(EXTENDED)[0]))
        said = npm.hear("submit_sm")
        assert (said["text"], said["data_coding"]) == (EXTENDED, 0)
        (part,) = split_push(ServiceIndication("x", "http://www.a.com/"))
        await client.submit(submit_of(part))
        said = npm.hear("submit_sm")
        assert said["udh"] == "05040b8423f0"
        assert bytes.fromhex(said["text"]) == part.short_message[7:]


@pytest.mark.parametrize("word", ["throttle", "full"])
def test_refusals_that_mean_later_are_tried_again_until_taken(smsc: tuple[NodePeer, int], word: str) -> None:
    @with_client(smsc)
    async def story(npm: NodePeer, client: EsmeClient) -> None:
        answers = await asyncio.gather(*(client.submit(say(f"{word} {i}")) for i in range(20)))
        assert len({one.message_id for one in answers}) == 20
        texts = sorted(npm.hear("submit_sm")["text"] for _ in range(20))
        assert texts == sorted(f"{word} {i}" for i in range(20))
        assert client.counters.throttled > 0


def test_answers_in_another_order_find_their_requests(smsc: tuple[NodePeer, int]) -> None:
    @with_client(smsc)
    async def story(npm: NodePeer, client: EsmeClient) -> None:
        answers = await asyncio.gather(*(client.submit(say(f"backwards {i}")) for i in range(5)))
        told = {(said := npm.hear("submit_sm"))["text"]: said["message_id"] for _ in range(5)}
        assert [one.message_id for one in answers] == [told[f"backwards {i}"] for i in range(5)]


def test_query_replace_cancel(smsc: tuple[NodePeer, int]) -> None:
    @with_client(smsc)
    async def story(npm: NodePeer, client: EsmeClient) -> None:
        message_id = (await client.submit(say("first"))).message_id
        assert (await client.query_sm(pdu.QuerySm(message_id))).message_state == MessageState.ENROUTE
        await client.replace_sm(pdu.ReplaceSm(message_id, short_message=b"second"))
        assert npm.hear("replace_sm")["text"] == "second"
        await client.cancel_sm(pdu.CancelSm(message_id=message_id))
        for request, status in (
            (client.query_sm(pdu.QuerySm("n9")), "ESME_RINVMSGID"),
            (client.replace_sm(pdu.ReplaceSm("n9")), "ESME_RREPLACEFAIL"),
            (client.cancel_sm(pdu.CancelSm(message_id="n0")), "ESME_RCANCELFAIL"),
        ):
            with pytest.raises(Refused, match=status):
                await request


def test_an_smsc_that_vanishes_between_submit_and_response(smsc: tuple[NodePeer, int]) -> None:
    """Its outcome is unknown and it is never sent again; what had not gone out goes after the return."""

    @with_client(smsc, config=SessionConfig(window=1), reconnect=Reconnect(0.05, 0.2))
    async def story(npm: NodePeer, client: EsmeClient) -> None:
        lost, next_one = client.send(say("vanish")), client.send(say("after"))
        with pytest.raises(OutcomeUnknown):
            await lost
        assert isinstance(await next_one, pdu.SubmitSmResp)
        await client.submit(say("last"))
        assert client.counters.binds == 2
        texts = [npm.hear("submit_sm")["text"] for _ in range(3)]
        assert texts == ["vanish", "after", "last"]


def test_an_smsc_that_does_not_answer(smsc: tuple[NodePeer, int]) -> None:
    @with_client(smsc, config=SessionConfig(response_timeout_s=0.3))
    async def story(npm: NodePeer, client: EsmeClient) -> None:
        with pytest.raises(OutcomeUnknown, match=r"no response within 0\.3 s"):
            await client.submit(say("silence"))
        await client.submit(say("spoken"))
        assert client.counters.binds == 1


def test_an_smsc_that_unbinds_is_come_back_to(smsc: tuple[NodePeer, int]) -> None:
    @with_client(smsc, reconnect=Reconnect(0.05, 0.2))
    async def story(npm: NodePeer, client: EsmeClient) -> None:
        await client.submit(say("leave"))
        assert (await asyncio.to_thread(npm.hear, "unbind_resp"))["status"] == 0
        await asyncio.to_thread(npm.hear, "close")
        await client.submit(say("back"))
        assert (client.counters.binds, client.counters.losses) == (2, 0)


def test_an_idle_link_is_tried(smsc: tuple[NodePeer, int]) -> None:
    @with_client(smsc)
    async def story(npm: NodePeer, client: EsmeClient) -> None:
        await asyncio.to_thread(npm.hear, "enquire_link")
        await asyncio.to_thread(npm.hear, "enquire_link")
        assert client.bound


def test_a_killed_smsc_and_nobody_in_its_place(peer: Callable[..., NodePeer]) -> None:
    npm = peer("smsc")
    port = npm.hear("listening")["port"]

    @with_client((npm, port), reconnect=Reconnect(0.02, 0.05))
    async def story(npm: NodePeer, client: EsmeClient) -> None:
        await client.submit(say("here"))
        npm.process.kill()
        while client.bound:
            await asyncio.sleep(0.01)
        with pytest.raises(NotSent, match="no bound connection"):
            await client.send(say("there"), unsent_after_s=0.3)


# ---- npm as ESME


@pytest.mark.parametrize("kind", ["bind_transceiver", "bind_transmitter"])
def test_npm_submits_to_our_smsc(peer: Callable[..., NodePeer], desk, kind: str) -> None:
    esme = peer("esme", str(desk.server.port), kind, "50")
    assert esme.hear("bound") == {"event": "bound", "status": 0, "system_id": "SMSC"}
    answers = [esme.hear("submit_sm_resp") for _ in range(57)]
    assert {one["status"] for one in answers} == {0}
    assert {one["message_id"] for one in answers} == {f"m{i}" for i in range(1, 58)}
    assert esme.hear("query_sm_resp") == {
        "event": "query_sm_resp",
        "status": 0,
        "state": MessageState.ENROUTE,
    }
    assert esme.hear("cancel_sm_resp")["status"] == CommandStatus.ESME_RCANCELFAIL
    assert esme.hear("replace_sm_resp")["status"] == CommandStatus.ESME_ROK
    assert desk.replaced[0].short_message == b"x"
    joiner = Reassembler()
    texts = [
        joiner.add(
            one.source_addr,
            one.destination_addr,
            one.esm_class,
            one.data_coding,
            one.short_message,
            0,
            one.tlvs,
        )
        for one in desk.submits
    ]
    long = "尊敬的客户，漫游套餐九折。" * 12
    assert texts[:50] == [f"您好 {i}" for i in range(50)]
    assert texts[50:] == ["{x} [y] ~5€ @£Δ", long, None, long, None, None, long]
    assert get_octets(desk.submits[51].tlvs, "message_payload") == long.encode("utf-16-be")
    assert get_int(desk.submits[52].tlvs, "sar_msg_ref_num") == 300


@pytest.mark.parametrize("kind", ["bind_transceiver", "bind_receiver"])
@pytest.mark.parametrize("how", ["header", "payload"])
def test_our_smsc_delivers_to_npm(peer: Callable[..., NodePeer], desk, kind: str, how: How) -> None:
    esme = peer("esme", str(desk.server.port), kind, "0")
    esme.hear("bound")
    heard = []
    for part in split(LONG, reference=77, how=how):
        body = pdu.DeliverSm(
            source_addr="8613900012345",
            destination_addr="1008601",
            esm_class=part.esm_class,
            data_coding=part.data_coding,
            short_message=part.short_message,
            tlvs=part.tlvs,
        )
        assert desk.run(desk.deliver(body)) == (pdu.DeliverSmResp(), 0)
        heard.append(esme.hear("deliver_sm")["text"])
    assert "".join(heard) == LONG
    desk.run(desk.server.close())
    esme.hear("close")


# ---- outbind


def test_our_smsc_calls_npm(peer: Callable[..., NodePeer], desk) -> None:
    esme = peer("called")
    port = esme.hear("listening")["port"]
    desk.run(desk.server.outbind("127.0.0.1", port, pdu.Outbind("SMSC", "call")))
    assert esme.hear("outbind") == {"event": "outbind", "system_id": "SMSC", "password": "call"}
    assert esme.hear("bound")["status"] == 0
    (part,) = split("好的")
    body = pdu.DeliverSm(data_coding=part.data_coding, short_message=part.short_message)
    assert desk.run(desk.deliver(body)) == (pdu.DeliverSmResp(), 0)
    assert esme.hear("deliver_sm")["text"] == "好的"


def test_npm_calls_our_esme(peer: Callable[..., NodePeer]) -> None:
    async def story() -> None:
        delivered: asyncio.Queue[pdu.DeliverSm] = asyncio.Queue()
        listener = OutbindListener(
            pdu.BindReceiver("kairos", "secret"),
            lambda body: (body.system_id, body.password) == ("npm", "call"),
            lambda body: delivered.put_nowait(body) or 0,
        )
        listener.listen("127.0.0.1")
        npm = peer("calls", str(listener.port))
        body = await asyncio.wait_for(delivered.get(), 15)
        assert body.short_message.decode("utf-16-be") == "好的"
        assert npm.hear("deliver_sm_resp")["status"] == 0
        assert listener.bound == 1
        await listener.close()
        npm.hear("close")

    run(story)


def test_our_smsc_calls_our_esme_and_who_may_not_is_hung_up_on() -> None:
    async def story() -> None:
        listener = OutbindListener(
            pdu.BindReceiver("kairos", "secret"),
            lambda body: body.password == "call",
            lambda body: 0,
            config=SessionConfig(session_init_s=0.3),
        )
        listener.listen("127.0.0.1")
        server = SmscServer(lambda peer, body: (pdu.SubmitSmResp(), 0))
        for password in ("wrong", "call"):
            await server.outbind("127.0.0.1", listener.port, pdu.Outbind("SMSC", password))
        _, silent = await asyncio.open_connection("127.0.0.1", listener.port)
        while listener.turned_away < 2:
            await asyncio.sleep(0.02)
        assert (listener.bound, len(server.peers)) == (1, 1)
        (esme,) = server.peers
        assert await esme.send(pdu.DeliverSm(short_message=b"x")) == (pdu.DeliverSmResp(), 0)
        silent.close()
        await server.close()
        await listener.close()

    run(story)
