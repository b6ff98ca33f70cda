"""Who may bind to our SMSC: accounts, addresses, ways to bind, how many at a time."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from smpp import pdu
from smpp.access import AccessList, Account
from smpp.aio import Answer, BindRefused, EsmeClient, NotConnected, Peer, SmscServer
from smpp.status import CommandStatus

S = CommandStatus
ACCESS = AccessList(
    (
        Account("kairos", "secret", ("127.0.0.0/8", "2001:db8::/32")),
        Account("far", "secret", ("192.0.2.7",)),
        Account("tx", "", binds=frozenset({"bind_transmitter"})),
        Account("one", "secret", most_binds=1),
    )
)

CASES = {
    # (bind, from where, sessions it has) -> status
    "known": (pdu.BindTransceiver("kairos", "secret"), "127.0.0.1", 0, S.ESME_ROK),
    "known by IPv6": (pdu.BindTransceiver("kairos", "secret"), "2001:db8::1", 0, S.ESME_ROK),
    "on a socketpair": (pdu.BindTransceiver("kairos", "secret"), "", 0, S.ESME_ROK),
    "from elsewhere": (pdu.BindTransceiver("kairos", "secret"), "192.0.2.7", 0, S.ESME_RINVPASWD),
    "just its address": (pdu.BindReceiver("far", "secret"), "192.0.2.7", 0, S.ESME_ROK),
    "the next address": (pdu.BindReceiver("far", "secret"), "192.0.2.8", 0, S.ESME_RINVPASWD),
    "unknown": (pdu.BindTransceiver("nobody", ""), "127.0.0.1", 0, S.ESME_RINVPASWD),
    "wrong password": (pdu.BindTransceiver("kairos", "Secret"), "127.0.0.1", 0, S.ESME_RINVPASWD),
    "part of the password": (pdu.BindTransceiver("kairos", "secre"), "127.0.0.1", 0, S.ESME_RINVPASWD),
    "without a password": (pdu.BindTransmitter("tx"), "203.0.113.1", 0, S.ESME_ROK),
    "the wrong way": (pdu.BindTransceiver("tx"), "203.0.113.1", 0, S.ESME_RBINDFAIL),
    "once": (pdu.BindTransceiver("one", "secret"), "127.0.0.1", 0, S.ESME_ROK),
    "once too often": (pdu.BindTransceiver("one", "secret"), "127.0.0.1", 1, S.ESME_RALYBND),
}


@pytest.mark.parametrize("name", CASES)
def test_who_is_let_in(name: str) -> None:
    bind, address, bound, status = CASES[name]
    assert ACCESS.authenticate(bind, address, bound) == status


def test_addresses_that_nobody_may_come_from_are_not_even_heard() -> None:
    listed = AccessList((Account("a", "", ("10.0.0.0/8",)), Account("b", "", ("192.0.2.7",))))
    assert [listed.admits(one) for one in ("10.1.2.3", "192.0.2.7", "192.0.2.8", "::1", "")] == [
        True, True, False, False, True,
    ]  # fmt: skip
    assert ACCESS.admits("198.51.100.1")  # two accounts may come from anywhere
    assert not AccessList(()).admits("127.0.0.1")


MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "no name": (lambda: Account("", "x"), "has a system_id"),
    "a name too long": (lambda: Account("x" * 16, "x"), "1 to 15 characters"),
    "a password too long": (lambda: Account("a", "hush-hush-hush"), "at most 8"),
    "no network": (lambda: Account("a", "", ("10.0.0.1/8",)), "account 'a'"),
    "no address at all": (lambda: Account("a", "", ("localhost",)), "localhost"),
    "no such bind": (lambda: Account("a", "", binds=frozenset({"outbind"})), "not outbind"),
    "no way to bind": (lambda: Account("a", "", binds=frozenset()), "not none"),
    "fewer than none": (lambda: Account("a", "", most_binds=-1), "-1"),
    "twice": (lambda: AccessList((Account("a", ""), Account("a", "b"))), "twice"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_wrong_accounts_are_refused_with_the_reason(name: str) -> None:
    make, said = MISTAKES[name]
    with pytest.raises(ValueError, match=said) as found:
        make()
    assert "hush" not in str(found.value)


def test_no_password_in_what_is_shown() -> None:
    assert "secret" not in repr(Account("kairos", "secret"))


# ---- the door


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 30))


def taker(peer: Peer, body: pdu.Body) -> Answer:
    return pdu.SubmitSmResp("m"), 0


def client(server: SmscServer, bind: pdu.Bind) -> EsmeClient:
    return EsmeClient(bind, host="127.0.0.1", port=server.port)


def test_the_door_asks_the_list() -> None:
    async def story() -> None:
        server = SmscServer(taker, access=ACCESS)
        await server.listen("127.0.0.1")
        first = client(server, pdu.BindTransceiver("one", "secret"))
        await first.start()
        (peer,) = server.peers
        assert (peer.system_id, peer.address) == ("one", "127.0.0.1")
        for bind, said in (
            (pdu.BindTransceiver("one", "secret"), "ESME_RALYBND"),
            (pdu.BindTransceiver("far", "secret"), "ESME_RINVPASWD"),
            (pdu.BindReceiver("tx"), "ESME_RBINDFAIL"),
        ):
            with pytest.raises(BindRefused, match=said):
                await client(server, bind).start()
        assert server.binds_refused == 3
        await first.close()
        again = client(server, pdu.BindTransceiver("one", "secret"))
        await again.start()
        await again.close()
        ours, theirs = socket.socketpair()
        await server.adopt(ours)
        beside = EsmeClient(pdu.BindTransceiver("kairos", "secret"), sock=theirs)
        await beside.start()
        await beside.close()
        assert server.turned_away == 0
        await server.close()

    run(story)


def test_an_unlisted_address_is_dropped_unheard() -> None:
    async def story() -> None:
        server = SmscServer(taker, access=AccessList((Account("kairos", "secret", ("192.0.2.0/24",)),)))
        await server.listen("127.0.0.1")
        with pytest.raises(NotConnected):
            await client(server, pdu.BindTransceiver("kairos", "secret")).start(0.5)
        assert server.turned_away > 0
        assert server.binds_refused == 0
        await server.close()

    run(story)


def test_more_connections_than_allowed_are_dropped_and_the_rest_served() -> None:
    async def story() -> None:
        server = SmscServer(taker, most_connections=3)
        await server.listen("127.0.0.1")
        first = client(server, pdu.BindTransceiver("kairos", "secret"))
        await first.start()
        idle = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        assert await reader.read() == b""
        assert server.turned_away == 1
        assert (await first.submit(pdu.SubmitSm())).message_id == "m"
        for _, one in [*idle, (reader, writer)]:
            one.close()
        await first.close()
        await server.close()

    run(story)


def test_an_authenticate_that_fails_refuses_and_the_door_stays_open() -> None:
    async def story() -> None:
        def broken(bind: pdu.Bind) -> int:
            if bind.system_id == "bad":
                raise RuntimeError("no database")
            return 0

        server = SmscServer(taker, authenticate=broken)
        await server.listen("127.0.0.1")
        with pytest.raises(BindRefused, match="ESME_RBINDFAIL"):
            await client(server, pdu.BindTransceiver("bad")).start()
        assert (server.handler_errors, server.last_error) == (1, "authenticate: RuntimeError('no database')")
        good = client(server, pdu.BindTransceiver("good"))
        await good.start()
        await good.close()
        await server.close()

    run(story)


def test_the_receiver_of_an_esme_is_its_newest() -> None:
    async def story() -> None:
        server = SmscServer(taker)
        await server.listen("127.0.0.1")
        clients = [
            client(server, bind)
            for bind in (
                pdu.BindReceiver("a"),
                pdu.BindTransceiver("a"),
                pdu.BindTransmitter("a"),
                pdu.BindTransmitter("b"),
            )
        ]
        for one in clients:
            await one.start()
        first, second, *_ = server.peers
        assert server.receiver("a") is second
        assert server.receiver("b") is None
        await clients[1].close()
        assert server.receiver("a") is first
        for one in clients:
            await one.close()
        await server.close()

    run(story)
