"""What a long simulation shows: its clock, how fast it goes, and how long it still takes."""

from __future__ import annotations

import pytest

from experiments import progress
from experiments.progress import Display, clock

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
