"""What logs never show: numbers of subscribers, and secrets.

Whoever writes an error for people lets it pass `safe`; `SafeFormatter` does so for all that is logged.
Ledger and records are another matter: there a number is the data.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from typing import Final

__all__ = ["LEAST_SECRET", "SafeFormatter", "hide", "log_safely", "masked", "safe", "without_login"]

# E.164 numbers and IMSIs have at most 15 digits (E.164 6.2, TS 23.003 2.2), mobile ones at least 11. Times in
# Unix microseconds have 16.
_NUMBER: Final = re.compile(r"(?<![0-9])[0-9]{11,15}(?![0-9])")
_LOGIN: Final = re.compile(r"(?<=://)[^\s/'\"]*@")
_BEARER: Final = re.compile(r"(?i)(?<=bearer )[!-~]+")
LEAST_SECRET: Final = 6
"""Characters; what is shorter is not looked for, or half of every word would vanish."""
HIDDEN: Final = "***"
_secrets: dict[str, None] = {}


def masked(number: int | str) -> str:
    """A number with its middle hidden: 8613900000001 is 86139****0001."""
    digits = str(number)
    shown = 5 if len(digits) >= 13 else 3
    return f"{digits[:shown]}****{digits[-4:]}" if len(digits) >= 11 else "****"


def hide(*secrets: str) -> None:
    """From now on none of these is shown, wherever it stands."""
    for secret in secrets:
        if len(secret) >= LEAST_SECRET:
            _secrets[secret] = None


def without_login(text: str) -> str:
    """Addresses without the name and password in them."""
    return _LOGIN.sub(f"{HIDDEN}@", text)


def safe(text: str) -> str:
    """The text without secrets, names and passwords in addresses, and with numbers masked."""
    for secret in tuple(_secrets):
        if secret in text:
            text = text.replace(secret, HIDDEN)
    text = _BEARER.sub(HIDDEN, without_login(text))
    return _NUMBER.sub(lambda found: masked(found[0]), text)


class SafeFormatter(logging.Formatter):
    """Any record, its traceback too, passes `safe`; and it stays one line where it was one."""

    def format(self, record: logging.LogRecord) -> str:
        return safe(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        # A line break in what a peer sent must not begin a line that looks like ours.
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return super().formatMessage(record)


def log_safely(level: str) -> None:
    """Everything that this process says on standard error passes `safe` from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(SafeFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.getLogger("httpx").setLevel("WARNING")  # it tells of every request
    logging.captureWarnings(True)
    threading.excepthook = _thread_failed


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    name = failed.thread.name if failed.thread is not None else "?"
    if failed.exc_value is not None:
        logging.getLogger("marketing").error("thread %s failed", name, exc_info=failed.exc_value)
