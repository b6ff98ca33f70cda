"""What is played in races, kills and faults: a policy, campaigns, and the acts that complete their scenes.

`OWN` is what studies of kind firewall play; studies of kind compliance play their users' own policy and
campaigns, see `experiments.compliance.casting`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

__all__ = ["OWN", "Played"]

MANY: Final = 1000
"""In place of a month's cap that is not to be reached."""
STOP: Final = "TD"
"""What answers end marketing, where a campaign does not say."""


@dataclass(frozen=True, slots=True)
class Played:
    """A policy with campaigns that acts of the tap can trigger."""

    policy: Mapping[str, Any]
    """As its file has it, but for the lists of people."""
    campaigns: Mapping[str, Mapping[str, Any]]
    """Name -> its whole file."""
    of_stimulus: Mapping[str, tuple[str, ...]]
    """power_on, or the number that is called -> campaigns whose scene such an act completes."""
    start_s: float
    """Seconds after the epoch of `experiments.firewall.grounds` at which it begins, in open hours."""
    wide_s: float | None
    """The same with an hour of open hours on both sides; None: the policy has none."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Tables that the policy names, by file name."""

    def names(self) -> tuple[str, ...]:
        """Of its campaigns."""
        return tuple(self.campaigns)

    def campaign_of(self, originator: str) -> Mapping[str, Any]:
        """The campaign whose messages come from there. Raises KeyError."""
        for values in self.campaigns.values():
            if values["originator"] == originator:
                return values
        raise KeyError(originator)

    def word(self, originator: str, answer: str) -> str:
        """The first reply code that orders (`order`) or ends marketing (`stop`); empty: there is none."""
        said = self.campaign_of(originator).get("reply", {}).get(answer, [STOP] if answer == "stop" else [])
        return str(said[0]) if said else ""

    def with_keys(self, keys: Mapping[str, Mapping[str, Any]]) -> Played:
        """With keys of campaigns laid over."""
        laid = {name: {**values, **keys.get(name, {})} for name, values in self.campaigns.items()}
        return replace(self, campaigns=laid)

    def unpaced(self) -> Played:
        """Without gaps and rolling windows, so that other rules are reached in a short time."""
        policy = {k: v for k, v in self.policy.items() if k not in ("minimum_gap_s", "not_after")}
        caps = dict(policy.get("caps") or {})
        if caps.get("rules"):
            caps["rules"] = [rule for rule in caps["rules"] if not rule.get("within_s")]
            policy["caps"] = caps
        return replace(self, policy=policy)

    def paced(self) -> Played | None:
        """By gaps and rolling windows alone; None: it has none.

        What the calendar counts is left out: by a clock that is days wrong nobody can keep a day's cap.
        """
        caps = {"per_calendar_month": MANY, "rules": [rule for rule in self._rules() if rule.get("within_s")]}
        policy = {**self.policy, "caps": caps, "duplicate": {"same_campaign_days": 0}}
        return replace(self, policy=policy) if self.longest_s() else None

    def longest_s(self) -> int:
        """The longest gap or window of the policy, seconds; 0: it has none."""
        ruled = [*self._rules(), *(self.policy.get("not_after") or ())]
        return max([self.policy.get("minimum_gap_s") or 0, *(rule.get("within_s") or 0 for rule in ruled)])

    def _rules(self) -> list[Mapping[str, Any]]:
        return (self.policy.get("caps") or {}).get("rules") or []


# --------------------------------------------------------------------------- what firewall studies play

_LONG: Final = (
    "您好！"
    + "本月办理数据业务套餐可享受优惠，详情请咨询营业厅或拨打服务热线。" * 4
    + "回复1开通，回复TD退订。"
)
_POWER: Final = {"begin": {"behaviour": "power_on"}}
_CALL: Final = {"begin": {"behaviour": "call_ended", "role": "caller", "peer": ["10086"]}}
_INFO: Final = {"begin": {"behaviour": "call_ended", "role": "caller", "peer": ["12580"]}}


def _campaign(name: str, scene: Mapping[str, Any], originator: str, text: str) -> dict[str, Any]:
    return {
        "campaign": name,
        "title": name,
        "audience": {},
        "offer": name,
        "content": {"zh": text},
        "reply": {"order": ["1"], "stop": [STOP]},
        "hold": "release",
        "scene": scene,
        "originator": originator,
    }


OWN: Final = Played(
    policy={
        "timezone": "Asia/Shanghai",
        "caps": {"per_calendar_month": 3, "rules": [{"most": 2, "per": "day"}]},
        "minimum_gap_s": 300,
        "quiet_hours": {"from": "21:00", "to": "09:00", "then": "hold"},
        "duplicate": {"same_campaign_days": 30},
        "marketing_originators": ["100860"],
    },
    campaigns={
        one["campaign"]: one
        for one in (
            _campaign("alert", _POWER, "1008601", "您关机时有来电。回复1开通来电提醒，回复TD退订。"),
            _campaign("e-bill", _CALL, "1008603", "电子账单免费开通，回复1开通，回复TD退订。"),
            _campaign("data-pack", _POWER, "1008604", _LONG),
            _campaign("points", _INFO, "1008605", "积分可兑换话费，回复1办理，回复TD退订。"),
        )
    },
    # Two campaigns want the same person at the same message of the tap.
    of_stimulus={"power_on": ("alert", "data-pack"), "10086": ("e-bill",), "12580": ("points",)},
    start_s=9.5 * 3600,
    wide_s=14.0 * 3600,
)
"""Of the epoch's day at half past nine, and at two in the afternoon."""
