"""A platform that serves one message per 1/mu second by the wall clock, in a process of its own.

Started as `python -m experiments.capacity.mock_server FD MU`.

What comes in on the socket is numbers of messages, four octets each time; what goes out is, whenever some are
done, how many. It keeps no more to itself than its rate: a message is done one service after the later of its
arrival and the one before.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
import time
from collections import deque

COUNT = struct.Struct("!I")


def serve(connection: socket.socket, rate_per_s: float) -> None:
    """Serves until the other end is closed."""
    each_ns = 1e9 / rate_per_s
    waiting: deque[list[float]] = deque()  # [how many, when the next of them is done], in order of arrival
    free_ns = 0.0
    rest = b""
    connection.setblocking(False)
    while True:
        now = time.monotonic_ns()
        done = 0
        while waiting and waiting[0][1] <= now:
            group = waiting[0]
            ready = min(int(group[0]), 1 + int((now - group[1]) / each_ns))
            done += ready
            group[0] -= ready
            group[1] += ready * each_ns
            if not group[0]:
                waiting.popleft()
        if done:
            connection.setblocking(True)
            connection.sendall(COUNT.pack(done))
            connection.setblocking(False)
        wait_s = max(0.0, (waiting[0][1] - time.monotonic_ns()) / 1e9) if waiting else None
        if not select.select([connection], [], [], wait_s)[0]:
            continue
        try:
            data = connection.recv(1 << 16)
        except BlockingIOError:
            continue
        if not data:
            return
        rest += data
        now = time.monotonic_ns()
        while len(rest) >= COUNT.size:
            (count,), rest = COUNT.unpack_from(rest), rest[COUNT.size :]
            first = max(float(now), free_ns) + each_ns
            waiting.append([count, first])
            free_ns = first + (count - 1) * each_ns


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as end:
        serve(end, float(sys.argv[2]))
