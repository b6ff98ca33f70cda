"""What an observer with a memory can know besides: rules over the visible rows, in order of time.

`sim.network.visible` says what each message shows by itself. From those rows, and from what they have shown
of the same subscriber before, these follow. The rules are all there is to it; no code of the platform takes
part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.network import visible as v

__all__ = ["DERIVED_RULES", "DerivedRule", "derived"]

MINUTE_US: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class DerivedRule:
    """One way in which something follows."""

    name: str
    kind: int
    clause: str
    wording: str


DERIVED_RULES: Final = (
    DerivedRule("silent", v.POWER_OFF_IMPLICIT, "TS 24.008 4.4.2",
                "the first whole minute (Unix time) at which an act is longer ago than the silence allowed: "
                "several T3212; of somebody whose last act was not a detach"),
    DerivedRule("left", v.ROAMED_OUT, "TS 24.008 4.4.1",
                "at the return alone: a location update accepted from an area of another network, of "
                "somebody seen here before; cell: his last one here, duration: since then"),
    DerivedRule("came", v.ROAMED_IN, "TS 24.008 4.4.1",
                "a location update accepted from an area of another network; detail: its PLMN << 16 | LAC"),
    DerivedRule("cell", v.CELL_CHANGED, "TS 48.008 3.2.2.17",
                "an act in another cell than the one before; detail: that one's LAC << 16 | CI"),
    DerivedRule("area", v.AREA_ENTERED, "TS 24.008 10.5.1.3",
                "an act in another location area than the one before; detail: that one's LAC"),
    DerivedRule("handset", v.IMEI_CHANGED, "TS 23.003 6.2",
                "an IMEI told whose 14 digits are not those told before"),
)  # fmt: skip
"""Acts are all rows but pages without response, which the network does. First sights change nothing."""

_RULES: Final = {rule.kind: rule.name.encode() for rule in DERIVED_RULES}


@dataclass(slots=True)
class _Person:
    """What has been shown of somebody."""

    seen_us: int = 0
    on: bool = False
    cell: tuple[int, int] = (0, 0)
    imei: int = 0


def derived(rows: NDArray[np.void], silence_us: int, end_us: int) -> NDArray[np.void]:
    """The rows of VISIBLE that follow from others, up to and without `end_us`, in order of time.

    `silence_us` 0: nobody is taken for switched off. Rows whose subscriber is not known say nothing.
    """
    people: dict[int, _Person] = {}
    made: list[NDArray[np.void]] = []

    def follow(kind: int, row: NDArray[np.void], **changes: int) -> None:
        one = np.zeros(1, v.VISIBLE)
        for name in ("t_us", "imsi", "lac", "ci", "corr", "act"):
            one[name] = row[name]
        one["kind"], one["rule"] = kind, _RULES[kind]
        for name, value in changes.items():
            one[name] = value
        made.append(one)

    def fall_silent(imsi: int, person: _Person, before_us: int) -> None:
        over_us = ((person.seen_us + silence_us) // MINUTE_US + 1) * MINUTE_US
        if silence_us and person.on and over_us < before_us:
            person.on = False
            cell = {"lac": person.cell[0], "ci": person.cell[1]}
            nothing = np.zeros(1, v.VISIBLE)[0]
            follow(v.POWER_OFF_IMPLICIT, nothing, t_us=over_us, imsi=imsi, act=-1, **cell)

    acts = rows[(rows["imsi"] != 0) & (rows["kind"] != v.PAGING_NO_RESPONSE)]
    for row in acts[np.argsort(acts["t_us"], kind="stable")]:
        imsi, t_us, kind, detail = (int(row[name]) for name in ("imsi", "t_us", "kind", "detail"))
        person = people.setdefault(imsi, _Person())
        fall_silent(imsi, person, t_us)
        if kind == v.LOCATION_UPDATE and detail >> 16:
            if person.seen_us:
                last = {"lac": person.cell[0], "ci": person.cell[1]}
                follow(v.ROAMED_OUT, row, detail=detail, duration_us=t_us - person.seen_us, **last)
            follow(v.ROAMED_IN, row, detail=detail)
        person.seen_us, person.on = t_us, kind != v.POWER_OFF
        cell = (int(row["lac"]), int(row["ci"]))
        if cell[1] and cell != person.cell:
            if person.cell[1]:
                follow(v.CELL_CHANGED, row, detail=person.cell[0] << 16 | person.cell[1])
                if cell[0] != person.cell[0]:
                    follow(v.AREA_ENTERED, row, detail=person.cell[0])
            person.cell = cell
        if kind == v.HANDSET_SEEN:
            if person.imei and detail // 10 != person.imei // 10:
                follow(v.IMEI_CHANGED, row, detail=detail)
            person.imei = detail
    for imsi, person in people.items():
        fall_silent(imsi, person, end_us)
    found = np.concatenate(made) if made else np.zeros(0, v.VISIBLE)
    return found[np.argsort(found["t_us"], kind="stable")]
