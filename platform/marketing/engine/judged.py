"""Triggers judged together, in columns; single ones become objects for whoever asks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BehaviourBatch, imsi_text
from marketing.campaigns import CHANNEL_NAMES, Campaign
from marketing.contact import Kind, Policy, Reason
from marketing.contact.bounds import way_mask
from marketing.contact.verdicts import REASON_OF, SEND, SUPPRESS, Verdicts
from marketing.engine.texts import Texts
from marketing.engine.triggers import ORIGINS, Action, Contact, Trigger
from marketing.profiles import Profiles
from marketing.rules import Telling

__all__ = ["WISH", "Judged", "Told", "contact_id_of", "trigger_id_of"]

WISH: Final[np.dtype[np.void]] = np.dtype(
    [
        ("at_us", np.int64),
        ("when_us", np.int64),  # when it came about: completed, due or released
        ("turn", np.int32),  # which of the subscriber's rows of that instant completed it; BY_TIME: none
        ("campaign", np.int32),  # position
        ("row", np.int64),
        ("t_us", np.int64),  # when the scene was complete
        ("origin", np.uint8),
        ("corr", np.uint32),
        ("received_ns", np.int64),
        ("decoded_ns", np.int64),
        ("matched_ns", np.int64),
        (
            "kept",
            np.int32,
        ),  # position of its object in a list beside: trigger of a released one, or Told; -1 = none
        ("released", np.bool_),
        ("cell", np.uint32),  # where the subscriber was then, where some cell has busy hours
    ]
)
"""A trigger about to be judged."""

_ACTIONS: Final[tuple[Action, ...]] = ("send", "hold", "suppress", "output")


class Told(NamedTuple):
    """What the text of a wish tells of: one entry of columns, looked at by whoever makes the text."""

    at: int
    telling: Telling
    events: BehaviourBatch | None

    @property
    def event(self) -> BehaviourBatch | None:
        """The behaviour that completed it, one row."""
        return None if self.events is None else self.events[self.at : self.at + 1]

    @property
    def values(self) -> Mapping[str, Any]:
        """Placeholder -> value as of then."""
        return self.telling.of(self.at)


@dataclass(slots=True, eq=False)
class Judged:
    """What it takes to make objects of wishes and verdicts; nothing here changes with the engine."""

    campaigns: tuple[Campaign, ...]
    profiles: Profiles
    texts: Texts
    policy: Policy
    wishes: NDArray[np.void]
    """WISH, in the order of judgement."""
    kept: Sequence[Trigger | Told]
    """Triggers of released wishes; what texts tell of."""
    verdicts: Verdicts
    channel: NDArray[np.uint8]
    """Code of the channel that each would go by."""
    decided_ns: int
    kinds: tuple[Kind, ...] = ()
    """Of each campaign's contacts, as rules ask for it."""
    said: dict[int, str] = field(default_factory=dict)
    """Texts of contacts that were held."""

    @property
    def at_us(self) -> NDArray[np.int64]:
        """Instants decided for."""
        column: NDArray[np.int64] = self.wishes["at_us"]
        return column

    def action(self, at: int) -> Action:
        """send, hold or suppress."""
        return _ACTIONS[int(self.verdicts.action[at])]

    def reason(self, at: int) -> Reason:
        """Why."""
        return REASON_OF[int(self.verdicts.reason[at])]

    def held_until_us(self, at: int) -> int:
        """When it will be decided again; of one released, when that fell due, however late it was decided."""
        if self.action(at) == "hold":
            return self.verdicts.windows[int(self.verdicts.window[at])].release_us
        return int(self.wishes["when_us"][at]) if self.wishes["released"][at] else 0

    def arm(self, at: int) -> str:
        """Of the campaign's experiment."""
        wish = self.wishes[at]
        campaign = self.campaigns[int(wish["campaign"])]
        return arm_of(campaign, self.policy, self.profiles, wish)

    def trigger(self, at: int) -> Trigger:
        """One trigger; its id is a hash of campaign, subscriber and instant."""
        wish = self.wishes[at].item()
        _, _, _, number, row, t_us, origin, corr, received_ns, decoded_ns, matched_ns, kept, released, _ = (
            wish
        )
        if released:
            known = self.kept[kept]
            assert isinstance(known, Trigger)
            return known
        imsi, name = imsi_text(int(self.profiles.imsi[row])), self.campaigns[number].campaign
        told = self.kept[kept] if kept >= 0 and self.verdicts.action[at] != SUPPRESS else None
        assert not isinstance(told, Trigger)
        return Trigger(
            trigger_id_of(name, imsi, t_us),
            name,
            row,
            imsi,
            str(self.profiles.msisdn[row]),
            t_us,
            corr,
            ORIGINS[origin],
            received_ns,
            decoded_ns,
            matched_ns,
            *((told.event, told.values) if told is not None else (None, None)),
        )

    def contact(self, at: int, trigger: Trigger) -> Contact:
        """What to send, of one that is to be sent."""
        assert self.verdicts.action[at] == SEND
        campaign = self.campaigns[int(self.wishes["campaign"][at])]
        window, ordinal = self.verdicts.windows[int(self.verdicts.window[at])], int(self.verdicts.ordinal[at])
        text, at_us, policy = self.said.get(at), int(self.at_us[at]), self.policy
        valid_until_us = policy.valid_until_us(window, at_us)
        latest_us = valid_until_us + policy.guard_us
        channel = CHANNEL_NAMES[int(self.channel[at])]
        return Contact(
            contact_id_of(trigger.campaign, trigger.imsi, window.span.period, ordinal),
            campaign,
            trigger.msisdn,
            self.texts.of(campaign, trigger.row, trigger.values, channel) if text is None else text,
            window.span if latest_us <= window.span.end_us else policy.counted_in(window, latest_us),
            ordinal,
            window.submit_before_us,
            valid_until_us,
            at_us,
            latest_us,
            replace(self.kinds[int(self.wishes["campaign"][at])], channels=way_mask((channel,))),
            channel,
            self.texts.language(trigger.row),
        )


def arm_of(campaign: Campaign, policy: Policy, profiles: Profiles, wish: Any) -> str:
    """The arm of a wish's subscriber on the local day for which it is judged; empty: no experiment."""
    if campaign.experiment is None:
        return ""
    row = wish["row"]
    imsi = imsi_text(int(profiles.imsi[row]))
    if campaign.experiment.days is None:
        return campaign.arm(imsi)
    day = policy.hours.local(int(wish["at_us"])).date()
    return campaign.arm_on(day, imsi, str(profiles.msisdn[row]))


def trigger_id_of(campaign: str, imsi: str, t_us: int) -> str:
    """16 hexadecimal digits: campaign, subscriber and instant."""
    return _digest(campaign, imsi, str(t_us))


def contact_id_of(campaign: str, imsi: str, period: int, ordinal: int) -> str:
    """16 hexadecimal digits; the same trigger decided again after a crash asks for the same contact."""
    return _digest(campaign, imsi, str(period), str(ordinal))


def _digest(*parts: str) -> str:
    return hashlib.blake2b("|".join(parts).encode("ascii"), digest_size=8).hexdigest()
