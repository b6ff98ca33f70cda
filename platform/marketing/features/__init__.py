"""What is known of each subscriber over time, as columns updated in place, and the timers that follow."""

from marketing.features.columns import POWER_OFF, POWER_ON, POWER_UNKNOWN, Features, Stays
from marketing.features.timers import Timer, Timers

__all__ = ["POWER_OFF", "POWER_ON", "POWER_UNKNOWN", "Features", "Stays", "Timer", "Timers"]
