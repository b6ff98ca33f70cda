"""The platform's HTTP door: health and metrics."""

from marketing.api.app import HealthView, make_app
from marketing.api.door import HttpDoor

__all__ = ["HealthView", "HttpDoor", "make_app"]
