"""How a study is asked to stop: by Ctrl-C or SIGTERM while it measures, by neither while it writes."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any, Final, Self

__all__ = ["Stopping"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """While open, who is told to end ends as by Ctrl-C. The process has its own handlers back afterwards."""

    def __enter__(self) -> Self:
        self._before: dict[signal.Signals, Any] = {number: signal.getsignal(number) for number in _SIGNALS}
        signal.signal(signal.SIGTERM, _as_interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def closing(self) -> None:
        """From now on nothing stops it: what was measured is written, in a moment."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    @staticmethod
    def reason(interrupt: KeyboardInterrupt) -> str:
        """Who stopped it, as its report says."""
        return f"stopped by {interrupt.args[0] if interrupt.args else 'Ctrl-C'}"


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)
