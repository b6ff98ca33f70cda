"""Catalogues: every text in every language with the same values, and what wrong ones are told."""

from __future__ import annotations

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


def test_a_piece_of_a_page_is_not_escaped_twice() -> None:
    said = Words("common", "en")("run.id", run_id=Markup("waypoint&#39;s"))
    assert str(escape(said)) == "run waypoint&#39;s"
    assert str(escape(Words("common", "en")("run.id", run_id="<"))) == "run &lt;"
