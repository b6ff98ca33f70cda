"""Whose fault it is: what the peer sent wrong, and what we would have sent wrong."""

from mm7.status import StatusCode

__all__ = ["DecodeError", "EncodeError", "Mm7Error"]


class Mm7Error(Exception):
    """Anything wrong with an MM7 message."""


class DecodeError(Mm7Error):
    """The peer sent what cannot be read; `status` is what it is to be told, of which `transaction_id`."""

    def __init__(
        self, reason: str, status: StatusCode = StatusCode.VALIDATION_ERROR, transaction_id: str = ""
    ) -> None:
        super().__init__(reason)
        self.reason, self.status, self.transaction_id = reason, status, transaction_id


class EncodeError(Mm7Error):
    """A value that no MM7 message can carry."""
