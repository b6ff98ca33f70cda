"""Bit fields of elements as tables, read and written by one pair of functions.

A layout is written as the specifications draw it, most significant bit first: `"spare 2 | act 1 | pref 1 |
priority 4"`. Elements stay octets in messages; this says what the octets mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sim.bssap.errors import DecodeError, EncodeError
from sim.bssap.octets import push_octets

Fields = dict[str, Any]
_Row = tuple[tuple[str, int], ...]
_SPARE = "spare"
REST = "rest"


def _row(text: str) -> _Row:
    """(name, bits) of a drawing; spare bits get numbers so that each name stands once."""
    found: list[tuple[str, int]] = []
    spares = 0
    for part in filter(None, text.split("|")):
        name, _, bits = part.strip().rpartition(" ")
        if name == _SPARE:
            spares += 1
            name = _SPARE if spares == 1 else f"{_SPARE} {spares}"
        found.append((name, int(bits)))
    return tuple(found)


def _bits_of(row: _Row) -> int:
    return sum(bits for _, bits in row)


def _pull_row(row: _Row, data: bytes) -> Fields:
    """Values by name; spare bits only where they are not zero."""
    value, left = int.from_bytes(data, "big"), _bits_of(row)
    found: Fields = {}
    for name, bits in row:
        left -= bits
        field = value >> left & (1 << bits) - 1
        if field or not name.startswith(_SPARE):
            found[name] = field
    return found


def _push_row(row: _Row, values: Mapping[str, Any]) -> int:
    """Mirror of `_pull_row`, as a number; fields not given are zero."""
    value = 0
    for name, bits in row:
        field = values.get(name, 0)
        if not isinstance(field, int) or not 0 <= field < 1 << bits:
            raise EncodeError(f"{name}: {field!r} does not fit into {bits} bit(s)")
        value = value << bits | field
    return value


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of an element's octets."""

    parts: tuple[_Row, ...]
    """Fields (name, bits), most significant first; each part is one or more whole octets."""
    entries: str = ""
    """Key of what comes again and again behind `parts`."""
    entry: _Row = ()
    """The fields of one entry, whole octets together."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for part in self.parts for name, _ in part)


def layout(text: str, *, entries: str = "", entry: str = "") -> Layout:
    """A layout from its drawing, `name bits | name bits`, cut into parts where whole octets end."""
    parts: list[_Row] = []
    open_part: list[tuple[str, int]] = []
    for name, bits in _row(text):
        open_part.append((name, bits))
        if _bits_of(tuple(open_part)) % 8 == 0:
            parts.append(tuple(open_part))
            open_part = []
    assert not open_part, text
    assert _bits_of(_row(entry)) % 8 == 0, entry
    return Layout(tuple(parts), entries, _row(entry))


def pull_fields(form: Layout, data: bytes) -> Fields:
    """Fields by name; nothing is refused.

    Where the octets end early, the fields behind are not there; octets beyond the layout are `rest`.
    """
    found: Fields = {}
    at = 0
    for part in form.parts:
        size = _bits_of(part) // 8
        if at + size > len(data):
            break
        found |= _pull_row(part, data[at : at + size])
        at += size
    else:
        step = _bits_of(form.entry) // 8
        if step:
            whole = at + (len(data) - at) // step * step
            found[form.entries] = [_pull_row(form.entry, data[i : i + step]) for i in range(at, whole, step)]
            at = whole
    if at < len(data):
        found[REST] = data[at:]
    return found


def push_fields(form: Layout, values: Mapping[str, Any]) -> bytes:
    """Mirror of `pull_fields`: as many octets as the fields given reach into. EncodeError names the field."""
    known = {*form.names, form.entries, REST}
    for name in values:
        if name not in known:
            raise EncodeError(f"there is no field {name!r}; there are {', '.join(form.names)}")
    further = form.entries in values
    reach = [
        index for index, part in enumerate(form.parts) if further or any(name in values for name, _ in part)
    ]
    out = b""
    for part in form.parts[: max(reach, default=-1) + 1]:
        out += _push_row(part, values).to_bytes(_bits_of(part) // 8, "big")
    for entry in values.get(form.entries, ()):
        out += _push_row(form.entry, entry).to_bytes(_bits_of(form.entry) // 8, "big")
    return out + push_octets(values.get(REST, b""), REST)


@dataclass(frozen=True, slots=True)
class Group:
    """Octets that belong together: bit 8 of each but the last is 0 (TS 24.007 11.2.1.1)."""

    number: str
    """Of the first octet in the specification; the further ones are `a`, `b` and so on."""
    octets: tuple[_Row, ...]
    """Fields in bits 7-1 of each."""
    entries: str = ""
    """Key under which all further octets are listed, when they are of the form `entry`."""
    entry: _Row = ()

    def octet(self, index: int) -> str:
        """The specification's number of an octet."""
        return self.number + ("" if index == 0 else chr(ord("a") + index - 1))


def group(number: str, *octets: str, entries: str = "", entry: str = "") -> Group:
    """A group from the drawings of its octets, bits 7-1 of each."""
    found = Group(number, tuple(map(_row, octets)), entries, _row(entry))
    named = tuple(
        tuple(
            (f"{name} {found.octet(index)}" if name.startswith(_SPARE) else name, bits) for name, bits in row
        )
        for index, row in enumerate(found.octets)
    )
    assert all(_bits_of(row) == 7 for row in (*named, *filter(None, [found.entry]))), number
    return Group(number, named, entries, found.entry)


def pull_groups(groups: tuple[Group, ...], data: bytes) -> Fields:
    """Fields of all groups in order; DecodeError when a group does not end.

    A further octet that a group does not describe is `octet 6h` with its bits 7-1; what follows the last
    group is `rest`.
    """
    found: Fields = {}
    at = 0
    for form in groups:
        if at == len(data):
            break
        index, last = 0, 0
        while not last:
            if at == len(data):
                raise DecodeError(f"octet {form.octet(index)} is missing")
            last, octet = data[at] & 0x80, bytes([data[at] & 0x7F])
            if index < len(form.octets):
                found |= _pull_row(form.octets[index], octet)
            elif form.entry:
                found.setdefault(form.entries, []).append(_pull_row(form.entry, octet))
            else:
                found[f"octet {form.octet(index)}"] = octet[0]
            at, index = at + 1, index + 1
    if at < len(data):
        found[REST] = data[at:]
    return found


def push_groups(groups: tuple[Group, ...], values: Mapping[str, Any]) -> bytes:
    """Mirror of `pull_groups`; EncodeError names the field."""
    known = {name for form in groups for row in form.octets for name, _ in row}
    known |= {form.entries for form in groups} | {REST}
    out = b""
    for form in groups:
        further = [f"octet {form.octet(len(form.octets) + index)}" for index in range(20)]
        rows = [*form.octets, *(((name, 7),) for name in further if name in values)]
        known.update(further)
        reach = [index for index, row in enumerate(rows) if any(name in values for name, _ in row)]
        octets = [_push_row(row, values) for row in rows[: max(reach, default=-1) + 1]]
        octets += [_push_row(form.entry, entry) for entry in values.get(form.entries, ())]
        if octets:
            out += bytes([*octets[:-1], octets[-1] | 0x80])
    for name in values:
        if name not in known:
            raise EncodeError(f"there is no field {name!r}")
    return out + push_octets(values.get(REST, b""), REST)
