import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sigtran.association import (
    ACK_TIMEOUT_NS,
    TRANSITIONS,
    AspActive,
    AspInactive,
    AspSide,
    AspState,
    AspUp,
    Audit,
    Beat,
    BeatAck,
    Data,
    Deregistered,
    DestinationStatus,
    Down,
    Event,
    Garbage,
    Notified,
    PeerError,
    Registered,
    SgpSide,
    Unexpected,
)
from sigtran.m3ua import (
    MANDATORY,
    NAMES,
    DataMessage,
    EncodeError,
    ErrorCode,
    Message,
    NotifyStatus,
    Parameter,
    Tag,
    TrafficMode,
    decode,
    encode,
)
from sigtran.m3ua_values import (
    AffectedPointCode,
    DeregistrationResult,
    DeregistrationStatus,
    Destination,
    RegistrationResult,
    RegistrationStatus,
    RoutingKey,
    UnavailabilityCause,
    UserCause,
    affected_point_codes,
)

# The machine may be busy with other tests: how long one example takes says nothing.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

DATA = DataMessage(257, 1, 3, 2, 4, b"payload", correlation_id=1)


def talk(asp: AspSide, sgp: SgpSide, now_ns: int = 0) -> tuple[list[Event], list[Event]]:
    """Let both say what they have to say; the events of either."""
    at_asp: list[Event] = []
    at_sgp: list[Event] = []
    for _ in range(20):
        said, answered = asp.pending(), sgp.pending()
        if not said and not answered:
            break
        for octets in said:
            at_sgp += sgp.receive(octets, now_ns)
        for octets in answered:
            at_asp += asp.receive(octets, now_ns)
    return at_asp, at_sgp


def active_pair(**options: object) -> tuple[AspSide, SgpSide]:
    asp, sgp = AspSide(), SgpSide(**options)  # type: ignore[arg-type]
    asp.start(0)
    talk(asp, sgp)
    assert asp.state is sgp.state is AspState.ACTIVE
    return asp, sgp


def names(side: AspSide | SgpSide) -> list[str]:
    return [decode(octets).name for octets in side.pending()]


def test_up_and_active() -> None:
    asp, sgp = AspSide(asp_identifier=5, traffic_mode=TrafficMode.LOADSHARE, routing_contexts=(9,)), SgpSide()
    asp.start(0)
    at_asp, at_sgp = talk(asp, sgp)
    assert at_asp == [
        AspUp(5),
        Notified(NotifyStatus.AS_INACTIVE),
        AspActive((9,)),
        Notified(NotifyStatus.AS_ACTIVE),
    ]
    assert at_sgp == [AspUp(5), AspActive((9,))]
    assert asp.deadline_ns is None


def test_a_routing_key_is_registered_first() -> None:
    key = (
        Parameter.integers(Tag.LOCAL_ROUTING_KEY_IDENTIFIER, 1),
        Parameter.integers(Tag.DESTINATION_POINT_CODE, 23),
    )
    asp, sgp = AspSide(routing_key=key), SgpSide()
    asp.start(0)
    at_asp, at_sgp = talk(asp, sgp)
    assert Registered(1) in at_asp
    assert at_sgp == [AspUp(None), Registered(1), AspActive((1,))]
    assert asp.routing_contexts == (1,)


def test_a_refused_registration_is_an_error_and_stays_inactive() -> None:
    asp = AspSide(routing_key=(Parameter.integers(Tag.DESTINATION_POINT_CODE, 23),))
    asp.start(0)
    asp.receive(Message.named("ASPUP ACK"), 0)
    response = Message.named("REG RSP", RegistrationResult(1, 5).to_parameter())
    assert asp.receive(response, 0) == [PeerError(5, b"REG RSP")]
    assert asp.state is AspState.INACTIVE


def test_deactivate_activate_and_down() -> None:
    asp, sgp = active_pair()
    asp.deactivate(0)
    assert talk(asp, sgp) == ([AspInactive()], [AspInactive()])
    asp.activate(0)
    assert AspActive() in talk(asp, sgp)[0]
    asp.stop(0)
    assert talk(asp, sgp) == ([Down("ASPDN ACK")], [Down("ASPDN")])
    assert asp.state is sgp.state is AspState.DOWN


