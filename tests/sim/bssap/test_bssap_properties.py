"""Round trips for drawn values, and mutated octets: a value or a DecodeError, nothing else."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from sim.bssap import DecodeError, bssap, bssmap, dtap, gsm7, sccp, sms, tpdu, view
from sim.bssap.cc_elements import PartyNumber, decode_number, encode_number
from sim.bssap.cells import (
    DISCRIMINATORS,
    Cell,
    CellIdentifier,
    decode_cell_identifier_list,
    encode_cell_identifier_list,
)
from sim.bssap.identity import (
    Lai,
    MobileIdentity,
    decode_lai,
    decode_mobile_identity,
    encode_lai,
    encode_mobile_identity,
)
from sim.bssap.legality import is_legal
from sim.bssap.procedures import LADDERS, Params, ladder
from sim.bssap.sccp_address import Address, GlobalTitle, decode_address, encode_address
from sim.bssap.user_data import text_user_data

settings.register_profile("bssap", deadline=None, database=None, derandomize=True)
quick = settings(settings.get_profile("bssap"), max_examples=200)

digits = st.text("0123456789", max_size=20)
u16 = st.integers(0, 0xFFFF)
u24 = st.integers(0, 0xFFFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
octet = st.integers(0, 255)

identities = st.one_of(
    st.builds(MobileIdentity, st.just("IMSI"), st.text("0123456789", min_size=6, max_size=15)),
    st.builds(MobileIdentity, st.just("IMEI"), st.text("0123456789", min_size=14, max_size=15)),
    st.builds(MobileIdentity, st.just("IMEISV"), st.text("0123456789", min_size=16, max_size=16)),
    st.builds(MobileIdentity, st.just("TMSI"), tmsi=u32),
)
plmns = st.tuples(
    st.text("0123456789", min_size=3, max_size=3), st.text("0123456789", min_size=2, max_size=3)
)


@st.composite
def cell_lists(draw):
    discriminator = draw(st.sampled_from([key for key, parts in DISCRIMINATORS.items() if parts]))
    cells = []
    for _ in range(draw(st.integers(1, 5))):
        values = {}
        for part in DISCRIMINATORS[discriminator]:
            if part == "plmn":
                values["mcc"], values["mnc"] = draw(plmns)
            else:
                values[part] = draw(u16)
        cells.append(Cell(**values))
    return CellIdentifier(discriminator, tuple(cells))


@quick
@given(identities)
def test_mobile_identities(value):
    assert decode_mobile_identity(encode_mobile_identity(value)) == value


@quick
@given(plmns, u16)
def test_location_areas(plmn, lac):
    value = Lai(*plmn, lac)
    assert decode_lai(encode_lai(value)) == value


@quick
@given(cell_lists())
def test_cell_identifier_lists(value):
    assert decode_cell_identifier_list(encode_cell_identifier_list(value)) == value


@quick
@given(st.text("0123456789*#abc", max_size=40), st.integers(0, 7), st.integers(0, 15),
       st.none() | st.integers(0, 127))  # fmt: skip
def test_party_numbers(text, kind, plan, indicators):
    value = PartyNumber(text, kind, plan, indicators)
    assert decode_number(encode_number(value)) == value


@quick
@given(
    st.none() | octet, st.none() | u16, st.integers(0, 4), digits, octet, st.integers(0, 15), st.booleans()
)
def test_addresses(ssn, point_code, indicator, number, translation, plan, route):
    title = None
    if indicator:
        number = number or "1"
        if indicator == 2 and len(number) % 2:
            number += "0"
        title = GlobalTitle(
            indicator, number,
            translation if indicator > 1 else None,
            plan if indicator > 2 else None,
            (1 if len(number) % 2 else 2) if indicator > 2 else None,
            4 if indicator in (1, 4) else None,
        )  # fmt: skip
    value = Address(ssn, point_code, title, route)
    assert decode_address(encode_address(value)) == value


@quick
@given(u24, u24, st.binary(min_size=1, max_size=200))
def test_connection_messages(one, two, data):
    for value in (
        sccp.SccpMessage("CR", source=one, protocol_class=2, called=Address(254), data=data),
        sccp.SccpMessage("CC", destination=one, source=two, protocol_class=2, data=data),
        sccp.SccpMessage("DT1", destination=one, more=False, data=data),
        sccp.SccpMessage("RLSD", destination=one, source=two, cause=0),
    ):
        assert sccp.decode(sccp.encode(value)) == value


@quick
@given(st.lists(st.integers(0, 127), max_size=160), st.integers(0, 6))
def test_septets(septets, skip):
    assert gsm7.unpack(gsm7.pack(septets, skip), len(septets), skip) == septets


gsm_text = st.text(
    [character for character in gsm7.DEFAULT if character != "\x1b"] + list("^{}\\[~]|€"), max_size=70
)


@quick
@given(gsm_text | st.text(st.characters(exclude_categories=("Cs",)), max_size=30), st.booleans())
def test_short_message_texts(text, ucs2):
    if not ucs2:
        text = "".join(character for character in text if character in gsm7.DEFAULT and character != "\x1b")
    value = tpdu.Submit(tpdu.TpAddress("10086", 0), text_user_data(text, 8 if ucs2 else 0))
    decoded = tpdu.decode(tpdu.encode(value))
    assert decoded == value
    assert decoded.user_data.text == text


params = st.builds(
    Params,
    imsi=st.text("0123456789", min_size=15, max_size=15),
    tmsi=u32, new_tmsi=u32, lac=u16, ci=u16, old_lac=u16, lac2=u16, ci2=u16,
    bss_ref=u24, msc_ref=u24, bss_ref2=u24, msc_ref2=u24, ti=st.integers(0, 5),
    called=st.text("0123456789*#abc", min_size=1, max_size=20),
    calling=st.text("0123456789", max_size=20), cic=u16, cic2=u16,
    cause=st.none() | st.integers(0, 127), identity=st.sampled_from(["tmsi", "imsi"]),
    ask_identity=st.booleans(), auth=st.booleans(), reallocate=st.booleans(), handover=st.booleans(),
    rp_ref=octet, handover_reference=octet, cksn=st.integers(0, 7),
)  # fmt: skip


@settings(quick, max_examples=150)
@given(st.sampled_from(sorted(LADDERS)), params)
def test_ladders_of_any_values_decode_and_are_legal(kind, p):
    steps = ladder(kind, p)
    assert is_legal(steps)
    for step in steps:
        json.dumps(view("sccp", step.payload))


SAMPLES = [
    step.payload
    for kind in LADDERS
    for step in ladder(kind, Params(handover=True, ask_identity=True, ask_imei=True))
]
CODECS = [
    (sccp.decode, sccp.encode), (bssap.decode, bssap.encode), (bssmap.decode, bssmap.encode),
    (dtap.decode, dtap.encode), (sms.decode_rp, sms.encode_rp), (tpdu.decode, tpdu.encode),
]  # fmt: skip


@st.composite
def mutated(draw):
    """A message of a ladder with up to three octets changed, inserted, removed, or cut short."""
    data = bytearray(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        match draw(st.sampled_from(["change", "insert", "remove", "cut"])):
            case "change" if data:
                data[at] = draw(octet)
            case "insert":
                data.insert(at, draw(octet))
            case "remove" if data:
                del data[at]
            case "cut":
                del data[at:]
    return bytes(data)


@settings(quick, max_examples=1200)
@given(mutated())
def test_mutated_messages_decode_or_are_refused(data):
    try:
        shown = view("sccp", data)
    except DecodeError:
        return
    json.dumps(shown)


@settings(quick, max_examples=600)
@given(st.binary(max_size=60), st.sampled_from(range(len(CODECS))))
def test_any_octets_decode_or_are_refused(data, index):
    """What is accepted can be written, and reads the same again."""
    decode, encode = CODECS[index]
    try:
        value = decode(data)
    except DecodeError:
        return
    assert decode(encode(value)) == value


@settings(quick, max_examples=600)
@given(mutated())
def test_mutated_messages_are_written_again(data):
    try:
        outer = sccp.decode(data)
        user = bssap.decode(outer.data or b"")
        inner = (
            bssmap.decode(user.payload) if user.discrimination == bssap.BSSMAP else dtap.decode(user.payload)
        )
    except DecodeError:
        return
    assert sccp.decode(sccp.encode(outer)) == outer
    if user.discrimination == bssap.BSSMAP:
        assert bssmap.decode(bssmap.encode(inner)) == inner
    else:
        assert dtap.decode(dtap.encode(inner)) == inner
