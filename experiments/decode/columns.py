"""The platform's rows under the names of the reference view, for `kairos decode --engine columnar`."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marketing.decode import ERROR_NAMES, DecodeErrorKind, Present, RowBatch, number_text
from sigtran.m3ua import NAMES
from sim.bssap import bssmap, dtap, gsm7, sccp, sms
from sim.bssap.identity import decode_plmn

__all__ = ["named_rows"]

Mask = NDArray[np.bool_]

#: TS 23.040 9.1.2.5: type of number 5 is alphanumeric.
_ALPHANUMERIC: Final = 0x50
#: Column `tp` -> the name of the TPDU.
_TP: Final = {1: "SMS-SUBMIT", 2: "SMS-COMMAND", 3: "SMS-DELIVER", 4: "SMS-STATUS-REPORT"}
_CALLED, _CALLING = ("called", "called_digits", "called_type"), ("calling", "calling_digits", "calling_type")


def _table(names: dict[int, str], size: int) -> NDArray[np.object_]:
    """Names by code; a code without one is None."""
    table = np.full(size, None, dtype=object)
    for code, name in names.items():
        table[code] = name
    return table


_M3UA: Final = _table({256 * c + t: name for (c, t), name in NAMES.items()}, 1 << 16)
_SCCP: Final = _table({row.code: row.short for row in sccp.MESSAGES}, 256)
_SCCP_LONG: Final = _table({row.code: row.name for row in sccp.MESSAGES}, 256)
_BSSMAP: Final = _table({row.code: row.name for row in bssmap.MESSAGES}, 256)
_DTAP: Final = _table(
    {row.pd << 8 | kind.code: kind.name for row in dtap.PROTOCOLS for kind in row.messages}, 1 << 12
)
_PROTOCOL: Final = _table({row.pd: row.name for row in dtap.PROTOCOLS}, 16)
_CP: Final = _table({kind.code: kind.name for kind in sms.MESSAGES}, 256)
_RP: Final = _table({kind.code + 1: kind.name for kind in sms.RP_MESSAGES}, 256)
_TPDU: Final = _table(_TP, 256)
_ERRORS: Final = np.array([None, *ERROR_NAMES[1:]], dtype=object)
_HAS_SOURCE: Final = np.array([c in sccp.BY_CODE and "source" in sccp.BY_CODE[c].fixed for c in range(256)])
_HAS_DESTINATION: Final = np.array(
    [c in sccp.BY_CODE and "destination" in sccp.BY_CODE[c].fixed for c in range(256)]
)
_TRANSACTIONS: Final = np.array([pd in dtap.BY_PD and dtap.BY_PD[pd].transactions for pd in range(16)])
_COMPLETE_LAYER_3: Final = 0x57


def _where(present: Mask, values: NDArray[Any], show: Callable[[Any], Any]) -> NDArray[np.object_]:
    """`show(value)` where present, None elsewhere."""
    out = np.full(len(present), None, dtype=object)
    at = np.flatnonzero(present)
    out[at] = np.fromiter((show(value) for value in values[at].tolist()), dtype=object, count=len(at))
    return out


def _hexadecimal(digits: int) -> Callable[[int], str]:
    return lambda value: f"{value:0{digits}x}"


@lru_cache(maxsize=4096)
def _plmn(value: int) -> tuple[str, str]:
    return decode_plmn(value.to_bytes(3, "big"))


def _digits(rows: RowBatch, value: str, count: str, present: Mask) -> NDArray[np.object_]:
    """Numbers with their leading zeros."""
    out = np.full(len(rows), None, dtype=object)
    for at in np.flatnonzero(present).tolist():
        out[at] = f"{int(rows[value][at]):0{int(rows[count][at])}d}"
    return out


def _party(rows: RowBatch, names: tuple[str, str, str], present: Mask) -> NDArray[np.object_]:
    octets, count, kind = names
    out = np.full(len(rows), None, dtype=object)
    for at in np.flatnonzero(present).tolist():
        body, digits = bytes(rows[octets][at]), int(rows[count][at])
        if rows["tp"][at] and int(rows[kind][at]) & 0x70 == _ALPHANUMERIC:
            out[at] = gsm7.decode_text(gsm7.unpack(body, 4 * digits // 7))
        else:
            out[at] = number_text(body, digits)
    return out


def _only(mask: Mask, column: NDArray[np.object_]) -> NDArray[np.object_]:
    """The column where the mask holds, None elsewhere."""
    out = column.copy()
    out[~mask] = None
    return out


def _absent(column: NDArray[np.object_]) -> Mask:
    nothing: Any = None
    return np.asarray(np.equal(column, nothing), dtype=np.bool_)


def _first(*columns: NDArray[np.object_]) -> NDArray[np.object_]:
    """The first column that has a value, row by row."""
    out = columns[0].copy()
    for column in columns[1:]:
        empty = _absent(out)
        out[empty] = column[empty]
    return out


def _place(rows: RowBatch, has: Callable[[Present], Mask]) -> dict[str, NDArray[np.object_]]:
    """The cell of BSSMAP, else the location area of DTAP, as the reference view has it."""
    cell, area = has(Present.CELL), has(Present.LAI)
    whole = cell & (rows["plmn"] > 0)
    mcc = [_where(m, rows[c], lambda v: _plmn(v)[0]) for m, c in ((whole, "plmn"), (area, "lai_plmn"))]
    mnc = [_where(m, rows[c], lambda v: _plmn(v)[1]) for m, c in ((whole, "plmn"), (area, "lai_plmn"))]
    return {
        "mcc": _first(*mcc),
        "mnc": _first(*mnc),
        "lac": _first(_where(cell, rows["lac"], int), _where(area, rows["lai_lac"], int)),
        "ci": _where(has(Present.CI), rows["ci"], int),
    }


def _messages(rows: RowBatch, names: dict[str, NDArray[np.object_]]) -> NDArray[np.object_]:
    """The innermost name, but BSSMAP's own where it carries a layer 3 message in passing."""
    layer_3 = _first(_only(np.asarray(names["rp"] == "RP-DATA"), names["tp"]), names["rp"], names["dtap"])
    passing = (rows["bssmap"] > 0) & (rows["bssmap"] != _COMPLETE_LAYER_3)
    layer_3 = _only(~passing, layer_3)
    return _first(layer_3, names["bssmap"], names["sccp_long"], names["m3ua"])


