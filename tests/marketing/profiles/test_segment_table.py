"""The table of segments: checked, laid over profiles, and what the population's truth plants."""

from pathlib import Path

import numpy as np
import pytest

from marketing.config import ConfigError
from marketing.profiles import Profiles, check_segments, load_segments, with_segments
from sim.place_kinds import PLACE_KINDS
from sim.subscribers.segments import SEGMENTS
from sim.subscribers.traits import CONTENTS, TRAITS

TABLE = Path(__file__).parents[3] / "scenarios" / "audiences" / "segments.yaml"
SHARES = np.array([0.08, 0.12, 0.18, 0.07, 0.15, 0.09, 0.15, 0.08, 0.08])
"""Of the segments, as worlds have them by default."""


def people(*segments: str | None) -> Profiles:
    n = len(segments)
    return Profiles.of(
        {
            "imsi": [f"{10**12 + i:015d}" for i in range(n)],
            "msisdn": [str(8 * 10**12 + i) for i in range(n)],
            "segment": list(segments),
            "interests": [list(CONTENTS)] * n,
        }
    )


def test_the_table_says_what_is_planted():
    table, document = load_segments(TABLE)
    assert list(table.segments) == [s.name for s in SEGMENTS]
    liked = np.array([[int(digit) for digit in t.likes] for t in TRAITS]) / 10
    lift = liked / (SHARES @ liked)
    for name, traits, likes, lifts in zip(table.segments, TRAITS, liked, lift, strict=True):
        one = table.segments[name]
        assert tuple(one.places) == traits.contact_places[:5]
        suits = {
            c for c, share, more in zip(CONTENTS, likes, lifts, strict=True) if share >= 0.3 and more >= 1.2
        }
        assert set(one.contents) == suits, name
        assert set(one.title) == {"en", "zh"}
    everybody = people(*(s.name for s in SEGMENTS))
    check_segments(table, document, everybody, frozenset(row.name for row in PLACE_KINDS))


def test_everybody_of_a_segment_gets_its_features_and_nobody_else():
    table, _ = load_segments(TABLE)
    made = with_segments(people("farmers", None, "students", "astronauts"), table)
    places, packages = made.column("contact_places"), made.column("packages")
    assert set(places.value(0)) == {"rural-fair", "wholesale-market", "coach-station", "market", "job-market"}
    assert packages.value(0) == ("farm-post",)
    assert packages.has("campus-fun").tolist() == [False, False, True, False]
    assert [places.value(1), places.value(3)] == [None, None]
    assert places.values.itemsize <= 4
    assert packages.values.itemsize <= 4


def test_names_that_fit_nothing_are_said_with_their_line(tmp_path):
    text = TABLE.read_text(encoding="utf-8")
    path = tmp_path / "t.yaml"
    path.write_text(
        text.replace("  farmers:", "  framers:")
        .replace("[campus,", "[campsu,")
        .replace("[farming]", "[farmin]"),
        encoding="utf-8",
    )
    table, document = load_segments(path)
    with pytest.raises(ConfigError) as caught:
        check_segments(
            table, document, people(*(s.name for s in SEGMENTS)), frozenset(row.name for row in PLACE_KINDS)
        )
    found = [(p.key, p.suggestion) for p in caught.value.problems]
    assert found == [
        ("segments.students.places[0]", "campus"),
        ("segments.framers", "farmers"),
        ("segments.framers.packages.farm-post[0]", "farming"),
    ]
    assert all(p.line for p in caught.value.problems)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[farming]", "[farming, farming]", "every content once; farming"),
        ("[park, senior-centre", "[park, park", "every place once; park"),
        ("places: [airport", "place: [airport", "no such key"),
        ("[farming]", "[]", "at least 1"),
        ("audiences: segments", "audiences: other", "segments"),
    ],
)
def test_wrong_tables_are_explained(tmp_path, old, new, said):
    path = tmp_path / "t.yaml"
    path.write_text(TABLE.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        load_segments(path)
