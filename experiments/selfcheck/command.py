"""The command itself, started as a user starts it."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from experiments.child import environment

__all__ = ["LONGEST_S", "kairos"]

LONGEST_S: Final = 3600.0


def kairos(*arguments: str) -> int:
    """Its exit code; what it says goes to standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "experiments.cli", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=2,
        env=environment(),
        timeout=LONGEST_S,
        check=False,
    )
    return done.returncode
