"""For all tests: no law is judged by how long its examples took; that says more of the machine than of us."""

import signal

from hypothesis import HealthCheck, settings

settings.register_profile("kairos", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kairos")

# A shell that runs us in its background lets us ignore Ctrl-C, and whom we start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
