"""EsmeClient and SmscServer over real sockets and socketpairs."""

import asyncio
import random
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from smpp import pdu
from smpp.aio import (
    Answer,
    BindRefused,
    EsmeClient,
    NotConnected,
    NotSent,
    OutcomeUnknown,
    Peer,
    Reconnect,
    Refused,
    RequestHandler,
    SmscServer,
)
from smpp.errors import SessionError
from smpp.session import SessionConfig
from smpp.status import CommandStatus

BIND = pdu.BindTransceiver("kairos", "secret")
SUBMIT = pdu.SubmitSm(source_addr="1008601", destination_addr="8613900012345", short_message=b"hi" * 30)
FAST = SessionConfig(response_timeout_s=0.3, enquire_link_s=0.2, throttle_first_s=0.01, throttle_most_s=0.05)


def run(story: Callable[[], Awaitable[None]]) -> None:
    """Run a story that must not take long."""

    async def limited() -> None:
        await asyncio.wait_for(story(), 60)

    asyncio.run(limited())


def taker(seen: list[pdu.Body]) -> RequestHandler:
    def take(peer: Peer, body: pdu.Body) -> Answer:
        seen.append(body)
        response = pdu.response_class(body)
        assert response is not None
        return (pdu.SubmitSmResp(f"m{len(seen)}") if isinstance(body, pdu.SubmitSm) else response()), 0

    return take


@asynccontextmanager
async def served(handler: RequestHandler, **options) -> AsyncIterator[SmscServer]:
    server = SmscServer(handler, **options)
    await server.listen("127.0.0.1")
    try:
        yield server
    finally:
        await server.close()


@asynccontextmanager
async def bound(server: SmscServer | None = None, **options) -> AsyncIterator[EsmeClient]:
    where = {"host": "127.0.0.1", "port": server.port} if server else {}
    client = EsmeClient(BIND, **{"config": FAST, **where, **options})
    await client.start(5)
    try:
        yield client
    finally:
        await client.close()


@pytest.mark.parametrize("door", ["tcp", "socketpair"])
def test_both_directions(door: str) -> None:
    async def story() -> None:
        seen: list[pdu.Body] = []
        delivered: list[pdu.Body] = []
        changes: list[bool] = []
        async with served(taker(seen)) as server:
            options = {
                "on_deliver": lambda body: delivered.append(body) or 0,
                "on_bound": lambda on, reason: changes.append(on),
            }
            if door == "socketpair":
                ours, theirs = socket.socketpair()
                await server.adopt(ours)
                client = EsmeClient(BIND, sock=theirs, config=FAST, **options)
            else:
                client = EsmeClient(BIND, host="127.0.0.1", port=server.port, config=FAST, **options)
            await client.start()
            assert client.bound
            assert (await client.submit(SUBMIT)).message_id == "m1"
            await client.cancel_sm(pdu.CancelSm(message_id="m1"))
            assert await client.query_sm(pdu.QuerySm(message_id="m1")) == pdu.QuerySmResp()
            assert seen == [SUBMIT, pdu.CancelSm(message_id="m1"), pdu.QuerySm(message_id="m1")]
            (peer,) = server.peers
            assert peer.system_id == "kairos"
            assert await peer.send(pdu.DeliverSm(short_message=b"1")) == (pdu.DeliverSmResp(), 0)
            assert delivered == [pdu.DeliverSm(short_message=b"1")]
            await client.close()
            assert server.peers == ()
            assert changes == [True, False]
            with pytest.raises(NotSent):
                await client.submit(SUBMIT)

    run(story)


def test_handlers_may_answer_later_and_may_fail() -> None:
    async def story() -> None:
        async def slow(peer: Peer, body: pdu.Body) -> Answer:
            await asyncio.sleep(0.02)
            if isinstance(body, pdu.CancelSm):
                raise RuntimeError("out of order")
            return pdu.SubmitSmResp("later"), 0

        async def deliver(body: pdu.DeliverSm | pdu.DataSm) -> int:
            await asyncio.sleep(0.02)
            if isinstance(body, pdu.DataSm):
                raise RuntimeError("no")
            return CommandStatus.ESME_RX_T_APPN

        async with served(slow) as server, bound(server, on_deliver=deliver) as client:
            assert (await client.submit(SUBMIT)).message_id == "later"
            with pytest.raises(Refused, match="ESME_RSYSERR"):
                await client.cancel_sm(pdu.CancelSm(message_id="x"))
            assert server.handler_errors == 1
            (peer,) = server.peers
            assert (await peer.send(pdu.DeliverSm()))[1] == CommandStatus.ESME_RX_T_APPN
            assert (await peer.send(pdu.DataSm()))[1] == CommandStatus.ESME_RX_T_APPN
            assert client.counters.handler_errors == 1
            with pytest.raises(SessionError):
                peer.send(SUBMIT)

    run(story)


