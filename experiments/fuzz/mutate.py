"""Damages messages so that the damage is met: lengths around a change are put right, most of the time.

`layout` walks a message by the tables of the reference codec and notes every length octet and pointer with
the octets it counts, and every element. A change inside an element then moves all lengths around it, as a
careless sender's would; without that nearly every mutant would be refused at M3UA.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from experiments.fuzz.traffic import Draws
from sim.bssap import bssap, bssmap_elements, dtap, sccp, sms
from sim.bssap.elements import Element, MessageType

__all__ = ["Layout", "cuts", "layout", "mutate", "smaller"]

#: RFC 4666 3.2, 3.3.1.
_HEADER, _PROTOCOL_DATA, _LABEL = 8, 0x0210, 12
_SCCP_SIZES: Final = {"source": 3, "destination": 3, "sequencing": 2}
#: Percent of the changes that are made above M3UA, where there is most to break.
_ABOVE_M3UA: Final = 93
_BORDERS: Final = (0x00, 0x01, 0x0F, 0x7F, 0x80, 0xF0, 0xFF)


@dataclass(frozen=True, slots=True)
class Count:
    """A number in the message that counts octets of it: a length, or a pointer (the way to its target)."""

    at: int
    size: int
    order: Literal["big", "little"]
    start: int
    """The first octet counted; its value is `end - start`."""
    end: int


@dataclass(slots=True)
class Layout:
    """Where the counts of a message stand, outer ones first, and where its elements are; M3UA's own apart."""

    counts: list[Count] = field(default_factory=list)
    elements: list[tuple[int, int]] = field(default_factory=list)
    m3ua_counts: list[Count] = field(default_factory=list)
    parameters: list[tuple[int, int]] = field(default_factory=list)

    def count(self, d: Draws) -> Count:
        """One of all counts, seldom one of M3UA."""
        counts = self.counts if self.counts and d.chance(_ABOVE_M3UA) else self.m3ua_counts
        return counts[d.below(len(counts))]

    def element(self, d: Draws) -> tuple[int, int]:
        """One of all elements, seldom one of M3UA; (0, 0) where there is none."""
        elements = (self.elements if d.chance(_ABOVE_M3UA) else self.parameters) or [(0, 0)]
        return elements[d.below(len(elements))]


# ------------------------------------------------------------------ where things are


def layout(octets: bytes) -> Layout:
    """The layout of a message whose parameters have no padding, as far as it can be followed.

    What is behind a break in it is not in the layout.
    """
    found = Layout(m3ua_counts=[Count(4, 4, "big", 0, len(octets))])
    for a, b in _parameters(octets, padding=False):
        found.m3ua_counts.append(Count(a + 2, 2, "big", a, b))
        found.parameters.append((a, b))
        if int.from_bytes(octets[a : a + 2], "big") == _PROTOCOL_DATA and b - a > 4 + _LABEL:
            try:
                _walk_sccp(octets, a + 4 + _LABEL, b, found)
            except IndexError:
                continue  # a message that ends where an octet should be
    return found


def _walk_sccp(b: bytes, start: int, end: int, found: Layout) -> None:
    row = sccp.BY_CODE.get(b[start])
    if row is None:
        return
    at = start + 1 + sum(_SCCP_SIZES.get(name, 1) for name in row.fixed)
    for name in (*row.variable, *(("",) if row.optional else ())):
        value = int.from_bytes(b[at : at + row.pointer], "little")
        target = at + row.pointer - 1 + value
        if value and target < end:
            found.counts.append(Count(at, row.pointer, "little", at + row.pointer - 1, target))
            size = row.pointer if name == "data" else 1
            length = int.from_bytes(b[target : target + size], "little")
            if name and target + size + length <= end:
                found.counts.append(Count(target, size, "little", target + size, target + size + length))
                if name == "data":
                    _walk_user(b, target + size, target + size + length, found)
            elif not name:
                _walk_sccp_optional(b, target, end, found)
        at += row.pointer


