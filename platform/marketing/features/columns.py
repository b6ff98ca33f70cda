"""What a batch says of stays at places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Stays"]


@dataclass(frozen=True, slots=True)
class Stays:
    """Stays at places that began in a batch, in its order."""

    row: NDArray[np.int64]
    place: NDArray[np.int16]
    index: NDArray[np.int64]
    """Position in the batch of the behaviour that showed it."""
