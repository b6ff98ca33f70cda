"""Where a feature comes from: the extract and lists, the row at hand, the clock, or the engine's view."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import NAMES, BehaviourBatch
from marketing.expressions import CATALOGUE, AnyColumn, Catalogue, Numbers, Sets, Type, View, Words
from marketing.profiles import Places, Profiles, UnknownColumn
from marketing.rules.local_time import LocalTime

__all__ = ["Events", "Sources", "catalogue_of", "unknown"]

_KINDS: Final = tuple(NAMES.get(code, "") for code in range(256))
_ROLES: Final = ("", "caller", "callee")
_TYPES: Final = {
    "bool": Type.BOOL,
    "int": Type.INT,
    "double": Type.DOUBLE,
    "string": Type.STRING,
    "list": Type.STRINGS,
}
_DTYPES: Final = {Type.BOOL: np.bool_, Type.INT: np.int64, Type.DOUBLE: np.float64}


def unknown(kind: Type, count: int) -> AnyColumn:
    """A column of which nothing is known."""
    known = np.zeros(count, dtype=np.bool_)
    if kind is Type.STRING:
        return Words(np.zeros(count, dtype=np.uint8), ("",), known)
    if kind is Type.STRINGS:
        return Sets(np.zeros(count, dtype=np.uint64), (), known)
    dtype = {Type.BOOL: np.bool_, Type.DOUBLE: np.float64}.get(kind, np.int64)
    return Numbers(np.zeros(count, dtype=dtype), known)


@dataclass(slots=True)
class Events:
    """The rows of a wave, as `event.X`; places are looked up once, when they are first asked for."""

    batch: BehaviourBatch
    places: Places
    _places: NDArray[np.int16] | None = field(default=None, repr=False)

    def place(self) -> NDArray[np.int16]:
        """Number of each row's place; -1 = none."""
        if self._places is None:
            self._places = self.places.of(self.batch["lac"], self.batch["ci"])
        return self._places

    def column(self, name: str, index: NDArray[np.integer]) -> AnyColumn:
        """One feature `event.X` of some rows."""
        what = name.removeprefix("event.")
        batch = self.batch
        if what == "kind":
            return Words(batch["kind"][index], _KINDS)
        if what == "role":
            return Words(np.minimum(batch["role"][index], 2), _ROLES)
        if what == "peer":
            return Words.of_bytes(batch["peer"][index])
        if what == "place":
            return Words.of_codes(self.place()[index], self.places.names)
        column = {"duration": "duration_us", "area": "lac", "cell": "ci"}.get(what, what)
        if column not in (batch.dtype.names or ()):
            return unknown(CATALOGUE[name].type, len(index))
        values = batch[column][index].astype(np.int64)
        # A location area or cell of 0 is one that the tap has not seen.
        return Numbers(values, values != 0 if what in ("area", "cell") else None)


@dataclass(slots=True)
class Sources:
    """Gives any feature of the catalogue for some subscribers, each as of its own instant."""

    profiles: Profiles
    local: LocalTime
    view: View | None
    catalogue: Catalogue = CATALOGUE

    def own(self, name: str) -> bool:
        """Whether it takes no view to answer."""
        group = name.split(".")[0].split("[")[0]
        return group in ("profile", "lists", "event") or name in ("now.hour", "now.weekday")

    def column(self, name: str, rows: NDArray[np.int64], at_us: NDArray[np.int64]) -> AnyColumn:
        """Everything but `event.X`."""
        if name.startswith("profile."):
            return profile_column(
                self.profiles, name.removeprefix("profile."), self.catalogue[name].type, rows
            )
        if name.startswith("lists["):
            return self._on_list(name[len("lists[") : -1], rows)
        if name == "now.hour":
            return Numbers(self.local.minute(at_us) // 60)
        if name == "now.weekday":
            return Numbers(self.local.weekday(at_us) + 1)
        if self.view is None:
            raise ValueError(f"{name} was not asked for when the rules were made, and nothing gives it")
        return self.view.column(name, rows, at_us)

    def _on_list(self, name: str, rows: NDArray[np.int64]) -> Numbers:
        # A list yet to be imported holds nobody: `kairos validate` says so, and a running platform goes on.
        if name not in self.profiles.lists:
            return Numbers(np.zeros(len(rows), dtype=np.bool_))
        return Numbers(self.profiles.on_list(name, rows))


def catalogue_of(profiles: Profiles) -> Catalogue:
    """What expressions may name with this extract: the catalogue and any further columns."""
    more = {
        name: _TYPES[column.type]
        for name, column in profiles.columns.items()
        if f"profile.{name}" not in CATALOGUE and column.type in _TYPES
    }
    return CATALOGUE.having(more) if more else CATALOGUE


def profile_column(profiles: Profiles, name: str, kind: Type, rows: NDArray[np.int64]) -> AnyColumn:
    """A column of the extract; one that it lacks, or has as another type, is not known of anybody."""
    try:
        column = profiles.column(name)
    except UnknownColumn:
        return unknown(kind, len(rows))
    if _TYPES.get(column.type) is not kind:
        return unknown(kind, len(rows))
    values = column.values[rows]
    known = None if column.known is None else column.is_known(rows)
    if kind is Type.STRING:
        return Words(values, column.words or ("",), known)
    if kind is Type.STRINGS:
        return Sets(values.astype(np.uint64), column.words, known)
    return Numbers(values.astype(_DTYPES[kind], copy=False), known)
