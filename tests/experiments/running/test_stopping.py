"""A study stops as asked, writes undisturbed, and leaves the process as it found it."""

import os
import signal

import pytest

from experiments.running.stopping import Stopping

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGINT, "stopped by Ctrl-C"), (signal.SIGTERM, "stopped by SIGTERM")]
)
def test_either_signal_stops_it_and_the_reason_names_it(number, reason):
    with Stopping() as stopping:
        with pytest.raises(KeyboardInterrupt) as caught:
            os.kill(os.getpid(), number)
        assert stopping.reason(caught.value) == reason


def test_nothing_stops_it_while_it_writes():
    with Stopping() as stopping:
        stopping.closing()
        for number in BOTH:
            os.kill(os.getpid(), number)


def test_the_process_has_its_handlers_back():
    before = [signal.getsignal(number) for number in BOTH]
    with Stopping() as stopping:
        stopping.closing()
    with pytest.raises(ValueError, match="refused"), Stopping():
        raise ValueError("refused")
    assert [signal.getsignal(number) for number in BOTH] == before
