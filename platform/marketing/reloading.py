"""Campaign files that come, change and go while the platform runs.

A thread looks at the folder, reads what has changed, and compiles it beside what runs; only the exchange
itself is done between two steps of the engine. Wrong files change nothing, and `problems` says why.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from marketing.campaigns import Campaign, load_all, read_campaign
from marketing.config import ConfigError, Document
from marketing.rules import catalogue_of
from marketing.workers import EngineHost

__all__ = ["CampaignFolder", "campaign_files", "read_watched"]

log = logging.getLogger("marketing.campaigns")

LOOK_EVERY_S: Final = 0.2
_Mark = tuple[int, int, int]


def campaign_files(fixed: Sequence[Path], folder: Path | None) -> list[Path]:
    """The files named in the configuration, and those of the watched folder that have their name already."""
    found = [] if folder is None or not folder.is_dir() else sorted(folder.glob("*.yaml"))
    return [*fixed, *(path for path in found if not path.name.startswith("."))]


def read_watched(path: Path, folder: Path | None) -> tuple[Campaign, Document]:
    """A campaign; one of the watched folder names only files of that folder. Raises ConfigError.

    Whoever may put a campaign there is not to have other files of this machine read, and told in complaints.
    """
    return read_campaign(path, folder if folder is not None and path.parent == folder else None)


class CampaignFolder:
    """Looks at the files; `look` may be called without the thread, from one thread at a time."""

    def __init__(
        self,
        engine: EngineHost,
        fixed: Sequence[Path],
        folder: Path | None,
        on_change: Callable[[Any], None],
        originators: Sequence[str] = (),
    ) -> None:
        """`on_change` is called on the watching thread with what is ready for `EngineHost.change`."""
        self._engine = engine
        self._fixed, self._folder = tuple(fixed), folder
        self._on_change = on_change
        self._originators = tuple(originators)
        self._read: dict[Path, tuple[_Mark, tuple[Campaign, Document]]] = {}
        self._marks = self._look()
        self.problems: tuple[str, ...] = ()
        """What is wrong with the files as they are now; empty: they run."""
        self._turn = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Looks from now on, five times a second."""
        self._thread = threading.Thread(target=self._run, name="campaigns", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Looks no more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(5.0)

    def look(self, *, anyway: bool = False) -> Any:
        """What is ready to run, where files have changed (or `anyway`); None: nothing, or it is wrong."""
        with self._turn:
            marks = self._look()
            if marks == self._marks and not anyway:
                return None
            self._marks = marks
            try:
                campaigns = load_all(
                    [path for path, _ in marks],
                    originators=self._originators,
                    places=self._engine.places.names,
                    catalogue=catalogue_of(self._engine.profiles),
                    read=self._remembered,
                )
                prepared = self._engine.prepare(campaigns)
            except ConfigError as error:
                self.problems = tuple(str(problem) for problem in error.problems)
            except ValueError as error:
                self.problems = (str(error),)
            else:
                self.problems = ()
                return prepared
            for problem in self.problems:
                log.error("campaigns stay as they are: %s", problem)
            return None

    # ----------------------------------------------------------------- inside

    def _run(self) -> None:
        self._remember()
        while not self._stopping.wait(LOOK_EVERY_S):
            try:
                prepared = self.look()
            except OSError as error:  # the folder may be gone for a while
                log.error("the campaign folder cannot be read: %s", error)
                continue
            if prepared is not None:
                self._on_change(prepared)

    def _remember(self) -> None:
        """Reads what there is already, so that the first change need not."""
        with self._turn:
            for path, _ in self._marks:
                # Whatever is wrong with a file is said when it changes; what runs was read before.
                with contextlib.suppress(ConfigError, OSError):
                    self._remembered(path)

    def _look(self) -> tuple[tuple[Path, _Mark], ...]:
        found = []
        for path in campaign_files(self._fixed, self._folder):
            try:
                stat = path.stat()
            except FileNotFoundError:
                if path in self._fixed:  # said by whoever reads it
                    found.append((path, (0, 0, 0)))
                continue
            found.append((path, (stat.st_mtime_ns, stat.st_size, stat.st_ino)))
        return tuple(found)

    def _remembered(self, path: Path) -> tuple[Campaign, Document]:
        mark = dict(self._marks).get(path, (0, 0, 0))
        known = self._read.get(path)
        if (
            known is not None
            and known[0] == mark
            and not known[1][0].number_files
            and known[1][0].group is None
        ):
            return known[1]
        made = read_watched(path, self._folder)
        self._read[path] = mark, made
        return made