def _walk_sccp_optional(b: bytes, at: int, end: int, found: Layout) -> None:
    while at + 1 < end and b[at]:
        stop = at + 2 + b[at + 1]
        if stop > end:
            return
        found.counts.append(Count(at + 1, 1, "big", at + 2, stop))
        found.elements.append((at, stop))
        if b[at] == sccp.PARAMETER_CODES["data"]:
            _walk_user(b, at + 2, stop, found)
        at = stop


def _walk_user(b: bytes, start: int, end: int, found: Layout) -> None:
    head = 3 if b[start] == bssap.DTAP else 2
    if start + head >= end or b[start + head - 1] != end - start - head:
        return
    found.counts.append(Count(start + head - 1, 1, "big", start + head, end))
    (_walk_layer_3 if b[start] == bssap.DTAP else _walk_bssmap)(b, start + head, end, found)


def _walk_bssmap(b: bytes, start: int, end: int, found: Layout) -> None:
    at = start + 1
    while at < end:
        element = bssmap_elements.BY_IEI.get(b[at])
        stop = _note(b, at, end, element, found)
        if stop is None:
            return
        if element is not None and element.name in ("Layer 3 Information", "Layer 3 Message Contents"):
            _walk_layer_3(b, at + 2, stop, found)
        at = stop


def _note(b: bytes, at: int, end: int, element: Element | None, found: Layout) -> int | None:
    """Notes the element that begins at `at`, whose form tells its length; where it ends."""
    form = "TLV" if element is None else element.form
    head = 0 if element is not None and element.iei < 0 else 1
    if form in ("LV", "TLV", "TLVE"):
        size = 2 if form == "TLVE" else 1
        first = at + head + size
        stop = first + int.from_bytes(b[at + head : first], "big")
        if first <= end and stop <= end:
            found.counts.append(Count(at + head, size, "big", first, stop))
    else:
        assert element is not None
        stop = at + (1 if form in ("TV1", "T", "H") else head + element.low)
    if stop > end:
        return None
    found.elements.append((at, stop))
    return stop


def _walk_layer_3(b: bytes, start: int, end: int, found: Layout) -> None:
    if end - start < 2:
        return
    protocol = dtap.BY_PD.get(b[start] & 15)
    if protocol is None:
        return
    at = start + 1 + (protocol.transactions and b[start] & 0x70 == 0x70)
    code = b[at] & 0x3F if protocol.sequenced else b[at]
    for kind in protocol.messages:
        if kind.code == code:
            _walk_elements(b, at + 1, end, kind, found)


def _walk_elements(b: bytes, at: int, end: int, kind: MessageType, found: Layout) -> None:
    halves = 0
    for element in kind.mandatory:
        halves += element.form == "H"
        if element.form == "H" and halves % 2 == 0:
            continue
        stop = _note(b, at, end, element, found)
        if stop is None:
            return
        if element.name == "CP-User data":
            _walk_relay(b, at + 1, stop, found)
        at = stop
    by_iei = {element.iei: element for element in kind.optional}
    while at < end:
        known = by_iei.get(b[at]) or by_iei.get(b[at] & 0xF0)
        if known is None and b[at] & 0x80:
            found.elements.append((at, at + 1))
            at += 1
            continue
        stop = _note(b, at, end, known, found)
        if stop is None:
            return
        at = stop


def _walk_relay(b: bytes, start: int, end: int, found: Layout) -> None:
    for kind in sms.RP_MESSAGES:
        if end - start >= 2 and kind.code == b[start]:
            _walk_elements(b, start + 2, end, kind, found)


# ------------------------------------------------------------------ changes


