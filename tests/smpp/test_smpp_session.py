"""Both ends of a session joined without sockets, and each of them against a peer that misbehaves."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp import pdu
from smpp.errors import EncodeError, SessionError
from smpp.events import (
    BindFailed,
    Bound,
    Closed,
    Event,
    NoResponse,
    PeerError,
    Request,
    Response,
    Stray,
    Throttled,
    Unsent,
)
from smpp.session import EsmeSession, Session, SessionConfig, SmscSession
from smpp.states import ISSUED, TRANSITIONS, Role, State
from smpp.status import CommandStatus

OK = CommandStatus.ESME_ROK
BIND = pdu.BindTransceiver("kairos", "secret")
SUBMIT = pdu.SubmitSm(source_addr="1008601", destination_addr="8613900012345", short_message=b"hi")


def let_in(bind: pdu.Bind) -> int:
    return OK if bind.password == "secret" else CommandStatus.ESME_RINVPASWD


def both(esme: Session, smsc: Session, now_s: float = 0.0) -> tuple[list[Event], list[Event]]:
    """Carry bytes to and fro until there are none; the events at the ESME and at the SMSC."""
    at_esme: list[Event] = []
    at_smsc: list[Event] = []
    while True:
        up, down = esme.bytes_to_send(), smsc.bytes_to_send()
        if not up and not down:
            return at_esme, at_smsc
        at_smsc += smsc.receive_bytes(up, now_s)
        at_esme += esme.receive_bytes(down, now_s)


def pair(
    bind: pdu.Bind = BIND,
    esme_config: SessionConfig | None = None,
    smsc_config: SessionConfig | None = None,
    rate_per_s: float = 0.0,
) -> tuple[EsmeSession, SmscSession]:
    """Two sessions, bound."""
    esme = EsmeSession(esme_config, now_s=0.0)
    smsc = SmscSession(let_in, smsc_config, now_s=0.0, rate_per_s=rate_per_s)
    esme.bind(bind, 0.0)
    both(esme, smsc)
    assert esme.state is smsc.state
    return esme, smsc


@pytest.mark.parametrize(
    ("bind", "state"),
    [
        (pdu.BindTransmitter("kairos", "secret"), State.BOUND_TX),
        (pdu.BindReceiver("kairos", "secret"), State.BOUND_RX),
        (pdu.BindTransceiver("kairos", "secret"), State.BOUND_TRX),
    ],
)
def test_each_bind_leads_both_ends_to_its_state(bind: pdu.Bind, state: State) -> None:
    esme = EsmeSession(now_s=0.0)
    smsc = SmscSession(let_in, now_s=0.0, system_id="SC")
    esme.bind(bind, 0.0)
    assert esme.state is State.BINDING
    at_esme, at_smsc = both(esme, smsc)
    assert at_esme == [Bound(bind, "SC", 0x34)]
    assert at_smsc == [Bound(bind, "kairos", 0x34)]
    assert esme.state is smsc.state is state


def test_an_old_esme_is_not_sent_optional_parameters() -> None:
    esme, smsc = EsmeSession(now_s=0.0), SmscSession(let_in, now_s=0.0)
    esme.bind(pdu.BindTransmitter("kairos", "secret", interface_version=0x33), 0.0)
    (bound,), _ = both(esme, smsc)
    assert isinstance(bound, Bound)
    assert bound.version is None


def test_a_wrong_password_is_told_and_a_second_try_is_free() -> None:
    esme, smsc = EsmeSession(now_s=0.0), SmscSession(let_in, now_s=0.0)
    esme.bind(pdu.BindTransceiver("kairos", "wrong"), 0.0)
    assert both(esme, smsc) == ([BindFailed(CommandStatus.ESME_RINVPASWD)],) * 2
    assert esme.state is State.OPEN
    esme.bind(BIND, 0.0)
    both(esme, smsc)
    assert esme.bound
    assert smsc.bound


def test_submit_and_its_response() -> None:
    esme, smsc = pair()
    handle = esme.request(SUBMIT, 0.0)
    (request,) = smsc.receive_bytes(esme.bytes_to_send(), 0.0)
    assert isinstance(request, Request)
    assert request.body == SUBMIT
    smsc.respond(request.sequence_number, pdu.SubmitSmResp("c1.1"))
    at_esme, _ = both(esme, smsc)
    assert at_esme == [Response(handle, pdu.SubmitSmResp("c1.1"), OK)]
    assert esme.in_flight == 0


def test_deliver_goes_the_other_way_at_the_same_time() -> None:
    esme, smsc = pair()
    up = esme.request(SUBMIT, 0.0)
    down = smsc.request(pdu.DeliverSm(short_message=b"1"), 0.0)
    (asked_up,) = smsc.receive_bytes(esme.bytes_to_send(), 0.0)
    (asked_down,) = esme.receive_bytes(smsc.bytes_to_send(), 0.0)
    assert isinstance(asked_up, Request)
    assert isinstance(asked_down, Request)
    esme.respond(asked_down.sequence_number, pdu.DeliverSmResp())
    smsc.respond(asked_up.sequence_number, pdu.SubmitSmResp(), CommandStatus.ESME_RINVDSTADR)
    at_esme, at_smsc = both(esme, smsc)
    assert at_esme == [Response(up, pdu.SubmitSmResp(), CommandStatus.ESME_RINVDSTADR)]
    assert at_smsc == [Response(down, pdu.DeliverSmResp(), OK)]


def test_the_window_holds_back_and_keeps_the_order() -> None:
    esme, smsc = pair(esme_config=SessionConfig(window=3))
    handles = [esme.request(pdu.SubmitSm(short_message=bytes((i,))), 0.0) for i in range(10)]
    assert (esme.in_flight, esme.waiting) == (3, 7)
    got: list[bytes] = []
    answered: list[int] = []
    while esme.in_flight:
        for event in smsc.receive_bytes(esme.bytes_to_send(), 0.0):
            assert isinstance(event, Request)
            assert isinstance(event.body, pdu.SubmitSm)
            got.append(event.body.short_message)
            smsc.respond(event.sequence_number, pdu.SubmitSmResp("x"))
        events = esme.receive_bytes(smsc.bytes_to_send(), 0.0)
        answered += [event.handle for event in events if isinstance(event, Response)]
        assert esme.in_flight <= 3
    assert got == [bytes((i,)) for i in range(10)]
    assert answered == handles


def test_no_response_in_time_is_an_unknown_outcome_and_the_late_one_a_stray() -> None:
    esme, smsc = pair(esme_config=SessionConfig(response_timeout_s=10, enquire_link_s=0))
    handle = esme.request(SUBMIT, 1.0)
    (request,) = smsc.receive_bytes(esme.bytes_to_send(), 1.0)
    assert isinstance(request, Request)
    assert esme.next_deadline == 11.0
    assert esme.handle_timer(10.9) == []
    assert esme.handle_timer(11.0) == [NoResponse(handle, "no response within 10 s")]
    assert esme.bound
    smsc.respond(request.sequence_number, pdu.SubmitSmResp("late"))
    (stray,) = esme.receive_bytes(smsc.bytes_to_send(), 12.0)
    assert isinstance(stray, Stray)
    assert esme.counters.stray == 1


def test_a_request_not_sent_in_time_is_unsent() -> None:
    esme, _ = pair(esme_config=SessionConfig(window=1, enquire_link_s=0))
    esme.request(SUBMIT, 0.0)
    late = esme.request(SUBMIT, 0.0, send_before_s=2.0)
    assert esme.next_deadline == 2.0
    assert esme.handle_timer(2.0) == [Unsent(late, SUBMIT, "not sent in time")]
    assert esme.waiting == 0


def test_what_waits_past_its_time_is_not_sent_when_the_window_opens() -> None:
    esme, smsc = pair(esme_config=SessionConfig(window=1, enquire_link_s=0))
    esme.request(SUBMIT, 0.0)
    late = esme.request(SUBMIT, 0.0, send_before_s=2.0)
    (request,) = smsc.receive_bytes(esme.bytes_to_send(), 0.0)
    assert isinstance(request, Request)
    smsc.respond(request.sequence_number, pdu.SubmitSmResp("x"))
    esme.receive_bytes(smsc.bytes_to_send(), 3.0)
    assert esme.bytes_to_send() == b""
    assert esme.handle_timer(3.0) == [Unsent(late, SUBMIT, "not sent in time")]


def test_losing_the_connection_tells_sent_from_unsent() -> None:
    esme, _ = pair(esme_config=SessionConfig(window=2))
    handles = [esme.request(SUBMIT, 0.0) for _ in range(4)]
    assert esme.connection_lost("reset") == [
        NoResponse(handles[0], "reset"),
        NoResponse(handles[1], "reset"),
        Unsent(handles[2], SUBMIT, "reset"),
        Unsent(handles[3], SUBMIT, "reset"),
        Closed("reset", clean=False),
    ]
    assert esme.next_deadline is None
    assert esme.receive_bytes(b"x", 1.0) == []


def test_throttled_requests_go_again_after_pauses_that_double() -> None:
    config = SessionConfig(
        throttle_first_s=1.0, throttle_most_s=3.0, enquire_link_s=0, response_timeout_s=100
    )
    esme, smsc = pair(esme_config=config)
    handle = esme.request(SUBMIT, 0.0)
    now_s, pauses = 0.0, []
    for _ in range(4):
        (request,) = smsc.receive_bytes(esme.bytes_to_send(), now_s)
        assert isinstance(request, Request)
        smsc.respond(request.sequence_number, pdu.SubmitSmResp(), CommandStatus.ESME_RTHROTTLED)
        (throttled,) = esme.receive_bytes(smsc.bytes_to_send(), now_s)
        assert isinstance(throttled, Throttled)
        assert esme.bytes_to_send() == b""
        assert esme.next_deadline == throttled.until_s
        pauses.append(throttled.until_s - now_s)
        now_s = throttled.until_s
        assert esme.handle_timer(now_s) == []
    assert pauses == [1.0, 2.0, 3.0, 3.0]
    (request,) = smsc.receive_bytes(esme.bytes_to_send(), now_s)
    assert isinstance(request, Request)
    smsc.respond(request.sequence_number, pdu.SubmitSmResp("at last"))
    assert esme.receive_bytes(smsc.bytes_to_send(), now_s) == [
        Response(handle, pdu.SubmitSmResp("at last"), OK)
    ]


def test_one_burst_of_refusals_is_one_step_and_keeps_the_order() -> None:
    config = SessionConfig(throttle_first_s=1.0, throttle_most_s=60.0, enquire_link_s=0)
    esme, smsc = pair(esme_config=config)
    for i in range(5):
        esme.request(pdu.SubmitSm(short_message=bytes((i,))), 0.0)
    for event in smsc.receive_bytes(esme.bytes_to_send(), 0.0):
        assert isinstance(event, Request)
        smsc.respond(event.sequence_number, pdu.SubmitSmResp(), CommandStatus.ESME_RMSGQFUL)
    events = esme.receive_bytes(smsc.bytes_to_send(), 0.0)
    assert events == [Throttled(1.0, CommandStatus.ESME_RMSGQFUL)]
    esme.handle_timer(1.0)
    again = [
        event.body for event in smsc.receive_bytes(esme.bytes_to_send(), 1.0) if isinstance(event, Request)
    ]
    assert again == [pdu.SubmitSm(short_message=bytes((i,))) for i in range(5)]


def test_a_limited_smsc_and_a_patient_esme_lose_nothing() -> None:
    esme, smsc = pair(esme_config=SessionConfig(window=50, enquire_link_s=0), rate_per_s=100)
    handles = {esme.request(SUBMIT, 0.0) for _ in range(300)}
    now_s, done, admitted = 0.0, set(), []
    while len(done) < 300 and now_s < 60:
        for event in smsc.receive_bytes(esme.bytes_to_send(), now_s):
            assert isinstance(event, Request)
            admitted.append(now_s)
            smsc.respond(event.sequence_number, pdu.SubmitSmResp("x"))
        for event in esme.receive_bytes(smsc.bytes_to_send(), now_s):
            if isinstance(event, Response):
                assert event.command_status == OK
                done.add(event.handle)
        now_s += 0.01
        esme.handle_timer(now_s)
    assert done == handles
    assert len(admitted) == 300
    assert 1.9 < now_s < 15
    assert all(len([t for t in admitted if start <= t < start + 1]) <= 201 for start in range(15))


def test_silence_brings_enquire_link_and_then_the_end() -> None:
    esme, smsc = pair(esme_config=SessionConfig(enquire_link_s=30, response_timeout_s=10))
    assert esme.next_deadline == 30.0
    assert esme.handle_timer(30.0) == []
    assert smsc.receive_bytes(esme.bytes_to_send(), 30.0) == []
    assert esme.next_deadline == 40.0
    assert esme.receive_bytes(smsc.bytes_to_send(), 31.0) == []
    assert esme.next_deadline == 61.0
    esme.handle_timer(61.0)
    assert esme.handle_timer(71.0) == [Closed("enquire_link unanswered for 10 s", clean=False)]


def test_an_smsc_closes_on_who_never_binds_and_on_who_never_asks() -> None:
    smsc = SmscSession(let_in, SessionConfig(session_init_s=5), now_s=0.0)
    assert smsc.next_deadline == 5.0
    assert smsc.handle_timer(5.0) == [Closed("no bind came in time", clean=False)]
    _, smsc = pair(smsc_config=SessionConfig(inactivity_s=60, enquire_link_s=0))
    assert smsc.next_deadline == 60.0
    assert smsc.handle_timer(60.0) == [Closed("no request came in time", clean=False)]


@pytest.mark.parametrize("leaver", ["esme", "smsc"])
def test_unbind_from_either_end(leaver: str) -> None:
    esme, smsc = pair()
    (esme if leaver == "esme" else smsc).unbind(0.0)
    at_esme, at_smsc = both(esme, smsc)
    ours, theirs = Closed("unbound", clean=True), Closed("the peer unbound", clean=True)
    assert (at_esme, at_smsc) == (([ours], [theirs]) if leaver == "esme" else ([theirs], [ours]))
    assert esme.state is smsc.state is State.CLOSED


def test_unbind_from_both_ends_at_once() -> None:
    esme, smsc = pair()
    esme.unbind(0.0)
    smsc.unbind(0.0)
    at_esme, at_smsc = both(esme, smsc)
    assert at_esme == at_smsc == [Closed("unbound", clean=True)]


def test_bind_and_unbind_unanswered() -> None:
    esme = EsmeSession(SessionConfig(response_timeout_s=4), now_s=0.0)
    esme.bind(BIND, 0.0)
    assert esme.handle_timer(4.0) == [Closed("the bind was not answered in time", clean=False)]
    esme, _ = pair(esme_config=SessionConfig(response_timeout_s=4))
    esme.unbind(1.0)
    assert esme.handle_timer(5.0) == [Closed("the unbind was not answered in time", clean=False)]


# ---- peers that misbehave


def test_a_refused_state_is_answered_in_the_right_response() -> None:
    smsc = SmscSession(let_in, now_s=0.0)
    (error,) = smsc.receive_bytes(pdu.encode(SUBMIT, 9), 0.0)
    assert isinstance(error, PeerError)
    assert pdu.decode(smsc.bytes_to_send()) == pdu.Pdu(pdu.SubmitSmResp(), 9, CommandStatus.ESME_RINVBNDSTS)
    _, smsc = pair()
    smsc.receive_bytes(pdu.encode(BIND, 10), 0.0)
    answer = pdu.decode(smsc.bytes_to_send())
    assert answer == pdu.Pdu(pdu.BindTransceiverResp(), 10, CommandStatus.ESME_RALYBND)
    assert smsc.bound


def test_an_unknown_command_gets_generic_nack_and_the_session_lives() -> None:
    _, smsc = pair()
    (error,) = smsc.receive_bytes(pdu.HEADER.pack(16, 0x0999, 0, 5) + pdu.encode(SUBMIT, 6), 0.0)[:1]
    assert isinstance(error, PeerError)
    assert pdu.decode(smsc.bytes_to_send()) == pdu.Pdu(pdu.GenericNack(), 5, CommandStatus.ESME_RINVCMDID)
    assert smsc.bound


def test_a_broken_submit_gets_submit_sm_resp_with_the_reason() -> None:
    _, smsc = pair()
    smsc.receive_bytes(pdu.HEADER.pack(18, 4, 0, 5) + b"AB", 0.0)
    assert pdu.decode(smsc.bytes_to_send()) == pdu.Pdu(pdu.SubmitSmResp(), 5, CommandStatus.ESME_RINVCMDLEN)


def test_lost_framing_is_nacked_and_ends_the_session() -> None:
    _, smsc = pair()
    events = smsc.receive_bytes(b"\xff" * 20, 0.0)
    assert [type(event) for event in events] == [PeerError, Closed]
    assert pdu.decode(smsc.bytes_to_send()) == pdu.Pdu(pdu.GenericNack(), 0, CommandStatus.ESME_RINVCMDLEN)


def test_generic_nack_ends_the_request_it_names() -> None:
    esme, _ = pair()
    handle = esme.request(SUBMIT, 0.0)
    sent = pdu.decode(esme.bytes_to_send())
    nack = pdu.encode(pdu.GenericNack(), sent.sequence_number, CommandStatus.ESME_RINVCMDID)
    assert esme.receive_bytes(nack, 0.0) == [
        Response(handle, pdu.GenericNack(), CommandStatus.ESME_RINVCMDID)
    ]


def test_a_response_of_the_wrong_kind_settles_nothing() -> None:
    esme, _ = pair()
    esme.request(SUBMIT, 0.0)
    sent = pdu.decode(esme.bytes_to_send())
    (event,) = esme.receive_bytes(pdu.encode(pdu.CancelSmResp(), sent.sequence_number), 0.0)
    assert isinstance(event, Stray)
    assert esme.in_flight == 1


def test_a_sequence_number_used_twice_is_an_error() -> None:
    _, smsc = pair()
    events = smsc.receive_bytes(pdu.encode(SUBMIT, 7) * 2, 0.0)
    assert [type(event) for event in events] == [Request, PeerError]


def test_a_flood_beyond_peer_window_is_told_the_queue_is_full() -> None:
    _, smsc = pair(smsc_config=SessionConfig(peer_window=2))
    events = smsc.receive_bytes(b"".join(pdu.encode(SUBMIT, n) for n in range(1, 5)), 0.0)
    assert [type(event) for event in events] == [Request, Request]
    answers = [pdu.decode(raw) for raw in pdu.Splitter().feed(smsc.bytes_to_send())]
    assert [(one.sequence_number, one.command_status) for one in answers] == [
        (3, CommandStatus.ESME_RMSGQFUL),
        (4, CommandStatus.ESME_RMSGQFUL),
    ]


@given(st.lists(st.binary(max_size=60), max_size=8), st.sampled_from(["esme", "smsc", "smsc open"]))
def test_rubbish_never_raises(pieces: list[bytes], which: str) -> None:
    session: Session = SmscSession(let_in, now_s=0.0)
    if which != "smsc open":
        esme, smsc = pair()
        session = esme if which == "esme" else smsc
    session_in_flight = 0
    if session.bound:
        session.request(SUBMIT if which == "esme" else pdu.DeliverSm(), 0.0)
        session_in_flight = 1
    events: list[Event] = []
    for now_s, piece in enumerate(pieces):
        events += session.receive_bytes(piece, float(now_s))
        session.bytes_to_send()
        events += session.handle_timer(float(now_s))
    events += session.connection_lost()
    ended = [event for event in events if isinstance(event, Response | NoResponse | Unsent)]
    assert len(ended) == session_in_flight
    assert sum(isinstance(event, Closed) for event in events) == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(pdu.COMMANDS)),
            st.integers(0, 5),
            st.sampled_from([0, 8, 0x58]),
            st.binary(max_size=40),
        ),
        max_size=12,
    ),
    st.booleans(),
)
def test_pdus_in_any_order_never_raise(story: list[tuple[int, int, int, bytes]], esme_side: bool) -> None:
    esme, smsc = pair()
    session: Session = esme if esme_side else smsc
    for now_s, (command_id, number, status, body) in enumerate(story):
        session.receive_bytes(
            pdu.HEADER.pack(16 + len(body), command_id, status, number) + body, float(now_s)
        )
        session.receive_bytes(pdu.HEADER.pack(16, command_id, status, number), float(now_s))
        for raw in pdu.Splitter().feed(session.bytes_to_send()):
            pdu.decode(raw)


# ---- our own mistakes

MISTAKES: dict[str, Callable[[], object]] = {
    "submit before the bind": lambda: EsmeSession(now_s=0.0).request(SUBMIT, 0.0),
    "deliver_sm by the ESME": lambda: pair()[0].request(pdu.DeliverSm(), 0.0),
    "submit_sm by the SMSC": lambda: pair()[1].request(SUBMIT, 0.0),
    "submit_sm on a receiver": lambda: pair(pdu.BindReceiver("kairos", "secret"))[0].request(SUBMIT, 0.0),
    "deliver_sm to a transmitter": lambda: pair(pdu.BindTransmitter("kairos", "secret"))[1].request(
        pdu.DeliverSm(), 0.0
    ),
    "bind by request()": lambda: pair()[0].request(BIND, 0.0),
    "a response by request()": lambda: pair()[0].request(pdu.SubmitSmResp(), 0.0),
    "alert_notification by request()": lambda: pair()[1].request(pdu.AlertNotification(), 0.0),
    "bind twice": lambda: pair()[0].bind(BIND, 0.0),
    "unbind unbound": lambda: EsmeSession(now_s=0.0).unbind(0.0),
    "an answer to nothing": lambda: pair()[1].respond(99, pdu.SubmitSmResp()),
    "outbind when bound": lambda: pair()[1].notify(pdu.Outbind()),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_our_mistakes_are_session_errors(name: str) -> None:
    with pytest.raises(SessionError):
        MISTAKES[name]()


def test_the_wrong_answer_is_refused_and_the_right_one_still_possible() -> None:
    _, smsc = pair()
    smsc.receive_bytes(pdu.encode(SUBMIT, 7), 0.0)
    with pytest.raises(SessionError, match="cancel_sm_resp does not answer submit_sm"):
        smsc.respond(7, pdu.CancelSmResp())
    smsc.respond(7, pdu.SubmitSmResp("x"))
    with pytest.raises(SessionError):
        smsc.respond(7, pdu.SubmitSmResp("x"))


def test_only_a_bind_binds() -> None:
    with pytest.raises(EncodeError):
        EsmeSession(now_s=0.0).bind(pdu.Bind(), 0.0)


def test_alert_notification_and_outbind_arrive_without_an_answer() -> None:
    esme, smsc = pair()
    smsc.notify(pdu.AlertNotification(source_addr="86"))
    at_esme, _ = both(esme, smsc)
    assert [event.body for event in at_esme if isinstance(event, Request)] == [
        pdu.AlertNotification(source_addr="86")
    ]
    waiting, caller = EsmeSession(now_s=0.0), SmscSession(let_in, now_s=0.0)
    caller.notify(pdu.Outbind("SC", "pw"))
    (event,) = waiting.receive_bytes(caller.bytes_to_send(), 0.0)
    assert isinstance(event, Request)
    waiting.bind(pdu.BindReceiver("kairos", "secret"), 0.0)
    both(waiting, caller)
    assert waiting.state is caller.state is State.BOUND_RX


def test_the_tables_cover_every_request() -> None:
    requests = {cls for cls in pdu.COMMANDS.values() if not cls.command_id & pdu.RESPONSE}
    assert set(ISSUED) == requests
    assert all(set(by_role) == {Role.ESME, Role.SMSC} for by_role in ISSUED.values())
    assert all(start is not State.CLOSED for start, _ in TRANSITIONS)


def test_sequence_numbers_wrap_round_past_those_outstanding() -> None:
    esme, _ = pair()
    esme.request(SUBMIT, 0.0)
    esme._sequence_number = pdu.MAX_SEQUENCE_NUMBER - 1
    for _ in range(4):
        esme.request(SUBMIT, 0.0)
    numbers = [pdu.decode(raw).sequence_number for raw in pdu.Splitter().feed(esme.bytes_to_send())]
    assert numbers == [2, pdu.MAX_SEQUENCE_NUMBER, 1, 3, 4]
    assert all(a != b for a, b in pairwise(numbers))


@pytest.mark.parametrize(
    "values", [{"window": 0}, {"peer_window": 0}, {"throttle_first_s": 0}, {"throttle_most_s": 0.01}]
)
def test_a_wrong_config_fails_in_the_constructor(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="|".join(values)):
        SessionConfig(**values)
