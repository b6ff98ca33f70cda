"""Where the engine runs: in this process, or divided by subscriber over several.

`EngineHost` is what the server, the dispatcher and the state folder see of it. `LocalHost` is the engine of
this process as it is. `DividedHost` has each subscriber's state in one of N processes, chosen by a keyed hash
of his IMSI, and gives the same decisions for any N.
"""

from marketing.workers.divided import DividedHost
from marketing.workers.host import CountedAt, EngineHost, Figures, LocalHost, Settings
from marketing.workers.link import WorkerLost

__all__ = [
    "CountedAt",
    "DividedHost",
    "EngineHost",
    "Figures",
    "LocalHost",
    "Settings",
    "WorkerLost",
]