def _replaced(octets: bytes, a: int, b: int, new: bytes, counts: list[Count], grow: bool) -> bytes:
    """`octets` with [a, b) replaced by `new`, and those counts put right.

    grow: what is put at the very end of an element becomes a part of it.
    """
    out = bytearray(octets)
    for count in counts:
        if a < count.at + count.size and b > count.at:
            continue  # the count itself is changed
        lost = max(0, min(b, count.end) - max(a, count.start))
        inside = count.start <= a and (a < count.end or (grow and a == count.end))
        value = count.end - count.start - lost + (len(new) if inside else 0)
        if value == count.end - count.start:
            continue
        room = 8 * count.size
        out[count.at : count.at + count.size] = (value & (1 << room) - 1).to_bytes(count.size, count.order)
    out[a:b] = new
    return bytes(out)


def _parameters(octets: bytes, padding: bool) -> Iterator[tuple[int, int]]:
    """Begin and end of the parameters of M3UA (RFC 4666 3.2), as far as their lengths can be followed."""
    at = _HEADER
    while at + 4 <= len(octets):
        length = int.from_bytes(octets[at + 2 : at + 4], "big")
        if length < 4 or at + length > len(octets):
            break
        yield at, at + length
        at += length + (-length % 4 if padding else 0)


def _bare(octets: bytes) -> bytes:
    """The message without the padding of its parameters: what is changed here."""
    return octets[:_HEADER] + b"".join(octets[a:b] for a, b in _parameters(octets, padding=True))


def _padded(octets: bytes) -> bytes:
    """The padding put back, and the length of the whole right."""
    out, end = bytearray(octets[:_HEADER]), _HEADER
    for a, b in _parameters(octets, padding=False):
        out += octets[a:b] + bytes(-(b - a) % 4)
        end = b
    out += octets[end:]
    return bytes(out[:4]) + len(out).to_bytes(4, "big") + bytes(out[8:])


def _edit(octets: bytes, d: Draws, found: Layout, a: int, b: int, new: bytes) -> bytes:
    """A replacement, with all counts put right, or only those of some layers, or none."""
    counts = found.m3ua_counts + found.counts
    if d.chance(12):
        counts = counts[: d.below(len(counts) + 1)]
    return _replaced(octets, a, b, new, counts, d.chance(70))


def _place(octets: bytes, d: Draws) -> int:
    """An octet, mostly of the payload, whose beginning is met more often."""
    first = 24 if len(octets) > 24 and d.chance(_ABOVE_M3UA) else 0
    return first + d.below(max(1, len(octets) - first))


def _cut(octets: bytes, d: Draws, found: Layout, _: list[bytes]) -> bytes:
    count = found.count(d)
    end = count.end
    a = count.start + d.below(max(1, end - count.start)) if d.chance(50) else min(_place(octets, d), end)
    return _edit(octets, d, found, a, end, b"")


def _flip(octets: bytes, d: Draws, _: Layout, __: list[bytes]) -> bytes:
    out = bytearray(octets)
    at = _place(octets, d)
    match d.below(4):
        case 0:
            out[at] ^= 1 << d.below(8)
        case 1:
            out[at] = d.below(256)
        case 2:
            out[at] = d.pick(_BORDERS)
        case _:
            out[at] = out[at] + d.pick((-1, 1, -2, 2)) & 255
    return bytes(out)


def _length(octets: bytes, d: Draws, found: Layout, _: list[bytes]) -> bytes:
    """A wrong count, with its octets left where they are."""
    count = found.count(d)
    value = int.from_bytes(octets[count.at : count.at + count.size], count.order)
    wrong = d.pick((value + 1, value - 1, value + d.below(16), 0, 1, 0xFF, d.below(256)))
    out = bytearray(octets)
    out[count.at : count.at + count.size] = (wrong & (1 << 8 * count.size) - 1).to_bytes(
        count.size, count.order
    )
    return bytes(out)


def _resize(octets: bytes, d: Draws, found: Layout, _: list[bytes]) -> bytes:
    """An element of another length: more of it, less of it, nothing of it."""
    count = found.count(d)
    size = d.pick((0, 1, 2, d.below(12), count.end - count.start + d.between(1, 3)))
    kept = octets[count.start : count.end][:size]
    return _edit(octets, d, found, count.start, count.end, kept + d.octets(size - len(kept)))


