"""Static audiences as bits: one bit a campaign and subscriber, worked out at start and after imports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketing.campaigns import Campaign, read_numbers
from marketing.expressions import Catalogue, Numbers
from marketing.profiles import Profiles
from marketing.rules.finish import static_audience
from marketing.rules.sources import Sources

__all__ = ["Known", "audience_bits", "audience_mask", "members"]

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
        assert isinstance(column, Numbers)
        return np.array(column.values, dtype=np.bool_)
    listed = profiles.rows_by_msisdn(np.array(read_numbers(Path(targets)), dtype=np.uint64))
    mask = np.zeros(len(profiles), dtype=np.bool_)
    mask[listed[listed >= 0]] = True
    return mask


@dataclass(frozen=True, slots=True)
class Known:
    """Bits worked out before, of the same extract and lists."""

    campaigns: Sequence[Campaign]
    bits: NDArray[np.uint8]


def audience_bits(
    campaigns: Sequence[Campaign], sources: Sources, catalogue: Catalogue, known: Known | None = None
) -> NDArray[np.uint8]:
    """Bit c & 7 of octet c >> 3 of a subscriber's octets: whether the subscriber belongs to campaign c.

    What is `known` of the same audience is taken from there; target files are always read again.
    """
    stride, count = (len(campaigns) + 7) // 8, len(sources.profiles)
    octets = np.zeros((stride, count), dtype=np.uint8)
    before, numbers = _columns(known, count)
    for number, campaign in enumerate(campaigns):
        bit = np.uint8(number & 7)
        old = numbers.get(_audience(campaign))
        if old is not None:
            octets[number >> 3] |= (before[old >> 3] >> np.uint8(old & 7) & np.uint8(1)) << bit
            continue
        mask = audience_mask(campaign, sources, catalogue)
        octets[number >> 3] |= np.uint8(1 << bit) if mask is None else mask.view(np.uint8) << bit
    return np.concatenate([np.ascontiguousarray(octets.T).reshape(-1), np.zeros(SPARE, dtype=np.uint8)])


def _columns(known: Known | None, count: int) -> tuple[NDArray[np.uint8], dict[tuple[str, str | None], int]]:
    """Known bits by octet, and where each audience is."""
    if known is None:
        return np.zeros((0, count), dtype=np.uint8), {}
    stride = (len(known.campaigns) + 7) // 8
    numbers = {
        _audience(campaign): number
        for number, campaign in enumerate(known.campaigns)
        if campaign.targets is None or not campaign.targets.endswith(".csv")
    }
    return np.ascontiguousarray(known.bits[:-SPARE].reshape(count, stride).T), numbers


def _audience(campaign: Campaign) -> tuple[str, str | None]:
    return campaign.expression, campaign.targets


def members(
    bits: NDArray[np.uint8], campaign: int | NDArray[np.int32], stride: int, rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether some subscribers belong to a campaign, or each to one of its own."""
    found: NDArray[np.bool_] = (
        bits[rows * stride + (campaign >> 3)] >> np.asarray(campaign & 7, dtype=np.uint8) & 1
    ).astype(np.bool_)
    return found
