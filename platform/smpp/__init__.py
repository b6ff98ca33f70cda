"""SMPP 3.4 (Short Message Peer to Peer, issue 1.2) without input or output, both roles; asyncio on top.

`smpp.pdu` the codec, `smpp.tlv` optional parameters, `smpp.session` the two ends as state machines,
`smpp.text` alphabets and long messages, `smpp.receipt` delivery receipts, `smpp.times` times, `smpp.aio` the
drivers that own sockets and clocks.
"""

from smpp.errors import DecodeError, EncodeError, SessionError, SmppError
from smpp.pdu import Pdu, decode, encode
from smpp.session import EsmeSession, SessionConfig, SmscSession
from smpp.status import CommandStatus, MessageState, status_name

__all__ = [
    "CommandStatus",
    "DecodeError",
    "EncodeError",
    "EsmeSession",
    "MessageState",
    "Pdu",
    "SessionConfig",
    "SessionError",
    "SmppError",
    "SmscSession",
    "decode",
    "encode",
    "status_name",
]
