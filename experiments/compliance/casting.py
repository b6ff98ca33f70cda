"""A user's policy and campaigns made ready to be played in races, kills and faults: what can be played.

The place in which a platform is killed has people who switch on and people who call a number; a campaign
whose scene asks for more is left out of it, with the reason. Audiences, target lists and days of validity are
set aside there: everybody fits, so that every act is a wish to contact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from experiments.audit import audit, read_policy
from experiments.firewall.grounds import EPOCH_US
from experiments.firewall.play import Played
from experiments.firewall.race import Course, Racer
from marketing.campaigns import BehaviourElement, Campaign
from marketing.config import read_yaml
from marketing.contact import Policy, load_policy

__all__ = ["Cast", "LeftOut", "cast", "open_instant", "overshoots", "portable"]

SECOND_US: Final = 1_000_000
KEPT_OPEN_S: Final = (4 * 3600.0, 3600.0, 900.0)
"""World seconds for which hours should be open from the start of kills on; the longest that there is."""
RACE_S: Final = 600.0
WIDE_S: Final = 3700.0
"""The clock is stepped by an hour."""
HANDSETS: Final = ("sms", "wap", "mms")
SET_ASIDE: Final = ("audience", "targets", "valid", "follow_ups", "mms", "wap", "channels")
SERVICE_NUMBER: Final = "10086"
"""Called for campaigns that do not mind which number it is."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A campaign that a group does not play."""

    campaign: str
    group: str
    """races, or kills: crashes and faults."""
    why: str
    """A key of `left_out` in the page's catalogue."""


@dataclass(frozen=True, slots=True)
class Cast:
    """What each group plays."""

    course: Course | None
    """None: no campaign can race, or the policy is never open."""
    played: Played | None
    left_out: tuple[LeftOut, ...]
    never_open: bool = False


def cast(policy_file: Path, campaigns: Sequence[tuple[Path, Campaign]], from_us: int) -> Cast:
    """Makes ready what can be played. `from_us`: Unix microseconds from which open hours are looked for."""
    values, files = portable(policy_file)
    policy = Policy.of(load_policy(policy_file))
    left_out: list[LeftOut] = []
    racers: list[Racer] = []
    players: list[tuple[Path, Campaign]] = []
    for path, campaign in campaigns:
        if why := _cannot_race(campaign):
            left_out.append(LeftOut(campaign.campaign, "races", why))
        else:
            seen = next(name for name in campaign.channels if name in HANDSETS)
            racers.append(Racer(campaign.campaign, campaign.originator, seen))
        if why := _cannot_play(campaign):
            left_out.append(LeftOut(campaign.campaign, "kills", why))
        else:
            players.append((path, campaign))
    race_us = open_instant(policy, from_us, 0.0, RACE_S)
    course, played = None, None
    if racers and race_us is not None:
        course = Course(values, tuple(racers), race_us, 0, files)
    # The epoch of that place: no clock shows an earlier time there.
    kills_us = max(from_us, EPOCH_US + 10 * 3600 * SECOND_US)
    opens = (open_instant(policy, kills_us, 0.0, after_s) for after_s in KEPT_OPEN_S)
    start_us = next((t for t in opens if t is not None), None)
    if players and start_us is not None:
        wide_us = open_instant(policy, kills_us, WIDE_S, WIDE_S)
        played = Played(
            values,
            {campaign.campaign: _file(path) for path, campaign in players},
            _stimuli([campaign for _, campaign in players]),
            (start_us - EPOCH_US) / SECOND_US,
            None if wide_us is None else (wide_us - EPOCH_US) / SECOND_US,
            files,
        )
    return Cast(course, played, tuple(left_out), race_us is None or start_us is None)


