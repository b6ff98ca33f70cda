"""Message ladders: what the A interface shows of one procedure, from the first message to the last.

`ladder(kind, params)` gives the steps of a procedure; `LADDERS` is the table of all of them. For one
kind and one set of options the steps and the position of every field are the same, whatever the values,
as long as the numbers, the texts and the TPDU keep their lengths.
"""

from __future__ import annotations

from sim.bssap.procedures.params import OPTION_VALUES, Params, Step
from sim.bssap.procedures.table import LADDERS, Ladder, ladder

__all__ = ["LADDERS", "OPTION_VALUES", "Ladder", "Params", "Step", "ladder"]
