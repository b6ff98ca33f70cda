"""What a campaign file cannot mean with these subscribers and lists: audiences that nobody is in."""

from __future__ import annotations

from collections.abc import Sequence

from marketing.campaigns import Campaign
from marketing.config import ConfigError, Document, Problem, suggest
from marketing.expressions import CATALOGUE, Catalogue
from marketing.profiles import Profiles
from marketing.rules.audiences import audience_mask
from marketing.rules.finish import static_audience
from marketing.rules.local_time import LocalTime
from marketing.rules.sources import Sources

__all__ = ["check_audiences"]


def check_audiences(
    files: Sequence[tuple[Campaign, Document]], profiles: Profiles, catalogue: Catalogue = CATALOGUE
) -> None:
    """Asks every campaign's static audience and targets of an extract.

    Raises:
        ConfigError: lists that have not been imported, and audiences that nobody is in.
    """
    sources = Sources(profiles, LocalTime.of("UTC"), None, catalogue)
    problems: list[Problem] = []
    for campaign, document in files:
        lacking = _lacking(campaign, document, profiles, catalogue)
        problems += lacking
        if lacking:
            continue
        mask = audience_mask(campaign, sources, catalogue)
        if mask is not None and not mask.any():
            key = ("targets",) if campaign.targets is not None and not campaign.expression else ("audience",)
            said = campaign.targets if key == ("targets",) else campaign.expression
            expected = f"somebody; of the {len(profiles)} subscribers of the extract nobody belongs to it"
            problems.append(document.problem(key, said, expected))
    if problems:
        raise ConfigError(problems)


def _lacking(
    campaign: Campaign, document: Document, profiles: Profiles, catalogue: Catalogue
) -> list[Problem]:
    """Lists named that there are not."""
    static = static_audience(campaign, catalogue)
    reads = static.reads if static is not None else frozenset()
    named: list[tuple[tuple[str | int, ...], str]] = [
        (("audience",), name[6:-1]) for name in sorted(reads) if name.startswith("lists[")
    ]
    if campaign.targets is not None and not campaign.targets.endswith(".csv"):
        named.append((("targets",), campaign.targets))
    if campaign.scene is not None:
        listed = campaign.scene.peer_lists
        named += [(("scene", *path), name) for path, name in listed if not name.endswith(".csv")]
    there = profiles.lists.names
    expected = f"a target list that has been imported: {', '.join(there) or 'there are none'}"
    return [
        document.problem(key, name, expected, suggest(name, there))
        for key, name in named
        if name not in there
    ]
