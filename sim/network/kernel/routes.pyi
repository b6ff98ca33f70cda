import numpy as np
from numpy.typing import ArrayLike, NDArray

def all_routes(
    neighbour_start: ArrayLike, neighbour_cells: ArrayLike, neighbour_m: ArrayLike
) -> tuple[NDArray[np.int32], NDArray[np.int16], NDArray[np.int16]]: ...
