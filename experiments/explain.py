"""`kairos explain`: a campaign file in plain words, and everything for which it would stay silent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.problems import BadInput, relative
from experiments.validate import bad_file, problems_of

if TYPE_CHECKING:
    from marketing.campaigns import Campaign
    from marketing.contact import PolicyFile

__all__ = ["explain"]


def explain(path: Path, policy_path: Path | None = None) -> str:
    """The page for one campaign.

    Raises:
        BadInput: the campaign or the policy cannot be used; every problem.
    """
    from marketing.campaigns import describe, load_all
    from marketing.contact import load_policy

    loaded: list[Campaign] = []
    policies: list[PolicyFile] = []
    problems = problems_of(lambda: policies.append(load_policy(policy_path)) if policy_path else None)
    senders = policies[0].marketing_originators if policies else ()
    if problems:
        raise BadInput(problems)
    problems = problems_of(lambda: loaded.extend(load_all([path], originators=senders, alone=True)))
    if problems:
        raise bad_file(path, "campaign", problems)
    campaign, policy = loaded[0], policies[0] if policies else None
    parts = [(f"{campaign.campaign} ({relative(path)})", list[str]()), *describe(campaign)]
    parts.append(("Not sent", list(_silent(campaign, policy))))
    lines = []
    for heading, said in parts:
        lines += [heading, *(f"  {line}" for line in said), ""]
    return "\n".join(lines).rstrip()


def _silent(campaign: Campaign, policy: PolicyFile | None) -> Iterator[str]:
    """Reasons for which a trigger would not become a contact, in the order in which they are asked."""
    from marketing.contact.policy import REASONS

    if campaign.output != "contact":
        yield "nothing is ever sent"
        for reason in ("control_group", "do_not_disturb") if campaign.output == "file" else ():
            yield f"and not in the file, {reason.replace('_', ' ')}: {REASONS[reason]}"
        return
    for reason, meaning in REASONS.items():
        if reason.startswith("boss") and campaign.boss is None:
            continue
        if reason == "experiment" and campaign.experiment is None:
            continue
        if reason == "budget" and campaign.budget is None:
            continue
        yield f"{reason.replace('_', ' ')}: {meaning}{_figure(reason, campaign, policy)}"
    waits = "waits until they end" if campaign.hold == "release" else "is dropped: the moment has gone"
    yield f"what falls into hours without contacts {waits}"


def _figure(reason: str, campaign: Campaign, policy: PolicyFile | None) -> str:
    """The figures of a policy and of the campaign's own caps, the tighter of two."""
    from marketing.campaigns import budget_words

    caps = campaign.caps
    if reason == "cap":
        limits = [caps.per_calendar_month, policy.caps.per_calendar_month if policy else None]
        known = [limit for limit in limits if limit is not None]
        return f" ({min(known)})" if known else ""
    if reason == "duplicate":
        limits = [caps.same_campaign_days, policy.duplicate.same_campaign_days if policy else None]
        known = [limit for limit in limits if limit is not None]
        return f" (within {max(known)} days)" if known else ""
    if reason == "budget" and campaign.budget is not None:
        return f" ({budget_words(campaign.budget)})"
    if reason == "quiet_hours" and policy is not None and policy.quiet_hours is not None:
        return f" ({policy.quiet_hours.start:%H:%M} to {policy.quiet_hours.end:%H:%M})"
    return ""
