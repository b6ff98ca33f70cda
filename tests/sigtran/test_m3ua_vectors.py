"""M3UA messages from other projects' tests and captures."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sigtran.m3ua import DataMessage, DecodeError, Tag, decode, encode

ROOT = Path(os.environ.get("KAIROS_VECTORS") or Path(__file__).parents[3] / "shared" / "vectors")
CORPUS = ROOT / "corpus.jsonl"

pytestmark = pytest.mark.vectors

# Where the corpus is held to be wrong: RFC 4666 3.1.4, the message length counts the common header (8 octets)
# and every parameter, so it is never below 8, and a message is never shorter than it. tshark does not look at
# the field at all.
REFUSED = {303: "length 7 in a message of 8 octets", 304: "length 9 in a message of 8 octets"}

# The final padding is not in the length, or is not zero (a receiver takes both, 3.1.4 and 3.2), so encoding
# gives other octets.
NOT_CANONICAL = {300, 301, 349, 350, 351, 352}

# DATA whose parameters are not in the order of 3.3.1, or with two Routing Contexts where it has one: all is
# kept and written in another order.
OTHER_ORDER = {232, 365}


def vectors() -> list[dict[str, Any]]:
    if not CORPUS.exists():
        return []
    lines = CORPUS.read_text().splitlines()
    return [vector for vector in map(json.loads, lines) if vector["layer"] == "m3ua"]


VECTORS = vectors()


def test_the_corpus_is_there() -> None:
    if not VECTORS:
        pytest.skip(f"no field vectors: {CORPUS} is absent (KAIROS_VECTORS names their folder)")
    assert len(VECTORS) > 100


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: str(v["id"]))
def test_field_vector(vector: dict[str, Any]) -> None:
    octets = bytes.fromhex(vector["hex"])
    if vector["id"] in REFUSED:
        with pytest.raises(DecodeError, match=REFUSED[vector["id"]]):
            decode(octets)
        return
    if vector["expect"] == "malformed":
        with pytest.raises(DecodeError):
            decode(octets)
        return
    message = decode(octets)
    expected = vector["expected"]
    assert message.message_class == int(expected["m3ua.message_class"])
    assert message.message_type == int(expected["m3ua.message_type"])
    assert (encode(message) == octets) == (vector["id"] not in NOT_CANONICAL)
    assert decode(encode(message)) == message
    if message.first(Tag.PROTOCOL_DATA):
        data = DataMessage.from_message(message)
        for key in ("opc", "dpc", "si", "ni", "sls"):
            assert getattr(data, key) == int(expected[f"m3ua.protocol_data_{key}"])
        assert (encode(data) == octets) == (vector["id"] not in OTHER_ORDER)
        assert DataMessage.from_message(decode(encode(data))) == data
