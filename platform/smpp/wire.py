"""Mandatory parameters: SMPP 3.4 3.1. A class per parameter type; `push` and `pull` mirror each other.

The dataclasses of `smpp.pdu` carry these in their field metadata, so that a class *is* its table. `pull` lets
IndexError out when the body ends inside a parameter; `smpp.pdu.decode` names it.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

from smpp.errors import DecodeError, EncodeError
from smpp.status import CommandStatus
from smpp.tlv import Tlv, pull_tlvs, push_tlvs


class Wire(Protocol):
    """A parameter type: `check` a value of ours, `push` it, `pull` it back."""

    def check(self, name: str, value: Any) -> None:
        """Raise EncodeError if `value` has no place in parameter `name`."""

    def push(self, out: bytearray, value: Any) -> None:
        """Append a checked value."""

    def pull(self, data: bytes, at: int) -> tuple[Any, int]:
        """The value at `at` and where the next parameter begins."""


@dataclass(frozen=True, slots=True)
class Octet:
    """Integer of one octet."""

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, int) or not 0 <= value <= 255:
            raise EncodeError(f"{name} is one octet, not {value!r}")

    def push(self, out: bytearray, value: int) -> None:
        out.append(value)

    def pull(self, data: bytes, at: int) -> tuple[int, int]:
        return data[at], at + 1


@dataclass(frozen=True, slots=True)
class CString:
    """C-octet string of at most `size` octets with its NUL; Latin-1, so that every octet survives."""

    size: int
    status: int

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, str) or "\0" in value:
            raise EncodeError(f"{name} is text without NUL, not {value!r}")
        if len(value) >= self.size:
            raise EncodeError(f"{name} takes at most {self.size - 1} characters, not {len(value)}: {value!r}")
        if not value.isascii():
            try:
                value.encode("latin-1")
            except UnicodeEncodeError:
                raise EncodeError(f"{name} cannot hold {value!r}") from None

    def push(self, out: bytearray, value: str) -> None:
        out += value.encode("latin-1")
        out.append(0)

    def pull(self, data: bytes, at: int) -> tuple[str, int]:
        end = data.find(0, at)
        if end < 0:
            if len(data) - at < self.size:
                raise IndexError
            end = len(data)
        if end - at >= self.size:
            raise DecodeError(f"longer than {self.size - 1} characters", command_status=self.status)
        return data[at:end].decode("latin-1"), end + 1


@dataclass(frozen=True, slots=True)
class ShortMessage:
    """sm_length and short_message: SMPP 3.4 5.2.21, 5.2.22; at most 254 octets."""

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, bytes) or len(value) > 254:
            raise EncodeError(f"{name} is at most 254 bytes, not {value!r}")

    def push(self, out: bytearray, value: bytes) -> None:
        out.append(len(value))
        out += value

    def pull(self, data: bytes, at: int) -> tuple[bytes, int]:
        length = data[at]
        if length > 254:
            raise DecodeError("sm_length 255 is over 254", command_status=CommandStatus.ESME_RINVMSGLEN)
        end = at + 1 + length
        if end > len(data):
            raise IndexError
        return data[at + 1 : end], end


@dataclass(frozen=True, slots=True)
class OptionalParameters:
    """All that follows the mandatory parameters."""

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, tuple) or (value and not all(isinstance(tlv, Tlv) for tlv in value)):
            raise EncodeError(f"{name} is a tuple of Tlv, not {value!r}")

    def push(self, out: bytearray, value: tuple[Tlv, ...]) -> None:
        if value:
            out += push_tlvs(value)

    def pull(self, data: bytes, at: int) -> tuple[tuple[Tlv, ...], int]:
        if at == len(data):
            return (), at
        return pull_tlvs(data, at), len(data)


@dataclass(frozen=True, slots=True)
class SmeAddress:
    """dest_flag 1 of submit_multi: SMPP 3.4 4.5.1.1."""

    dest_addr_ton: int
    dest_addr_npi: int
    destination_addr: str

    def __post_init__(self) -> None:
        _OCTET.check("dest_addr_ton", self.dest_addr_ton)
        _OCTET.check("dest_addr_npi", self.dest_addr_npi)
        _ADDRESS.check("destination_addr", self.destination_addr)


@dataclass(frozen=True, slots=True)
class DistributionList:
    """dest_flag 2 of submit_multi: SMPP 3.4 4.5.1.1."""

    dl_name: str

    def __post_init__(self) -> None:
        _LIST_NAME.check("dl_name", self.dl_name)


@dataclass(frozen=True, slots=True)
class UnsuccessSme:
    """One destination that was not accepted: SMPP 3.4 4.5.2.1."""

    dest_addr_ton: int
    dest_addr_npi: int
    destination_addr: str
    error_status_code: int

    def __post_init__(self) -> None:
        _OCTET.check("dest_addr_ton", self.dest_addr_ton)
        _OCTET.check("dest_addr_npi", self.dest_addr_npi)
        _ADDRESS.check("destination_addr", self.destination_addr)
        if not 0 <= self.error_status_code <= 0xFFFFFFFF:
            raise EncodeError(f"error_status_code is four octets, not {self.error_status_code!r}")


_OCTET = Octet()
_ADDRESS = CString(21, CommandStatus.ESME_RINVDSTADR)
_LIST_NAME = CString(21, CommandStatus.ESME_RINVDLNAME)


@dataclass(frozen=True, slots=True)
class Destinations:
    """number_of_dests and dest_address(es) of submit_multi: SMPP 3.4 4.5.1."""

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, tuple) or not 1 <= len(value) <= 254:
            raise EncodeError(f"{name} is a tuple of 1 to 254 destinations, not {value!r}")
        if not all(isinstance(one, SmeAddress | DistributionList) for one in value):
            raise EncodeError(f"{name} holds SmeAddress and DistributionList only, not {value!r}")

    def push(self, out: bytearray, value: tuple[SmeAddress | DistributionList, ...]) -> None:
        out.append(len(value))
        for one in value:
            if isinstance(one, SmeAddress):
                out += bytes((1, one.dest_addr_ton, one.dest_addr_npi))
                _ADDRESS.push(out, one.destination_addr)
            else:
                out.append(2)
                _LIST_NAME.push(out, one.dl_name)

    def pull(self, data: bytes, at: int) -> tuple[tuple[SmeAddress | DistributionList, ...], int]:
        number = data[at]
        if not 1 <= number <= 254:
            raise DecodeError(f"{number} destinations", command_status=CommandStatus.ESME_RINVNUMDESTS)
        at += 1
        found: list[SmeAddress | DistributionList] = []
        for _ in range(number):
            flag = data[at]
            if flag == 1:
                ton, npi = data[at + 1], data[at + 2]
                address, at = _ADDRESS.pull(data, at + 3)
                found.append(SmeAddress(ton, npi, address))
            elif flag == 2:
                name, at = _LIST_NAME.pull(data, at + 1)
                found.append(DistributionList(name))
            else:
                raise DecodeError(f"dest_flag {flag}", command_status=CommandStatus.ESME_RINVDESTFLAG)
        return tuple(found), at


@dataclass(frozen=True, slots=True)
class Unsuccessful:
    """no_unsuccess and unsuccess_sme(s) of submit_multi_resp: SMPP 3.4 4.5.2."""

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, tuple) or len(value) > 255:
            raise EncodeError(f"{name} is a tuple of at most 255 UnsuccessSme, not {value!r}")
        if not all(isinstance(one, UnsuccessSme) for one in value):
            raise EncodeError(f"{name} holds UnsuccessSme only, not {value!r}")

    def push(self, out: bytearray, value: tuple[UnsuccessSme, ...]) -> None:
        out.append(len(value))
        for one in value:
            out += bytes((one.dest_addr_ton, one.dest_addr_npi))
            _ADDRESS.push(out, one.destination_addr)
            out += one.error_status_code.to_bytes(4, "big")

    def pull(self, data: bytes, at: int) -> tuple[tuple[UnsuccessSme, ...], int]:
        number = data[at]
        at += 1
        found = []
        for _ in range(number):
            ton, npi = data[at], data[at + 1]
            address, at = _ADDRESS.pull(data, at + 2)
            if len(data) - at < 4:
                raise IndexError
            found.append(UnsuccessSme(ton, npi, address, int.from_bytes(data[at : at + 4], "big")))
            at += 4
        return tuple(found), at


# The dataclass fields, each with its parameter type. They return Any because `dataclasses.field` does to
# mypy.


def octet(default: int = 0) -> Any:
    """A field of one octet."""
    return field(default=default, metadata={"wire": _OCTET})


def c_string(size: int, status: int = CommandStatus.ESME_RINVPARLEN) -> Any:
    """A field of a C-octet string; `status` is what a peer hears who makes it too long."""
    return field(default="", metadata={"wire": CString(size, status)})


def short_message() -> Any:
    """The field that stands for sm_length and short_message."""
    return field(default=b"", metadata={"wire": ShortMessage()})


def destinations() -> Any:
    """The field that stands for number_of_dests and its addresses."""
    return field(default=(), metadata={"wire": Destinations()})


def unsuccessful() -> Any:
    """The field that stands for no_unsuccess and its addresses."""
    return field(default=(), metadata={"wire": Unsuccessful()})


def optional_parameters() -> Any:
    """The last field of a PDU that may carry optional parameters."""
    return field(default=(), metadata={"wire": OptionalParameters()})
