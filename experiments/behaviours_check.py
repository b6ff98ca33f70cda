"""Do the platform's behaviours equal what the tap could see? Compared kind by kind, field by field.

Neither side's code is used: two tables come in. A row of the one matches a row of the other when kind, role,
subscriber, cell, peer and cause are the same and time and duration differ by no more than the tolerance; each
row matches once. Rows without a known subscriber are counted and not compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["KIND_NAMES", "Check", "KindCheck", "compare"]

KIND_NAMES: Final[dict[int, str]] = {
    1: "power_on",
    2: "power_off",
    3: "location_update",
    4: "periodic_update",
    5: "location_update_rejected",
    6: "imei_changed",
    7: "power_off_implicit",
    8: "roamed_in",
    9: "roamed_out",
    10: "call_started",
    11: "call_connected",
    12: "call_ended",
    13: "call_rejected",
    14: "call_no_answer",
    15: "call_busy",
    16: "call_vacant",
    17: "call_unreachable",
    18: "call_abandoned",
    19: "call_failed",
    20: "sms_sent",
    21: "sms_received",
    22: "sms_failed",
    23: "ussd_used",
    24: "ss_used",
    26: "handset_seen",
    30: "handover",
    31: "cell_changed",
    32: "area_entered",
    33: "paging_no_response",
    34: "seen",
}
"""Code in the records -> name."""

PAGING_NO_RESPONSE: Final = 33
CALLEE: Final = 2
ANSWER_US: Final = 5_000_000
"""From a page that is answered to the call or message that it was for, at most."""

_EXACT: Final = ("kind", "role", "imsi", "lac", "ci", "peer", "cause", "detail")


@dataclass(frozen=True, slots=True)
class KindCheck:
    """One kind of behaviour."""

    name: str
    truth: int
    """Rows visible at the tap."""
    platform: int
    """Rows the platform recognised."""
    matched: int
    worst_s: float
    """Largest difference of time among matched rows, seconds."""

    @property
    def precision(self) -> float | None:
        return self.matched / self.platform if self.platform else None

    @property
    def recall(self) -> float | None:
        return self.matched / self.truth if self.truth else None


@dataclass(frozen=True, slots=True)
class Check:
    """The whole comparison."""

    kinds: tuple[KindCheck, ...]
    unknown_truth: int
    """Rows of the truth whose subscriber the tap cannot know."""
    unknown_platform: int
    """Rows of the platform without a subscriber."""
    undecidable: int
    """Pages without response on one side alone that ended as the next page of that subscriber came."""
    examples: tuple[dict[str, Any], ...]
    """The first rows of either side without a match."""

    @property
    def equal(self) -> bool:
        return all(k.matched == k.truth == k.platform for k in self.kinds)

    def as_json(self) -> dict[str, Any]:
        return {
            "equal": self.equal,
            "kinds": {
                k.name: {
                    "truth": k.truth,
                    "platform": k.platform,
                    "matched": k.matched,
                    "precision": k.precision,
                    "recall": k.recall,
                    "worst_s": k.worst_s,
                }
                for k in self.kinds
            },
            "unknown_truth": self.unknown_truth,
            "unknown_platform": self.unknown_platform,
            "undecidable": self.undecidable,
            "examples": list(self.examples),
        }


def compare(
    truth: pa.Table, platform: pa.Table, *, tolerance_us: int = 1_000_000, examples: int = 20
) -> Check:
    """Compares two tables with the columns of `reports.records` table `behaviours`."""
    left, right = _columns(truth), _columns(platform)
    known_left, known_right = left["imsi"] != 0, right["imsi"] != 0
    a = {name: column[known_left] for name, column in left.items()}
    b = {name: column[known_right] for name, column in right.items()}
    group_a, group_b = _groups(a, b)
    pair = _match(group_a, a, group_b, b, tolerance_us)
    hit_a, hit_b = pair >= 0, np.zeros(len(group_b), bool)
    hit_b[pair[hit_a]] = True
    gap = np.zeros(len(group_a), np.int64)
    gap[hit_a] = np.abs(a["t_us"][hit_a] - b["t_us"][pair[hit_a]])
    unsure_a, unsure_b = (_unsure(a, side, ~hit, tolerance_us) for side, hit in ((a, hit_a), (b, hit_b)))
    kinds = []
    for code in sorted({*a["kind"].tolist(), *b["kind"].tolist()}):
        of_a, of_b = (a["kind"] == code) & ~unsure_a, (b["kind"] == code) & ~unsure_b
        worst = float(gap[of_a & hit_a].max(initial=0)) / 1e6
        kinds.append(
            KindCheck(
                KIND_NAMES.get(code, f"kind {code}"),
                int(of_a.sum()),
                int(of_b.sum()),
                int((of_a & hit_a).sum()),
                worst,
            )
        )
    lacking = [
        *_rows("only in the truth", a, np.flatnonzero(~hit_a & ~unsure_a), examples),
        *_rows("only at the platform", b, np.flatnonzero(~hit_b & ~unsure_b), examples),
    ]
    unknown_left, unknown_right = (int((~known).sum()) for known in (known_left, known_right))
    undecidable = int(unsure_a.sum() + unsure_b.sum())
    return Check(tuple(kinds), unknown_left, unknown_right, undecidable, tuple(lacking))


def _unsure(
    truth: Mapping[str, NDArray[Any]],
    side: Mapping[str, NDArray[Any]],
    alone: NDArray[np.bool_],
    tolerance_us: int,
) -> NDArray[np.bool_]:
    """Which pages without a match ended, in the truth, within the tolerance of a page that was answered."""
    unsure = np.zeros(len(alone), bool)
    for i in np.flatnonzero(alone & (side["kind"] == PAGING_NO_RESPONSE)).tolist():
        after_us = truth["t_us"] - side["t_us"][i]
        his = (truth["imsi"] == side["imsi"][i]) & (truth["role"] == CALLEE)
        unsure[i] = bool((his & (after_us > -tolerance_us) & (after_us < tolerance_us + ANSWER_US)).any())
    if tolerance_us < 1_000_000:
        unsure[:] = False
    return unsure


def _columns(table: pa.Table) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    for name in (*_EXACT, "t_us", "duration_us", "corr"):
        column = table[name]
        if name == "peer":
            found[name] = np.array(column.to_pylist(), dtype="S20") if len(column) else np.empty(0, "S20")
        else:
            found[name] = column.to_numpy()
    # The truth's numbers go on where the 32 bits on the wire begin again.
    found["corr"] = found["corr"].astype(np.int64) & 0xFFFFFFFF
    return found


def _groups(a: Mapping[str, NDArray[Any]], b: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.int64], ...]:
    """One number for each combination of the fields that must be the same, over both sides."""
    both = pd.concat([pd.DataFrame({name: side[name] for name in _EXACT}) for side in (a, b)])
    codes = both.groupby(list(_EXACT)).ngroup().to_numpy().astype(np.int64)
    return codes[: len(a["t_us"])], codes[len(a["t_us"]) :]


def _match(
    group_a: NDArray[np.int64],
    a: Mapping[str, NDArray[Any]],
    group_b: NDArray[np.int64],
    b: Mapping[str, NDArray[Any]],
    tolerance_us: int,
) -> NDArray[np.int64]:
    """For each row of a the row of b it matches, or -1. Both sides are walked in order of time."""
    order_a = np.lexsort((a["corr"], a["t_us"], group_a))
    order_b = np.lexsort((b["corr"], b["t_us"], group_b))
    pair = np.full(len(group_a), -1, np.int64)
    i = j = 0
    ga, gb = group_a[order_a].tolist(), group_b[order_b].tolist()
    ta, tb = a["t_us"][order_a].tolist(), b["t_us"][order_b].tolist()
    da, db = a["duration_us"][order_a].tolist(), b["duration_us"][order_b].tolist()
    while i < len(ga) and j < len(gb):
        if ga[i] != gb[j]:
            if ga[i] < gb[j]:
                i += 1
            else:
                j += 1
        elif abs(ta[i] - tb[j]) <= tolerance_us and abs(da[i] - db[j]) <= tolerance_us:
            pair[order_a[i]] = order_b[j]
            i += 1
            j += 1
        elif ta[i] <= tb[j]:
            i += 1
        else:
            j += 1
    return pair


def _rows(
    side: str, columns: Mapping[str, NDArray[Any]], index: NDArray[np.intp], limit: int
) -> list[dict[str, Any]]:
    rows = []
    for i in index[:limit].tolist():
        row = {name: columns[name][i].item() for name in ("t_us", *_EXACT, "duration_us", "corr")}
        peer = row["peer"]
        row["peer"] = peer.decode("ascii", "replace") if isinstance(peer, bytes) else peer
        rows.append({"side": side, "name": KIND_NAMES.get(row["kind"], "?"), **row})
    return rows
