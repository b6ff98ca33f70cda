"""The table of places: complete, consistent with itself, and with the names that files may write."""

import pytest

from sim.place_kinds import KIND_INDEX, KIND_NAMES, PLACE_KINDS
from sim.scenario import SegmentShares


def test_rows_and_names_are_the_same_and_unique():
    assert sorted(row.name for row in PLACE_KINDS) == sorted(KIND_NAMES)
    assert len(set(KIND_NAMES)) == len(KIND_NAMES) == len(KIND_INDEX)


@pytest.mark.parametrize("row", PLACE_KINDS, ids=lambda row: row.name)
def test_row(row):
    assert len(row.likes) == len(SegmentShares.model_fields)
    assert max(row.likes) > 0
    assert row.stay_min > 0
    for weekend in (False, True):
        crowd = row.crowd(weekend)
        assert len(crowd) == 24
        for hour in range(24):
            assert (crowd[hour] > 0) == row.is_open(hour, weekend), f"{hour}:00"
    assert max(row.crowd(False) + row.crowd(True)) == 9
    assert row.per_100k > 0 or row.where == "beyond"


def test_every_segment_has_somewhere_to_go():
    for segment in range(len(SegmentShares.model_fields)):
        assert sum(row.likes[segment] >= 5 for row in PLACE_KINDS) >= 3


def test_after_midnight_belongs_to_the_evening_before():
    bar = PLACE_KINDS[KIND_INDEX["bar"]]
    assert bar.is_open(1, weekend=False)
    assert not bar.is_open(3, weekend=False)
