"""Uplift studies: arms lived through in this process, and what the difference between two arms is worth.

`arms` lives through one arm, `paired` compares two over the same people.
"""

from experiments.uplift.paired import (
    COMPARISONS,
    Z_95,
    Paired,
    Truth,
    paired,
    tango_interval,
    truth_of,
)

__all__ = ["COMPARISONS", "Z_95", "Paired", "Truth", "paired", "tango_interval", "truth_of"]
