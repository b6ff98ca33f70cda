from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

class Selection:
    campaigns: int
    stride: int
    by_place: bool
    def __init__(
        self, campaigns: int, steps: NDArray[np.void], peers: Sequence[bytes], prefixes: Sequence[bytes]
    ) -> None: ...
    def select(
        self,
        kind: NDArray[np.uint8],
        role: NDArray[np.uint8],
        place: NDArray[np.int16],
        area: NDArray[np.uint16],
        peer: NDArray[np.uint8],
        row: NDArray[np.int64],
        audience: NDArray[np.uint8],
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]: ...
