"""The import store: a folder with the extract, the target lists and the do-not-disturb list now in force.

    current.json                 what is in force; replaced in one step, so nobody ever sees half a change
    profiles-000007.parquet      files that it names, checked and typed; the number is the import's
    list-vip-000006.parquet
    do-not-disturb-000005.parquet
    lock                         held by whoever imports

An import that fails at any point (bad file, full disk, power cut) leaves what was in force in force. Several
processes may import into one store: they take turns. Whoever reads sees one generation whole.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import pyarrow as pa

from marketing.config import ConfigError, Problem
from marketing.profiles.extract import Profiles
from marketing.profiles.lists import DatedList, load_target_list, read_dated, read_targets
from marketing.profiles.loading import Limits, Loaded, read_extract, reading
from marketing.profiles.reading import Unusable
from marketing.profiles.saving import columns_of, dated_of, targets_of, write_table, write_whole
from marketing.profiles.segments import SegmentTable, with_segments
from marketing.profiles.target_lists import LIST_NAME, TargetList, TargetLists

__all__ = [
    "KINDS",
    "Entry",
    "Imported",
    "Kind",
    "Manifest",
    "Refused",
    "Store",
    "StoreBusy",
    "StoreFull",
    "Told",
    "told_at_start",
]

Kind = Literal["profiles", "list", "do-not-disturb"]
KINDS: Final = ("profiles", "list", "do-not-disturb")
MOST_LISTS: Final = 1_000
_FILE: Final = re.compile(r"(profiles|list-[a-z0-9-]+|do-not-disturb)-[0-9]{6,}\.parquet")
_TRY_EVERY_S: Final = 0.05
_TABLES: Final[dict[str, Callable[[Any], pa.Table]]] = {
    "profiles": columns_of,
    "list": targets_of,
    "do-not-disturb": dated_of,
}


class Refused(Exception):  # noqa: N818 - a finding about the file
    """A file that is not taken; what was in force stays in force."""

    def __init__(self, reason: str, imported: Imported) -> None:
        self.imported = imported
        super().__init__(reason)


class StoreBusy(Exception):  # noqa: N818 - the name says what happened
    """Somebody else imports and has not ended in time."""


class StoreFull(Exception):  # noqa: N818 - the name says what happened
    """The store cannot be written (disk full, no permission); what was in force stays in force."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the store."""

    file: str
    rows: int
    """Subscribers or numbers in it."""
    source: str = ""
    """Name of the file it came from."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in force."""

    generation: int = 0
    """Number of the import that made it; 0: nothing was ever imported."""
    profiles: Entry | None = None
    do_not_disturb: Entry | None = None
    lists: Mapping[str, Entry] = field(default_factory=dict)

    def files(self) -> set[str]:
        """All files it names."""
        return {e.file for e in (self.profiles, self.do_not_disturb, *self.lists.values()) if e is not None}

    def to_json(self) -> dict[str, Any]:
        """As it is written."""

        def said(entry: Entry | None) -> dict[str, Any] | None:
            return None if entry is None else {"file": entry.file, "rows": entry.rows, "source": entry.source}

        return {
            "generation": self.generation,
            "profiles": said(self.profiles),
            "do_not_disturb": said(self.do_not_disturb),
            "lists": {name: said(self.lists[name]) for name in sorted(self.lists)},
        }

    @classmethod
    def from_json(cls, values: Any) -> Manifest:
        """As it was written.

        Raises:
            ValueError: it was not written by us.
        """

        def entry(one: Any) -> Entry | None:
            if one is None:
                return None
            if not _FILE.fullmatch(one["file"]):
                raise ValueError(f"file {one['file']!r}")
            return Entry(str(one["file"]), int(one["rows"]), str(one["source"]))

        try:
            lists = {str(name): entry(one) for name, one in values["lists"].items()}
            return cls(
                int(values["generation"]),
                entry(values["profiles"]),
                entry(values["do_not_disturb"]),
                {name: one for name, one in lists.items() if one is not None},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__} {error}") from None


@dataclass(frozen=True, slots=True)
class Imported:
    """How an import went."""

    kind: Kind
    name: str
    """Of a list; empty for the others."""
    loaded: Loaded
    """Rows, errors, remarks."""
    entries: int = 0
    """Subscribers or numbers in force afterwards."""
    generation: int = 0

    def said(self, *, checked: bool = False) -> list[str]:
        """In words, line by line; `checked`: nothing was put in force."""
        loaded = self.loaded
        what = f"{self.kind} {self.name}".strip()
        lines = [f"{what}: {loaded.rows} rows, {loaded.errors.rows} bad, {self.entries} "
                 + ("would be in force" if checked else "in force")]  # fmt: skip
        if loaded.repeated:
            lines.append(f"{loaded.repeated} numbers were there more than once")
        return [*lines, *loaded.remarks, *loaded.errors.summary()]


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """One generation in memory: what the platform has been told, whole."""

    manifest: Manifest
    profiles: Profiles
    """With the target lists in it, and the columns of the table of segments."""
    do_not_disturb: DatedList
    segments: SegmentTable | None = None
    """Laid over every extract."""


