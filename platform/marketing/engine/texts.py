"""What is said to whom: each campaign's text in each language, filled once where it has no placeholders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from marketing.campaigns import Campaign
from marketing.profiles import Column, Profiles

__all__ = ["Texts"]


@dataclass(slots=True)
class Texts:
    """Of one set of campaigns and one extract."""

    telling: frozenset[str]
    """Campaigns whose texts have placeholders."""
    _languages: Column
    _plain: dict[tuple[str, str, str], str] = field(default_factory=dict)

    @classmethod
    def of_campaigns(cls, campaigns: tuple[Campaign, ...], profiles: Profiles) -> Texts:
        """Nothing filled yet."""
        telling = frozenset(c.campaign for c in campaigns if c.placeholders)
        return cls(telling, profiles.column("language"))

    def language(self, row: int) -> str:
        """A subscriber's; empty where the extract does not tell it."""
        words, code = self._languages.words, int(self._languages.values[row])
        return words[code] if code < len(words) else ""

    def of(self, campaign: Campaign, row: int, values: Mapping[str, object] | None, channel: str) -> str:
        """The text for one subscriber, by one channel."""
        language = self.language(row)
        if values is not None:
            return campaign.render(language, values, channel)
        key = campaign.campaign, language, channel
        text = self._plain.get(key)
        if text is None:
            text = self._plain[key] = campaign.render(language, None, channel)
        return text
