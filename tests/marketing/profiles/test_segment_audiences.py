"""Each of the nine segments as an audience of a campaign, with its places and packages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketing.campaigns import Campaign, load, using
from marketing.profiles import Profiles, load_segments
from marketing.profiles.segments import with_segments
from marketing.rules import Rules, catalogue_of
from sim.subscribers.segments import SEGMENTS

NAMES = [segment.name for segment in SEGMENTS]


def people(segments):
    return Profiles.of(
        {
            "imsi": [f"{1010000000000 + i:015d}" for i in range(len(segments))],
            "msisdn": [str(8613900000000 + i) for i in range(len(segments))],
            "segment": segments,
        }
    )


def members(profiles, town, audience):
    with using(catalogue_of(profiles)):
        campaign = Campaign.model_validate(
            {
                "campaign": "c",
                "title": "t",
                "audience": audience,
                "offer": "o",
                "content": {"en": "hi"},
                "originator": "1008600",
                "scene": {"begin": {"behaviour": "power_on"}},
            }
        )
    rules = Rules.compile([campaign], profiles, town.places(), catalogue=catalogue_of(profiles))
    return rules.members(0).tolist()


@pytest.mark.parametrize("name", NAMES)
@given(drawn=st.lists(st.sampled_from([*NAMES, ""]), min_size=1, max_size=30))
def test_a_segment_is_an_audience(town_once, name, drawn):
    profiles = people(drawn)
    assert members(profiles, town_once, f'profile.segment == "{name}"') == [one == name for one in drawn]
    assert members(profiles, town_once, {"segment": name}) == [one == name for one in drawn]


@pytest.fixture(scope="module")
def town_once(request):
    from types import SimpleNamespace

    from marketing.profiles import Places

    return SimpleNamespace(places=lambda: Places.from_rows([(1, 1, "")]))


@pytest.fixture(scope="module")
def table(request):
    found, _ = load_segments(request.config.rootpath / "scenarios" / "audiences" / "segments.yaml")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_places_and_packages_of_the_table_are_audiences_too(town_once, table, name):
    profiles = with_segments(people(NAMES), table)
    for package in table.segments[name].packages:
        expected = [package in table.segments[other].packages for other in NAMES]
        assert members(profiles, town_once, f'"{package}" in profile.packages') == expected
    for place in table.segments[name].places:
        expected = [place in table.segments[other].places for other in NAMES]
        assert members(profiles, town_once, f'"{place}" in profile.contact_places') == expected


def test_the_shipped_example_is_of_the_table(request, table):
    campaign = load(request.config.rootpath / "scenarios" / "campaigns" / "students-campus-fun.yaml")
    students = table.segments["students"]
    assert campaign.expression == 'profile.segment == "students"'
    assert campaign.scene.begin.dwell.place in students.places
    assert campaign.offer in students.packages
