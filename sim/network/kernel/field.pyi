from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

class Field:
    n: int
    def __init__(
        self,
        *,
        x_m: ArrayLike,
        y_m: ArrayLike,
        site: ArrayLike,
        azimuth_deg: ArrayLike,
        at_1_m_cdbm: ArrayLike,
        indoor: ArrayLike,
        constants: Sequence[int],
        tables: tuple[ArrayLike, ArrayLike, ArrayLike],
        key: tuple[int, int],
        purpose: int,
    ) -> None: ...
    def levels(
        self, cells: ArrayLike, x_m: ArrayLike, y_m: ArrayLike, indoors: bool = False
    ) -> NDArray[np.int32]: ...
    def shadows(self, cell: int, x_m: ArrayLike, y_m: ArrayLike) -> NDArray[np.int32]: ...
    def strongest(self, x_m: ArrayLike, y_m: ArrayLike) -> NDArray[np.int32]: ...
    def borders(
        self,
        first: ArrayLike,
        second: ArrayLike,
        spot_x_m: ArrayLike,
        spot_y_m: ArrayLike,
        hysteresis_cdb: int,
        trigger_ms: int,
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]: ...
    def walk(
        self,
        x_m: ArrayLike,
        y_m: ArrayLike,
        neighbour_start: ArrayLike,
        neighbour_cells: ArrayLike,
        hysteresis_cdb: int,
        trigger_samples: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.bool_]]: ...
