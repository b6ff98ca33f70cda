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
    found: list[tuple[int, ...]] = []
    columns = ("t_us", "imsi", "kind", "lac", "ci", "detail", "corr", "act")
    acts = rows[(rows["imsi"] != 0) & (rows["kind"] != v.PAGING_NO_RESPONSE)]
    acts = acts[np.argsort(acts["t_us"], kind="stable")]
    for t_us, imsi, kind, lac, ci, detail, corr, act in zip(
        *(acts[name].tolist() for name in columns), strict=True
    ):
        person = people.setdefault(imsi, _Person())
        if silence_us:
            _fall_silent(found, imsi, person, silence_us, t_us)
        here, cell = (lac, ci), person.cell
        if kind == v.LOCATION_UPDATE and detail >> 16:
            if person.seen_us:
                gone_us = t_us - person.seen_us
                found.append((v.ROAMED_OUT, t_us, imsi, *cell, detail, gone_us, corr, act))
            found.append((v.ROAMED_IN, t_us, imsi, *here, detail, 0, corr, act))
        person.seen_us, person.on = t_us, kind != v.POWER_OFF
        if ci and here != cell:
            if cell[1]:
                found.append((v.CELL_CHANGED, t_us, imsi, *here, cell[0] << 16 | cell[1], 0, corr, act))
                if lac != cell[0]:
                    found.append((v.AREA_ENTERED, t_us, imsi, *here, cell[0], 0, corr, act))
            person.cell = here
        if kind == v.HANDSET_SEEN:
            if person.imei and detail // 10 != person.imei // 10:
                found.append((v.IMEI_CHANGED, t_us, imsi, *here, detail, 0, corr, act))
            person.imei = detail
    if silence_us:
        for imsi, person in people.items():
            _fall_silent(found, imsi, person, silence_us, end_us)
    return _table(found)


def _fall_silent(
    found: list[tuple[int, ...]], imsi: int, person: _Person, silence_us: int, before_us: int
) -> None:
    over_us = ((person.seen_us + silence_us) // MINUTE_US + 1) * MINUTE_US
    if person.on and over_us < before_us:
        person.on = False
        found.append((v.POWER_OFF_IMPLICIT, over_us, imsi, *person.cell, 0, 0, 0, -1))


def _table(found: list[tuple[int, ...]]) -> NDArray[np.void]:
    """Rows of VISIBLE in order of time; each given as the columns below."""
    made = np.zeros(len(found), v.VISIBLE)
    names = ("kind", "t_us", "imsi", "lac", "ci", "detail", "duration_us", "corr", "act")
    for name, column in zip(names, zip(*found, strict=True), strict=False):
        made[name] = column
    made["rule"] = [_RULES[one[0]] for one in found]
    return made[np.argsort(made["t_us"], kind="stable")]
