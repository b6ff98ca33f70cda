"""For all tests: no law is judged by how long its examples took; that says more of the machine than of us."""

from hypothesis import HealthCheck, settings

settings.register_profile("kairos", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kairos")
