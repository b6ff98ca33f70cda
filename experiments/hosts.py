"""Where the platform runs: a child process behind real ports, or a thread of this one (`memory`)."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from experiments.child import PlatformChild
from experiments.problems import RunInvalid

__all__ = ["Host", "PlatformThread", "host"]


class Host(Protocol):
    """A platform that has been started."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def wait_ready(self, timeout_s: float) -> dict[str, Any]:
        """Its addresses, once all its doors are open."""

    def check(self) -> None:
        """Raises RunInvalid where it has ended by itself."""

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
        if self._fault is not None:
            raise RunInvalid(f"the platform failed: {type(self._fault).__name__}: {self._fault}")
        if self._code is not None and not self._stopping:
            raise RunInvalid(
                f"the platform ended in mid-run: {self._server.reason or f'exit code {self._code}'}"
            )

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


def host(config: Path, log: Path, doors: Any | None) -> Host:
    """A child process; with doors, a thread of this one."""
    return PlatformChild(config, log) if doors is None else PlatformThread(config, doors)