def test_a_late_request_is_repeated() -> None:
    asp = AspSide()
    asp.start(1)
    assert names(asp) == ["ASPUP"]
    assert asp.deadline_ns == 1 + ACK_TIMEOUT_NS
    asp.on_time(ACK_TIMEOUT_NS)
    assert names(asp) == []
    asp.on_time(1 + ACK_TIMEOUT_NS)
    assert names(asp) == ["ASPUP"]
    assert asp.deadline_ns == 1 + 2 * ACK_TIMEOUT_NS


def test_beats_are_echoed_or_handed_up() -> None:
    asp, sgp = active_pair()
    asp.beat(b"now")
    assert talk(asp, sgp) == ([BeatAck(b"now")], [])
    asp, sgp = active_pair(answer_beats=False)
    asp.beat(b"mark")
    assert talk(asp, sgp) == ([], [Beat(b"mark")])
    sgp.acknowledge_beat(b"mark")
    assert talk(asp, sgp) == ([BeatAck(b"mark")], [])


def test_data_only_while_active() -> None:
    _, sgp = active_pair()
    assert sgp.receive(encode(DATA), 0) == [Data(DATA)]
    down = SgpSide()
    assert down.receive(encode(DATA), 0) == [Unexpected(DATA.to_message())]
    assert down.pending() == []  # 3.8.1 lets it be dropped: no storm of errors


def test_an_audit_is_answered_for_each_point_code() -> None:
    _, sgp = active_pair(available=lambda code: code == 1)
    audit = Message.named("DAUD", Parameter.integers(Tag.AFFECTED_POINT_CODE, 1, 2))
    assert sgp.receive(audit, 0) == [Audit((1, 2))]
    answers = [decode(octets) for octets in sgp.pending()]
    assert [(a.name, a.integer(Tag.AFFECTED_POINT_CODE)) for a in answers] == [("DAVA", 1), ("DUNA", 2)]


def test_an_active_asp_that_comes_up_again_has_restarted() -> None:
    _, sgp = active_pair()
    assert sgp.receive(Message.named("ASPUP"), 0) == [AspInactive()]
    assert names(sgp) == ["ASPUP ACK", "ERR"]
    assert sgp.state is AspState.INACTIVE


def test_repeated_requests_are_acknowledged_without_events() -> None:
    _, sgp = active_pair()
    assert sgp.receive(Message.named("ASPAC"), 0) == []
    assert names(sgp)[0] == "ASPAC ACK"
    assert sgp.receive(Message.named("ASPIA"), 0) == [AspInactive()]
    assert sgp.receive(Message.named("ASPIA"), 0) == []
    assert sgp.receive(Message.named("ASPUP"), 0) == []
    assert sgp.receive(Message.named("ASPDN"), 0) == [Down("ASPDN")]
    assert sgp.receive(Message.named("ASPDN"), 0) == []


KEY = RoutingKey(7, (Destination(23, (3,), (1, 2)),), traffic_mode=TrafficMode.LOADSHARE)


def test_a_routing_context_is_given_up() -> None:
    asp, sgp = AspSide(routing_key=KEY.to_parameters()), SgpSide()
    asp.start(0)
    talk(asp, sgp)
    assert asp.state is AspState.ACTIVE
    # While it is active the gateway says no (4.4.2).
    asp.deregister(0)
    assert talk(asp, sgp) == ([PeerError(DeregistrationStatus.ASP_CURRENTLY_ACTIVE, b"DEREG RSP")], [])
    asp.deactivate(0)
    talk(asp, sgp)
    asp.deregister(0)
    assert asp.deadline_ns == ACK_TIMEOUT_NS
    assert talk(asp, sgp) == ([Deregistered(1)], [Deregistered(1)])
    assert asp.routing_contexts == ()
    assert asp.state is AspState.INACTIVE
    assert asp.deadline_ns is None
    request = Message.named("DEREG REQ", Parameter.integers(Tag.ROUTING_CONTEXT, 1))
    assert sgp.receive(request, 0) == []
    assert statuses(sgp) == [(1, DeregistrationStatus.NOT_REGISTERED)]


def statuses(sgp: SgpSide) -> list[tuple[int, int]]:
    (answer,) = map(decode, sgp.pending())
    assert answer.name == "DEREG RSP"
    results = map(DeregistrationResult.from_parameter, answer.parameters)
    return [(result.routing_context, result.status) for result in results]


