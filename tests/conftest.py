"""For all tests: no law is judged by how long its examples took; none leaves us deaf to Ctrl-C."""

import signal

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("kairos", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kairos")

# A shell that runs us in its background lets us ignore Ctrl-C, and whom we start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def leaves_signals_as_they_were():
    """A handler left behind would be inherited by all that later tests start: they could not be stopped."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    after = {number: signal.getsignal(number) for number in before}
    for number, handler in before.items():
        signal.signal(number, handler)
    assert after == before
