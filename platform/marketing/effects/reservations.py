"""From a decision to what is asked of the ledger."""

from __future__ import annotations

from marketing.contact.ledger import Allowance, Reservation
from marketing.engine import Decision

__all__ = ["reservation"]


def reservation(decision: Decision, zone: str) -> Reservation:
    """The right to send that a decision needs; its campaign's budget is by the calendar of `zone`."""
    trigger, contact = decision.trigger, decision.contact
    assert contact is not None, "a decision to send has a contact"
    allowance, budget = None, contact.campaign.budget
    if budget is not None:
        within = budget.span_us(decision.t_us, zone)
        allowance = Allowance(budget.contacts, *within)
    return Reservation(
        contact_id=contact.contact_id,
        trigger_id=trigger.trigger_id,
        campaign=trigger.campaign,
        originator=contact.campaign.originator,
        offer=contact.campaign.offer,
        imsi=int(trigger.imsi),
        msisdn=int(trigger.msisdn),
        period=contact.span.period,
        day=contact.span.day,
        ordinal=contact.ordinal,
        decided_us=decision.t_us,
        valid_until_us=contact.valid_until_us,
        latest_us=contact.latest_us,
        channels=contact.kind.channels,
        channel=contact.channel,
        allowance=allowance,
    )
