"""What the terminal shows while a run is under way: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

__all__ = ["Display", "Doing", "Tell", "clock", "untold"]

LINE_EVERY_S: Final = 10.0
Tell = Callable[[str], None]
"""Takes what is being done now."""


def untold(text: str) -> None:
    """For whoever does not want to know."""


class Doing:
    """What is being done, from the first moment on: on a terminal one line that changes and goes away.

    Elsewhere a line now and then. No thread of its own, so that it takes no time from what is measured.
    """

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()
        self._fancy = sys.stderr.isatty()
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._width:
            self._write(f"\r{' ' * self._width}\r")
            self._width = 0

    def __call__(self, text: str) -> None:
        """Now this."""
        now = time.monotonic()
        if self._fancy:
            most = shutil.get_terminal_size().columns - 1
            shown = f"{text} ({now - self._began:.0f} s)"[:most] if now - self._began >= 1 else text[:most]
            self._write(f"\r{shown:{self._width}}")
            self._width = len(shown)
        elif now - self._told >= LINE_EVERY_S:
            self._told = now
            self._write(f"{text} ({now - self._began:.0f} s)\n")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def clock(t_us: float) -> str:
    """Simulated time as day and local time."""
    seconds = int(t_us // 1_000_000)
    return f"day {seconds // 86400 + 1} {seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}"


class Display:
    """Shows the parts of a run: simulated clock, messages a second, how much faster than life, time left.

    Events are dictionaries with `t_us`, `start_us`, `end_us`, `messages`.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._fancy = self._console.is_terminal
        self._tasks: dict[str, TaskID] = {}
        self._first: dict[str, float] = {}
        self._last_line: dict[str, float] = {}
        self._bars = Progress(
            TextColumn("{task.description:10}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[clock]:>11}"),
            TextColumn("{task.fields[rate]:>21}"),
            TimeRemainingColumn(compact=True),
            console=self._console,
            disable=not self._fancy,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def note(self, text: str) -> None:
        """One line that stays."""
        if self._fancy:
            self._bars.console.print(text, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - the plain form of the display

    def event(self, name: str, said: Mapping[str, Any]) -> None:
        """Something a worker said."""
        if said["event"] == "note":
            self.note(f"{name}: {said['text']}")
        if said["event"] != "progress":
            return
        now = time.monotonic()
        first = self._first.setdefault(name, now)
        elapsed = max(now - first, 1e-9)
        done = (said["t_us"] - said["start_us"]) / max(said["end_us"] - said["start_us"], 1)
        rate = ""
        if elapsed > 0.5:
            faster = (said["t_us"] - said["start_us"]) / 1e6 / elapsed
            rate = f"{said['messages'] / elapsed:,.0f} msg/s {faster:,.0f}x".replace(",", " ")
        shown = clock(said["t_us"])
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=1.0, clock=shown, rate="")
        self._bars.update(self._tasks[name], completed=done, clock=shown, rate=rate)
        if not self._fancy and now - self._last_line.get(name, first) >= LINE_EVERY_S:
            self._last_line[name] = now
            left = elapsed * (1 - done) / done if done > 0 else 0.0
            self.note(f"{name:10} {shown}  {100 * done:3.0f} %  {rate}  about {left:.0f} s left")

    def close(self, name: str) -> None:
        """A part has ended."""
        if name in self._tasks:
            self._bars.update(self._tasks[name], completed=1.0)
