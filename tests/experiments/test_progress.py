"""What a long simulation shows: its clock, how fast it goes, and how long it still takes."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys

import pytest

from experiments import progress
from experiments.progress import Display, Doing, clock

HOUR = 3_600_000_000


@pytest.mark.parametrize(
    ("t_us", "said"),
    [(0, "day 1 00:00"), (18 * HOUR + 90_000_000, "day 1 18:01"), (49 * HOUR, "day 3 01:00")],
)
def test_the_simulated_clock(t_us, said):
    assert clock(t_us) == said


def test_a_line_now_and_then_where_there_is_no_terminal(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Display() as display:
        for second in range(0, 41, 5):
            now[0] = 100.0 + second
            display.event(
                "network",
                {
                    "event": "progress",
                    "t_us": (18 * 3600 + 90 * second) * 1_000_000,
                    "start_us": 18 * HOUR,
                    "end_us": 20 * HOUR,
                    "messages": 50_000 * second,
                },
            )
        display.close("network")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("%")[0].split()[-1] for line in lines] == ["12", "25", "38", "50"]
    # Forty seconds for an hour: ninety times as fast as life; as long again for the other half.
    assert "day 1 19:00" in lines[-1]
    assert "50 000 msg/s 90x" in lines[-1]
    assert "about 40 s left" in lines[-1]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_it_says_at_once_what_is_done_and_leaves_nothing(monkeypatch):
    stderr = Terminal()
    monkeypatch.setattr(progress.sys, "stderr", stderr)
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Doing() as tell:
        tell("the network")
        assert stderr.getvalue() == "\rthe network"
        now[0] = 103.0
        tell("day 1")
        assert stderr.getvalue().endswith("\rday 1 (3 s)")
        tell("x" * 500)
        assert len(stderr.getvalue().rpartition("\r")[2]) < 500
    assert re.search(r"\r +\r\Z", stderr.getvalue())


def test_elsewhere_it_says_something_now_and_then(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Doing() as tell:
        for second in range(25):
            now[0] = 100.0 + second
            tell(f"step {second}")
    assert capsys.readouterr().err == "step 10 (10 s)\nstep 20 (20 s)\n"


SMALL = ["--set", "subscribers=60"]
AT_ONCE = [
    (["dry-run", "WORLD", *SMALL], "town: the network"),
    (["see", "WORLD", *SMALL, "--hours", "0.2"], "town: the network and 60 people"),
    (["judge", "--count", "2000"], "2,000 messages are made"),
    (["fuzz", "--count", "1000"], "0 of 1,000 messages"),
]


@pytest.mark.parametrize(("arguments", "first"), AT_ONCE)
def test_long_commands_speak_on_a_terminal_before_they_work(request, arguments, first):
    """A terminal is what a pseudo-terminal's other end is."""
    master, slave = pty.openpty()
    named = [
        str(request.config.rootpath / "scenarios" / "worlds" / "town.yaml") if one == "WORLD" else one
        for one in arguments
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.cli", *named], stdout=subprocess.DEVNULL, stderr=slave
    )
    os.close(slave)
    said = b""
    try:
        while first.encode() not in said:
            said += os.read(master, 4096)
    finally:
        process.kill()
        process.wait()
        os.close(master)
    # The very first thing on the screen.
    assert said.lstrip(b"\r").startswith(first.encode())
