"""Any octets whatever, to every reader there is: a value or a DecodeError, and a value that can be shown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.bssap import DecodeError, ber, bssap, bssmap, dtap, sccp, sms, ss_components, ss_results, tpdu, view
from sim.bssap.bssmap_elements import ELEMENTS
from sim.bssap.bssmap_fields import NAMES, fields_of
from sim.bssap.cells import decode_cell_identifier_list
from sim.bssap.elements import decode_value
from sim.bssap.flat import LAYERS
from sim.bssap.identity import decode_lai, decode_mobile_identity
from sim.bssap.mm_elements import decode_network_name
from sim.bssap.sccp_address import decode_address
from sim.bssap.speech_codecs import decode_speech_codecs
from sim.bssap.user_data import decode_header, decode_user_data
from sim.bssap.validity import decode_enhanced

READERS = {
    "sccp": sccp.decode,
    "bssap": bssap.decode,
    "bssmap": bssmap.decode,
    "dtap": dtap.decode,
    "rp": sms.decode_rp,
    "tpdu": tpdu.decode,
    "tpdu up": lambda data: tpdu.decode(data, from_network=False),
    "tpdu down": lambda data: tpdu.decode(data, from_network=True),
    "address": decode_address,
    "cells": decode_cell_identifier_list,
    "identity": decode_mobile_identity,
    "lai": decode_lai,
    "network name": decode_network_name,
    "user data": lambda data: decode_user_data(data[1:], data[0] if data else 0, True),
    "user data header": decode_header,
    "codecs": decode_speech_codecs,
    "validity": decode_enhanced,
    "ber": ber.decode_all,
    "ber inside": ber.check,
    "facility": ss_components.decode_facility,
    "ussd": ss_components.decode_ussd,
    "ss argument": ss_components.decode_ss_argument,
    "forwarding": ss_results.decode_forwarding,
    **{f"layer {layer}": lambda data, layer=layer: json.dumps(view(layer, data)) for layer in LAYERS},
}
octets = st.binary(max_size=60)
many = settings(deadline=None, database=None, derandomize=True, max_examples=150)


@pytest.mark.parametrize("name", READERS)
@many
@given(octets)
def test_a_value_or_a_decode_error(name, data):
    try:
        READERS[name](data)
    except DecodeError as error:
        assert str(error)  # noqa: PT017 - the reason is what the test is about


@many
@given(st.sampled_from([row for protocol in dtap.PROTOCOLS for row in protocol.messages]), octets)
def test_any_octets_behind_any_dtap_header(row, data):
    pd = next(protocol.pd for protocol in dtap.PROTOCOLS if row in protocol.messages)
    try:
        value = dtap.decode(bytes([pd, row.code]) + data)
    except DecodeError as error:
        assert str(error).startswith(row.name)  # noqa: PT017 - as above
        return
    assert dtap.decode(dtap.encode(value)) == value


@many
@given(st.sampled_from(bssmap.MESSAGES), octets)
def test_any_octets_behind_any_bssmap_type(row, data):
    try:
        value = bssmap.decode(bytes([row.code]) + data)
    except DecodeError as error:
        assert str(error).startswith(row.name)  # noqa: PT017 - as above
        return
    assert bssmap.decode(bssmap.encode(value)) == value


@many
@given(st.sampled_from(ELEMENTS), octets)
def test_any_octets_in_any_bssmap_element(element, data):
    try:
        value = decode_value(element, data)
    except DecodeError as error:
        assert str(error).startswith(element.name)  # noqa: PT017 - as above
        return
    if element.name in NAMES:
        assert fields_of(element.name, value) is not None


@many
@given(st.sampled_from(sccp.MESSAGES), octets)
def test_any_octets_behind_any_sccp_type(row, data):
    try:
        value = sccp.decode(bytes([row.code]) + data)
    except DecodeError:
        return
    assert sccp.decode(sccp.encode(value)) == value
