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
    NAMES,
    DataMessage,
    ErrorCode,
    Message,
    NotifyStatus,
    Parameter,
    Tag,
    TrafficMode,
    decode,
    encode,
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
    result = (Parameter.integers(Tag.REGISTRATION_STATUS, 5), Parameter.integers(Tag.ROUTING_CONTEXT, 0))
    response = Message.named("REG RSP", Parameter.nested(Tag.REGISTRATION_RESULT, result))
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


def test_deregistration_is_answered() -> None:
    sgp = SgpSide()
    sgp.receive(Message.named("ASPUP"), 0)
    sgp.pending()
    assert sgp.receive(Message.named("DEREG REQ", Parameter.integers(Tag.ROUTING_CONTEXT, 4)), 0) == []
    (answer,) = map(decode, sgp.pending())
    result = answer.first(Tag.DEREGISTRATION_RESULT)
    assert result is not None
    assert [p.as_integer() for p in result.as_parameters()] == [4, 0]


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
