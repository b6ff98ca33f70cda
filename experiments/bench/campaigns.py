"""Active campaigns for `kairos bench engine`: over all kinds of scene and sizes of audience.

Nine in ten begin with a behaviour, one in ten with a stay; a fifth have steps in time, half ask for features
that move. Which of them there are hangs on their number alone. The broad set's audiences are what operators
segment by: a brand, a city, an age; its campaigns contact a fifth of all subscribers within one busy hour,
more than a policy of two contacts a month lets through in two days. The narrow set's are those of targeted
campaigns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from marketing.campaigns import Campaign

__all__ = ["AUDIENCES", "campaigns_of", "document_of"]

SEGMENTS: Final = (
    "students", "office_staff", "business_travellers", "farmers", "migrant_workers", "urban_women",
    "home_makers", "elderly", "civil_servants",
)  # fmt: skip
LINES: Final = ("10086", "12580", "1860")
BRANDS: Final = ("easyown", "mzone", "gotone")
CITIES: Final = ("capital", "harbour", "mill-town", "market-town", "mine-town")
NARROW: Final = (
    'profile.segment == "{segment}" && profile.age < {age} && profile.arpu > {arpu}.0',
    'profile.segment == "{segment}" && "mms" in profile.services',
    "profile.arpu > {rich}.0 && profile.age < {age}",
    "profile.often_off && profile.arpu > {arpu}.0",
    'profile.segment in ["{segment}", "{other}"] && profile.arpu > {rich}.0',
    'profile.language == "en"',
    "profile.bundle_minutes > 100 && profile.age > {age} && profile.arpu > {rich}.0",
    "profile.often_rejects",
)
"""From some in a thousand to one in ten of all subscribers; the shipped ones have their own."""
BROAD: Final = (
    'profile.segment == "{segment}"',
    'profile.brand == "{brand}"',
    "profile.age < {age}",
    '"mms" in profile.services && profile.age > {age}',
    'profile.segment in ["{segment}", "{other}"]',
    "profile.arpu > {arpu}.0",
    'profile.segment == "{segment}" && "mms" in profile.services',
    "profile.often_off",
    'profile.brand == "{brand}" && profile.arpu > {arpu}.0',
    'profile.city == "{city}"',
)
"""Whole segments, brands, cities, age groups: from one in a hundred to half of all subscribers."""
AUDIENCES: Final = {"broad": BROAD, "narrow": NARROW}
_STAYS: Final = 2700, 1800, 600


def _scene(number: int, places: Sequence[str], areas: Sequence[int]) -> dict[str, Any]:
    """One of twenty scenes."""
    place, area = places[number % len(places)], int(areas[number % len(areas)])
    line = LINES[number % len(LINES)]
    scenes: tuple[dict[str, Any], ...] = (
        {"begin": {"behaviour": "call_ended", "role": "caller", "peer": [line]}},
        {"begin": {"behaviour": "call_ended", "role": "caller", "peer_prefix": ["0"]}},
        {"begin": {"behaviour": "power_on"}},
        {"begin": {"behaviour": ["call_no_answer", "call_busy"], "role": "caller"}},
        {"begin": {"behaviour": "area_entered", "area": area}, "if": "habit.new_here"},
        {"begin": {"behaviour": "sms_sent", "place": place}},
        {"begin": {"dwell": {"place": place, "at_least_s": _STAYS[number % 3]}}},
        {"begin": {"behaviour": "call_rejected", "role": "callee"}, "if": "habit.often_rejects"},
        {"begin": {"behaviour": "call_ended", "role": "caller", "if": 'event.duration > duration("10m")'}},
        {"begin": {"behaviour": "location_update", "place": place}, "if": 'now.idle > duration("20m")'},
        {
            "begin": {"behaviour": "call_ended", "role": "caller"},
            "if": "habit.minutes_left < 10",
        },
        {
            "begin": {"behaviour": "call_started", "role": "caller", "peer": [line]},
            "then": [{"not_followed_by": {"behaviour": "call_connected"}, "within_s": 60}],
        },
        {"begin": {"behaviour": "imei_changed"}, "terminal": "terminal.mms"},
        {"begin": {"behaviour": "cell_changed"}, "if": "now.riding"},
        {"begin": {"behaviour": "ussd_used"}},
        {
            "begin": {"behaviour": "call_no_answer", "role": "callee", "times": 2},
            "within_s": 1800,
        },
        {"begin": {"dwell": {"place": place, "at_least_s": 900}}, "if": "now.waiting"},
        {
            "begin": {"behaviour": "sms_received"},
            "then": [{"followed_by": {"behaviour": "sms_sent"}, "times": 2, "within_s": 900}],
        },
        {
            "begin": {"behaviour": "call_ended", "peer": [line]},
            "if": f'!(last["{line}"] < duration("168h"))',
        },
        {"begin": {"behaviour": "call_unreachable", "role": "caller"}, "when": {"hours": ["08:00-21:00"]}},
    )
    return scenes[number % len(scenes)]


def campaigns_of(
    count: int,
    places: Sequence[str],
    areas: Sequence[int],
    shipped: Sequence[Campaign] = (),
    audiences: str = "broad",
) -> list[Campaign]:
    """`count` campaigns, the shipped ones first, in the order of their names."""
    made = list(shipped[:count])
    taken = {campaign.campaign for campaign in made}
    for number in range(count - len(made)):
        document = document_of(number, places, areas, audiences)
        assert document["campaign"] not in taken
        made.append(Campaign.model_validate(document))
    return sorted(made, key=lambda campaign: campaign.campaign)


def document_of(
    number: int, places: Sequence[str], areas: Sequence[int], audiences: str = "broad"
) -> dict[str, Any]:
    """One campaign as its file would say it."""
    words = {
        "segment": SEGMENTS[number % len(SEGMENTS)],
        "other": SEGMENTS[(number * 5 + 3) % len(SEGMENTS)],
        "age": 20 + number % 5 * 8,
        "arpu": 60 + number % 7 * 25,
        "rich": 150 + number % 4 * 50,
        "brand": BRANDS[number // 7 % len(BRANDS)],
        "city": CITIES[number % len(CITIES)],
    }
    texts = AUDIENCES[audiences]
    name = f"bench-{number:03d}"
    return {
        "campaign": name,
        "title": f"Campaign {number} of the bench",
        "audience": texts[(number // 3) % len(texts)].format(**words),
        "scene": _scene(number, places, areas),
        "offer": name,
        "content": {"zh": "您好", "en": "Hello"},
        "originator": f"100860{number:04d}",
        "priority": number % 50,
        "hold": "release" if number % 4 == 0 else "drop",
    }