def _insert(octets: bytes, d: Draws, found: Layout, _: list[bytes]) -> bytes:
    new = d.octets(d.between(1, 6)) if d.chance(70) else bytes([d.pick(_BORDERS)]) * d.between(1, 3)
    at = found.element(d)[d.below(2)] if found.elements and d.chance(50) else _place(octets, d)
    return _edit(octets, d, found, at, at, new)


def _delete(octets: bytes, d: Draws, found: Layout, _: list[bytes]) -> bytes:
    if found.elements and d.chance(50):
        return _edit(octets, d, found, *found.element(d), b"")
    at = _place(octets, d)
    return _edit(octets, d, found, at, min(len(octets), at + d.between(1, 4)), b"")


def _repeat(octets: bytes, d: Draws, found: Layout, _: list[bytes]) -> bytes:
    """An element twice, or at another place."""
    a, b = found.element(d)
    at = b if d.chance(50) else found.element(d)[0]
    return _edit(octets, d, found, at, at, octets[a:b])


def _swap(octets: bytes, d: Draws, found: Layout, _: list[bytes]) -> bytes:
    """Two elements in each other's place."""
    pairs = [
        (one, two) for one, two in zip(found.elements, found.elements[1:], strict=False) if one[1] <= two[0]
    ]
    if not pairs:
        return octets
    (a, b), (x, y) = d.pick(pairs)
    return octets[:a] + octets[x:y] + octets[b:x] + octets[a:b] + octets[y:]


def _splice(octets: bytes, d: Draws, found: Layout, others: list[bytes]) -> bytes:
    """An element of another message in the place of one here, or behind it."""
    other = d.pick(others)
    other = _bare(other)
    a, b = layout(other).element(d)
    x, y = found.element(d)
    return _edit(octets, d, found, y if d.chance(50) else x, y, other[a:b])


_Mutator = Callable[[bytes, Draws, Layout, list[bytes]], bytes]
_MUTATORS: Final[tuple[_Mutator, ...]] = (
    _flip, _flip, _flip, _length, _length, _cut, _cut, _resize, _resize, _insert, _insert, _delete, _repeat,
    _swap, _splice,
)  # fmt: skip


def mutate(octets: bytes, d: Draws, others: list[bytes]) -> bytes:
    """The message changed once to three times; `others` are messages to take elements from."""
    octets = _bare(octets)
    for _ in range(d.pick((1, 1, 1, 2, 2, 3))):
        octets = d.pick(_MUTATORS)(octets, d, layout(octets), others)
        if len(octets) < _HEADER:
            return octets
    return octets if d.chance(3) else _padded(octets)


def cuts(octets: bytes) -> list[bytes]:
    """The message cut behind each of its octets: as it is then, and with the lengths around the cut right."""
    bare = _bare(octets)
    found = layout(bare)
    mended = [
        _padded(_replaced(bare, end, len(bare), b"", found.m3ua_counts + found.counts, True))
        for end in range(_HEADER, len(bare))
    ]
    return [octets[:end] for end in range(len(octets))] + mended


def smaller(octets: bytes) -> Iterator[bytes]:
    """Messages with a part left out, large parts first, lengths put right; then with an octet of zero."""
    bare = _bare(octets)
    found = layout(bare)
    counts = found.m3ua_counts + found.counts
    spans = sorted({*found.parameters, *found.elements}, key=lambda span: span[0] - span[1])
    spans += [(at, at + size) for size in (8, 4, 2, 1) for at in range(_HEADER, len(bare) - size + 1)]
    for a, b in spans:
        yield _padded(_replaced(bare, a, b, b"", counts, False))
    for at in range(_HEADER, len(octets)):
        if octets[at]:
            yield octets[:at] + b"\0" + octets[at + 1 :]
