"""Signalling collection: associations, handshake, decoding and correlation, live or in lockstep."""

from marketing.collect.collector import HOLD_US, Collector, Tick
from marketing.collect.errors import BadMessage, Rejects

__all__ = ["HOLD_US", "BadMessage", "Collector", "Rejects", "Tick"]
