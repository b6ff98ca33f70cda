"""What is offered, and how people feel about it: the part of a study that the platform never sees.

Logits add: a contact at an ordinary moment is taken up with odds exp(logit), and every weight multiplies the
odds by exp(weight). The equations are in `sim.subscribers.response`.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, Field, model_validator

from sim.scenario import PlaceKind
from sim.scenario_values import STRICT, Name

CHANNELS: Final = ("sms", "mms", "wap")
"""Channels by which a message reaches a handset; contact records hold an index into it."""

SegmentName = Literal[
    "business_travellers", "urban_women", "office_staff", "civil_servants", "students",
    "home_makers", "migrant_workers", "farmers", "elderly",
]  # fmt: skip
Logit = Annotated[float, Field(ge=-20.0, le=20.0)]
Word = Annotated[str, Field(min_length=1, max_length=60)]


PUBLISHED_NEAR: Final = (0.5653, 0.2827, 0.0)
"""Logits by days before the event, near the venue: exp(0.5653) = 1.76 over two days before."""
PUBLISHED_FAR: Final = (-2.2513, 0.0, -0.5365)
"""The same far from it: exp(2.2513) = 9.5 and exp(0.5365) = 1.71, one day before over its neighbours."""


class _Part(BaseModel):
    model_config = STRICT


class Since(_Part):
    """A moment that fades: the full weight right after an event, falling in a straight line to nothing."""

    within_min: float = Field(
        description="Minutes after the event at which the weight has faded to zero.", gt=0, le=1440
    )
    weight: Logit = Field(description="Weight right after the event (logit).")


class At(_Part):
    """Being at a kind of place for some time."""

    kind: PlaceKind = Field(description="Kind of place.")
    dwell_min: float = Field(
        0.0, description="Minutes that the subscriber must have been there already.", ge=0, le=1440
    )
    weight: Logit = Field(description="Weight while there (logit).")


class Hours(_Part):
    """A part of the day."""

    from_h: int = Field(description="First hour, 0-23, local time.", ge=0, le=23)
    to_h: int = Field(description="Hour at which it ends, 1-24, local time; above `from_h`.", ge=1, le=24)
    weight: Logit = Field(description="Weight during these hours (logit); negative for bad hours.")

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if self.to_h <= self.from_h:
            raise ValueError("to_h: an hour above from_h")
        return self


class Venue(_Part):
    """An event at a kind of place on a day: how near the reader is, and how many days ahead, act together.

    What is there by default are the odds that a randomised trial found (Luo, Andrews, Fang, Phang: Mobile
    Targeting, Management Science 60(7), 2014; 12,265 users): near the venue, the same day over two days
    before 1.76; far away, one day before over the same day 9.5 and over two days before 1.71. One day before
    near the venue lies between its neighbours, and nothing is known of near over far one day before: both are
    assumptions.
    """

    kind: PlaceKind = Field(description="Kind of place where it is; the nearest one of the kind counts.")
    day: int = Field(description="Day of the world on which it is, from 1.", ge=1, le=366)
    near_m: int = Field(
        1000, description="Whose cell is no farther than this from one of the place's is near, metres.", ge=0
    )
    near: list[Logit] = Field(
        list(PUBLISHED_NEAR),
        description="Weights near the venue on its day, one day before, and so on (the last: earlier still).",
        min_length=1,
        max_length=30,
    )
    far: list[Logit] = Field(
        list(PUBLISHED_FAR), description="The same for those far away.", min_length=1, max_length=30
    )
    after: Logit = Field(-6.0, description="Weight once the day is over.")


class Moments(_Part):
    """What makes a moment right or wrong for an offer; weights that sum to nothing make a bad one."""

    since_power_on: Since | None = Field(None, description="Shortly after the handset was switched on.")
    since_service_call: Since | None = Field(
        None, description="Shortly after a call to a service line has ended."
    )
    at_place: At | None = Field(None, description="During a stay at a kind of place.")
    venue: Venue | None = Field(None, description="How near an event is, in metres and in days.")
    hours: list[Hours] = Field([], description="Parts of the day with a weight of their own.", max_length=8)


class Offer(_Part):
    """One offer and the people's side of it."""

    name: Name = Field(description="Name, as campaigns write it.")
    logit: Logit = Field(
        -3.7, description="Logit of taking up after a contact at an ordinary moment, at mean affinity."
    )
    spread: float = Field(0.7, description="Standard deviation of personal affinity (logit).", ge=0, le=4)
    segments: dict[SegmentName, Logit] = Field({}, description="Shifts of affinity by segment (logit).")
    often_off: Logit = Field(0.0, description="Shift of affinity for those who are often off (logit).")
    often_rejects: Logit = Field(
        0.0, description="Shift of affinity for those who often reject calls (logit)."
    )
    moments: Moments = Field(Moments(), description="What makes a moment right for this offer.")
    channels: dict[Literal["sms", "mms", "wap"], Logit] = Field(
        {}, description="Weights of channels (logit)."
    )
    fatigue: float = Field(0.5, description="Logit lost for every recent marketing contact.", ge=0, le=10)
    organic_per_day: float = Field(
        0.0033,
        description="Rate of taking up without any contact, per day, averaged over people.",
        ge=0,
        le=1,
    )
    word_of_mouth: float = Field(
        0.0,
        description="Chance that a friend of whoever came to it first-hand takes it up on their word.",
        ge=0,
        le=0.5,
    )
    hearsay_median_h: float = Field(
        24.0, description="Median time until a friend does so, hours (log-normal).", gt=0, le=720
    )
    reply_median_s: int = Field(
        150, description="Median time from receipt to the reply, seconds (log-normal).", ge=1, le=86400
    )
    order_words: list[Word] = Field(
        ["1", "Y", "y"], description="Replies that order, likeliest first.", min_length=1, max_length=8
    )
    stop_word: Word = Field("TD", description="Reply that asks for no more messages.")
    complaint_logit: Logit = Field(
        -6.0, description="Logit of complaining about a contact at a right moment."
    )
    complaint_fatigue: float = Field(
        0.8, description="Added to it for every recent marketing contact.", ge=0, le=10
    )
    complaint_bad_moment: float = Field(1.0, description="Added to it at a bad moment.", ge=0, le=10)
    stop_logit: Logit = Field(
        -5.5, description="Logit of replying with the stop word; grows like complaints."
    )


