"""What usage is to be expected of a scenario: the busy hour, its traffic, and the day, per subscriber.

Means over the world by arithmetic on the scenario alone, before the network: conversation of calls that both
ends mean to have. What a network carries is less (absent and busy ends, congestion) and more (channels are
held while it rings).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import ONE_Q16
from sim.scenario import WorldScenario
from sim.subscribers import usage_profiles as profiles
from sim.subscribers import usage_trains
from sim.subscribers.population import NO_ANSWER_Q16, REJECTS_Q16
from sim.subscribers.segments import SEGMENTS
from sim.subscribers.usage_calls import ABANDON_SHARE, FAR_END_SHARES

_HOURS = 24
_WORKDAYS: Final = range(5)
_CURVES: Final = {
    "calls": (profiles.CALL_WEEK, profiles.CALLS),
    "texts": (profiles.TEXT_WEEK, profiles.TEXTS),
    "services": (profiles.SERVICE_WEEK, profiles.SERVICE),
}


@dataclass(frozen=True, slots=True)
class Offered:
    """Expected usage per subscriber; days and hours are means over Monday to Friday."""

    busy_hour: int
    """0 .. 23: that with most calls to people."""
    merl: float
    """Conversation in the busy hour, milli-Erlang, both ends counted."""
    bhca: float
    """Calls made to people and machines in the busy hour."""
    terminating_share: float
    """Of the conversations in the busy hour that are received."""
    pages_per_hour: float
    """Calls and texts to be received in the busy hour, each of which needs a page."""
    calls_per_day: float
    incoming_calls_per_day: float
    service_calls_per_day: float
    texts_per_day: float
    incoming_texts_per_day: float


def offered(scenario: WorldScenario) -> Offered:
    """Expected usage of a scenario as it stands, `busy_hour_merl` included."""
    return _offered(scenario, call_scale_q16(scenario) / ONE_Q16)


def call_scale_q16(scenario: WorldScenario) -> int:
    """By what calls to and from people are multiplied to meet `busy_hour_merl`, 1/65536."""
    target = scenario.usage.busy_hour_merl
    if target is None:
        return ONE_Q16
    plain = _offered(scenario, 1.0)
    machines = _offered(scenario, 0.0).merl
    if plain.merl <= machines:
        return ONE_Q16
    return int(max(target - machines, 0.0) / (plain.merl - machines) * ONE_Q16 + 0.5)


def _offered(scenario: WorldScenario, scaled: float) -> Offered:
    """With calls to and from people multiplied, which does not move their busy hour."""
    usage = scenario.usage
    day_calls, hour_calls = mean_day(scenario, "calls")
    day_texts, hour_texts = mean_day(scenario, "texts")
    day_service, hour_service = mean_day(scenario, "services")
    busy = hour_calls.index(max(hour_calls))
    made = usage.calls_per_day * scaled * hour_calls[busy]
    to_machines = usage.service_calls_per_day * hour_service[busy]
    incoming = usage.incoming_calls_per_day * scaled * hour_calls[busy]
    inside, answered, far_answered = usage.inside_share, _answered(scenario), FAR_END_SHARES[0] / 100.0
    outside = max(1.0 - inside - usage.vacant_share, 0.0)
    talks_inside = made * inside * answered * (1.0 - ABANDON_SHARE)
    talks_out = made * outside * far_answered
    talks_in = incoming * answered
    hours = (talks_inside * 2 + talks_out + talks_in) * usage.talk_mean_s / 3600.0
    hours += to_machines * usage.service_talk_mean_s / 3600.0
    received = made * inside + incoming
    talks = talks_inside * 2 + talks_out + talks_in + to_machines
    texts_received = usage.texts_per_day * inside * hour_texts[busy]
    texts_received += usage.incoming_texts_per_day * _incoming_hours(scenario)[busy]
    return Offered(
        busy_hour=busy,
        merl=hours * 1000.0,
        bhca=made + to_machines,
        terminating_share=(talks_inside + talks_in) / talks if talks else 0.0,
        pages_per_hour=received + texts_received,
        calls_per_day=usage.calls_per_day * scaled * day_calls,
        incoming_calls_per_day=usage.incoming_calls_per_day * scaled * day_calls,
        service_calls_per_day=usage.service_calls_per_day * day_service,
        texts_per_day=usage.texts_per_day * day_texts,
        incoming_texts_per_day=usage.incoming_texts_per_day * day_texts,
    )


def _incoming_hours(scenario: WorldScenario) -> list[float]:
    """Texts from other networks by hour of a working day, over a mean day's; answers at chats' hours."""
    shares = profiles.mean_of(scenario, lambda segment: float(segment.texts))
    hours = [0.0] * _HOURS
    for segment in range(len(SEGMENTS)):
        factor = _working_factor(profiles.TEXT_WEEK, segment) * shares[segment]
        spread, chat = (hours_of(segment) for hours_of in (_plain_hours, _chat_hours))
        part = usage_trains.answers(scenario, segment)[1]
        for hour in range(_HOURS):
            hours[hour] += factor * ((1.0 - part) * spread[hour] + part * chat[hour])
    return hours


def _plain_hours(segment: int) -> list[float]:
    hours: list[float] = profiles.hours_of(profiles.TEXTS, profiles.way_of(segment) * 2).tolist()
    return hours


def _chat_hours(segment: int) -> list[float]:
    hours: list[float] = profiles.hours_of(profiles.CHAT, 0).tolist()
    return hours


def _working_factor(week: NDArray[np.int64], segment: int) -> float:
    """How much of a week's mean day a working day of a segment has."""
    factor = 0.0
    for weekday in _WORKDAYS:
        factor += float(week[segment, weekday]) / ONE_Q16 / len(_WORKDAYS)
    return factor


