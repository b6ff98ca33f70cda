"""Where the platform runs: a child process behind real ports, or a thread of this one (`memory`)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from experiments.child import PlatformChild, how_it_ended
from experiments.problems import PlatformEnded, RunInvalid

__all__ = ["Host", "PlatformThread", "blamed", "ended", "host"]

LAST_WORDS_S: Final = 5.0
"""So long after a broken connection the platform's own end is waited for, seconds."""


class Host(Protocol):
    """A platform that has been started."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def wait_ready(self, timeout_s: float) -> dict[str, Any]:
        """Its addresses, once all its doors are open."""

    def check(self) -> None:
        """Raises PlatformEnded where it has ended by itself."""

    def fate(self, wait_s: float) -> str:
        """How it ended by itself, waiting so long for its end; empty while it runs."""

    def said(self, text: str) -> str:
        """A message with what it last said of itself."""

    def stop(self, timeout_s: float = 20.0) -> int:
        """Ends it with its records flushed; the exit code."""


class PlatformThread:
    """The platform in this process, its doors handed over instead of ports: the same bytes, no network."""

    def __init__(self, config: Path, doors: Any) -> None:
        from marketing.config import load_config
        from marketing.server import Server

        self._server = Server(load_config(config), doors)
        self._code: int | None = None
        self._fault: BaseException | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="platform", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._code = self._server.run()
        except BaseException as fault:
            self._fault = fault

    def wait_ready(self, timeout_s: float) -> dict[str, Any]:
        if not self._server.ready.wait(timeout_s):
            raise RunInvalid(f"the platform was not ready within {timeout_s:g} s")
        # A start that failed is announced too; the thread is about to say why.
        deadline = time.monotonic() + 2.0
        while not self._server.addresses and self._fault is None and time.monotonic() < deadline:
            time.sleep(0.01)
        self.check()
        return dict(self._server.addresses)

    def check(self) -> None:
        if fate := self.fate(0.0):
            raise PlatformEnded(self.said(fate))

    def fate(self, wait_s: float) -> str:
        if wait_s:
            self._thread.join(wait_s)
        if self._fault is not None:
            return f"the platform failed: {type(self._fault).__name__}: {self._fault}"
        if self._code is not None and not self._stopping:
            return f"the platform ended in mid-run with exit code {self._code}"
        return ""

    def said(self, text: str) -> str:
        return text + (f": {self._server.reason}" if self._server.reason else "")

    def stop(self, timeout_s: float = 20.0) -> int:
        self._stopping = True
        self._server.stop()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise RunInvalid(f"the platform did not stop within {timeout_s:g} s")
        return self._code if self._code is not None else 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        self._server.stop()
        self._thread.join(5.0)


@contextmanager
def blamed(platform: Host) -> Iterator[None]:
    """Blames the platform's end, where it has ended, for what broke in this block.

    A process that dies takes several connections with it, and whoever talks to it sees one of them break
    before the process can be seen to have ended. So the first break waits a moment for that.

    Raises:
        PlatformEnded: the platform has ended; what broke first comes behind it.
        RunInvalid: as it was, of a platform that still runs.
    """
    try:
        yield
    except PlatformEnded:
        raise
    except RunInvalid as error:
        if fate := platform.fate(LAST_WORDS_S):
            raise PlatformEnded(platform.said(f"{fate}, seen first as: {error}")) from error
        raise


def ended(platform: Host, *, broken: bool = False) -> None:
    """Stops the platform, its records flushed.

    Where talk with it is `broken`, its own end is waited for first.

    Raises:
        PlatformEnded: it had ended by itself, or its end was not in order.
        RunInvalid: it does not stop.
    """
    if fate := platform.fate(LAST_WORDS_S if broken else 0.0):
        raise PlatformEnded(platform.said(fate))
    if code := platform.stop():
        raise PlatformEnded(platform.said(f"the platform {how_it_ended(code)} when it was to stop"))


def host(config: Path, log: Path, doors: Any | None) -> Host:
    """A child process; with doors, a thread of this one."""
    return PlatformChild(config, log) if doors is None else PlatformThread(config, doors)
