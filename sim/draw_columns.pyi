from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

def philox(words: Sequence[NDArray[np.int64]], key: tuple[int, int], size: int) -> NDArray[np.uint32]: ...
def quantiles(rows: NDArray[np.int64], u: NDArray[np.uint32]) -> NDArray[np.int64]: ...
