"""The behaviour batch is a contract with the engine, the records and the audit."""

import numpy as np
import pytest

from marketing.behaviours import (
    BEHAVIOUR,
    CODES,
    NAMES,
    Kind,
    concatenate,
    digits,
    empty,
    imsi_text,
    imsi_value,
)


def test_columns_and_codes_do_not_move():
    assert BEHAVIOUR.names == (
        *("t_us", "imsi", "kind", "role", "lac", "ci", "peer", "cause", "duration_us", "detail", "corr"),
        *("received_ns", "decoded_ns"),
    )
    assert BEHAVIOUR.itemsize == 79
    assert CODES["power_on"] == 1
    assert CODES["call_ended"] == 12
    assert CODES["sms_received"] == 21
    assert CODES["handover"] == 30
    assert CODES["paging_no_response"] == 33
    assert CODES["seen"] == 34
    assert NAMES[CODES["call_vacant"]] == Kind.CALL_VACANT.name.lower()
    assert len(NAMES) == len(CODES) == len(Kind)


def test_imsi_keeps_its_leading_zeros():
    assert imsi_text(imsi_value("001010000000001")) == "001010000000001"
    assert imsi_text(0) == ""
    for wrong in ("1010000000001", "00101000000000x", ""):
        with pytest.raises(ValueError, match="15 digits"):
            imsi_value(wrong)


def test_concatenate_keeps_order_and_takes_nothing():
    one, two = empty(2), empty(1)
    one["t_us"] = [3, 1]
    two["t_us"] = 2
    assert concatenate([one, two])["t_us"].tolist() == [3, 1, 2]
    assert len(concatenate([])) == 0
    assert concatenate([two]) is two
    assert concatenate([]).dtype == BEHAVIOUR


def test_peer_as_text():
    row = empty(1)
    row["peer"] = b"8613900012345"
    assert digits(row[0]["peer"]) == "8613900012345"
    assert np.dtype(BEHAVIOUR["peer"]).itemsize == 20
