"""A process that does jobs as they come: `python -m experiments.running.job_process DESCRIPTOR`.

It is started by `experiments.running.processes` and ends when the other end of its line does.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, NoReturn

from experiments.child import die_with_parent
from experiments.problems import BadInput, RunInvalid

__all__ = ["said_of", "serve"]


def said_of(error: Exception) -> tuple[str, list[str], str]:
    """An error for another process: which of ours it is, what it says, its traceback."""
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, BadInput):
        return "bad", list(error.lines), trace
    if isinstance(error, RunInvalid):
        return "invalid", [str(error)], trace
    return "error", [f"{type(error).__name__}: {error}"], trace


def serve(line: Connection[Any, Any]) -> None:
    """Does one job after another until nobody is there to give any."""
    while True:
        try:
            packed = line.recv_bytes()
        except (EOFError, ConnectionResetError):
            return
        try:
            function, job = pickle.loads(packed)
            answer = pickle.dumps((True, function(job)))
        except Exception as error:  # whatever it is, the parent says it and names the job
            answer = pickle.dumps((False, said_of(error)))
        try:
            line.send_bytes(answer)
        except BrokenPipeError:
            return


def _called_off(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: what follows is tidying up
    sys.exit(0)


def main() -> None:
    """Entry point."""
    die_with_parent()
    if os.getppid() == 1:  # it has died already
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _called_off)
    line = Connection(int(sys.argv[1]))
    serve(line)
    # Nothing is left to be called off; raised while the line is closed it would be told as an error.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


if __name__ == "__main__":
    main()
