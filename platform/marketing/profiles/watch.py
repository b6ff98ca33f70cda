"""The watched folder, and whoever waits for the store to change: one thread beside the platform's loop.

    incoming/profiles/*.csv|parquet
    incoming/lists/NAME.csv|parquet            the file's name is the list's
    incoming/do-not-disturb/*.csv|parquet      added to the list in force
    work/                                      being read; found there at a start, it is read again
    done/ refused/                             afterwards, with NAME.report.txt and NAME.errors.csv beside

A file is complete when it has its name: senders write under another (ending in `.part` or `.tmp`, or
beginning with a dot) and rename. Besides, a file is left alone until it has looked the same twice.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from marketing.profiles.reading import Unusable
from marketing.profiles.store import Imported, Kind, Refused, Store, StoreBusy, StoreFull, Told

__all__ = ["FOLDERS", "Watch"]

log = logging.getLogger("marketing.imports")

FOLDERS: Final[dict[str, Kind]] = {
    "profiles": "profiles",
    "lists": "list",
    "do-not-disturb": "do-not-disturb",
}
"""Folder below incoming/ -> what its files are."""
_ENDINGS: Final = (".csv", ".parquet")
_Look = tuple[int, int, int]


class Watch:
    """Looks at the folder and at the store. `look` may be called from a test instead of the thread."""

    def __init__(
        self, store: Store, told: Told, on_change: Callable[[Told], None], every_s: float = 1.0
    ) -> None:
        """`on_change` is called on the watch's thread with each new generation, whole.

        Raises:
            StoreFull: the folders cannot be made.
        """
        self.store = store
        self.told = told
        self.every_s = every_s
        self.refused = 0
        """Files refused since the start."""
        self._on_change = on_change
        self._seen: dict[Path, _Look] = {}
        self._unreadable = ""
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        for name in ("incoming", "work", "done", "refused"):
            for kind in FOLDERS:
                try:
                    (store.folder / name / kind).mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    raise StoreFull(f"{store.folder / name / kind}: {error.strerror}") from None
        for left in store.folder.glob(".upload-*"):  # of a platform that was killed
            with contextlib.suppress(OSError):
                left.unlink()

    def start(self) -> None:
        """Begins to look, on a thread."""
        self._thread = threading.Thread(target=self._run, name="imports", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Looks at once: something was imported by another door."""
        self._wake.set()

    def stop(self) -> None:
        """Ends after the file that is being read."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(30.0)

    def look(self) -> None:
        """Takes in what is complete, and tells of a new generation."""
        for folder, kind in FOLDERS.items():
            work = self.store.folder / "work" / folder
            for path in _complete(work):
                self._take(kind, folder, path)
            incoming = self.store.folder / "incoming" / folder
            found = _complete(incoming)
            for path in found:
                if self._settled(path):
                    claimed = work / path.name
                    with contextlib.suppress(OSError):  # gone again: whoever put it there has taken it back
                        os.replace(path, claimed)
                        self._take(kind, folder, claimed)
            self._seen = {p: at for p, at in self._seen.items() if p.parent != incoming or p in found}
        self._refresh()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
            except Exception:
                # The thread lives on: a fault here must not end imports for good, nor the platform.
                log.exception("imports")
            self._wake.wait(self.every_s)
            self._wake.clear()

    def _settled(self, path: Path) -> bool:
        try:
            facts = path.stat()
        except OSError:
            return False
        look = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        same = self._seen.get(path) == look
        self._seen[path] = look
        return same

    def _take(self, kind: Kind, folder: str, path: Path) -> None:
        name = path.stem if kind == "list" else ""
        try:
            imported = self.store.take(kind, path, name=name, source=path.name, no_link=True)
        except Refused as error:
            self.refused += 1
            log.error("%s: refused: %s", path.name, error)
            self._put_away(path, "refused", folder, [f"refused: {error}"], error.imported)
        except (StoreBusy, StoreFull) as error:
            log.error("%s: %s; it will be tried again", path.name, error)  # it stays in work/
        else:
            log.info("%s: %s", path.name, imported.said()[0])
            self._put_away(path, "done", folder, [], imported)

    def _put_away(self, path: Path, where: str, folder: str, said: list[str], imported: Imported) -> None:
        target = _free_name(self.store.folder / where / folder, path.name)
        try:
            lines = [*said, *imported.said()]
            target.with_name(f"{target.name}.report.txt").write_text(
                "\n".join(lines) + "\n", encoding="utf-8"
            )
            if imported.loaded.errors.total:
                imported.loaded.errors.write(target.with_name(f"{target.name}.errors.csv"))
        except OSError as error:
            log.error("%s: the report cannot be written: %s", path.name, error.strerror or error)
        try:
            os.replace(path, target)
        except OSError as error:
            log.error("%s: cannot be put away: %s", path.name, error.strerror or error)

    def _refresh(self) -> None:
        try:
            if self.store.manifest().generation == self.told.manifest.generation:
                return
            told = self.store.load(self.told)
        except Unusable as error:
            if str(error) != self._unreadable:  # said once, not every second
                self._unreadable = str(error)
                log.error("the import store: %s; what was in force stays", error)
            return
        self._unreadable = ""
        self.told = told
        self._on_change(told)


def _complete(folder: Path) -> list[Path]:
    """Files that have their final name, oldest first."""
    found = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not entry.name.lower().endswith(_ENDINGS):
                continue
            with contextlib.suppress(OSError):
                if entry.is_file(follow_symlinks=False):
                    found.append((entry.stat().st_mtime_ns, entry.name))
    return [folder / name for _, name in sorted(found)]


def _free_name(folder: Path, name: str) -> Path:
    """The name, or the name with a number: what was put away before is kept."""
    path, number = folder / name, 1
    stem, ending = os.path.splitext(name)
    while path.exists():
        path, number = folder / f"{stem}.{number}{ending}", number + 1
    return path
