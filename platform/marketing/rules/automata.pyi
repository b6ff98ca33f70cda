from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Completed = tuple[
    NDArray[np.int64], NDArray[np.int64], NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]
]

class Automata:
    horizon_us: int
    refused: int
    live: int
    most: int
    ring_width: int
    has_strict: bool
    def __init__(
        self,
        stages: NDArray[np.void],
        first: NDArray[np.int32],
        within_us: NDArray[np.int64],
        most: int = ...,
    ) -> None: ...
    def __len__(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def feed(
        self,
        t_us: NDArray[np.int64],
        row: NDArray[np.uint32],
        pattern: NDArray[np.int32],
        bits: NDArray[np.uint32],
        index: NDArray[np.int32],
    ) -> Completed: ...
    def begin(self, t_us: int, row: int, pattern: int) -> Completed: ...
    def broken(
        self, t_us: NDArray[np.int64], row: NDArray[np.uint32]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]: ...
    def fire(self, t_us: NDArray[np.int64], row: NDArray[np.uint32]) -> Completed: ...
    def due(self, until_us: int) -> Completed: ...
    def next_due_us(self) -> int | None: ...
    def forget(self, pattern: int) -> None: ...
    def snapshot(self) -> dict[str, NDArray[Any]]: ...
    def restore(self, saved: Mapping[str, NDArray[Any]]) -> None: ...
