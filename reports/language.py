"""What pages say, in the languages that they are read in: every sentence by a key, from catalogues.

A catalogue is `reports/catalogues/<page>.yaml`: keys, nested as deep as one likes, each leaf with one text
for each language. Texts name values in braces, as `str.format` has it. Keys of `common.yaml` are there for
every page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any, Final

import yaml

__all__ = ["LANGUAGES", "CatalogueError", "Words", "catalogue", "catalogues"]

LANGUAGES: Final = ("en", "zh")
"""Languages that every text is there in; the first is the one that pages have by default."""
COMMON: Final = "common"


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
        self._texts = {**catalogue(COMMON), **catalogue(page)}

    def __call__(self, key: str, **values: Any) -> str:
        """The text of a key with its values.

        Raises:
            KeyError: there is no such key, or a value that the text names was not given.
        """
        return self._texts[key][self.language].format(**values)

    def __contains__(self, key: str) -> bool:
        return key in self._texts


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
