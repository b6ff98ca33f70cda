from typing import Final

import numpy as np
from numpy.typing import NDArray

SEND: Final[int]
HOLD: Final[int]
SUPPRESS: Final[int]
OUTPUT: Final[int]
PAIR: Final[np.dtype[np.void]]

class Pairs:
    slots: NDArray[np.void]
    used: int
    def __init__(self, size: int = 64) -> None: ...
    def __len__(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def get(self, row: int, campaign: int) -> tuple[int, int, int]: ...
    def put(self, row: int, campaign: int, month: int, ordinal: int, day: int) -> None: ...
    def decide(
        self,
        rows: NDArray[np.int64],
        campaigns: NDArray[np.int32],
        most: NDArray[np.int32],
        days: NDArray[np.int32],
        may_hold: NDArray[np.uint8],
        waits: NDArray[np.uint8],
        before: NDArray[np.int32],
        stopped: NDArray[np.uint8],
        to_file: NDArray[np.uint8],
        at_us: NDArray[np.int64],
        control_us: NDArray[np.int64],
        do_not_disturb_us: NDArray[np.int64],
        months: NDArray[np.uint16],
        counts: NDArray[np.uint16],
        contact_s: NDArray[np.uint32],
        day: int,
        month: int,
        closed: int,
        actions: NDArray[np.uint8],
        reasons: NDArray[np.uint8],
        ordinals: NDArray[np.uint16],
    ) -> None: ...
    def entries(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.void]]: ...
    def load(
        self, rows: NDArray[np.int64], campaigns: NDArray[np.int64], records: NDArray[np.void]
    ) -> None: ...
    def prune(self, day: int, month: int) -> None: ...
