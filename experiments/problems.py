"""The user's mistakes, as lines to print: exit code 2 and never a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["BadInput", "PlatformEnded", "RunInvalid", "relative", "write_text"]


class BadInput(Exception):  # noqa: N818 - a mistake of the user, not a fault of the program
    """The input cannot be used. One line a problem: file:line: key = value: what was expected."""

    def __init__(self, lines: str | Sequence[str]) -> None:
        self.lines = (lines,) if isinstance(lines, str) else tuple(lines)
        super().__init__("\n".join(self.lines))


class RunInvalid(Exception):  # noqa: N818 - a finding about the run
    """The run cannot go on, or cannot be believed; what it has recorded is kept. Exit code 3."""


class PlatformEnded(RunInvalid):
    """The platform has ended by itself: whatever else broke meanwhile, this is why."""


def write_text(option: str, path: Path, text: str) -> None:
    """Writes what an option asked for.

    Raises:
        BadInput: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{option} {path}: cannot be written: {error.strerror or error}") from None


def relative(path: Path) -> str:
    """The path as short as it can be said from here."""
    try:
        name = str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        name = str(path)
    return name if name.isprintable() else ascii(name)[1:-1]
