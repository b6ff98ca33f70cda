"""What becomes of remembered contacts when the machine's clock is set.

Gaps, rolling windows and never-A-after-B ask how long ago a contact can have been received at the latest.
That instant is kept for these rules alone, so it can be moved along with the clock: the time between then and
now is as long after the step as before. Calendar rules go by what the clock shows; their instants stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["ClockStep"]

SECOND_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class ClockStep:
    """The clock shows `by_us` more; which contacts move along, by their latest possible receipt."""

    by_us: int
    """Microseconds; below 0: it was set back."""
    from_us: int
    """Unix us, as the clock showed them before."""
    until_us: int
    """The same; this one is in, too."""

    @classmethod
    def of(cls, by_us: int, now_us: int, began_us: int, reach_us: int, keep_us: int) -> ClockStep:
        """Of a step at `now_us`, as the clock showed it before.

        Received contacts of this process move both ways: its monotonic clock knows how long ago they were. Of
        earlier ones only what the clock showed is known, and whether it was right nobody can say: they move
        forward, so that they never seem older than by either reading, and stay where it goes back. So does
        what may still be received: the centre gives it up at the instant that it was told.

        Args:
            by_us: What the clock shows more.
            now_us: Unix us.
            began_us: When this process began, by the same reading.
            reach_us: The longest time from a decision to the latest possible receipt. What is later has not
                been decided by this clock: it was behind when the process began, and is being set right.
            keep_us: For how long after its latest possible receipt any rule asks for a contact.
        """
        if by_us > 0:
            return cls(by_us, now_us - keep_us, now_us + reach_us)
        return cls(by_us, began_us, now_us)

    @property
    def by_s(self) -> int:
        """Whole seconds, rounded up: what is moved never seems older for it."""
        return -(-self.by_us // SECOND_US)
