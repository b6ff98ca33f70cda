"""Routing keys, results, causes and point codes of M3UA: both ways, and what is none of them."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigtran.m3ua import NAMES, DecodeError, EncodeError, ErrorCode, Message, Parameter, Tag, decode, encode
from sigtran.m3ua_values import (
    AffectedPointCode,
    DeregistrationResult,
    Destination,
    RegistrationResult,
    RoutingKey,
    UserCause,
    affected_point_codes,
    push_affected_point_codes,
)

patient = settings(deadline=None)
u8, u16, u24, u32 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 24, 32))

keys = st.builds(
    RoutingKey,
    u32,
    st.lists(
        st.builds(
            Destination, u32, st.lists(u8, max_size=3).map(tuple), st.lists(u32, max_size=3).map(tuple)
        ),
        max_size=3,
    ).map(tuple),
    st.none() | u32,
    st.none() | u32,
    st.none() | u32,
    st.lists(st.builds(Parameter, st.integers(0x300, 0x400), st.binary(max_size=5)), max_size=2).map(tuple),
)


@patient
@given(keys)
def test_routing_keys(key: RoutingKey) -> None:
    message = Message.named("REG REQ", Parameter.nested(Tag.ROUTING_KEY, key.to_parameters()))
    (parameter,) = decode(encode(message)).parameters
    assert RoutingKey.from_parameters(parameter.as_parameters()) == key


@given(u32, u32, u32)
def test_results(identifier: int, status: int, context: int) -> None:
    registered = RegistrationResult(identifier, status, context)
    assert RegistrationResult.from_parameter(registered.to_parameter()) == registered
    given_up = DeregistrationResult(context, status)
    assert DeregistrationResult.from_parameter(given_up.to_parameter()) == given_up


@given(st.lists(st.builds(AffectedPointCode, u24, u8), min_size=1, max_size=5).map(tuple), u16, u16)
def test_point_codes_and_causes(codes: tuple[AffectedPointCode, ...], cause: int, user: int) -> None:
    why = UserCause(cause, user)
    message = Message.named("DUPU", push_affected_point_codes(codes), why.to_parameter())
    assert affected_point_codes(message) == codes
    assert UserCause.from_message(message) == why
    assert UserCause.from_message(Message.named("DUPU")) is None
    assert affected_point_codes(Message.named("DUNA")) == ()


@pytest.mark.parametrize(
    "make",
    [
        lambda: push_affected_point_codes(()),
        lambda: push_affected_point_codes((AffectedPointCode(1 << 24),)),
        lambda: push_affected_point_codes((AffectedPointCode(1, 256),)),
        lambda: UserCause(1 << 16, 0).to_parameter(),
        lambda: RoutingKey(1, (Destination(1, (256,)),)).to_parameters(),
        lambda: RoutingKey(1 << 32).to_parameters(),
    ],
)
def test_our_own_mistakes(make) -> None:
    with pytest.raises(EncodeError):
        make()


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (lambda: RoutingKey.from_parameters(()), "Local-RK-Identifier"),
        (lambda: RegistrationResult.from_parameter(Parameter(Tag.REGISTRATION_RESULT, b"")),
         "without LOCAL_ROUTING_KEY_IDENTIFIER, REGISTRATION_STATUS, ROUTING_CONTEXT"),
        (lambda: DeregistrationResult.from_parameter(Parameter(Tag.DEREGISTRATION_RESULT, b"\\0")),
         "behind the last"),
    ],
)  # fmt: skip
def test_the_peers_mistakes(read, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        read()


# What Wireshark calls otherwise.
OTHERWISE = {
    "CORRELATION_ID": "Correlation identifier",
    "UNSUPPORTED_TRAFFIC_MODE_TYPE": "Unsupported traffic handling mode",
}


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


@pytest.fixture(scope="module")
def wireshark() -> dict[str, dict[int, set[str]]]:
    """Wireshark's own tables: field -> number -> names (its drafts and RFC 4666 side by side)."""
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed")
    run = subprocess.run([program, "-G", "values"], capture_output=True, text=True, timeout=120, check=True)
    found: dict[str, dict[int, set[str]]] = {}
    for line in run.stdout.splitlines():
        kind, field, *rest = [*line.split("\t"), ""]
        if kind == "V" and field.startswith("m3ua."):
            found.setdefault(field, {}).setdefault(int(rest[0], 0), set()).add(_plain(rest[1]))
    return found


def test_tags_and_errors_are_those_of_wireshark(wireshark: dict[str, dict[int, set[str]]]) -> None:
    for tag in Tag:
        assert _plain(OTHERWISE.get(tag.name, tag.name)) in wireshark["m3ua.parameter_tag"][tag], tag
    for code in ErrorCode:
        assert _plain(OTHERWISE.get(code.name, code.name)) in wireshark["m3ua.error_code"][code], code


def test_every_message_is_kept_with_every_parameter() -> None:
    # Unknown ones among them: what was decoded is encoded to the same octets.
    kept = tuple(Parameter.integers(tag, 0) for tag in (Tag.STATUS, Tag.ERROR_CODE, Tag.AFFECTED_POINT_CODE))
    for numbers in NAMES:
        octets = encode(Message(*numbers, (*kept, Parameter(0x9999, b"abc"), Parameter(0x0005, b""))))
        assert encode(decode(octets)) == octets
