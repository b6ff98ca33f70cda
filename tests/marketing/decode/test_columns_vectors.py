"""Messages from other projects (see their README): what another decoder named must be in the columns."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marketing.decode import decode_batch, decode_bssap

HERE = Path(os.environ.get("KAIROS_VECTORS", Path(__file__).parents[4] / "shared" / "vectors"))
CORPUS = HERE / "corpus.jsonl"
pytestmark = [
    pytest.mark.vectors,
    pytest.mark.skipif(not CORPUS.exists(), reason=f"no vectors at {HERE}; set KAIROS_VECTORS"),
]

# The expectation is another decoder's; here we hold that the message is wrong, and why.
REFUSED = {
    73: "layer 3 information of one octet has no message type (TS 24.007 11.2.3.2)",
    74: "likewise",
    648: "likewise",
    649: "likewise",
}
# Wrong only inside elements that no column reads.
PASSED_OVER = {629: "the fault is in a USSD component"}


def vectors(*layers: str) -> list[dict[str, Any]]:
    if not CORPUS.exists():
        return []
    lines = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]
    return [v for v in lines if v["layer"] in layers and len(v["hex"]) < 500]


def wrapped(vector: dict[str, Any]) -> bytes:
    octets = bytes.fromhex(vector["hex"])
    match vector["layer"]:
        case "dtap":
            return bytes([1, 0, len(octets)]) + octets
        case "bssmap":
            return bytes([0, len(octets)]) + octets
        case "rpdata":
            return bytes([1, 3, len(octets) + 3, 9, 1, len(octets)]) + octets
    return octets


def number(text: str | list[str]) -> int:
    text = text[-1] if isinstance(text, list) else text
    return int(text, 16 if text.startswith("0x") else 10)


# tshark's field -> column.
FIELDS = {
    "gsm_a.bssmap.msgtype": "bssmap",
    "gsm_a.bssmap.cell_lac": "lac",
    "gsm_a.bssmap.cell_ci": "ci",
    "gsm_a.bssmap.cause": "bssmap_cause",
    "gsm_a.dtap.msg_mm_type": "dtap",
    "gsm_a.dtap.msg_cc_type": "dtap",
}


@pytest.mark.parametrize("vector", vectors("bssap", "bssmap", "dtap", "rpdata"), ids=lambda v: f"{v['id']}")
def test_bssap_and_above(vector):
    row = decode_bssap(wrapped(vector))[0]
    if vector["expect"] == "disputed":
        return
    if vector["expect"] == "malformed":
        assert row["error"] or vector["id"] in PASSED_OVER
        return
    assert bool(row["error"]) == (vector["id"] in REFUSED), vector["info"]
    for field, column in FIELDS.items():
        if field in vector["expected"] and not row["error"] and "cell_id_list" not in str(vector["expected"]):
            if (column in ("lac", "ci") and row["list_cells"]) or (
                column == "dtap" and row["bssmap"] == 0x55
            ):
                continue
            assert int(row[column]) == number(vector["expected"][field]), (field, vector["info"])


@pytest.mark.parametrize("vector", vectors("m3ua"), ids=lambda v: f"{v['id']}")
def test_m3ua_is_classified(vector):
    octets = bytes.fromhex(vector["hex"])
    row = decode_batch(octets, np.array([0, len(octets)]))[0]
    kind, number_ = (vector["expected"].get(f"m3ua.message_{what}") for what in ("class", "type"))
    if vector["expect"] == "decode" and kind is not None and row["m3ua_class"]:
        assert (int(row["m3ua_class"]), int(row["m3ua_type"])) == (number(kind), number(number_))
    if row["sccp"] and "m3ua.protocol_data_opc" in vector["expected"]:
        assert int(row["opc"]) == number(vector["expected"]["m3ua.protocol_data_opc"])
