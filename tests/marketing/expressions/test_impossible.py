"""Conditions that can never hold: found where it is certain, never where rows say otherwise, and in time."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing.expressions import (
    CATALOGUE,
    Catalogue,
    Domain,
    Feature,
    Numbers,
    Type,
    Words,
    compile_expression,
    impossible,
)

NEVER = [
    ("now.on == false && now.on", "now.on, where now.on is false"),
    ("now.on && !now.on", "!now.on, where now.on is true"),
    ("now.hour > 30", "now.hour > 30, where now.hour is 0 to 23"),
    ("now.hour < 0", "where now.hour is 0 to 23"),
    ("!(now.hour < 24)", "!(now.hour < 24)"),
    ("now.hour == 12 && (now.hour < 3 || now.hour > 20)", "where now.hour is 12"),
    ("now.hour < 0.5 && now.hour > 0.1", "where now.hour is 0"),
    ("now.weekday == 0", "where now.weekday is 1 to 7"),
    ("now.weekday in [8, 9]", "now.weekday in [8, 9]"),
    ("now.hour + 1 > 24", "(now.hour + 1) > 24"),
    ("now.hour > now.hour", "now.hour > now.hour"),
    ("30 < now.hour", "where now.hour is 0 to 23"),
    ("habit.rejects_share > 1.5", "where habit.rejects_share is 0 to 1"),
    ("now.area > 70000", "where now.area is 0 to 65535"),
    ('now.idle > duration("1h") && now.idle < duration("30m")', "where now.idle is 1h or more"),
    ('last["10086"] < duration("0s")', "where last[10086] is 0h or more"),
    ("profile.age > 3 && profile.age < 4", "where profile.age is 4 or more"),
    (
        "profile.age >= 3 && profile.age <= 4 && profile.age != 3 && profile.age != 4",
        "where profile.age is 4",
    ),
    ('profile.city == "a" && profile.city == "b"', 'where profile.city is "a"'),
    ('profile.city in ["a", "b"] && !(profile.city in ["a", "b", "c"])', '"a" or "b"'),
    ('"vip" in lists && !("vip" in lists)', "where lists[vip] is true"),
    ('"mms" in profile.services && !("mms" in profile.services)', "is true"),
    ('event.peer.startsWith("1") && !event.peer.startsWith("1")', 'event.peer.startsWith("1") is true'),
    ("(now.on ? now.hour > 30 : now.hour < 0)", "where now.hour is 0 to 23"),
    ("(now.on || now.hour > 30) && !now.on", "where now.on is true"),
]
MAY = [
    "now.hour > 22 || now.hour < 1",
    "now.on || now.hour > 30",
    "profile.age < 0",  # whatever BOSS tells
    "now.hour + 1 >= 24",
    "habit.rejects_share >= 1.0",
    "habit.rejects_share != habit.rejects_share",  # true of what is no number
    "!(boss.balance < 5.0) && !(boss.balance >= 5.0)",
    'profile.city < "b" && profile.city > "b"',  # not looked into
    "profile.age % 2 == 3",
    "now.on ? !now.on : now.riding",
]


@pytest.mark.parametrize(("text", "said"), NEVER)
def test_what_can_never_hold_is_found(text, said):
    found = impossible([text])
    assert "this can never hold: " in str(found)
    assert said in str(found)


@pytest.mark.parametrize("text", MAY)
def test_what_may_hold_is_let_alone(text):
    boss = Feature("boss.balance", Type.DOUBLE, "", "", "boss")
    assert impossible([text], Catalogue([*CATALOGUE.values(), boss])) is None


def test_conditions_together_and_what_is_given():
    assert impossible(["now.on", "now.hour > 3"]) is None
    assert "now.on is true" in str(impossible(["now.on", "now.hour > 3 && !now.on"]))
    evening = {"now.hour": Domain(only=frozenset((22, 23, 0)))}
    assert impossible(["now.hour < 6"], given=evening) is None
    assert "0, 22 or 23" in str(impossible(["now.hour == 21"], given=evening))


@pytest.mark.parametrize(
    "text",
    [
        " && ".join(f"(now.on || now.hour > {n % 20})" for n in range(70)),
        "(" * 38 + "now.on" + " ? now.on : now.riding)" * 38,
        " && ".join(f"now.area != {n}" for n in range(110)),
        " && ".join(f"now.area in [{', '.join(map(str, range(110)))}]" for _ in range(4)),
        "!(" * 18 + "now.on" + " || now.on)" * 18,
    ],
)
def test_bombs_take_a_bounded_number_of_steps(text, monkeypatch):
    from marketing.expressions.impossible import MOST_STEPS, _Search

    steps = []
    holding = _Search.holding

    def counted(self, node, want, cases):
        steps.append(len(cases))
        return holding(self, node, want, cases)

    monkeypatch.setattr(_Search, "holding", counted)
    impossible([text])
    assert max(steps, default=0) <= 64
    # What is passed over is not gone into.
    assert len(steps) <= 2 * MOST_STEPS


# ------------------------------------------------------------------- never wrong: all rows there can be

NAMES = {
    "now.on": ("bool", (True, False, None)),
    "now.riding": ("bool", (True, False)),
    "now.hour": ("int", (0, 1, 12, 23, None)),
    "profile.age": ("int", (-1, 0, 12, 40)),
    "profile.share": ("double", (0.5, 12.0, float("nan"))),
    "profile.city": ("string", ("a", "b")),
}
OWN = Catalogue(
    [
        Feature("now.on", Type.BOOL, "", "", "presence"),
        Feature("now.riding", Type.BOOL, "", "", "presence"),
        Feature("now.hour", Type.INT, "0-23", "", "clock", low=0, high=23),
        Feature("profile.age", Type.INT, "", "", "extract"),
        Feature("profile.share", Type.DOUBLE, "", "", "extract"),
        Feature("profile.city", Type.STRING, "", "", "extract"),
    ]
)
ROWS = list(itertools.product(*(values for _, values in NAMES.values())))


def column(name):
    at = list(NAMES).index(name)
    values = [row[at] for row in ROWS]
    known = np.array([value is not None for value in values])
    if name == "profile.city":
        return Words(np.array(["ab".index(value) for value in values]), ("a", "b"))
    kind = {"bool": np.bool_, "int": np.int64, "double": np.float64}[NAMES[name][0]]
    return Numbers(np.array([value or 0 for value in values], dtype=kind), known)


COLUMNS = {name: column(name) for name in NAMES}
SIGNS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
ORDERS = st.sampled_from(["<", "<=", ">", ">="])
WHOLE = st.sampled_from(["-1", "0", "1", "12", "22", "23", "24", "40"])
INTS = st.sampled_from(["now.hour", "profile.age", "now.hour + 1", "profile.age - now.hour", "-profile.age"])
LEAVES = st.one_of(
    st.sampled_from(
        [
            "now.on",
            "now.riding",
            "true",
            "false",
            "has(now.hour)",
            'profile.city.startsWith("a")',
            "now.on == true",
        ]
    ),
    st.builds("{} {} {}".format, INTS, SIGNS, WHOLE),
    st.builds("{} {} {}".format, WHOLE, SIGNS, INTS),
    st.builds("{} {} {}".format, INTS, SIGNS, INTS),
    st.builds("{} {} {}".format, INTS, ORDERS, st.sampled_from(["0.5", "11.5", "23.0"])),
    st.builds("profile.share {} {}".format, SIGNS, st.sampled_from(["0.5", "12.0", "3.0"])),
    st.builds("profile.share {} {}".format, ORDERS, WHOLE),
    st.builds('profile.city {} "{}"'.format, SIGNS, st.sampled_from("abc")),
    st.builds("now.hour in [{}, {}]".format, WHOLE, WHOLE),
    st.builds('profile.city in ["{}", "{}"]'.format, st.sampled_from("abc"), st.sampled_from("abc")),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("!({})".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
    ),
    max_leaves=8,
)


@settings(max_examples=600, deadline=None)
@given(CONDITIONS)
def test_of_what_is_found_no_row_holds(text):
    if impossible([text], OWN) is not None:
        holds = compile_expression(text, OWN).holds(COLUMNS.__getitem__, len(ROWS))
        assert not holds.any(), ROWS[int(np.argmax(holds))]


def test_the_rows_find_what_would_be_wrong():
    """The test above can fail: of these each holds in some row, and one in none."""
    for text in (
        "!(profile.share < 1.0) && !(profile.share >= 1.0)",
        "now.hour == 23",
        'profile.city != "a"',
    ):
        assert compile_expression(text, OWN).holds(COLUMNS.__getitem__, len(ROWS)).any()
    assert impossible(["now.hour == 24"], OWN) is not None
