"""What is known of each subscriber over time, as columns updated in place, and the timers that follow."""

from marketing.features.agenda import NEVER, CrowdedError, Dues, Waves
from marketing.features.columns import Stays
from marketing.features.habits import Habits
from marketing.features.presence import Presence, silence_of
from marketing.features.timers import Timer, Timers

__all__ = [
    "NEVER",
    "CrowdedError",
    "Dues",
    "Habits",
    "Presence",
    "Stays",
    "Timer",
    "Timers",
    "Waves",
    "silence_of",
]
