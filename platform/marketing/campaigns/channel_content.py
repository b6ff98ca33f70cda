"""What a campaign says by the channels that take more than a text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, field_validator

from marketing.campaigns.content import template
from marketing.config import ExistingFile, Strict
from marketing.config_values import Form

__all__ = ["PICTURES", "TITLE_MAX", "Language", "Mms", "Text", "Wap", "in_language"]

Language = Literal["zh", "en"]

PICTURES: Final = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".png": "image/png",
    ".wbmp": "image/vnd.wap.wbmp",
}
"""Suffix of a file -> what it is said to be."""
TITLE_MAX: Final = 120
"""Characters of what a pushed link says."""
MOST_OCTETS: Final = 100_000
"""Of all pictures of one message together: what handsets of the time took."""


def _text(text: str) -> str:
    template(text)
    return text


Text = Annotated[str, Field(min_length=1, max_length=700), AfterValidator(_text)]
Title = Annotated[str, Field(min_length=1, max_length=TITLE_MAX), AfterValidator(_text)]


class Wap(Strict):
    """A link pushed to the terminal's browser."""

    url: Annotated[
        str,
        Field(max_length=200),
        Form(r"^https?://[!-~]+$", "an address that begins with http:// or https://, ASCII without spaces"),
    ]
    """Where it leads: http:// or https://, ASCII."""
    title: dict[Language, Title] = Field(default_factory=dict)
    """What the terminal shows, by language, with placeholders; absent: the content, where it is short
    enough."""


class Mms(Strict):
    """A multimedia message."""

    subject: dict[Language, Annotated[str, Field(min_length=1, max_length=40)]] = Field(min_length=1)
    """By language, without placeholders."""
    text: dict[Language, Text] = Field(default_factory=dict)
    """By language, with placeholders; absent: the content."""
    files: list[ExistingFile] = Field(default_factory=list, max_length=8)
    """Pictures that follow the text: .jpg, .gif, .png or .wbmp, 100,000 octets in all."""

    @field_validator("files")
    @classmethod
    def _pictures(cls, files: list[Path]) -> list[Path]:
        for path in files:
            if path.suffix.lower() not in PICTURES:
                raise ValueError(f"{path.name}: expected a picture: {', '.join(PICTURES)}")
        octets = sum(path.stat().st_size for path in files)
        if octets > MOST_OCTETS:
            raise ValueError(f"expected at most {MOST_OCTETS} octets of pictures; these have {octets}")
        return files


def in_language(texts: dict[Language, str], language: str) -> str:
    """The text in a language; the first where it is lacking."""
    for name, text in texts.items():
        if name == language:
            return text
    return next(iter(texts.values()))
