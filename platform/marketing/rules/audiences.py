"""Static audiences as bits: one bit a campaign and subscriber, worked out at start and after imports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketing.campaigns import Campaign, read_numbers
from marketing.expressions import Catalogue
from marketing.profiles import Profiles
from marketing.rules.finish import static_audience
from marketing.rules.sources import Sources

__all__ = ["audience_bits", "audience_mask", "members"]

SPARE: Final = 8
"""Octets after the last subscriber, so that eight can be loaded at once."""


def audience_mask(campaign: Campaign, sources: Sources, catalogue: Catalogue) -> NDArray[np.bool_] | None:
    """Who belongs to a campaign by extract and lists; None: everybody."""
    profiles = sources.profiles
    rows = np.arange(len(profiles))
    at_us = np.zeros(len(profiles), dtype=np.int64)
    mask: NDArray[np.bool_] | None = None
    expression = static_audience(campaign, catalogue)
    if expression is not None:
        mask = expression.holds(lambda name: sources.column(name, rows, at_us), len(profiles))
    if campaign.targets is not None:
        on = _targets(campaign.targets, profiles, sources, rows, at_us)
        mask = on if mask is None else mask & on
    return mask


def _targets(
    targets: str, profiles: Profiles, sources: Sources, rows: NDArray[np.int64], at_us: NDArray[np.int64]
) -> NDArray[np.bool_]:
    if not targets.endswith(".csv"):
        column = sources.column(f"lists[{targets}]", rows, at_us)
        mask: NDArray[np.bool_] = np.array(getattr(column, "values"), dtype=np.bool_)  # noqa: B009
        return mask
    listed = profiles.rows_by_msisdn(np.array(read_numbers(Path(targets)), dtype=np.uint64))
    mask = np.zeros(len(profiles), dtype=np.bool_)
    mask[listed[listed >= 0]] = True
    return mask


def audience_bits(
    campaigns: Sequence[Campaign],
    sources: Sources,
    catalogue: Catalogue,
    before: tuple[Sequence[Campaign], NDArray[np.uint8]] | None = None,
) -> NDArray[np.uint8]:
    """Bit c & 7 of octet c >> 3 of a subscriber's octets: whether the subscriber belongs to campaign c.

    `before`: campaigns over the same extract and their bits; of those whose audience is the same they are taken.
    """
    stride, count = (len(campaigns) + 7) // 8, len(sources.profiles)
    octets = np.zeros((count, stride), dtype=np.uint8)
    old = {c.campaign: (i, c) for i, c in enumerate(before[0])} if before is not None else {}
    for number, campaign in enumerate(campaigns):
        place, same = old.get(campaign.campaign, (0, None))
        if before is not None and same is not None and _alike(same, campaign):
            octets[:, number >> 3] |= _every(before[1], place, len(before[0]), count) << np.uint8(number & 7)
            continue
        mask = audience_mask(campaign, sources, catalogue)
        bit = np.uint8(1 << (number & 7))
        if mask is None:
            octets[:, number >> 3] |= bit
        else:
            octets[mask, number >> 3] |= bit
    return np.concatenate([octets.reshape(-1), np.zeros(SPARE, dtype=np.uint8)])


def _alike(one: Campaign, other: Campaign) -> bool:
    """The same people; a list in a file may have changed without its name."""
    return one.expression == other.expression and one.targets is None and other.targets is None


def _every(bits: NDArray[np.uint8], campaign: int, campaigns: int, count: int) -> NDArray[np.uint8]:
    """1 for every subscriber who belongs to a campaign, else 0."""
    stride = (campaigns + 7) // 8
    octets = bits[: count * stride].reshape(count, stride)[:, campaign >> 3]
    return (octets >> np.uint8(campaign & 7)) & np.uint8(1)


def members(
    bits: NDArray[np.uint8], campaign: int | NDArray[np.int32], stride: int, rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether some subscribers belong to a campaign, or each to one of its own."""
    found: NDArray[np.bool_] = (
        bits[rows * stride + (campaign >> 3)] >> np.asarray(campaign & 7, dtype=np.uint8) & 1
    ).astype(np.bool_)
    return found
