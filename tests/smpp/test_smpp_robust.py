"""Whatever the peer sends, in whatever pieces: clear events, every request ended once, nobody hung."""

import asyncio
import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp import pdu
from smpp.aio import Answer, EsmeClient, NotSent, OutcomeUnknown, Peer, Reconnect, Refused, SmscServer
from smpp.events import BindFailed, Bound, Closed, Event, NoResponse, PeerError, Request, Response, Unsent
from smpp.session import MOST_REFUSALS, UNBIND_GRACE_S, EsmeSession, Session, SessionConfig, SmscSession
from smpp.states import State
from smpp.status import CommandStatus
from smpp.tlv import Tlv

BIND = pdu.BindTransceiver("kairos", "secret")
SUBMIT = pdu.SubmitSm(source_addr="1008601", destination_addr="8613900012345", short_message=b"hi")
CONFIG = SessionConfig(
    window=4,
    response_timeout_s=10,
    enquire_link_s=30,
    session_init_s=10,
    throttle_first_s=1,
    throttle_most_s=4,
)


def bound_esme(config: SessionConfig = CONFIG, bind: pdu.Bind = BIND) -> EsmeSession:
    esme = EsmeSession(config, now_s=0.0)
    esme.bind(bind, 0.0)
    answer = pdu.response_class(bind)
    assert answer is not None
    number = pdu.decode(esme.bytes_to_send()).sequence_number
    esme.receive_bytes(pdu.encode(answer("SC"), number), 0.0)
    assert esme.bound
    return esme


def bound_smsc(config: SessionConfig = CONFIG) -> SmscSession:
    smsc = SmscSession(lambda bind: 0, config, now_s=0.0)
    smsc.receive_bytes(pdu.encode(BIND, 1), 0.0)
    smsc.bytes_to_send()
    assert smsc.bound
    return smsc


# ---- any cut of the byte stream

BODIES = st.sampled_from(
    [
        pdu.EnquireLink(),
        SUBMIT,
        pdu.SubmitSm(tlvs=(Tlv(0x0424, b"x" * 3000),)),
        pdu.QuerySm("m1"),
        pdu.DeliverSm(),
        pdu.SubmitSmResp("late"),
        pdu.GenericNack(),
        BIND,
        pdu.Outbind(),
        pdu.AlertNotification(),
    ]
)
BROKEN = st.sampled_from(
    [
        pdu.HEADER.pack(18, 4, 0, 99) + b"AB",  # submit_sm that ends early
        pdu.HEADER.pack(16, 0x999, 0, 98),  # no such command
        pdu.HEADER.pack(20, 0x80000004, 0, 1) + b"abcd",  # a message_id without NUL
    ]
)
STREAMS = st.lists(
    st.tuples(BODIES, st.integers(1, 9)).map(lambda one: pdu.encode(*one)) | BROKEN, max_size=8
)
ENDS = st.sampled_from(
    [b"", pdu.encode(pdu.Unbind(), 77), b"\0\0\0\x05", b"\xff" * 7, b"GET / HTTP/1.1\r\n\r\n"]
)


@given(STREAMS, ENDS, st.booleans(), st.data())
def test_the_cuts_of_the_stream_change_nothing(
    stream: list[bytes], end: bytes, esme_side: bool, data: st.DataObject
) -> None:
    octets = b"".join(stream) + end
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=6)))
    told: list[tuple[list[str], bytes]] = []
    for places in ([], cuts, list(range(len(octets)))):
        session: Session = bound_esme() if esme_side else bound_smsc()
        session.request(SUBMIT if esme_side else pdu.DeliverSm(), 0.0)
        events: list[Event] = []
        written = b""
        for start, stop in zip([0, *places], [*places, len(octets)], strict=True):
            events += session.receive_bytes(octets[start:stop], 1.0)
            written += session.bytes_to_send()
        # PeerError holds the octets it saw, which differ where framing is lost in pieces
        told.append(
            ([str(one.error) if isinstance(one, PeerError) else repr(one) for one in events], written)
        )
    assert told[0] == told[1] == told[2]


# ---- a peer that does anything, at any time

ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["answer", "answer twice", "answer another", "refuse", "throttle", "nack", "broken",
             "refuse broken", "wrong kind", "enquire", "ask", "silence", "rubbish", "more", "unbind"]
        ),
        st.integers(0, 5),
        st.sampled_from([0.0, 0.5, 3.0, 11.0, 31.0]),
    ),
    max_size=25,
)  # fmt: skip


