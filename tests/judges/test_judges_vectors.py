"""Field vectors judge the codec: every expected value that a key of ours carries is compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.judge import vectors as judge
from sigtran import m3ua
from sim.bssap import bssap, bssmap, dtap, sccp, sms, tpdu, view

pytestmark = pytest.mark.vectors

CODECS = {
    "m3ua": (m3ua.decode, m3ua.encode),
    "sccp": (sccp.decode, sccp.encode),
    "bssap": (bssap.decode, bssap.encode),
    "bssmap": (bssmap.decode, bssmap.encode),
    "dtap": (dtap.decode, dtap.encode),
    "rpdata": (sms.decode_rp, sms.encode_rp),
    "tpdu": (tpdu.decode, tpdu.encode),
}


@pytest.fixture(scope="module")
def rows():
    path = judge.corpus(Path(__file__).parents[2])
    if path is None:
        pytest.skip("no field vectors at ../shared/vectors or KAIROS_VECTORS")
    return judge.read(path)


@pytest.fixture(scope="module")
def verdict(rows):
    return judge.judge_vectors(rows)


def test_every_vector_agrees_or_is_refused(verdict):
    assert verdict.vectors > 400
    assert not verdict.complaints


def test_most_expected_values_are_compared(verdict, record_property):
    """What is left out has its reason: a field of no key, a refused vector, the frame around it."""
    record_property("compared", verdict.compared.total())
    record_property("left out", verdict.left_out.total())
    assert verdict.compared.total() > 2200
    assert verdict.left_out.total() < verdict.compared.total() / 4


def test_disputed_vectors_are_refused_with_a_reason(rows):
    said, _ = judge.DISPUTED
    disputed = [row for row in rows if row["expect"] == "disputed"]
    assert disputed
    for row in disputed:
        with pytest.raises(ValueError, match=said):
            view(row["layer"], bytes.fromhex(row["hex"]))


def test_canonical_vectors_are_written_back_and_the_others_are_known(rows):
    changed = set()
    for row in rows:
        decode, encode = CODECS[row["layer"]]
        data = bytes.fromhex(row["hex"])
        if row["expect"] == "decode" and row["id"] not in judge.REFUSED and encode(decode(data)) != data:
            changed.add(row["id"])
    assert changed == set(judge.NOT_CANONICAL)
