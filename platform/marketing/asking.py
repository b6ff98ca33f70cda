"""Asking the platform's loop from another thread: nothing is read while a step changes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

__all__ = ["ask"]

PATIENCE_S: Final = 5.0
Read = TypeVar("Read")


def ask(loop: asyncio.AbstractEventLoop, read: Callable[[], Read]) -> Read:
    """What `read` returns, called on the loop between its steps.

    Raises:
        TimeoutError: the loop had no time within `PATIENCE_S`.
    """
    answer: Future[Read] = Future()

    def now() -> None:
        try:
            answer.set_result(read())
        except Exception as error:
            answer.set_exception(error)

    loop.call_soon_threadsafe(now)
    return answer.result(PATIENCE_S)
