"""Status codes of responses and reports, TS 23.140: the thousands say whose fault it is."""

from enum import IntEnum
from typing import Final

__all__ = ["MM_STATUSES", "StatusCode", "text_of"]


class StatusCode(IntEnum):
    """As the table of status codes and texts of TS 23.140 names them."""

    SUCCESS = 1000
    PARTIAL_SUCCESS = 1100
    CLIENT_ERROR = 2000
    OPERATION_RESTRICTED = 2001
    ADDRESS_ERROR = 2002
    ADDRESS_NOT_FOUND = 2003
    MULTIMEDIA_CONTENT_REFUSED = 2004
    MESSAGE_ID_NOT_FOUND = 2005
    LINKED_ID_NOT_FOUND = 2006
    MESSAGE_FORMAT_CORRUPT = 2007
    SERVER_ERROR = 3000
    NOT_POSSIBLE = 3001
    MESSAGE_REJECTED = 3002
    MULTIPLE_ADDRESSES_NOT_SUPPORTED = 3003
    GENERAL_SERVICE_ERROR = 4000
    IMPROPER_IDENTIFICATION = 4001
    UNSUPPORTED_VERSION = 4002
    UNSUPPORTED_OPERATION = 4003
    VALIDATION_ERROR = 4004
    SERVICE_ERROR = 4005
    SERVICE_UNAVAILABLE = 4006
    SERVICE_DENIED = 4007


def text_of(code: int) -> str:
    """The words for a code; of one that is not in the table its class."""
    for known in (code, code // 1000 * 1000):
        if known in StatusCode._value2member_map_:
            return StatusCode(known).name.replace("_", " ").capitalize()
    return "Unknown status"


MM_STATUSES: Final = ("Expired", "Retrieved", "Rejected", "Deferred", "Indeterminate", "Forwarded")
"""MMStatus of delivery reports."""
