"""Decoders that others wrote judge what the codec writes: a part of what `kairos judge` asks.

KAIROS_JUDGE_COUNT sets how many messages Wireshark is asked about (10,000 in the ordinary suite).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from experiments.judge import page as judge_page
from experiments.judge import pycrate as judge_pycrate
from experiments.judge import tshark as judge_tshark
from experiments.judge.command import judge
from experiments.judge.excuses import EXCUSES
from experiments.judge.kinds import KINDS
from experiments.judge.messages import traffic
from experiments.judge.wireshark import judge_row
from sim.m3ua_view import view_m3ua

ROOT = Path(__file__).parents[2]
CONFIRMED = json.loads((Path(__file__).parent / "confirmed.json").read_text())
COUNT = int(os.environ.get("KAIROS_JUDGE_COUNT", "10000"))
SEED = 21
ALL = {f"{protocol}: {name}" for protocol, names in KINDS.items() for name in names}


@pytest.fixture(scope="module")
def wireshark():
    if judge_tshark.available() is None:
        pytest.skip("tshark is not installed")
    return judge("tshark", traffic(SEED, COUNT))


@pytest.fixture(scope="module")
def pycrate():
    if not judge_pycrate.available():
        pytest.skip("pycrate is not installed")
    return judge("pycrate", traffic(SEED, 1500))


@pytest.mark.tshark
def test_wireshark_has_no_complaint(wireshark):
    assert wireshark.messages == COUNT
    assert not [what for what, _ in wireshark.complaints]
    assert wireshark.compared.total() > 14 * COUNT


@pytest.mark.tshark
def test_wireshark_confirms_what_the_page_says(wireshark):
    missing = set(CONFIRMED["tshark"]["confirmed"]) - set(wireshark.confirmed)
    # Rare M3UA messages may be few in a short run.
    assert {kind for kind in missing if not kind.startswith("M3UA")} == set()


@pytest.mark.tshark
def test_a_wrong_octet_is_noticed():
    """The judge judges: a message changed after it was decoded by us is complained of."""
    if judge_tshark.available() is None:
        pytest.skip("tshark is not installed")
    from experiments.judge.wireshark import COLUMNS

    messages = [octets for octets in traffic(SEED, 400) if octets[3] == 1]
    changed = [octets[:-5] + bytes([octets[-5] ^ 1]) + octets[-4:] for octets in messages]
    noticed = 0
    for octets, row in zip(messages, judge_tshark.say(changed, COLUMNS), strict=True):
        noticed += bool(judge_row(row, view_m3ua(octets))[0])
    assert noticed > len(messages) / 4


def test_pycrate_has_no_complaint(pycrate):
    assert pycrate.messages == 1500
    assert not [what for what, _ in pycrate.complaints]
    assert pycrate.compared.total() > 13 * 1500


def test_the_same_seed_gives_the_same_messages():
    assert list(traffic(3, 300)) == list(traffic(3, 300))
    assert list(traffic(3, 300)) != list(traffic(4, 300))


def test_every_message_type_is_confirmed_by_somebody():
    assert judge_page.unconfirmed(CONFIRMED, judge_page.peer_list(ROOT)) == []


def test_confirmations_are_of_message_types_that_there_are():
    for name in ("tshark", "pycrate"):
        assert set(CONFIRMED[name]["confirmed"]) <= ALL
        assert CONFIRMED[name]["complaints"] == 0
    assert set(CONFIRMED["vectors"]["confirmed"]) <= ALL
    assert set(judge_page.peer_list(ROOT)) <= ALL


def test_the_page_is_current():
    page = (ROOT / "sim" / "bssap" / "MESSAGES.md").read_text()
    assert page == judge_page.markdown(CONFIRMED, judge_page.peer_list(ROOT))


def test_every_excuse_is_needed():
    assert {excuse.name for excuse in EXCUSES} == set(CONFIRMED["tshark"]["excused"])


def test_excuses_name_their_clause():
    for excuse in EXCUSES:
        assert any(word in excuse.why for word in ("TS ", "Q.713", "RFC", "ISO", "Wireshark says of itself"))
