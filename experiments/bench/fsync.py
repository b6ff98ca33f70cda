"""How long fsync takes on a folder's disk while something else is measured: a process of its own.

    python -m experiments.bench.fsync FOLDER

Appends a page and syncs it, fifty times a second, until standard input ends; then prints the nanoseconds of
each as JSON.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.child import die_with_parent, environment

__all__ = ["syncing"]

EVERY_S: Final = 0.02
PAGE: Final = 4096


@contextmanager
def syncing(folder: Path) -> Iterator[Callable[[], NDArray[np.int64]]]:
    """Measures within the block; call what is given, once, for the nanoseconds until then."""
    command = [sys.executable, "-m", "experiments.bench.fsync", str(folder)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        preexec_fn=die_with_parent,  # noqa: PLW1509 - one call into libc, no lock, no allocation
    ) as process:

        def ended() -> NDArray[np.int64]:
            said, _ = process.communicate(timeout=20)
            return np.array(json.loads(said), np.int64)

        try:
            yield ended
        finally:
            process.kill()


def main(folder: str) -> None:
    """Syncs and prints."""
    took: list[int] = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        while not select.select([sys.stdin], [], [], EVERY_S)[0]:
            os.write(file.fileno(), bytes(PAGE))
            began = time.monotonic_ns()
            os.fsync(file.fileno())
            took.append(time.monotonic_ns() - began)
    sys.stdout.write(json.dumps(took))


if __name__ == "__main__":
    main(sys.argv[1])