def named_rows(rows: RowBatch, t_unix_us: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Each row as a mapping with the keys that its message has.

    `text`, `ussd` and `ies` are not among them: no column of the platform carries them. `error` is the kind
    of `DecodeErrorKind`, and the keys of the layers below the broken one stay.
    """
    present = rows["present"]

    def has(flag: Present) -> Mask:
        return np.asarray((present & flag) != 0)

    right = rows["error"] == 0
    data = (rows["m3ua_class"] == 1) & (rows["m3ua_type"] == 1)
    labelled = data & (right | (rows["error"] >= DecodeErrorKind.FOREIGN_SERVICE))
    layer_3, mobility = has(Present.DTAP), rows["pd"] == dtap.PD_MM
    kinds: NDArray[np.intp] = rows["m3ua_class"].astype(np.intp) * 256 + rows["m3ua_type"]
    bssmap_right = rows["bssmap"] > 0
    names = {
        "m3ua": _only(rows["error"] != DecodeErrorKind.M3UA_HEADER, _M3UA[kinds]),
        "sccp": _SCCP[rows["sccp"]],
        "sccp_long": _SCCP_LONG[rows["sccp"]],
        "bssmap": _only(bssmap_right, _BSSMAP[rows["bssmap"]]),
        "dtap": _only(layer_3, _DTAP[(rows["pd"].astype(np.intp) & 15) << 8 | rows["dtap"]]),
        "cp": _only(rows["cp"] > 0, _CP[rows["cp"]]),
        "rp": _only(rows["rp"] > 0, _RP[rows["rp"]]),
        "tp": _only(rows["tp"] > 0, _TPDU[rows["tp"]]),
    }
    # TS 24.008 10.4: radio resource types that the reference codec does not list have one name there.
    unlisted = layer_3 & (rows["pd"] == dtap.PD_RR) & _absent(names["dtap"])
    names["dtap"][unlisted] = dtap.RR_OTHER
    transaction = layer_3 & _TRANSACTIONS[rows["pd"] & 15]
    imei, cause = has(Present.IMEI), has(Present.CAUSE)
    columns: dict[str, Any] = {
        "t_unix_us": t_unix_us,
        "message": _messages(rows, names),
        "error": _ERRORS[rows["error"]],
        "m3ua": names["m3ua"],
        **{key: _where(labelled, rows[key], int) for key in ("opc", "dpc", "si", "ni", "mp", "sls")},
        "sccp": names["sccp"],
        "slr": _where(_HAS_SOURCE[rows["sccp"]], rows["slr"], _hexadecimal(6)),
        "dlr": _where(_HAS_DESTINATION[rows["sccp"]], rows["dlr"], _hexadecimal(6)),
        "bssmap": names["bssmap"],
        "dtap": names["dtap"],
        "pd": _where(layer_3, rows["pd"], int),
        "protocol": _only(layer_3, _PROTOCOL[rows["pd"] & 15]),
        "ti": _where(transaction, rows["ti"], lambda ti: ti & 7),
        "ti_flag": _where(transaction, rows["ti"], lambda ti: ti >> 3 & 1),
        "imsi": _digits(rows, "imsi", "imsi_digits", has(Present.IMSI)),
        "tmsi": _where(has(Present.TMSI), rows["tmsi"], _hexadecimal(8)),
        "imei": _digits(rows, "imei", "imei_digits", imei & (rows["imei_digits"] < 16)),
        "imeisv": _digits(rows, "imei", "imei_digits", imei & (rows["imei_digits"] == 16)),
        **_place(rows, has),
        "called": _party(rows, _CALLED, has(Present.CALLED)),
        "calling": _party(rows, _CALLING, has(Present.CALLING)),
        "cause": _first(
            _where(has(Present.BSSMAP_CAUSE), rows["bssmap_cause"], int),
            _where(cause & ~mobility, rows["cause"], int),
        ),
        "reject_cause": _where(cause & mobility, rows["cause"], int),
        "cp": names["cp"],
        "rp": names["rp"],
        "tp": names["tp"],
    }
    keys = tuple(columns)
    return [
        {key: value for key, value in zip(keys, row, strict=True) if value is not None}
        for row in zip(*(column.tolist() for column in columns.values()), strict=True)
    ]