@pytest.mark.parametrize(
    ("key", "status", "context"),
    [
        (KEY, RegistrationStatus.SUCCESSFULLY_REGISTERED, 6),
        (RoutingKey(7), RegistrationStatus.INVALID_DPC, 0),
        (RoutingKey(7, KEY.destinations, traffic_mode=9),
         RegistrationStatus.UNSUPPORTED_TRAFFIC_HANDLING_MODE, 0),
        (RoutingKey(7, KEY.destinations, others=(Parameter(0x20D, b"\1"),)),
         RegistrationStatus.UNSUPPORTED_ROUTING_KEY_PARAMETER_FIELD, 0),
        (RoutingKey(7, (Destination(99),)), RegistrationStatus.ROUTING_KEY_ALREADY_REGISTERED, 5),
    ],
)  # fmt: skip
def test_each_routing_key_gets_its_result(key: RoutingKey, status: int, context: int) -> None:
    sgp = SgpSide(routing_contexts=(3, 4))
    sgp.receive(Message.named("ASPUP"), 0)
    first = RoutingKey(1, (Destination(99),))
    sgp.receive(Message.named("REG REQ", Parameter.nested(Tag.ROUTING_KEY, first.to_parameters())), 0)
    sgp.pending()
    sgp.receive(Message.named("REG REQ", Parameter.nested(Tag.ROUTING_KEY, key.to_parameters())), 0)
    (answer,) = map(decode, sgp.pending())
    assert answer.name == "REG RSP"
    assert [RegistrationResult.from_parameter(p) for p in answer.parameters] == [
        RegistrationResult(7, status, context)
    ]


def test_several_keys_are_registered_at_once() -> None:
    asp = AspSide(routing_key=KEY.to_parameters())
    asp.start(0)
    asp.receive(Message.named("ASPUP ACK"), 0)
    results = [RegistrationResult(7, 0, 11).to_parameter(), RegistrationResult(8, 12, 12).to_parameter()]
    assert asp.receive(Message.named("REG RSP", *results), 0) == [Registered(11), Registered(12)]
    assert asp.routing_contexts == (11, 12)


def test_what_the_gateway_has_to_tell_of_destinations() -> None:
    asp, sgp = active_pair()
    cluster = AffectedPointCode(0x100, 8)
    for name in ("DUNA", "DAVA", "DRST"):
        sgp.announce(name, (cluster, AffectedPointCode(1)))
    sgp.announce("SCON", (cluster,), Parameter.integers(Tag.CONGESTION_INDICATIONS, 2))
    sgp.announce("DUPU", (cluster,), UserCause(UnavailabilityCause.UNEQUIPPED_REMOTE_USER, 3).to_parameter())
    events, _ = talk(asp, sgp)
    told = [event.message for event in events if isinstance(event, DestinationStatus)]
    assert [message.name for message in told] == ["DUNA", "DAVA", "DRST", "SCON", "DUPU"]
    assert affected_point_codes(told[0]) == (cluster, AffectedPointCode(1))
    assert told[3].integer(Tag.CONGESTION_INDICATIONS) == 2
    assert UserCause.from_message(told[4]) == UserCause(1, 3)
    with pytest.raises(EncodeError, match="announces DUNA"):
        sgp.announce("DATA", (cluster,))


def refusal(side: AspSide | SgpSide, message: Message, stream: int | None = None) -> int | None:
    """The error code that the peer is told, None for no ERR."""
    side.pending()
    side.receive(encode(message), 0, stream)
    errors = [decode(octets) for octets in side.pending() if decode(octets).name == "ERR"]
    return errors[0].integer(Tag.ERROR_CODE) if errors else None


@pytest.mark.parametrize("name", MANDATORY)
def test_what_is_missing_is_told(name: str) -> None:
    asp, sgp = active_pair()
    for side in (asp, sgp):
        state = side.state
        wanted = None if name == "ERR" else ErrorCode.MISSING_PARAMETER
        assert refusal(side, Message.named(name)) == wanted
        assert side.state is state


@pytest.mark.parametrize(
    ("message", "stream", "code"),
    [
        (DATA.to_message(), 0, ErrorCode.INVALID_STREAM_IDENTIFIER),
        (DATA.to_message(), 5, None),
        (Message.named("ASPDN"), 5, ErrorCode.INVALID_STREAM_IDENTIFIER),
        (Message.named("ASPIA"), 5, None),
        (Message.named("BEAT"), 5, None),
        (Message.named("BEAT"), 0, None),
    ],
)
def test_messages_on_the_wrong_stream(message: Message, stream: int, code: ErrorCode | None) -> None:
    _, sgp = active_pair()
    assert refusal(sgp, message, stream) == code


