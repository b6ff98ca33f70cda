"""The engine: behaviours in, decisions out. No socket, no clock, no database.

`on_batch` and `on_timers` change the state they are given and nothing else: the same inputs give the same
decisions anywhere, however the stream is cut into batches and subscribers are divided over engines. The
server makes them true: it reserves in the ledger, submits, and tells the outcome.
"""

from marketing.engine.campaigns import (
    Change,
    Prepared,
    PreparedSwitch,
    change_campaigns,
    prepare_campaigns,
    prepare_switch,
    switch_profiles,
)
from marketing.engine.handsets import handsets
from marketing.engine.judged import Judged, Told
from marketing.engine.judging import contact_id_of
from marketing.engine.selected import SelectionError, choose
from marketing.engine.snapshot import REPLAY_ROWS, Keeper, KeptState, Resumed, StateFolder
from marketing.engine.state import EngineState, Rank, new_state, schedule_group
from marketing.engine.steps import next_due, on_batch, on_timers
from marketing.engine.timers import on_selection, turns
from marketing.engine.told import (
    barred,
    on_ended,
    on_opt_out,
    on_released,
    on_reply,
    on_unsent,
    row_in,
    row_now,
)
from marketing.engine.triggers import Contact, Decision, Stamp, Trigger, no_stamp

__all__ = [
    "REPLAY_ROWS",
    "Change",
    "Contact",
    "Decision",
    "EngineState",
    "Judged",
    "Keeper",
    "KeptState",
    "Prepared",
    "PreparedSwitch",
    "Rank",
    "Resumed",
    "SelectionError",
    "Stamp",
    "StateFolder",
    "Told",
    "Trigger",
    "barred",
    "change_campaigns",
    "choose",
    "contact_id_of",
    "handsets",
    "new_state",
    "next_due",
    "no_stamp",
    "on_batch",
    "on_ended",
    "on_opt_out",
    "on_released",
    "on_reply",
    "on_selection",
    "on_timers",
    "on_unsent",
    "prepare_campaigns",
    "prepare_switch",
    "row_in",
    "row_now",
    "schedule_group",
    "switch_profiles",
    "turns",
]
