"""Cell identifier and cell identifier list: TS 48.008 3.2.2.17, 3.2.2.27."""

from __future__ import annotations

from dataclasses import dataclass

from sim.bssap.errors import DecodeError, EncodeError
from sim.bssap.identity import decode_plmn, encode_plmn
from sim.bssap.octets import Reader, push_uint

#: TS 48.008 3.2.2.17: discriminator -> the fields of one cell, in wire order.
DISCRIMINATORS: dict[int, tuple[str, ...]] = {
    0: ("plmn", "lac", "ci"),
    1: ("lac", "ci"),
    2: ("ci",),
    3: (),
    4: ("plmn", "lac"),
    5: ("lac",),
    6: (),
    8: ("plmn", "lac", "rnc"),
    9: ("rnc",),
    10: ("lac", "rnc"),
    11: ("plmn", "lac", "sac"),
    12: ("plmn", "lac", "rnc", "ci"),
}
#: Octets of each field.
SIZES = {"plmn": 3, "lac": 2, "ci": 2, "rnc": 2, "sac": 2}


@dataclass(frozen=True, slots=True)
class Cell:
    """One entry; the fields that the discriminator does not carry are None."""

    mcc: str | None = None
    mnc: str | None = None
    lac: int | None = None
    ci: int | None = None
    rnc: int | None = None
    """RNC identity, 12 or 16 bits in two octets."""
    sac: int | None = None
    """Service area code."""


@dataclass(frozen=True, slots=True)
class CellIdentifier:
    """Cell identifier (one cell) and cell identifier list (several; none where all cells are meant)."""

    discriminator: int
    """A key of DISCRIMINATORS."""
    cells: tuple[Cell, ...] = ()
    spare: int = 0
    """High semi-octet of the discriminator octet as it came."""

    @property
    def cell(self) -> Cell:
        """The first cell; an empty one where there is none."""
        return self.cells[0] if self.cells else Cell()


def cgi(mcc: str, mnc: str, lac: int, ci: int) -> CellIdentifier:
    """The whole cell global identification (discriminator 0)."""
    return CellIdentifier(0, (Cell(mcc, mnc, lac, ci),))


def lac_list(lacs: tuple[int, ...]) -> CellIdentifier:
    """Location areas by LAC alone (discriminator 5)."""
    return CellIdentifier(5, tuple(Cell(lac=lac) for lac in lacs))


def _pull_cell(reader: Reader, fields: tuple[str, ...]) -> Cell:
    values: dict[str, int] = {}
    mcc = mnc = None
    for field in fields:
        if field == "plmn":
            mcc, mnc = decode_plmn(reader.pull(3))
        else:
            values[field] = reader.pull_uint(SIZES[field])
    return Cell(mcc, mnc, **values)


def _push_cell(cell: Cell, fields: tuple[str, ...]) -> bytes:
    out = b""
    for field in fields:
        if field == "plmn":
            out += encode_plmn(cell.mcc or "", cell.mnc or "")
        else:
            value = getattr(cell, field)
            if value is None:
                raise EncodeError(f"cell identifier: {field} is missing")
            out += push_uint(value, SIZES[field], field)
    return out


def decode_cell_identifier_list(data: bytes) -> CellIdentifier:
    """A cell identifier list, TS 48.008 3.2.2.27; DecodeError unless the octets are whole cells."""
    reader = Reader(data)
    octet = reader.pull_u8()
    fields = DISCRIMINATORS.get(octet & 15)
    if fields is None:
        raise DecodeError(f"cell identification discriminator {octet & 15} is reserved")
    size = sum(SIZES[field] for field in fields)
    if (reader.remaining % size if size else reader.remaining) or (size and not reader.remaining):
        raise DecodeError(f"cell identifier list: {reader.remaining} octets are no whole cells of {size}")
    cells = tuple(_pull_cell(reader, fields) for _ in range(reader.remaining // size if size else 0))
    return CellIdentifier(octet & 15, cells, octet >> 4)


def encode_cell_identifier_list(value: CellIdentifier) -> bytes:
    """Mirror of `decode_cell_identifier_list`."""
    fields = DISCRIMINATORS.get(value.discriminator)
    if fields is None:
        raise EncodeError(f"cell identification discriminator {value.discriminator} is reserved")
    if bool(fields) != bool(value.cells):
        raise EncodeError(f"discriminator {value.discriminator} with {len(value.cells)} cells")
    head = push_uint(value.discriminator | value.spare << 4, 1, "discriminator")
    return head + b"".join(_push_cell(cell, fields) for cell in value.cells)


def decode_cell_identifier(data: bytes) -> CellIdentifier:
    value = decode_cell_identifier_list(data)
    if len(value.cells) > 1:
        raise DecodeError(f"cell identifier: {len(value.cells)} cells, one wanted")
    return value


def encode_cell_identifier(value: CellIdentifier) -> bytes:
    if len(value.cells) > 1:
        raise EncodeError(f"cell identifier: {len(value.cells)} cells, one wanted")
    return encode_cell_identifier_list(value)
