from typing import Final

import numpy as np
from numpy.typing import NDArray

SEND: Final[int]
HOLD: Final[int]
SUPPRESS: Final[int]
OUTPUT: Final[int]
PAIR: Final[np.dtype[np.void]]
ENTRY: Final[np.dtype[np.void]]
BOUND: Final[np.dtype[np.void]]

class Log:
    heads: NDArray[np.int32]
    slots: NDArray[np.void]
    rows: int
    used: int
    def __init__(self, rows: int) -> None: ...
    def __len__(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def add(self, row: int, at_s: int, latest_s: int, group: int, channels: int) -> None: ...
    def of(self, row: int) -> list[tuple[int, int, int, int]]: ...
    def end(self, row: int, at_s: int, group: int, channels: int, latest_s: int) -> bool: ...
    def prune(self, latest_s: int) -> None: ...
    def entries(self) -> tuple[NDArray[np.int64], NDArray[np.void]]: ...
    def load(self, rows: NDArray[np.int64], records: NDArray[np.void]) -> None: ...

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
        window: NDArray[np.int32],
        day: NDArray[np.int32],
        month: NDArray[np.int32],
        closed: NDArray[np.uint8],
        latest_day: NDArray[np.int32],
        too_old: NDArray[np.uint8],
        log: Log,
        remembers: bool,
        when_us: NDArray[np.int64],
        latest_us: NDArray[np.int64],
        starts_s: NDArray[np.int64],
        bounds: NDArray[np.void],
        bound_from: NDArray[np.int32],
        bound_of: NDArray[np.int32],
        position: NDArray[np.int32],
        group: NDArray[np.uint8],
        ways: NDArray[np.uint16],
        actions: NDArray[np.uint8],
        reasons: NDArray[np.uint8],
        ordinals: NDArray[np.uint16],
        taken: NDArray[np.uint8],
    ) -> None: ...
    def entries(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.void]]: ...
    def load(
        self, rows: NDArray[np.int64], campaigns: NDArray[np.int64], records: NDArray[np.void]
    ) -> None: ...
    def prune(self, day: int, month: int) -> None: ...