def portable(policy_file: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The policy's values with the tables that it names, for another folder; without its lists of people."""
    values = dict(read_yaml(policy_file).values)
    files: dict[str, bytes] = {}
    for section in ("timezones", "busy_cells"):
        named = values.get(section)
        if isinstance(named, dict) and named.get("file"):
            name = f"{section}.csv"
            files[name] = (policy_file.parent / named["file"]).read_bytes()
            values[section] = {**named, "file": name}
    for section in ("do_not_disturb", "control_group"):
        values.pop(section, None)
    return values, files


def open_instant(policy: Policy, from_us: int, before_s: float, after_s: float) -> int | None:
    """The first instant with so long open hours before and after it, within a year; None: there is none."""
    wanted_us = round((before_s + after_s) * SECOND_US)
    at_us, begun_us, end_us = from_us, -1, from_us + 366 * 86_400 * SECOND_US
    while at_us < end_us:
        window = policy.window(at_us)
        if window.open:
            begun_us = at_us if begun_us < 0 else begun_us
            if window.until_us - begun_us >= wanted_us:
                return begun_us + round(before_s * SECOND_US)
        else:
            begun_us = -1
        at_us = max(window.until_us, at_us + 1)
    return None


def overshoots(course: Course, folder: Path) -> str:
    """The rule that would be broken if all its campaigns were sent to one person at once; empty: none."""
    parts = [course.received(0, racer) for racer in range(len(course.racers))]
    found = audit(parts, read_policy(course.write(folder)))
    # Only the ledger's own rules are raced for: what the book alone knows is of one worker.
    return next((rule for rule in ("cap", "gap", "not_after") if found.by_rule[rule]), "")


def ten_o_clock_us(epoch_us: int, zone: str) -> int:
    """Ten in the morning, local time, of the day of an instant."""
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=epoch_us)).astimezone(ZoneInfo(zone))
    return round(local.replace(hour=10, minute=0, second=0, microsecond=0).timestamp()) * SECOND_US


# --------------------------------------------------------------------------- who can


def _cannot_race(campaign: Campaign) -> str:
    if campaign.output != "contact":
        return "output"
    return "" if any(name in HANDSETS for name in campaign.channels) else "channel"


def _cannot_play(campaign: Campaign) -> str:
    """Why the acts of that place do not complete its scene; empty: some do."""
    return next((why for why, check in _CHECKS.items() if check(campaign)), "")


def _begin(campaign: Campaign) -> BehaviourElement | None:
    begin = campaign.scene.begin if campaign.scene is not None else None
    return begin if isinstance(begin, BehaviourElement) else None


def _act(campaign: Campaign) -> str:
    """power_on, or the number to be called; empty: something else is asked for."""
    begin = _begin(campaign)
    if begin is None:
        return ""
    names = [begin.behaviour] if isinstance(begin.behaviour, str) else begin.behaviour
    if "power_on" in names:
        return "power_on"
    if "call_ended" not in names or begin.role == "callee":
        return ""
    number = (*begin.peer, *(f"{prefix}0000"[:20] for prefix in begin.peer_prefix), SERVICE_NUMBER)[0]
    return number if number.isdigit() else ""


_CHECKS: Final[Mapping[str, Callable[[Campaign], object]]] = {
    "output": lambda c: c.output != "contact",
    "mode": lambda c: c.mode != "trigger",
    "channel": lambda c: "sms" not in c.channels,
    "begin": lambda c: not _act(c),
    "times": lambda c: getattr(c.scene and c.scene.begin, "count", 1) != 1,
    "then": lambda c: c.scene and c.scene.then,
    "when": lambda c: c.scene and c.scene.when is not None,
    "where": lambda c: c.scene and (c.scene.where is not None or _somewhere(c)),
    "condition": lambda c: c.scene and (c.scene.terminal or c.scene.condition or _conditional(c)),
}
"""Reason -> whether it applies, in this order."""


def _somewhere(campaign: Campaign) -> bool:
    begin = _begin(campaign)
    return begin is not None and (begin.place is not None or begin.area is not None)


def _conditional(campaign: Campaign) -> bool:
    begin = _begin(campaign)
    return begin is not None and (begin.condition is not None or begin.peer_list is not None)


def _stimuli(campaigns: Sequence[Campaign]) -> dict[str, tuple[str, ...]]:
    """Act -> all campaigns whose scene it completes."""
    acts = sorted({_act(campaign) for campaign in campaigns})
    return {act: tuple(c.campaign for c in campaigns if _completes(act, c)) for act in acts}


def _completes(act: str, campaign: Campaign) -> bool:
    begin = _begin(campaign)
    assert begin is not None  # only such play
    names = [begin.behaviour] if isinstance(begin.behaviour, str) else begin.behaviour
    if act == "power_on":
        return "power_on" in names
    if "call_ended" not in names or begin.role == "callee":
        return False
    if not begin.peer and not begin.peer_prefix:
        return True
    return act in begin.peer or act.startswith(tuple(begin.peer_prefix) or ("-",))


def _file(path: Path) -> dict[str, Any]:
    """The campaign's file for that place."""
    values = {key: value for key, value in read_yaml(path).values.items() if key not in SET_ASIDE}
    return {**values, "audience": {}, "channels": ["sms"]}
