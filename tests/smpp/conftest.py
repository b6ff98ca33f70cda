"""Fixtures shared by the SMPP tests: Wireshark's decoder."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from experiments.judge_tshark import exported_pdus

TsharkWords = Callable[[Sequence[bytes]], list[str]]


@pytest.fixture(scope="session")
def tshark_words(tmp_path_factory: pytest.TempPathFactory) -> TsharkWords:
    """read(PDUs) -> what Wireshark writes of each in full; a complaint of its own fails the test."""
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed")

    def read(messages: Sequence[bytes]) -> list[str]:
        path: Path = tmp_path_factory.mktemp("tshark") / "messages.pcap"
        path.write_bytes(b"".join(exported_pdus(messages, "smpp")))
        command = [program, "-n", "-r", str(path)]
        complaints = ["-T", "fields", "-e", "_ws.malformed", "-e", "_ws.expert.message", "-e", "_ws.short"]
        said = subprocess.run(
            [*command, *complaints], capture_output=True, text=True, timeout=120, check=True
        )
        bad = [(messages[i].hex(), line) for i, line in enumerate(said.stdout.splitlines()) if line.strip()]
        assert not bad
        run = subprocess.run([*command, "-V"], capture_output=True, text=True, timeout=120, check=True)
        texts = run.stdout.split("\nFrame ")
        assert len(texts) == len(messages)
        return texts

    return read