def _offer(name: str, **keys: Any) -> Offer:
    return Offer.model_validate({"name": name, **keys})


def _since(event: str, within_min: float, weight: float) -> dict[str, Any]:
    return {f"since_{event}": {"within_min": within_min, "weight": weight}}


def _at(kind: str, dwell_min: float, weight: float) -> dict[str, Any]:
    return {"at_place": {"kind": kind, "dwell_min": dwell_min, "weight": weight}}


_OFTEN_OFF: Final = {
    "often_off": 0.4,
    "moments": {
        **_since("power_on", 30, 1.9),
        "hours": [{"from_h": 0, "to_h": 8, "weight": -0.5}],
    },
}

STANDARD_OFFERS: Final[dict[str, Offer]] = {
    offer.name: offer
    for offer in (
        _offer("missed-call-alert", **_OFTEN_OFF),
        _offer("loyalty-gift", **_OFTEN_OFF),
        _offer("e-bill", moments=_since("service_call", 30, 2.0)),
        _offer("info-line-card", moments=_since("service_call", 30, 1.8)),
        _offer("hotline-card", moments=_since("service_call", 30, 1.5), segments={"elderly": 0.3}),
        _offer("number-guide", segments={"elderly": 0.2, "migrant_workers": 0.2}),
        _offer(
            "travel-pack",
            segments={"business_travellers": 0.4, "farmers": -0.4},
            moments=_at("airport", 20, 2.0),
        ),
        _offer("city-guide", moments=_at("airport", 0, 1.2), segments={"business_travellers": 0.2}),
        _offer("points-gift", moments=_at("mall", 5, 1.9), segments={"urban_women": 0.3}),
        _offer("wap-pack", moments=_at("station", 10, 1.8), segments={"students": 0.4, "elderly": -0.8}),
        _offer("mailbox", moments=_at("office", 60, 1.2), segments={"office_staff": 0.4}),
        _offer("ring-back-tone", segments={"students": 0.4, "urban_women": 0.3, "elderly": -0.6}),
        _offer("mms-pack", segments={"students": 0.3, "urban_women": 0.3, "farmers": -0.4}),
        _offer("campus-fun", segments={"students": 0.5}, moments=_at("campus", 30, 1.0)),
        _offer("messenger", segments={"students": 0.6, "elderly": -1.0}),
        _offer("long-distance-12593", segments={"migrant_workers": 0.5, "students": 0.2}),
        _offer("family-number", segments={"home_makers": 0.3, "migrant_workers": 0.2}),
        _offer(
            "off-peak",
            segments={"students": 0.3},
            moments={"hours": [{"from_h": 19, "to_h": 22, "weight": 1.2}]},
        ),
    )
}
"""Offers of the campaigns in scenarios/campaigns, for studies that say nothing of them: assumptions, too."""
