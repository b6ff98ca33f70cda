from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BehaviourBatch

HABIT: Final[np.dtype[np.void]]
PRESENT: Final[int]
NEW_HERE: Final[int]
RIDE_GAP_S: Final[int]
NIGHT: Final[tuple[int, int]]
WORKING: Final[tuple[int, int]]
LONGEST_STAY_S: Final[int]
MOST_LINES: Final[int]

class Habits:
    records: NDArray[np.void]
    line_s: NDArray[np.uint32]
    counts: NDArray[np.int32]
    crowd: NDArray[np.int32]
    lines: tuple[str, ...]
    cells: NDArray[np.uint32]
    def __init__(self, subscribers: int, cells: NDArray[np.uint32], lines: Sequence[str] = ()) -> None: ...
    def __len__(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def numbers_of(self, cells: NDArray[np.uint32]) -> NDArray[np.uint16]: ...
    def update(
        self,
        batch: BehaviourBatch,
        rows: NDArray[np.int64],
        index: NDArray[np.int64],
        offset_s: int,
        month: int,
    ) -> None: ...
    def publish(self, counts: NDArray[np.int32] | None = None) -> None: ...
    def recount(self) -> None: ...
    def keep_lines(self, lines: Sequence[str]) -> Habits: ...
