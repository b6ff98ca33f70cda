"""Signalling collection: associations and taps, handshake, decoding, correlation, live or in lockstep."""

from marketing.collect.collector import HOLD_US, Collector, Tick
from marketing.collect.errors import BadMessage, Rejects
from marketing.collect.taps import TapError, Taps

__all__ = ["HOLD_US", "BadMessage", "Collector", "Rejects", "TapError", "Taps", "Tick"]