def test_unknown_routing_contexts_and_traffic_modes_are_refused() -> None:
    sgp = SgpSide(routing_contexts=(3,))
    sgp.receive(Message.named("ASPUP"), 0)
    wrong = Message.named("ASPAC", Parameter.integers(Tag.ROUTING_CONTEXT, 3, 4))
    sgp.pending()
    sgp.receive(wrong, 0)
    (error,) = map(decode, sgp.pending())
    assert error.integer(Tag.ERROR_CODE) == ErrorCode.INVALID_ROUTING_CONTEXT
    context = error.first(Tag.ROUTING_CONTEXT)
    assert context is not None
    assert context.as_integers() == (3, 4)
    mode = Message.named("ASPAC", Parameter.integers(Tag.TRAFFIC_MODE_TYPE, 7))
    assert refusal(sgp, mode) == ErrorCode.UNSUPPORTED_TRAFFIC_MODE_TYPE
    assert sgp.state is AspState.INACTIVE
    sgp.receive(Message.named("ASPAC", Parameter.integers(Tag.ROUTING_CONTEXT, 3)), 0)
    assert sgp.state is AspState.ACTIVE
    stray = DataMessage(257, 1, 3, 2, 4, b"x", routing_context=9)
    assert refusal(sgp, stray.to_message()) == ErrorCode.INVALID_ROUTING_CONTEXT


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        ("0200030100000008", ErrorCode.INVALID_VERSION),
        ("0100050100000008", ErrorCode.UNSUPPORTED_MESSAGE_CLASS),
        ("0100030900000008", ErrorCode.UNSUPPORTED_MESSAGE_TYPE),
        ("0100040100000008", ErrorCode.UNEXPECTED_MESSAGE),
        ("010003010000000c00110009", ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_the_peer_is_told_what_was_wrong(octets: str, code: ErrorCode) -> None:
    sgp = SgpSide()
    (event,) = sgp.receive(bytes.fromhex(octets), 0)
    assert isinstance(event, Garbage | Unexpected)
    (answer,) = map(decode, sgp.pending())
    assert (answer.name, answer.integer(Tag.ERROR_CODE)) == ("ERR", code)
    diagnostic = answer.first(Tag.DIAGNOSTIC_INFORMATION)
    assert diagnostic is not None
    assert diagnostic.value == bytes.fromhex(octets)


def test_errors_are_never_answered_by_errors() -> None:
    asp, sgp = active_pair()
    error = Message.named("ERR", Parameter.integers(Tag.ERROR_CODE, 6))
    assert sgp.receive(error, 0) == [PeerError(6, b"")]
    assert asp.receive(error, 0) == [PeerError(6, b"")]
    sgp.receive(bytes.fromhex("010000000000000c00040009"), 0)
    assert sgp.pending() == asp.pending() == []


def test_network_status_comes_up_as_it_is() -> None:
    asp, _ = active_pair()
    unavailable = Message.named("DUNA", Parameter.integers(Tag.AFFECTED_POINT_CODE, 7))
    assert asp.receive(unavailable, 0) == [DestinationStatus(unavailable)]


def test_a_lost_association_is_down_once() -> None:
    asp, sgp = active_pair()
    assert sgp.lost("no answer") == [Down("no answer")]
    assert sgp.lost("no answer") == []
    assert asp.lost("cut") == [Down("cut")]
    assert asp.deadline_ns is None


def test_every_row_of_the_table_names_an_action_and_a_message() -> None:
    actions = {"ASP": AspSide()._actions(), "SGP": SgpSide()._actions()}
    for (side, _, message), (_, action) in TRANSITIONS.items():
        assert action in actions[side]
        assert message in NAMES.values()


octets = st.binary(max_size=40) | st.builds(
    lambda key, tags: encode(Message(*key, tuple(Parameter(t, v) for t, v in tags))),
    st.sampled_from(sorted(NAMES)),
    st.lists(st.tuples(st.sampled_from(list(Tag)), st.binary(max_size=12)), max_size=3),
)


@patient
@given(st.lists(octets, max_size=12), st.booleans())
def test_nothing_a_peer_sends_raises(said: list[bytes], asp_side: bool) -> None:
    side: AspSide | SgpSide = AspSide() if asp_side else SgpSide()
    if isinstance(side, AspSide):
        side.start(0)
    for message in said:
        side.receive(message, 0)
        for answer in side.pending():
            decode(answer)
