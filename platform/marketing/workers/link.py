"""A worker process and the pipe to it. It ends when its pipe does, so a killed parent leaves none behind."""

from __future__ import annotations

import mmap
import os
import pickle
import signal
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np

from marketing.behaviours import BEHAVIOUR, BehaviourBatch

__all__ = ["ANSWER", "OCTETS", "SLOTS", "SLOT_ROWS", "Link", "SharedAnswers", "SharedRows", "WorkerLost"]

SLOT_ROWS: Final = 1 << 17
"""Behaviours handed over at a time."""
SLOTS: Final = 2
"""One may be filled while another is worked on."""
OCTETS: Final = np.dtype((np.void, BEHAVIOUR.itemsize))
"""A behaviour as it lies in memory: taken so, rows are copied six times as fast as field by field."""
ANSWER_OCTETS: Final = 1 << 26
"""Room for the columns of an answer; memory that no answer has filled is none."""
ANSWER: Final = "answer"
_ALIGNED: Final = 64
_PROGRAM: Final = """
import os, sys
sys.path[:] = sys.argv[5].split(os.pathsep)
from marketing.workers.worker import main
main()
"""


class WorkerLost(Exception):  # noqa: N818 - the name says what happened
    """A worker process is no more; the message says which and why. Nothing can be decided any more."""


class SharedRows:
    """Memory without a name that this process writes and the workers read; gone with the last of them."""

    def __init__(self, fileno: int | None = None) -> None:
        """`fileno`: of the memory that another process has made."""
        size = SLOTS * SLOT_ROWS * BEHAVIOUR.itemsize
        if fileno is None:
            self.fileno = os.memfd_create("kairos-behaviours", os.MFD_CLOEXEC)
            os.truncate(self.fileno, size)
            self._map = mmap.mmap(self.fileno, size)
        else:
            self.fileno = fileno
            self._map = mmap.mmap(fileno, size, access=mmap.ACCESS_READ)
        self._rows = np.frombuffer(self._map, dtype=BEHAVIOUR).reshape(SLOTS, SLOT_ROWS)

    def put(self, slot: int, batch: BehaviourBatch) -> None:
        """At most SLOT_ROWS behaviours into a slot."""
        # As octets: record by record it takes seven times as long.
        self._rows[slot, : len(batch)].view(np.uint8)[:] = np.ascontiguousarray(batch).view(np.uint8)

    def get(self, slot: int, n: int) -> BehaviourBatch:
        """What is in a slot; another time it is something else."""
        rows: BehaviourBatch = self._rows[slot, :n]
        return rows

    def close(self) -> None:
        """Gives it back; arrays from `get` must be gone."""
        del self._rows
        self._map.close()
        os.close(self.fileno)


class SharedAnswers:
    """Memory without a name that a worker writes columns into, and this process reads.

    There is room for `SLOTS` answers, as so many may be made before the first is read.
    """

    def __init__(self, fileno: int | None = None) -> None:
        """`fileno`: of the memory that another process has made."""
        size = SLOTS * ANSWER_OCTETS
        if fileno is None:
            fileno = os.memfd_create("kairos-decisions", os.MFD_CLOEXEC)
            os.truncate(fileno, size)
        self.fileno = fileno
        self._map = mmap.mmap(fileno, size)
        self._slot = 0

    def pack(self, value: Any) -> bytes:
        """Columns into the memory, what is left as octets; all of it as octets where there is no room."""
        buffers: list[pickle.PickleBuffer] = []
        rest = pickle.dumps(value, 5, buffer_callback=buffers.append)
        views = [buffer.raw() for buffer in buffers]
        sizes = [len(view) for view in views]
        if sum(map(_padded, sizes)) > ANSWER_OCTETS:
            return pickle.dumps((0, [], pickle.dumps(value, 5)), 5)
        start = at = self._slot * ANSWER_OCTETS
        self._slot = (self._slot + 1) % SLOTS
        for view in views:
            self._map[at : at + len(view)] = view
            at += _padded(len(view))
        return pickle.dumps((start, sizes, rest), 5)

    def unpack(self, octets: bytes) -> Any:
        """What was packed; its columns are copies."""
        start, sizes, rest = pickle.loads(octets)
        with memoryview(self._map) as shown:
            whole = memoryview(bytearray(shown[start : start + sum(map(_padded, sizes))]))
        buffers, at = [], 0
        for size in sizes:
            buffers.append(whole[at : at + size])
            at += _padded(size)
        return pickle.loads(rest, buffers=buffers)

    def close(self) -> None:
        """Gives it back."""
        self._map.close()
        os.close(self.fileno)


def _padded(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


class Link:
    """One worker, seen from the process that decides what it does."""

    def __init__(self, number: int, shared: SharedRows) -> None:
        """Raises OSError where no process can be started."""
        self.number = number
        self._answers = SharedAnswers()
        ours, theirs = socket.socketpair()
        with theirs:
            descriptors = (theirs.fileno(), shared.fileno, self._answers.fileno)
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-c", _PROGRAM, *map(str, descriptors), str(number)),
                    os.pathsep.join(path for path in sys.path if path),
                ],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                # Ctrl-C is for the platform, which then ends its workers in order.
                start_new_session=True,
            )
        self._pipe = Connection(ours.detach())

    @property
    def pid(self) -> int:
        return self._process.pid

    def fileno(self) -> int:
        """Readable when it has something to say, or is no more."""
        return self._pipe.fileno()

    def send(self, what: str, *values: Any) -> None:
        """Raises WorkerLost."""
        try:
            self._pipe.send_bytes(pickle.dumps((what, values), 5))
        except OSError:
            raise self._lost() from None

    def say(self, answer: Any) -> None:
        """What it waits for in the middle of a command. Raises WorkerLost."""
        self.send(ANSWER, answer)

    def look(self) -> str:
        """What is wrong, where it should be silent; empty: nothing."""
        return f"worker {self.number} speaks unasked: {self.receive()[0]}" if self._pipe.poll() else ""

    def receive(self) -> tuple[str, Any]:
        """What it says next; waits for it. Raises WorkerLost."""
        try:
            kind, value = self._answers.unpack(self._pipe.recv_bytes())
        except (EOFError, OSError):
            raise self._lost() from None
        if kind == "failed":
            raise WorkerLost(f"worker {self.number} has failed: {value}")
        return kind, value

    def close(self) -> None:
        """Ends it, and waits."""
        self._pipe.close()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()

    def _lost(self) -> WorkerLost:
        try:
            code = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            return WorkerLost(f"worker {self.number} (process {self.pid}) has closed its pipe")
        why = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return WorkerLost(f"worker {self.number} (process {self.pid}) {why}")
