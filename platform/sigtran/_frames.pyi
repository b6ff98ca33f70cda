import numpy as np
from numpy.typing import NDArray

class UnknownPointCodesError(KeyError):
    done: int
    pair: tuple[int, int]
    def __init__(self, done: int, opc: int, dpc: int) -> None: ...

def crc32c(octets: bytes, tables: bool = False) -> int: ...

class Framer:
    left_out: int
    def __init__(self, streams: int, sacks: bool) -> None: ...
    def add(
        self,
        client: int,
        server: int,
        to_server: bytes,
        to_client: bytes,
        tsn_to_server: int,
        tsn_to_client: int,
    ) -> int: ...
    def control(
        self, index: int, to_client: bool, t_us: int, chunks: bytes, no_tag: bool = False
    ) -> None: ...
    def message(self, opc: int, dpc: int, t_us: int, message: bytes, stream: int) -> None: ...
    def messages(
        self,
        t_us: NDArray[np.int64],
        data: bytes,
        offsets: NDArray[np.int64],
        streams: NDArray[np.uint16],
        first: int,
    ) -> None: ...
    def take(self) -> bytes: ...
    @property
    def waiting(self) -> int: ...

class Dissector:
    def __init__(self, udp_port: int = 9899) -> None: ...
    def feed(self, octets: bytes) -> int: ...
    def take(
        self,
    ) -> tuple[NDArray[np.int64], bytes, NDArray[np.int64], NDArray[np.uint16]] | None: ...
    def counts(self) -> dict[str, int]: ...