def test_a_wrong_password_is_told_at_once() -> None:
    async def story() -> None:
        async with served(taker([]), authenticate=lambda bind: CommandStatus.ESME_RINVPASWD) as server:
            client = EsmeClient(BIND, host="127.0.0.1", port=server.port)
            with pytest.raises(BindRefused, match="ESME_RINVPASWD"):
                await client.start(5)

    run(story)


def test_nobody_there_is_told_with_the_reason() -> None:
    async def story() -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        client = EsmeClient(BIND, host="127.0.0.1", port=port)
        with pytest.raises(NotConnected, match=rf"127\.0\.0\.1:{port} within 0\.3 s: connect"):
            await client.start(0.3)
        ours, theirs = socket.socketpair()
        theirs.close()
        with pytest.raises(NotConnected):
            await EsmeClient(BIND, sock=ours).start(1)

    run(story)


def test_a_refused_port_is_an_oserror() -> None:
    async def story() -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as taken,
            pytest.raises(OSError, match="address already in use"),
        ):
            await SmscServer(taker([])).listen("127.0.0.1", taken.getsockname()[1])

    run(story)


def test_the_client_comes_back_and_sends_what_waited() -> None:
    async def story() -> None:
        first: list[pdu.Body] = []
        second: list[pdu.Body] = []
        server = SmscServer(taker(first))
        await server.listen("127.0.0.1")
        port = server.port
        async with bound(server, reconnect=Reconnect(0.02, 0.05)) as client:
            await client.submit(SUBMIT)
            await server.close()
            while client.bound:
                await asyncio.sleep(0.005)
            waiting = client.send(SUBMIT)
            too_late = client.send(SUBMIT, unsent_after_s=0.03)
            with pytest.raises(NotSent, match="not sent in time"):
                await too_late
            assert client.outstanding == 1
            server = SmscServer(taker(second))
            await server.listen("127.0.0.1", port)
            response = await waiting
            assert isinstance(response, pdu.SubmitSmResp)
            assert (len(first), len(second), client.counters.binds) == (1, 1, 2)
        await server.close()

    run(story)


def test_a_connection_cut_under_requests_tells_sent_from_unsent() -> None:
    async def story() -> None:
        never: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        async def silent(peer: Peer, body: pdu.Body) -> Answer:
            return await never

        server = SmscServer(silent)
        ours, theirs = socket.socketpair()
        await server.adopt(ours)
        config = SessionConfig(window=2)
        client = EsmeClient(BIND, sock=theirs, config=config)
        await client.start()
        futures = [client.send(SUBMIT) for _ in range(3)]
        await asyncio.sleep(0.05)
        (peer,) = server.peers
        peer._link.abort()
        found = await asyncio.gather(*futures, return_exceptions=True)
        assert [type(one) for one in found] == [OutcomeUnknown, OutcomeUnknown, NotSent]
        await client.close()
        await server.close()

    run(story)


def test_an_smsc_that_never_answers_leaves_the_outcome_unknown() -> None:
    async def story() -> None:
        async def silent(peer: Peer, body: pdu.Body) -> Answer:
            await asyncio.sleep(60)
            raise AssertionError

        async with served(silent) as server, bound(server) as client:
            with pytest.raises(OutcomeUnknown, match=r"no response within 0\.3 s"):
                await client.submit(SUBMIT)
            assert client.bound

    run(story)


def test_throttling_slows_down_and_loses_nothing() -> None:
    async def story() -> None:
        seen: list[pdu.Body] = []
        async with served(taker(seen), rate_per_s=400) as server, bound(server) as client:
            began = time.perf_counter()
            await asyncio.gather(*(client.submit(SUBMIT) for _ in range(600)))
            took_s = time.perf_counter() - began
            assert len(seen) == 600
            assert client.counters.throttled > 0
            assert took_s > 0.4

    run(story)


def test_throttling_without_end_is_not_sent() -> None:
    async def story() -> None:
        def refuse(peer: Peer, body: pdu.Body) -> Answer:
            return pdu.SubmitSmResp(), CommandStatus.ESME_RTHROTTLED

        async with served(refuse) as server, bound(server) as client:
            with pytest.raises(NotSent):
                await client.submit(SUBMIT, unsent_after_s=0.2)

    run(story)


