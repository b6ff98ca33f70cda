"""Expressions that cannot be used: where, why, the nearest name; bombs; and any text at all."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing.expressions import (
    CATALOGUE,
    ExpressionError,
    Numbers,
    Type,
    Words,
    compile_expression,
    split_expression,
)
from marketing.expressions.functions import duration_us
from marketing.expressions.operations import COMPARE, compare_mixed

WRONG = [
    ("", 1, 1, "expected an expression"),
    ("profile.age >", 1, 14, "ends too early"),
    ("profile.age = 3", 1, 13, "write =="),
    ("profile.age > 3 and now.on", 1, 17, "did you mean '&&'"),
    ("profile.agee > 3", 1, 1, "did you mean 'profile.age'"),
    ("profil.age > 3", 1, 1, "names begin with"),
    ("now.on &&\n  habit.at_hom", 2, 3, "did you mean 'habit.at_home'"),
    ("profile.age", 1, 1, "true or false, found an int"),
    ("profile.age == '3'", 1, 13, "found an int and a string"),
    ("profile.age + 1.5 > 2.0", 1, 13, "double(...)"),
    ("profile.age == 3.0", 1, 13, "write 1.0 for 1"),
    ("profile.city > 3 ", 1, 14, "a string and an int"),
    ("!profile.age", 1, 2, "! takes a bool"),
    ("profile.age in ['a']", 1, 13, "one value in a list of its type"),
    ("profile.age in [1, 'a']", 1, 20, "one type"),
    ("profile.age in []", 1, 16, "empty list"),
    ("mms in profile.services", 1, 1, "names begin with"),
    ("lists == 'vip'", 1, 1, "stands after in only"),
    ("profile.city in lists", 1, 1, "target list in quotes"),
    ("last > duration('1h')", 1, 1, "a service line after last"),
    ("last[10086] > duration('1h')", 1, 6, "digits of a service line in quotes"),
    ("profile['age'] > 3", 1, 1, "only last has keys"),
    ("duration('soon') > now.idle", 1, 10, "expected a duration"),
    ("now.idle > duration(now.idle)", 1, 21, "duration takes a text"),
    ("matches(profile.city, 'a')", 1, 1, "startsWith"),
    ("profile.services.exists(s, s == 'mms')", 1, 18, "loops over lists"),
    ("profile.age == null", 1, 16, "has(profile.age)"),
    ("now.idle > timestamp('x')", 1, 12, "this type is not part"),
    ("sizes(profile.city) > 1", 1, 1, "did you mean 'size'"),
    ("profile.city.startswith('a')", 1, 14, "did you mean 'startsWith'"),
    ("{'a': 1}", 1, 1, "no braces"),
    ('profile.city == "han', 1, 17, "no closing quote"),
    ("profile.city == “han”", 1, 17, "plain quote"),
    ("（now.on）", 1, 1, "full-width sign"),
    ("profile.age > 9223372036854775808", 1, 15, "64 bits"),
    ("now.on ? 1 : true", 1, 14, "of one type"),
    ("profile.city == '\\q'", 1, 17, "no escape"),
    ("for > 3", 1, 1, "keeps for itself"),
]


@pytest.mark.parametrize(
    ("text", "line", "column", "said"), WRONG, ids=[w[0][:30] or "nothing" for w in WRONG]
)
def test_mistakes_are_said_with_their_place(text, line, column, said):
    with pytest.raises(ExpressionError) as error:
        compile_expression(text)
    assert said in str(error.value)
    assert (error.value.line, error.value.column) == (line, column)


BOMBS = {
    "brackets": "(" * 1000 + "now.on" + ")" * 900,
    "negations": "!" * 1990 + "now.on",
    "lists": "[" * 1999,
    "sum": "+".join(["1"] * 999),
    "choices": "now.on ? now.on : " * 100 + "now.on",
    "digits": "9" * 1999 + " > profile.age",
    "long": "now.on && " * 20_000 + "now.on",
    "items": "profile.age in [" + ",".join("1" * 1 for _ in range(900)) + "]",
    "members": "now" + ".on" * 600,
    "indexes": "last" + "['1']" * 380,
    "calls": "size(" * 390,
    "backslashes": '"' + "\\\\" * 990,
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_bombs_are_refused(text):
    with pytest.raises(ExpressionError) as error:
        compile_expression(text)
    assert len(str(error.value)) < 400


PIECES = (
    "profile.age", "now.idle", "lists", '"vip"', "in", 'last["10086"]', 'duration("1h")', "(", ")", "[", "]",
    "&&", "||", "!", "-", "+", "*", "/", "%", "==", "<", "?", ":", ",", ".", "1", "1.5", "true", "has",
    "size", "int", "profile.city", ".startsWith(", "'x'", "//", "\n",
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(st.sampled_from(PIECES), max_size=20).map(" ".join),
        st.binary(max_size=40).map(lambda b: b.decode("latin-1")),
    )
)
def test_no_text_raises_anything_else(text):
    with contextlib.suppress(ExpressionError):
        made = compile_expression(text)
        assert made.constant is not None or made.reads


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([2**53, 2**53 + 1, 0, 2**63 - 1])),
            st.one_of(st.floats(), st.sampled_from([2.0**53, 2.0**63, -(2.0**63), 0.5, 1e19])),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_whole_numbers_and_doubles_are_ordered_by_their_true_values(pairs):
    ints, doubles = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    for sign, compare in COMPARE.items():
        # Python compares int and float exactly.
        assert compare_mixed(sign, ints, doubles).tolist() == [compare(i, d) for i, d in pairs], sign


DURATIONS = {
    "30s": 30_000_000,
    "1h30m": 5_400_000_000,
    "1.5s": 1_500_000,
    "-2m": -120_000_000,
    "5us": 5,
    "1000ns": 1,
}


@pytest.mark.parametrize(("text", "us"), DURATIONS.items())
def test_durations(text, us):
    assert duration_us(text) == us


@pytest.mark.parametrize("text", ["", "5", "1d", "s", "1 h", "1ns", "1e3s", "99999999999999h", "+1h", "１h"])
def test_no_durations(text):
    with pytest.raises(ValueError, match="duration"):
        duration_us(text)


def test_what_an_expression_reads_and_whether_imports_alone_change_it():
    made = compile_expression('"vip" in lists && (profile.age > 3 || last["10086"] > duration("1h"))')
    assert made.reads == {"lists[vip]", "profile.age", "last[10086]"}
    assert not made.static
    assert compile_expression('"vip" in lists && profile.age > 3').static
    assert compile_expression("1 < 2").constant is True
    assert compile_expression("1 / 0 == 1").constant is False


def test_an_audience_falls_into_what_imports_change_and_the_rest():
    static, moving = split_expression('profile.age > 30 && now.on && "vip" in lists')
    assert static.reads == {"profile.age", "lists[vip]"}
    assert moving.reads == {"now.on"}
    columns = {
        "profile.age": Numbers(np.array([20, 40, 50])),
        "lists[vip]": Numbers(np.array([True, False, True])),
        "now.on": Numbers(np.array([True, True, True]), np.array([True, True, False])),
    }
    assert static.holds(columns.__getitem__, 3).tolist() == [False, False, True]
    assert moving.holds(columns.__getitem__, 3).tolist() == [True, True, False]
    assert split_expression("profile.age > 30 || now.on")[0] is None
    assert split_expression("profile.age > 30")[1] is None


def test_one_table_of_words_serves_every_vocabulary():
    made = compile_expression('event.peer == "10086"')
    for words in (("10086", "110"), ("110", "10086"), ("110",)):
        column = Words.of_bytes(np.array([w.encode() for w in words]))
        assert made.holds(lambda _name, c=column: c, len(words)).tolist() == [w == "10086" for w in words]


def test_the_catalogue_says_everything_of_every_name():
    for feature in CATALOGUE.values():
        assert feature.meaning
        assert feature.type in Type
    assert CATALOGUE.having({"points": Type.INT})["profile.points"].static
