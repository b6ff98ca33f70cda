"""Campaigns made into tables: steps for the selection, stages for the automata, conditions for what completes."""

from __future__ import annotations

from typing import Final

import numpy as np

__all__ = ["STAGE"]

STAGE: Final[np.dtype[np.void]] = np.dtype(
    [
        ("match", np.uint32),  # bits of symbols that this stage waits for
        ("guard", np.uint32),  # bits of symbols that end the partial match
        ("absorb", np.uint32),  # bits of the step before where it was at_least: no break of a strict next
        ("need", np.uint16),  # how often
        ("strict", np.uint8),  # 1: next; 0: followed_by
        ("absence", np.uint8),  # 1: a last not_followed_by, which time completes
        ("limit_us", np.int64),  # after the step before; 0 = none
    ]
)
"""One stage of a pattern."""
