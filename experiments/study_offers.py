"""How people respond to the offers of a study's campaigns, for all kinds: what is said, what is usual.

A study says of some offers how people respond, under `offers`; of the others `sim.subscribers.offers` says
what is usual. What is wrong with that is said of the study's own file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.problems import relative
from experiments.study import LoadedStudy, raw_values
from experiments.study_checks import name_problems, said_of
from marketing.config import KeyPath
from sim.subscribers.offers import STANDARD_OFFERS, Offer

__all__ = ["offer_problems", "responses"]


def responses(said: Sequence[Offer], campaigns: Iterable[Path]) -> tuple[Offer, ...]:
    """What the study says, then what is usual for the other offers of its campaigns.

    Of an offer that nobody knows there is none: `offer_problems` has told of it before a run.
    """
    known = {offer.name for offer in said}
    wanted = dict.fromkeys(_offer_of(campaign) for campaign in campaigns)
    return (*said, *(STANDARD_OFFERS[n] for n in wanted if n in STANDARD_OFFERS and n not in known))


def offer_problems(loaded: LoadedStudy, said: Sequence[Offer], campaigns: Sequence[Path]) -> list[str]:
    """Offers of campaigns of which nobody says how people respond, and answers to offers of no campaign.

    An entry for a misspelt offer would be passed over, and people would respond as they usually do.
    """
    names = [offer.name for offer in said]
    wanted = {offer: path for path in reversed(campaigns) if (offer := _offer_of(path))}
    known = {*names, *STANDARD_OFFERS}
    problems = [
        said_of(loaded, ("offers",), f"no entry for the offer {offer!r} of {relative(path)}")
        for offer, path in reversed(wanted.items())
        if offer not in known
    ]
    for number, name in enumerate(names):
        where: KeyPath = ("offers", number, "name")
        if name in names[:number]:
            problems.append(said_of(loaded, where, "expected each offer once"))
    return problems + name_problems(
        loaded, ((("offers", i, "name"), name) for i, name in enumerate(names)), wanted, "an offer"
    )


def _offer_of(campaign: Path) -> str:
    """Read without a check: what is wrong with the file is said by its own."""
    values = raw_values(campaign)
    return str(values.get("offer", "")) if isinstance(values, dict) else ""
