"""What pages say, in the languages that they are read in: every sentence by a key, from catalogues.

A catalogue is `reports/catalogues/<page>.yaml`: keys, nested as deep as one likes, each leaf with one text
for each language. Texts name values in braces, as `str.format` has it. `common.yaml` is there for every page.

A word with two forms, `{n} {n:phase|phases}`, is said in the first where the value is 1. A language that does
not tell one from several, as Chinese, leaves it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any, Final

import yaml
from markupsafe import escape

from reports.numerals import number

__all__ = ["LANGUAGES", "CatalogueError", "Words", "catalogue", "catalogues"]

LANGUAGES: Final = ("en", "zh")
"""Languages that every text is there in; the first is the one that pages have by default."""
COMMON: Final = "common"
_TAGS: Final = {"en": "en", "zh": "zh-CN"}
"""What a page says of its language, BCP 47."""
_BETWEEN: Final = {"en": ", ", "zh": "、"}
"""What stands between the parts of a list."""
_GAPS: Final = {"en": " ", "zh": ""}
"""What stands between two sentences."""
_VOCABULARIES: Final = ("rule", "arm", "short")
"""Words of the records that stand in sentences of programs."""
_FORMS: Final = re.compile(r"\{(\w+):([^{}|]*)\|([^{}|]*)\}")
"""A word with the form for one thing and that for several: the value that decides, and both."""
_NUMBER: Final = r"[-−+]?\d[\d.,\u2009 ]*"
"""What a value named `n`, or `n_` and more, is in a sentence that a program wrote."""


class CatalogueError(ValueError):
    """A catalogue lacks a text, or its languages name different values."""


def catalogues() -> list[str]:
    """Names of the catalogues that there are, in order."""
    folder = files("reports") / "catalogues"
    return sorted(
        entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")
    )


@cache
def catalogue(page: str) -> Mapping[str, Mapping[str, str]]:
    """Dotted key -> language -> text, of one catalogue.

    Raises:
        CatalogueError: with every text that is not there in every language with the same values.
    """
    source = files("reports") / "catalogues" / f"{page}.yaml"
    found = dict(_leaves(yaml.safe_load(source.read_text(encoding="utf-8")) or {}, ()))
    wrong = [f"{page}.yaml: {key}: {said}" for key, texts in found.items() if (said := _wrong(texts))]
    if wrong:
        raise CatalogueError("; ".join(wrong))
    return found


class Words:
    """The texts of one page in one language."""

    def __init__(self, page: str, language: str = LANGUAGES[0]) -> None:
        """`page` names its catalogue.

        Raises:
            CatalogueError: the language is none of `LANGUAGES`.
        """
        if language not in LANGUAGES:
            raise CatalogueError(f"no language {language!r}; expected one of {', '.join(LANGUAGES)}")
        self.language = language
        self.tag = _TAGS[language]
        """For `<html lang>`."""
        self.gap = _GAPS[language]
        """Stands between two sentences."""
        self._page = page
        self._texts = {**catalogue(COMMON), **catalogue(page)}

    def __call__(self, key: str, **values: Any) -> str:
        """The text of a key with its values.

        Raises:
            KeyError: there is no such key, or a value that the text names was not given.
        """
        text = _numbered(self._texts[key][self.language], values)
        if any(hasattr(value, "__html__") for value in values.values()):
            # A value that is a piece of a page already makes the whole one: nothing is escaped twice.
            return escape(text).format(**values)
        return text.format(**values)

    def __contains__(self, key: str) -> bool:
        return key in self._texts

    def name(self, code: str, under: str) -> str:
        """What a word of the records (a rule, a state, a kind) is called; itself where nothing says so."""
        key = f"{under}.{code}"
        return self(key) if key in self._texts else code.replace("_", " ")

    def told(self, text: str, under: str) -> str | None:
        """A sentence that a program wrote in English into a record, in this language.

        The catalogue's keys below `under` are searched for the one whose English text it is; values are what
        stands in place of its braces, told in turn; those named `n` or `n_...` are numbers, and large ones
        get their thousands apart. In English the sentence says of one thing what is said of one. None: no
        catalogue knows it; in English it is given back as it is.
        """
        if self.language != LANGUAGES[0]:
            for words in _VOCABULARIES:
                if f"{words}.{text}" in self._texts:
                    return self(f"{words}.{text}")
        for key, pattern in _patterns(self._page, under):
            if found := pattern.fullmatch(text):
                values = {
                    name: _apart(said) if _is_number(name) else self.told(said, under) or said
                    for name, said in found.groupdict().items()
                }
                return self(key, **values)
        return text if self.language == LANGUAGES[0] else None

    def list(self, parts: Iterable[str]) -> str:
        """Parts one after another, as this language separates them."""
        return _BETWEEN[self.language].join(parts)


@cache
def _patterns(page: str, under: str) -> list[tuple[str, re.Pattern[str]]]:
    """Keys below one with what their English texts match, those with more words of their own first."""
    found = []
    for key, texts in {**catalogue(COMMON), **catalogue(page)}.items():
        if key.startswith(f"{under}."):
            parts = [(said, name, form) for said, name, form, _ in Formatter().parse(texts[LANGUAGES[0]])]
            known, built, own = set[str](), "", 0
            for said, name, form in parts:
                built, own = built + re.escape(said), own + len(said)
                if form and "|" in form:
                    own += max(map(len, form.split("|")))
                    built += f"(?:{'|'.join(re.escape(one) for one in form.split('|'))})"
                elif name is not None:
                    what = _NUMBER if _is_number(name) else ".+?"
                    built += f"(?P={name})" if name in known else f"(?P<{name}>{what})"
                    known.add(name)
            found.append((own, key, re.compile(built, re.DOTALL)))
    return [(key, pattern) for _, key, pattern in sorted(found, key=lambda row: (-row[0], row[1]))]


def _numbered(text: str, values: Mapping[str, Any]) -> str:
    """The text with each word of two forms in the one that its value asks for."""

    def form(found: re.Match[str]) -> str:
        name, one, several = found.groups()
        return one if str(values[name]) == "1" else several

    return _FORMS.sub(form, text) if "|" in text else text


def _is_number(name: str) -> bool:
    """Whether a value of this name is a number in a sentence that a program wrote."""
    return name == "n" or name.startswith("n_")


def _apart(said: str) -> str:
    """A number of a program's sentence with its thousands apart, as everywhere on a page."""
    whole, point, rest = said.partition(".")
    return f"{number(int(whole))}{point}{rest}" if whole.isdecimal() and len(whole) > 3 else said


def _leaves(node: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, Mapping[str, str]]]:
    for name, below in node.items():
        at = (*path, str(name))
        if not isinstance(below, dict):
            raise CatalogueError(f"{'.'.join(at)}: expected texts by language, not {below!r}")
        if below.keys() & set(LANGUAGES):
            yield ".".join(at), below
        else:
            yield from _leaves(below, at)


def _wrong(texts: Mapping[str, Any]) -> str:
    if set(texts) != set(LANGUAGES):
        return f"expected exactly the languages {', '.join(LANGUAGES)}, found {', '.join(map(str, texts))}"
    if not all(isinstance(text, str) and text for text in texts.values()):
        return "expected words in every language"
    named = [
        {name for _, name, _, _ in Formatter().parse(text) if name is not None} for text in texts.values()
    ]
    return "" if all(names == named[0] for names in named) else "its languages name different values"
