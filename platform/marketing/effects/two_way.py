"""Two-way codes as they are configured (J11): access codes, sub-codes, and who confirms."""

from __future__ import annotations

from collections.abc import Sequence

from marketing.campaigns import Campaign
from marketing.config import Problem
from marketing.config_channels import CodesConfig
from marketing.contact.ledger import Ledger
from marketing.contact.schema import confirmation
from marketing.effects.confirmations import Confirmations, Due
from marketing.effects.dispatch import Dispatcher

__all__ = ["check_codes", "open_two_way"]


def check_codes(
    codes: CodesConfig | None, marketing_originators: Sequence[str], campaigns: Sequence[Campaign]
) -> list[Problem]:
    """What does not fit between access codes, policy and campaigns."""
    found: list[Problem] = []

    def wrong(key: str, value: str, expected: str) -> None:
        found.append(Problem("the platform's configuration", 0, f"channels.codes{key}", value, expected))

    if codes is None:
        for one in campaigns:
            if one.reply.confirmation:
                wrong("", "null", f"needed: the campaign {one.campaign} has confirmations")
        return found
    if codes.confirmations.startswith(tuple(marketing_originators)):
        wrong(".confirmations", codes.confirmations, "a sender that is no marketing originator of the policy")
    for one in campaigns:
        if one.originator and not one.originator.startswith((codes.internal, codes.external)):
            expected = f"an access code that the originator of {one.campaign} begins with"
            wrong("", one.originator, expected)
    return found


def open_two_way(codes: CodesConfig | None, dispatcher: Dispatcher, ledger: Ledger) -> None:
    """Gives a dispatcher access codes and confirmations, those that waited when the last run ended too."""
    if codes is None:
        return
    one = dispatcher
    one.access_codes = (codes.internal, codes.external)
    one.confirmations = Confirmations(
        codes.confirmations,
        one.engine,
        one.clock,
        one.ledger,
        one.channel,
        one.conversations,
        one.metrics,
        one.on_fault,
    )
    for row in ledger.rows(confirmation, confirmation.c.state == "waiting"):
        due = Due(row["contact_id"], str(row["msisdn"]), row["campaign"], row["at_us"])
        one.confirmations.later(due)
