"""`kairos fuzz`: the same messages everywhere, and a difference is found, shortened and told once."""

import json

import pytest
from click.testing import CliRunner

from experiments.cli import cli
from experiments.fuzz import command as fuzz
from experiments.fuzz.differences import Verdict, compare
from experiments.fuzz.mutate import cuts, layout
from experiments.fuzz.reference import expected
from experiments.fuzz.traffic import Draws, sound_messages


def run(*arguments: str):
    return CliRunner().invoke(cli, ["fuzz", *arguments])


def test_agreement_ends_with_0_and_is_kept(tmp_path):
    done = run("--count", "1500", "--seed", "3", "--out", str(tmp_path))
    assert done.exit_code == 0, done.output
    assert "2,000 messages" in done.output
    kept = json.loads((tmp_path / "fuzz-3-0.json").read_text())
    assert kept["messages"] == sum(kept["kinds"].values()) == 2000
    assert kept["differences"] == []
    assert kept["deeper"]


def planted(octets, row):
    """As if the fast decoder took RLC for an error where the reference does not."""
    return (
        Verdict("different", "planted: RLC")
        if row["sccp"] == 5 and not row["error"]
        else compare(octets, row)
    )


def test_a_difference_is_told_once_and_ends_with_3(monkeypatch, tmp_path):
    monkeypatch.setattr(fuzz, "compare", planted)
    done = run("--count", "2000", "--out", str(tmp_path))
    assert done.exit_code == 3
    assert done.output.count("DIFFERENT: planted: RLC") == 1
    short = bytes.fromhex(done.output.split("shortened: ")[1].split()[0])
    # An RLC has no part that could be left out; what was around it is gone.
    assert len(short) == 32
    assert f"echo {short.hex()} | kairos decode --layer m3ua --hex" in done.output
    kept = json.loads((tmp_path / "fuzz-1-0.json").read_text())["differences"]
    assert [row["what"] for row in kept] == ["planted: RLC"]
    number = kept[0]["number"]
    assert fuzz.block_messages(1, number // fuzz.BLOCK)[number % fuzz.BLOCK].hex() == kept[0]["hex"]


def test_workers_and_starts_do_not_change_the_messages():
    whole = fuzz.fuzz(5, 4000, 0, 1, lambda line: None)
    parts = [fuzz.fuzz(5, 2000, start, 2, lambda line: None) for start in (0, 2000)]
    parts[0].join(parts[1])
    assert (parts[0].messages, parts[0].kinds, parts[0].deeper) == (whole.messages, whole.kinds, whole.deeper)


def test_a_start_is_a_whole_block():
    done = run("--start", "1500")
    assert done.exit_code == 2
    assert "--start 1500: a multiple of 1000" in done.output


def test_blocks_are_their_own():
    assert fuzz.block_messages(1, 4) == fuzz.block_messages(1, 4)
    assert fuzz.block_messages(1, 4) != fuzz.block_messages(1, 5)
    assert fuzz.block_messages(2, 4) != fuzz.block_messages(1, 4)


def test_draws_are_pinned():
    """The messages of a seed are the same on every machine and Python."""
    d = Draws(1, 2)
    assert [d.below(1000) for _ in range(5)] == [952, 623, 118, 448, 91]


def test_the_layout_counts_what_the_lengths_say():
    """Every length and pointer of a sound message, read from the octets, is what the layout says of it."""
    for octets in sound_messages(4, 1):
        bare = octets[:8] + b"".join(octets[a:b] for a, b in parameters(octets))
        found = layout(bare)
        assert found.parameters or len(bare) == 8
        for count in found.counts:
            value = int.from_bytes(bare[count.at : count.at + count.size], count.order)
            assert value == count.end - count.start
        for a, b in found.elements:
            assert 8 < a < b <= len(bare)


def parameters(octets):
    at = 8
    while at + 4 <= len(octets):
        length = int.from_bytes(octets[at + 2 : at + 4], "big")
        yield at, at + length
        at += length + -length % 4


def test_mended_cuts_are_met_above_sccp():
    """Half of the cuts of a SETUP are refused by its own elements or by none: lengths around are right."""
    setup = next(
        octets for counter in range(2, 40) for octets in sound_messages(4, counter)
        if (expected(octets).row["pd"], expected(octets).row["dtap"]) == (3, 5)
    )  # fmt: skip
    layers = [expected(cut).refused_at for cut in cuts(setup)[len(setup) :]]
    assert {"", "dtap"} <= set(layers)
    assert sum(layer in ("", "dtap", "bssap") for layer in layers) > (len(setup) - 40) / 2


@pytest.mark.parametrize("broken", ["payload", "outside"])
def test_broken_promises_are_differences(broken):
    octets = sound_messages(1, 0)[0]
    row = fuzz._alone(octets)[0].copy()
    if broken == "payload":
        row["error"], row["present"] = 9, 1
        assert fuzz._promise(octets, row, alone=False) == "payload columns of a message in error"
    else:
        row["user_length"] = 60000
        assert fuzz._promise(octets, row, alone=False) == "user data outside the message"
