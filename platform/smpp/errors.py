"""Whose fault it is: the peer's bytes, our own values, or a session used out of turn."""

from smpp.status import CommandStatus, status_name


class SmppError(Exception):
    """Base of every error raised by this package."""


class DecodeError(SmppError):
    """The peer sent bytes that are no valid SMPP: count it, keep the bytes, go on.

    `command_status` is what the peer should be told; `command_id` and `sequence_number` are those of the
    offending PDU where its header could be read, else 0.
    """

    def __init__(
        self,
        reason: str,
        *,
        command_status: int = CommandStatus.ESME_RINVMSGLEN,
        command_id: int = 0,
        sequence_number: int = 0,
        data: bytes = b"",
    ) -> None:
        super().__init__(f"{reason} ({status_name(command_status)})")
        self.reason = reason
        self.command_status = int(command_status)
        self.command_id = command_id
        self.sequence_number = sequence_number
        self.data = data


class EncodeError(SmppError, ValueError):
    """We tried to build something that has no place on the wire."""


class SessionError(SmppError):
    """We asked a session for something its state does not permit."""
