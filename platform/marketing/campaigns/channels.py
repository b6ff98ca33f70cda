"""The channels that campaigns may name: what each needs of a terminal, and what each needs said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

__all__ = ["CHANNELS", "CHANNEL_CODES", "CHANNEL_NAMES", "ChannelKind", "ChannelName"]

ChannelName = Literal[
    "sms", "wap", "mms", "outbound", "bulk-sms", "email", "direct-mail", "hall", "hotline", "web"
]
CHANNEL_NAMES: Final[tuple[ChannelName, ...]] = get_args(ChannelName)
"""In the order of their codes; at most twelve characters each, as the ledger keeps them."""
CHANNEL_CODES: Final[dict[str, int]] = {name: code for code, name in enumerate(CHANNEL_NAMES)}


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """One channel as campaigns see it."""

    name: ChannelName
    meaning: str
    kind: Literal["message", "file", "desk"]
    """message: sent at once. file: in an interface file. desk: when the customer comes by itself."""
    needs: str = ""
    """Feature of the catalogue that must be true of the terminal; empty: every terminal will do."""


CHANNELS: Final[dict[str, ChannelKind]] = {
    one.name: one
    for one in (
        ChannelKind("sms", "short message", "message"),
        ChannelKind("wap", "WAP push: a title and a link that the terminal opens", "message", "terminal.wap"),
        ChannelKind("mms", "multimedia message: subject, text, pictures", "message", "terminal.mms"),
        ChannelKind("outbound", "a call by an agent of the outbound centre", "file"),
        ChannelKind("bulk-sms", "short message by the group-sending system", "file"),
        ChannelKind("email", "e-mail by the mailing system", "file"),
        ChannelKind("direct-mail", "a letter on paper", "file"),
        ChannelKind("hall", "the business hall's screen, when the customer is there", "desk"),
        ChannelKind("hotline", "the hotline agent's screen, when the customer calls", "desk"),
        ChannelKind("web", "the customer's page on the web", "desk"),
    )
}
"""Everything that the key `channels` can say."""
