"""What is known of each subscriber over time, as columns updated in place, and the timers that follow."""

from marketing.features.columns import Features, Stays
from marketing.features.timers import Timer, Timers

__all__ = ["Features", "Stays", "Timer", "Timers"]
