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
from marketing.engine.judging import contact_id_of
from marketing.engine.snapshot import Resumed, StateFolder
from marketing.engine.state import EngineState, new_state, schedule_group
from marketing.engine.steps import next_due, on_batch, on_timers
from marketing.engine.timers import on_selection
from marketing.engine.told import on_ended, on_opt_out, on_reply, on_unsent, row_now
from marketing.engine.triggers import Contact, Decision, Trigger

__all__ = [
    "Change",
    "Contact",
    "Decision",
    "EngineState",
    "Prepared",
    "PreparedSwitch",
    "Resumed",
    "StateFolder",
    "Trigger",
    "change_campaigns",
    "contact_id_of",
    "new_state",
    "next_due",
    "on_batch",
    "on_ended",
    "on_opt_out",
    "on_reply",
    "on_selection",
    "on_timers",
    "on_unsent",
    "prepare_campaigns",
    "prepare_switch",
    "row_now",
    "schedule_group",
    "switch_profiles",
]