def test_an_idle_link_is_tried_and_stays() -> None:
    async def story() -> None:
        async with served(taker([])) as server, bound(server) as client:
            async with asyncio.timeout(30):
                while server.peers[0].session.counters.received.get("enquire_link", 0) < 2:
                    await asyncio.sleep(0.05)
            assert client.bound

    run(story)


def test_rubbish_on_the_port_harms_nobody() -> None:
    async def story() -> None:
        async with served(taker([])) as server, bound(server) as client:
            for rubbish in (b"GET / HTTP/1.0\r\n\r\n", b"\0" * 100, b"\0\0\0\x10" + b"\xff" * 12, b"\0\0\0"):
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(rubbish)
                writer.write_eof()
                await asyncio.wait_for(reader.read(), 20)
                writer.close()
            await client.submit(SUBMIT)
            assert len(server.peers) == 1

    run(story)


def test_cancelling_who_waits_does_not_disturb_the_session() -> None:
    async def story() -> None:
        async def slow(peer: Peer, body: pdu.Body) -> Answer:
            await asyncio.sleep(0.05)
            return pdu.SubmitSmResp("x"), 0

        async with served(slow) as server, bound(server) as client:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.submit(SUBMIT), 0.01)
            assert (await client.submit(SUBMIT)).message_id == "x"

    run(story)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_outcomes_are_true_whatever_the_smsc_does(seed: int) -> None:
    """Accepted: seen once. Not sent: never accepted. Unknown: accepted at most once. Nothing is left open."""
    chance = random.Random(seed)
    accepted: Counter[bytes] = Counter()

    async def wild(peer: Peer, body: pdu.Body) -> Answer:
        assert isinstance(body, pdu.SubmitSm)
        dice = chance.random()
        if dice < 0.2:
            return pdu.SubmitSmResp(), CommandStatus.ESME_RTHROTTLED
        if dice < 0.25:
            return pdu.SubmitSmResp(), CommandStatus.ESME_RINVDSTADR
        accepted[body.short_message] += 1
        if dice < 0.28:
            peer._link.abort()
        await asyncio.sleep(chance.random() * 0.02)
        return pdu.SubmitSmResp("x"), 0

    async def story() -> None:
        config = SessionConfig(window=8, response_timeout_s=0.3, throttle_first_s=0.001, throttle_most_s=0.01)
        async with (
            served(wild) as server,
            bound(server, config=config, reconnect=Reconnect(0.01, 0.02)) as client,
        ):
            names = [str(number).encode() for number in range(300)]
            futures = {
                name: client.send(pdu.SubmitSm(short_message=name), unsent_after_s=chance.choice([0.3, 20]))
                for name in names
            }
            await asyncio.wait(futures.values(), timeout=50)
            kinds: Counter[str] = Counter()
            for name, future in futures.items():
                assert future.done()
                kind = type(future.exception()).__name__
                kinds[kind] += 1
                seen = accepted[name]
                assert {"NoneType": seen == 1, "OutcomeUnknown": seen <= 1}.get(kind, seen == 0), (kind, seen)
            assert set(kinds) >= {"NoneType", "Refused", "OutcomeUnknown"}
            assert client.counters.binds > 1
            assert client.outstanding == 0

    run(story)


def test_a_handler_that_answers_wrongly_is_a_system_error() -> None:
    async def story() -> None:
        def wrong(peer: Peer, body: pdu.Body) -> Answer:
            return pdu.CancelSmResp(), 0

        async with served(wrong) as server, bound(server) as client:
            with pytest.raises(Refused, match="ESME_RSYSERR"):
                await client.submit(SUBMIT)
            assert client.bound

    run(story)


def test_client_takes_an_address_or_a_socket() -> None:
    with pytest.raises(ValueError, match="either"):
        EsmeClient(BIND)


def test_submits_a_second(record_property: Callable[[str, object], None]) -> None:
    """Both ends in one process and one thread, a second of processor time; the bar is low."""

    async def story() -> None:
        seen: list[pdu.Body] = []
        async with served(taker(seen)) as server, bound(server, config=SessionConfig(window=128)) as client:
            best = 0.0
            for _ in range(3):
                began = time.process_time()
                await asyncio.gather(*(client.send(SUBMIT) for _ in range(2000)))
                best = max(best, 2000 / (time.process_time() - began))
            record_property("submit_sm_per_s", round(best))
            assert best > 1000, f"{best:.0f} submit_sm/s"

    run(story)
