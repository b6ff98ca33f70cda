"""What the scapy layers are made of: fields of codec values, packets that the codec reads and writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from scapy.fields import Field
from scapy.packet import Packet

from sim.bssap.flat import jsonable
from sim.bssap.ss_components import OPERATIONS, Component

__all__ = ["Coded", "Elements", "Value", "lines", "reference_text", "text"]


class Value(Field[Any, Any]):
    """One value of the codec; `show` says how `show()` prints it."""

    __slots__ = ("_show",)

    def __init__(self, name: str, default: Any, show: Callable[[Any], str] = repr) -> None:
        self._show = show
        super().__init__(name, default, "B")

    def i2repr(self, pkt: Packet | None, x: Any) -> str:
        return "to be set" if x is None else self._show(x)

    def do_copy(self, x: Any) -> Any:
        return x

    def randval(self) -> Any:
        """Fuzzing is for octets: `fuzz()` leaves the codec's values alone."""
        return None


class Elements(Value):
    """(name, value) pairs in wire order; a mapping will do. The value `...` stands for the payload."""

    islist = 1

    def __init__(self, name: str) -> None:
        super().__init__(name, [], lines)

    def any2i(self, pkt: Packet | None, x: Any) -> list[tuple[str, Any]]:
        return list((x.items() if isinstance(x, Mapping) else x) or [])

    def do_copy(self, x: Any) -> Any:
        return list(x)


def _named(value: Any) -> Any:
    """Components of TS 24.080 with the name of their operation; anything else as it is."""
    if isinstance(value, tuple) and value and isinstance(value[0], Component):
        names = [OPERATIONS.get(one.code) if one.code is not None else None for one in value]
        return [{"operation": name} | jsonable(one) for name, one in zip(names, value, strict=True)]
    return jsonable(value)


def text(value: Any) -> str:
    """A value of the codec as `show()` prints it."""
    if value is ...:
        return "the payload"
    if isinstance(value, str):
        return value
    return json.dumps(_named(value), ensure_ascii=False, default=str)


def lines(pairs: list[tuple[str, Any]]) -> str:
    """Name and value, a line each."""
    return "\n".join(f"{name}: {text(value)}" for name, value in pairs)


def reference_text(value: int) -> str:
    """A local reference as it stands on the wire."""
    return f"{value:06x}"


class Coded(Packet):
    """A packet whose octets the codec reads and writes."""

    _PAIRS: ClassVar = "elements"
    """The field that `element` looks into."""

    def do_dissect(self, s: bytes) -> bytes:
        payload, fields = self._read(s)
        self.fields.update(fields)
        self.raw_packet_cache, self.raw_packet_cache_fields = s, None
        self.explicit = 1
        return payload

    def do_build(self) -> bytes:
        packet: Any = self if self.explicit else next(iter(self))
        payload = packet.payload.do_build()
        before = packet.raw_packet_cache
        if before is not None and packet._same(before, payload):
            return bytes(before)
        return bytes(packet._write(payload))

    def _same(self, before: bytes, payload: bytes) -> bool:
        """Whether fields and payload are still those that were read from `before`."""
        then, fields = self._read(before)
        return then == payload and all(self.getfieldval(name) == value for name, value in fields.items())

    def _read(self, octets: bytes) -> tuple[bytes, dict[str, Any]]:
        """The payload and the fields in `octets`. Raises the codec's DecodeError."""
        raise NotImplementedError

    def _write(self, payload: bytes) -> bytes:
        """Mirror of `_read`. Raises the codec's EncodeError."""
        raise NotImplementedError

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes | None]:
        return s, None

    def element(self, name: str, default: Any = None) -> Any:
        """The value of the first element (M3UA: parameter) of that name."""
        pairs = self.getfieldval(self._PAIRS)
        return next((value for key, value in pairs if key == name), default)

    def mysummary(self) -> str:
        return f"{self.name} {self._title()}"

    def _title(self) -> str:
        return str(self.getfieldval("message"))
