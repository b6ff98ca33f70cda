from typing import Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from marketing.behaviours.batch import BehaviourBatch
from marketing.decode.schema import RowBatch

COUNTERS: Final[tuple[str, ...]]

LINK: Final[np.dtype[np.void]]

class Correlator:
    def __init__(
        self,
        *,
        hold_us: int = 200_000,
        max_connections: int = 1_048_576,
        max_identities: int = 8_388_608,
        idle_s: float = 21_600.0,
        releasing_s: float = 30.0,
        page_s: float = 10.0,
    ) -> None: ...
    def feed(
        self,
        data: Buffer,
        offsets: NDArray[np.int64],
        rows: RowBatch,
        t_us: NDArray[np.int64],
        received_ns: int = 0,
        order: NDArray[np.int64] | None = None,
    ) -> BehaviourBatch: ...
    def expire(self, now_us: int) -> BehaviourBatch: ...
    def flush(self) -> BehaviourBatch: ...
    def imsi_of(self, lac: int, tmsi: int) -> int: ...
    @property
    def counters(self) -> dict[str, int]: ...
    @property
    def connections(self) -> int: ...
    @property
    def identities(self) -> int: ...
    @property
    def links(self) -> NDArray[np.void]: ...
    @property
    def pages(self) -> int: ...
    @property
    def holding(self) -> int: ...
    @property
    def memory(self) -> int: ...
