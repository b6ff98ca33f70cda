"""Catalogues: every text in every language with the same values, and what wrong ones are told."""

from __future__ import annotations

import re

import pytest
from markupsafe import Markup, escape

from reports import language
from reports.language import LANGUAGES, CatalogueError, Words, catalogue, catalogues


@pytest.mark.parametrize("page", catalogues())
def test_every_text_is_there_in_every_language(page: str) -> None:
    texts = catalogue(page)
    assert texts
    assert all(set(found) == set(LANGUAGES) for found in texts.values())


def test_a_text_takes_its_values() -> None:
    assert Words("common", "en")("run.seed", seed=7) == "seed 7"
    assert "7" in Words("common", "zh")("run.seed", seed=7)


def test_an_unknown_language_is_told_which_there_are() -> None:
    with pytest.raises(CatalogueError, match="expected one of en, zh"):
        Words("common", "fr")


def test_a_value_that_is_not_given_is_an_error() -> None:
    with pytest.raises(KeyError):
        Words("common")("run.seed")


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"en": "one"}, "expected exactly the languages"),
        ({"en": "one {n}", "zh": "一"}, "different values"),
        ({"en": "", "zh": "一"}, "expected words"),
        ({"en": "a", "zh": "b", "fr": "c"}, "expected exactly the languages"),
    ],
)
def test_what_is_wrong_with_a_text_is_said(texts: dict[str, str], said: str) -> None:
    assert said in language._wrong(texts)


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (1, "1 trigger was measured: too few"),
        ("1", "1 trigger was measured: too few"),
        (0, "0 triggers were measured: too few"),
        (2, "2 triggers were measured: too few"),
        ("1\u00a0001", "1\u00a0001 triggers were measured: too few"),
        (Markup("1"), "1 trigger was measured: too few"),
    ],
)
def test_one_thing_is_said_otherwise_than_several(n: object, said: str) -> None:
    assert Words("latency", "en")("answer.none", n=n).startswith(said)
    assert "|" not in Words("latency", "zh")("answer.none", n=n)


def test_a_word_with_two_forms_needs_its_value() -> None:
    with pytest.raises(KeyError):
        Words("latency", "en")("answer.none")


@pytest.mark.parametrize(
    ("page", "under", "text", "english", "chinese"),
    [
        (
            "latency",
            "refusal",
            "a p99.9 needs 10000 observations; there are 7101",
            "a p99.9 needs 10\u00a0000 observations; there are 7\u00a0101",
            "p99.9 至少需要 10\u00a0000 个观测值，现有 7\u00a0101 个",
        ),
        (
            "uplift",
            "refused",
            "1 take-ups on both sides; 10 needed",
            "1 take-up on both sides; 10 needed",
            "两方共订购 1 次，至少需要 10 次",
        ),
        ("latency", "reason", "phase 2: the moon was full", "phase 2: the moon was full", None),
    ],
)
def test_sentences_of_programs_are_said_as_pages_say_things(
    page: str, under: str, text: str, english: str, chinese: str | None
) -> None:
    assert Words(page, "en").told(text, under) == english
    if chinese is not None:
        assert Words(page, "zh").told(text, under) == chinese


FORMS = [
    (page, key, texts["en"])
    for page in catalogues()
    for key, texts in catalogue(page).items()
    if "(s)" in texts["en"]
]


def test_no_text_leaves_the_number_of_things_open() -> None:
    assert FORMS == []


@pytest.mark.parametrize("page", catalogues())
def test_words_with_two_forms_differ_and_chinese_has_none(page: str) -> None:
    for key, texts in catalogue(page).items():
        for name, one, several in re.findall(r"\{(\w+):([^{}|]*)\|([^{}|]*)\}", texts["en"]):
            assert one != several, key
            assert f"{{{name}}}" in texts["en"], key
        assert "|" not in texts["zh"], key


def test_a_piece_of_a_page_is_not_escaped_twice() -> None:
    said = Words("common", "en")("run.id", run_id=Markup("waypoint&#39;s"))
    assert str(escape(said)) == "run waypoint&#39;s"
    assert str(escape(Words("common", "en")("run.id", run_id="<"))) == "run &lt;"