def _answered(scenario: WorldScenario) -> float:
    """Share of alerting calls that people answer."""
    often = scenario.habits.often_rejects_share
    rejects = (1.0 - often) * REJECTS_Q16[0] + often * REJECTS_Q16[1]
    return 1.0 - (rejects + NO_ANSWER_Q16) / 65536.0


def day_factor(scenario: WorldScenario, what: str, day: int) -> float:
    """How much of a week's mean day a day has, over the world's people."""
    week = _CURVES[what][0]
    like = int(profiles.kind_of_day(scenario, np.array([day]))[0])
    shares = profiles.mean_of(scenario, lambda segment: float(getattr(segment, what)))
    total = 0.0
    for segment in range(len(SEGMENTS)):
        total += shares[segment] * float(week[segment, like]) / ONE_Q16
    return total


def free_over_working(scenario: WorldScenario, what: str) -> float:
    """Usage of a free day of an ordinary week over that of a working day."""
    week, shares = _CURVES[what][0], profiles.mean_of(scenario, lambda segment: float(getattr(segment, what)))
    working = free = 0.0
    for segment in range(len(SEGMENTS)):
        for weekday in range(7):
            part = shares[segment] * float(week[segment, weekday])
            working, free = (working + part / 5, free) if weekday in _WORKDAYS else (working, free + part / 2)
    return free / working


def free_over_working_by_segment(what: str) -> NDArray[np.float64]:
    """The same of each segment; shape (segments,)."""
    week = _CURVES[what][0]
    return np.asarray(week[:, len(_WORKDAYS) : 7].mean(axis=1) / week[:, list(_WORKDAYS)].mean(axis=1))


def hours_of_segment(what: str, segment: int) -> list[float]:
    """Shares of a working day of a segment by hour."""
    curve = _CURVES[what][1]
    row = 0 if curve is profiles.SERVICE else profiles.way_of(segment) * 2
    spread, evening = profiles.hours_of(curve, row).tolist(), profiles.hours_of(profiles.CHAT, 0).tolist()
    chat = profiles.LEANINGS[segment].chat_share if what == "texts" else 0.0
    return [(1.0 - chat) * a + chat * b for a, b in zip(spread, evening, strict=True)]


def mean_day(scenario: WorldScenario, what: str) -> tuple[float, list[float]]:
    """Of a week's mean day, how much a working day has, and each of its hours; over the world's people."""
    week = _CURVES[what][0]
    shares = profiles.mean_of(scenario, lambda segment: float(getattr(segment, what)))
    hours, day = [0.0] * _HOURS, 0.0
    for segment in range(len(SEGMENTS)):
        factor = _working_factor(week, segment)
        mixed = hours_of_segment(what, segment)
        day += shares[segment] * factor
        for hour in range(_HOURS):
            hours[hour] += shares[segment] * factor * mixed[hour]
    return day, hours
