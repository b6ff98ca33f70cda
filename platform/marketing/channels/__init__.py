"""Channels: how a contact leaves, and how what comes back is understood."""

from marketing.channels.sms import Inbound, Outcome, Receipt, Reply, SmsChannel

__all__ = ["Inbound", "Outcome", "Receipt", "Reply", "SmsChannel"]