class Store:
    """A store in a folder, which is made if absent."""

    def __init__(self, folder: Path, zone: str, limits: Limits | None = None, wait_s: float = 60.0) -> None:
        """`zone` is that of dates in do-not-disturb lists; `wait_s` how long to wait for another import.

        Raises:
            StoreFull: the folder cannot be made.
        """
        self.folder = folder
        self.zone = zone
        self.limits = limits or Limits()
        self._tries = max(1, round(wait_s / _TRY_EVERY_S))
        with _written():
            folder.mkdir(parents=True, exist_ok=True)

    def manifest(self) -> Manifest:
        """What is in force now.

        Raises:
            Unusable: current.json is there and cannot be read.
        """
        path = self.folder / "current.json"
        try:
            return Manifest.from_json(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return Manifest()
        except (OSError, ValueError) as error:
            raise Unusable(f"{path}: not as an import writes it: {error}") from None

    def load(self, before: Told) -> Told:
        """What is in force now, in memory; what has not changed since `before` is taken from there.

        Raises:
            Unusable: a file is missing or damaged.
        """
        for _ in range(3):
            manifest = self.manifest()
            try:
                return self._load(manifest, before)
            except Unusable:
                # It may have been replaced and removed while it was read.
                if self.manifest() == manifest:
                    raise
        raise Unusable("a store that is not replaced faster than it can be read")

    def _load(self, manifest: Manifest, before: Told) -> Told:
        old = before.manifest
        profiles, disturb = before.profiles, before.do_not_disturb
        fresh = manifest.profiles is not None and manifest.profiles != old.profiles
        if fresh and manifest.profiles is not None:
            profiles = self._read(manifest.profiles, read_extract)
            if before.segments is not None:
                profiles = with_segments(profiles, before.segments)
        if manifest.do_not_disturb is not None and manifest.do_not_disturb != old.do_not_disturb:
            disturb = self._read(manifest.do_not_disturb, lambda f, loaded: read_dated(f, loaded, "UTC"))
        # Lists that a configuration names and the store does not have stay.
        held = {n: one for n, one in before.profiles.lists.by_name.items() if n not in old.lists}
        for name, entry in manifest.lists.items():
            known = before.profiles.lists.by_name.get(name)
            if known is None or entry != old.lists.get(name):
                held[name] = TargetList.of(name, self._read(entry, read_targets), profiles.rows_by_msisdn)
            else:
                held[name] = known
        if fresh:
            held = {
                n: one.bound(profiles.rows_by_msisdn) if one is before.profiles.lists.by_name.get(n) else one
                for n, one in held.items()
            }
        return Told(manifest, profiles.with_lists(TargetLists(held)), disturb, before.segments)

    def _read(self, entry: Entry, read: Any) -> Any:
        loaded, path = Loaded(), self.folder / entry.file
        made = reading(path, lambda file: read(file, loaded))
        if loaded.errors.total or len(made) != entry.rows:
            raise Unusable(f"{path}: damaged: {entry.rows} rows were written", f"{len(made)} rows")
        return made

    # ----------------------------------------------------------------- importing

    def take(
        self,
        kind: Kind,
        path: Path,
        *,
        name: str = "",
        replace_all: bool = False,
        source: str = "",
        limits: Limits | None = None,
        no_link: bool = False,
    ) -> Imported:
        """Puts a file in force. A do-not-disturb list is added to the one in force unless `replace_all`.

        `no_link`: as `reading` has it.

        Raises:
            Refused: the file is not taken.
            StoreBusy, StoreFull: the store cannot take it now.
        """
        limits = limits or self.limits
        loaded = Loaded()
        if kind == "list" and not (re.fullmatch(LIST_NAME, name) and len(name) <= 60):
            reason = f"list name {name!r}: expected small letters, digits and hyphens, at most 60"
            raise Refused(reason, Imported(kind, name, loaded))
        with self._lock():
            try:
                made = reading(path, lambda file: self._check(kind, file, loaded, limits), no_link=no_link)
            except Unusable as error:
                where = f"line {error.line}: " if error.line else ""
                expected = error.expected.removeprefix("expected ")
                plain = expected if expected.startswith("cannot") else f"expected {expected}"
                found = f", found {error.value}" if error.value else ""
                raise Refused(f"{where}{plain}{found}", Imported(kind, name, loaded)) from None
            try:
                old = self.manifest()
                if kind == "do-not-disturb" and not replace_all and old.do_not_disturb is not None:
                    made = made.joined(self._read(old.do_not_disturb, lambda f, ld: read_dated(f, ld, "UTC")))
            except Unusable as error:
                raise StoreFull(str(error)) from None
            if kind == "list" and name not in old.lists and len(old.lists) >= MOST_LISTS:
                raise Refused(f"there are {MOST_LISTS} lists already", Imported(kind, name, loaded))
            manifest = self._put(old, kind, name, made, source or path.name)
        return Imported(kind, name, loaded, len(made), manifest.generation)

    def check(self, kind: Kind, path: Path, limits: Limits | None = None) -> Imported:
        """What an import would say; nothing is changed.

        Raises:
            Refused: it would be refused.
        """
        loaded = Loaded()
        try:
            made = reading(path, lambda file: self._check(kind, file, loaded, limits or self.limits))
        except Unusable as error:
            raise Refused(str(error), Imported(kind, "", loaded)) from None
        return Imported(kind, "", loaded, len(made))

    def remove_list(self, name: str) -> bool:
        """Takes a target list out of force; whether there was one.

        Raises:
            StoreBusy, StoreFull: the store cannot be changed now.
        """
        with self._lock():
            old = self.manifest()
            if name not in old.lists:
                return False
            left = {key: one for key, one in old.lists.items() if key != name}
            self._force(replace(old, generation=old.generation + 1, lists=left))
        return True

    def _check(self, kind: Kind, file: BinaryIO, loaded: Loaded, limits: Limits) -> Any:
        if kind == "profiles":
            made: Any = read_extract(file, loaded, limits.encoding)
        elif kind == "list":
            made = read_targets(file, loaded, limits.encoding)
        else:
            made = read_dated(file, loaded, self.zone, limits.encoding)
        loaded.check(limits)
        return made

    def _put(self, old: Manifest, kind: Kind, name: str, made: Any, source: str) -> Manifest:
        generation = old.generation + 1
        stem = f"list-{name}" if kind == "list" else kind
        entry = Entry(f"{stem}-{generation:06d}.parquet", len(made), source)
        table = _TABLES[kind](made)
        if kind == "profiles":
            new = replace(old, generation=generation, profiles=entry)
        elif kind == "list":
            new = replace(old, generation=generation, lists={**old.lists, name: entry})
        else:
            new = replace(old, generation=generation, do_not_disturb=entry)
        with _written():
            write_table(self.folder / entry.file, table)
        try:
            self._force(new)
        except StoreFull:
            # Only the very last step, making the switch outlast a power cut, can fail after the switch.
            if self.manifest().generation != generation:
                (self.folder / entry.file).unlink(missing_ok=True)
                raise
        return new

    def _force(self, manifest: Manifest) -> None:
        """The step at which the new is in force."""
        text = json.dumps(manifest.to_json(), ensure_ascii=False, indent=1) + "\n"
        with _written():
            write_whole(self.folder / "current.json", lambda file: file.write(text.encode("utf-8")))
        named = manifest.files()
        for path in self.folder.iterdir():
            if _FILE.fullmatch(path.name) and path.name not in named:
                with contextlib.suppress(OSError):
                    path.unlink()  # a reader that has it open reads on; one that comes too late asks again

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        with _written():
            file = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            for attempt in range(self._tries):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as error:
                    if error.errno not in (errno.EAGAIN, errno.EACCES):
                        raise
                    if attempt + 1 < self._tries:
                        time.sleep(_TRY_EVERY_S)
            else:
                raise StoreBusy(f"{self.folder}: another import is under way")
            for left in self.folder.glob(".*.partial"):  # of an import that was killed
                with contextlib.suppress(OSError):
                    left.unlink()
            yield
        finally:
            os.close(file)  # which unlocks


@contextlib.contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        said = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise StoreFull(f"the import store cannot be written: {said}; what was in force stays") from None


def told_at_start(
    profiles: Profiles, lists: Mapping[str, Path], segments: SegmentTable | None = None
) -> Told:
    """What a configuration names, before anything was imported.

    Raises:
        ConfigError: with every problem of every list.
    """
    held: dict[str, TargetList] = {}
    problems: list[Problem] = []
    for name, path in lists.items():
        try:
            held[name] = TargetList.of(name, load_target_list(path), profiles.rows_by_msisdn)
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    profiles = profiles.with_lists(TargetLists(held))
    if segments is not None:
        profiles = with_segments(profiles, segments)
    return Told(Manifest(), profiles, DatedList.empty(), segments)
