"""The sender of `kairos bench collector`: all messages as fast as the association takes them.

python -m experiments.bench.collector_sender PORT ENCAP_PORT MESSAGES.npz PROCESSORS

Ends when its standard input does, and says the processor seconds that sending took.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np

from experiments.link import SignallingLink
from sigtran import MessageBatch
from sigtran.transport import connect

SLICE = 4096


def main(port: str, encap_port: str, messages: str, processors: str) -> None:
    """Connects, sends, says, waits."""
    os.sched_setaffinity(0, {int(one) for one in processors.split(",")})
    with np.load(messages) as saved:
        data, offsets = saved["data"].tobytes(), saved["offsets"]
    association = connect("usrsctp", "127.0.0.1", int(port), encap_port=int(encap_port))
    # One stream: libusrsctp serves streams with a backlog in turns, and here there is always one.
    streams = np.ones(len(offsets) - 1, dtype=np.uint16)
    whole = MessageBatch(data, offsets, streams)
    parts = [whole.slice(start, min(start + SLICE, whole.n)) for start in range(0, whole.n, SLICE)]
    link = SignallingLink(association)
    link.bring_up()
    began = time.process_time()
    for part in parts:
        link.send_raw(part)
    association.flush(60.0)
    took = time.process_time() - began
    sys.stdin.read()
    sys.stdout.write(f"{took}\n")
    sys.stdout.flush()
    link.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