class Adversary:
    """The other end, which remembers what it was asked and answers as it is told."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.number = 1000

    def hear(self, octets: bytes) -> None:
        for raw in pdu.Splitter().feed(octets):
            heard = pdu.decode(raw)
            if isinstance(heard.body, pdu.SubmitSm):
                self.asked.append(heard.sequence_number)

    def say(self, action: str, which: int) -> bytes:
        self.number += 1
        if action == "enquire":
            return pdu.encode(pdu.EnquireLink(), self.number)
        if action == "ask":
            return pdu.encode(pdu.DeliverSm(), self.number)
        if action == "unbind":
            return pdu.encode(pdu.Unbind(), self.number)
        if action == "answer another":
            return pdu.encode(pdu.SubmitSmResp("x"), 500_000 + which)
        if action == "rubbish":
            return b"\xde\xad\xbe\xef" * 5
        if action in ("silence", "more") or not self.asked:
            return b""
        number = self.asked.pop(which % len(self.asked))
        said = {
            "answer": pdu.encode(pdu.SubmitSmResp("x"), number),
            "answer twice": pdu.encode(pdu.SubmitSmResp("x"), number) * 2,
            "refuse": pdu.encode(pdu.SubmitSmResp(), number, CommandStatus.ESME_RINVDSTADR),
            "throttle": pdu.encode(pdu.SubmitSmResp(), number, CommandStatus.ESME_RTHROTTLED),
            "nack": pdu.encode(pdu.GenericNack(), number, CommandStatus.ESME_RINVCMDID),
            "broken": pdu.HEADER.pack(90, 0x80000004, 0, number) + b"x" * 74,
            "refuse broken": pdu.HEADER.pack(90, 0x80000004, 0x45, number) + b"x" * 74,
            "wrong kind": pdu.encode(pdu.CancelSmResp(), number),
        }
        return said[action]


@given(ACTIONS)
def test_every_request_ends_once_and_nothing_hangs(actions: list[tuple[str, int, float]]) -> None:
    esme = bound_esme()
    peer = Adversary()
    now_s = 0.0
    events: list[Event] = []
    handles = {esme.request(SUBMIT, now_s, send_before_s=60.0) for _ in range(6)}
    for action, which, pause_s in actions:
        peer.hear(esme.bytes_to_send())
        if action == "more" and esme.bound:
            handles.add(esme.request(SUBMIT, now_s, send_before_s=now_s + 60))
        events += esme.receive_bytes(peer.say(action, which), now_s)
        until_s = now_s + pause_s
        while (due_s := esme.next_deadline) is not None and due_s <= until_s:
            now_s = max(now_s, due_s)
            events += esme.handle_timer(now_s)
            peer.hear(esme.bytes_to_send())
            after_s = esme.next_deadline
            assert after_s is None or after_s > due_s, "a timer that does nothing would spin"
        now_s = until_s
    steps = 0
    while esme.state is not State.CLOSED:  # the peer says no more: the link is tried, then given up
        assert esme.next_deadline is not None
        now_s = max(now_s, esme.next_deadline)
        events += esme.handle_timer(now_s)
        esme.bytes_to_send()
        steps += 1
        assert steps < 200
    ended = [one.handle for one in events if isinstance(one, Response | NoResponse | Unsent)]
    assert sorted(ended) == sorted(handles)
    assert sum(isinstance(one, Closed) for one in events) == 1
    assert (esme.in_flight, esme.waiting, esme.next_deadline) == (0, 0, None)


@given(st.permutations(range(20)), st.data())
def test_answers_in_any_order_and_repeated_end_each_request_once(
    order: list[int], data: st.DataObject
) -> None:
    esme = bound_esme(SessionConfig(window=20))
    handles = [esme.request(SUBMIT, 0.0) for _ in range(20)]
    numbers = [pdu.decode(raw).sequence_number for raw in pdu.Splitter().feed(esme.bytes_to_send())]
    events: list[Event] = []
    for place in order:
        again = data.draw(st.integers(1, 2))
        events += esme.receive_bytes(pdu.encode(pdu.SubmitSmResp(f"m{place}"), numbers[place]) * again, 0.0)
    found = {one.handle: one.body for one in events if isinstance(one, Response)}
    assert found == {handle: pdu.SubmitSmResp(f"m{i}") for i, handle in enumerate(handles)}
    assert sum(isinstance(one, Response) for one in events) == 20


def test_a_response_with_a_broken_body_does_not_keep_its_request_waiting() -> None:
    esme = bound_esme()
    lost, refused = esme.request(SUBMIT, 0.0), esme.request(SUBMIT, 0.0)
    first, second = (pdu.decode(raw).sequence_number for raw in pdu.Splitter().feed(esme.bytes_to_send()))
    events = esme.receive_bytes(pdu.HEADER.pack(90, 0x80000004, 0, first) + b"x" * 74, 0.0)
    assert [type(one) for one in events] == [PeerError, NoResponse]
    assert events[1].handle == lost
    assert "cannot be read" in events[1].reason
    events = esme.receive_bytes(pdu.HEADER.pack(90, 0x80000004, 0x45, second) + b"x" * 74, 0.0)
    assert events[1] == Response(refused, pdu.SubmitSmResp(), CommandStatus.ESME_RSUBMITFAIL)
    assert esme.bytes_to_send() == b""


def test_an_octet_now_and_then_does_not_keep_a_link_alive() -> None:
    smsc = bound_smsc()
    smsc.receive_bytes(pdu.encode(SUBMIT, 5)[:10], 29.0)
    assert smsc.next_deadline == 30.0
    smsc.handle_timer(30.0)
    for second in range(31, 40):
        assert smsc.receive_bytes(b"\0", float(second)) == []
    assert smsc.handle_timer(40.0) == [Closed("enquire_link unanswered for 10 s", clean=False)]


def test_who_unbinds_may_answer_first() -> None:
    esme = bound_esme()
    handle, waiting = esme.request(SUBMIT, 0.0), None
    number = pdu.decode(esme.bytes_to_send()).sequence_number
    assert esme.receive_bytes(pdu.encode(pdu.Unbind(), 7), 0.0) == []
    assert (esme.state, esme.bound, waiting) == (State.LEAVING, False, None)
    events = esme.receive_bytes(pdu.encode(pdu.SubmitSmResp("m"), number), 0.5)
    assert events == [Response(handle, pdu.SubmitSmResp("m"), 0), Closed("the peer unbound", clean=True)]
    assert pdu.decode(esme.bytes_to_send()) == pdu.Pdu(pdu.UnbindResp(), 7)


def test_who_unbinds_and_does_not_answer_is_let_go() -> None:
    esme = bound_esme()
    handle = esme.request(SUBMIT, 0.0)
    esme.bytes_to_send()
    esme.receive_bytes(pdu.encode(pdu.Unbind(), 7), 0.0)
    assert esme.next_deadline == UNBIND_GRACE_S
    assert esme.handle_timer(UNBIND_GRACE_S) == [
        NoResponse(handle, "the peer unbound"),
        Closed("the peer unbound", clean=True),
    ]
    assert pdu.decode(esme.bytes_to_send()) == pdu.Pdu(pdu.UnbindResp(), 7)


def test_passwords_cannot_be_tried_for_ever_on_one_connection() -> None:
    smsc = SmscSession(lambda bind: CommandStatus.ESME_RINVPASWD, CONFIG, now_s=0.0)
    events: list[Event] = []
    for number in range(1, 10):
        events += smsc.receive_bytes(pdu.encode(BIND, number), 0.0)
    assert sum(isinstance(one, BindFailed) for one in events) == MOST_REFUSALS
    assert events[-1] == Closed(f"{MOST_REFUSALS} binds refused", clean=False)
    answers = [pdu.decode(raw) for raw in pdu.Splitter().feed(smsc.bytes_to_send())]
    assert [one.command_status for one in answers] == [CommandStatus.ESME_RINVPASWD] * MOST_REFUSALS


@pytest.mark.parametrize("length", [0, 4, 15, 70_001, 0xFFFFFFFF])
@pytest.mark.parametrize("side", ["esme", "smsc"])
def test_an_impossible_length_ends_the_session_at_once(length: int, side: str) -> None:
    session: Session = bound_esme() if side == "esme" else bound_smsc()
    events = session.receive_bytes(length.to_bytes(4, "big") + b"\0" * 40, 1.0)
    assert [type(one) for one in events] == [PeerError, Closed]
    assert f"command_length {length}" in str(events[0].error)
    assert session.next_deadline is None


# ---- fuzz at the door


def mutated(chance: random.Random) -> bytes:
    """PDUs of a session, some of them spoiled."""
    whole = [pdu.encode(BIND, 1)] if chance.random() < 0.7 else []
    for number in range(2, chance.randint(3, 8)):
        whole.append(
            pdu.encode(
                chance.choice([SUBMIT, pdu.EnquireLink(), pdu.QuerySm("x"), pdu.DataSm(), pdu.DeliverSm(),
                               pdu.SubmitSmResp("x"), pdu.GenericNack(), pdu.CancelSm(), BIND]),
                chance.choice([number, 2, 0, 0xFFFFFFFF]),
                chance.choice([0, 0, 0x58, 0xFFFFFFFF]),
            )
        )  # fmt: skip
    octets = bytearray(b"".join(whole))
    for _ in range(chance.choice([0, 1, 1, 2, 5])):
        at = chance.randrange(len(octets)) if octets else 0
        kind = chance.randrange(4)
        if kind == 0 and octets:
            octets[at] = chance.randrange(256)
        elif kind == 1:
            octets[at:at] = chance.randbytes(chance.randint(1, 9))
        elif kind == 2:
            del octets[at : at + chance.randint(1, 9)]
        else:
            octets = octets[:at]
    return bytes(octets)


def accept(peer: Peer, body: pdu.Body) -> Answer:
    response = pdu.response_class(body)
    assert response is not None
    return (pdu.SubmitSmResp("m") if isinstance(body, pdu.SubmitSm) else response()), 0


@pytest.mark.parametrize("seed", [1, 2])
def test_a_running_smsc_takes_anything_and_still_serves(seed: int) -> None:
    chance = random.Random(seed)

    async def assault(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(OSError):  # hung up on, which it deserves
            octets = mutated(chance)
            cut = chance.randrange(len(octets) + 1)
            writer.write(octets[:cut])
            await asyncio.sleep(chance.choice([0, 0.001]))
            writer.write(octets[cut:])
            if chance.random() < 0.5:
                writer.write_eof()
                await asyncio.wait_for(reader.read(), 20)
            elif chance.random() < 0.5:
                writer.transport.abort()
        writer.close()

    async def story() -> None:
        server = SmscServer(accept, config=SessionConfig(session_init_s=2, response_timeout_s=2))
        await server.listen("127.0.0.1")
        client = EsmeClient(BIND, host="127.0.0.1", port=server.port)
        await client.start()
        for _ in range(15):
            await asyncio.gather(*(assault(server.port) for _ in range(10)))
            assert (await client.submit(SUBMIT)).message_id == "m"
        assert client.counters.binds == 1
        assert server.handler_errors == 0
        await client.close()
        await server.close()

    asyncio.run(asyncio.wait_for(story(), 60))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_running_esme_takes_anything_and_comes_back(seed: int) -> None:
    """An SMSC that lets in, then sends rubbish. The outcomes it leaves are the three there are."""
    chance = random.Random(seed)
    rubbish = 40

    async def smsc(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal rubbish
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            splitter = pdu.Splitter()
            while octets := await reader.read(4096):
                for raw in splitter.feed(octets):
                    heard = pdu.decode(raw)
                    answer = pdu.response_class(heard.body)
                    if answer is not None and not (rubbish > 0 and isinstance(heard.body, pdu.SubmitSm)):
                        writer.write(pdu.encode(answer(), heard.sequence_number))
                    if rubbish > 0 and isinstance(heard.body, pdu.SubmitSm):
                        rubbish -= 1
                        writer.write(mutated(chance))
                        if chance.random() < 0.5:
                            writer.write(pdu.HEADER.pack(chance.choice([3, 2**31]), 4, 0, 0))
        writer.close()

    async def story() -> None:
        server = await asyncio.start_server(smsc, "127.0.0.1")
        port = server.sockets[0].getsockname()[1]
        config = SessionConfig(
            response_timeout_s=0.3, enquire_link_s=0.5, throttle_first_s=0.01, throttle_most_s=0.02
        )
        client = EsmeClient(
            BIND, host="127.0.0.1", port=port, config=config, reconnect=Reconnect(0.005, 0.01)
        )
        await client.start()
        while rubbish > 0:
            futures = [client.send(SUBMIT, unsent_after_s=5) for _ in range(5)]
            for outcome in await asyncio.gather(*futures, return_exceptions=True):
                assert isinstance(outcome, pdu.SubmitSmResp | Refused | NotSent | OutcomeUnknown)
        assert isinstance(await client.submit(SUBMIT), pdu.SubmitSmResp)
        assert client.outstanding == 0
        assert client.counters.binds > 1
        await client.close()
        server.close()
        await server.wait_closed()

    asyncio.run(asyncio.wait_for(story(), 60))


def test_the_request_events_of_a_sound_session_are_all_there() -> None:
    """The adversary's tools themselves: what is not spoiled is read."""
    smsc = bound_smsc()
    events = smsc.receive_bytes(pdu.encode(SUBMIT, 2) + pdu.encode(pdu.QuerySm("m"), 3), 0.0)
    assert [one.body for one in events if isinstance(one, Request)] == [SUBMIT, pdu.QuerySm("m")]
    assert not any(isinstance(one, Bound) for one in events)
